# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Launches of some cells in blocks: which come next, what each has so far, and when it has enough."""

from __future__ import annotations

import time
from typing import Any, Dict, Iterable, List, Optional, Set

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.cell import LADDER
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import order
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import mean_interval
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.settings import LADDER_LAUNCHES, Settings
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope

VALID = "VALID"


class Stage:
    """Launches of some jobs in blocks, and what each has so far: for the rule that stops, and for what is shown."""

    def __init__(self, jobs: List[Job], settings: Settings, earlier: Iterable[Dict[str, Any]]) -> None:
        self.jobs = jobs
        self.settings = settings
        # Whether it chooses thread counts; all of its cells are rungs then.
        self.ladder = any(job.cell.get("purpose") == LADDER for job in jobs)
        self.launches: List[List[Dict[str, Any]]] = [[] for _job in jobs]
        self.failed = [False] * len(jobs)
        # Cells that one more launch would take beyond the time limit.
        self.out_of_time = [False] * len(jobs)
        self.block = 1
        self.done: Set[int] = set()
        self._take_up(earlier)

    def _take_up(self, earlier: Iterable[Dict[str, Any]]) -> None:
        """Count what an interrupted run has launched, and find the block in which it stopped."""
        places = {self._place(job.cell, job.build["id"], job.model["id"]): i for i, job in enumerate(self.jobs)}
        for record in earlier:
            payload = record["payload"]
            if record["kind"] != "launch":
                continue
            index = places.get(self._place(payload["cell"], payload["build"], payload["model"]))
            if index is None:
                continue
            self.add(index, payload)
            block = payload.get("block") or 1
            if block > self.block:
                self.block, self.done = block, set()
            if block == self.block:
                self.done.add(index)

    @staticmethod
    def _place(cell: Dict[str, Any], build: str, model: str) -> str:
        return envelope.canonical([cell, build, model])

    def join(self, job: Job) -> int:
        """Take one more job in, and return its index."""
        self.jobs.append(job)
        self.launches.append([])
        self.failed.append(False)
        self.out_of_time.append(False)
        return len(self.jobs) - 1

    def add(self, index: int, payload: Dict[str, Any]) -> None:
        """Count a launch of a cell."""
        self.launches[index].append(payload)

    def values(self, index: int, undisturbed: bool = True) -> List[float]:
        """Return the headline figures of a cell, of its undisturbed launches or of all."""
        name = registry.headline(self.jobs[index].cell)
        return [
            launch["metrics"][name]["value"]
            for launch in self.launches[index]
            if not undisturbed or launch["validity"]["state"] == VALID
        ]

    def disturbed(self, headline: str) -> bool:
        """Say whether a cell of this headline has launches, and none of them undisturbed."""
        of_headline = [index for index, job in enumerate(self.jobs) if registry.headline(job.cell) == headline]
        return any(self.launches[index] and not self.values(index) for index in of_headline)

    def unlaunched(self, headline: str) -> bool:
        """Say whether a cell of this headline that can be launched never was."""
        of_headline = [index for index, job in enumerate(self.jobs) if registry.headline(job.cell) == headline]
        return any(not self.launches[index] and not self.failed[index] for index in of_headline)

    def likely_seconds(self, index: int) -> float:
        """Return the seconds of a launch of a rung, from those of its like; 0 where none has been launched.

        With fewer threads a launch takes longer in proportion at most, with more of them no longer.
        """
        cell = self.jobs[index].cell
        likely = [
            sum(walls) / len(walls) * max(1.0, job.cell["threads"] / cell["threads"])
            for job, walls in zip(self.jobs, self.walls())
            if walls and job.cell["test"] == cell["test"]
        ]
        own_walls = self.walls()[index]
        return sum(own_walls) / len(own_walls) if own_walls else min(likely) if likely else 0.0

    def begins_block(self) -> bool:
        """Say whether next_block() begins a block: nothing is left to launch of the one at hand."""
        return not self.done or not any(self.wants(index) for index in range(len(self.jobs)) if index not in self.done)

    def wants(self, index: int) -> int:
        """Return how many launches a cell still needs by what is known now; 0 when it has enough."""
        cell, launches = self.jobs[index].cell, self.launches[index]
        if self.failed[index] or self.out_of_time[index]:
            return 0
        if cell.get("purpose") == LADDER:
            # A disturbed rung is tried once more as often.
            missing = LADDER_LAUNCHES - len(self.values(index))
            return max(0, min(missing, 2 * LADDER_LAUNCHES - len(launches)))
        room = self.settings.launches_most - len(launches)
        good = self.values(index)
        kind = registry.kind_of(cell)
        least = kind.launches(self.settings.launches)
        if len(good) < least:
            return max(0, min(room, least - len(good)))
        if not kind.timed:
            # Its launches are parts of a text, not tries: more of them say more of the text than of the cell.
            return 0
        width = mean_interval(good).half_width_percent
        # One launch has no interval: who asks for one does not ask for precision.
        return 0 if width is None or width <= kind.precision else min(1, max(0, room))

    def next_block(self) -> List[int]:
        """Return the cells to launch now, in their order; empty when all have enough. A block begun is ended first."""
        active = [index for index in range(len(self.jobs)) if self.wants(index)]
        left = [index for index in active if index not in self.done]
        if not left:
            if self.done:
                self.block, self.done = self.block + 1, set()
            left = active
        shuffled = order.block_order(self.settings.seed, self.block, range(len(self.jobs)))
        return [index for index in shuffled if index in left]

    def walls(self) -> List[List[float]]:
        """Return the seconds that the launches of each cell took."""
        return [[launch["metrics"]["wall_s"]["value"] for launch in launches] for launches in self.launches]

    def state(self, now: Optional[int]) -> Dict[str, Any]:
        """Return what the controller shows: done and expected launches, the cell at hand, figures, seconds left."""
        figures = []
        for index, job in enumerate(self.jobs):
            speeds = self.values(index) or self.values(index, undisturbed=False)
            if speeds:
                figures.append({"cell": job.cell, "interval": list(mean_interval(speeds))})
        wanted = [self.wants(index) for index in range(len(self.jobs))]
        done = sum(len(launches) for launches in self.launches)
        return {
            "done": done,
            "of": done + sum(wanted),
            "now": self.jobs[now].cell if now is not None else None,
            "figures": figures,
            "out_of_time": sum(late and not launches for late, launches in zip(self.out_of_time, self.launches)),
            "failed": [job.cell for job, gone in zip(self.jobs, self.failed) if gone],
            "left_s": order.seconds_left(self.walls(), wanted),
            "time": time.time(),
        }
