# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Python that has loaded boto3: three quarters of what a module of AWS costs the controller is loading it.

An interpreter is a small program that hands its standard streams, environment, directory and arguments to a server,
which forks and runs in the fork what a Python would have run. The modules, and all of Ansible, come from the task as
ever; what has the same source is compiled once. A fork ends when its interpreter does, in whatever way, and no request
to AWS, no session and no credentials are shared. An interpreter that finds no server is an ordinary Python.

The server ends when the program that began it does: a GRACE_S later, for a job in the background that is just starting,
and when the last fork has ended. On Linux.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import hashlib
import json
import marshal
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
import zipimport
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

# What provisioning and teardown ask by modules; any other service is loaded when it is asked for.
SERVICES = ("ec2", "iam", "scheduler", "sts")
GRACE_S = 2.0
# How long an interpreter may take to say what it is to run.
TOLD_S = 2.0
STARTED = b"s"
# So many bytes of a program's first line are read by a Linux that has pidfd_open.
FIRST_LINE = 255

# With neither site-packages nor the environment's settings it starts in a hundredth of a second. Before the fork says
# that it has started nothing has run, and it runs here; afterwards never again. Whoever became somebody else runs it as
# that.
CLIENT = """#!{python} -SE
import array, json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
try:
    if os.stat({socket!r}).st_uid != os.geteuid():
        raise PermissionError
    server.connect({socket!r})
    umask = os.umask(0)
    os.umask(umask)
    told = {{"argv": sys.argv, "cwd": os.getcwd(), "environment": dict(os.environ), "umask": umask}}
    told = json.dumps(told).encode()
    streams = array.array("i", [0, 1, 2])
    server.sendmsg([len(told).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    server.sendall(told)
    started = server.recv(1)
except OSError:
    started = b""
if not started:
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
code = server.recv(1)
os._exit(code[0] if code else 1)
"""


def supported() -> bool:
    """Whether this machine can have one: processes that can be waited for as files can."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


def begin(program: int) -> str:
    """Begin a server that ends with the process `program`; return the path of its interpreter.

    Raises OSError where there can be none. It is not waited for: an interpreter waits until all is loaded.
    """
    ended = os.pidfd_open(program)
    try:
        return serve_until(ended, [__file__])
    finally:
        os.close(ended)


def serve_until(ended: int, command: list[str], environment: dict[str, str] | None = None) -> str:
    """The same until the file `ended` can be read; `command` is the server's program with its first arguments.

    `environment` is that of the server, by default this process's; each fork has that of its interpreter. Nothing that
    names an account is in it, so that a profile that is wrong is told by the module which wants it.
    """
    given = os.environ if environment is None else environment
    clean = {name: value for name, value in given.items() if not name.startswith("AWS_")}
    # Nobody else can look into it.
    directory = Path(tempfile.mkdtemp(prefix="warm-python-"))
    try:
        client = directory / "python3"
        address = directory / "socket"
        text = CLIENT.format(python=sys.executable, socket=str(address))
        client.write_text(text, encoding="utf-8")
        client.chmod(0o700)
        _check(client, text.splitlines()[0])
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(address))
            server.listen(64)
            process = subprocess.Popen(
                [sys.executable, *command, str(directory), str(server.fileno()), str(ended)],
                env={**clean, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull},
                pass_fds=(server.fileno(), ended), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            # It outlives this process, which would warn of that.
            process.returncode = 0
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return str(client)


def _check(client: Path, first_line: str) -> None:
    """Raise OSError where the interpreter could not be run as one."""
    if not os.access(client, os.X_OK):
        raise PermissionError(f"no program may be run in {client.parent}")
    if len(first_line.encode()) > FIRST_LINE or any(map(str.isspace, f"{client}{sys.executable}")):
        raise OSError(f"{client} and {sys.executable} are too long, or hold a space, for the first line of a program")


def share_models(services: Iterable[str]) -> None:
    """Load the models of these services, and have them found again by every session of botocore that is made."""
    import boto3
    import botocore.loaders
    import botocore.session

    made_by_botocore = botocore.loaders.create_loader
    shared = made_by_botocore()

    def create_loader(search_path_string: str | None = None) -> Any:
        return made_by_botocore(search_path_string) if search_path_string else shared

    # Under the name that sessions of botocore know it by, and under that of client.py.
    botocore.session.create_loader = botocore.loaders.create_loader = create_loader
    for service in services:
        boto3.session.Session("x", "x", region_name="us-east-1").client(service)


def keep_compiled(directory: Path) -> None:
    """Take from `directory` what was compiled from the same source before, by whichever fork."""
    compiled_by_python = getattr(zipimport, "_compile_source", None)
    if compiled_by_python is None:
        # An inner function of Python; without it each fork compiles for itself.
        return

    def compiled(pathname: str, source: bytes) -> types.CodeType:
        return kept(directory, source, lambda: compiled_by_python(pathname, source))

    zipimport._compile_source = compiled  # type: ignore[attr-defined]


def kept(directory: Path, key: bytes, compile_it: Callable[[], types.CodeType]) -> types.CodeType:
    """Return what `compile_it` gave for this key, now or before."""
    known = directory / hashlib.sha256(key).hexdigest()
    with contextlib.suppress(OSError):
        # Written by this program, for this Python.
        code: types.CodeType = marshal.loads(known.read_bytes())  # noqa: S302 - as the line before says
        return code
    code = compile_it()
    # What cannot be kept is compiled again.
    with contextlib.suppress(OSError):
        part = known.with_suffix(f".{os.getpid()}")
        part.write_bytes(marshal.dumps(code))
        part.rename(known)
    return code


class Fork:
    """What runs for an interpreter. `handle`: the file that tells of its end; `over`: whether it has ended."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid, self.connection = pid, connection
        self.handle = os.pidfd_open(pid)
        self.over = False


