# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Over time: what processors and memory did while launches ran, sampled once a second from /proc."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise, zip_longest
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import cell as purposes
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry as kinds
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import specification as spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.figures import Drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.specification import Values
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, View

# Cores with a line of their own.
MOST_CORES = 16
# Characters of a line over time.
WIDTH = 60
_LEVELS = "▁▂▃▄▅▆▇█"
# Points of a line of the figure.
MOST_POINTS = 240

# What stands below the peaks of a launch is in the samples, and this in its metrics.
_PEAKS = (("rss_anon_peak_bytes", "anon_bytes", "Anonymous"), ("rss_file_peak_bytes", "file_bytes", "Mapped file"))
_SHARES = ("user", "system", "idle", "iowait", "steal")

Series = Sequence[float | None]


def busy(samples: Payload) -> list[float | None]:
    """Return how busy all processors were, in percent, sample by sample; None where that is not known."""
    times, idle, waiting = (samples.get(name) or [] for name in ("time_s", "idle", "iowait"))
    return [
        None if left is None else max(0.0, 100 - left - (wait or 0.0))
        for _time, left, wait in list(zip_longest(times, idle, waiting))[: len(times)]
    ]


def _mean(values: Iterable[float | None] | None) -> float | None:
    known = [value for value in values or [] if value is not None]
    return statistics.fmean(known) if known else None


def _peak(values: Series | None) -> float | None:
    return max((value for value in values or [] if value is not None), default=None)


# ---- The last launch of each cell ----


def _latest(view: View) -> list[Payload]:
    """Return the samples of the last launch of each cell of a page."""
    latest: dict[tuple[Any, ...], Payload] = {}
    for record in view.run.others.get("samples", []):
        samples = record["payload"]
        here = summary.page_path(view.run.machine, samples["cell"]) == view.path
        if here and not samples["cell"].get("purpose"):
            latest[summary.cell_key(samples["cell"])] = samples
    return sorted(latest.values(), key=lambda samples: summary.cell_order(samples["cell"]))


def _section(view: View) -> Section | None:
    latest = _latest(view)
    if not latest:
        return None
    sizes = [parts.sizes(title, [_peak(samples.get(name)) for samples in latest]) for _metric, name, title in _PEAKS]
    peaks = zip(*(cells for _title, cells in sizes), strict=True)
    columns = [
        ("Launch", LEFT), *((f"{name.capitalize()} %", RIGHT) for name in _SHARES), ("Switches/s", RIGHT),
        ("MHz", RIGHT), *((title, RIGHT) for title, _cells in sizes),
    ]  # fmt: skip
    several_builds = len({summary.way(samples["cell"]) for samples in latest}) > 1
    words = [parts.cell_words(samples["cell"], several_builds) for samples in latest]
    drawn = [_drawn(named, samples) for named, samples in zip(words, latest, strict=True)]
    lines = [[*_line(named, samples), *shown] for named, samples, shown in zip(words, latest, peaks, strict=True)]
    blocks = [
        markdown.text("While the last launch of each cell ran, once a second from /proc: means, and peaks of memory."),
        markdown.table(columns, lines),
        markdown.details("Processors and memory over the time of a launch", markdown.fenced("\n\n".join(drawn))),
    ]
    return Section("", blocks, "use")


def _line(words: str, samples: Payload) -> list[Cell]:
    return [
        words,
        *(metrics.one_place(_mean(samples.get(name))) for name in _SHARES),
        metrics.number(_mean(samples.get("context_switches_per_s"))),
        metrics.number(_mean(samples.get("mhz"))),
    ]


