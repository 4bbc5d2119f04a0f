# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A benchmark that lacks something says so before it measures, and how to get it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import needs
import pytest

ROOT = Path(__file__).resolve().parents[2]
# The others have no main(): scripts import them.
SCRIPTS = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text("utf-8"))

# What each is given, and what it must name; the files are absent, no program is on PATH and no package is installed.
BUILD = ["--bench", "absent/llama-bench", "--model", "absent.gguf"]
LACKING = {
    "duets": (["verdict", "absent/a", "absent/b", "absent.gguf"], ["jinja2", "make setup"]),
    "ec2_provision": ([], ["jinja2", "moto", "make setup"]),
    "fleet": ([], ["ansible-core", "make setup"]),
    "first_page": ([], ["the program git is missing", "sudo apt-get install make"]),
    "append": ([], ["jinja2", "make setup"]),
    "compile_time": ([], ["jinja2", "make setup"]),
    "generate_model": (["--vocabulary", "absent.gguf"], ["there is no file absent.gguf", "make bench"]),
    "import_many": ([], ["ansible-core", "make setup"]),
    "harness_cost": ([], ["ansible-core", "make setup"]),
    "memory_bandwidth": (["--program", "absent/roofline"], ["absent/roofline", "sudo apt-get install likwid"]),
    "prebuilt": ([], ["the program npm is missing", "Node.js 20"]),
    "random_kills": ([], ["ansible-core", "make setup"]),
    "sampler_cost": (BUILD, ["there is no program absent/llama-bench", "absent.gguf", "make bench"]),
    "scale": ([], ["jinja2", "make setup"]),
    "sessions": (["--results", "absent"], ["jinja2", "make setup"]),
    "server_client": (
        ["--guidellm", "absent/guidellm", "--bin", "absent", "--model", "absent.gguf"],
        ["pip install guidellm==", "absent/llama-server", "absent.gguf"],
    ),
    "shared": ([], ["jinja2", "moto", "make setup"]),
    "tuner": ([*BUILD, "--raw", "raw"], ["jinja2", "make setup"]),
    "verdicts": ([*BUILD, "--raw", "raw.jsonl"], ["jinja2", "make setup"]),
}


@pytest.mark.parametrize("name", sorted(LACKING))
def test_a_benchmark_names_what_it_lacks_before_it_measures(name: str, tmp_path: Path) -> None:
    arguments, named = LACKING[name]
    # Without site there are no packages.
    command = [sys.executable, "-S", str(ROOT / "benchmarks" / f"{name}.py"), *arguments]
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == needs.UNMET
    assert done.stdout == ""
    assert all(line.startswith(f"{name}.py: ") for line in done.stderr.splitlines())
    assert [words for words in named if words not in done.stderr] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_benchmark_asks(name: str) -> None:
    tree = ast.parse((ROOT / "benchmarks" / f"{name}.py").read_text("utf-8"))
    asked = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert any(call.startswith("needs.meet(") for call in asked)


def test_nothing_is_said_where_nothing_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.gguf").touch()
    needs.meet(
        needs.program("no-such-program", "sh", remedy="none"),
        needs.version("python3", (3, 8), "none"),
        needs.executable(Path(sys.executable)),
        needs.file(tmp_path / "model.gguf"),
        needs.distributions("pytest", "jinja2"),
        needs.requirements(),
        needs.playbooks(),
        needs.disk(tmp_path / "to" / "come", 0.000001),
    )
    assert capsys.readouterr() == ("", "")


def test_all_that_lacks_is_said_at_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks/scale.py"])
    with pytest.raises(SystemExit) as ended:
        needs.meet(None, "no disk", None, "no Chromium")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "scale.py: no disk\nscale.py: no Chromium\n"


def test_sentences_name_the_thing_and_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tmp_path / "llama-bench"
    plain.touch(mode=0o600)
    said = needs.program("chromium-x", "chrome-x", remedy="sudo apt-get install chromium")
    assert said == "the program chromium-x or chrome-x is missing: sudo apt-get install chromium"
    assert needs.executable(plain) == f"{plain} is no program: it cannot be executed"
    assert "there is no program absent: `make bench` builds it" in str(needs.executable(Path("absent")))
    assert needs.distributions("pytest", "no-such-a", "no-such-b", remedy="make setup") == (
        f"{sys.executable} has no no-such-a, no-such-b: make setup"
    )
    assert f"{tmp_path} has " in str(needs.disk(tmp_path / "to" / "come", 1e9))
    assert " GB free and 1e+09 GB are needed: make room" in str(needs.disk(tmp_path, 1e9))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert needs.root("the emulation") == "the emulation needs root: start this with sudo"


def test_a_program_may_be_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "node"
    program.write_text("#!/bin/sh\necho v18.20.4\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert needs.version("node", (18, 20), "get it") is None
    assert needs.version("node", (20,), "get it") == "node is of version 18.20.4, older than 20: get it"
    assert needs.version("npm", (1,), "get it") == "the program npm is missing: get it"


def test_namespaces_may_be_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "unshare"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "unshare is missing: sudo apt-get install util-linux" in str(needs.namespaces())
    program.write_text("#!/bin/sh\necho 'unshare: Operation not permitted' >&2\nexit 1\n")
    program.chmod(0o755)
    assert "there are no namespaces here (unshare: Operation not permitted): start this" in str(needs.namespaces())
    program.write_text("#!/bin/sh\nexit 0\n")
    assert needs.namespaces() is None
