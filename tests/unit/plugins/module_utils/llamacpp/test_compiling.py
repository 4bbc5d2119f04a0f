# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ninja prints, and what becomes of Ninja: real processes in a build directory made by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import compiling
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.compile_progress import Progress, cost, step
from ansible_collections.cloudbench.llama.plugins.module_utils.system.watch import Watch

RECORDED = Path(__file__).resolve().parents[4] / "fixtures" / "compile"

REAL_NINJA = shutil.which("ninja")
with_ninja = pytest.mark.skipif(not REAL_NINJA, reason="no ninja on this machine")

# A build of four steps, each of which says who it is and takes as long as it is told.
BUILD = """rule work
  command = {command}
  description = Building $out
build a: work
build b: work a
build c: work b
build d: work c
build all: phony d
"""


def configured(directory: Path, ninja: str, command: str = "touch $out") -> Path:
    """Return a build directory as CMake leaves one."""
    directory.mkdir(exist_ok=True)
    (directory / "CMakeCache.txt").write_text(f"# x\nCMAKE_MAKE_PROGRAM:FILEPATH={ninja}\nOTHER:BOOL=ON\n")
    (directory / "build.ninja").write_text(BUILD.format(command=command))
    return directory


def fake_ninja(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def alive(name: str) -> bool:
    """Whether a process with these words in its command line runs."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if name.encode() in path.read_bytes().replace(b"\0", b" "):
                return True
        except OSError:
            continue
    return False


def wait_for(what: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("[57/138] Building CXX object src/CMakeFiles/llama.dir/llama.cpp.o", (57, 138)),
        ("[138/138] Linking CXX executable bin/llama-bench", (138, 138)),
        ("FAILED: common/CMakeFiles/common.dir/arg.cpp.o", None),
        ("ninja: no work to do.", None),
        ("x [1/2] y", None),
        ("", None),
    ],
)
def test_a_line_of_the_status_is_a_step(line, seen):
    found = step(line)
    assert (found and (found.done, found.of)) == seen


def test_a_recorded_compilation_is_followed_to_its_end():
    """What Ninja 1.11.1 printed of llama.cpp 0c1e57098."""
    lines = (RECORDED / "ninja.txt").read_text("utf-8").splitlines()
    progress = Progress()
    seen = []
    for number, line in enumerate(lines, 1):
        progress.take(line)
        seen.append(progress.state(number * 3.0))
    steps = [state["done"] for state in seen]
    assert steps == sorted(steps)
    assert (seen[-1]["done"], seen[-1]["of"], seen[-1]["left_s"]) == (130, 130, 0.0)
    # Nothing is said of the time while it would be a guess.
    assert [state["left_s"] for state in seen[:3]] == [None] * 3
    assert all(state["left_s"] is not None for state in seen[10:])


def test_the_time_left_counts_what_the_steps_cost():
    kernels, small = "Building C object ggml/CMakeFiles/ggml-cpu.dir/ops.cpp.o", "Linking CXX static library x.a"
    assert cost(kernels) > cost(small)
    planned = [kernels] * 4 + [small] * 6
    progress, plain = Progress(planned), Progress()
    assert (progress.of, plain.of) == (10, 0)
    for number, what in enumerate(planned[:4], 1):
        for taker in (progress, plain):
            taker.take(f"[{number}/10] {what}")
    assert plain.left_s(100) == pytest.approx(150)
    assert progress.left_s(100) == pytest.approx(100 * 6 * cost(small) / (4 * cost(kernels)))


def test_cmake_that_runs_anew_is_no_progress():
    progress = Progress()
    progress.take("[0/1] Re-running CMake...")
    assert progress.state(50) == {"done": 0, "of": 0, "elapsed_s": 50, "left_s": None}


@with_ninja
def test_what_is_compiled_is_counted_and_done_once(tmp_path):
    built = configured(tmp_path / "b", str(REAL_NINJA))
    watch = Watch(str(built / "compile-1"), 60)
    done = compiling.compile_targets(str(built), ["all"], 1, watch)
    assert (done.code, done.steps) == (0, 4)
    assert "[4/4] Building d" in done.stdout
    assert done.wall_s >= 0 < done.cpu_s
    watch.end()
    assert not list(built.glob("compile-*"))
    again = compiling.compile_targets(str(built), ["all"], 1, Watch("", 0))
    assert (again.code, again.steps) == (0, 0)


@with_ninja
def test_a_compiler_that_fails_is_the_result(tmp_path):
    built = configured(tmp_path / "b", str(REAL_NINJA), "echo 'x.cpp:1: error: no such thing' && exit 3")
    done = compiling.compile_targets(str(built), ["all"], 1, Watch("", 0))
    assert done.code == 1
    assert "x.cpp:1: error: no such thing" in done.stdout
    unknown = compiling.compile_targets(str(built), ["llama-nothing"], 1, Watch("", 0))
    assert unknown.code == 1
    assert "unknown target 'llama-nothing'" in unknown.stderr


@with_ninja
def test_how_far_it_is_stands_in_the_file(tmp_path):
    built = configured(
        tmp_path / "b", str(REAL_NINJA), f"while ! test -e {tmp_path}/go; do sleep 0.05; done; touch $out"
    )
    watch = Watch(str(built / "compile-1"), 60)
    thread = threading.Thread(target=compiling.compile_targets, args=(str(built), ["all"], 1, watch))
    thread.start()
    shown = built / "compile-1.progress.json"
    wait_for(shown.exists)
    state = json.loads(shown.read_text())
    assert (state["done"], state["of"], state["left_s"], state["pid"]) == (0, 4, None, os.getpid())
    (tmp_path / "go").touch()
    thread.join(20)
    assert not thread.is_alive()


@with_ninja
def test_without_its_controller_it_ends_and_leaves_no_compiler(tmp_path):
    word = f"sleep 61.{os.getpid()}"
    built = configured(tmp_path / "b", str(REAL_NINJA), f"touch $out && {word}")
    watch = Watch(str(built / "compile-1"), 1.0)
    with pytest.raises(compiling.Abandoned):
        compiling.compile_targets(str(built), ["all"], 1, watch)
    wait_for(lambda: not alive(word))
    # The step that was interrupted is no finished one: Ninja removes what it had written, and makes it again.
    assert not (built / "a").exists()
    configured(built, str(REAL_NINJA))
    assert compiling.compile_targets(str(built), ["all"], 1, Watch("", 0)).steps == 4


@with_ninja
def test_a_module_that_is_killed_takes_its_compiler_along(tmp_path):
    word = f"sleep 62.{os.getpid()}"
    built = configured(tmp_path / "b", str(REAL_NINJA), word)
    code = (
        "from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import compiling as c;"
        "from ansible_collections.cloudbench.llama.plugins.module_utils.system import watch as w;"
        f"c.compile_targets({str(built)!r}, ['all'], 1, w.Watch('', 0))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as runner:
        try:
            wait_for(lambda: alive(word))
        finally:
            runner.kill()
    wait_for(lambda: not alive(word))


@with_ninja
def test_the_second_in_one_directory_waits_for_the_first(tmp_path):
    built = configured(
        tmp_path / "b", str(REAL_NINJA), f"while ! test -e {tmp_path}/go; do sleep 0.05; done; touch $out"
    )
    ended = {}

    def run(name):
        watch = Watch(str(built / f"compile-{name}"), 60)
        ended[name] = compiling.compile_targets(str(built), ["all"], 1, watch)

    first, second = (threading.Thread(target=run, args=(name,)) for name in ("1", "2"))
    first.start()
    wait_for((built / "compile-1.progress.json").exists)
    second.start()
    waiting = built / "compile-2.progress.json"
    wait_for(waiting.exists)
    assert json.loads(waiting.read_text())["waiting"]
    (tmp_path / "go").touch()
    first.join(20)
    second.join(20)
    assert (ended["1"].steps, ended["2"].steps) == (4, 0)


def test_who_waits_for_another_and_is_not_waited_for_goes(tmp_path):
    built = configured(tmp_path / "b", "/bin/true")
    with (
        compiling.build_lock(str(built), Watch("", 0)),
        pytest.raises(compiling.Abandoned),
        compiling.build_lock(str(built), Watch(str(built / "compile-1"), 0.6)),
    ):
        pass


@pytest.mark.parametrize(
    ("cache", "words"),
    [
        (None, r"b is not configured \(.*\); remove it and run again"),
        (
            "CMAKE_C_COMPILER:FILEPATH=/usr/bin/cc\n",
            "names no CMAKE_MAKE_PROGRAM in CMakeCache.txt; remove it and run again",
        ),
        ("CMAKE_MAKE_PROGRAM:FILEPATH=/nonexistent/ninja\n", "/nonexistent/ninja cannot be run"),
    ],
    ids=["no cache", "no Ninja", "Ninja is gone"],
)
def test_a_directory_that_cannot_be_compiled_in_is_named(tmp_path, cache, words):
    (tmp_path / "b").mkdir()
    if cache is not None:
        (tmp_path / "b" / "CMakeCache.txt").write_text(cache)
    with pytest.raises(compiling.CompileError, match=words):
        compiling.compile_targets(str(tmp_path / "b"), ["all"], 1, Watch("", 0))


@with_ninja
@pytest.mark.parametrize(("quick", "steps"), [("ON", 5), ("OFF", 1)])
def test_what_cannot_be_compiled_together_is_compiled_file_by_file(tmp_path, quick, steps):
    """A stand-in for CMake writes the build that needs no file of ours."""
    built = configured(tmp_path / "b", str(REAL_NINJA))
    whole = (built / "build.ninja").read_text()
    (tmp_path / "whole.ninja").write_text(whole)
    (built / "build.ninja").write_text(
        "rule no\n  command = echo redefinition of x; false\nbuild x/__/cloudbench/llama-common-1.cpp.o: no\n"
        "build all: phony x/__/cloudbench/llama-common-1.cpp.o\n"
    )
    cmake = fake_ninja(tmp_path / "cmake", f'echo "$@" > {tmp_path}/asked; cp {tmp_path}/whole.ninja "$2"/build.ninja')
    with (built / "CMakeCache.txt").open("a") as cache:
        cache.write(f"CMAKE_COMMAND:INTERNAL={cmake}\nCLOUDBENCH_QUICK_COMMON:BOOL={quick}\n")
    done = compiling.compile_targets(str(built), ["all"], 1, Watch("", 0))
    assert done.steps == steps
    assert done.code == (0 if quick == "ON" else 1)
    if quick == "ON":
        assert (tmp_path / "asked").read_text().split() == ["-DCLOUDBENCH_QUICK_COMMON=OFF", str(built)]
    else:
        assert "redefinition of x" in done.stdout


@pytest.mark.parametrize(
    ("line", "quick"),
    [
        ("FAILED: common/CMakeFiles/llama-common.dir/__/cloudbench/llama-common-1.cpp.o ", True),
        ("FAILED: [code=1] tools/server/CMakeFiles/x.dir/__/__/cloudbench/server-context-9.cpp.o ", True),
        ("FAILED: bin/llama-bench ", True),
        ("FAILED: src/CMakeFiles/llama.dir/llama-model.cpp.o ", False),
        ("/tmp/cloudbench/x.cpp:1: error: no", False),
    ],
)
def test_a_kernel_that_does_not_compile_is_no_matter_of_files_together(line, quick):
    assert compiling.quick_failed(f"[3/9] Building\n{line}\n/usr/bin/c++ -O3\n") is quick


def test_output_is_taken_whole_however_it_comes(tmp_path):
    """Half a line and half a character wait for their rest."""
    ninja = fake_ninja(
        tmp_path / "ninja",
        'test "$3" = -n && exit 0; printf "[1/2] caf\\303"; sleep 0.7; printf "\\251\\n[2/2] b\\n"',
    )
    built = configured(tmp_path / "b", ninja)
    done = compiling.compile_targets(str(built), ["all"], 1, Watch("", 0))
    assert done.stdout == "[1/2] caf\u00e9\n[2/2] b\n"
    assert done.steps == 2


@pytest.mark.parametrize("line", ["[6/0] x", "[0/0] x", f"[{'9' * 5000}/1] x", "[1/²] x"])
def test_steps_that_ninja_does_not_count_so_leave_no_time(line):
    progress = Progress()
    progress.take(line)
    assert progress.left_s(100.0) in (None, 0.0)
