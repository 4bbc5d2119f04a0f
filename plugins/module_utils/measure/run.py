# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the cells of a run on this machine: how many threads, duets, then launches in blocks, a record for each.

A run that was interrupted goes on from its own records: what has been launched counts, and the order is a function of
the seed, so that what comes is what would have come.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import memory, registry, variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.cell import LADDER
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job, missing, program, refusal, unable
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed, Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import kernel_path
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import ladder as thread_ladder
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import time_budget
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.cluster import Cluster, obstacle
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.duet import Duets
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.host import Emit, Host
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.ladder import Rung
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.settings import LADDER_SHARE, Settings
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.stage import Stage
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import bandwidth, cgroup, gates
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.sampler import Sampler, peaks
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.system import page_cache
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import HOME


class Session:
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
        cluster: Optional[Cluster] = None,
    ) -> None:
        self.settings = settings
        self.machine = machine
        self.emit = emit
        self.progress = progress
        self.abandoned = abandoned
        self.earlier = earlier
        self.host = host
        self.cluster = cluster
        self.started = host.clock()
        self.stopped = False
        self.advice: Dict[str, Optional[Dict[str, Any]]] = {}
        # Seconds that one launch of each cell is expected to take, where the ladder told.
        self.expected: List[float] = []
        self.told = {envelope.canonical(payload["cell"]) for payload in self._payloads("omitted")}

    def _payloads(self, kind: str) -> List[Dict[str, Any]]:
        return [record["payload"] for record in self.earlier if record["kind"] == kind]

    def left(self) -> float:
        """Return the seconds that the time limit leaves, endless without one.

        A run that is taken up has its whole time again: how long the one before ran is not the person's business.
        """
        spent = self.host.clock() - self.started
        return self.settings.budget - spent if self.settings.budget else float("inf")

    def obstacle(self, job: Job) -> Optional[Tuple[str, str]]:
        """Return (cause, advice) when a job cannot be measured here, None when nothing is known against it."""
        return _obstacle(job, self.settings, self.machine, self.cluster)

    def refused(self, job: Job) -> bool:
        """Say whether a job cannot be measured here, after recording why."""
        why = self.obstacle(job)
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
        looks = 1 if stage == "ladder" else bandwidth.CANARY_LOOKS
        rates = self.host.bandwidth(job, threads, self.machine, self.settings.environment, looks)
        if rates is not None:
            self.emit("bandwidth", dict(rates, stage=stage), started)

    # How many threads.

    def choose_threads(self, job: Job, given: Sequence[int]) -> Stage:
        """Climb the ladders of prompt and generation with a model, and keep what they advise.

        Where the thread counts are `given`, only the largest is tried: for the speeds from which times are estimated.
        """
        rungs = [Rung(max(given))] if given else thread_ladder.rungs(self.machine)
        # A model that no host holds alone is tried where it fits.
        together = ("variant",) if variant.sharing(job.cell) > 1 else ()
        base = {key: job.cell[key] for key in ("model", "quantization", "build", *together)}
        jobs = []
        for test in thread_ladder.TESTS:
            for rung in rungs:
                cell = dict(base, threads=rung.threads, purpose=LADDER, **registry.parse_test(test))
                jobs.append(job._replace(cell=dict(cell, numa=rung.numa) if rung.numa else cell))
        stage = Stage(jobs, self.settings, self.earlier)
        known = [payload for payload in self._payloads("threads") if (payload["build"], payload["model"]) == _ids(job)]
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
            why = "was disturbed" if stage.disturbed(headline) else None
            if stage.unlaunched(headline):
                why = "had no time for every number of threads"
            if advice and not given and why:
                self.advice[name] = dict(
                    advice,
                    best=self.every(),
                    collapse=None,
                    reason="the ladder %s, so one thread on each physical core was taken" % why,
                )
        if not given:
            build, model = _ids(job)
            place = {"machine": self.machine["id"], "build": build, "model": model}
            self.emit("threads", dict(self.advice, quantization=job.cell["quantization"], **place), time.time())
        return stage

    def every(self) -> int:
        """Return the number of physical cores that may be used."""
        return thread_ladder.cores(self.machine)

    def resolve(self, job: Job) -> Job:
        """Return a job whose threads are those that the ladder chose, where its cell leaves them to it."""
        if job.cell["threads"]:
            return job
        every = self.every()
        best = {name: (advice or {}).get("best") or every for name, advice in self.advice.items()}
        prompt, generation = best.get("prompt", every), best.get("generation", every)
        prompts = registry.headline(job.cell) == "pp_tps"
        cell = dict(job.cell, threads=prompt if prompts else generation)
        if registry.kind_of(cell) is not registry.BENCH and prompt != generation:
            cell["threads_batch"] = prompt
        return job._replace(cell=cell)

    # Two cells at the same moment.

    def duets(self, given: Sequence[Tuple[Job, Job]]) -> bool:
        """Measure the duets that were asked for; say whether they came to their end."""
        measuring = Duets(
            self.settings,
            self.machine,
            self.emit,
            self.host,
            self.obstacle,
            self.earlier,
        )
        return measuring.measure(given, self.progress, self.abandoned)

    # What the time allows.

    def plan_time(self, stage: Stage, ladder: Optional[Stage]) -> None:
        """Say of which cells the time limit has no room for, before the first of them is launched."""
        if not self.settings.budget:
            return
        known = _reference(ladder, self.advice) if ladder else None
        if known is None:
            return
        self.expected = [time_budget.launch_seconds(job, known, self.settings.of_launch(job)) for job in stage.jobs]
        self.make_room(stage)

    def make_room(self, stage: Stage) -> None:
        """Leave out the cells for whose least launches no time is left, those that were asked for last first.

        The first that is to be launched at all stays as long as one launch of it may fit: few launches of what matters
        most say more than none of anything.
        """
        if not self.settings.budget or stage.ladder:
            return
        left = self.left()
        waiting = [index for index in range(len(stage.jobs)) if stage.wants(index)]
        seconds = [self.seconds(stage, index) for index in range(len(stage.jobs))]
        least = [registry.kind_of(job.cell).launches(self.settings.launches) for job in stage.jobs]
        missing = [max(0, count - len(launches)) for count, launches in zip(least, stage.launches)]
        out = [waiting[i] for i in time_budget.omit([seconds[i] * missing[i] for i in waiting], 1, left)[0]]
        if waiting and out == waiting:
            out = [index for index in waiting if index != next((i for i in waiting if seconds[i] <= left), None)]
        for index in out:
            self.leave_out(stage, index, seconds[index])

    def seconds(self, stage: Stage, index: int) -> float:
        """Return the seconds that a launch of a cell took until now, or is expected to take; 0 where nobody knows."""
        walls = stage.walls()[index]
        if walls:
            return sum(walls) / len(walls)
        return self.expected[index] if self.expected else 0.0

    def leave_out(self, stage: Stage, index: int, seconds: float) -> None:
        """Launch a cell no more, and record it where it has not been launched at all."""
        stage.out_of_time[index] = True
        job = stage.jobs[index]
        place = envelope.canonical(job.cell)
        if stage.launches[index] or place in self.told or stage.ladder:
            return
        self.told.add(place)
        least = registry.kind_of(job.cell).launches(self.settings.launches)
        payload = time_budget.omission(job, seconds, least, self.settings.budget)
        self.emit("omitted", payload, time.time())

    # Launches.

    def blocks(self, stage: Stage, what: str, middle: Optional[Callable[[], None]] = None) -> None:
        """Launch a stage block by block until each of its cells has enough, the time is over or nobody listens.

        `middle` is called once, between two blocks, when half of the least launches are done.
        """
        while True:
            if stage.begins_block():
                self.make_room(stage)
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
                    self.leave_out(stage, index, self.seconds(stage, index))
                    continue
                self.progress(dict(stage.state(index), stage=what))
                self.launch(stage, index, position)

    def too_late(self, stage: Stage, index: int) -> bool:
        """Say whether the next launch of a cell would end after the time limit, or after the ladder's share of it."""
        if not stage.ladder:
            walls = stage.walls()[index]
            return self.left() <= (sum(walls) / len(walls) if walls else 0.0)
        return self.left() - self.settings.budget * (1 - LADDER_SHARE) < stage.likely_seconds(index)

    def workers(self, job: Job) -> List[Dict[str, Any]]:
        """Return what of the other hosts of a job has to be equal where launches are pooled, none of one without."""
        return self.cluster.compared(job.cell) if self.cluster else []

    def launched(self, job: Job, settings: LaunchSettings, started: Callable[[int], None]) -> Outcome:
        """Launch a job on this host, and on the others where it needs them. Raises LaunchFailed."""
        if self.cluster and self.cluster.used(job.cell):
            return self.cluster.launch(job, settings, started, self.host.launch)
        return self.host.launch(job, settings, started)

    def launch(self, stage: Stage, index: int, position: int) -> None:
        """Launch a cell once and record what came of it."""
        job, settings = stage.jobs[index], self.settings
        number = len(stage.launches[index]) + 1
        kind = registry.kind_of(job.cell)
        # While other hosts have their turn the threads of this one wait, and too few that ran say nothing.
        threads = 0 if self.workers(job) else kind.threads(job.cell)
        started = time.time()
        before, own_cpu = self.host.snapshot(), time.process_time()
        try:
            with Sampler(threads=threads) as sampler:
                outcome = self.launched(job, settings.of_launch(job, number), sampler.watch)
            series = sampler.series()
        except LaunchFailed as failure:
            stage.failed[index] = True
            self.emit("failure", failure.payload, started)
            return
        own_s, ran = time.process_time() - own_cpu, sampler.threads_ran(*kind.computed(outcome))
        values = gates.gates(before, self.host.snapshot(), outcome.usage, own_s, ran)
        if kind.reads_disk:
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
            validity=gates.validity(values, threads, but=() if kind.timed else tuple(values)),
            position=position,
            key=envelope.comparable_key(
                self.machine, job.build, job.model, job.cell, settings.environment, self.workers(job)
            ),
            **place,
        )
        if settings.environment:
            payload["environment"] = dict(settings.environment)
        # The log of a server names no tensor unless it is asked to, which takes time.
        told = outcome.kernel and kind.names_tensors
        # What other hosts hold nobody repacks: an RPC server gives its clients plain buffers.
        if told and variant.repacks(job.cell) and not self.workers(job):
            row = outcome.rows[0] if outcome.rows else {}
            payload["kernel"] = dict(
                outcome.kernel,
                path=kernel_path.verdict(outcome.kernel, self.machine, job.build, job.cell["quantization"], row),
            )
        stage.add(index, payload)
        stage.done.add(index)
        self.emit("launch", payload, started)
        self.emit("samples", dict(series, cell=job.cell, **place), started)


