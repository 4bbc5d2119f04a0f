# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/resources.py: which runs are over and still have something."""

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
                regions=dict(type="list", elements="str", default=[]),
                owner=dict(type="str", default=""),
                all=dict(type="bool", default=False),
                but=dict(type="list", elements="str", default=[]),
            )
        )
        try:
            region = aws.region(args["region"])
            everywhere = args["regions"] == ["all"]
            regions = resources.enabled_regions(region) if everywhere else args["regions"] or [region]
            for name in regions:
                aws.region(name)
            owner = args["owner"] or resources.caller(region)
            found = resources.find_in(regions)
        except aws.AwsError as error:
            raise AnsibleActionFail(f"Which runs are over is not known. {error}.") from None
        runs = resources.over(found.resources, owner, args["all"], args["but"], everywhere)
        strays = resources.of_no_run(found.resources, owner)
        # Not by a task of its own: the callbacks that show results break long lines, and a command must stay whole.
        for line in resources.sweep_table(runs, strays, owner, regions, found.unasked):
            self._display.display(line)
        return dict(
            result,
            changed=False,
            runs=[dict(one._asdict(), resources=[part._asdict() for part in one.resources]) for one in runs],
            unasked=found.unasked,
        )