def sparkline(values: Series, top: float) -> str:
    """Return values from 0 to `top` as a line of at most WIDTH block characters; a gap where nothing is known."""
    if len(values) > WIDTH:
        bounds = [len(values) * i // WIDTH for i in range(WIDTH + 1)]
        buckets: Iterable[Series] = (values[a:b] for a, b in pairwise(bounds))
        values = [_mean(bucket) for bucket in buckets]
    last = len(_LEVELS) - 1
    return "".join(
        " " if value is None else _LEVELS[min(last, max(0, int(value / top * len(_LEVELS))))] if top > 0 else _LEVELS[0]
        for value in values
    )


def _drawn(words: str, samples: Payload) -> str:
    """Return lines of block characters: all processors, each of them up to MOST_CORES, resident memory."""
    seconds = samples["time_s"][-1] if samples["time_s"] else 0.0
    told = [f"{markdown.visible(words)}, {metrics.number(seconds, 1)} s from left to right"]

    def line(name: str, values: Series, top: float, shown: Callable[[float | None], str]) -> None:
        told.append(f"{name:>10} {sparkline(values, top)} mean {shown(_mean(values))}, most {shown(_peak(values))}")

    line("all CPUs %", busy(samples)[1:], 100.0, metrics.one_place)
    cores = samples.get("cores") or []
    for number, values in enumerate(cores[:MOST_CORES]):
        line(f"core {number} %", (values or [])[1:], 100.0, metrics.one_place)
    if len(cores) > MOST_CORES:
        told.append(f"{'':>10} and {len(cores) - MOST_CORES} more cores")
    memory = samples.get("rss_bytes")
    if memory:
        line("RSS", memory, float(_peak(memory) or 1), metrics.binary)
    return "\n".join(told)


# ---- The whole run ----

# Words that have a colour of their own on all pages.
_WORDS = ("generation", "prompt", "server", "batch", "load", "thread ladder")


def _what(cell: Payload) -> str:
    """Return what ran, in a word."""
    if cell.get("purpose") == purposes.LADDER:
        return "thread ladder"
    if summary.benched(cell):
        return "prompt" if summary.speed_of(cell) == "pp_tps" else "generation"
    kind = kinds.kind_of(cell).name
    return "server" if kind == "serve" else kind


# Values by the slot of time and the launch that they are of.
_Slots = dict[tuple[int, int], list[float]]


def _drawing(view: View) -> Drawing | None:
    """Draw what processors and memory did over the run, with what ran when."""
    run = view.run
    launches = sorted(
        (
            record["payload"]
            for record in run.others.get("samples", [])
            if summary.page_path(run.machine, record["payload"]["cell"]) == view.path and record["payload"]["time_s"]
        ),
        key=lambda samples: samples["start"],
    )
    if not launches:
        return None
    begin = launches[0]["start"]
    last = max(samples["start"] - begin + samples["time_s"][-1] for samples in launches)
    step = max(1.0, last / MOST_POINTS)
    spans: Values = []
    used: _Slots = {}
    memory: _Slots = {}
    for at, samples in enumerate(launches):
        offset, times = samples["start"] - begin, samples["time_s"]
        spans.append({"from": spec.short(offset), "to": spec.short(offset + times[-1]), "what": _what(samples["cell"])})
        resident = samples.get("rss_bytes") or []
        for time, share, size in list(zip_longest(times, busy(samples), resident))[: len(times)]:
            slot = (int((offset + time) / step), at)
            if share is not None:
                used.setdefault(slot, []).append(share)
            if size is not None:
                memory.setdefault(slot, []).append(size / 2**30)
    if not used and not memory:
        return None
    every = [share for shares in used.values() for share in shares]
    top = max((size for sizes in memory.values() for size in sizes), default=0.0)
    words = [f"{len(launches)} launches over {metrics.number(round(last))} s"]
    words += [f"processors busy {metrics.one_place(sum(every) / len(every))} % on average"] if every else []
    words += [f"resident memory up to {metrics.number(top)} GiB"] if top else []
    cell = launches[0]["cell"]
    notes = [
        f"n = {metrics.plural(len(launches), 'launch')}, once a second from /proc"
        + (f", means of {step:.0f} s" if step > 1 else ""),
        spec.emulated(run),
    ]
    title = spec.title(f"Use: {spec.model_words(cell['model'], cell['quantization'], run)}", notes)
    panels = _panels(spans, used, memory, last, step)
    said = spec.said("Processors and memory over the run", words)
    return Drawing(said, {"title": title, "vconcat": panels, "spacing": 8})


def _panels(spans: Values, used: _Slots, memory: _Slots, last: float, step: float) -> list[spec.Spec]:
    """Return the panels: what ran when, and below it how busy the processors were and how much memory was resident."""

    def points(slots: Mapping[tuple[int, int], list[float]]) -> Values:
        return [
            {"t": spec.short(slot * step), "launch": at, "v": spec.short(sum(values) / len(values))}
            for (slot, at), values in sorted(slots.items())
        ]

    ran = list(dict.fromkeys(str(span["what"]) for span in spans))
    x: spec.Spec = {"field": "t", "type": "quantitative", "title": None, "scale": {"domain": [0, spec.short(last)]}}
    panels: list[spec.Spec] = [
        {
            "width": spec.WIDE,
            "height": 26,
            "data": {"values": spans},
            "mark": {"type": "rect"},
            "encoding": {
                "x": {**x, "field": "from", "axis": None},
                "x2": {"field": "to"},
                "color": spec.colour("what", "What ran", ran, _WORDS),
            },
        }
    ]
    for slots, axis, scale in (
        (used, "All CPUs, %", {"domain": [0, 100]}),
        (memory, "RSS, GiB", {"zero": True, "nice": True}),
    ):
        if slots:
            panels.append(
                {
                    "width": spec.WIDE,
                    "height": 90,
                    "data": {"values": points(slots)},
                    "mark": {"type": "line", "color": spec.SKY, "strokeCap": "round"},
                    "encoding": {
                        "x": {**x, "title": "Seconds since the first launch" if slots is memory else None},
                        "y": {"field": "v", "type": "quantitative", "title": axis, "scale": scale},
                        "detail": {"field": "launch"},
                    },
                }
            )
    return panels


SUBJECT = Subject(
    name="over_time",
    metrics=tuple(metric for metric, _name, _title in _PEAKS),
    section=_section,
    figures=(("use", _drawing),),
)
