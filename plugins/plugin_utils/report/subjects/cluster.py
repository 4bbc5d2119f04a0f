# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several hosts together: who holds what of the model, what the network takes of a token, and the ratio to one host."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import variant
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import compare, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Row
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects import ratios
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, View

_BYTES, _TRIPS, _SHARE = "network_token_bytes", "network_round_trip_ms", "network_share_percent"
_PLACES = 3
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


def _section(view: View) -> Section | None:
    rows = [row for row in view.measured if _cluster(row)]
    if not rows:
        return None
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
    return Section(
        "Several hosts together",
        [
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
        ],
    )  # fmt: skip


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
    settings = {**variant.settings_of(row.cell.get("variant", "")), **variant.settings_of(text)}
    alone = variant.text_of({name: value for name, value in settings.items() if name not in ("hosts", "layers")})
    for other in view.measured:
        if {**other.cell, "variant": other.cell.get("variant", "")} == {**row.cell, "variant": alone}:
            return ratios.bare(compare.within_blocks(other, row, p_value=False), _PLACES)
    return None


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
