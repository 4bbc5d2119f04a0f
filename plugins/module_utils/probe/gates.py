# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else the machine did during a launch, read from /proc, and whether that spoils the figure."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ansible_collections.cloudbench.llama.plugins.module_utils.record.digits import whole
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Usage

# Above these a launch is INVALID: gate -> (limit, what it means).
LIMITS = {
    "steal_percent": (0.5, "the hypervisor gave the processor to somebody else"),
    "other_cpu_percent": (2.0, "other processes used the processor"),
    "swap_in_pages": (0, "the machine was swapping"),
    # A page of a library that had been dropped costs a fault or two; weights that are not resident cost thousands.
    "major_faults": (50, "weights were read from disk during the launch"),
}

# In a duet others take from both sides alike: that they were there is said, and spoils nothing.
MET_ALIKE = ("steal_percent", "other_cpu_percent")


class Snapshot(NamedTuple):
    """Counters of the whole machine: seconds of processor time, pages, microseconds; None where unreadable.

    `time_s`: when they were read, by the monotonic clock.
    """

    busy_s: Optional[float]
    steal_s: Optional[float]
    total_s: Optional[float]
    swap_in_pages: Optional[int]
    pressure_some_us: Optional[int]
    time_s: Optional[float] = None


def _first_line(path: str, prefix: str) -> Optional[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as lines:
            for line in lines:
                if line.startswith(prefix):
                    return line
    except OSError:
        pass
    return None


def _numbers(line: Optional[str]) -> List[int]:
    """Return the whole numbers of a line, none of one that a container replaced by something else."""
    return [number for number in map(whole, (line or "").split()) if number is not None]


def snapshot(proc: str = "/proc") -> Snapshot:
    """Return the counters now (proc(5)). guest time is part of user time already and is not added again."""
    busy = steal = total = None
    ticks = _numbers(_first_line(proc + "/stat", "cpu "))
    if len(ticks) >= 8:
        user, nice, system, idle, iowait, irq, softirq, stolen = [
            spent / os.sysconf("SC_CLK_TCK") for spent in ticks[:8]
        ]
        busy, steal = user + nice + system + irq + softirq, stolen
        total = busy + steal + idle + iowait
    swap = next(iter(_numbers(_first_line(proc + "/vmstat", "pswpin "))), None)
    pressed = _numbers((_first_line(proc + "/pressure/cpu", "some ") or "").replace("=", " "))
    pressure = pressed[-1] if pressed else None
    return Snapshot(busy, steal, total, swap, pressure, time.monotonic())


def gates(
    before: Snapshot, after: Snapshot, usage: Usage, own_s: float = 0.0, threads_ran: Optional[int] = None
) -> Dict[str, Any]:
    """Return the gates of a launch between two snapshots; a gate is None where the kernel does not say.

    `own_s`: seconds of processor time that the runner itself took, which is no other process. `threads_ran`: how many
    threads computed, None where they were not counted.

    steal_percent, other_cpu_percent: of all processor time there was. pressure_some_percent: of the time between the
    snapshots, which is somewhat longer than that of the launch.
    """

    def delta(name: str) -> Optional[float]:
        old, new = getattr(before, name), getattr(after, name)
        return None if old is None or new is None else new - old

    def share(seconds: Optional[float]) -> Optional[float]:
        total = delta("total_s")
        return round(100 * seconds / total, 3) if total and seconds is not None else None

    busy = delta("busy_s")
    other = None if busy is None else max(0.0, busy - usage.cpu_user_s - usage.cpu_system_s - own_s)
    pressed_us, lasted_s = delta("pressure_some_us"), delta("time_s") or usage.wall_s
    return {
        "steal_percent": share(delta("steal_s")),
        "other_cpu_percent": share(other),
        "pressure_some_percent": None if pressed_us is None else round(pressed_us / 1e4 / lasted_s, 3),
        "swap_in_pages": delta("swap_in_pages"),
        "major_faults": usage.major_faults,
        "threads_ran": threads_ran,
    }


def exceeded(values: Dict[str, Any]) -> Dict[str, str]:
    """Return a sentence for each gate whose limit a launch, or the round of a duet, is above."""
    above: Dict[str, str] = {}
    for name, (limit, meaning) in LIMITS.items():
        value = values.get(name)
        if value is not None and value > limit:
            above[name] = "%s = %s, above %s: %s" % (name, value, limit, meaning)
    return above


def validity(values: Dict[str, Any], threads: int = 0, but: Sequence[str] = ()) -> Dict[str, Any]:
    """Return {"state": VALID or INVALID, "reasons": sentences} of the gates of one launch, told to use `threads`.

    `but`: gates that spoil nothing here.
    """
    reasons = [sentence for name, sentence in exceeded(values).items() if name not in but]
    ran = values.get("threads_ran")
    if ran is not None and ran < threads:
        reasons.append("%d threads asked, %d ran" % (threads, ran))
    return {"state": "INVALID" if reasons else "VALID", "reasons": reasons}
