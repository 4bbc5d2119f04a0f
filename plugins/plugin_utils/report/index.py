# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of all pages: the sections that templates/index.md.j2 puts in order."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import workload
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import canonical
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import cost, history, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import card, figures, markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import page as report_page
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.records import Problem

# Machines and models that have a sentence each.
MOST_VERDICTS = 60


class Entry(NamedTuple):
    """What the index shows of one page: its latest run and the rows that stand for it."""

    path: str
    run: Run
    model: str
    quantization: str
    prompt: Row | None
    generation: Row | None
    peak_bytes: float | None
    synthetic: bool | None
    emulated: bool
    planned: set[str]
    rows: list[Row]
    comparison: str | None
    slower: list[str]


def entry(path: str, runs: Sequence[Run], compared: Collection[str] = ()) -> Entry:
    """Return the index entry of the page `path`, of which the last of `runs` is the latest.

    `compared` are the pages of comparisons.
    """
    run = runs[-1]
    cells = summary.pages(run)[path]
    rows = summary.rows(run, cells)
    prompt, generation = summary.headline(rows, "pp_tps"), summary.headline(rows, "tg_tps")
    comparison = summary.comparison_path(path)
    peaks = [peak for row in (prompt, generation) if row for peak in summary.values(row, "rss_peak_bytes")]
    return Entry(
        path=path,
        run=run,
        model=cells[0]["model"],
        quantization=cells[0]["quantization"],
        prompt=prompt,
        generation=generation,
        peak_bytes=max(peaks, default=None),
        synthetic=parts.is_synthetic(run, cells[0]),
        emulated=summary.emulated(run),
        planned={row.speed for row in rows},
        rows=rows,
        comparison=comparison if comparison in compared else None,
        slower=history.slower(path, runs) if len(runs) > 1 else [],
    )


# What the pages of several machines show of a launch; the speeds of its row are in the row's interval.
_SHOWN = ("ttft_s", "tpot_s", "output_tps", "goodput_rate", "load_cold_s", "load_warm_s")


def lean_run(run: Run) -> Run:
    """Return a run short of its launches and of what was sampled."""
    return run._replace(launches=[], by_cell={}, builds={}, models={}, others={})


def lean(item: Entry) -> Entry:
    """Return an entry that holds no more of its launches than the pages of several machines show."""
    rows: dict[int, Row] = {}
    alike: dict[str, summary.Record] = {}
    for row in item.rows:
        records = {id(record): _lean_record(record, alike) for record in row.launches}
        rows[id(row)] = row._replace(
            launches=list(records.values()), figures=[records[id(record)] for record in row.figures]
        )
    prompt, generation = (rows[id(row)] if row else None for row in (item.prompt, item.generation))
    run = lean_run(item.run)
    return item._replace(run=run, rows=list(rows.values()), prompt=prompt, generation=generation)


def _lean_record(record: summary.Record, alike: dict[str, summary.Record]) -> summary.Record:
    """Return what is left of a record, one and the same for all of which the same is left."""
    payload = record["payload"]
    held = payload["metrics"]
    metrics_shown = {name: {"value": held[name]["value"]} for name in _SHOWN if name in held}
    kernel = {"path": (payload.get("kernel") or {}).get("path")}
    left = {"payload": {"validity": payload["validity"], "metrics": metrics_shown, "kernel": kernel}}
    return alike.setdefault(canonical(left), left)


def context(
    entries: Sequence[Entry], runs: Sequence[Run], problems: Sequence[Problem]
) -> tuple[dict[str, Any], dict[str, figures.Figure]]:
    """Return the variables of templates/index.md.j2, and its figures by name; `entries` are those of all pages."""
    entries = sorted(entries, key=lambda item: (item.run.machine, item.model, item.quantization, item.path))
    measured = _measured(entries)
    variables = {
        "cards": _cards(measured),
        "card_rule": parts.prose(card.RULE, None),
        "verdicts": _verdicts(measured),
        **_tables(entries),
        "synthetic": any(e.synthetic for e in entries),
        "fallbacks": _fallbacks(entries),
        "slower": _slower(entries),
        "failures": _failures(_latest(runs)),
        "problems": _problems(problems),
        "states_rule": parts.STATES_RULE,
        "records_rule": parts.RECORDS_RULE,
        "tie_rule": parts.TIE_RULE,
        "nothing": not runs,
    }
    priced = [figures.Shown(item.run, item.generation) for item in measured if item.generation]
    return variables, figures.of_index(priced)


