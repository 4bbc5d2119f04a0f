# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record: one JSON object that says one thing about a run, and the key under which records travel.

A record is an envelope (schema, kind, run id, time, machine name) and one payload, whose form its kind says.
machine, build and model payloads carry an `id`, the digest of their content; launches refer to them by it,
so that a file of records stands alone without repeating a fingerprint on every line.
"""

from __future__ import annotations

import calendar
import hashlib
import json
import re
import time
from typing import Any, Dict, List, Mapping, Optional, Sequence

# History of the schema. Written: the newest only. Read: every one, through the ladder in plugin_utils/store/records.py.
# 1: first version.
SCHEMA = 2

# The result key by which a module or an action hands records to the callback, and the version of its form.
RESULT_KEY = "bench_records"
RESULT_VERSION = 1

# Parts of a fingerprint that tell one machine, boot or file from another without changing what is compared.
# What may differ between launches that are compared as one thing.
NOT_COMPARED = {
    "machine": ("id", "name", "boot_time", "instance", "processor"),
    # Its programs follow from all the rest, and so does what they know; which of them there are says nothing of the
    # others. Whose code it is follows from its source.
    "build": (
        "id",
        "name",
        "binaries",
        "options",
        "version",
        "build_number",
        "engine",
        "licence",
        "provenance",
    ),
    # What its tensors are and what they were made with follows from the digest of the file; not all records say it.
    "model": (
        "id",
        "file",
        "source",
        "tensor_types",
        "bits_per_weight",
        "tensors_sha256",
        "widened_from",
        "imatrix",
    ),
}


# One for all: json.dumps() makes an encoder for each call.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(value: Any) -> str:
    """Return `value` as JSON text that is the same for equal values: sorted keys, no spaces, no NaN."""
    return _CANONICAL.encode(value)


def digest(value: Any) -> str:
    """Return the first 12 hexadecimal digits of the SHA-256 of the canonical JSON of `value`."""
    return hashlib.sha256(canonical(value).encode("utf-8")).hexdigest()[:12]


def with_id(payload: Mapping[str, Any]) -> Dict[str, Any]:
    """Return a copy of `payload` whose `id` is the digest of all the rest of it."""
    body = {key: value for key, value in payload.items() if key != "id"}
    return dict(body, id=digest(body))


# The time of what was measured nobody knows when, as of a log without a date.
UNDATED = "1970-01-01T00:00:00Z"


def seconds(when: str) -> float:
    """Return a time as utc() gives it in seconds since the epoch."""
    return float(calendar.timegm(time.strptime(when, "%Y-%m-%dT%H:%M:%SZ")))


def utc(seconds: Optional[float] = None) -> str:
    """Return a time (seconds since the epoch, default now) as `2026-11-23T15:55:23Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def make(kind: str, run: str, machine: str, payload: Mapping[str, Any], when: Optional[float] = None) -> Dict[str, Any]:
    """Return a record of `kind` made at `when` (seconds since the epoch, default now)."""
    return {"schema": SCHEMA, "kind": kind, "run": run, "time": utc(when), "machine": machine, "payload": payload}


# In the detail of a failure that no runner has told, and the host may know better: it was out of reach, or silent.
TOLD_BY, CONTROLLER = "told_by", "controller"


def failure(
    phase: str, cause: str, advice: str, cell: Optional[Dict[str, Any]] = None, **detail: Any
) -> Dict[str, Any]:
    """Return the payload of a failure record.

    `phase` is one of provision, connect, plan, build, model, measure, report. `cause` and `advice` are sentences for a
    person. `cell` is what could not be measured, None when it is the whole host.
    """
    return {"phase": phase, "cause": cause, "advice": advice, "cell": cell, "detail": detail}


def as_result(records: List[Dict[str, Any]]) -> Dict[str, Any]:
    """Return the value to stand under RESULT_KEY in a module's result."""
    return {"version": RESULT_VERSION, "records": records}


def comparable_key(
    machine: Dict[str, Any],
    build: Dict[str, Any],
    model: Dict[str, Any],
    cell: Dict[str, Any],
    environment: Optional[Mapping[str, str]] = None,
    workers: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return the digest of what must be equal before launches may be pooled or compared as one thing.

    `environment`: the variables that were set on purpose for the programs; what the host has reaches none of them.
    `workers`: the machines of the other hosts of a cluster, each with the threads of its server.
    """
    source = build.get("source")
    if isinstance(source, dict) and "digest" in source:
        # Since when a digest is known says nothing of the file that has it.
        build = dict(build, source={key: value for key, value in source.items() if key != "digest"})
    # What a cell is measured for changes nothing of it.
    parts = {"cell": {key: value for key, value in cell.items() if key not in ("build", "purpose")}}
    for kind, payload in (("machine", _stepped(machine)), ("build", build), ("model", model)):
        parts[kind] = {key: value for key, value in payload.items() if key not in NOT_COMPARED[kind]}
    if environment:
        parts["environment"] = dict(environment)
    if workers:
        machines = [_stepped(worker) for worker in workers]
        rows = [{key: row[key] for key in sorted(row) if key not in NOT_COMPARED["machine"]} for row in machines]
        return digest(dict(parts, workers=rows))
    return digest(parts)


def _stepped(machine: Mapping[str, Any]) -> Dict[str, Any]:
    """Return a machine whose memory is in steps of 64 MiB: what the kernel leaves of it shifts from boot to boot."""
    memory = machine.get("memory_bytes")
    return dict(machine, memory_bytes=memory >> 26) if isinstance(memory, int) else dict(machine)


def unknown_machine(host: str) -> str:
    """Return the name under which failures of an inventory host are kept that failed before it could be recognised."""
    return "unknown-" + (re.sub(r"[^a-z0-9]+", "-", host.lower()).strip("-")[:80] or "host")
