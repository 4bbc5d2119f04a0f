# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel paths: in which layouts the weights were used, and whether those are the ones that the processor has."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import (
    Entry,
    References,
    RowColumn,
    Section,
    SideBySide,
    View,
)


def _key_lines(view: View) -> list[list[Cell]]:
    lines: list[list[Cell]] = []
    modes = sorted({mode for row in view.chosen for mode in summary.load_modes(row)})
    if modes:
        lines.append(["Load mode", markdown.join(modes), "", ""])
    paths = dict.fromkeys(path for row in view.chosen for path in summary.kernel_paths(row))
    if paths:
        states = dict.fromkeys(parts.kernel_state(row) for row in view.chosen)
        lines.append(["Kernel path", markdown.lines(*paths), "", markdown.lines(*states)])
    return lines


def alerts(view: View | SideBySide) -> list[Markdown]:
    """Return a loud line for each distinct fallback of a page: which cells, why, and what to do."""
    return [
        markdown.alert(
            "CAUTION",
            Markdown(
                f"**FALLBACK**, not the kernels expected of this processor: "
                f"{markdown.text(parts.cells_of(finding, view.rows, view.name_among), None)}."
                f"<br>{_fallback_words(finding)}"
            ),
        )
        for finding in summary.fallbacks(view.rows)
    ]


def remarks(view: View | SideBySide) -> list[Markdown]:
    """Return a quiet note for each thing that is not known, or that an expectation rests on."""
    notes = []
    for finding in summary.remarks(view.rows):
        cells = markdown.text(parts.cells_of(finding, view.rows, view.name_among), None)
        notes.append(Markdown(f"Kernel path, {cells}: {parts.sentence(finding.why)}"))
    return notes


def _fallback_words(finding: summary.Finding) -> Markdown:
    """Return why a fallback happened, and on a line of its own what to do."""
    remedy = f"<br>**To do:** {parts.sentence(finding.remedy)}" if finding.remedy else ""
    return Markdown(f"{parts.sentence(finding.why or 'the reason is not on record')}{remedy}")


def _compared(view: SideBySide, _references: References) -> list[RowColumn]:
    if view.imported and not any(summary.layouts(row) for row in view.rows):
        return []
    return [RowColumn("Kernel path", LEFT, parts.kernel_cell)]


def _mark(item: Entry) -> Markdown | None:
    """Return a loud word for the line of a page of which a cell fell back, with the builds where it has several."""
    cells = [row.cell for finding in summary.fallbacks(item.rows) for row in finding.rows]
    if not cells:
        return None
    words = [name for name in dict.fromkeys(map(item.name_among, cells)) if name]
    return markdown.lines(markdown.bold("FALLBACK"), markdown.small(markdown.join(words)) if words else None)


def _index_section(entries: Sequence[Entry]) -> Section | None:
    items = []
    for item in entries:
        emulated = [markdown.text("emulated")] if item.emulated else []
        for finding in summary.fallbacks(item.rows):
            cells = parts.cells_of(finding, item.rows, item.name_among)
            page = markdown.link(f"{item.model} {item.quantization}", item.path)
            where = markdown.join([markdown.bold(item.run.machine), *emulated, page, markdown.text(cells, None)])
            items.append(Markdown(f"{where}: {_fallback_words(finding)}"))
    if not items:
        return None
    count = metrics.plural(len(items), "fallback")
    words = f"{count} in the latest runs: figures that are not those of the kernels their processor has."
    return Section("Fallbacks", [markdown.alert("CAUTION", words), markdown.bullets(items)])


SUBJECT = Subject(
    name="kernel_path",
    key_lines=_key_lines,
    compared=_compared,
    mark=_mark,
    index_section=_index_section,
)
