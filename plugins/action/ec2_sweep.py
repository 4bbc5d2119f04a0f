# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/sweep.py: which runs are over and still have something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import sweep
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.find import caller, enabled_regions, find_in
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.table import TableError


class ActionModule(CoreAction):
    """Asks AWS from the controller."""

    ARGUMENTS = spec(
        region=dict(type="str", default=""),
        regions=dict(type="list", elements="str", default=[]),
        owner=dict(type="str", default=""),
        all=dict(type="bool", default=False),
        but=dict(type="list", elements="str", default=[]),
    )
    ERRORS = (aws.AwsError, TableError)
    FAILURE = "Which runs are over is not known. %s."

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        everywhere = args["regions"] in ([], ["all"])
        region = aws.region(args["region"] or ("" if everywhere else args["regions"][0]))
        regions = self._enabled(region) if everywhere else args["regions"]
        for name in regions:
            aws.region(name)
        owner = args["owner"] or caller(region)
        listing = find_in(regions)
        runs = sweep.over(listing.resources, owner, args["all"], args["but"], everywhere, region)
        strays = sweep.of_no_run(listing.resources, owner)
        self.show(sweep.sweep_table(runs, strays, owner, regions, listing.unasked))
        return {
            "runs": [dict(run._asdict(), resources=[part._asdict() for part in run.resources]) for run in runs],
            "unasked": listing.unasked,
        }

    def _enabled(self, region: str) -> list[str]:
        try:
            return enabled_regions(region)
        except aws.AwsError as error:
            raise aws.AwsError(
                f"which regions the account has cannot be told: {error}; or name those to look at by "
                "ec2_environment_sweep_regions",
                error.code,
                error.status,
            ) from error
