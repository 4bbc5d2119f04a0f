# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule for validity: what disturbs, what only leaves a figure open, and by which width it is ranked."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from support.records import side_by_side
from support.records.real_run import launches, steady

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import mean_interval
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import seconds
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import compare, summary, validity, verdict

Record = dict[str, Any]
STILL = [100.0, 100.1, 99.9, 100.0, 100.1, 99.9]
STEAL = {"state": "INVALID", "reasons": ["steal_percent = 9"]}


def row_of(every: list[Record]) -> summary.Row:
    run = summary.runs(every)[0]
    return next(row for row in summary.rows(run, summary.cells(run)) if row.cell["test"] == "pp512" and row.launches)


def gated(made: list[Record], steal: float, other: float) -> list[Record]:
    for record in made:
        record["payload"]["gates"] = {**(record["payload"].get("gates") or {}), "steal_percent": steal}
        record["payload"]["gates"]["other_cpu_percent"] = other
    return made


def with_canary(real: list[Record], rates: tuple[float, ...]) -> list[Record]:
    first = next(record for record in real if record["kind"] == "bandwidth")
    made = []
    for stage, rate in zip(("start", "middle", "end"), rates, strict=False):
        record = copy.deepcopy(first)
        record["payload"]["stage"] = stage
        record["payload"]["read_gb_s"]["best"] = rate
        made.append(record)
    return made


def test_the_interval_is_that_of_all_parts_by_the_root_of_their_squares(real):
    made = gated(launches(real, "pp512", [98.0, 102.0, 99.0, 101.0, 100.0, 100.0]), 0.3, 0.7)
    row = row_of([*steady(real), *made, *with_canary(real, (10.0, 9.8, 9.6))])
    spread = mean_interval([98.0, 102.0, 99.0, 101.0, 100.0, 100.0])
    parts = [math.log(spread.high / spread.mean), math.log(10 / 9.6) / 2, math.asinh(0.045), -math.log(0.99)]
    half = math.sqrt(sum(part**2 for part in parts))
    assert row.interval.low == pytest.approx(spread.mean * math.exp(-half), rel=1e-9)
    assert row.interval.high == pytest.approx(spread.mean * math.exp(half), rel=1e-9)
    assert row.interval.half_width_percent == pytest.approx(100 * math.sinh(half), rel=1e-9)
    assert [round(share, 1) for _name, share in row.budget.parts()] == [1.5, 2.0, 4.5, 1.0]
    assert row.state == "VALID"
    # Times and speeds of the same launches are as open; what they take of memory is not.
    assert summary.mean_of(row, "pp_tps") == row.interval
    memory = summary.mean_of(row, "rss_peak_bytes")
    assert memory.low == pytest.approx(memory.high)


@pytest.mark.parametrize(
    ("rates", "state", "ranked"),
    [((10.0, 10.0), "VALID", True), ((10.0, 8.5), "VALID", True), ((10.0, 8.0), "UNSTABLE", False)],
)
def test_an_undisturbed_figure_is_ranked_by_how_well_it_is_known(real, rates, state, ranked):
    row = row_of([*steady(real), *gated(launches(real, "pp512", STILL), 0, 0), *with_canary(real, rates)])
    assert (row.state, row.ranked, bool(summary.contenders([row]))) == (state, ranked, ranked)
    assert row.reasons == ([] if ranked else ["±12.1 %, over ±10 %"])


def test_a_quick_run_is_unstable_and_ranked_where_its_interval_is_narrow(real):
    next(record for record in real if record["kind"] == "run")["payload"]["launches"] = 3
    narrow = row_of([*steady(real), *gated(launches(real, "pp512", STILL[:3]), 0, 0)])
    assert (narrow.state, narrow.reasons, narrow.ranked) == ("UNSTABLE", ["quick run: 3 launches"], True)
    wide = row_of([*steady(real), *gated(launches(real, "pp512", [90.0, 100.0, 110.0]), 0, 0)])
    assert (wide.state, wide.ranked) == ("UNSTABLE", False)
    single = row_of([*steady(real), *gated(launches(real, "pp512", [100.0]), 0, 0)])
    assert (single.state, single.ranked) == ("UNSTABLE", False)


