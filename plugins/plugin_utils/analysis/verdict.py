# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether one thing is faster than another, and how sure that is: from the ratios within the blocks of one run.

The interval is the 95 % t interval of the mean log ratio. It decides, together with a margin: a difference of less than
2 % is nothing that anybody chooses by. Over many comparisons the rate of false ones is held at 5 % (Y. Benjamini, Y.
Hochberg, J. R. Statist. Soc. B 57 (1995) 289).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import (
    ENOUGH_PAIRS,
    MARGIN_PERCENT,
    Interval,
    mean_interval,
    side_of_margin,
    t_975,
)

__all__ = [
    "ENOUGH_PAIRS", "EQUAL", "FALSE_DISCOVERIES", "FASTER", "INFORMATIONAL", "MARGIN_PERCENT", "SLOWER", "UNDECIDED",
    "StatisticsMissing", "Verdict", "adjusted", "judged", "of_ratio", "paired", "q_words", "t_p", "unpaired",
]  # fmt: skip

FASTER, SLOWER, EQUAL, UNDECIDED, INFORMATIONAL = "faster", "slower", "equal", "undecided", "informational"

FALSE_DISCOVERIES = 0.05


class Verdict(NamedTuple):
    """How B stands to A.

    The ratio B/A of speeds with its interval and number of pairs, the word for it, the p-value of "there is no
    difference" (None below two pairs), and how many pairs are likely to decide an undecided one.
    """

    word: str
    ratio: Interval | None
    p: float | None
    wanted: int | None = None


class StatisticsMissing(ValueError):
    """SciPy is not there and a p-value is wanted; the message says how to get it."""


def _missing(error: ImportError) -> StatisticsMissing:
    return StatisticsMissing(
        f"a comparison needs SciPy, which cannot be imported: {error}; install requirements.txt of the collection"
    )


def t_p(t: float, degrees: float) -> float:
    """Return the two-sided p-value of Student's t with so many degrees of freedom. Raises StatisticsMissing."""
    try:
        # Here, so that a first page, which compares nothing, does not pay for it. scipy.stats.t.sf is this function
        # behind an import three times as long.
        from scipy.special import stdtr
    except ImportError as error:
        raise _missing(error) from error
    return 2 * float(stdtr(degrees, -abs(t)))


def of_ratio(ratio: Interval) -> str:
    """Return the word for a ratio of speeds by its interval and the margin."""
    if ratio.low is None or ratio.high is None:
        return INFORMATIONAL
    return {-1: SLOWER, 0: EQUAL, 1: FASTER, None: UNDECIDED}[side_of_margin(ratio)]


def paired(a: Sequence[float], b: Sequence[float], lower_is_better: bool = False, p_value: bool = True) -> Verdict:
    """Compare B with A, whose values belong together one by one: those of one block. Raises ValueError.

    Values are positive; of seconds (`lower_is_better`) the ratio is turned over, so that above 1 is faster always.
    `p_value`: without it p is None, and SciPy is not asked for.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} values cannot be paired with {len(b)}")
    if not a:
        return Verdict(INFORMATIONAL, None, None)
    ratios = [x / y if lower_is_better else y / x for x, y in zip(a, b, strict=True)]
    ratio = mean_interval(ratios)
    if ratio.n < 2:
        return Verdict(INFORMATIONAL, ratio, None)
    deviation = _deviation(ratios)
    t = (
        math.log(ratio.mean) / (deviation / math.sqrt(ratio.n))
        if deviation
        else math.copysign(math.inf, ratio.mean - 1)
    )
    p = (1.0 if ratio.mean == 1 else t_p(t, ratio.n - 1)) if p_value else None
    if ratio.n < ENOUGH_PAIRS:
        return Verdict(INFORMATIONAL, ratio, p, ENOUGH_PAIRS)
    word = of_ratio(ratio)
    return Verdict(word, ratio, p, _wanted(ratio.mean, deviation) if word == UNDECIDED else None)


def unpaired(
    a: Sequence[float], b: Sequence[float], lower_is_better: bool = False, besides: tuple[float, float] = (0.0, 0.0)
) -> Verdict:
    """Compare B with A where nothing pairs their values: launches of two runs, by Welch's t interval on logarithms.

    `besides`: what comes to the spread of the launches of each, a half width at 95 % of the logarithm (validity.py).

    What the machine did differently in the two runs is in the difference, so a verdict from it says less than one from
    blocks; who shows it has to say so. `ratio.n` is that of the smaller side.
    """
    n = min(len(a), len(b))
    if n < 2:
        return Verdict(INFORMATIONAL, None, None)
    sides = [
        (math.fsum(map(math.log, side)) / len(side), _deviation(side) ** 2 / len(side), len(side)) for side in (a, b)
    ]
    (mean_a, of_a, n_a), (mean_b, of_b, n_b) = sides
    error = math.sqrt(of_a + of_b)
    away = mean_a - mean_b if lower_is_better else mean_b - mean_a
    degrees = (of_a + of_b) ** 2 / (of_a**2 / (n_a - 1) + of_b**2 / (n_b - 1)) if error else n_a + n_b - 2.0
    # Rounding the degrees of freedom down makes the interval wider, never narrower.
    quantile = t_975(max(1, int(degrees)))
    half = math.hypot(quantile * error, *besides)
    low, high = math.exp(away - half), math.exp(away + half)
    ratio = Interval(math.exp(away), low, high, n, 100 * (high - low) / (2 * math.exp(away)))
    p = 1.0 if away == 0 else t_p(quantile * away / half if half else math.inf, degrees)
    return Verdict(of_ratio(ratio) if n >= ENOUGH_PAIRS else INFORMATIONAL, ratio, p)


def _deviation(ratios: Sequence[float]) -> float:
    """Return the standard deviation of the logarithms."""
    logs = [math.log(ratio) for ratio in ratios]
    centre = math.fsum(logs) / len(logs)
    return math.sqrt(math.fsum((x - centre) ** 2 for x in logs) / (len(logs) - 1))


def _wanted(mean: float, deviation: float) -> int | None:
    """Return the pairs after which the interval is likely to lie on one side of a margin, None beyond 1,000."""
    margin = math.log1p(MARGIN_PERCENT / 100)
    away = abs(abs(math.log(mean)) - margin)
    return next((n for n in range(ENOUGH_PAIRS, 1001) if t_975(n - 1) * deviation / math.sqrt(n) < away), None)


def q_words(q: float) -> str:
    """Return an adjusted p-value as terminal and pages show it: q=0.00015."""
    return f"q={q:.2g}"


def adjusted(ps: Sequence[float | None]) -> list[float | None]:
    """Return the p-values adjusted by Benjamini and Hochberg, in their order; None stays None.

    Raises StatisticsMissing.
    """
    known = [p for p in ps if p is not None]
    if len(known) > 1:
        try:
            from scipy.stats import false_discovery_control
        except ImportError as error:
            raise _missing(error) from error
        known = [float(q) for q in false_discovery_control(known, method="bh")]
    qs = iter(known)
    return [None if p is None else next(qs) for p in ps]


def judged(verdicts: Sequence[Verdict]) -> list[tuple[Verdict, float | None]]:
    """Return many verdicts with their adjusted p-values; a difference that these do not bear out is undecided."""
    qs = adjusted([verdict.p if verdict.word != INFORMATIONAL else None for verdict in verdicts])
    return [
        (
            verdict._replace(word=UNDECIDED)
            if verdict.word in (FASTER, SLOWER) and q is not None and q > FALSE_DISCOVERIES
            else verdict,
            q,
        )
        for verdict, q in zip(verdicts, qs, strict=True)
    ]
