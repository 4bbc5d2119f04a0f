# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses are paired by the parts of a text, dominance is established or not said, and the choice keeps to its limit."""

from __future__ import annotations

import math
from statistics import fmean
from typing import Any

import pytest
from support.records import traded

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import t_975
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import quality, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.quality import CRITERIA, GENERATION, Point

F16, Q8_0, Q8_0_KV, Q6_K, Q4_K_M, Q4_0, FAST = traded.TRADED
PROMPTS, MEMORY, LOAD = CRITERIA[1:]


def run_of(*combinations: traded.Traded, **more: Any) -> summary.Run:
    return summary.runs(traded.records(combinations or traded.TRADED, **more))[0]


def points(*combinations: traded.Traded, **more: Any) -> list[Point]:
    run = run_of(*combinations, **more)
    return quality.points(run, summary.rows(run, summary.cells(run)))


def names(some: list[Point]) -> list[str]:
    return [" ".join(filter(None, (p.quality.cell["quantization"], p.quality.cell.get("variant")))) for p in some]


# ---- Figures ----


def test_the_loss_is_that_of_the_geometric_mean_over_the_parts() -> None:
    (point,) = points(Q4_0)
    logs = [math.log(record["payload"]["metrics"]["ppl_ratio"]["value"]) for record in point.quality.figures]
    lost = quality.loss(point.quality)
    assert lost
    assert lost.mean == pytest.approx(100 * (math.exp(fmean(logs)) - 1))
    assert lost.mean == pytest.approx(18.0)
    centre = fmean(logs)
    half = t_975(5) * math.sqrt(sum((x - centre) ** 2 for x in logs) / 5 / 6)
    assert lost.low == pytest.approx(100 * (math.exp(centre - half) - 1))
    assert lost.high == pytest.approx(100 * (math.exp(centre + half) - 1))


def test_it_is_that_of_all_parts_together() -> None:
    """Parts have as many tokens each: exp of the mean of all -ln p is the geometric mean of the launches'."""
    (point,) = points(Q4_0)
    whole = summary.mean_of(point.quality, "ppl")
    base = summary.mean_of(point.quality, "ppl_base")
    ratio = summary.mean_of(point.quality, "ppl_ratio")
    assert whole
    assert base
    assert ratio
    assert whole.mean / base.mean == pytest.approx(ratio.mean)


def test_drift_of_the_machine_widens_no_figure_of_quality() -> None:
    """Whatever the memory did meanwhile, the file predicts what it predicts."""
    every = traded.records((Q8_0,))
    launch = next(record for record in every if record["kind"] == "launch")
    for stage, best in (("start", 20.0), ("end", 10.0)):
        rates = {"best": best, "median": best, "samples": [best]}
        measured = {
            "machine": launch["payload"]["machine"], "stage": stage, "threads": 2, "read_gb_s": rates,
            "triad_gb_s": rates, "bytes": 1,
        }  # fmt: skip
        every.append({**launch, "kind": "bandwidth", "payload": measured})
    (run,) = summary.runs(every)
    by_test = {row.cell["test"]: row for row in summary.rows(run, summary.cells(run))}
    assert by_test["tg128"].interval
    assert by_test["tg128"].interval.half_width_percent > 30
    assert by_test["quality512x4"].interval
    assert by_test["quality512x4"].interval.half_width_percent < 0.1


def test_divergences_have_an_arithmetic_mean_and_may_be_nothing() -> None:
    assert summary.arithmetic_interval([0.0, 0.0]) == (0.0, 0.0, 0.0, 2, None)
    mean, low, high, n, _width = summary.arithmetic_interval([1.0, 2.0, 3.0])
    assert (mean, n) == (2.0, 3)
    assert (low, high) == (pytest.approx(2 - 4.303 / math.sqrt(3)), pytest.approx(2 + 4.303 / math.sqrt(3)))
    assert summary.arithmetic_interval([0.5]) == (0.5, None, None, 1, None)
    with pytest.raises(ValueError, match="at least one value"):
        summary.arithmetic_interval([])
    (point,) = points(Q4_0)
    divergence = summary.mean_of(point.quality, "kld_mean")
    assert divergence
    assert divergence.mean == pytest.approx(0.28)
    assert summary.mean_of(point.quality, "tg_tps") is None


# ---- What may be compared ----


def test_two_are_compared_part_by_part() -> None:
    """Their intervals overlap, for parts differ; what they lose in each part does not."""
    worse = Q8_0._replace(quantization="Q6_K", ratio=Q8_0.ratio * 1.0002)
    first, second = points(Q8_0, worse)
    lost = [quality.loss(point.quality) for point in (first, second)]
    assert lost[0]
    assert lost[1]
    assert lost[0].high > lost[1].low
    assert quality.loses_less(first, second)
    assert not quality.loses_less(second, first)
    ratio = quality.paired(second.quality, first.quality)
    assert ratio
    assert ratio.mean == pytest.approx(1.0002)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("text", "lcet10", "text 'alice29' and 'lcet10'"),
        ("reference", "Q8_0", "reference 'F16' and 'Q8_0'"),
        ("n_prompt", 256, "n_prompt 256 and 512"),
        ("model", "another", "model 'another' and 'smollm2-135m'"),
    ],
)
def test_what_was_measured_on_something_else_is_refused(field: str, value: Any, said: str) -> None:
    run = run_of(Q8_0, Q4_0)
    first, second = quality.of_kind(summary.rows(run, summary.cells(run)))
    other = second._replace(cell={**second.cell, field: value})
    with pytest.raises(quality.QualityError, match=said) as raised:
        quality.paired(first, other)
    assert "ask for them in one run" in str(raised.value)
    with pytest.raises(quality.QualityError):
        quality.points(run, [first, other])
    assert [len(rows) for rows in quality.by_basis([first, other]).values()] == [1, 1]


