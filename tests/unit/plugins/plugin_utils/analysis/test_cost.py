# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tokens cost: the price of an hour, the arithmetic, and the section of a page."""

from __future__ import annotations

import copy
import datetime
from decimal import Decimal

import pytest
from support.records.side_by_side import PAGE, records

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import cost, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report

TITLE = "## Cost"


def machine(**instance) -> dict:
    return {"instance": {"type": "c7g.16xlarge", "zone": "us-east-1a", **instance}, "emulated": False}


def run_on(payload: dict, price: dict | None = None) -> summary.Run:
    found = summary.runs(records())[0]
    return found._replace(machines={"m": payload}, plan={**found.plan, "emulated": False, "price": price})


def test_an_hour_costs_what_the_table_of_its_region_says():
    found = cost.hourly(run_on(machine()))
    listed = prices.on_demand("c7g.16xlarge", "us-east-1")
    assert found == cost.Hourly(listed.usd, "on-demand", listed.source, listed.date)
    assert found.usd == Decimal("2.3200")
    assert found.date


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"instance": None}, None),
        ({"emulated": True}, None),
        ({"instance": {"type": "c7g.16xlarge", "zone": None}}, cost.Hourly(None)),
        ({"instance": {"type": "c7g.16xlarge", "zone": "us-west-2-lax-1a"}}, cost.Hourly(None)),
        ({"instance": {"type": "z99.large", "zone": "us-east-1a"}}, cost.Hourly(None)),
    ],
)
def test_without_a_price_there_is_none(changes, expected):
    assert cost.hourly(run_on({**machine(), **changes})) == expected


def test_the_price_of_a_run_is_that_of_its_record():
    price = {"usd_hour": 0.8512, "date": "2026-11-27", "source": "my console", "market": "spot", "boot_s": 36.0}
    wanted = cost.Hourly(Decimal("0.8512"), "spot", "my console", "2026-11-27")
    assert cost.hourly(run_on(machine(life_cycle="spot"), price)) == wanted
    assert cost.hourly(run_on({"instance": None}, price)) == wanted
    assert cost.hourly(run_on({**machine(), "emulated": True}, price)) is None


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


def test_the_first_million_has_boot_and_cold_load_in_it(real):
    real_rows = rows(real)
    (cold,) = [summary.mean_of(row, "load_cold_s").mean for row in real_rows if row.cell["test"] == "load"]
    assert cost.start(run_on(machine()), real_rows) == {"cold load": cold}
    assert cost.start(run_on(machine()), rows(records())) == {}
    every = copy.deepcopy(real)
    for one in every:
        if one["kind"] == "run":
            one["payload"]["price"] = prices.paid(
                {"usd_hour": "0.9", "date": "2026-11-27", "market": "spot", "source": "<b>a|b</b>", "boot_s": 36}
            )
    pages = [text for text in report.render(every).values() if TITLE in text]
    section = pages[0].partition(TITLE)[2].partition("\n## ")[0]
    assert "At 0.9 USD an hour (spot: &lt;b&gt;a&#124;b&lt;/b&gt;, 2026-11-27)" in section
    assert "; storage and data that leaves AWS are not in it" in section
    assert "have boot (36 s) and cold load" in section
    assert "not on record" not in section
    (line,) = [line.split("|") for line in section.splitlines() if line.startswith("| generated, one at a time")]
    assert float(line[5]) == pytest.approx(float(line[3]) + 0.9 / 3600 * (36 + cold), abs=0.002)


def test_a_date_that_yaml_reads_as_one_is_kept_as_text():
    said = {"usd_hour": 1, "date": datetime.date(2026, 11, 27)}
    wanted = {"usd_hour": 1.0, "date": "2026-11-27", "source": "as given for the run", "market": "on-demand"}
    assert prices.paid(said) == wanted


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"usd_hour": 1}, "has no date"),
        ({"date": "2026-11-27"}, "has no usd_hour"),
        ({"usd_hour": -1, "date": "2026-11-27"}, "above 0"),
        ({"usd_hour": "nan", "date": "2026-11-27"}, "above 0"),
        ({"usd_hour": 1, "date": "27.11.2026"}, "of the form 2026-11-27, not '27.11.2026'"),
        ({"usd_hour": 1, "date": "20261127"}, "of the form"),
        ({"usd_hour": 1, "date": "2026-11-27", "boot_s": "soon"}, "boot_s is seconds"),
        ({"usd_hour": 1, "date": "2026-11-27", "boot_s": -1}, "boot_s is seconds"),
        ({"usd_hour": 1, "date": "2026-11-27", "boots": 3}, "has no 'boots': it has usd_hour"),
    ],
)
def test_a_price_that_is_none_is_refused(said, why):
    with pytest.raises(prices.PriceError, match=why):
        prices.paid(said)
    assert prices.paid({}) is None


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
    assert "At 2.3200 USD an hour (on-demand: " in section
    assert "boot, cold load, storage" in section
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
