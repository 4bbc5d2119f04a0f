# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""llama-bench: the speed of a prompt (pp512) or of generation (tg128), perhaps behind a context (tg128@d4096).

pp512,load=none and tg128,repack=off are the same with another way to load.
"""

from __future__ import annotations

import re
from typing import List, Optional, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.bench import launch as launching
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.kind import TOKENS, Cell, Kind, Started
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.pace import Pace
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings

_TEST = re.compile(r"(pp|tg)(%s)(?:@d(%s))?((?:,(?:load=(?:mmap|none)|repack=off))*)" % (TOKENS, TOKENS))


class Bench(Kind):
    """One process of llama-bench differs from the next by about 1 %, so its intervals become that narrow."""

    name = "bench"
    program = launching.PROGRAM
    precision = 1.0
    headlines = ("pp_tps", "tg_tps")
    metrics = headlines
    forms = (
        "pp<tokens> for a prompt or tg<tokens> for generation, with @d<tokens> for a context that is already filled "
        "and ,load=none or ,repack=off for another way to load"
    )
    examples = ("pp512", "tg128@d4096")
    names_tensors = True

    def parse(self, test: str) -> Optional[Cell]:
        match = _TEST.fullmatch(test)
        if not match:
            return None
        what, tokens = match.group(1), int(match.group(2))
        cell: Cell = {
            "test": test,
            "n_prompt": tokens if what == "pp" else 0,
            "n_gen": tokens if what == "tg" else 0,
            "n_depth": int(match.group(3) or 0),
        }
        options = [option.split("=") for option in match.group(4).split(",")[1:]]
        if len({key for key, _value in options}) < len(options):
            return None
        for key, value in options:
            cell[key] = value if key == "load" else False
        return cell

    def text(self, cell: Cell) -> str:
        name = "pp%d" % cell["n_prompt"] if cell["n_prompt"] else "tg%d" % cell["n_gen"]
        depth = "@d%d" % cell["n_depth"] if cell["n_depth"] else ""
        load = ",load=%s" % cell["load"] if "load" in cell else ""
        return name + depth + load + (",repack=off" if cell.get("repack") is False else "")

    def headline(self, cell: Cell) -> str:
        # pp? is a prompt of unknown length, of an imported log.
        return "pp_tps" if cell["n_prompt"] or cell["test"] == "pp?" else "tg_tps"

    def plain(self, cell: Cell) -> bool:
        return not cell["n_depth"] and "load" not in cell and "repack" not in cell

    def seconds(self, cell: Cell, pace: Pace, settings: LaunchSettings) -> float:
        # A prompt is processed once more for warming up, and a context is filled before each repetition.
        prompts = (settings.repetitions + 1) * (cell["n_prompt"] + cell["n_depth"])
        return pace.start_s + pace.prompt_s(prompts) + pace.generation_s(settings.repetitions * cell["n_gen"])

    def computed(self, outcome: Outcome) -> Tuple[float, float]:
        # What is timed comes last but for the row; then the memory is freed, which takes some tenths of a second.
        end = outcome.printed_s or outcome.usage.wall_s
        return end - sum(sum(row["samples_ns"]) / 1e9 for row in outcome.rows), end

    def argv(self, job: Job, settings: LaunchSettings) -> List[str]:
        return launching.argv_of(job, settings.repetitions)

    def launch(self, job: Job, settings: LaunchSettings, started: Optional[Started] = None) -> Outcome:
        return launching.launch(job, settings, started)


KIND = Bench()
