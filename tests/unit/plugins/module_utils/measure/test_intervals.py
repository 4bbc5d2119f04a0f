# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math
import random

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import mean_interval, t_975


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    # R: qt(0.975, df)
    [(1, 12.706205), (5, 2.570582), (29, 2.045230), (30, 2.042272), (31, 2.039513), (60, 2.000298), (1000, 1.962339)],
)
def test_quantiles_of_t(degrees, quantile):
    assert t_975(degrees) == pytest.approx(quantile, abs=6e-4)


def test_an_interval_by_hand():
    # Logs are 0, ln 4: mean ln 2, sd = ln 4 / sqrt 2, half = 12.706 * sd / sqrt 2 = 12.706 * ln 2.
    interval = mean_interval([1, 4])
    assert interval.mean == pytest.approx(2)
    assert interval.low == pytest.approx(2 * math.exp(-12.706 * math.log(2)))
    assert interval.n == 2


def test_it_holds_the_truth_in_95_of_100():
    source = random.Random(7)
    held = 0
    for _trial in range(2000):
        interval = mean_interval([100 * math.exp(source.gauss(0, 0.02)) for _launch in range(6)])
        held += interval.low <= 100 <= interval.high
    assert 0.935 <= held / 2000 <= 0.965


def test_one_value_has_no_interval():
    assert mean_interval([5.0]) == (5.0, None, None, 1, None)


@pytest.mark.parametrize("values", [[], [0.0], [1.0, -1.0], [math.nan], [math.inf]])
def test_what_has_no_logarithm_is_refused(values):
    with pytest.raises(ValueError, match="interval needs"):
        mean_interval(values)
