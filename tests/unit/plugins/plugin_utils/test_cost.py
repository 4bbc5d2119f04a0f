# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tokens cost: the price of an hour, the arithmetic, and the section of a page."""

from __future__ import annotations

import copy
from decimal import Decimal

import pytest
from side_by_side import PAGE, records

from ansible_collections.cloudbench.llama.plugins.plugin_utils import cost, prices, report, summary

TITLE = "## Cost"


def machine(**instance) -> dict:
    return {"instance": {"type": "c7g.16xlarge", "zone": "us-east-1a", **instance}, "emulated": False}


def test_an_hour_costs_what_the_table_of_its_region_says():
    found = cost.hourly(machine())
    assert found == prices.on_demand("c7g.16xlarge", "us-east-1")
    assert found.usd == Decimal("2.3200")
    assert found.date


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"instance": None}, None),
        ({"emulated": True}, None),
        ({"instance": {"type": "c7g.16xlarge", "zone": None}}, prices.Price(None)),
        ({"instance": {"type": "c7g.16xlarge", "zone": "us-west-2-lax-1a"}}, prices.Price(None)),
        ({"instance": {"type": "z99.large", "zone": "us-east-1a"}}, prices.Price(None)),
    ],
)
def test_without_a_price_there_is_none(changes, expected):
    assert cost.hourly({**machine(), **changes}) == expected


def test_a_million_tokens():
    # 2.32 USD an hour at 40 tokens a second: 144,000 tokens for 2.32 USD.
    assert cost.per_million(Decimal("2.32"), 40.0) == pytest.approx(2.32 / 0.144)
    assert cost.per_million(Decimal("2.32"), 0.0) is None
    assert cost.per_million(Decimal("2.32"), None) is None


def rows(every: list[dict]) -> list[summary.Row]:
    run = summary.runs(every)[0]
    return summary.rows(run, summary.cells(run))


def test_prompt_and_generation_have_the_bounds_of_their_speeds():
    found = cost.of_rows(rows(records()), Decimal("2.32"))
    assert [one.kind for one in found] == ["prompt", "generated, one at a time"]
    for one in found:
        interval = one.row.interval
        assert one.usd == pytest.approx(2.32 / 3600 / interval.mean * 1e6)
        assert one.low < one.usd < one.high
        assert one.low == pytest.approx(2.32 / 3600 / interval.high * 1e6)


def test_the_best_goodput_is_the_cheapest(real):
    real_rows = rows(real)
    found = cost.of_rows(real_rows, Decimal("1"))
    (one,) = [cheapest for cheapest in found if cheapest.kind.endswith("latency target")]
    served = [row for row in real_rows if row.cell["test"].startswith("serve")]
    rates = {row.cell["test"]: summary.values(row, "goodput_rate")[0] * row.cell["n_gen"] for row in served}
    assert one.usd == pytest.approx(1e6 / 3600 / max(rates.values()))


def test_the_first_million_has_the_cold_load_in_it(real):
    real_rows = rows(real)
    (cold,) = [summary.mean_of(row, "load_cold_s").mean for row in real_rows if row.cell["test"] == "load"]
    assert cost.load(real_rows, Decimal("2.32")) == pytest.approx(2.32 / 3600 * cold)
    assert cost.load(rows(records()), Decimal("2.32")) is None
    every = copy.deepcopy(real)
    for one in every:
        if one["kind"] == "machine":
            one["payload"].update(machine(life_cycle=None))
    pages = [text for text in report.render(every).values() if TITLE in text]
    section = pages[0].partition(TITLE)[2].partition("\n## ")[0]
    assert "boot, storage and data" in section
    assert "| First million |" in section
    (line,) = [line.split("|") for line in section.splitlines() if line.startswith("| generated, one at a time")]
    assert float(line[5]) == pytest.approx(float(line[3]) + 2.32 / 3600 * cold, abs=0.002)


def page(every: list[dict]) -> str:
    return report.render(every)[PAGE.replace("README.md", "q4.md")]


def changed(**instance) -> list[dict]:
    every = records()
    for one in every:
        if one["kind"] == "machine":
            one["payload"]["instance"] = {**one["payload"]["instance"], **instance}
    return every


def test_a_page_says_price_date_and_what_is_not_in_it():
    section = page(changed(zone="us-east-1a", life_cycle=None)).partition(TITLE)[2].partition("\n## ")[0]
    assert "At 2.3200 USD an hour on demand" in section
    assert "boot, loading, storage" in section
    assert "spot" not in section
    assert "| prompt | pp512" in section
    assert "spot instance" in page(changed(life_cycle="spot")).partition(TITLE)[2].partition("\n## ")[0]


def test_a_page_without_a_price_says_so_and_a_machine_of_ones_own_has_no_section():
    assert "N/A: no price of z99.large" in page(changed(type="z99.large"))
    every = records()
    for one in every:
        if one["kind"] == "machine":
            one["payload"]["instance"] = None
    assert TITLE not in page(every)
