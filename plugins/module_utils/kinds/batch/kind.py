# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""llama-batched-bench: batch128+64@c4 is four sequences at once without a server, the bound of what one can do."""

from __future__ import annotations

import re
from typing import List, Optional, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.batch import launch as launching
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.kind import TOKENS, Cell, Kind, Started
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.pace import Pace
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings

_TEST = re.compile(r"batch(%s)\+(%s)@c([1-9][0-9]{0,3})" % (TOKENS, TOKENS))


class Batch(Kind):
    """Many sequences in one process, prompts and generation apart."""

    name = "batch"
    program = launching.PROGRAM
    headlines = ("batched_tg_tps",)
    metrics = launching.METRICS
    throughput = "batched_tg_tps"
    forms = "batch<prompt>+<output>@c<sequences> for as many sequences without a server"

    def parse(self, test: str) -> Optional[Cell]:
        match = _TEST.fullmatch(test)
        if not match:
            return None
        prompt, output, sequences = map(int, match.groups())
        return {"test": test, "n_prompt": prompt, "n_gen": output, "n_depth": 0, "concurrency": sequences}

    def text(self, cell: Cell) -> str:
        return "batch%d+%d@c%d" % (cell["n_prompt"], cell["n_gen"], cell["concurrency"])

    def sequences(self, cell: Cell, slots: int) -> int:
        sequences: int = cell["concurrency"]
        return sequences

    def seconds(self, cell: Cell, pace: Pace, settings: LaunchSettings) -> float:
        sequences = cell["concurrency"]
        prompts = pace.prompt_s(sequences * cell["n_prompt"])
        return pace.start_s + prompts + pace.generation_s(cell["n_gen"], sequences)

    def computed(self, outcome: Outcome) -> Tuple[float, float]:
        # What is timed comes last, and of that the generation.
        end = outcome.usage.wall_s
        return end - sum(row["pl"] * row["tg"] / row["speed_tg"] for row in outcome.rows), end

    def argv(self, job: Job, settings: LaunchSettings) -> List[str]:
        return launching.argv_of(job)

    def launch(self, job: Job, settings: LaunchSettings, started: Optional[Started] = None) -> Outcome:
        return launching.launch(job, settings, started)


KIND = Batch()
