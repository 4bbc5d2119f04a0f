# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measuring loop, with the recorded output of the real llama-bench in place of the process.

The process itself is measured for real by the molecule scenarios; here it is a mock, so that it can crash, hang and
print nonsense on demand.
"""

from __future__ import annotations

import itertools
import json
import re
import signal
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils import measure as measuring
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import (
    Job,
    MeasureError,
    Settings,
    argv_of,
    jobs_of,
    last_words,
    measure,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.process import Finished, Usage

FIXTURES = Path(__file__).parents[3] / "fixtures" / "llama-bench"
LOG = (FIXTURES / "current.log").read_text(encoding="utf-8")
ROW = json.loads((FIXTURES / "current.jsonl").read_text(encoding="utf-8"))
MACHINE = {"id": "m" * 12, "name": "local-test", "cpu_model": "test"}
USAGE = Usage(2.0, 3.0, 0.1, 100 << 20, 500, 0, 10, 5)


def cell(threads: int = 2, test: str = "pp32", build: str = "default", quantization: str = "Q4_0") -> dict:
    tokens = int(test[2:])
    return {
        "model": "tiny-synthetic", "quantization": quantization, "build": build, "threads": threads, "test": test,
        "n_prompt": tokens if test.startswith("pp") else 0, "n_gen": tokens if test.startswith("tg") else 0,
        "n_depth": 0,
    }  # fmt: skip


def job(**of_cell) -> Job:
    return Job(cell(**of_cell), "/bin/llama-bench", "/models/tiny.gguf", {"id": "b" * 12}, {"id": "f" * 12})


def answer(argv: list[str], **changes) -> Finished:
    """Return what a llama-bench that is asked by `argv` prints, with what a test wants otherwise."""
    given = dict(itertools.pairwise(argv))
    row = dict(ROW, n_prompt=int(given["-p"]), n_gen=int(given["-n"]), n_threads=int(given["-t"]))
    normal = Finished(argv, json.dumps(row), LOG, 0, None, False, False, USAGE)
    return normal._replace(**changes)


def go(jobs: list[Job], run, launches: int = 3, seed: int = 1, **options):
    emitted, states = [], []
    measure(
        jobs,
        Settings(launches, 2, seed, 60),
        MACHINE,
        lambda kind, payload, _started: emitted.append((kind, payload)),
        states.append,
        run=run,
        **options,
    )
    return emitted, states


def test_every_cell_is_launched_in_every_block_and_no_process_twice():
    calls = []

    def run(argv, limit):
        calls.append(argv)
        assert limit == 60
        return answer(argv)

    jobs = [job(threads=threads, test=test) for threads in (1, 2) for test in ("pp32", "tg8")]
    emitted, states = go(jobs, run)
    launches = [payload for kind, payload in emitted if kind == "launch"]
    assert len(calls) == len(launches) == 12
    for block in (1, 2, 3):
        in_block = [one for one in launches if one["block"] == block]
        assert sorted(one["position"] for one in in_block) == [1, 2, 3, 4]
        assert {json.dumps(one["cell"]) for one in in_block} == {json.dumps(one.cell) for one in jobs}
        assert {one["number"] for one in in_block} == {block}
    assert [state["done"] for state in states] == list(range(13))
    assert states[0]["left_s"] is None
    assert states[6]["left_s"] == pytest.approx(6 * 2.0)
    assert states[-1]["finished"]


def test_a_launch_is_recorded_whole():
    emitted, _states = go([job()], lambda argv, _limit: answer(argv), launches=1)
    ((_kind, launch),) = emitted
    assert launch["rows"] == [ROW]
    assert launch["metrics"]["pp_tps"] == {"value": ROW["avg_ts"], "unit": "token/s", "samples": ROW["samples_ts"]}
    assert launch["metrics"]["rss_peak_bytes"]["value"] == 100 << 20
    assert launch["metrics"]["repack_buffer_bytes"]["value"] > 0
    assert launch["kernel"]["repack"] == {"q4_0_8x8": 28}
    assert launch["kernel"]["types"] == {"Q4_0": {"q4_0_8x8": 28}}
    assert launch["kernel"]["path"]["state"] == "unknown"
    assert launch["build"] == "b" * 12
    assert launch["argv"][0] == "/bin/llama-bench"
    assert len(launch["key"]) == 12


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        (dict(exit_code=1, stdout="", stderr="llama_bench: error: failed to load 'x'\nbye"), "failed to load 'x'"),
        (dict(exit_code=None, signal=signal.SIGSEGV), "signal 11 (SIGSEGV)"),
        (dict(exit_code=None, signal=signal.SIGILL), "instruction this processor does not have"),
        (dict(exit_code=None, signal=signal.SIGKILL, out_of_memory=True), "ran out of memory"),
        (dict(exit_code=None, signal=signal.SIGKILL), "signal 9 (SIGKILL)"),
        (dict(exit_code=None, signal=signal.SIGKILL, timed_out=True), "longer than the time limit of 60 s"),
        (dict(stdout=""), "printed nothing"),
        (dict(stdout="all is well\n"), "not JSON"),
        (dict(stdout=json.dumps(dict(ROW, n_threads=7))), "n_threads = 7, where 2 was asked for"),
    ],
)
def test_a_cell_that_fails_is_recorded_once_and_the_others_go_on(changes, cause):
    def run(argv, _limit):
        given = dict(itertools.pairwise(argv))
        return answer(argv, **changes) if given["-n"] == "0" else answer(argv)

    emitted, states = go([job(test="pp32"), job(test="tg8")], run)
    failures = [payload for kind, payload in emitted if kind == "failure"]
    launches = [payload for kind, payload in emitted if kind == "launch"]
    assert len(failures) == 1
    assert cause in failures[0]["cause"]
    assert failures[0]["advice"]
    assert failures[0]["cell"]["test"] == "pp32"
    assert len(launches) == 3
    assert states[-1]["failed"] == [failures[0]["cell"]]
    assert states[-1]["of"] == states[-1]["done"] == 3


def test_what_was_measured_before_a_failure_is_kept():
    calls = []

    def run(argv, _limit):
        calls.append(argv)
        return answer(argv, exit_code=1) if len(calls) == 3 else answer(argv)

    emitted, _states = go([job()], run, launches=6)
    assert [kind for kind, _payload in emitted] == ["launch", "launch", "failure"]


def test_a_program_that_is_not_there_is_a_failure_and_no_traceback():
    emitted, _states = go([Job(cell(), "/nonexistent", "/x", {"id": "b"}, {"id": "m"})], run=_not_there)
    assert emitted[0][0] == "failure"
    assert "could not be started" in emitted[0][1]["cause"]


def _not_there(argv, _limit):
    raise FileNotFoundError(2, "No such file or directory", argv[0])


def test_without_its_controller_it_begins_no_further_launch():
    gone = iter([False, True]).__next__
    emitted, _states = go([job()], lambda argv, _limit: answer(argv), launches=6, abandoned=gone)
    assert len(emitted) == 1


def test_the_command_asks_for_the_cell():
    deep = Job(dict(cell(test="tg8"), n_depth=512), "/b/llama-bench", "/m.gguf", {}, {})
    assert argv_of(deep, 3) == [
        "/b/llama-bench", "-m", "/m.gguf", "-t", "2", "-p", "0", "-n", "8", "-r", "3", "-o", "jsonl", "-v", "-d", "512",
    ]  # fmt: skip
    assert "-d" not in argv_of(job(), 2)


def test_a_record_does_not_tell_whose_home_it_was(monkeypatch):
    monkeypatch.setattr(measuring, "HOME", "/srv/somebody")
    builds = [{"name": "default", "id": "b", "bin": "/srv/somebody/.cache/b/bin"}]
    models = [{"name": "tiny-synthetic", "quantization": "Q4_0", "id": "m", "path": "/srv/somebody-else/m.gguf"}]
    (one,) = jobs_of([cell()], builds, models)
    assert (one.binary, one.model_path) == (".cache/b/bin/llama-bench", "/srv/somebody-else/m.gguf")


def test_cells_meet_their_builds_and_models():
    builds = [{"name": "default", "id": "b", "bin": "/b", "vocab": "/v"}]
    models = [{"name": "tiny-synthetic", "quantization": "Q4_0", "id": "m", "path": "/m.gguf"}]
    (one,) = jobs_of([cell(), cell(quantization="Q8_0"), cell(build="other")], builds, models)
    assert (one.binary, one.model_path) == ("/b/llama-bench", "/m.gguf")
    assert "bin" not in one.build
    assert "path" not in one.model
    with pytest.raises(MeasureError, match="there is no build to measure with"):
        jobs_of([cell()], [], models)


@pytest.mark.parametrize(
    ("quantization", "known", "cause", "advice"),
    [
        ("Q4_0_8_8", ["Q4_0"], r"build default \(0c1e57098\) does not read Q4_0_8_8: .*removed .* b4282", "`legacy`"),
        ("Q1_0", ["Q4_0", "Q4_0_8_8"], "does not know Q1_0, which came later", "newer build"),
        ("Q4_0", ["Q4_0"], None, None),
        ("Q4_0_8_8", None, None, None),
    ],
)
def test_a_file_that_the_build_cannot_read_is_refused_before_it_is_launched(quantization, known, cause, advice):
    wrong = job(quantization=quantization)._replace(
        build={"id": "b", "name": "default", "source": {"commit": "0c1e57098"}, "file_types": known}
    )
    emitted, _states = go([wrong, job()], lambda argv, _limit: answer(argv), launches=1)
    failures = [payload for kind, payload in emitted if kind == "failure"]
    assert len([kind for kind, _payload in emitted if kind == "launch"]) == (1 if cause else 2)
    if cause is None:
        assert failures == []
    else:
        (failure,) = failures
        assert re.search(cause, failure["cause"])
        assert advice in failure["advice"]
        assert failure["cell"] == wrong.cell


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ((FIXTURES / "truncated-model.log").read_text(), "llama_bench: error: failed to load model 'trunc.gguf'"),
        ("one\ntwo\n", "two"),
        ("", "it said nothing"),
    ],
)
def test_the_line_that_says_why(stderr, words):
    assert last_words(stderr) == words
