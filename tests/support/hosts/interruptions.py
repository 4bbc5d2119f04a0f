# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of site.yml whose processes are killed, the same command given again until it ends, and what came of it.

Used by the scenario `default`, by benchmarks/random_kills.py and by the faults of chaos.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

CONTROLLER, RUNNER, BOTH = "controller", "runner", "both"
# Programs of which no two may run at once on a machine.
MEASURING = (b"llama-bench", b"llama-server", b"llama-batched-bench", b"llama-roofline")

Record = dict[str, Any]


class Kill(NamedTuple):
    """Whom to kill with SIGKILL, how many launches after the start of a try, and how many seconds after that one."""

    victim: str
    launches: int
    seconds: float


class Interrupted(NamedTuple):
    """What came of it.

    `lost`: records that were on disk, in spool or store, when a process was killed and are not in the store at the end.
    `doubled`: launches of one cell and number that are there twice. `short`: cells with fewer launches than planned.
    `unended`: runs that did not come to their end. `at_once`: most measuring programs seen at the same time, and
    `at_most` which those were. `outputs`: of each try.
    """

    kills: int
    tries: int
    runs: int
    unended: list[str]
    launches: int
    lost: list[Record]
    doubled: list[str]
    short: list[str]
    at_once: int
    at_most: list[str]
    outputs: list[str]


def records_in(paths: Iterable[Path]) -> Iterator[Record]:
    """Yield the records of files of lines; a line that is cut off is none."""
    for path in paths:
        for line in path.read_text("utf-8", "replace").splitlines():
            with contextlib.suppress(ValueError):
                yield json.loads(line)


def launches_in(spool: Path) -> int:
    """Return how many launches a spool holds."""
    return sum(record["kind"] == "launch" for record in records_in(spool.glob("*.jsonl")))


def on_disk(spool: Path, results: Path) -> list[Record]:
    """Return all records that a host and its controller hold."""
    return list(records_in([*spool.glob("*.jsonl"), *results.glob("*/records/*.jsonl")]))


class _Watcher(threading.Thread):
    """Counts the measuring programs of this machine, again and again."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0
        # Those that were seen when there were most, each with what it is and where it came from.
        self.at_most: list[str] = []
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.02):
            now = []
            for directory in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    # A process that has ended has no command line. What a build is asked for measures nothing.
                    argv = (directory / "cmdline").read_bytes().split(b"\0")
                    if os.path.basename(argv[0]) in MEASURING and b"--help" not in argv:
                        parent = (directory / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[1]
                        words = b" ".join(argv).decode("utf-8", "replace")
                        now.append(f"{directory.name}, child of {parent}: {words}")
            if len(now) > self.most:
                self.most, self.at_most = len(now), now

    def stop(self) -> None:
        self._over.set()
        self.join()


def _runner(spool: Path) -> int | None:
    """Return the process id of the runner that wrote its progress last, None when it does not live."""
    for path in sorted(spool.glob("*.progress.json"), key=lambda one: one.stat().st_mtime, reverse=True):
        with contextlib.suppress(OSError, ValueError):
            pid = int(json.loads(path.read_text())["pid"])
            os.kill(pid, 0)
            return pid
    return None


def _interrupt(process: subprocess.Popen[bytes], spool: Path, before: int, kill: Kill, patience: float) -> str:
    """Kill when it is time, and return what went otherwise, "" when nothing did."""
    end = time.monotonic() + patience
    while launches_in(spool) < before + kill.launches or _runner(spool) is None:
        if process.poll() is not None:
            return "it ended before it was killed"
        if time.monotonic() > end:
            return "nothing was launched"
        time.sleep(0.02)
    time.sleep(kill.seconds)
    if process.poll() is not None:
        return "it ended before it was killed"
    # Ansible's worker has a session of its own and lives on, as it would.
    if kill.victim in (CONTROLLER, BOTH):
        process.kill()
    runner = _runner(spool)
    if kill.victim in (RUNNER, BOTH) and runner:
        os.kill(runner, signal.SIGKILL)
    return ""


def interrupted(
    command: Sequence[str],
    project: Path,
    environment: Mapping[str, str],
    spool: Path,
    results: Path,
    kills: Sequence[Kill],
    patience: float = 300.0,
) -> Interrupted:
    """Give `command` once for each of `kills` and interrupt it, then once more without, and look at what is left.

    Raises AssertionError when a try that is to be killed ends before, or the last one does not succeed.
    """
    watcher = _Watcher()
    watcher.start()
    outputs: list[str] = []
    seen: list[Record] = []
    try:
        for kill in [*kills, None]:
            before = launches_in(spool)
            # A file and no pipe: what is left of a killed controller would hold the pipe open.
            with tempfile.TemporaryFile("w+") as output:
                process = subprocess.Popen(
                    command, cwd=project, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output,
                    stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
                try:
                    why = _interrupt(process, spool, before, kill, patience) if kill else ""
                    seen += on_disk(spool, results) if kill else []
                    process.wait(patience)
                except subprocess.TimeoutExpired:
                    why = f"it did not end within {patience:.0f} s"
                finally:
                    process.kill()
                    process.wait()
                output.seek(0)
                outputs.append(output.read())
            if not kill and process.returncode:
                why = f"exit code {process.returncode}"
            assert not why, f"{why}:\n{outputs[-1]}"
    finally:
        watcher.stop()
    return judged(len(kills), outputs, seen, list(records_in(results.glob("*/records/*.jsonl"))), watcher.at_most)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def judged(
    kills: int, outputs: list[str], seen: list[Record], kept: list[Record], at_most: Sequence[str] = ()
) -> Interrupted:
    """Say what came of it: `seen` was on disk when something went wrong, `kept` is in the store at the end."""
    there = {_text(record) for record in kept}
    lost = {_text(record): record for record in seen if _text(record) not in there}
    of_launches = [record for record in kept if record["kind"] == "launch"]
    # Two runs may have a launch of the same number each, and so may two machines of one run.
    numbers = Counter(
        _text([one["run"], one["machine"], one["payload"]["cell"], one["payload"]["number"]]) for one in of_launches
    )
    of_cell = Counter(_text([one["machine"], one["payload"]["cell"]]) for one in of_launches)
    plans = [record for record in kept if record["kind"] == "run"]
    ends = [record for record in kept if record["kind"] == "end"]
    ended = {record["run"] for record in ends if record["payload"]["state"] == "finished"}
    planned = {
        _text([plan["machine"], cell]): plan["payload"]["launches"]
        for plan in plans
        for cell in plan["payload"]["cells"]
    }
    return Interrupted(
        kills=kills,
        tries=len(outputs),
        runs=len({record["run"] for record in kept}),
        unended=sorted({record["run"] for record in kept} - ended),
        launches=len(of_launches),
        lost=list(lost.values()),
        doubled=[cell for cell, count in numbers.items() if count > 1],
        short=[cell for cell, wanted in planned.items() if of_cell[cell] < wanted],
        at_once=len(at_most),
        at_most=list(at_most),
        outputs=outputs,
    )


def drawn(count: int, seed: int, most_launches: int = 3, most_seconds: float = 1.5) -> list[Kill]:
    """Return `count` kills at random, each kind of victim as often as the others but for one."""
    source = random.Random(seed)
    victims = [(CONTROLLER, RUNNER, BOTH)[i % 3] for i in range(count)]
    source.shuffle(victims)
    return [Kill(one, source.randint(0, most_launches), source.uniform(0, most_seconds)) for one in victims]
