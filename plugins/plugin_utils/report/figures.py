# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the pages, as Vega-Lite specifications: what is shown, with its unit, its interval and its n.

A figure is a function of the records, as a page is. Colours are those of Okabe and Ito, which people with any kind of
colour vision tell apart; and no figure says by colour alone what it says. drawing.py makes SVG of a specification.

Source: Vega-Lite 5 (https://vega.github.io/vega-lite/docs/).
"""

from __future__ import annotations

import html
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import workload
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import Interval
from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import parameters
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import cost, roofline, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import Markdown

Spec = dict[str, Any]
Values = list[dict[str, Any]]

# Okabe and Ito, https://jfly.uni-koeln.de/color/; all of them are seen on white and on black.
BLUE, ORANGE, GREEN, PINK, SKY, VERMILION = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
COLOURS = (SKY, ORANGE, GREEN, PINK, VERMILION, BLUE)

FOLDER = "figures"
# What one panel holds, in pixels; two of them stand side by side.
PANEL, WIDE, HIGH = 270, 620, 200
# Points of a line over time.
MOST_POINTS = 240
# Launches whose tokens of a prompt are computed at once: llama.cpp's own default of --ubatch-size.
UBATCH = 512
# FLOP per byte from which on the name of a point stands to its left, inside of the figure.
MIDDLE = 30
BOUND = "; dashed: limit of the memory bandwidth"


class Figure(NamedTuple):
    """One figure: its path relative to the results directory, without theme and extension, what it says in words for
    those who do not see it, and its specification without colours of paper and ink.
    """

    path: str
    alt: str
    spec: Spec


def file_name(path: str, theme: str) -> str:
    """Return the path of the drawing of a figure in a theme, light or dark."""
    return f"{path}-{theme}.svg"


def picture(figure: Figure, page: str) -> Markdown:
    """Return what shows `figure` on the page of the path `page`, dark where the reader has it dark."""
    path = posixpath.relpath(figure.path, posixpath.dirname(page))
    light, dark = (html.escape(str(file_name(path, theme))) for theme in ("light", "dark"))
    alt = html.escape(markdown.visible(figure.alt))
    return Markdown(
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}"><img src="{light}" alt="{alt}">'
        "</picture>"
    )


def _path(page: str, name: str) -> str:
    folder, file = posixpath.split(page)
    stem = "" if file == summary.INDEX else f"{file.removesuffix('.md')}-"
    return posixpath.join(folder, FOLDER, stem + name)


# ---- Pieces of specifications ----


def _title(title: str, notes: Iterable[str | None], width: int) -> Spec:
    """Return a title with the notes below it, in lines that fit `width` pixels."""
    lines = [""]
    for note in filter(None, notes):
        longer = f"{lines[-1]}; {note}" if lines[-1] else note
        if len(longer) * 6 > width and lines[-1]:
            lines.append(note)
        else:
            lines[-1] = longer
    shown = [_plain(line, 110) for line in lines if line]
    return {"text": _plain(title, 80), "subtitle": shown}


def _plain(value: object, limit: int = 60) -> str:
    return markdown.shorten(markdown.visible(value), limit)


def _number(field: str, title: str, zero: bool = True, **more: Any) -> Spec:
    return {"field": field, "type": "quantitative", "title": title, "scale": {"zero": zero, "nice": True}, **more}


def _steps(field: str, title: str, **more: Any) -> Spec:
    return {"field": field, "type": "ordinal", "title": title, "axis": {"labelAngle": 0}, **more}


def _colour(field: str, title: str | None, domain: Sequence[str], known: Sequence[str] = ()) -> Spec:
    """Return the channel of colour; what stands in `known` has its place there, and so one colour on all pages."""
    legend = {"title": title, "orient": "bottom"} if len(domain) > 1 else None
    places = [known.index(name) if name in known else at for at, name in enumerate(domain)]
    colours = [COLOURS[place % len(COLOURS)] for place in places]
    return {
        "field": field,
        "type": "nominal",
        "legend": legend,
        "scale": {"domain": list(domain), "range": colours},
    }


def _bounds(interval: Interval, scale: float = 1.0) -> dict[str, float]:
    """Return mean, low and high of an interval; without bounds, those are the mean: no bar is drawn then."""
    low, high = interval.low, interval.high
    mean = interval.mean * scale
    return {
        "mean": _short(mean),
        "low": _short(mean if low is None else low * scale),
        "high": _short(mean if high is None else high * scale),
    }


def _short(value: float) -> float:
    """Return a number with the digits that a figure can show: others would only make its file another one."""
    return float(f"{value:.5g}")


def _line(x: Spec, y: str, colour: Spec | None = None, dash: bool = False) -> list[Spec]:
    """Return the layers of a line with points and intervals over `x`; the values have mean, low and high."""
    shared = {"x": x, **({"color": colour} if colour else {})}
    title = {"title": y}
    plain = {} if colour else {"color": SKY}
    return [
        {
            "mark": {"type": "line", **plain, **({"strokeDash": [5, 4]} if dash else {})},
            "encoding": {**shared, "y": _number("mean", y)},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2, **plain},
            "encoding": {**shared, "y": _number("low", y), "y2": {"field": "high", **title}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 50, "opacity": 1, **plain},
            "encoding": {**shared, "y": _number("mean", y)},
        },
    ]


def _bars(y: Spec, x: str, colour: Spec | None = None) -> list[Spec]:
    """Return the layers of bars with intervals over the names `y`; the values have mean, low and high."""
    mark: Spec = {"type": "bar"} if colour else {"type": "bar", "color": SKY}
    rule: Spec = {"type": "rule", "strokeWidth": 2}
    return [
        {"mark": mark, "encoding": {"y": y, "x": _number("mean", x), **({"color": colour} if colour else {})}},
        {
            "mark": rule if colour else {**rule, "color": VERMILION},
            "encoding": {"y": y, "x": _number("low", x), "x2": {"field": "high"}},
        },
    ]


def _panel(values: Values, layers: list[Spec], title: str | None = None, **more: Any) -> Spec:
    return {
        "width": PANEL,
        "height": HIGH,
        **({"title": {"text": title, "fontSize": 12}} if title else {}),
        "data": {"values": values},
        "layer": layers,
        **more,
    }


def _whole(title: Spec, *panels: Spec) -> Spec:
    """Return a specification of one panel, or of panels side by side."""
    if len(panels) == 1:
        only = {**panels[0], "width": WIDE}
        only.pop("title", None)
        return {"title": title, **only}
    return {"title": title, "hconcat": list(panels), "spacing": 30, "resolve": {"scale": {"color": "independent"}}}


# ---- What is said below every title ----


def _setting(run: Run, rows: Sequence[Row]) -> list[str | None]:
    """Return what the figures are of: launches, interval, emulation, synthetic weights, and how far they hold."""
    counts = sorted({len(row.figures) for row in rows if row.figures})
    n = f"n = {_range(counts)} {_launches(counts)} each, 95 % interval" if counts else None
    weights = "synthetic weights" if rows and parts.is_synthetic(run, rows[0].cell) else None
    states = sorted({row.state for row in rows if row.launches} - {summary.VALID})
    return [
        n,
        weights,
        "emulated: no speed of a real machine" if summary.emulated(run) else None,
        f"{', '.join(states)}: see the page" if states else None,
    ]


def _range(counts: Sequence[int]) -> str:
    return str(counts[0]) if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"


def _launches(counts: Sequence[int]) -> str:
    return "launch" if counts[-1] == 1 else "launches"


def _said(figure: str, values: Iterable[str]) -> str:
    return f"{figure}: {'; '.join(values)}."


def _where(rows: Sequence[Row], run: Run) -> str:
    cell = rows[0].cell
    return f"{_plain(cell['model'], 40)} {_plain(cell['quantization'], 20)} on {_plain(run.machine, 40)}"


def _series(row: Row) -> str:
    threads = parts.plural(row.cell["threads"], "thread") if row.cell["threads"] else "threads by the ladder"
    return f"{_plain(row.cell['build'], 30)}, {threads}"


# ---- The figures of a page ----


def _sweep(run: Run, rows: Sequence[Row]) -> tuple[str, Spec] | None:
    """Return the speed of prompts by their length, and of generation by its depth."""
    panels, words, used = [], [], []
    for speed, word, field, axis in (
        ("pp_tps", "Prompt", "n_prompt", "Prompt, tokens"),
        ("tg_tps", "Generation", "n_depth", "Depth of context, tokens"),
    ):
        own = _of_one_kind([row for row in rows if row.speed == speed and row.interval])
        if len({row.cell[field] for row in own}) < 2:
            continue
        names = list(dict.fromkeys(_series(row) for row in own))
        values = [
            {"at": row.cell[field], "series": _series(row), **_bounds(row.interval)} for row in own if row.interval
        ]
        panels.append(
            _panel(
                values,
                _line(_steps("at", axis), f"{word}, token/s", _colour("series", None, names)),
                f"{word} by {'length' if speed == 'pp_tps' else 'depth'}",
            )
        )
        words.append(f"{word.lower()} {', '.join(f'{_mean(row)} token/s at {row.cell[field]:,}' for row in own)}")
        used += own
    if not panels:
        return None
    title = _title(f"Speed by length: {_where(used, run)}", _setting(run, used), WIDE)
    return _said("Speed by length of prompt and depth of context", words), _whole(title, *panels)


def _of_one_kind(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that differ in nothing but the length: prompts without a context, outputs of the usual number."""
    plain = [row for row in rows if not {"load", "repack", "numa"} & set(row.cell)]
    if plain and plain[0].speed == "pp_tps":
        return [row for row in plain if not row.cell["n_depth"]]
    outputs = [row.cell["n_gen"] for row in plain]
    usual = max(sorted(set(outputs), reverse=True), key=outputs.count, default=0)
    return [row for row in plain if row.cell["n_gen"] == usual]


def _mean(row: Row) -> str:
    return metrics.number(row.interval.mean) if row.interval else metrics.NOT_AVAILABLE


def _latency(run: Run, others: Sequence[Row]) -> tuple[str, Spec] | None:
    """Return what one user waits, against the output of all of them, by the number of users."""
    served = [row for row in others if workload.kind(row.cell) == workload.SERVE and row.interval]
    rows = sorted((row for row in served if "rate" not in row.cell), key=lambda row: row.cell.get("concurrency", 1))
    if len({row.cell.get("concurrency", 1) for row in rows}) < 2:
        return None
    sets = list(dict.fromkeys((row.cell["n_prompt"], row.cell["n_gen"]) for row in rows))
    rows = [row for row in rows if (row.cell["n_prompt"], row.cell["n_gen"]) == sets[0]]
    panels, words = [], []
    for name, axis in (("ttft_s", "Time to first token, ms"), ("tpot_s", "Time per output token, ms")):
        values = []
        for row in rows:
            found, output = summary.mean_of(row, name), summary.mean_of(row, "output_tps")
            if found and output:
                users = parts.plural(row.cell.get("concurrency", 1), "user")
                values.append({"output": _short(output.mean), "users": users, **_bounds(found, 1000)})
                words.append(f"{users}: {axis.lower()} {metrics.number(1000 * found.mean)}")
        layers = _line(_number("output", "Output of all users, token/s"), axis)
        label = {
            "mark": {"type": "text", "dy": -12, "fontSize": 12},
            "encoding": {
                "x": _number("output", "Output of all users, token/s"),
                "y": _number("mean", axis),
                "text": {"field": "users", "type": "nominal"},
            },
        }
        # In the order of users, and not of throughput, which may fall again.
        layers[0]["encoding"]["order"] = {"field": "order", "type": "quantitative"}
        for at, value in enumerate(values):
            value["order"] = at
        panels.append(_panel(values, [*layers, label], axis.partition(",")[0]))
    load = f"{sets[0][0]} tokens in, {sets[0][1]} out, medians of the launches"
    title = _title(f"Latency against load: {_where(rows, run)}", [load, *_setting(run, rows)], WIDE)
    return _said("Latency against throughput", words), _whole(title, *panels)


def _threads(run: Run, path: str) -> tuple[str, Spec] | None:
    """Return the ladders of threads, that of generation with what the memory bandwidth would allow."""
    advised = [record["payload"] for record in run.others.get("threads", [])]
    advice = advised[-1] if advised else None
    model = run.models.get(advice["model"]) if advice else None
    if advice is None or model is None:
        return None
    panels, words = [], []
    counts: list[int] = []
    for name, word in (("generation", "Generation"), ("prompt", "Prompt")):
        found = advice.get(name)
        rungs = [rung for rung in (found or {}).get("ladder", []) if not rung.get("numa")]
        if len(rungs) < 2:
            continue
        counts += [rung["n"] for rung in rungs]
        values = [
            {
                "threads": rung["threads"],
                "what": "measured",
                **_bounds(Interval(rung["mean"], rung.get("low"), rung.get("high"), rung["n"], None)),
            }
            for rung in rungs
        ]
        layers = _line(_steps("threads", "Threads"), f"{word}, token/s")
        bound = _bandwidth_bound(run, model, rungs, found) if name == "generation" else []
        if bound:
            layers += [
                {
                    "data": {"values": bound},
                    "mark": {"type": "line", "color": ORANGE, "strokeDash": [5, 4], "point": {"color": ORANGE}},
                    "encoding": {"x": _steps("threads", "Threads"), "y": _number("mean", f"{word}, token/s")},
                },
            ]
        panels.append(_panel(values, layers, f"{word}: best {found['best']}{BOUND if bound else ''}"))
        speeds = ", ".join(f"{metrics.number(rung['mean'])} token/s with {rung['threads']}" for rung in rungs)
        words.append(f"{word.lower()} {speeds}")
        if bound:
            words.append(f"the memory bandwidth allows {metrics.number(bound[-1]['mean'])} token/s")
    if not panels:
        return None
    mark = "emulated: no speed of a real machine" if summary.emulated(run) else None
    weights = "synthetic weights" if model["synthetic"] else None
    state = f"{summary.INVALID} session: see the page" if summary.drift(run) else None
    of = f"{_plain(model['name'], 40)} {_plain(model['quantization'], 20)} on {_plain(run.machine, 40)}"
    n = f"n = {_range(sorted(counts))} short launches each, 95 % interval"
    return _said("Threads", words), _whole(_title(f"Threads: {of}", [n, weights, mark, state], WIDE), *panels)


def _bandwidth_bound(run: Run, model: Payload, rungs: Sequence[Payload], found: Payload) -> Values:
    """Return the token/s that reading all weights would allow, for the threads whose bandwidth was measured."""
    generated = next(
        (
            record["payload"]["cell"]
            for record in run.launches
            if record["payload"]["cell"].get("purpose") and record["payload"]["cell"]["n_gen"]
        ),
        None,
    )
    each = roofline.token_bytes(model, generated or {"n_depth": 0, "n_gen": 0})
    if not each:
        return []
    known = summary.bandwidths(run)
    bound = []
    for rung in rungs:
        rates = [one["read_gb_s"]["best"] for one in known if one["threads"] == rung["threads"]]
        if rates:
            bound.append({"threads": rung["threads"], "mean": _short(max(rates) * 1e9 / each)})
    return bound


def _roofline(run: Run, rows: Sequence[Row]) -> tuple[str, Spec] | None:
    """Return how near prompts and generation are to what memory and arithmetic of the machine allow."""
    found = summary.bandwidths(run)
    chosen = [row for row in (summary.headline(rows, "pp_tps"), summary.headline(rows, "tg_tps")) if row]
    if not found or not chosen:
        return None
    points: Values = []
    words = []
    peak: float | None = None
    top: float | None = None
    for row in chosen:
        model = next((one for one in parts.models(run, [row.cell], row.launches)), None)
        shape = roofline.shape_of(model) if model else None
        weights = roofline.weight_bytes(model) if model else None
        if model is None or shape is None or not weights or row.interval is None:
            continue
        limit = roofline.ceiling(found, row.cell["threads"])
        arithmetic = roofline.arithmetic(found, row.cell["threads"])
        if limit is None or arithmetic is None:
            continue
        peak, top = arithmetic, limit.read_gb_s
        operations = 2 * parameters(shape) * (1 - roofline.embedding_share(shape))
        if row.speed == "pp_tps":
            intensity = operations * min(row.cell["n_prompt"], UBATCH) / weights
        else:
            intensity = operations / (roofline.token_bytes(model, row.cell) or weights)
        rate = operations * row.interval.mean / 1e9
        name = f"{parts.test_words(row.cell)}, {parts.plural(row.cell['threads'], 'thread')}"
        points.append({"x": _short(intensity), "y": _short(rate), "name": name})
        words.append(f"{name}: {metrics.number(rate)} GFLOP/s at {metrics.number(intensity)} FLOP per byte")
    if not points or peak is None or top is None:
        return None
    left, right = min(0.5, *(p["x"] for p in points)), max(1000.0, *(2 * p["x"] for p in points))
    roof = [{"x": x, "y": _short(min(peak, top * x))} for x in (left, _short(peak / top), right)]
    x = {"field": "x", "type": "quantitative", "title": "FLOP per byte read", "scale": {"type": "log"}}
    y = {"field": "y", "type": "quantitative", "title": "GFLOP/s", "scale": {"type": "log"}}
    limits = f"{metrics.number(top)} GB/s read, {metrics.number(peak)} GFLOP/s of 32-bit FMA, measured"
    spec = {
        "width": WIDE,
        "height": HIGH,
        "layer": [
            {
                "data": {"values": roof},
                "mark": {"type": "line", "color": ORANGE, "strokeDash": [5, 4]},
                "encoding": {"x": x, "y": y},
            },
            {
                "data": {"values": points},
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1, "color": SKY},
                "encoding": {"x": x, "y": y},
            },
            *(
                {
                    "data": {"values": [point for point in points if (point["x"] > MIDDLE) == far]},
                    "mark": {"type": "text", "align": align, "dx": dx, "dy": 14, "fontSize": 12},
                    "encoding": {"x": x, "y": y, "text": {"field": "name", "type": "nominal"}},
                }
                for far, align, dx in ((False, "left", 8), (True, "right", -4))
            ),
        ],
    }
    notes = [limits, "integer kernels may lie above the roof", *_setting(run, chosen)]
    words.append(f"the roof is {limits}")
    return _said("Roofline", words), {"title": _title(f"Roofline: {_where(chosen, run)}", notes, WIDE), **spec}


