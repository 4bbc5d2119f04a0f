# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads are counted by what they did: with files in place of /proc, and in a program whose OpenMP gives too few."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.serve.launch import computed
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import run as measuring
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.run import Host, measure
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.settings import Settings
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import gates
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.threads import ThreadCount
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Usage

TICKS = os.sysconf("SC_CLK_TCK")
MACHINE = {"id": "m", "name": "local-test", "cpu_count": 2, "physical_cores": 2}


class Process:
    """Files in the place of those of a process 42, which tell seconds of processor time by thread."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory = root / "42"

    def spent(self, gone: float = 0.0, **threads: float) -> None:
        for name, seconds in {**threads, "": sum(threads.values()) + gone}.items():
            path = self.directory / (f"task/{name[1:]}/stat" if name else "stat")
            path.parent.mkdir(parents=True, exist_ok=True)
            ticks = round(seconds * TICKS)
            path.write_text(f"42 (llama) bench) R 1 1 1 0 -1 0 1 2 3 4 {ticks - ticks // 10} {ticks // 10} 0 0 20\n")


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(tmp_path)


def count(process: Process, asked: int) -> ThreadCount:
    counter = ThreadCount(asked, str(process.root))
    counter.begin(42, 100.0)
    return counter


def test_as_many_as_asked_need_no_further_look(process):
    counter = count(process, 2)
    process.spent(t42=0.9)
    counter.look(101.0)
    assert counter.most == 1
    process.spent(t42=1.8, t43=0.7, t44=0.01)
    counter.look(102.0)
    assert counter.most == 2
    process.spent(t42=2.7, t43=1.6, t44=0.9)
    counter.look(103.0)
    # Whatever is known of the program: two have run.
    assert counter.counted(0.0, 0.0) == 2


def test_fewer_are_believed_only_while_the_program_computed(process):
    counter = count(process, 2)
    for second in range(1, 6):
        process.spent(t42=0.95 * second, t43=0.01 * second)
        counter.look(100.0 + second)
    assert counter.counted(3.0, 5.0) == 1
    # It loaded for all that was seen, or nobody knows.
    assert counter.counted(4.5, 5.4) is None
    assert counter.counted(0.0, 0.0) is None


def test_threads_that_wait_are_none_and_a_busy_machine_makes_no_fewer(process):
    counter = count(process, 4)
    for second in range(1, 4):
        process.spent(t1=0.12 * second, t2=0.10 * second, t3=0.06 * second, t4=0.001 * second)
        counter.look(100.0 + second)
    assert counter.counted(0.0, 4.0) == 3


def test_threads_that_are_started_for_each_step_are_counted_by_their_time(process):
    counter = count(process, 4)
    for second in range(1, 4):
        process.spent(gone=2.7 * second, t42=0.9 * second)
        counter.look(100.0 + second)
    assert counter.counted(0.0, 4.0) == 4


def test_what_did_next_to_nothing_or_is_gone_says_nothing(process):
    counter = count(process, 2)
    counter.look(101.0)
    process.spent(t42=0.02)
    counter.look(102.0)
    (process.directory / "stat").write_text("42 (x) R")
    counter.look(103.0)
    assert counter.most is None
    assert counter.counted(0.0, 9.0) is None


def test_a_second_process_begins_anew(process):
    counter = count(process, 4)
    process.spent(t42=0.9, t43=0.9, t44=0.9)
    counter.look(101.0)
    counter.begin(42, 200.0)
    assert counter.most is None


def test_a_gate_says_how_many_were_asked_and_how_many_ran():
    assert gates.validity({"threads_ran": 1}, 2) == {"state": "INVALID", "reasons": ["2 threads asked, 1 ran"]}
    for ran in (2, 3, None):
        assert gates.validity({"threads_ran": ran}, 2) == {"state": "VALID", "reasons": []}


def test_every_kind_says_when_it_computed():
    usage = Usage(10.0, 9.0, 0.0, 1, 0, 0, 0, 0)

    def of(test: str, rows: list, **detail) -> tuple[float, float]:
        return registry.kind_of(registry.parse_test(test)).computed(Outcome([], {}, rows, {}, usage, detail))

    assert of("tg8", [{"samples_ns": [2_000_000_000, 2_500_000_000]}]) == (5.5, 10.0)
    assert of("batch8+8@c2", [{"pl": 2, "tg": 8, "speed_tg": 4.0}]) == (6.0, 10.0)
    requests = [{"start_s": start, "e2e_s": took} for start, took in ((-2.0, 1.9), (0.0, 1.0), (1.01, 2.0), (4.0, 0.5))]
    assert of("serve8+8@c1", [], requests=requests) == pytest.approx((5.5, 8.51))
    assert computed([{"start_s": 0.0, "e2e_s": None}], 10.0) == (0.0, 0.0)
    assert of("load", []) == (0.0, 0.0)


def test_of_a_server_the_fewer_threads_of_prompt_and_generation_are_missed():
    cell = {"threads": 4, "threads_batch": 2, "test": "serve8+8@c1"}
    assert registry.SERVE.threads(cell) == 2
    assert registry.BENCH.threads({"threads": 4, "test": "tg8"}) == 4
    assert registry.LOAD.threads({"threads": 4, "test": "load"}) == 0


# What llama-bench is to the runner: it computes with OpenMP, and prints a row that repeats what it was asked.
PROGRAM = r"""
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
int main(int argc, char **argv) {
    int threads = 1, prompt = 0, gen = 0;
    for (int i = 1; i + 1 < argc; i++) {
        if (!strcmp(argv[i], "-t")) threads = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "-p")) prompt = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "-n")) gen = atoi(argv[i + 1]);
    }
    double began = now();
    #pragma omp parallel num_threads(threads)
    { volatile double x = 1; while (now() - began < 3.2) x = x * 1.0000001; }
    double ns = (now() - began) * 1e9;
    printf("{\"n_prompt\": %d, \"n_gen\": %d, \"n_threads\": %d, \"avg_ts\": %f, \"samples_ns\": [%.0f], "
           "\"samples_ts\": [%f]}\n", prompt, gen, threads, gen * 1e9 / ns, ns, gen * 1e9 / ns);
    return 0;
}
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("bin")
    (place / "bench.c").write_text(PROGRAM)
    command = ["gcc", "-O1", "-fopenmp", "-o", str(place / "llama-bench"), str(place / "bench.c")]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no compiler with OpenMP: {error}")
    (place / "m.gguf").write_bytes(b"GGUF")
    return place


