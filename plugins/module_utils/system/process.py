# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one program as one fresh process and account for it: output, wall time, CPU time, memory, faults."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import subprocess
import tempfile
import threading
import time
from typing import IO, Callable, List, Mapping, NamedTuple, Optional, Sequence

from ansible_collections.cloudbench.llama.plugins.module_utils.system.environment import inherited

# Launches start in the home directory and name what lies below it from there, because llama-bench writes the model's
# path into its row: a record that is published then tells no user's name, and its command can be run elsewhere.
HOME = os.path.expanduser("~")

# Characters of a log's end that a failure record keeps.
STDERR_TAIL = 2000


class Usage(NamedTuple):
    """What the kernel accounted for one finished process and the children it waited for (getrusage(2))."""

    wall_s: float
    cpu_user_s: float
    cpu_system_s: float
    rss_peak_bytes: int
    minor_faults: int
    major_faults: int
    context_switches_voluntary: int
    context_switches_involuntary: int


def usage_of(used: resource.struct_rusage, wall_s: float) -> Usage:
    """Return what wait4(2) gave of a process that ran for so many seconds."""
    return Usage(
        wall_s=wall_s,
        cpu_user_s=used.ru_utime,
        cpu_system_s=used.ru_stime,
        rss_peak_bytes=used.ru_maxrss * 1024,
        minor_faults=used.ru_minflt,
        major_faults=used.ru_majflt,
        context_switches_voluntary=used.ru_nvcsw,
        context_switches_involuntary=used.ru_nivcsw,
    )


class Finished(NamedTuple):
    """A process that ended: exit_code is None when a signal ended it, signal is None when none did.

    `printed_s`: seconds from its start until it last wrote to standard output, None where it wrote nothing. What comes
    later frees what it held, which takes its time.
    """

    argv: List[str]
    stdout: str
    stderr: str
    exit_code: Optional[int]
    signal: Optional[int]
    timed_out: bool
    out_of_memory: bool
    usage: Usage
    printed_s: Optional[float] = None


def _oom_kills(proc: str = "/proc") -> int:
    try:
        with open(proc + "/vmstat", encoding="ascii") as lines:
            for line in lines:
                name, _space, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    except (OSError, ValueError):
        pass
    return 0


def _read(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


# prctl(2): the signal a process gets when its parent dies; no transparent huge pages, also after exec.
_PR_SET_PDEATHSIG, _PR_SET_THP_DISABLE = 1, 41
_LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Called in the child before exec: a runner that is killed must not leave a benchmark behind."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def prepared(cpus: Sequence[int] = (), huge_pages: bool = True) -> Callable[[], None]:
    """Return what is called in the child before exec: die_with_parent, and `cpus` are all that it may run on.

    No `cpus` are those that this process may run on; the call raises OSError where none of them may be used. Without
    `huge_pages` the kernel gives the program no transparent ones, even where it does so to all.
    """

    def prepare() -> None:
        die_with_parent()
        if cpus:
            os.sched_setaffinity(0, cpus)
        if not huge_pages:
            _LIBC.prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0)

    return prepare


def run(
    argv: List[str],
    time_limit: float,
    environment: Optional[Mapping[str, str]] = None,
    directory: Optional[str] = None,
    started: Optional[Callable[[int], None]] = None,
    clean: bool = False,
    cpus: Sequence[int] = (),
    huge_pages: bool = True,
) -> Finished:
    """Run `argv` (no shell, empty standard input) for at most `time_limit` seconds and return how it ended.

    `environment` is added to that of this process, with `clean` to what environment.inherited() leaves of it.
    `directory` is where the program starts; `started` is called with its process id as soon as it runs. `cpus` are the
    processors that it may run on, all of this process's when there are none; `huge_pages` as prepared() has it.

    The process leads a process group of its own, and the whole group is killed at the time limit or when this
    call is interrupted. Raises OSError when the program cannot be started.

    ru_maxrss is the largest set ever resident in the process, in KiB. Linux carries the size of the forking
    process over exec, so it cannot be less than that of the Python that called: some 20 MB.
    """
    oom_kills = _oom_kills()
    expired = threading.Event()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start, started_at = time.monotonic(), time.time()
        # The core knows no AnsibleModule, and run_command accounts for nothing.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv,
            env=dict(inherited() if clean else os.environ, **(environment or {})),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            preexec_fn=prepared(cpus, huge_pages),
        )

        def kill() -> None:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

        def expire() -> None:
            expired.set()
            kill()

        timer = threading.Timer(time_limit, expire)
        timer.daemon = True
        timer.start()
        try:
            if started:
                started(process.pid)
            # wait4 and not Popen.wait: only it gives the usage of this one child.
            _pid, status, used = os.wait4(process.pid, 0)
        except BaseException:
            kill()
            process.wait()
            raise
        finally:
            timer.cancel()
        wall = time.monotonic() - start
        killed_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        exit_code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        # Tells Popen that its child is reaped, so that it neither waits for it nor warns.
        process.returncode = exit_code if killed_by is None else -killed_by
        return Finished(
            argv=argv,
            stdout=_read(out),
            stderr=_read(err),
            exit_code=exit_code,
            signal=killed_by,
            timed_out=expired.is_set(),
            out_of_memory=(killed_by == signal.SIGKILL and not expired.is_set() and _oom_kills() > oom_kills),
            usage=usage_of(used, wall),
            printed_s=_printed(out, started_at, wall),
        )


def _printed(out: IO[bytes], started_at: float, wall: float) -> Optional[float]:
    """Return when a file was last written to, in seconds since a time of the clock, at most `wall`; None if never."""
    written = os.fstat(out.fileno())
    return min(wall, max(0.0, written.st_mtime - started_at)) if written.st_size else None


def last_words(stderr: str) -> str:
    """Return the line of a log that most likely says what went wrong: the last that names an error, else the last."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    named = [line for line in lines if "error" in line.lower() or "failed" in line.lower()]
    return (named or lines or ["it said nothing"])[-1][:300]


def reason(stderr: str, most: int = 1000) -> str:
    """Return what a program said from the first line that names an error on, in one line of at most `most` characters.

    git says first what is wrong and then what to do, pip the other way round. Empty where it said nothing.
    """
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    begins = [index for index, line in enumerate(lines) if re.match(r"(?i)(fatal|error|remote): ", line)]
    return " ".join(lines[begins[0] if begins else 0 :])[:most]
