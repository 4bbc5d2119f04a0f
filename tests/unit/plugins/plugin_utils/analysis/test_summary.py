# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a figure holds: drift, disturbed launches, what was planned and what failed."""

from __future__ import annotations

import pytest
from support.records.real_run import Record, launches, of, page, section, steady, without

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary


def test_a_drift_of_the_memory_is_said_and_stands_in_the_interval(real):
    assert summary.drift_percent(summary.runs(real)[0]) > 2
    text = page(real)
    assert "The memory bandwidth drifted by" in text
    assert "INVALID session" not in text
    for one in real:
        if one["kind"] == "bandwidth":
            one["payload"]["read_gb_s"]["best"] = 10.0
    still = [*without(real, "launch"), *launches(real, "pp512", [100.0, 100.1, 99.9, 100.0, 100.1, 99.9])]
    calm = page(still)
    assert "The memory bandwidth drifted" not in calm
    assert "| pp512 | 1 | 6 | 100.0 |" in calm
    assert "| VALID\u00a0±" in section(calm, "Throughput")
    summary.bandwidths(summary.runs(still)[0])[-1]["read_gb_s"]["best"] = 9.0
    drifting = row_of(still)
    # Half of the range of 9 to 10 is 5.3 % of their middle, and another session of a shared machine 4.5 % away.
    assert (drifting.state, round(drifting.interval.half_width_percent)) == ("VALID", 7)
    assert "drifted by 10.0 %" in page(still)
    assert "| pp512, 1 thread | ±0.1\u00a0% | ±5.3\u00a0% | ±4.5\u00a0% |" in section(page(still), "Uncertainty")


def row_of(every: list[Record], test: str = "pp512") -> summary.Row:
    run = summary.runs(every)[0]
    return next(row for row in summary.rows(run, summary.cells(run)) if row.cell["test"] == test)


def test_disturbed_launches_are_left_out_where_there_are_enough_others(real):
    every = launches(real, "pp512", [100.0, 100.1, 99.9, 100.0, 100.1, 99.9, 50.0])
    next(one for one in real if one["kind"] == "run")["payload"]["launches"] = 6
    every[-1]["payload"]["validity"] = {"state": "INVALID", "reasons": ["steal"]}
    row = row_of([*steady(real), *every])
    assert row.state == "VALID"
    assert row.interval.mean == pytest.approx(100.0)
    assert row.reasons == ["1 of 7 launches disturbed and left out"]
    assert len(row.launches) == 7
    # Fewer than planned are left, and most of all: the figure is theirs.
    row = row_of([*steady(real), *every[1:]])
    assert (row.state, row.lowest) == ("UNSTABLE", 99.9)
    # Too few are left: all of them are shown, and the row is not ranked.
    row = row_of([*steady(real), *every[4:]])
    assert (row.state, row.lowest) == ("INVALID", 50.0)


def test_a_planned_cell_is_the_one_that_was_measured_with_the_threads_of_the_ladder(real):
    run = summary.runs(real)[0]
    tests = [cell["test"] for cell in summary.cells(run)]
    assert len(tests) == len(set(tests))
    assert not [cell for cell in summary.cells(run) if not cell["threads"]]
    assert "MISSING" not in page(real).partition("STATES")[0].partition("MISSING: planned")[0]


def test_a_failure_that_was_made_up_for_is_none_any_more(real):
    cell = of(real, "launch", "pp512")["payload"]["cell"]
    lost = {"phase": "connect", "cause": "The host was lost.", "advice": "Look.", "cell": None, "detail": {}}
    broken = {**lost, "phase": "measure", "cell": cell}
    refused = {**lost, "phase": "plan"}
    early = [dict(real[0], kind="failure", time="2026-11-26T00:00:00Z", payload=one) for one in (lost, broken, refused)]
    late = [dict(one, time="2026-11-27T00:00:00Z") for one in early]
    assert [one["payload"]["phase"] for one in summary.standing_failures([*real, *early])] == ["plan"]
    assert len(summary.standing_failures([*real, *late])) == 3
    assert len(summary.standing_failures([*without(real, "end", "launch"), *early])) == 3


def test_a_host_that_came_to_its_end_out_of_reach_was_not_lost(real):
    """The controller gave it up afterwards: no launch is to come, and the same command would fail for ever."""
    cell = of(real, "launch", "pp512")["payload"]["cell"]
    told = envelope.failure("measure", "The host was lost.", "Look.", cell, told_by="controller")
    given_up = dict(real[0], kind="failure", time="2026-11-27T00:00:00Z", payload=told)
    assert summary.standing_failures([*real, given_up]) == []
    # One that has no end, or has begun again since, was.
    assert summary.standing_failures([*without(real, "end"), given_up]) == [given_up]
    again = dict(of(real, "launch", "tg128"), time="2026-11-26T23:00:00Z")
    assert summary.standing_failures([*real, again, given_up]) == [given_up]
    # What the runner itself has told of a cell stands.
    of_runner = dict(given_up, payload=dict(told, detail={}))
    assert summary.standing_failures([*real, of_runner]) == [of_runner]


def test_a_source_without_a_commit_is_known_by_its_build_number(real):
    build = of(real, "build")
    launch = of(real, "launch", "pp512")
    for source, known in (
        ({"commit": "0c1e57098", "build_number": "7"}, ["0c1e57098"]),
        ({"commit": None, "build_number": "11434"}, ["b11434"]),
        ({"commit": None}, []),
    ):
        for record in real:
            if record["kind"] == "build":
                record["payload"]["source"] = {**build["payload"]["source"], "build_number": None, **source}
        (run, *_rest) = summary.runs(real)
        assert summary.commits(run, [launch]) == known


@pytest.mark.parametrize(
    ("machine", "shared"),
    [
        ({}, False),
        ({"virtualization": None}, False),
        ({"virtualization": "QEMU"}, True),
        ({"instance": {"type": "c7g.16xlarge"}}, True),
        ({"instance": {"type": "c7g.metal"}}, False),
        ({"instance": None}, False),
    ],
)
def test_a_virtual_machine_shares_its_processor(machine, shared):
    assert summary.is_shared(machine) is shared
