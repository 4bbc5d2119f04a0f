# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy in front of several llama-servers, for the time of a launch: each request goes to the one with the fewest.

It listens on loopback alone and has no key of its own: the header of a request goes through to the server, which lets
it in or does not. Its socket and its configuration, which nobody else can read, are files of this launch.

Source: HAProxy's Configuration Manual and Management Guide 2.6, show stat.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from typing import Iterator, List, NamedTuple, Optional, Sequence

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.server import ADDRESS
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import printable
from ansible_collections.cloudbench.llama.plugins.module_utils.system import process
from ansible_collections.cloudbench.llama.plugins.module_utils.system.environment import inherited

NAME = "haproxy"
# Where it is installed, which is in the search path of root alone.
_PLACES = ("/usr/sbin", "/usr/local/sbin", "/sbin")

_START_SECONDS, _END_SECONDS, _LOOK_SECONDS, _ANSWER_SECONDS = 10.0, 5.0, 0.02, 5.0
# What counts of a server that was not there: checks that took it down, requests that did not reach it, and answers that
# broke off. What a user gives up is in none of them.
_LOST = ("chkdown", "econ", "eresp")
# Connections beside those of the users: of the checks, and of whoever asks for the counts.
_SPARE_CONNECTIONS = 64

# A connection for each request, as its clients make them, and each token handed on as it comes: by default HAProxy
# waits for more of an answer. Nothing is sent twice, for that would be measured twice.
_CONFIGURATION = """\
global
    nbthread 1
    maxconn {most}
    stats socket unix@stats mode 600 level user
defaults
    mode http
    option http-no-delay
    retries 0
    timeout connect 5s
    timeout client {limit}s
    timeout server {limit}s
    timeout queue {limit}s
frontend users
    bind fd@{listener}
    default_backend servers
backend servers
    balance leastconn
    option httpchk GET /health
    default-server check inter 1s fall 3 rise 1
{servers}
"""


