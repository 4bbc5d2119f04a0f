# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of one llama-server: started on a free port of loopback, asked until it is healthy, ended, accounted for."""

from __future__ import annotations

import http.client
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.system import process
from ansible_collections.cloudbench.llama.plugins.module_utils.system.environment import inherited
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import HOME, last_words

NAME = "llama-server"
ADDRESS = "127.0.0.1"
# By it a server has its key: its command line everybody on the machine can read.
_KEY_VARIABLE = "LLAMA_API_KEY"

# How often a server that loads is asked: what is measured is when it answers.
_ASK_SECONDS = 0.005
# How long a server that was asked to end may take.
_END_SECONDS = 10.0
# Somebody may take a free port before the server does.
_TRIES = 3
HEALTHY, _REFUSED = 200, 401
# What nobody is told who has no key.
_LOCKED = "/props"
# What /health says is some bytes.
_LONGEST = 1 << 16
_PORT_TAKEN = ("couldn't bind", "address already in use", "bind HTTP server socket")


class ServerError(Exception):
    """A server that did not do; `cause` and `advice` are sentences, `tail` is the end of its log."""

    def __init__(self, cause: str, advice: str, tail: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.advice = advice
        self.tail = tail


def with_key(key: str) -> Dict[str, str]:
    """Return the environment by which a server answers nobody without the key."""
    return {_KEY_VARIABLE: key}


def _status(address: str, port: int, path: str, seconds: float, keep: float = 0.0) -> Optional[int]:
    """Return the status of a server's answer, None without one; the connection stays open for `keep` seconds."""
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read(_LONGEST)
        time.sleep(keep)
        return answer.status
    except (OSError, OverflowError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def health(address: str, port: int, seconds: float, keep: float = 0.0) -> Optional[int]:
    """Return what a server answers to /health, None where it does not; the connection stays open for `keep` seconds."""
    return _status(address, port, "/health", seconds, keep)


def is_open(address: str, port: int, seconds: float) -> bool:
    """Say whether a server answers who has no key: another one than llama.cpp's may know nothing of the variable."""
    return _status(address, port, _LOCKED, seconds) != _REFUSED


def free_port() -> int:
    """Return a port of loopback that nobody listens on at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((ADDRESS, 0))
        port: int = listener.getsockname()[1]
        return port


class Server:
    """A llama-server from its entry, which waits until it is healthy, to its exit.

    It answers whoever sends `headers`, which have a key that is made for it and stands on no disk: others on the
    machine can reach loopback too, and would be part of what is measured. ik_llama.cpp does not know that variable.

    `key` is that of other hosts' servers behind the same proxy, where it is one of several. `argv` is its command
    without address and port; `started` gets the process id; `environment` is added to a clean one; `cpus` and
    `huge_pages` are as process.run() has them. `healthy_s` are the seconds from the start to the first 200 of /health,
    `usage` what the kernel accounted for, once it has ended. Raises ServerError.
    """

    def __init__(
        self,
        argv: List[str],
        time_limit: float,
        started: Optional[Callable[[int], None]] = None,
        environment: Optional[Mapping[str, str]] = None,
        cpus: Sequence[int] = (),
        huge_pages: bool = True,
        key: str = "",
    ) -> None:
        self._command = argv
        self._prepare = process.prepared(cpus, huge_pages)
        key = key or secrets.token_hex(16)
        self.headers = {"Authorization": "Bearer " + key}
        self._environment = dict(inherited(), **dict(environment or {}, **with_key(key)))
        self._started = started
        self._end = time.monotonic() + time_limit
        self._limit = time_limit
        self.log: List[Tuple[float, str]] = []
        # Of nothing, until it has ended.
        self.usage = process.Usage(0.0, 0.0, 0.0, 0, 0, 0, 0, 0)
        self.healthy_s = 0.0

    def __enter__(self) -> Server:
        for number in range(1, _TRIES + 1):
            self._start()
            try:
                self._wait()
                return self
            except ServerError as error:
                self._stop()
                taken = any(words in error.tail.lower() or words in error.tail for words in _PORT_TAKEN)
                if not taken or number == _TRIES:
                    raise
            except BaseException:
                self._stop()
                raise
        raise AssertionError("unreachable")

    def __exit__(self, *_exception: object) -> None:
        self._stop()

    def _start(self) -> None:
        self.port = free_port()
        self.argv = self._command + ["--host", ADDRESS, "--port", str(self.port)]
        self.log = []
        self.began = time.monotonic()
        try:
            # The core knows no AnsibleModule, and a server is no command that ends.
            self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                self.argv,
                env=self._environment,
                cwd=HOME,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=self._prepare,
            )
        except OSError as error:
            raise ServerError("%s could not be started: %s" % (NAME, error), "Rebuild llama.cpp.") from error
        self._reader = threading.Thread(target=self._read, name="server-log", daemon=True)
        self._reader.start()
        if self._started:
            self._started(self._process.pid)

    def _read(self) -> None:
        """Keep each line of the log with the time at which it came."""
        for line in self._process.stdout or ():
            self.log.append((time.monotonic() - self.began, line.decode("utf-8", "replace")))

    def text(self) -> str:
        """Return the log so far."""
        return "".join(line for _when, line in self.log)

    def remaining(self) -> float:
        """Return the seconds that are left of the time limit."""
        return max(0.0, self._end - time.monotonic())

    def ended(self) -> bool:
        """Say whether the process has ended by itself; it is not reaped yet, so that its usage can be had."""
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def failure(self, doing: str) -> ServerError:
        """Return why a server that has gone did not do: by its end, or by the last words of its log."""
        self._stop()
        tail = self.text()
        code = self._process.returncode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            how = "was ended by signal %d (%s)" % (-code, name)
        else:
            how = "ended with exit code %s" % code
        return ServerError(
            "%s %s %s: %s" % (NAME, how, doing, last_words(tail)),
            "Read stderr_tail; run the command of this record by hand.",
            tail,
        )

    def _wait(self) -> None:
        while True:
            if self.ended():
                raise self.failure("before it was healthy")
            if health(ADDRESS, self.port, max(0.1, min(5.0, self.remaining()))) == HEALTHY:
                self.healthy_s = time.monotonic() - self.began
                return
            if not self.remaining():
                raise ServerError(
                    "%s was not healthy within %g s" % (NAME, self._limit),
                    "Raise llama_bench_time_limit, or measure a smaller model.",
                    self.text(),
                )
            time.sleep(_ASK_SECONDS)

    def _stop(self) -> None:
        """End the process, with all it has started, and account for it."""
        if self._process.returncode is not None:
            return
        if not self.ended():
            os.killpg(self._process.pid, signal.SIGTERM)
            end = time.monotonic() + _END_SECONDS
            while not self.ended() and time.monotonic() < end:
                time.sleep(0.01)
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        _pid, status, used = os.wait4(self._process.pid, 0)
        self._process.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        self.usage = process.usage_of(used, time.monotonic() - self.began)
        self._reader.join(_END_SECONDS)
        if self._process.stdout:
            self._process.stdout.close()


def total(usages: List[process.Usage]) -> process.Usage:
    """Return what several processes took, one after the other: sums, and the largest memory."""

    def add(name: str) -> Any:
        return sum(getattr(usage, name) for usage in usages)

    sums = {name: add(name) for name in process.Usage._fields if name != "rss_peak_bytes"}
    return process.Usage(rss_peak_bytes=max(usage.rss_peak_bytes for usage in usages), **sums)
