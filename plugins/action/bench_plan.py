# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/request/plan.py: begin a run on a host and promise its cells."""

from __future__ import annotations

import platform
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_core_version

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.record.version import VERSION
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.plan import (
    default_seed,
    make_plan,
    run_payload,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import (
    OPTION,
    RequestError,
    RunRequest,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.run_id import RunError, current_run


class ActionModule(ActionBase):
    """Runs on the controller alone and touches no host."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec=dict(
                machine=dict(type="dict", required=True),
                request=dict(OPTION),
                price_found=dict(type="dict", default={}),
            )
        )
        try:
            run = current_run()
            request = RunRequest.of(args["request"])
            price = request.price or prices.paid(args["price_found"])
        except (RunError, RequestError, prices.PriceError) as error:
            raise AnsibleActionFail(str(error)) from error
        machine = args["machine"]
        plan = make_plan(request, machine)
        seed = default_seed(run) if request.seed is None else request.seed
        versions = {
            "collection": VERSION,
            "ansible_core": ansible_core_version,
            "python": platform.python_version(),
        }
        result["plan"] = dict(plan, run=run, seed=seed, launches_most=request.launches_most)
        if not self._task.check_mode:
            kinds = [
                ("machine", machine),
                ("run", run_payload(request, plan, seed, machine, versions, price)),
                *[("failure", failed) for failed in plan["failures"]],
            ]
            result[envelope.RESULT_KEY] = envelope.as_result(
                [envelope.make(kind, run, machine["name"], payload) for kind, payload in kinds]
            )
        return result
