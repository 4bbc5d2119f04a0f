# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of several machines: the index, a model's and a machine's, put together from what the subjects show."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary, validity
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Record, Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import (
    calibration,
    card,
    figures,
    markdown,
    offers,
    parts,
    replicates,
    tradeoff,
    tuned,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects import registry
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.tradeoff import Traded
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.tuned import Searched
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import (
    Column,
    Columns,
    Entry,
    distinct,
    same_words,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.records import Problem

# ---- What is held of a page ----


def entry(path: str, runs: Sequence[Run], compared: Collection[str] = (), attempts: Sequence[Run] = ()) -> Entry:
    """Return the index entry of the page `path`, of which the last of `runs` is shown.

    `compared` are the pages of comparisons, `attempts` later runs that came to less.
    """
    run = runs[-1]
    cells = summary.pages(run)[path]
    standing = summary.standing_rows(summary.OfPage(list(runs), list(attempts)), path)
    rows = [row._replace(instead=parts.instead_words(run, each)) for each in standing for row in each.rows]
    rows.sort(key=lambda row: summary.cell_order(row.cell))
    launches = [record for cell in cells for record in run.by_cell.get(summary.cell_key(cell), ())]
    # The rows say it.
    said = any(each.newer and each.newer[0] in attempts[-1:] for each in standing)
    prompt, generation = summary.headline(rows, "pp_tps"), summary.headline(rows, "tg_tps")
    comparison = summary.comparison_path(path)
    return Entry(
        path=path,
        run=run,
        model=cells[0]["model"],
        quantization=cells[0]["quantization"],
        prompt=prompt,
        generation=generation,
        largest=_largest([row for row in (prompt, generation) if row]),
        synthetic=parts.is_synthetic(run, cells[0]),
        emulated=summary.emulated(run),
        planned={row.speed for row in rows},
        rows=rows,
        comparison=comparison if comparison in compared else None,
        slower=registry.slower(path, runs),
        attempt=None if said else parts.attempts_words(attempts, path),
        nothing=None if any(row.launches for row in rows) else summary.why_nothing(run, path),
        model_file=parts.model_file(run, cells, launches),
        # Only of emulated pages the index shows it.
        kernel=_kernel(rows) if summary.emulated(run) else None,
    )


def _kernel(rows: Sequence[Row]) -> Markdown | None:
    """Return the layouts of the rows of a page, each once, with the builds where they differ."""
    by_layout: dict[Markdown, list[str]] = {}
    for row in rows:
        told = parts.kernel_cell(row)
        if told:
            by_layout.setdefault(told, []).append(f"build {summary.way(row.cell)}")
    if len(by_layout) < 2:
        return next(iter(by_layout), None)
    return markdown.lines(
        *(markdown.lines(told, markdown.small(", ".join(dict.fromkeys(ways)))) for told, ways in by_layout.items())
    )


def _largest(rows: Sequence[Row]) -> dict[str, float | None]:
    return {
        name: max((value for row in rows for value in summary.values(row, name)), default=None)
        for name in registry.largest()
    }


def lean_run(run: Run) -> Run:
    """Return a run short of its launches and of what was sampled."""
    return run._replace(launches=[], by_cell={}, builds={}, models={}, others={}, joined=())


def lean(item: Entry) -> Entry:
    """Return an entry that holds no more of its launches than the subjects need for the pages of several machines."""
    rows: dict[int, Row] = {}
    alike: dict[str, Record] = {}
    kept = registry.kept()
    for row in item.rows:
        records = {id(record): _lean_record(record, kept, alike) for record in row.launches}
        rows[id(row)] = row._replace(
            launches=list(records.values()), figures=[records[id(record)] for record in row.figures]
        )
    prompt, generation = (rows[id(row)] if row else None for row in (item.prompt, item.generation))
    run = lean_run(item.run)
    return item._replace(run=run, rows=list(rows.values()), prompt=prompt, generation=generation)


def _lean_record(record: Record, kept: Sequence[str], alike: dict[str, Record]) -> Record:
    """Return what is left of a record, one and the same for all of which the same is left."""
    payload = record["payload"]
    held = payload["metrics"]
    # The speeds of its row are in the row's interval.
    metrics_shown = {name: {"value": held[name]["value"]} for name in kept if name in held}
    kernel = {"path": (payload.get("kernel") or {}).get("path")}
    left = {"payload": {"validity": payload["validity"], "metrics": metrics_shown, "kernel": kernel}}
    # In a third of the time that canonical() takes; of another order of its fields it would be held once more.
    return alike.setdefault(repr(left), left)


# ---- The index ----


def context(
    entries: Sequence[Entry],
    runs: Sequence[Run],
    problems: Sequence[Problem],
    searched: Sequence[Searched] = (),
    traded: Sequence[Traded] = (),
    checks: Sequence[calibration.Check] = (),
) -> tuple[dict[str, Any], dict[str, figures.Figure]]:
    """Return the variables of templates/index.md.j2, and its figures by name; `entries` are those of all pages.

    `searched`: what the searches for the best configurations came to; `traded`: what the pages of quality and speed
    say; `checks`: predictions that were measured.
    """
    entries = sorted(entries, key=lambda item: (item.run.machine, item.model, item.quantization, item.path))
    variables = {
        "sight": _first_sight(entries),
        "models": _models(entries),
        "card_rule": _rules(entries),
        "sections": [
            section
            for subject in registry.SUBJECTS
            if subject.index_section and (section := subject.index_section(entries))
        ],
        **_apart(entries),
        "measured": bool(_ranked(entries)),
        "traded": tradeoff.items(traded),
        "tuned": tuned.items(searched),
        "checked": _checked(checks),
        "synthetic": any(item.synthetic for item in entries),
        "failures": _failures(_latest(runs)),
        "problems": _problems(problems),
        "states_rule": parts.STATES_RULE,
        "records_rule": parts.RECORDS_RULE,
        "tie_rule": parts.TIE_RULE,
        "nothing": not runs,
    }
    drawings = ((named[0], named[1](entries)) for subject in registry.SUBJECTS if (named := subject.index_figure))
    return variables, figures.of_page(summary.INDEX, drawings)


def _ranked(entries: Sequence[Entry]) -> list[Entry]:
    return [item for item in entries if item.ranked]


def _apart(entries: Sequence[Entry], up: str = "") -> dict[str, Any]:
    """Return the variables of templates/emulated.md.j2, and those of what was imported."""
    emulated = [item for item in entries if item.emulated]
    return {
        "emulated": _kernels(emulated, up=up) if emulated else None,
        "emulated_words": parts.EMULATED_WORDS,
        "imported": any(summary.imported(item.run) for item in entries),
        "imported_rule": parts.IMPORTED_RULE,
    }


def _tables(entries: Sequence[Entry], up: str = "") -> dict[str, Any]:
    """Return the variables of templates/tables.md.j2: what was measured and what was emulated, apart."""
    measured = _ranked(entries)
    return {
        "measured": _table(measured, up=up) if measured else None,
        "felt": _felt(measured, up=up),
        **_apart(entries, up),
    }


def _sources(entries: Sequence[Entry], up: str = "") -> list[card.Source]:
    """Return what a verdict card chooses from."""
    return [
        card.Source(item.run, up + item.path, item.rows, item.model_file)
        for item in entries
        if any(row.launches for row in item.rows)
    ]


def _models(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return what the index says of each model: its buyer's table and its verdict card, as far as it has them."""
    shown: list[tuple[int, dict[str, Any]]] = []
    for model, items in by_model(entries).items():
        apart = distinct(_ranked(items))
        sources = _sources(apart.entries)
        lines = offers.of_entries(items)
        if not (sources or lines):
            continue
        of_model = {
            "title": markdown.link(model, summary.model_path(model)),
            "offers": offers.table(lines) if lines else None,
            "card": card.card(markdown.text("For"), sources, same_words(apart.same)) if sources else None,
        }
        shown.append((len(lines), of_model))
    # What most machines have is what can be chosen among: it stands first.
    return [of_model for _count, of_model in sorted(shown, key=lambda pair: -pair[0])]


def _rules(entries: Sequence[Entry]) -> Markdown:
    """Return the sentences on the order of the buyer's tables, and on what the cards choose."""
    chosen = f" {card.RULE}" if _sources(_ranked(entries)) else ""
    return parts.prose(f"{offers.rule(entries)}{chosen}", None)


def _first_sight(entries: Sequence[Entry]) -> Markdown | None:
    """Return what was measured, on what, and how sure that is, in a few sentences; None where there is nothing."""
    sentences = []
    measured = [item for item in _ranked(entries) if item.generation or item.prompt]
    figures_of = [row for item in measured for row in (item.generation, item.prompt) if row]
    if figures_of:
        days = sorted({parts.day(item.run.time) for item in measured})
        when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
        known = sum(row.ranked for row in figures_of)
        synthetic = sorted({item.model for item in measured if item.synthetic})
        every = sorted({item.model for item in measured})
        weights_words = (
            ""
            if not synthetic
            else "; all weights are synthetic"
            if synthetic == every
            else f"; the weights of {', '.join(synthetic)} are synthetic"
        )
        sentences.append(
            f"Measured: {metrics.plural(len(every), 'model')} on "
            f"{metrics.plural(len({item.run.machine for item in measured}), 'machine')}, {when}{weights_words}."
        )
        sentences.append(
            f"How sure: {known} of {metrics.plural(len(figures_of), 'figure')} of generation and prompts "
            f"{'is' if known == 1 else 'are'} undisturbed and known to ±{validity.RANKED_PERCENT:g} % or better; the "
            "others are shown and never ranked."
        )
        if not any((summary.machine(item.run).get("instance") or {}).get("type") for item in measured):
            sentences.append("None of these machines is an instance of EC2.")
    imported = {item.run.machine for item in entries if summary.imported(item.run)}
    if imported:
        sentences.append(f"Imported from files of other programs: {metrics.plural(len(imported), 'machine')}.")
    emulated = {item.run.machine for item in entries if item.emulated}
    if emulated:
        sentences.append(
            f"Emulated: {metrics.plural(len(emulated), 'processor')}, of which only the chosen kernels are shown."
        )
    return parts.prose(" ".join(sentences), None) if sentences else None


def _checked(checks: Sequence[calibration.Check]) -> Markdown | None:
    """Return how well predictions did, with the way to their page; None where none was measured."""
    if not checks:
        return None
    link = markdown.link("Predictions and measurements", calibration.PAGE)
    return Markdown(f"{link}: {parts.prose(calibration.words(checks), None)}")


def _latest(runs: Sequence[Run]) -> list[Run]:
    """Return the latest run of each machine; `runs` come in their order."""
    return [run for _machine, run in sorted({run.machine: run for run in runs}.items())]


def _problems(problems: Sequence[Problem]) -> Markdown | None:
    lines = [
        [markdown.code(problem.file), metrics.number(problem.line) if problem.line else None, problem.reason]
        for problem in sorted(problems)
    ]
    return markdown.table([("File", LEFT), ("Line", RIGHT), ("Reason", LEFT)], lines) if lines else None


# ---- The page of a model ----


def by_model(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Return the entries of each model, models and entries in their order."""
    groups: dict[str, list[Entry]] = {}
    for item in sorted(entries, key=lambda item: (item.model, item.run.machine, item.quantization, item.path)):
        groups.setdefault(item.model, []).append(item)
    return groups


def model_context(model: str, entries: Sequence[Entry]) -> tuple[dict[str, Any], dict[str, figures.Figure]]:
    """Return the variables of templates/model.md.j2 and its figure: one model on all machines."""
    up = "../"
    apart = distinct(_ranked(entries))
    sources = _sources(apart.entries, up)
    variables = {
        "title": f"{parts.short_name(model)} on all machines",
        "index": markdown.link("All results", f"{up}{summary.INDEX}"),
        "synthetic": parts.synthetic_words(model) if any(item.synthetic for item in entries) else None,
        "offers": offers.table(lines) if (lines := offers.of_entries(entries, up)) else None,
        "card": card.card(markdown.text("For"), sources, same_words(apart.same)) if sources else None,
        "card_rule": _rules(entries),
        "replicates": replicates.table(_ranked(entries), up),
        **_tables(entries, up),
        "states_rule": parts.STATES_RULE,
        "records_rule": parts.RECORDS_RULE,
    }
    drawings = ((named[0], named[1](entries)) for subject in registry.SUBJECTS if (named := subject.model_figure))
    return variables, figures.of_page(summary.model_path(model), drawings)


# ---- The page of a machine ----


def machine_context(
    entries: Sequence[Entry], runs: Sequence[Run], searched: Sequence[Searched] = (), traded: Sequence[Traded] = ()
) -> dict[str, Any]:
    """Return the variables of templates/machine.md.j2, the page of one machine.

    `entries` are those of its pages, `runs` all of its runs, the latest last, `searched` what its searches came to,
    `traded` what its pages of quality and speed say.
    """
    # A run of which no page shows a figure says nothing of the machine's figures.
    shown = {item.run.run for item in entries}
    fruitful = [run for run in reversed(runs) if summary.fruitful(run)]
    latest = next((run for run in fruitful if run.run in shown), runs[-1])
    attempts = runs[runs.index(latest) + 1 :]
    near = [item._replace(path=_near(item.path), comparison=_near(item.comparison or "") or None) for item in entries]
    foreign = summary.imported(latest)
    columns = [("Run", LEFT), ("Date", LEFT), ("Launches", RIGHT), ("Pages", RIGHT), ("Session", LEFT)]
    if foreign:
        columns = [("Import", LEFT), ("Measured until", LEFT), ("Results", RIGHT), ("Pages", RIGHT)]
    lines = [
        [
            markdown.link(run.run, f"records/{run.run}.jsonl"),
            parts.date(run.time),
            metrics.number(len(run.launches)),
            metrics.number(len(summary.pages(run))),
            parts.session_words(run),
        ][: len(columns)]
        for run in reversed([held for run in runs for held in run.joined or (run,)])
    ]
    return {
        "title": f"{latest.machine}{parts.hardware(latest)}",
        "index": markdown.link("All results", posixpath.relpath(summary.INDEX, latest.machine)),
        "emulated": parts.EMULATED_WORDS if summary.emulated(latest) else None,
        "attempt": parts.attempts_alert(attempts, latest.machine),
        "session": parts.session_alert(latest),
        "table": _of_machine(near, summary.emulated(latest)) if near else markdown.text(_without(searched)),
        "felt": _felt(near, one_machine=True),
        "traded": tradeoff.items(traded, _near),
        "tuned": tuned.items(searched, _near),
        "failures": _failures(runs[-1:], _near),
        "sections": [subject.machine_section(latest) for subject in registry.SUBJECTS if subject.machine_section],
        "runs": markdown.table(columns, lines),
        "imported": foreign,
        "states_rule": parts.rules(foreign)[-1],
        "tie_rule": parts.TIE_RULE,
    }


def _of_machine(near: Sequence[Entry], emulated: bool) -> Markdown:
    return _kernels(near, one_machine=True) if emulated else _table(near, one_machine=True)


def _without(searched: Sequence[Searched]) -> str:
    """Return why a machine has no results."""
    return "Only its best configurations were searched for." if searched else "Nothing was planned for this machine."


def _near(path: str) -> str:
    """Return a path below a machine's directory as its page links to it."""
    return path.partition("/")[2]


# ---- Tables of which each line is a page ----


def _table(entries: Sequence[Entry], one_machine: bool = False, up: str = "") -> Markdown:
    """Return the table of pages; `up` leads from the page that holds it to the results directory."""
    told = [subject.columns(entries) for subject in registry.SUBJECTS if subject.columns]
    foreign = all(summary.imported(item.run) for item in entries)
    if foreign:
        # What no file says has no column.
        told = [columns for columns in told if any(cells and any(map(_known, cells)) for cells in columns.cells)]
    columns = [
        ("Machine", LEFT), ("Model", LEFT), ("Quantization", LEFT), *_titles(told),
        *([] if foreign else [("Weights", LEFT)]), ("Measured" if foreign else f"Latest{metrics.NO_BREAK}run", LEFT),
    ]  # fmt: skip
    lines = []
    for item, cells in zip(entries, _cells(told, len(entries)), strict=True):
        weights = metrics.NOT_AVAILABLE if item.synthetic is None else "synthetic" if item.synthetic else "real"
        marks = (subject.mark(item) for subject in registry.SUBJECTS if subject.mark)
        lines.append(
            [
                markdown.link(item.run.machine, up + summary.machine_path(item.run.machine)),
                markdown.link(item.model, up + item.comparison) if item.comparison else item.model,
                markdown.lines(markdown.link(item.quantization, up + item.path), *marks),
                *cells,
                *([] if foreign else [weights]),
                markdown.lines(
                    markdown.small(parts.day(item.run.time)), markdown.small(item.attempt) if item.attempt else None
                ),
            ]
        )
    return _shown(columns, lines, one_machine)


def _kernels(entries: Sequence[Entry], one_machine: bool = False, up: str = "") -> Markdown:
    """Return the table of emulated pages: which kernels were chosen, which is all that an emulator can say."""
    columns = [
        ("Machine", LEFT), ("Model", LEFT), ("Quantization", LEFT), ("Kernel path", LEFT),
        (f"Latest{metrics.NO_BREAK}run", LEFT),
    ]  # fmt: skip
    lines = [
        [
            markdown.link(item.run.machine, up + summary.machine_path(item.run.machine)),
            markdown.link(item.model, up + item.comparison) if item.comparison else item.model,
            markdown.link(item.quantization, up + item.path),
            item.kernel,
            markdown.lines(
                markdown.small(parts.day(item.run.time)), markdown.small(item.attempt) if item.attempt else None
            ),
        ]
        for item in entries
    ]
    return _shown(columns, lines, one_machine)


def _felt(entries: Sequence[Entry], one_machine: bool = False, up: str = "") -> Markdown | None:
    """Return the table of what users feel and pay, a line for each page of which that is known; None without one."""
    if not entries:
        return None
    told = [columns for subject in registry.SUBJECTS if subject.felt and (columns := subject.felt(entries))]
    lines = [
        [item.run.machine, markdown.lines(markdown.link(f"{item.model} {item.quantization}", up + item.path)), *cells]
        for at, (item, cells) in enumerate(zip(entries, _cells(told, len(entries)), strict=True))
        if any(columns.cells[at] is not None for columns in told)
    ]
    if not lines:
        return None
    table = _shown([("Machine", LEFT), ("Model", LEFT), *_titles(told)], lines, one_machine)
    notes = [markdown.text(columns.note, None) for columns in told if columns.note]
    return Markdown("\n\n".join([table, *notes]))


def _known(cell: Cell) -> bool:
    return cell not in (None, metrics.NOT_AVAILABLE)


def _titles(told: Sequence[Columns]) -> list[Column]:
    return [column for columns in told for column in columns.columns]


def _cells(told: Sequence[Columns], count: int) -> Iterator[list[Cell]]:
    """Return the cells of all subjects for each of `count` entries, N/A where one has nothing to say."""
    for at in range(count):
        line: list[Cell] = []
        for columns in told:
            line += columns.cells[at] or [None] * len(columns.columns)
        yield line


def _shown(columns: list[Column], lines: list[list[Cell]], one_machine: bool) -> Markdown:
    """Return a table, without its first column where all lines are of one machine."""
    if one_machine:
        return markdown.table(columns[1:], [line[1:] for line in lines])
    return markdown.table(columns, lines)


def _failures(latest: Sequence[Run], near: Callable[[str], str] = str) -> dict[str, Any] | None:
    failures: list[tuple[list[Markdown], Record]] = []
    for run in latest:
        for record in run.failures:
            cell = record["payload"].get("cell")
            page = f"{cell['model']} {cell['quantization']}" if cell else None
            where = [markdown.link(page, near(summary.page_path(run.machine, cell)))] if cell else []
            failures.append(([markdown.bold(run.machine), *where], record))
    if not failures:
        return None
    items = parts.failure_items(failures)
    return {"count": metrics.plural(len(failures), "failure"), "items": markdown.bullets(items)}
