# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections of a page that only some runs have: latency, load, threads, ceilings, noise, cost, published, omitted."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import workload
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.requests import tpot
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import cost, roofline, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics, prices, published
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.published import Published
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Markdown

# Requests that a percentile needs before it is shown.
ENOUGH = {50: 1, 90: 10, 95: 200, 99: 1000}
# Cores with a line of their own.
MOST_CORES = 16
# Characters of a line over time.
WIDTH = 60
_LEVELS = "▁▂▃▄▅▆▇█"


class Section(NamedTuple):
    """A heading, what stands below it, and the name of the figure between them if there is one."""

    title: str
    blocks: list[Markdown]
    figure: str = ""


def context(run: Run, path: str, rows: Sequence[Row], others: Sequence[Row]) -> dict[str, Any]:
    """Return the variables of templates/page.md.j2 that this module makes, for the page `path` of `run`.

    `rows` are the page's cells of llama-bench, `others` those of other programs.
    """
    found = (
        _latency(run, others),
        _load(others),
        _threads(run, path),
        _bandwidth(run, rows),
        _noise(run, path),
        _cost(run, [*rows, *others]),
        _published(run, rows),
        _imported(run, [*rows, *others]),
        _omitted(run, path),
    )
    return {"sections": [section for section in found if section], "over_time": _over_time(run, path)}


# ---- Latency ----


def percentile(values: Sequence[float], percent: int) -> float | None:
    """Return a percentile (nearest rank) of values, None where there are too few of them for it."""
    if len(values) < ENOUGH[percent]:
        return None
    return sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]


def _measured(row: Row) -> list[Payload]:
    """Return the requests of a row's launches that count."""
    requests = [one for record in row.figures for one in record["payload"].get("requests") or []]
    return [one for one in requests if one["ok"] and not one.get("warmup") and one["ttft_s"] is not None]


def _spread(values: Sequence[float]) -> Markdown:
    """Return p50 and p90, and p95 and p99 where there are enough, in ms."""
    shown = [(percent, percentile(values, percent)) for percent in ENOUGH]
    words = [
        f"p{percent}{metrics.NO_BREAK}{metrics.number(1000 * value)}" for percent, value in shown if value is not None
    ]
    return markdown.lines(*words) if words else markdown.text(metrics.NOT_AVAILABLE)


def _load_words(cell: Payload) -> str:
    if "rate" in cell:
        return f"{metrics.number(cell['rate'])} requests/s, Poisson"
    return parts.plural(cell.get("concurrency", 1), "user")


def _mean_of(row: Row, name: str) -> float | None:
    found = summary.mean_of(row, name)
    return found.mean if found else None


def _latency(run: Run, others: Sequence[Row]) -> Section | None:
    served = [row for row in others if workload.kind(row.cell) == workload.SERVE]
    batched = [row for row in others if workload.kind(row.cell) == workload.BATCH]
    if not served and not batched:
        return None
    blocks = [
        markdown.text(
            "A real llama-server over loopback, streamed requests of a fixed length, unique prompts, no prompt cache. "
            "Percentiles in milliseconds, over the requests of all launches without the first of each user; the "
            "interval is that of the launches' median time per output token.",
            None,
        )
    ]
    columns = [
        ("Load", LEFT), ("TTFT ms", RIGHT),
        ("ITL ms", RIGHT), ("TPOT ms", RIGHT), ("End to end ms", RIGHT), ("Output token/s", RIGHT),
        ("Goodput 1/s", RIGHT), ("Validity", LEFT),
    ]  # fmt: skip
    lines = []
    for row in served:
        requests = _measured(row)
        gaps = [gap for one in requests for gap in one["itl_s"]]
        each = [one for one in map(tpot, requests) if one is not None]
        failed = _mean_of(row, "error_share")
        count = parts.plural(len(requests), "request") + (f", {100 * failed:.0f} % failed" if failed else "")
        tokens = f"{row.cell['n_prompt']}{metrics.NO_BREAK}+{metrics.NO_BREAK}{row.cell['n_gen']} tokens"
        threads = _thread_words(row.cell)
        lines.append(
            [
                markdown.lines(_load_words(row.cell), *map(markdown.small, (tokens, f"threads: {threads}", count))),
                _spread([one["ttft_s"] for one in requests]),
                _spread(gaps),
                markdown.lines(_spread(each), _interval_ms(row)),
                _spread([one["e2e_s"] for one in requests]),
                metrics.show("output_tps", _mean_of(row, "output_tps")),
                metrics.show("goodput_rate", _mean_of(row, "goodput_rate")),
                parts.badge(row),
            ]
        )
    if lines:
        blocks.append(markdown.table(columns, lines))
        blocks.append(_slo_words(served))
    if batched:
        words = "The bound of the same without a server: llama-batched-bench, sequences at once."
        blocks += [markdown.text(words, None), _batched(batched)]
    return Section("Latency", blocks, "latency")


