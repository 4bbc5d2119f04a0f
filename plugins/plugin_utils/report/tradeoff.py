# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page that sets what quantizations lose against what they gain: templates/tradeoff.md.j2, and its answer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import Interval
from ansible_collections.cloudbench.llama.plugins.module_utils.models import texts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import quality, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.quality import (
    CRITERIA,
    GENERATION,
    MEMORY,
    Basis,
    Criterion,
    Point,
    Reference,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import figures, markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import specification as spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.figures import Drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects import agreement
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects import quality as words
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Column, SideBySide

# How many that may be as good are named.
_NAMED = 4
_PREDICTED = (
    ("kld_mean", "KL divergence, mean"),
    ("kld_p99", f"KL divergence, 99{metrics.NO_BREAK}%"),
    ("top1_percent", f"Same token{metrics.NO_BREAK}%"),
)
# Seen on white and on black, and quieter than what it stands beside.
_GREY = "#7d8590"
_ON, _OFF = "on the frontier", "dominated"
# Losses of up to so many percent are drawn to scale, larger ones by their logarithm: some are 0, or below it.
_LINEAR_PERCENT = 0.1
# Of a figure, in pixels: its height, a letter's width and half its height, and the heights at which a name may stand
# beside its point.
_HEIGHT, _LETTER = 300, 6.5
_HEIGHTS = (-10, 14, -24, 28, -38, 42)
_TICKS = (-10.0, -1.0, -0.1, 0.0, 0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0, 1e5, 1e6, 1e7, 1e8)

RULE = (
    "Lost: how much higher the perplexity is than that of the reference, in percent; the geometric mean over the "
    "launches, each of which takes another part of the text, the same part for every row, with its 95 % t interval. "
    "KL divergence: how far what is predicted lies from what the reference predicts, mean over the tokens and over "
    "the launches, in nat; 0 is no difference. Same token: how often both hold the same token for the most likely."
)
DOMINATED_RULE = (
    "Dominated: another row is at least as good in both, loss and what it is named for, and established to be better "
    "in one: losses are compared part by part, speeds and times by their intervals, memory beyond 2 %. What a million "
    "tokens cost follows from generation."
)


class Traded(NamedTuple):
    """What the index and the page of a machine say of a page: its path, what it is of, and its answers."""

    path: str
    machine: str
    name: str
    answers: list[str]


# ---- Which run, which rows ----


def latest(runs: Sequence[Run]) -> dict[str, Run]:
    """Return the run that each page of this kind shows, by its path: the latest with a figure, else the latest asked.

    `runs`: those of one machine, in their order.
    """
    shown: dict[str, Run] = {}
    fruitful: set[str] = set()
    for run in runs:
        for path, rows in _by_page(run).items():
            has_figures = any(row.interval for row in rows)
            if has_figures or path not in fruitful:
                shown[path] = run
            if has_figures:
                fruitful.add(path)
    return shown


def _by_page(run: Run) -> dict[str, list[Row]]:
    """Return the rows of kind quality of a run by the page that shows them."""
    planned = run.plan["cells"] if run.plan else []
    launched = (launches[0]["payload"]["cell"] for launches in run.by_cell.values())
    # Most runs have none, and to put their cells in order takes longer than to look.
    if not any(map(quality.is_quality, (*planned, *launched))):
        return {}
    cells = [cell for cell in summary.cells(run) if quality.is_quality(cell)]
    by_page: dict[str, list[Row]] = {}
    for row in summary.rows(run, cells):
        by_page.setdefault(promised(run.machine, row.cell), []).append(row)
    return by_page


def promised(machine: str, cell: dict[str, Any]) -> str:
    """Return the path of the page of a cell of kind quality."""
    return summary.quality_path(summary.page_path(machine, cell))


def _rows(path: str, run: Run) -> list[Row]:
    """Return all rows of the model of a page."""
    cells = [cell for cell in summary.cells(run) if promised(run.machine, cell) == path]
    return summary.rows(run, cells)


class _Group(NamedTuple):
    """Rows of one basis: what they refer to, and their points."""

    basis: Basis
    reference: Reference
    points: list[Point]


def _groups(run: Run, rows: Sequence[Row]) -> list[_Group]:
    others = [row for row in rows if not quality.is_quality(row.cell)]
    groups = []
    for basis, alike in quality.by_basis(rows).items():
        points = quality.points(run, [*alike, *others])
        if points:
            groups.append(_Group(basis, quality.reference(run, alike), points))
    return groups


# ---- The answer, in words ----


def percent(interval: Interval | None) -> str:
    """Return a loss with its interval: 1.85 % (1.60 to 2.10)."""
    if interval is None:
        return metrics.NOT_AVAILABLE
    spread = words.span(interval)
    bounds = f" ({spread})" if spread else ", no interval of one launch"
    return f"{words.lost(interval.mean)}{metrics.NO_BREAK}%{bounds}"


def answer(run: Run, group: _Group) -> str:
    """Return which is the fastest of those that lose little enough, in a sentence without a full stop."""
    limit = quality.limit_percent(run)
    what = f"within {limit:g} % of the perplexity of {words.reference_words(group.reference)}"
    choice = quality.fastest_within(group.points, limit)
    if choice.best and choice.best.generation:
        tied = [point.name for point in choice.ties[:_NAMED]]
        more = [f"{len(choice.ties) - _NAMED} more"] if len(choice.ties) > _NAMED else []
        may = f"; not established against {', '.join([*tied, *more])} (~)" if tied else ""
        row = choice.best.generation
        speed = f"{parts.mean_with_unit(row, row.speed)} ({parts.test_words(row.cell)})"
        lost = percent(quality.loss(choice.best.quality))
        of = metrics.plural(choice.candidates, "candidate")
        return f"fastest {what}: {choice.best.name}, {speed}, lost {lost}, of {of}{may}"
    if choice.within:
        return f"{choice.within} {what}, of which this run has no speed that may be ranked"
    least = group.points[0]
    return f"nothing is established to be {what}; least lost: {least.name}, {percent(quality.loss(least.quality))}"


def _answers(run: Run, groups: Sequence[_Group]) -> list[str]:
    if len(groups) < 2:
        return [answer(run, group) for group in groups]
    return [f"{answer(run, group)} (context {group.basis.n_prompt}, text {group.basis.text})" for group in groups]


def traded(path: str, run: Run) -> Traded:
    """Return what other pages say of a page."""
    rows = _rows(path, run)
    model = parts.short_name(rows[0].cell["model"])
    return Traded(path, run.machine, model, _answers(run, _groups(run, rows)) or ["nothing was measured"])


def items(every: Sequence[Traded], near: Callable[[str], str] = str) -> Markdown | None:
    """Return a list of the pages with their answers, None without any."""
    if not every:
        return None
    return markdown.bullets(
        Markdown(
            f"{markdown.link(f'{each.name} on {each.machine}', near(each.path))}: "
            f"{markdown.text('; '.join(each.answers), None)}"
        )
        for each in every
    )


def terminal(run: Run, rows: Sequence[Row]) -> list[str]:
    """Return the lines of a terminal for the rows of one model; none where no quality was measured."""
    return [f"  {'quality':<11} {said}" for said in _answers(run, _groups(run, rows))]


# ---- The page ----


def context(path: str, run: Run) -> tuple[dict[str, Any], dict[str, figures.Figure]]:
    """Return the variables of templates/tradeoff.md.j2 for the page `path`, and its figures by name."""
    rows = _rows(path, run)
    view = SideBySide(path, run, rows)
    cell = rows[0].cell
    groups = _groups(run, rows)
    drawings = [(_figure_name(at), _drawing(run, group)) for at, group in enumerate(groups)]
    variables = {
        "title": f"Quality and speed of {parts.short_name(cell['model'])} on {run.machine}",
        "index": markdown.link("All results", view.relative(summary.INDEX)),
        "machine": markdown.link(run.machine, view.relative(summary.machine_path(run.machine))),
        "run": run,
        "date": parts.date(run.time),
        "records": parts.records_links(run, view.relative),
        "synthetic": parts.synthetic_words(cell["model"]) if parts.is_synthetic(run, cell) else None,
        "emulated": parts.EMULATED_WORDS if view.emulated else None,
        "alerts": agreement.alerts(run, path),
        "groups": [
            {
                "heading": markdown.heading(2, _heading(group)),
                "answer": _sentence(answer(run, group)),
                "facts": _facts(run, group),
                "figure": _figure_name(at),
                "table": _table(view, group),
                "left_out": _left_out(group),
            }
            for at, group in enumerate(groups)
        ],
        "nothing": None if groups else f"No quality was measured: {summary.why_nothing(run)}.",
        "rule": RULE,
        "dominated_rule": DOMINATED_RULE,
        "states_rule": parts.STATES_RULE,
        "command": markdown.fenced(run.plan["command"], "sh") if run.plan else parts.NO_PLAN,
    }
    return variables, figures.of_page(path, drawings)


def _sentence(said: str) -> Markdown:
    return markdown.bold(f"{said[:1].upper()}{said[1:]}.", None)


def _heading(group: _Group) -> str:
    return f"Against {words.reference_words(group.reference)}, context {metrics.number(group.basis.n_prompt)}"


def _figure_name(at: int) -> str:
    return f"tradeoff-{at + 1}" if at else "tradeoff"


def _facts(run: Run, group: _Group) -> Markdown:
    """Return what the figures are of, and what they refer to."""
    reference, basis = group.reference, group.basis
    counts = sorted({len(point.quality.figures) for point in group.points})
    shown = metrics.plural(counts[0], "launch") if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]} launches"
    synthetic = parts.is_synthetic(run, group.points[0].quality.cell)
    weights = "Weights: " + ("not on record" if synthetic is None else "synthetic" if synthetic else "real")
    chunks = metrics.plural(basis.chunks, "chunk")
    told = [
        f"{weights}.",
        f"Text: {texts.title(basis.text)}; {shown} of {chunks} of {metrics.plural(basis.n_prompt, 'token')}.",
        f"Reference: {reference.quantization}{f', file {reference.file}' if reference.file else ''}.",
    ]
    told += filter(None, [words.widened_words(reference)])
    speeds = [row for point in group.points for row in (point.generation, point.prompt) if row]
    tests = dict.fromkeys(parts.test_words(row.cell) for row in speeds)
    told.append(f"Speeds: {', '.join(tests)}, of the same run." if tests else "Speeds: none were measured in this run.")
    return markdown.bullets(told)


