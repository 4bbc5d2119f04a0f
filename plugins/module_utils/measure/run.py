# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the cells of a run on this machine: how many threads first, then launches in blocks, a record for each.

A run that was interrupted goes on from its own records: what has been launched counts, and the order is a function of
the seed, so that what comes is what would have come.
"""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import job as of_job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import memory as memory_need
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import workload
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.batch import launch as batched_bench
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.bench import launch as llama_bench
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import HOME, Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.load import launch as load_time
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed, Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.serve import launch as serving
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import kernel_path
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.server import Options
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import ladder as thread_ladder
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import order as schedule
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import time_budget
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import mean_interval
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.ladder import Rung
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import bandwidth as memory_bandwidth
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import cgroup, gates
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.sampler import Sampler, peaks
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.system import page_cache

VALID = "VALID"

# Launches of each rung of a thread ladder, of one repetition each: it chooses, it does not measure.
LADDER_LAUNCHES = 3
LADDER_REPETITIONS = 1

Started = Callable[[int], None]
Emit = Callable[[str, Dict[str, Any], float], None]


class Settings(NamedTuple):
    """How to measure.

    Each cell gets `launches` undisturbed launches, then more until its interval is as narrow as its test allows
    (workload.precision), and `launches_most` in all; `repetitions` are those of llama-bench in one launch, `seed` that
    of the order, `time_limit` the seconds one launch may take, `budget` those of all together (0: as long as it takes).
    """

    launches: int
    launches_most: int
    repetitions: int
    seed: int
    time_limit: float
    budget: float = 0.0
    slots: int = 4
    requests: int = 4
    slo_ttft_s: float = 2.0
    slo_tpot_s: float = 0.1

    def options(self, seed: int) -> Options:
        """Return what the server's launches need."""
        return Options(
            time_limit=self.time_limit,
            slots=self.slots,
            requests=self.requests,
            slo_ttft_s=self.slo_ttft_s,
            slo_tpot_s=self.slo_tpot_s,
            seed=seed,
        )


Launcher = Callable[[Job, Settings, int, Started], Outcome]


def _repetitions(job: Job, settings: Settings) -> int:
    return LADDER_REPETITIONS if job.cell.get("purpose") == workload.LADDER else settings.repetitions


def _bench(job: Job, settings: Settings, _seed: int, started: Started) -> Outcome:
    return llama_bench.launch(job, _repetitions(job, settings), settings.time_limit, started)


# Each launch of a server has a seed of its own: its prompts are new, and the arrivals those of another hour.
LAUNCHERS: Dict[str, Launcher] = {
    workload.BENCH: _bench,
    workload.SERVE: lambda job, settings, seed, started: serving.launch(job, settings.options(seed), started),
    workload.BATCH: lambda job, settings, _seed, started: batched_bench.launch(job, settings.time_limit, started),
    workload.LOAD: lambda job, settings, seed, started: load_time.launch(job, settings.options(seed), started),
}


class Host(NamedTuple):
    """What a run does to this machine, so that a test can do it to none.

    `launchers` by kind of test; `bandwidth` of a number of threads, None when there is no program for it.
    """

    launchers: Dict[str, Launcher] = LAUNCHERS
    bandwidth: Callable[[Job, int, Dict[str, Any]], Optional[Dict[str, Any]]] = memory_bandwidth.of_build
    snapshot: Callable[[], gates.Snapshot] = gates.snapshot
    clock: Callable[[], float] = time.monotonic


