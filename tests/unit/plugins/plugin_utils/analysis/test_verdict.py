# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts: their words, their p-values, and how often they are wrong."""

from __future__ import annotations

import random
import sys

import pytest
from scipy.special import stdtrit

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import t_975
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.verdict import (
    Verdict,
    adjusted,
    judged,
    paired,
    t_p,
)


@pytest.mark.parametrize(
    ("t", "degrees", "p"),
    # 2 * scipy.stats.t.sf(abs(t), degrees), SciPy 1.17.1.
    [
        (0.0, 5, 1.0), (1.0, 1, 0.5), (2.570582, 5, 0.049999990027139944), (12.706205, 1, 0.04999999896608903),
        (-2.228139, 10, 0.04999998745288254), (4.0, 29, 0.00040006394565249173), (40.0, 11, 2.89254089812057e-13),
        (1.959964, 1e7, 0.05000002592239713),
    ],
)  # fmt: skip
def test_p_values_are_those_of_student(t, degrees, p):
    assert t_p(t, degrees) == pytest.approx(p, rel=1e-8)


@pytest.mark.parametrize("degrees", [*range(1, 61), 120, 1000])
def test_the_table_of_the_target_is_scipys_quantile(degrees):
    # The targets have no SciPy; what stops the launches there is judged here.
    assert t_975(degrees) == pytest.approx(stdtrit(degrees, 0.975), abs=5.1e-4)


A = [100.0, 101.0, 99.0, 100.5, 99.5, 100.2]


@pytest.mark.parametrize(
    ("factors", "word"),
    [
        ([1.051, 1.049, 1.05, 1.052, 1.048, 1.05], "faster"),
        ([0.951, 0.949, 0.95, 0.952, 0.948, 0.95], "slower"),
        ([1.001, 0.999, 1.0, 1.002, 0.998, 1.0], "equal"),
        # Different beyond doubt, by less than anybody chooses by.
        ([1.0101, 1.0099, 1.01, 1.0101, 1.0099, 1.01], "equal"),
        ([1.05, 0.95, 1.02, 0.99, 1.04, 0.97], "undecided"),
        ([1.03, 1.01, 1.02, 1.03, 1.01, 1.02], "undecided"),
    ],
)
def test_the_interval_and_the_margin_decide(factors, word):
    b = [a * factor for a, factor in zip(A, factors, strict=True)]
    assert paired(A, b).word == word
    # Of seconds, less is faster; and who is compared with whom turns the word over.
    turned = {"faster": "slower", "slower": "faster"}.get(word, word)
    assert paired(A, b, lower_is_better=True).word == turned
    assert paired(b, A).word == turned


def test_what_few_pairs_say_is_no_verdict():
    few = paired(A[:5], [a * 1.5 for a in A[:5]])
    assert (few.word, few.wanted) == ("informational", 6)
    assert paired(A[:1], [1.0]).p is None
    assert paired([], []) == Verdict("informational", None, None)
    with pytest.raises(ValueError, match="2 values cannot be paired with 1"):
        paired([1, 2], [1])


def test_an_undecided_one_says_how_many_pairs_may_decide():
    undecided = paired(A, [a * f for a, f in zip(A, [1.05, 0.99, 1.04, 1.01, 1.06, 1.03], strict=True)])
    assert undecided.word == "undecided"
    assert undecided.wanted is not None
    assert undecided.wanted > 6


def test_equal_values_are_equal():
    same = paired(A, A)
    assert (same.word, same.p) == ("equal", 1.0)
    assert paired([1.0] * 6, [2.0] * 6).p == 0.0


def test_the_adjustment_is_that_of_benjamini_and_hochberg():
    # By hand: sorted they are 0.005, 0.01, 0.03, 0.04, times 4/1, 4/2, 4/3 and 4/4, none above the next.
    assert adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert adjusted([0.5, None, 0.04]) == [0.5, None, 0.08]
    assert adjusted([]) == []


def test_without_scipy_a_comparison_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(verdict.StatisticsMissing, match=r"needs SciPy, which cannot be imported: .*; install req"):
        paired(A, [a * 1.05 for a in A])
    with pytest.raises(verdict.StatisticsMissing, match="needs SciPy"):
        adjusted([0.1, 0.2])
    # One comparison alone has nothing to be adjusted for.
    assert adjusted([None, 0.1]) == [None, 0.1]


def test_a_difference_that_many_comparisons_explain_is_undecided():
    one = Verdict("slower", paired(A, [0.9 * a for a in A]).ratio, 0.03)
    nothing = [Verdict("equal", one.ratio, 0.5)] * 19
    assert judged([one])[0][0].word == "slower"
    assert judged([one, *nothing])[0] == (one._replace(word="undecided"), pytest.approx(0.5))


def test_equal_things_are_called_different_in_less_than_one_comparison_of_twenty():
    source = random.Random(1)
    wrong = 0
    for _comparison in range(400):
        blocks = [source.gauss(0, 0.03) for _block in range(6)]
        a, b = ([100 * (1 + block + source.gauss(0, 0.01)) for block in blocks] for _side in range(2))
        wrong += paired(a, b).word in (verdict.FASTER, verdict.SLOWER)
    assert wrong <= 20


def test_a_slow_down_of_five_per_cent_is_found():
    source = random.Random(2)
    found = 0
    for _comparison in range(200):
        blocks = [source.gauss(0, 0.03) for _block in range(12)]
        a = [100 * (1 + block + source.gauss(0, 0.01)) for block in blocks]
        b = [95 * (1 + block + source.gauss(0, 0.01)) for block in blocks]
        found += paired(a, b).word == verdict.SLOWER
    assert found >= 190
