# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a journal as objects: cut into parts, packed, checked, and known again by their names.

What comes out of a bucket is a stranger's: it is unpacked up to a bound, held against its name, and each of its lines
against the one validator of records, before any of it is kept. That is for one thread: msgspec makes what it reads
records by when it first does, and where several threads do so at once, the process ends.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared import names
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.bucket import Bucket
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.names import Part, SharedError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

# What a part has at most, in bytes of its lines; a record has some kilobytes.
MOST_BYTES = 32 << 20
# What that can be packed to: gzip adds little to what cannot be packed.
MOST_PACKED = MOST_BYTES + (MOST_BYTES >> 8)
# Parts are held against lines until so many times their bytes have been digested.
_EFFORT = 4


class Lines(NamedTuple):
    """Lines and the records on them, one for one."""

    lines: list[bytes]
    records: list[dict[str, Any]]


def by_month(kept: records.Kept) -> dict[str, Lines]:
    """Return the lines of a file of the store by the months of their times, in their order."""
    months: dict[str, Lines] = {}
    for line, record in zip(kept.lines, kept.records, strict=True):
        of_month = months.setdefault(names.month_of(record["time"]), Lines([], []))
        of_month.lines.append(line)
        of_month.records.append(record)
    return months


def cut(machine: str, month: str, run: str, of: Lines) -> Iterator[tuple[Part, Lines]]:
    """Return lines of one run, machine and month as parts of at most MOST_BYTES, in their order.

    A line that is longer than that is in none.
    """
    taken, size = Lines([], []), 0
    for line, record in zip(of.lines, of.records, strict=True):
        if len(line) >= MOST_BYTES:
            continue
        if size + len(line) + 1 > MOST_BYTES:
            yield _part(machine, month, run, taken.lines), taken
            taken, size = Lines([], []), 0
        taken.lines.append(line)
        taken.records.append(record)
        size += len(line) + 1
    if taken.lines:
        yield _part(machine, month, run, taken.lines), taken


def _part(machine: str, month: str, run: str, lines: Sequence[bytes]) -> Part:
    return Part(machine, month, run, len(lines), names.digest(lines))


def covered(lines: Sequence[bytes], parts: Iterable[Part]) -> tuple[set[Part], list[int]]:
    """Return which of `parts` are slices of `lines`, and the indices of the lines in none of them.

    A journal is only appended to, so what was shared of it is a row of slices: names tell all, and nothing is read. A
    part that is not recognised may still hold lines of these.
    """
    left = sorted(set(parts), key=lambda part: part.lines)
    matched: set[Part] = set()
    outside: list[int] = []
    effort = _EFFORT * sum(map(len, lines))
    at = 0
    while at < len(lines):
        match = None
        for part in left:
            slice_of = lines[at : at + part.lines]
            if len(slice_of) < part.lines or effort <= 0:
                continue
            effort -= sum(map(len, slice_of))
            if names.digest(slice_of) == part.sha256:
                match = part
                break
        if match:
            left.remove(match)
            matched.add(match)
            at += match.lines
        else:
            outside.append(at)
            at += 1
    return matched, outside


def slices(of: Lines, wanted: set[Part]) -> Iterator[tuple[Part, Lines]]:
    """Return the lines of those `wanted` that covered() has recognised in these."""
    at, left = 0, set(wanted)
    while at < len(of.lines) and left:
        for part in sorted(left, key=lambda part: part.lines):
            end = at + part.lines
            if names.digest(of.lines[at:end]) == part.sha256:
                yield part, Lines(of.lines[at:end], of.records[at:end])
                left.remove(part)
                at = end - 1
                break
        at += 1


def packed(lines: Iterable[bytes]) -> bytes:
    """Return lines as the object that holds them."""
    return gzip.compress(names.content(lines), 6, mtime=0)


def _unpacked(body: bytes) -> bytes:
    """Raises SharedError for what is no gzip, ends in the middle, goes on behind its end or is too much."""
    unpacking = zlib.decompressobj(wbits=31)
    try:
        content = unpacking.decompress(body, MOST_BYTES + 1)
    except zlib.error as error:
        raise SharedError(f"it is no gzip: {error}") from error
    if len(content) > MOST_BYTES:
        raise SharedError(f"it holds more than the {MOST_BYTES >> 20} MiB that an object may")
    if not unpacking.eof or unpacking.unused_data:
        raise SharedError("it is no whole gzip: its end is missing, or something follows it")
    return content


def body(bucket: Bucket, part: Part) -> bytes:
    """Return the object of records of a part, for checked(). Raises AwsError, and SharedError where it is too large."""
    return bucket.get(part.key(names.RECORDS), MOST_PACKED)


def checked(part: Part, body: bytes) -> Lines:
    """Return what an object of records holds. Raises SharedError for whatever its name does not say.

    So does a record of a later version, whose message says so.
    """
    content = _unpacked(body)
    *lines, rest = content.split(b"\n")
    if names.digest(lines) != part.sha256 or rest or len(lines) != part.lines:
        raise SharedError("its content is not what its name says")
    of = Lines(lines, [])
    for number, line in enumerate(lines, start=1):
        try:
            record = records.decode(line)
        except records.RecordError as error:
            raise SharedError(f"line {number}: {error}") from error
        belongs = (record["machine"], record["run"], names.month_of(record["time"]))
        if belongs != (part.machine, part.run, part.month):
            raise SharedError("line %d: it belongs to machine %.60r, run %.60r and month %.20r" % (number, *belongs))
        of.records.append(record)
    return of