@pytest.mark.parametrize(("launched", "disturbed"), [(6, 3), (4, 2), (3, 1), (2, 1)])
def test_only_what_was_disturbed_is_invalid(real, launched, disturbed):
    next(record for record in real if record["kind"] == "run")["payload"]["launches"] = 6
    made = gated(launches(real, "pp512", STILL[:launched]), 0, 0)
    for record in made[:disturbed]:
        record["payload"]["validity"] = STEAL
    row = row_of([*steady(real), *made, *with_canary(real, (10.0, 5.0))])
    assert (row.state, row.ranked) == ("INVALID", False)
    assert row.reasons[:disturbed] == [f"launch {number}: steal_percent = 9" for number in range(1, disturbed + 1)]


@pytest.mark.parametrize(("launched", "disturbed"), [(6, 1), (6, 2), (5, 2), (4, 1)])
def test_a_figure_survives_launches_that_were_disturbed(real, launched, disturbed):
    next(record for record in real if record["kind"] == "run")["payload"]["launches"] = 6
    made = gated(launches(real, "pp512", [50.0] * disturbed + STILL[: launched - disturbed]), 0, 0)
    for record in made[:disturbed]:
        record["payload"]["validity"] = STEAL
    row = row_of([*steady(real), *made])
    good = launched - disturbed
    assert (row.state, row.ranked, row.interval.n) == ("UNSTABLE", True, good)
    assert row.interval.mean == pytest.approx(100, abs=0.1)
    few = [f"only {good} launches of 6"] if launched < 6 else []
    assert row.reasons == [*few, f"{disturbed} of {launched} launches disturbed and left out"]


def test_a_changed_clock_disturbs_where_the_record_has_it(real):
    next(record for record in real if record["kind"] == "run")["payload"]["launches"] = 6
    made = gated(launches(real, "pp512", STILL), 0, 0)
    first = next(record for record in real if record["kind"] == "samples")
    sampled = []
    for launch, mhz in zip(made, (2000.0, 3010.0, 2990.0, 3500.0, 3800.0, 2000.0), strict=True):
        record = copy.deepcopy(first)
        cell = launch["payload"]["cell"]
        record["payload"].update(cell=cell, number=launch["payload"]["number"], mhz=[mhz] * 3)
        sampled.append(record)
    row = row_of([*steady(real), *made, *sampled])
    assert row.state == "INVALID"
    assert len(row.reasons) == 4
    why = "2000 MHz, 33.3 % from the 3000 MHz of the cell's launches: the clock was changed"
    assert row.reasons[3] == f"launch 6: {why}"
    assert made[5]["payload"]["validity"]["state"] == "VALID"
    del sampled[0]["payload"]["mhz"]
    assert row_of([*steady(real), *made, *sampled]).state == "VALID"


def drifted(rates: tuple[float, ...]) -> list[Record]:
    every = side_by_side.records()
    template = next(record for record in every if record["kind"] == "launch")
    rows = {"best": 1.0, "median": 1.0, "samples": [1.0]}
    for stage, rate in zip(("start", "end"), rates, strict=True):
        payload = {"stage": stage, "threads": 64, "read_gb_s": {**rows, "best": rate}, "triad_gb_s": rows}
        every.append({**template, "kind": "bandwidth", "payload": payload})
    return every


def moments(*rates: list[float]) -> list[validity.Moment]:
    return [validity.Moment(100.0 * number, each) for number, each in enumerate(rates)]


def test_a_drift_is_half_of_the_range_of_its_moments():
    assert validity.drift(moments([30.0])) is None
    assert validity.drift(moments([30.0], [30.0])) == 0.0
    assert validity.drift(moments([30.0], [33.0], [31.0])) == pytest.approx(math.log(33 / 30) / 2)
    assert validity.drift(moments([30.0, 30.0], [33.0, 33.0], [31.0, 31.0])) == pytest.approx(math.log(33 / 30) / 2)


def test_what_processes_of_one_moment_differ_by_is_no_drift():
    assert validity.drift(moments([36.0, 26.0, 31.0], [27.0, 35.0, 31.0], [30.0, 26.0, 36.0])) == 0.0
    # By hand: logs -e, e | 1 - e, 1 + e; means 0 and 1, b = 1/2, w = 4 e^2 / 2 / 2 = e^2.
    told = validity.drift(moments([math.exp(-0.1), math.exp(0.1)], [math.exp(0.9), math.exp(1.1)]))
    assert told == pytest.approx(0.5 * math.sqrt(1 - 0.01 / 0.5))
    # A drift that is far beyond them stays.
    far = moments([36.0, 35.8, 36.2], [18.0, 18.1, 17.9])
    assert validity.drift(far) == pytest.approx(math.log(2) / 2, rel=0.01)


