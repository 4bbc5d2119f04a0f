# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of faults: what goes wrong with real runs of site.yml, and what is left of their records.

Each fault runs site.yml on a host of its own (clones.py) or on this machine, does its harm, waits for the end, and
gives the same command again once nothing is wrong any more. What is judged: how the first command ended and what it
said last, whether it failed where it must, records lost, launches doubled, what is left behind, and whether the second
one completed what the first had begun.

Used by `make chaos` (tools/chaos.py) and by tests/integration/test_chaos.py.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from support import quick_compile
from support.hosts import emulated, interruptions
from support.hosts.clones import Clone, Spec, clones, memory_limit
from support.hosts.emulated import EmulationError, run
from support.models import mini
from support.models.hub_server import HubServer

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
# On a host: where it keeps its records, and a disk of a few MB.
SPOOL, SMALL = "/srv/spool", "/srv/small"
SMALL_MB = 4
LAUNCHES, TESTS = 6, ["pp8", "tg150"]
# Longer than any fault may last, in seconds.
PATIENCE = 420.0
KILLS = 20
# Of each of four cells. Seen: a dozen launches from one kill to the next, so that there are some runs.
KILLED_LAUNCHES = 12
# How long what was ended may take to end.
GRACE = 30.0
_networks = itertools.count(1)
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


class Outcome(NamedTuple):
    """What came of a fault.

    `code`, `said`: how the command ended and what it said last. `lost`, `doubled`, `left`: records that are in no store
    any more, launches that are there twice, what is left behind. `again`: the exit code of the same command once
    nothing is wrong, None where there is none to give. `problems`: what of this is not as promised.
    """

    code: int
    said: str
    lost: int
    doubled: int
    left: list[str]
    again: int | None
    seconds: float
    problems: list[str]
    output: str


class Trial:
    """One run of site.yml to which something is done."""

    def __init__(self, directory: Path, host: Clone | None, **variables: Any) -> None:
        self.directory, self.host = directory, host
        self.results, self.temporary = directory / "results", directory / "tmp"
        self.spool_here = directory / "spool"
        for path in (self.temporary, self.spool_here):
            path.mkdir()
        self.variables = {**asked(), "llama_bench_spool": SPOOL if host else str(self.spool_here), **variables}
        self.environment: dict[str, str] = {}
        # In front of the command: where it is to live apart from this machine.
        self.apart: list[str] = []
        self.host_variables: dict[str, Any] = {}
        # Further hosts of the run, with variables of their own.
        self.beside: list[tuple[Clone, dict[str, Any]]] = []
        self.seen: list[dict[str, Any]] = []
        self.outputs: list[str] = []
        self.codes: list[int] = []
        self.seed = 1
        # What the run needs until its end.
        self.until_closed = contextlib.ExitStack()
        self.hub: HubServer | None = None
        # What came of it, where the harm has judged that itself.
        self.judged: interruptions.Interrupted | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[str] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The command that runs."""
        assert self._process is not None
        return self._process

    @property
    def spool(self) -> Path:
        """Where the spool of the host is found from here."""
        return self.host.path(SPOOL) if self.host else self.spool_here

    def inventory(self) -> dict[str, Any]:
        """The hosts of the run: the one that things are done to, and those beside it."""
        if self.host:
            hosts = [(self.host, self.host_variables), *self.beside]
            return {host.name: {**host.inventory(), **variables} for host, variables in hosts}
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        return {"localhost": {**here, **self.host_variables}}

    def command(self) -> list[str]:
        """The command that is given, its inventory written."""
        inventory = self.directory / "hosts.json"
        inventory.write_text(json.dumps({"bench": {"hosts": self.inventory()}}))
        asked_for = ["-i", str(inventory), "-e", json.dumps(self.variables, sort_keys=True)]
        return [*self.apart, str(PLAYBOOK), "site.yml", *asked_for]

    def surroundings(self, results: Path | None = None) -> dict[str, str]:
        """The environment that it is given in."""
        return {
            **inherited(),
            "ANSIBLE_NOCOLOR": "1",
            "CLOUDBENCH_RESULTS_DIR": str(results or self.results),
            "TMPDIR": str(self.temporary),
            **self.environment,
        }

    def start(self, results: Path | None = None) -> None:
        """Give the command."""
        # A file and no pipe: what is left of a killed controller would hold the pipe open.
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by finish()
        self._process = subprocess.Popen(
            self.command(), cwd=ROOT, env=self.surroundings(results), stdin=subprocess.DEVNULL, stdout=self._output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def launched(self, count: int) -> None:
        """Return when the host has launched so many; AssertionError where the run ends before."""
        self.until(lambda: interruptions.launches_in(self.spool) >= count, f"{count} launches")

    def says(self, words: str) -> None:
        """Return when the output has these words; AssertionError where the run ends before."""
        self.until(lambda: words in self.output(), repr(words))

    def until(self, reached: Callable[[], bool], what: str) -> None:
        """Return when something is so; AssertionError where the run ends before."""
        end = time.monotonic() + PATIENCE
        while not reached():
            assert self.process.poll() is None, f"it ended before {what}:\n{self.output()}"
            assert time.monotonic() < end, f"no {what} within {PATIENCE:.0f} s:\n{self.output()}"
            time.sleep(0.05)

    def output(self) -> str:
        """What it has said until now."""
        assert self._output is not None
        self._output.flush()
        # Not the position that the command writes at, which it shares.
        return os.pread(self._output.fileno(), 1 << 24, 0).decode("utf-8", "replace")

    def look(self) -> None:
        """Remember all that is on a disk now: none of it may be lost."""
        self.seen += interruptions.on_disk(self.spool, self.results)

    def finish(self, seconds: float = PATIENCE) -> int:
        """Wait for the end of the command and return its exit code."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {seconds:.0f} s:\n{self.output()}") from None
        finally:
            end_group(self.process)
        self.outputs.append(_COLOUR.sub("", self.output()))
        self.codes.append(code)
        if self._output:
            self._output.close()
        return code

    def close(self) -> None:
        """End what still runs of it."""
        if self._process:
            end_group(self._process)
        self.until_closed.close()


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a command that has not ended."""
    if process.poll() is None:
        process.kill()
        process.wait()


def inherited(checkout: Path = ROOT) -> dict[str, str]:
    """This process's environment for commands of a checkout, without settings of whoever tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLOUDBENCH_", "ANSIBLE_"))}
    return {**kept, "ANSIBLE_CONFIG": str(checkout / "ansible.cfg"), "LC_ALL": "C.UTF-8"}


