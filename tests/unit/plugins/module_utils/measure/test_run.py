# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measuring loop: blocks, when a cell has enough, ladder, time limit, canary, and a run that is taken up again.

The host is a mock: its launches give the figures that a test wants. Real ones are launched by the molecule scenarios.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed, Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import run as measuring
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.run import Host, measure
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.settings import Settings
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import gates
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.machine import Core
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Usage

MACHINE = {
    "id": "m" * 12, "name": "local-test", "cpu_model": "test", "cpu_count": 4, "physical_cores": 4,
    "memory_bytes": 16 << 30,
}  # fmt: skip
UNITS = {
    "pp_tps": "token/s", "tg_tps": "token/s", "tpot_s": "s", "batched_tg_tps": "token/s", "load_warm_s": "s",
    "greedy_first_difference": "1",
}  # fmt: skip


def job(test: str = "pp32", threads: int = 2, build: str = "default", **more) -> Job:
    cell = {"model": "tiny-synthetic", "quantization": "Q4_0", "build": build, "threads": threads}
    model = {"id": "f" * 12, "name": "tiny-synthetic", "bytes": 10**7}
    return Job({**cell, **registry.parse_test(test), **more}, "bin", "m.gguf", {"id": "b" * 12, "name": build}, model)


class Machine:
    """A host on which a launch takes `wall` seconds on paper and gives what `speed` says of its cell and number."""

    def __init__(self, speed: Callable[[dict, int], float] = lambda _cell, _number: 100.0, wall: float = 2.0) -> None:
        self.speed = speed
        self.wall = wall
        self.calls: list[dict] = []
        self.seeds: list[int] = []
        self.disturbed: set[int] = set()
        self.broken: set[str] = set()
        self.asked: list[int] = []
        self.looks: list[int] = []
        self.environments: list[dict] = []

    def launch(self, one: Job, settings: LaunchSettings, started: Callable[[int], None]) -> Outcome:
        self.calls.append(one.cell)
        self.seeds.append(settings.seed)
        self.environments.append(settings.environment)
        if one.cell["test"] in self.broken:
            raise LaunchFailed(envelope.failure("measure", "it broke", "Mend it.", one.cell))
        name = registry.headline(one.cell)
        number = sum(cell == one.cell for cell in self.calls)
        metrics = {
            name: {"value": self.speed(one.cell, number), "unit": UNITS[name]},
            "wall_s": {"value": self.wall, "unit": "s"},
        }
        faults = 1000 if len(self.calls) in self.disturbed else 0
        usage = Usage(self.wall, self.wall, 0.0, 1 << 20, 0, faults, 0, 0)
        return Outcome(["x"], metrics, [], {}, usage, {})

    def bandwidth(self, _job: Job, threads: int, _machine: dict, environment: dict, looks: int) -> dict:
        self.asked.append(threads)
        self.looks.append(looks)
        self.environments.append(environment)
        rate = {"best": 10.0, "median": 9.0, "samples": [9.0, 10.0]}
        return {"machine": "m" * 12, "threads": threads, "read_gb_s": rate, "triad_gb_s": rate, "bytes": 1, "argv": []}

    @property
    def host(self) -> Host:
        return Host(self.launch, self.bandwidth, lambda: gates.Snapshot(None, None, None, None, None), self.clock)

    def clock(self) -> float:
        """Time is what launches take."""
        return self.wall * len(self.calls)


@pytest.fixture(autouse=True)
def everything_is_there(monkeypatch):
    monkeypatch.setattr(measuring, "_obstacle", lambda *_given: None)


def go(jobs: list[Job], machine: Machine | None = None, **given):
    machine = machine or Machine()
    options = {"launches": 3, "launches_most": 3, "repetitions": 2, "seed": 1, "time_limit": 60.0}
    loop = {name: given.pop(name) for name in ("abandoned", "earlier", "duets") if name in given}
    emitted, states = [], []

    def emit(kind: str, payload: dict, started: float) -> None:
        assert started
        emitted.append({"kind": kind, "payload": payload})

    ended = measure(jobs, Settings(**{**options, **given}), MACHINE, emit, states.append, host=machine.host, **loop)
    return emitted, states, ended


def payloads(emitted: list[dict], kind: str = "launch") -> list[dict]:
    return [one["payload"] for one in emitted if one["kind"] == kind]


