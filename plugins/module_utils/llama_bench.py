# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One launch of llama-bench: its command, its figures, and what the kernel accounted for it."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils import process, record, workload
from ansible_collections.cloudbench.llama.plugins.module_utils.job import HOME, STDERR_TAIL, Job, explain, program
from ansible_collections.cloudbench.llama.plugins.module_utils.llama_bench_log import buffer_bytes, parse_log
from ansible_collections.cloudbench.llama.plugins.module_utils.llama_bench_output import OutputError, parse_row
from ansible_collections.cloudbench.llama.plugins.module_utils.outcome import LaunchFailed, Outcome

Started = Callable[[int], None]
Run = Callable[[List[str], float, Optional[Started]], process.Finished]


def _run(argv: List[str], time_limit: float, started: Optional[Started]) -> process.Finished:
    return process.run(argv, time_limit, directory=HOME, started=started)


def argv_of(job: Job, repetitions: int) -> List[str]:
    """Return the command line of one launch. -v, because only the log names buffers and layouts."""
    cell = job.cell
    argv = [program(job, "llama-bench"), "-m", job.model_path, "-t", str(cell["threads"])]
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


def usage_metrics(usage: process.Usage) -> Dict[str, Dict[str, Any]]:
    """Return the metrics that getrusage(2) gives of the processes of a launch."""
    cores = len(os.sched_getaffinity(0))
    busy = usage.cpu_user_s + usage.cpu_system_s
    return {
        "wall_s": {"value": round(usage.wall_s, 4), "unit": "s"},
        "cpu_user_s": {"value": round(usage.cpu_user_s, 4), "unit": "s"},
        "cpu_system_s": {"value": round(usage.cpu_system_s, 4), "unit": "s"},
        "cpu_percent": {"value": round(100 * busy / usage.wall_s / cores, 2), "unit": "%"},
        "rss_peak_bytes": {"value": usage.rss_peak_bytes, "unit": "B"},
        "major_faults": {"value": usage.major_faults, "unit": "1"},
        "minor_faults": {"value": usage.minor_faults, "unit": "1"},
        "context_switches_voluntary": {"value": usage.context_switches_voluntary, "unit": "1"},
        "context_switches_involuntary": {"value": usage.context_switches_involuntary, "unit": "1"},
    }


def buffer_metrics(kernel: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    """Return the metrics of the buffers that a log names, none where it names none."""
    if not kernel.get("buffers"):
        return {}
    return {name: {"value": size, "unit": "B"} for name, size in buffer_bytes(kernel).items()}


def launch(
    job: Job, repetitions: int, time_limit: float, started: Optional[Started] = None, run: Run = _run
) -> Outcome:
    """Run llama-bench once, with so many repetitions, for at most `time_limit` seconds.

    `started` gets the process id. Raises LaunchFailed when there is no figure.
    """
    cell = job.cell
    argv = argv_of(job, repetitions)

    def failed(cause: str, advice: str, **detail: Any) -> LaunchFailed:
        return LaunchFailed(record.failure("measure", cause, advice, cell, argv=argv, **detail))

    try:
        finished = run(argv, time_limit, started)
    except OSError as error:
        raise failed("llama-bench could not be started: %s" % error, "Rebuild llama.cpp: role llama_cpp.") from error
    ended: Dict[str, Any] = {
        "exit_code": finished.exit_code,
        "signal": finished.signal,
        "stderr_tail": finished.stderr[-STDERR_TAIL:],
        "wall_s": round(finished.usage.wall_s, 3),
    }
    explained = explain(finished, time_limit)
    if explained:
        raise failed(*explained, **ended)
    try:
        row = parse_row(finished.stdout, cell["n_prompt"], cell["n_gen"], cell["threads"], repetitions)
    except OutputError as error:
        raise failed(
            "llama-bench ended well but its output is no result: %s" % error,
            "Check that the binary is llama-bench of the version the build record names.",
            stdout_head=finished.stdout[:STDERR_TAIL],
            **ended,
        ) from error
    kernel = parse_log(finished.stderr)
    metrics: Dict[str, Dict[str, Any]] = {
        workload.headline(cell): {"value": row["avg_ts"], "unit": "token/s", "samples": row["samples_ts"]},
    }
    metrics.update(usage_metrics(finished.usage))
    metrics.update(buffer_metrics(kernel))
    return Outcome(argv, metrics, [row], kernel, finished.usage, {})
