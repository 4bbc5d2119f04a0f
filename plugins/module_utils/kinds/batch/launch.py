# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One launch of llama-batched-bench: many sequences at once, without a server, as the bound of what a server can do."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import one_shot, variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job, program
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.memory import context_of
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.one_shot import (
    OutputError,
    Row,
    Run,
    Started,
    run_process,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text

PROGRAM = "llama-batched-bench"
METRICS = ("batched_pp_tps", "batched_tg_tps")
# A whole number may be longer than any float, and is then no speed.
_MOST = 1e300


def argv_of(job: Job) -> List[str]:
    """Return the command line of one launch."""
    cell = job.cell
    argv = [program(job, PROGRAM), "-m", job.model_path, "-t", str(cell["threads"])]
    argv += ["-tb", str(cell.get("threads_batch") or cell["threads"]), "-c", str(context_of(cell, cell["concurrency"]))]
    argv += ["-npp", str(cell["n_prompt"]), "-ntg", str(cell["n_gen"]), "-npl", str(cell["concurrency"])]
    return argv + ["--output-format", "jsonl"] + variant.argv(job, PROGRAM)


def parse(text: str, cell: Dict[str, Any]) -> Row:
    """Return the row that answers what was asked, verbatim (times in s, speeds in token/s). Raises OutputError."""
    rows: List[Row] = []
    for line in text.splitlines():
        if line.startswith('{"n_kv_max"'):
            try:
                rows.append(json_text.loads(line))
            except ValueError as error:
                raise OutputError("it is not JSON: %.80r (%s)" % (line, error)) from error
    asked = (cell["n_prompt"], cell["n_gen"], cell["concurrency"])
    for row in rows:
        if (row.get("pp"), row.get("tg"), row.get("pl")) == asked:
            for name in ("speed_pp", "speed_tg"):
                speed = row.get(name)
                if not isinstance(speed, (int, float)) or isinstance(speed, bool) or not 0 < speed < _MOST:
                    raise OutputError("its %s is %.40r" % (name, speed))
            return row
    raise OutputError("it has no row of %d + %d tokens in %d sequences" % asked)


def _figures(row: Row) -> Dict[str, Dict[str, Any]]:
    return {
        "batched_pp_tps": {"value": row["speed_pp"], "unit": "token/s"},
        "batched_tg_tps": {"value": row["speed_tg"], "unit": "token/s"},
    }


def launch(job: Job, settings: LaunchSettings, started: Optional[Started] = None, run: Run = run_process) -> Outcome:
    """Run llama-batched-bench once. Raises LaunchFailed when there is no figure."""
    return one_shot.launch(job, argv_of(job), settings, started, run, lambda text: parse(text, job.cell), _figures)
