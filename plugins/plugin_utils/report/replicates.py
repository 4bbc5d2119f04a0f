# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of instance types of which several instances were measured: what the type gives, and how they differ."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import replicates, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.replicates import ENOUGH, Pooled, Replicate
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Entry

RULE = (
    "Each instance counts once, with the mean of its launches, and the interval is that between instances: the next "
    f"one of the type is expected as they were. From {ENOUGH} instances on a type has a place; types whose intervals "
    "overlap share one."
)


def table(entries: Sequence[Entry], up: str = "") -> Markdown | None:
    """Return the table of one model, None where no type has two instances; `up` leads to the results directory."""
    rows = [(item, row) for item in entries for row in (item.generation, item.prompt) if row]
    groups = replicates.pooled(Replicate(item.run, row) for item, row in rows)
    if not groups:
        return None
    columns = [
        ("Instance type", LEFT), ("Quantization", LEFT), ("Figure", LEFT), ("Instances", LEFT), ("token/s", RIGHT),
        ("Between instances", RIGHT), ("Place", RIGHT),
    ]  # fmt: skip
    places = _places(groups)
    lines = [_line(group, place, up) for group, place in zip(groups, places, strict=True)]
    return Markdown(f"{markdown.table(columns, lines)}\n\n{markdown.text(RULE, None)}")


def _places(groups: Sequence[Pooled]) -> list[int | None]:
    """Return the place of each group among those of its cell, the fastest first; None of one with too few instances."""
    places: list[int | None] = []
    for at, group in enumerate(groups):
        better = [other for other in groups[:at] if replicates.apart(other, group)]
        places.append(len(better) + 1 if group.ranked else None)
    return places


def _line(group: Pooled, place: int | None, up: str) -> list[Cell]:
    interval = group.interval
    width = "" if interval.half_width_percent is None else f" ±{interval.half_width_percent:.1f} %"
    names = [
        markdown.link(str(number), f"{up}{summary.machine_path(each.run.machine)}")
        for number, each in enumerate(group.members, 1)
    ]
    return [
        group.kind,
        group.members[0].row.cell["quantization"],
        parts.test_words(group.members[0].row.cell),
        markdown.join(names),
        f"{metrics.number(interval.mean)}{width}",
        f"{group.spread_percent:.1f} %",
        "too few" if place is None else str(place),
    ]
