# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How shared results are named: the place s3://BUCKET/PREFIX, and each object by its partition and its content.

    PREFIX/records/machine=M/month=2026-11/RUN.COUNT.SHA256.jsonl.gz   lines of a journal as they stand there
    PREFIX/figures/machine=M/month=2026-11/RUN.COUNT.SHA256.parquet    a table of these lines, made from them

COUNT is how many lines there are, and SHA256 the digest of them, each with its line end, before anything packs them: so
the same lines have the same name whoever packs them, and what is in an object can be told from names alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

RECORDS, FIGURES = "records", "figures"
# What a bucket is known by that results were shared in. Another form of the objects has another number.
MARKER = "cloudbench-llama.json"
MARKER_CONTENT = b'{"cloudbench.llama":"shared results","form":1}\n'

_ENDINGS = {RECORDS: "jsonl.gz", FIGURES: "parquet"}
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]{0,99}", re.ASCII)
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)
_NAME = re.compile(
    r"machine=(?P<machine>[^/]+)/month=(?P<month>[^/]+)/(?P<run>[^/]+)\.(?P<count>[1-9][0-9]{0,8})\."
    r"(?P<sha256>[0-9a-f]{64})\.(?P<ending>jsonl\.gz|parquet)",
    re.ASCII,
)


class SharedError(ValueError):
    """Results that cannot be shared or fetched; the message names what, why and the remedy."""


class Place(NamedTuple):
    """Where results are shared; `prefix` is empty or ends with a slash."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


class Part(NamedTuple):
    """Lines of one run, machine and month, which are one object of records and one of figures."""

    machine: str
    month: str
    run: str
    lines: int
    sha256: str

    def key(self, kind: str) -> str:
        """Return the name of its object of RECORDS or FIGURES, below the prefix of a place."""
        return (
            f"{kind}/machine={self.machine}/month={self.month}/{self.run}.{self.lines}.{self.sha256}.{_ENDINGS[kind]}"
        )


def place(text: str) -> Place:
    """Return what `s3://BUCKET` or `s3://BUCKET/PREFIX` names. Raises SharedError."""
    if not text.strip():
        raise SharedError("no bucket is named: write BUCKET=s3://BUCKET/PREFIX, or set bench_report_share")
    bucket, _slash, rest = text.removeprefix("s3://").partition("/")
    folders = [folder for folder in rest.split("/") if folder]
    if not text.startswith("s3://") or not _BUCKET.fullmatch(bucket):
        raise SharedError(f"{text!r:.120} is no place in S3: write s3://BUCKET or s3://BUCKET/PREFIX")
    for folder in folders:
        if not _FOLDER.fullmatch(folder):
            raise SharedError(
                f"{folder!r:.120} in {text!r:.120} may be no part of a prefix: use letters, digits, '.', '_', '=' and "
                "'-', the first a letter or digit, 100 at most"
            )
    return Place(bucket, "".join(f"{folder}/" for folder in folders))


def month_of(time: str) -> str:
    """Return the month of a record's time."""
    return time[:7]


def proper_month(month: str) -> str:
    """Return a month that is one, or "". Raises SharedError."""
    if month and not _MONTH.fullmatch(month):
        raise SharedError(f"{month!r:.40} is no month: write it as 2026-11")
    return month


def below(kind: str, machine: str = "", month: str = "") -> str:
    """Return what the names of the objects of a kind begin with, of all machines or of one, and of one month of it.

    Raises SharedError for what is neither.
    """
    try:
        machine = records.machine_name(machine) if machine else ""
    except records.RecordError as error:
        raise SharedError(str(error)) from error
    proper_month(month)
    if not machine:
        return f"{kind}/"
    return f"{kind}/machine={machine}/month={month}/" if month else f"{kind}/machine={machine}/"


def part(key: str) -> Part:
    """Return the part that an object below the prefix of a place is of. Raises SharedError for any other name."""
    kind, _slash, name = key.partition("/")
    named = _NAME.fullmatch(name)
    try:
        if named is None or _ENDINGS.get(kind) != named["ending"] or not _MONTH.fullmatch(named["month"]):
            raise SharedError("its name is none that results are shared by")
        machine = records.machine_name(named["machine"])
        run = records.component(named["run"], "run id")
    except records.RecordError as error:
        raise SharedError(str(error)) from error
    return Part(machine, named["month"], run, int(named["count"]), named["sha256"])


def content(lines: Iterable[bytes]) -> bytes:
    """Return lines as they are digested and packed."""
    return b"".join(line + b"\n" for line in lines)


def digest(lines: Iterable[bytes]) -> str:
    """Return the SHA-256 of lines, each with its end, in hexadecimal digits."""
    return hashlib.sha256(content(lines)).hexdigest()
