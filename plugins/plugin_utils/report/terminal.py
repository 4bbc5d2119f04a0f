# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run came to, for the end of a terminal: per machine and model the verdict in five lines, and its page."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Record, Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import parts, tradeoff, tuned
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects import registry
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.plain import plain

# More machines than anybody reads at the end of a terminal.
MOST = 20

_STATES = (summary.VALID, summary.UNSTABLE, summary.INVALID, summary.MISSING)
_STATE = re.compile(rf"; ({'|'.join(_STATES)})\b")


def state(line: str) -> str | None:
    """Return how far the figure of a line holds, None where it has none."""
    told = _STATE.search(line)
    return told.group(1) if told else None


def _rest(run: Run, rows: Sequence[Row]) -> str:
    """Return what else is to be known: how many cells hold, how the session drifted, what failed, what was left."""
    drifted = summary.drift(run)
    failed = len(run.failures)
    omitted = len(summary.omitted_cells(run))
    counts = {name: sum(row.state == name for row in rows) for name in _STATES}
    tally = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    told = [
        f"{drifted}, which is in the intervals" if drifted else "",
        metrics.plural(failed, "failure") if failed else "",
        f"{omitted} not measured for want of time" if omitted else "",
        f"{metrics.plural(len(rows), 'cell')}: {tally}",
    ]
    return f"  {'note':<11} {'; '.join(filter(None, told))}"


def _path(results_dir: str, page: str) -> str:
    """Return the path of a page as short as it can be opened from here."""
    path = os.path.abspath(os.path.join(results_dir, page))
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def lines(records: Sequence[Record], run_id: str, results_dir: str) -> list[str]:
    """Return the lines for the run `run_id`; of a host on which it measured nothing, why."""
    told: list[str] = []
    of_run = [run for run in summary.runs(records) if run.run == run_id]
    searches = [run for run in of_run if summary.tuned(run)]
    for run in searches[:MOST]:
        for page, payloads in sorted(summary.tuned(run).items()):
            told += [f"{run.machine}, {tuned.name(run, payloads)}", *tuned.terminal(payloads)]
            told.append(f"  {_path(results_dir, page)}")
    of_run = [run for run in of_run if run not in searches]
    runs = [run for run in of_run if summary.fruitful(run)]
    barren = [run for run in of_run if run.plan and not summary.fruitful(run)]
    for run in runs[:MOST]:
        by_model: dict[str, list[Payload]] = {}
        for cell in summary.cells(run):
            by_model.setdefault(cell["model"], []).append(cell)
        for model, cells in sorted(by_model.items()):
            rows = [row for row in summary.rows(run, cells) if row.launches or row.state == summary.MISSING]
            pages = sorted({summary.page_path(run.machine, cell) for cell in cells})
            compared = summary.comparisons(run.machine, cells)
            page = next(iter(compared), pages[0])
            marks = [
                "synthetic weights" if parts.is_synthetic(run, cells[0]) else "",
                "emulated host: no speed" if summary.emulated(run) else "",
            ]
            mark = ", ".join(filter(None, marks))
            told += [
                f"{run.machine}, {model}{f' ({mark})' if mark else ''}",
                *(line for subject in registry.SUBJECTS if subject.terminal for line in subject.terminal(rows)),
                *tradeoff.terminal(run, rows),
                _rest(run, rows),
                f"  {_path(results_dir, page)}",
            ]
    told += [f"{run.machine}: nothing was measured: {summary.why_nothing(run)}" for run in barren[:MOST]]
    more = max(0, len(searches) - MOST) + max(0, len(runs) - MOST) + max(0, len(barren) - MOST)
    if more:
        told.append(f"... and {metrics.plural(more, 'machine')} more: {_path(results_dir, summary.INDEX)}")
    return [plain(line) for line in told]