def asked() -> dict[str, Any]:
    """The variables of a run whose launches take a second."""
    return {
        "llama_cpp_dir": str(emulated.cache() / "llama.cpp"),
        "llama_cpp_cmake_options": quick_compile.options(),
        "llama_model_dir": str(emulated.cache() / "models"),
        "llama_model_models": ["tiny-synthetic"],
        "llama_bench_tests": TESTS,
        "llama_bench_threads": [1],
        "llama_bench_launches": LAUNCHES,
        "llama_bench_launches_most": LAUNCHES,
        "llama_bench_repetitions": 1,
        "llama_bench_minutes": 0,
        "llama_bench_twin": False,
        "llama_bench_machine_name": "chaos",
    }


def prepare(**variables: Any) -> None:
    """Build llama.cpp and make the model that all hosts see; seconds where that was done before. Or EmulationError."""
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    with tempfile.TemporaryDirectory() as directory:
        inventory = Path(directory, "hosts.json")
        inventory.write_text(json.dumps({"bench": {"hosts": {"localhost": here}}}))
        command = [str(PLAYBOOK), "playbooks/prepare.yml", "-i", str(inventory), "-e"]
        done = subprocess.run(
            [*command, json.dumps({**asked(), **variables})], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=1800, check=False,
            env={**inherited(), "CLOUDBENCH_RESULTS_DIR": directory},
        )  # fmt: skip
        if done.returncode or "rescued=1" in done.stdout:
            raise EmulationError(f"the programs and the model of the faults cannot be made:\n{done.stdout[-2000:]}")


# --- The faults ------------------------------------------------------------------------------------------------------

Harm = Callable[[Trial], None]


class Fault(NamedTuple):
    """One row of the table.

    `what`: in words. `harm`: starts the command, does it and waits for the end. `fails`: whether the command must fail.
    `heal`: makes good what was done. `here`: on this machine, apart from its network, and not on a host over ssh.
    `told`: words that must stand in the output. `again`: whether the same command has to complete it. `mounts`: small
    disks of the host. `without`: what is kept nowhere, for what a host had that is gone with its disk.
    """

    name: str
    what: str
    harm: Harm
    fails: bool
    told: str = ""
    heal: Harm = lambda _trial: None
    again: bool = True
    here: bool = False
    mounts: dict[str, int] = {}  # noqa: RUF012
    variables: dict[str, Any] = {}  # noqa: RUF012
    # Of a host that is gone with its disk only what its controller has seen can be kept.
    disk_goes: bool = False
    # Whether it takes more than a minute and is no part of `make test`.
    long: bool = False
    # A program that it is done with.
    needs: str = ""
    # Variables of the run for which everything is there before it begins.
    prepares: dict[str, Any] = {}  # noqa: RUF012