class Server:
    """The forks, and who waits for each."""

    def __init__(self, listening: socket.socket, ended: int) -> None:
        self._listening, self._ended = listening, ended
        self._selector = selectors.DefaultSelector()
        self._forks: list[Fork] = []

    def run(self) -> None:
        """Serve until the end."""
        self._selector.register(self._listening, selectors.EVENT_READ, self._accept)
        self._selector.register(self._ended, selectors.EVENT_READ)
        until: float | None = None
        while until is None or self._forks or time.monotonic() < until:
            for key, _events in self._selector.select(None if until is None else 0.1):
                if key.data:
                    key.data()
                else:
                    self._selector.unregister(self._ended)
                    until = time.monotonic() + GRACE_S

    def _accept(self) -> None:
        streams: list[int] = []
        try:
            connection, _address = self._listening.accept()
        except OSError:
            # It has gone again, or there are too many files: whoever waits is an ordinary Python in the end.
            return
        try:
            connection.settimeout(TOLD_S)
            first, ancillary, _flags, _from = connection.recvmsg(8, socket.CMSG_SPACE(3 * array.array("i").itemsize))
            streams = array.array("i", ancillary[0][2]).tolist()
            told = json.loads(receive(connection, int.from_bytes(first, "big")))
            connection.settimeout(None)
            pid = os.fork()
        except (OSError, IndexError, ValueError):
            # It has ended meanwhile, or is no interpreter, or there are too many processes.
            connection.close()
            pid = -1
        if pid == 0:
            code = 1
            try:
                code = self._become(connection, told, streams)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        for stream in streams:
            os.close(stream)
        if pid > 0:
            self._watch(pid, connection)

    def _watch(self, pid: int, connection: socket.socket) -> None:
        try:
            fork = Fork(pid, connection)
        except OSError:
            # Too many files: it is waited for like this.
            _tell(connection, os.waitpid(pid, 0)[1])
            return
        self._forks.append(fork)
        self._selector.register(fork.handle, selectors.EVENT_READ, lambda: self._done(fork))
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._abandoned(fork))

    def _abandoned(self, fork: Fork) -> None:
        """The interpreter has ended before its fork, which has a process group of its own."""
        if not fork.over:
            self._selector.unregister(fork.connection)
            try:
                os.killpg(fork.pid, signal.SIGKILL)
            except ProcessLookupError:
                # It has no group yet; it is not waited for yet either, so that the number is its own.
                os.kill(fork.pid, signal.SIGKILL)

    def _done(self, fork: Fork) -> None:
        fork.over = True
        self._forks.remove(fork)
        self._selector.unregister(fork.handle)
        os.close(fork.handle)
        _pid, status = os.waitpid(fork.pid, 0)
        # Not there any more where it was abandoned.
        with contextlib.suppress(KeyError):
            self._selector.unregister(fork.connection)
        _tell(fork.connection, status)

    def _become(self, connection: socket.socket, told: dict[str, Any], streams: list[int]) -> int:
        """In the fork: run the program as its Python would; return the exit code."""
        os.setsid()
        connection.sendall(STARTED)
        connection.close()
        for target, descriptor in enumerate(streams):
            os.dup2(descriptor, target)
            os.close(descriptor)
        # What belongs to the server alone.
        self._selector.close()
        self._listening.close()
        os.close(self._ended)
        for fork in self._forks:
            os.close(fork.handle)
            fork.connection.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.umask(told["umask"])
        os.chdir(told["cwd"])
        os.environ.clear()
        os.environ.update(told["environment"])
        time.tzset()
        # As Python itself opens them.
        sys.stdin = os.fdopen(0, errors=sys.stdin.errors)
        sys.stdout = os.fdopen(1, "w", errors=sys.stdout.errors)
        sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace")
        sys.argv = told["argv"][1:] or [""]
        return run()