_BUFFERS = (
    ("model_buffer_bytes", "model"),
    ("repack_buffer_bytes", "repacked"),
    ("kv_buffer_bytes", "KV"),
    ("compute_buffer_bytes", "compute"),
)


def _memory(run: Run, rows: Sequence[Row]) -> tuple[str, Spec] | None:
    """Return the buffers of the cells that ask for different ones, and the peak of the process."""
    shown: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        sizes = [max(summary.values(row, name), default=0) for name, _word in _BUFFERS]
        peak = max(summary.values(row, "rss_peak_bytes"), default=0)
        if any(sizes) and peak:
            shown.setdefault((row.cell["build"], *sizes), row)
    if not shown:
        return None
    values, peaks, words = [], [], []
    for row in list(shown.values())[:10]:
        name = f"{parts.test_words(row.cell)}, {_plain(row.cell['build'], 20)}"
        for at, (metric, word) in enumerate(_BUFFERS):
            size = max(summary.values(row, metric), default=0)
            values.append({"cell": name, "buffer": word, "gib": _short(size / 2**30), "order": at})
        peak = max(summary.values(row, "rss_peak_bytes"), default=0)
        peaks.append({"cell": name, "gib": _short(peak / 2**30)})
        words.append(f"{name} peaks at {metrics.binary(peak)}")
    order = list(dict.fromkeys(value["cell"] for value in values))
    y = {"field": "cell", "type": "nominal", "title": None, "sort": order, "axis": {"labelLimit": 220}}
    # A peak per cell, and a total of buffers: the scale begins at 0 and is one.
    spec = {
        "width": WIDE - 180,
        "height": {"step": 26},
        "layer": [
            {
                "data": {"values": values},
                "mark": {"type": "bar"},
                "encoding": {
                    "y": y,
                    "x": {**_number("gib", "GiB"), "stack": "zero"},
                    "color": _colour("buffer", "Buffer of", [word for _metric, word in _BUFFERS]),
                    "order": {"field": "order", "type": "quantitative"},
                },
            },
            {
                "data": {"values": peaks},
                "mark": {"type": "tick", "thickness": 3, "size": 24},
                "encoding": {"y": y, "x": _number("gib", "GiB")},
            },
        ],
    }
    notes = ["the mark is the peak of resident memory", *_largest_of(run, list(shown.values()))]
    title = _title(f"Memory: {_where(list(shown.values()), run)}", notes, WIDE)
    return _said("Memory", words), {"title": title, **spec}


