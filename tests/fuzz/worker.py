# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that gives inputs to one target, with little memory, watched by the one that it was forked from.

What a signal of our own can stop is stopped in the process (target.examine). What hangs in C, or takes the process with
it, is seen from outside: the number of the input stands in memory that both share, and the next process goes on behind
it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import resource
import select
import signal
import struct
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, NoReturn

from fuzz.mutate import Mutator
from fuzz.shrink import shrink
from fuzz.target import EXCEPTION, MEMORY_BYTES, TIME, Fault, Target, clock, examine

# Without a step in so long a process is taken for one that hangs, however busy the machine is.
STUCK_SECONDS = 60.0
# One input in so many is made by Hypothesis where a target has a strategy.
BY_HYPOTHESIS = 50
# After so many processes that did not come to their end a target is given up.
_MOST_LOST = 5
_MOST_KINDS = 20


class Finding(NamedTuple):
    """A fault, the first input that showed it, the least one that does, and how many inputs did."""

    fault: Fault
    data: bytes
    least: bytes
    times: int


class Result(NamedTuple):
    """What came of a target: wall seconds, and processor seconds, which others on the machine do not lengthen.

    `peak_bytes`: the most memory that its process had, with Python and all our modules.
    """

    target: str
    inputs: int
    seconds: float
    peak_bytes: int
    findings: list[Finding]
    by_hypothesis: int = 0
    cpu_s: float = 0.0


def key(target: Target, seed: int, number: int) -> int:
    """Return the seed of the random numbers of an input."""
    return (seed % 2**64) << 96 | zlib.crc32(target.name.encode()) << 64 | number


def make(target: Target, seed: int, number: int, mutator: Mutator | None = None) -> bytes:
    """Return an input of a target by its number."""
    return (mutator or Mutator(target)).make(Random(key(target, seed, number)))


def run(target: Target, inputs: int, seed: int) -> Result:
    """Give a target so many inputs, in processes of their own, and return what came of it."""
    begun = time.monotonic()
    structured = inputs // BY_HYPOTHESIS if target.strategy else 0
    shared = mmap.mmap(-1, 8)
    findings: dict[tuple[str, str], Finding] = {}
    number, peak, lost, cpu_s = 0, 0, 0, 0.0
    while number < inputs - structured and lost < _MOST_LOST:
        first = number
        done, cause = _forked(lambda: _work(target, first, inputs - structured, seed, shared), shared)  # noqa: B023
        if done is None:
            lost += 1
            number = struct.unpack("<Q", shared[:8])[0]
            fault = Fault(TIME if cause == "stuck" else EXCEPTION, f"the process {cause}", target.name)
            _add(findings, Finding(fault, data := make(target, seed, number), data, 1))
            number += 1
            continue
        number = inputs - structured
        peak, cpu_s = max(peak, done["peak"]), cpu_s + done["cpu_s"]
        for finding in done["findings"]:
            _add(findings, finding)
    made = 0
    if structured:
        done, cause = _forked(lambda: _work_structured(target, structured, seed, shared), shared)
        if done is None:
            fault = Fault(TIME if cause == "stuck" else EXCEPTION, f"the process {cause}, by Hypothesis", target.name)
            _add(findings, Finding(fault, b"", b"", 1))
        else:
            made, peak, cpu_s = done["inputs"], max(peak, done["peak"]), cpu_s + done["cpu_s"]
            for finding in done["findings"]:
                _add(findings, finding)
    return Result(target.name, number + made, time.monotonic() - begun, peak, list(findings.values()), made, cpu_s)


def least(target: Target, finding: Finding) -> Finding:
    """Return a finding with the least input that shows the same fault."""

    def fails(data: bytes) -> bool:
        fault = examine(target, data)
        return fault is not None and (fault.kind, fault.where) == (finding.fault.kind, finding.fault.where)

    def work() -> dict[str, Any]:
        with _place(), clock():
            return {"least": shrink(finding.least, fails)}

    shared = mmap.mmap(-1, 8)
    done, _cause = _forked(work, shared)
    return finding if done is None else finding._replace(least=done["least"])


