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
        "These figures come from files of other programs. What one process repeated is one figure with its samples; "
        "machine, memory, processors, the order of the tests and disturbances are known as far as the files say, which "
        "is little."
    )
    titles = (
        ("File", LEFT), ("Form", LEFT), ("Measured", LEFT), ("Cells", LEFT), ("Load time it names", RIGHT),
        ("SHA-256 begins", LEFT),
    )  # fmt: skip
    lines = [_line(view, told, rows) for told, rows in files.values()]
    blocks = [markdown.text(words, None), markdown.table(titles, lines)]
    shared = summary.shared_settings(row.cell for row in view.every)
    said = parts.settings_words(
        view.every[0].cell, [name for name in shared if name in summary.launch_settings(view.every[0].cell)]
    )
    if said:
        blocks.insert(1, markdown.text(f"All of them: {said}.", None))
    return Section("Imported", blocks)


def _line(view: View, told: Payload, rows: list[Row]) -> list[Cell]:
    times = sorted(
        record["time"]
        for row in rows
        for record in row.launches
        if (record["payload"].get("imported") or {}).get("sha256") == told["sha256"]
    )
    days = list(dict.fromkeys(map(parts.day, times)))
    loads = [seconds for row in rows for seconds in summary.values(row, "log_load_s")]
    return [
        markdown.code(told["file"]),
        told["form"],
        " to ".join(dict.fromkeys((days[0], days[-1]))) if days else None,
        "; ".join(dict.fromkeys(view.words(row) for row in rows)),
        metrics.with_unit("log_load_s", loads[0]) if loads else None,
        markdown.code(told["sha256"][:16]),
    ]


SUBJECT = Subject(name="imported", metrics=("log_load_s",), section=_section)
