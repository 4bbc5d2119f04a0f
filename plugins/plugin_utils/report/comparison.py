# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page that sets one machine's quantizations and builds of one model side by side: templates/comparison.md.j2."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Record, Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import figures, markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects import registry
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import References, SideBySide


def context(
    path: str, run: Run, later: Sequence[Run] = (), attempts: Sequence[Run] = ()
) -> tuple[dict[str, Any], dict[str, figures.Figure]]:
    """Return the variables of templates/comparison.md.j2 for the page `path`, and its figures by name.

    `run` is the latest that has more than one combination of this model; `later`: runs of this model since, `attempts`:
    such as have more than one, but came to less.
    """
    cells = summary.comparisons(run.machine, summary.cells(run))[path]
    view = SideBySide(path, run, summary.rows(run, cells), attempts)
    model = cells[0]["model"]
    synthetic = any(parts.is_synthetic(run, cell) for cell in cells)
    variables = {
        "title": f"{_what(cells)} of {parts.short_name(model)} side by side on {run.machine}",
        "index": markdown.link("All results", view.relative(summary.INDEX)),
        "pages": _links(view, cells),
        "run": run,
        "date": parts.date(run.time),
        "records": parts.records_links(run, view.relative),
        "later": _later(view, later),
        "synthetic": parts.synthetic_words(model) if synthetic else None,
        "emulated": parts.EMULATED_WORDS if view.emulated else None,
        "answers": [
            answer for subject in registry.SUBJECTS if subject.compared_words for answer in subject.compared_words(view)
        ],
        "alerts": registry.alerts(view),
        "remarks": registry.remarks(view),
        "failures": _failures(run, cells),
        "tables": [_table_of(view, rows) for rows in view.tests()],
        "imported": view.imported,
        "states_rule": parts.rules(view.imported)[-1],
        "paired_rule": parts.PAIRED_RULE,
        "verdict_rule": parts.prose(parts.VERDICT_RULE, None),
        "sections": [
            section
            for subject in registry.SUBJECTS
            if subject.compared_section and (section := subject.compared_section(view))
        ],
        "records_rule": parts.RECORDS_RULE,
        "command": markdown.fenced(run.plan["command"], "sh") if run.plan else parts.NO_PLAN,
    }
    drawings = ((named[0], named[1](view)) for subject in registry.SUBJECTS if (named := subject.compared_figure))
    return variables, figures.of_page(path, drawings)


def _what(cells: Iterable[Payload]) -> str:
    several = any(cell.get("variant") for cell in cells)
    return "Quantizations, builds and settings" if several else "Quantizations and builds"


def _single_pages(run: Run, cells: Iterable[Payload]) -> dict[str, str]:
    """Return the quantization of each page that shows one of `cells` in detail, by its path."""
    return {summary.page_path(run.machine, cell): cell["quantization"] for cell in cells}


def _links(view: SideBySide, cells: Iterable[Payload]) -> Markdown:
    pages = _single_pages(view.run, sorted(cells, key=lambda cell: cell["quantization"]))
    return Markdown(", ".join(markdown.link(name, view.relative(page)) for page, name in pages.items()))


def _later(view: SideBySide, later: Sequence[Run]) -> Markdown | None:
    if not later:
        return None
    runs = Markdown(", ".join(markdown.link(run.run, view.relative(parts.records_file(run))) for run in later[-3:]))
    return Markdown(
        f"Measured since, one combination alone, so not compared here: {runs}. The page of the quantization has it."
    )


def _failures(run: Run, cells: Iterable[Payload]) -> dict[str, Any] | None:
    every = [record for page in _single_pages(run, cells) for record in summary.failures_of(run, page)]
    failures: list[Record] = list({id(record): record for record in every}.values())
    if not failures:
        return None
    return {
        "count": metrics.plural(len(failures), "failure"),
        "items": markdown.bullets(
            parts.failure_items(
                ([record["payload"]["cell"]["quantization"]] if record["payload"].get("cell") else [], record)
                for record in failures
            )
        ),
    }


def _table_of(view: SideBySide, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the table of one test with its heading, and what its ratios refer to."""
    references = _references(rows)
    word = parts.SPEEDS[rows[0].speed]
    return {
        "heading": markdown.heading(3, f"{word}, {parts.test_words(rows[0].cell)}"),
        "rule": None if view.imported else _reference_words(view, references),
        "table": _table(view, rows, references),
    }


def _references(rows: Sequence[Row]) -> References:
    """Return the row that ratios refer to, for each thread count of one test that was measured."""
    counts = dict.fromkeys(row.cell["threads"] for row in rows)
    references = {count: summary.reference([row for row in rows if row.cell["threads"] == count]) for count in counts}
    return {count: row for count, row in references.items() if row}


def _reference_words(view: SideBySide, references: References) -> Markdown | None:
    """Name what the ratios of a table refer to."""
    names: dict[str, list[int]] = {}
    for count, row in references.items():
        names.setdefault(view.name_among(row.cell), []).append(count)
    if not names:
        return None
    if len(names) == 1:
        return markdown.text(f"Ratio: to {next(iter(names))}, with as many threads.")
    said = [f"to {name} with {', '.join(map(str, counts))} threads" for name, counts in names.items()]
    return markdown.text(f"Ratio: {'; '.join(said)}.")


def _table(view: SideBySide, rows: Sequence[Row], references: References) -> Markdown:
    told = [
        column for subject in registry.SUBJECTS if subject.compared for column in subject.compared(view, references)
    ]
    # The size is that of the file, below the memory.
    settings = [name for name in summary.differing_settings(row.cell for row in rows) if name != "model_size"]
    columns = [
        ("Quantization", LEFT),
        (parts.build_title(rows), LEFT),
        ("Threads", RIGHT),
        *((name, LEFT) for name in settings),
    ]
    lines = []
    for row in rows:
        quantization, build = summary.combination(row.cell)
        page = summary.page_path(view.run.machine, row.cell)
        line: list[Cell] = [
            markdown.link(quantization, view.relative(page)),
            build,
            parts.thread_number(row.cell),
            *(parts.setting_value(row.cell, name) for name in settings),
        ]
        lines.append([*line, *(column.cell(row) for column in told)])
    return markdown.table([*columns, *((column.title, column.side) for column in told)], lines)
