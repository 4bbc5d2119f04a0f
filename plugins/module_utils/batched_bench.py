# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One launch of llama-batched-bench: many sequences at once, without a server, as the bound of what a server can do."""

from __future__ import annotations

import json
import math
from typing import Any, Callable, Dict, List, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils import memory_need, process, record
from ansible_collections.cloudbench.llama.plugins.module_utils.job import HOME, STDERR_TAIL, Job, explain, program
from ansible_collections.cloudbench.llama.plugins.module_utils.llama_bench import buffer_metrics, usage_metrics
from ansible_collections.cloudbench.llama.plugins.module_utils.llama_bench_log import parse_log
from ansible_collections.cloudbench.llama.plugins.module_utils.llama_bench_output import OutputError
from ansible_collections.cloudbench.llama.plugins.module_utils.outcome import LaunchFailed, Outcome

Started = Callable[[int], None]


def argv_of(job: Job) -> List[str]:
    """Return the command line of one launch."""
    cell = job.cell
    argv = [program(job, "llama-batched-bench"), "-m", job.model_path, "-t", str(cell["threads"])]
    argv += ["-tb", str(cell.get("threads_batch") or cell["threads"]), "-c", str(memory_need.context_of(cell, 1))]
    argv += ["-npp", str(cell["n_prompt"]), "-ntg", str(cell["n_gen"]), "-npl", str(cell["concurrency"])]
    return argv + ["--output-format", "jsonl"]


def parse(text: str, cell: Dict[str, Any]) -> Dict[str, Any]:
    """Return the row that answers what was asked, verbatim (times in s, speeds in token/s). Raises OutputError."""
    rows = []
    for line in text.splitlines():
        if line.startswith('{"n_kv_max"'):
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise OutputError("it is not JSON: %.80r" % line) from error
    asked = (cell["n_prompt"], cell["n_gen"], cell["concurrency"])
    for row in rows:
        if (row.get("pp"), row.get("tg"), row.get("pl")) == asked:
            for name in ("speed_pp", "speed_tg"):
                speed = row.get(name)
                if not isinstance(speed, (int, float)) or not 0 < speed < math.inf:
                    raise OutputError("its %s is %.40r" % (name, speed))
            return row
    raise OutputError("it has no row of %d + %d tokens in %d sequences" % asked)


def _run(argv: List[str], time_limit: float, started: Optional[Started]) -> process.Finished:
    return process.run(argv, time_limit, directory=HOME, started=started)


def launch(job: Job, time_limit: float, started: Optional[Started] = None, run: Any = _run) -> Outcome:
    """Run llama-batched-bench once for at most `time_limit` seconds. Raises LaunchFailed when there is no figure."""
    argv = argv_of(job)

    def failed(cause: str, advice: str, **detail: Any) -> LaunchFailed:
        return LaunchFailed(record.failure("measure", cause, advice, job.cell, argv=argv, **detail))

    try:
        finished = run(argv, time_limit, started)
    except OSError as error:
        raise failed("llama-batched-bench could not be started: %s" % error, "Rebuild llama.cpp.") from error
    ended = {"exit_code": finished.exit_code, "stderr_tail": finished.stderr[-STDERR_TAIL:]}
    explained = explain(finished, time_limit, "llama-batched-bench")
    if explained:
        raise failed(*explained, **ended)
    try:
        row = parse(finished.stdout, job.cell)
    except OutputError as error:
        raise failed(
            "llama-batched-bench ended well but its output is no result: %s" % error,
            "Check that the binary is of the version the build record names.",
            stdout_head=finished.stdout[:STDERR_TAIL],
            **ended,
        ) from error
    kernel = parse_log(finished.stderr)
    metrics: Dict[str, Dict[str, Any]] = {
        "batched_pp_tps": {"value": row["speed_pp"], "unit": "token/s"},
        "batched_tg_tps": {"value": row["speed_tg"], "unit": "token/s"},
    }
    metrics.update(usage_metrics(finished.usage))
    metrics.update(buffer_metrics(kernel))
    return Outcome(argv, metrics, [row], kernel, finished.usage, {})