def _batched(rows: Sequence[Row]) -> Markdown:
    columns = [
        ("Tokens in + out", LEFT), ("Sequences", RIGHT), ("Threads", RIGHT), ("Prompt token/s", RIGHT),
        ("Generation token/s", RIGHT), ("95 % interval", RIGHT), ("Validity", LEFT),
    ]  # fmt: skip
    lines = [
        [
            f"{row.cell['n_prompt']} + {row.cell['n_gen']}",
            metrics.number(row.cell.get("concurrency", 1)),
            _thread_words(row.cell),
            metrics.show("batched_pp_tps", _mean_of(row, "batched_pp_tps")),
            parts.mean(row),
            parts.interval(row),
            parts.badge(row),
        ]
        for row in rows
    ]
    return markdown.table(columns, lines)


def _thread_words(cell: Payload) -> str:
    more = f", prompts {cell['threads_batch']}" if cell.get("threads_batch") else ""
    return f"{cell['threads'] or 'by the ladder'}{more}"


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


# ---- Load time ----

_LOADS = ("load_cold_s", "first_token_cold_s", "load_warm_s", "first_token_warm_s", "load_read_s", "load_repack_s")


def _load(others: Sequence[Row]) -> Section | None:
    loaded = [row for row in others if workload.kind(row.cell) == workload.LOAD]
    if not loaded:
        return None
    titles = ("Cold: ready", "first token", "Warm: ready", "first token", "Read cold", "Repack")
    in_seconds = [(f"{title}{metrics.NO_BREAK}s", RIGHT) for title in titles]
    columns = [("Threads", RIGHT), ("Launches", RIGHT), *in_seconds, ("Validity", LEFT)]
    lines = [
        [
            _thread_words(row.cell),
            metrics.number(len(row.launches)),
            *(metrics.show(name, _mean_of(row, name)) for name in _LOADS),
            parts.badge(row),
        ]
        for row in loaded
    ]
    words = (
        "Seconds from the start of llama-server, mean of the launches. Ready: its first healthy answer, after it has "
        "warmed up. Cold: the file had been dropped from the page cache, which was checked. A mapped file is read "
        "while it is repacked, so the parts do not add up."
    )
    return Section("Load time", [markdown.text(words, None), markdown.table(columns, lines)], "load")


# ---- Threads ----


def _threads(run: Run, path: str) -> Section | None:
    advised = [record["payload"] for record in run.others.get("threads", [])]
    if not advised:
        return None
    advice = advised[-1]
    model = run.models.get(advice["model"])
    of = f" of {model['name']} {model['quantization']}" if model else ""
    blocks = [
        markdown.text(
            f"Ladders{of}, a few short launches each; where no thread count was given, the other cells of the run have "
            "the best ones.",
            None,
        )
    ]
    lines = []
    for title, name in (("Prompt", "prompt"), ("Generation", "generation")):
        found = advice.get(name)
        if not found:
            continue
        blocks.append(markdown.bullets([markdown.text(f"{title}: {found['reason']}.", None)]))
        if found.get("collapse"):
            blocks.append(markdown.alert("WARNING", markdown.text(f"{title}: {found['collapse']}.", None)))
        for rung in found["ladder"]:
            places = metrics.decimals(rung["mean"])
            count = metrics.number(rung["threads"]) + (f", one NUMA node ({rung['numa']})" if rung.get("numa") else "")
            mean = metrics.number(rung["mean"])
            best = rung["threads"] == found["best"] and not rung.get("numa")
            lines.append(
                [
                    title,
                    count,
                    markdown.bold(mean) if best else mean,
                    metrics.span(rung.get("low"), rung.get("high"), places),
                    metrics.number(rung["n"]),
                ]
            )
    columns = [("Ladder", LEFT), ("Threads", RIGHT), ("token/s", RIGHT), ("95 % interval", RIGHT), ("Launches", RIGHT)]
    blocks.append(markdown.table(columns, lines))
    return Section("Threads", blocks, "threads")


