# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the processors, the memory and the program's threads do while it runs, read from /proc once a second.

A thread of the runner, which sleeps while the program runs. Its price, and that it changes no figure, is measured by
benchmarks/sampler_cost.py. smaps and PSS are never read: they cost a tenth of a second for each 4 GiB.
"""

from __future__ import annotations

import os
import re
import threading
import time
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.probe.threads import ThreadCount
from ansible_collections.cloudbench.llama.plugins.module_utils.record.digits import whole

INTERVAL_S = 1.0
# What is not read any more after so many samples of a launch: a record is to stay some hundred kilobytes.
MOST_SAMPLES = 3600

_SHARES = ("user", "system", "iowait", "steal", "idle")
_MEMORY = {"rss_bytes": "VmRSS", "anon_bytes": "RssAnon", "file_bytes": "RssFile"}
_STATUS = re.compile(rb"^(VmRSS|RssAnon|RssFile):\s*(\d{1,16}) kB", re.MULTILINE)

Ticks = Tuple[int, int, int, int, int]


class _File:
    """A file of /proc that stays open: the kernel writes it anew for each read from its beginning."""

    def __init__(self, path: str) -> None:
        try:
            self.descriptor: Optional[int] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self.descriptor = None

    def read(self, size: int = 1 << 16) -> bytes:
        """Return the content, nothing where it cannot be read."""
        if self.descriptor is None:
            return b""
        parts: List[bytes] = []
        try:
            while True:
                part = os.pread(self.descriptor, size, sum(map(len, parts)))
                if not part:
                    return b"".join(parts)
                parts.append(part)
        except OSError:
            return b""

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def _ticks(line: bytes) -> Optional[Ticks]:
    """Return user, system, iowait, steal and idle of a line of /proc/stat, in clock ticks since the start."""
    ticks = [whole(word.decode("ascii", "replace")) for word in line.split()[1:9]]
    if len(ticks) < 8 or None in ticks:
        return None
    user, nice, system, idle, iowait, irq, softirq, steal = [number or 0 for number in ticks]
    # guest time is part of user time already.
    return user + nice, system + irq + softirq, iowait, steal, idle


def _shares(before: Optional[Ticks], after: Optional[Ticks]) -> Optional[Tuple[float, ...]]:
    """Return the five shares in percent between two readings, None where there is none or no time went by."""
    if before is None or after is None:
        return None
    spent = [max(0, new - old) for old, new in zip(before, after)]
    total = sum(spent)
    return tuple(round(100.0 * share / total, 1) for share in spent) if total else None


class Sampler:
    """Samples from its entry to its exit; watch() names the process whose memory is read and whose threads are counted.

    `threads`: how many the process is told to use. A launch that is shorter than one interval has a first and a last
    sample. What cannot be read is None.
    """

    def __init__(
        self, interval_s: float = INTERVAL_S, proc: str = "/proc", sys: str = "/sys", threads: int = 0
    ) -> None:
        self.interval_s = interval_s
        self._proc = proc
        self._sys = sys
        self._threads = ThreadCount(threads, proc)
        self._pid: Optional[int] = None
        self._ended = threading.Event()
        self._thread: Optional[threading.Thread] = None
        self._samples: List[Tuple[float, Dict[str, Any]]] = []
        self._start = 0.0

    def watch(self, pid: int) -> None:
        """From now on read the memory of this process, which has just been started, and count its threads."""
        self._threads.begin(pid, time.monotonic())
        self._pid = pid

    def __enter__(self) -> Sampler:
        self._stat = _File(self._proc + "/stat")
        self._frequencies = self._frequency_files()
        self._start, self._zero = time.time(), time.monotonic()
        self._sample()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()
        self._sample()
        for file in [self._stat] + self._frequencies:
            file.close()

    def _run(self) -> None:
        planned = self._zero
        while len(self._samples) < MOST_SAMPLES:
            planned += self.interval_s
            if self._ended.wait(max(0.0, planned - time.monotonic())):
                return
            self._sample()

    def _frequency_files(self) -> List[_File]:
        pattern = self._sys + "/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq"
        paths = [pattern % number for number in range(os.cpu_count() or 1)]
        return [_File(path) for path in paths if os.access(path, os.R_OK)]

    def _sample(self) -> None:
        now = time.monotonic() - self._zero
        lines = self._stat.read().splitlines()
        of_all: Optional[Ticks] = None
        cores: List[Optional[Ticks]] = []
        switches: Optional[int] = None
        for line in lines:
            if line.startswith(b"cpu "):
                of_all = _ticks(line)
            elif line.startswith(b"cpu"):
                cores.append(_ticks(line))
            elif line.startswith(b"ctxt "):
                words = line.split()
                switches = whole(words[1].decode("ascii", "replace")) if len(words) == 2 else None
                break
        taken: Dict[str, Any] = {"all": of_all, "cores": cores, "switches": switches, "mhz": self._mhz()}
        taken.update(self._memory())
        self._samples.append((now, taken))
        self._threads.look(time.monotonic())

    def _mhz(self) -> Optional[float]:
        said = [whole(file.read(64).strip().decode("ascii", "replace")) for file in self._frequencies]
        kilohertz = [number for number in said if number is not None]
        return round(sum(kilohertz) / len(kilohertz) / 1000.0, 1) if kilohertz else None

    def _memory(self) -> Dict[str, Optional[int]]:
        sizes: Dict[bytes, int] = {}
        if self._pid is not None:
            status = _File("%s/%d/status" % (self._proc, self._pid))
            sizes = {name: int(size) * 1024 for name, size in _STATUS.findall(status.read(4096))}
            status.close()
        return {name: sizes.get(field.encode("ascii")) for name, field in _MEMORY.items()}

    def threads_ran(self, after_s: float, until_s: float) -> Optional[int]:
        """Return with how many threads the process computed between these seconds since its start; see threads.py."""
        return self._threads.counted(after_s, until_s)

    def series(self) -> Dict[str, Any]:
        """Return the payload of a samples record, short of its cell and place, once it has ended.

        `start` is a time since the epoch, `time_s` runs from it. Shares are in percent of all processors, and those of
        `cores` in percent of one, over the time since the sample before; so the first sample has none.
        """
        lists: Dict[str, List[Any]] = {name: [] for name in _SHARES}
        lists.update({name: [] for name in ("context_switches_per_s", "mhz")})
        lists.update({name: [] for name in _MEMORY})
        count = max((len(taken["cores"]) for _time, taken in self._samples), default=0)
        cores: List[List[Optional[float]]] = [[] for _core in range(count)]
        before: Optional[Tuple[float, Dict[str, Any]]] = None
        for now, taken in self._samples:
            old = before[1] if before else {"all": None, "cores": [], "switches": None}
            shares = _shares(old["all"], taken["all"])
            for index, name in enumerate(_SHARES):
                lists[name].append(shares[index] if shares else None)
            # A processor that went offline in between leaves the others without their places.
            whole = len(old["cores"]) == len(taken["cores"]) == count
            for index in range(count):
                of_core = _shares(old["cores"][index], taken["cores"][index]) if whole else None
                # Neither idle nor waiting for a disk.
                cores[index].append(round(100.0 - of_core[4] - of_core[2], 1) if of_core else None)
            known = old["switches"] is not None and taken["switches"] is not None
            spent = now - before[0] if before else 0.0
            rate = (taken["switches"] - old["switches"]) / spent if known and spent > 0 else None
            lists["context_switches_per_s"].append(None if rate is None else round(rate, 1))
            lists["mhz"].append(taken["mhz"])
            for name in _MEMORY:
                lists[name].append(taken[name])
            before = now, taken
        return dict(
            {name: None if all(value is None for value in values) else values for name, values in lists.items()},
            start=round(self._start, 3),
            interval_s=self.interval_s,
            time_s=[round(now, 3) for now, _taken in self._samples],
            cores=cores or None,
        )


def peaks(series: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    """Return the metrics of the largest anonymous and mapped memory of a series, without what it does not know."""
    sampled = {"rss_anon_peak_bytes": series["anon_bytes"], "rss_file_peak_bytes": series["file_bytes"]}
    return {
        name: {"value": max(value for value in values if value is not None), "unit": "B"}
        for name, values in sampled.items()
        if values
    }