def _keepalive(trial: Trial, seconds: int) -> None:
    """Have ssh give a silent host up soon, and not after the two minutes of ansible.cfg."""
    options = trial.host.inventory()["ansible_ssh_common_args"] if trial.host else ""
    more = f"-o ServerAliveInterval={max(1, seconds // 3)} -o ServerAliveCountMax=3 -o ConnectTimeout=3"
    trial.host_variables["ansible_ssh_common_args"] = f"{options} {more}"
    trial.variables["llama_bench_silence"] = seconds


def _host(trial: Trial) -> Clone:
    assert trial.host is not None
    return trial.host


def _cut(seconds: float) -> Harm:
    def harm(trial: Trial) -> None:
        trial.start()
        trial.launched(2)
        _host(trial).cut()
        time.sleep(seconds)
        _host(trial).join()
        trial.finish()

    return harm


def _cut_for_ever(trial: Trial) -> None:
    _keepalive(trial, 15)
    trial.start()
    trial.launched(3)
    _host(trial).cut()
    trial.look()
    trial.finish()


def _processes_killed(trial: Trial) -> None:
    trial.start()
    trial.launched(3)
    trial.look()
    _host(trial).signal(signal.SIGKILL)
    trial.finish()


def _reset(trial: Trial) -> None:
    _keepalive(trial, 60)
    trial.start()
    trial.launched(3)
    trial.look()
    _host(trial).reset(10)
    trial.finish()


def _host_gone(trial: Trial) -> None:
    _keepalive(trial, 15)
    trial.start()
    trial.launched(3)
    # What the controller has seen; the rest goes with the disk.
    trial.seen += list(interruptions.records_in(trial.results.glob("*/records/*.jsonl")))
    _host(trial).kill()
    trial.finish()


def _boot_again(trial: Trial) -> None:
    host = _host(trial)
    host.boot()
    host.wait()


def _fill(directory: Path) -> None:
    """Take all the room there is on a disk."""
    with contextlib.suppress(OSError), (directory / "filler").open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size):
                    pass


def _no_room(variable: str) -> Harm:
    """The phase whose directory this variable names has a disk of a few MB, which is full."""

    def harm(trial: Trial) -> None:
        trial.variables[variable] = SMALL
        _fill(_host(trial).path(SMALL))
        trial.start()
        trial.finish()

    return harm


def _room_again(variable: str) -> Harm:
    def heal(trial: Trial) -> None:
        trial.variables[variable] = asked()[variable]

    return heal


def _spool_full(trial: Trial) -> None:
    trial.variables["llama_bench_spool"] = SMALL
    trial.start()
    spool = _host(trial).path(SMALL)
    trial.until(lambda: interruptions.launches_in(spool) >= 2, "2 launches")
    _fill(spool)
    trial.seen += interruptions.on_disk(spool, trial.results)
    trial.finish()


def _empty_small(trial: Trial) -> None:
    (_host(trial).path(SMALL) / "filler").unlink(missing_ok=True)


def _remote_tmp_full(trial: Trial) -> None:
    trial.host_variables["ansible_remote_tmp"] = SMALL
    _fill(_host(trial).path(SMALL))
    trial.start()
    trial.finish()


def _results_disk(trial: Trial, megabytes: int) -> None:
    trial.results.mkdir()
    run("mount", "-t", "tmpfs", "-o", f"mode=0755,size={megabytes}m", "tmpfs", str(trial.results))


def _results_full(trial: Trial) -> None:
    _results_disk(trial, 16)
    trial.start()
    trial.launched(2)
    _fill(trial.results)
    trial.finish()
    trial.look()


def _results_room(trial: Trial) -> None:
    (trial.results / "filler").unlink(missing_ok=True)


