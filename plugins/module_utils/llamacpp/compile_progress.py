# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a compilation is, out of what Ninja prints."""

from __future__ import annotations

import re
from typing import Dict, List, NamedTuple, Optional, Tuple

# Ninja's own default, stated because a person's environment may hold another: steps done and all steps
# (doc/manual.asciidoc of Ninja, NINJA_STATUS).
STATUS = "[%f/%t] "
_STATUS_LINE = re.compile(r"\[([0-9]{1,9})/([0-9]{1,9})\] (.*)")

# Before so many seconds and so much of the work, the steps so far say nothing of the others.
_EARLY_SECONDS = 10.0
_EARLY_WORK = 0.03

# What a step costs beside another, by what its description names: about the processor seconds of one with gcc 12 and
# llama.cpp 0c1e57098. Only the estimate of the time left depends on it.
_COSTS: Tuple[Tuple[str, float], ...] = (
    ("Linking", 0.5),
    ("/__/cloudbench/", 20.0),
    ("/server-context.dir/", 20.0),
    ("/llama-server-impl.dir/", 20.0),
    ("/llama-common.dir/", 8.0),
    ("/common.dir/", 8.0),
    ("/llama.dir/", 7.0),
    ("/ggml-cpu.dir/", 5.0),
    ("/ggml-base.dir/", 5.0),
)
_OTHER_COST = 2.0


class Step(NamedTuple):
    """A line of Ninja's status: how many steps are done of how many, and what the last one was."""

    done: int
    of: int
    what: str


def step(line: str) -> Optional[Step]:
    """Return what a line of Ninja's output says of the progress, None of any other line."""
    match = _STATUS_LINE.match(line)
    return Step(int(match.group(1)), int(match.group(2)), match.group(3).strip()) if match else None


def cost(what: str) -> float:
    """Return what a step costs beside another, by Ninja's description of it."""
    return next((weight for part, weight in _COSTS if part in what), _OTHER_COST)


class Progress:
    """Takes the lines of one run of Ninja and says how far it is.

    `planned`: the descriptions of all steps, where they are known: the time left then counts what each step costs, and
    else the steps alone.
    """

    def __init__(self, planned: Optional[List[str]] = None) -> None:
        self.done = 0
        self.of = len(planned or [])
        self._planned = sum(map(cost, planned or []))
        self._spent = 0.0

    def take(self, line: str) -> None:
        """Take one line of output."""
        seen = step(line)
        # CMake that is run anew is a build of its own, of one step, before the true one.
        if seen is None or "Re-running CMake" in seen.what:
            return
        self.done, self.of = seen.done, seen.of
        self._spent += cost(seen.what)

    def left_s(self, elapsed_s: float) -> Optional[float]:
        """Return how many seconds are left by the pace so far, None while that would be a guess."""
        if not self.done:
            return None
        if self.done >= self.of:
            return 0.0
        share = min(self._spent / self._planned, 1.0) if self._planned else self.done / self.of
        if elapsed_s < _EARLY_SECONDS or share < _EARLY_WORK:
            return None
        return elapsed_s * (1.0 / share - 1.0)

    def state(self, elapsed_s: float) -> Dict[str, Optional[float]]:
        """Return {"done", "of", "elapsed_s", "left_s"}; the last is None where it is not known yet."""
        return {"done": self.done, "of": self.of, "elapsed_s": elapsed_s, "left_s": self.left_s(elapsed_s)}
