# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a run on EC2 as a person reads it before saying yes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.removal import SWEEP
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request import run_time
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.table import LEFT, RIGHT, table


def render(plan: Mapping[str, Any]) -> list[str]:
    """Return the plan for a person, a line each, plain text of at most 120 columns where names allow it."""
    account = f"account {plan['account']}" if plan["account"] else "no account"
    owner = f"owner {plan['owner'] or 'unknown'}"
    lines = [
        f"Plan of the run {plan['run']} in {plan['region'] or 'no region'} ({account}, {owner})",
        "",
        "Would be created, each with the tags Project, RunId, Owner, Region, ExpiresAt and Name:",
        *[f"  {what}" for what in plan["creates"]],
        "",
    ]
    if plan["rows"]:
        lines += _table(plan["rows"]) + [""] + _costs(plan) + [""]
        lines += _listed("What ends the instances where no teardown does:", _guards(plan))
    lines += _listed("Checked:", plan["checked"]) + _listed("Not checked:", plan["unchecked"])
    lines += _listed("Take note:", plan["remarks"]) + _listed("Wrong:", plan["errors"])
    return lines[:-1] if lines[-1] == "" else lines


def _listed(title: str, sentences: list[str]) -> list[str]:
    return [title, *[f"  {sentence}" for sentence in sentences], ""] if sentences else []


def _guards(plan: Mapping[str, Any]) -> list[str]:
    """Return when each of the three acts: none needs this machine, and none needs another one."""
    if plan["schedule"]:
        schedule = f"the account, at {plan['expires_at']}: a schedule for each instance, booted or not"
    else:
        schedule = "no schedule in the account, since ec2_environment_schedule is false: what never boots goes on"
    return [
        f"each itself, {plan['ttl_minutes']} minutes after its boot: shutdown -P is the first that it does",
        schedule,
        "a sweep after that, when somebody runs it; it removes all else too, in every region:",
        f"  {SWEEP} -e ec2_environment_sweep_remove=true",
    ]


def _usd(value: float | None, decimals: int = 4) -> str:
    return "unknown" if value is None else f"{value:.{decimals}f}"


def _many(row: Mapping[str, Any]) -> str:
    return str(row["count"]) if row["count_min"] == row["count"] else f"{row['count_min']} to {row['count']}"


def _table(rows: list[dict[str, Any]]) -> list[str]:
    cells = [["row", "instances", "market", "image", "zones", "vCPUs", "cores", "GiB", "on-demand", "spot", "minutes"]]
    for row in rows:
        cells.append(
            [
                str(row["index"]),
                f"{_many(row)} x {row['type']}",
                row["market"],
                row["image"],
                " ".join(row["zones"]) if len(row["zones"]) < 3 else f"{row['zones'][0]} (of {len(row['zones'])})",
                str(row["vcpus"]),
                str(row["physical_cores"]),
                "?" if row["memory_gib"] is None else f"{row['memory_gib']:g}",
                _usd(row["usd_h"]["on_demand"]),
                _usd(row["usd_h"]["spot"]),
                "{} to {}".format(*row["minutes"]),
            ]
        )
    cells = [[cell or "any" for cell in line] for line in cells]
    lines = table([LEFT] * 5 + [RIGHT] * 6, cells)
    sources = {
        (row["usd_h"]["source"], row["usd_h"]["date"]): None for row in rows if row["usd_h"]["on_demand"] is not None
    }
    lines += [f"On-demand prices, USD an hour: {', '.join(part for part in source if part)}" for source in sources]
    lines += [
        f"row {row['index']} where there is no room: {', '.join(row['or_types'])}" for row in rows if row["or_types"]
    ]
    return lines


def _costs(plan: Mapping[str, Any]) -> list[str]:
    cost = plan["cost"]
    low, high = plan["expected_range"]
    parts = [("instances", cost["instances"]), ("storage", cost["storage"]), ("public IPv4", cost["address"])]
    between = " to ".join(_usd(value, 2) for value in cost["expected_range"])
    width = 28
    rows = [
        ("USD an hour", _usd(cost["per_hour"]), ", ".join(f"{name} {_usd(value)}" for name, value in parts)),
        (
            f"expected, {plan['expected_minutes']} minutes",
            _usd(cost["expected"], 2),
            f"an estimate: {low} to {high} minutes, {between} USD",
        ),
        (
            f"at most, {plan['ttl_minutes']} minutes",
            _usd(cost["at_ttl"], 2),
            "where nothing but the end of their time stops the instances",
        ),
    ]
    lines = [f"{name.ljust(width)} {usd.rjust(9)}  {note}" for name, usd, note in rows]
    sources = [("storage", cost["storage_source"]), ("IPv4", cost["address_source"])]
    lines += [f"Price of {name}: {source}" for name, source in sources if source]
    lines.append("Not counted: data that leaves AWS, requests, and taxes.")
    return [*lines, "The minutes assume:", *[f"  {sentence}" for sentence in run_time.ASSUMPTIONS]]
