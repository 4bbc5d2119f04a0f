# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""llama.cpp's history on a page: which build became slower than the one before, by ratios to the newest."""

from __future__ import annotations

import math
from typing import Any

import pytest
from support.records import side_by_side
from support.records.side_by_side import COMBINATIONS, PAGE, TESTS

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import Interval
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary, versions
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.verdict import Verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages

Record = dict[str, Any]
# Build numbers with the speeds of prompts and generation: prompts lose a tenth in b10, and win it back in b30.
SPEEDS = {"b5": (100.0, 20.0), "b10": (90.0, 20.0), "b20": (90.0, 20.1), "b30": (100.0, 20.0)}


def history(*more: str) -> list[Record]:
    """Records of one run of builds that know their numbers, and of `more` that do not."""
    some = [COMBINATIONS[0]._replace(build=name, pp512=pp, tg128=tg) for name, (pp, tg) in SPEEDS.items()]
    some += [COMBINATIONS[0]._replace(build=name) for name in more]
    every = side_by_side.records(tuple(some))
    for record in every:
        if record["kind"] == "build" and record["payload"]["name"] in SPEEDS:
            record["payload"]["source"]["build_number"] = record["payload"]["name"][1:]
    return every


def of(every: list[Record], test: str) -> list[versions.Version]:
    (run,) = summary.runs(every)
    rows = [row for row in summary.rows(run, summary.cells(run)) if row.cell["test"] == test]
    return versions.of(run, rows)


def test_builds_stand_by_number_against_the_newest_and_others_last():
    told = of(history("ik"), "pp512")
    assert [(version.row.cell["build"], version.number) for version in told] == [
        ("b5", 5), ("b10", 10), ("b20", 20), ("b30", 30), ("ik", None),
    ]  # fmt: skip
    assert [version.verdict.word if version.verdict else None for version in told] == [
        "equal", "slower", "slower", None, "faster",
    ]  # fmt: skip
    assert told[1].verdict.ratio.mean == pytest.approx(0.9, rel=0.01)


def test_what_became_slower_and_faster_is_told_from_one_to_the_next():
    told = versions.changes(of(history(), "pp512"))
    assert [(one.before.row.cell["build"], one.after.row.cell["build"], one.verdict.word) for one in told] == [
        ("b5", "b10", "slower"), ("b10", "b20", "equal"), ("b20", "b30", "faster"),
    ]  # fmt: skip
    assert {one.verdict.word for one in versions.changes(of(history(), "tg128"))} == {"equal"}


def test_the_interval_of_a_quotient_has_both():
    def version(mean: float, half: float) -> versions.Version:
        ratio = Interval(mean, mean * math.exp(-half), mean * math.exp(half), 8, 100 * half)
        return versions.Version(None, 1, Verdict("slower", ratio, None), in_duet=True)

    (change,) = versions.changes([version(0.9, 0.03), version(0.99, 0.04)])
    assert change.verdict.ratio.mean == pytest.approx(1.1)
    assert math.log(change.verdict.ratio.high / change.verdict.ratio.low) / 2 == pytest.approx(0.05)


def test_fewer_than_three_numbers_are_no_history():
    every = [
        record for record in history() if not {"b10", "b20"} & {str((record["payload"].get("cell") or {}).get("build"))}
    ]
    assert of(every, "pp512") == []
    assert "## Versions" not in pages.render(side_by_side.records())[PAGE]


def test_the_page_names_what_became_slower():
    text = pages.render(history("ik"))[PAGE]
    section = text.partition("## Versions")[2].partition("\n## ")[0]
    assert "b10 is slower than b5, 0.90" in section
    assert "b30 is faster than b20, 1.11" in section
    assert "None of these builds is slower or faster than the one before it." in section
    assert section.count("| reference |") == len(TESTS)
    assert "versions-light.svg" in section