def _obstacle(
    job: Job, settings: Settings, machine: Dict[str, Any], cluster: Optional[Cluster] = None
) -> Optional[Tuple[str, str]]:
    """Return (cause, advice) when a job cannot be measured here, which is better known before it is launched."""
    kind, of_launch = registry.kind_of(job.cell), settings.of_launch(job)
    need = memory.of_job(job, kind.sequences(job.cell, settings.slots))
    together = variant.hosts(job.cell) > 1
    why = (
        missing(job, kind.program)
        or refusal(job)
        or kind.trouble(job.cell, of_launch)
        or kind.obstacle(job, of_launch)
        or variant.trouble(job.cell, machine)
        or (obstacle(job, cluster, need) if together else None)
        or unable(job, kind.program, kind.argv(job, of_launch))
    )
    if why is None and not together:
        why = memory.refusal(need, cgroup.memory(machine)) if need else None
    return why


def _by_rung(stage: Stage, headline: str) -> Dict[Rung, List[float]]:
    """Return the speeds of the rungs of one ladder, of the undisturbed launches where there are any."""
    speeds: Dict[Rung, List[float]] = {}
    for index, job in enumerate(stage.jobs):
        if registry.headline(job.cell) == headline:
            figures = stage.values(index) or stage.values(index, undisturbed=False)
            speeds[Rung(job.cell["threads"], job.cell.get("numa"))] = figures
    return speeds


