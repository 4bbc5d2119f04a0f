# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many threads of a program compute, counted from /proc/<pid>/task and the processor time of each.

A program says how many it was asked for: with OMP_THREAD_LIMIT=1 or OMP_DYNAMIC=true llama-bench says 2, and 1 runs.
Threads exist that do nothing, such as those that wait for a connection of a server, so that only processor time counts.
"""

from __future__ import annotations

import math
import os
from typing import Dict, List, NamedTuple, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.record.digits import whole

# A thread computed that had such a share of the busiest one's processor time: those of one team wait for each other, so
# that all of them get about as far, however little a busy machine leaves them.
_COMPUTES = 0.2
# The clock of the kernel ticks a hundred times a second. Less processor time than this says nothing, and there is no
# use in looking again within so short a time.
_LEAST_S, _SHORTEST_S = 0.05, 0.2
# Of a thread's worth of processor time, what the clock may be wrong by.
_SLACK = 0.1


class _Look(NamedTuple):
    """How many threads computed between two moments, in seconds since the process was started."""

    after_s: float
    until_s: float
    threads: int


def _seconds(path: str) -> Optional[float]:
    """Return the processor time in a file of the form of /proc/<pid>/stat, None where it cannot be read."""
    try:
        with open(path, "rb") as file:
            # The name, in brackets, may hold spaces and brackets.
            fields = file.read().decode("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    user, system = (whole(word) for word in fields[11:13]) if len(fields) > 12 else (None, None)
    return None if user is None or system is None else (user + system) / float(os.sysconf("SC_CLK_TCK"))


class ThreadCount:
    """The threads of a process; `asked` are those that it was told to use, 0 that nobody wants to know.

    Times of begin() and look() are of any one monotonic clock, in seconds. As soon as as many as asked have computed
    there is nothing more to look for: the price of a look is a file for each thread.
    """

    def __init__(self, asked: int, proc: str = "/proc") -> None:
        self.asked = asked
        self._proc = proc
        self._pid: Optional[int] = None
        self._began = self._looked = 0.0
        self._before: Dict[str, float] = {}
        self._whole = 0.0
        self._looks: List[_Look] = []

    def begin(self, pid: int, now: float) -> None:
        """From now on count the threads of a process that has just been started, and forget those of one before."""
        self._pid, self._began, self._looked = pid, now, now
        self._before, self._whole, self._looks = {}, 0.0, []

    @property
    def most(self) -> Optional[int]:
        """The largest number of threads that computed between two looks, None as long as nobody did."""
        return max((look.threads for look in self._looks), default=None)

    def look(self, now: float) -> None:
        """Count those that computed since the last look."""
        if self._pid is None or (self.most or 0) >= self.asked or now - self._looked < _SHORTEST_S:
            return
        directory = "%s/%d" % (self._proc, self._pid)
        try:
            names = os.listdir(directory + "/task")
        except OSError:
            return
        whole = _seconds(directory + "/stat")
        times = {name: _seconds("%s/task/%s/stat" % (directory, name)) for name in names}
        known = {name: seconds for name, seconds in times.items() if seconds is not None}
        if whole is None or not known:
            return
        elapsed = now - self._looked
        spent = [seconds - self._before.get(name, 0.0) for name, seconds in known.items()]
        # Threads that a program starts anew for each step are gone before they are looked at: their time is not.
        together = math.ceil((whole - self._whole) / elapsed - _SLACK)
        busiest = max(spent)
        if busiest >= _LEAST_S:
            count = max(sum(seconds >= _COMPUTES * busiest for seconds in spent), together)
            self._looks.append(_Look(self._looked - self._began, now - self._began, count))
        self._before, self._whole, self._looked = known, whole, now

    def counted(self, after_s: float, until_s: float) -> Optional[int]:
        """Return how many threads computed, None where that was not seen.

        The process computed without a pause between these seconds since its start. That fewer than asked did is
        believed only of looks that lie within: a program loads its model with one thread.
        """
        most = self.most
        if most is not None and most >= self.asked:
            return most
        within = [look.threads for look in self._looks if after_s <= look.after_s and look.until_s <= until_s]
        return max(within, default=None)
