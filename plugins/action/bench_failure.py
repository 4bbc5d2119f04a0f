# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn something that failed on a host into failure records, so that it stands on a page and not in a log only."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.failures.cause import advice_of, cause_of
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.run_id import RunError, current_run


class ActionModule(ActionBase):
    """Runs on the controller alone and touches no host, which may be out of reach."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec=dict(
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
            ),
            required_one_of=[["cause", "result"]],
        )
        try:
            run = current_run()
        except RunError as error:
            raise AnsibleActionFail(str(error)) from error
        cells = [
            cell
            for cell in args["cells"]
            if all(args[name] in (None, cell[name]) for name in ("model", "quantization", "build"))
        ]
        machine = args["machine"] or envelope.unknown_machine(task_vars["inventory_hostname"])
        cause = (args["cause"] or cause_of(args["result"])).strip()
        advice = args["advice"] or advice_of(args["phase"], cause)
        payloads = [envelope.failure(args["phase"], cause, advice, cell) for cell in cells or [None]]
        self._display.warning("%s: %s" % (machine, cause))
        if not self._task.check_mode:
            result[envelope.RESULT_KEY] = envelope.as_result(
                [envelope.make("failure", run, machine, payload) for payload in payloads]
            )
        return result
