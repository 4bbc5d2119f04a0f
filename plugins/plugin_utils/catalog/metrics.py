# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of metrics: what each name means, where it comes from, what it may be and how it is written.

A figure on a page, a value in a record and a column of an export all take their unit and format from here.
Speeds and times are per launch, one fresh process; bytes are bytes and shown in powers of 1024.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

Number = int | float

NOT_AVAILABLE = "N/A"
# Between a number and what belongs to it: a table cell must not break there.
NO_BREAK = "\u00a0"
DIGITS = 4


class MetricError(ValueError):
    """A metric name that the registry does not know, or a value it cannot hold."""


def decimals(value: Number, digits: int = DIGITS) -> int:
    """Return how many decimals show `value` with `digits` significant digits (0 to 6; integers are never cut)."""
    if value == 0 or not math.isfinite(value):
        return 0
    # 9.9996 rounds up to 10.00: the exponent is that of the rounded value.
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return min(max(digits - 1 - exponent, 0), 6)


def number(value: Number | None, places: int | None = None) -> str:
    """Return `value` with thousands separated, to 4 significant digits or to `places` decimals; None is N/A."""
    if value is None or not math.isfinite(value):
        return NOT_AVAILABLE
    if places is None:
        if isinstance(value, int):
            return f"{value:,}"
        # Most figures of a page, in a third of the time that decimals() takes.
        if value >= 9999.5:
            return f"{value:,.0f}"
        if value >= 1e-3:
            shown = f"{value:#,.{DIGITS}g}"
            return shown[:-1] if shown.endswith(".") else shown
    return "{:,.{}f}".format(value, decimals(value) if places is None else places)


_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def common_unit(sizes: Iterable[Number | None]) -> str:
    """Return the unit of the largest of some numbers of bytes, in which a column has all of them; "" without any."""
    known = [size for size in sizes if size is not None and math.isfinite(size)]
    return binary(max(known)).rpartition(NO_BREAK)[2] if known else ""


def in_unit(size: Number | None, unit: str) -> str:
    """Return a number of bytes in a unit of common_unit(), without it; None is N/A."""
    if size is None or not math.isfinite(size) or not unit:
        return NOT_AVAILABLE
    scaled = float(size) / 1024 ** _UNITS.index(unit)
    return number(scaled, 0 if unit == "B" or abs(scaled) >= 100 else decimals(scaled, 3))


def binary(value: Number | None) -> str:
    """Return a number of bytes in B, KiB, MiB, GiB or TiB; None is N/A."""
    if value is None or not math.isfinite(value):
        return NOT_AVAILABLE
    size, unit = float(value), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        # 1023.96 MiB would be shown as 1,024 MiB.
        if abs(size) < 1023.5:
            break
        size, unit = size / 1024, larger
    if unit == "B":
        return f"{size:.0f}{NO_BREAK}B"
    return f"{number(size, 0 if abs(size) >= 100 else decimals(size, 3))}{NO_BREAK}{unit}"


def span(low: Number | None, high: Number | None, places: int) -> str:
    """Return `38.10 to 38.32`, both to `places` decimals, or to their own when far apart; N/A unless there are both."""
    if low is None or high is None:
        return NOT_AVAILABLE
    shown = None if high > 2 * low else places
    return f"{number(low, shown)}{NO_BREAK}to{NO_BREAK}{number(high, shown)}"


def noun(count: int, word: str) -> str:
    """Return `launches`, or `launch` where the count is 1."""
    return word if count == 1 else f"{word}es" if word.endswith(("ch", "ss")) else f"{word}s"


def plural(count: int, word: str) -> str:
    """Return `2 launches`, `1 launch`."""
    return f"{number(count)} {noun(count, word)}"


def whole(value: Number | None) -> str:
    """Return a count with thousands separated; None is N/A."""
    return NOT_AVAILABLE if value is None else number(round(value))


def one_place(value: Number | None) -> str:
    """Return a percentage with one decimal; None is N/A."""
    return number(value, 1)


