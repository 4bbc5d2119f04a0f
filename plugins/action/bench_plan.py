# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/request/plan.py: begin a run on a host and promise its cells."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from typing import Any

from ansible.release import __version__ as ansible_core_version

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.record.version import VERSION
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import machines
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.plan import (
    default_seed,
    make_plan,
    make_search,
    run_payload,
    search_payload,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import (
    OPTION,
    RequestError,
    RunRequest,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.tune_request import TuneRequest
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.run_id import (
    RESULTS_DIR_VARIABLE,
    RunError,
    current_run,
)

# What role llama_bench registers of each host before it plans.
_DESCRIBED = "__llama_bench_described"


class ActionModule(CoreAction):
    """Runs on the controller alone and touches no host."""

    ARGUMENTS = spec(
        machine=dict(type="dict", required=True),
        request=OPTION,
        search=dict(type="bool", default=False),
        tune=dict(type="dict", default={}),
        price_found=dict(type="dict", default={}),
        fleet_found=dict(type="dict", default={}),
    )
    ERRORS = (RunError, RequestError, prices.PriceError, records.RecordError)

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        run = current_run()
        request = RunRequest.of(args["request"])
        price = request.price or prices.paid(args["price_found"])
        machine = self._apart(args["machine"], task_vars, run)
        tune = TuneRequest.of(args["tune"]) if args["search"] else None
        plan, option = make_search(request, tune, machine) if tune else (make_plan(request, machine), {})
        seed = default_seed(run) if request.seed is None else request.seed
        result: dict[str, Any] = {
            "machine": machine,
            "plan": dict(plan, run=run, seed=seed, launches_most=request.launches_most, tune=option),
        }
        if not self.check_mode:
            versions = {
                "collection": VERSION,
                "ansible_core": ansible_core_version,
                "python": platform.python_version(),
            }
            payload = run_payload(request, plan, seed, machine, versions, price, args["fleet_found"])
            kinds = [
                ("machine", machine),
                ("run", search_payload(payload, request, tune, seed) if tune else payload),
                *[("failure", failed) for failed in plan["failures"]],
            ]
            result[envelope.RESULT_KEY] = envelope.as_result(
                [envelope.make(kind, run, machine["name"], payload) for kind, payload in kinds]
            )
        return result

    def _apart(self, machine: dict[str, Any], task_vars: Mapping[str, Any], run: str) -> dict[str, Any]:
        """Return a machine under the name that tells it from the other hosts of its type in this run."""
        of_hosts = task_vars.get("hostvars") or {}
        described = {}
        for host in task_vars.get("ansible_play_hosts_all") or ():
            told = of_hosts.get(host, {}).get(_DESCRIBED) or {}
            if told.get("machine"):
                described[host] = told["machine"]
        here = str(task_vars.get("inventory_hostname"))
        if len(described) < 2 or (described.get(here) or {}).get("id") != machine.get("id"):
            return machine
        directory = os.environ.get(RESULTS_DIR_VARIABLE)
        earlier = records.read(directory, run).records if directory else []
        names = machines.apart(described, [record["payload"] for record in earlier if record["kind"] == "machine"])
        return envelope.with_id(dict(machine, name=names[here]))
