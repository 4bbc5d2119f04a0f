# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of this host for other hosts, for the time of a run: begun, watched, begun again, ended.

Either that of llama.cpp's RPC backend, which computes some layers of a model, or a llama-server, which has all of it
and is one of several behind a proxy.

Whoever runs it holds a lock, so that a server that an earlier run has left is known, and ended first. It ends when it
is asked to, when its time is over, and when for some minutes no client has been there: then nobody measures any more,
whatever became of the measuring host and of the controller.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import threading
import time
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple, Union

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import rpc, server
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.rpc import RpcError
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import network
from ansible_collections.cloudbench.llama.plugins.module_utils.system import process
from ansible_collections.cloudbench.llama.plugins.module_utils.system.environment import inherited
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import HOME, last_words

# A server that died is begun again: so many times, and not at once, so that the measuring host sees that it is gone.
RESTARTS = 3
RESTART_SECONDS = 10.0
# How long a server may take until it answers, and to end.
START_SECONDS = 60.0
END_SECONDS = 15.0
_LOOK_SECONDS = 0.1
# Whoever looks whether the lock is held holds it for a moment.
_HOLD_SECONDS = 2.0
# Lines of its output that are kept.
_LINES = 200

# Why a server ended, in words.
ASKED, OVER, ALONE, DIED = "it was asked to", "its time was over", "no client was there", "it died"


class Place:
    """Where what is known of the server of one port lies: a directory of this host, never shared with another one."""

    def __init__(self, directory: str, port: int) -> None:
        self.directory = directory
        self._begin = os.path.join(directory, "rpc-%d" % port)

    def write(self, state: Mapping[str, Any]) -> None:
        """Replace what is known."""
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        with open(self._begin + ".new", "w", encoding="utf-8") as file:
            json.dump(dict(state, pid=os.getpid()), file)
        os.replace(self._begin + ".new", self._begin + ".json")

    def read(self) -> Dict[str, Any]:
        """Return what is known, nothing where there never was a server."""
        try:
            with open(self._begin + ".json", encoding="utf-8") as file:
                state = json.load(file)
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def held(self) -> bool:
        """Say whether somebody runs a server."""
        try:
            with open(self._begin + ".lock", "a", encoding="ascii") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    def end(self) -> Dict[str, Any]:
        """End the server, if there is one; return what is known of it, and forget it. Raises RpcError."""
        end = time.monotonic() + END_SECONDS
        asked = False
        while self.held():
            pid = self.read().get("pid")
            if not asked and isinstance(pid, int) and pid > 1:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGTERM)
                asked = True
            if time.monotonic() > end:
                raise RpcError("the server of an earlier run does not end (process %s): end it, and run again" % pid)
            time.sleep(_LOOK_SECONDS)
        state = self.read()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._begin + ".json")
        return state

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Be the one who runs the server of this port; one who is there already is ended. Raises RpcError."""
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        self.end()
        with open(self._begin + ".lock", "a", encoding="ascii") as file:
            end = time.monotonic() + _HOLD_SECONDS
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > end:
                        raise RpcError("another run has just begun a server on this host: wait for its end") from None
                time.sleep(_LOOK_SECONDS)
            yield


def check_free(address: str, port: int, host: str) -> None:
    """Make sure that a server can listen here: the address is this host's, and the port is free. Raises RpcError."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        # As the server itself does: what a client left behind an hour ago is in nobody's way.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise RpcError(
                    "%s is no address of %s: name one that it has, and that the other hosts reach, in "
                    "llama_rpc_address" % (address, host)
                ) from None
            raise RpcError(
                "%s:%d of %s cannot be listened on (%s): choose another llama_rpc_port, or end what has it"
                % (address, port, host, error.strerror)
            ) from None


