# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast a model runs on a machine, as far as it is known before a launch: what expected times are made of."""

from __future__ import annotations

from typing import NamedTuple


class Pace(NamedTuple):
    """The speeds of one model at one number of threads.

    `prompt_tps` and `generation_tps` are token/s of a single sequence; `start_s` are the seconds that a launch takes
    beside its tests (start of the process, load, end), `cold_read_s` those of reading the file from the disk.
    Sequences that generate at once read the weights once for all: `together` is the power of their number with which
    the time of a step grows, 0 at best (memory is the bound) and 1 at worst (arithmetic is).
    """

    prompt_tps: float
    generation_tps: float
    start_s: float
    cold_read_s: float
    together: float = 0.5

    def prompt_s(self, tokens: float) -> float:
        """Return the seconds that so many tokens of prompts take, whose cost is that of their arithmetic."""
        return tokens / self.prompt_tps

    def generation_s(self, steps: float, sequences: int = 1) -> float:
        """Return the seconds of so many steps, each of which gives every one of `sequences` a token."""
        return float(steps / self.generation_tps * sequences**self.together)