def _ids(job: Job) -> Tuple[str, str]:
    return job.build["id"], job.model["id"]


def _reference(ladder: Stage, advice: Dict[str, Optional[Dict[str, Any]]]) -> Optional[time_budget.Reference]:
    figures: Dict[str, List[Dict[str, Any]]] = {"pp_tps": [], "tg_tps": []}
    best = {"pp_tps": advice.get("prompt"), "tg_tps": advice.get("generation")}
    for index, job in enumerate(ladder.jobs):
        name = registry.headline(job.cell)
        chosen = best.get(name)
        if chosen and job.cell["threads"] == chosen["best"] and "numa" not in job.cell:
            figures[name] += [launch["metrics"] for launch in ladder.launches[index]]
    return time_budget.reference(figures, float(ladder.jobs[0].model.get("bytes") or 1))


def read_through(jobs: Sequence[Job]) -> None:
    """Read what jobs launch and load, so that its pages are resident and every launch starts alike."""
    for path in sorted(
        {path for job in jobs for path in (program(job, registry.kind_of(job.cell).program), job.model_path)}
    ):
        if os.path.exists(os.path.join(HOME, path)):
            page_cache.read_through(os.path.join(HOME, path))


@contextlib.contextmanager
def _cleared(jobs: Sequence[Job]) -> Iterator[None]:
    """Remove what launches leave for each other, however the block ends."""
    try:
        yield
    finally:
        for kind in {registry.kind_of(job.cell) for job in jobs}:
            kind.clear()


