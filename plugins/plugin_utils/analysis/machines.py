# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which fingerprints are one machine, and the names that tell those apart that share one.

A cloud gives the same brand string, and even the same instance type, to processors with other caches, flags or sizes.
The name stays with the machine that was measured first under it, so that a later one never renames a page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.probe.machine import PROCESSOR_FLAGS, slug
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import canonical, digest, make, with_id
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

Payload = Mapping[str, Any]

# What another kernel, boot or setting of the same machine leaves as it is.
_PARTS = (
    "architecture", "cpu_implementer", "cpu_part", "cpu_vendor", "cpu_family", "cpu_model_number", "cpu_count",
    "physical_cores", "sockets", "numa_nodes", "sve_bytes",
)  # fmt: skip
# A kernel keeps some of the memory for itself, and names more flags than its predecessor: of these those that llama.cpp
# has kernels for, and AMX in all its parts, say which processor it is.
_MEMORY_SHARE = 0.02
_FLAGS = frozenset((*PROCESSOR_FLAGS.values(), "amx_tile", "amx_bf16"))


def checked(machine: Any) -> dict[str, Any]:
    """Return the fingerprint that a host gives of itself, when it can be one. Raises RecordError, which says why not.

    Its name becomes that of a directory, and much of it stands on pages: what is wrong is said before it is measured.
    """
    if not isinstance(machine, Mapping):
        raise records.RecordError(f"the host describes itself by {type(machine).__name__}, not by an object")
    name = records.component(machine.get("name"), "machine")
    try:
        record = json.loads(canonical(make("machine", name, name, with_id(machine))))
    except (TypeError, ValueError, RecursionError) as error:
        raise records.RecordError(f"the host describes itself by what JSON cannot hold: {error}") from error
    reason = records.checker().refusal(record)
    if reason:
        raise records.RecordError(f"the host describes itself as no machine can be: {reason}")
    return dict(machine)


def _flags(machine: Payload) -> list[str] | None:
    features = machine.get("cpu_features")
    return sorted(_FLAGS.intersection(features)) if features else None


def _same(left: Any, right: Any) -> bool:
    """Say whether two values do not contradict each other: what is not known contradicts nothing."""
    return left is None or right is None or left == right


def alike(left: Payload, right: Payload) -> bool:
    """Say whether two fingerprints may be of one machine, or of two that are the same in all that is known of both."""
    brands = [str(machine["cpu_model"]).lower() for machine in (left, right) if machine.get("cpu_model")]
    if len(brands) == 2 and brands[0] not in brands[1] and brands[1] not in brands[0]:
        return False
    caches = [machine.get("caches") or {} for machine in (left, right)]
    if any(not _same(size, caches[1].get(name)) for name, size in caches[0].items()):
        return False
    sizes = [machine["memory_bytes"] for machine in (left, right) if machine.get("memory_bytes")]
    if len(sizes) == 2 and max(sizes) - min(sizes) > _MEMORY_SHARE * max(sizes):
        return False
    return _same(_flags(left), _flags(right)) and all(_same(left.get(part), right.get(part)) for part in _PARTS)


def _words(machine: Payload) -> list[str]:
    """Return what may tell a machine from one of the same name, the most telling first; the last is its digest."""
    core = (machine.get("processor") or {}).get("core")
    count = machine.get("cpu_count")
    cache = (machine.get("caches") or {}).get("L3")
    parts = {part: machine.get(part) for part in (*_PARTS, "cpu_model", "caches", "memory_bytes")}
    return [
        *([slug(core)] if core else []),
        *([f"{count}cpu"] if count else []),
        *([f"l3-{cache >> 20}m"] if cache else []),
        digest({**parts, "flags": _flags(machine)})[:6],
    ]