# ---- Bandwidth ----


def _bandwidth(run: Run, rows: Sequence[Row]) -> Section | None:
    found = summary.bandwidths(run)
    if not found:
        return None
    names = ("read_gb_s", "triad_gb_s", "fma_gflops")
    lines = [
        [
            one["stage"],
            metrics.number(one["threads"]),
            *(
                metrics.number(one[name][which]) if one.get(name) else metrics.NOT_AVAILABLE
                for name in names
                for which in ("best", "median")
            ),
        ]
        for one in found
    ]
    columns = [
        ("Measured", LEFT), ("Threads", RIGHT), ("Read, best GB/s", RIGHT), ("median", RIGHT),
        ("Triad, best GB/s", RIGHT), ("median", RIGHT), ("32-bit FMA, best GFLOP/s", RIGHT), ("median", RIGHT),
    ]  # fmt: skip
    blocks = [markdown.table(columns, lines)]
    percent = summary.drift_percent(run)
    if percent is not None:
        blocks.append(
            markdown.text(
                f"Between start, middle and end the best read bandwidth moved by {metrics.one_place(percent)} %; over "
                f"{summary.DRIFT_PERCENT:g} % makes the whole run INVALID.",
                None,
            )
        )
    shares = []
    for row in rows:
        model = _model(run, row)
        if row.speed != "tg_tps" or row.interval is None or model is None:
            continue
        top = roofline.ceiling(found, row.cell["threads"])
        share = roofline.bandwidth_share(model, row.cell, row.interval.mean, top)
        each = roofline.token_bytes(model, row.cell)
        if share is not None and each is not None and top is not None:
            shares.append(
                [
                    parts.cell_words(row.cell, True),
                    metrics.number(each / 1e9),
                    metrics.number(row.interval.mean * each / 1e9),
                    metrics.number(top.read_gb_s),
                    metrics.with_unit("bandwidth_share", share),
                ]
            )
    if shares:
        blocks.append(
            markdown.text(
                "Generation reads every weight and the context for each token, so the read bandwidth is its ceiling. A "
                "share over 100 % says that part of it came from a cache.",
                None,
            )
        )
        titles = ("Generation", "GB per token", "GB/s taken", "GB/s there", "Share")
        blocks.append(markdown.table([(t, RIGHT if i else LEFT) for i, t in enumerate(titles)], shares))
    return Section("Memory bandwidth and arithmetic", [*blocks, *_arithmetic(run, rows, found)], "roofline")


def _arithmetic(run: Run, rows: Sequence[Row], found: Sequence[Payload]) -> list[Markdown]:
    lines = []
    for row in rows:
        model = _model(run, row)
        if row.speed != "pp_tps" or row.interval is None or model is None:
            continue
        rate = roofline.prompt_gflops(model, row.cell, row.interval.mean)
        top = roofline.arithmetic(found, row.cell["threads"])
        if rate is not None and top:
            share = metrics.with_unit("arithmetic_share", 100 * rate / top)
            lines.append([parts.cell_words(row.cell, True), metrics.number(rate), metrics.number(top), share])
    if not lines:
        return []
    words = (
        "A prompt is bound by arithmetic: two operations for each weight and token. They are held against multiplying "
        "and adding numbers of 32 bits in registers, the ceiling of kernels that compute with such; those that "
        "multiply integers of 8 bits (VNNI, AMX, i8mm) may be above 100 %."
    )
    titles = ("Prompt", "GFLOP/s", "32-bit FMA", "Share")
    return [
        markdown.text(words, None),
        markdown.table([(t, RIGHT if i else LEFT) for i, t in enumerate(titles)], lines),
    ]