class ProxyError(Exception):
    """A proxy that did not do; `cause` and `advice` are sentences."""

    def __init__(self, cause: str, advice: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.advice = advice


class Behind(NamedTuple):
    """A server behind the proxy: how many requests it got, and whether it was there all the time."""

    requests: int
    steady: bool


@contextlib.contextmanager
def _told_of_start() -> Iterator[None]:
    """Raise ProxyError where the kernel does not start it."""
    try:
        yield
    except OSError as error:
        raise ProxyError("%s could not be started: %s" % (NAME, error), ADVICE) from error


@contextlib.contextmanager
def _opened(directory: str) -> Iterator[int]:
    """Open a directory for the time of a block."""
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield number
    finally:
        os.close(number)


def program() -> Optional[str]:
    """Return the path of HAProxy on this host, None where there is none."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_PLACES])
    return shutil.which(NAME, path=path)


def version(path: str) -> str:
    """Return what HAProxy calls itself: "HAProxy version 2.6.12-1+deb12u4". Raises ProxyError."""
    with _told_of_start():
        done = process.run([path, "-v"], _ANSWER_SECONDS, clean=True)
    words = done.stdout.split()
    return " ".join(words[:3]) if words[:1] == ["HAProxy"] else "HAProxy"


ADVICE = "Install the package haproxy on the measuring host, or leave out the variants with servers=."


def missing() -> Optional[str]:
    """Return why there is no proxy on this host, None where there is one."""
    if program():
        return None
    return "several servers need HAProxy before them, and this host has no program %s" % NAME


class Proxy:
    """A proxy from its entry, which waits until it answers, to its exit. Raises ProxyError.

    `servers`: address:port of each, which answer already. `connections`: how many requests there may be at once.
    """

    def __init__(self, servers: Sequence[str], connections: int, time_limit: float) -> None:
        self._servers = list(servers)
        self._connections = connections
        self._limit = time_limit
        self.port = 0

    def __enter__(self) -> Proxy:
        path = program()
        if path is None:
            raise ProxyError(missing() or "", ADVICE)
        self.version = version(path)
        self._directory = tempfile.mkdtemp(prefix="cloudbench-proxy-")
        try:
            self._start(path)
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop()

    def _start(self, path: str) -> None:
        # Named from its directory, whatever the path of that is.
        self._log = os.path.join(self._directory, "log")
        # Bound here, so that nobody takes the port between the choice and the start.
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.bind((ADDRESS, 0))
            self.port = listener.getsockname()[1]
            lines = ["    server s%d %s" % (number, endpoint) for number, endpoint in enumerate(self._servers, start=1)]
            with open(os.path.join(self._directory, "haproxy.cfg"), "w", encoding="ascii") as file:
                file.write(
                    _CONFIGURATION.format(
                        most=self._connections + _SPARE_CONNECTIONS,
                        limit=max(1, int(self._limit)),
                        listener=listener.fileno(),
                        servers="\n".join(lines),
                    )
                )
            with open(self._log, "wb") as log, _told_of_start():
                # The core knows no AnsibleModule, and a proxy is no command that ends.
                self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                    [path, "-db", "-f", "haproxy.cfg"],
                    cwd=self._directory,
                    env=inherited(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=[listener.fileno()],
                    preexec_fn=process.die_with_parent,
                )

    def _wait(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while True:
            if self._process.poll() is not None:
                raise self._failure()
            try:
                self._asked()
                return
            except (OSError, ValueError) as error:
                if time.monotonic() > end:
                    cause = "%s did not begin within %g s: %s" % (NAME, _START_SECONDS, error)
                    raise ProxyError(cause, ADVICE) from error
            time.sleep(_LOOK_SECONDS)

    def _failure(self) -> ProxyError:
        with open(self._log, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        # The last line only says that there were others.
        first = next((line for line in lines if "[ALERT]" in line), " ".join(lines[-1:]))
        return ProxyError(
            "%s ended with exit code %s: %s" % (NAME, self._process.returncode, printable(first)),
            "Correct what it says of this host.",
        )

    def _asked(self) -> List[Behind]:
        with _opened(self._directory) as directory, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(_ANSWER_SECONDS)
            # A path of a socket has 107 bytes at most (unix(7)), and TMPDIR may be longer.
            asking.connect("/proc/self/fd/%d/stats" % directory)
            asking.sendall(b"show stat\n")
            said = b""
            while True:
                part = asking.recv(1 << 16)
                if not part:
                    break
                said += part
        return counted(said.decode("utf-8", "replace"), len(self._servers))

    def counts(self) -> List[Behind]:
        """Return how many requests each server got, in their order. Raises ProxyError."""
        try:
            return self._asked()
        except (OSError, ValueError) as error:
            if self._process.poll() is not None:
                raise self._failure() from error
            raise ProxyError("%s does not say who answered: %s" % (NAME, error), "Run again.") from error

    def _stop(self) -> None:
        running = getattr(self, "_process", None)
        if running is not None:
            if running.poll() is None:
                running.send_signal(signal.SIGTERM)
                try:
                    running.wait(_END_SECONDS)
                except subprocess.TimeoutExpired:
                    pass
            try:
                os.killpg(running.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            running.wait()
        shutil.rmtree(self._directory, ignore_errors=True)


def counted(stat: str, servers: int) -> List[Behind]:
    """Return what `show stat` says of so many servers. Raises ValueError where it does not say it.

    `stot` are sessions, of which a request is one.
    """
    rows = {row.get("svname"): row for row in csv.DictReader(io.StringIO(stat.replace("# ", "", 1)))}
    behind = []
    for number in range(1, servers + 1):
        row = rows.get("s%d" % number)
        if row is None:
            raise ValueError("it tells nothing of server %d" % number)
        lost = sum(int(row.get(name) or 0) for name in _LOST)
        behind.append(Behind(int(row["stot"] or 0), (row.get("status") or "").startswith("UP") and not lost))
    return behind
