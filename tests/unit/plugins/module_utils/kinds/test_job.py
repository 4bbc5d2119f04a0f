# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cell meets its build and its model, or is refused with a reason."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import (
    Job,
    JobError,
    explain,
    jobs_of,
    missing,
    program,
    refusal,
    unable,
    where_known,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.system import process
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Finished, Usage, last_words

FIXTURES = Path(__file__).parents[4] / "fixtures" / "llama-bench"
USAGE = Usage(2.0, 3.0, 0.1, 100 << 20, 500, 0, 10, 5)


def cell(build: str = "default", quantization: str = "Q4_0", test: str = "pp32", **more) -> dict:
    return {"model": "tiny-synthetic", "quantization": quantization, "build": build, "threads": 2, "test": test, **more}


def job(**of_cell) -> Job:
    build = {"id": "b" * 12, "name": "default"}
    return Job(cell(**of_cell), "/bin", "/models/tiny.gguf", build, {"id": "f" * 12})


def test_a_record_does_not_tell_whose_home_it_was(monkeypatch):
    monkeypatch.setattr(process, "HOME", "/srv/somebody")
    builds = [{"name": "default", "id": "b", "bin": "/srv/somebody/.cache/b/bin"}]
    models = [{"name": "tiny-synthetic", "quantization": "Q4_0", "id": "m", "path": "/srv/somebody-else/m.gguf"}]
    (one,) = jobs_of([cell()], builds, models)
    assert (program(one, "llama-bench"), one.model_path) == (".cache/b/bin/llama-bench", "/srv/somebody-else/m.gguf")


def test_cells_meet_their_builds_and_models():
    builds = [{"name": "default", "id": "b", "bin": "/b", "vocab": "/v"}]
    models = [{"name": "tiny-synthetic", "quantization": "Q4_0", "id": "m", "path": "/m.gguf"}]
    (one,) = jobs_of([cell(), cell(quantization="Q8_0"), cell(build="other")], builds, models)
    assert (program(one, "llama-bench"), one.model_path) == ("/b/llama-bench", "/m.gguf")
    assert "bin" not in one.build
    assert "path" not in one.model
    with pytest.raises(JobError, match="there is no build to measure with"):
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
    found = refusal(wrong)
    if cause is None:
        assert found is None
    else:
        assert re.search(cause, found[0])
        assert advice in found[1]


def test_a_file_that_the_fork_cannot_read_is_refused_by_what_it_lists():
    ik = {"id": "b", "name": "ik", "source": {"commit": None}, "engine": "ik_llama.cpp", "file_types": ["Q4_0"]}
    cause, advice = refusal(job(quantization="Q1_0")._replace(build=ik))
    assert cause == ("the build ik (commit unknown) is of ik_llama.cpp, whose llama-quantize does not list Q1_0")
    assert advice == "Measure it with a build of llama.cpp, or leave this build out of llama_cpp_builds."
    numbered = {**ik, "source": {"commit": None, "build_number": "11434"}}
    assert "the build ik (b11434) is" in refusal(job(quantization="Q1_0")._replace(build=numbered))[0]
    assert refusal(job(quantization="Q4_0")._replace(build=ik)) is None


@pytest.mark.parametrize(
    ("test", "name"), [("pp32", "llama-bench"), ("load", "llama-server"), ("batch8+8@c2", "llama-batched-bench")]
)
def test_a_program_that_the_build_does_not_have_is_named(tmp_path, test, name):
    one = job(test=test)._replace(directory=str(tmp_path))
    cause, advice = missing(one, name)
    assert cause == f"the build default has no {name}, which the test {test} needs"
    assert "llama_bench_tests" in advice
    Path(tmp_path, name).write_text("#!/bin/sh\n")
    assert missing(one, name)
    Path(tmp_path, name).chmod(0o755)
    assert missing(one, name) is None


LEGACY = {
    "id": "b",
    "name": "legacy",
    "options": {
        "llama-bench": ["-m", "-n", "-o", "-p", "-r", "-t", "-v"],
        "llama-server": ["-c", "-m", "-np", "-t", "-tb"],
    },
}


def test_an_option_that_the_build_lacks_is_named_before_a_launch():
    settings = LaunchSettings()
    deep = job(**registry.parse_test("tg8@d512"))._replace(build=LEGACY)
    cause, advice = unable(deep, "llama-bench", registry.BENCH.argv(deep, settings))
    assert cause.startswith("build legacy has no -d, which the test tg8@d512 needs of llama-bench: it is older than")
    assert "llama_bench_tests" in advice
    plain = job(**registry.parse_test("tg8"))._replace(build=LEGACY)
    assert unable(plain, "llama-bench", registry.BENCH.argv(plain, settings)) is None
    # Of a build that was recorded before anybody asked, nothing is known.
    assert (
        unable(deep._replace(build={"id": "b", "name": "old"}), "llama-bench", registry.BENCH.argv(deep, settings))
        is None
    )


def test_what_only_keeps_a_server_simple_is_left_out_where_it_is_not_known():
    served = job(**registry.parse_test("serve8+4@c2"))
    simple = {"--no-webui", "--cache-ram", "--no-slots", "-fit"}
    assert simple <= set(registry.SERVE.argv(served, LaunchSettings()))
    old = served._replace(build=LEGACY)
    argv = registry.SERVE.argv(old, LaunchSettings())
    assert set(argv) & simple == set()
    assert unable(old, "llama-server", argv) is None
    assert where_known(old, "llama-server", ("-c", "5"), ("-fit", "off")) == ["-c", "5"]


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        (dict(exit_code=1, stderr="llama_bench: error: failed to load 'x'\nbye"), "exit code 1: .*failed to load 'x'"),
        (dict(signal=signal.SIGSEGV), r"llama-server was ended by signal 11 \(SIGSEGV\)"),
        (dict(signal=signal.SIGILL), "instruction this processor does not have"),
        (dict(signal=signal.SIGKILL, out_of_memory=True), "ran out of memory"),
        (dict(signal=signal.SIGKILL), "signal 9"),
        (dict(signal=signal.SIGKILL, timed_out=True), "llama-server ran longer than the time limit of 60 s"),
    ],
)
def test_a_bad_end_is_explained(changes, cause):
    ended = Finished([], "", "", None, None, False, False, USAGE)._replace(**changes)
    told, advice = explain(ended, 60, "llama-server")
    assert re.search(cause, told)
    assert advice.endswith(".")
    assert explain(ended._replace(exit_code=0, signal=None, timed_out=False, out_of_memory=False), 60) is None


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