def _model(run: Run, row: Row) -> Payload | None:
    used = {record["payload"]["model"] for record in row.launches}
    return next((run.models[key] for key in sorted(used) if key in run.models), None)


# ---- Noise, omissions ----


def _noise(run: Run, path: str) -> Section | None:
    pair = summary.twin(run)
    if pair is None:
        return None
    first, second = pair
    found = summary.ratio(second, first)
    if found.interval is None:
        return None
    places = 4
    bounds = metrics.span(found.interval.low, found.interval.high, places)
    words = (
        f"{parts.cell_words(first.cell, True)} of {first.cell['quantization']} was measured twice in the same blocks. "
        f"The second copy was {metrics.number(found.interval.mean, places)} times as fast as the first (95 % interval "
        f"{bounds}, {parts.plural(found.interval.n, 'block')}). Whatever differs less than that says nothing."
    )
    return Section("Noise floor", [markdown.text(words, None)])


# ---- Cost ----


def _cost(run: Run, rows: Sequence[Row]) -> Section | None:
    price = cost.hourly(run)
    if price is None:
        return None
    instance = summary.machine(run).get("instance") or {}
    unknown = instance.get("life_cycle") == "spot" and price.market == prices.ON_DEMAND
    more = " It was a spot instance, whose price changes by the hour and is not on record." if unknown else ""
    if price.usd is None:
        words = f"N/A: no price of {instance['type']} in {instance.get('zone')}.{more}"
        return Section("Cost", [markdown.text(words, None)])
    start = cost.start(run, rows)
    to_start = float(price.usd) / 3600 * sum(start.values())
    lines = [
        [
            one.kind,
            parts.cell_words(one.row.cell),
            metrics.number(one.usd, 3),
            metrics.span(one.low, one.high, 3),
            *([metrics.number(one.usd + to_start, 3)] if start else []),
            one.row.state,
        ]
        for one in cost.of_rows(rows, price.usd)
    ]
    left_out = [what for what in ("boot", "cold load") if what not in start]
    inside = " and ".join(f"{what} ({metrics.number(seconds, 0)} s)" for what, seconds in start.items())
    first = f" The first million tokens after a start have {inside} in them." if start else ""
    words = (
        f"At {price.usd} USD an hour ({price.words}), the machine busy all the time; "
        f"{', '.join([*left_out, 'storage'])} and data that leaves AWS are not in it.{first}{more}"
    )
    titles = (
        ("Tokens", LEFT), ("At", LEFT), ("USD per million", RIGHT), ("95 % interval", RIGHT),
        *([("First million", RIGHT)] if start else []), ("State", LEFT),
    )  # fmt: skip
    return Section("Cost", [markdown.text(words, None), *([markdown.table(titles, lines)] if lines else [])])


# ---- Beside what others have published ----


def _published(run: Run, rows: Sequence[Row]) -> Section | None:
    """Set a page beside the figures that others have published of its instance type, model and quantization."""
    machine = summary.machine(run)
    instance = (machine.get("instance") or {}).get("type")
    if not instance or not rows or summary.emulated(run):
        return None
    cell = rows[0].cell
    found = published.of(instance, cell["model"], cell["quantization"])
    if not found:
        return None
    lines = []
    for one in found:
        own = _alike(rows, one)
        ratio = own.interval.mean / one.tps if own and own.interval else None
        lines.append(
            [
                one.source.title,
                ", ".join(filter(None, (one.source.date, one.source.version))) or metrics.NOT_AVAILABLE,
                one.test,
                metrics.number(one.threads),
                metrics.number(one.tps),
                f"{parts.mean(own)} ({parts.cell_words(own.cell)})" if own else metrics.NOT_AVAILABLE,
                f"{metrics.number(ratio, 2)}x" if ratio else metrics.NOT_AVAILABLE,
                "; ".join(_differences(run, own, one)) if own else "no such test was measured here",
            ]
        )
    words = (
        "Measured by others, with their builds and methods; no result of this project and in no ranking. Which of the "
        "differences makes up how much of a ratio cannot be told."
    )
    titles = (
        ("Published by", LEFT), ("When, with", LEFT), ("Test", LEFT), ("Threads", RIGHT), ("token/s", RIGHT),
        ("Here", LEFT), ("Here / published", RIGHT), ("What differs", LEFT),
    )  # fmt: skip
    return Section("Published figures", [markdown.text(words, None), markdown.table(titles, lines)])


