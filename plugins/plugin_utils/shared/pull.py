# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch what others have shared: what the results directory lacks is read, checked and appended to its journals.

It may be broken off anywhere and given again: a journal holds no line twice.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared import names, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.bucket import WORKERS, Bucket
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.names import RECORDS, Part, SharedError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.journal import Journals

Say = Callable[[str], object]
# Runs whose objects are asked for before those of earlier ones are kept.
_AHEAD = 2 * WORKERS


@dataclass
class Fetched:
    """What became of the objects: read, with so many new lines; there already; refused, each with its reason."""

    read: int = 0
    lines: int = 0
    present: int = 0
    refused: list[str] = field(default_factory=list)
    machines: set[str] = field(default_factory=set)


@dataclass
class _Run:
    """The parts of a run that a results directory lacks, as they are read."""

    machine: str
    run: str
    reading: list[tuple[Part, Future[bytes]]]


def pull(
    results_dir: str | os.PathLike[str], address: str, say: Say, machine: str = "", month: str = "", dry: bool = False
) -> Fetched:
    """Fetch what is shared at s3://BUCKET/PREFIX and missing here, of all or of one machine or month.

    `dry`: only tell what would be. Raises SharedError, AwsError, RecordError and OSError; what was read before is kept.
    """
    records.checker()
    names.proper_month(month)
    bucket = Bucket(names.place(address))
    bucket.known()
    fetched = Fetched()
    journals = Journals()
    pool = ThreadPoolExecutor(WORKERS)
    ahead: deque[_Run] = deque()
    try:
        for (of_machine, run), missing in _missing(bucket, results_dir, machine, month, fetched):
            if dry:
                fetched.read += len(missing)
                fetched.lines += sum(part.lines for part in missing)
                continue
            reading = [(part, pool.submit(parts.body, bucket, part)) for part in missing]
            ahead.append(_Run(of_machine, run, reading))
            if len(ahead) > _AHEAD:
                _keep(ahead.popleft(), results_dir, journals, fetched)
        while ahead:
            _keep(ahead.popleft(), results_dir, journals, fetched)
    finally:
        pool.shutdown(cancel_futures=True)
    for name in sorted(fetched.machines):
        say(f"{name}: fetched")
    return fetched


def _missing(
    bucket: Bucket, results_dir: str | os.PathLike[str], machine: str, month: str, fetched: Fetched
) -> Iterator[tuple[tuple[str, str], list[Part]]]:
    """Return the parts of each machine and run that are not here; count those that are, and name what is no part."""
    shared = []
    for stored in bucket.listing(names.below(RECORDS, machine, month)):
        try:
            part = names.part(stored.key)
            if stored.size > parts.MOST_PACKED:
                raise SharedError(f"it has {stored.size} bytes, more than the {parts.MOST_PACKED} that one may")
        except SharedError as error:
            fetched.refused.append(f"{stored.key!r}: {error}")
            continue
        if month in ("", part.month):
            shared.append(part)
    by_run = sorted(shared, key=lambda part: (part.machine, part.run, part.month))
    for (of_machine, run), of_run in groupby(by_run, key=lambda part: (part.machine, part.run)):
        wanted = list(of_run)
        here = {
            of_month: of.lines
            for kept in records.files(results_dir, run=run, machine=of_machine)
            for of_month, of in parts.by_month(kept).items()
        }
        missing = []
        for of_month, in_month in groupby(wanted, key=lambda part: part.month):
            candidates = list(in_month)
            matched, _outside = parts.covered(here.get(of_month, []), candidates)
            missing += [part for part in candidates if part not in matched]
        fetched.present += len(wanted) - len(missing)
        if missing:
            yield (of_machine, run), missing


def _keep(run: _Run, results_dir: str | os.PathLike[str], journals: Journals, fetched: Fetched) -> None:
    """Append what was read of a run, in the order in which it was measured, and name what is refused."""
    good = []
    for part, reading in run.reading:
        try:
            good.append((part, parts.checked(part, reading.result())))
        except SharedError as error:
            fetched.refused.append(f"{part.key(RECORDS)}: {error}")
    if not good:
        return
    good.sort(key=lambda pair: (pair[0].month, pair[1].records[0]["time"], pair[0].sha256))
    path = Path(results_dir, run.machine, "records", f"{run.run}.jsonl")
    fetched.read += len(good)
    added = journals.append(path, [line for _part, of in good for line in of.lines])
    fetched.lines += added
    if added:
        fetched.machines.add(run.machine)


def said(fetched: Fetched, results_dir: str | os.PathLike[str]) -> list[str]:
    """Return what became of the objects in lines."""
    objects, lines = metrics.plural(fetched.read, "object"), metrics.plural(fetched.lines, "record")
    there = metrics.plural(fetched.present, "object")
    return [f"{objects} read, {lines} new in {results_dir}; {there} already there"] + [
        f"refused: {refusal}" for refusal in fetched.refused
    ]
