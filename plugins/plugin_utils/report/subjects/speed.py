# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed of prompts and of generation: tokens per second, their intervals, and which cell is the fastest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import specification as spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.figures import Drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.specification import Values
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects import answers, index_speed, ratios
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, SideBySide, View

# ---- On the page of a quantization ----


def _key_lines(view: View) -> list[list[Cell]]:
    return [
        *_of_speed(view, view.generation, "tg_tps"),
        *_derived(view.generation, "Time per token", "token_time_ms", metrics.token_time_ms),
        *_of_speed(view, view.prompt, "pp_tps"),
        *_prompt_time(view.prompt),
    ]


def _of_speed(view: View, row: Row | None, name: str) -> list[list[Cell]]:
    label = metrics.metric(name).label
    if row:
        figure = markdown.bold(metrics.with_unit(name, row.interval.mean if row.interval else None))
        return [[f"{label}, {parts.test_words(row.cell)}", figure, parts.interval(row), parts.badge(row)]]
    missing = [other for other in view.rows if other.speed == name][:1]
    return [[f"{label}, {parts.test_words(other.cell)}", None, None, parts.badge(other)] for other in missing]


def _derived(row: Row | None, label: str, name: str, of: Callable[[float], float | None]) -> list[list[Cell]]:
    """Return the line of a time that follows from the speed of `row`: the faster, the shorter."""
    if row is None or row.interval is None:
        return []
    low, high = row.interval.low, row.interval.high
    centre = of(row.interval.mean)
    bounds = None
    if low is not None and high is not None and centre is not None:
        bounds = metrics.span(of(high), of(low), metrics.decimals(centre))
    return [[label, metrics.with_unit(name, centre), bounds, row.state]]


def _prompt_time(row: Row | None) -> list[list[Cell]]:
    if row is None:
        return []
    tokens: int = row.cell["n_prompt"]
    if not tokens:
        return []
    label = f"Time for the {metrics.number(tokens)}-token prompt"
    return _derived(row, label, "prompt_time_ms", lambda tps: metrics.prompt_time_ms(tokens, tps))


def _key_words(view: View) -> Markdown | None:
    """Say which cells the key figures are of, and how far their lead over the other rows is established."""
    said = []
    for row, word in ((view.generation, "Generation"), (view.prompt, "Prompt")):
        if row is None:
            continue
        field = summary.contenders(summary.same_test(view.rows, row))
        lead = "highest" if view.imported else "fastest"
        others = f", the {lead} of {len(field)} cells" if len(field) > 1 else ""
        ties = (
            0
            if view.imported
            else sum(summary.standing(view.rows, other) == "~" for other in field if other is not row)
        )
        if len(field) > 1 and ties:
            others = f", the highest of {len(field)} cells, not established against {ties} of them (~)"
        said.append(markdown.text(f"{word}: {view.words(row)}{others}."))
    return markdown.join(said, " ") if said else None


def _section(view: View) -> Section:
    blocks = (
        _throughput(view) or markdown.text(None),
        parts.TIE_RULE if "~" in view.standings and not view.imported else None,
        markdown.text(parts.rules(view.imported)[-1], None),
        None if view.imported else _reasons(view),
    )
    return Section("Throughput", [block for block in blocks if block], "sweep")


def _throughput(view: View) -> Markdown | None:
    inside = view.imported
    compared = any(view.standings) and not inside
    planned = view.run.plan["launches"] if view.run.plan else None
    columns = [
        *view.head(),
        ("Processes" if inside else "Launches", RIGHT),
        (view.unit("token/s"), RIGHT),
        ("95 % interval", RIGHT),
        ("Min to max", RIGHT),
        ("Within a process", RIGHT) if inside else ("Validity", LEFT),
        *([("Fastest", LEFT)] if compared else []),
    ]
    lines = []
    for row, standing in zip(view.rows, view.standings, strict=True):
        n = len(row.launches)
        figure = markdown.bold(parts.mean(row)) if standing == "fastest" else parts.mean(row)
        lines.append(
            [
                *view.name(row),
                _processes(row) if inside else f"{n} of {planned}" if planned and n < planned else metrics.number(n),
                figure,
                _interval(row),
                _range(row),
                _within(row) if inside else parts.badge(row),
                *([standing] if compared else []),
            ]
        )
    return markdown.table(columns, lines) if lines else None


def _interval(row: Row) -> Markdown | None:
    width = row.interval.half_width_percent if row.interval else None
    if width is None:
        return None
    return markdown.lines(parts.interval(row), markdown.small(f"±{metrics.with_unit('half_width_percent', width)}"))


def _range(row: Row) -> str | None:
    if row.lowest is None or row.highest is None:
        return None
    return metrics.span(row.lowest, row.highest, metrics.decimals(row.highest))


def _processes(row: Row) -> Markdown:
    """Return how many processes an imported figure is of, and what they repeated."""
    entries = [record["payload"]["metrics"][row.speed] for record in row.launches]
    samples = sum(len(entry.get("samples") or [0]) for entry in entries)
    inside = f"{metrics.number(samples)} repetitions" if samples > len(entries) else None
    return markdown.lines(metrics.number(len(entries)), markdown.small(inside) if inside else None)


def _within(row: Row) -> str | None:
    """Return the standard deviation of the repetitions of one process, the largest that a file names."""
    entries = [record["payload"]["metrics"][row.speed] for record in row.launches]
    known = [entry["stddev"] for entry in entries if entry.get("stddev") is not None]
    return f"±{metrics.number(max(known))}" if known else None


