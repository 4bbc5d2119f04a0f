# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the live check asks without renting anything.

Each question returns whether the answer is as expected, and what it was; each raises AwsError.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.account import QUOTAS
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.ask_prices import SOURCE
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live.checks import (
    SPOT_TYPE,
    TYPE,
    LiveError,
    NotAsked,
)

# What IAM knows of who asks, and puts in where the policy, or a demand, names it: of the account of the demands.
_PRINCIPAL = {"aws:userid": "AROASOMEBODY:session", "aws:PrincipalAccount": "123456789012"}
# How many of those refused are named.
_NAMED = 5
# vCPUs that the instances of the check take, by market.
_NEEDED = {"on-demand": 4, "spot": 1}


class Demand(NamedTuple):
    """What a request of a run needs to be allowed; `context`: key and value of each thing that conditions look at."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...]


def parse_demands(data: object) -> list[Demand]:
    """Return the demands that docs/iam-demands.json holds. Raises LiveError."""
    try:
        rows = data["demands"]  # type: ignore[index]  # what is no mapping raises
        return [Demand(row["action"], row["resource"], tuple(sorted(row["context"].items()))) for row in rows]
    except (TypeError, KeyError, AttributeError) as error:
        raise LiveError(
            f"the demands are no list of action, resource and context ({type(error).__name__}: {error}): take "
            "docs/iam-demands.json as it ships"
        ) from error


def simulated(iam: Any, policy: str, demands: Iterable[Demand]) -> tuple[bool, str]:
    """Ask IAM's simulator whether the policy allows each demand. Source: API_SimulateCustomPolicy of IAM."""
    together: dict[tuple[str, tuple[tuple[str, str], ...]], list[str]] = {}
    for demand in demands:
        together.setdefault((demand.resource, demand.context), []).append(demand.action)
    refused, count = [], 0
    for (resource, context), actions in together.items():
        entries = [
            {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
            for key, value in [*context, *_PRINCIPAL.items()]
        ]
        results = aws.pages(
            iam,
            "simulate_custom_policy",
            "EvaluationResults",
            PolicyInputList=[policy],
            ActionNames=actions,
            ResourceArns=[resource.replace("${aws:userid}", _PRINCIPAL["aws:userid"])],
            ContextEntries=entries,
        )
        decided = {result["EvalActionName"].lower(): result["EvalDecision"] for result in results}
        for action in actions:
            count += 1
            decision = decided.get(action.lower(), "no answer")
            if decision != "allowed":
                refused.append(f"{action} on {resource} ({decision})")
    if not refused:
        return True, f"{count} of {count} allowed"
    more = f" and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
    return False, f"{count - len(refused)} of {count} allowed; not {'; '.join(refused[:_NAMED])}{more}"


def planned(plan: Mapping[str, Any]) -> tuple[bool, str]:
    """Say whether the plan is that of the check, and has no error."""
    rows = [(row["type"], row["count"], row["market"]) for row in plan.get("rows", [])]
    told = ", ".join(f"{count} x {kind} {market}" for kind, count, market in rows) or "nothing"
    if plan.get("errors") or not plan:
        return False, "; ".join(plan.get("errors", [])) or "there is no plan; what was printed before says why"
    if plan.get("account") is None:
        return False, "there are no credentials: give those of the controller by aws configure or AWS_PROFILE"
    if rows != [(TYPE, 2, "on-demand"), (SPOT_TYPE, 1, "spot")]:
        return False, f"{told}: leave ec2_environment_instances out"
    return True, f"{told}, in {plan['region']}"


def zones(plan: Mapping[str, Any]) -> tuple[bool, str]:
    """Say in which zones each type is offered."""
    told = [f"{row['type']}: {', '.join(row['zones']) or 'none'}" for row in plan["rows"]]
    return all(row["zones"] for row in plan["rows"]), "; ".join(told)


def images(plan: Mapping[str, Any]) -> tuple[bool, str]:
    """Say which image each row starts from."""
    ids = [str(row["image_id"]) for row in plan["rows"]]
    return all(name.startswith("ami-") for name in ids), ", ".join(dict.fromkeys(ids))


def quotas(service_quotas: Any) -> tuple[bool, str]:
    """Say how many vCPUs each market allows, whatever runs already."""
    values = {}
    for market, code in QUOTAS.items():
        with aws.asked("servicequotas:GetServiceQuota"):
            answer = service_quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)
        values[market] = float(answer["Quota"]["Value"])
    good = all(values[market] >= needed for market, needed in _NEEDED.items())
    return good, ", ".join(f"{QUOTAS[market]} {value:g}" for market, value in values.items())


def priced(plan: Mapping[str, Any]) -> tuple[bool, str]:
    """Say what AWS itself gave a price for."""
    good, told = True, []
    for row in plan["rows"]:
        usd = row["usd_h"]
        good = good and str(usd["source"]).startswith(SOURCE) and usd["on_demand"] is not None
        told.append(f"{row['type']} {usd['on_demand']} ({usd['source'] or 'unknown'})")
        if row["market"] == "spot":
            good = good and usd["spot"] is not None
            told.append(f"spot {usd['spot']}")
    source = plan["cost"]["storage_source"]
    told.append(f"storage {plan['cost']['storage']} ({source or 'unknown'})")
    return good and source.startswith(SOURCE), ", ".join(told)


def dry_run(ec2: Any, rows: Sequence[Mapping[str, Any]]) -> tuple[bool, str]:
    """Ask for a launch that is none, in the default VPC. Raises NotAsked where the region has none."""
    try:
        with aws.asked("ec2:RunInstances"):
            ec2.run_instances(
                ImageId=rows[0]["image_id"], InstanceType=rows[0]["type"], MinCount=1, MaxCount=1, DryRun=True
            )
    except aws.AwsError as error:
        if error.code == "VPCIdNotSpecified":
            raise NotAsked("the region has no default VPC, in which alone a launch can be asked for so") from error
        return error.code == "DryRunOperation", error.code or str(error)
    raise LiveError("RunInstances with DryRun answered without an error: look whether it launched, and end it")