def test_every_cell_is_launched_in_every_block_and_no_process_twice():
    jobs = [job(threads=threads, test=test) for threads in (1, 2) for test in ("pp32", "tg8")]
    machine = Machine()
    emitted, states, ended = go(jobs, machine)
    launches = payloads(emitted)
    assert ended
    assert len(machine.calls) == len(launches) == 12
    for block in (1, 2, 3):
        in_block = [one for one in launches if one["block"] == block]
        assert sorted(one["position"] for one in in_block) == [1, 2, 3, 4]
        assert {json.dumps(one["cell"]) for one in in_block} == {json.dumps(one.cell) for one in jobs}
        assert {one["number"] for one in in_block} == {block}
    assert [state["done"] for state in states] == list(range(13))
    assert states[0]["left_s"] is None
    assert states[6]["left_s"] == pytest.approx(6 * 2.0)
    assert states[-1]["finished"]
    orders = {json.dumps(machine.calls[first : first + 4]) for first in (0, 4, 8)}
    assert len(orders) > 1


def test_what_says_the_same_each_time_is_launched_once_however_many_launches_are_asked_for():
    machine = Machine()
    emitted, states, ended = go([job("greedy64"), job("tg8")], machine, launches=3, launches_most=6)
    assert ended
    assert [one["cell"]["test"] for one in payloads(emitted)].count("greedy64") == 1
    assert len(payloads(emitted)) == states[0]["of"] == 4


def test_a_launch_has_its_place_its_key_and_its_samples_beside_it():
    emitted, _states, _ended = go([job()], launches=1, launches_most=1)
    (launch,), (samples,) = payloads(emitted), payloads(emitted, "samples")
    assert (launch["number"], launch["block"], launch["position"]) == (1, 1, 1)
    assert (launch["build"], launch["model"], launch["machine"]) == ("b" * 12, "f" * 12, "m" * 12)
    assert len(launch["key"]) == 12
    assert launch["validity"] == {"state": "VALID", "reasons": []}
    assert (samples["cell"], samples["number"], samples["block"]) == (launch["cell"], 1, 1)
    assert len(samples["time_s"]) >= 2


def test_a_cell_that_fails_is_recorded_once_and_the_others_go_on():
    machine = Machine()
    machine.broken = {"pp32"}
    emitted, states, _ended = go([job(test="pp32"), job(test="tg8")], machine)
    (failure,) = payloads(emitted, "failure")
    assert failure["cell"]["test"] == "pp32"
    assert len(payloads(emitted)) == 3
    assert states[-1]["failed"] == [failure["cell"]]
    assert states[-1]["of"] == states[-1]["done"] == 3


def test_without_its_controller_it_begins_no_further_launch():
    gone = iter([False, True]).__next__
    emitted, states, ended = go([job()], launches=6, launches_most=6, abandoned=gone)
    assert len(payloads(emitted)) == 1
    assert not ended
    assert not states[-1]["finished"]


def test_launches_go_on_until_the_interval_is_narrow():
    # 2 % apart to and fro: it takes 18 launches until the interval is within 1 %.
    emitted, _states, _ended = go(
        [job()], Machine(lambda _cell, number: 100.0 + 2 * (number % 2)), launches=6, launches_most=30
    )
    assert 6 < len(payloads(emitted)) < 30
    steady, _states, _ended = go([job()], launches=6, launches_most=30)
    assert len(payloads(steady)) == 6


def test_a_cell_that_never_becomes_narrow_is_given_up():
    emitted, _states, _ended = go(
        [job(), job("tg8")],
        Machine(lambda cell, number: 100.0 if cell["n_gen"] else 100.0 * (1 + number % 2)),
        launches=6,
        launches_most=10,
    )
    counts = [sum(one["cell"]["test"] == test for one in payloads(emitted)) for test in ("pp32", "tg8")]
    assert counts == [10, 6]


def test_a_server_is_held_to_five_per_cent():
    # 8 % apart to and fro is never within 1 %, and within 5 % at once.
    def speed(_cell, number):
        return 100.0 + 8 * (number % 2)

    emitted, _states, _ended = go([job("pp8"), job("load")], Machine(speed), launches=6, launches_most=12)
    counts = [sum(one["cell"]["test"] == test for one in payloads(emitted)) for test in ("pp8", "load")]
    assert counts == [12, 6]


