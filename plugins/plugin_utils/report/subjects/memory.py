# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory: the peak of the process, and the buffers that llama.cpp names."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import specification as spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.figures import Drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.specification import Values
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import (
    Columns,
    Entry,
    References,
    RowColumn,
    Section,
    SideBySide,
    View,
)

PEAK = "rss_peak_bytes"
# With the word of a figure.
_BUFFERS = (
    ("model_buffer_bytes", "model"),
    ("repack_buffer_bytes", "repacked"),
    ("kv_buffer_bytes", "KV"),
    ("compute_buffer_bytes", "compute"),
)
# Bars that can still be read.
_MOST_BARS = 10

# ---- On the page of a quantization ----


def _key_lines(view: View) -> list[list[Cell]]:
    return parts.key_line("Peak memory", PEAK, view.chosen, summary.largest)


def _section(view: View) -> Section | None:
    names = [name for name, _word in _BUFFERS]
    titles = [view.unit("Peak RSS"), *(metrics.metric(name).label.replace(" buffer", "") for name in names)]
    told = [
        parts.sizes(title, [summary.largest(row, name) for row in view.measured])
        for title, name in zip(titles, (PEAK, *names), strict=True)
    ]
    columns = [
        *((title, RIGHT) for title, _cells in told),
        ("Load mode", LEFT),
        ("Repacked to", LEFT),
    ]
    table = view.table(
        columns,
        lambda row: [
            *(cells[view.measured.index(row)] for _title, cells in told),
            markdown.join(summary.load_modes(row)) or None,
            parts.kernel_cell(row),
        ],
    )
    if table is None or (view.imported and not _known(view, (PEAK, *names))):
        return None
    words = (
        "The largest of the launches. Model is mapped from the file or copied; Repack is the second copy of the "
        "weights in the layout of the kernel."
    )
    return Section("Memory", [markdown.text(words, None), table], "memory")


def _known(view: View, names: Sequence[str]) -> bool:
    return any(summary.largest(row, name) is not None for row in view.measured for name in names)


def _drawing(view: View) -> Drawing | None:
    """Draw the buffers of the cells that ask for different ones, and the peak of the process."""
    by_sizes: dict[tuple[str, tuple[float, ...]], tuple[Row, float]] = {}
    for row in view.rows:
        sizes = tuple(summary.largest(row, name) or 0 for name, _word in _BUFFERS)
        peak = summary.largest(row, PEAK) if any(sizes) else None
        if peak:
            by_sizes.setdefault((summary.way(row.cell), sizes), (row, peak))
    rows = [row for row, _peak in by_sizes.values()]
    if not rows:
        return None
    values: Values = []
    peaks: Values = []
    words = []
    for (way, sizes), (row, peak) in itertools.islice(by_sizes.items(), _MOST_BARS):
        name = f"{parts.test_words(row.cell)}, {spec.plain(way, 30)}"
        for at, (size, (_metric, word)) in enumerate(zip(sizes, _BUFFERS, strict=True)):
            values.append({"cell": name, "buffer": word, "gib": spec.short(size / 2**30), "order": at})
        peaks.append({"cell": name, "gib": spec.short(peak / 2**30)})
        words.append(f"{name} peaks at {metrics.binary(peak)}")
    notes = ["the mark is the peak of resident memory", *_largest_of(view.run, rows)]
    title = spec.title(f"Memory: {spec.where(rows, view.run)}", notes)
    return Drawing(spec.said("Memory", words), {"title": title, **_bars(values, peaks)})


def _bars(values: Values, peaks: Values) -> spec.Spec:
    """Return a panel with a bar of buffers and a mark of the peak for each cell: the scale begins at 0 and is one."""
    y = spec.names("cell", list(dict.fromkeys(value["cell"] for value in values)), 220)
    return {
        "width": spec.WIDE - 180,
        "height": {"step": 26},
        "layer": [
            {
                "data": {"values": values},
                "mark": {"type": "bar"},
                "encoding": {
                    "y": y,
                    "x": {**spec.number("gib", "GiB"), "stack": "zero"},
                    "color": spec.colour("buffer", "Buffer of", [word for _metric, word in _BUFFERS]),
                    "order": {"field": "order", "type": "quantitative"},
                },
            },
            {
                "data": {"values": peaks},
                "mark": {"type": "tick", "thickness": 3, "size": 24},
                "encoding": {"y": y, "x": spec.number("gib", "GiB")},
            },
        ],
    }


def _largest_of(run: Run, rows: Sequence[Row]) -> list[str | None]:
    counts = spec.counted((len(row.launches) for row in rows), interval=False)
    return [f"largest of {counts}", spec.weights(run, rows), spec.emulated(run)]


# ---- Side by side, and on the index ----


def _compared(view: SideBySide, _references: References) -> list[RowColumn]:
    if view.imported:
        return []
    unit = metrics.common_unit(size for row in view.rows for _name, size in _sizes(view.run, row))
    title = parts.in_title(view.unit("Peak RSS"), unit)
    return [RowColumn(title, RIGHT, lambda row: _sizes_cell(_sizes(view.run, row), unit))]


def _sizes(run: Run, row: Row) -> list[tuple[str, float | None]]:
    """Return the peak memory, the weights' buffers and the size of the file, with their words."""
    return [
        ("", summary.largest(row, PEAK)),
        ("model", summary.largest(row, "model_buffer_bytes")),
        ("repack", summary.largest(row, "repack_buffer_bytes")),
        ("file", _file_bytes(run, row)),
    ]


def _sizes_cell(sizes: Sequence[tuple[str, float | None]], unit: str) -> Markdown:
    (_word, peak), *others = sizes
    return markdown.lines(
        metrics.in_unit(peak, unit) if peak else metrics.NOT_AVAILABLE,
        *(markdown.small(f"{name}{metrics.NO_BREAK}{metrics.in_unit(size, unit)}") for name, size in others if size),
    )


def _file_bytes(run: Run, row: Row) -> int | None:
    sizes = [model.get("bytes") for model in parts.models(run, [row.cell], row.launches)]
    return next((size for size in sizes if size), None)


def _columns(entries: Sequence[Entry]) -> Columns:
    suffix = ", emulated" if entries[0].emulated else ""
    title, cells = parts.sizes(f"Peak memory{suffix}", [item.largest[PEAK] for item in entries])
    return Columns([(title, RIGHT)], [[cell] for cell in cells])


SUBJECT = Subject(
    name="memory",
    metrics=(PEAK, *(name for name, _word in _BUFFERS)),
    largest=(PEAK,),
    key_lines=_key_lines,
    section=_section,
    figures=(("memory", _drawing),),
    compared=_compared,
    columns=_columns,
)
