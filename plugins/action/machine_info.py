# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run module machine_info on the host, and add what the catalog of the controller knows of its processor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import with_id
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import machines
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import HostAction
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.run_id import RESULTS_DIR_VARIABLE


class ActionModule(HostAction):
    """Adds nothing to the module's options: the host reads, the controller recognises."""

    MODULE = "cloudbench.llama.machine_info"
    ERRORS = (records.RecordError,)
    FAILURE = "the machine cannot be measured: %s"

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        ended = self.module(args, task_vars)
        machine = ended.get("machine")
        if machine and not ended.get("failed"):
            # What the controller knows of a processor, no host says.
            machine = machines.checked({**machine, "processor": None} if isinstance(machine, dict) else machine)
            machine["processor"] = processors.recognise(machine)
            if not args.get("name"):
                machine["name"] = processors.machine_name(machine) or machine["name"]
            machine["name"] = self._kept_as(machine)
            ended["machine"] = with_id(machine)
        return ended

    def _kept_as(self, machine: Mapping[str, Any]) -> str:
        """Return the name that tells a machine from others on record, the one it has where nothing is on record."""
        name: str = machine["name"]
        directory = os.environ.get(RESULTS_DIR_VARIABLE)
        if not directory:
            return name
        try:
            kept = machines.name_in(directory, name, machine)
        except records.RecordError as error:
            self._display.vvv("nothing is known of earlier machines: %s" % error)
            return name
        if kept != name:
            self._display.warning(
                "%s is on record as another machine, with other caches, flags or size: results of this one are kept as "
                "%s" % (name, kept)
            )
        return kept