def _largest_of(run: Run, rows: Sequence[Row]) -> list[str | None]:
    counts = sorted({len(row.launches) for row in rows})
    return [f"largest of n = {_range(counts)} launches", *_setting(run, rows)[1:3]]


_LOADS = (
    ("load_cold_s", "cold: ready"),
    ("first_token_cold_s", "cold: first token"),
    ("load_read_s", "cold: reading"),
    ("load_repack_s", "repacking"),
    ("load_warm_s", "warm: ready"),
    ("first_token_warm_s", "warm: first token"),
)


def _load(run: Run, others: Sequence[Row]) -> tuple[str, Spec] | None:
    """Return how long a server takes until it is ready, cold and warm, and what of."""
    rows = [row for row in others if workload.kind(row.cell) == workload.LOAD and row.interval]
    if not rows:
        return None
    row = rows[0]
    values, words = [], []
    for name, word in _LOADS:
        found = summary.mean_of(row, name)
        if found:
            values.append({"what": word, **_bounds(found)})
            words.append(f"{word} {metrics.number(found.mean)} s")
    y = {"field": "what", "type": "nominal", "title": None, "sort": [v["what"] for v in values]}
    spec = {
        "width": WIDE - 120,
        "height": {"step": 26},
        "data": {"values": values},
        "layer": _bars(y, "Seconds"),
    }
    notes = [parts.plural(row.cell["threads"], "thread"), *_setting(run, [row])]
    return _said("Load time", words), {"title": _title(f"Load time: {_where([row], run)}", notes, WIDE), **spec}


