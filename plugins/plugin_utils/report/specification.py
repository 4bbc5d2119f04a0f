# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces of the figures, which are Vega-Lite specifications: colours, axes, panels, and what stands below a title.

A figure is a function of the records, as a page is. Colours are those of Okabe and Ito, which people with any kind of
colour vision tell apart; and no figure says by colour alone what it says. drawing.py makes SVG of a specification.

Source: Vega-Lite 5 (https://vega.github.io/vega-lite/docs/).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import Interval
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import progress, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts

Spec = dict[str, Any]
Values = list[dict[str, Any]]

# Okabe and Ito, https://jfly.uni-koeln.de/color/; all of them are seen on white and on black.
BLUE, ORANGE, GREEN, PINK, SKY, VERMILION = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
COLOURS = (SKY, ORANGE, GREEN, PINK, VERMILION, BLUE)

# What one panel holds, in pixels; two of them stand side by side.
PANEL, WIDE, HIGH = 270, 620, 200

EMULATED = "emulated: no speed of a real machine"
SYNTHETIC = "synthetic weights"
_RANKED = "ranked"


def plain(value: object, limit: int = 60) -> str:
    """Return a string for a figure: what is not visible made so, and short."""
    return markdown.shorten(markdown.visible(value), limit)


def short(value: float) -> float:
    """Return a number with the digits that a figure can show: others would only make its file another one."""
    return float(f"{value:.5g}")


# ---- Axes, colours, layers, panels ----


def number(field: str, title: str, zero: bool = True, **more: Any) -> Spec:
    """Return the channel of an axis of numbers."""
    return {"field": field, "type": "quantitative", "title": title, "scale": {"zero": zero, "nice": True}, **more}


def steps(field: str, title: str, **more: Any) -> Spec:
    """Return the channel of an axis on which every value has its step."""
    return {"field": field, "type": "ordinal", "title": title, "axis": {"labelAngle": 0}, **more}


def names(field: str, order: Sequence[str], label_limit: int | None = None) -> Spec:
    """Return the channel of an axis of names in an order of their own."""
    axis: Spec = {"axis": {"labelLimit": label_limit}} if label_limit else {}
    return {"field": field, "type": "nominal", "title": None, "sort": list(order), **axis}


def colour(field: str, title: str | None, domain: Sequence[str], known: Sequence[str] = ()) -> Spec:
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


def bounds(interval: Interval, scale: float = 1.0) -> dict[str, float]:
    """Return mean, low and high of an interval; without bounds, those are the mean: no bar is drawn then."""
    low, high = interval.low, interval.high
    mean = interval.mean * scale
    return {
        "mean": short(mean),
        "low": short(mean if low is None else low * scale),
        "high": short(mean if high is None else high * scale),
    }


def line(x: Spec, y: str, colour: Spec | None = None, zero: bool = True) -> list[Spec]:
    """Return the layers of a line with points and intervals over `x`; the values have mean, low and high.

    `zero`: whether the axis begins there, as one of speeds has to and one of ratios need not.
    """
    shared = {"x": x, **({"color": colour} if colour else {})}
    plain_colour = {} if colour else {"color": SKY}
    return [
        {
            "mark": {"type": "line", **plain_colour},
            "encoding": {**shared, "y": number("mean", y, zero)},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2, **plain_colour},
            "encoding": {**shared, "y": number("low", y, zero), "y2": {"field": "high", "title": y}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 50, "opacity": 1, **plain_colour},
            "encoding": {**shared, "y": number("mean", y, zero)},
        },
    ]


def bars(y: Spec, x: str, colour: Spec | None = None) -> list[Spec]:
    """Return the layers of bars with intervals and numbers over the names `y`; the values have mean, low and high."""
    mark: Spec = {"type": "bar"} if colour else {"type": "bar", "color": SKY}
    rule: Spec = {"type": "rule", "strokeWidth": 2}
    return [
        {"mark": mark, "encoding": {"y": y, "x": number("mean", x), **({"color": colour} if colour else {})}},
        {
            "mark": rule if colour else {**rule, "color": VERMILION},
            "encoding": {"y": y, "x": number("low", x), "x2": {"field": "high"}},
        },
        {
            "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 11},
            "encoding": {
                "y": y,
                "x": number("high", x),
                "text": {"field": "mean", "type": "quantitative", "format": ".4~g"},
            },
        },
    ]


def stated(row: Row) -> dict[str, Any]:
    """Return the bounds of the figure of `row` with what dots() shows: its number, and whether it may be ranked."""
    interval = row.interval
    if interval is None:
        return {}
    doubt = "" if row.ranked else f" {row.state}, {parts.NOT_RANKED}"
    holds = _RANKED if row.ranked else parts.NOT_RANKED
    return {"shown": f"{metrics.number(interval.mean)}{doubt}", "holds": holds, **bounds(interval)}


