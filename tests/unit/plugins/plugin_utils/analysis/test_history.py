# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cell that has become slower since the run before is named on its page and on the index, and nothing else is."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from support.records import side_by_side

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import history, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report

Record = dict[str, Any]
LATER = "20261130T120000Z-beef"
PAGE = "gv3-c7g-16xlarge/llama-3.1-8b-synthetic/q4.md"


def later(factor: float, valid: bool = True) -> list[Record]:
    """Return two runs, the generation of the later so many times as fast."""
    first = side_by_side.records()
    second = copy.deepcopy(first)
    for record in second:
        record.update(run=LATER, time="2026-11-30T12:00:00Z")
        launch = record["payload"] if record["kind"] == "launch" else None
        if launch and "tg_tps" in launch["metrics"]:
            launch["metrics"]["tg_tps"]["value"] *= factor
        if launch and not valid:
            launch["validity"] = {"state": "INVALID", "reasons": ["steal_percent = 3"]}
    return [*first, *second]


def words(records: list[Record]) -> set[tuple[str, str]]:
    runs = [run for run in summary.runs(records) if PAGE in summary.pages(run)]
    return {(one.row.cell["test"], one.verdict.word) for one in history.changes(PAGE, runs)}


@pytest.mark.parametrize(("factor", "allowed"), [(0.9, {"slower"}), (1.1, {"faster"}), (1.0, {"equal", "undecided"})])
def test_a_change_is_called_what_it_is(factor: float, allowed: set[str]) -> None:
    found = dict(words(later(factor)))
    assert found["tg128"] in allowed
    # It has not changed; how near that can be told depends on how far its launches lie apart.
    assert found["pp512"] in ("equal", "undecided")


def test_what_is_slower_stands_on_the_page_and_the_index() -> None:
    pages = report.render(later(0.9))
    assert "**Slower than before.**" in pages[PAGE]
    named = pages["README.md"].split("## Slower than before")[1].split("##")[0]
    assert "tg128, 64 threads" in named
    assert "pp512" not in named
    for factor in (1.0, 1.1):
        assert "Slower than before" not in "".join(report.render(later(factor)).values())


def test_what_does_not_hold_or_is_another_machine_is_never_called_slower() -> None:
    assert {word for _test, word in words(later(0.8, valid=False))} == {"informational"}
    some = later(0.8)
    for record in some:
        if record["run"] == LATER and record["kind"] == "machine":
            record["payload"]["cpu_model"] = "another"
    assert words(some) == set()


def test_another_build_is_compared_and_named() -> None:
    some = later(0.8)
    for record in some:
        if record["run"] == LATER and record["kind"] == "build":
            record["payload"]["source"] = {**(record["payload"].get("source") or {}), "commit": "fedcba987"}
    page = report.render(some)[PAGE]
    assert "another build" in page.split("**Slower than before.**")[1].split("\n\n")[0]