def _use(run: Run, path: str) -> tuple[str, Spec] | None:
    """Return what processors and memory did over the run, with what ran when."""
    records = sorted(
        (
            record["payload"]
            for record in run.others.get("samples", [])
            if summary.page_path(run.machine, record["payload"]["cell"]) == path and record["payload"]["time_s"]
        ),
        key=lambda one: one["start"],
    )
    if not records:
        return None
    begin = records[0]["start"]
    last = max(one["start"] - begin + one["time_s"][-1] for one in records)
    step = max(1.0, last / MOST_POINTS)
    busy: dict[tuple[int, int], list[float]] = {}
    memory: dict[tuple[int, int], list[float]] = {}
    spans = []
    for at, one in enumerate(records):
        offset = one["start"] - begin
        spans.append({"from": _short(offset), "to": _short(offset + one["time_s"][-1]), "what": _kind(one["cell"])})
        idle, waiting, rss = (one.get(name) or [] for name in ("idle", "iowait", "rss_bytes"))
        for index, time in enumerate(one["time_s"]):
            key = (int((offset + time) / step), at)
            left = idle[index] if index < len(idle) else None
            wait = waiting[index] if index < len(waiting) else None
            if left is not None:
                busy.setdefault(key, []).append(max(0.0, 100 - left - (wait or 0.0)))
            if index < len(rss) and rss[index] is not None:
                memory.setdefault(key, []).append(rss[index] / 2**30)

    def points(found: Mapping[tuple[int, int], list[float]]) -> Values:
        return [
            {"t": _short(slot * step), "launch": at, "v": _short(sum(own) / len(own))}
            for (slot, at), own in sorted(found.items())
        ]

    kinds = list(dict.fromkeys(str(span["what"]) for span in spans))
    x: Spec = {"field": "t", "type": "quantitative", "title": None, "scale": {"domain": [0, _short(last)]}}
    panels = [
        {
            "width": WIDE,
            "height": 26,
            "data": {"values": spans},
            "mark": {"type": "rect"},
            "encoding": {
                "x": {**x, "field": "from", "axis": None},
                "x2": {"field": "to"},
                "color": _colour("what", "What ran", kinds, _KINDS),
            },
        }
    ]
    for found, axis, domain in ((busy, "All CPUs, %", [0, 100]), (memory, "RSS, GiB", None)):
        if found:
            scale: Spec = {"domain": domain} if domain else {"zero": True, "nice": True}
            panels.append(
                {
                    "width": WIDE,
                    "height": 90,
                    "data": {"values": points(found)},
                    "mark": {"type": "line", "color": SKY, "strokeCap": "round"},
                    "encoding": {
                        "x": {**x, "title": "Seconds since the first launch" if found is memory else None},
                        "y": {"field": "v", "type": "quantitative", "title": axis, "scale": scale},
                        "detail": {"field": "launch"},
                    },
                }
            )
    if len(panels) < 2:
        return None
    every = [value for own in busy.values() for value in own]
    top = max((value for own in memory.values() for value in own), default=0.0)
    words = [f"{len(records)} launches over {metrics.number(round(last))} s"]
    words += [f"processors busy {metrics.one_place(sum(every) / len(every))} % on average"] if every else []
    words += [f"resident memory up to {metrics.number(top)} GiB"] if top else []
    cell = records[0]["cell"]
    of = f"{_plain(cell['model'], 40)} {_plain(cell['quantization'], 20)} on {_plain(run.machine, 40)}"
    notes = [
        f"n = {len(records)} launches, once a second from /proc" + (f", means of {step:.0f} s" if step > 1 else ""),
        "emulated: no speed of a real machine" if summary.emulated(run) else None,
    ]
    spec = {"vconcat": panels, "spacing": 8}
    return _said("Processors and memory over the run", words), {"title": _title(f"Use: {of}", notes, WIDE), **spec}


