# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import run


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_process_is_accounted_for():
    done = run(python("import sys; x = bytearray(80 << 20); print('out'); print('err', file=sys.stderr)"), 30)
    assert (done.exit_code, done.signal, done.timed_out) == (0, None, False)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    assert done.usage.rss_peak_bytes > 80 << 20
    assert done.usage.cpu_user_s > 0
    assert done.usage.wall_s > done.usage.cpu_user_s / 4


def test_the_peak_is_that_of_the_process():
    # By a runner that is small, as on a host: Linux gives a process the peak of whoever forked it at least.
    argv = python("x = bytearray(80 << 20)")
    code = f"from {run.__module__} import run\nprint(run({argv!r}, 30).usage.rss_peak_bytes)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run(python(code), env=environment, capture_output=True, text=True, check=True).stdout
    assert 80 << 20 < int(told) < 200 << 20


def test_what_a_program_does_after_its_last_word_is_told_apart():
    script = "import sys, time; time.sleep(0.2); print('row', flush=True); time.sleep(0.6)"
    ended = run(python(script), 20)
    assert ended.printed_s is not None
    assert 0.15 < ended.printed_s < ended.usage.wall_s - 0.4
    assert run(python("pass"), 20).printed_s is None


def test_exit_code_and_signal_are_told_apart():
    assert run(python("import sys; sys.exit(7)"), 30).exit_code == 7
    died = run(python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), 30)
    assert (died.exit_code, died.signal) == (None, signal.SIGSEGV)


def test_a_process_that_hangs_is_killed_with_its_children():
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    started = time.monotonic()
    done = run(python(code), 0.5)
    assert done.timed_out
    assert done.signal == signal.SIGKILL
    assert not done.out_of_memory
    assert time.monotonic() - started < 10


def test_bytes_that_are_no_text_do_no_harm():
    assert run(python("import sys; sys.stdout.buffer.write(b'a\\xff\\xfeb')"), 30).stdout == "a\ufffd\ufffdb"


def test_a_program_that_is_not_there_is_an_os_error():
    with pytest.raises(OSError, match="No such file"):
        run(["/nonexistent/llama-bench"], 1)


def test_no_process_outlives_a_runner_that_is_killed(tmp_path):
    # The runner prints its child's pid and is then killed without a chance to clean up.
    code = (
        "import sys, threading, os; sys.path[:0] = %r\n"
        "from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import run\n"
        "run(['sh', '-c', 'echo $$ > %s; exec sleep 60'], 60)" % (sys.path, tmp_path / "pid")
    )
    run(["timeout", "--signal=KILL", "1.5", *python(code)], 30)
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][0]
        except OSError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the child of a killed runner still runs")


def memory_group() -> Path:
    """Create a control group for memory and return it; skip with the reason where that cannot be done."""
    for base, limit in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        group = base / f"cloudbench-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        if (group / limit).exists():
            (group / limit).write_text(str(64 << 20))
            return group
        group.rmdir()
    pytest.skip("making a control group that limits memory needs root and the memory controller")


def test_a_process_that_is_killed_for_memory_is_recognised():
    group = memory_group()
    try:
        # The shell joins the group, and what it becomes asks for more than the group may have.
        hungry = "x = bytearray(512 << 20); x[::4096] = b'1' * len(x[::4096])"
        script = f'echo $$ > {group}/cgroup.procs && exec "$0" -c "$1"'
        done = run(["sh", "-c", script, sys.executable, hungry], 30)
    finally:
        group.rmdir()
    assert done.signal == signal.SIGKILL
    assert done.out_of_memory
    assert not done.timed_out