def _tell(connection: socket.socket, status: int) -> None:
    """Tell an interpreter how its program ended, if it still asks."""
    with connection, contextlib.suppress(OSError):
        connection.sendall(bytes([os.waitstatus_to_exitcode(status) & 255]))


def receive(connection: socket.socket, length: int) -> bytes:
    """Return so many bytes. Raises ConnectionError when the other end is closed before."""
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise ConnectionError("the interpreter has ended")
        data += part
    return data


def run() -> int:
    """Run the program that sys.argv names, or standard input has; return the exit code that a Python would give."""
    code: Any = 0
    program = types.ModuleType("__main__")
    sys.modules["__main__"] = program
    try:
        if sys.argv[0]:
            program.__file__ = sys.argv[0]
            text = Path(sys.argv[0]).read_text(encoding="utf-8")
        else:
            text = sys.stdin.read()
        exec(compile(text, sys.argv[0] or "<stdin>", "exec"), vars(program))  # noqa: S102 - what a Python is for
    except SystemExit as error:
        code = error.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    # What a Python does when its program has ended: other threads first.
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    if code is None:
        return 0
    return code & 255 if isinstance(code, int) else 1


def main(load: Callable[[Path], None]) -> None:
    """The server's own program: `load` what its programs will need, then serve."""
    directory, listening, ended = Path(sys.argv[-3]), int(sys.argv[-2]), int(sys.argv[-1])
    # What lies beside this file is not for the programs.
    if sys.path[:1] == [os.path.dirname(os.path.realpath(sys.argv[0]))]:
        sys.path.pop(0)
    compiled = directory / "compiled"
    try:
        compiled.mkdir()
        load(compiled)
        # What was loaded has nothing to do at the end of a fork.
        atexit._clear()
        gc.freeze()
        Server(socket.socket(fileno=listening), ended).run()
    finally:
        # Not in a fork, which ends by itself.
        shutil.rmtree(directory, ignore_errors=True)


def load(compiled: Path) -> None:
    """Load what a module of AWS needs. What cannot be loaded, such as boto3 where there is none, the module tells."""
    keep_compiled(compiled)
    with contextlib.suppress(Exception):
        share_models(SERVICES)


if __name__ == "__main__":
    main(load)