def _results_stalled(trial: Trial) -> None:
    """Results on a file system of another host, which stands still for 20 s."""
    host = _host(trial)
    host.path("/srv/results").mkdir()
    trial.results.mkdir()
    of_ssh = host.inventory()
    options = shlex.split(of_ssh["ansible_ssh_common_args"]) + ["-o", "ServerAliveInterval=0"]
    key = f"IdentityFile={of_ssh['ansible_ssh_private_key_file']}"
    run("sshfs", f"root@{host.address}:/srv/results", str(trial.results), *options, "-o", key)
    trial.start()
    trial.launched(2)
    host.cut()
    time.sleep(20)
    host.join()
    trial.finish()
    trial.look()


def _results_read_only(trial: Trial) -> None:
    _results_disk(trial, 64)
    trial.start()
    trial.launched(2)
    run("mount", "-o", "remount,ro", str(trial.results))
    trial.finish()
    trial.look()


def _results_writable(trial: Trial) -> None:
    run("mount", "-o", "remount,rw", str(trial.results))


def _memory(megabytes: int, test: str) -> Harm:
    def harm(trial: Trial) -> None:
        trial.variables["llama_bench_tests"] = [test]
        trial.start()
        trial.says("reading the models")
        with memory_limit(_host(trial), megabytes):
            trial.finish()
        trial.look()

    return harm


def _memory_of_compiler(trial: Trial) -> None:
    # A build that nobody has, and no cache of what was compiled before.
    trial.variables |= {"llama_cpp_dir": "/srv/build", "llama_cpp_jobs": 1}
    trial.variables["llama_cpp_cmake_options"] = {**quick_compile.options(), "GGML_CCACHE": False}
    trial.start()
    trial.says("compiling llama.cpp")
    with memory_limit(_host(trial), 96):
        trial.finish()


def _compiled_before(trial: Trial) -> None:
    trial.variables |= {name: asked()[name] for name in ("llama_cpp_dir", "llama_cpp_cmake_options")}
    trial.variables.pop("llama_cpp_jobs")


CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long shift(void) {
    char line[32] = "0";
    FILE *file = fopen(CLOCK_FILE, "r");
    if (file) {
        if (!fgets(line, sizeof line, file)) line[0] = '0';
        fclose(file);
    }
    return atol(line);
}

int clock_gettime(clockid_t which, struct timespec *when) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(which, when);
    if (!failed && which == CLOCK_REALTIME) when->tv_sec += shift();
    return failed;
}
"""

SIGNAL = r"""
#include <signal.h>
#include <unistd.h>