def judged(target: Target, data: bytes) -> Fault | None:
    """Return the fault that an input shows, found out in a process as in a run."""

    def work() -> dict[str, Any]:
        with _place(), clock():
            return {"fault": examine(target, data)}

    done, cause = _forked(work, mmap.mmap(-1, 8))
    return (
        Fault(TIME if cause == "stuck" else EXCEPTION, f"the process {cause}", target.name)
        if done is None
        else done["fault"]
    )


def _add(findings: dict[tuple[str, str], Finding], finding: Finding) -> None:
    kind = finding.fault.kind, finding.fault.where
    before = findings.get(kind)
    findings[kind] = finding if before is None else before._replace(times=before.times + finding.times)


# ---- In the process ----


def _work(target: Target, first: int, end: int, seed: int, shared: mmap.mmap) -> dict[str, Any]:
    findings: dict[tuple[str, str], Finding] = {}
    mutator = Mutator(target)
    with _place(), clock():
        for number in range(first, end):
            shared[:8] = struct.pack("<Q", number)
            data = mutator.make(Random(key(target, seed, number)))
            fault = examine(target, data)
            if fault is not None and (len(findings) < _MOST_KINDS or (fault.kind, fault.where) in findings):
                _add(findings, Finding(fault, data, data, 1))
    return {"findings": list(findings.values()), **_used()}


def _work_structured(target: Target, count: int, seed: int, shared: mmap.mmap) -> dict[str, Any]:
    import hypothesis

    assert target.strategy is not None
    findings: dict[tuple[str, str], Finding] = {}
    made = 0

    def check(data: bytes) -> None:
        nonlocal made
        made += 1
        shared[:8] = struct.pack("<Q", made)
        fault = examine(target, data)
        if fault is not None:
            _add(findings, Finding(fault, data, data, 1))

    settings = hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    with _place(), clock():
        hypothesis.seed(seed)(settings(hypothesis.given(target.strategy())(check)))()
    return {"findings": list(findings.values()), **_used(), "inputs": made}


@contextlib.contextmanager
def _place() -> Iterator[None]:
    """Work with little memory, in the directory that the process was given. The process ends soon."""
    limit = _address_space() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    yield


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    return pages * resource.getpagesize()


def _used() -> dict[str, Any]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"peak": used.ru_maxrss * 1024, "cpu_s": used.ru_utime + used.ru_stime}


# ---- From outside ----


def _forked(work: Callable[[], dict[str, Any]], shared: mmap.mmap) -> tuple[dict[str, Any] | None, str]:
    """Return what `work` returns in a process of its own; None, and what became of that, where it returns nothing."""
    # Removed here, since a process that was ended removes nothing.
    with tempfile.TemporaryDirectory(prefix="cloudbench-fuzz-") as directory:
        return _watched(work, shared, directory)


def _watched(work: Callable[[], dict[str, Any]], shared: mmap.mmap, place: str) -> tuple[dict[str, Any] | None, str]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        os.chdir(place)
        _child(work, writing)
    os.close(writing)
    parts = []
    seen, since = shared[:8], time.monotonic()
    stuck = False
    with open(reading, "rb", buffering=0) as pipe:
        while True:
            ready, _nothing, _none = select.select([pipe], [], [], 0.5)
            if ready:
                part = pipe.read(1 << 16)
                if not part:
                    break
                parts.append(part)
            if shared[:8] != seen:
                seen, since = shared[:8], time.monotonic()
            elif time.monotonic() - since > STUCK_SECONDS:
                os.kill(pid, signal.SIGKILL)
                stuck = True
                break
    _pid, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if stuck:
        return None, "stuck"
    if code or not parts:
        return None, f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
    done: dict[str, Any] = pickle.loads(b"".join(parts))  # noqa: S301 - of our own process
    return done, ""


def _child(work: Callable[[], dict[str, Any]], writing: int) -> NoReturn:
    code = 1
    try:
        content = pickle.dumps(work())
        with open(writing, "wb") as pipe:
            pipe.write(content)
        code = 0
    except BaseException:  # nothing of the parent may run here
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)