def _alike(rows: Sequence[Row], one: Published) -> Row | None:
    """Return the row of this run that measured most nearly what was published."""
    known = [row for row in rows if row.speed == one.speed and row.interval is not None and not row.cell["n_depth"]]
    if one.test != "tg":
        known = [row for row in known if row.cell["test"] == one.test]
    return summary.headline(known, one.speed)


def _differences(run: Run, row: Row, one: Published) -> list[str]:
    """Return what is on record that sets a run apart from what was published of the same machine."""
    found = []
    if one.threads and one.threads != row.cell["threads"]:
        found.append(f"{parts.plural(row.cell['threads'], 'thread')} here, {one.threads} there")
    if row.cell["build"] != summary.REFERENCE_BUILD:
        found.append(f"build {row.cell['build']}")
    commits = summary.commits(run, row.launches)
    if commits:
        found.append(f"llama.cpp {', '.join(commits)} here")
    if summary.kernel_state(row) == summary.FALLBACK:
        found.append("the kernels fell back here")
    if row.state != summary.VALID:
        found.append(f"{row.state} here")
    catalog = (summary.machine(run).get("processor") or {}).get("bandwidth_gb_s")
    reached = max((one["read_gb_s"]["best"] for one in summary.bandwidths(run)), default=None)
    if catalog and reached and row.speed == "tg_tps":
        found.append(f"the memory gave {metrics.number(reached)} of {metrics.number(catalog)} GB/s in theory here")
    return found


def _imported(run: Run, rows: Sequence[Row]) -> Section | None:
    """Name the files that imported figures are of, and what they do not say."""
    if not summary.imported(run):
        return None
    files: dict[str, tuple[Payload, list[Row]]] = {}
    for row in rows:
        for record in row.launches:
            told = record["payload"].get("imported")
            if told:
                own = files.setdefault(told["sha256"], (told, []))[1]
                own += [row] if row not in own else []
    words = (
        "These figures come from files of other programs. One file is one process, so its repetitions are no launches; "
        "machine, memory, processors and disturbances are known as far as the files say, which is little. They are "
        "never ranked with figures that were measured here."
    )
    lines = []
    for told, own in files.values():
        loads = [found for row in own for found in summary.values(row, "log_load_s")]
        lines.append(
            [
                markdown.code(told["file"]),
                told["form"],
                ", ".join(dict.fromkeys(parts.cell_words(row.cell) for row in own)),
                metrics.with_unit("log_load_s", loads[0]) if loads else None,
                markdown.code(told["sha256"][:16]),
            ]
        )
    titles = (
        ("File", LEFT), ("Form", LEFT), ("Cells", LEFT), ("Load time it names", RIGHT), ("SHA-256 begins", LEFT),
    )  # fmt: skip
    return Section("Imported", [markdown.text(words, None), markdown.table(titles, lines)])


def _omitted(run: Run, path: str) -> Section | None:
    payloads = [record["payload"] for record in run.others.get("omitted", [])]
    found = [one for one in payloads if summary.page_path(run.machine, one["cell"]) == path]
    if not found:
        return None
    found.sort(key=lambda one: summary.cell_order(one["cell"]))
    items = [Markdown(f"{markdown.text(one['cell']['test'])}: {parts.sentence(one['cause'])}") for one in found]
    advice = dict.fromkeys(one["advice"] for one in found)
    return Section("Not measured", [markdown.bullets(items), *(parts.sentence(one) for one in advice)])


# ---- Over time ----