def _measured(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries that may be ranked: those of real machines that this collection measured."""
    return [item for item in entries if not item.emulated and not summary.imported(item.run)]


def _tables(entries: Sequence[Entry], up: str = "") -> dict[str, Any]:
    """Return the variables of templates/tables.md.j2: what was measured, emulated and imported, apart."""
    measured = _measured(entries)
    emulated = [item for item in entries if item.emulated]
    imported = [item for item in entries if summary.imported(item.run)]
    return {
        "measured": _table(measured, up=up) if measured else None,
        "felt": _felt(measured, up=up),
        "emulated": _table(emulated, up=up) if emulated else None,
        "emulated_words": parts.EMULATED_WORDS,
        "imported": _table(imported, up=up) if imported else None,
    }


def _sources(entries: Sequence[Entry], up: str = "") -> list[card.Source]:
    """Return what a verdict card chooses from."""
    return [
        card.Source(item.run, up + item.path, item.rows) for item in entries if any(row.launches for row in item.rows)
    ]


def _cards(entries: Sequence[Entry]) -> list[Markdown]:
    """Return a verdict card for each model of which anything was measured."""
    found = []
    for model, own in by_model(entries).items():
        sources = _sources(own)
        if sources:
            found.append(card.card(markdown.link(model, summary.model_path(model)), sources))
    return found


def by_model(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Return the entries of each model, models and entries in their order."""
    found: dict[str, list[Entry]] = {}
    for item in sorted(entries, key=lambda item: (item.model, item.run.machine, item.quantization, item.path)):
        found.setdefault(item.model, []).append(item)
    return found


def model_context(model: str, entries: Sequence[Entry]) -> tuple[dict[str, Any], dict[str, figures.Figure]]:
    """Return the variables of templates/model.md.j2 and its figure: one model on all machines."""
    up = "../"
    measured = _measured(entries)
    sources = _sources(measured, up)
    variables = {
        "title": f"{parts.short_name(model)} on all machines",
        "index": markdown.link("All results", f"{up}{summary.INDEX}"),
        "synthetic": parts.synthetic_words(model) if any(item.synthetic for item in entries) else None,
        "card": card.card(markdown.text("For"), sources) if sources else None,
        "card_rule": parts.prose(card.RULE, None),
        **_tables(entries, up),
        "states_rule": parts.STATES_RULE,
        "records_rule": parts.RECORDS_RULE,
    }
    shown = [figures.Shown(item.run, item.generation) for item in measured if item.generation]
    return variables, figures.of_model(summary.model_path(model), shown)


def machine_context(path: str, entries: Sequence[Entry], runs: Sequence[Run]) -> dict[str, Any]:
    """Return the variables of templates/machine.md.j2: the page `path` of one machine.

    `entries` are those of its pages, `runs` all of its runs, the latest last.
    """
    run = runs[-1]
    own = [item._replace(path=_near(item.path), comparison=_near(item.comparison or "") or None) for item in entries]
    failures = _failures([run], _near)
    columns = [("Run", LEFT), ("Date", LEFT), ("Launches", RIGHT), ("Pages", RIGHT), ("Session", LEFT)]
    lines = [
        [
            markdown.link(one.run, f"records/{one.run}.jsonl"),
            parts.date(one.time),
            metrics.number(len(one.launches)),
            metrics.number(len(summary.pages(one))),
            summary.drift(one) or "no drift found",
        ]
        for one in reversed(runs)
    ]
    return {
        "title": f"{run.machine}{_hardware(run)}",
        "index": markdown.link("All results", posixpath.relpath(summary.INDEX, run.machine)),
        "emulated": parts.EMULATED_WORDS if summary.emulated(run) else None,
        "session": parts.session_alert(run),
        "table": _table(own, one_machine=True) if own else markdown.text("Nothing was planned for this machine."),
        "felt": _felt(own, one_machine=True),
        "failures": failures,
        "machines": [report_page.machine_facts(payload) for _id, payload in sorted(run.machines.items())],
        "runs": markdown.table(columns, lines),
        "states_rule": parts.STATES_RULE,
        "tie_rule": parts.TIE_RULE,
    }


def _near(path: str) -> str:
    """Return a path below a machine's directory as its page links to it."""
    return path.partition("/")[2]


def _latest(runs: Sequence[Run]) -> list[Run]:
    """Return the latest run of each machine; `runs` come in their order."""
    return [run for _machine, run in sorted({run.machine: run for run in runs}.items())]


def _hardware(run: Run) -> str:
    """Return what the machine is, in a few words."""
    machine = summary.machine(run)
    instance = (machine.get("instance") or {}).get("type")
    cpus = parts.plural(machine["cpu_count"], "CPU") if machine.get("cpu_count") else None
    words = [word for word in (instance, machine.get("cpu_model"), cpus) if word]
    return f" ({', '.join(map(str, words))})" if words else ""


def _verdicts(entries: Sequence[Entry]) -> Markdown | None:
    """Return a list: for each machine and model the fastest quantization, as far as that is established."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for item in entries:
        groups.setdefault((item.run.machine, item.model), []).append(item)
    if len(groups) > MOST_VERDICTS:
        words = f"There are more than {MOST_VERDICTS} machines and models: "
        return markdown.text(f"{words}the table below and the pages of the machines have them.", None)
    items = []
    for (machine, model), group in sorted(groups.items()):
        said = [_verdict(group, speed) for speed in ("tg_tps", "pp_tps")]
        if not any(said):
            said = [markdown.text("nothing measured in the latest run")]
        name = markdown.bold(machine)
        words = markdown.join([sentence for sentence in said if sentence], "; ")
        hardware = markdown.text(_hardware(group[-1].run))
        comparison = group[-1].comparison
        more = f" {markdown.link('Quantizations and builds side by side', comparison)}." if comparison else ""
        items.append(Markdown(f"{name}{' ' if hardware else ''}{hardware}, {markdown.text(model)}: {words}.{more}"))
    return markdown.bullets(items) if items else None


def _verdict(group: Sequence[Entry], speed: str) -> Markdown | None:
    """Return a clause on the fastest of a machine's quantizations of one model."""
    word = "generation" if speed == "tg_tps" else "prompt processing"
    owners = [(row, item) for item in group for row in [_row(item, speed)] if row]
    best = summary.headline([row for row, _item in owners], speed)
    if best is None:
        return None
    owner = next(item for row, item in owners if row is best)
    figure = f"{parts.mean(best)} token/s"
    spread = parts.interval(best)
    bounds = f"({spread}) " if spread != metrics.NOT_AVAILABLE else ""
    words = [owner.quantization, parts.cell_words(best.cell, several_builds=False), _build_words(owner)(best.cell)]
    where = ", ".join(filter(None, words))
    if best.state == summary.INVALID:
        return markdown.text(f"no {word} figure that holds; {where} gave {figure}, INVALID", None)
    ranked = summary.contenders(summary.same_test([row for row, _item in owners], best))
    ties = [
        item.quantization for row, item in owners if row in ranked and row is not best and not summary.above(best, row)
    ]
    lead = ""
    if len(ranked) > 1:
        lead = f", not established against {', '.join(ties)} (~)" if ties else f", the fastest of {len(ranked)}"
    state = "" if best.state == summary.VALID else f", {best.state}: {'; '.join(best.reasons)}"
    rest = markdown.text(f"{bounds}at {where}{lead}{state}", 400)
    return Markdown(f"{word} {markdown.bold(figure)} {rest}")


def _table(entries: Sequence[Entry], one_machine: bool = False, up: str = "") -> Markdown:
    """Return the table of pages; `up` leads from the page that holds it to the results directory."""
    suffix = ", emulated" if entries[0].emulated else ""
    tests = {speed: _common_test(entries, speed) for speed in ("tg_tps", "pp_tps")}
    columns = [
        ("Machine", LEFT),
        ("Model", LEFT),
        ("Quantization", LEFT),
        (f"Generation {tests['tg_tps'] or ''} token/s{suffix}", RIGHT),
        (f"Prompt {tests['pp_tps'] or ''} token/s{suffix}", RIGHT),
        (f"Peak memory{suffix}", RIGHT),
        ("Weights", LEFT),
        (f"Latest{metrics.NO_BREAK}run", LEFT),
    ]
    lines = []
    for item in entries:
        weights = metrics.NOT_AVAILABLE if item.synthetic is None else "synthetic" if item.synthetic else "real"
        lines.append(
            [
                markdown.link(item.run.machine, up + summary.machine_path(item.run.machine)),
                markdown.link(item.model, up + item.comparison) if item.comparison else item.model,
                markdown.lines(markdown.link(item.quantization, up + item.path), _fallback(item)),
                _figure(item, "tg_tps", tests),
                _figure(item, "pp_tps", tests),
                metrics.binary(item.peak_bytes),
                weights,
                markdown.small(item.run.time[:10]),
            ]
        )
    return _shown(columns, lines, one_machine)


def _shown(columns: list[tuple[str, str]], lines: list[list[Any]], one_machine: bool) -> Markdown:
    """Return a table, without its first column where all lines are of one machine."""
    if one_machine:
        return markdown.table(columns[1:], [line[1:] for line in lines])
    return markdown.table(columns, lines)


def _felt(entries: Sequence[Entry], one_machine: bool = False, up: str = "") -> Markdown | None:
    """Return the table of what users feel and pay: the latency of one user, load time, cost; None without any of it.

    The user is one of as few at once as were measured.
    """
    lines = []
    sources: dict[str, None] = {}
    for item in entries:
        alone = summary.fewest_users(item.rows)
        loaded = next((row for row in item.rows if row.cell["test"] == workload.LOAD and row.launches), None)
        price = cost.hourly(item.run)
        costs = {one.kind: one for one in cost.of_rows(item.rows, price.usd)} if price and price.usd else {}
        if alone is None and loaded is None and not costs:
            continue
        if price and costs:
            sources[price.words] = None
        lines.append(
            [
                item.run.machine,
                markdown.lines(markdown.link(f"{item.model} {item.quantization}", up + item.path)),
                _user_words(alone.cell) if alone else None,
                parts.mean_with_unit(alone, "ttft_s") if alone else None,
                parts.mean_with_unit(alone, "tpot_s") if alone else None,
                parts.brief(alone) if alone else None,
                parts.mean_with_unit(loaded, "load_cold_s") if loaded else None,
                parts.mean_with_unit(loaded, "load_warm_s") if loaded else None,
                *(metrics.number(costs[kind].usd, 3) if kind in costs else None for kind in cost.KINDS[:2]),
            ]
        )
    if not lines:
        return None
    columns = [
        ("Machine", LEFT), ("Model", LEFT), ("Latency of", LEFT), ("First token", RIGHT), ("Per token", RIGHT),
        ("Validity", LEFT), ("Load, cold", RIGHT), ("Load, warm", RIGHT),
        *((f"USD per million, {kind}", RIGHT) for kind in cost.KINDS[:2]),
    ]  # fmt: skip
    if not sources:
        return _shown(columns[:-2], [line[:-2] for line in lines], one_machine)
    words = f"Costs at the price of an hour, the machine busy all the time ({'; '.join(sources)})."
    return Markdown(f"{_shown(columns, lines, one_machine)}\n\n{markdown.text(words, None)}")


def _user_words(cell: Payload) -> str:
    return f"{parts.plural(cell['concurrency'], 'user')}, {cell['n_prompt']} tokens in, {cell['n_gen']} out"


def _row(item: Entry, speed: str) -> Row | None:
    return item.generation if speed == "tg_tps" else item.prompt


def _common_test(entries: Sequence[Entry], speed: str) -> str | None:
    """Return the test that all figures of a column are of, None when they are of several."""
    tests = {parts.test_words(row.cell) for row in (_row(item, speed) for item in entries) if row}
    return tests.pop() if len(tests) == 1 else None


def _figure(item: Entry, speed: str, tests: Mapping[str, str | None]) -> str | None:
    """Return a figure with its interval and state, and its test unless the column's title has it.

    Of a page with several builds it names its own. N/A when none was planned.
    """
    row = _row(item, speed)
    if row is None:
        return summary.MISSING if speed in item.planned else None
    build = _build_words(item)(row.cell)
    return markdown.lines(
        markdown.bold(parts.mean(row)),
        None if tests[speed] else markdown.small(parts.test_words(row.cell)),
        markdown.small(build) if build else None,
        markdown.small(parts.interval(row)),
        markdown.small(parts.brief(row)),
    )


def _build_words(item: Entry) -> Callable[[Payload], str]:
    """Return a function that gives what tells a cell of a page from one of another build."""
    several = len({row.cell["build"] for row in item.rows}) > 1
    return lambda cell: f"build {cell['build']}" if several else ""


def _fallback(item: Entry) -> Markdown | None:
    """Return a loud word for the line of a page of which a cell fell back, with the builds where it has several."""
    cells = [row.cell for finding in summary.fallbacks(item.rows) for row in finding.rows]
    builds = dict.fromkeys(map(_build_words(item), cells))
    if not cells:
        return None
    words = [name for name in builds if name]
    return markdown.lines(markdown.bold("FALLBACK"), markdown.small(markdown.join(words)) if words else None)


def _fallbacks(entries: Sequence[Entry]) -> dict[str, Any] | None:
    items = []
    for item in entries:
        emulated = [markdown.text("emulated")] if item.emulated else []
        for finding in summary.fallbacks(item.rows):
            cells = parts.cells_of(finding, item.rows, _build_words(item))
            page = markdown.link(f"{item.model} {item.quantization}", item.path)
            where = markdown.join([markdown.bold(item.run.machine), *emulated, page, markdown.text(cells, None)])
            items.append(Markdown(f"{where}: {parts.fallback_words(finding)}"))
    if not items:
        return None
    return {"count": parts.plural(len(items), "fallback"), "items": markdown.bullets(items)}


def _slower(entries: Sequence[Entry]) -> Markdown | None:
    items = []
    for item in entries:
        page = markdown.link(f"{item.model} {item.quantization}", item.path)
        where = markdown.join([markdown.bold(item.run.machine), page])
        items += [Markdown(f"{where}: {markdown.text(one, None)}") for one in item.slower]
    return markdown.bullets(items) if items else None


def _failures(latest: Sequence[Run], near: Callable[[str], str] = str) -> dict[str, Any] | None:
    items = []
    for run in latest:
        for record in run.failures:
            cell = record["payload"].get("cell")
            page = f"{cell['model']} {cell['quantization']}" if cell else None
            where = [markdown.link(page, near(summary.page_path(run.machine, cell)))] if cell else []
            items.append(parts.failure_item([markdown.bold(run.machine), *where], record))
    if not items:
        return None
    return {"count": parts.plural(len(items), "failure"), "items": markdown.bullets(items)}


def _problems(problems: Sequence[Problem]) -> Markdown | None:
    lines = [
        [markdown.code(problem.file), metrics.number(problem.line) if problem.line else None, problem.reason]
        for problem in sorted(problems)
    ]
    return markdown.table([("File", LEFT), ("Line", RIGHT), ("Reason", LEFT)], lines) if lines else None