__attribute__((constructor)) static void begin(void) {
    if (!access(SIGNAL_FILE, F_OK)) raise(SIGILL);
}
"""


def _library(host: Clone, source: str, *macros: str) -> str:
    """Compile a library for programs of a host and return its path there."""
    with tempfile.TemporaryDirectory() as directory:
        code, library = Path(directory, "library.c"), Path(directory, "library.so")
        code.write_text(source)
        run("gcc", "-shared", "-fPIC", "-O1", "-Wall", *macros, "-o", str(library), str(code), "-ldl")
        shutil.copy(library, host.path("/srv/library.so"))
    return "/srv/library.so"


def _clock(seconds: int) -> Harm:
    """The clock that programs of the host read is another one all at once; the kernel's own is the machine's."""

    def harm(trial: Trial) -> None:
        host = _host(trial)
        library = _library(host, CLOCK, '-DCLOCK_FILE="/srv/clock"')
        python = host.path("/srv/python3")
        python.write_text(f'#!/bin/sh\nLD_PRELOAD={library} exec /usr/bin/python3 "$@"\n')
        python.chmod(0o755)
        trial.host_variables["ansible_python_interpreter"] = "/srv/python3"
        trial.start()
        trial.launched(2)
        host.path("/srv/clock").write_text(str(seconds))
        trial.finish()

    return harm


def _illegal(trial: Trial) -> None:
    host = _host(trial)
    library = _library(host, SIGNAL, '-DSIGNAL_FILE="/srv/raise"')
    trial.variables["llama_bench_environment"] = {"LD_PRELOAD": library}
    trial.start()
    trial.launched(2)
    host.path("/srv/raise").touch()
    trial.finish()
    trial.look()


def _legal(trial: Trial) -> None:
    _host(trial).path("/srv/raise").unlink()


def _hog(trial: Trial) -> None:
    """Programs that take every core, from the second launch on."""
    trial.start()
    trial.launched(2)
    with _host(trial).hogged():
        trial.finish()
    trial.look()


def _signalled(number: int) -> Harm:
    def harm(trial: Trial) -> None:
        trial.start()
        trial.launched(2)
        trial.look()
        if number == signal.SIGINT:  # as a terminal does, to all that is in the foreground
            os.killpg(trial.process.pid, number)
        else:
            os.kill(trial.process.pid, number)
        trial.finish()

    return harm


def _two_controllers(trial: Trial) -> None:
    """The second one is refused, and it is that one whose end is told."""
    other = Trial.__new__(Trial)
    other.__dict__.update(trial.__dict__)
    other.outputs, other.codes, other.results = [], [], trial.directory / "second"
    # So long that the second one comes to it while the first still measures.
    trial.variables["llama_bench_tests"] = ["pp8", "tg4000"]
    trial.start()
    trial.launched(2)
    try:
        other.start(other.results)
        other.finish()
        trial.finish()
    finally:
        other.close()
    assert trial.codes == [0], f"the first one failed:\n{trial.outputs[-1]}"
    trial.outputs += other.outputs
    trial.codes += other.codes


def _no_network(trial: Trial) -> None:
    """A source that is in no cache, and nobody who knows a name."""
    trial.variables |= {"llama_cpp_dir": str(trial.directory / "build"),
                        "llama_cpp_controller_cache": str(trial.directory / "cache")}  # fmt: skip
    trial.start()
    trial.finish()


def _network_again(trial: Trial) -> None:
    trial.variables["llama_cpp_dir"] = asked()["llama_cpp_dir"]
    del trial.variables["llama_cpp_controller_cache"]


def _no_mirror(trial: Trial) -> None:
    """A host without a compiler whose packages are at an address where nobody answers."""
    host = _host(trial)
    for name in ("cmake", "ninja", "g++", "c++", "clang++", "gcc", "cc", "clang"):
        for path in (host.path("/usr/bin") / name, host.path("/usr/local/bin") / name):
            path.unlink(missing_ok=True)
    lists = host.path("/etc/apt/sources.list.d")
    for path in lists.glob("*") if lists.is_dir() else ():
        path.unlink()
    host.path("/etc/apt/sources.list").write_text(f"deb http://{host.controller}:9/debian bookworm main\n")
    trial.start()
    trial.finish()


def _hub(faults: Sequence[str]) -> Harm:
    """A model from a hub whose answers are wrong in a byte."""

    def harm(trial: Trial) -> None:
        place = trial.directory / "hub/cloudbench/mini"
        place.mkdir(parents=True)
        mini.write(str(place / "mini-f16.gguf"))
        serving = HubServer(trial.directory / "hub", bind=_host(trial).controller, faults=tuple(faults))
        hub = trial.hub = trial.until_closed.enter_context(serving)
        entry = {"name": "mini", "repository": "cloudbench/mini", "file": "mini-f16.gguf", "revision": "main"}
        trial.variables |= {"llama_model_hub_endpoint": hub.endpoint, "llama_model_models": [entry]}
        trial.variables["llama_model_dir"] = "/srv/models"
        trial.start()
        trial.finish()

    return harm


def _hub_again(trial: Trial) -> None:
    assert trial.hub is not None
    trial.hub.set_faults()


def _kills(trial: Trial) -> None:
    """SIGKILL for controller, runner or both at random moments, the same command again each time."""
    # Launches of some seconds. A killed controller's host goes on until the next command comes to it, so that a run may
    # come to its end between two kills: then, and only then, the next command begins another.
    trial.variables |= {"llama_bench_tests": ["pp4096", "tg300"], "llama_bench_threads": [1, 2]}
    trial.variables |= {"llama_bench_launches": KILLED_LAUNCHES, "llama_bench_launches_most": KILLED_LAUNCHES}
    kills = interruptions.drawn(KILLS, trial.seed)
    trial.judged = interruptions.interrupted(
        trial.command(), ROOT, trial.surroundings(), trial.spool_here, trial.results, kills, 3 * PATIENCE
    )
    assert not trial.judged.unended, f"begun, never ended, and another begun: {', '.join(trial.judged.unended)}"
    assert trial.judged.at_once == 1, "several programs at once: " + "; ".join(trial.judged.at_most)
    trial.outputs += trial.judged.outputs
    trial.codes.append(0)


def _here_apart(trial: Trial) -> None:
    """Have the commands in a network of their own, in which only they answer, and whose lock is nobody else's.

    All in one: what a killed command has left on the machine holds the lock of the next one.
    """
    name = f"cbchaos-{os.getpid()}-{next(_networks)}"
    run("ip", "netns", "add", name)
    trial.until_closed.callback(run, "ip", "netns", "del", name)
    run("ip", "-n", name, "link", "set", "lo", "up")
    trial.apart = ["nsenter", f"--net=/run/netns/{name}"]


FAULTS = (
    Fault("ssh-1s", "ssh cut for 1 s", _cut(1), fails=False),
    Fault("ssh-60s", "ssh cut for 60 s", _cut(60), fails=False, long=True),
    Fault("ssh-gone", "ssh cut for ever", _cut_for_ever, fails=True, told="the host was lost while it measured",
          heal=lambda trial: _host(trial).join(), long=True),
    Fault("processes-killed", "all processes of the host killed", _processes_killed, fails=True,
          told="the runner ended without a result"),
    Fault("reset", "host reset, back after 10 s with its disk", _reset, fails=True,
          told="the runner ended without a result", long=True),
    Fault("host-gone", "host gone with its disk, another one in its place", _host_gone, fails=True,
          told="the host was lost while it measured", heal=_boot_again, disk_goes=True, long=True),
    Fault("disk-build", "disk full: build", _no_room("llama_cpp_dir"), fails=True, told="are free in",
          heal=_room_again("llama_cpp_dir"), mounts={SMALL: SMALL_MB}),
    Fault("disk-model", "disk full: model", _no_room("llama_model_dir"), fails=True, told="are free in",
          heal=_room_again("llama_model_dir"), mounts={SMALL: SMALL_MB}),
    Fault("disk-spool", "disk full: while it measures", _spool_full, fails=True, told="cannot be written",
          heal=_empty_small, mounts={SMALL: SMALL_MB}),
    Fault("disk-tmp", "disk full: where Ansible works on the host", _remote_tmp_full, fails=True, told="No space left",
          heal=_empty_small, mounts={SMALL: 1}),
    Fault("results-full", "results directory full", _results_full, fails=True, told="No space left",
          heal=_results_room),
    Fault("results-stalled", "results directory on a network file system that stands still for 20 s", _results_stalled,
          fails=False, needs="sshfs", long=True),
    Fault("results-read-only", "results directory read-only", _results_read_only, fails=True,
          told="Read-only file system", heal=_results_writable),
    Fault("memory-bench", "memory limit hit by llama-bench", _memory(48, "pp512"), fails=True, told="memory"),
    Fault("memory-server", "memory limit hit by llama-server", _memory(48, "serve16+8@c1"), fails=True, told="memory",
          prepares={"llama_bench_tests": ["serve16+8@c1"]}, long=True),
    Fault("memory-compiler", "memory limit hit by the compiler", _memory_of_compiler, fails=True, told="illed",
          heal=_compiled_before, long=True),
    Fault("clock-forward", "clock 1 h forward", _clock(3600), fails=False),
    Fault("clock-back", "clock 1 h back", _clock(-3600), fails=False),
    Fault("no-network", "DNS gone", _no_network, fails=True, told="with pip failed", heal=_network_again, here=True),
    Fault("no-mirror", "package mirror gone", _no_mirror, fails=True, told="o build without", again=False, long=True),
    Fault("download-once", "download corrupted once", _hub(("wrong:1",)), fails=True, told="it was removed"),
    Fault("download", "download corrupted each time", _hub(("wrong",)), fails=True, told="it was removed",
          heal=_hub_again),
    Fault("sigill", "SIGILL", _illegal, fails=True, told="SIGILL", heal=_legal),
    Fault("hog", "a hog on every core", _hog, fails=False),
    Fault("ctrl-c", "Ctrl-C", _signalled(signal.SIGINT), fails=True),
    Fault("sigterm", "SIGTERM", _signalled(signal.SIGTERM), fails=True),
    Fault("sigkill", "kill -9 of the controller", _signalled(signal.SIGKILL), fails=True),
    Fault("two-controllers", "two controllers on one host", _two_controllers, fails=True,
          told="another measurement is running on this machine", again=False),
    Fault("kills", f"kill -9 of controller, runner or both at {KILLS} points", _kills, fails=False, here=True,
          long=True),
)  # fmt: skip
BY_NAME = {fault.name: fault for fault in FAULTS}


# --- What came of it --------------------------------------------------------------------------------------------------


# Ansible's own word of what its collections will change, and what leads to the lines above it.
TELL_NOTHING = ("eprecation", "EPRECATION", "the warnings above say why")


def said(output: str) -> str:
    """What a person reads: the last line that tells why, or the last of all."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [
        line
        for line in lines
        if re.match(r"(\[(WARNING|ERROR)\]: )|.*: nothing was measured: |.*'cause'", line)
        and not any(words in line for words in TELL_NOTHING)
    ]
    chosen = (telling or lines or ["nothing"])[-1]
    return re.sub(r"^\[(?:WARNING|ERROR)\]: ", "", chosen)


