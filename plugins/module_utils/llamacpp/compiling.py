# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run Ninja in a configured build of llama.cpp, say how far it is, and leave no compiler behind."""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import fcntl
import os
import re
import signal
import subprocess
import tempfile
import time
from typing import IO, Callable, Iterator, List, NamedTuple, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.compile_progress import STATUS, Progress, step
from ansible_collections.cloudbench.llama.plugins.module_utils.system import process
from ansible_collections.cloudbench.llama.plugins.module_utils.system.watch import Watch

# Between two looks at what Ninja has printed: a step takes some seconds.
_LOOK_SECONDS = 0.5
# How long Ninja may take to remove what it was interrupted in.
_END_SECONDS = 10.0
# A dry run only reads build.ninja and the times of the files; configuring again takes some seconds.
_PLAN_SECONDS = 120.0
# CMake looks at the compiler and at the system again, which takes minutes on a slow one.
_CONFIGURE_SECONDS = 900
# The option of roles/llama_cpp/files/programs/quick.cmake.
_QUICK = "CLOUDBENCH_QUICK_COMMON"
_LOCK = "cloudbench-compile.lock"

# prctl(2): the signal a process gets when its parent dies.
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def _end_with_parent() -> None:
    """Have this process get SIGTERM when its parent dies; called in the child before exec.

    On SIGTERM Ninja ends its compilers, each in a process group of its own: killed, it would leave them to go on.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class CompileError(ValueError):
    """A build cannot be compiled; the message says why and what to do."""


class Abandoned(Exception):
    """Nobody waits for the build any more: the compiler was ended. What it had finished is kept."""


class Compiled(NamedTuple):
    """How Ninja ended.

    Its exit code (minus the signal that ended it), what it printed, how many steps it did, and what that took, the
    compilers' processor time included.
    """

    argv: List[str]
    code: int
    stdout: str
    stderr: str
    steps: int
    wall_s: float
    cpu_s: float


def cached(directory: str, variable: str) -> str:
    """Return a variable of CMakeCache.txt. Raises CompileError where the directory is not configured or lacks it."""
    try:
        with open(os.path.join(directory, "CMakeCache.txt"), encoding="utf-8", errors="replace") as file:
            match = re.search(r"^%s:\w+=(.+)$" % re.escape(variable), file.read(), re.MULTILINE)
    except OSError as error:
        raise CompileError("%s is not configured (%s); remove it and run again" % (directory, error)) from error
    if not match:
        raise CompileError("%s names no %s in CMakeCache.txt; remove it and run again" % (directory, variable))
    return match.group(1)


def planned(ninja: str, directory: str, targets: List[str]) -> List[str]:
    """Return the descriptions of the steps that are left to do; empty when Ninja does not say."""
    try:
        done = process.run(
            [ninja, "-C", directory, "-n"] + targets, _PLAN_SECONDS, environment={"NINJA_STATUS": STATUS}
        )
    except OSError:
        return []
    steps = filter(None, map(step, done.stdout.splitlines()))
    return [planned_step.what for planned_step in steps]


@contextlib.contextmanager
def build_lock(directory: str, watch: Watch) -> Iterator[None]:
    """Hold the one lock of a build directory; the kernel drops it when the process dies.

    Two of Ninja in one directory write the same files. Whoever comes second waits: the first one ends by itself when
    its controller is gone, and what it has compiled need not be compiled again. Raises Abandoned.
    """
    with open(os.path.join(directory, _LOCK), "w", encoding="ascii") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                watch.write({"waiting": True, "done": 0, "of": 0, "left_s": None})
                if watch.abandoned():
                    raise Abandoned() from None
                time.sleep(_LOOK_SECONDS)
        yield


def compile_targets(directory: str, targets: List[str], jobs: int, watch: Watch) -> Compiled:
    """Compile `targets` in a configured build directory with `jobs` compilers at once, and return how it ended.

    A llama.cpp whose files cannot be compiled together (quick.cmake) is compiled as it is, file by file.

    Raises CompileError where Ninja cannot be started, and Abandoned; then, as on any other exception, Ninja and its
    compilers are ended, and what they were just writing is made again by the next run.
    """
    # Without `cmake --build` around it: a compilation that is ended must end as a whole, and CMake hands on no signal.
    ninja = cached(directory, "CMAKE_MAKE_PROGRAM")
    with build_lock(directory, watch):
        done = _ninja(ninja, directory, targets, jobs, watch)
        if not done.code or not quick_failed(done.stdout) or not _slowly(directory):
            return done
        again = _ninja(ninja, directory, targets, jobs, watch)
        return again._replace(
            steps=done.steps + again.steps, wall_s=done.wall_s + again.wall_s, cpu_s=done.cpu_s + again.cpu_s
        )


def quick_failed(stdout: str) -> bool:
    """Say whether Ninja stopped at what quick.cmake has changed: a file of ours that includes others, or the linker."""
    return bool(re.search(r"^FAILED: .*(?:/__/cloudbench/|\bbin/)", stdout, re.MULTILINE))


def _slowly(directory: str) -> bool:
    """Configure a build to be compiled as llama.cpp has it; say whether it was not so already."""
    try:
        if cached(directory, _QUICK) != "ON":
            return False
        argv = [cached(directory, "CMAKE_COMMAND"), "-D%s=OFF" % _QUICK, directory]
        return process.run(argv, _CONFIGURE_SECONDS).exit_code == 0
    except (CompileError, OSError):
        return False


def _ninja(ninja: str, directory: str, targets: List[str], jobs: int, watch: Watch) -> Compiled:
    argv = [ninja, "-C", directory, "-j", str(jobs)] + targets
    progress = Progress(planned(ninja, directory, targets))
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.monotonic()
        try:
            # AnsibleModule.run_command says nothing before the end.
            running = subprocess.Popen(  # pylint: disable=ansible-bad-function
                argv,
                env=dict(os.environ, NINJA_STATUS=STATUS),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        except OSError as error:
            raise CompileError("%s cannot be run: %s" % (ninja, error)) from error
        try:
            used = _follow(running, out, progress, started, watch)
        except BaseException:
            _end(running)
            raise
        return Compiled(
            argv=argv,
            code=running.returncode,
            stdout=_text(out),
            stderr=_text(err),
            steps=progress.done,
            wall_s=used.wall_s,
            cpu_s=used.cpu_user_s + used.cpu_system_s,
        )


def _follow(
    running: subprocess.Popen[bytes], out: IO[bytes], progress: Progress, started: float, watch: Watch
) -> process.Usage:
    """Hand on how far Ninja is until it ends; return what it used."""
    lines = _Lines(out.fileno(), progress.take)
    while True:
        # wait4 and not Popen.wait: only it gives the usage of this one child.
        pid, status, used = os.wait4(running.pid, os.WNOHANG)
        elapsed = time.monotonic() - started
        lines.read()
        if pid:
            # Tells Popen that its child is reaped.
            running.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            return process.usage_of(used, elapsed)
        watch.write(dict(progress.state(elapsed)))
        if watch.abandoned():
            raise Abandoned()
        time.sleep(_LOOK_SECONDS)


class _Lines:
    """What is new in a file that another process appends to, line by line."""

    def __init__(self, descriptor: int, take: Callable[[str], None]) -> None:
        self._descriptor = descriptor
        self._take = take
        self._offset = 0
        self._rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self) -> None:
        # pread: the position of the file belongs to the process that writes.
        new = os.pread(self._descriptor, 1 << 20, self._offset)
        while new:
            self._offset += len(new)
            whole, _newline, self._rest = (self._rest + self._decoder.decode(new)).rpartition("\n")
            for line in whole.splitlines():
                self._take(line)
            new = os.pread(self._descriptor, 1 << 20, self._offset)


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


def _end(running: subprocess.Popen[bytes]) -> None:
    """End Ninja and its compilers: asked first, for then it removes what is half written, and killed if it goes on."""
    for number, patience in ((signal.SIGTERM, _END_SECONDS), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, number)
        waited: Optional[float] = patience
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(waited)
