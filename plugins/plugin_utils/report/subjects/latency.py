# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Latency as users feel it: llama-server under load, and llama-batched-bench, the bound of the same."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.requests import tpot
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Row
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import specification as spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.figures import Drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.specification import Values
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Columns, Entry, Section, View

# Requests that a percentile needs before it is shown.
ENOUGH = {50: 1, 90: 10, 95: 200, 99: 1000}

# The statistic that stands for a row in the table, the figure, the index and the terminal.
FIRST_TOKEN, PER_TOKEN = "First token, median", "Time per output token, median"

# ---- On the page of a quantization ----


def percentile(values: Sequence[float], percent: int) -> float | None:
    """Return a percentile (nearest rank) of values, None where there are too few of them for it."""
    if len(values) < ENOUGH[percent]:
        return None
    return sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]


def _requests(row: Row) -> list[Payload]:
    """Return the requests of a row's launches that count."""
    requests = [request for record in row.figures for request in record["payload"].get("requests") or []]
    return [
        request for request in requests if request["ok"] and not request.get("warmup") and request["ttft_s"] is not None
    ]


def _spread(row: Row, name: str, values: Sequence[float]) -> Markdown:
    """Return the median of a metric, and p90, p95 and p99 of all requests where there are enough, in ms."""
    median = summary.centre(row, name)
    shown = [(percent, percentile(values, percent)) for percent in ENOUGH if percent != 50]
    words = [f"median{metrics.NO_BREAK}{parts.milliseconds(median)}"] if median is not None else []
    words += [
        f"p{percent}{metrics.NO_BREAK}{parts.milliseconds(value)}" for percent, value in shown if value is not None
    ]
    return markdown.lines(*words) if words else markdown.text(metrics.NOT_AVAILABLE)


def _load_words(cell: Payload) -> str:
    if "rate" in cell:
        return f"{metrics.number(cell['rate'])} requests/s, Poisson"
    return metrics.plural(cell.get("concurrency", 1), "user")


def _answered_words(row: Row) -> str | None:
    """Return at which rate a server answered what came at a rate: less than that, and the queue grows."""
    rate, seconds = summary.centre(row, "request_rate"), summary.centre(row, "duration_s")
    if "rate" not in row.cell or rate is None or seconds is None:
        return None
    return f"answered: {metrics.show('request_rate', rate)}/s over {metrics.with_unit('duration_s', seconds)}"


def _section(view: View) -> Section | None:
    served, batched = view.of_kind("serve"), view.of_kind("batch")
    if not served and not batched:
        return None
    blocks = [
        markdown.text(
            "A real llama-server over loopback, streamed requests of a fixed length, unique prompts, no prompt cache. "
            "Times in milliseconds. The median is that of each launch, over the launches their geometric mean, as in "
            "the figure and on the index, and the interval is that of the median time per output token; p90 and above "
            "are over the requests of all launches. The first request of each user is in none of them.",
            None,
        )
    ]
    if served:
        columns = [
            ("Load", LEFT), ("First token ms", RIGHT),
            ("ITL ms", RIGHT), ("TPOT ms", RIGHT), ("End to end ms", RIGHT), ("Output token/s", RIGHT),
            ("Goodput 1/s", RIGHT), ("Validity", LEFT),
        ]  # fmt: skip
        # What several hosts answer is never to be taken for what this one does.
        several = len({summary.way(row.cell) for row in served}) > 1 or any(variant.hosts(r.cell) > 1 for r in served)
        blocks += [markdown.table(columns, [_served(row, several) for row in served]), _slo_words(served)]
    if batched:
        words = "The bound of the same without a server: llama-batched-bench, sequences at once."
        blocks += [markdown.text(words, None), _batched(batched)]
    return Section("Latency", blocks, "latency")


def _served(row: Row, several_ways: bool) -> list[Cell]:
    requests = _requests(row)
    gaps = [gap for request in requests for gap in request["itl_s"]]
    each = [seconds for seconds in map(tpot, requests) if seconds is not None]
    failed = summary.centre(row, "error_share")
    count = metrics.plural(len(requests), "request") + (f", {100 * failed:.0f} % failed" if failed else "")
    tokens = f"{row.cell['n_prompt']}{metrics.NO_BREAK}+{metrics.NO_BREAK}{row.cell['n_gen']} tokens"
    answered = _answered_words(row)
    small = [tokens, f"threads: {parts.thread_words(row.cell)}", count, *([answered] if answered else [])]
    small += [summary.way(row.cell)] if several_ways else []
    return [
        markdown.lines(_load_words(row.cell), *map(markdown.small, small)),
        _spread(row, "ttft_s", [request["ttft_s"] for request in requests]),
        _spread(row, "itl_s", gaps),
        markdown.lines(_spread(row, "tpot_s", each), _interval_ms(row)),
        _spread(row, "e2e_s", [request["e2e_s"] for request in requests]),
        metrics.show("output_tps", summary.centre(row, "output_tps")),
        metrics.show("goodput_rate", summary.centre(row, "goodput_rate")),
        parts.badge(row),
    ]