class RpcProgram:
    """The server of the RPC backend: `path` is from process.HOME."""

    name = "RPC server"
    start_s = START_SECONDS
    prepare = staticmethod(process.die_with_parent)

    def __init__(self, path: str, address: str, port: int, threads: int) -> None:
        self.argv = [path, "-H", address, "-p", str(port), "-t", str(threads)]
        self.environment: Mapping[str, str] = {}
        self._place = (address, port)

    def ask(self) -> str:
        """Return the version of its protocol. Raises RpcError while it does not answer."""
        return rpc.ask(*self._place, 5.0).version

    def clients(self, _pid: int) -> int:
        """Return how many connections there are beside those that its output tells of: it tells of all."""
        return 0


class OpenError(RpcError):
    """A server without a lock, for which nobody is to wait."""


class LlamaProgram:
    """A llama-server: `argv` is its command without address and port, from process.HOME.

    Whoever has the `key` is answered. Loading a model takes up to `start_s`.
    """

    name = "llama-server"

    def __init__(
        self, argv: Sequence[str], address: str, port: int, key: str, environment: Mapping[str, str],
        huge_pages: bool, start_s: float,
    ) -> None:  # fmt: skip
        self.argv = [*argv, "--host", address, "--port", str(port)]
        self.environment = dict(environment, **server.with_key(key))
        self.prepare = process.prepared(huge_pages=huge_pages)
        self.start_s = start_s
        self._place = (address, port)
        self._known_locked = False

    def ask(self) -> str:
        """Return nothing, for it has no protocol of its own, once its model is loaded. Raises RpcError until then."""
        told = server.health(*self._place, 5.0)
        if told != server.HEALTHY:
            raise RpcError("%s:%d does not say that it is healthy: it %s"
                           % (*self._place, "answers %d" % told if told else "does not answer"))  # fmt: skip
        if not self._known_locked and server.is_open(*self._place, 5.0):
            raise OpenError("%s:%d answers who has no key, and would answer whoever reaches it: leave out the variants "
                            "with servers=, or use a build of llama.cpp" % self._place)  # fmt: skip
        self._known_locked = True
        return ""

    def clients(self, pid: int) -> int:
        """Return how many connections to its port there are, in the network of a process: its output tells of none."""
        return network.established(self._place[1], pid)


