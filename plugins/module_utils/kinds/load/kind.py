# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""load: how long llama-server takes from its start to its first answer, with the file cold and warm."""

from __future__ import annotations

from typing import List, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.kind import Cell, Kind, Started
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.load import launch as launching
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.pace import Pace
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings


class Load(Kind):
    """Two starts of a server, of which the first reads its file from the disk."""

    name = "load"
    program = launching.PROGRAM
    headlines = ("load_warm_s",)
    lower_is_better = headlines
    metrics = launching.METRICS
    forms = "load for the time until a server answers"
    examples = ("load",)
    reads_disk = True
    names_tensors = True

    def parse(self, test: str) -> Optional[Cell]:
        return {"test": test, "n_prompt": 0, "n_gen": 1, "n_depth": 0} if test == self.name else None

    def text(self, cell: Cell) -> str:
        return self.name

    def seconds(self, cell: Cell, pace: Pace, settings: LaunchSettings) -> float:
        # The file is read cold by itself and by a cold start, then warm, and a warm start follows.
        return 2 * pace.cold_read_s + 3 * pace.start_s + pace.generation_s(2 * cell["n_gen"])

    def threads(self, cell: Cell) -> int:
        # A token or two is too little to count by.
        return 0

    def argv(self, job: Job, settings: LaunchSettings) -> List[str]:
        return launching.argv_of(job)

    def launch(self, job: Job, settings: LaunchSettings, started: Optional[Started] = None) -> Outcome:
        return launching.launch(job, settings, started)


KIND = Load()
