# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run measures: launches, repetitions, limits and targets, the same for all of its cells."""

from __future__ import annotations

from typing import Mapping, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.cell import LADDER, tuned_for
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import NOTHING_SET, LaunchSettings

# Launches of each rung of a thread ladder, of one repetition each: it chooses, it does not measure. Nor does a search.
LADDER_LAUNCHES = 3
LADDER_REPETITIONS = 1
# Of the time limit a ladder takes no more than this: what was asked for is to be measured.
LADDER_SHARE = 0.5


class Settings(NamedTuple):
    """How to measure.

    Each cell gets `launches` undisturbed launches, then more until its interval is as narrow as its test allows
    (Kind.precision), and `launches_most` in all; `repetitions` are those of llama-bench in one launch, `seed` that
    of the order, `time_limit` the seconds one launch may take, `budget` those of all together (0: as long as it takes),
    `environment` the variables that a person sets for all programs that are measured.
    """

    launches: int
    launches_most: int
    repetitions: int
    seed: int
    time_limit: float
    budget: float = 0.0
    slots: int = 4
    requests: int = 4
    slo_ttft_s: float = 2.0
    slo_tpot_s: float = 0.1
    environment: Mapping[str, str] = NOTHING_SET

    def of_launch(self, job: Job, number: int = 0) -> LaunchSettings:
        """Return the settings of a launch of a job.

        Each launch has a seed of its own: its prompts are new, and the arrivals those of another hour.
        """
        chooses = job.cell.get("purpose") == LADDER or tuned_for(job.cell)
        settings = LaunchSettings(
            repetitions=LADDER_REPETITIONS if chooses else self.repetitions,
            time_limit=self.time_limit,
            slots=self.slots,
            requests=self.requests,
            slo_ttft_s=self.slo_ttft_s,
            slo_tpot_s=self.slo_tpot_s,
            seed=self.seed + number,
            number=max(1, number),
            launches=self.launches,
            environment=self.environment,
        )
        return variant.applied(job, settings)