_KINDS = ("generation", "prompt", "server", "batch", "load", "thread ladder")


def _kind(cell: Payload) -> str:
    if cell.get("purpose") == workload.LADDER:
        return "thread ladder"
    kind = workload.kind(cell)
    names = {workload.SERVE: "server", workload.BATCH: "batch", workload.LOAD: "load"}
    return names.get(kind, "prompt" if summary.speed_of(cell) == "pp_tps" else "generation")


def _history(runs: Sequence[Run], path: str) -> tuple[str, Spec] | None:
    """Return the two key figures of a page over all its runs; a line joins those of one setup only."""
    panels, words = [], []
    counts: list[int] = []
    for speed, word in (("tg_tps", "Generation"), ("pp_tps", "Prompt")):
        values: Values = []
        latest: Row | None = None
        for run in reversed(runs):
            if summary.emulated(run):
                continue
            rows = summary.rows(run, summary.pages(run)[path])
            found = [latest] if latest is None else summary.same_test(rows, latest)
            row = summary.headline(rows, speed) if latest is None else summary.headline([r for r in found if r], speed)
            if row is None or row.interval is None:
                continue
            latest = latest or row
            keys = sorted({str(record["payload"].get("key")) for record in row.launches})
            counts.append(len(row.figures))
            values.append({"t": run.time[:19] + "Z", "setup": " ".join(keys), **_bounds(row.interval)})
        if len(values) < 2 or latest is None:
            continue
        names = list(dict.fromkeys(value["setup"] for value in values))
        for value in values:
            value["setup"] = f"setup {len(names) - names.index(value['setup'])}"
        shown = [f"setup {len(names) - at}" for at in range(len(names))][::-1]
        x = {"field": "t", "type": "temporal", "timeUnit": "utcyearmonthdatehoursminutes", "title": "Run (UTC)"}
        axis = f"{parts.test_words(latest.cell)}, token/s"
        panels.append(_panel(values, _line(x, axis, _colour("setup", "Comparable", shown)), word))
        words.append(f"{word.lower()} {', '.join(metrics.number(value['mean']) for value in reversed(values))} token/s")
    if not panels:
        return None
    n = f"n = {_range(sorted(counts))} launches each, 95 % interval"
    of = _plain(runs[-1].machine, 40)
    title = _title(f"History on {of}", [n, "one setup: same machine, build, model and settings"], WIDE)
    return _said("History, oldest first", words), _whole(title, *panels)