class _Output:
    """What a server prints, read as it comes: its last lines, and whether a client is there."""

    def __init__(self, running: subprocess.Popen[bytes]) -> None:
        self.lines: List[str] = []
        self.connected = False
        self.clients = 0
        self.changed = time.monotonic()
        self._running = running
        self._thread = threading.Thread(target=self._read, name="rpc-log", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for raw in self._running.stdout or ():
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self.lines = [*self.lines[1 - _LINES :], line]
            if line.startswith("Accepted client connection"):
                self.connected, self.clients = True, self.clients + 1
            elif line.startswith("Client connection closed"):
                self.connected = False
            else:
                continue
            self.changed = time.monotonic()

    def join(self) -> None:
        """Return when all that a server which has ended said is read."""
        self._thread.join(END_SECONDS)

    def text(self) -> str:
        """Return the last lines, after all there are once the server has ended."""
        if self._running.returncode is not None:
            self.join()
        return "\n".join(self.lines)


class Asked(Exception):
    """Somebody wants the server to end."""


class Serving:
    """A server of a host for at most `minutes`, and for `patience` seconds without a client.

    For the first one it waits `first_patience` seconds where that is longer: others may have to load a model before.
    serve() returns how it ended; what is known meanwhile is in `place`.
    """

    def __init__(
        self, program: Union[RpcProgram, LlamaProgram], host: str, address: str, port: int, minutes: float,
        patience: float, place: Place, first_patience: float = 0.0,
    ) -> None:  # fmt: skip
        self.program = program
        self.host = host
        self.address = rpc.check_address(address, host)
        self.port = port
        self._minutes = minutes
        self._patience = patience
        self._first_patience = max(patience, first_patience)
        self._place = place
        self._restarts = 0
        self._clients = 0
        self._version = ""
        self._deaths: List[str] = []

    def serve(self) -> Dict[str, Any]:
        """Serve until the end, and return {"why", "restarts", "clients", "deaths", "log"}. Raises RpcError.

        SIGTERM is an end like others.
        """

        def ask_to_end(_signal: int, _frame: object) -> None:
            raise Asked()

        signal.signal(signal.SIGTERM, ask_to_end)
        why, log = DIED, ""
        with self._place.hold():
            self._state("starting")
            end = time.monotonic() + self._minutes * 60
            try:
                check_free(self.address, self.port, self.host)
                while True:
                    why, log = self._once(end)
                    if why != DIED or self._restarts >= RESTARTS:
                        break
                    self._restarts += 1
                    self._state("died", why=self._deaths[-1])
                    time.sleep(RESTART_SECONDS)
            except Asked:
                why = ASKED
            except BaseException as error:
                self._state("ended", why=str(error))
                raise
            ended = {
                "why": why, "restarts": self._restarts, "clients": self._clients, "deaths": self._deaths, "log": log,
            }  # fmt: skip
            self._state("ended", **ended)
        return ended

    def _state(self, state: str, **more: Any) -> None:
        known = {"state": state, "address": self.address, "port": self.port, "version": self._version}
        self._place.write({**known, "restarts": self._restarts, **more})

    def _once(self, end: float) -> Tuple[str, str]:
        """Run the server once; return why it ended, and its last lines. Raises RpcError where it never answered."""
        try:
            # The core knows no AnsibleModule, and a server is no command that ends.
            running = subprocess.Popen(  # pylint: disable=ansible-bad-function
                self.program.argv,
                env=dict(inherited(), **self.program.environment),
                cwd=HOME,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=self.program.prepare,
            )
        except OSError as error:
            raise RpcError("%s cannot be started on %s: %s" % (self.program.argv[0], self.host, error)) from error
        output = _Output(running)
        try:
            self._await(running, output)
            self._state("ready")
            return self._watch(running, output, end), output.text()
        finally:
            _kill(running)
            output.join()
            self._clients += output.clients

    def _await(self, running: subprocess.Popen[bytes], output: _Output) -> None:
        end = time.monotonic() + self.program.start_s
        while True:
            try:
                self._version = self.program.ask()
                return
            except OpenError:
                raise
            except RpcError as error:
                if running.poll() is not None:
                    raise RpcError(
                        "the %s of %s ended as soon as it was started (%s): %s"
                        % (self.program.name, self.host, _how(running), last_words(output.text()))
                    ) from None
                if time.monotonic() > end:
                    raise RpcError("the %s of %s: %s" % (self.program.name, self.host, error)) from None
            time.sleep(_LOOK_SECONDS)

    def _watch(self, running: subprocess.Popen[bytes], output: _Output, end: float) -> str:
        # That it loaded is no time without a client, and that this host asked it is no client.
        output.changed, asked, had_one = time.monotonic(), output.clients, False
        while True:
            if running.poll() is not None:
                self._deaths.append("%s: %s" % (_how(running), last_words(output.text())))
                return DIED
            now = time.monotonic()
            if now > end:
                return OVER
            connected = self.program.clients(running.pid)
            if connected:
                output.changed = now
            had_one = had_one or connected > 0 or output.clients > asked
            patience = self._patience if had_one else self._first_patience
            if not output.connected and not connected and now - output.changed > patience:
                return ALONE
            time.sleep(_LOOK_SECONDS)


def _how(running: subprocess.Popen[bytes]) -> str:
    code = running.returncode
    if code is not None and code < 0:
        return "signal %d (%s)" % (-code, signal.Signals(-code).name)
    return "exit code %s" % code


def _kill(running: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def ready(place: Place, seconds: float = START_SECONDS + END_SECONDS) -> Dict[str, Any]:
    """Wait until the server that somebody has just begun answers, and return what is known of it. Raises RpcError.

    What was known of an earlier one has been forgotten before: see Place.end().
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = place.read()
        if place.held() and state.get("state") == "ready":
            return state
        if not place.held() and state.get("state") == "ended":
            raise RpcError("the server did not begin: %s" % state.get("why"))
        time.sleep(_LOOK_SECONDS)
    raise RpcError("the server did not begin within %g s" % seconds)
