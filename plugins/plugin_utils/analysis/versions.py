# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""llama.cpp's own history on one machine: builds that know their number, against the newest and against the one before.

A version stands to the newest by their duet where there is one, else by the blocks in which both were launched. Two
versions that were never set against each other stand to each other by the quotient of their ratios to the newest, the
intervals of which are independent: their half widths on the logarithm are added as squares.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import Interval
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import compare, duets, verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.verdict import Verdict

# Fewer are a comparison, and no history.
FEWEST = 3


class Version(NamedTuple):
    """A build in one test: how it stands to the newest one, itself without a verdict, and whether in a duet.

    `number` is llama.cpp's build number, None of a build that does not know its own: a fork, or another source.
    """

    row: Row
    number: int | None
    verdict: Verdict | None
    in_duet: bool


class Change(NamedTuple):
    """How a version stands to the one before it."""

    before: Version
    after: Version
    verdict: Verdict


def number(run: Run, row: Row) -> int | None:
    """Return llama.cpp's build number of the build of a row, None where neither source nor program says it."""
    for record in row.launches[-1:]:
        build = run.builds.get(record["payload"]["build"]) or {}
        told = (build.get("source") or {}).get("build_number") or build.get("build_number")
        return int(told) if told and int(told) > 0 else None
    return None


def of(run: Run, rows: Sequence[Row]) -> list[Version]:
    """Return the builds of one test, by number and then those without one, nothing where fewer than FEWEST have one.

    `rows`: those of one test, quantization and number of threads, without variants.
    """
    numbered = sorted(
        ((told, row) for row in rows if row.launches and (told := number(run, row)) is not None),
        key=lambda numbered: numbered[0],
    )
    if len({told for told, _row in numbered}) < FEWEST:
        return []
    newest = numbered[-1][1]
    try:
        measured, p_value = duets.of_run(run), True
    except verdict.StatisticsMissing:
        measured, p_value = duets.of_run(run, p_value=False), False

    def version(row: Row, told: int | None) -> Version:
        if row is newest:
            return Version(row, told, None, in_duet=False)
        duet = duets.between(measured, newest.cell, row.cell)
        said = duet.verdict if duet else compare.within_blocks(newest, row, p_value)
        return Version(row, told, said, in_duet=duet is not None)

    without = [row for row in rows if row.launches and number(run, row) is None]
    return [*(version(row, told) for told, row in numbered), *(version(row, None) for row in without)]


def changes(versions: Sequence[Version]) -> list[Change]:
    """Return how each numbered version stands to the one before it, where that can be told."""
    numbered = [version for version in versions if version.number is not None]
    told = []
    for before, after in itertools.pairwise(numbered):
        ratio = _quotient(before.verdict, after.verdict)
        if ratio:
            told.append(Change(before, after, Verdict(verdict.of_ratio(ratio), ratio, None)))
    return told


def _quotient(before: Verdict | None, after: Verdict | None) -> Interval | None:
    """Return the ratio of two ratios to the newest, which stands to itself as 1 without an interval."""
    logs, squares, pairs = 0.0, 0.0, []
    for said, sign in ((before, -1), (after, 1)):
        if said is None:
            continue
        ratio = said.ratio
        if ratio is None or ratio.low is None or ratio.high is None:
            return None
        logs += sign * math.log(ratio.mean)
        squares += (math.log(ratio.high / ratio.low) / 2) ** 2
        pairs.append(ratio.n)
    if not pairs:
        return None
    half = math.sqrt(squares)
    mean, low, high = (math.exp(logs + shift) for shift in (0.0, -half, half))
    return Interval(mean, low, high, min(pairs), 100 * (high - low) / (2 * mean))
