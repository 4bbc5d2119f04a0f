# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many hosts for a long time with faults at random: nothing lost, nothing doubled, and a controller that does not grow.

The hosts are those of fleet.py. One run of site.yml measures all of them for --minutes; until then a host at a time is
cut off for some seconds, stopped and continued, or has every core taken. In the last tenth of the time all processes of
a host are killed, a host is reset, and the controller is killed. Then the same command is given again until it ends
well, and what is in the store is held against all that was ever on a disk. Moments, hosts and faults follow --seed.

Memory and open files are those of the process of ansible-playbook that lived longest, every 5 s; they are flat where
the median of the last quarter of its life is at most 1.1 times that of the second one.

    .venv/bin/python benchmarks/soak.py --hosts 12 --minutes 120
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import fleet
import needs

# The way to it is fleet's.
from support.hosts import chaos, clones, interruptions
from support.hosts.clones import Clone
from support.hosts.emulated import EmulationError

SAMPLE_S = 5.0
FLAT = 1.1
# Between one fault and the next, in seconds.
PAUSE_S = (10.0, 45.0)
# Of the time, when what ends a host's work or the controller begins: all of it has to be done again.
LATE = 0.9
TRIES = 4


class Sample(NamedTuple):
    """What the controller has: seconds since it was started, bytes of memory of its own, open files."""

    second: float
    resident: int
    files: int


class Soak:
    """A run that faults happen to."""

    def __init__(self, hosts: Mapping[str, Clone], directory: Path, minutes: float, pad: int, seed: int) -> None:
        self.hosts, self.seconds = hosts, 60 * minutes
        self.results = directory / "results"
        self.draw = random.Random(seed)
        self.seen: dict[str, interruptions.Record] = {}
        self.lives: list[list[Sample]] = []
        self.outputs: list[str] = []
        self.faults: Counter[str] = Counter()
        self.busy: set[str] = set()
        launches = max(2, int(self.seconds / pad / len(fleet.TESTS)))
        self.command = fleet.command(hosts, launches, directory)
        self.began = time.monotonic()

    # --- Faults ---

    def cut(self, host: Clone) -> None:
        """Cut it off for up to 20 s."""
        host.cut()
        time.sleep(self.draw.uniform(1, 20))
        host.join()

    def stop(self, host: Clone) -> None:
        """Have all its processes stand still for up to 10 s."""
        host.signal(signal.SIGSTOP)
        time.sleep(self.draw.uniform(1, 10))
        host.signal(signal.SIGCONT)

    def hog(self, host: Clone) -> None:
        """Take every core for up to 10 s."""
        with host.hogged():
            time.sleep(self.draw.uniform(1, 10))

    def kill(self, host: Clone) -> None:
        """Kill all its processes."""
        host.signal(signal.SIGKILL)

    def reset(self, host: Clone) -> None:
        """End it and start it again on its disk. Not in a thread: a host ends with the one that has started it."""
        host.reset(self.draw.uniform(1, 10))

    def begin(self, name: str, fault: Callable[[Clone], None]) -> None:
        """Let a fault happen to a host to which nothing happens now."""
        free = sorted(self.hosts.keys() - self.busy)
        if not free:
            return
        chosen = self.draw.choice(free)
        self.faults[name] += 1
        self.busy.add(chosen)
        self.look()

        def work() -> None:
            fault(self.hosts[chosen])
            self.busy.discard(chosen)

        print(f"{time.monotonic() - self.began:.0f} s: {name} {chosen}", file=sys.stderr, flush=True)
        if fault == self.reset:
            work()
        else:
            threading.Thread(target=work, daemon=True).start()

    # --- The run ---

    def look(self) -> None:
        """Remember what is on any disk."""
        paths = list(self.results.glob("*/records/*.jsonl"))
        for host in self.hosts.values():
            # One that is being reset has no disk to look at.
            with contextlib.suppress(EmulationError, OSError):
                paths += host.path("/srv/spool").glob("*.jsonl")
        for path in paths:
            with contextlib.suppress(OSError):
                self.seen |= {json.dumps(r, sort_keys=True): r for r in interruptions.records_in([path])}

    def attempt(self, faults: bool) -> int:
        """Give the command and wait for its end, with faults or without; return its exit code."""
        samples: list[Sample] = []
        self.lives.append(samples)
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                self.command, cwd=fleet.ROOT, env=fleet.environment(fleet.ROOT, self.results), stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            started = time.monotonic()
            due = started + self.draw.uniform(*PAUSE_S)
            late = [("all processes killed", self.kill), ("reset", self.reset)]
            mild = [("cut off", self.cut), ("stopped", self.stop), ("hog", self.hog)]
            while process.poll() is None:
                samples.append(_sample(process.pid, time.monotonic() - started))
                time.sleep(SAMPLE_S)
                now = time.monotonic()
                if not faults or now < due or process.poll() is not None:
                    continue
                due = now + self.draw.uniform(*PAUSE_S)
                if now - self.began < LATE * self.seconds:
                    self.begin(*self.draw.choice(mild))
                elif late:
                    self.begin(*late.pop())
                else:
                    self.faults["controller killed"] += 1
                    self.look()
                    process.kill()
            output.seek(0)
            self.outputs.append(output.read())
        return process.wait()

    def whole(self) -> int:
        """Run with faults, then again without until it ends well; return the last exit code."""
        code = self.attempt(faults=True)
        for _try in range(TRIES):
            while self.busy:
                time.sleep(0.2)
            self.look()
            if not code:
                break
            code = self.attempt(faults=False)
        return code


