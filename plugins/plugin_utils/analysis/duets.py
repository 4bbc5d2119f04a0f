# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the duets of a run say: two cells at the same moment, each on half of the cores, as one verdict for each two.

Their ratio is that of halves beside each other. It is no level, and no figure of the machine alone: whoever shows it
says "in a duet".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.duet import counts
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.gates import exceeded
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary, verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.verdict import Verdict

WORDS = "in a duet"


class Duet(NamedTuple):
    """All pairs of two cells in a run.

    `pairs` are payloads of its records, `counted` those that nothing spoiled; `verdict` is how B stands to A by these.
    """

    a: Payload
    b: Payload
    pairs: Sequence[Payload]
    counted: Sequence[Payload]
    verdict: Verdict

    @property
    def decides(self) -> bool:
        """Whether there are enough pairs for a verdict."""
        return len(self.counted) >= verdict.ENOUGH_PAIRS

    @property
    def accompanied(self) -> int:
        """In how many of the pairs that count others had more of the processors than the gates of a launch allow."""
        return sum(any(exceeded(both["gates"]) for both in pair["rounds"]) for pair in self.counted)


def cell_key(cell: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what identifies a cell whatever its threads: a side of a duet has those of a half."""
    return summary.cell_key(summary.by_ladder({key: value for key, value in cell.items() if key != "purpose"}))


def of_run(run: Run, p_value: bool = True) -> list[Duet]:
    """Return the duets of a run, in the order of tables; `p_value` as verdict.paired() has it."""
    pairs: dict[tuple[Any, ...], list[Payload]] = {}
    for record in run.others.get("duet", []):
        payload = record["payload"]
        sides = (payload["a"], payload["b"])
        key = tuple((summary.cell_key(side["cell"]), side["build"], side["model"]) for side in sides)
        pairs.setdefault(key, []).append(payload)
    duets = [_duet(alike, p_value) for alike in pairs.values()]
    return sorted(duets, key=lambda duet: (*summary.cell_order(duet.a), *summary.cell_order(duet.b)))


def _duet(pairs: list[Payload], p_value: bool) -> Duet:
    pairs = sorted(pairs, key=lambda pair: pair["number"])
    counted = [pair for pair in pairs if counts(pair)]
    ratios = [math.exp(pair["log_ratio"]) for pair in counted]
    said = verdict.paired([1.0] * len(ratios), ratios, p_value=p_value)
    return Duet(pairs[0]["a"]["cell"], pairs[0]["b"]["cell"], pairs, counted, said)


def between(duets: Iterable[Duet], a: Payload, b: Payload) -> Duet | None:
    """Return the duet of two cells of a run that decides, turned over where B was measured against A; None without."""
    wanted = (cell_key(a), cell_key(b))
    for duet in duets:
        sides = (cell_key(duet.a), cell_key(duet.b))
        if duet.decides and sides == wanted:
            return duet
        if duet.decides and sides == wanted[::-1]:
            return _turned(duet)
    return None


def _turned(duet: Duet) -> Duet:
    turned = [{**pair, "a": pair["b"], "b": pair["a"], "log_ratio": -pair["log_ratio"]} for pair in duet.counted]
    return _duet(turned, duet.verdict.p is not None)._replace(pairs=duet.pairs)
