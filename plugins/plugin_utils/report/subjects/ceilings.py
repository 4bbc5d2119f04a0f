# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory bandwidth and arithmetic: what the machine can do, and how near prompts and generation are to it."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import roofline, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import specification as spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.figures import Drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.specification import Values
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, View

# FLOP per byte from which on the name of a point stands to its left, inside of the figure.
MIDDLE = 30

_MEASURED = (
    ("read_gb_s", "Read, best GB/s"),
    ("triad_gb_s", "Triad, best GB/s"),
    ("fma_gflops", "32-bit FMA, best GFLOP/s"),
)

_SMALL_PAGES = (
    "The kernel gave the arrays small pages. How fast these are read depends on where it found free memory, so the "
    "bandwidth differs by more than the machine does."
)


def _section(view: View) -> Section | None:
    bandwidths = summary.bandwidths(view.run)
    if not bandwidths:
        return None
    lines = [
        [
            measured["stage"],
            metrics.number(measured["threads"]),
            *(
                metrics.show(name, measured[name][which]) if measured.get(name) else metrics.NOT_AVAILABLE
                for name, _title in _MEASURED
                for which in ("best", "median")
            ),
        ]
        for measured in bandwidths
    ]
    titles = [column for _name, title in _MEASURED for column in ((title, RIGHT), ("median", RIGHT))]
    blocks = [markdown.table([("Measured", LEFT), ("Threads", RIGHT), *titles], lines)]
    percent = summary.drift_percent(view.run)
    if percent is not None:
        blocks.append(
            markdown.text(
                f"Between start, middle and end the read bandwidth drifted by {metrics.one_place(percent)} %, beyond "
                "what moves within a moment, which is in the interval of each figure as far as that may have followed.",
                None,
            )
        )
    if any(measured.get("huge_pages") is False for measured in bandwidths):
        blocks.append(markdown.text(_SMALL_PAGES, None))
    blocks += [*_generation(view, bandwidths), *_prompts(view, bandwidths)]
    return Section("Memory bandwidth and arithmetic", blocks, "roofline")


def _table(titles: Sequence[str], lines: Sequence[Sequence[Cell]]) -> Markdown:
    return markdown.table([(title, RIGHT if at else LEFT) for at, title in enumerate(titles)], lines)


def _generation(view: View, bandwidths: Sequence[Payload]) -> list[Markdown]:
    """Return how much of the read bandwidth generation takes."""
    lines: list[list[Cell]] = []
    for row in view.rows:
        model = parts.model_of(view.run, row)
        if row.speed != "tg_tps" or row.interval is None or model is None:
            continue
        top = roofline.ceiling(bandwidths, row.cell["threads"])
        share = roofline.bandwidth_share(model, row.cell, row.interval.mean, top)
        each = roofline.token_bytes(model, row.cell)
        if share is None or each is None or top is None:
            continue
        lines.append(
            [
                parts.cell_words(row.cell, True),
                metrics.number(each / 1e9),
                metrics.number(row.interval.mean * each / 1e9),
                metrics.number(top.read_gb_s),
                metrics.with_unit("bandwidth_share", share),
            ]
        )
    if not lines:
        return []
    words = (
        "Generation reads every weight and the context for each token, so the read bandwidth is its ceiling. A "
        "share over 100 % says that part of it came from a cache."
    )
    titles = ("Generation", "GB per token", "GB/s taken", "GB/s there", "Share")
    return [markdown.text(words, None), _table(titles, lines)]


def _prompts(view: View, bandwidths: Sequence[Payload]) -> list[Markdown]:
    """Return how much of the arithmetic of 32 bits prompts take."""
    lines: list[list[Cell]] = []
    for row in view.rows:
        model = parts.model_of(view.run, row)
        if row.speed != "pp_tps" or row.interval is None or model is None:
            continue
        rate = roofline.prompt_gflops(model, row.cell, row.interval.mean)
        top = roofline.arithmetic(bandwidths, row.cell["threads"])
        share = roofline.arithmetic_share(rate, top)
        if share is not None:
            shown = (metrics.show("prompt_gflops", rate), metrics.show("fma_gflops", top))
            lines.append([parts.cell_words(row.cell, True), *shown, metrics.with_unit("arithmetic_share", share)])
    if not lines:
        return []
    words = (
        "A prompt is bound by arithmetic: two operations for each weight and token. They are held against multiplying "
        "and adding numbers of 32 bits in registers, the ceiling of kernels that compute with such; those that "
        "multiply integers of 8 bits (VNNI, AMX, i8mm) may be above 100 %."
    )
    return [markdown.text(words, None), _table(("Prompt", "GFLOP/s", "32-bit FMA", "Share"), lines)]


def _drawing(view: View) -> Drawing | None:
    """Draw how near prompts and generation are to what memory and arithmetic of the machine allow."""
    bandwidths = summary.bandwidths(view.run)
    chosen = [row for row in (view.prompt, view.generation) if row]
    if not bandwidths or not chosen:
        return None
    points: Values = []
    words = []
    peak: float | None = None
    top: float | None = None
    for row in chosen:
        model = parts.model_of(view.run, row)
        intensity = roofline.intensity(model, row.cell) if model else None
        rate = roofline.gflops(model, row.interval.mean) if model and row.interval else None
        limit = roofline.ceiling(bandwidths, row.cell["threads"])
        arithmetic = roofline.arithmetic(bandwidths, row.cell["threads"])
        if intensity is None or rate is None or limit is None or arithmetic is None:
            continue
        peak, top = arithmetic, limit.read_gb_s
        name = f"{parts.test_words(row.cell)}, {metrics.plural(row.cell['threads'], 'thread')}"
        points.append({"x": spec.short(intensity), "y": spec.short(rate), "name": name})
        words.append(f"{name}: {metrics.number(rate)} GFLOP/s at {metrics.number(intensity)} FLOP per byte")
    if not points or peak is None or top is None:
        return None
    limits = f"{metrics.number(top)} GB/s read, {metrics.number(peak)} GFLOP/s of 32-bit FMA, measured"
    notes = [limits, "integer kernels may lie above the roof", *spec.setting(view.run, chosen)]
    words.append(f"the roof is {limits}")
    title = spec.title(f"Roofline: {spec.where(chosen, view.run)}", notes)
    return Drawing(spec.said("Roofline", words), {"title": title, **_roof(points, peak, top)})


def _roof(points: Values, peak: float, top: float) -> spec.Spec:
    """Return the panel of a roof, with `peak` in GFLOP/s and `top` in GB/s, and of what is held against it."""
    left, right = min(0.5, *(point["x"] for point in points)), max(1000.0, *(2 * point["x"] for point in points))
    roof = [{"x": x, "y": spec.short(min(peak, top * x))} for x in (left, spec.short(peak / top), right)]
    x = {"field": "x", "type": "quantitative", "title": "FLOP per byte read", "scale": {"type": "log"}}
    y = {"field": "y", "type": "quantitative", "title": "GFLOP/s", "scale": {"type": "log"}}
    return {
        "width": spec.WIDE,
        "height": spec.HIGH,
        "layer": [
            {
                "data": {"values": roof},
                "mark": {"type": "line", "color": spec.ORANGE, "strokeDash": [5, 4]},
                "encoding": {"x": x, "y": y},
            },
            {
                "data": {"values": points},
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1, "color": spec.SKY},
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


SUBJECT = Subject(
    name="ceilings",
    metrics=("read_gb_s", "triad_gb_s", "fma_gflops", "bandwidth_share", "prompt_gflops", "arithmetic_share"),
    section=_section,
    figures=(("roofline", _drawing),),
)