class Names:
    """Names of machines, given in the order in which they were measured first."""

    def __init__(self) -> None:
        self._known: dict[str, list[Payload]] = {}

    def of(self, name: str, machine: Payload | None) -> str:
        """Return the name under which results of a machine called `name` are shown; of None nothing is known.

        `name` itself, for the first machine that has it and for all that may be the same, and for emulated ones, whose
        figures are those of no machine; else with a word behind it that tells it from the others.
        """
        if machine is None or machine.get("emulated"):
            return name
        seen = self._known.setdefault(name, [])
        others = [key for key in sorted(self._known) if key.startswith(f"{name}-")]
        for key in (name, *others):
            if machine in self._known[key]:
                return key
        for key in (name, *others):
            if all(alike(before, machine) for before in self._known[key]):
                self._known[key].append(machine)
                return key
        words = _words(machine)
        before = {word for other in seen for word in _words(other)}
        telling = [word for word in words if word not in before and f"{name}-{word}" not in self._known]
        key = f"{name}-{(telling or words[-1:])[0]}"
        self._known.setdefault(key, []).append(machine)
        return key


def families(names: Iterable[str]) -> list[list[str]]:
    """Return names of machines in groups within which one may have to be told from another: by their beginnings."""
    groups: list[list[str]] = []
    for name in sorted(names, key=lambda name: name.split("-")):
        if groups and name.startswith(f"{groups[-1][0]}-"):
            groups[-1].append(name)
        else:
            groups.append([name])
    return groups


def _boot(machine: Payload) -> tuple[Any, Any]:
    """Return what tells a machine, as it is until its next boot, from others of its kind."""
    return machine.get("boot_time"), (machine.get("instance") or {}).get("id")


def apart(described: Mapping[str, Payload], earlier: Iterable[Payload] = ()) -> dict[str, str]:
    """Return the names under which the hosts of one run are kept, by host: hosts of one type would share one.

    `described` are their fingerprints in the order of the inventory, `earlier` those on record of the same run. A
    machine that has a name in this run keeps it, whoever is away; the others have that of their type, with -2, -3 and
    so on from the second on.
    """
    known: dict[str, Payload] = {}
    for machine in earlier:
        known.setdefault(machine["name"], machine)
    names: dict[str, str] = {}
    for host, machine in described.items():
        pattern = re.compile(re.escape(machine["name"]) + r"(?:-\d+)?")
        held = [name for name, before in known.items() if pattern.fullmatch(name) and _boot(before) == _boot(machine)]
        free = [name for name in held if name not in names.values()]
        if free:
            names[host] = free[0]
    for host, machine in described.items():
        count, name = 1, machine["name"]
        while host not in names:
            if name not in names.values():
                names[host] = name
            count += 1
            name = f"{machine['name']}-{count}"
    return {host: names[host] for host in described}


_OF_MACHINE = re.compile(rb'"kind"\s*:\s*"machine"')


def name_in(results_dir: str | Path, name: str, machine: Payload) -> str:
    """Return the name for a machine called `name` beside those on record under `results_dir`; see Names.of().

    What cannot be read, or is not there, keeps the name free.
    """
    first: list[tuple[str, str, dict[str, Any]]] = []
    for path in records.paths(results_dir):
        directory = path.parts[-3]
        if records.strange(results_dir, path):
            continue
        if directory == name or directory.startswith(f"{name}-"):
            record = _machine_record(path)
            if record is not None:
                first.append((record["time"], directory, record["payload"]))
    names = Names()
    for _time, directory, payload in sorted(first, key=lambda entry: (entry[1].split("-"), entry[0])):
        names.of(directory, payload)
    return names.of(name, machine)


def _machine_record(path: Path) -> dict[str, Any] | None:
    """Return the first record of a machine in a file, None where there is none that can be read."""
    try:
        with path.open("rb") as lines:
            for line in lines:
                if _OF_MACHINE.search(line):
                    try:
                        record = records.decode(line)
                    except records.RecordError:
                        continue
                    if record["kind"] == "machine":
                        return record
    except OSError:
        pass
    return None
