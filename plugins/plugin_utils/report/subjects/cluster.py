# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several hosts together: who holds what of the model, what the network takes of a token, and the ratio to one host.

And which of two ways to rent them is the better one: all for one model, or one model on each.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import variant
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import compare, cost, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Row
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.verdict import Verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects import ratios
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, View

_BYTES, _TRIPS, _SHARE = "network_token_bytes", "network_round_trip_ms", "network_share_percent"
_PLACES = 3
_OF_HOSTS = ("hosts", "layers", "servers")
_WORDS = (
    "The first host measures and has the first layers, each other one the next in an RPC server of llama.cpp; the "
    "output counts as a layer. Nothing of it is ranked, for it is no figure of one machine. What an RPC server holds "
    "is not repacked, so that a cluster is to be held against one host without repacking to see what the network "
    "costs. Network bytes are those over the measuring host's interface while the tokens were timed; the share is that "
    "of the round trips alone, one to each worker for each pass through the model, so the network takes at least that. "
    "Ratios are geometric means over the blocks in which both were undisturbed, with their 95 % interval."
)


def _cluster(row: Row) -> Payload:
    """Return what the last launch of a row says of its hosts, nothing where it says nothing."""
    told = [record["payload"].get("cluster") for record in row.launches]
    return next((each for each in reversed(told) if each), {})


_REQUESTS_WORDS = (
    "The same requests to one host, to hosts that compute one model together (hosts=), and to hosts with the whole "
    "model and a server each (servers=) behind HAProxy on the measuring host, where the users are too; each request "
    "goes to the server that has the fewest. The server of the measuring host is a fresh process for each launch, the "
    "others have run since before the first one. Ratios are those of the output of all users."
)


def _section(view: View) -> Section | None:
    together, requests = _together(view), _requests(view)
    blocks = [*together, *requests]
    return Section("Several hosts together", blocks) if blocks else None


def _requests(view: View) -> list[Markdown]:
    """Return what several hosts answer of requests beside one of them, and which way to rent; nothing without any."""
    rows = [row for row in view.of_kind("serve") if row.launches]
    several = [row for row in rows if _cluster(row)]
    if not several:
        return []
    rows = [row for row in rows if _cluster(row) or any(_alone(rows, other) is row for other in several)]
    hourly = cost.hourly(view.run)
    columns = [
        ("Load", LEFT), ("Threads", RIGHT), ("Hosts", LEFT), (view.unit("Output token/s"), RIGHT),
        ("To one host", RIGHT), ("First token, median ms", RIGHT), ("Per token, median ms", RIGHT),
        ("Goodput 1/s", RIGHT), ("Requests by host", LEFT), ("Validity", LEFT),
    ]  # fmt: skip
    usd_hour = hourly.usd if hourly else None
    lines = []
    for row in rows:
        alone = _alone(rows, row)
        ratio = ratios.bare(_output_ratio(alone, row), _PLACES) if alone and alone is not row else None
        line: list[Cell] = [
            parts.test_words(row.cell), parts.thread_number(row.cell), row.cell.get("variant") or "one",
            metrics.show("output_tps", summary.centre(row, "output_tps")), ratio,
            *(parts.milliseconds(summary.centre(row, name)) for name in ("ttft_s", "tpot_s")),
            metrics.show("goodput_rate", summary.centre(row, "goodput_rate")),
            _by_host(row), parts.badge(row),
        ]  # fmt: skip
        if usd_hour:
            line.insert(-1, _usd(row, usd_hour))
        lines.append(line)
    if usd_hour:
        columns.insert(-1, ("USD/M tokens", RIGHT))
    blocks = [markdown.text(_REQUESTS_WORDS, None), markdown.table(columns, lines)]
    which = [words for row in several if (words := _which(rows, row))]
    if which:
        blocks.append(markdown.bullets(which))
    return blocks


def _alone(rows: Sequence[Row], row: Row) -> Row | None:
    """Return the row of one host with the test, the threads and the other settings of a row."""
    wanted = {**row.cell, "variant": _without_hosts(row.cell)}
    return next((other for other in rows if {**other.cell, "variant": other.cell.get("variant", "")} == wanted), None)


def _output_ratio(alone: Row, row: Row) -> Verdict:
    return compare.within_blocks(alone, row, p_value=False, metric="output_tps")


def _by_host(row: Row) -> Cell:
    """Return how many requests of the last launch each host answered, those that warmed up among them."""
    hosts = _cluster(row).get("hosts") or []
    known = [(str(host["host"]), host["requests"]) for host in hosts if host.get("requests") is not None]
    return ", ".join(f"{host} {metrics.number(count)}" for host, count in known) or None