class _Column(NamedTuple):
    """A column: it is left out where none of its cells is known."""

    column: Column
    cells: list[Cell]


def _table(view: SideBySide, group: _Group) -> Markdown:
    points = group.points
    qualities = [point.quality for point in points]
    columns = [
        _Column(("Quantization", LEFT), [_link(view, row) for row in qualities]),
        _Column((parts.build_title(qualities), LEFT), [summary.way(row.cell) for row in qualities]),
        _Column(("Bits per weight", RIGHT), [_of_model(view.run, row, "bits_per_weight", _two) for row in qualities]),
        _Column(("File", RIGHT), [_of_model(view.run, row, "bytes", metrics.binary) for row in qualities]),
        _Column((f"Lost{metrics.NO_BREAK}%", RIGHT), [words.with_bounds(quality.loss(row)) for row in qualities]),
        *(_Column((title, RIGHT), [_mean(row, name) for row in qualities]) for name, title in _PREDICTED),
        _Column((view.unit("Generation, token/s"), RIGHT), [_speed(point.generation) for point in points]),
        _Column((view.unit("Prompt, token/s"), RIGHT), [_speed(point.prompt) for point in points]),
        _Column((view.unit("Peak memory"), RIGHT), [_known(point.peak_bytes, metrics.binary) for point in points]),
        _Column((view.unit("Load, cold"), RIGHT), [_seconds(point.load, "load_cold_s") for point in points]),
        _Column((view.unit("Load, warm"), RIGHT), [_seconds(point.load, "load_warm_s") for point in points]),
        _Column(("USD per million tokens", RIGHT), [_usd(point) for point in points]),
        _Column(("Dominated", LEFT), [_dominated(points, point) for point in points]),
    ]  # fmt: skip
    shown = [each for each in columns if any(cell is not None for cell in each.cells)]
    return markdown.table([each.column for each in shown], zip(*(each.cells for each in shown), strict=True))