def sparkline(values: Sequence[float | None], top: float) -> str:
    """Return values from 0 to `top` as a line of at most WIDTH block characters; a gap where nothing is known."""
    if len(values) > WIDTH:
        bounds = [len(values) * i // WIDTH for i in range(WIDTH + 1)]
        buckets: Iterable[Sequence[float | None]] = (values[a:b] for a, b in pairwise(bounds))
        values = [_mean(bucket) for bucket in buckets]
    last = len(_LEVELS) - 1
    return "".join(
        " " if value is None else _LEVELS[min(last, max(0, int(value / top * len(_LEVELS))))] if top > 0 else _LEVELS[0]
        for value in values
    )


def _mean(values: Iterable[float | None] | None) -> float | None:
    found = [value for value in values or [] if value is not None]
    return statistics.fmean(found) if found else None


def _busy(samples: Payload) -> list[float | None]:
    """Return how busy all processors were, in percent, sample by sample."""
    idle, waiting = samples.get("idle"), samples.get("iowait")
    if not idle:
        return [None] * len(samples["time_s"])
    return [
        None if one is None else max(0.0, 100 - one - (other or 0.0))
        for one, other in zip(idle, waiting or [0.0] * len(idle), strict=False)
    ]


def _over_time(run: Run, path: str) -> Markdown | None:
    """Return what processors and memory did while the last launch of each cell of a page ran."""
    latest: dict[tuple[Any, ...], Payload] = {}
    for record in run.others.get("samples", []):
        samples = record["payload"]
        if summary.page_path(run.machine, samples["cell"]) == path and not samples["cell"].get("purpose"):
            latest[summary.cell_key(samples["cell"])] = samples
    if not latest:
        return None
    names = ("user", "system", "idle", "iowait", "steal")
    columns = [
        ("Launch", LEFT), *((f"{name.capitalize()} %", RIGHT) for name in names), ("Switches/s", RIGHT), ("MHz", RIGHT),
        ("Anonymous", RIGHT), ("Mapped file", RIGHT),
    ]  # fmt: skip
    builds = {samples["cell"]["build"] for samples in latest.values()}
    lines, drawn = [], []
    for samples in sorted(latest.values(), key=lambda one: summary.cell_order(one["cell"])):
        words = parts.cell_words(samples["cell"], len(builds) > 1)
        lines.append(
            [
                words,
                *(metrics.one_place(_mean(samples.get(name))) for name in names),
                metrics.number(_mean(samples.get("context_switches_per_s"))),
                metrics.number(_mean(samples.get("mhz"))),
                *(metrics.binary(_peak(samples.get(name))) for name in ("anon_bytes", "file_bytes")),
            ]
        )
        drawn.append(_drawn(words, samples))
    drawing = markdown.fenced("\n\n".join(drawn))
    return Markdown(
        "\n\n".join(
            [
                markdown.text(
                    "While the last launch of each cell ran, once a second from /proc: means, and peaks of memory.",
                    None,
                ),
                markdown.table(columns, lines),
                markdown.details("Processors and memory over the time of a launch", drawing),
            ]
        )
    )


def _peak(values: Sequence[float | None] | None) -> float | None:
    return max((value for value in values or [] if value is not None), default=None)


def _drawn(words: str, samples: Payload) -> str:
    """Return lines of block characters: all processors, each of them up to MOST_CORES, resident memory."""
    seconds = samples["time_s"][-1] if samples["time_s"] else 0.0
    told = [f"{markdown.visible(words)}, {metrics.number(seconds, 1)} s from left to right"]

    def line(name: str, values: Sequence[float | None], top: float, shown: Callable[[float | None], str]) -> None:
        told.append(f"{name:>10} {sparkline(values, top)} mean {shown(_mean(values))}, most {shown(_peak(values))}")

    line("all CPUs %", _busy(samples)[1:], 100.0, metrics.one_place)
    cores = samples.get("cores") or []
    for number, values in enumerate(cores[:MOST_CORES]):
        line(f"core {number} %", (values or [])[1:], 100.0, metrics.one_place)
    if len(cores) > MOST_CORES:
        told.append(f"{'':>10} and {len(cores) - MOST_CORES} more cores")
    memory = samples.get("rss_bytes")
    if memory:
        line("RSS", memory, float(_peak(memory) or 1), metrics.binary)
    return "\n".join(told)