def test_disturbed_launches_are_kept_and_made_up_for():
    machine = Machine()
    machine.disturbed = {2, 3}
    emitted, _states, _ended = go([job()], machine, launches=6, launches_most=30)
    states = [one["validity"]["state"] for one in payloads(emitted)]
    assert states == ["VALID", "INVALID", "INVALID", "VALID", "VALID", "VALID", "VALID", "VALID"]
    machine = Machine()
    machine.disturbed = set(range(100))
    emitted, _states, _ended = go([job()], machine, launches=6, launches_most=8)
    assert len(payloads(emitted)) == 8


def by_threads(best: int) -> Callable[[dict, int], float]:
    """Return speeds that grow up to `best` threads and fall behind it."""
    return lambda cell, _number: 10.0 * min(cell["threads"], best) / max(1, cell["threads"] - best)


def test_threads_that_are_left_open_are_those_the_ladder_finds_best():
    machine = Machine(lambda cell, number: by_threads(4 if cell["n_prompt"] else 2)(cell, number))
    jobs = [job(test, threads=0) for test in ("pp32", "tg8", "serve8+8@c1", "load")]
    emitted, states, _ended = go(jobs, machine)
    (advice,) = payloads(emitted, "threads")
    assert (advice["prompt"]["best"], advice["generation"]["best"]) == (4, 2)
    assert [rung["threads"] for rung in advice["prompt"]["ladder"]] == [1, 2, 4]
    assert {rung["n"] for rung in advice["prompt"]["ladder"]} == {3}
    ladder = [one for one in payloads(emitted) if one["cell"].get("purpose") == "ladder"]
    assert len(ladder) == 2 * 3 * 3
    measured = {one["cell"]["test"]: one["cell"] for one in payloads(emitted) if "purpose" not in one["cell"]}
    assert {test: cell["threads"] for test, cell in measured.items()} == {
        "pp32": 4, "tg8": 2, "serve8+8@c1": 2, "load": 2,
    }  # fmt: skip
    # A server processes prompts as well.
    assert measured["serve8+8@c1"]["threads_batch"] == 4
    assert "threads_batch" not in measured["tg8"]
    assert states[0]["stage"] == "choosing threads"
    assert states[-2]["stage"] == "measuring"
    # Each rung, then start, middle and end.
    assert machine.asked == [1, 2, 4, 4, 4, 4]
    assert machine.looks == [1, 1, 1, 3, 3, 3]
    assert [one["stage"] for one in payloads(emitted, "bandwidth")] == ["ladder"] * 3 + ["start", "middle", "end"]


def test_a_time_limit_names_what_it_has_no_room_for_before_the_first_launch():
    jobs = [job("pp32", threads=0), job("tg8", threads=0), job("pp4096", threads=0), job("tg4", threads=0)]
    emitted, _states, _ended = go(jobs, launches=6, launches_most=6, budget=150.0)
    kinds = [one["kind"] for one in emitted if "ladder" not in json.dumps(one["payload"].get("cell", ""))]
    (omitted,) = payloads(emitted, "omitted")
    assert omitted["cell"]["test"] == "pp4096"
    assert kinds.index("omitted") < kinds.index("launch")
    assert {one["cell"]["test"] for one in payloads(emitted) if "purpose" not in one["cell"]} == {"pp32", "tg8", "tg4"}


def test_no_launch_begins_that_would_end_after_the_time_limit():
    # Three launches of each test of the one rung take 30 s, which leaves room for 5 more.
    emitted, _states, ended = go([job(threads=2)], Machine(wall=5.0), launches=6, launches_most=6, budget=60.0)
    assert ended
    assert len([one for one in payloads(emitted) if "purpose" not in one["cell"]]) == 5


def measured_tests(emitted: list[dict]) -> list[str]:
    return [one["cell"]["test"] for one in payloads(emitted) if "purpose" not in one["cell"]]


def test_the_ladder_leaves_half_of_the_time_to_what_was_asked_for():
    """Whole, the ladder would take all of the 90 s."""
    jobs = [job("pp32", threads=0), job("tg8", threads=0)]
    emitted, _states, _ended = go(jobs, Machine(wall=5.0), launches=6, launches_most=6, budget=90.0)
    ladder = [one for one in payloads(emitted) if one["cell"].get("purpose") == "ladder"]
    assert len(ladder) == 9
    (advice,) = payloads(emitted, "threads")
    rungs = [rung for part in ("prompt", "generation") for rung in advice[part]["ladder"]]
    assert sorted(rung["n"] for rung in rungs) == [1, 1, 1, 2, 2, 2]
    # What was asked for first is measured, and the other is said to be left out.
    assert measured_tests(emitted) == ["pp32"] * 6
    assert [one["cell"]["test"] for one in payloads(emitted, "omitted")] == ["tg8"]


