# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search: it finds the best, learns refusals once, keeps its limits, and goes on where it was ended.

The host is a mock whose speeds are a function of the configuration, with noise. Real launches: benchmarks/tuner.py.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import random
from collections.abc import Callable

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry, variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.cell import tune_purpose
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed, Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import run as measuring
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import space as spaces
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import tune as tuning
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.host import Host
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.settings import Settings
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.tune import MARGIN_PERCENT, Asked, tune
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import gates
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Usage
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import verdict

MACHINE = {
    "id": "m" * 12, "name": "local-test", "cpu_count": 8, "physical_cores": 8, "memory_bytes": 16 << 30,
    "transparent_hugepages": "madvise",
}  # fmt: skip
BUILDS = ("default", "ik", "generic")
MIB = 1 << 20
UNITS = {"pp_tps": "token/s", "tg_tps": "token/s"}


def job(objective: str = "prompts", test: str = "pp512", build: str = "default") -> Job:
    cell = {"model": "tiny-synthetic", "quantization": "Q4_0", "build": build, "threads": 0}
    model = {"id": "f" * 12, "name": "tiny-synthetic", "bytes": 10**7}
    cell = {**cell, **registry.parse_test(test), "purpose": tune_purpose(objective)}
    return Job(cell, "bin", "m.gguf", {"id": build.ljust(12, "-"), "name": build}, model)


def speed(cell: dict) -> float:
    """Token/s without noise: the best has no single way to it, because fa=off pays with larger batches only."""
    settings = variant.settings_of(cell.get("variant", ""))
    threads = {1: 0.16, 2: 0.31, 4: 0.97, 8: 0.88}[cell["threads"]]
    value = 100 * threads * {"default": 1.0, "ik": 1.3, "generic": 0.5}[cell["build"]]
    ubatch = int(settings.get("ubatch", 512))
    if settings.get("fa") == "off":
        value *= {128: 1.12, 256: 1.08, 512: 0.97}[ubatch]
    else:
        value *= {128: 0.9, 256: 0.96, 512: 1.0}[ubatch]
    value *= 0.6 if settings.get("repack") == "off" else 1.0
    value *= 0.93 if settings.get("ctk") == "q8_0" else 1.0
    if settings.get("thp") == "on":
        value *= 1.06 if settings.get("load") == "none" else 1.01
    return value * (0.99 if settings.get("load") == "none" else 1.0)


def peak(cell: dict) -> int:
    settings = variant.settings_of(cell.get("variant", ""))
    mapped = 0 if settings.get("load") == "none" else 700
    copy = 700 if settings.get("repack") != "off" or not mapped else 0
    return (mapped + copy + (30 if settings.get("ctk") == "q8_0" else 60)) * MIB


class Machine:
    """A host that gives speed() with noise; a launch takes as long as its speed is low."""

    def __init__(self, seed: int = 1, noise: float = 0.015, row: bool = True) -> None:
        self.noise = noise
        self.seed = seed
        self.row = row
        self.calls: list[dict] = []
        self.time = 0.0
        self.refuses: Callable[[dict], bool] = lambda _cell: False
        # Dies, as the process does, before what this launch gave is on record.
        self.dies_at = -1

    def launch(self, one: Job, settings: LaunchSettings, _started: Callable[[int], None]) -> Outcome:
        if len(self.calls) == self.dies_at:
            raise KeyboardInterrupt
        self.calls.append(one.cell)
        number = sum(cell == one.cell for cell in self.calls) + settings.seed
        if self.refuses(one.cell):
            raise LaunchFailed(envelope.failure("measure", "it broke", "Mend it.", one.cell))
        source = random.Random(f"{self.seed}/{json.dumps(one.cell, sort_keys=True)}/{number}")
        value = speed(one.cell) * math.exp(source.gauss(0, self.noise))
        wall = 1 + 100 / value
        self.time += wall
        name = registry.headline(one.cell)
        metrics = {
            name: {"value": value, "unit": UNITS[name]},
            "wall_s": {"value": wall, "unit": "s"},
            "rss_peak_bytes": {"value": peak(one.cell), "unit": "B"},
        }
        rows = [{"flash_attn": -1, "n_ubatch": 512, "type_k": "f16", "repack": 1, "samples_ns": []}] if self.row else []
        return Outcome(["bin/llama-bench"], metrics, rows, {}, Usage(wall, wall, 0.0, 1 << 20, 0, 0, 0, 0), {})

    @property
    def host(self) -> Host:
        return Host(self.launch, lambda *_: None, lambda: gates.Snapshot(*[None] * 5), lambda: self.time)


