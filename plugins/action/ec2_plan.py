# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/plan.py: what a run on EC2 would create, take and cost."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.prices import PriceError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.plan import FleetRequest, learn
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.plan_text import render
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import (
    OPTION,
    RequestError,
    RunRequest,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.run_id import RunError, current_run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.table import TableError


class ActionModule(CoreAction):
    """Runs on the controller alone and touches no host."""

    ARGUMENTS = spec(
        run=dict(type="str", default=""),
        region=dict(type="str", default=""),
        owner=dict(type="str", default=""),
        instances=dict(type="list", elements="raw", required=True),
        market=dict(type="str", default="on-demand"),
        image=dict(type="str", default="amazon-linux-2023"),
        connection=dict(type="str", default="ssh"),
        ttl_minutes=dict(type="int", default=240),
        schedule=dict(type="bool", default=True),
        budget_usd=dict(type="float", default=0),
        budget_email=dict(type="str", default=""),
        volume_gb=dict(type="int", default=0),
        results_bucket=dict(type="str", default=""),
        results_prefix=dict(type="str", default=""),
        ssh_from=dict(type="str", default=""),
        cidr=dict(type="str", default="10.83.0.0/16"),
        subnet_ids=dict(type="list", elements="str", default=[]),
        prices=dict(type="dict", default={}),
        instance_profile=dict(type="str", default=""),
        permissions_boundary=dict(type="str", default=""),
        placement_group=dict(type="bool", default=False),
        request=OPTION,
    )
    ERRORS = (RunError, RequestError, TableError, PriceError)

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        args["run"] = args["run"] or current_run()
        args["request"] = RunRequest.of(args["request"])
        plan = learn(FleetRequest(**args), datetime.datetime.now(datetime.UTC))
        self.show(render(plan))
        return {"plan": plan}