def two_places(value: Number | None) -> str:
    """Return a percentage with two decimals; None is N/A."""
    return number(value, 2)


def ratio(value: Number | None) -> str:
    """Return a ratio of perplexities with four decimals: of the fourth quantizations of 8 bits differ; None is N/A."""
    return number(value, 4)


def divergence(value: Number | None) -> str:
    """Return a divergence with as many decimals as llama-perplexity gives it; None is N/A."""
    return number(value, 6)


class Metric(NamedTuple):
    """One row of the registry.

    `unit` is the unit of values in records (bytes as "B", counts as "1"), `formatter` writes a value without its unit
    (bytes: with one that it chooses), `better` is higher, lower or none, and low..high are the values that a working
    machine can give: what lies outside is an error of measuring or reading, never a result.
    """

    name: str
    unit: str
    label: str
    formula: str
    source: str
    formatter: Callable[[Number | None], str]
    better: str
    low: float
    high: float


_BENCH = "llama-bench -o jsonl"
_CLIENT = "client of llama-server's /completion, monotonic clock"
_BATCHED = "llama-batched-bench --output-format jsonl"
_SERVER_START = "llama-server, monotonic clock"
_BANDWIDTH = "llama-roofline, best of its repetitions"
_RUSAGE = "getrusage(2) of the launch"
_LOG = "llama-bench -v, standard error"
_PROC = "proc(5), difference over the launch"
_PROC_STATUS = "proc(5): <pid>/status, once a second"
_PERPLEXITY = "llama-perplexity --kl-divergence"
_GREEDY = "llama-server's /completion, temperature 0"
_FOREVER = 1e8
_COUNT = 1e15
_BYTES = float(2**60)


def _predicted(prefix: str, base: str) -> tuple[Metric, ...]:
    """Return the metrics of what is predicted of a text, against a base."""

    def row(name: str, unit: str, label: str, formula: str, line: str, *more: Any) -> Metric:
        return Metric(prefix + name, unit, label, formula, f"{_PERPLEXITY}: {line}", *more)

    return (
        row("ppl", "1", "Perplexity" if not prefix else "Perplexity, as compared with the first build",
            "exp(mean of -ln p over the scored tokens)", "Mean PPL(Q)", number, "lower", 1, 1e9),
        row("ppl_base", "1", f"Perplexity of {base}", f"{prefix}ppl, of {base}", "Mean PPL(base)", number, "lower", 1,
            1e9),
        row("ppl_ratio", "1", f"Perplexity to that of {base}", f"{prefix}ppl / {prefix}ppl_base",
            "Mean PPL(Q)/PPL(base)", ratio, "lower", 1e-3, 1e6),
        # Of equals it is 0 but for the 16 bits in which what the base predicts is kept.
        row("kld_mean", "nat", f"KL divergence from {base}, mean", "mean over the scored tokens of sum q ln(q / p)",
            "Mean KLD", divergence, "lower", -0.01, 1e3),
        row("kld_median", "nat", f"KL divergence from {base}, median", "median over the scored tokens", "Median KLD",
            divergence, "lower", -0.01, 1e3),
        row("kld_p99", "nat", f"KL divergence from {base}, 99 %", "99th percentile over the scored tokens", "99.0% KLD",
            divergence, "lower", -0.01, 1e3),
        row("top1_percent", "%", f"Same most likely token as {base}", "100 tokens with the same most likely one / all",
            "Same top p", two_places, "higher", 0, 100),
        row("p_change_rms_percent", "%", f"Change of the probability from {base}, RMS",
            "100 sqrt(mean of (p - q)^2 of the token that comes)", "RMS Δp", two_places, "lower", 0, 100),
    )  # fmt: skip


# Of what is predicted: means over tokens, which may be 0, and perplexities are none of them.
_OVER_TOKENS = frozenset(
    prefix + name
    for prefix in ("", "agree_")
    for name in ("kld_mean", "kld_median", "kld_p99", "top1_percent", "p_change_rms_percent")
)


def over_tokens(name: str) -> bool:
    """Say whether a metric is one over tokens already, so that launches have an arithmetic mean of it."""
    return name in _OVER_TOKENS


