# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/hosts.py: wait for the hosts of a run, or say which of them have ended."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import hosts as ec2_hosts


class ActionModule(ActionBase):
    """Asks EC2 from the controller and touches no host."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec=dict(
                region=dict(type="str", default=""),
                run=dict(type="str", required=True),
                timeout=dict(type="float", default=600),
                known_hosts=dict(type="path"),
                ended=dict(type="bool", default=False),
                prices=dict(type="dict", default={}),
            )
        )
        try:
            client = aws.client("ec2", aws.region(args["region"]))
            if args["ended"]:
                hosts = ec2_hosts.ended(client, args["run"])
            else:
                hosts = ec2_hosts.wait(client, args["run"], args["timeout"], self._display.display)
            if args["known_hosts"] and not self._task.check_mode:
                result["changed"] = ec2_hosts.write_known_hosts(args["known_hosts"], hosts)
        except aws.AwsError as error:
            raise AnsibleActionFail(str(error)) from error
        except OSError as error:
            raise AnsibleActionFail("the known hosts of the run cannot be kept: %s" % error) from error
        instances = [
            dict(
                host._asdict(),
                keys=list(host.keys),
                price=prices.of_instance(args["prices"], host.type, host.zone, host.market, host.boot_s),
            )
            for host in hosts
        ]
        return dict(result, instances=instances)
