# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory bandwidth, with what the program prints in its place; molecule/default runs the program itself."""

from __future__ import annotations

import json

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.probe import bandwidth
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.bandwidth import (
    BandwidthError,
    array_bytes,
    measure,
    of_build,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Finished, Usage

MACHINE = {"id": "m" * 12, "caches": {"L1d": 49152, "L3": 32 << 20}, "memory_bytes": 16 << 30}
SIZE = 128 << 20
PRINTED = {
    "threads": 2,
    "bytes": SIZE,
    "read_gb_s": [9.0, 11.0, 10.0],
    "triad_gb_s": [8.0, 8.5, 9.5],
    "fma_gflops": [170.0, 150.0],
}


def run(stdout: str, exit_code: int | None = 0, stderr: str = ""):
    ended = Finished([], stdout, stderr, exit_code, None, False, False, Usage(1, 1, 0, 1, 0, 0, 0, 0))
    return lambda _argv, _environment: ended


def test_best_median_and_all():
    payload = measure("b/x", 2, MACHINE, {}, run=run(json.dumps(PRINTED)))
    assert payload["read_gb_s"] == {"best": 11.0, "median": 10.0, "samples": [9.0, 11.0, 10.0]}
    assert payload["triad_gb_s"]["best"] == 9.5
    assert payload["fma_gflops"] == {"best": 170.0, "median": 160.0, "samples": [170.0, 150.0]}
    assert (payload["threads"], payload["bytes"], payload["machine"]) == (2, SIZE, "m" * 12)
    assert payload["argv"] == ["b/x", "--threads", "2", "--bytes", str(SIZE), "--repetitions", "10"]
    # A build from before huge pages says nothing of them.
    assert (payload["looks_gb_s"], payload["huge_pages"]) == ([10.0], False)


def run_each(printed: list[dict]):
    left = iter(printed)

    def one_after_the_other(argv, environment):
        return run(json.dumps(next(left)))(argv, environment)

    return one_after_the_other


def test_each_look_is_a_process_of_its_own_and_keeps_its_median():
    printed = [dict(PRINTED, read_gb_s=rates, huge_pages=True) for rates in ([9.0, 11.0, 10.0], [20.0], [30.0, 31.0])]
    payload = measure("b/x", 2, MACHINE, {}, 3, run_each(printed))
    assert payload["looks_gb_s"] == [10.0, 20.0, 30.5]
    assert payload["read_gb_s"] == {"best": 31.0, "median": 15.5, "samples": [9.0, 11.0, 10.0, 20.0, 30.0, 31.0]}
    assert payload["huge_pages"] is True
    small_once = run_each([*printed[:2], dict(printed[2], huge_pages=False)])
    assert measure("b/x", 2, MACHINE, {}, 3, small_once)["huge_pages"] is False
    # Nobody's speed is not looked at three times.
    small = json.dumps(dict(PRINTED, bytes=64 << 20))
    assert len(measure("b/x", 2, dict(MACHINE, emulated=True), {}, 3, run(small))["looks_gb_s"]) == 1


@pytest.mark.parametrize(
    ("machine", "size"),
    [
        (MACHINE, 4 * 32 << 20),
        # A cache that many guests share is not to cost minutes.
        (dict(MACHINE, caches={"L3": 1 << 30}, memory_bytes=256 << 30), 512 << 20),
        (dict(MACHINE, caches={"L3": 1 << 30}, memory_bytes=4 << 30), 256 << 20),
        (dict(MACHINE, caches={}), 512 << 20),
        (dict(MACHINE, caches=None, memory_bytes=None), 512 << 20),
        (dict(MACHINE, caches={"L2": 1 << 20}), 64 << 20),
        (dict(MACHINE, emulated=True), 64 << 20),
    ],
)
def test_arrays_are_beyond_the_caches_and_within_the_memory(machine, size):
    assert array_bytes(machine) == size


@pytest.mark.parametrize(
    ("stdout", "exit_code", "words"),
    [
        ("", 0, "no JSON"),
        ("[]", 0, "another question"),
        (json.dumps(dict(PRINTED, threads=1)), 0, "another question than 2 threads"),
        (json.dumps({key: value for key, value in PRINTED.items() if key != "triad_gb_s"}), 0, "no triad_gb_s"),
        (json.dumps(dict(PRINTED, read_gb_s=[0.0])), 0, "its read_gb_s holds 0.0"),
        (json.dumps(dict(PRINTED, read_gb_s=["9"])), 0, "its read_gb_s holds '9'"),
        ("", 1, "ended with 1: error: no memory"),
    ],
)
def test_what_is_no_figure_is_refused(stdout, exit_code, words):
    with pytest.raises(BandwidthError, match=words):
        measure("b/x", 2, MACHINE, {}, run=run(stdout, exit_code, "error: no memory"))


def test_a_build_without_the_program_has_no_bandwidth(tmp_path):
    assert of_build(str(tmp_path), 1, MACHINE, {}) is None
    broken = tmp_path / bandwidth.PROGRAM
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert of_build(str(tmp_path), 1, MACHINE, {}) is None


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        json.dumps(PRINTED).replace("9.0", "NaN", 1),
        json.dumps(PRINTED).replace("9.0", "1e999", 1),
        json.dumps(PRINTED).replace("9.0", "9" * 400, 1),
        json.dumps(PRINTED).replace("9.0", "9" * 5000, 1),
    ],
    ids=["nested", "nan", "infinite", "no float", "no number"],
)
def test_what_no_median_can_be_made_of_is_refused(text):
    with pytest.raises(BandwidthError):
        measure("b/x", 2, MACHINE, {}, 2, run(text))