_ROWS = (
    Metric("pp_tps", "token/s", "Prompt processing", "n_prompt / time, mean of the repetitions",
           _BENCH + ": avg_ts", number, "higher", 1e-6, 1e9),
    Metric("tg_tps", "token/s", "Token generation", "n_gen / time, mean of the repetitions",
           _BENCH + ": avg_ts", number, "higher", 1e-6, 1e9),
    Metric("token_time_ms", "ms", "Time per token", "1000 / tg_tps", "derived", number, "lower", 1e-6, 1e9),
    Metric("prompt_time_ms", "ms", "Time for the prompt", "1000 * n_prompt / pp_tps", "derived", number, "lower", 1e-6,
           1e15),
    Metric("wall_s", "s", "Wall time", "end - start of the process", "monotonic clock", number, "lower", 0, _FOREVER),
    Metric("cpu_user_s", "s", "User time", "ru_utime", _RUSAGE, number, "lower", 0, 1e12),
    Metric("cpu_system_s", "s", "System time", "ru_stime", _RUSAGE, number, "lower", 0, 1e12),
    # Clock ticks and the monotonic clock do not agree to the last per cent, so a busy machine may show 100.3.
    Metric("cpu_percent", "%", "CPU use, of all cores", "100 (cpu_user_s + cpu_system_s) / (wall_s cpu_count)",
           _RUSAGE, one_place, "none", 0, 110),
    Metric("rss_peak_bytes", "B", "Peak memory (RSS)", "1024 ru_maxrss", _RUSAGE, binary, "lower", 1, _BYTES),
    Metric("major_faults", "1", "Major faults", "ru_majflt", _RUSAGE, whole, "lower", 0, _COUNT),
    Metric("minor_faults", "1", "Minor faults", "ru_minflt", _RUSAGE, whole, "lower", 0, _COUNT),
    Metric("context_switches_voluntary", "1", "Voluntary switches", "ru_nvcsw", _RUSAGE, whole, "none", 0, _COUNT),
    Metric("context_switches_involuntary", "1", "Involuntary switches", "ru_nivcsw", _RUSAGE, whole, "lower",
           0, _COUNT),
    Metric("model_buffer_bytes", "B", "Model buffer", "sum of model buffers that are not repacked",
           _LOG + ": model buffer size", binary, "lower", 0, _BYTES),
    Metric("repack_buffer_bytes", "B", "Repack buffer", "sum of CPU_REPACK model buffers",
           _LOG + ": CPU_REPACK model buffer size", binary, "lower", 0, _BYTES),
    Metric("kv_buffer_bytes", "B", "KV buffer", "sum of KV buffers", _LOG + ": KV buffer size", binary, "lower",
           0, _BYTES),
    Metric("compute_buffer_bytes", "B", "Compute buffer", "sum of compute buffers", _LOG + ": compute buffer size",
           binary, "lower", 0, _BYTES),
    Metric("ttft_s", "s", "Time to first token", "first token event - request sent or planned, median of the requests",
           _CLIENT, number, "lower", 1e-6, 1e6),
    Metric("tpot_s", "s", "Time per output token", "(e2e_s - ttft_s) / (n - 1) of each request, median of the requests",
           _CLIENT, number, "lower", 1e-7, 1e6),
    Metric("itl_s", "s", "Inter-token latency", "gap between two token events, median of all gaps", _CLIENT, number,
           "lower", 0, 1e6),
    Metric("e2e_s", "s", "End-to-end latency", "last token event - request sent or planned, median of the requests",
           _CLIENT, number, "lower", 1e-6, 1e6),
    Metric("output_tps", "token/s", "Output of all users", "output tokens of all requests / duration_s", _CLIENT,
           number, "higher", 0, 1e9),
    Metric("request_rate", "1/s", "Requests", "requests that ended well / duration_s", _CLIENT, number, "higher",
           0, 1e6),
    Metric("goodput_rate", "1/s", "Goodput", "requests that met both latency targets / duration_s", _CLIENT, number,
           "higher", 0, 1e6),
    Metric("error_share", "1", "Failed requests", "requests that failed / requests", _CLIENT, number, "lower", 0, 1),
    Metric("duration_s", "s", "Duration", "last event - first request", _CLIENT, number, "none", 0, _FOREVER),
    Metric("batched_pp_tps", "token/s", "Prompt processing, batched", "tokens of all prompts / time",
           _BATCHED + ": speed_pp", number, "higher", 1e-6, 1e9),
    Metric("batched_tg_tps", "token/s", "Token generation, batched", "generated tokens of all sequences / time",
           _BATCHED + ": speed_tg", number, "higher", 1e-6, 1e9),
    *_predicted("", "the reference"),
    *_predicted("agree_", "the first build"),
    # A number of a token counts from 1, so that one that differs at once has a geometric mean too.
    Metric("greedy_first_difference", "1", "First token that differs from the reference",
           "lower median over the prompts of its number, n_gen + 1 where none differs", _GREEDY, whole, "higher", 1,
           1e7),
    Metric("greedy_same_percent", "%", "Same answer as the reference", "100 prompts with the same answer / all",
           _GREEDY, one_place, "higher", 0, 100),
    Metric("greedy_equal_tokens_percent", "%", "Tokens before the first that differs",
           "100 equal tokens at the beginning / tokens of the longer answer, summed over the prompts", _GREEDY,
           one_place, "higher", 0, 100),
    Metric("load_cold_s", "s", "Load, cold", "first 200 of /health - start, file not in the page cache",
           _SERVER_START, number, "lower", 0, _FOREVER),
    Metric("load_warm_s", "s", "Load, warm", "first 200 of /health - start, file in the page cache",
           _SERVER_START, number, "lower", 0, _FOREVER),
    Metric("first_token_cold_s", "s", "First token, cold", "first token - start, file not in the page cache",
           _SERVER_START, number, "lower", 0, _FOREVER),
    Metric("first_token_warm_s", "s", "First token, warm", "first token - start, file in the page cache",
           _SERVER_START, number, "lower", 0, _FOREVER),
    Metric("load_read_s", "s", "Reading the file, cold", "time of one sequential read",
           "read(2), file not in the page cache", number, "lower", 0, _FOREVER),
    Metric("load_repack_s", "s", "Repacking", "last - first line of the log that names a repacked tensor, warm start",
           "llama-server -v, standard error", number, "lower", 0, _FOREVER),
    Metric("log_load_s", "s", "Load time of an imported log", "load time of the log, not said whether cold or warm",
           "llama-cli, standard error", number, "lower", 0, _FOREVER),
    Metric("read_gb_s", "GB/s", "Memory bandwidth, read", "1e-9 bytes read / time", _BANDWIDTH, number, "higher",
           1e-3, 1e6),
    Metric("triad_gb_s", "GB/s", "Memory bandwidth, triad", "1e-9 x 24 n / time of a[i] = b[i] + s c[i] over n values",
           _BANDWIDTH, number, "higher", 1e-3, 1e6),
    Metric("bandwidth_share", "%", "Share of the read bandwidth", "100 bytes per token x tg_tps / read bandwidth",
           "derived", one_place, "none", 0, 1e4),
    Metric("fma_gflops", "GFLOP/s", "Multiplying and adding, 32 bits",
           "1e-9 operations / time, in registers, 2 for a multiplication and an addition", _BANDWIDTH, number, "higher",
           1e-3, 1e6),
    Metric("prompt_gflops", "GFLOP/s", "Arithmetic of a prompt", "2e-9 weights x pp_tps, without the attention",
           "derived", number, "higher", 0, 1e7),
    Metric("arithmetic_share", "%", "Share of the 32-bit arithmetic", "100 prompt_gflops / fma_gflops", "derived",
           one_place, "none", 0, 1e4),
    Metric("rss_anon_peak_bytes", "B", "Anonymous memory, peak", "largest RssAnon of the samples",
           _PROC_STATUS, binary, "lower", 0, _BYTES),
    Metric("rss_file_peak_bytes", "B", "Mapped file memory, peak", "largest RssFile of the samples",
           _PROC_STATUS, binary, "lower", 0, _BYTES),
    Metric("network_token_bytes", "B", "Network bytes of a token",
           "bytes received and sent / tokens, while they are timed", _PROC + ": net/dev of the measuring host", binary,
           "lower", 0, _BYTES),
    Metric("network_round_trip_ms", "ms", "Network round trips", "sum over the workers of the median of 21 round trips",
           "RPC_CMD_DEVICE_COUNT of the RPC servers", number, "lower", 0, 1e6),
    Metric("network_share_percent", "%", "Network's share, at least",
           "0.1 network_round_trip_ms x passes through the model / time in s", "derived", two_places, "lower", 0, 100),
    Metric("usd_per_million_tokens", "USD", "Cost of a million tokens", "1e6 USD an hour / (3600 token/s)", "derived",
           number, "lower", 0, 1e6),
    Metric("half_width_percent", "%", "±", "100 (high - low) / (2 mean) of the 95 % interval", "derived", one_place,
           "lower", 0, _FOREVER),
    Metric("steal_percent", "%", "Steal", "100 steal / all processor time", _PROC + ": stat", one_place, "lower",
           0, 100),
    Metric("other_cpu_percent", "%", "Other CPU", "100 (busy - this process) / all processor time", _PROC + ": stat",
           one_place, "lower", 0, 110),
    Metric("pressure_some_percent", "%", "CPU pressure", "100 some total / wall_s", _PROC + ": pressure/cpu", one_place,
           "lower", 0, 110),
    Metric("threads_ran", "1", "Threads that ran", "threads that had a fifth of the busiest one's time",
           _PROC + "/<pid>: task/*/stat", whole, "none", 0, 1e5),
    Metric("swap_in_pages", "1", "Pages swapped in", "pswpin", _PROC + ": vmstat", whole, "lower", 0, _COUNT),
)  # fmt: skip

