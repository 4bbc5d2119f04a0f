# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on purpose, for real, with the programs that the scenario has built.

Each case runs the whole site.yml and must end with a clear message, a failure record, a page that shows it and an exit
code that is not 0; and what can be measured all the same must have been.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from support import quick_compile

testinfra_hosts = ["ansible://localhost"]

BASE = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])


class Run(NamedTuple):
    """How site.yml ended: exit code, output, records by kind, all pages as one text."""

    code: int
    output: str
    records: dict[str, list[dict]]
    pages: str


@pytest.fixture
def site(tmp_path):
    """Return a function that runs site.yml with variables and gives back a Run."""

    def run(environment: dict[str, str] | None = None, **variables) -> Run:
        results = tmp_path / "results"
        inherited = {name: value for name, value in os.environ.items() if name != "CLOUDBENCH_RUN"}
        asked = {
            "llama_cpp_dir": str(BASE / "llama.cpp"),
            "llama_cpp_cmake_options": quick_compile.options(),
            "llama_model_dir": str(BASE / "models"),
            "llama_model_models": ["tiny-synthetic"],
            "llama_bench_spool": str(tmp_path / "spool"),
            "llama_bench_tests": ["pp8"],
            "llama_bench_threads": [1],
            "llama_bench_launches": 1,
            "llama_bench_repetitions": 1,
            # No ladder and no second copy: what is counted is what was asked for.
            "llama_bench_minutes": 0,
            "llama_bench_twin": False,
            **variables,
        }
        done = subprocess.run(
            ["ansible-playbook", "site.yml", "-e", json.dumps(asked)],
            cwd=PROJECT,
            env={
                **inherited,
                "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
                "CLOUDBENCH_RESULTS_DIR": str(results),
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        records: dict[str, list[dict]] = {"launch": [], "failure": []}
        for path in results.glob("*/records/*.jsonl"):
            for line in path.read_text().splitlines():
                record = json.loads(line)
                records.setdefault(record["kind"], []).append(record["payload"])
        pages = "\n".join(path.read_text() for path in sorted(results.rglob("*.md")))
        return Run(done.returncode, done.stdout, records, pages)

    return run


def expect(run: Run, *causes: str, launches: int) -> None:
    assert run.code != 0, run.output
    assert "Traceback" not in run.output, run.output
    told = [failure["cause"] for failure in run.records["failure"]]
    assert len(told) == len(causes), told
    for cause in causes:
        assert any(cause in one for one in told), (cause, told)
    assert "Failures" in run.pages or "failure" in run.pages.lower()
    assert len(run.records["launch"]) == launches, run.output


def test_names_that_do_not_exist_end_the_run_before_anything_is_done(site):
    run = site(
        llama_model_models=["tiny-synthetic", "llama-3.2-1c"],
        llama_model_quantizations=["Q4_0", "Q4_9"],
        llama_bench_tests=["pp8", "qq8"],
        llama_cpp_builds=["default", "no-repak"],
    )
    assert run.code != 0, run.output
    said = " ".join(run.output.split())
    for words in ("'llama-3.2-1c'", "'Q4_9'", "'qq8' is no test", "did you mean no-repack"):
        assert words in said, words
    assert "Traceback" not in said
    assert (run.records, run.pages) == ({"launch": [], "failure": []}, "")


def test_more_threads_than_processors_stop_nothing_else(site):
    run = site(llama_bench_threads=[1, 9999])
    expect(run, "9999 threads are more than", launches=1)


def test_a_build_that_cannot_be_had_stops_no_other(site, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    run = site(llama_cpp_builds=["default", {"name": "mine", "source_type": "tree", "path": str(empty)}])
    expect(run, "is not a tree of llama.cpp", launches=1)


def test_a_file_of_a_removed_type_in_a_current_build_is_refused_with_the_reason(site):
    wrong = next((BASE / "models").glob("tiny-synthetic-q4-0*.gguf"))
    quantization = {"44": "Q4_0_4_4", "48": "Q4_0_4_8", "88": "Q4_0_8_8"}[wrong.stem[-2:]]
    run = site(
        llama_model_models=[{"name": "wrong", "path": str(wrong)}],
        llama_model_quantizations=[quantization],
        llama_cpp_builds=[{"name": "default", "legacy": True}],
    )
    expect(run, f"does not read {quantization}: llama.cpp removed that file type in b4282", launches=0)


def test_a_launch_that_hangs_is_ended_and_the_others_go_on(site):
    run = site(llama_bench_tests=["pp8", "tg8000"], llama_bench_time_limit=4)
    expect(run, "longer than the time limit of 4 s", launches=1)


def test_a_launch_that_crashes_is_recorded_and_the_others_go_on(site):
    seen = threading.Event()

    def crash():
        while not seen.wait(0.05):
            for directory in Path("/proc").glob("[0-9]*"):
                try:
                    argv = (directory / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if argv[0].endswith(b"/llama-bench") and b"8000" in argv:
                    time.sleep(1)
                    os.kill(int(directory.name), signal.SIGSEGV)
                    seen.set()
                    return

    watcher = threading.Thread(target=crash)
    watcher.start()
    try:
        run = site(llama_bench_tests=["pp8", "tg8000"])
    finally:
        seen.set()
        watcher.join()
    expect(run, "signal 11 (SIGSEGV)", launches=1)


def test_a_source_with_another_digest_is_not_used(site, tmp_path):
    archive = tmp_path / "source.tar.gz"
    archive.write_bytes(b"not what was promised")
    run = site(llama_cpp_source_type="archive", llama_cpp_path=str(archive), llama_cpp_sha256="0" * 64)
    expect(run, "it is not used", launches=0)


def test_without_a_compiler_it_says_what_to_install(site, tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    hidden = {"cmake", "ninja", "c++", "g++", "clang++"}
    for directory in reversed(os.environ["PATH"].split(os.pathsep)):
        for path in Path(directory).glob("*"):
            if path.name not in hidden:
                link = tools / path.name
                link.unlink(missing_ok=True)
                link.symlink_to(path)
    run = site(
        environment={"PATH": str(tools)},
        llama_cpp_dir=str(tmp_path / "elsewhere"),
        llama_cpp_install_toolchain=False,
    )
    expect(run, "No build without C++ compiler, CMake, Ninja", launches=0)
    assert "sudo apt-get install -y g++" in run.output


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_without_room_is_refused_before_anything_is_written(site, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=True)
    try:
        run = site(llama_model_dir=str(disk))
        left = list(disk.iterdir())
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    expect(run, "free", launches=0)
    assert left == []


def test_a_model_that_is_cut_short_is_refused(site, tmp_path):
    whole = (BASE / "models" / "tiny-synthetic-q4.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    run = site(llama_model_models=["tiny-synthetic", {"name": "cut", "path": str(tmp_path / "cut.gguf")}])
    expect(run, "truncated", launches=1)


def test_hosts_of_one_kind_compile_once(tmp_path):
    """Two hosts with caches of their own; by its full name the connection counts as one to another machine."""
    hosts = {
        name: {"llama_cpp_dir": str(tmp_path / name), "ansible_connection": "ansible.builtin.local"}
        for name in ("first", "second")
    }
    variables = {
        "ansible_python_interpreter": sys.executable,
        "llama_cpp_cmake_options": quick_compile.options(),
        "llama_cpp_controller_cache": str(tmp_path / "controller"),
        "llama_model_dir": str(BASE / "models"),
        "llama_model_models": ["tiny-synthetic"],
    }
    sources = Path("~/.cache/cloudbench/controller/sources").expanduser()
    (tmp_path / "controller").mkdir()
    (tmp_path / "controller" / "sources").symlink_to(sources)
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"bench": {"hosts": hosts, "vars": variables}}))
    done = subprocess.run(
        ["ansible-playbook", "playbooks/prepare.yml", "-i", str(inventory)],
        cwd=PROJECT,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "CLOUDBENCH_RESULTS_DIR": str(tmp_path / "results"),
            "CLOUDBENCH_RUN": "share",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "rescued=1" not in done.stdout, done.stdout
    assert len(list((tmp_path / "controller" / "builds").glob("*.tar.gz"))) == 1
    # Only the first has the files of a compilation.
    compiled = sorted(path.parent.parent.name for path in tmp_path.glob("*/build-*/CMakeCache.txt"))
    assert compiled == ["first"], done.stdout
    # No path says which source it is: then ccache has for the next version what is the same in both.
    (commands,) = tmp_path.glob("*/build-*/build.ninja")
    (source,) = tmp_path.glob("first/source-*")
    assert "/source/ggml/src/ggml.c" in commands.read_text()
    assert source.name not in commands.read_text()
    assert (tmp_path / "second").is_dir()