def _left(trial: Trial) -> list[str]:
    """What is left behind: processes of the host, and temporary files here and there."""
    left: list[str] = []
    if trial.host:
        end = time.monotonic() + GRACE
        while (running := trial.host.processes()) and time.monotonic() < end:
            time.sleep(0.2)
        left += [f"process {line}" for line in running.values()]
        for place in ("/tmp", *(str(Path.home() / name) for name in (".ansible/tmp", ".ansible_async")), SPOOL):
            # What lies on the disk of this machine the host has too.
            here = {path.name for path in Path(place).glob("*")} if place != "/tmp" else set()
            new = [path for path in trial.host.path(place).glob("*") if path.name not in here]
            left += [f"{place}/{path.name}" for path in new if _ours(path)]
    left += [f"{path.name} in TMPDIR" for path in trial.temporary.iterdir() if not path.name.startswith("pymp-")]
    return left


def _ours(path: Path) -> bool:
    return path.suffix in (".new", ".part") or path.name.startswith(("ansible-tmp-", "tmp", "j"))


@contextlib.contextmanager
def _on(fault: Fault, directory: Path) -> Iterator[Trial]:
    """The trial of a fault, with a host of its own where it needs one."""
    with contextlib.ExitStack() as stack:
        host = None
        if not fault.here:
            host = stack.enter_context(clones([Spec("chaos", 2500, fault.mounts)]))["chaos"]
        trial = Trial(directory, host, **fault.variables)
        if fault.here:
            _here_apart(trial)
        try:
            yield trial
        finally:
            trial.close()
            if os.path.ismount(trial.results):
                run("umount", "--lazy", str(trial.results))


