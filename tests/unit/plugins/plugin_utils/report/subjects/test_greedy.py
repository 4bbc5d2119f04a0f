# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what says the same: its figures, its example, its reference, and foreign text that stays text."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from support.records import side_by_side
from support.records.real_run import section

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry as kinds
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.greedy.launch import PROMPTS, metrics_of
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages

Record = dict[str, Any]
TITLE = "Does it say the same?"
PAGE = f"{side_by_side.MACHINE}/{side_by_side.MODEL}/q4.md"


def answer(prompt: int, first: int | None = None, **more: Any) -> dict[str, Any]:
    """Return what a record keeps of a prompt: 64 tokens of both, which part at token `first`."""
    row = {
        "prompt": prompt,
        "asked": PROMPTS[prompt - 1],
        "n_prompt": 6,
        "base_n_prompt": 6,
        "tokens": 64,
        "base_tokens": 64,
    }
    words = {"before": " the city of", "said": " Lyon", "base_said": " Paris"} if first else {}
    return {**row, "first_difference": first, **words, **more}


def greedy(every: list[Record], build: str, answers: list[dict[str, Any]], **more: Any) -> Record:
    """Return a launch of greedy64 of Q4_0 in a build."""
    launches = (record for record in every if record["kind"] == "launch")
    record = copy.deepcopy(next(one for one in launches if one["payload"]["cell"]["build"] == build))
    base = next(one for one in every if one["kind"] == "build" and one["payload"]["name"] == "default")
    payload = record["payload"]
    payload["cell"].update(kinds.parse_test("greedy64"), reference="F16", **more)
    payload.update(
        rows=answers,
        metrics={**metrics_of(answers, 64), "wall_s": {"value": 4.0, "unit": "s"}},
        predicted={"base": "f" * 12, "base_build": base["payload"]["id"]},
    )
    return record


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of the lines of the table below a heading."""
    lines = [line for line in section(text, TITLE).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


@pytest.fixture
def every() -> list[Record]:
    return side_by_side.records()


def test_a_page_without_it_says_nothing_of_it(every):
    assert all(TITLE not in text for text in pages.render(every).values())


def test_a_build_that_says_the_same_and_one_that_does_not(every):
    differing = [answer(1, 12), answer(2, 4, said=None), answer(3, 40), answer(4, 4), *map(answer, (5, 6, 7, 8))]
    made = [*every, greedy(every, "default", [answer(n) for n in range(1, 9)]), greedy(every, "lto", differing)]
    text = pages.render(made)[PAGE]
    same, other = rows_of(text)
    assert same == ["64", "default", "100.0<br><sub>8 of 8 prompts</sub>", "65", "100.0", "none", "VALID"]
    assert other[:3] == ["64", "lto", "50.0<br><sub>4 of 8 prompts</sub>"]
    # Of 4, 4, 12, 40 and four times 65 the lower median.
    assert other[3] == "40<br><sub>the earliest at 4</sub>"
    # 11 + 3 + 39 + 3 + 4 x 64 of 8 x 64.
    assert other[4] == "60.9"
    assert other[5].startswith('the end of the answer, the reference `" Paris"`<br><sub>after `"')
    assert 'temperature of the city of"`</sub>' in other[5]
    assert "what the reference says: F16 in the build default." in section(text, TITLE)
    assert "each continued by 64 tokens" in section(text, TITLE)


def test_side_by_side_every_combination_has_a_line(every):
    made = [*every, greedy(every, "lto", [answer(1, 2)]), greedy(every, "default", [answer(1)])]
    lines = rows_of(pages.render(made)[side_by_side.PAGE])
    assert [line[:3] for line in lines] == [["Q4_0", "default", "64"], ["Q4_0", "lto", "64"]]


def test_one_launch_is_enough_to_be_valid(every):
    record = greedy(every, "default", [answer(1)])
    (run,) = summary.runs([*every, record])
    (row,) = summary.rows(run, [record["payload"]["cell"]])
    assert (row.state, row.reasons, row.interval.n) == ("VALID", [], 1)
    # Of what is timed one launch of six is few.
    first = next(one for one in every if one["kind"] == "launch")
    (run,) = summary.runs([one for one in every if one["kind"] != "launch"] + [first])
    (row,) = summary.rows(run, [first["payload"]["cell"]])
    assert (row.state, row.reasons) == ("UNSTABLE", ["only 1 launch of 6"])


def test_nothing_the_same_breaks_no_page(every):
    made = [*every, greedy(every, "default", [answer(n, 1, before="") for n in range(1, 9)])]
    (line,) = rows_of(pages.render(made)[PAGE])
    assert line[1:4] == ["0.0<br><sub>0 of 8 prompts</sub>", "1<br><sub>the earliest at 1</sub>", "0.0"]


def test_foreign_text_stays_text(every):
    evil = "`|<script>\n\u202e" + "x" * 500
    record = greedy(every, "default", [answer(1, 2, said=evil, base_said=evil, before=evil)])
    text = section(pages.render([*every, record])[PAGE], TITLE)
    (line,) = [line for line in text.splitlines() if "the reference" in line and line.startswith("| 64")]
    assert "\u202e" not in line
    assert "``" in line
    assert len(line) < 1000


def test_rows_that_are_none_of_ours_break_no_page(every):
    record = greedy(every, "default", [answer(1)])
    record["payload"]["rows"] = [{}, {"first_difference": "x"}, {"first_difference": 3}, {"first_difference": 0}]
    record["payload"]["predicted"] = None
    (line,) = rows_of(pages.render([*every, record])[PAGE])
    assert line[1] == "100.0<br><sub>0 of 1 prompt</sub>"
    assert "the end of the answer, the reference the end of the answer" in line[4]
    record["payload"]["rows"] = []
    (line,) = rows_of(pages.render([*every, record])[PAGE])
    assert line[1:5] == ["100.0", "65", "100.0", "N/A"]