def _mean(row: Row, name: str) -> Cell:
    return words.with_bounds(summary.mean_of(row, name), metrics.metric(name).formatter)


def _two(value: float) -> str:
    return metrics.number(float(value), 2)


def _link(view: SideBySide, row: Row) -> Markdown:
    return markdown.link(row.cell["quantization"], view.relative(summary.page_path(view.run.machine, row.cell)))


def _of_model(run: Run, row: Row, name: str, written: Callable[[Any], str]) -> Cell:
    model = parts.model_of(run, row) or {}
    return _known(model.get(name), written)


def _known(value: Any, written: Callable[[Any], str]) -> Cell:
    return written(value) if value else None


def _speed(row: Row | None) -> Cell:
    if row is None or row.interval is None:
        return None
    # Why it does not hold stands at the head of this page, or on that of its quantization.
    state = parts.state_words(row) if row.ranked else f"{row.state}, {parts.NOT_RANKED}"
    return markdown.lines(parts.mean(row), markdown.small(parts.interval(row)), markdown.small(state))


def _seconds(row: Row | None, name: str) -> Cell:
    return parts.mean_with_unit(row, name) if row else None


def _usd(point: Point) -> Cell:
    return metrics.number(point.usd.usd, parts.USD_PLACES) if point.usd else None


