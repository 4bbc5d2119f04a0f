# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a control group leaves this process of the machine: processor time and memory, versions 1 and 2.

A limit binds all groups below it, so the least one on the way to the root of the mount counts. Processors that a group
is kept from (cpuset) are left out of the affinity mask already. Source: Documentation/admin-guide/cgroup-v2.rst and
cgroup-v1/memory.rst of Linux, cgroups(7), proc_pid_mountinfo(5).
"""

from __future__ import annotations

import os
import re
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.record.digits import whole


class _Mount(NamedTuple):
    """A mounted hierarchy: the group that is its root, where it is mounted, its controllers; None: version 2."""

    root: str
    point: str
    controllers: Optional[List[str]]


def _lines(path: str) -> List[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except (OSError, ValueError):  # a place of a mount may hold what no path does
        return []


def _mounts(root: str) -> Iterator[_Mount]:
    for line in _lines(os.path.join(root, "proc/self/mountinfo")):
        mounted, _separator, kind = line.partition(" - ")
        fields, kinds = mounted.split(), kind.split()
        if len(fields) < 5 or not kinds or kinds[0] not in ("cgroup", "cgroup2"):
            continue
        # Spaces and the like are written as octal numbers.
        place, point = (
            re.sub(r"\\([0-7]{3})", lambda code: chr(int(code.group(1), 8)), escaped) for escaped in fields[3:5]
        )
        yield _Mount(place, point, kinds[-1].split(",") if kinds[0] == "cgroup" else None)


def _groups(root: str) -> Dict[Optional[str], str]:
    """Return the path of this process's group by controller, that of version 2 under None."""
    groups: Dict[Optional[str], str] = {}
    for line in _lines(os.path.join(root, "proc/self/cgroup")):
        fields = line.split(":", 2)
        if len(fields) == 3:
            for name in fields[1].split(","):
                groups[name or None] = fields[2]
    return groups


def _directories(root: str, controller: str) -> Iterator[str]:
    """Return the directories of the groups of a controller that this process is in, from its own up to the root."""
    groups = _groups(root)
    for mount in _mounts(root):
        name = None if mount.controllers is None else controller
        if name not in groups or (name and controller not in (mount.controllers or [])):
            continue
        # A container sees a group of the host's as the root of its mount, and its own path as that of the host or "/".
        below = os.path.relpath(groups[name], mount.root) if groups[name].startswith(mount.root) else "."
        parts = [] if below in (".", "") or below.startswith("..") else below.split("/")
        for length in range(len(parts), -1, -1):
            yield os.path.join(root, mount.point.lstrip("/"), *parts[:length])


def _number(directory: str, name: str) -> Optional[int]:
    return whole(next(iter(_lines(os.path.join(directory, name))), "").strip())


def _memory(root: str) -> Iterator[int]:
    for directory in _directories(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = _number(directory, name)
            if limit is not None:
                yield limit


def _cpus(root: str) -> Iterator[float]:
    for directory in _directories(root, "cpu"):
        words = next(iter(_lines(os.path.join(directory, "cpu.max"))), "").split()
        limit, each = (whole(word) for word in words) if len(words) == 2 else (None, None)
        if limit is not None and each:
            yield limit / each
        # Version 1 writes -1 for "no limit", which is no number here.
        quota, period = _number(directory, "cpu.cfs_quota_us"), _number(directory, "cpu.cfs_period_us")
        if quota and period:
            yield quota / period


def limits(root: str = "/", total: Optional[int] = None) -> Optional[Dict[str, Any]]:
    """Return {"cpus", "memory_bytes"} of the limits of this process's control group, None where it has none.

    `cpus`: cores' worth of time; `memory_bytes`: bytes; each None where there is no such limit. A limit of at least
    `total`, the bytes of the machine, is none: version 1 writes 2**63 less a page for it.
    """
    bytes_ = min(_memory(root), default=None)
    if bytes_ is not None and bytes_ >= (total or 1 << 60):
        bytes_ = None
    cpus = min(_cpus(root), default=None)
    if bytes_ is None and cpus is None:
        return None
    return {"cpus": None if cpus is None else round(cpus, 3), "memory_bytes": bytes_}


def memory(machine: Dict[str, Any]) -> Optional[int]:
    """Return the bytes of memory that a process may use on a machine (the payload of its record), None if unknown."""
    sizes = [machine.get("memory_bytes"), (machine.get("cgroup") or {}).get("memory_bytes")]
    return min((size for size in sizes if size), default=None)


def usable_cpus(root: str = "/") -> int:
    """Return how many processors this process may keep busy, by its affinity mask and its control group."""
    return whole_cpus(len(os.sched_getaffinity(0)), limits(root))


def whole_cpus(count: int, limits: Optional[Dict[str, Any]]) -> int:
    """Return how many of `count` processors a process may keep busy at once under `limits`; at least 1.

    More threads than the quota pays for are stopped in the middle of each period, and all others wait for them.
    """
    cpus = (limits or {}).get("cpus")
    return count if cpus is None else max(1, min(count, int(cpus)))
