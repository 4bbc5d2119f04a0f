# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store: records as JSON Lines under results/<machine>/records/<run>.jsonl, appended to and never rewritten.

What arrives is kept even when a payload looks wrong, because a launch cannot be measured again as it was; what is
read is checked, and what does not pass is reported with its file and line instead of being shown as a figure.
"""

from __future__ import annotations

import glob
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, NoReturn

from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import SCHEMA, canonical
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.journal import Journals

# History of the schema, and the steps of the ladder: UPGRADES[n - 1] turns a record of schema n into one of n + 1.
# A step is never changed once it is released; tests/fixtures/records keeps a file of every schema that ever was.
#
# 1 - (0.1.0) first version
# 2 - (0.1.0) cells of other programs than llama-bench; samples, bandwidth, threads, omitted, end. A launch need not
#     hold a speed any more, but the metric that stands for its cell. Added since, and unknown to earlier readers, which
#     name such a record and go on: duet, tuned.


def _to_2(record: dict[str, Any]) -> dict[str, Any]:
    return dict(record, schema=2)


UPGRADES: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (_to_2,)

# What the host that measures may say. Plan and fingerprint are the controller's, and stand on record before it begins.
OF_A_HOST = frozenset((
    "bandwidth", "build", "duet", "end", "failure", "launch", "model", "omitted", "samples", "threads", "tuned",
))  # fmt: skip

# One path component on every file system: no slash, no leading dot or hyphen, nothing that needs quoting.
_COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)

__all__ = [
    "OF_A_HOST", "SCHEMA", "UPGRADES", "Appended", "Contents", "Kept", "NewerSchemaError", "Problem", "RecordError",
    "Writer", "append", "checker", "component", "decode", "files", "machine_name", "machines", "of_host", "paths",
    "read", "strange", "upgrade",
]  # fmt: skip


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


class Kept(NamedTuple):
    """One file of the store: each line that passed, as it stands there, and the record on it; and what did not pass."""

    machine: str
    run: str
    lines: list[bytes]
    records: list[dict[str, Any]]
    problems: list[Problem]


class Appended(NamedTuple):
    """Files written to (relative), lines added to them, and what read() will say of these lines."""

    files: list[str]
    written: int
    problems: list[Problem]


@cache
def checker() -> ModuleType:
    """Return schema.py, by which records are checked. Raises RecordError where it lacks a package, and says which."""
    try:
        import msgspec  # noqa: F401  # only asked for: schema.py can be imported without it
    except ImportError:
        raise RecordError(
            f"records are checked by msgspec, which {sys.executable} does not have: {sys.executable} -m pip install "
            "msgspec"
        ) from None
    from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import schema

    return schema


def component(value: Any, what: str) -> str:
    """Return `value` when it is safe as the name of a file or directory. Raises RecordError."""
    if not isinstance(value, str) or not _COMPONENT.fullmatch(value):
        raise RecordError(
            f"the {what} {value!r:.60} is no file name: use letters, digits, '.', '_' and '-', the first a letter or "
            "digit, 100 at most"
        )
    return value


def machine_name(value: Any) -> str:
    """Return `value` when it is safe as the name of a machine's directory. Raises RecordError."""
    machine = component(value, "machine")
    # The index of all machines stands beside their directories.
    if machine.lower() == "readme.md":
        raise RecordError(f"the machine name {machine!r:.100} is taken by the index page: choose another")
    return machine


