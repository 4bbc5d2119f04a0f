# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The buyer's table: a line for each machine, what holds and is cheap first, unlike things apart."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import yaml
from support.records import side_by_side
from support.records.real_run import section

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import calibration, markdown, offers
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report

Record = dict[str, Any]
ROOT = Path(__file__).resolve().parents[5]
MODEL = "llama-3.1-8b-synthetic"


def machine(name: str, kind: str | None, times: float = 1.0, tests: dict[str, str] | None = None) -> list[Record]:
    """Return records of a machine that is so many times as fast as the frozen one, with other names of its tests."""
    every = copy.deepcopy(side_by_side.records())
    for record in every:
        record["machine"] = name
        payload = record["payload"]
        if record["kind"] == "machine":
            payload["instance"] = {"type": kind, "zone": "us-east-1a", "source": "IMDS"} if kind else None
        for metric, entry in (payload.get("metrics") or {}).items():
            if metric in ("pp_tps", "tg_tps"):
                entry["value"] *= times
                entry["samples"] = [sample * times for sample in entry.get("samples") or []]
        for cell in [payload.get("cell"), *(payload.get("cells") or [])]:
            if cell and tests and cell["test"] in tests:
                cell["test"] = tests[cell["test"]]
                cell["n_gen"] = int(cell["test"][2:]) if cell["test"].startswith("tg") else 0
    return every


def table(records: list[Record]) -> list[list[str]]:
    """Return the cells of the buyer's table of the index, its head first."""
    text = section(report.render(records)["README.md"], f"[{MODEL}](models/{MODEL}.md)")
    lines = next(block for block in text.strip().split("\n\n") if block.startswith("| Machine ")).splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def test_the_cheapest_token_stands_first_with_all_that_a_buyer_asks() -> None:
    head, first, second = table([*machine("gv3", "c7g.16xlarge"), *machine("gv4", "r8g.16xlarge", 1.3)])
    assert head == [
        "Machine", "vCPUs", "Memory GiB", "USD/h", "Generation tg128 token/s", "ms per token", "USD per million tokens",
        "Prompt pp512 token/s",
    ]  # fmt: skip
    # 1.3 times as fast at 1.63 times the price of an hour.
    assert first[0].startswith("[c7g.16xlarge](gv3/README.md)<br><sub>Graviton3, Neoverse V1</sub><br><sub>[Q4_0")
    assert second[0].startswith("[r8g.16xlarge](gv4/README.md)<br><sub>Graviton4, Neoverse V2</sub>")
    number = [float(re.sub(r"[^0-9.].*", "", cell.strip("*"))) for cell in first[3:7]]
    usd, speed, token, million = number
    assert abs(token - 1000 / speed) < 0.01 * token
    assert abs(million - usd / 3600 / speed * 1e6) < 0.01 * million
    assert '<sub class="valid">VALID' in first[4]
    assert '<sub class="valid">VALID' in first[7]


def test_what_does_not_hold_is_last_and_not_bold() -> None:
    records = [*machine("cheap", "c7g.16xlarge", 2.0), *machine("dear", "r8g.16xlarge")]
    for record in records:
        if record["machine"] == "cheap" and record["kind"] == "launch":
            record["payload"]["validity"] = {"state": "INVALID", "reasons": ["steal_percent = 9"]}
    _head, first, second = table(records)
    assert "(dear/README.md)" in first[0]
    assert "(cheap/README.md)" in second[0]
    assert "**" not in second[4]
    assert '<sub class="invalid">INVALID</sub>' in second[4]


def test_what_misses_the_target_stands_behind_what_meets_it() -> None:
    # Dearer a token, and the only one within 100 ms.
    records = [*machine("slow", "c7g.medium", 0.2), *machine("quick", "r8g.48xlarge", 0.5)]
    lines = table(records)[1:]
    assert [re.search(r"\((\w+)/README", line[0]).group(1) for line in lines] == ["quick", "slow"]  # type: ignore[union-attr]
    assert float(lines[0][5].partition("<")[0]) <= 100 < float(lines[1][5].partition("<")[0])
    # By the cost alone it is the other way round.
    assert float(lines[0][6].partition("<")[0]) > float(lines[1][6].partition("<")[0])


