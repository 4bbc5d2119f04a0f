# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed on the pages of several machines: its columns of the index, a sentence for each machine, and a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import specification as spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.figures import Drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import RIGHT, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.specification import Values
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Columns, Entry, Section

# Machines and models without a figure that have a sentence each.
MOST_NAMED = 60
# Lines of a figure that can still be read, and that leave the first screen to more than a figure.
MOST_MACHINES, MOST_IN_SIGHT = 40, 12
# Pixels of the names beside a figure.
_NAMES = 250

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
    """Return a list of the machines and models of which nothing was measured, and why; None where there are none."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for item in entries:
        if item.ranked:
            groups.setdefault((item.run.machine, item.model), []).append(item)
    items = []
    for (machine, model), group in sorted(groups.items()):
        if not any(item.of(speed) for item in group for speed in _SPEEDS):
            why = next((f": {item.nothing}" for item in group if item.nothing), "")
            words = markdown.text(f", {model}: nothing measured in the latest run{why}", 400)
            items.append(Markdown(f"{markdown.bold(machine)}{words}"))
    more = len(items) - MOST_NAMED
    if more > 0:
        items[MOST_NAMED:] = [markdown.text(f"and {more} more: the pages of the machines say why")]
    return Section("Nothing measured", [markdown.bullets(items)]) if items else None


def fastest(entries: Sequence[Entry]) -> Drawing | None:
    """Draw, of the model that most machines have, the generation of each machine's fastest configuration."""
    by_model: dict[str, dict[str, list[Entry]]] = {}
    for item in entries:
        if item.ranked and item.generation:
            by_model.setdefault(item.model, {}).setdefault(item.run.machine, []).append(item)
    of_model = max(by_model.items(), key=lambda pair: (len(pair[1]), pair[0]), default=("", {}))[1]
    best = []
    for group in of_model.values():
        row = summary.headline([item.generation for item in group if item.generation], "tg_tps")
        best += [item for item in group if item.generation is row]
    return _drawn(best, MOST_IN_SIGHT, "Generation")


def machines(entries: Sequence[Entry]) -> Drawing | None:
    """Draw the speed of generation of every machine, a line per quantization."""
    return _drawn([item for item in entries if item.ranked], MOST_MACHINES, "Machines")


def _drawn(entries: Sequence[Entry], most: int, heading: str) -> Drawing | None:
    """Draw the generation of pages, the fastest first; None of fewer than two machines.

    A point with its interval and the number beside it; what may not be ranked has a hollow point and says so. The axis
    begins where the figures do: no length stands for a speed.
    """
    known = [(item.run, item.generation) for item in entries if item.generation and item.generation.interval]
    tests = [row.cell["test"] for _run, row in known]
    usual = max(sorted(set(tests)), key=tests.count, default="")
    chosen = [(run, row) for run, row in known if row.cell["test"] == usual]
    if len({run.machine for run, _row in chosen}) < 2:
        return None
    values: Values = []
    for run, row in chosen:
        machine, kind = spec.plain(run.machine, 40), spec.plain(row.cell["quantization"], 20)
        values.append({"name": f"{machine}, {kind}", **spec.stated(row)})
    values.sort(key=lambda value: (-value["mean"], value["name"]))
    more = f"the fastest {most} of {len(values)}" if len(values) > most else None
    values = values[:most]
    y = spec.names("name", [value["name"] for value in values], _NAMES)
    axis = f"{parts.test_words(chosen[0][1].cell)}, token/s"
    whole = {
        "width": spec.WIDE - _NAMES,
        "height": {"step": 30},
        "data": {"values": values},
        "layer": spec.dots(y, axis),
    }
    notes = [spec.counted(len(row.figures) for _run, row in chosen), more]
    words = [f"{value['name']} {value['shown']} token/s" for value in values[:12]]
    title = spec.title(f"{heading}: {spec.plain(chosen[0][1].cell['model'], 40)}", notes)
    return Drawing(spec.said("Generation by machine", words), {"title": title, **whole})