class NoSampler:
    """Nothing is there to be sampled, and the thread that samples takes longer than a launch on paper."""

    def __init__(self, **_given) -> None:
        self.watch = lambda _pid: None

    def __enter__(self) -> NoSampler:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def series(self) -> dict:
        return {"rss_bytes": [], "anon_bytes": [], "file_bytes": []}

    def threads_ran(self, *_when: float) -> None:
        return None


@pytest.fixture(autouse=True)
def everything_is_there(monkeypatch):
    monkeypatch.setattr(measuring, "_obstacle", lambda *_given: None)
    monkeypatch.setattr(measuring, "Sampler", NoSampler)


def go(machine: Machine, jobs: list[Job] | None = None, asked: Asked | None = None, **given) -> list[dict]:
    """Search, and return the records."""
    emitted: list[dict] = list(given.pop("earlier", []))

    def emit(kind: str, payload: dict, started: float) -> None:
        assert started
        emitted.append(json.loads(json.dumps({"kind": kind, "payload": payload})))

    loop = {name: given.pop(name) for name in ("abandoned",) if name in given}
    options = {"launches": 6, "launches_most": 30, "repetitions": 1, "seed": machine.seed, "time_limit": 60.0}
    settings = Settings(**{**options, **given})
    jobs = jobs or [job(build=build) for build in BUILDS]
    try:
        tune(jobs, asked or Asked({}), settings, MACHINE, emit, lambda _state: None, earlier=list(emitted),
             host=machine.host, **loop)  # fmt: skip
    except KeyboardInterrupt:
        pass
    return emitted


def payloads(records: list[dict], kind: str) -> list[dict]:
    return [one["payload"] for one in records if one["kind"] == kind]


def every_configuration() -> list[dict]:
    """Cells of all that can be set, each once: fa=on and ubatch=512 are what it is anyway."""
    base = job().cell
    space = spaces.space_of(base, BUILDS, MACHINE, (), {})
    space.update(fa=[None, "off"], ubatch=[None, "128", "256"])
    cells = []
    for values in itertools.product(*space.values()):
        with contextlib.suppress(variant.VariantError):
            cells.append(spaces.cell_of(dict(zip(space, values, strict=True)), base))
    return cells


def test_the_margin_is_that_of_verdicts():
    assert MARGIN_PERCENT == verdict.MARGIN_PERCENT


@pytest.mark.parametrize("seed", range(20))
def test_it_finds_the_best_whatever_the_noise_was(seed):
    machine = Machine(seed)
    (found,) = payloads(go(machine), "tuned")
    grid = every_configuration()
    assert len(grid) >= 200
    assert speed(found["cell"]) >= 0.98 * max(map(speed, grid))
    # Six launches of each are what a figure takes.
    assert found["launches"] == len(machine.calls) <= 0.2 * 6 * len(grid)
    assert found["ended"] == "verdicts"
    true = speed(found["cell"]) / speed(found["default"])
    assert found["ratio"]["mean"] == pytest.approx(true, rel=0.04)
    assert found["ratio"]["n"] >= 6


def test_a_machine_on_which_nothing_is_better_keeps_the_defaults():
    (found,) = payloads(go(Machine(), [job()], Asked({"fa": [], "thp": [], "threads": [4], "ubatch": [128]})), "tuned")
    assert found["cell"] == found["default"]
    assert "ratio" not in found
    assert found["figure"] == found["default_figure"]
    assert found["figure"]["n"] >= 6


def test_what_was_tried_and_what_became_of_it_is_told():
    (found,) = payloads(go(Machine()), "tuned")
    fates = {(one["step"], one.get("variant", one["build"])): one["fate"] for one in found["tried"]}
    assert fates["build", "ik"] == "taken"
    assert fates["build", "generic"] == "dropped"
    slow = next(one for one in found["tried"] if one["build"] == "generic")
    assert slow["ratio"]["mean"] == pytest.approx(0.5, rel=0.1)
    # Only together are they better.
    assert fates["fa and ubatch", "fa=off+ubatch=128"] == "taken"
    assert "fa=off+ubatch=128" in found["cell"]["variant"]
    impossible = [one for one in found["tried"] if "kv=" in one.get("variant", "")]
    assert {one["fate"] for one in impossible} == {"refused"}
    assert all("fa=off" in one["variant"] and "quantized V cache" in one["why"] for one in impossible)
    assert not any("fa=on" in one.get("variant", "") for one in found["tried"])


