# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cell with what it is measured by: its program, its model, and what is said when the program does not do."""

from __future__ import annotations

import os
import signal
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import capabilities
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import BY_NAME, plain
from ansible_collections.cloudbench.llama.plugins.module_utils.system import process
from ansible_collections.cloudbench.llama.plugins.module_utils.system.environment import LIBRARIES

# What a build is handed on with that is no part of its record.
_PLACES = ("bin", "vocab", "archive", "subdirectory")


# Cause and advice where a job has no base.
NO_BASE = (
    "the reference of this model could not be obtained",
    "Read the failure of that file, or name another quantization in llama_model_reference.",
)
# The removed types hold the values of this one with rows interleaved, so that a build without them can speak for them.
_INTERLEAVED = "Q4_0"


class Base(NamedTuple):
    """What a job's answers are compared with: the first build of the run, and a model that it reads."""

    directory: str
    model_path: str
    build: Dict[str, Any]
    model: Dict[str, Any]


class Cluster(NamedTuple):
    """The other hosts of a job.

    Those that compute its model together: `endpoints`, address:port of each worker's RPC server, and the `layers` of
    the model, the output included. Those that share its requests: `servers`, address:port of each llama-server, which
    answers whoever has the `key`.
    """

    endpoints: Tuple[str, ...] = ()
    layers: int = 0
    servers: Tuple[str, ...] = ()
    key: str = ""


class Job(NamedTuple):
    """One cell and what it is measured with: paths from process.HOME, payloads of the build and model records.

    `base`: of a cell that names a reference, that file of its model; of any other its own file, or where the first
    build does not read that, a removed type, Q4_0 of the model; None where there is no such file. `cluster`: None where
    there is but one host.
    """

    cell: Dict[str, Any]
    directory: str
    model_path: str
    build: Dict[str, Any]
    model: Dict[str, Any]
    base: Optional[Base] = None
    cluster: Optional[Cluster] = None


class JobError(ValueError):
    """The cells, builds and models given do not make a run; the message says what does not fit."""


def program(job: Job, name: str) -> str:
    """Return the path, from process.HOME, of a program of the job's build."""
    return os.path.join(job.directory, name)


def jobs_of(cells: List[Dict[str, Any]], builds: List[Dict[str, Any]], models: List[Dict[str, Any]]) -> List[Job]:
    """Join each cell with the build of its name and the model of its name and quantization.

    `builds`: payloads of build records, each with `bin`, the directory of its programs on this machine, and perhaps
    `vocab`, `archive` and `subdirectory`. `models`: payloads of model records, each with `path`. These places are no
    part of a record: where a file lies does not change what it is. A cell whose build or model could not be obtained is
    left out: that has been recorded. Raises JobError when there is no build at all.
    """
    by_name = {build["name"]: build for build in builds}
    by_model = {(model["name"], model["quantization"]): model for model in models}
    if not by_name:
        raise JobError("there is no build to measure with; role llama_cpp makes one")
    jobs = []
    for cell in cells:
        model = by_model.get((cell["model"], cell["quantization"]))
        build = by_name.get(cell["build"])
        if model is None or build is None:
            continue
        reference = by_model.get((cell["model"], cell.get("reference") or _same_values(cell, builds[0])))
        jobs.append(Job(cell, *_placed(build, model), base=Base(*_placed(builds[0], reference)) if reference else None))
    return jobs


def _same_values(cell: Dict[str, Any], build: Dict[str, Any]) -> str:
    """Return the quantization with the values of a cell's that a build reads, as far as that is known."""
    quantization: str = cell["quantization"]
    wanted, known = plain(quantization), build.get("file_types")
    if not known or wanted in known or wanted not in BY_NAME or not BY_NAME[wanted].legacy:
        return quantization
    return quantization.replace(wanted, _INTERLEAVED, 1)


def no_base(cell: Dict[str, Any]) -> Tuple[str, str]:
    """Return (cause, advice) where a job of a cell has no base."""
    if "reference" in cell:
        return NO_BASE
    return (
        "the first build does not read %s, and there is no %s of %s, which has the same values"
        % (cell["quantization"], _INTERLEAVED, cell["model"]),
        "Add %s to llama_model_quantizations, or leave %s out of llama_bench_tests." % (_INTERLEAVED, cell["test"]),
    )