def of_host(given: Iterable[Any], run: str, machine: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Return those of the records that a host gave which are its own, and a sentence for each reason against others.

    A host is measured by the controller's leave: it may say what it measured in this run, as the machine that it is
    kept as, and nothing of other runs, of other machines, or of what it was asked for.
    """
    kept: list[dict[str, Any]] = []
    refused: dict[str, None] = {}
    for record in given:
        if not isinstance(record, dict):
            reason = f"a record is an object, not {type(record).__name__}"
        elif record.get("run") != run or record.get("machine") != machine:
            told = f"{record.get('run')!r:.60} of {record.get('machine')!r:.60}"
            reason = f"a record is of the run {told}, and not of the run {run} of {machine}: it was not kept"
        elif not isinstance(record.get("kind"), str) or record["kind"] not in OF_A_HOST:
            reason = f"a record is of the kind {record.get('kind')!r:.40}, which no host may write: it was not kept"
        else:
            kept.append(record)
            continue
        refused[reason] = None
    return kept, list(refused)


def strange(root: str | os.PathLike[str], path: str | os.PathLike[str]) -> str | None:
    """Return why a file below `root` is neither read nor written, None where nothing is against it or it is not there.

    A directory of results may come from somebody else. A link in it could lead to any file of whoever reads it, whose
    copy a site would then publish, or to one that would be overwritten; a pipe would have its reader wait for ever.
    """
    inside, whole = os.path.realpath(root), os.path.realpath(path)
    if os.path.commonpath((inside, whole)) != inside:
        return "it is a symbolic link that leads out of the directory: put a copy of what is meant there"
    if os.path.lexists(whole) and not os.path.isfile(whole):
        return "it is no regular file: remove it"
    return None


def paths(results_dir: str | os.PathLike[str], run: str = "*", machine: str = "*") -> list[Path]:
    """Return the files of records under `results_dir`, or of one run or machine, in their order."""
    name = glob.escape(machine) if machine != "*" else machine
    return sorted(Path(results_dir).glob(f"{name}/records/{run}.jsonl"))


def upgrade(record: dict[str, Any]) -> dict[str, Any]:
    """Return `record` in the newest schema. Raises NewerSchemaError, or RecordError when it has no schema."""
    version = record.get("schema")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise RecordError(f"schema is {version!r:.40}, not a version number: this is no record of cloudbench.llama")
    if version > SCHEMA:
        raise NewerSchemaError(
            f"schema {version} is newer than {SCHEMA}, the newest that this version of the collection reads: "
            "update the collection"
        )
    for step in UPGRADES[version - 1 :]:
        record = step(record)
    return record


def _line(record: Any) -> tuple[str, str, str]:
    """Return (machine, run, line) of a record that can be stored. Raises RecordError for one that cannot."""
    if not isinstance(record, dict):
        raise RecordError(f"a record is an object, not {type(record).__name__}")
    record = upgrade(record)
    machine = machine_name(record.get("machine"))
    run = component(record.get("run"), "run id")
    try:
        return machine, run, canonical(record)
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError(f"a record of run {run} cannot be written as JSON: {error}") from error


class Writer:
    """Appends to the records under one directory, many times: what is there already is read once, not each time.

    Of every line a digest is kept. Other processes may append to the same files meanwhile. Raises RecordError where
    nothing can check what is appended.
    """

    def __init__(self, results_dir: str | os.PathLike[str]) -> None:
        checker()
        self._root = Path(results_dir)
        self._journals = Journals()

    def append(self, records: Iterable[dict[str, Any]]) -> Appended:
        """Append `records` as the function of this name does."""
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
            path = self._root.joinpath(*name.split("/"))
            reason = strange(self._root, path)
            if reason:
                refused.append(f"{path} cannot be written: {reason}, then append again")
                continue
            try:
                written += self._journals.append(path, [line.encode("ascii") for line in lines])
            except OSError as error:
                refused.append(
                    f"{path} cannot be written: {error.strerror}; free space or permit it, then append again"
                )
        if refused:
            raise RecordError("; ".join(sorted(set(refused))))
        return Appended(sorted(files), written, problems)


def append(results_dir: str | os.PathLike[str], records: Iterable[dict[str, Any]]) -> Appended:
    """Append `records` to results_dir/<machine>/records/<run>.jsonl; a line that is there already is not repeated.

    All that can be stored is on the disk (fsync) when this returns or raises. A payload that read() will refuse is
    stored and named in `problems`. Raises RecordError, after storing the rest, for a record without a usable machine,
    run or schema or with a number JSON cannot hold; and when the disk refuses.

    This reads the files that it appends to. Whoever appends again and again keeps a Writer.
    """
    return Writer(results_dir).append(records)


def _no_constant(name: str) -> NoReturn:
    raise RecordError(f"it holds {name} where a number belongs")


def _plain(line: bytes) -> Any:
    """Return what a line of JSON holds that msgspec does not read: it may be JSON to Python. Raises RecordError."""
    try:
        return json.loads(line.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise RecordError("it is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise RecordError(f"it is not JSON, or ends in the middle: {error.msg}") from error
    except RecursionError as error:
        raise RecordError("its JSON is nested too deep") from error
    except RecordError:
        raise
    except ValueError as error:
        raise RecordError(str(error)) from error


def _refuse_infinite(payload: Any) -> None:
    """Raises RecordError for a number too large for a float, which Python reads as infinite and msgspec not at all."""
    try:
        canonical(payload)
    except ValueError as error:
        raise RecordError("it holds a number that is not finite") from error


def decode(line: bytes) -> dict[str, Any]:
    """Return the record on one line, of the newest schema and checked. Raises RecordError with the reason."""
    schema = checker()
    quick = True
    try:
        record = schema.parse(line)
    except ValueError:
        quick = False
        record = _plain(line)
    if not isinstance(record, dict):
        raise RecordError(f"it is {type(record).__name__}, not an object")
    record = upgrade(record)
    try:
        if not quick:
            _refuse_infinite(record.get("payload"))
        reason: str | None = schema.refusal(record)
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
    """Return the names of the machines that have records under `results_dir`, in their order.

    Raises RecordError where nothing can check what they have, before anybody starts processes to read it.
    """
    checker()
    return sorted({path.parts[-3] for path in paths(results_dir)})


def files(results_dir: str | os.PathLike[str], run: str = "*", machine: str = "*") -> Iterator[Kept]:
    """Return what each file under `results_dir` holds, or of one run or machine, in their order.

    Raises NewerSchemaError, naming the file, and RecordError where nothing can check them.
    """
    checker()
    root = Path(results_dir)
    for path in paths(root, run, machine):
        yield _kept(root, path)


def _kept(root: Path, path: Path) -> Kept:
    kept = Kept(path.parts[-3], path.name[: -len(".jsonl")], [], [], [])
    name = path.relative_to(root).as_posix()
    if reason := strange(root, path):
        kept.problems.append(Problem(name, 0, f"it is not read: {reason}"))
        return kept
    seen = set()
    try:
        for number, line in _lines(path):
            try:
                record = decode(line)
            except NewerSchemaError as error:
                raise NewerSchemaError(f"{path}, line {number}: {error}") from error
            except RecordError as error:
                kept.problems.append(Problem(name, number, str(error)))
                continue
            if (record["machine"], record["run"]) != (kept.machine, kept.run):
                reason = "it belongs to machine %.60r and run %.60r, not into this file"
                kept.problems.append(Problem(name, number, reason % (record["machine"], record["run"])))
                continue
            # A merge of two branches may have put one line there twice.
            if line not in seen:
                seen.add(line)
                kept.lines.append(line)
                kept.records.append(record)
    except OSError as error:
        kept.problems.append(Problem(name, 0, f"it cannot be read: {error.strerror}"))
    return kept


def read(results_dir: str | os.PathLike[str], run: str = "*", machine: str = "*") -> Contents:
    """Return every record under `results_dir`, or of one run or machine, and a problem for each line that is none.

    No directory is no record.

    Raises NewerSchemaError, naming the file: pages made without the records of a later version would take back
    what that version has shown. Raises RecordError where nothing can check them.
    """
    checker()
    contents = Contents([], [])
    for kept in files(results_dir, run, machine):
        contents.records.extend(kept.records)
        contents.problems.extend(kept.problems)
    return contents
