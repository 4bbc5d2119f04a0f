# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict card chooses what is established, says what may be as good, and never ranks what does not hold."""

from __future__ import annotations

import copy
import re
from typing import Any

from support.records import side_by_side, traded

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report

Record = dict[str, Any]


def fleet(slower: float, machine: str = "gv4-r8g-16xlarge", kind: str = "r8g.16xlarge") -> list[Record]:
    """Return records of two machines, the second so many times as fast as the first."""
    first = side_by_side.records()
    second = copy.deepcopy(first)
    for record in second:
        record["machine"] = machine
        if record["kind"] == "machine":
            record["payload"]["instance"]["type"] = kind
        for name, entry in (record["payload"].get("metrics") or {}).items():
            if name in ("pp_tps", "tg_tps"):
                entry["value"] *= slower
                entry["samples"] = [sample * slower for sample in entry.get("samples") or []]
    for record in [*first, *second]:
        if record["kind"] == "machine":
            record["payload"]["instance"]["zone"] = "us-east-1a"
    return [*first, *second]


def card(records: list[Record]) -> dict[str, list[str]]:
    """Return the cells of the first card by the purpose of its lines."""
    lines = report.render(records)["README.md"].split("\n\n| For |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].partition("<br>")[0]: row[1:] for row in rows}


def test_the_faster_machine_is_chosen_and_the_cheaper_one_for_cost() -> None:
    found = card(fleet(1.3))
    # Both meet the target: the cheaper hour, and what would be faster for more.
    assert found["Interactive"][0].startswith("<b>[gv3-c7g-16xlarge Q4")
    assert "USD an hour, the cheapest of 6 within the target" in found["Interactive"][0]
    assert "faster for more: gv4-r8g-16xlarge Q4" in found["Interactive"][0]
    assert found["Batch"][0].startswith("<b>[gv4-r8g-16xlarge ")
    # 1.3 times as fast at 1.63 times the price of an hour.
    assert found["Lowest cost"][0].startswith("<b>[gv3-c7g-16xlarge ")
    assert float(re.findall(r"^[0-9.]+", found["Lowest cost"][2])[0]) <= float(
        re.findall(r"^[0-9.]+", found["Interactive"][2])[0]
    )


def test_a_conversation_takes_the_cheapest_that_meets_the_target_and_pays_for_speed_where_it_must() -> None:
    some = fleet(1.3)
    for record in some:
        if record["kind"] == "run":
            record["payload"]["slo"] = {"ttft_s": 2.0, "tpot_s": 0.001}
    purpose, (chosen, *_rest) = next(iter(card(some).items()))
    assert purpose == "Interactive"
    # Nothing is that fast: the fastest is named, and that it is not enough.
    assert chosen.startswith("<b>[gv4-r8g-16xlarge Q4")
    assert "nothing is within the target" in chosen
    between = 1.15 * token_s(some, "gv4-r8g-16xlarge")
    for record in some:
        if record["kind"] == "run":
            record["payload"]["slo"] = {"ttft_s": 2.0, "tpot_s": between}
    assert card(some)["Interactive"][0].startswith("<b>[gv4-r8g-16xlarge Q4")


def token_s(records: list[Record], machine: str) -> float:
    """Return the shortest time a token of the usual test took on a machine."""
    speeds = [
        record["payload"]["metrics"]["tg_tps"]["value"]
        for record in records
        if record["machine"] == machine and record["kind"] == "launch"
        if record["payload"]["cell"]["test"] == "tg128" and "tg_tps" in record["payload"]["metrics"]
    ]
    return 1 / max(speeds)


def test_what_may_be_as_good_is_named() -> None:
    assert "\\~ " in card(fleet(1.001))["Batch"][0]


def test_what_does_not_hold_is_not_chosen() -> None:
    some = fleet(1.3)
    for record in some:
        if record["machine"].startswith("gv4") and record["kind"] == "launch":
            record["payload"]["validity"] = {"state": "INVALID", "reasons": ["steal_percent = 9"]}
    assert card(some)["Interactive"][0].startswith("<b>[gv3-c7g-16xlarge ")
    for record in some:
        if record["kind"] == "launch":
            record["payload"]["validity"] = {"state": "INVALID", "reasons": ["steal_percent = 9"]}
    assert card(some)["Interactive"][0].startswith("nothing undisturbed that is known to ±10 %")


def test_without_a_price_there_is_no_cost_and_emulated_machines_are_on_no_card() -> None:
    some = side_by_side.records()
    for record in some:
        if record["kind"] == "machine":
            record["payload"]["instance"] = None
    assert "Lowest cost" not in card(some)
    assert "USD" not in report.render(some)["README.md"]
    for record in some:
        if record["kind"] == "machine":
            record["payload"]["emulated"] = True
    assert "| Interactive" not in report.render(some)["README.md"]


def test_a_model_has_a_page_over_all_machines() -> None:
    pages = report.render(fleet(1.3))
    page = pages["models/llama-3.1-8b-synthetic.md"]
    assert "| [gv3-c7g-16xlarge](../gv3-c7g-16xlarge/README.md) |" in page
    assert "[Q4_0](../gv4-r8g-16xlarge/llama-3.1-8b-synthetic/q4.md)" in page
    assert '<img src="figures/llama-3.1-8b-synthetic-machines-light.svg"' in page
    assert "(models/llama-3.1-8b-synthetic.md)" in pages["README.md"]
    alone = report.render(side_by_side.records())["models/llama-3.1-8b-synthetic.md"]
    assert "<picture>" not in alone


def test_many_machines_have_a_line_each_and_those_without_a_figure_a_sentence_up_to_sixty() -> None:
    every = side_by_side.records(side_by_side.COMBINATIONS[:1])
    many = report.render({**record, "machine": f"box-{number}"} for number in range(70) for record in every)
    assert many["README.md"].count("](box-69/README.md)") == 1
    silent = [record for record in every if record["kind"] in ("machine", "run")]
    none = report.render({**record, "machine": f"box-{number}"} for number in range(70) for record in silent)
    assert none["README.md"].count("- **box-") == 60
    assert "- and 10 more: " in none["README.md"]


def test_the_fastest_that_loses_little_enough_has_a_line() -> None:
    chosen = card(traded.records())["Generation within 1 % of F16's perplexity"]
    assert chosen[0].startswith("<b>[local-amd-epyc Q8_0]")
    assert "ctk=q8_0+ctv=q8_0" in chosen[0]
    wider = card(traded.records(quality_limit_percent=20.0))["Generation within 20 % of F16's perplexity"]
    # The build that is fast and wrong is chosen by no line.
    assert wider[0].startswith("<b>[local-amd-epyc Q4_0]")
    assert "build default" in wider[0]
    little = card(traded.records(traded.TRADED[4:]))["Generation within 1 % of F16's perplexity"]
    assert little[0] == "N/A: nothing measured is known to lose so little"
    assert not [purpose for purpose in card(traded.records(tests=("tg128",))) if "perplexity" in purpose]


def test_a_build_that_is_fast_and_wrong_is_chosen_for_nothing() -> None:
    for purpose, line in card(traded.records(traded.TRADED[5:])).items():
        assert "build fast" not in line[0], purpose