def measure(
    jobs: List[Job],
    settings: Settings,
    machine: Dict[str, Any],
    emit: Emit,
    progress: Callable[[Dict[str, Any]], None],
    abandoned: Callable[[], bool] = lambda: False,
    earlier: Sequence[Dict[str, Any]] = (),
    host: Optional[Host] = None,
    duets: Sequence[Tuple[Job, Job]] = (),
    cluster: Optional[Cluster] = None,
) -> bool:
    """Measure the jobs and hand each record's kind, payload and start time to `emit`; say whether it came to its end.

    A cell that fails is recorded once and not launched again; the others go on. `progress` gets the state before each
    launch and once at the end. Before each launch `abandoned` is asked whether to stop. `earlier` are the records of
    an interrupted run of the same id. `duets` are pairs of jobs to be measured at the same moment. `cluster`: the hosts
    that compute jobs of several hosts.
    """
    with _cleared(jobs), cluster.kept() if cluster else contextlib.nullcontext():
        run = Session(settings, machine, emit, progress, abandoned, earlier, host or Host(), cluster)
        jobs = [job for job in jobs if not run.refused(job)]
        read_through(jobs)
        if not jobs:
            progress({"done": 0, "of": 0, "now": None, "figures": [], "failed": [], "left_s": 0.0, "finished": True})
            return True
        benched = [job for job in jobs if registry.kind_of(job.cell) is registry.BENCH] or jobs
        leading, ladder = benched[0], None
        if settings.budget or not all(job.cell["threads"] for job in jobs):
            ladder = run.choose_threads(leading, [job.cell["threads"] for job in jobs if job.cell["threads"]])
        if run.stopped:
            return False
        stage = Stage([run.resolve(job) for job in jobs], settings, earlier)
        canary = run.every()
        run.bandwidth(leading, "start", canary)
        # First, because they are bounded, and what comes last is left out where time is short.
        if not run.duets(duets):
            progress(stage.state(None))
            return False
        run.plan_time(stage, ladder)
        run.blocks(stage, "measuring", middle=lambda: run.bandwidth(leading, "middle", canary))
        if not run.stopped:
            run.bandwidth(leading, "end", canary)
        progress(dict(stage.state(None), finished=not run.stopped))
        return not run.stopped