def test_threads_are_no_second_row_of_quality() -> None:
    every = traded.records((Q8_0,))
    for record in every:
        payload = record["payload"]
        if record["kind"] == "launch" and payload["number"] > 4 and payload["cell"]["test"] == "quality512x4":
            payload["cell"] = {**payload["cell"], "threads": 1}
    (run,) = summary.runs(every)
    (point,) = quality.points(run, summary.rows(run, summary.cells(run)))
    assert len(point.quality.figures) == 4


# ---- Frontiers ----


def test_the_frontier_of_generation_and_who_dominates_the_others() -> None:
    every = points()
    assert names(every) == ["F16", "Q8_0", "Q8_0 ctk=q8_0+ctv=q8_0", "Q6_K", "Q4_K_M", "Q4_0", "Q4_0"]
    assert names(quality.frontier(every, GENERATION)) == [
        "F16", "Q8_0", "Q8_0 ctk=q8_0+ctv=q8_0", "Q4_K_M", "Q4_0",
    ]  # fmt: skip
    # The fastest that dominates it is named first; the wrong build, faster than all, is in no ranking.
    assert names(quality.dominators(every, every[3], GENERATION)) == ["Q8_0 ctk=q8_0+ctv=q8_0", "Q8_0"]
    assert GENERATION.of(every[6]) is None
    assert MEMORY.of(every[6]) is None


def test_less_memory_and_a_shorter_load_are_better() -> None:
    every = points()
    assert names(quality.dominators(every, every[5], MEMORY)) == ["Q4_K_M"]
    assert names(quality.dominators(every, every[5], LOAD)) == ["Q4_K_M"]
    assert names(quality.dominators(every, every[4], PROMPTS)) == ["Q8_0", "Q8_0 ctk=q8_0+ctv=q8_0"]


def test_what_is_not_established_dominates_nothing() -> None:
    """As much lost in each part, and a speed within the noise: neither has to go."""
    twin = Q8_0._replace(build="other", tg128=Q8_0.tg128 * 1.001)
    every = points(Q8_0, twin)
    assert len(quality.frontier(every, GENERATION)) == 2
    faster = Q8_0._replace(build="other", tg128=Q8_0.tg128 * 1.1)
    every = points(Q8_0, faster)
    assert [point.quality.cell["build"] for point in quality.frontier(every, GENERATION)] == ["other"]


def test_memory_that_differs_by_less_than_anybody_chooses_by_is_alike() -> None:
    every = points(Q8_0, Q8_0._replace(build="other", peak=Q8_0.peak - 4))
    assert len(quality.frontier(every, MEMORY)) == 2
    every = points(Q8_0, Q8_0._replace(build="other", peak=Q8_0.peak - 8))
    assert len(quality.frontier(every, MEMORY)) == 1


# ---- The choice ----


def test_the_fastest_within_the_limit_is_chosen() -> None:
    every = points()
    choice = quality.fastest_within(every)
    assert choice.best
    assert names([choice.best]) == ["Q8_0 ctk=q8_0+ctv=q8_0"]
    assert (choice.ties, choice.candidates, choice.within) == ([], 3, 3)
    for percent, chosen in ((0.1, "Q8_0"), (2, "Q8_0 ctk=q8_0+ctv=q8_0"), (10, "Q4_K_M"), (20, "Q4_0")):
        best = quality.fastest_within(every, percent).best
        assert best
        assert names([best]) == [chosen]


def test_the_upper_end_of_the_interval_decides() -> None:
    (point,) = points(Q6_K)
    lost = quality.loss(point.quality)
    assert lost
    assert lost.mean < 1.3 < lost.high
    assert quality.fastest_within([point], 1.3).best is None
    assert quality.fastest_within([point], 1.4).best is point


def test_one_launch_establishes_nothing() -> None:
    choice = quality.fastest_within(points(Q8_0, launches=1))
    assert (choice.best, choice.within) == (None, 0)


def test_those_that_may_be_as_fast_are_named() -> None:
    choice = quality.fastest_within(points(Q8_0, Q6_K._replace(tg128=95.1, ratio=1.001)))
    assert choice.best
    assert names([choice.best, *choice.ties]) == ["Q6_K", "Q8_0"]


def test_without_a_speed_there_is_no_choice() -> None:
    choice = quality.fastest_within(points(Q8_0, tests=("quality512x4",)))
    assert (choice.best, choice.candidates, choice.within) == (None, 0, 1)


def test_the_limit_is_that_of_the_run() -> None:
    assert quality.limit_percent(run_of(Q8_0)) == 1.0
    assert quality.limit_percent(run_of(Q8_0, quality_limit_percent=2.5)) == 2.5


# ---- The reference ----


def test_the_reference_says_what_it_was_made_of() -> None:
    for made, widened in (("", ""), ("Q4_1", "Q4_1")):
        run = run_of(Q8_0, widened_from=made)
        rows = quality.of_kind(summary.rows(run, summary.cells(run)))
        assert quality.reference(run, rows) == ("F16", "smollm2-135m-f16.gguf", widened)
        # Records that do not say which file it was have the model's of that quantization.
        lean = [row._replace(launches=[]) for row in rows]
        assert quality.reference(run, lean).widened_from == widened
        assert quality.reference(run._replace(models={}), rows) == ("F16", "", "")
