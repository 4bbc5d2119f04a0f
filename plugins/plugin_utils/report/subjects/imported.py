# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imported figures: the files of other programs that they are of, and what those do not say."""

from __future__ import annotations

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Row
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, View


def _section(view: View) -> Section | None:
    if not summary.imported(view.run):
        return None
    files: dict[str, tuple[Payload, list[Row]]] = {}
    for row in view.every:
        for record in row.launches:
            told = record["payload"].get("imported")
            if told:
                rows = files.setdefault(told["sha256"], (told, []))[1]
                rows += [row] if row not in rows else []
    words = (
        "These figures come from files of other programs. One file is one process, so its repetitions are no launches; "
        "machine, memory, processors and disturbances are known as far as the files say, which is little. They are "
        "never ranked with figures that were measured here."
    )
    titles = (
        ("File", LEFT), ("Form", LEFT), ("Cells", LEFT), ("Load time it names", RIGHT), ("SHA-256 begins", LEFT),
    )  # fmt: skip
    lines = [_line(told, rows) for told, rows in files.values()]
    return Section("Imported", [markdown.text(words, None), markdown.table(titles, lines)])


def _line(told: Payload, rows: list[Row]) -> list[Cell]:
    loads = [seconds for row in rows for seconds in summary.values(row, "log_load_s")]
    return [
        markdown.code(told["file"]),
        told["form"],
        ", ".join(dict.fromkeys(parts.cell_words(row.cell) for row in rows)),
        metrics.with_unit("log_load_s", loads[0]) if loads else None,
        markdown.code(told["sha256"][:16]),
    ]


SUBJECT = Subject(name="imported", metrics=("log_load_s",), section=_section)
