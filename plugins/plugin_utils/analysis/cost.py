# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tokens cost on the instance that a run was measured on, at the dated price of an hour of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry as kinds
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import variant
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices

# An availability zone; local zones and Outposts have prices of their own, which no table here knows.
_ZONE = re.compile(r"([a-z]{2}(?:-[a-z]+)+-\d+)[a-z]")

# What a million of is priced.
KINDS = ("prompt", "generated, one at a time", "generated within the latency target")


class Hourly(NamedTuple):
    """USD for an hour of a machine, None where that is unknown, of which market, with source and date."""

    usd: Decimal | None
    market: str = prices.ON_DEMAND
    source: str = ""
    date: str = ""

    @property
    def words(self) -> str:
        """Whose price it is, and of when."""
        return f"{self.market}: {self.source}, {self.date}"


class Cost(NamedTuple):
    """USD for a million tokens of a row, of one of KINDS.

    `low` and `high` are those of the speed's interval, None without one.
    """

    row: Row
    kind: str
    usd: float
    low: float | None
    high: float | None


def hourly(run: Run) -> Hourly | None:
    """Return the price of an hour of a run's machine: as the run has it, else the shipped table's on demand, if known.

    A person's own table is not asked: pages are made of the records alone. None where the machine is no instance of EC2
    and nobody gave a price, or an emulated one: there is nothing to pay.
    """
    if summary.emulated(run):
        return None
    paid = (run.plan or {}).get("price")
    if paid:
        return Hourly(Decimal(str(paid["usd_hour"])), paid["market"], paid["source"], paid["date"])
    machine = summary.machine(run)
    instance = machine.get("instance") or {}
    kind, zone = instance.get("type"), _ZONE.fullmatch(instance.get("zone") or "")
    if not kind:
        return None
    listed = prices.shipped(kind, zone.group(1)) if zone else prices.Price(None)
    return Hourly(listed.usd, prices.ON_DEMAND, listed.source, listed.date)


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
    name = kinds.kind_of(row.cell).throughput
    rate = row.interval if name in (None, row.speed) else summary.mean_of(row, name)
    return _of(row._replace(interval=rate), kind, usd_hour)


def _with(rows: Sequence[Row], metric: str) -> list[Row]:
    """Return the rows of one host whose kind of measurement gives a metric."""
    return [row for row in rows if metric in kinds.kind_of(row.cell).metrics and variant.hosts(row.cell) == 1]


def _goodput(rows: Sequence[Row], usd_hour: Decimal) -> Cost | None:
    """Return what a token within the latency target costs at the load that gives most of them."""
    best: Cost | None = None
    for row in _with(rows, "goodput_rate"):
        rate = summary.mean_of(row, "goodput_rate")
        usd = per_million(usd_hour, rate.mean * row.cell["n_gen"]) if rate else None
        if usd is not None and (best is None or usd < best.usd):
            best = Cost(row, KINDS[2], usd, None, None)
    return best


def start(run: Run, rows: Sequence[Row]) -> dict[str, float]:
    """Return the seconds that are paid for before the first token, by what they go into, as far as they are known.

    `boot`: until the host answers, as given for the run. `cold load`: until a server with a cold model file is ready.
    """
    boot = ((run.plan or {}).get("price") or {}).get("boot_s")
    seconds = {} if boot is None else {"boot": float(boot)}
    loads = (summary.centre(row, "load_cold_s") for row in _with(rows, "load_cold_s"))
    cold = next((load for load in loads if load is not None), None)
    return seconds if cold is None else {**seconds, "cold load": cold}


def of_rows(rows: Sequence[Row], usd_hour: Decimal) -> list[Cost]:
    """Return what tokens cost: of the usual prompt, of generation for one user, and at the best goodput."""
    costs = []
    for speed, kind in zip(("pp_tps", "tg_tps"), KINDS, strict=False):
        row = summary.headline(rows, speed)
        costs.append(_of(row, kind, usd_hour) if row else None)
    return [cost for cost in (*costs, _goodput(rows, usd_hour)) if cost]
