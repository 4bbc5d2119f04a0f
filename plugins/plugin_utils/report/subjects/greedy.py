# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does it say the same: what each file, build and setting answers to fixed prompts, against what the reference does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, SideBySide, View

KIND = "greedy"
_TITLE = "Does it say the same?"
_FIRST, _SAME, _EQUAL = "greedy_first_difference", "greedy_same_percent", "greedy_equal_tokens_percent"
_COLUMNS = (
    ("Same answers %", RIGHT), ("First difference at token", RIGHT), ("Tokens before it %", RIGHT),
    ("The earliest difference", LEFT), ("Validity", LEFT),
)  # fmt: skip
_END = "the end of the answer"
# Of the text before a difference.
_CHARACTERS = 60


def _section(view: View) -> Section | None:
    rows = view.of_kind(KIND)
    several = len({summary.way(row.cell) for row in rows}) > 1
    columns = [("Threads", RIGHT), *([(parts.build_title(rows), LEFT)] if several else [])]
    lines = [[parts.thread_words(row.cell), *([summary.way(row.cell)] if several else [])] for row in rows]
    return _table(view.run, rows, columns, lines)


def _compared(view: SideBySide) -> Section | None:
    rows = view.of_kind(KIND)
    columns = [("Quantization", LEFT), (parts.build_title(rows), LEFT), ("Threads", RIGHT)]
    lines = [[row.cell["quantization"], summary.way(row.cell), parts.thread_words(row.cell)] for row in rows]
    return _table(view.run, rows, columns, lines)


def _table(
    run: Run, rows: Sequence[Row], columns: Sequence[tuple[str, str]], names: Sequence[Sequence[Cell]]
) -> Section | None:
    """Return the section of some rows, of which each has the cells that name it; None without rows."""
    if not rows:
        return None
    several = len({row.cell["test"] for row in rows}) > 1
    test = [("Test", LEFT)] if several else []
    lines = [
        [*([row.cell["test"]] if several else []), *name, *_cells(row)] for row, name in zip(rows, names, strict=True)
    ]
    return Section(_TITLE, [_words(run, rows), markdown.table([*test, *columns, *_COLUMNS], lines)])


def _words(run: Run, rows: Sequence[Row]) -> Markdown:
    tokens = " or ".join(metrics.number(count) for count in sorted({row.cell["n_gen"] for row in rows}))
    references = markdown.join(dict.fromkeys(filter(None, (_reference(run, row) for row in rows))), " or ")
    return Markdown(
        f"Fixed prompts, each continued by {tokens} tokens, the likeliest every time, and compared token by token with "
        f"what the reference says: {references or metrics.NOT_AVAILABLE}. An answer that differs need not be a worse "
        "one: where two tokens are about as likely, rounding decides, and all that follows is another text. The first "
        "difference is the lower median over the prompts, one more than the tokens asked for where the answers are the "
        "same. One launch is enough: a program that is asked twice says the same."
    )


def _reference(run: Run, row: Row) -> str | None:
    """Return the file and the build whose answers those of a row are compared with, None where that is not known."""
    told: Payload = (row.figures[0]["payload"].get("predicted") or {}) if row.figures else {}
    build = run.builds.get(str(told.get("base_build")), {}).get("name")
    file = row.cell.get("reference")
    return f"{file} in the build {build}" if file and build else file


def _cells(row: Row) -> list[Cell]:
    answers = _answers(row)
    differing = [answer for answer in answers if answer["first_difference"] is not None]
    earliest = min(differing, key=lambda answer: int(answer["first_difference"]), default=None)
    same = f"{len(answers) - len(differing)} of {metrics.plural(len(answers), 'prompt')}" if answers else None
    least = f"the earliest at {metrics.number(earliest['first_difference'])}" if earliest else None
    example = _example(earliest) if earliest else markdown.text("none" if answers else None)
    return [
        markdown.lines(metrics.show(_SAME, summary.centre(row, _SAME)), same and markdown.small(same)),
        markdown.lines(metrics.show(_FIRST, summary.centre(row, _FIRST)), least and markdown.small(least)),
        metrics.show(_EQUAL, summary.centre(row, _EQUAL)),
        example,
        parts.badge(row),
    ]


def _answers(row: Row) -> list[dict[str, Any]]:
    """Return what a record keeps of each prompt; several launches say the same."""
    kept = row.figures[0]["payload"].get("rows") or [] if row.figures else []
    firsts = [(answer, answer.get("first_difference", "")) for answer in kept]
    return [answer for answer, first in firsts if first is None or (isinstance(first, int) and first > 0)]


def _example(answer: Payload) -> Markdown:
    """Return where two answers part: the end of the text before, and what either says then."""
    before = "".join(str(answer.get(name) or "") for name in ("asked", "before"))
    if len(before) > _CHARACTERS:
        before = f"…{before[-_CHARACTERS:]}"
    said, base_said = (_token(answer.get(name)) for name in ("said", "base_said"))
    return markdown.lines(
        Markdown(f"{said}, the reference {base_said}"),
        markdown.small(Markdown(f"after {markdown.code(_quoted(before))}")),
    )


def _token(said: object) -> Markdown:
    return markdown.text(_END) if said is None else markdown.code(_quoted(said))


def _quoted(said: object) -> str:
    """Return a text in quotes, so that its spaces and line ends show."""
    return json.dumps(str(said), ensure_ascii=False)


SUBJECT = Subject(
    name="greedy",
    metrics=(_SAME, _FIRST, _EQUAL),
    kinds=(KIND,),
    section=_section,
    compared_section=_compared,
)
