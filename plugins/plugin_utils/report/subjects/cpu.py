# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU use of a launch as a whole: time, faults and switches, as getrusage(2) counts them."""

from __future__ import annotations

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import RIGHT, Cell
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, View

_SINGLE = (("cpu_user_s", "User s"), ("cpu_system_s", "System s"), ("cpu_percent", "% of all cores"))
_PAIRS = (
    ("major_faults", "minor_faults", "Major / minor faults"),
    ("context_switches_voluntary", "context_switches_involuntary", "Switches vol. / invol."),
)


def _key_lines(view: View) -> list[list[Cell]]:
    return parts.key_line("CPU use, of all cores", "cpu_percent", view.chosen, summary.average)


def _section(view: View) -> Section | None:
    if view.imported:
        return None
    (first, *others) = [title for _name, title in _SINGLE]
    titles = [view.unit(first), *others, *(title for _first, _second, title in _PAIRS)]
    table = view.table(
        [(title, RIGHT) for title in titles],
        lambda row: [
            *(metrics.show(name, summary.average(row, name)) for name, _title in _SINGLE),
            *(_pair(row, name, other) for name, other, _title in _PAIRS),
        ],
    )
    return Section("CPU use", [markdown.text("The mean of the launches."), table]) if table else None


def _pair(row: Row, name: str, other: str) -> str | None:
    first, second = summary.average(row, name), summary.average(row, other)
    if first is None and second is None:
        return None
    return f"{metrics.show(name, first)} / {metrics.show(other, second)}"


SUBJECT = Subject(
    name="cpu",
    metrics=(
        *(name for name, _title in _SINGLE),
        *(name for first, second, _title in _PAIRS for name in (first, second)),
    ),
    key_lines=_key_lines,
    section=_section,
)