@pytest.mark.parametrize(("limit", "ran"), [({}, 2), ({"OMP_THREAD_LIMIT": "1"}, 1)])
def test_a_program_that_says_two_and_runs_one_is_found_out(directory, monkeypatch, limit, ran):
    # The host's own limit reaches no program.
    monkeypatch.setenv("OMP_THREAD_LIMIT", "1")
    monkeypatch.setattr(measuring, "_obstacle", lambda *_given: None)
    cell = {"model": "m", "quantization": "Q4_0", "build": "b", "threads": 2, **registry.parse_test("tg8")}
    job = Job(cell, str(directory), str(directory / "m.gguf"), {"id": "b", "name": "b"}, {"id": "m", "name": "m"})
    told = []
    settings = Settings(launches=1, launches_most=1, repetitions=1, seed=1, time_limit=60.0, environment=limit)
    measure(
        [job], settings, MACHINE, lambda kind, payload, _started: told.append((kind, payload)), lambda _state: None,
        host=Host(bandwidth=lambda *_given: None),
    )  # fmt: skip
    launch = json.loads(json.dumps(next(payload for kind, payload in told if kind == "launch")))
    assert launch["rows"][0]["n_threads"] == 2
    assert launch["gates"]["threads_ran"] == ran
    assert ("2 threads asked, 1 ran" in launch["validity"]["reasons"]) == (ran == 1)