class _Stage:
    """Launches of some jobs in blocks, and what each has so far: for the rule that stops, and for what is shown."""

    def __init__(self, jobs: List[Job], settings: Settings, earlier: Iterable[Dict[str, Any]]) -> None:
        self.jobs = jobs
        self.settings = settings
        self.launches: List[List[Dict[str, Any]]] = [[] for _job in jobs]
        self.failed = [False] * len(jobs)
        # Cells that one more launch would take beyond the time limit.
        self.out_of_time = [False] * len(jobs)
        self.block = 1
        self.done: Set[int] = set()
        self._take_up(earlier)

    def _take_up(self, earlier: Iterable[Dict[str, Any]]) -> None:
        """Count what an interrupted run has launched, and find the block in which it stopped."""
        places = {self._place(one.cell, one.build["id"], one.model["id"]): i for i, one in enumerate(self.jobs)}
        for found in earlier:
            payload = found["payload"]
            if found["kind"] != "launch":
                continue
            index = places.get(self._place(payload["cell"], payload["build"], payload["model"]))
            if index is None:
                continue
            self.add(index, payload)
            block = payload.get("block") or 1
            if block > self.block:
                self.block, self.done = block, set()
            if block == self.block:
                self.done.add(index)

    @staticmethod
    def _place(cell: Dict[str, Any], build: str, model: str) -> str:
        return envelope.canonical([cell, build, model])

    def add(self, index: int, payload: Dict[str, Any]) -> None:
        self.launches[index].append(payload)

    def values(self, index: int, undisturbed: bool = True) -> List[float]:
        """Return the headline figures of a cell, of its undisturbed launches or of all."""
        name = workload.headline(self.jobs[index].cell)
        return [
            one["metrics"][name]["value"]
            for one in self.launches[index]
            if not undisturbed or one["validity"]["state"] == VALID
        ]

    def disturbed(self, headline: str) -> bool:
        """Say whether a cell of this headline has launches, and none of them undisturbed."""
        own = [index for index, job in enumerate(self.jobs) if workload.headline(job.cell) == headline]
        return any(self.launches[index] and not self.values(index) for index in own)

    def wants(self, index: int) -> int:
        """Return how many launches a cell still needs by what is known now; 0 when it has enough."""
        cell, launches = self.jobs[index].cell, self.launches[index]
        if self.failed[index] or self.out_of_time[index]:
            return 0
        if cell.get("purpose") == workload.LADDER:
            # A disturbed rung is tried once more as often.
            missing = LADDER_LAUNCHES - len(self.values(index))
            return max(0, min(missing, 2 * LADDER_LAUNCHES - len(launches)))
        room = self.settings.launches_most - len(launches)
        good = self.values(index)
        if len(good) < self.settings.launches:
            return max(0, min(room, self.settings.launches - len(good)))
        width = mean_interval(good).half_width_percent
        # One launch has no interval: who asks for one does not ask for precision.
        return 0 if width is None or width <= workload.precision(cell) else min(1, max(0, room))

    def next_block(self) -> List[int]:
        """Return the cells to launch now, in their order; empty when all have enough. A block begun is ended first."""
        active = [index for index in range(len(self.jobs)) if self.wants(index)]
        left = [index for index in active if index not in self.done]
        if not left:
            if self.done:
                self.block, self.done = self.block + 1, set()
            left = active
        order = schedule.block_order(self.settings.seed, self.block, range(len(self.jobs)))
        return [index for index in order if index in left]

    def walls(self) -> List[List[float]]:
        return [[one["metrics"]["wall_s"]["value"] for one in launches] for launches in self.launches]

    def state(self, now: Optional[int]) -> Dict[str, Any]:
        """Return what the controller shows: done and expected launches, the cell at hand, figures, seconds left."""
        figures = []
        for index, one in enumerate(self.jobs):
            speeds = self.values(index) or self.values(index, undisturbed=False)
            if speeds:
                figures.append({"cell": one.cell, "interval": list(mean_interval(speeds))})
        wanted = [self.wants(index) for index in range(len(self.jobs))]
        done = sum(len(launches) for launches in self.launches)
        return {
            "done": done,
            "of": done + sum(wanted),
            "now": self.jobs[now].cell if now is not None else None,
            "figures": figures,
            "failed": [one.cell for one, gone in zip(self.jobs, self.failed) if gone],
            "left_s": schedule.seconds_left(self.walls(), wanted),
            "time": time.time(),
        }


