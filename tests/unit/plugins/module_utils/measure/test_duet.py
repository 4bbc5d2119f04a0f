# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Duets: halves of every kind of machine, what counts of a round, when there are enough pairs, and going on later.

The host is a mock with a clock of its own: what a launch takes, it takes on paper. Two real programs run at the end.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed, Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import duet as duetting
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.duet import (
    DuetRefused,
    Duets,
    Halves,
    Part,
    Tempo,
    halves,
    parts,
    shared,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.host import Host
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.settings import Settings
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import gates
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.machine import Core
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Usage
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import schema


def plain(count: int, node: int = 0, first: int = 0) -> list[Core]:
    return [Core(node, (first + number,)) for number in range(count)]


@pytest.mark.parametrize(
    ("cores", "most", "expected"),
    [
        pytest.param(plain(2), 2, Halves((0,), (1,), 1), id="two cores"),
        pytest.param(plain(8), 8, Halves((0, 1, 2, 3), (4, 5, 6, 7), 4), id="eight"),
        pytest.param(plain(5), 5, Halves((0, 1), (2, 3), 2), id="odd: the last is idle"),
        pytest.param([Core(0, (0, 4)), Core(0, (1, 5)), Core(0, (2, 6)), Core(0, (3, 7))], 8,
                     Halves((0, 1, 4, 5), (2, 3, 6, 7), 2), id="threads of a core stay together"),
        pytest.param([Core(0, (0, 1)), Core(0, (2, 3))], 4, Halves((0, 1), (2, 3), 1), id="two cores of two threads"),
        pytest.param([Core(0, (2,)), Core(0, (5,)), Core(0, (7,))], 3, Halves((2,), (5,), 1), id="what a mask allows"),
        pytest.param([*plain(4), *plain(4, node=1, first=4)], 8, Halves((0, 1, 2, 3), (4, 5, 6, 7), 4),
                     id="node against node"),
        pytest.param([Core(number % 2, (number,)) for number in range(8)], 8, Halves((0, 2, 4, 6), (1, 3, 5, 7), 4),
                     id="nodes whose processors are numbered in turn"),
        pytest.param([core for node in range(4) for core in plain(2, node, 2 * node)], 8,
                     Halves((0, 1, 2, 3), (4, 5, 6, 7), 4), id="two nodes against two"),
        pytest.param([core for node in range(3) for core in plain(4, node, 4 * node)], 12,
                     Halves((0, 1), (2, 3), 2), id="three nodes: halves of one"),
        pytest.param([*plain(2), *plain(6, node=1, first=2)], 8, Halves((2, 3, 4), (5, 6, 7), 3),
                     id="unlike nodes: halves of the largest"),
        pytest.param([core for node in range(3) for core in plain(1, node, node)], 3, Halves((0,), (1,), 1),
                     id="a core in each of three nodes"),
        pytest.param(plain(64), 4, Halves((0, 1), (2, 3), 2), id="a quota of four cores' time"),
        pytest.param([*plain(4), *plain(4, node=1, first=4)], 4, Halves((0, 1), (2, 3), 2),
                     id="a quota keeps to one node"),
    ],
)  # fmt: skip
def test_halves_are_equal_and_of_whole_cores(cores: list[Core], most: int, expected: Halves) -> None:
    assert halves(cores, most) == expected


@pytest.mark.parametrize(
    ("cores", "most", "words"),
    [
        (plain(1), 1, "a duet needs two cores, one for each side, and one may be used here"),
        ([Core(0, (0, 1))], 2, "and one may be used here"),
        (plain(8), 1, "and one may be used here"),
        ([], 2, "and none that is known may be used here"),
    ],
)
def test_one_core_has_no_halves(cores: list[Core], most: int, words: str) -> None:
    with pytest.raises(DuetRefused) as refused:
        halves(cores, most)
    assert words in str(refused.value)
    assert "launches in turns" in refused.value.advice


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (None, (Part(0.0, 2), Part(0.0, 2))),
        # As fast as each other, and one loads longer: the other waits for it.
        ((Tempo(1.0, 5.0), Tempo(3.0, 5.0)), (Part(2.0, 2), Part(0.0, 2))),
        # Half as fast: the faster one goes on until the slower one has ended.
        ((Tempo(1.0, 5.0), Tempo(1.0, 10.0)), (Part(0.0, 4), Part(0.0, 2))),
        ((Tempo(1.0, 9.7), Tempo(1.0, 10.0)), (Part(0.0, 3), Part(0.0, 2))),
        # Within the slack nobody repeats for a moment.
        ((Tempo(1.0, 9.96), Tempo(1.0, 10.0)), (Part(0.0, 2), Part(0.0, 2))),
        # Short ones are repeated until there is something to measure.
        ((Tempo(0.1, 0.1), Tempo(0.1, 0.3)), (Part(0.0, 42), Part(0.0, 14))),
    ],
)
def test_what_both_are_told_makes_them_compute_together(
    known: tuple[Tempo, Tempo] | None, expected: tuple[Part, Part]
) -> None:
    told = parts(known, 2)
    assert [part.repetitions for part in told] == [part.repetitions for part in expected]
    assert [part.delay_s for part in told] == pytest.approx([part.delay_s for part in expected])


