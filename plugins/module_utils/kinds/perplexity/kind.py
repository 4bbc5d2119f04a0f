# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a text is predicted to say: what is common to the kinds that ask llama-perplexity."""

from __future__ import annotations

import os
import re
import shutil
from typing import List, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.kind import Cell, Kind, Started, Trouble
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.pace import Pace
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.perplexity import launch as launching
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import HOME


class Predicted(Kind):
    """What is common to kinds that compare what is predicted of a text.

    Each launch takes another part of the text, the same for all cells: what differs between parts is paired away.
    `prefix` stands before the names of the figures of llama-perplexity.
    """

    program = launching.PROGRAM
    timed = False
    prefix = ""

    def parse(self, test: str) -> Optional[Cell]:
        match = re.fullmatch(r"%s([1-9][0-9]{0,4})x([1-9][0-9]{0,3})" % self.name, test)
        if not match:
            return None
        context, chunks = map(int, match.groups())
        return {"test": test, "n_prompt": context, "n_gen": 0, "n_depth": 0, "chunks": chunks}

    def text(self, cell: Cell) -> str:
        return "%s%dx%d" % (self.name, cell["n_prompt"], cell["chunks"])

    def plain(self, cell: Cell) -> bool:
        return True

    def trouble(self, cell: Cell, settings: LaunchSettings) -> Optional[Trouble]:
        if cell["n_prompt"] >= 8 and launching.scored(cell) >= launching.FEWEST_TOKENS:
            return None
        return (
            "%s scores %d tokens, and %s gives no statistics of fewer than %d"
            % (cell["test"], launching.scored(cell), launching.PROGRAM, launching.FEWEST_TOKENS),
            "Ask for a longer context or for more chunks, such as %s." % self.examples[0],
        )

    def obstacle(self, job: Job, settings: LaunchSettings) -> Optional[Trouble]:
        return launching.obstacle(job, settings.launches)

    def seconds(self, cell: Cell, pace: Pace, settings: LaunchSettings) -> float:
        # What is predicted is compared for each word of the vocabulary, and now and then the base is asked before.
        return pace.start_s + 2 * pace.prompt_s(launching.tokens(cell))

    def threads(self, cell: Cell) -> int:
        # Nothing of time is measured.
        return 0

    def argv(self, job: Job, settings: LaunchSettings) -> List[str]:
        return launching.argv_of(job)

    def launch(self, job: Job, settings: LaunchSettings, started: Optional[Started] = None) -> Outcome:
        return launching.launch(job, settings, self.prefix, started)

    def clear(self) -> None:
        shutil.rmtree(os.path.join(HOME, launching.DIRECTORY), ignore_errors=True)
