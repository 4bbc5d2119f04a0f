# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes over a network interface while a program runs, by the counters of /proc/net/dev; who is connected to it.

The counters are those of the network namespace of whoever reads them, and of all that goes over the interface.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import List, NamedTuple, Optional, Tuple

# A read costs microseconds. What is wanted is the traffic of the seconds at the end of a launch.
INTERVAL_S = 0.1
# Of 8 tokens of a small model, in two intervals, less was told than the logits that had moved.
LEAST_INTERVALS = 5


# Of a TCP connection over which something may go, as /proc/net/tcp has it (net/tcp_states.h).
_ESTABLISHED = "01"


class Traffic(NamedTuple):
    """Bytes and packets, received and sent together."""

    bytes: int
    packets: int


def interface_to(address: str, proc: str = "/proc") -> Optional[str]:
    """Return the interface by which this host reaches an IPv4 address, None where the table of routes has none."""
    try:
        (wanted,) = struct.unpack("=I", socket.inet_aton(address))
        with open(proc + "/net/route", encoding="ascii", errors="replace") as file:
            rows = [line.split() for line in file][1:]
        # Destination, mask and metric of the main table, numbers of the byte order of this machine.
        routes = [
            (int(row[7], 16), -int(row[6]), row[0]) for row in rows if wanted & int(row[7], 16) == int(row[1], 16)
        ]
    except (OSError, ValueError, IndexError, struct.error):
        return None
    # The longest prefix, and of those the least metric. A longer mask is the larger number in the network's order.
    routes.sort(key=lambda route: (bin(route[0]).count("1"), route[1]))
    return routes[-1][2] if routes else None


def traffic(interface: str, proc: str = "/proc") -> Optional[Traffic]:
    """Return what has gone over an interface since it is there, None where the kernel does not say."""
    try:
        with open(proc + "/net/dev", encoding="ascii", errors="replace") as file:
            for line in file:
                name, colon, counts = line.partition(":")
                if colon and name.strip() == interface:
                    words = [int(word) for word in counts.split()]
                    return Traffic(words[0] + words[8], words[1] + words[9])
    except (OSError, ValueError, IndexError):
        pass
    return None


def established(port: int, pid: int, proc: str = "/proc") -> int:
    """Return how many IPv4 connections to a port the network of a process has, 0 where the kernel does not say."""
    try:
        with open("%s/%d/net/tcp" % (proc, pid), encoding="ascii", errors="replace") as file:
            rows = [line.split() for line in file][1:]
        return sum(row[1].endswith(":%04X" % port) and row[3] == _ESTABLISHED for row in rows)
    except (OSError, IndexError):
        return 0


class Meter:
    """Reads the counters of an interface from its entry to its exit.

    begin() tells when a program was started; what went over the interface is asked for by seconds from then on.
    """

    def __init__(self, interface: Optional[str], interval_s: float = INTERVAL_S, proc: str = "/proc") -> None:
        self.interface = interface
        self._interval_s = interval_s
        self._proc = proc
        self._ended = threading.Event()
        self._thread: Optional[threading.Thread] = None
        self._looks: List[Tuple[float, Traffic]] = []
        self._began = time.monotonic()

    def begin(self, _pid: int) -> None:
        """A program was started just now."""
        self._began = time.monotonic()

    def __enter__(self) -> Meter:
        self._look()
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._ended.wait(self._interval_s):
            self._look()

    def _look(self) -> None:
        seen = traffic(self.interface, self._proc) if self.interface else None
        if seen:
            self._looks.append((time.monotonic(), seen))

    def between(self, after_s: float, until_s: float) -> Optional[Traffic]:
        """Return what went over the interface between two times since the program was started, None where unknown.

        Between two looks traffic is taken for even: the ends of the time are right to one interval, so that a time of
        fewer than LEAST_INTERVALS is not told.
        """
        if until_s - after_s < LEAST_INTERVALS * self._interval_s:
            return None
        first, last = self._at(self._began + after_s), self._at(self._began + until_s)
        if first is None or last is None:
            return None
        return Traffic(max(0, round(last[0] - first[0])), max(0, round(last[1] - first[1])))

    def _at(self, moment: float) -> Optional[Tuple[float, float]]:
        looks = self._looks
        if len(looks) < 2:
            return None
        after = next((number for number, (when, _seen) in enumerate(looks) if when >= moment), len(looks) - 1)
        (before_s, before), (after_s, later) = looks[max(0, after - 1)], looks[after]
        share = min(1.0, max(0.0, (moment - before_s) / (after_s - before_s))) if after_s > before_s else 1.0
        return before[0] + share * (later[0] - before[0]), before[1] + share * (later[1] - before[1])
