# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""greedy64: whether a file, a build and its settings say what the reference says, 64 tokens after each fixed prompt."""

from __future__ import annotations

import re
from typing import List, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.greedy import launch as launching
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.kind import TOKENS, Cell, Kind, Started, Trouble
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.pace import Pace
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings


class Greedy(Kind):
    """The likeliest token each time: a program that is asked twice says the same, so that one launch is enough.

    Its headline is the number of a token, which is never 0, so that it has a geometric mean.
    """

    name = "greedy"
    program = launching.PROGRAM
    headlines = ("greedy_first_difference",)
    metrics = launching.METRICS
    forms = "greedy<tokens> for the answers to fixed prompts against those of a reference"
    examples = ("greedy64",)
    timed = False
    real_weights = True
    needs = ("reference",)

    def parse(self, test: str) -> Optional[Cell]:
        match = re.fullmatch(r"%s(%s)" % (self.name, TOKENS), test)
        if not match:
            return None
        return {"test": test, "n_prompt": launching.PROMPT_TOKENS, "n_gen": int(match.group(1)), "n_depth": 0}

    def text(self, cell: Cell) -> str:
        return "%s%d" % (self.name, cell["n_gen"])

    def launches(self, asked: int) -> int:
        return min(1, asked)

    def obstacle(self, job: Job, settings: LaunchSettings) -> Optional[Trouble]:
        return launching.obstacle(job)

    def seconds(self, cell: Cell, pace: Pace, settings: LaunchSettings) -> float:
        count = len(launching.PROMPTS)
        # The reference may have to be asked before.
        return 2 * (pace.start_s + pace.prompt_s(count * cell["n_prompt"]) + pace.generation_s(count * cell["n_gen"]))

    def threads(self, cell: Cell) -> int:
        # Nothing of time is measured.
        return 0

    def argv(self, job: Job, settings: LaunchSettings) -> List[str]:
        return launching.argv_of(job, settings)

    def launch(self, job: Job, settings: LaunchSettings, started: Optional[Started] = None) -> Outcome:
        return launching.launch(job, settings, started)


KIND = Greedy()
