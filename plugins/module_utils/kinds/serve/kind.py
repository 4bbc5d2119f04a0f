# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""llama-server under load: serve128+64@c4 by users at once, serve128+64@r0.5 by requests that arrive at a rate."""

from __future__ import annotations

import re
from typing import List, Optional, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.kind import TOKENS, Cell, Kind, Started, Trouble
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.pace import Pace
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.serve import launch as launching
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings

_TEST = re.compile(
    r"serve(%s)\+(%s)@(?:c([1-9][0-9]{0,3})|r([0-9]{1,4}(?:\.[0-9]{1,4})?))" % (TOKENS, TOKENS)
)  # fmt: skip


class Serve(Kind):
    """A server under load differs from launch to launch by more than a process that runs alone."""

    name = "serve"
    program = launching.PROGRAM
    headlines = ("tpot_s",)
    lower_is_better = headlines
    metrics = launching.METRICS
    throughput = "output_tps"
    forms = "serve<prompt>+<output>@c<users> or @r<requests per second> for a server"
    examples = ("serve128+64@c4",)

    def parse(self, test: str) -> Optional[Cell]:
        match = _TEST.fullmatch(test)
        if not match or not (match.group(3) or float(match.group(4))):
            return None
        cell: Cell = {"test": test, "n_prompt": int(match.group(1)), "n_gen": int(match.group(2)), "n_depth": 0}
        if match.group(3):
            cell["concurrency"] = int(match.group(3))
        else:
            cell["rate"] = float(match.group(4))
        return cell

    def text(self, cell: Cell) -> str:
        load = (
            "r%s" % ("%.4f" % cell["rate"]).rstrip("0").rstrip(".") if "rate" in cell else "c%d" % cell["concurrency"]
        )
        return "serve%d+%d@%s" % (cell["n_prompt"], cell["n_gen"], load)

    def sequences(self, cell: Cell, slots: int) -> int:
        return slots

    def trouble(self, cell: Cell, settings: LaunchSettings) -> Optional[Trouble]:
        if cell["n_gen"] < 2:
            return (
                "%s asks for a single token, which has no time per token" % cell["test"],
                "Ask for 2 tokens of output or more.",
            )
        users = cell.get("concurrency") or 1
        if users <= settings.slots:
            return None
        return (
            "%s has %d users at once, and the server %d slots: the others would wait for a slot, not for the processor"
            % (cell["test"], users, settings.slots),
            "Raise llama_bench_slots, or ask for fewer users.",
        )

    def seconds(self, cell: Cell, pace: Pace, settings: LaunchSettings) -> float:
        if "rate" in cell:
            rate: float = cell["rate"]
            count = settings.requests * settings.slots
            # Requests that arrive faster than they are answered fill the slots.
            work = pace.prompt_s(count * cell["n_prompt"])
            work += pace.generation_s(settings.requests * cell["n_gen"], settings.slots)
            return pace.start_s + max(count / rate, work)
        users = cell["concurrency"]
        # The first request of each user warms up.
        each = pace.prompt_s(users * cell["n_prompt"]) + pace.generation_s(cell["n_gen"], users)
        return pace.start_s + (settings.requests + 1) * each

    def computed(self, outcome: Outcome) -> Tuple[float, float]:
        return launching.computed(outcome.detail.get("requests") or [], outcome.usage.wall_s)

    def argv(self, job: Job, settings: LaunchSettings) -> List[str]:
        return launching.argv_of(job, settings)

    def launch(self, job: Job, settings: LaunchSettings, started: Optional[Started] = None) -> Outcome:
        return launching.launch(job, settings, started)


KIND = Serve()
