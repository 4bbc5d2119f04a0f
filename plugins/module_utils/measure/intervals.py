# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Confidence interval of a mean over launches.

The sampling unit is a launch, one fresh process: repetitions inside one process share its memory layout
and its moment in time, so their spread says nothing about the next process.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Optional, Sequence

# Student's t, two-sided 95 %: the 0.975 quantile for 1 to 30 degrees of freedom.
# Source: NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.2.
_T_975 = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
    2.120,
    2.110,
    2.101,
    2.093,
    2.086,
    2.080,
    2.074,
    2.069,
    2.064,
    2.060,
    2.056,
    2.052,
    2.048,
    2.045,
    2.042,
)
_Z_975 = 1.959964

# A difference of less is nothing that anybody chooses by.
MARGIN_PERCENT = 2.0
# A verdict from fewer ratios would rest on a handful of moments.
ENOUGH_PAIRS = 6


class Interval(NamedTuple):
    """Mean of n values with its 95 % interval; low, high and half_width_percent are None when n < 2."""

    mean: float
    low: Optional[float]
    high: Optional[float]
    n: int
    half_width_percent: Optional[float]


def t_975(degrees: int) -> float:
    """Return the 0.975 quantile of Student's t for `degrees` of freedom (1 or more).

    Beyond the table: the asymptotic expansion of Abramowitz and Stegun, 26.7.5, right to 1e-4 there.
    """
    if degrees < 1:
        raise ValueError("degrees of freedom must be 1 or more, not %r" % (degrees,))
    if degrees <= len(_T_975):
        return _T_975[degrees - 1]
    z = _Z_975
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / degrees + second / degrees**2


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the geometric mean of positive `values` with its 95 % t interval, both formed on logarithms.

    Speed is a ratio quantity: noise multiplies it, and the interval of a ratio of two such means is then
    the difference of two intervals. Raises ValueError when there is no value or one is not positive and finite.
    half_width_percent is half the width of the interval in percent of the mean.
    """
    if not values:
        raise ValueError("an interval needs at least one value")
    for value in values:
        if not (value > 0 and math.isfinite(value)):
            raise ValueError("an interval needs positive finite values, not %r" % (value,))
    logs = [math.log(value) for value in values]
    n = len(logs)
    centre = math.fsum(logs) / n
    if n < 2:
        return Interval(values[0], None, None, n, None)
    variance = math.fsum((x - centre) ** 2 for x in logs) / (n - 1)
    half = t_975(n - 1) * math.sqrt(variance / n)
    low, high = math.exp(centre - half), math.exp(centre + half)
    mean = math.exp(centre)
    return Interval(mean, low, high, n, 100 * (high - low) / (2 * mean))


def side_of_margin(ratio: Interval) -> Optional[int]:
    """Return 1 or -1 for a ratio whose interval lies wholly above or below the margin, 0 for one wholly within.

    None where it reaches over an edge of the margin, and where there is no interval.
    """
    low, high = 1 - MARGIN_PERCENT / 100, 1 + MARGIN_PERCENT / 100
    if ratio.low is None or ratio.high is None:
        return None
    if ratio.high < low:
        return -1
    if ratio.low > high:
        return 1
    return 0 if low < ratio.low and ratio.high < high else None
