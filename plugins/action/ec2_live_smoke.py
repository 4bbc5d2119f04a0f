# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/live_smoke.py: the live check, its record and its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.release import __version__ as ansible_version

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live_smoke import ERRORS, LiveFiles, live_smoke
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.run_id import RunError, current_run


class ActionModule(CoreAction):
    """Asks AWS from the controller, and runs playbooks of this collection as processes of their own."""

    ARGUMENTS = spec(
        plan=dict(type="dict", required=True),
        variables=dict(type="dict", default={}),
        page=dict(type="path", required=True),
        consoles=dict(type="path", required=True),
        directory=dict(type="path", required=True),
        runs=dict(type="path", required=True),
        policy=dict(type="path", required=True),
        boundary=dict(type="path", required=True),
        demands=dict(type="path", required=True),
        ssh=dict(type="list", elements="str", default=["ssh"]),
        ttl_minutes=dict(type="int", required=True),
        minutes=dict(type="float", required=True),
        usd=dict(type="float", required=True),
        minute_seconds=dict(type="float", default=60),
        permissions_boundary=dict(type="str", default=""),
    )
    ERRORS = (*ERRORS, RunError)
    FAILURE = "The live check cannot be made. %s."

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        files = LiveFiles.of(args)
        plan = args["plan"]
        region = aws.region(plan.get("region") or "")
        told = {name: args[name] for name in ("ttl_minutes", "minutes", "usd", "permissions_boundary")}
        outcome = live_smoke(
            current_run(),
            region,
            plan,
            files,
            variables=args["variables"],
            ssh=args["ssh"],
            minute_s=args["minute_seconds"],
            rent=not self.check_mode,
            tell=self._display.display,
            ansible=ansible_version,
            **told,
        )
        return outcome._asdict()
