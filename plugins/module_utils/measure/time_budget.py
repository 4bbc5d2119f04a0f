# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long launches take, before the first one, and which of them a time limit has room for.

Estimates, from the thread ladder of the same run, good to a factor of about 1.5; what a launch really takes corrects
them as soon as a cell has been launched once.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.pace import Pace
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.registry import headline, kind_of, parse_test
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import ladder

# Where nothing is known of a disk: gp3 reads 125 MB/s unless more is paid for.
COLD_BYTES_PER_S = 125e6
# The ladder's tests, by the metric that stands for each.
_LADDER_CELLS = {headline(cell): cell for cell in map(parse_test, ladder.TESTS)}


class Reference(NamedTuple):
    """A model whose speeds are known: token/s, bytes of its file, seconds a launch takes beside its tests."""

    pp_tps: float
    tg_tps: float
    bytes: float
    overhead_s: float

    def pace(self, size: Optional[float]) -> Pace:
        """Return the pace that is expected of a model of `size` bytes, None where nobody knows them.

        Both speeds are taken to fall with the bytes of the file: right for generation, and near enough for prompts,
        whose cost grows with the parameters.
        """
        larger = (size or self.bytes) / self.bytes
        return Pace(
            prompt_tps=self.pp_tps / larger,
            generation_tps=self.tg_tps / larger,
            start_s=self.overhead_s * larger,
            cold_read_s=larger * self.bytes / COLD_BYTES_PER_S,
        )


def launch_seconds(job: Job, known: Reference, settings: LaunchSettings) -> float:
    """Return the seconds that one launch of a job is expected to take."""
    return kind_of(job.cell).seconds(job.cell, known.pace(job.model.get("bytes")), settings)


def omit(seconds: List[float], launches: int, limit: float) -> Tuple[List[int], float]:
    """Return which cells (indices in `seconds`, of one launch each) have no room, and how long the others take.

    A cell that is measured gets its `launches` at least. The order is that of importance: what comes later is left
    out first, but a short cell may still fit where a long one did not.
    """
    left, out = limit, []
    for index, cost in enumerate(seconds):
        if cost * launches <= left:
            left -= cost * launches
        else:
            out.append(index)
    return out, limit - left


def duration(seconds: float) -> str:
    """Return a duration for a person: 40 s, 3 min 20 s, 12 min, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return "%d s" % whole
    if whole < 3600:
        return _both(divmod(whole, 60), "min", "s")
    return _both(divmod(whole // 60, 60), "h", "min")


def _both(numbers: Tuple[int, int], unit: str, smaller: str) -> str:
    return "%d %s" % (numbers[0], unit) + (" %d %s" % (numbers[1], smaller) if numbers[1] else "")


def omission(job: Job, seconds: float, launches: int, limit: float) -> Dict[str, Any]:
    """Return the payload of the record that says what the time limit has no room for.

    `seconds` are those that one launch of it is expected to take, 0 where nobody knows.
    """
    cause = "the time limit of %s was over before its first launch" % duration(limit)
    if seconds:
        wanted = duration(seconds * launches)
        cause = "%d launches of it take about %s, for which the time limit of %s has no room left" % (
            launches,
            wanted,
            duration(limit),
        )
    return {
        "cell": job.cell,
        "cause": cause,
        "advice": "Raise llama_bench_minutes (0 is no limit), or ask for fewer tests, models or builds.",
    }


def reference(figures: Dict[str, List[Dict[str, Any]]], size: float, repetitions: int = 1) -> Optional[Reference]:
    """Return the reference that launches of the ladder's tests give, the launches of the chosen thread counts.

    `figures`: the metrics of the launches by pp_tps and tg_tps; `size`: bytes of the model. None without both.
    """
    if not figures.get("pp_tps") or not figures.get("tg_tps"):
        return None
    means = {}
    beside = []
    for name, launches in figures.items():
        speeds = [metrics[name]["value"] for metrics in launches]
        means[name] = sum(speeds) / len(speeds)
        for metrics, speed in zip(launches, speeds):
            tests = _test_seconds(_LADDER_CELLS[name], speed, repetitions)
            beside.append(max(0.0, metrics["wall_s"]["value"] - tests))
    return Reference(means["pp_tps"], means["tg_tps"], size, sum(beside) / len(beside))


def _test_seconds(cell: Dict[str, Any], tps: float, repetitions: int) -> float:
    """Return the seconds of a launch at a speed, short of what it takes beside its tests."""
    pace = Pace(prompt_tps=tps, generation_tps=tps, start_s=0.0, cold_read_s=0.0)
    return kind_of(cell).seconds(cell, pace, LaunchSettings(repetitions=repetitions))