def test_the_share_of_a_window_in_another() -> None:
    assert shared((0.0, 4.0), (1.0, 9.0)) == 0.75
    assert shared((0.0, 4.0), (4.0, 9.0)) == shared((5.0, 5.0), (4.0, 9.0)) == 0.0
    assert shared((1.0, 2.0), (0.0, 9.0)) == 1.0


# ---- A host on paper ----

MACHINE = {"id": "m" * 12, "name": "local-test", "cpu_count": 4, "physical_cores": 4, "memory_bytes": 16 << 30}


def job(build: str = "default", test: str = "tg8", size: int = 10**7, **more: Any) -> Job:
    cell = {"model": "tiny-synthetic", "quantization": "Q4_0", "build": build, "threads": 0, **more}
    model = {"id": "f" * 12, "name": "tiny-synthetic", "bytes": size}
    return Job({**cell, **registry.parse_test(test)}, build, "m.gguf", {"id": build[0] * 12, "name": build}, model)


class Machine:
    """A host on which a build has a lead and a speed; what `speed` and `lead` say of a launch is on paper."""

    def __init__(self, speed: Callable[[str, int], float], lead: Callable[[str], float] = lambda _build: 1.0) -> None:
        self.speed = speed
        self.lead = lead
        self.base = 0.0
        self.local = threading.local()
        self.calls: list[tuple[str, Sequence[int], int, float]] = []
        self.longest = 0.0
        self.broken = ""
        self.faults: set[int] = set()
        self.counter = gates.Snapshot(0.0, 0.0, 0.0, 0, 0, 0.0)
        self.busy_s = 0.0

    def launch(self, one: Job, settings: LaunchSettings, _started: Callable[[int], None]) -> Outcome:
        build = one.cell["build"]
        if build == self.broken:
            raise LaunchFailed(envelope.failure("measure", "it broke", "Mend it.", one.cell))
        number = 1 + sum(call[0] == build and call[2] == settings.seed for call in self.calls)
        speed = self.speed(build, len(self.calls))
        self.calls.append((build, settings.cpus, settings.seed, getattr(self.local, "offset", 0.0)))
        tokens = one.cell["n_prompt"] + one.cell["n_gen"]
        wall = self.lead(build) + settings.repetitions * tokens / speed
        self.longest = max(self.longest, getattr(self.local, "offset", 0.0) + wall)
        row = {
            "samples_ns": [int(1e9 * tokens / speed)] * settings.repetitions,
            "samples_ts": [speed] * settings.repetitions,
        }
        metrics = {registry.headline(one.cell): {"value": speed, "unit": "token/s"}}
        faults = 1000 if number in self.faults else 0
        return Outcome(["x", build], metrics, [row], {}, Usage(wall, wall, 0.0, 1, 0, faults, 0, 0), {})

    def clock(self) -> float:
        return self.base + getattr(self.local, "offset", 0.0)

    def sleep(self, seconds: float) -> None:
        self.local.offset = getattr(self.local, "offset", 0.0) + seconds

    def snapshot(self) -> gates.Snapshot:
        """Both sides have ended, or neither has begun: the time that they took is over."""
        self.base, self.longest = self.base + self.longest, 0.0
        before = self.counter
        self.counter = before._replace(busy_s=(before.busy_s or 0) + self.busy_s, total_s=(before.total_s or 0) + 10)
        return self.counter

    @property
    def host(self) -> Host:
        return Host(
            launch=self.launch, snapshot=self.snapshot, clock=self.clock, sleep=self.sleep, cores=lambda: plain(4)
        )


