# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fixed part of make fuzz, the same each time; and that a fault of each kind is found, made small and told.

What each input of the fixed part does follows from a seed, so that a failure here is one of the code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fuzz import run, worker
from fuzz.mutate import Mutator
from fuzz.registry import TARGETS
from fuzz.shrink import shrink
from fuzz.target import EXCEPTION, MEMORY, MEMORY_BYTES, MESSAGE, MOST_BYTES, TIME, Target, clock, examine
from hypothesis import HealthCheck, Phase, given, settings

ROOT = Path(__file__).resolve().parents[2]
INPUTS = 12_000
EXAMPLES = 15

NAMES = [target.name for target in TARGETS]


class BadError(ValueError):
    """What the readers below document."""


# ---- The readers of the collection ----


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of the fixed part, by the name of the target."""
    report = tmp_path_factory.mktemp("fuzz") / "report.json"
    argv = [
        sys.executable,
        "tests/fuzz/run.py",
        "--inputs",
        str(INPUTS),
        "--seed",
        "20",
        "--mutate",
        "--json",
        str(report),
    ]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert report.exists(), done.stdout + done.stderr
    return {row["target"]: {**row, "said": done.stdout} for row in json.loads(report.read_text("utf-8"))["targets"]}


@pytest.mark.parametrize("name", NAMES)
def test_a_fixed_part_of_the_inputs_shows_no_fault(name: str, fixed: dict[str, Any]) -> None:
    assert fixed[name]["findings"] == [], fixed[name]["said"]
    assert fixed[name]["inputs"] >= 20


def test_the_fixed_part_has_as_many_inputs_as_it_says(fixed: dict[str, Any]) -> None:
    assert sum(row["inputs"] for row in fixed.values()) >= INPUTS


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, value in run.quiet(str(tmp_path)).items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.mark.parametrize("target", [target for target in TARGETS if target.strategy], ids=lambda target: target.name)
def test_what_is_well_formed_and_means_odd_things_shows_no_fault(target: Target, place: Path) -> None:
    assert target.strategy is not None

    @settings(
        max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(target.strategy())
    def check(data: bytes) -> None:
        with clock():
            fault = examine(target, data)
        assert fault is None, f"{fault}: {data!r}"

    check()


def test_names_of_targets_are_names_of_files_and_each_is_given_once() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz-") for name in NAMES)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_true_inputs_come_to_the_inside_of_a_reader(target: Target, place: Path) -> None:
    """One of the inputs that all others are made from is taken, so that what is broken in others is reached."""
    taken = 0
    with clock():
        for data in target.corpus():
            try:
                target.call(data)
            except target.errors:
                continue
            taken += 1
    assert taken


# ---- The fuzzer itself ----


def small(call: Any, corpus: list[bytes] | None = None, errors: Any = (BadError,)) -> Target:
    return Target("small", call, errors, lambda: corpus or [b"one line\nanother 12 line\n"])


def faults(target: Target, inputs: int = 300, seed: int = 3) -> list[worker.Finding]:
    return worker.run(target, inputs, seed).findings


def test_an_undocumented_exception_is_found_and_made_small() -> None:
    def call(data: bytes) -> None:
        if b"12" not in data:
            raise KeyError(data[:3])

    finding = faults(small(call))[0]
    assert finding.fault.kind == EXCEPTION
    assert "KeyError" in finding.fault.what
    assert finding.times > 10
    assert worker.least(small(call), finding).least == b""


def test_the_least_input_is_what_the_fault_needs() -> None:
    def call(data: bytes) -> None:
        if b"\x1b[2J" in data or b"NaN" in data:
            raise TypeError

    finding = faults(small(call), 2000)[0]
    assert worker.least(small(call), finding).least in (b"\x1b[2J", b"NaN")


def test_what_is_documented_is_no_fault() -> None:
    def call(data: bytes) -> None:
        raise BadError(f"it has {len(data)} bytes: give another one")

    assert faults(small(call)) == []


def test_a_hang_is_found() -> None:
    def call(data: bytes) -> None:
        while b"another" not in data:
            pass

    with clock():
        fault = examine(small(call), b"", 0.05)
    assert fault is not None
    assert fault.kind == TIME


def test_a_hang_that_swallows_our_signal_is_found_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "STUCK_SECONDS", 1.0)

    def call(data: bytes) -> None:
        import signal
        import time

        signal.signal(signal.SIGPROF, signal.SIG_IGN)
        if b"another" not in data:
            time.sleep(60)

    findings = faults(small(call), 60)
    assert [finding.fault.kind for finding in findings] == [TIME]
    assert b"another" not in findings[0].data


def test_memory_beyond_the_bound_is_found() -> None:
    def call(data: bytes) -> int:
        return len(bytes(2 * MEMORY_BYTES)) if b"another" not in data else 0

    assert {finding.fault.kind for finding in faults(small(call))} == {MEMORY}


def test_a_process_that_dies_is_told_with_its_input_and_the_rest_goes_on() -> None:
    def call(data: bytes) -> None:
        if b"another" not in data:
            os.abort()

    result = worker.run(small(call), 40, 3)
    assert {finding.fault.what for finding in result.findings} == {"the process was ended by signal 6"}
    assert b"another" not in result.findings[0].data


@pytest.mark.parametrize(
    "message", ["x" * 6000, "clear\x1b[2J", "\x9b31m", "left\u202eright", "half \ud800", "bell\x07"], ids=ascii
)
def test_a_message_that_nobody_can_read_is_a_fault(message: str) -> None:
    def call(data: bytes) -> None:
        raise BadError(message)

    with clock():
        fault = examine(small(call), b"")
    assert fault is not None
    assert fault.kind == MESSAGE


def test_an_input_follows_from_seed_target_and_number() -> None:
    target = TARGETS[0]
    mutator = Mutator(target)
    made = [worker.make(target, 5, number, mutator) for number in range(50)]
    assert made == [worker.make(target, 5, number) for number in range(50)]
    assert made != [worker.make(target, 6, number, mutator) for number in range(50)]
    assert len(set(made)) > 40


def test_no_input_is_longer_than_it_may_be() -> None:
    mutator = Mutator(small(lambda data: None, [b"[" + 20_000 * b"12,\n" + b"1]"]))
    assert max(len(mutator.make(Random(number))) for number in range(300)) <= MOST_BYTES


def test_shrinking_keeps_what_fails_and_ends() -> None:
    assert shrink(500 * b"abc" + b"needle" + 500 * b"xyz", lambda data: b"needle" in data) == b"needle"
    assert shrink(b"kept", lambda data: data == b"kept") == b"kept"


# ---- The program ----


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


def broken(data: bytes) -> None:
    if b"12" not in data:
        raise KeyError


def test_the_program_says_what_fails_and_how_to_have_it_again(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = small(broken)
    status = run.main(["--inputs", "200"], [target], output)
    said = capsys.readouterr().out
    assert status == 1
    (kept,) = output.iterdir()
    assert f"--replay {kept}" in said
    assert "small: exception at tests/unit/test_fuzz.py:" in said
    assert run.main(["--replay", str(kept)], [target], output) == 1
    assert "KeyError" in capsys.readouterr().out
    mended = target._replace(call=lambda data: None)
    assert run.main(["--replay", str(kept)], [mended], output) == 0
    assert "no fault" in capsys.readouterr().out


def test_the_program_ends_well_where_nothing_fails(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = small(lambda data: None)
    assert run.main(["--inputs", "100"], [target], output) == 0
    assert not output.exists()
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("seed 1; 0 faults; ")
    header = next(line.split() for line in lines if line.startswith("target"))
    assert header == ["target", "inputs", "seconds", "CPU", "s", "inputs/CPU", "s", "peak", "MiB", "faults"]


def test_a_target_that_is_none_is_refused_with_those_that_there_are(output: Path) -> None:
    with pytest.raises(SystemExit, match="'smal' is no target: the targets are small"):
        run.main(["--only", "smal"], [small(broken)], output)


@pytest.mark.parametrize("inputs", [1, 20, 12_345])
def test_the_inputs_are_shared_out_as_they_were_asked_for(inputs: int) -> None:
    counts = run.shares(TARGETS, inputs)
    assert min(counts) >= 1
    assert sum(counts) == max(inputs, len(TARGETS))