def suffer(fault: Fault, seed: int = 1) -> Outcome:
    """Try one fault, its chances by `seed`.

    Raises AssertionError where it could not be done, EmulationError where there is no host.
    """
    began = time.monotonic()
    if fault.needs and not shutil.which(fault.needs):
        raise EmulationError(f"{fault.name} needs {fault.needs}: apt-get install {fault.needs}")
    if fault.prepares:
        prepare(**fault.prepares)
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary, _on(fault, Path(temporary)) as trial:
        trial.seed = seed
        fault.harm(trial)
        code, output = trial.codes[-1], trial.outputs[-1]
        if not fault.disk_goes:
            trial.look()
        fault.heal(trial)
        again = None
        if fault.again and code:
            trial.start()
            again = trial.finish()
        kept = list(interruptions.records_in(trial.results.glob("*/records/*.jsonl")))
        judged = trial.judged or interruptions.judged(1, trial.outputs, trial.seen, kept)
        left = _left(trial)
        problems = _problems(fault, code, output, again, judged, left)
        outputs = "\n".join(trial.outputs)
        shown = said(output.replace(f"{temporary}/", "").replace(f"{Path.home()}/", "~/"))
    return Outcome(
        code, shown, len(judged.lost), len(judged.doubled), left, again,
        time.monotonic() - began, problems, outputs,
    )  # fmt: skip


def _problems(
    fault: Fault, code: int, output: str, again: int | None, judged: interruptions.Interrupted, left: list[str]
) -> list[str]:
    told = " ".join(output.split())
    checks = {
        f"it ended with {code}, and has to {'fail' if fault.fails else 'end well'}": bool(code) is fault.fails,
        f"it does not say {fault.told!r}": fault.told in told,
        "it has a traceback": "Traceback" not in output,
        f"{len(judged.lost)} records are lost": not judged.lost,
        f"{len(judged.doubled)} launches are there twice": not judged.doubled,
        f"left behind: {', '.join(left)}": not left,
        f"the same command ended with {again}": not again,
        f"{len(judged.short)} cells have fewer launches than planned": not judged.short or not fault.again,
    }
    return [words for words, well in checks.items() if not well]