def _reasons(view: View) -> Markdown | None:
    """Return every reason of the rows whose table cell could not hold them."""
    long = [
        row
        for row in view.rows
        if parts.inline_reasons(row) != row.reasons
        or len(row.reasons) > parts.INLINE_REASONS
        or any(len(reason) > parts.INLINE_CHARACTERS for reason in row.reasons)
    ]
    if not long:
        return None
    items = [
        Markdown(f"{markdown.text(view.words(row))}: {markdown.text(reason, None)}")
        for row in long
        for reason in row.reasons
    ]
    return markdown.details(f"All reasons ({len(items)})", markdown.bullets(items))


def _sweep(view: View) -> Drawing | None:
    """Draw the speed of prompts by their length, and of generation by its depth."""
    panels: list[spec.Spec] = []
    words: list[str] = []
    drawn: list[Row] = []
    for speed, word, field, axis, by in (
        ("pp_tps", "Prompt", "n_prompt", "Prompt, tokens", "length"),
        ("tg_tps", "Generation", "n_depth", "Depth of context, tokens", "depth"),
    ):
        rows = _of_one_kind([row for row in view.rows if row.speed == speed and row.interval])
        if len({row.cell[field] for row in rows}) < 2:
            continue
        names = list(dict.fromkeys(spec.series(row) for row in rows))
        values = [
            {"at": row.cell[field], "series": spec.series(row), **spec.bounds(row.interval)}
            for row in rows
            if row.interval
        ]
        layers = spec.line(spec.steps("at", axis), f"{word}, token/s", spec.colour("series", None, names))
        panels.append(spec.panel(values, layers, f"{word} by {by}"))
        speeds = ", ".join(f"{parts.mean(row)} token/s at {row.cell[field]:,}" for row in rows)
        words.append(f"{word.lower()} {speeds}")
        drawn += rows
    if not panels:
        return None
    title = spec.title(f"Speed by length: {spec.where(drawn, view.run)}", spec.setting(view.run, drawn))
    return Drawing(spec.said("Speed by length of prompt and depth of context", words), spec.whole(title, *panels))


def _of_one_kind(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that differ in nothing but the length: prompts without a context, outputs of the usual number."""
    plain = [row for row in rows if not {"load", "repack", "numa", "variant"} & set(row.cell)]
    plain = [row for row in plain if row.cell.get("settings") == plain[0].cell.get("settings")]
    if plain and plain[0].speed == "pp_tps":
        return [row for row in plain if not row.cell["n_depth"]]
    outputs = [row.cell["n_gen"] for row in plain]
    usual = max(sorted(set(outputs), reverse=True), key=outputs.count, default=0)
    return [row for row in plain if row.cell["n_gen"] == usual]


# ---- In the terminal ----


def _terminal(rows: Sequence[Row]) -> list[str]:
    return [
        parts.terminal_line("prompt", summary.headline(rows, "pp_tps")),
        parts.terminal_line("generation", summary.headline(rows, "tg_tps")),
    ]


# ---- Side by side ----


def _speeds(view: SideBySide) -> Drawing | None:
    """Draw the quantizations and builds of one run side by side."""
    panels: list[spec.Spec] = []
    words: list[str] = []
    drawn: list[Row] = []
    for speed, word in (("tg_tps", "Generation"), ("pp_tps", "Prompt")):
        top = summary.headline(view.rows, speed)
        if top is None:
            continue
        best: dict[tuple[str, str], Row] = {}
        alike = summary.launch_settings(top.cell)
        for row in summary.same_test(view.rows, top):
            if row.stamp or summary.launch_settings(row.cell) != alike:
                continue
            key = summary.combination(row.cell)
            if row.interval and (key not in best or row.interval.mean > _centre(best[key])):
                best[key] = row
        if len(best) < 2:
            continue
        values: Values = [
            {"name": f"{spec.plain(key[0], 20)}, {spec.plain(key[1], 30)}", **spec.stated(row)}
            for key, row in best.items()
            if row.interval
        ]
        values.sort(key=lambda value: (-value["mean"], value["name"]))
        y = spec.names("name", [value["name"] for value in values], 160)
        layers = spec.dots(y, f"{parts.test_words(top.cell)}, token/s")
        panels.append(spec.panel(values, layers, word, width=spec.PANEL - 60, height={"step": 30}))
        words += [f"{word.lower()} of {value['name']} {metrics.number(value['mean'])} token/s" for value in values]
        drawn += list(best.values())
    if not panels:
        return None
    of = f"{spec.plain(drawn[0].cell['model'], 40)} on {spec.plain(view.run.machine, 40)}"
    title = spec.title(f"Side by side: {of}", spec.setting(view.run, drawn))
    return Drawing(spec.said("Side by side", words), spec.whole(title, *panels))


def _centre(row: Row) -> float:
    return row.interval.mean if row.interval else 0.0


SUBJECT = Subject(
    name="speed",
    metrics=("pp_tps", "tg_tps", "token_time_ms", "prompt_time_ms", "half_width_percent"),
    kinds=("bench",),
    key_lines=_key_lines,
    key_words=_key_words,
    section=_section,
    figures=(("sweep", _sweep),),
    terminal=_terminal,
    compared=ratios.columns,
    compared_words=answers.words,
    compared_figure=("speeds", _speeds),
    columns=index_speed.columns,
    index_section=index_speed.section,
    index_figure=("machines", index_speed.fastest),
    model_figure=("machines", index_speed.machines),
)
