# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store: records as JSON Lines under results/<machine>/records/<run>.jsonl, appended to and never rewritten.

What arrives is kept even when a payload looks wrong, because a launch cannot be measured again as it was; what is
read is checked, and what does not pass is reported with its file and line instead of being shown as a figure.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import workload
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import SCHEMA, canonical
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import types as record_types

# History of the schema, and the steps of the ladder: UPGRADES[n - 1] turns a record of schema n into one of n + 1.
# A step is never changed once it is released; tests/fixtures/records keeps a file of every schema that ever was.
#
# 1 - (0.1.0) first version
# 2 - (0.1.0) cells of other programs than llama-bench; samples, bandwidth, threads, omitted, end. A launch need not
#     hold a speed any more, but the metric that stands for its cell.


def _to_2(record: dict[str, Any]) -> dict[str, Any]:
    return dict(record, schema=2)


UPGRADES: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (_to_2,)

# One path component on every file system: no slash, no leading dot or hyphen, nothing that needs quoting.
_COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_TIME = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-6]\d(\.\d+)?Z", re.ASCII)


class RecordError(ValueError):
    """A record that cannot be stored, or a store that cannot be read; the message names it, the rule and the remedy."""


class NewerSchemaError(RecordError):
    """A record written by a later version of the collection than this one."""


