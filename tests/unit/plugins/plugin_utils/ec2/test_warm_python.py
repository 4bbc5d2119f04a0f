# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An interpreter of a server that has loaded boto3 is a Python like another, and ends nothing and leaves nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipimport
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.cloudbench.llama.plugins.action.warm_python import ActionModule
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import warm_python

pytestmark = pytest.mark.skipif(not warm_python.supported(), reason="processes cannot be waited for as files here")


class Begun(NamedTuple):
    """A server's interpreter, and what began it in the place of ansible-playbook."""

    interpreter: str
    program: subprocess.Popen[bytes]


@contextlib.contextmanager
def begun() -> Iterator[Begun]:
    with subprocess.Popen([sys.executable, "-SEc", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as program:
        path = warm_python.begin(program.pid)
        try:
            yield Begun(path, program)
        finally:
            program.kill()
    assert within(10, lambda: not Path(path).parent.exists())


@pytest.fixture(scope="module")
def interpreter() -> Iterator[str]:
    with begun() as server:
        yield server.interpreter


@pytest.fixture
def server() -> Iterator[Begun]:
    """One that a test may end."""
    with begun() as made:
        yield made


def start(interpreter: str, text: str) -> subprocess.Popen[str]:
    """A program of standard input, whose output is read."""
    process = subprocess.Popen([interpreter], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.close()
    return process


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def run(interpreter: str, *argv: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([interpreter, *argv], capture_output=True, text=True, check=False, timeout=60, **options)


def test_a_program_has_what_its_python_would_give_it(interpreter: str, tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(
        "import os, sys\n"
        "print(__name__, sys.argv, os.getcwd(), os.environ['WORD'], 'HOME' in os.environ, sys.stdin.read())\n"
        "print('boto3' in sys.modules, any('ansible' in name for name in sys.modules), file=sys.stderr)\n"
        "sys.exit(7)\n"
    )
    done = run(interpreter, file, "a b", "", cwd=tmp_path, env={"WORD": "w"}, input="given")
    assert done.stdout == f"__main__ {[str(file), 'a b', '']} {tmp_path} w False given\n"
    assert done.stderr == "True False\n"
    assert done.returncode == 7


@pytest.mark.parametrize(
    ("text", "code", "errors"),
    [
        ("", 0, ""),
        ("raise SystemExit", 0, ""),
        ("raise SystemExit('why')", 1, "why\n"),
        ("raise SystemExit(300)", 300 & 255, ""),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL & 255, ""),
    ],
)
def test_a_program_of_standard_input_ends_as_in_its_python(interpreter: str, text: str, code: int, errors: str) -> None:
    done = run(interpreter, input=text)
    assert (done.returncode, errors in done.stderr) == (code, True)


def test_programs_run_side_by_side_and_share_nothing(interpreter: str) -> None:
    text = "import boto3, time; assert boto3.DEFAULT_SESSION is None; boto3.DEFAULT_SESSION = 1; time.sleep(1)"
    started = time.monotonic()
    running = [start(interpreter, text) for _number in range(8)]
    assert [process.wait(30) for process in running] == [0] * 8
    # After one another they would take eight.
    assert time.monotonic() - started < 7


def test_a_program_ends_when_its_interpreter_does(interpreter: str) -> None:
    process = start(interpreter, "import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    pid = int(line(process))
    process.kill()
    process.wait()
    assert within(10, lambda: not Path(f"/proc/{pid}").exists())


def test_an_interpreter_that_finds_no_server_is_an_ordinary_python(server: Begun, tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text("import os, sys; print(os.getppid(), sys.argv[1:], 'boto3' in sys.modules)")
    pid = int(run(server.interpreter, file).stdout.split()[0])
    assert pid != os.getpid()
    os.kill(pid, signal.SIGKILL)
    done = run(server.interpreter, file, "x")
    assert (done.stdout, done.returncode) == (f"{os.getpid()} ['x'] False\n", 0)
    # Nobody is left to remove it.
    shutil.rmtree(Path(server.interpreter).parent)


def test_a_program_that_has_started_does_not_run_twice(server: Begun, tmp_path: Path) -> None:
    """Where the server is lost in the middle, it may have launched instances already."""
    times = tmp_path / "times"
    file = tmp_path / "program.py"
    file.write_text(f"import os, time\nopen({str(times)!r}, 'a').write('x')\nos.kill(os.getppid(), 9)\ntime.sleep(1)\n")
    assert run(server.interpreter, file).returncode == 1
    assert times.read_text() == "x"
    shutil.rmtree(Path(server.interpreter).parent)


def test_it_outlives_its_program_for_what_is_running(server: Begun) -> None:
    process = start(server.interpreter, "import time; print('begun', flush=True); time.sleep(4); print('done')")
    assert line(process) == "begun\n"
    server.program.kill()
    assert line(process) == "done\n"
    assert process.wait(10) == 0


def test_without_boto3_the_module_says_so(tmp_path: Path) -> None:
    """What cannot be loaded is left out."""
    (tmp_path / "boto3.py").write_text("raise ImportError('none')")
    ended, end = os.pipe()
    try:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        interpreter = warm_python.serve_until(ended, [warm_python.__file__], environment)
        assert run(interpreter, input="print('here')").stdout == "here\n"
    finally:
        os.close(end)
        os.close(ended)
    assert within(10, lambda: not Path(interpreter).parent.exists())


def test_a_program_ends_as_in_its_python(interpreter: str, tmp_path: Path) -> None:
    """Threads, what is registered for the end, classes of __main__, text that is no text, the umask."""
    file = tmp_path / "program.py"
    file.write_text(
        "import atexit, os, pickle, sys, threading, time\n"
        "class Kept: pass\n"
        "pickle.loads(pickle.dumps(Kept()))\n"
        "atexit.register(print, 'at the end')\n"
        "threading.Timer(0.2, print, ['a thread']).start()\n"
        "open('made', 'w').close()\n"
        "print(sys.modules['__main__'].__file__ == sys.argv[0], oct(os.stat('made').st_mode))\n"
        "print('not text: \\udcff', file=sys.stderr)\n"
    )
    umask = os.umask(0o077)
    try:
        done = run(interpreter, file, cwd=tmp_path)
    finally:
        os.umask(umask)
    assert done.stdout == "True 0o100600\na thread\nat the end\n"
    assert done.stderr == "not text: \\udcff\n"


def test_a_profile_that_is_wrong_is_for_the_module_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nonesuch")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "many")
    with begun() as made:
        done = run(made.interpreter, input="import os, sys; print('boto3' in sys.modules, os.environ['AWS_PROFILE'])")
    assert done.stdout == "True nonesuch\n"


def told(interpreter: str) -> socket.socket:
    """A connection that has told a program which leaves a mark after a second, with streams that nobody reads."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(Path(interpreter).with_name("socket")))
    return connection


def test_a_program_whose_interpreter_ends_at_once_ends_too(interpreter: str, tmp_path: Path) -> None:
    """Also where the fork has not come so far as to have a group of its own."""
    mark = tmp_path / "mark"
    file = tmp_path / "program.py"
    file.write_text(f"import os, time\ntime.sleep(1)\nopen({str(mark)!r} + str(os.getpid()), 'w').close()\n")
    message = json.dumps({"argv": ["", str(file)], "cwd": "/", "environment": {}, "umask": 0o22}).encode()
    for _time in range(20):
        with told(interpreter) as connection, Path(os.devnull).open("r+b", buffering=0) as nothing:
            socket.send_fds(connection, [len(message).to_bytes(8, "big")], [nothing.fileno()] * 3)
            connection.sendall(message)
    time.sleep(2.5)
    assert list(tmp_path.glob("mark*")) == []


def test_whoever_says_nothing_leaves_nothing_in_the_server(interpreter: str) -> None:
    pid = int(run(interpreter, input="import os; print(os.getppid())").stdout)
    before = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    for _time in range(5):
        with told(interpreter) as connection, Path(os.devnull).open("r+b", buffering=0) as nothing:
            socket.send_fds(connection, [(100).to_bytes(8, "big")], [nothing.fileno()] * 3)
    assert run(interpreter, input="").returncode == 0
    # Those of the first program may have been among them still.
    assert within(5, lambda: len(list(Path(f"/proc/{pid}/fd").iterdir())) <= before)


def test_where_no_program_may_be_run_there_is_none(tmp_path: Path) -> None:
    text = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); import warm_python\n"
        "try: warm_python.begin(os.getpid())\n"
        "except OSError as error: print(error, os.listdir(os.environ['TMPDIR']))\n"
    )
    program = ["sh", "-c", 'mount -t tmpfs -o noexec tmpfs "$TMPDIR" && exec "$@"', "sh", sys.executable, "-c", text]
    done = subprocess.run(
        ["unshare", "--mount", *program, str(Path(warm_python.__file__).parent)],
        env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    assert done.stdout.startswith(f"no program may be run in {tmp_path}")
    assert done.stdout.endswith(" []\n")


@pytest.mark.parametrize("name", ["a b", "x" * 250])
def test_where_the_kernel_could_not_find_the_interpreter_there_is_none(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(OSError, match=r"too long|AF_UNIX"):
        warm_python.begin(os.getpid())
    assert list(folder.iterdir()) == []


def test_python_has_what_compiling_once_goes_by() -> None:
    assert callable(vars(zipimport)["_compile_source"])


def test_nobody_else_can_look_into_its_folder(interpreter: str) -> None:
    assert Path(interpreter).parent.stat().st_mode & 0o777 == 0o700


def test_an_interpreter_that_somebody_has_chosen_stays() -> None:
    chosen = {"interpreter": "/usr/bin/python3.99"}
    result = ActionModule.work(object.__new__(ActionModule), chosen, {})
    assert result == {"interpreter": "/usr/bin/python3.99", "why": "it is not the Python of Ansible"}
