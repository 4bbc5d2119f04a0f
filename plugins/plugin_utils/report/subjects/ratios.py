# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed side by side: the columns of one run's quantizations and builds, each against the one they refer to."""

from __future__ import annotations

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import Interval
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.verdict import Verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import References, RowColumn, SideBySide

_PLACES = 3
# Two launches that differ give bounds such as 0.001 to 7,514: that says as much as this word.
_WIDE = 100
# Words of what establishes no difference, and no equality either.
_OPEN = (verdict.UNDECIDED, verdict.INFORMATIONAL)


def columns(view: SideBySide, references: References) -> list[RowColumn]:
    """Return the figure of a row, its ratio to the row it refers to, and how far it holds."""
    if view.imported:
        return [RowColumn("token/s", RIGHT, parts.mean)]
    return [
        RowColumn(view.unit("token/s"), RIGHT, _figure),
        RowColumn(view.unit("Ratio"), RIGHT, lambda row: _ratio(view, row, references.get(row.cell["threads"]))),
        RowColumn("Validity", LEFT, parts.small_state),
    ]


def _figure(row: Row) -> Markdown | None:
    if row.interval is None:
        return None
    return markdown.lines(parts.mean(row), markdown.small(parts.interval(row)))


def _ratio(view: SideBySide, row: Row, reference: Row | None) -> Markdown | None:
    """Return a ratio with its interval, and everything that limits what it says."""
    if reference is None or row.interval is None:
        return None
    if row is reference:
        return markdown.text("reference")
    said, q = view.verdict(row, reference)
    if said.ratio is None:
        return None
    if said.ratio.low is None:
        return markdown.lines(markdown.text(None), markdown.small("1 block"))
    mark = f"{metrics.NO_BREAK}~" if said.word in _OPEN else ""
    fewer = said.ratio.n < max(len(row.launches), len(reference.launches))
    return markdown.lines(
        f"{metrics.number(said.ratio.mean, _PLACES)}{mark}",
        markdown.small(_bounds(said.ratio)),
        # An emulator's speeds are compared by nobody.
        None if view.emulated else markdown.small(_with_q(said.word, q)),
        markdown.small(metrics.plural(said.ratio.n, "block")) if fewer else None,
    )


def _with_q(word: str, q: float | None) -> str:
    return word if q is None else f"{word}, {verdict.q_words(q)}"


def _bounds(interval: Interval) -> str:
    """Return the bounds of a ratio, in words when they are too far apart to be read."""
    if interval.low is not None and interval.high is not None and interval.high > _WIDE * interval.low:
        return f"over a factor of {_WIDE} wide"
    return metrics.span(interval.low, interval.high, _PLACES)


def bare(said: Verdict | None, places: int) -> Markdown | None:
    """Return the ratio of a verdict with its bounds below it, None where there is none."""
    if said is None or said.ratio is None:
        return None
    bounds = metrics.span(said.ratio.low, said.ratio.high, places) if said.ratio.low is not None else None
    return markdown.lines(metrics.number(said.ratio.mean, places), markdown.small(bounds) if bounds else None)


def times(said: Verdict, q: float | None) -> Markdown:
    """Return a verdict in a sentence: slower, 0.621 times as fast (0.602 to 0.640), q=0.00015."""
    if said.ratio is None:
        return Markdown("ratio N/A, because no block has both undisturbed")
    if said.ratio.low is None:
        return Markdown("ratio N/A, because a single block has both undisturbed")
    figure = f"{metrics.number(said.ratio.mean, _PLACES)} times as fast"
    words = f"{markdown.bold(said.word)} (\\~)" if said.word in _OPEN else markdown.bold(said.word)
    return Markdown(f"{words}, {figure} ({_bounds(said.ratio)}){'' if q is None else f', {verdict.q_words(q)}'}")
