# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One launch of llama-bench: its command and its figures."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import one_shot
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.bench.output import parse_row
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job, program
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.one_shot import Row, Run, Started, run_process
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings

PROGRAM = "llama-bench"


def argv_of(job: Job, repetitions: int) -> List[str]:
    """Return the command line of one launch. -v, because only the log names buffers and layouts."""
    cell = job.cell
    argv = [program(job, PROGRAM), "-m", job.model_path, "-t", str(cell["threads"])]
    argv += ["-p", str(cell["n_prompt"]), "-n", str(cell["n_gen"]), "-r", str(repetitions), "-o", "jsonl", "-v"]
    # What is not asked for is left out: older versions do not know these options.
    if cell["n_depth"]:
        argv += ["-d", str(cell["n_depth"])]
    if "load" in cell:
        argv += ["--load-mode", cell["load"]]
    if cell.get("repack") is False:
        argv += ["--repack", "0"]
    if "numa" in cell:
        argv += ["--numa", cell["numa"]]
    return argv


def launch(job: Job, settings: LaunchSettings, started: Optional[Started] = None, run: Run = run_process) -> Outcome:
    """Run llama-bench once. Raises LaunchFailed when there is no figure."""
    cell, repetitions = job.cell, settings.repetitions
    metric = "pp_tps" if cell["n_prompt"] else "tg_tps"

    def parse(text: str) -> Row:
        return parse_row(text, cell["n_prompt"], cell["n_gen"], cell["threads"], repetitions)

    def figures(row: Row) -> Dict[str, Dict[str, Any]]:
        return {metric: {"value": row["avg_ts"], "unit": "token/s", "samples": row["samples_ts"]}}

    return one_shot.launch(job, argv_of(job, repetitions), settings, started, run, parse, figures)
