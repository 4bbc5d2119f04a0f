# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One launch of llama-bench: its command and its figures."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Dict, List, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import one_shot
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.bench.output import parse_row
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import (
    Job,
    program,
    run_time_repack,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.one_shot import Row, Run, Started, run_process
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed, Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import capabilities
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import HOME

PROGRAM = "llama-bench"
# From process.HOME.
_LINKS = os.path.join(".cache", "cloudbench", "links")


def _readable(path: str) -> str:
    """Return the path by which llama-bench can be given the model at `path`: for a comma, that of a link to it.

    A comma ends one model and begins the next there (split_delim of its source), and there is no way to quote it.
    """
    if "," not in path:
        return path
    place = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return os.path.join(_LINKS, place, os.path.basename(path).replace(",", "_"))


def _link(path: str) -> None:
    """Make the link of `_readable`, which stays, so that the command of a record can be run by hand. Raises OSError."""
    link, target = os.path.join(HOME, _readable(path)), os.path.join(HOME, path)
    if link == target or (os.path.islink(link) and os.readlink(link) == target):
        return
    os.makedirs(os.path.dirname(link), exist_ok=True)
    draft = "%s.%d" % (link, os.getpid())
    os.symlink(target, draft)
    os.replace(draft, link)


def _told_to_repack(job: Job) -> bool:
    """Say whether llama-bench is that of ik_llama.cpp, which repacks when it is told to, and writes no JSON Lines."""
    return bool(capabilities.knows(job.build, PROGRAM, capabilities.RUN_TIME_REPACK))


def _form(job: Job) -> str:
    return "json" if _told_to_repack(job) else "jsonl"


def _load(job: Job) -> List[str]:
    """Return the option for the way to load: a llama-bench that does not know --load-mode may map the file or not.

    One that was told to repack maps nothing, so it is asked for what it does not know, and refused for that.
    """
    mode = job.cell["load"]
    older = capabilities.knows(job.build, PROGRAM, "--load-mode") is False
    mapped = mode == "mmap" and not run_time_repack(job, PROGRAM)
    if older and (mapped or mode == "none") and capabilities.knows(job.build, PROGRAM, "-mmp"):
        return ["-mmp", "1" if mapped else "0"]
    return ["--load-mode", mode]


def argv_of(job: Job, repetitions: int) -> List[str]:
    """Return the command line of one launch. -v, because only the log names buffers and layouts."""
    cell = job.cell
    argv = [program(job, PROGRAM), "-m", _readable(job.model_path), "-t", str(cell["threads"])]
    argv += ["-p", str(cell["n_prompt"]), "-n", str(cell["n_gen"]), "-r", str(repetitions), "-o", _form(job), "-v"]
    argv += run_time_repack(job, PROGRAM, "1")
    # What is not asked for is left out: older versions do not know these options.
    if cell["n_depth"]:
        argv += ["-d", str(cell["n_depth"])]
    if "load" in cell:
        argv += _load(job)
    if cell.get("repack") is False and not _told_to_repack(job):
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

    argv = argv_of(job, repetitions)
    try:
        _link(job.model_path)
    except OSError as error:
        raise LaunchFailed(
            envelope.failure(
                "measure",
                "%s takes the comma in %s for the end of a path, and no link to it can be made: %s"
                % (PROGRAM, job.model_path, error),
                "Rename the file or its directory, so that no comma is in them.",
                cell,
                argv=argv,
            )
        ) from error
    return one_shot.launch(job, argv, settings, started, run, parse, figures)