def go(host: Machine, *given: tuple[Job, Job], earlier: Sequence[dict[str, Any]] = (), **more: Any):
    gone = more.pop("abandoned", lambda: False)
    obstacle = more.pop("obstacle", lambda _job: None)
    of_machine = more.pop("machine", MACHINE)
    settings = Settings(**{"launches": 6, "launches_most": 30, "repetitions": 1, "seed": 1, "time_limit": 60.0, **more})
    emitted: list[dict[str, Any]] = []
    states: list[dict[str, Any]] = []

    def emit(kind: str, payload: dict[str, Any], started: float) -> None:
        assert started
        emitted.append({"kind": kind, "payload": payload})

    measuring = Duets(settings, of_machine, emit, host.host, obstacle, earlier)
    ended = measuring.measure(given, states.append, gone)
    return emitted, states, ended


def pairs(emitted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one["payload"] for one in emitted if one["kind"] == "duet"]


def test_a_pair_is_two_rounds_with_the_halves_exchanged() -> None:
    machine = Machine(lambda build, _n: 10.0 if build == "default" else 11.0)
    emitted, states, ended = go(machine, (job(), job("lto")))
    assert ended
    first, second, *_more = pairs(emitted)
    assert (first["number"], second["number"]) == (1, 2)
    assert [(one["a"]["cpus"], one["b"]["cpus"]) for one in first["rounds"]] == [([0, 1], [2, 3]), ([2, 3], [0, 1])]
    # Where a pair begins takes turns.
    assert [one["a"]["cpus"] for one in second["rounds"]] == [[2, 3], [0, 1]]
    assert first["a"]["cell"]["threads"] == first["b"]["cell"]["threads"] == 2
    assert (first["a"]["build"], first["b"]["build"]) == ("d" * 12, "l" * 12)
    assert first["log_ratio"] == pytest.approx(math.log(1.1))
    assert first["validity"] == {"state": "VALID", "reasons": []}
    assert first["rounds"][0]["b"]["argv"] == ["x", "lto"]
    for pair in pairs(emitted):
        record = envelope.make("duet", "20261123T155523Z-1a2b", "local-test", pair)
        assert schema.refusal(json.loads(json.dumps(record))) is None
    assert states[0]["now"]["build"] == "lto"
    assert states[0]["against"]["build"] == "default"
    assert (states[0]["done"], states[0]["of"], states[0]["ratio"]) == (0, 6, None)
    assert states[5]["ratio"][0] == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("ratios", "count"),
    [
        pytest.param([1.05], 6, id="clearly faster"),
        pytest.param([0.5], 6, id="clearly slower"),
        pytest.param([1.001, 0.999], 6, id="equal"),
        # 6 pairs leave it open, some more do not.
        pytest.param([1.10, 1.02, 1.06, 1.0], 11, id="until it is clear"),
        pytest.param([1.02], 30, id="on the margin: never"),
    ],
)
def test_pairs_go_on_until_the_verdict_is_clear(ratios: list[float], count: int) -> None:
    machine = Machine(lambda build, n: 10.0 * (ratios[n // 4 % len(ratios)] if build == "lto" else 1.0))
    emitted, _states, _ended = go(machine, (job(), job("lto")))
    assert len(pairs(emitted)) == count


def test_a_cell_may_be_in_a_duet_with_itself() -> None:
    emitted, _states, _ended = go(Machine(lambda _build, _n: 10.0), (job(), job()))
    assert len(pairs(emitted)) == 6
    assert {pair["log_ratio"] for pair in pairs(emitted)} == {0.0}


def test_the_side_that_loads_sooner_waits_and_only_what_was_together_counts() -> None:
    machine = Machine(lambda _build, _n: 4.0, lambda build: 0.5 if build == "default" else 2.0)
    emitted, _states, _ended = go(machine, (job(), job("lto")))
    first = pairs(emitted)[0]
    alone, *together = first["rounds"]
    # The first round tells how long each loads: a quarter of a repetition of 2 s is all that was together.
    assert alone["overlap"] == 0.0
    assert alone["a"]["used"] == []
    assert alone["a"]["tps"] is alone["log_ratio"] is None
    # It is tried again, on the same halves.
    assert [both["a"]["cpus"] for both in first["rounds"]] == [[0, 1], [0, 1], [2, 3]]
    assert [both["overlap"] for both in together] == [1.0, 1.0]
    assert together[0]["a"]["start_s"] == pytest.approx(1.5)
    assert first["validity"]["state"] == "VALID"
    assert len(pairs(emitted)) == 6


def test_sides_that_never_compute_together_spoil_a_pair() -> None:
    leads = {"default": itertools.cycle([0.5, 40.0]), "lto": itertools.cycle([40.0, 0.5])}
    machine = Machine(lambda _build, _n: 8.0, lambda build: next(leads[build]))
    emitted, _states, _ended = go(machine, (job(), job("lto")))
    lone = [pair for pair in pairs(emitted) if pair["log_ratio"] is None]
    assert lone
    assert all(len(pair["rounds"]) >= 3 for pair in lone)
    assert lone[0]["validity"] == {
        "state": "INVALID",
        "reasons": ["in 3 rounds no repetition of a side lay to 80 % in the time in which the other computed"],
    }


def test_the_faster_one_repeats_until_the_slower_one_has_ended() -> None:
    machine = Machine(lambda build, _n: 4.0 if build == "default" else 10.0)
    emitted, _states, _ended = go(machine, (job(), job("lto")))
    later = pairs(emitted)[1]["rounds"][0]
    assert len(later["a"]["rows"][0]["samples_ns"]) == 2
    assert len(later["b"]["rows"][0]["samples_ns"]) == 5
    assert later["b"]["used"] == [0, 1, 2, 3, 4]
    assert later["overlap"] == 1.0
    assert pairs(emitted)[-1]["log_ratio"] == pytest.approx(math.log(2.5))


def test_what_one_side_computed_alone_is_left_out() -> None:
    machine = Machine(lambda build, _n: 4.0 if build == "default" else 4.4)
    emitted, _states, _ended = go(machine, (job(), job("lto")))
    later = pairs(emitted)[1]["rounds"][0]
    assert len(later["b"]["rows"][0]["samples_ns"]) == 3
    # Of the third 0.55 s of 1.8 s lie beyond the end of the slower one.
    assert later["b"]["used"] == [0, 1]
    assert later["a"]["used"] == [0, 1]


def test_faults_spoil_a_pair_and_company_does_not() -> None:
    machine = Machine(lambda _build, _n: 10.0)
    machine.faults = {1}
    machine.busy_s = 100.0
    emitted, _states, _ended = go(machine, (job(), job("lto")))
    states = [pair["validity"]["state"] for pair in pairs(emitted)]
    assert len(states) == 30
    assert set(states) == {"INVALID"}
    reasons = {reason.partition(" =")[0] for pair in pairs(emitted) for reason in pair["validity"]["reasons"]}
    assert reasons == {"major_faults"}
    machine.faults = set()
    emitted, _states, _ended = go(machine, (job(), job("lto")))
    assert [pair["validity"]["state"] for pair in pairs(emitted)] == ["VALID"] * 6
    assert pairs(emitted)[0]["rounds"][0]["gates"]["other_cpu_percent"] > 2


def test_an_interrupted_run_goes_on_with_its_pairs() -> None:
    gone = iter([False] * 4 + [True]).__next__
    machine = Machine(lambda _build, _n: 10.0)
    given = [(job(), job("lto")), (job(test="pp8"), job("lto", "pp8"))]
    earlier, _states, ended = go(machine, *given, abandoned=gone)
    assert not ended
    assert len(pairs(earlier)) == 4
    launched = len(machine.calls)
    later, states, ended = go(machine, *given, earlier=earlier)
    assert ended
    assert len(pairs(earlier) + pairs(later)) == 12
    assert len(machine.calls) - launched == 8 * 4
    assert [pair["number"] for pair in pairs(later) if pair["b"]["cell"]["test"] == "tg8"] == [3, 4, 5, 6]
    assert states[0]["done"] == 4
    # Of another build there is nothing to take up.
    other = job("lto")._replace(build={"id": "0" * 12, "name": "lto"})
    again, _states, _ended = go(machine, (job(), other), earlier=earlier)
    assert len(pairs(again)) == 6


def test_duets_take_turns_and_a_third_of_the_time() -> None:
    machine = Machine(lambda _build, _n: 8.0)
    given = [(job(), job("lto")), (job(test="pp8"), job("lto", "pp8"))]
    # A pair of 7 s, one of the other, and then one of 10 s: of 72 s a third has room for no more.
    emitted, _states, ended = go(machine, *given, budget=72.0)
    assert ended
    assert [pair["b"]["cell"]["test"] for pair in pairs(emitted)] == ["tg8", "pp8", "tg8"]
    emitted, _states, _ended = go(Machine(lambda _build, _n: 8.0), *given, budget=15.0)
    assert len(pairs(emitted)) == 1
    (omitted,) = [one["payload"] for one in emitted if one["kind"] == "omitted"]
    assert omitted["cell"]["test"] == "pp8"
    assert omitted["cell"]["purpose"] == "duet"
    assert omitted["cause"] == "no duet: a third of the time limit, 5 s, was over before its first pair"
    assert "llama_bench_minutes" in omitted["advice"]


def test_a_side_that_breaks_is_a_failure_and_the_other_duets_go_on() -> None:
    machine = Machine(lambda _build, _n: 10.0)
    machine.broken = "bad"
    emitted, _states, _ended = go(machine, (job(), job("bad")), (job(), job("lto")))
    (failure,) = [one["payload"] for one in emitted if one["kind"] == "failure"]
    assert (failure["cell"]["build"], failure["cell"]["purpose"]) == ("bad", "duet")
    assert len(pairs(emitted)) == 6


@pytest.mark.parametrize(
    ("changes", "given", "words"),
    [
        pytest.param({"machine": dict(MACHINE, cpu_count=1)}, (job(), job("lto")), "needs two cores", id="one core"),
        pytest.param(
            {}, (job(size=9 << 30), job("lto", size=9 << 30)),
            "both sides of a duet at once: it needs about 18.49 GiB", id="memory for both",
        ),
        pytest.param({"obstacle": lambda one: ("it cannot", "Do.") if one.cell["build"] == "lto" else None},
                     (job(), job("lto")), "no duet: it cannot", id="one side cannot be measured"),
        pytest.param({}, (job(), job(variant="cpu-mask=0x3")), "cpu-mask chooses processors itself", id="a mask"),
        pytest.param({}, (job(), job(variant="numa=isolate")), "numa chooses processors itself", id="NUMA"),
    ],
)  # fmt: skip
def test_what_there_is_no_room_for_is_said_before_any_launch(
    changes: dict[str, Any], given: tuple[Job, Job], words: str
) -> None:
    machine = Machine(lambda _build, _n: 10.0)
    emitted, _states, ended = go(machine, given, **changes)
    assert ended
    assert machine.calls == []
    (omitted,) = emitted
    assert omitted["kind"] == "omitted"
    assert words in omitted["payload"]["cause"]
    # A run that is taken up does not say it again.
    assert go(machine, given, earlier=emitted, **changes)[0] == []


# ---- Real processes ----

PROGRAM = """\
    import json, os, sys, time
    repetitions = int(sys.argv[sys.argv.index("-r") + 1])
    time.sleep({lead})
    begun = [(time.monotonic(), time.sleep({each}))[0] for _ in range(repetitions)]
    spent = {each}
    print(json.dumps({{"n_prompt": 0, "n_gen": 8, "n_threads": 1, "avg_ts": 8 / spent,
                       "samples_ns": [int(spent * 1e9)] * repetitions, "samples_ts": [8 / spent] * repetitions,
                       "affinity": sorted(os.sched_getaffinity(0))}}))
"""


@pytest.fixture
def two_programs(tmp_path, monkeypatch) -> list[Job]:
    """Two real programs that say what llama-bench says: the second loads longer and takes twice as long."""
    jobs = []
    for build, lead, each in (("default", 0.1, 0.3), ("lto", 0.4, 0.6)):
        directory = tmp_path / build
        directory.mkdir()
        program = directory / "llama-bench"
        program.write_text(f"#!{sys.executable} -S\n" + textwrap.dedent(PROGRAM.format(lead=lead, each=each)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        jobs.append(job(build)._replace(directory=str(directory)))
    monkeypatch.setattr(duetting, "TOGETHER_S", 1.2)
    monkeypatch.setattr(duetting, "PAIRS_MOST", 1)
    return jobs


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a duet needs two processors")
def test_two_real_programs_run_at_the_same_moment_on_their_halves(two_programs: list[Job]) -> None:
    first, second = sorted(os.sched_getaffinity(0))[:2]
    emitted: list[dict[str, Any]] = []
    settings = Settings(launches=6, launches_most=30, repetitions=1, seed=1, time_limit=60.0)
    host = Host(cores=lambda: [Core(0, (first,)), Core(0, (second,))])
    measuring = Duets(
        settings, MACHINE, lambda kind, payload, _began: emitted.append({"kind": kind, "payload": payload}), host,
        lambda _job: None, (),
    )  # fmt: skip
    assert measuring.measure([(two_programs[0], two_programs[1])], lambda _state: None, lambda: False)
    (pair,) = pairs(emitted)
    for side in (both[name] for both in pair["rounds"] for name in ("a", "b")):
        assert side["rows"][0]["affinity"] == side["cpus"]
    # Of the last round both knew how long the other loads.
    last = pair["rounds"][-1]
    assert last["overlap"] >= 0.8
    assert last["a"]["start_s"] > last["b"]["start_s"]
    assert pair["log_ratio"] == pytest.approx(math.log(0.5), abs=0.01)


INTERRUPTED = """
import sys, threading
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.registry import parse_test
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.duet import Duets
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.host import Host
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.settings import Settings
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.machine import Core
import signal
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
cell = {"model": "m", "quantization": "Q4_0", "build": "b", "threads": 0, **parse_test("tg8")}
job = Job(cell, sys.argv[1], "m.gguf", {"id": "b"}, {"id": "m", "name": "m"})
cpus = [int(cpu) for cpu in sys.argv[2:]]
host = Host(cores=lambda: [Core(0, (cpu,)) for cpu in cpus])
Duets(Settings(6, 30, 1, 1, 60.0), {"id": "x", "cpu_count": 2}, print, host, lambda _job: None, ()).measure(
    [(job, job)], lambda _state: None, lambda: False)
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a duet needs two processors")
def test_a_runner_that_is_ended_leaves_no_program_behind(tmp_path) -> None:
    program = tmp_path / "llama-bench"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/$$.pid\nexec sleep 60\n")
    program.chmod(0o755)
    cpus = sorted(os.sched_getaffinity(0))[:2]
    runner = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path), *map(str, cpus)],
        env={**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    until = time.monotonic() + 20
    while len(list(tmp_path.glob("*.pid"))) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(20) == 3
    for path in tmp_path.glob("*.pid"):
        until = time.monotonic() + 5
        while os.path.exists(f"/proc/{path.stem}") and time.monotonic() < until:
            time.sleep(0.02)
        assert not os.path.exists(f"/proc/{path.stem}")