REGISTRY = {row.name: row for row in _ROWS}

# What a launch record holds under `metrics`, and under `gates`; the rest is derived from those.
GATES = ("steal_percent", "other_cpu_percent", "pressure_some_percent", "swap_in_pages", "major_faults", "threads_ran")
DERIVED = (
    "token_time_ms",
    "prompt_time_ms",
    "half_width_percent",
    "bandwidth_share",
    "prompt_gflops",
    "arithmetic_share",
    "usd_per_million_tokens",
)


def metric(name: str) -> Metric:
    """Return the registry's row of `name`. Raises MetricError for a name that it does not have."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise MetricError(f"{name!r:.60} is no metric: the names are {', '.join(sorted(REGISTRY))}") from None


def trouble(name: str, value: object) -> str | None:
    """Say why `value` cannot be a value of the metric `name`, or return None when it can be one."""
    row = metric(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"{name} is {value!r:.40}, not a number"
    if not row.low <= value <= row.high:
        return f"{name} is {value!r:.40}, outside {row.low:g} to {row.high:g} {row.unit}"
    return None


def show(name: str, value: Number | None) -> str:
    """Return `value` of the metric `name` as a page shows it, without its unit (bytes: with it); None is N/A."""
    return metric(name).formatter(value)


def with_unit(name: str, value: Number | None) -> str:
    """Return `value` of the metric `name` with its unit; None is N/A."""
    shown, unit = show(name, value), metric(name).unit
    return shown if unit in ("B", "1") or shown == NOT_AVAILABLE else f"{shown}{NO_BREAK}{unit}"


def token_time_ms(tg_tps: Number | None) -> float | None:
    """Return the mean time between two generated tokens in ms, None when there is no speed."""
    return 1000 / tg_tps if tg_tps else None


def prompt_time_ms(n_prompt: int, pp_tps: Number | None) -> float | None:
    """Return the time to process a prompt of `n_prompt` tokens in ms, None when there is no speed or prompt."""
    return 1000 * n_prompt / pp_tps if pp_tps and n_prompt else None
