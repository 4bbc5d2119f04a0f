# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One launch of a program that measures, prints its figures and ends: llama-bench and llama-batched-bench."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job, explain
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import (
    LaunchFailed,
    Outcome,
    buffer_metrics,
    usage_metrics,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.log import parse_log
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.system import process
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import HOME, STDERR_TAIL

Started = Callable[[int], None]
Run = Callable[[List[str], LaunchSettings, Optional[Started]], process.Finished]
Row = Dict[str, Any]


class OutputError(ValueError):
    """What a program printed is not a result; the message says what is wrong with it."""


def run_process(argv: List[str], settings: LaunchSettings, started: Optional[Started]) -> process.Finished:
    """Run a program from HOME, to which its paths are relative, in a clean environment."""
    return process.run(
        argv,
        settings.time_limit,
        settings.environment,
        directory=HOME,
        started=started,
        clean=True,
        cpus=settings.cpus,
        huge_pages=settings.huge_pages,
    )


def launch(
    job: Job,
    argv: List[str],
    settings: LaunchSettings,
    started: Optional[Started],
    run: Run,
    parse: Callable[[str], Row],
    figures: Callable[[Row], Dict[str, Dict[str, Any]]],
) -> Outcome:
    """Run `argv` as `settings` say, in their environment and for at most their time; `started` gets the process id.

    `parse` finds the row in what it prints (it raises OutputError when there is none), `figures` the metrics in the
    row. Raises LaunchFailed when there is no figure.
    """
    name = os.path.basename(argv[0])

    def failed(cause: str, advice: str, **detail: Any) -> LaunchFailed:
        return LaunchFailed(envelope.failure("measure", cause, advice, job.cell, argv=argv, **detail))

    try:
        finished = run(argv, settings, started)
    except OSError as error:
        raise failed("%s could not be started: %s" % (name, error), "Rebuild llama.cpp: role llama_cpp.") from error
    ended: Dict[str, Any] = {
        "exit_code": finished.exit_code,
        "signal": finished.signal,
        "stderr_tail": finished.stderr[-STDERR_TAIL:],
        "wall_s": round(finished.usage.wall_s, 3),
    }
    explained = explain(finished, settings.time_limit, name)
    if explained:
        raise failed(*explained, **ended)
    try:
        row = parse(finished.stdout)
    except OutputError as error:
        raise failed(
            "%s ended well but its output is no result: %s" % (name, error),
            "Check that the binary is %s of the version the build record names." % name,
            stdout_head=finished.stdout[:STDERR_TAIL],
            **ended,
        ) from error
    kernel = parse_log(finished.stderr)
    metrics = dict(figures(row), **usage_metrics(finished.usage), **buffer_metrics(kernel))
    return Outcome(argv, metrics, [row], kernel, finished.usage, {}, finished.printed_s)
