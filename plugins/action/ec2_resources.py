# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/{find,wait,judge}.py: what there is of a run, asked of each service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import judge
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.find import find
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import KINDS, line
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.wait import wait_until_gone
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec


class ActionModule(CoreAction):
    """Asks AWS from the controller."""

    ARGUMENTS = spec(
        region=dict(type="str", default=""),
        run=dict(type="str", required=True),
        owner=dict(type="str", default=""),
        without=dict(type="list", elements="str", default=[], choices=list(KINDS)),
        gone=dict(type="list", elements="str", default=[]),
        timeout=dict(type="float", default=900),
        attempts=dict(type="list", elements="dict", default=[]),
    )
    ERRORS = (aws.AwsError,)

    def failure(self, error: Exception, args: Mapping[str, Any]) -> str:
        return f"What there is of the run {args['run']} is not known. {error}."

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        run, region = args["run"], aws.region(args["region"])
        if args["gone"] and not self.check_mode:
            self._wait(region, args["gone"], args["timeout"])
        listing = find(region, run, args["owner"], [kind for kind in KINDS if kind not in args["without"]])
        return {
            "region": region,
            "resources": [resource._asdict() for resource in listing.resources],
            "unasked": listing.unasked,
            "lines": [line(resource) for resource in listing.resources],
            "may_go": judge.may_go(listing, args["attempts"]),
            "report": judge.left_over(listing, run, region, judge.attempts_of(args["attempts"])),
        }

    def _wait(self, region: str, instance_ids: list[str], timeout: float) -> None:
        try:
            if not wait_until_gone(region, instance_ids, timeout):
                self._display.warning(f"After {timeout:.0f} seconds not all is ended of {', '.join(instance_ids)}")
        except aws.AwsError as error:
            # What cannot be asked for is said by the search that comes now.
            self._display.warning(str(error))
