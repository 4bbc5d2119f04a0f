# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed on the pages of several machines: its columns of the index, a sentence for each machine, and a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import specification as spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.figures import Drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import RIGHT, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.specification import Values
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Columns, Entry, Section, distinct

# Machines and models that have a sentence each.
MOST_VERDICTS = 60
# Machines of a figure that can still be read.
MOST_MACHINES = 40

_SPEEDS = ("tg_tps", "pp_tps")


def columns(entries: Sequence[Entry]) -> Columns:
    """Return the figures of generation and of prompts of each page."""
    suffix = ", emulated" if entries[0].emulated else ""
    tests = {speed: _common_test(entries, speed) for speed in _SPEEDS}
    titles = [
        (f"Generation {tests['tg_tps'] or ''} token/s{suffix}", RIGHT),
        (f"Prompt {tests['pp_tps'] or ''} token/s{suffix}", RIGHT),
    ]
    return Columns(titles, [[_figure(item, speed, tests) for speed in _SPEEDS] for item in entries])


def highest(groups: Sequence[Sequence[Entry]]) -> Columns:
    """Return the highest figures of the pages of each machine and model, with their quantizations.

    With their tests where those differ.
    """
    tests = {speed: _common_test([item for group in groups for item in group], speed) for speed in _SPEEDS}
    words = zip(_SPEEDS, ("Generation", "Prompt"), strict=True)
    titles = [(f"{word} {f'{tests[speed]} ' if tests[speed] else ''}token/s", RIGHT) for speed, word in words]

    def figure(group: Sequence[Entry], speed: str) -> str | None:
        row = summary.headline([row for row in (item.of(speed) for item in group) if row], speed)
        if row is None:
            return None
        test = "" if tests[speed] else f" {parts.test_words(row.cell)}"
        return f"{parts.mean(row)} {row.cell['quantization']}{test}"

    return Columns(titles, [[figure(group, speed) for speed in _SPEEDS] for group in groups])


def _common_test(entries: Sequence[Entry], speed: str) -> str | None:
    """Return the test that all figures of a column are of, None when they are of several."""
    tests = {parts.test_words(row.cell) for row in (item.of(speed) for item in entries) if row}
    return tests.pop() if len(tests) == 1 else None


def _figure(item: Entry, speed: str, tests: Mapping[str, str | None]) -> str | None:
    """Return a figure with its interval and state, and its test unless the column's title has it.

    Of a page with several builds it names its build. N/A when none was planned.
    """
    row = item.of(speed)
    if row is None:
        return summary.MISSING if speed in item.planned else None
    build = item.name_among(row.cell)
    if summary.imported(item.run):
        test = None if tests[speed] else markdown.small(parts.test_words(row.cell))
        return markdown.lines(markdown.bold(parts.mean(row)), test, markdown.small(build) if build else None)
    return markdown.lines(
        markdown.bold(parts.mean(row)),
        None if tests[speed] else markdown.small(parts.test_words(row.cell)),
        markdown.small(build) if build else None,
        markdown.small(parts.interval(row)),
        markdown.small(parts.brief(row)),
    )


def section(entries: Sequence[Entry]) -> Section | None:
    """Return a list: for each machine and model the fastest quantization, as far as that is established."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for item in entries:
        if item.ranked:
            groups.setdefault((item.run.machine, item.model), []).append(item)
    title = "Machine by machine"
    if len(groups) > MOST_VERDICTS:
        words = f"There are more than {MOST_VERDICTS} machines and models: "
        return Section(title, [markdown.text(f"{words}the table below and the pages of the machines have them.", None)])
    items = []
    for (machine, model), group in sorted(groups.items()):
        said = [_verdict(distinct(group).entries, speed) for speed in _SPEEDS]
        if not any(said):
            why = next((f": {item.nothing}" for item in group if item.nothing), "")
            said = [markdown.text(f"nothing measured in the latest run{why}", 400)]
        name = markdown.bold(machine)
        words = markdown.join([sentence for sentence in said if sentence], "; ")
        hardware = markdown.text(parts.hardware(group[-1].run))
        comparison = group[-1].comparison
        more = f" {markdown.link('Quantizations and builds side by side', comparison)}." if comparison else ""
        items.append(Markdown(f"{name}{' ' if hardware else ''}{hardware}, {markdown.text(model)}: {words}.{more}"))
    return Section(title, [markdown.bullets(items)]) if items else None


def _verdict(group: Sequence[Entry], speed: str) -> Markdown | None:
    """Return a clause on the fastest of a machine's quantizations of one model."""
    word = "generation" if speed == "tg_tps" else "prompt processing"
    owners = [(row, item) for item in group for row in [item.of(speed)] if row]
    best = summary.headline([row for row, _item in owners], speed)
    if best is None:
        return None
    owner = next(item for row, item in owners if row is best)
    figure = f"{parts.mean(best)} token/s"
    spread = parts.interval(best)
    bounds = f"({spread}) " if spread != metrics.NOT_AVAILABLE else ""
    words = [owner.quantization, parts.cell_words(best.cell, several_builds=False), owner.name_among(best.cell)]
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
    why = "" if best.state == summary.VALID else f": {'; '.join(best.reasons)}"
    state = f"{parts.state_words(best)}{why}{f'; {best.instead}' if best.instead else ''}"
    rest = markdown.text(f"{bounds}at {where}{lead}, {state}", 400)
    return Markdown(f"{word} {markdown.bold(figure)} {rest}")


def machines(entries: Sequence[Entry]) -> Drawing | None:
    """Draw the speed of generation of every machine, a bar per quantization."""
    known = [
        (item.run, item.generation) for item in entries if item.ranked and item.generation and item.generation.interval
    ]
    tests = [row.cell["test"] for _run, row in known]
    usual = max(sorted(set(tests)), key=tests.count, default="")
    chosen = [(run, row) for run, row in known if row.cell["test"] == usual]
    if len({run.machine for run, _row in chosen}) < 2:
        return None
    values: Values = []
    for run, row in chosen:
        machine, kind = spec.plain(run.machine, 40), spec.plain(row.cell["quantization"], 20)
        if row.interval:
            values.append(
                {
                    "machine": machine,
                    "kind": kind,
                    "name": f"{machine}, {kind}",
                    "holds": "" if row.ranked else row.state,
                    **spec.bounds(row.interval),
                }
            )
    values.sort(key=lambda value: (-value["mean"], value["name"]))
    more = f"the fastest {MOST_MACHINES} of {len(values)}" if len(values) > MOST_MACHINES else None
    values = values[:MOST_MACHINES]
    y = spec.names("name", [value["name"] for value in values], 260)
    axis = f"{parts.test_words(chosen[0][1].cell)}, token/s"
    kinds: list[str] = sorted({str(value["kind"]) for value in values})
    whole = {
        "width": spec.WIDE - 260,
        "height": {"step": 22},
        "data": {"values": values},
        "layer": [
            *spec.bars(y, axis, spec.colour("kind", "Type", kinds)),
            {
                "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 11},
                "encoding": {"y": y, "x": spec.number("high", axis), "text": {"field": "holds", "type": "nominal"}},
            },
        ],
    }
    notes = [spec.counted(len(row.figures) for _run, row in chosen), more]
    words = [f"{value['name']} {metrics.number(value['mean'])} token/s" for value in values[:12]]
    title = spec.title(f"Machines: {spec.plain(chosen[0][1].cell['model'], 40)}", notes)
    return Drawing(spec.said("Generation by machine", words), {"title": title, **whole})
