# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What measured programs get of the host's environment: each kind of them is a real process that prints its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import build
from ansible_collections.cloudbench.llama.plugins.module_utils.models import quantize
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import bandwidth
from ansible_collections.cloudbench.llama.plugins.module_utils.system.environment import (
    EnvironmentRefused,
    assignments,
    checked,
    inherited,
)

# What was seen to reach the programs, and what the next version may read.
STRAY = {
    "LLAMA_ARG_CACHE_TYPE_K": "q8_0", "LLAMA_ARG_THREADS": "1", "LLAMA_API_KEY": "secret", "OMP_THREAD_LIMIT": "1",
    "OMP_DYNAMIC": "true", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0", "GGML_NUMA": "1", "MALLOC_ARENA_MAX": "1",
    "LD_PRELOAD": "libnone.so", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "SOMETHING_NEW": "1",
}  # fmt: skip
SET = {"OMP_PROC_BIND": "close"}
LOADER = "LD_LIBRARY_PATH"
TESTS = ("tg8", "batch8+8@c2", "serve8+8@c1", "load")


@pytest.fixture
def stray(monkeypatch: pytest.MonkeyPatch) -> None:
    # The program of these tests is a Python, which the loader would not start with a library that is not there.
    for name, value in {**STRAY, LOADER: "/nonexistent", "LC_ALL": "C.UTF-8"}.items():
        if name != "LD_PRELOAD":
            monkeypatch.setenv(name, value)


def program(directory: Path, name: str) -> Path:
    """Return a program that writes the names of its environment beside itself and fails."""
    path = directory / name
    path.write_text(
        f"#!{sys.executable} -I\nimport os, pathlib\n"
        f"pathlib.Path({str(directory / 'seen')!r}).write_text('\\n'.join(map('='.join, os.environ.items())))\n"
        "raise SystemExit(1)\n"
    )
    path.chmod(0o755)
    return path


def seen(directory: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (directory / "seen").read_text().splitlines())


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.usefixtures("stray")
def test_every_kind_starts_its_program_in_a_clean_environment(test: str, tmp_path: Path) -> None:
    cell = {"model": "m", "quantization": "Q4_0", "build": "b", "threads": 1, **registry.parse_test(test)}
    kind = registry.kind_of(cell)
    program(tmp_path, kind.program)
    model = tmp_path / "m.gguf"
    model.write_bytes(b"GGUF")
    job = Job(cell, str(tmp_path), str(model), {"id": "b", "name": "b"}, {"id": "m"})
    with pytest.raises(LaunchFailed):
        kind.launch(job, LaunchSettings(time_limit=20, environment=SET))
    environment = seen(tmp_path)
    assert environment["OMP_PROC_BIND"] == "close"
    assert environment.keys() >= {"PATH", "HOME", "LC_ALL"}
    # A server has a key, of its own.
    assert not environment.keys() & {*STRAY, LOADER} - {"LLAMA_API_KEY"}
    assert environment.get("LLAMA_API_KEY") != STRAY["LLAMA_API_KEY"]
    # Every kind stands in the list above, or asks a base before, and is looked at where its launches are.
    others = {name for name, of_name in registry.KINDS.items() if not of_name.timed}
    assert {registry.kind_of(registry.parse_test(name)).name for name in TESTS} == set(registry.KINDS) - others


@pytest.mark.usefixtures("stray")
def test_the_canary_is_measured_in_it_too(tmp_path: Path) -> None:
    program(tmp_path, bandwidth.PROGRAM)
    assert bandwidth.of_build(str(tmp_path), 1, {"id": "m", "emulated": True}, SET) is None
    assert seen(tmp_path)["OMP_PROC_BIND"] == "close"
    assert not seen(tmp_path).keys() & {*STRAY, LOADER}


@pytest.mark.usefixtures("stray")
def test_a_build_and_its_quantizer_are_asked_in_it_but_find_their_libraries(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    path = program(tmp_path / "bin", "llama-bench")
    build.missing_libraries(str(tmp_path), ["llama-bench"])
    assert seen(tmp_path / "bin")[LOADER] == "/nonexistent"
    assert not seen(tmp_path / "bin").keys() & STRAY.keys()
    (tmp_path / "bin" / "seen").unlink()
    with pytest.raises(quantize.ModelFileError):
        quantize.check_binary(str(path), quantize.Quantization("Q4_0", False))
    assert seen(tmp_path / "bin")[LOADER] == "/nonexistent"
    assert not seen(tmp_path / "bin").keys() & STRAY.keys()


def test_what_is_kept_is_a_list() -> None:
    host = {**STRAY, "PATH": "/bin", "HOME": "/h", "TMPDIR": "/t", "LANG": "C", "LC_NUMERIC": "C", "LANGUAGE": "de"}
    assert inherited(host) == {"PATH": "/bin", "HOME": "/h", "TMPDIR": "/t", "LANG": "C", "LC_NUMERIC": "C"}


def test_what_a_person_sets_is_names_and_texts() -> None:
    assert checked({"OMP_PROC_BIND": "close", "MALLOC_ARENA_MAX": 1}, "v") == {
        "MALLOC_ARENA_MAX": "1", "OMP_PROC_BIND": "close",
    }  # fmt: skip
    assert assignments({"B": "2 3", "A": "1"}) == ["A=1", "B=2 3"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "v is a mapping of names to values, not list"),
        ({"": "x"}, "v has '', which is no name of a variable"),
        ({"1A": "x"}, "v has '1A', which is no name"),
        ({"A-B": "x"}, "v has 'A-B', which is no name"),
        ({"A\n": "x"}, "which is no name"),
        ({7: "x"}, "v has 7, which is no name"),
        ({"OMP_DYNAMIC": True}, "v.OMP_DYNAMIC is a text, not a truth value: write it in quotes"),
        ({"A": 1.5}, "v.A is a text, not a number with a point: write it in quotes"),
        ({"A": None}, "v.A is a text, not nothing"),
        ({"A": ["x"]}, "v.A is a text, not a list"),
        ({"A": "x\ny"}, "v.A is one line of at most 4096 characters"),
        ({"A": "x" * 5000}, "v.A is one line of at most 4096 characters"),
    ],
)
def test_what_is_no_variable_is_refused_by_name(given: object, words: str) -> None:
    with pytest.raises(EnvironmentRefused) as refused:
        checked(given, "v")
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        {"LLAMA_API_KEY": "hush"}, {"HF_TOKEN": "hush"}, {"aws_secret_access_key": "hush"}, {"DB_PASSWORD": "hush"},
        {"X_CREDENTIALS": "hush"}, {"HTTPS_PROXY": "https://me:hush@proxy:3128"},
    ],
)  # fmt: skip
def test_a_secret_is_refused_and_not_repeated(given: dict[str, str]) -> None:
    with pytest.raises(EnvironmentRefused, match=f"v.{next(iter(given))} looks like a secret") as refused:
        checked(given, "v")
    assert "hush" not in str(refused.value)
