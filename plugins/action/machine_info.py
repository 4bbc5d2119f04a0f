# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run module machine_info on the host, and add what the catalog of the controller knows of its processor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import with_id
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import HostAction


class ActionModule(HostAction):
    """Adds nothing to the module's options: the host reads, the controller recognises."""

    MODULE = "cloudbench.llama.machine_info"

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        ended = self.module(args, task_vars)
        machine = ended.get("machine")
        if machine and not ended.get("failed"):
            machine = dict(machine, processor=processors.recognise(machine))
            if not args.get("name"):
                machine["name"] = processors.machine_name(machine) or machine["name"]
            ended["machine"] = with_id(machine)
        return ended
