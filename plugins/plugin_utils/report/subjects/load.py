# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load time: how long llama-server takes from its start until it is ready, and until its first token."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry as kinds
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import specification as spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.figures import Drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.specification import Values
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Columns, Entry, Section, View

KIND = "load"

# Metrics with the titles of their columns.
_IN_TABLE = (
    ("load_cold_s", "Cold: ready"),
    ("first_token_cold_s", "first token"),
    ("load_warm_s", "Warm: ready"),
    ("first_token_warm_s", "first token"),
    ("load_read_s", "Read cold"),
    ("load_repack_s", "Repack"),
)
# Metrics with their words, in the order of what happens.
_IN_FIGURE = (
    ("load_cold_s", "cold: ready"),
    ("first_token_cold_s", "cold: first token"),
    ("load_read_s", "cold: reading"),
    ("load_repack_s", "repacking"),
    ("load_warm_s", "warm: ready"),
    ("first_token_warm_s", "warm: first token"),
)
_ON_INDEX = (("load_cold_s", "Load, cold"), ("load_warm_s", "Load, warm"))


def _section(view: View) -> Section | None:
    rows = view.of_kind(KIND)
    if not rows:
        return None
    in_seconds = [(f"{title}{metrics.NO_BREAK}s", RIGHT) for _name, title in _IN_TABLE]
    columns = [("Threads", RIGHT), ("Launches", RIGHT), *in_seconds, ("Validity", LEFT)]
    lines = [
        [
            parts.thread_words(row.cell),
            metrics.number(len(row.launches)),
            *(metrics.show(name, summary.centre(row, name)) for name, _title in _IN_TABLE),
            parts.badge(row),
        ]
        for row in rows
    ]
    words = (
        "Seconds from the start of llama-server, mean of the launches. Ready: its first healthy answer, after it has "
        "warmed up. Cold: the file had been dropped from the page cache, which was checked. A mapped file is read "
        "while it is repacked, so the parts do not add up."
    )
    return Section("Load time", [markdown.text(words, None), markdown.table(columns, lines)], "load")


def _drawing(view: View) -> Drawing | None:
    """Draw how long a server takes until it is ready, cold and warm, and what of."""
    row = next((row for row in view.of_kind(KIND) if row.interval), None)
    if row is None:
        return None
    values: Values = []
    words = []
    for name, word in _IN_FIGURE:
        interval = summary.mean_of(row, name)
        if interval:
            values.append({"what": word, **spec.bounds(interval)})
            words.append(f"{word} {metrics.number(interval.mean)} s")
    y = spec.names("what", [value["what"] for value in values])
    whole = {
        "width": spec.WIDE - 120,
        "height": {"step": 26},
        "data": {"values": values},
        "layer": spec.bars(y, "Seconds"),
    }
    notes = [metrics.plural(row.cell["threads"], "thread"), *spec.setting(view.run, [row])]
    title = spec.title(f"Load time: {spec.where([row], view.run)}", notes)
    return Drawing(spec.said("Load time", words), {"title": title, **whole})


def _felt(entries: Sequence[Entry]) -> Columns:
    columns = [(title, RIGHT) for _name, title in _ON_INDEX]
    return Columns(columns, [_seconds(_loaded(item.rows)) for item in entries])


def _loaded(rows: Sequence[Row]) -> Row | None:
    return next((row for row in rows if row.launches and kinds.kind_of(row.cell).name == KIND), None)


def _seconds(row: Row | None) -> list[Cell] | None:
    return [parts.mean_with_unit(row, name) for name, _title in _ON_INDEX] if row else None


SUBJECT = Subject(
    name="load",
    metrics=tuple(name for name, _title in _IN_TABLE),
    kept=tuple(name for name, _title in _ON_INDEX),
    kinds=(KIND,),
    section=_section,
    figures=(("load", _drawing),),
    felt=_felt,
)
