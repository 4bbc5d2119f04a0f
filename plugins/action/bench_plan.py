# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/request/plan.py: begin a run on a host and promise its cells."""

from __future__ import annotations

import json
import platform

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_core_version

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.record.version import VERSION
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import ENOUGH_LAUNCHES
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.builds import public_build
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.plan import (
    default_seed,
    make_plan,
    most_launches,
    public_model,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.run_id import RunError, current_run


class ActionModule(ActionBase):
    """Runs on the controller alone and touches no host."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec=dict(
                machine=dict(type="dict", required=True),
                models=dict(type="list", elements="raw", required=True),
                quantizations=dict(type="list", elements="str", required=True),
                threads=dict(type="list", elements="raw", default=[]),
                tests=dict(type="list", elements="str", required=True),
                builds=dict(type="list", elements="raw", default=["default"]),
                launches=dict(type="int", required=True),
                launches_most=dict(type="int", default=30),
                repetitions=dict(type="int", required=True),
                minutes=dict(type="float", default=0),
                slots=dict(type="int", default=4),
                requests=dict(type="int", default=4),
                slo=dict(type="dict", default={"ttft_s": 2.0, "tpot_s": 0.1}),
                twin=dict(type="bool", default=True),
                price=dict(type="dict", default={}),
                price_found=dict(type="dict", default={}),
                seed=dict(type="int"),
            )
        )
        try:
            run = current_run()
            given = prices.paid(args["price"])
            price = given or prices.paid(args["price_found"])
        except (RunError, prices.PriceError) as error:
            raise AnsibleActionFail(str(error)) from error
        machine = args["machine"]
        quick = args["launches"] < ENOUGH_LAUNCHES
        plan = make_plan(
            args["models"],
            args["quantizations"],
            args["threads"],
            args["tests"],
            args["builds"],
            machine,
            slots=args["slots"],
            twin=args["twin"] and not quick,
        )
        seed = default_seed(run) if args["seed"] is None else args["seed"]
        payload = {
            "cells": plan["cells"],
            "launches": args["launches"],
            "launches_most": most_launches(args["launches"], args["launches_most"]),
            "repetitions": args["repetitions"],
            "quick": quick,
            "time_limit_s": args["minutes"] * 60,
            "slots": args["slots"],
            "slo": args["slo"],
            "seed": seed,
            "versions": {
                "collection": VERSION,
                "ansible_core": ansible_core_version,
                "python": platform.python_version(),
            },
            "emulated": machine["emulated"],
            **({"price": price} if price else {}),
            "command": _command(args, seed, given),
        }
        kinds = [("machine", machine), ("run", payload)] + [("failure", failed) for failed in plan["failures"]]
        result["plan"] = dict(plan, run=run, seed=seed, launches_most=payload["launches_most"])
        if not self._task.check_mode:
            result[envelope.RESULT_KEY] = envelope.as_result(
                [envelope.make(kind, run, machine["name"], payload) for kind, payload in kinds]
            )
        return result


def _command(args, seed, price):
    """Return the command that asks for the same again: from what was planned, never from the command line used, which
    may hold a secret."""
    variables = {
        "llama_model_models": [public_model(model) for model in args["models"]],
        "llama_model_quantizations": args["quantizations"],
        "llama_cpp_builds": [public_build(build) for build in args["builds"]],
        "llama_bench_threads": args["threads"],
        "llama_bench_tests": args["tests"],
        "llama_bench_launches": args["launches"],
        "llama_bench_launches_most": args["launches_most"],
        "llama_bench_repetitions": args["repetitions"],
        "llama_bench_minutes": args["minutes"],
        "llama_bench_slots": args["slots"],
        "llama_bench_requests": args["requests"],
        "llama_bench_slo": args["slo"],
        "llama_bench_twin": args["twin"],
        **({"llama_bench_price": price} if price else {}),
        "llama_bench_seed": seed,
    }
    return "ansible-playbook site.yml -e '%s'" % json.dumps(variables).replace("'", "'\\''")