def of_page(path: str, runs: Sequence[Run], rows: Sequence[Row], others: Sequence[Row]) -> dict[str, Figure]:
    """Return the figures of the page `path` by name, as far as the records hold what they need.

    `runs` concern the page, the latest last; `rows` are its cells of llama-bench, `others` those of other programs.
    """
    run = runs[-1]
    makers: tuple[tuple[str, Callable[[], tuple[str, Spec] | None]], ...] = (
        ("sweep", lambda: _sweep(run, rows)),
        ("latency", lambda: _latency(run, others)),
        ("load", lambda: _load(run, others)),
        ("threads", lambda: _threads(run, path)),
        ("roofline", lambda: _roofline(run, rows)),
        ("memory", lambda: _memory(run, rows)),
        ("use", lambda: _use(run, path)),
        ("history", lambda: _history(runs, path)),
    )
    return _made(path, makers)


def _made(path: str, makers: Iterable[tuple[str, Callable[[], tuple[str, Spec] | None]]]) -> dict[str, Figure]:
    made = ((name, make()) for name, make in makers)
    return {name: Figure(_path(path, name), found[0], found[1]) for name, found in made if found}


# ---- Side by side, and the index ----


def of_comparison(path: str, run: Run, rows: Sequence[Row]) -> dict[str, Figure]:
    """Return the figure that sets the quantizations and builds of one run side by side."""
    return _made(path, (("speeds", lambda: _speeds(run, rows)),))