def test_a_ladder_without_time_for_each_rung_chooses_the_physical_cores():
    jobs = [job("pp32", threads=0), job("tg8", threads=0)]
    emitted, _states, _ended = go(jobs, Machine(by_threads(1), wall=12.0), launches=6, launches_most=6, budget=60.0)
    (advice,) = payloads(emitted, "threads")
    cut = [part for part in (advice["prompt"], advice["generation"]) if part and "had no time" in part["reason"]]
    assert cut
    assert all(part["best"] == 4 for part in cut)


def test_a_limit_too_short_for_all_launches_of_anything_still_measures_the_first():
    jobs = [job(test, threads=0) for test in ("pp32", "tg8", "tg4")]
    emitted, states, ended = go(jobs, Machine(wall=5.0), launches=20, launches_most=20, budget=60.0)
    assert ended
    assert set(measured_tests(emitted)) == {"pp32"}
    assert [one["cell"]["test"] for one in payloads(emitted, "omitted")] == ["tg8", "tg4"]
    assert states[-1]["out_of_time"] == 2


def test_where_launches_take_longer_than_expected_what_was_asked_for_last_goes_first():
    machine = Machine(wall=1.0)
    slow = machine.launch

    def launch(one: Job, settings: LaunchSettings, started: Callable[[int], None]) -> Outcome:
        if one.cell.get("purpose") != "ladder":
            machine.wall = 10.0
        return slow(one, settings, started)

    machine.launch = launch  # type: ignore[method-assign]
    machine.clock = lambda: sum(1.0 if cell.get("purpose") else 10.0 for cell in machine.calls)  # type: ignore[method-assign]
    jobs = [job(test, threads=0) for test in ("pp32", "tg8", "tg4")]
    emitted, _states, _ended = go(jobs, machine, launches=6, launches_most=6, budget=120.0)
    counts = [measured_tests(emitted).count(test) for test in ("pp32", "tg8", "tg4")]
    assert counts[0] == 6
    assert counts == sorted(counts, reverse=True)


def test_what_no_time_was_left_for_is_on_record_even_where_nobody_knew_what_it_takes():
    """With one test of the ladder broken there is nothing to estimate from."""
    machine = Machine(wall=31.0)
    machine.broken = {"tg32"}
    emitted, _states, _ended = go([job(), job("tg8")], machine, launches=6, launches_most=6, budget=60.0)
    left = {one["cell"]["test"]: one["cause"] for one in payloads(emitted, "omitted")}
    told = {*measured_tests(emitted), *left}
    assert told == {"pp32", "tg8"}
    assert all("1 min was over before its first launch" in cause for cause in left.values())


def taken_up(emitted: list[dict], *, without: int) -> list[dict]:
    """Return the records of a run that was interrupted before its last launches."""
    numbers = [index for index, one in enumerate(emitted) if one["kind"] == "launch"]
    return emitted[: numbers[-without]]


@pytest.mark.parametrize("without", [1, 2, 5, 11])
def test_an_interrupted_run_goes_on_where_it_stopped(without):
    jobs = [job(threads=threads, test=test) for threads in (1, 2) for test in ("pp32", "tg8")]
    whole, _states, _ended = go(jobs)
    earlier = taken_up(whole, without=without)
    machine = Machine()
    rest, states, ended = go(jobs, machine, earlier=earlier)
    assert ended
    assert len(machine.calls) == without
    assert states[0]["done"] == 12 - without

    def places(records: list[dict]) -> list[tuple]:
        return [(json.dumps(one["cell"]), one["number"], one["block"]) for one in payloads(records)]

    # Nothing twice, nothing missing, and in the order in which it would have come.
    assert places(earlier) + places(rest) == places(whole)


def test_a_run_that_is_taken_up_keeps_its_threads():
    jobs = [job("pp32", threads=0), job("tg8", threads=0)]
    whole, _states, _ended = go(jobs, Machine(by_threads(2)))
    machine = Machine(by_threads(4))
    rest, _states, _ended = go(jobs, machine, earlier=taken_up(whole, without=1))
    assert [cell["threads"] for cell in machine.calls] == [2]
    assert payloads(rest, "threads") == []
    # In the middle of the ladder it climbs on.
    ladder = [one for one in whole if one["payload"].get("cell", {}).get("purpose") == "ladder"]
    machine = Machine(by_threads(2))
    go(jobs, machine, earlier=[*ladder[:10]])
    climbed = [cell for cell in machine.calls if cell.get("purpose") == "ladder"]
    assert len(climbed) == 18 - sum(one["kind"] == "launch" for one in ladder[:10])