def _dominated(points: Sequence[Point], point: Point) -> Markdown:
    """Return in what a point is dominated and by which; "no" where it is not, as far as its figures hold."""
    if any(row and row.stamp for row in (point.generation, point.prompt)):
        return markdown.bold("wrong, see above")
    told, known = [], False
    for criterion in CRITERIA:
        known = known or criterion.of(point) is not None
        above = quality.dominators(points, point, criterion)
        if above:
            told.append(f"{criterion.name}: by {_short(points, above[0])}")
    if not known:
        return markdown.text("not known")
    return markdown.lines(*told) if told else markdown.text("no")


def _short(points: Sequence[Point], point: Point) -> str:
    """Return what a point is among others, without the build where all have one."""
    quantization, way = summary.combination(point.quality.cell)
    one_way = len({summary.way(each.quality.cell) for each in points}) == 1
    return quantization if one_way else f"{quantization}, {way}"


def _label(point: Point) -> str:
    """Return what a point is in a figure: in the build `default` its quantization, and its settings if it has any."""
    cell = point.quality.cell
    build = cell["build"] if cell["build"] != summary.REFERENCE_BUILD else ""
    return ", ".join(filter(None, (cell["quantization"], build, cell.get("variant"))))


def _left_out(group: _Group) -> Markdown | None:
    """Say which points the figure does not show, or why it shows no speed."""
    missing = [point for point in group.points if GENERATION.of(point) is None]
    if not missing:
        return None
    if _drawn(group) is MEMORY:
        words_of_all = "No figure has the speeds, for fewer than two of them may be ranked; this one has the memory."
        return markdown.text(words_of_all)
    why = [
        f"{_short(group.points, point)} ({point.generation.state if point.generation else 'no speed'})"
        for point in missing
    ]
    return markdown.text(
        f"Not in the figure, for their speed was not measured or may not be ranked: {', '.join(why)}.", None
    )


# ---- The figure ----


def _drawn(group: _Group) -> Criterion | None:
    """Return what the figure sets against loss: generation, memory where speeds may not be ranked, None without."""
    for criterion in (GENERATION, MEMORY):
        if sum(criterion.of(point) is not None for point in group.points) > 1:
            return criterion
    return None


def _drawing(run: Run, group: _Group) -> Drawing | None:
    """Draw what _drawn() says over what is lost, with the frontier."""
    criterion = _drawn(group)
    if criterion is None:
        return None
    known = [point for point in group.points if criterion.of(point)]
    unit, scale = ("MiB", 1 / 2**20) if criterion is MEMORY else ("token/s", 1.0)
    edge = quality.frontier(known, criterion)
    values: spec.Values = []
    told = []
    for point in known:
        figure, lost = criterion.of(point), quality.loss(point.quality)
        if figure is None or lost is None:
            continue
        kind = _ON if point in edge else _OFF
        across = {f"lost_{name}": value for name, value in spec.bounds(lost).items()}
        values.append({"name": spec.plain(_label(point), 40), "kind": kind, **spec.bounds(figure, scale), **across})
        told.append(
            f"{values[-1]['name']} {metrics.number(figure.mean * scale)} {unit}, lost {words.lost(lost.mean)} %, {kind}"
        )
    row = known[0].generation
    rows = [point.generation for point in known if point.generation]
    what = "Peak memory" if criterion is MEMORY else parts.test_words(row.cell) if row else ""
    notes = [f"reference {words.reference_words(group.reference)}", "line: the frontier", *spec.setting(run, rows)]
    model = f"{spec.plain(group.basis.model, 40)} on {spec.plain(run.machine, 40)}"
    title = spec.title(f"Quality and {'memory' if criterion is MEMORY else 'speed'}: {model}", notes)
    lost_words = f"Perplexity lost to {words.reference_words(group.reference)}, %"
    whole = _plot(values, f"{what}, {unit}", lost_words)
    return Drawing(spec.said(f"{criterion.name.capitalize()} and perplexity lost", told), {"title": title, **whole})


