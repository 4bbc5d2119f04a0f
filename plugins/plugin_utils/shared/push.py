# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Share what is on record: the lines that a bucket lacks become objects there, and what is there stays as it is.

It may be broken off anywhere and given again: an object is there as a whole or not at all, and which lines are there is
told by names. Others may share to the same bucket meanwhile.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export import parquet
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared import names, parts, table
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.bucket import WORKERS, Bucket
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.names import FIGURES, RECORDS, Part, SharedError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.parts import Lines
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

Say = Callable[[str], object]


@dataclass
class Pushed:
    """What became of the records: objects written, of which `tables` beside records that were there; lines; the rest.

    `present` are the parts that were there before. `problems` are lines that stay here, and `refused` objects in the
    bucket that are not what they are called.
    """

    written: int = 0
    tables: int = 0
    lines: int = 0
    present: int = 0
    problems: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything is, or would be, written."""
        return bool(self.written or self.tables)


@dataclass
class Job:
    """A part that lacks its records, or its table alone."""

    part: Part
    of: Lines
    whole: bool


class Written(NamedTuple):
    """Whether the records of a part are new; if not, what is there under their name."""

    new: bool
    there: bytes | None = None


class _There:
    """What a bucket holds of a machine, by names."""

    def __init__(self, bucket: Bucket, machine: str) -> None:
        self._parts: dict[tuple[str, str], list[Part]] = {}
        for part in _parts(bucket, names.below(RECORDS, machine)):
            self._parts.setdefault((part.run, part.month), []).append(part)
        self.tables = set(_parts(bucket, names.below(FIGURES, machine)))

    def parts(self, run: str, month: str) -> list[Part]:
        return self._parts.get((run, month), [])


def _parts(bucket: Bucket, below: str) -> Iterator[Part]:
    """Return the parts that objects are of; those of other names are fetch's to tell."""
    for stored in bucket.listing(below):
        try:
            yield names.part(stored.key)
        except SharedError:
            continue


def push(results_dir: str | os.PathLike[str], address: str, say: Say, dry: bool = False) -> Pushed:
    """Share the records under `results_dir` at s3://BUCKET/PREFIX; `dry`: only tell what would be.

    Raises SharedError, AwsError, RecordError and ExportError, after what was under way has ended.
    """
    bucket = Bucket(names.place(address))
    machines = records.machines(results_dir)
    pushed = Pushed()
    with parquet.Writer() as writer:
        if not dry:
            bucket.prove()
        pool = ThreadPoolExecutor(WORKERS)
        try:
            for machine in machines:
                before = pushed.written
                for job, done in _under_way(_jobs(bucket, results_dir, machine, pushed), pool, bucket, writer, dry):
                    _ended(job, done, bucket, writer, pushed)
                objects = metrics.plural(pushed.written - before, "object")
                say(f"{machine}: {objects} of records {'to write' if dry else 'written'}")
        finally:
            pool.shutdown(cancel_futures=True)
    return pushed


def _under_way(
    jobs: Iterator[Job], pool: ThreadPoolExecutor, bucket: Bucket, writer: parquet.Writer, dry: bool
) -> Iterator[tuple[Job, Written]]:
    """Return what becomes of jobs, in their order, some of which are under way at a time; `dry`: of none."""
    waiting: deque[tuple[Job, Future[Written]]] = deque()
    for job in jobs:
        if dry:
            yield job, Written(job.whole)
            continue
        waiting.append((job, pool.submit(write, bucket, job, writer)))
        # What waits is held in memory.
        if len(waiting) > 2 * WORKERS:
            first, writing = waiting.popleft()
            yield first, writing.result()
    for job, writing in waiting:
        yield job, writing.result()


def _ended(job: Job, done: Written, bucket: Bucket, writer: parquet.Writer, pushed: Pushed) -> None:
    """Count what became of a job. What is there under the name of its records is held against that."""
    if not job.whole:
        pushed.tables += 1
    elif done.there is None:
        pushed.written += 1
        pushed.lines += job.part.lines
    else:
        # Another was faster, or the answer to our own first try was lost.
        try:
            parts.checked(job.part, done.there)
        except SharedError as error:
            pushed.refused.append(f"{job.part.key(RECORDS)}: {error}")
            return
        pushed.present += 1
        bucket.add(job.part.key(FIGURES), table.made(job.of, writer))


def _jobs(bucket: Bucket, results_dir: str | os.PathLike[str], machine: str, pushed: Pushed) -> Iterator[Job]:
    """Return what is missing of a machine, and count what is not."""
    there = _There(bucket, machine)
    for kept in records.files(results_dir, machine=machine):
        pushed.problems += map(str, kept.problems)
        for month, of in parts.by_month(kept).items():
            shared = there.parts(kept.run, month)
            matched, outside = parts.covered(of.lines, shared)
            pushed.present += len(matched)
            missing = [(of.lines[at], of.records[at]) for at in outside]
            strangers = sorted(set(shared) - matched)
            if missing:
                # Somebody has shared another part of this run: what is in it is told by nothing but itself.
                for part in strangers:
                    held = _held(bucket, part, pushed)
                    if held is not None and part not in there.tables:
                        yield Job(part, held, whole=False)
                    seen = set(held.lines if held else ())
                    missing = [pair for pair in missing if pair[0] not in seen]
            for part, lines in parts.cut(machine, month, kept.run, Lines(*_columns(missing))):
                yield Job(part, lines, whole=True)
            without = matched - there.tables
            if without:
                yield from (Job(part, lines, whole=False) for part, lines in parts.slices(of, without))
            long = sum(len(line) >= parts.MOST_BYTES for line, _record in missing)
            if long:
                pushed.problems.append(f"{machine}/records/{kept.run}.jsonl: {long} records are too long to be shared")


def _columns(pairs: list[tuple[bytes, dict[str, Any]]]) -> tuple[list[bytes], list[dict[str, Any]]]:
    return [line for line, _record in pairs], [record for _line, record in pairs]


def _held(bucket: Bucket, part: Part, pushed: Pushed) -> Lines | None:
    """Return what is in a part of somebody else's; None, and a refusal, where it is not what it is called."""
    try:
        return parts.checked(part, parts.body(bucket, part))
    except SharedError as error:
        pushed.refused.append(f"{part.key(RECORDS)}: {error}")
        return None


def write(bucket: Bucket, job: Job, writer: parquet.Writer) -> Written:
    """Write a part, the records first; in one of several threads."""
    if job.whole and not bucket.add(job.part.key(RECORDS), parts.packed(job.of.lines)):
        return Written(False, parts.body(bucket, job.part))
    bucket.add(job.part.key(FIGURES), table.made(job.of, writer))
    return Written(job.whole)


def said(pushed: Pushed, address: str) -> list[str]:
    """Return what became of the records in lines."""
    objects, of = metrics.plural(pushed.written, "object"), metrics.plural(pushed.lines, "record")
    lines = [f"{names.place(address)}: {objects} of {of} new, {metrics.number(pushed.present)} already there"]
    if pushed.tables:
        lines.append(f"{metrics.plural(pushed.tables, 'table')} made that lacked beside records")
    lines += [f"stays here: {problem}" for problem in pushed.problems]
    return lines + [f"not what it is called: {refusal}" for refusal in pushed.refused]
