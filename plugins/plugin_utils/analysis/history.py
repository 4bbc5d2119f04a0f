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
    changed = []
    for row in summary.rows(latest, summary.pages(latest)[path]):
        for before in reversed(runs[:-1]):
            cells = [
                cell for cell in summary.pages(before)[path] if summary.cell_key(cell) == summary.cell_key(row.cell)
            ]
            then = next((earlier for earlier in summary.rows(before, cells) if earlier.interval), None)
            if row.interval is None or then is None or summary.imported(before) or summary.emulated(before):
                continue
            if compare.differing((before, then), (latest, row), ["build"]):
                continue
            same = not compare.differing((before, then), (latest, row), [])
            changed.append(Change(row, before, compare.pair((before, then), (latest, row))[0], not same))
            break
    if not any(change.verdict.word in (verdict.FASTER, verdict.SLOWER) for change in changed):
        # Nothing that many comparisons could have made up, so SciPy's statistics need not be loaded.
        return changed
    judged = verdict.judged([change.verdict for change in changed])
    return [change._replace(verdict=said) for change, (said, _q) in zip(changed, judged, strict=True)]