@dataclass(frozen=True, order=True)
class Problem:
    """A line that is not shown as a result: file relative to the results directory, line from 1 (0: the file)."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.reason}" if self.line else f"{self.file}: {self.reason}"


class Contents(NamedTuple):
    """All records that passed, of the newest schema, in the order of files and lines; and what did not pass."""

    records: list[dict[str, Any]]
    problems: list[Problem]


class Appended(NamedTuple):
    """Files written to (relative), lines added to them, and what read() will say of these lines."""

    files: list[str]
    written: int
    problems: list[Problem]


class Field(NamedTuple):
    """What a value must be. `of` is a table for an object, a Field for the items of a list or the values of a map."""

    type: str
    required: bool = True
    nullable: bool = False
    low: float = -math.inf
    high: float = math.inf
    of: Any = None


_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "flag": (bool,),
    "list": (list,),
    "map": (dict,),
    "object": (dict,),
    "any": (object,),
}

_TEXT = Field("text")
_FLAG = Field("flag")
_COUNT = Field("integer", low=0, high=1e15)
_ANY = Field("any", nullable=True)


_BELONGS = {
    "text": "text",
    "integer": "an integer",
    "number": "a number",
    "flag": "true or false",
    "list": "a list",
    "map": "an object",
    "object": "an object",
}


def _maybe(field: Field) -> Field:
    """What a machine may not know: absent or null."""
    return field._replace(required=False, nullable=True)


_MAYBE_TEXT, _MAYBE_FLAG, _MAYBE_COUNT = _maybe(_TEXT), _maybe(_FLAG), _maybe(_COUNT)
_TEXTS = Field("list", of=_TEXT)

_CELL = {
    "model": _TEXT,
    "quantization": _TEXT,
    "build": _TEXT,
    "threads": Field("integer", low=1, high=1e5),
    "test": _TEXT,
    "n_prompt": Field("integer", low=0, high=1e9),
    "n_gen": Field("integer", low=0, high=1e9),
    "n_depth": Field("integer", low=0, high=1e9),
    "concurrency": Field("integer", required=False, low=1, high=1e5),
    "rate": Field("number", required=False, low=1e-6, high=1e6),
    "load": Field("text", required=False),
    "repack": Field("flag", required=False),
    "numa": Field("text", required=False),
    "purpose": Field("text", required=False),
}
# In a plan the thread count may be left to the ladder of that very run.
_PLANNED = {**_CELL, "threads": Field("integer", low=0, high=1e5)}
_METRIC = {
    "value": Field("number"),
    "unit": _TEXT,
    "samples": Field("list", required=False, of=Field("number")),
}

# Of a launch.
_STATES = ("VALID", "INVALID")

_SERIES_NAMES = (
    "user", "system", "iowait", "steal", "idle", "context_switches_per_s", "mhz", "rss_bytes", "anon_bytes",
    "file_bytes",
)  # fmt: skip
_NUMBERS = Field("list", of=_maybe(Field("number")))
_SERIES = _NUMBERS._replace(required=False, nullable=True)
_SECONDS = Field("number", low=0, high=1e8)
_PAID = {
    "usd_hour": Field("number", low=0, high=1e4),
    "date": _TEXT,
    "source": _TEXT,
    "market": _TEXT,
    "boot_s": _maybe(Field("number", low=0, high=1e6)),
}
_REQUEST = {
    "start_s": Field("number", low=-1e8, high=1e8),
    "ttft_s": _maybe(_SECONDS),
    "e2e_s": _maybe(_SECONDS),
    "n_prompt": _COUNT,
    "n_gen": _COUNT,
    "itl_s": Field("list", of=_SECONDS),
    "ok": _FLAG,
    "error": _MAYBE_TEXT,
    "warmup": _MAYBE_FLAG,
}
_SLO = {"ttft_s": _SECONDS, "tpot_s": _SECONDS}
_RATES = {
    "best": Field("number", low=1e-3, high=1e6),
    "median": Field("number", low=1e-3, high=1e6),
    "samples": _NUMBERS,
}
_RUNG = {
    "threads": Field("integer", low=1, high=1e5),
    "mean": Field("number", low=1e-6, high=1e9),
    "low": _maybe(Field("number")),
    "high": _maybe(Field("number")),
    "n": Field("integer", low=1, high=1e6),
    "numa": _MAYBE_TEXT,
}
_ADVICE = {
    "best": Field("integer", low=1, high=1e5),
    "reason": _TEXT,
    "ladder": Field("list", of=Field("object", of=_RUNG)),
    "collapse": _MAYBE_TEXT,
}
_BUFFER = {"name": _TEXT, "use": _TEXT, "bytes": _COUNT}
_PATH = {"state": _TEXT, "expected": _maybe(Field("map", of=_TEXT)), "why": _MAYBE_TEXT, "remedy": _MAYBE_TEXT}
_IMPORTED = {"file": _TEXT, "sha256": _TEXT, "form": _TEXT}
_ENVELOPE = {"kind": _TEXT, "run": _TEXT, "time": _TEXT, "machine": _TEXT, "payload": Field("map")}

# Required fields and their types, by kind. Fields that are not named here are kept and not looked at.
KINDS: dict[str, dict[str, Field]] = {
    "run": {
        "cells": Field("list", of=Field("object", of=_PLANNED)),
        "launches": Field("integer", low=1, high=1e6),
        "repetitions": Field("integer", low=1, high=1e6),
        "seed": Field("integer", low=-(2.0**63), high=2.0**64),
        "versions": Field("map", of=Field("text", nullable=True)),
        "emulated": _FLAG,
        "command": _TEXT,
        "launches_most": _maybe(Field("integer", low=1, high=1e6)),
        "time_limit_s": _maybe(_SECONDS),
        "slots": _MAYBE_COUNT,
        "slo": _maybe(Field("object", of=_SLO)),
        "quick": _MAYBE_FLAG,
        "price": _maybe(Field("object", of=_PAID)),
        "imported": _maybe(Field("list", of=Field("object", of=_IMPORTED))),
    },
    "machine": {
        "id": _TEXT,
        "name": _TEXT,
        "architecture": _MAYBE_TEXT,
        "cpu_model": _MAYBE_TEXT,
        "cpu_implementer": _MAYBE_TEXT,
        "cpu_part": _MAYBE_TEXT,
        "cpu_vendor": _MAYBE_TEXT,
        "cpu_family": _MAYBE_COUNT,
        "cpu_model_number": _MAYBE_COUNT,
        "cpu_count": _MAYBE_COUNT,
        "physical_cores": _MAYBE_COUNT,
        "sockets": _MAYBE_COUNT,
        "numa_nodes": _MAYBE_COUNT,
        "cpu_features": _maybe(_TEXTS),
        "sve_bytes": _MAYBE_COUNT,
        "byte_order": _MAYBE_TEXT,
        "bits": _MAYBE_COUNT,
        "caches": _maybe(Field("map", of=_maybe(_COUNT))),
        "memory_bytes": _maybe(Field("integer", low=1, high=float(2**60))),
        "kernel": _MAYBE_TEXT,
        "kernel_parameters": _MAYBE_TEXT,
        "os": _MAYBE_TEXT,
        "transparent_hugepages": _MAYBE_TEXT,
        "aslr": _MAYBE_COUNT,
        "governor": _MAYBE_TEXT,
        "virtualization": _MAYBE_TEXT,
        "boot_time": _MAYBE_TEXT,
        "instance": _maybe(
            Field(
                "object",
                of={
                    "type": _MAYBE_TEXT,
                    "id": _MAYBE_TEXT,
                    "zone": _MAYBE_TEXT,
                    "image": _MAYBE_TEXT,
                    "life_cycle": _MAYBE_TEXT,
                },
            )
        ),
        "processor": _maybe(
            Field(
                "object",
                of={
                    "name": _MAYBE_TEXT,
                    "core": _MAYBE_TEXT,
                    "title": _MAYBE_TEXT,
                    "recognised_by": _MAYBE_TEXT,
                    "march": _MAYBE_TEXT,
                    "mcpu": _MAYBE_TEXT,
                    "vector": _MAYBE_TEXT,
                    "q4_0_layout": _MAYBE_TEXT,
                    "legacy_type": _MAYBE_TEXT,
                    "bandwidth_gb_s": _maybe(Field("number", low=0, high=1e6)),
                },
            )
        ),
        "emulated": _MAYBE_FLAG,
        "cgroup": _maybe(
            Field(
                "object",
                of={
                    "cpus": _maybe(Field("number", low=0, high=1e6)),
                    "memory_bytes": _maybe(Field("integer", low=0, high=float(2**63))),
                },
            )
        ),
    },
    "build": {
        "id": _TEXT,
        "name": _TEXT,
        "source": _maybe(Field("map", of=_maybe(_TEXT))),
        "way": _MAYBE_TEXT,
        "core": _MAYBE_TEXT,
        "compiler": _MAYBE_TEXT,
        "cmake": _MAYBE_TEXT,
        "cmake_arguments": _maybe(_TEXTS),
        "compile_flags": _maybe(_TEXTS),
        "march": _MAYBE_TEXT,
        "warnings": _maybe(_TEXTS),
        "system_info": _MAYBE_TEXT,
        "cpu_features": _maybe(_TEXTS),
        "cpu_features_unused": _maybe(_TEXTS),
        "file_types": _maybe(_TEXTS),
        "binaries": _maybe(Field("map", of=_TEXT)),
    },
    "model": {
        "id": _TEXT,
        "name": _TEXT,
        "quantization": _TEXT,
        "file": _MAYBE_TEXT,
        "sha256": _MAYBE_TEXT,
        "bytes": _maybe(Field("integer", low=1, high=float(2**60))),
        "parameters": _maybe(Field("integer", low=1, high=1e15)),
        # Null: imported, and the file does not say.
        "synthetic": _FLAG._replace(nullable=True),
        "source": _MAYBE_TEXT,
        "architecture": _MAYBE_TEXT,
    },
    "launch": {
        "cell": Field("object", of=_CELL),
        "build": _TEXT,
        "model": _TEXT,
        "machine": _TEXT,
        "number": Field("integer", low=1, high=1e6),
        "block": _MAYBE_COUNT,
        "position": _MAYBE_COUNT,
        "argv": _maybe(_TEXTS),
        "metrics": Field("map", of=Field("object", of=_METRIC)),
        "kernel": _maybe(
            Field(
                "object",
                of={
                    "repack": _maybe(Field("map", of=_COUNT)),
                    "buffers": _maybe(Field("list", of=Field("object", of=_BUFFER))),
                    "types": _maybe(Field("map", of=Field("map", of=_COUNT))),
                    "tensors": _maybe(Field("map", of=_COUNT)),
                    "path": _maybe(Field("object", of=_PATH)),
                },
            )
        ),
        "rows": _maybe(Field("list", of=Field("map", of=_ANY))),
        "gates": _maybe(Field("map", of=Field("number", nullable=True))),
        "validity": Field("object", of={"state": _TEXT, "reasons": _TEXTS}),
        "key": _MAYBE_TEXT,
        "requests": _maybe(Field("list", of=Field("object", of=_REQUEST))),
        "slo": _maybe(Field("object", of=_SLO)),
        "slots": _MAYBE_COUNT,
        "context": _MAYBE_COUNT,
        "load": _maybe(Field("map", of=_ANY)),
        "imported": _maybe(Field("object", of=_IMPORTED)),
    },
    "samples": {
        "cell": Field("object", of=_CELL),
        "number": Field("integer", low=1, high=1e6),
        "block": _MAYBE_COUNT,
        "start": Field("number", low=0, high=1e11),
        "interval_s": Field("number", low=0, high=1e6),
        "time_s": _NUMBERS,
        **dict.fromkeys(_SERIES_NAMES, _SERIES),
        "cores": _maybe(Field("list", of=_SERIES)),
    },
    "bandwidth": {
        "machine": _TEXT,
        "stage": _TEXT,
        "threads": Field("integer", low=1, high=1e5),
        "read_gb_s": Field("object", of=_RATES),
        "triad_gb_s": Field("object", of=_RATES),
        "fma_gflops": _maybe(Field("object", of=_RATES)),
        "bytes": _COUNT,
        "argv": _maybe(_TEXTS),
    },
    "threads": {
        "machine": _TEXT,
        "build": _TEXT,
        "model": _TEXT,
        "quantization": _TEXT,
        "prompt": _maybe(Field("object", of=_ADVICE)),
        "generation": _maybe(Field("object", of=_ADVICE)),
    },
    "omitted": {
        "cell": Field("object", of=_PLANNED),
        "cause": _TEXT,
        "advice": _TEXT,
    },
    "end": {
        "state": _TEXT,
        "launches": _COUNT,
    },
    "failure": {
        "phase": _TEXT,
        "cause": _TEXT,
        "advice": _TEXT,
        "cell": _maybe(Field("object", of=_PLANNED)),
        "detail": _maybe(Field("map", of=_ANY)),
    },
}  # fmt: skip


def _wrong(value: Any, field: Field, where: str) -> str | None:
    """Return what is wrong with `value` as a `field`, None when nothing is."""
    if value is None and (field.nullable or field.type == "any"):
        return None
    allowed: Any = _TYPES[field.type]
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed and object not in allowed):
        return f"{where} is {value!r:.40} where {_BELONGS[field.type]} belongs"
    if field.type in ("integer", "number") and not field.low <= value <= field.high:
        return f"{where} is {value!r:.40}, outside {field.low:g} to {field.high:g}"
    if field.type == "object":
        return _first_wrong(value, field.of, where)
    if field.type == "map" and field.of is not None:
        return next(filter(None, (_wrong(item, field.of, f"{where}.{key:.60}") for key, item in value.items())), None)
    if field.type == "list" and field.of is not None:
        return next(filter(None, (_wrong(item, field.of, f"{where}[{i}]") for i, item in enumerate(value))), None)
    return None


def _first_wrong(value: dict[str, Any], table: dict[str, Field], where: str) -> str | None:
    for name, field in table.items():
        path = f"{where}.{name}"
        if name not in value:
            if field.required:
                return f"the field {path} is missing"
            continue
        reason = _wrong(value[name], field, path)
        if reason:
            return reason
    return None


def _wrong_metrics(launch: dict[str, Any]) -> str | None:
    """A launch must hold what stands for its cell, and a figure of a known name its unit and a value it can have."""
    held = launch["metrics"]
    if workload.headline(launch["cell"]) not in held:
        return f"launch.metrics has no {workload.headline(launch['cell'])}"
    for name, entry in held.items():
        metric = metrics.REGISTRY.get(name)
        if metric is None:
            continue
        if entry["unit"] != metric.unit:
            return f"launch.metrics.{name} is in {entry['unit']!r:.40}, not in {metric.unit!r}"
        for value in (entry["value"], *entry.get("samples", ())):
            if not metric.low <= value <= metric.high:
                return f"launch.metrics.{metrics.trouble(name, value)}"
    for name, value in (launch.get("gates") or {}).items():
        metric = metrics.REGISTRY.get(name)
        if metric is not None and value is not None and not metric.low <= value <= metric.high:
            return f"launch.gates.{metrics.trouble(name, value)}"
    if launch["validity"]["state"] not in _STATES:
        return f"launch.validity.state is {launch['validity']['state']!r:.40}, neither {' nor '.join(_STATES)}"
    return None


def _not_finite(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return False
    kinds = set(map(type, value))
    if float in kinds and not all(map(math.isfinite, (item for item in value if isinstance(item, float)))):
        return True
    if kinds.isdisjoint((dict, list)):
        return False
    return any(_not_finite(item) for item in value if isinstance(item, (dict, list)))


def component(value: Any, what: str) -> str:
    """Return `value` when it is safe as the name of a file or directory. Raises RecordError."""
    if not isinstance(value, str) or not _COMPONENT.fullmatch(value):
        raise RecordError(
            f"the {what} {value!r:.60} is no file name: use letters, digits, '.', '_' and '-', the first a letter or "
            "digit, 100 at most"
        )
    return value


def upgrade(record: dict[str, Any]) -> dict[str, Any]:
    """Return `record` in the newest schema. Raises NewerSchemaError, or RecordError when it has no schema."""
    schema = record.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise RecordError(f"schema is {schema!r:.40}, not a version number: this is no record of cloudbench.llama")
    if schema > SCHEMA:
        raise NewerSchemaError(
            f"schema {schema} is newer than {SCHEMA}, the newest that this version of the collection reads: "
            "update the collection"
        )
    for step in UPGRADES[schema - 1 :]:
        record = step(record)
    return record


def check(record: dict[str, Any]) -> str | None:
    """Return why `record`, of the newest schema, cannot be shown as a result; None when it can be."""
    reason = _first_wrong(record, _ENVELOPE, "record")
    if reason:
        return reason
    if not _TIME.fullmatch(record["time"]):
        return f"time is {record['time']!r:.40}, not of the form 2026-11-23T15:55:23Z"
    kind = record["kind"]
    if kind not in KINDS:
        return f"the kind {kind!r:.40} is unknown: the kinds are {', '.join(sorted(KINDS))}"
    payload = record["payload"]
    if _not_finite(payload):
        return "it holds a number that is not finite"
    return _first_wrong(payload, KINDS[kind], kind) or (_wrong_metrics(payload) if kind == "launch" else None)


@cache
def _record_type(kind: str) -> Any:
    """Return the type of a record of the newest schema, for record_types.fits()."""
    narrower = {}
    if kind == "launch":
        narrower = {
            "metrics": record_types.of_metrics(),
            "gates": record_types.of_gates() | None,
            "validity": record_types.table("validity", KINDS[kind]["validity"].of, {"state": Literal[_STATES]}),
        }
    payload = record_types.table(kind, KINDS[kind], narrower)
    envelope = {"schema": Field("integer"), **_ENVELOPE}
    return record_types.table("record", envelope, {"schema": Literal[SCHEMA], "payload": payload})


def _certainly_right(line: bytes) -> dict[str, Any] | None:
    """Return the record on a line when it is one beyond doubt, in a quarter of the time of a close look; else None."""
    record = record_types.decode(line)
    kind = record.get("kind") if isinstance(record, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        return None
    if record.get("schema") != SCHEMA:
        try:
            record = upgrade(record)
        except RecordError:
            return None
    if not record_types.fits(record, _record_type(kind)) or not _TIME.fullmatch(record["time"]):
        return None
    if kind == "launch":
        launch = record["payload"]
        held, gates = launch["metrics"], launch.get("gates") or {}
        # Of a name that the registry does not know the type says nothing.
        if not (held.keys() | gates.keys()) <= metrics.REGISTRY.keys() or workload.headline(launch["cell"]) not in held:
            return None
    return record


def _line(record: Any) -> tuple[str, str, str]:
    """Return (machine, run, line) of a record that can be stored. Raises RecordError for one that cannot."""
    if not isinstance(record, dict):
        raise RecordError(f"a record is an object, not {type(record).__name__}")
    record = upgrade(record)
    machine = component(record.get("machine"), "machine")
    # The index of all machines stands beside their directories.
    if machine.lower() == "readme.md":
        raise RecordError(f"the machine name {machine!r} is taken by the index page: choose another")
    run = component(record.get("run"), "run id")
    try:
        return machine, run, canonical(record)
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError(f"a record of run {run} cannot be written as JSON: {error}") from error


def append(results_dir: str | os.PathLike[str], records: Iterable[dict[str, Any]]) -> Appended:
    """Append `records` to results_dir/<machine>/records/<run>.jsonl; a line that is there already is not repeated.

    All that can be stored is on the disk (fsync) when this returns or raises. A payload that read() will refuse is
    stored and named in `problems`. Raises RecordError, after storing the rest, for a record without a usable machine,
    run or schema or with a number JSON cannot hold; and when the disk refuses.
    """
    files: dict[str, list[str]] = {}
    refused = []
    problems = []
    for record in records:
        try:
            machine, run, line = _line(record)
        except RecordError as error:
            refused.append(str(error))
            continue
        name = f"{machine}/records/{run}.jsonl"
        files.setdefault(name, []).append(line)
        try:
            decode(line.encode("ascii"))
        except RecordError as error:
            problems.append(Problem(name, 0, str(error)))
    written = 0
    for name, lines in sorted(files.items()):
        path = Path(results_dir, *name.split("/"))
        try:
            written += _append_lines(path, lines)
        except OSError as error:
            refused.append(f"{path} cannot be written: {error.strerror}; free space or permit it, then append again")
    if refused:
        raise RecordError("; ".join(sorted(set(refused))))
    return Appended(sorted(files), written, problems)


def _append_lines(path: Path, lines: list[str]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "rb+", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        before = file.read() or b""
        known = set(before.split(b"\n"))
        new = [line for line in dict.fromkeys(lines) if line.encode("ascii") not in known]
        if not new:
            return 0
        # A half line of a writer that died stays on a line of its own.
        data = (b"" if before.endswith(b"\n") or not before else b"\n") + ("\n".join(new) + "\n").encode("ascii")
        done = file.write(data)
        if done != len(data):
            file.truncate(len(before))
            raise OSError(errno.ENOSPC, f"no space for {len(data)} bytes")
        os.fsync(file.fileno())
    if not before:
        _sync_directory(path.parent)
    return len(new)


def _sync_directory(path: Path) -> None:
    """Make the name of a new file durable, not only its content."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _no_constant(name: str) -> NoReturn:
    raise RecordError(f"it holds {name} where a number belongs")


