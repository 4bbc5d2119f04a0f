# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many threads: the rungs that are tried, and which of them is best.

Prompts are bound by arithmetic and take every core; generation is bound by memory, and past what the memory can feed,
more threads wait for each other at the barrier after each tensor. So each has a ladder of its own.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import mean_interval

# The fewest threads within so much of the most speed are the best: the others cost power and company for nothing.
WITHIN_PERCENT = 2.0
# All threads are said to collapse where they give less than this share of the most.
COLLAPSE_SHARE = 0.9
# Short, because one thread of a large machine is slow: what is compared is the machine with itself.
TESTS = ("pp128", "tg32")


class Rung(NamedTuple):
    """A number of threads, and llama-bench's --numa mode where it is that of one node alone."""

    threads: int
    numa: Optional[str] = None


def cores(machine: Mapping[str, Any]) -> int:
    """Return how many physical cores of a machine (the payload of its record) may be kept busy."""
    processors: int = machine.get("cpu_count") or 1
    known: int = machine.get("physical_cores") or processors
    return min(known, processors)


def rungs(machine: Dict[str, Any]) -> List[Rung]:
    """Return what is tried on a machine (the payload of its record): 1, 2, 4 ... its physical cores, all processors.

    With three quarters of a large machine, where collapses begin, and the cores of one NUMA node, kept to it.
    """
    most = machine["cpu_count"]
    every = cores(machine)
    counts = {1, every, most}
    count = 2
    while count < every:
        counts.add(count)
        count *= 2
    if most >= 16:
        counts.add(most * 3 // 4)
    tried = [Rung(count) for count in sorted(counts)]
    nodes = machine.get("numa_nodes") or 1
    if nodes > 1 and most >= 2 * nodes:
        tried.append(Rung(most // nodes, "isolate"))
    return tried


def advise(ladder: Dict[Rung, List[float]], unit: str = "token/s") -> Optional[Dict[str, Any]]:
    """Return {"best", "reason", "ladder", "collapse"} of the speeds of each rung, None without any.

    `best` is the smallest number of threads within WITHIN_PERCENT of the fastest rung. A rung with --numa is shown and
    never chosen: the other measurements run on the whole machine.
    """
    figures = {rung: mean_interval(speeds) for rung, speeds in ladder.items() if speeds}
    whole = {rung: figure for rung, figure in figures.items() if rung.numa is None}
    if not whole:
        return None
    top = max(whole, key=lambda rung: whole[rung].mean)
    enough = whole[top].mean * (1 - WITHIN_PERCENT / 100)
    best = min(rung for rung in whole if whole[rung].mean >= enough)
    every = max(whole)
    return {
        "best": best.threads,
        "reason": _reason(best, top, whole, unit),
        "collapse": _collapse(every, top, whole, unit),
        "ladder": [
            dict(
                {"threads": rung.threads, "mean": figure.mean, "low": figure.low, "high": figure.high, "n": figure.n},
                **({"numa": rung.numa} if rung.numa else {}),
            )
            for rung, figure in sorted(figures.items(), key=lambda item: (item[0].threads, item[0].numa or ""))
        ],
    }


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else "%d threads" % count


def _speed(value: float) -> str:
    return "%d" % round(value) if value >= 1000 else "%.4g" % value


def _reason(best: Rung, top: Rung, whole: Dict[Rung, Any], unit: str) -> str:
    said = "%s: %s %s" % (_threads(best.threads), _speed(whole[best].mean), unit)
    if best is not top:
        more = _threads(top.threads)
        return "%s, within %g %% of the fastest, %s (%s)" % (said, WITHIN_PERCENT, more, _speed(whole[top].mean))
    others = [rung for rung in whole if rung is not best]
    if not others:
        return said + ", the only count tried"
    other = max(others, key=lambda rung: whole[rung].mean)
    return "%s, the fastest, %.3gx of %s" % (said, whole[best].mean / whole[other].mean, _threads(other.threads))


def _collapse(every: Rung, top: Rung, whole: Dict[Rung, Any], unit: str) -> Optional[str]:
    share = whole[every].mean / whole[top].mean
    if share >= COLLAPSE_SHARE:
        return None
    return "all %d threads give %s %s, %.2gx of %s: they wait for each other more than they work" % (
        every.threads,
        _speed(whole[every].mean),
        unit,
        share,
        _threads(top.threads),
    )