def test_a_setting_that_is_refused_is_learned_from_once():
    machine = Machine()
    machine.refuses = lambda cell: "thp=on" in cell.get("variant", "")
    records = go(machine)
    (failure,) = payloads(records, "failure")
    assert failure["cell"]["variant"] == "thp=on"
    assert sum(machine.refuses(cell) for cell in machine.calls) == 1
    (found,) = payloads(records, "tuned")
    (entry,) = [one for one in found["tried"] if one["fate"] == "refused" and "thp" in one["variant"]]
    assert entry["why"] == "it broke"
    assert "thp" not in found["cell"]["variant"]


def test_what_is_refused_together_is_still_tried_apart():
    machine = Machine()
    machine.refuses = lambda cell: {"fa=off", "ubatch=128"} <= set(cell.get("variant", "").split("+"))
    (found,) = payloads(go(machine), "tuned")
    assert sum(map(machine.refuses, machine.calls)) == 1
    assert "fa=off+ubatch=256" in found["cell"]["variant"]


def test_what_can_be_known_before_a_launch_is_not_launched(monkeypatch):
    def obstacle(one: Job, *_given) -> tuple[str, str] | None:
        return ("it lacks --numa", "Leave it out.") if one.cell["build"] == "ik" else None

    monkeypatch.setattr(measuring, "_obstacle", obstacle)
    machine = Machine()
    records = go(machine)
    assert len(payloads(records, "failure")) == 1
    assert {cell["build"] for cell in machine.calls} == {"default", "generic"}


def test_defaults_that_cannot_be_launched_end_the_search_with_their_cause():
    machine = Machine()
    machine.refuses = lambda _cell: True
    records = go(machine)
    (found,) = payloads(records, "tuned")
    assert found["cell"] is None
    assert found["why"] == "it broke"
    assert len(machine.calls) == 1


def test_a_memory_limit_is_kept_and_the_best_within_it_found():
    limit = 0.65 * peak(job().cell)
    jobs = [job("memory", "tg128", build) for build in BUILDS]
    (found,) = payloads(go(Machine(), jobs, Asked({}, (), int(limit))), "tuned")
    assert peak(found["cell"]) <= limit < peak(found["default"])
    within = [cell for cell in every_configuration() if peak(cell) <= limit and "ubatch" not in cell.get("variant", "")]
    assert speed(found["cell"]) >= 0.98 * max(map(speed, within))
    assert found["metrics"]["rss_peak_bytes"] == peak(found["cell"])
    assert found["limit_bytes"] == int(limit)
    large = [one for one in found["tried"] if one["fate"] == "too large"]
    assert large
    assert all(one["rss_peak_bytes"] > limit for one in large)


def test_a_memory_limit_that_nothing_keeps_is_said():
    (found,) = payloads(go(Machine(), [job("memory", "tg128")], Asked({}, (), 100 * MIB)), "tuned")
    assert found["cell"] is None
    assert found["why"] == "no configuration that was tried needs so little: the least was 0.71 GiB"


@pytest.mark.parametrize("budget", [60, 150, 250])
def test_a_time_limit_is_kept_and_leaves_room_for_the_last_blocks(budget):
    machine = Machine()
    (found,) = payloads(go(machine, budget=float(budget)), "tuned")
    assert machine.time <= 1.25 * budget
    assert found["ended"] == "time"
    assert found["figure"]["n"] >= 2
    assert speed(found["cell"]) >= 0.98 * speed(found["default"])


def test_objectives_share_the_time():
    machine = Machine()
    jobs = [job(objective, test) for objective, test in (("prompts", "pp512"), ("generation", "tg128"))]
    found = payloads(go(machine, jobs, budget=300.0), "tuned")
    assert [one["objective"] for one in found] == ["prompts", "generation"]
    spent = [one["seconds"] for one in found]
    assert spent[0] <= 1.25 * 150
    assert sum(spent) <= 1.1 * 300


def test_killed_at_any_launch_the_same_command_goes_on_and_repeats_none():
    asked = Asked({"repack": [], "kv": [], "load": [], "threads": [4, 8]})
    jobs = [job(build=build) for build in BUILDS[:2]]
    machine = Machine()
    whole = go(machine, jobs, asked)
    for dies_at in range(0, len(machine.calls), 3):
        broken = Machine()
        broken.dies_at = dies_at
        begun = go(broken, jobs, asked)
        assert not payloads(begun, "tuned")
        broken.dies_at = -1
        again = go(broken, jobs, asked, earlier=begun)
        assert broken.calls == machine.calls
        assert [one["cell"] for one in payloads(again, "tuned")] == [payloads(whole, "tuned")[0]["cell"]]
        launched = [(one["block"], one["position"]) for one in payloads(again, "launch")]
        assert len(launched) == len(set(launched))


