# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of one machine, model and quantization: templates/page.md.j2, put together from what the subjects show."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import TOLD_BY
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Record, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import figures, markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects import registry
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import View

# Enough of a log to see what happened, little enough that GitHub still renders the page.
LOG_CHARACTERS = 6000


def context(
    path: str,
    runs: Sequence[Run],
    compared: bool = False,
    slower: Sequence[str] = (),
    attempts: Sequence[Run] = (),
) -> tuple[dict[str, Any], dict[str, figures.Figure]]:
    """Return the variables of templates/page.md.j2 for the page `path`, and its figures by name.

    `runs` concern it, the one that is shown comes last, and after it came the `attempts`, which came to less.
    `compared`: there is a page that sets this one's figures beside others. `slower`: sentences of registry.slower().
    """
    view = View(path, runs, slower, attempts)
    run, cell = view.run, view.cells[0]
    comparison = view.relative(summary.comparison_path(path))
    variables = {
        "title": f"{parts.short_name(cell['model'])} {parts.short_name(cell['quantization'])} on {run.machine}",
        "index": markdown.link("All results", view.relative(summary.INDEX)),
        "comparison": markdown.link("Side by side", comparison) if compared else None,
        "run": run,
        "date": parts.date(run.time),
        "synthetic": parts.synthetic_words(cell["model"]) if parts.is_synthetic(run, cell) else None,
        "emulated": parts.EMULATED_WORDS if view.emulated else None,
        "alerts": registry.alerts(view),
        "key_figures": _key_figures(view),
        "key_words": [
            words for subject in registry.SUBJECTS if subject.key_words and (words := subject.key_words(view))
        ],
        "remarks": registry.remarks(view),
        "failures": _failures(view),
        "sections": [
            section for subject in registry.SUBJECTS if subject.section and (section := subject.section(view))
        ],
        "records": parts.records_links(run, view.relative),
    }
    drawings = ((name, draw(view)) for subject in registry.SUBJECTS for name, draw in subject.figures)
    return variables, figures.of_page(path, drawings)


def _key_figures(view: View) -> Markdown:
    columns = [(view.unit("Figure"), LEFT), ("Value", RIGHT), ("95 % interval", RIGHT), ("Validity", LEFT)]
    lines = [line for subject in registry.SUBJECTS if subject.key_lines for line in subject.key_lines(view)]
    lines = [*parts.earlier_lines(view.run, view.earlier), *lines]
    if view.imported:
        # How far they hold is the same of all, and said once.
        return markdown.table(columns[:2], [line[:2] for line in lines])
    return markdown.table(columns, lines)


def _failures(view: View) -> dict[str, Any] | None:
    failures = summary.failures_of(view.run, view.path)
    if not failures:
        return None
    return {
        "count": metrics.plural(len(failures), "failure"),
        "items": markdown.bullets(parts.failure_items(([], record) for record in failures)),
        "details": [detail for detail in map(_failure_detail, failures) if detail],
    }


def _failure_detail(record: Record) -> Markdown | None:
    """Return everything else that a failure record holds, its long strings as blocks."""
    detail = dict(record["payload"].get("detail") or {})
    for name in ("cause", "advice"):
        if len(record["payload"][name]) > markdown.LONG:
            detail[name] = record["payload"][name]
    blocks = []
    rows = []
    for name, value in sorted(detail.items()):
        if value is None or value == "" or name == TOLD_BY:
            continue
        if name == "argv" and isinstance(value, list):
            value = shlex.join(map(str, value))
        if isinstance(value, str) and (len(value) > 80 or "\n" in value):
            kept = value if len(value) <= LOG_CHARACTERS else "…" + value[-LOG_CHARACTERS:]
            blocks.append(Markdown(f"{markdown.code(name)}:\n\n{markdown.fenced(kept)}"))
        else:
            rows.append([markdown.code(name), markdown.code(str(value))])
    if rows:
        blocks.insert(0, markdown.table([("Detail", LEFT), ("Value", LEFT)], rows))
    summary_words = f"Details of the failure in phase {record['payload']['phase']}"
    return markdown.details(summary_words, Markdown("\n\n".join(blocks))) if blocks else None