class _Run:
    """One run on one machine, from its thread ladder to its last launch."""

    def __init__(
        self,
        settings: Settings,
        machine: Dict[str, Any],
        emit: Emit,
        progress: Callable[[Dict[str, Any]], None],
        abandoned: Callable[[], bool],
        earlier: Sequence[Dict[str, Any]],
        host: Host,
    ) -> None:
        self.settings = settings
        self.machine = machine
        self.emit = emit
        self.progress = progress
        self.abandoned = abandoned
        self.earlier = earlier
        self.host = host
        self.started = host.clock()
        self.stopped = False
        self.advice: Dict[str, Optional[Dict[str, Any]]] = {}

    def _payloads(self, kind: str) -> List[Dict[str, Any]]:
        return [found["payload"] for found in self.earlier if found["kind"] == kind]

    def left(self) -> float:
        """Return the seconds that the time limit leaves, endless without one.

        A run that is taken up has its whole time again: how long the one before ran is not the person's business.
        """
        spent = self.host.clock() - self.started
        return self.settings.budget - spent if self.settings.budget else float("inf")

    def refused(self, job: Job) -> bool:
        """Say whether a job cannot be measured here, after recording why."""
        why = _obstacle(job, self.settings, self.machine)
        if why:
            self.emit("failure", envelope.failure("measure", why[0], why[1], job.cell), time.time())
        return why is not None

    # What the machine's memory gives: the ceiling of generation, and a canary of the session.

    def bandwidth(self, job: Job, stage: str, threads: int) -> None:
        """Measure the memory bandwidth unless an earlier part of this run has, and record it."""
        for payload in self._payloads("bandwidth"):
            if (payload["stage"], payload["threads"]) == (stage, threads) and stage in ("ladder", "start"):
                return
        started = time.time()
        found = self.host.bandwidth(job, threads, self.machine)
        if found is not None:
            self.emit("bandwidth", dict(found, stage=stage), started)

    # How many threads.

    def choose_threads(self, job: Job, given: Sequence[int]) -> _Stage:
        """Climb the ladders of prompt and generation with a model, and keep what they advise.

        Where the thread counts are `given`, only the largest is tried: for the speeds from which times are estimated.
        """
        rungs = [Rung(max(given))] if given else thread_ladder.rungs(self.machine)
        base = {key: job.cell[key] for key in ("model", "quantization", "build")}
        jobs = []
        for test in thread_ladder.TESTS:
            for rung in rungs:
                cell = dict(base, threads=rung.threads, purpose=workload.LADDER, **workload.parse_test(test))
                jobs.append(job._replace(cell=dict(cell, numa=rung.numa) if rung.numa else cell))
        stage = _Stage(jobs, self.settings, self.earlier)
        known = [one for one in self._payloads("threads") if (one["build"], one["model"]) == _ids(job)]
        if known:
            self.advice = {name: known[-1].get(name) for name in ("prompt", "generation")}
            return stage
        for threads in sorted({rung.threads for rung in rungs}):
            self.bandwidth(job, "ladder", threads)
        self.blocks(stage, "choosing threads")
        if self.stopped:
            return stage
        self.advice = {
            "prompt": thread_ladder.advise(_by_rung(stage, "pp_tps")),
            "generation": thread_ladder.advise(_by_rung(stage, "tg_tps")),
        }
        for name, advice in self.advice.items():
            headline = "pp_tps" if name == "prompt" else "tg_tps"
            if advice and not given and stage.disturbed(headline):
                self.advice[name] = dict(
                    advice,
                    best=self.every(),
                    collapse=None,
                    reason="the ladder was disturbed, so one thread on each physical core was taken",
                )
        if not given:
            build, model = _ids(job)
            place = {"machine": self.machine["id"], "build": build, "model": model}
            self.emit("threads", dict(self.advice, quantization=job.cell["quantization"], **place), time.time())
        return stage

    def every(self) -> int:
        """Return the number of physical cores that may be used."""
        return min(self.machine.get("physical_cores") or self.machine["cpu_count"], self.machine["cpu_count"])

    def resolve(self, job: Job) -> Job:
        """Return a job whose threads are those that the ladder chose, where its cell leaves them to it."""
        if job.cell["threads"]:
            return job
        every = self.every()
        best = {name: (advice or {}).get("best") or every for name, advice in self.advice.items()}
        prompt, generation = best.get("prompt", every), best.get("generation", every)
        prompts = workload.headline(job.cell) == "pp_tps"
        cell = dict(job.cell, threads=prompt if prompts else generation)
        if workload.kind(cell) != workload.BENCH and prompt != generation:
            cell["threads_batch"] = prompt
        return job._replace(cell=cell)

    # What the time allows.

    def plan_time(self, stage: _Stage, ladder: Optional[_Stage]) -> None:
        """Say of which cells the time limit has no room for, before the first of them is launched."""
        if not self.settings.budget:
            return
        told = {envelope.canonical(one["cell"]) for one in self._payloads("omitted")}
        known = _reference(ladder, self.advice) if ladder else None
        if known is None:
            return
        seconds = [
            time_budget.launch_seconds(job, known, _repetitions(job, self.settings), self.settings.requests)
            for job in stage.jobs
        ]
        wanted = [0.0 if stage.failed[i] or stage.launches[i] else one for i, one in enumerate(seconds)]
        out, _total = time_budget.omit(wanted, self.settings.launches, self.left())
        for index in out:
            stage.out_of_time[index] = True
            job = stage.jobs[index]
            if envelope.canonical(job.cell) not in told:
                payload = time_budget.omission(job, seconds[index], self.settings.launches, self.settings.budget)
                self.emit("omitted", payload, time.time())
        self.expected = seconds

    # Launches.

    def blocks(self, stage: _Stage, what: str, middle: Optional[Callable[[], None]] = None) -> None:
        """Launch a stage block by block until each of its cells has enough, the time is over or nobody listens.

        `middle` is called once, between two blocks, when half of the least launches are done.
        """
        while True:
            order = stage.next_block()
            if not order:
                return
            if middle and stage.block > max(1, self.settings.launches // 2):
                middle()
                middle = None
            for position, index in enumerate(order, start=len(stage.done) + 1):
                if self.abandoned():
                    self.stopped = True
                    return
                if self.too_late(stage, index):
                    stage.out_of_time[index] = True
                    continue
                self.progress(dict(stage.state(index), stage=what))
                self.launch(stage, index, position)

    def too_late(self, stage: _Stage, index: int) -> bool:
        """Say whether the next launch of a cell would end after the time limit."""
        walls = [one["metrics"]["wall_s"]["value"] for one in stage.launches[index]]
        return self.left() <= (sum(walls) / len(walls) if walls else 0.0)

    def launch(self, stage: _Stage, index: int, position: int) -> None:
        """Launch a cell once and record what came of it."""
        job, settings = stage.jobs[index], self.settings
        number = len(stage.launches[index]) + 1
        launcher = self.host.launchers[workload.kind(job.cell)]
        started = time.time()
        before, own = self.host.snapshot(), time.process_time()
        try:
            with Sampler() as sampler:
                outcome = launcher(job, settings, settings.seed + number, sampler.watch)
            series = sampler.series()
        except LaunchFailed as failure:
            stage.failed[index] = True
            self.emit("failure", failure.payload, started)
            return
        values = gates.gates(before, self.host.snapshot(), outcome.usage, time.process_time() - own)
        if workload.kind(job.cell) == workload.LOAD:
            # Reading from the disk is what is measured.
            values["major_faults"] = None
        place = {"number": number, "block": stage.block}
        payload = dict(
            outcome.detail,
            cell=job.cell,
            build=job.build["id"],
            model=job.model["id"],
            machine=self.machine["id"],
            argv=outcome.argv,
            metrics=dict(outcome.metrics, **peaks(series)),
            kernel=outcome.kernel,
            rows=outcome.rows,
            gates=values,
            validity=gates.validity(values),
            position=position,
            key=envelope.comparable_key(self.machine, job.build, job.model, job.cell),
            **place,
        )
        # The log of a server names no tensor unless it is asked to, which takes time.
        told = outcome.kernel and workload.kind(job.cell) in (workload.BENCH, workload.LOAD)
        if told and job.cell.get("repack", True):
            row = outcome.rows[0] if outcome.rows else {}
            payload["kernel"] = dict(
                outcome.kernel,
                path=kernel_path.verdict(outcome.kernel, self.machine, job.build, job.cell["quantization"], row),
            )
        stage.add(index, payload)
        stage.done.add(index)
        self.emit("launch", payload, started)
        self.emit("samples", dict(series, cell=job.cell, **place), started)


def _obstacle(job: Job, settings: Settings, machine: Dict[str, Any]) -> Optional[Tuple[str, str]]:
    """Return (cause, advice) when a job cannot be measured here, which is better known before it is launched."""
    why = of_job.missing(job) or of_job.refusal(job)
    if why is None and workload.kind(job.cell) == workload.SERVE:
        why = serving.refusal(job, settings.options(0))
    if why is None:
        need = memory_need.of_job(job, settings.slots)
        why = memory_need.refusal(need, cgroup.memory(machine)) if need else None
    return why


def _by_rung(stage: _Stage, headline: str) -> Dict[Rung, List[float]]:
    """Return the speeds of the rungs of one ladder, of the undisturbed launches where there are any."""
    speeds: Dict[Rung, List[float]] = {}
    for index, job in enumerate(stage.jobs):
        if workload.headline(job.cell) == headline:
            found = stage.values(index) or stage.values(index, undisturbed=False)
            speeds[Rung(job.cell["threads"], job.cell.get("numa"))] = found
    return speeds


def _ids(job: Job) -> Tuple[str, str]:
    return job.build["id"], job.model["id"]


def _reference(ladder: _Stage, advice: Dict[str, Optional[Dict[str, Any]]]) -> Optional[time_budget.Reference]:
    figures: Dict[str, List[Dict[str, Any]]] = {"pp_tps": [], "tg_tps": []}
    best = {"pp_tps": advice.get("prompt"), "tg_tps": advice.get("generation")}
    for index, job in enumerate(ladder.jobs):
        name = workload.headline(job.cell)
        chosen = best.get(name)
        if chosen and job.cell["threads"] == chosen["best"] and "numa" not in job.cell:
            figures[name] += [one["metrics"] for one in ladder.launches[index]]
    return time_budget.reference(figures, float(ladder.jobs[0].model.get("bytes") or 1))


def measure(
    jobs: List[Job],
    settings: Settings,
    machine: Dict[str, Any],
    emit: Emit,
    progress: Callable[[Dict[str, Any]], None],
    abandoned: Callable[[], bool] = lambda: False,
    earlier: Sequence[Dict[str, Any]] = (),
    host: Optional[Host] = None,
) -> bool:
    """Measure the jobs and hand each record's kind, payload and start time to `emit`; say whether it came to its end.

    A cell that fails is recorded once and not launched again; the others go on. `progress` gets the state before each
    launch and once at the end. Before each launch `abandoned` is asked whether to stop. `earlier` are the records of
    an interrupted run of the same id.
    """
    run = _Run(settings, machine, emit, progress, abandoned, earlier, host or Host())
    jobs = [job for job in jobs if not run.refused(job)]
    for path in sorted({os.path.join(HOME, path) for job in jobs for path in (of_job.program(job), job.model_path)}):
        if os.path.exists(path):
            # So that its pages are resident, and every launch starts alike.
            page_cache.read_through(path)
    if not jobs:
        progress({"done": 0, "of": 0, "now": None, "figures": [], "failed": [], "left_s": 0.0, "finished": True})
        return True
    benched = [job for job in jobs if workload.kind(job.cell) == workload.BENCH] or jobs
    leading, ladder = benched[0], None
    if settings.budget or not all(job.cell["threads"] for job in jobs):
        ladder = run.choose_threads(leading, [job.cell["threads"] for job in jobs if job.cell["threads"]])
    if run.stopped:
        return False
    stage = _Stage([run.resolve(job) for job in jobs], settings, earlier)
    run.plan_time(stage, ladder)
    canary = run.every()
    run.bandwidth(leading, "start", canary)
    run.blocks(stage, "measuring", middle=lambda: run.bandwidth(leading, "middle", canary))
    if not run.stopped:
        run.bandwidth(leading, "end", canary)
    progress(dict(stage.state(None), finished=not run.stopped))
    return not run.stopped