def dots(y: Spec, x: str) -> list[Spec]:
    """Return the layers of points with intervals over the names `y`, the number above each; values are of stated().

    What may not be ranked has a hollow point. No length stands for a figure, so the axis need not begin at zero.
    """
    states = [_RANKED, parts.NOT_RANKED]
    state = {"field": "holds", "type": "nominal", "legend": None}
    fill = {**state, "scale": {"domain": states, "range": [SKY, "transparent"]}}
    mean = {"y": y, "x": number("mean", x, zero=False)}
    return [
        {
            "mark": {"type": "rule", "strokeWidth": 2, "color": SKY},
            "encoding": {
                "y": y,
                "x": number("low", x, zero=False),
                "x2": {"field": "high"},
                "strokeDash": {**state, "scale": {"domain": states, "range": [[1, 0], [3, 3]]}},
            },
        },
        {
            "mark": {"type": "point", "size": 90, "stroke": SKY, "strokeWidth": 2, "opacity": 1},
            "encoding": {**mean, "fill": fill},
        },
        {
            "mark": {"type": "text", "align": "center", "dy": -11, "fontSize": 11},
            "encoding": {**mean, "text": {"field": "shown", "type": "nominal"}},
        },
    ]


def panel(values: Values, layers: list[Spec], title: str | None = None, **more: Any) -> Spec:
    """Return a panel of the usual size with its title."""
    return {
        "width": PANEL,
        "height": HIGH,
        **({"title": {"text": title, "fontSize": 12}} if title else {}),
        "data": {"values": values},
        "layer": layers,
        **more,
    }


def whole(title: Spec, *panels: Spec) -> Spec:
    """Return a specification of one panel, or of panels side by side."""
    if len(panels) == 1:
        only = {**panels[0], "width": WIDE}
        only.pop("title", None)
        return {"title": title, **only}
    return {"title": title, "hconcat": list(panels), "spacing": 30, "resolve": {"scale": {"color": "independent"}}}


# ---- Titles, and what is said below them ----


def title(text: str, notes: Iterable[str | None], width: int = WIDE) -> Spec:
    """Return a title with the notes below it, in lines that fit `width` pixels."""
    lines = [""]
    for note in filter(None, notes):
        longer = f"{lines[-1]}; {note}" if lines[-1] else note
        if len(longer) * 6 > width and lines[-1]:
            lines.append(note)
        else:
            lines[-1] = longer
    shown = [plain(line, 110) for line in lines if line]
    return {"text": plain(text, 80), "subtitle": shown}


def counted(counts: Iterable[int], what: str = "launch", interval: bool = True) -> str | None:
    """Return of how many launches each figure is: n = 3 to 6 launches each, 95 % interval. None without a count."""
    known = sorted(set(counts))
    if not known:
        return None
    span = str(known[0]) if known[0] == known[-1] else f"{known[0]} to {known[-1]}"
    return f"n = {span} {metrics.noun(known[-1], what)}{' each, 95 % interval' if interval else ''}"


def weights(run: Run, rows: Sequence[Row]) -> str | None:
    """Return that the weights are random, where they are."""
    return SYNTHETIC if rows and parts.is_synthetic(run, rows[0].cell) else None


def emulated(run: Run) -> str | None:
    """Return that an emulator gave the figures, where one did."""
    return EMULATED if summary.emulated(run) else None


def setting(run: Run, rows: Sequence[Row]) -> list[str | None]:
    """Return what the figures are of: launches, interval, emulation, synthetic weights, and how far they hold."""
    if summary.imported(run):
        several = any(row.interval and row.interval.low is not None for row in rows)
        count = counted((len(row.figures) for row in rows if row.figures), "process", several)
        return [f"imported, {count}" if count else None, weights(run, rows)]
    states = sorted({row.state for row in rows if row.launches} - {summary.VALID})
    return [
        counted(len(row.figures) for row in rows if row.figures),
        weights(run, rows),
        emulated(run),
        f"{', '.join(states)}: see the page" if states else None,
    ]


def said(figure: str, values: Iterable[str]) -> str:
    """Return what a figure says, in words for those who do not see it."""
    return f"{figure}: {'; '.join(values)}."


def model_words(model: object, quantization: object, run: Run) -> str:
    """Return what a figure is of: model, quantization and machine."""
    return f"{plain(model, 40)} {plain(quantization, 20)} on {plain(run.machine, 40)}"


def where(rows: Sequence[Row], run: Run) -> str:
    """Return what the figure of some rows of one page is of."""
    cell = rows[0].cell
    return model_words(cell["model"], cell["quantization"], run)


def series(row: Row) -> str:
    """Return what tells lines of one figure apart: build and threads."""
    return f"{plain(summary.way(row.cell), 40)}, {progress.thread_count(row.cell)}"