def decode(line: bytes) -> dict[str, Any]:
    """Return the record on one line, of the newest schema and checked. Raises RecordError with the reason."""
    known = _certainly_right(line)
    if known is not None:
        return known
    try:
        record = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise RecordError("it is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise RecordError(f"it is not JSON, or ends in the middle: {error.msg}") from error
    except RecursionError as error:
        raise RecordError("its JSON is nested too deep") from error
    except ValueError as error:
        raise RecordError(str(error)) from error
    if not isinstance(record, dict):
        raise RecordError(f"it is {type(record).__name__}, not an object")
    try:
        record = upgrade(record)
        reason = check(record)
    except RecursionError as error:
        raise RecordError("its JSON is nested too deep") from error
    if reason:
        raise RecordError(reason)
    return record


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if line.strip():
            yield number, line


def machines(results_dir: str | os.PathLike[str]) -> list[str]:
    """Return the names of the machines that have records under `results_dir`, in their order."""
    return sorted({path.parts[-3] for path in Path(results_dir).glob("*/records/*.jsonl")})


def read(results_dir: str | os.PathLike[str], run: str = "*", machine: str = "*") -> Contents:
    """Return every record under `results_dir`, or of one run or machine, and a problem for each line that is none.

    No directory is no record.

    Raises NewerSchemaError, naming the file: pages made without the records of a later version would take back
    what that version has shown.
    """
    root = Path(results_dir)
    records: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for path in sorted(root.glob(f"{glob.escape(machine) if machine != '*' else machine}/records/{run}.jsonl")):
        name = path.relative_to(root).as_posix()
        own_machine, own_run = path.parts[-3], path.name[: -len(".jsonl")]
        seen = set()
        try:
            for number, line in _lines(path):
                try:
                    record = decode(line)
                except NewerSchemaError as error:
                    raise NewerSchemaError(f"{path}, line {number}: {error}") from error
                except RecordError as error:
                    problems.append(Problem(name, number, str(error)))
                    continue
                if (record["machine"], record["run"]) != (own_machine, own_run):
                    reason = "it belongs to machine %.60r and run %.60r, not into this file"
                    problems.append(Problem(name, number, reason % (record["machine"], record["run"])))
                    continue
                # A merge of two branches may have put one line there twice.
                if line not in seen:
                    seen.add(line)
                    records.append(record)
        except OSError as error:
            problems.append(Problem(name, 0, f"it cannot be read: {error.strerror}"))
    return Contents(records, problems)
