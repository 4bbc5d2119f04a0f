# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Duets: two cells at the same moment, each on half of the cores, and on the other half in the second round.

What else the machine does meets both alike, and how its halves differ cancels out within a pair, so that the ratio is
known far better than from launches one after the other (L. Bulej et al., Duet Benchmarking, ICPE 2020). The two share
memory and caches: their speeds are none of the machine's, and no launch is pooled with them.

Only what both compute at the same time counts. llama-bench loads and warms up first, for a time of its own; the side
that is ready sooner is started later by so much, and the faster one repeats until the slower one has ended: alone at
the end, that would be too fast by what a neighbour costs. How long that is, the rounds before tell.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import memory, registry, variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.cell import DUET
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed, Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.host import Emit, Host
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import (
    ENOUGH_PAIRS,
    Interval,
    mean_interval,
    side_of_margin,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.settings import Settings
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.time_budget import duration
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import cgroup, gates
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.machine import Core
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.sampler import Sampler
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope

# Pairs of a duet, undisturbed ones at least and all of them at most.
PAIRS_LEAST, PAIRS_MOST = ENOUGH_PAIRS, 30
# Of the time limit of a run, what its duets may take: levels come from the launches that follow.
TIME_SHARE = 1 / 3.0
# A repetition counts of which the other side computed so much of the time.
OVERLAP = 0.8
# The least time for which both are to compute in a round.
TOGETHER_S = 4.0
# How often a round is tried of which nothing counts: on a busy machine one side may get ready late.
TRIES = 3
# Where the faster one would end sooner by less of a repetition than this, it need not repeat once more.
_SLACK = 0.01

# How long it takes at most until this process notices that it is to end.
_LOOK_S = 0.5

# Cause and advice.
Trouble = Tuple[str, str]


class DuetRefused(ValueError):
    """There is no room for a duet, which is known before it; `advice` says what to do."""

    def __init__(self, cause: str, advice: str) -> None:
        super().__init__(cause)
        self.advice = advice


class Halves(NamedTuple):
    """The processors of each side, and the threads of each: its cores."""

    first: Tuple[int, ...]
    second: Tuple[int, ...]
    threads: int


def halves(cores: Sequence[Core], most: int) -> Halves:
    """Return two equal sets of `cores`, of which `most` may be busy at once. Raises DuetRefused below two.

    The threads of a core stay on one side; of an odd number of cores the last is idle. An even number of NUMA nodes,
    alike in size, is shared out node by node: sides that share no memory disturb each other least. Otherwise both are
    halves of the largest node, so that neither reaches over to another one.
    """
    by_node: Dict[int, List[Core]] = {}
    for core in cores:
        by_node.setdefault(core.node, []).append(core)
    nodes = [of_node for _node, of_node in sorted(by_node.items())]
    largest = max(nodes, key=len, default=[])
    alike = len(nodes) % 2 == 0 and len({len(of_node) for of_node in nodes}) == 1 and len(cores) <= most
    whole = alike or len(largest) < 2
    chosen = [core for of_node in nodes for core in of_node][:most] if whole else largest[:most]
    each = len(chosen) // 2
    if not each:
        raise DuetRefused(
            "a duet needs two cores, one for each side, and %s may be used here"
            % ("one" if len(chosen) == 1 else "none that is known"),
            "Compare launches in turns, which need one core alone, or give the run more processors. Two programs in "
            "turns on one core are no duet: each moment is then that of one of them.",
        )
    sides = [
        tuple(sorted(cpu for core in part for cpu in core.cpus)) for part in (chosen[:each], chosen[each : 2 * each])
    ]
    return Halves(sides[0], sides[1], each)


class Tempo(NamedTuple):
    """Seconds from the start of a process to its first timed repetition, and of one repetition."""

    lead_s: float
    each_s: float


class Part(NamedTuple):
    """What one side of a round is told: seconds after the other that it is started, and its repetitions."""

    delay_s: float
    repetitions: int


def parts(known: Optional[Tuple[Tempo, Tempo]], repetitions: int) -> Tuple[Part, Part]:
    """Return how both sides of the next round are launched; `known` of both, None before the first round.

    The first timed repetitions begin together. The slower side repeats for TOGETHER_S at least, and `repetitions`
    times; the faster one until that has ended.
    """
    if known is None:
        return Part(0.0, repetitions), Part(0.0, repetitions)
    latest = max(tempo.lead_s for tempo in known)
    slower = max(tempo.each_s for tempo in known)
    together = slower * max(repetitions, math.ceil(TOGETHER_S / slower))
    a, b = [Part(latest - tempo.lead_s, max(1, math.ceil(together / tempo.each_s - _SLACK))) for tempo in known]
    return a, b


# From when until when, in seconds.
Window = Tuple[float, float]


def shared(window: Window, other: Window) -> float:
    """Return the share of a window that lies within another, 0 to 1."""
    length = window[1] - window[0]
    together = min(window[1], other[1]) - max(window[0], other[0])
    return max(0.0, together) / length if length > 0 else 0.0


def repetitions(window: Window, durations: Sequence[float]) -> List[Window]:
    """Return the windows of the repetitions, one after the other, that a program timed within a window."""
    begin, windows = window[0], []
    for seconds in durations:
        windows.append((begin, begin + seconds))
        begin += seconds
    return windows


class _Side:
    """One side of a round: a launch in a thread of its own."""

    def __init__(self, host: Host, job: Job, settings: LaunchSettings, delay_s: float, began: float) -> None:
        self.host = host
        self.job = job
        self.settings = settings
        self.delay_s = delay_s
        self.began = began
        self.start_s = 0.0
        self.pid: Optional[int] = None
        self.ran: Optional[int] = None
        self.outcome: Optional[Outcome] = None
        self.error: Optional[BaseException] = None
        # A daemon: a runner that is ended does not wait for it, and its program dies with the thread.
        self.thread = threading.Thread(target=self._run, name="duet", daemon=True)

    def _run(self) -> None:
        kind = registry.kind_of(self.job.cell)
        try:
            self.host.sleep(self.delay_s)
            self.start_s = self.host.clock() - self.began
            with Sampler(threads=kind.threads(self.job.cell)) as sampler:

                def started(pid: int) -> None:
                    self.pid, self.start_s = pid, self.host.clock() - self.began
                    sampler.watch(pid)

                self.outcome = self.host.launch(self.job, self.settings, started)
            self.ran = sampler.threads_ran(*kind.computed(self.outcome))
        # Handed on by the thread that waits.
        except BaseException as error:  # pylint: disable=broad-except
            self.error = error

    def kill(self) -> None:
        """End the program, should it run."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def window(self) -> Window:
        """Return from when until when it computed without a pause, in seconds since the round began."""
        begin, end = registry.kind_of(self.job.cell).computed(self._done())
        return self.start_s + begin, self.start_s + end

    def durations(self) -> List[float]:
        """Return the seconds of each repetition."""
        return [nanoseconds / 1e9 for row in self._done().rows for nanoseconds in row["samples_ns"]]

    def _done(self) -> Outcome:
        if self.outcome is None:
            raise ValueError("it has not been launched")
        return self.outcome

    def payload(self, other: _Side) -> Dict[str, Any]:
        """Return its part of a record, with what counts of it beside the other side."""
        outcome, window = self._done(), self.window()
        durations = self.durations()
        shares = [shared(repetition, other.window()) for repetition in repetitions(window, durations)]
        used = [index for index, share in enumerate(shares) if share >= OVERLAP]
        speeds = [speed for row in outcome.rows for speed in row["samples_ts"]]
        spent = sum(durations[index] for index in used)
        return {
            "cpus": list(self.settings.cpus),
            "start_s": round(self.start_s, 4),
            "computed_s": [round(moment, 4) for moment in window],
            "argv": outcome.argv,
            "metrics": outcome.metrics,
            "rows": outcome.rows,
            "used": used,
            # All tokens of what counts by all of its time.
            "tps": sum(speeds[index] * durations[index] for index in used) / spent if used else None,
            "overlap": round(sum(shares[index] * durations[index] for index in used) / spent, 4) if used else 0.0,
        }


def _round(sides: Sequence[_Side], host: Host, threads: int) -> Dict[str, Any]:
    """Let both sides run and return the round's part of a record. Raises LaunchFailed, once both have ended."""
    before, own_cpu = host.snapshot(), time.process_time()
    try:
        for side in sides:
            side.thread.start()
        for side in sides:
            # A signal that another thread was given wakes nobody who waits without an end.
            while side.thread.is_alive():
                side.thread.join(_LOOK_S)
    except BaseException:
        for side in sides:
            side.kill()
        raise
    for side in sides:
        if side.error is not None:
            raise side.error
    a, b = sides
    usages = [side.outcome.usage for side in sides if side.outcome]
    # Longest and largest of a process of its own each, all else together.
    both = usages[0]._replace(
        wall_s=max(usage.wall_s for usage in usages),
        cpu_user_s=sum(usage.cpu_user_s for usage in usages),
        cpu_system_s=sum(usage.cpu_system_s for usage in usages),
        major_faults=sum(usage.major_faults for usage in usages),
    )
    ran = min((side.ran for side in sides if side.ran is not None), default=None)
    values = gates.gates(before, host.snapshot(), both, time.process_time() - own_cpu, ran)
    of_a, of_b = a.payload(b), b.payload(a)
    known = of_a["tps"] and of_b["tps"]
    return {
        "a": of_a,
        "b": of_b,
        "overlap": min(of_a["overlap"], of_b["overlap"]),
        "log_ratio": math.log(of_b["tps"] / of_a["tps"]) if known else None,
        "gates": values,
        "validity": gates.validity(values, threads, but=gates.MET_ALIKE),
    }


def _tempo_of(part: Dict[str, Any]) -> Tempo:
    durations = [nanoseconds / 1e9 for row in part["rows"] for nanoseconds in row["samples_ns"]]
    return Tempo(part["computed_s"][0] - part["start_s"], sum(durations) / len(durations))


def tempos(rounds: Sequence[Dict[str, Any]]) -> Optional[Tuple[Tempo, Tempo]]:
    """Return the mean tempos of both sides over rounds as records have them, None without any."""
    if not rounds:
        return None
    a, b = [
        Tempo(*(sum(values) / len(values) for values in zip(*(_tempo_of(both[name]) for both in rounds))))
        for name in ("a", "b")
    ]
    return a, b


class Duet:
    """The pairs of two jobs, whose cells have the threads of a half, and when there are enough."""

    def __init__(self, a: Job, b: Job) -> None:
        self.a = a
        self.b = b
        self.pairs: List[Dict[str, Any]] = []
        self.seconds: List[float] = []
        self.failed = self.out_of_time = False

    def is_of(self, payload: Dict[str, Any]) -> bool:
        """Say whether a record is of this duet."""
        return all(payload[name] == _side_of(job) for name, job in (("a", self.a), ("b", self.b)))

    def add(self, payload: Dict[str, Any]) -> None:
        """Count a pair, perhaps of a run that was interrupted."""
        self.pairs.append(payload)

    def ratio(self) -> Optional[Interval]:
        """Return the ratio B/A of the pairs that count, None without any."""
        logs = [pair["log_ratio"] for pair in self.pairs if counts(pair)]
        return mean_interval([math.exp(value) for value in logs]) if logs else None

    def wants(self) -> bool:
        """Say whether another pair is to be measured: until the verdict is clear, never by a p-value."""
        if self.failed or self.out_of_time or len(self.pairs) >= PAIRS_MOST:
            return False
        ratio = self.ratio()
        return ratio is None or ratio.n < PAIRS_LEAST or side_of_margin(ratio) is None

    def measure(self, split: Halves, settings: Settings, machine: Dict[str, Any], host: Host) -> Dict[str, Any]:
        """Measure a pair and return the payload of its record, which is not counted yet. Raises LaunchFailed.

        Which side begins on the first half changes from pair to pair: what drifts steadily cancels out.
        """
        number, before = len(self.pairs) + 1, [both for pair in self.pairs for both in pair["rounds"]]
        of_pair: List[Dict[str, Any]] = []
        counted: List[Dict[str, Any]] = []
        places = [split.first, split.second] if number % 2 else [split.second, split.first]
        for cpus in (places, places[::-1]):
            for _try in range(TRIES):
                of_pair.append(self._round(cpus, number, before + of_pair, settings, host))
                if of_pair[-1]["log_ratio"] is not None:
                    counted.append(of_pair[-1])
                    break
            else:
                break
        whole = len(counted) == len(places)
        reasons = [reason for both in counted for reason in both["validity"]["reasons"]]
        if not whole:
            reasons.append(
                "in %d rounds no repetition of a side lay to %d %% in the time in which the other computed"
                % (TRIES, round(100 * OVERLAP))
            )
        payload = {
            "a": _side_of(self.a),
            "b": _side_of(self.b),
            "machine": machine["id"],
            "number": number,
            "rounds": of_pair,
            "log_ratio": sum(both["log_ratio"] for both in counted) / len(counted) if whole else None,
            "validity": {"state": "INVALID" if reasons else "VALID", "reasons": list(dict.fromkeys(reasons))},
        }
        if settings.environment:
            payload["environment"] = dict(settings.environment)
        return payload

    def _round(
        self,
        cpus: Sequence[Sequence[int]],
        number: int,
        before: Sequence[Dict[str, Any]],
        settings: Settings,
        host: Host,
    ) -> Dict[str, Any]:
        """Let A and B run on the `cpus` of each, as the rounds `before` tell; return the part of a record."""
        told = parts(tempos(before), settings.repetitions)
        began = host.clock()
        sides = [
            _Side(
                host,
                job,
                settings.of_launch(job, number)._replace(repetitions=part.repetitions, cpus=on),
                part.delay_s,
                began,
            )
            for job, part, on in zip((self.a, self.b), told, cpus)
        ]
        return _round(sides, host, self.a.cell["threads"])


def counts(payload: Dict[str, Any]) -> bool:
    """Say whether a pair counts: nothing spoiled it, and both sides have a figure in both rounds."""
    return payload["validity"]["state"] == "VALID" and payload.get("log_ratio") is not None


def _side_of(job: Job) -> Dict[str, Any]:
    return {"cell": job.cell, "build": job.build["id"], "model": job.model["id"]}


def _elsewhere(*jobs: Job) -> Optional[Trouble]:
    """Return (cause, advice) when a side would choose its processors itself, and leave its half; None when not."""
    for job in jobs:
        for name in ("cpu-mask", "numa"):
            if name in variant.of_cell(job.cell):
                return (
                    "%s chooses processors itself, and each side of a duet has its half" % name,
                    "Compare this setting by launches in turns: both are cells of the run.",
                )
    return None


def _no_room(a: Job, b: Job, settings: Settings, machine: Dict[str, Any]) -> Optional[Trouble]:
    """Return (cause, advice) when both cells together do not fit into the memory, None when they do or nobody knows."""
    needs = [memory.of_job(job, registry.kind_of(job.cell).sequences(job.cell, settings.slots)) for job in (a, b)]
    known = [need for need in needs if need]
    why = memory.refusal(memory.together(known), cgroup.memory(machine)) if len(known) == 2 else None
    return ("both sides of a duet at once: " + why[0], why[1]) if why else None


class Duets:
    """All duets of a run: a pair of each in turn, so that what ends them ends them alike.

    `obstacle` says why a job cannot be measured here, as (cause, advice); `earlier` are the records of an interrupted
    run of the same id.
    """

    def __init__(
        self,
        settings: Settings,
        machine: Dict[str, Any],
        emit: Emit,
        host: Host,
        obstacle: Callable[[Job], Optional[Trouble]],
        earlier: Sequence[Dict[str, Any]],
    ) -> None:
        self.settings = settings
        self.machine = machine
        self.emit = emit
        self.host = host
        self.obstacle = obstacle
        self.earlier = earlier
        self.duets: List[Duet] = []
        self.told = {envelope.canonical(record["payload"]["cell"]) for record in earlier if record["kind"] == "omitted"}

    def measure(
        self,
        given: Sequence[Tuple[Job, Job]],
        progress: Callable[[Dict[str, Any]], None],
        abandoned: Callable[[], bool],
    ) -> bool:
        """Measure the duets of pairs of jobs; say whether they came to their end. Their cells' threads are replaced."""
        if not given:
            return True
        began = self.host.clock()
        limit = self.settings.budget * TIME_SHARE if self.settings.budget else float("inf")
        try:
            split = halves(self.host.cores(), self.machine.get("cpu_count") or 1)
        except DuetRefused as error:
            for _a, b in given:
                self._omit(b, str(error), error.advice)
            return True
        self._begin(given, split.threads)
        while True:
            waiting = [duet for duet in self.duets if duet.wants()]
            if not waiting:
                return True
            for duet in waiting:
                if abandoned():
                    return False
                spent = self.host.clock() - began
                likely = sum(duet.seconds) / len(duet.seconds) if duet.seconds else 0.0
                if spent + likely >= limit:
                    self._late(duet, limit)
                    continue
                progress(self._state(duet))
                self._pair(duet, split)

    def _begin(self, given: Sequence[Tuple[Job, Job]], threads: int) -> None:
        """Take up what can be measured, and record why the rest cannot."""
        for pair in given:
            a, b = [job._replace(cell=dict(job.cell, threads=threads)) for job in pair]
            why = self.obstacle(a) or self.obstacle(b) or _elsewhere(a, b)
            why = why or _no_room(a, b, self.settings, self.machine)
            if why:
                self._omit(b, *why)
                continue
            duet = Duet(a, b)
            for record in self.earlier:
                if record["kind"] == "duet" and duet.is_of(record["payload"]):
                    duet.add(record["payload"])
            self.duets.append(duet)

    def _omit(self, job: Job, cause: str, advice: str) -> None:
        cell = dict(job.cell, purpose=DUET)
        if envelope.canonical(cell) not in self.told:
            self.told.add(envelope.canonical(cell))
            self.emit("omitted", {"cell": cell, "cause": "no duet: " + cause, "advice": advice}, time.time())

    def _late(self, duet: Duet, limit: float) -> None:
        duet.out_of_time = True
        if not duet.pairs:
            self._omit(
                duet.b,
                "a third of the time limit, %s, was over before its first pair" % duration(limit),
                "Raise llama_bench_minutes (0 is no limit), or ask for fewer duets in llama_bench_duets.",
            )

    def _pair(self, duet: Duet, split: Halves) -> None:
        started, began = time.time(), self.host.clock()
        try:
            payload = duet.measure(split, self.settings, self.machine, self.host)
        except LaunchFailed as failure:
            duet.failed = True
            cell = dict(failure.payload["cell"], purpose=DUET)
            self.emit("failure", dict(failure.payload, cell=cell), started)
            return
        duet.add(payload)
        duet.seconds.append(self.host.clock() - began)
        self.emit("duet", payload, started)

    def _state(self, now: Duet) -> Dict[str, Any]:
        """Return what the controller shows: whose pair is at hand, how many there are, the ratio so far."""
        ratio = now.ratio()
        return {
            "stage": "duets",
            "done": sum(len(duet.pairs) for duet in self.duets),
            "of": sum(
                len(duet.pairs) + (max(1, PAIRS_LEAST - len(duet.pairs)) if duet.wants() else 0) for duet in self.duets
            ),
            "now": now.b.cell,
            "against": now.a.cell,
            "pairs": len(now.pairs),
            "ratio": list(ratio) if ratio else None,
            "figures": [],
            "failed": [],
            "left_s": None,
            "time": time.time(),
        }