def test_a_figure_follows_the_bandwidth_as_far_as_its_launches_leave_open():
    # As it was on the machine of the examples: 54, 34 and 34 GB/s, and no launch that went with it.
    seen = moments([54.0], [34.0], [34.0])
    still = [(20.0 * number, value) for number, value in enumerate((100.0, 100.6, 99.5, 100.2, 99.9, 100.1))]
    assert 0 < validity.follows(seen, still) < 0.05
    # What goes with it does so whole, and what goes against it is no less suspect.
    whole = [(at, math.exp(moment)) for at, moment in ((0.0, seen[0].log), (100.0, seen[1].log), (200.0, seen[2].log))]
    assert validity.follows(seen, whole) == pytest.approx(1.0)
    half = [(at, math.sqrt(value)) for at, value in [*whole, (150.0, 34.0)]]
    assert validity.follows(seen, half) == pytest.approx(0.5)
    assert validity.follows(seen, [(at, 1 / value) for at, value in half]) == pytest.approx(0.5)
    # Where it hardly moved, or launches are few, or all at one time, they know nothing better.
    assert validity.follows(moments([54.0], [53.9], [54.0]), still) == 1.0
    assert validity.follows(seen, still[:2]) == 1.0
    assert validity.follows(seen, [(10.0, value) for _at, value in still]) == 1.0
    assert validity.follows(seen[:1], still) == 1.0


def test_the_drift_of_a_figure_is_that_of_the_session_as_far_as_it_follows():
    every = [record for record in drifted((300.0, 150.0)) if record["kind"] == "launch"][:6]
    for number, record in enumerate(every):
        record["time"] = f"2026-11-24T10:00:{10 * number:02d}Z"
    begin = seconds(every[0]["time"])
    seen = [validity.Moment(begin, [54.0]), validity.Moment(begin + 60, [34.0])]
    told = validity.budget(mean_interval(STILL), every, STILL, seen)
    follows = validity.follows(seen, [(begin + 10 * number, value) for number, value in enumerate(STILL)])
    assert follows < 0.05
    assert told.drift == pytest.approx(follows * math.log(54 / 34) / 2)


def test_a_ratio_within_blocks_does_not_know_the_drift_and_uses_undisturbed_blocks_alone():
    every = drifted((300.0, 150.0))
    runs = summary.runs(every)
    rows = summary.rows(runs[0], summary.cells(runs[0]))
    assert {row.state for row in rows} == {"UNSTABLE"}
    ask = "build=no-repack quantization=Q4_0", "build=default quantization=Q4_0"
    told = compare.compare(runs, *ask)
    assert {each.verdict.word for each in told} == {"faster"}
    assert told[0].verdict.ratio.n == 6
    lost = next(
        record for record in every if record["kind"] == "launch" and record["payload"]["cell"]["build"] == "no-repack"
    )
    lost["payload"]["validity"] = STEAL
    told = compare.compare(summary.runs(every), *ask)
    by_pairs = {each.verdict.ratio.n: each.verdict.word for each in told}
    assert by_pairs == {6: "faster", 5: "informational"}


def test_between_runs_the_drift_of_both_is_in_the_interval():
    values = [100.0, 100.5, 99.5, 100.2, 99.8, 100.0]
    slower = [0.95 * value for value in values]
    assert verdict.unpaired(values, slower).word == "slower"
    alone = math.log(verdict.unpaired(values, slower).ratio.high / 0.95)
    wide = verdict.unpaired(values, slower, besides=(0.04, 0.03))
    assert wide.word == "undecided"
    assert wide.ratio.high == pytest.approx(0.95 * math.exp(math.hypot(0.05, alone)))
    assert wide.p > 0.04


def test_no_part_no_width():
    alone = mean_interval([100.0])
    assert validity.widened(alone, validity.Budget(None, 0.1, 0.1, 0.1)) == alone
    assert not validity.ranked("VALID", alone)