def _plot(values: spec.Values, gained: str, lost: str) -> spec.Spec:
    low, high = (of(value[f"lost_{name}"] for value in values) for of, name in ((min, "low"), (max, "high")))
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    # The scale begins and ends at a tick.
    ends = [
        max((tick for tick in _TICKS if tick <= low), default=low), min((t for t in _TICKS if t >= high), default=high)
    ]  # fmt: skip
    scale = {"type": "symlog", "constant": _LINEAR_PERCENT, "domain": ends, "nice": False, "zero": False}
    x = {
        "type": "quantitative",
        "title": lost,
        "scale": scale,
        "axis": {"values": sorted({*ticks, *ends}), "format": "~r"},
    }
    # Points and no bars: nothing begins at 0, and what is drawn has all the height.
    bottom, top = min(value["low"] for value in values), max(value["high"] for value in values)
    air = 0.06 * (top - bottom or top)
    heights = (bottom - air, top + air)
    y = {"type": "quantitative", "title": gained, "scale": {"zero": False, "nice": False, "domain": list(heights)}}
    colour = {
        "field": "kind", "type": "nominal", "scale": {"domain": [_ON, _OFF], "range": [spec.BLUE, _GREY]},
        "legend": {"title": None, "orient": "bottom", "columnPadding": 28},
    }  # fmt: skip
    shape = {**colour, "scale": {"domain": [_ON, _OFF], "range": ["circle", "cross"]}}
    across = {**x, "field": "lost_mean"}
    up = {**y, "field": "mean"}
    edge = sorted((value for value in values if value["kind"] == _ON), key=lambda value: value["lost_mean"])
    layers: list[spec.Spec] = [
        {
            "data": {"values": edge},
            "mark": {"type": "line", "interpolate": "step-after", "color": spec.BLUE, "strokeDash": [5, 4]},
            "encoding": {"x": across, "y": up},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2},
            "encoding": {"x": across, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2},
            "encoding": {"x": {**x, "field": "lost_low"}, "x2": {"field": "lost_high"}, "y": up, "color": colour},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
            "encoding": {"x": across, "y": up, "color": colour, "shape": shape},
        },
    ]
    placed = _placed(values, ends, heights)
    for kind, more in ((_ON, {}), (_OFF, {"color": _GREY})):
        at = {name: {"expr": f"datum.{name}"} for name in ("align", "dx", "dy")}
        layers.append(
            {
                "data": {"values": [value for value in placed if value["kind"] == kind]},
                "mark": {"type": "text", **at, "fontSize": 12, **more},
                "encoding": {"x": across, "y": up, "text": {"field": "name", "type": "nominal"}},
            }
        )
    return {"width": spec.WIDE, "height": _HEIGHT, "data": {"values": values}, "layer": layers}


def _placed(values: spec.Values, ends: Sequence[float], heights: tuple[float, float]) -> spec.Values:
    """Return the values with where their names stand: inwards, at the first height where they cover nothing.

    Where there is none that is free of intervals as well, one that covers an interval and neither point nor name.
    `ends`: those of the scale of losses; `heights`: those of the other. A name without a free place is left out.
    """

    def across(value: float) -> float:
        return math.copysign(math.log1p(abs(value) / _LINEAR_PERCENT), value)

    low, high = map(across, ends)
    floor, top = heights

    def right(lost: float) -> float:
        return (across(lost) - low) / ((high - low) or 1) * spec.WIDE

    def down(figure: float) -> float:
        return (1 - (figure - floor) / (top - floor)) * _HEIGHT

    at = {value["name"]: (right(value["lost_mean"]), down(value["mean"])) for value in values}
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in at.values()]
    rules = [
        box
        for value in values
        for x, y in [at[value["name"]]]
        for box in (
            (x - 1, down(value["high"]), x + 1, down(value["low"])),
            (right(value["lost_low"]), y - 1, right(value["lost_high"]), y + 1),
        )
    ]
    placed: spec.Values = []
    for value in sorted(values, key=lambda value: (value["lost_mean"], value["name"])):
        x, y = at[value["name"]]
        inwards = -1 if x > spec.WIDE / 2 else 1
        width = len(value["name"]) * _LETTER
        places = [(side, dy) for dy in _HEIGHTS for side in (inwards, -inwards)]
        for besides, (side, dy) in itertools.product((rules, []), places):
            begin = x + 8 if side > 0 else x - 8 - width
            box = (begin, y + dy - _LETTER, begin + width, y + dy + _LETTER)
            inside = box[0] >= 0 and box[2] <= spec.WIDE
            if (inside or side == inwards) and not any(_covers(box, other) for other in (*taken, *besides)):
                taken.append(box)
                placed.append({**value, "align": "left" if side > 0 else "right", "dx": 8 * side, "dy": dy})
                break
    return placed


def _covers(box: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
