# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines of one type as replicates of the type: launches on one of them say nothing of the next one of its kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import Interval, mean_interval
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Row, Run

# With fewer instances the interval between them is too wide to rank a type by.
ENOUGH = 3


class Replicate(NamedTuple):
    """The figure of one machine: its run and the row."""

    run: Run
    row: Row


class Pooled(NamedTuple):
    """One cell on several machines of one type; types are ranked among those of the same `speed` and `what`.

    `interval` is that of the machines' means, the machine being the unit; `spread_percent` the distance from the
    slowest to the fastest of them, in percent of the mean.
    """

    kind: str
    speed: str
    what: tuple[str, ...]
    members: list[Replicate]
    interval: Interval
    spread_percent: float

    @property
    def ranked(self) -> bool:
        """Whether there are enough of them to rank the type."""
        return len(self.members) >= ENOUGH


def kind_of(run: Run) -> str | None:
    """Return the instance type of a run's machine, None of one that is no instance, or an emulated one."""
    kind = (summary.machine(run).get("instance") or {}).get("type")
    return None if summary.emulated(run) or summary.imported(run) else kind


def _cell(cell: Payload) -> tuple[str, ...]:
    """Return what must be equal; the number of threads is what each machine found best."""
    return (cell["quantization"], cell["test"], summary.way(cell), cell.get("variant") or "")


def pooled(replicates: Iterable[Replicate]) -> list[Pooled]:
    """Return the cells that were measured on two machines of a type or more, of each cell the fastest first.

    Of each machine the figure counts that stands for it; what is INVALID does not.
    """
    groups: dict[tuple[str, ...], dict[str, Replicate]] = {}
    for each in replicates:
        kind = kind_of(each.run)
        if kind and each.row.interval and each.row.state != summary.INVALID:
            groups.setdefault((kind, each.row.speed, *_cell(each.row.cell)), {})[each.run.machine] = each
    several = [
        _pooled(kind, speed, tuple(what), sorted(members.values(), key=lambda each: each.run.machine))
        for (kind, speed, *what), members in groups.items()
        if len(members) > 1
    ]
    return sorted(several, key=lambda each: (each.speed, each.what, not each.ranked, -each.interval.mean, each.kind))


def _pooled(kind: str, speed: str, what: tuple[str, ...], members: Sequence[Replicate]) -> Pooled:
    means = [each.row.interval.mean for each in members if each.row.interval]
    interval = mean_interval(means)
    spread = 100 * (max(means) - min(means)) / interval.mean
    return Pooled(kind, speed, what, list(members), interval, spread)


def apart(first: Pooled, second: Pooled) -> bool:
    """Say whether two types are told from each other: both are ranked, and their intervals have nothing in common."""
    if not (first.ranked and second.ranked) or (first.speed, first.what) != (second.speed, second.what):
        return False
    bounds = [first.interval.low, first.interval.high, second.interval.low, second.interval.high]
    if any(bound is None for bound in bounds):
        return False
    low, high, other_low, other_high = (float(bound or 0) for bound in bounds)
    return low > other_high or high < other_low
