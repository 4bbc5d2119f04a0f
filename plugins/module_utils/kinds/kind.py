# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kind of measurement is: the one interface by which everything else knows bench, serve, batch and load.

A kind is a package beside this module with a module `kind`, whose KIND stands in registry.py. CONTRIBUTING.md has the
recipe for a further one.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.pace import Pace
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings

Cell = Dict[str, Any]
# Called with the process id of a program under test.
Started = Callable[[int], None]
# Cause and advice, a sentence each.
Trouble = Tuple[str, str]

# The pattern of a positive number of tokens in the name of a test.
TOKENS = r"[1-9][0-9]{0,6}"


class Kind:
    """One kind of measurement.

    `name` is its word in code, `program` what runs, `precision` the half width of the interval, in percent of the mean,
    at which a cell has enough launches. `headlines` are the metrics that can stand for a cell, those of
    `lower_is_better` the less the better; `metrics` are all that its launches give beside those of every process.
    `throughput` is the metric of token/s by which tokens are paid for, None where nothing is made for a user. `forms`
    and `examples` say in words how its tests are written.

    `timed`: a figure is one of time, which company on the machine disturbs; one that is not has as many launches as
    were asked for and no more. `real_weights`: random weights have no such figure. `needs`: what a cell of this kind
    names beside its test: `reference`, the quantization that a model is compared with, and `text`, what it is asked.
    `reads_disk`: reading from the disk is what is measured, and disturbs nothing. `names_tensors`: the log of its
    launches names each tensor that is repacked, so that the kernel path can be proved.
    """

    name = ""
    program = ""
    precision = 5.0
    headlines: Tuple[str, ...] = ()
    lower_is_better: Tuple[str, ...] = ()
    metrics: Tuple[str, ...] = ()
    throughput: Optional[str] = None
    forms = ""
    examples: Tuple[str, ...] = ()
    timed = True
    real_weights = False
    needs: Tuple[str, ...] = ()
    reads_disk = False
    names_tensors = False

    def parse(self, test: str) -> Optional[Cell]:
        """Return the fields of a cell that a test's name stands for, None where it is no test of this kind.

        Fields: test (the name), n_prompt, n_gen, n_depth (tokens), and others only where the name says so.
        """
        raise NotImplementedError

    def text(self, cell: Cell) -> str:
        """Return the name of a cell's test: parse(text(cell)) gives the same fields."""
        raise NotImplementedError

    def headline(self, cell: Cell) -> str:
        """Return the name of the metric that stands for a cell."""
        return self.headlines[0]

    def plain(self, cell: Cell) -> bool:
        """Say whether every llama.cpp since 2024 can be asked for a cell, those that read removed file types too."""
        return False

    def sequences(self, cell: Cell, slots: int) -> int:
        """Return how many contexts are held at once; `slots` are those of a server."""
        return 1

    def trouble(self, cell: Cell, settings: LaunchSettings) -> Optional[Trouble]:
        """Return why a cell cannot be measured with these settings, None when it can."""
        return None

    def launches(self, asked: int) -> int:
        """Return how many launches are enough for a cell, of so many that are asked for: one where all are alike."""
        return asked

    def obstacle(self, job: Job, settings: LaunchSettings) -> Optional[Trouble]:
        """Return why a job cannot be measured on this machine, None when it can. Asked there, before any launch."""
        return None

    def seconds(self, cell: Cell, pace: Pace, settings: LaunchSettings) -> float:
        """Return the seconds that one launch of a cell is expected to take."""
        raise NotImplementedError

    def threads(self, cell: Cell) -> int:
        """Return the fewest threads that a launch of a cell computes with at any time, 0 where they are not counted."""
        threads: int = min(cell["threads"], cell.get("threads_batch") or cell["threads"])
        return threads

    def computed(self, outcome: Outcome) -> Tuple[float, float]:
        """Return from when until when the program computed without a pause, in seconds since its start.

        Equal where that is not known: only in this time threads are missed that did not run.
        """
        return 0.0, 0.0

    def argv(self, job: Job, settings: LaunchSettings) -> List[str]:
        """Return the command line of a launch, as far as it is known before one."""
        raise NotImplementedError

    def launch(self, job: Job, settings: LaunchSettings, started: Optional[Started] = None) -> Outcome:
        """Launch a cell once. Raises outcome.LaunchFailed when there is no figure."""
        raise NotImplementedError

    def clear(self) -> None:
        """Remove what launches left on the machine for each other. Called when a run is over, however it ended."""
