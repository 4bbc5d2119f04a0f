# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/{place,wait,judge}.py: where a run is and what there is of it, asked of each service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import judge, place
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import KINDS, line
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.wait import wait_until_gone
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec


class ActionModule(CoreAction):
    """Asks AWS from the controller."""

    ARGUMENTS = spec(
        region=dict(type="str", default=""),
        run=dict(type="str", required=True),
        directory=dict(type="path"),
        begin=dict(type="bool", default=False),
        owner=dict(type="str", default=""),
        without=dict(type="list", elements="str", default=[], choices=list(KINDS)),
        gone=dict(type="list", elements="str", default=[]),
        timeout=dict(type="float", default=900),
        attempts=dict(type="list", elements="dict", default=[]),
    )
    ERRORS = (aws.AwsError, OSError)

    def failure(self, error: Exception, args: Mapping[str, Any]) -> str:
        if isinstance(error, OSError):
            return f"where the run {args['run']} is cannot be written down: {error}"
        if isinstance(error, place.ElsewhereError):
            return f"{error}."
        return f"What there is of the run {args['run']} is not known. {error}."

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        run, begin = args["run"], args["begin"] and not self.check_mode
        if args["gone"] and not self.check_mode:
            self._wait(aws.region(args["region"]), args["gone"], args["timeout"])
        kinds = [kind for kind in KINDS if kind not in args["without"]]
        there = place.locate(run, args["region"], args["directory"] or "", args["owner"], kinds, begin)
        region, listing = there.region, there.listing
        return {
            "region": region,
            "region_known": there.known,
            "nothing_left": place.nothing_left(run, there),
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
