# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The uncertainty of each figure, part by part: what its launches, the drift of the machine and company leave open."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.validity import Budget
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, View

_WORDS = (
    "Each part is half of a 95 % interval, in percent of the figure. Launches: their spread. Drift: half of the range "
    "of the read bandwidth between start, middle and end, as far as the launches may have followed it. Session: what "
    "another session may differ by where the processor is shared. Disturbance: the share of the time that the "
    "hypervisor or other processes had, though no gate fired. Together: the root of the sum of squares, by which the "
    "figure is shown, ranked and compared."
)


def _section(view: View) -> Section | None:
    undisturbed = [row for row in view.every if row.budget and row.state != summary.INVALID]
    known = [row for row in undisturbed if row.interval and row.interval.half_width_percent is not None]
    # Of a single part there is nothing to add up.
    if not any(row.budget and (row.budget.drift is not None or row.budget.disturbance is not None) for row in known):
        return None
    return Section("Uncertainty", [markdown.text(_WORDS, None), _table(known, view)])


def _table(rows: Sequence[Row], view: View) -> markdown.Markdown:
    titles = [name.capitalize() for name in Budget._fields]
    lines: list[list[Cell]] = []
    for row in rows:
        width = row.interval.half_width_percent if row.interval else None
        parts = row.budget.parts() if row.budget else []
        lines.append([view.words(row), *(_share(share) for _name, share in parts), markdown.bold(_share(width))])
    return markdown.table(
        [(view.unit("Figure"), LEFT), *((title, RIGHT) for title in titles), ("Together", RIGHT)], lines
    )


def _share(share: float | None) -> str:
    return metrics.NOT_AVAILABLE if share is None else f"±{metrics.with_unit('half_width_percent', share)}"


SUBJECT = Subject(name="uncertainty", section=_section)
