# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the cells of a run on this machine: launches in blocks, a record for each, and what failed."""

from __future__ import annotations

import os
import signal
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils import (
    gates,
    kernel_path,
    process,
    record,
    schedule,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.intervals import mean_interval
from ansible_collections.cloudbench.llama.plugins.module_utils.llama_bench_log import buffer_bytes, parse_log
from ansible_collections.cloudbench.llama.plugins.module_utils.llama_bench_output import OutputError, parse_row
from ansible_collections.cloudbench.llama.plugins.module_utils.quantizations import BY_NAME

STDERR_TAIL = 2000


# Launches start in the home directory and name what lies below it from there, because llama-bench writes the model's
# path into its row: a record that is published then tells no user's name, and its command can be run elsewhere.
HOME = os.path.expanduser("~")


class Job(NamedTuple):
    """One cell and what it is measured with: paths from HOME, payloads of the build and model records."""

    cell: Dict[str, Any]
    binary: str
    model_path: str
    build: Dict[str, Any]
    model: Dict[str, Any]


class Settings(NamedTuple):
    """How to measure: launches of each cell, repetitions in a launch, seed of the order, seconds a launch may take."""

    launches: int
    repetitions: int
    seed: int
    time_limit: float


# What a build is handed on with that is no part of its record.
_PLACES = ("bin", "vocab", "archive", "subdirectory")


class MeasureError(ValueError):
    """The cells, builds and models given do not make a run; the message says what does not fit."""


class LaunchFailed(Exception):
    """A launch gave no figure; `payload` is that of its failure record."""

    def __init__(self, payload: Dict[str, Any]) -> None:
        super().__init__(payload["cause"])
        self.payload = payload


def jobs_of(cells: List[Dict[str, Any]], builds: List[Dict[str, Any]], models: List[Dict[str, Any]]) -> List[Job]:
    """Join each cell with the build of its name and the model of its name and quantization.

    `builds`: payloads of build records, each with `bin`, the directory of its programs on this machine, and perhaps
    `vocab`, `archive` and `subdirectory`. `models`: payloads of model records, each with `path`. These places are no
    part of a record: where a file lies does not change what it is. A cell whose build or model could not be obtained is
    left out: that has been recorded. Raises MeasureError when there is no build at all.
    """
    by_name = {build["name"]: build for build in builds}
    by_model = {(model["name"], model["quantization"]): model for model in models}
    if not by_name:
        raise MeasureError("there is no build to measure with; role llama_cpp makes one")
    jobs = []
    for cell in cells:
        model = by_model.get((cell["model"], cell["quantization"]))
        build = by_name.get(cell["build"])
        if model is None or build is None:
            continue
        jobs.append(
            Job(
                cell=cell,
                binary=_from_home(os.path.join(build["bin"], "llama-bench")),
                model_path=_from_home(model["path"]),
                build={key: value for key, value in build.items() if key not in _PLACES},
                model={key: value for key, value in model.items() if key != "path"},
            )
        )
    return jobs


def refusal(job: Job) -> Optional[Tuple[str, str]]:
    """Return (cause, advice) when the build of a job cannot read its file, None when it can or is not known to.

    llama.cpp would refuse such a file too, after loading for a while and with a message about tensors.
    """
    known, wanted = job.build.get("file_types"), job.cell["quantization"]
    if not known or wanted in known:
        return None
    name = "the build %s (%s)" % (job.build["name"], (job.build.get("source") or {}).get("commit") or "commit unknown")
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
    inside = os.path.join(HOME, "")
    return path[len(inside) :] if path.startswith(inside) else path


def _run(argv: List[str], time_limit: float) -> process.Finished:
    return process.run(argv, time_limit, directory=HOME)


def argv_of(job: Job, repetitions: int) -> List[str]:
    """Return the command line of one launch. -v, because only the log names buffers and layouts."""
    cell = job.cell
    argv = [job.binary, "-m", job.model_path, "-t", str(cell["threads"])]
    argv += ["-p", str(cell["n_prompt"]), "-n", str(cell["n_gen"]), "-r", str(repetitions), "-o", "jsonl", "-v"]
    # Left out when 0: versions before May 2025 do not know the option.
    return argv + (["-d", str(cell["n_depth"])] if cell["n_depth"] else [])


def warm(path: str) -> None:
    """Read a file through once, so that its pages are resident and every launch starts alike."""
    with open(path, "rb", buffering=0) as file:
        chunk = bytearray(8 << 20)
        while file.readinto(chunk):
            pass


def _explain(finished: process.Finished, time_limit: float) -> Optional[Tuple[str, str]]:
    """Return why a finished process gave no result, as (cause, advice); None when it ended well."""
    if finished.timed_out:
        return (
            "llama-bench ran longer than the time limit of %g s and was killed" % time_limit,
            "Raise llama_bench_time_limit, or measure a shorter prompt, a smaller model or more threads.",
        )
    if finished.out_of_memory:
        return (
            "llama-bench was killed because the machine ran out of memory",
            "Choose a smaller model or quantization, or a machine with more memory.",
        )
    if finished.signal == signal.SIGILL:
        return (
            "llama-bench met an instruction this processor does not have (SIGILL)",
            "The binary was built for another processor: rebuild it on this machine.",
        )
    if finished.signal is not None:
        name = signal.Signals(finished.signal).name
        advice = "Read stderr_tail; run the command of this record by hand."
        if finished.signal == signal.SIGKILL:
            advice = "Somebody or something killed it; if that was a memory limit, choose a smaller model."
        return "llama-bench was ended by signal %d (%s)" % (finished.signal, name), advice
    if finished.exit_code:
        return (
            "llama-bench ended with exit code %d: %s" % (finished.exit_code, last_words(finished.stderr)),
            "Read stderr_tail; run the command of this record by hand.",
        )
    return None


def last_words(stderr: str) -> str:
    """Return the line of a log that most likely says what went wrong: the last that names an error, else the last."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    named = [line for line in lines if "error" in line.lower() or "failed" in line.lower()]
    return (named or lines or ["it said nothing"])[-1][:300]


def launch(job: Job, settings: Settings, run: Callable[[List[str], float], process.Finished] = _run) -> Dict[str, Any]:
    """Run one launch and return the payload of its record, short of its place in the run.

    Raises LaunchFailed when there is no figure.
    """
    cell = job.cell
    argv = argv_of(job, settings.repetitions)

    def failed(cause: str, advice: str, **detail: Any) -> LaunchFailed:
        return LaunchFailed(record.failure("measure", cause, advice, cell, argv=argv, **detail))

    before = gates.snapshot()
    try:
        finished = run(argv, settings.time_limit)
    except OSError as error:
        raise failed("llama-bench could not be started: %s" % error, "Rebuild llama.cpp: role llama_cpp.") from error
    values = gates.gates(before, gates.snapshot(), finished.usage)
    ended: Dict[str, Any] = {
        "exit_code": finished.exit_code,
        "signal": finished.signal,
        "stderr_tail": finished.stderr[-STDERR_TAIL:],
        "wall_s": round(finished.usage.wall_s, 3),
    }
    explained = _explain(finished, settings.time_limit)
    if explained:
        raise failed(*explained, **ended)
    try:
        row = parse_row(finished.stdout, cell["n_prompt"], cell["n_gen"], cell["threads"], settings.repetitions)
    except OutputError as error:
        raise failed(
            "llama-bench ended well but its output is no result: %s" % error,
            "Check that the binary is llama-bench of the version the build record names.",
            stdout_head=finished.stdout[:STDERR_TAIL],
            **ended,
        ) from error
    kernel = parse_log(finished.stderr)
    usage = finished.usage
    speed = "pp_tps" if cell["n_prompt"] else "tg_tps"
    cores = len(os.sched_getaffinity(0))
    metrics: Dict[str, Dict[str, Any]] = {
        speed: {"value": row["avg_ts"], "unit": "token/s", "samples": row["samples_ts"]},
        "wall_s": {"value": round(usage.wall_s, 4), "unit": "s"},
        "cpu_user_s": {"value": round(usage.cpu_user_s, 4), "unit": "s"},
        "cpu_system_s": {"value": round(usage.cpu_system_s, 4), "unit": "s"},
        "cpu_percent": {
            "value": round(100 * (usage.cpu_user_s + usage.cpu_system_s) / usage.wall_s / cores, 2),
            "unit": "%",
        },
        "rss_peak_bytes": {"value": usage.rss_peak_bytes, "unit": "B"},
        "major_faults": {"value": usage.major_faults, "unit": "1"},
        "minor_faults": {"value": usage.minor_faults, "unit": "1"},
        "context_switches_voluntary": {"value": usage.context_switches_voluntary, "unit": "1"},
        "context_switches_involuntary": {"value": usage.context_switches_involuntary, "unit": "1"},
    }
    if kernel["buffers"]:
        for name, size in buffer_bytes(kernel).items():
            metrics[name] = {"value": size, "unit": "B"}
    return {
        "cell": cell,
        "build": job.build["id"],
        "model": job.model["id"],
        "argv": argv,
        "metrics": metrics,
        "kernel": kernel,
        "rows": [row],
        "gates": values,
        "validity": gates.validity(values),
    }


class _Tally:
    """What each cell has so far, for the progress shown and for the time left."""

    def __init__(self, jobs: List[Job], launches: int) -> None:
        self.jobs = jobs
        self.launches = launches
        self.speeds: List[List[float]] = [[] for _job in jobs]
        self.walls: List[List[float]] = [[] for _job in jobs]
        self.failed = [False] * len(jobs)

    def add(self, index: int, payload: Dict[str, Any]) -> None:
        metrics = payload["metrics"]
        self.speeds[index].append((metrics.get("pp_tps") or metrics["tg_tps"])["value"])
        self.walls[index].append(metrics["wall_s"]["value"])

    def active(self) -> List[int]:
        """Return the cells that still want launches. A rule that stops by interval width belongs here."""
        return [i for i, w in enumerate(self.walls) if not self.failed[i] and len(w) < self.launches]

    def state(self, now: Optional[int]) -> Dict[str, Any]:
        figures = []
        for job, speeds in zip(self.jobs, self.speeds):
            if speeds:
                interval = mean_interval(speeds)
                figures.append({"cell": job.cell, "interval": list(interval)})
        wanted = [0 if gone else self.launches - len(w) for gone, w in zip(self.failed, self.walls)]
        done = sum(len(w) for w in self.walls)
        return {
            "done": done,
            "of": done + sum(wanted),
            "now": self.jobs[now].cell if now is not None else None,
            "figures": figures,
            "failed": [job.cell for job, gone in zip(self.jobs, self.failed) if gone],
            "left_s": schedule.seconds_left(self.walls, wanted),
            "time": time.time(),
        }


def measure(
    jobs: List[Job],
    settings: Settings,
    machine: Dict[str, Any],
    emit: Callable[[str, Dict[str, Any], float], None],
    progress: Callable[[Dict[str, Any]], None],
    abandoned: Callable[[], bool] = lambda: False,
    run: Callable[[List[str], float], process.Finished] = _run,
) -> None:
    """Launch every job `settings.launches` times and hand each record's kind, payload and start time to `emit`.

    A cell that fails is recorded once and not launched again; the others go on. `progress` gets the state
    before each launch and once at the end. Before each launch `abandoned` is asked whether to stop.
    """
    tally = _Tally(jobs, settings.launches)
    for path in sorted({os.path.join(HOME, path) for job in jobs for path in (job.binary, job.model_path)}):
        if os.path.exists(path):
            warm(path)
    for index, job in enumerate(jobs):
        refused = refusal(job)
        if refused:
            tally.failed[index] = True
            emit("failure", record.failure("measure", refused[0], refused[1], job.cell), time.time())
    block = 0
    while tally.active():
        block += 1
        for position, index in enumerate(schedule.block_order(settings.seed, block, tally.active()), start=1):
            job = jobs[index]
            if abandoned():
                return
            progress(tally.state(index))
            started = time.time()
            try:
                payload = launch(job, settings, run)
            except LaunchFailed as failure:
                tally.failed[index] = True
                emit("failure", failure.payload, started)
                continue
            tally.add(index, payload)
            payload["kernel"]["path"] = kernel_path.verdict(
                payload["kernel"], machine, job.build, job.cell["quantization"], payload["rows"][0]
            )
            place = {
                "number": len(tally.walls[index]),
                "block": block,
                "position": position,
                "machine": machine["id"],
                "key": record.comparable_key(machine, job.build, job.model, job.cell),
            }
            emit("launch", dict(payload, **place), started)
    progress(dict(tally.state(None), finished=True))