def _sample(pid: int, second: float) -> Sample:
    """Return what a process has, nothing where it has ended."""
    with contextlib.suppress(OSError):
        resident = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return Sample(second, resident, len(os.listdir(f"/proc/{pid}/fd")))
    return Sample(second, 0, 0)


def growth(samples: Sequence[Sample], of: Callable[[Sample], int]) -> tuple[float, float]:
    """Return the medians of the second and of the last quarter of a life."""
    quarter = max(1, len(samples) // 4)
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    return statistics.median(map(of, second or samples)), statistics.median(map(of, last))


def main() -> int:
    """Return 0 if nothing is lost, doubled or left and the controller does not grow, else 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, default=12)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--pad", type=int, default=20, help="seconds that each program sleeps first")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    needs.meet(
        needs.playbooks(), needs.root("making hosts"), clones.obstacle(), needs.program("gcc", remedy="install it")
    )
    chaos.prepare()
    with tempfile.TemporaryDirectory() as scratch, fleet.hosts_of(asked.hosts, asked.pad) as hosts:
        soak = Soak(hosts, Path(scratch), asked.minutes, asked.pad, asked.seed)
        code = soak.whole()
        minutes = (time.monotonic() - soak.began) / 60
        kept = list(interruptions.records_in(soak.results.glob("*/records/*.jsonl")))
        left = [line for host in hosts.values() for line in host.processes().values()]
    told = interruptions.judged(sum(soak.faults.values()), soak.outputs, list(soak.seen.values()), kept)
    longest = max(soak.lives, key=len)
    print(f"{asked.hosts} hosts, {minutes:.0f} minutes, seed {asked.seed}: {told.launches} launches, exit code {code}")
    print("faults: " + ", ".join(f"{name} {count}" for name, count in soak.faults.most_common()))
    short = f", {len(told.short)} cells short" if told.short else ""
    print(f"records lost {len(told.lost)}, launches doubled {len(told.doubled)}, processes left {len(left)}{short}")
    good = not (code or told.lost or told.doubled or left or told.short)
    of: list[tuple[str, float, Callable[[Sample], int]]] = [
        ("MB of memory", 1e6, lambda sample: sample.resident), ("open files", 1, lambda sample: sample.files),
    ]  # fmt: skip
    for name, unit, what in of:
        before, after = growth(longest, what)
        print(f"controller, {name}: {before / unit:.0f}, at the end {after / unit:.0f}; at most {FLAT} times wanted")
        good = good and after <= FLAT * before
    print("met" if good else "MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
