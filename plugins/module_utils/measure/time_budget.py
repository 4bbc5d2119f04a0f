# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long launches take, before the first one, and which of them a time limit has room for.

Estimates, from the thread ladder of the same run, good to a factor of about 1.5; what a launch really takes corrects
them as soon as a cell has been launched once.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.pace import Pace
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import ladder

# Where nothing is known of a disk: gp3 reads 125 MB/s unless more is paid for.
COLD_BYTES_PER_S = 125e6
# Tokens of the ladder's tests, by the metric that stands for them.
_LADDER_TOKENS = {
    registry.headline(cell): cell["n_prompt"] or cell["n_gen"] for cell in map(registry.parse_test, ladder.TESTS)
}


class Reference(NamedTuple):
    """A model whose speeds are known: token/s, bytes of its file, seconds a launch takes beside its tests."""

    pp_tps: float
    tg_tps: float
    bytes: float
    overhead_s: float


def pace(job: Job, known: Reference) -> Pace:
    """Return the pace that is expected of a job's model, by its size.

    Both speeds are taken to fall with the bytes of the file: right for generation, and near enough for prompts, whose
    cost grows with the parameters.
    """
    size = (job.model.get("bytes") or known.bytes) / known.bytes
    cold = size * known.bytes / COLD_BYTES_PER_S
    return Pace(known.pp_tps / size, known.tg_tps / size, known.overhead_s * size, cold)


def launch_seconds(job: Job, known: Reference, settings: LaunchSettings) -> float:
    """Return the seconds that one launch of a job is expected to take."""
    return registry.kind_of(job.cell).seconds(job.cell, pace(job, known), settings)


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


def words(seconds: float) -> str:
    """Return a duration for a sentence: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return "%d s" % round(seconds)
    return "%d min" % round(seconds / 60) if seconds < 5400 else "%.1f h" % (seconds / 3600)


def omission(job: Job, seconds: float, launches: int, limit: float) -> Dict[str, Any]:
    """Return the payload of the record that says what the time limit has no room for."""
    wanted = words(seconds * launches)
    return {
        "cell": job.cell,
        "cause": "%d launches of it take about %s, for which the time limit of %s has no room left"
        % (launches, wanted, words(limit)),
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
        tokens = _LADDER_TOKENS[name] * (repetitions + 1 if name == "pp_tps" else repetitions)
        beside += [max(0.0, metrics["wall_s"]["value"] - tokens / metrics[name]["value"]) for metrics in launches]
    return Reference(means["pp_tps"], means["tg_tps"], size, sum(beside) / len(beside))