def _speeds(run: Run, rows: Sequence[Row]) -> tuple[str, Spec] | None:
    panels, words, used = [], [], []
    for speed, word in (("tg_tps", "Generation"), ("pp_tps", "Prompt")):
        top = summary.headline(rows, speed)
        if top is None:
            continue
        best: dict[tuple[str, str], Row] = {}
        for row in summary.same_test(rows, top):
            key = summary.combination(row.cell)
            if row.interval and (key not in best or row.interval.mean > _centre(best[key])):
                best[key] = row
        if len(best) < 2:
            continue
        values: Values = [
            {"name": f"{_plain(key[0], 20)}, {_plain(key[1], 20)}", **_bounds(row.interval)}
            for key, row in best.items()
            if row.interval
        ]
        values.sort(key=lambda value: (-value["mean"], value["name"]))
        y = {
            "field": "name", "type": "nominal", "title": None, "sort": [v["name"] for v in values],
            "axis": {"labelLimit": 160},
        }  # fmt: skip
        axis = f"{parts.test_words(top.cell)}, token/s"
        panels.append(
            _panel(
                values,
                _bars(y, axis),
                word,
                width=PANEL - 90,
                height={"step": 26},
            )
        )
        words += [f"{word.lower()} of {v['name']} {metrics.number(v['mean'])} token/s" for v in values]
        used += list(best.values())
    if not panels:
        return None
    of = f"{_plain(used[0].cell['model'], 40)} on {_plain(run.machine, 40)}"
    return _said("Side by side", words), _whole(_title(f"Side by side: {of}", _setting(run, used), WIDE), *panels)


def _centre(row: Row) -> float:
    return row.interval.mean if row.interval else 0.0


class Shown(NamedTuple):
    """One machine in a figure of several: its latest run and the row that stands for it."""

    run: Run
    row: Row


# Machines of a figure that can still be read.
MOST_MACHINES = 40


def of_model(path: str, entries: Iterable[Shown]) -> dict[str, Figure]:
    """Return the figure of one model that sets its machines and quantizations side by side."""
    return _made(path, (("machines", lambda: _machines(list(entries))),))


