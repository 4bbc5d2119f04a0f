# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of faults on its page, and how it is judged. The faults themselves are tried by tests/integration."""

from __future__ import annotations

import json

import chaos as command
import pytest
from chaos import BY_NAME, FAULTS
from support.hosts import chaos, interruptions
from support.hosts.chaos import Outcome

OUTCOME = Outcome(2, "chaos: the host | was lost", 0, 0, [], 0, 41.4, [], "")


def launch(number, run="r1", machine="m", cell="c"):
    return {"kind": "launch", "run": run, "machine": machine, "payload": {"cell": {"test": cell}, "number": number}}


def plan(launches, cell="c"):
    payload = {"cells": [{"test": cell}], "launches": launches}
    return {"kind": "run", "run": "r1", "machine": "m", "payload": payload}


def test_every_fault_has_a_name_of_its_own_and_words():
    assert len(BY_NAME) == len(FAULTS)
    assert len({fault.what for fault in FAULTS}) == len(FAULTS)


def test_the_page_has_a_line_for_each_fault_and_its_zeros():
    lines = command.rows_of(command.PAGE.read_text("utf-8"))
    assert set(lines) <= set(BY_NAME)
    for name, line in lines.items():
        lost, doubled, left = [cell.strip() for cell in line.strip("|").split("|")][-5:-2]
        assert (lost, doubled, left) == ("0", "0", "0"), name


def test_a_line_takes_the_place_of_its_own_and_no_other():
    page = f"before\n{command.BEGIN}\nold words\n{command.END}\nafter\n"
    first, second = FAULTS[0], FAULTS[1]
    page = command.with_rows(page, {second.name: command.row(second, OUTCOME, "2026-11-29")}, "Here.")
    page = command.with_rows(page, {first.name: command.row(first, OUTCOME, "2026-11-30")}, "There.")
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert [words in page for words in ("old words", "Here.", "There.")] == [False, False, True]
    assert list(command.rows_of(page)) == [first.name, second.name]
    assert f"Without a line yet: `{FAULTS[2].name}`" in page
    again = command.with_rows(page, {first.name: command.row(first, OUTCOME._replace(code=7), "2026-12-01")}, "There.")
    assert [f"2026-{day}" in again for day in ("12-01", "11-30", "11-29")] == [True, False, True]
    assert again.count(command.BEGIN) == again.count(command.END) == 1


def test_a_page_without_the_marks_is_left_alone():
    with pytest.raises(ValueError, match="lacks the lines"):
        command.with_rows("nothing", {}, "")


def test_names_are_asked_for_once_and_in_the_order_of_the_seed():
    every = [fault.name for fault in command.asked("", 1)]
    assert sorted(every) == sorted(BY_NAME)
    assert every == [fault.name for fault in command.asked("", 1)] != [fault.name for fault in command.asked("", 2)]
    assert [fault.name for fault in command.asked("sigterm, sigterm", 1)] == ["sigterm"]
    with pytest.raises(ValueError, match="there is no fault 'sigtrem'; did you mean sigterm"):
        command.asked("sigtrem", 1)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["[WARNING]: one: no room", "[WARNING]: Deprecation warnings can be disabled", "RECAP"], "one: no room"),
        (
            ["[WARNING]: one: no room", "[ERROR]: Task failed: 0 of 1 can be measured on; the warnings above say why"],
            "one: no room",
        ),
        (["[ERROR]: Task failed: of the run is left: 1 VPC"], "Task failed: of the run is left: 1 VPC"),
        (["[WARNING]: Deprecation warnings can be disabled", "results/q4.md"], "results/q4.md"),
        ([], "nothing"),
    ],
)
def test_what_is_seen_last_is_what_tells_why(lines, words):
    assert chaos.said("\n".join(lines)) == words


def test_records_that_were_seen_and_are_gone_are_lost():
    seen, kept = [launch(1), launch(2)], [launch(1)]
    assert interruptions.judged(1, [], seen, kept).lost == [launch(2)]


def test_a_launch_of_one_number_is_doubled_within_a_run_and_a_machine():
    again = {**launch(1), "time": "later"}
    assert len(interruptions.judged(1, [], [], [launch(1), again]).doubled) == 1
    apart = [launch(1), launch(1, run="r2"), launch(1, machine="n"), launch(1, cell="d")]
    assert interruptions.judged(1, [], [], apart).doubled == []


def test_a_run_without_its_end_is_told():
    def end(run, state):
        return {"kind": "end", "run": run, "machine": "m", "payload": {"state": state}}

    kept = [launch(1), end("r1", "abandoned"), end("r1", "finished"), launch(1, run="r2"), end("r2", "abandoned")]
    assert interruptions.judged(1, [], [], kept).unended == ["r2"]
    assert interruptions.judged(1, [], [], [*kept, end("r2", "finished")]).unended == []


def test_a_cell_with_fewer_launches_than_planned_is_short():
    kept = [plan(2), launch(1)]
    short = [json.dumps(["m", {"test": "c"}])]
    assert interruptions.judged(1, [], [], kept).short == short
    assert interruptions.judged(1, [], [], [*kept, launch(2, machine="n")]).short == short
    assert interruptions.judged(1, [], [], [*kept, launch(2)]).short == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"code": 0}, "has to fail"),
        ({"output": "all is well"}, "it does not say 'was lost'"),
        ({"output": "was lost\nTraceback (most recent call last)"}, "a traceback"),
        ({"again": 2}, "the same command ended with 2"),
        ({"left": ["process sleep"]}, "left behind: process sleep"),
        ({"seen": [launch(9)]}, "1 records are lost"),
        ({"kept": [launch(1), {**launch(1), "time": "later"}]}, "1 launches are there twice"),
        ({"kept": [plan(3), launch(1)]}, "1 cells have fewer launches"),
    ],
)
def test_whatever_is_not_as_promised_is_named(changed, words):
    given = {"code": 2, "output": "it was lost", "again": 0, "seen": [], "kept": [], "left": [], **changed}
    fault = BY_NAME["sigterm"]._replace(told="was lost")
    judged = interruptions.judged(1, [], given["seen"], given["kept"])
    problems = chaos._problems(fault, given["code"], given["output"], given["again"], judged, given["left"])
    assert len(problems) == 1
    assert words in problems[0]
    well = chaos._problems(fault, 2, "it was lost", 0, interruptions.judged(1, [], [], []), [])
    assert well == []