def _batched(rows: Sequence[Row]) -> Markdown:
    columns = [
        ("Tokens in + out", LEFT), ("Sequences", RIGHT), ("Threads", RIGHT), ("Prompt token/s", RIGHT),
        ("Generation token/s", RIGHT), ("95 % interval", RIGHT), ("Validity", LEFT),
    ]  # fmt: skip
    lines = [
        [
            f"{row.cell['n_prompt']} + {row.cell['n_gen']}",
            metrics.number(row.cell.get("concurrency", 1)),
            parts.thread_words(row.cell),
            metrics.show("batched_pp_tps", summary.centre(row, "batched_pp_tps")),
            parts.mean(row),
            parts.interval(row),
            parts.badge(row),
        ]
        for row in rows
    ]
    return markdown.table(columns, lines)


def _interval_ms(row: Row) -> Markdown | None:
    if row.interval is None or row.interval.low is None or row.interval.high is None:
        return None
    centre = 1000 * row.interval.mean
    return markdown.small(metrics.span(1000 * row.interval.low, 1000 * row.interval.high, metrics.decimals(centre)))


def _slo_words(served: Sequence[Row]) -> Markdown:
    slos = {
        (slo["ttft_s"], slo["tpot_s"])
        for row in served
        for record in row.launches
        for slo in [record["payload"].get("slo")]
        if slo
    }
    told = "; ".join(f"TTFT within {ttft:g} s and TPOT within {each:g} s" for ttft, each in sorted(slos))
    return markdown.text(f"Goodput: requests that met {told or 'the latency targets'}, per second.", None)


def _latency(view: View) -> Drawing | None:
    """Draw what one user waits, against the output of all of them, by the number of users."""
    served = [row for row in view.of_kind("serve") if row.interval and "rate" not in row.cell]
    # A curve is of one way to compute, on this host alone.
    served = [row for row in served if variant.hosts(row.cell) == 1]
    served = [row for row in served if summary.way(row.cell) == summary.way(served[0].cell)]
    rows = sorted(served, key=lambda row: row.cell.get("concurrency", 1))
    if len({row.cell.get("concurrency", 1) for row in rows}) < 2:
        return None
    sets = list(dict.fromkeys((row.cell["n_prompt"], row.cell["n_gen"]) for row in rows))
    rows = [row for row in rows if (row.cell["n_prompt"], row.cell["n_gen"]) == sets[0]]
    panels: list[spec.Spec] = []
    words: list[str] = []
    for name, axis in (("ttft_s", f"{FIRST_TOKEN}, ms"), ("tpot_s", f"{PER_TOKEN}, ms")):
        values: Values = []
        for row in rows:
            wait, output = summary.mean_of(row, name), summary.mean_of(row, "output_tps")
            if wait and output:
                users = metrics.plural(row.cell.get("concurrency", 1), "user")
                values.append({"output": spec.short(output.mean), "users": users, **spec.bounds(wait, 1000)})
                words.append(f"{users}: {axis.lower()} {metrics.number(1000 * wait.mean)}")
        layers = spec.line(spec.number("output", "Output of all users, token/s"), axis)
        label = {
            "mark": {"type": "text", "dy": -12, "fontSize": 12},
            "encoding": {
                "x": spec.number("output", "Output of all users, token/s"),
                "y": spec.number("mean", axis),
                "text": {"field": "users", "type": "nominal"},
            },
        }
        # In the order of users, and not of throughput, which may fall again.
        layers[0]["encoding"]["order"] = {"field": "order", "type": "quantitative"}
        for at, value in enumerate(values):
            value["order"] = at
        panels.append(spec.panel(values, [*layers, label], axis.removesuffix(", ms")))
    load = f"{sets[0][0]} tokens in, {sets[0][1]} out, medians of the launches"
    title = spec.title(f"Latency against load: {spec.where(rows, view.run)}", [load, *spec.setting(view.run, rows)])
    return Drawing(spec.said("Latency against throughput", words), spec.whole(title, *panels))


# ---- In the terminal, and on the index ----


def _terminal(rows: Sequence[Row]) -> list[str]:
    """Return the line of the first token and those after it, for as few users as were measured."""
    row = summary.fewest_users(rows)
    if row is None:
        return [parts.terminal_line("latency", None)]
    ttft, each = parts.mean_with_unit(row, "ttft_s"), parts.mean_with_unit(row, "tpot_s")
    return [parts.terminal_line("latency", row, f"first token {ttft} (median), then {each} a token")]


def _felt(entries: Sequence[Entry]) -> Columns:
    """Return what one user feels; the user is one of as few at once as were measured."""
    columns = [("Latency of", LEFT), (f"{FIRST_TOKEN} ms", RIGHT), ("Per token, median ms", RIGHT), ("Validity", LEFT)]
    return Columns(columns, [_alone(summary.fewest_users(item.rows)) for item in entries])


def _alone(row: Row | None) -> list[Cell] | None:
    if row is None:
        return None
    users = metrics.plural(row.cell["concurrency"], "user")
    return [
        f"{users}, {row.cell['n_prompt']} tokens in, {row.cell['n_gen']} out",
        *(parts.milliseconds(summary.centre(row, name)) for name in ("ttft_s", "tpot_s")),
        parts.brief(row),
    ]


SUBJECT = Subject(
    name="latency",
    metrics=(
        "ttft_s",
        "tpot_s",
        "itl_s",
        "e2e_s",
        "output_tps",
        "request_rate",
        "goodput_rate",
        "error_share",
        "duration_s",
        "batched_pp_tps",
        "batched_tg_tps",
    ),
    kept=("ttft_s", "tpot_s"),
    kinds=("serve", "batch"),
    section=_section,
    figures=(("latency", _latency),),
    terminal=_terminal,
    felt=_felt,
)
