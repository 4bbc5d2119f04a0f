# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One launch of llama-bench, with the recorded output of the real one in place of the process.

The process itself is measured for real by the molecule scenarios; here it is a mock, so that it can crash, hang and
print nonsense on demand.
"""

from __future__ import annotations

import itertools
import json
import signal
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.bench import launch as launching
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.bench.launch import argv_of, launch
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job, unable
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import capabilities
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Finished, Usage

FIXTURES = Path(__file__).parents[5] / "fixtures" / "llama-bench"
LOG = (FIXTURES / "current.log").read_text(encoding="utf-8")
ROW = json.loads((FIXTURES / "current.jsonl").read_text(encoding="utf-8"))
IK_OPTIONS = capabilities.parse_help((FIXTURES.parent / "help" / "llama-bench-ik-0.1.5.txt").read_text("utf-8"))
USAGE = Usage(2.0, 3.0, 0.1, 100 << 20, 500, 0, 10, 5)

SETTINGS = LaunchSettings(repetitions=2, time_limit=60)


def job(test: str = "pp32", **more) -> Job:
    cell = {"model": "tiny-synthetic", "quantization": "Q4_0", "build": "default", "threads": 2}
    return Job({**cell, **registry.parse_test(test), **more}, "/b", "/m.gguf", {"id": "b" * 12}, {"id": "f" * 12})


def answer(argv: list[str], **changes) -> Finished:
    """Return what a llama-bench that is asked by `argv` prints, with what a test wants otherwise."""
    given = dict(itertools.pairwise(argv))
    row = dict(ROW, n_prompt=int(given["-p"]), n_gen=int(given["-n"]), n_threads=int(given["-t"]))
    return Finished(argv, json.dumps(row), LOG, 0, None, False, False, USAGE)._replace(**changes)


def test_an_outcome_is_whole():
    outcome = launch(job(), SETTINGS, run=lambda argv, _limit, _started: answer(argv))
    assert outcome.rows == [ROW]
    assert outcome.metrics["pp_tps"] == {"value": ROW["avg_ts"], "unit": "token/s", "samples": ROW["samples_ts"]}
    assert outcome.metrics["rss_peak_bytes"]["value"] == 100 << 20
    assert outcome.metrics["repack_buffer_bytes"]["value"] > 0
    assert outcome.kernel["repack"] == {"q4_0_8x8": 28}
    assert outcome.kernel["types"] == {"Q4_0": {"q4_0_8x8": 28}}
    assert outcome.argv[0] == "/b/llama-bench"
    assert outcome.usage == USAGE


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
def test_a_launch_without_a_figure_says_why(changes, cause):
    with pytest.raises(LaunchFailed) as failed:
        launch(job(), SETTINGS, run=lambda argv, _limit, _started: answer(argv, **changes))
    payload = failed.value.payload
    assert cause in payload["cause"]
    assert payload["advice"]
    assert payload["cell"]["test"] == "pp32"
    assert payload["detail"]["argv"][0] == "/b/llama-bench"


def test_a_program_that_is_not_there_is_a_failure_and_no_traceback():
    with pytest.raises(LaunchFailed, match=r"could not be started: .*/nonexistent/llama-bench"):
        launch(job()._replace(directory="/nonexistent"), SETTINGS)


def test_the_command_asks_for_the_cell():
    assert argv_of(job("tg8@d512"), 3) == [
        "/b/llama-bench", "-m", "/m.gguf", "-t", "2", "-p", "0", "-n", "8", "-r", "3", "-o", "jsonl", "-v", "-d", "512",
    ]  # fmt: skip
    # An older version does not know what it is not asked for.
    assert not {"-d", "--load-mode", "--repack", "--numa"} & set(argv_of(job(), 2))
    assert argv_of(job("tg8,load=none,repack=off", numa="isolate"), 1)[-6:] == [
        "--load-mode", "none", "--repack", "0", "--numa", "isolate",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("test", "words", "lacks"),
    [
        ("pp32", ["-o", "json", "-v", "--run-time-repack", "1"], []),
        ("tg8,repack=off", ["-o", "json", "-v"], []),
        ("tg8,load=none", ["-o", "json", "-v", "--run-time-repack", "1", "-mmp", "0"], []),
        ("tg8,load=none,repack=off", ["-o", "json", "-v", "-mmp", "0"], []),
        ("tg8,load=mmap,repack=off", ["-o", "json", "-v", "-mmp", "1"], []),
        # What is repacked is not mapped, and there is no context that is filled before.
        ("tg8,load=mmap", ["-o", "json", "-v", "--run-time-repack", "1", "--load-mode", "mmap"], ["--load-mode"]),
        ("tg8@d512", ["-o", "json", "-v", "-d", "512", "--run-time-repack", "1"], ["-d"]),
    ],
)
def test_the_fork_is_told_to_repack_and_asked_in_its_own_words(test, words, lacks):
    ik = {"id": "b", "name": "ik", "options": {"llama-bench": IK_OPTIONS}}
    one = job(test)._replace(build=ik)
    argv = argv_of(one, 2)
    assert argv[argv.index("-o") :] == words
    assert capabilities.lacks(ik, "llama-bench", argv) == lacks
    refused = unable(one, "llama-bench", argv)
    assert (refused is not None) is bool(lacks)
    if refused:
        assert refused[0].startswith(f"build ik has no {lacks[0]}, which the test {test} needs of llama-bench: ")


@pytest.mark.parametrize(("load", "mapped"), [("none", "0"), ("mmap", "1")])
def test_a_llama_bench_from_before_load_mode_is_told_whether_to_map_the_file(load, mapped):
    options = capabilities.parse_help((FIXTURES.parent / "help" / "llama-bench-b3826.txt").read_text("utf-8"))
    old = job(f"tg8,load={load}")._replace(build={"id": "b", "name": "old", "options": {"llama-bench": options}})
    argv = argv_of(old, 2)
    assert argv[argv.index("-o") :] == ["-o", "jsonl", "-v", "-mmp", mapped]
    assert unable(old, "llama-bench", argv) is None


def test_the_output_of_the_fork_is_read():
    text = (FIXTURES / "ik.json").read_text(encoding="utf-8")
    log = (FIXTURES / "ik.log").read_text(encoding="utf-8")
    one = job("pp32")._replace(build={"id": "b", "name": "ik", "options": {"llama-bench": IK_OPTIONS}})
    outcome = launch(one, SETTINGS, run=lambda argv, _limit, _started: answer(argv, stdout=text, stderr=log))
    assert outcome.rows[0]["repack"] is True
    assert outcome.metrics["pp_tps"]["value"] == outcome.rows[0]["avg_ts"]
    assert outcome.kernel["repack"] == {"at run time": 28}
    assert outcome.kernel["tensors"] == {"F32": 10, "Q4_0": 28, "Q6_K": 1}
    # In place: the weights are there once.
    assert outcome.metrics["repack_buffer_bytes"]["value"] == 0
    assert outcome.metrics["model_buffer_bytes"]["value"] > 0


def test_a_model_with_a_comma_in_its_path_is_given_by_a_link(tmp_path, monkeypatch):
    """llama-bench takes it for the paths of two models."""
    monkeypatch.setattr(launching, "HOME", str(tmp_path))
    (tmp_path / "models, new").mkdir()
    (tmp_path / "models, new" / "8b,q4.gguf").write_text("the model")
    comma = job()._replace(model_path="models, new/8b,q4.gguf")
    seen = []
    outcome = launch(comma, SETTINGS, run=lambda argv, _limit, _started: seen.append(argv) or answer(argv))
    given = outcome.argv[outcome.argv.index("-m") + 1]
    assert "," not in given
    assert given.endswith("/8b_q4.gguf")
    assert (tmp_path / given).read_text() == "the model"
    # Once more, and for another file of the same name.
    assert launch(comma, SETTINGS, run=lambda argv, _limit, _started: answer(argv)).argv == seen[0]
    assert argv_of(comma._replace(model_path="a,b/8b,q4.gguf"), 2)[2] != given


def test_a_link_that_cannot_be_made_is_a_failure_that_names_the_comma(tmp_path, monkeypatch):
    monkeypatch.setattr(launching, "HOME", str(tmp_path))
    (tmp_path / ".cache").write_text("no directory")
    with pytest.raises(LaunchFailed, match=r"takes the comma in /srv/a,b\.gguf for the end of a path") as failed:
        launch(job()._replace(model_path="/srv/a,b.gguf"), SETTINGS, run=lambda argv, _limit, _started: answer(argv))
    assert failed.value.payload["advice"].startswith("Rename the file")
