# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page that sets one machine's quantizations and builds of one model side by side: templates/comparison.md.j2."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.kernel_path import AS_EXPECTED
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import Interval
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import BY_NAME
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import (
    REFERENCE_BUILD,
    REFERENCE_QUANTIZATION,
    Payload,
    Ratio,
    Row,
    Run,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import figures, markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Markdown

PREDECESSOR = Markdown(
    "**Today's Q4_0 against the file types that it replaced**, the comparison of this project's predecessor "
    "(llama3-on-graviton: `q4.md` against `q4-088.md`):"
)
INVALID_RULE = Markdown(
    f"**{summary.INVALID}**: launches of one of the two were disturbed, so the ratio is shown and establishes nothing."
)
_SPEEDS = (("tg_tps", "Generation"), ("pp_tps", "Prompt processing"))
_RATIO_PLACES = 3
# Two launches that differ give bounds such as 0.001 to 7,514: that says as much as this word.
_WIDE = 100


def context(path: str, run: Run, later: Sequence[Run] = ()) -> tuple[dict[str, Any], dict[str, figures.Figure]]:
    """Return the variables of templates/comparison.md.j2 for the page `path`, and its figures by name.

    `run` is the latest that has more than one combination of this model; `later`: runs of this model since.
    """
    cells = summary.comparisons(run.machine, summary.cells(run))[path]
    view = _View(path, run, summary.rows(run, cells))
    model = cells[0]["model"]
    failed = [record for page in _single_pages(run, cells) for record in summary.failures_of(run, page)]
    failures = list({id(record): record for record in failed}.values())
    synthetic = any(parts.is_synthetic(run, cell) for cell in cells)
    variables = {
        "title": f"Quantizations and builds of {parts.short_name(model)} side by side on {run.machine}",
        "index": markdown.link("All results", view.relative(summary.INDEX)),
        "pages": _links(view, cells),
        "run": run,
        "date": parts.date(run.time),
        "records": markdown.link(f"{run.run}.jsonl", view.relative(parts.records_file(run))),
        "later": _later(view, later),
        "synthetic": parts.synthetic_words(model) if synthetic else None,
        "emulated": parts.EMULATED_WORDS if view.emulated else None,
        "verdicts": _verdicts(view),
        "session": parts.session_alert(run),
        "fallbacks": parts.fallback_alerts(view.rows, _name),
        "remarks": parts.kernel_remarks(view.rows, _name),
        "failures": _failures(failures),
        "tables": _tables(view),
        "states_rule": parts.STATES_RULE,
        "paired_rule": parts.PAIRED_RULE,
        "builds": _builds(view),
        "records_rule": parts.RECORDS_RULE,
        "command": markdown.fenced(run.plan["command"], "sh") if run.plan else None,
    }
    return variables, figures.of_comparison(path, run, view.rows)


class _View:
    """The page's view of its run: its rows in the order of the tables."""

    def __init__(self, path: str, run: Run, rows: Sequence[Row]) -> None:
        self.path = path
        self.run = run
        self.emulated = summary.emulated(run)
        # Latencies and load times are compared on no page yet: a ratio of theirs has another direction.
        rows = [row for row in rows if summary.benched(row.cell)]
        self.rows = sorted(rows, key=_order)
        self.launches = [record for row in rows for record in row.launches]

    def relative(self, target: str) -> str:
        """Return the way from this page to `target`, both relative to the results directory."""
        return posixpath.relpath(target, posixpath.dirname(self.path))

    def unit(self, words: str) -> str:
        """Return a column's title; on a page of emulated figures every table says so."""
        return f"{words}, emulated" if self.emulated else words

    def tests(self) -> list[list[Row]]:
        """Return the rows of each test: generation first, the usual tests first."""
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in self.rows:
            cell = row.cell
            key = (
                row.speed != "tg_tps",
                cell["n_depth"],
                cell["test"] not in summary.USUAL_TESTS,
                *(cell[name] for name in ("n_prompt", "n_gen", "test")),
            )
            groups.setdefault(key, []).append(row)
        return [rows for _key, rows in sorted(groups.items())]

    def of(self, quantization: str, build: str) -> list[Row]:
        """Return the measured rows of one combination."""
        return [row for row in self.rows if row.launches and summary.combination(row.cell) == (quantization, build)]


def _order(row: Row) -> tuple[Any, ...]:
    """Order a table's rows: by threads, then Q4_0, what it replaced and the others, `default` before other builds."""
    quantization, build = summary.combination(row.cell)
    rank = 0 if quantization == REFERENCE_QUANTIZATION else 1 if _is_legacy(quantization) else 2
    return row.cell["threads"], rank, quantization, build != REFERENCE_BUILD, build, summary.cell_key(row.cell)


def _is_legacy(quantization: str) -> bool:
    return quantization in BY_NAME and BY_NAME[quantization].legacy


def _name(cell: Payload) -> str:
    return f"{cell['quantization']} in build {cell['build']}"


def _single_pages(run: Run, cells: Iterable[Payload]) -> dict[str, str]:
    """Return the quantization of each page that shows one of `cells` in detail, by its path."""
    return {summary.page_path(run.machine, cell): cell["quantization"] for cell in cells}


def _links(view: _View, cells: Iterable[Payload]) -> Markdown:
    found = _single_pages(view.run, sorted(cells, key=lambda cell: cell["quantization"]))
    return Markdown(", ".join(markdown.link(name, view.relative(page)) for page, name in found.items()))


def _later(view: _View, later: Sequence[Run]) -> Markdown | None:
    if not later:
        return None
    runs = Markdown(", ".join(markdown.link(run.run, view.relative(parts.records_file(run))) for run in later[-3:]))
    return Markdown(
        f"Measured since, one combination alone, so not compared here: {runs}. The page of the quantization has it."
    )


def _failures(failures: Sequence[summary.Record]) -> dict[str, Any] | None:
    if not failures:
        return None
    return {
        "count": parts.plural(len(failures), "failure"),
        "items": markdown.bullets(
            parts.failure_item(
                [record["payload"]["cell"]["quantization"]] if record["payload"].get("cell") else [], record
            )
            for record in failures
        ),
    }


def _bounds(interval: Interval) -> str:
    """Return the bounds of a ratio, in words when they are too far apart to be read."""
    if interval.low is not None and interval.high is not None and interval.high > _WIDE * interval.low:
        return f"over a factor of {_WIDE} wide"
    return metrics.span(interval.low, interval.high, _RATIO_PLACES)


def _times(ratio: Ratio) -> Markdown:
    """Return a ratio in a sentence: slower, 0.621 times (0.602 to 0.640)."""
    if ratio.interval is None:
        return Markdown("ratio N/A, because no block has both")
    if ratio.interval.low is None:
        return Markdown("ratio N/A, because a single block has both")
    figure = f"{metrics.number(ratio.interval.mean, _RATIO_PLACES)} times as fast"
    bounds = _bounds(ratio.interval)
    if ratio.invalid:
        return Markdown(f"**{summary.INVALID}**, {figure} ({bounds})")
    words = "**no difference established** (\\~)" if ratio.word == "~" else markdown.bold(ratio.word)
    return Markdown(f"{words}, {figure} ({bounds})")


def _same_cell(rows: Iterable[Row], wanted: Row) -> Row | None:
    """Return the row that differs from `wanted` in quantization or build only."""
    fields = ("test", "threads", "n_prompt", "n_gen", "n_depth")
    return next((row for row in rows if all(row.cell[name] == wanted.cell[name] for name in fields)), None)


def _verdicts(view: _View) -> list[Markdown]:
    """Return the page's answers: a paragraph and its list for each question that this run can answer."""
    if view.emulated:
        measured = [row for row in view.rows if row.launches]
        good = sum(summary.kernel_state(row) == AS_EXPECTED for row in measured)
        return [
            markdown.text(
                "No verdict on speed: these figures are an emulator's. What they prove is the choice of kernels: as "
                f"expected in {good} of {parts.plural(len(measured), 'cell')}."
            )
        ]
    found = [_against_legacy(view), _against_default(view), _against_reference(view)]
    said = [verdict for verdict in found if verdict]
    if not said:
        return [markdown.text("Nothing to compare: no two combinations were measured with the same test and threads.")]
    return [*said, INVALID_RULE] if any(f"**{summary.INVALID}**" in verdict for verdict in said) else said


def _clause(rows: Sequence[Row], base: Sequence[Row]) -> list[Markdown]:
    """Return a clause for generation and for prompts: how `rows`, of one combination, compare with those of `base`."""
    said = []
    for speed, word in _SPEEDS:
        against = summary.headline(base, speed)
        row = _same_cell(rows, against) if against else None
        if row and against:
            where = markdown.text(f"{parts.test_words(row.cell)}, {parts.plural(row.cell['threads'], 'thread')}")
            said.append(Markdown(f"{word.lower()} ({where}) {_times(summary.ratio(row, against))}"))
    return said


def _path_words(row: Row) -> Markdown:
    """Return the kernel path of `row` for a sentence, loud when it fell back."""
    names = dict.fromkeys(layout.name for layout in summary.layouts(row))
    if len(names) > 1:
        names.pop(summary.NOT_REPACKED, None)
    return markdown.join([*names, *filter(None, [parts.kernel_state(row)])])


def _figure_words(row: Row) -> Markdown:
    """Return the figure of `row` for a sentence, with its combination and kernel path."""
    path = _path_words(row)
    return Markdown(f"{markdown.text(_name(row.cell))} {parts.mean(row)} token/s{f' ({path})' if path else ''}")


def _against_legacy(view: _View) -> Markdown | None:
    """Answer the predecessor's question: what the removed file types gave, and what Q4_0 gives today."""
    today = view.of(REFERENCE_QUANTIZATION, REFERENCE_BUILD)
    legacy = [key for key in _measured(view) if _is_legacy(key[0])]
    if not legacy:
        return None
    if not today:
        words = (
            f"{REFERENCE_QUANTIZATION} was not measured in the build {REFERENCE_BUILD}, so there is no today's figure."
        )
        return Markdown(f"{PREDECESSOR}\n\n{markdown.bullets([words])}")
    items = []
    for speed, word in _SPEEDS:
        now = summary.headline(today, speed)
        for quantization, build in legacy:
            then = _same_cell(view.of(quantization, build), now) if now else None
            if not now or not then:
                continue
            where = markdown.text(f"{parts.test_words(now.cell)}, {parts.plural(now.cell['threads'], 'thread')}")
            figures = f"{_figure_words(now)}, {_figure_words(then)}"
            items.append(Markdown(f"{word} ({where}): {figures}. Today's Q4_0: {_times(summary.ratio(now, then))}."))
    return Markdown(f"{PREDECESSOR}\n\n{markdown.bullets(items)}") if items else None


def _measured(view: _View, build: str | None = None, quantization: str | None = None) -> list[tuple[str, str]]:
    """Return the measured combinations of a build or a quantization, in the order of the tables."""
    found = dict.fromkeys(summary.combination(row.cell) for row in view.rows if row.launches)
    return [key for key in found if build in (None, key[1]) and quantization in (None, key[0])]


def _preferred(values: Iterable[str], wanted: str) -> str | None:
    """Return `wanted` where it is among the `values`, else the first of them."""
    found = list(values)
    return wanted if wanted in found else next(iter(found), None)


def _against_default(view: _View) -> Markdown | None:
    """Compare the builds of each quantization with `default`, or with the first where it was not measured."""
    items = []
    for quantization in dict.fromkeys(key[0] for key in _measured(view)):
        builds = [key[1] for key in _measured(view, quantization=quantization)]
        base = _preferred(builds, REFERENCE_BUILD)
        for build in builds:
            said = _clause(view.of(quantization, build), view.of(quantization, base)) if base and build != base else []
            if said:
                name = f"{markdown.bold(f'{quantization} in build {build}')} against {markdown.text(base)}"
                items.append(Markdown(f"{name}: {'; '.join(said)}."))
    return Markdown(f"**Builds**, of the same quantization:\n\n{markdown.bullets(items)}") if items else None


def _against_reference(view: _View) -> Markdown | None:
    """Compare the quantizations of `default` with Q4_0, or the first where these were not measured."""
    build = _preferred((key[1] for key in _measured(view)), REFERENCE_BUILD)
    today = [key[0] for key in _measured(view, build=build) if not _is_legacy(key[0])]
    base = _preferred(today, REFERENCE_QUANTIZATION)
    items = []
    for quantization in today:
        said = (
            _clause(view.of(quantization, build), view.of(base, build))
            if base and build and quantization != base
            else []
        )
        if said:
            name = f"{markdown.bold(quantization)} against {markdown.text(base)}"
            items.append(Markdown(f"{name}: {'; '.join(said)}."))
    if not items:
        return None
    heading = f"**Quantizations**, by speed alone, in the build {markdown.text(build)}:"
    return Markdown(f"{heading}\n\n{markdown.bullets(items)}")


def _tables(view: _View) -> list[dict[str, Any]]:
    found = []
    for rows in view.tests():
        references = _references(rows)
        word = "Generation" if rows[0].speed == "tg_tps" else "Prompt processing"
        found.append(
            {
                "heading": markdown.heading(3, f"{word}, {parts.test_words(rows[0].cell)}"),
                "rule": _reference_words(references),
                "table": _table(view, rows, references),
            }
        )
    return found


def _references(rows: Sequence[Row]) -> dict[int, Row]:
    """Return the row that ratios refer to, for each thread count of one test that was measured."""
    counts = dict.fromkeys(row.cell["threads"] for row in rows)
    found = {count: summary.reference([row for row in rows if row.cell["threads"] == count]) for count in counts}
    return {count: row for count, row in found.items() if row}


def _reference_words(references: dict[int, Row]) -> Markdown | None:
    """Name what the ratios of a table refer to."""
    names: dict[str, list[int]] = {}
    for count, row in references.items():
        names.setdefault(_name(row.cell), []).append(count)
    if not names:
        return None
    if len(names) == 1:
        return markdown.text(f"Ratio: to {next(iter(names))}, with as many threads.")
    said = [f"to {name} with {', '.join(map(str, counts))} threads" for name, counts in names.items()]
    return markdown.text(f"Ratio: {'; '.join(said)}.")


def _table(view: _View, rows: Sequence[Row], references: dict[int, Row]) -> Markdown:
    columns = [
        ("Quantization", LEFT),
        ("Build", LEFT),
        ("Threads", RIGHT),
        (view.unit("token/s"), RIGHT),
        (view.unit("Ratio"), RIGHT),
        ("Validity", LEFT),
        (view.unit("Peak RSS"), RIGHT),
        ("Kernel path", LEFT),
    ]
    lines = []
    for row in rows:
        quantization, build = summary.combination(row.cell)
        page = summary.page_path(view.run.machine, row.cell)
        lines.append(
            [
                markdown.link(quantization, view.relative(page)),
                build,
                metrics.number(row.cell["threads"]),
                _figure(row),
                _ratio(row, references.get(row.cell["threads"])),
                parts.small_state(row),
                _memory(view, row),
                parts.kernel_cell(row),
            ]
        )
    return markdown.table(columns, lines)


def _figure(row: Row) -> Markdown | None:
    if row.interval is None:
        return None
    return markdown.lines(parts.mean(row), markdown.small(parts.interval(row)))


def _ratio(row: Row, reference: Row | None) -> Markdown | None:
    """Return a ratio with its interval, and everything that limits what it says."""
    if reference is None or row.interval is None:
        return None
    if row is reference:
        return markdown.text("reference")
    found = summary.ratio(row, reference)
    if found.interval is None:
        return None
    if found.interval.low is None:
        return markdown.lines(markdown.text(None), markdown.small("1 block"))
    mark = f"{metrics.NO_BREAK}~" if found.word == "~" else ""
    fewer = found.interval.n < max(len(row.launches), len(reference.launches))
    return markdown.lines(
        f"{metrics.number(found.interval.mean, _RATIO_PLACES)}{mark}",
        markdown.small(_bounds(found.interval)),
        markdown.small("of INVALID figures") if found.invalid else None,
        markdown.small(parts.plural(found.interval.n, "block")) if fewer else None,
    )


def _largest(row: Row, name: str) -> float | None:
    return max(summary.values(row, name), default=None)


def _memory(view: _View, row: Row) -> Markdown:
    """Return the peak memory, the weights' buffers and the size of the file."""
    model, repack = (_largest(row, name) for name in ("model_buffer_bytes", "repack_buffer_bytes"))
    size = _file_bytes(view, row)
    return markdown.lines(
        metrics.show("rss_peak_bytes", _largest(row, "rss_peak_bytes")),
        *(
            markdown.small(f"{name}{metrics.NO_BREAK}{metrics.binary(found)}")
            for name, found in (("model", model), ("repack", repack), ("file", size))
            if found
        ),
    )


def _file_bytes(view: _View, row: Row) -> int | None:
    sizes = [model.get("bytes") for model in parts.models(view.run, [row.cell], row.launches)]
    return next((size for size in sizes if size), None)


def _builds(view: _View) -> Markdown | None:
    """Return what the builds are, a line each; the page of a quantization has all of it."""
    found = parts.builds(view.run, [row.cell for row in view.rows], view.launches)
    if not found:
        return None
    columns = [("Build", LEFT), ("Source", LEFT), ("Compiler", LEFT), ("-march", LEFT)]
    lines = []
    for build in found:
        source, made = build.get("source") or {}, parts.compiled(build)
        lines.append(
            [
                build["name"],
                markdown.lines(source.get("name"), markdown.code(source["commit"]) if source.get("commit") else None),
                markdown.lines(build.get("compiler"), markdown.small(made) if made else None) or None,
                markdown.code(build["march"]) if build.get("march") else None,
            ]
        )
    return markdown.table(columns, lines)
