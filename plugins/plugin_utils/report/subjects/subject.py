# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a subject of the pages is: the one interface by which the pages know speed, latency, memory and the others.

A subject is a module beside this one with a SUBJECT, or several, that stand in registry.py. It holds together all that
is shown of it anywhere: on the page of a quantization, in figures, side by side, on the index and in the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.figures import Drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import (
    Columns,
    Entry,
    References,
    RowColumn,
    Section,
    SideBySide,
    View,
)

# A figure by its name, which is that of its file too.
DrawnBy = tuple[str, Callable[[View], Drawing | None]]


class Subject(NamedTuple):
    """One subject. What it leaves out, it does not show.

    `metrics` are those of catalog/metrics.py that it shows. `kept` are those of launches that it needs for a page of
    several machines, `largest` those of which the largest of a page's launches is enough for that: nothing else of a
    launch is held for it. `kinds` are the kinds of measurement, by name, whose figures it shows.

    On the page of a quantization: `key_lines` of the table at its head, `key_words` below that, `section` and
    `figures`. In the terminal: `terminal`, lines. On the page that sets one run side by side: `compared_words` at its
    head, `compared`, columns of its tables, `compared_section` and `compared_figure`. On the index and the pages of
    models and machines: `columns` of the table of pages, `mark` below a quantization in it, `felt`, columns of the
    table of what users feel and pay, `index_section`, `machine_section`, `index_figure` and `model_figure`.
    """

    name: str
    metrics: Sequence[str] = ()
    kept: Sequence[str] = ()
    largest: Sequence[str] = ()
    kinds: Sequence[str] = ()
    key_lines: Callable[[View], list[list[Cell]]] | None = None
    key_words: Callable[[View], Markdown | None] | None = None
    section: Callable[[View], Section | None] | None = None
    figures: Sequence[DrawnBy] = ()
    terminal: Callable[[Sequence[Row]], list[str]] | None = None
    compared: Callable[[SideBySide, References], list[RowColumn]] | None = None
    compared_words: Callable[[SideBySide], list[Markdown]] | None = None
    compared_section: Callable[[SideBySide], Section | None] | None = None
    compared_figure: tuple[str, Callable[[SideBySide], Drawing | None]] | None = None
    columns: Callable[[Sequence[Entry]], Columns] | None = None
    mark: Callable[[Entry], Markdown | None] | None = None
    felt: Callable[[Sequence[Entry]], Columns | None] | None = None
    index_section: Callable[[Sequence[Entry]], Section | None] | None = None
    machine_section: Callable[[Run], Section] | None = None
    index_figure: tuple[str, Callable[[Sequence[Entry]], Drawing | None]] | None = None
    model_figure: tuple[str, Callable[[Sequence[Entry]], Drawing | None]] | None = None