def _placed(build: Dict[str, Any], model: Dict[str, Any]) -> Tuple[str, str, Dict[str, Any], Dict[str, Any]]:
    """Return the places of a build and a model from process.HOME, and their payloads without places."""
    return (
        _from_home(build["bin"]),
        _from_home(model["path"]),
        {key: value for key, value in build.items() if key not in _PLACES},
        {key: value for key, value in model.items() if key != "path"},
    )


def missing(job: Job, name: str) -> Optional[Tuple[str, str]]:
    """Return (cause, advice) when the program that a job's test wants is not there, None when it is.

    A llama.cpp may be too old to have it, or may have been built without.
    """
    if os.access(os.path.join(process.HOME, program(job, name)), os.X_OK):
        return None
    return (
        "the build %s has no %s, which the test %s needs" % (job.build["name"], name, job.cell["test"]),
        "Measure it with a build that has it, or leave that test out of llama_bench_tests.",
    )


def where_known(job: Job, name: str, *options: Tuple[str, ...]) -> List[str]:
    """Return, in one list, those of some options (each with its value) that a program of a job's build may have.

    For options that only keep a launch simple: what a build is known to lack, it does not do either.
    """
    return [
        word for option in options if capabilities.knows(job.build, name, option[0]) is not False for word in option
    ]


def unable(job: Job, name: str, argv: List[str]) -> Optional[Tuple[str, str]]:
    """Return (cause, advice) when the job's build is known to lack an option that its test needs, None when not."""
    cause = capabilities.refusal(job.build, name, argv, "the test %s" % job.cell["test"])
    if cause is None:
        return None
    return cause, "Measure it with a build of another llama.cpp, or leave that test out of llama_bench_tests."


def refusal(job: Job) -> Optional[Tuple[str, str]]:
    """Return (cause, advice) when the build of a job cannot read its file, None when it can or is not known to.

    llama.cpp would refuse such a file too, after loading for a while and with a message about tensors.
    """
    known, wanted = job.build.get("file_types"), plain(job.cell["quantization"])
    if not known or wanted in known:
        return None
    version = capabilities.version_of(job.build.get("source")) or "commit unknown"
    name = "the build %s (%s)" % (job.build["name"], version)
    if job.build.get("engine", capabilities.LLAMA_CPP) != capabilities.LLAMA_CPP:
        return (
            "%s is of %s, whose llama-quantize does not list %s" % (name, job.build["engine"], wanted),
            "Measure it with a build of llama.cpp, or leave this build out of llama_cpp_builds.",
        )
    if wanted in BY_NAME and BY_NAME[wanted].legacy:
        return (
            "%s does not read %s: llama.cpp removed that file type in b4282 (2024-12-07)" % (name, wanted),
            "Measure Q4_0 with it, which it repacks while loading, or this file with the build `legacy`.",
        )
    return (
        "%s does not know %s, which came later" % (name, wanted),
        "Measure it with a newer build, or leave this build out of llama_cpp_builds.",
    )


def _from_home(path: str) -> str:
    inside = os.path.join(process.HOME, "")
    return path[len(inside) :] if path.startswith(inside) else path


def explain(finished: process.Finished, time_limit: float, name: str = "llama-bench") -> Optional[Tuple[str, str]]:
    """Return why a finished process gave no result, as (cause, advice); None when it ended well."""
    if finished.timed_out:
        return (
            "%s ran longer than the time limit of %g s and was killed" % (name, time_limit),
            "Raise llama_bench_time_limit, or measure a shorter prompt, a smaller model or more threads.",
        )
    if finished.out_of_memory:
        return (
            "%s was killed because the machine ran out of memory" % name,
            "Choose a smaller model or quantization, or a machine with more memory.",
        )
    if finished.signal == signal.SIGILL:
        return (
            "%s met an instruction this processor does not have (SIGILL)" % name,
            "The binary was built for another processor: rebuild it on this machine.",
        )
    if finished.signal is not None:
        advice = "Read stderr_tail; run the command of this record by hand."
        if finished.signal == signal.SIGKILL:
            advice = "Somebody or something killed it; if that was a memory limit, choose a smaller model."
        told = (name, finished.signal, signal.Signals(finished.signal).name)
        return "%s was ended by signal %d (%s)" % told, advice
    if finished.exit_code:
        advice = "Read stderr_tail; run the command of this record by hand."
        if "error while loading shared libraries" in finished.stderr:
            advice = (
                "Programs that are measured get no %s of the host: name the directory of the library in "
                "llama_bench_environment." % LIBRARIES
            )
        told = (name, finished.exit_code, process.last_words(finished.stderr))
        return "%s ended with exit code %d: %s" % told, advice
    return None
