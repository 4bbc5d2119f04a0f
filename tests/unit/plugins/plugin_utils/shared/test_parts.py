# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, and lines as parts: what is known by names alone, and what of a stranger's object is refused."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared import names, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.names import FIGURES, RECORDS, Part, SharedError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

DIGEST = "ab" * 32
PART = Part("gv3-c7g.16xlarge", "2026-11", "20261123T155523Z-1a2b", 12, DIGEST)


@pytest.mark.parametrize("kind", [RECORDS, FIGURES])
def test_a_name_tells_its_part(kind):
    assert names.part(PART.key(kind)) == PART
    assert PART.key(kind).startswith(names.below(kind, PART.machine, PART.month))


@pytest.mark.parametrize(
    "key",
    [
        "", "records/", "records/x.jsonl.gz",
        PART.key(RECORDS).replace("records", "figures"),
        PART.key(RECORDS).replace("gv3-c7g.16xlarge", ".."),
        PART.key(RECORDS).replace("gv3-c7g.16xlarge", "ReadMe.md"),
        PART.key(RECORDS).replace("gv3-c7g.16xlarge", "a b"),
        PART.key(RECORDS).replace("2026-11", "2026-13"),
        PART.key(RECORDS).replace("20261123T155523Z-1a2b", "-rf"),
        PART.key(RECORDS).replace(".12.", ".012."),
        PART.key(RECORDS).replace(DIGEST, DIGEST.upper()),
        PART.key(RECORDS) + "\n",
        "records/../" + PART.key(RECORDS).partition("/")[2],
    ],
)  # fmt: skip
def test_any_other_name_is_refused(key):
    with pytest.raises(SharedError):
        names.part(key)


@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [("s3://ours", "ours", ""), ("s3://ours/", "ours", ""), ("s3://ours/a/b=c/", "ours", "a/b=c/")],
)
def test_a_place(text, bucket, prefix):
    assert names.place(text) == (bucket, prefix)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no bucket is named: write BUCKET=s3://BUCKET/PREFIX"),
        ("ours/a", "'ours/a' is no place in S3: write s3://BUCKET"),
        ("s3://", "is no place in S3"),
        ("s3://OURS/a", "is no place in S3"),
        ("s3://ours/a/../b", "'..' in 's3://ours/a/../b' may be no part of a prefix"),
        ("s3://ours/a b", "'a b' in"),
    ],
)
def test_what_is_no_place(text, message):
    with pytest.raises(SharedError, match=re.escape(message)):
        names.place(text)


def some(count, start=0):
    return [b"line %d" % number for number in range(start, start + count)]


def part_of(lines):
    return PART._replace(lines=len(lines), sha256=names.digest(lines))


def test_slices_are_known_by_their_names():
    lines = some(100)
    first, second = part_of(lines[:40]), part_of(lines[40:90])
    stranger = part_of(some(40, start=500))
    matched, outside = parts.covered(lines, [second, stranger, first])
    assert matched == {first, second}
    assert outside == list(range(90, 100))


def test_a_slice_is_known_behind_lines_that_are_in_none():
    lines = some(30)
    middle = part_of(lines[10:20])
    matched, outside = parts.covered(lines, [middle])
    assert matched == {middle}
    assert outside == [*range(10), *range(20, 30)]


def test_lines_that_fit_nothing_take_bounded_effort(monkeypatch):
    strangers = [part_of(some(1000, start=start)) for start in range(5000, 5050)]
    digested = []
    digest = names.digest
    monkeypatch.setattr(names, "digest", lambda lines: digested.append(len(lines)) or digest(lines))
    matched, outside = parts.covered(some(2000), strangers)
    assert (matched, len(outside)) == (set(), 2000)
    assert sum(digested) < 12_000


@pytest.fixture
def kept(real):
    lines = [json.dumps(record, sort_keys=True, separators=(",", ":")).encode() for record in real]
    return records.Kept(real[0]["machine"], real[0]["run"], lines, real, [])


def test_a_journal_becomes_parts_and_the_same_lines_again(kept):
    month, of = next(iter(parts.by_month(kept).items()))
    ((part, lines),) = parts.cut(kept.machine, month, kept.run, of)
    assert lines.lines == kept.lines
    again = parts.checked(part, parts.packed(lines.lines))
    assert (again.lines, again.records) == (kept.lines, kept.records)


def test_months_are_parts_of_their_own(kept):
    later = dict(kept.records[-1], time="2027-01-01T00:00:00Z")
    kept.records[-1] = later
    assert sorted(parts.by_month(kept)) == [kept.records[0]["time"][:7], "2027-01"]


def test_a_part_has_a_bound_and_no_line_is_cut(kept, monkeypatch):
    most = max(map(len, kept.lines)) + 1
    monkeypatch.setattr(parts, "MOST_BYTES", most)
    month, of = next(iter(parts.by_month(kept).items()))
    cut = list(parts.cut(kept.machine, month, kept.run, of))
    assert len(cut) > 1
    assert [line for _part, lines in cut for line in lines.lines] == kept.lines
    assert all(len(names.content(lines.lines)) <= most for _part, lines in cut)


def named(kept, held, **other):
    month = names.month_of(kept.records[0]["time"])
    part = Part(kept.machine, month, kept.run, len(held), names.digest(held))
    return part._replace(**other)


def test_what_is_not_its_name_is_refused(kept):
    lines = kept.lines
    whole = parts.packed(lines)
    for part, body, message in (
        (named(kept, lines, sha256=DIGEST), whole, "its content is not what its name says"),
        (named(kept, lines, lines=1), whole, "its content is not what its name says"),
        (named(kept, lines), parts.packed(lines[:-1]), "its content is not what its name says"),
        (named(kept, lines), gzip.compress(names.content(lines)[:-1]), "its content is not what its name says"),
        (named(kept, lines), whole[:-9], "it is no whole gzip"),
        (named(kept, lines), whole + b"x", "it is no whole gzip"),
        (named(kept, lines), b"PK", "it is no"),
        (named(kept, lines, machine="other"), whole, f"line 1: it belongs to machine {kept.machine!r}"),
        (named(kept, lines, run="other"), whole, "line 1: it belongs to machine"),
        (named(kept, lines, month="1999-01"), whole, "line 1: it belongs to machine"),
    ):
        with pytest.raises(SharedError, match=re.escape(message)):
            parts.checked(part, body)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"[]", "line 1: it is list, not an object"),
        (b"{", "line 1: it is not JSON"),
        (b'{"schema":99}', "update the collection"),
        (b'{"schema":2,"kind":"launch","payload":{}}', "line 1: "),
        (b"", "line 1: "),
    ],
)
def test_a_line_that_is_no_record_is_refused(kept, line, message):
    with pytest.raises(SharedError, match=re.escape(message)):
        parts.checked(named(kept, [line]), parts.packed([line]))


def test_what_unpacks_to_too_much_is_refused_unseen(kept, monkeypatch):
    monkeypatch.setattr(parts, "MOST_BYTES", 1000)
    with pytest.raises(SharedError, match="it holds more than"):
        parts.checked(named(kept, kept.lines), gzip.compress(b" " * 10_000))