def test_killed_after_a_refusal_it_is_not_tried_again():
    machine = Machine()
    machine.refuses = lambda cell: cell["build"] == "ik"
    machine.dies_at = 10
    begun = go(machine)
    machine.dies_at = -1
    records = go(machine, earlier=begun)
    assert len(payloads(records, "failure")) == 1
    assert sum(map(machine.refuses, machine.calls)) == 1


def test_an_objective_that_has_its_record_is_not_searched_again():
    machine = Machine()
    jobs = [job(objective, test) for objective, test in (("prompts", "pp512"), ("generation", "tg128"))]
    records = go(machine, jobs)
    launched = len(machine.calls)
    assert go(machine, jobs, earlier=records) == records
    assert len(machine.calls) == launched


def test_without_its_controller_it_begins_no_further_launch():
    machine = Machine()
    records = go(machine, abandoned=lambda: len(machine.calls) >= 7)
    assert len(machine.calls) == 7
    assert not payloads(records, "tuned")


def test_disturbed_launches_are_counted():
    (found,) = payloads(go(Machine()), "tuned")
    assert found["disturbed"] == 0


def served(goodput: float, output_tps: float = 20.0) -> dict:
    metrics = {"request_rate": 2.0, "goodput_rate": goodput, "output_tps": output_tps}
    cell = {**registry.parse_test("serve128+64@c4"), "threads": 2}
    return {"cell": cell, "metrics": {name: {"value": value} for name, value in metrics.items()}}


def test_a_server_is_judged_by_what_meets_the_latency_targets_and_then_by_all():
    assert tuning.score(served(2.0)) == 20.0
    assert tuning.score(served(1.0)) == 10.0
    assert tuning.score(served(0.0, 40.0)) > tuning.score(served(0.0, 20.0)) > 0
    # Who meets a twentieth of them is better than who is twice as fast and meets none.
    assert tuning.score(served(0.1)) > tuning.score(served(0.0, 40.0))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"flash": ["on"]}, "'flash' is no factor of a search: the factors are threads, threads_batch, fa, ubatch"),
        ({"build": ["ik"]}, "'build' is no factor"),
        ({"threads": [0]}, "threads of a search are whole numbers from 1 to 9999, not 0"),
        ({"kv": ["q3"]}, "it is one of f32, f16"),
        ({"fa": ["maybe"]}, "it is one of on, off, auto"),
    ],
)
def test_a_space_that_cannot_be_meant_is_refused(asked, message):
    with pytest.raises(spaces.SpaceError, match=message):
        spaces.checked_space(asked)


def test_without_thread_counts_there_is_a_thread_on_each_core():
    space = spaces.space_of(job().cell, ["default"], MACHINE, (), spaces.checked_space({"threads": []}))
    cores = MACHINE.get("physical_cores") or MACHINE["cpu_count"]
    assert spaces.start(space, cores)["threads"] == cores
    assert spaces.cell_of(spaces.start(space, cores), job().cell)["threads"] == cores


def test_the_space_is_what_the_machine_has():
    base = job().cell
    small = spaces.space_of(base, ["default"], {"cpu_count": 2}, (), {})
    assert small["threads"] == [1, 2]
    assert "numa" not in small
    assert "thp" not in small
    assert small["ubatch"] == [None, "128", "256", "512"]
    large = spaces.space_of(base, ["default"], {**MACHINE, "numa_nodes": 2, "cpu_count": 96}, (), {})
    assert large["numa"] == [None, "distribute", "isolate"]
    # Generation computes one token at a time.
    assert "ubatch" not in spaces.space_of(job(test="tg128").cell, ["default"], MACHINE, (), {})
    served = spaces.space_of(job(test="serve128+64@c4").cell, ["default"], MACHINE, (), {})
    assert served["threads_batch"] == served["threads"]
    asked = spaces.space_of(
        base, ["default"], MACHINE, (3,), spaces.checked_space({"kv": [], "poll": 100, "fa": [False]})
    )
    assert (asked["threads"], asked["poll"], asked["fa"]) == ([3], [None, "100"], [None, "off"])
    assert "kv" not in asked