def _machines(entries: Sequence[Shown]) -> tuple[str, Spec] | None:
    """Return the speed of generation of every machine, a bar per quantization."""
    known = [one for one in entries if one.row.interval]
    tests = [one.row.cell["test"] for one in known]
    usual = max(sorted(set(tests)), key=tests.count, default="")
    chosen = [one for one in known if one.row.cell["test"] == usual]
    if len({one.run.machine for one in chosen}) < 2:
        return None
    values: Values = [
        {
            "machine": _plain(one.run.machine, 40),
            "kind": _plain(one.row.cell["quantization"], 20),
            "name": f"{_plain(one.run.machine, 40)}, {_plain(one.row.cell['quantization'], 20)}",
            "holds": "INVALID" if one.row.state == summary.INVALID else "",
            **_bounds(one.row.interval),
        }
        for one in chosen
        if one.row.interval
    ]
    values.sort(key=lambda value: (-value["mean"], value["name"]))
    more = f"the fastest {MOST_MACHINES} of {len(values)}" if len(values) > MOST_MACHINES else None
    values = values[:MOST_MACHINES]
    y = {
        "field": "name", "type": "nominal", "title": None, "sort": [v["name"] for v in values],
        "axis": {"labelLimit": 260},
    }  # fmt: skip
    axis = f"{parts.test_words(chosen[0].row.cell)}, token/s"
    kinds: list[str] = sorted({str(value["kind"]) for value in values})
    spec = {
        "width": WIDE - 260,
        "height": {"step": 22},
        "data": {"values": values},
        "layer": [
            *_bars(y, axis, _colour("kind", "Type", kinds)),
            {
                "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 11},
                "encoding": {"y": y, "x": _number("high", axis), "text": {"field": "holds", "type": "nominal"}},
            },
        ],
    }
    counts = sorted(len(one.row.figures) for one in chosen)
    notes = [f"n = {_range(counts)} {_launches(counts)} each, 95 % interval", more]
    words = [f"{value['name']} {metrics.number(value['mean'])} token/s" for value in values[:12]]
    title = _title(f"Machines: {_plain(chosen[0].row.cell['model'], 40)}", notes, WIDE)
    return _said("Generation by machine", words), {"title": title, **spec}


def of_index(entries: Iterable[Shown]) -> dict[str, Figure]:
    """Return the price-performance figure: speed of generation against the price of an hour."""
    return _made(summary.INDEX, (("frontier", lambda: _frontier(list(entries))),))


def _frontier(entries: Sequence[Shown]) -> tuple[str, Spec] | None:
    """Of each model that most machines have: what an hour costs, and the token/s that it buys."""
    by_model: dict[tuple[str, str], list[tuple[Shown, cost.Hourly]]] = {}
    for one in entries:
        price = cost.hourly(one.run)
        if price and price.usd and one.row.interval and one.row.state != summary.INVALID:
            key = (one.row.cell["model"], one.row.cell["test"])
            by_model.setdefault(key, []).append((one, price))
    if not by_model:
        return None
    (model, _test), found = max(by_model.items(), key=lambda item: (len({o.run.machine for o, _p in item[1]}), item[0]))
    if len({one.run.machine for one, _price in found}) < 2:
        return None
    values: Values = []
    for one, price in found:
        if one.row.interval is None or price.usd is None:
            continue
        machine, kind = _plain(one.run.machine, 30), _plain(one.row.cell["quantization"], 20)
        values.append({"usd": _short(float(price.usd)), "machine": machine, "kind": kind, **_bounds(one.row.interval)})
    values.sort(key=lambda value: (value["usd"], -value["mean"], value["machine"]))
    edge, best = [], 0.0
    for value in values:
        if value["mean"] > best:
            best = value["mean"]
            edge.append(value)
    # One name per machine, at its fastest.
    best_of: dict[str, dict[str, Any]] = {}
    for value in values:
        if value["machine"] not in best_of or value["mean"] > best_of[value["machine"]]["mean"]:
            best_of[value["machine"]] = value
    axis = f"{parts.test_words(found[0][0].row.cell)}, token/s"
    x = _number("usd", "USD an hour")
    kinds: list[str] = sorted({str(value["kind"]) for value in values})
    layers = [
        {
            "data": {"values": edge},
            "mark": {"type": "line", "interpolate": "step-after", "color": ORANGE, "strokeDash": [5, 4]},
            "encoding": {"x": x, "y": _number("mean", axis)},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2},
            "encoding": {
                "x": x, "y": _number("low", axis), "y2": {"field": "high"}, "color": _colour("kind", "Type", kinds),
            },
        },
        {
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
            "encoding": {"x": x, "y": _number("mean", axis), "color": _colour("kind", "Type", kinds)},
        },
        {
            # All of a thousand names would be a black spot: those of the edge are the ones to choose among.
            "data": {"values": edge if len(best_of) > 12 else list(best_of.values())},
            "mark": {"type": "text", "align": "left", "dx": 8, "dy": -9, "fontSize": 11},
            "encoding": {"x": x, "y": _number("mean", axis), "text": {"field": "machine", "type": "nominal"}},
        },
    ]  # fmt: skip
    counts = sorted(len(one.row.figures) for one, _price in found)
    markets = sorted({_plain(price.market, 30) for _one, price in found})
    notes = [f"n = {_range(counts)} launches each, 95 % interval", "dashed: nothing cheaper is faster", *markets]
    spec = {"width": WIDE, "height": 280, "data": {"values": values}, "layer": layers}
    words = [
        f"{v['machine']} {v['kind']} {metrics.number(v['mean'])} token/s at {metrics.number(v['usd'], 3)} USD an hour"
        for v in edge[:12]
    ]
    return _said("Price and performance", words), {
        "title": _title(f"Price and performance: {_plain(model, 40)}", notes, WIDE), **spec,
    }  # fmt: skip
