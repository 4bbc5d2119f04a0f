# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Python that has loaded what its programs load first: most of what a short play or a task costs is loading.

    with WarmPython() as interpreter: ansible-playbook -e ansible_python_interpreter=<interpreter>
    with WarmPython(CONTROLLER) as interpreter: <interpreter> .venv/bin/ansible-playbook

The interpreter is a small program that hands its standard streams, environment, directory and arguments to a server,
which forks, and runs in the fork what a Python would have run. A fork ends when its interpreter does, in whatever way;
who is to be interrupted as by Ctrl-C wants a Python of its own. For modules, boto3 is loaded: they themselves, and all
of Ansible, come from the task as ever, and what has the same source is compiled once. For the controller, Ansible is
loaded too, with the settings of the server's environment, and a module is packed once for all playbooks. For modules
that are run from the checkout, without a task, what Ansible gives to a module is loaded. For tests that run hundreds of
tasks, on Linux.
"""

from __future__ import annotations

import array
import contextlib
import gc
import hashlib
import importlib
import json
import marshal
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import types
import zipimport
from collections.abc import Callable
from pathlib import Path
from typing import Any

# What a Python may be for.
MODULES, CONTROLLER, CHECKOUT = "modules", "controller", "checkout"
# The services whose models are kept; any other is loaded when it is asked for.
SERVICES = {
    MODULES: ("ec2", "iam", "scheduler", "sts"),
    CONTROLLER: ("ec2", "iam", "pricing", "scheduler", "service-quotas", "sts"),
    CHECKOUT: ("ec2", "scheduler"),
}

# With neither site-packages nor the environment's settings it starts in a hundredth of a second.
CLIENT = """#!{python} -SE
import array, json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({socket!r})
told = json.dumps({{"argv": sys.argv, "cwd": os.getcwd(), "environment": dict(os.environ)}}).encode()
streams = array.array("i", [0, 1, 2])
server.sendmsg([len(told).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
server.sendall(told)
code = server.recv(1)
os._exit(code[0] if code else 1)
"""


class WarmPython:
    """The server in a process of its own, as a context manager that gives the path of the interpreter.

    `purpose` is MODULES, CONTROLLER or CHECKOUT; `environment` is that of the server, by default this process's.
    """

    def __init__(self, purpose: str = MODULES, environment: dict[str, str] | None = None) -> None:
        self._purpose, self._environment = purpose, environment

    def __enter__(self) -> str:
        self._directory = tempfile.TemporaryDirectory(prefix="warm-python-")
        path = str(Path(self._directory.name, "socket"))
        command = [sys.executable, __file__, self._purpose, path]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment)
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError("the warm Python did not start; its own message stands above")
        client = Path(self._directory.name, "python3")
        client.write_text(CLIENT.format(python=sys.executable, socket=path), encoding="utf-8")
        client.chmod(0o755)
        return str(client)

    def __exit__(self, *_error: object) -> None:
        self._process.communicate()
        self._directory.cleanup()


def load(purpose: str) -> None:
    """Load what every program of this purpose loads, and have it found again by every session of botocore."""
    import boto3
    import botocore.loaders
    import botocore.session

    shared = botocore.session.create_loader()
    # Under the name that sessions of botocore know it by, and under that of plugin_utils/ec2/client.py.
    for module in (botocore.session, botocore.loaders):
        module.create_loader = lambda search_path_string=None: shared
    for service in SERVICES[purpose]:
        boto3.session.Session("x", "x", region_name="us-east-1").client(service)
    if purpose == CONTROLLER:
        importlib.import_module("ansible.cli.playbook")
        importlib.import_module("ansible.executor.module_common")
    if purpose == CHECKOUT:
        importlib.import_module("ansible.module_utils.basic")
        importlib.import_module("ansible.module_utils.urls")


def keep_compiled(directory: Path) -> None:
    """Take from `directory` what was compiled from the same source before, by whichever fork."""
    compiled_by_python = zipimport._compile_source  # type: ignore[attr-defined]

    def compiled(pathname: str, source: bytes) -> types.CodeType:
        return _kept(directory, source, lambda: compiled_by_python(pathname, source))

    zipimport._compile_source = compiled  # type: ignore[attr-defined]


def keep_plugins(directory: Path) -> None:
    """The same for what Ansible's loader of collections compiles anew in each process."""
    from ansible.utils.collection_loader import _collection_finder

    loader = _collection_finder._AnsibleCollectionPkgLoaderBase
    compiled_by_ansible = loader.get_code

    def get_code(self: Any, fullname: str) -> Any:
        source = self.get_source(fullname)
        if not source:
            return compiled_by_ansible(self, fullname)
        # Code knows the path that it is of.
        key = self.get_filename(fullname).encode() + b"\n" + source
        return _kept(directory, key, lambda: compiled_by_ansible(self, fullname))

    loader.get_code = get_code


def _kept(directory: Path, key: bytes, compile_it: Callable[[], types.CodeType]) -> types.CodeType:
    """What `compile_it` gave for this key, now or before."""
    kept = directory / hashlib.sha256(key).hexdigest()
    with contextlib.suppress(OSError):
        # Written by this program, for this Python.
        known: types.CodeType = marshal.loads(kept.read_bytes())  # noqa: S302 - as the line before says
        return known
    code = compile_it()
    part = kept.with_suffix(f".{os.getpid()}")
    part.write_bytes(marshal.dumps(code))
    part.rename(kept)
    return code


def receive(connection: socket.socket, length: int) -> bytes:
    """So many bytes; raises ConnectionError when the other end is closed before."""
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise ConnectionError("the interpreter has ended")
        data += part
    return data


def become(told: dict[str, Any], streams: list[int]) -> int:
    """In the fork: run the program, from standard input or of the first argument, as its Python; the exit code."""
    for target, descriptor in enumerate(streams):
        os.dup2(descriptor, target)
    os.chdir(told["cwd"])
    os.environ.clear()
    os.environ.update(told["environment"])
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
    sys.argv = told["argv"][1:] or [""]
    code: Any = 0
    try:
        text = Path(sys.argv[0]).read_text(encoding="utf-8") if sys.argv[0] else sys.stdin.read()
        exec(compile(text, sys.argv[0] or "<stdin>", "exec"), {"__name__": "__main__"})  # noqa: S102 - what a Python is for
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    if code is None:
        return 0
    return code & 255 if isinstance(code, int) else 1


def serve(connection: socket.socket) -> None:
    """One interpreter: fork for it, tell it the exit code, end the fork if it ends before."""
    with connection, contextlib.suppress(OSError):
        first, ancillary, _flags, _address = connection.recvmsg(4, socket.CMSG_SPACE(3 * array.array("i").itemsize))
        streams = array.array("i", ancillary[0][2]).tolist()
        told = json.loads(receive(connection, int.from_bytes(first, "big")))
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.setsid()
            os._exit(become(told, streams))
        for stream in streams:
            os.close(stream)
        handle = os.pidfd_open(pid)
        try:
            ready, _none, _none = select.select([handle, connection.fileno()], [], [])
            if handle not in ready:
                os.killpg(pid, signal.SIGKILL)
            _pid, status = os.waitpid(pid, 0)
            connection.sendall(bytes([os.waitstatus_to_exitcode(status) & 255]))
        finally:
            os.close(handle)


def main() -> None:
    """Serve until standard input ends."""
    purpose, address = sys.argv[1:]
    # What lies beside this file is not for the programs.
    sys.path.pop(0)
    load(purpose)
    if purpose != CHECKOUT:
        compiled = Path(address).with_name("compiled")
        compiled.mkdir()
        (keep_compiled if purpose == MODULES else keep_plugins)(compiled)
    gc.freeze()
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen(64)
    print("ready", flush=True)

    def accept() -> None:
        while True:
            threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
