# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn something that failed on a host into failure records, so that it stands on a page and not in a log only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.failures.cause import advice_of, cause_of
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.run_id import RunError, current_run


class ActionModule(CoreAction):
    """Needs nothing of the host."""

    ARGUMENTS = spec(
        phase=dict(
            type="str",
            choices=["provision", "connect", "plan", "build", "model", "measure", "report"],
            required=True,
        ),
        cause=dict(type="str"),
        result=dict(type="dict"),
        advice=dict(type="str"),
        machine=dict(type="str"),
        cells=dict(type="list", elements="dict", default=[]),
        model=dict(type="str"),
        quantization=dict(type="str"),
        build=dict(type="str"),
    )
    RULES = spec(required_one_of=[["cause", "result"]])
    ERRORS = (RunError,)

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        run = current_run()
        cells = [
            cell
            for cell in args["cells"]
            if all(args[name] in (None, cell[name]) for name in ("model", "quantization", "build"))
        ]
        machine = args["machine"] or envelope.unknown_machine(task_vars["inventory_hostname"])
        cause = (args["cause"] or cause_of(args["result"])).strip()
        advice = args["advice"] or advice_of(args["phase"], cause)
        detail = {envelope.TOLD_BY: envelope.CONTROLLER} if args["phase"] == "measure" else {}
        payloads = [envelope.failure(args["phase"], cause, advice, cell, **detail) for cell in cells or [None]]
        self._display.warning("%s: %s" % (machine, cause))
        if self.check_mode:
            return {}
        made = [envelope.make("failure", run, machine, payload) for payload in payloads]
        return {envelope.RESULT_KEY: envelope.as_result(made)}
