# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/resources.py: what there is of a run, asked of each service."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import resources


class ActionModule(ActionBase):
    """Runs on the controller alone and touches no host."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec=dict(
                region=dict(type="str", default=""),
                run=dict(type="str", required=True),
                owner=dict(type="str", default=""),
                without=dict(type="list", elements="str", default=[], choices=list(resources.KINDS)),
                gone=dict(type="list", elements="str", default=[]),
                timeout=dict(type="float", default=900),
                attempts=dict(type="list", elements="dict", default=[]),
            )
        )
        run = args["run"]
        try:
            region = aws.region(args["region"])
            if args["gone"] and not self._task.check_mode:
                self._wait(region, args["gone"], args["timeout"])
            kinds = [kind for kind in resources.KINDS if kind not in args["without"]]
            found = resources.find(region, run, args["owner"], kinds)
        except aws.AwsError as error:
            raise AnsibleActionFail(f"What there is of the run {run} is not known. {error}.") from None
        return dict(
            result,
            changed=False,
            region=region,
            resources=[one._asdict() for one in found.resources],
            unasked=found.unasked,
            lines=[resources.line(one) for one in found.resources],
            may_go=resources.may_go(found, args["attempts"]),
            report=resources.left_over(found, run, region, resources.attempts_of(args["attempts"])),
        )

    def _wait(self, region, instance_ids, timeout):
        try:
            if not resources.wait_until_gone(region, instance_ids, timeout):
                self._display.warning(f"After {timeout:.0f} seconds not all is ended of {', '.join(instance_ids)}")
        except aws.AwsError as error:
            # What cannot be asked for is said by the search that comes now.
            self._display.warning(str(error))
