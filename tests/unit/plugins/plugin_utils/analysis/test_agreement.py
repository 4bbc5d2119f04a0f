# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A build that predicts otherwise is INVALID in its run, with its settings and no others, and nothing compares it."""

from __future__ import annotations

from typing import Any

import pytest
from support.records import traded

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import agreement, compare, summary

Record = dict[str, Any]
RIGHT, WRONG = traded.TRADED[5], traded.TRADED[6]


def run_of(*combinations: traded.Traded, **more: Any) -> summary.Run:
    return summary.runs(traded.records(combinations or (RIGHT, WRONG), **more))[0]


def rows(run: summary.Run, build: str) -> dict[str, summary.Row]:
    of_build = [cell for cell in summary.cells(run) if cell["build"] == build]
    return {row.cell["test"]: row for row in summary.rows(run, of_build)}


def test_a_build_over_the_bound_is_invalid_for_one_reason_and_ranked_nowhere() -> None:
    run = run_of()
    (each,) = run.disagreements
    assert each.cell["build"] == "fast"
    assert each.kld == pytest.approx(0.61)
    why = (
        "with the same file it predicts otherwise than build default does, not repacked: KL divergence 0.61 nat, "
        "over 0.02"
    )
    assert each.words == why
    for test in ("tg128", "pp512", "load"):
        row = rows(run, "fast")[test]
        assert (row.state, row.reasons, row.stamp, row.ranked) == ("INVALID", [why], why, False)
        assert rows(run, "default")[test].state == "VALID"
    # The faster is wrong: the other one stands for the page.
    best = summary.headline([rows(run, build)["tg128"] for build in ("fast", "default")], "tg_tps")
    assert best
    assert best.cell["build"] == "default"


def test_what_is_predicted_is_shown_all_the_same() -> None:
    assert rows(run_of(), "fast")["quality512x4"].state == "VALID"
    assert rows(run_of(), "fast")["agree128x2"].state == "VALID"


def test_no_ratio_is_formed_with_a_wrong_build() -> None:
    run = run_of()
    said = compare.within_blocks(rows(run, "default")["tg128"], rows(run, "fast")["tg128"], p_value=False)
    assert said.ratio is None


@pytest.mark.parametrize(("kld", "wrong"), [(0.0005, False), (agreement.AGREE_BOUND, False), (0.0201, True)])
def test_the_bound_is_of_the_mean_over_the_launches(kld: float, wrong: bool) -> None:
    run = run_of(RIGHT, WRONG._replace(agree=kld))
    if kld == agreement.AGREE_BOUND:
        # The noise of the launches has the mean 0 but for what a float cannot hold.
        assert run.disagreements == [] or run.disagreements[0].kld == pytest.approx(kld)
    else:
        assert bool(run.disagreements) is wrong


def test_settings_that_change_what_is_computed_are_told_apart_and_others_are_not() -> None:
    """A cell of another test, or with another polling, computes the same."""
    wrong = WRONG._replace(build="default", variant="fa=on")
    alike = RIGHT._replace(variant="fa=on+poll=0")
    asked = traded.records((RIGHT, wrong, alike), tests=("tg128", "agree128x2"))
    asked = [
        record
        for record in asked
        if "poll" not in str(record["payload"].get("cell")) or record["payload"]["cell"]["test"] != "agree128x2"
    ]
    (run,) = summary.runs(asked)
    states = {
        row.cell.get("variant", ""): row.state
        for row in summary.rows(run, summary.cells(run))
        if row.cell["test"] == "tg128"
    }
    assert states == {"": "VALID", "fa=on": "INVALID", "fa=on+poll=0": "INVALID"}


def test_a_quantized_cache_has_its_price_and_a_build_that_pays_more_is_wrong() -> None:
    cache = RIGHT._replace(variant="ctk=q8_0+ctv=q8_0", agree=0.05)
    assert not run_of(RIGHT, cache).disagreements
    fast = cache._replace(build="fast", agree=0.08)
    (each,) = run_of(RIGHT, cache, fast).disagreements
    assert (each.cell["build"], each.cell["variant"]) == ("fast", "ctk=q8_0+ctv=q8_0")


def test_without_agreement_or_its_base_nothing_is_said_of_builds() -> None:
    assert run_of(tests=("tg128",)).disagreements == []
    without = traded.records((RIGHT, WRONG))
    for record in without:
        record["payload"].pop("predicted", None)
    (each,) = summary.runs(without)[0].disagreements
    assert each.words.startswith("with the same file it predicts otherwise than the first build does")


def test_another_run_is_not_concerned() -> None:
    """Of the same run only: what another one measured may have been of other programs."""
    later = traded.records((RIGHT, WRONG), tests=("tg128",), run="20261201T080000Z-7a12")
    first, second = summary.runs([*traded.records((RIGHT, WRONG)), *later])
    assert rows(first, "fast")["tg128"].state == "INVALID"
    assert rows(second, "fast")["tg128"].state == "VALID"
