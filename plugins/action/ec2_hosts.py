# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/hosts.py: wait for the hosts of a run, or say which of them have ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import fleet, known_hosts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import hosts as ec2_hosts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.wait import wait_until_listed
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec

_NOT_LISTED = (
    "EC2 knows it and does not find it by its tags yet, by which the inventory does: go on with the run in a few "
    "minutes by -e ec2_environment_run, or tear it down"
)


class ActionModule(CoreAction):
    """Asks EC2 from the controller."""

    ARGUMENTS = spec(
        region=dict(type="str", default=""),
        run=dict(type="str", required=True),
        timeout=dict(type="float", default=600),
        known_hosts=dict(type="path"),
        ended=dict(type="bool", default=False),
        prices=dict(type="dict", default={}),
        instance_ids=dict(type="list", elements="str", default=[]),
        rows=dict(type="list", elements="dict", default=[]),
    )
    ERRORS = (aws.AwsError, OSError)

    def failure(self, error: Exception, args: Mapping[str, Any]) -> str:
        return f"the known hosts of the run cannot be kept: {error}" if isinstance(error, OSError) else str(error)

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        region, path = aws.region(args["region"]), args["known_hosts"]
        client = aws.client("ec2", region)
        kept = known_hosts.read(path)
        if args["ended"]:
            hosts = ec2_hosts.ended(client, args["run"], args["instance_ids"])
        else:
            hosts = ec2_hosts.wait(
                client,
                args["run"],
                args["timeout"],
                self._display.display,
                ids=args["instance_ids"],
                known=known_hosts.parse(kept),
                path=path or "",
                ssm=lambda: aws.client("ssm", region),
            )
            late = wait_until_listed(client, args["run"], [host.id for host in hosts if not host.problem])
            hosts = [host._replace(problem=_NOT_LISTED) if host.id in late else host for host in hosts]
        changed = False
        if path and not self.check_mode:
            changed = known_hosts.write(path, ec2_hosts.known_to_ssh(kept, hosts))
        verdicts = fleet.verdicts(args["rows"], (host.row for host in hosts if not host.problem))
        # Where fewer are enough, what ended on the way is told, and no failure of the run.
        enough = {str(verdict.row): verdict for verdict in verdicts if verdict.enough}
        instances = [
            dict(
                host._asdict(),
                keys=list(host.keys),
                price=prices.of_instance(args["prices"], host.type, host.zone, host.market, host.boot_s),
                spared=bool(host.problem) and host.row in enough,
                fleet=enough[host.row].record() if host.row in enough else {},
            )
            for host in hosts
        ]
        return {
            "changed": changed,
            "instances": instances,
            "fewer": [f"{verdict.words}: the run goes on" for verdict in verdicts if verdict.enough and verdict.fewer],
        }
