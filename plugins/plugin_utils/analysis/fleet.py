# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that measure side by side, in one line: how many are done, run and failed, what time and USD are left."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.time_budget import duration
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics

RUNNING, DONE, FAILED = "running", "done", "failed"


@dataclass
class _Host:
    """One host: its state, the seconds that it said were left and when it said so, what an hour of it costs in USD."""

    state: str = RUNNING
    left_s: float | None = None
    said_at: float = 0.0
    usd_hour: Decimal | None = None

    def left(self, now: float) -> float | None:
        """Return the seconds that it has left, None where it has not said so."""
        return None if self.left_s is None else max(0.0, self.left_s - (now - self.said_at))


@dataclass
class Fleet:
    """What is known of the hosts, by their names in the inventory. Times are those of one clock, in seconds."""

    hosts: dict[str, _Host] = field(default_factory=dict)

    def begin(self, name: str, usd_hour: Decimal | None = None) -> None:
        """A host begins to measure."""
        self.hosts[name] = _Host(usd_hour=usd_hour)

    def drop(self, name: str) -> None:
        """A host has nothing to measure."""
        self.hosts.pop(name, None)

    def progress(self, name: str, left_s: float | None, now: float) -> None:
        """A host that measures has said how long it takes yet; of another one that is late and says nothing."""
        host = self.hosts.get(name)
        if host and host.state == RUNNING:
            host.left_s, host.said_at = left_s, now

    def end(self, name: str, failed: bool) -> None:
        """A host has come to its end; what failed once stays so, whatever rescued the run."""
        host = self.hosts.get(name)
        if host and host.state == RUNNING:
            host.state = FAILED if failed else DONE

    def count(self, state: str) -> int:
        """Return how many hosts are in a state."""
        return sum(host.state == state for host in self.hosts.values())

    def line(self, now: float) -> str:
        """Return the line: `12 hosts: 3 done, 8 running, 1 failed; about 4 min left; about 0.31 USD left`."""
        counts = ", ".join(f"{self.count(state)} {state}" for state in (DONE, RUNNING, FAILED))
        told = [f"{metrics.plural(len(self.hosts), 'host')}: {counts}"]
        running = [host for host in self.hosts.values() if host.state == RUNNING]
        left = [host.left(now) for host in running]
        known = [seconds for seconds in left if seconds is not None]
        if known:
            least = "" if len(known) == len(left) else " or more"
            told.append(f"about {duration(max(known))} left{least}")
        if running and all(host.usd_hour is not None for host in running) and len(known) == len(left):
            usd = sum(float(host.usd_hour or 0) * (host.left(now) or 0.0) / 3600 for host in running)
            told.append(f"about {usd:.2f} USD left")
        return "; ".join(told)