def test_a_run_that_is_complete_launches_nothing_more():
    whole, _states, _ended = go([job()])
    machine = Machine()
    go([job()], machine, earlier=whole)
    assert machine.calls == []


def test_another_build_or_model_of_the_same_name_is_measured_anew():
    whole, _states, _ended = go([job()])
    machine = Machine()
    go([job()._replace(build={"id": "c" * 12, "name": "default"})], machine, earlier=whole)
    assert len(machine.calls) == 3


def test_what_cannot_be_measured_is_refused_before_anything_is_launched(monkeypatch):
    def obstacle(one: Job, *_given):
        return ("it is too large", "Take less.") if one.cell["test"] == "pp32" else None

    monkeypatch.setattr(measuring, "_obstacle", obstacle)
    emitted, _states, ended = go([job("pp32"), job("tg8")])
    assert emitted[0]["kind"] == "failure"
    assert emitted[0]["payload"]["cause"] == "it is too large"
    assert len(payloads(emitted)) == 3
    only, states, ended = go([job("pp32")])
    assert [one["kind"] for one in only] == ["failure"]
    assert states[-1]["finished"]
    assert ended


def test_each_launch_of_a_server_has_prompts_of_its_own():
    machine = Machine()
    go([job("serve8+8@c1")], machine)
    assert len(set(machine.seeds)) == 3


def test_what_is_set_for_the_programs_reaches_all_of_them_and_is_on_record():
    machine = Machine()
    emitted, _states, _ended = go([job(threads=0)], machine, environment={"OMP_PROC_BIND": "close"})
    assert machine.asked
    assert all(environment == {"OMP_PROC_BIND": "close"} for environment in machine.environments)
    launches = payloads(emitted)
    assert all(launch["environment"] == {"OMP_PROC_BIND": "close"} for launch in launches)
    plain = payloads(go([job(threads=0)], Machine())[0])
    assert not any("environment" in launch for launch in plain)
    assert not {launch["key"] for launch in plain} & {launch["key"] for launch in launches}


class Pair(Machine):
    """A host whose launches print rows, as those in a duet have to."""

    def launch(self, one: Job, settings: LaunchSettings, started: Callable[[int], None]) -> Outcome:
        row = {"samples_ns": [int(1e9 * self.wall)], "samples_ts": [100.0]}
        return super().launch(one, settings, started)._replace(rows=[row])

    @property
    def host(self) -> Host:
        cores = [Core(0, (number,)) for number in range(4)]
        return super().host._replace(clock=lambda: 0.0, cores=lambda: cores, sleep=lambda _seconds: None)


def test_duets_come_before_the_launches_and_none_of_them_is_one():
    machine = Pair(wall=5.0)
    emitted, states, ended = go([job("tg8")], machine, duets=[(job("tg8"), job("tg8", build="lto"))])
    assert ended
    kinds = [one["kind"] for one in emitted if one["kind"] in ("duet", "launch")]
    assert kinds == ["duet"] * 6 + ["launch"] * 3
    assert {pair["a"]["cell"]["threads"] for pair in payloads(emitted, "duet")} == {2}
    assert [one["number"] for one in payloads(emitted)] == [1, 2, 3]
    assert states[-1]["done"] == 3
    # An interrupted run has them behind it.
    again, _states, _ended = go([job("tg8")], Pair(wall=5.0), duets=[(job("tg8"), job("tg8", build="lto"))],
                                earlier=[one for one in emitted if one["kind"] == "duet"])  # fmt: skip
    assert [one["kind"] for one in again if one["kind"] in ("duet", "launch")] == ["launch"] * 3


def test_a_run_that_nobody_listens_to_ends_within_its_duets():
    emitted, states, ended = go(
        [job("tg8")], Pair(wall=5.0), duets=[(job("tg8"), job("tg8"))], abandoned=iter([False, True]).__next__
    )
    assert not ended
    assert [one["kind"] for one in emitted if one["kind"] in ("duet", "launch")] == ["duet"]
    assert not states[-1].get("finished")