def test_columns_that_nobody_can_fill_are_left_out() -> None:
    head, line = table(machine("local-box", None))
    assert "USD/h" not in head
    assert "USD per million tokens" not in head
    assert "N/A" not in " ".join(line)


def test_another_test_is_no_measure_and_stands_last_with_its_name() -> None:
    records = [
        *machine("first", "c7g.16xlarge"),
        *machine("other", "c7g.8xlarge", 9.0, {"tg128": "tg32"}),
        *machine("third", "r8g.16xlarge"),
    ]
    head, *lines = table(records)
    assert head[4] == "Generation token/s"
    assert "(other/README.md)" in lines[-1][0]
    assert "<sub>tg32</sub>" in lines[-1][4]
    assert "<sub>tg128</sub>" in lines[0][4]


def test_the_target_of_old_records_is_that_of_the_role() -> None:
    defaults = yaml.safe_load((ROOT / "roles/llama_bench/defaults/main.yml").read_text("utf-8"))
    assert defaults["llama_bench_slo"]["tpot_s"] == offers.TOKEN_TARGET_S


def test_an_order_needs_no_price() -> None:
    def line(name: str, speed: float, usd: float | None) -> offers.Offer:
        figure = offers.Figure(offers.Span(speed), "tg128", markdown.state("valid", "VALID"), True)
        million = offers.Span(usd) if usd else None
        return offers.Offer(
            markdown.text(name), name, None, None, None, None, usd, figure, None, offers.Span(1.0), million, True
        )

    every = [line("slow", 1.0, None), line("dear", 9.0, 2.0), line("quick", 5.0, None), line("cheap", 2.0, 1.0)]
    assert [each.order for each in offers.ordered(every)] == ["cheap", "dear", "quick", "slow"]


def test_a_bound_of_nothing_divides_nothing() -> None:
    assert offers.Span(5.0, 0.0, 10.0).inverse(1000.0) == offers.Span(200.0, 100.0, None)
    assert offers.Span(5.0).inverse(1000.0) == offers.Span(200.0)


def test_a_line_of_which_little_is_known_is_a_line() -> None:
    figure = offers.Figure(offers.Span(5.0), "tg128", markdown.state("valid", "VALID"), True)
    bare = offers.Offer(markdown.text("bare"), "bare", *[None] * 5, figure, None, None, None, False)
    nothing = bare._replace(name=markdown.text("nothing"), order="nothing", generation=None)
    free = bare._replace(name=markdown.text("free"), order="free", usd_hour=0.0, usd_million=offers.Span(0.0))
    text = offers.table(offers.ordered([nothing, bare, free]))
    assert [line.split(" ")[1].partition("<")[0] for line in text.splitlines()[2:]] == ["free", "bare", "nothing"]
    assert "None" not in text
    assert offers.table([]).startswith("|") or offers.table([]) == ""


# ---- Predictions, held to account ----


def test_what_was_measured_on_a_type_is_set_against_its_prediction() -> None:
    every = report.render([*machine("gv3", "c7g.16xlarge"), *machine("gv4", "r8g.16xlarge", 30.0)])
    page = every[calibration.PAGE]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in page.splitlines() if "](gv" in row]
    assert {row[1] for row in rows} == {"c7g.16xlarge", "r8g.16xlarge"}
    for row in rows:
        predicted, measured = (float(re.sub(r"[^0-9.].*", "", row[at].replace(",", ""))) for at in (4, 5))
        low, high = (float(word.replace(",", "")) for word in re.findall(r"([0-9.,]+)(?:\xa0to\xa0|</sub>)", row[4]))
        assert low < predicted < high
        assert abs(float(row[6]) - measured / predicted) < 0.02 * float(row[6]) + 0.01
        assert row[7].strip("*") == ("yes" if low <= measured <= high else "no")
    # Thirty times as fast as a real one is outside.
    assert {row[7] for row in rows if row[1] == "r8g.16xlarge"} == {"**no**"}
    inside = sum(row[7] == "yes" for row in rows)
    assert f"{inside} of {len(rows)} measured figures" in page
    assert f"[Predictions and measurements]({calibration.PAGE})" in every["README.md"]


def test_without_an_instance_there_is_nothing_to_calibrate() -> None:
    every = report.render(machine("local-box", None))
    assert calibration.PAGE not in every
    assert "Predictions" not in every["README.md"]
