# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has changed since the run before: the cells of a page, latest against previous, by the rules of verdict.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import compare, summary, verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.verdict import Verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import parts


class Change(NamedTuple):
    """A cell of the latest run and how it stands to the same cell of `before`; `build`: the builds differ."""

    row: Row
    before: Run
    verdict: Verdict
    build: bool


def changes(path: str, runs: Sequence[Run]) -> list[Change]:
    """Return how each cell of the page `path` stands to the last run before that measured it alike.

    Alike: on the same machine, with the same model and settings; the build may be another one, for that is what a
    history is looked at for. Two sessions have no blocks in common, so nothing cancels out of what the machine did; a
    cell of which one side is INVALID is only informational.
    """
    latest = runs[-1]
    if summary.emulated(latest) or summary.imported(latest):
        return []
    found = []
    for row in summary.rows(latest, summary.pages(latest)[path]):
        for before in reversed(runs[:-1]):
            cells = [
                cell for cell in summary.pages(before)[path] if summary.cell_key(cell) == summary.cell_key(row.cell)
            ]
            then = next((one for one in summary.rows(before, cells) if one.interval), None)
            if row.interval is None or then is None or summary.imported(before) or summary.emulated(before):
                continue
            if compare.differing((before, then), (latest, row), ["build"]):
                continue
            same = not compare.differing((before, then), (latest, row), [])
            found.append(Change(row, before, compare.pair((before, then), (latest, row))[0], not same))
            break
    judged = verdict.judged([one.verdict for one in found])
    return [one._replace(verdict=said) for one, (said, _q) in zip(found, judged, strict=True)]


def slower(path: str, runs: Sequence[Run]) -> list[str]:
    """Return a sentence for each cell of a page that has become slower since the run before."""
    said = []
    for one in changes(path, runs):
        if one.verdict.word == verdict.SLOWER and one.verdict.ratio:
            ratio = one.verdict.ratio
            bounds = metrics.span(ratio.low, ratio.high, 3)
            build = ", another build" if one.build else ""
            said.append(
                f"{parts.cell_words(one.row.cell)}: {metrics.number(ratio.mean, 3)} times as fast ({bounds}) as in the "
                f"run of {parts.date(one.before.time)}{build}"
            )
    return said
