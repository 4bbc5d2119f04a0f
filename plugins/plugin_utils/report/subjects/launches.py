# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every launch of llama-bench: what it gave, and what the gates have seen of the machine meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ansible_collections.cloudbench.llama.plugins.module_utils.probe.gates import LIMITS
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import UNDATED
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Record
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Column, Section, View

PEAK = "rss_peak_bytes"
# The name of a figure and what shows it.
Gate = tuple[str, Callable[[metrics.Number | None], str]]
# Samples of one launch that a table cell shows.
SAMPLES = 10

_ALWAYS = (
    ("wall_s", "Wall s"),
    ("rss_peak_bytes", "Peak RSS"),
    ("steal_percent", "Steal %"),
    ("other_cpu_percent", "Other CPU %"),
)
# Where fewer ran than were asked for.
_WHERE_MISSED = (("threads_ran", "Threads that ran"),)
# Where memory did not suffice, threads wait for what was swapped out.
_WHERE_SWAPPED = (("swap_in_pages", "Swapped in"), ("pressure_some_percent", "Pressure %"))


def _section(view: View) -> Section | None:
    if not view.launches:
        return None
    if view.imported:
        return _processes(view)
    allowed, _meaning = LIMITS["swap_in_pages"]
    swapped = any((summary.value(record, "swap_in_pages") or 0) > allowed for record in view.launches)
    missed = any(
        (summary.value(record, "threads_ran") or row.cell["threads"]) < row.cell["threads"]
        for row in view.measured
        for record in row.launches
    )
    shown = (*_ALWAYS, *(_WHERE_MISSED if missed else ()), *(_WHERE_SWAPPED if swapped else ()))
    names = [name for name, _title in shown]
    unit = metrics.common_unit(summary.value(record, PEAK) for record in view.launches)
    columns: list[Column] = [
        ("Launch", RIGHT),
        ("Block", RIGHT),
        ("Started, UTC", LEFT),
        (view.unit("token/s"), RIGHT),
        ("Samples", LEFT),
        *((parts.in_title(title, unit) if name == PEAK else title, RIGHT) for name, title in shown),
        ("Validity", LEFT),
    ]
    formatters = [
        partial(metrics.in_unit, unit=unit) if name == PEAK else metrics.metric(name).formatter for name in names
    ]
    gates = list(zip(names, formatters, strict=True))
    blocks = []
    for row in view.measured:
        blocks.append(markdown.heading(4, view.words(row)))
        blocks.append(markdown.table(columns, [_launch(record, row.speed, gates) for record in row.launches]))
    return Section("", [markdown.details(f"Every launch ({len(view.launches)})", Markdown("\n\n".join(blocks)))])


def _processes(view: View) -> Section:
    """Return what imported processes printed: nothing else is known of them."""
    columns = [*view.head(), ("Measured", LEFT), ("token/s", RIGHT), ("Samples", LEFT)]
    lines: list[list[Cell]] = [
        [
            *view.name(row),
            parts.date(record["time"]),
            metrics.show(row.speed, summary.value(record, row.speed)),
            _samples(record, row.speed) or None,
        ]
        for row in view.measured
        for record in row.launches
    ]
    return Section("", [markdown.details(f"Every process ({len(lines)})", markdown.table(columns, lines))])


def _samples(record: Record, speed: str) -> str:
    """Return what a launch repeated, the first of it where it is much."""
    samples = record["payload"]["metrics"][speed].get("samples") or []
    more = f", and {len(samples) - SAMPLES} more" if len(samples) > SAMPLES else ""
    return ", ".join(map(metrics.metric(speed).formatter, samples[:SAMPLES])) + more


def _launch(record: Record, speed: str, gates: Sequence[Gate]) -> list[Cell]:
    launch = record["payload"]
    shown = _samples(record, speed)
    figures = (
        metrics.number(launch["number"]),
        metrics.number(launch.get("block")),
        # Checked to be a time.
        metrics.NOT_AVAILABLE if record["time"] == UNDATED else record["time"][11:19],
        metrics.show(speed, summary.value(record, speed)),
        shown or metrics.NOT_AVAILABLE,
        *(shows(summary.value(record, name)) for name, shows in gates),
    )
    # Numbers of ours act as nothing; that each of them is looked at for it was a fifth of the time that a page takes.
    return [*map(Markdown, figures), launch["validity"]["state"]]


SUBJECT = Subject(
    name="launches",
    metrics=(
        "pp_tps",
        "tg_tps",
        "wall_s",
        "rss_peak_bytes",
        "steal_percent",
        "other_cpu_percent",
        "threads_ran",
        "swap_in_pages",
        "pressure_some_percent",
    ),
    section=_section,
)
