# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tokens cost on the instance that a run was measured on, at the dated price of an hour of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils import workload
from ansible_collections.cloudbench.llama.plugins.plugin_utils import prices, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.prices import Price
from ansible_collections.cloudbench.llama.plugins.plugin_utils.summary import Payload, Row

# An availability zone; local zones and Outposts have prices of their own, which no table here knows.
_ZONE = re.compile(r"([a-z]{2}(?:-[a-z]+)+-\d+)[a-z]")


# What a million of is priced.
KINDS = ("prompt", "generated, one at a time", "generated within the latency target")


class Cost(NamedTuple):
    """USD for a million tokens of a row, of one of KINDS.

    `low` and `high` are those of the speed's interval, None without one.
    """

    row: Row
    kind: str
    usd: float
    low: float | None
    high: float | None


def hourly(machine: Payload) -> Price | None:
    """Return the on-demand price of an hour of the machine, unknown where the table has none.

    None where the machine is no instance of EC2, or an emulated one: there is nothing to pay.
    """
    instance = machine.get("instance") or {}
    kind, zone = instance.get("type"), _ZONE.fullmatch(instance.get("zone") or "")
    if not kind or machine.get("emulated"):
        return None
    return prices.on_demand(kind, zone.group(1)) if zone else Price(None)


def per_million(usd_hour: Decimal, tokens_s: float | None) -> float | None:
    """Return USD for a million tokens at so many tokens a second, None where there are none."""
    return float(usd_hour) / 3600 / tokens_s * 1e6 if tokens_s else None


def _of(row: Row, kind: str, usd_hour: Decimal) -> Cost | None:
    interval = row.interval
    usd = per_million(usd_hour, interval.mean) if interval else None
    if interval is None or usd is None:
        return None
    return Cost(row, kind, usd, per_million(usd_hour, interval.high), per_million(usd_hour, interval.low))


def of_row(row: Row, usd_hour: Decimal) -> Cost | None:
    """Return what a million tokens of `row` cost; of a server they are those of all its users."""
    kind = KINDS[0] if row.speed == "pp_tps" else KINDS[1]
    rate = summary.mean_of(row, "output_tps") if workload.kind(row.cell) == workload.SERVE else row.interval
    return _of(row._replace(interval=rate), kind, usd_hour)


def _goodput(rows: Sequence[Row], usd_hour: Decimal) -> Cost | None:
    """Return what a token within the latency target costs at the load that gives most of them."""
    best: Cost | None = None
    for row in rows:
        if workload.kind(row.cell) != workload.SERVE:
            continue
        rate = summary.mean_of(row, "goodput_rate")
        usd = per_million(usd_hour, rate.mean * row.cell["n_gen"]) if rate else None
        if usd is not None and (best is None or usd < best.usd):
            best = Cost(row, KINDS[2], usd, None, None)
    return best


def load(rows: Sequence[Row], usd_hour: Decimal) -> float | None:
    """Return the USD until a server with a cold model file is ready, None when nobody measured that."""
    found = (summary.mean_of(row, "load_cold_s") for row in rows if workload.kind(row.cell) == workload.LOAD)
    return next((float(usd_hour) / 3600 * seconds.mean for seconds in found if seconds), None)


def of_rows(rows: Sequence[Row], usd_hour: Decimal) -> list[Cost]:
    """Return what tokens cost: of the usual prompt, of generation for one user, and at the best goodput."""
    found = []
    for speed, kind in zip(("pp_tps", "tg_tps"), KINDS, strict=False):
        row = summary.headline(rows, speed)
        found.append(_of(row, kind, usd_hour) if row else None)
    return [one for one in (*found, _goodput(rows, usd_hour)) if one]
