# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quality: how much perplexity the file of a page has lost to its reference, and how far what it predicts has moved."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import Interval
from ansible_collections.cloudbench.llama.plugins.module_utils.models import texts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import quality, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, View

# Of a loss nobody reads more.
_PLACES = 2
# With the titles of their columns, and whether their interval is shown.
_IN_TABLE = (
    ("ppl", "Perplexity", False),
    ("ppl_base", "of the reference", False),
    ("ppl_ratio", "Ratio", True),
    ("kld_mean", "KL divergence, mean", True),
    ("kld_median", "median", False),
    ("kld_p99", f"99{metrics.NO_BREAK}%", False),
    ("top1_percent", f"Same token{metrics.NO_BREAK}%", True),
    ("p_change_rms_percent", f"Change of p, RMS{metrics.NO_BREAK}%", False),
)


def lost(value: float | None) -> str:
    """Return a loss of perplexity in percent, without its unit; None is N/A."""
    # No -0.00 of what is next to nothing.
    return metrics.number(None if value is None else round(value, _PLACES) + 0.0, _PLACES)


def span(interval: Interval, written: Callable[[float | None], str] = lost) -> str:
    """Return the bounds of an interval as `written` has its figures, "" without any."""
    if interval.low is None or interval.high is None:
        return ""
    return f"{written(interval.low)}{metrics.NO_BREAK}to{metrics.NO_BREAK}{written(interval.high)}"


def with_bounds(interval: Interval | None, written: Callable[[float | None], str] = lost) -> Markdown | None:
    """Return a figure with its interval below it, for a table; None without one."""
    if interval is None:
        return None
    spread = span(interval, written)
    return markdown.lines(written(interval.mean), markdown.small(spread) if spread else None)


def reference_words(reference: quality.Reference) -> str:
    """Return what figures of quality refer to, in words: F16, or F16 made of Q4_1."""
    made = f" made of {reference.widened_from}" if reference.widened_from else ""
    return f"{reference.quantization}{made}"


def widened_words(reference: quality.Reference) -> str:
    """Return what is to be known of a reference that was made wider, "" of any other."""
    if not reference.widened_from:
        return ""
    return (
        f"That reference was made of a {reference.widened_from} file, which had been rounded before: it is not "
        f"{reference.quantization} quality, and what {reference.widened_from} itself lost is in no figure here."
    )


def _key_lines(view: View) -> list[list[Cell]]:
    lines: list[list[Cell]] = []
    for row in view.of_kind(quality.KIND):
        figure = quality.loss(row)
        if figure is None:
            continue
        build = f", build {summary.way(row.cell)}" if view.several_builds or row.cell.get("variant") else ""
        label = f"Perplexity lost to {reference_words(quality.reference(view.run, [row]))}{build}"
        lines.append(
            [
                label,
                markdown.bold(f"{lost(figure.mean)}{metrics.NO_BREAK}%"),
                span(figure) or None,
                parts.badge(row) if row.reasons else row.state,
            ]
        )
    return lines


def _section(view: View) -> Section | None:
    rows = [row for row in view.of_kind(quality.KIND) if row.launches]
    if not rows:
        return None
    columns = [
        ("Test", LEFT), (parts.build_title(rows), LEFT), ("Reference", LEFT), ("Launches", RIGHT),
        *((title, RIGHT) for _name, title, _interval in _IN_TABLE),
    ]  # fmt: skip
    references = {id(row): quality.reference(view.run, [row]) for row in rows}

    def line(row: Row) -> list[Cell]:
        return [
            parts.test_words(row.cell),
            summary.way(row.cell),
            reference_words(references[id(row)]),
            metrics.number(len(row.figures)),
            *(_figure(row, name, bounds) for name, _title, bounds in _IN_TABLE),
        ]

    said = dict.fromkeys(texts.title(quality.basis(row.cell).text) for row in rows)
    words = (
        f"What this file predicts of a text, beside what its reference predicts: {'; '.join(said)}. Figures are means "
        "of the launches, each of another part of the text."
    )
    more = dict.fromkeys(filter(None, map(widened_words, references.values())))
    traded = markdown.link("Quality and speed of all quantizations", view.relative(summary.quality_path(view.path)))
    blocks = [markdown.text(words, None), *(markdown.text(each, None) for each in more)]
    return Section("Quality", [*blocks, markdown.table(columns, map(line, rows)), traded])


def _figure(row: Row, name: str, bounds: bool) -> Cell:
    interval = summary.mean_of(row, name)
    if interval is None:
        return None
    written = metrics.metric(name).formatter
    return with_bounds(interval, written) if bounds else written(interval.mean)


SUBJECT = Subject(
    name="quality",
    metrics=tuple(name for name, _title, _interval in _IN_TABLE),
    kept=(quality.RATIO,),
    kinds=(quality.KIND,),
    key_lines=_key_lines,
    section=_section,
)