def _usd(row: Row, usd_hour: Decimal) -> Cell:
    """Return what a million output tokens cost on all hosts of a row, where they are instances of one type."""
    hosts = _cluster(row).get("hosts") or []
    if len({host.get("type") for host in hosts}) > 1:
        return None
    usd = cost.per_million(usd_hour * variant.hosts(row.cell), summary.centre(row, "output_tps"))
    return None if usd is None else f"{usd:.2f}"


def _which(rows: Sequence[Row], row: Row) -> str | None:
    """Return what the ratio of a row to one host says to whoever rents, None where nothing is sure."""
    alone = _alone(rows, row)
    ratio = _output_ratio(alone, row).ratio if alone else None
    if ratio is None or ratio.low is None or ratio.high is None:
        return None
    count, test = variant.hosts(row.cell), parts.test_words(row.cell)
    bounds = metrics.span(ratio.low, ratio.high, _PLACES)
    how = "with a server each" if variant.servers(row.cell) > 1 else "with one model together"
    told = f"{test}: {count} hosts {how} give {metrics.number(ratio.mean, _PLACES)} times the output of one ({bounds})"
    if ratio.low > 1:
        return f"{told}, which is {metrics.number(100 * ratio.mean / count, 0)} % of {count} times."
    if ratio.high < 1:
        return f"{told}: rent them so only for a model that one host cannot hold."
    return f"{told}, which may be no more than one host does."


def _together(view: View) -> list[Markdown]:
    """Return who has what of a model that several hosts compute together; nothing without any."""
    rows = [row for row in view.measured if _cluster(row)]
    if not rows:
        return []
    # The rows tell of their hosts apart from what they have in common with rows of one host.
    columns = [
        ("Test", LEFT), ("Threads", RIGHT), ("Hosts", RIGHT), (view.unit("token/s"), RIGHT), ("To one host", RIGHT),
        ("To one host, not repacked", RIGHT), ("Network bytes/token", RIGHT),
        (f"Round trips{metrics.NO_BREAK}ms", RIGHT), ("Network's share, at least %", RIGHT), ("Validity", LEFT),
    ]  # fmt: skip
    lines = [_line(view, row) for row in rows]
    named: list[Sequence[Cell]] = []
    for row in rows:
        named += [line for line in _hosts(row) if line not in named]
    return [
        markdown.text(_WORDS, None),
        markdown.table(columns, lines),
        markdown.table(
            [
                ("Variant", LEFT), ("Host", LEFT), ("Processor", LEFT), ("Layers", RIGHT), ("Threads", RIGHT),
                ("Weights", RIGHT), ("KV", RIGHT), ("To compute with", RIGHT),
                (f"Round trip{metrics.NO_BREAK}ms", RIGHT),
            ],
            [list(line) for line in named],
        ),
    ]  # fmt: skip


def _line(view: View, row: Row) -> list[Cell]:
    return [
        parts.test_words(row.cell),
        parts.thread_number(row.cell),
        row.cell.get("variant"),
        markdown.lines(parts.mean(row), markdown.small(parts.interval(row))),
        _to(view, row, ""),
        _to(view, row, "repack=off"),
        metrics.show(_BYTES, summary.average(row, _BYTES)),
        metrics.show(_TRIPS, summary.average(row, _TRIPS)),
        metrics.show(_SHARE, summary.average(row, _SHARE)),
        parts.badge(row),
    ]


def _to(view: View, row: Row, text: str) -> Cell:
    """Return the ratio of a row to the same test of one host with the settings of a variant's text, beside its own."""
    alone = _without_hosts(row.cell, text)
    for other in view.measured:
        if {**other.cell, "variant": other.cell.get("variant", "")} == {**row.cell, "variant": alone}:
            return ratios.bare(compare.within_blocks(other, row, p_value=False), _PLACES)
    return None


def _without_hosts(cell: Payload, text: str = "") -> str:
    """Return the variant of one host with the settings of a cell, and with those of a variant's text."""
    settings = {**variant.settings_of(cell.get("variant", "")), **variant.settings_of(text)}
    return variant.text_of({name: value for name, value in settings.items() if name not in _OF_HOSTS})


def _hosts(row: Row) -> list[list[Cell]]:
    """Return a line for each host of a row. What is computed with differs between prompts and generation."""
    return [
        [
            f"{row.cell.get('variant')}, {row.cell['test']}",
            str(host["host"]),
            str(host.get("type") or host.get("processor") or metrics.NOT_AVAILABLE),
            metrics.number(host["layers"]),
            metrics.number(host["threads"]),
            *(metrics.binary(host.get(name)) for name in ("model_bytes", "kv_bytes", "compute_bytes")),
            metrics.number(None if host.get("round_trip_s") is None else 1000 * host["round_trip_s"]),
        ]
        for host in _cluster(row).get("hosts") or []
    ]


SUBJECT = Subject(name="cluster", metrics=(_BYTES, _TRIPS, _SHARE), section=_section)
