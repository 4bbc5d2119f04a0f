# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands on disk between runs: records of all schemas, journals, spools, and the notes of runs."""

from __future__ import annotations

import json
import os
import shutil
from functools import cache
from pathlib import Path

from fuzz.families.models import _NotJsonError, _values
from fuzz.strategies import TEXT, as_json, numbers, objects, values
from fuzz.target import Target, fixture
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.spool import Spool
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import place
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.client import AwsError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live import page as live_page
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live.checks import CHECKS, OK, LiveError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records, run_id
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.journal import Journals


def _decode(data: bytes) -> None:
    """A line is read; what is taken can be written again, and is taken again as the same."""
    record = records.decode(data)
    line = envelope.canonical(record).encode("ascii")
    assert records.decode(line) == record


def _append(data: bytes) -> None:
    """What arrives is kept, also where its payload is wrong, and read again or named as a problem."""
    value = _values(data)
    shutil.rmtree("results", ignore_errors=True)
    writer = records.Writer("results")
    appended = writer.append(value if isinstance(value, list) else [value])
    assert writer.append(value if isinstance(value, list) else [value]).written == 0
    read = records.read("results")
    assert len(read.records) + len(read.problems) <= appended.written
    assert len(read.problems) >= 0
    for machine in records.machines("results"):
        assert Path("results", machine).resolve().parent == Path("results").resolve()


def _journal(data: bytes) -> None:
    """Lines are added behind whatever a file holds, each once, and nothing that was there is lost."""
    path = Path("journal.jsonl")
    path.write_bytes(data)
    lines = [b'{"a":1}', b'{"b":2}']
    journals = Journals(most_lines=100)
    held = set(data.split(b"\n")[:-1])
    assert journals.append(path, lines) <= 2
    assert journals.append(path, lines) == 0
    after = path.read_bytes()
    assert after.startswith(data)
    for line in lines:
        assert line in after.split(b"\n")
        assert line in held or after[len(data) :].split(b"\n").count(line) <= 1
    assert Journals().append(path, lines) == 0


def _read(data: bytes) -> None:
    """A file of a store is read, and what it holds becomes runs with figures."""
    folder = Path("store", "local-fuzz", "records")
    folder.mkdir(parents=True, exist_ok=True)
    Path(folder, "20261123T155523Z-0000.jsonl").write_bytes(data)
    read = records.read("store")
    assert all(str(problem) for problem in read.problems)


def _figures(data: bytes) -> None:
    """What a store has taken becomes runs, cells and figures, whatever the values in it are."""
    taken = []
    for line in data.splitlines():
        try:
            taken.append(records.decode(line))
        except records.RecordError:
            continue
    for run in summary.runs(taken):
        for row in summary.rows(run, summary.cells(run)):
            summary.page_path(run.machine, row.cell)


def _notes(data: bytes) -> None:
    """The note of a run that did not come to its end."""
    Path(".unfinished.json").write_bytes(data)
    os.utime(".unfinished.json")
    note = run_id.unfinished(".")
    assert note is None or isinstance(note["run"], str)
    if note is not None:
        run_id.forget_unfinished(".", note["run"])
    run_id.forget_unfinished(".", "20261123T155523Z-1a2b")


def _spool(data: bytes) -> None:
    """What an earlier runner left on a host."""
    spool = Spool("spool", "20261123T155523Z-1a2b")
    for path in (spool.records_path, spool.progress_path):
        Path(path).write_bytes(data)
    spool.runner()
    for record in spool.records():
        assert isinstance(record, dict)
    spool.append({"kind": "end"})
    assert spool.records()[-1] == {"kind": "end"}


def _place(data: bytes) -> None:
    """Where a run on EC2 is."""
    Path("place.json").write_bytes(data)
    place.read(".")


def _live(data: bytes) -> None:
    """The record of the live check."""
    live_page.decode(data.decode("utf-8", "replace"))


@cache
def _lines() -> list[bytes]:
    """A record of each kind with all its fields, and the frozen ones of both schemas."""
    whole = [
        json.dumps(record).encode() for record in json.loads(fixture("records", "mutations.json"))["records"].values()
    ]
    frozen = [line for name in ("schema-1.jsonl", "schema-2.jsonl") for line in fixture("records", name).splitlines()]
    return whole * 3 + [line for line in frozen if len(line) < 8000]


@cache
def _stores() -> list[bytes]:
    """Parts of the frozen stores, short enough to be read thousands of times."""
    parts = []
    for name in ("schema-1.jsonl", "schema-2.jsonl"):
        lines = [line for line in fixture("records", name).splitlines() if len(line) < 6000]
        parts += [b"\n".join(lines[at : at + 6]) + b"\n" for at in range(0, len(lines), 6)]
    return parts


@cache
def _runs() -> list[bytes]:
    """The frozen runs, with their launches thinned out."""
    runs = []
    for name in ("schema-1.jsonl", "schema-2.jsonl"):
        lines = [line for line in fixture("records", name).splitlines() if len(line) < 12000]
        things = [line for line in lines if b'"kind":"launch"' not in line and b'"kind": "launch"' not in line]
        launches = [line for line in lines if line not in things]
        runs += [b"\n".join([*things[:12], *launches[at : at + 8]]) for at in range(0, len(launches), 8)]
    return runs


def _record() -> SearchStrategy[bytes]:
    metric = objects(
        {"value": numbers(), "unit": st.sampled_from(["token/s", "s", "B"]), "samples": st.lists(numbers(), max_size=3)}
    )
    cell = objects(
        {
            "model": TEXT,
            "quantization": TEXT,
            "build": TEXT,
            "threads": st.integers(1, 192),
            "test": TEXT,
            "n_prompt": st.integers(0, 9000),
            "n_gen": st.integers(0, 9000),
            "n_depth": st.integers(0, 9000),
            "variant": TEXT,
        }
    )
    launch = objects(
        {"cell": cell, "build": TEXT, "model": TEXT, "machine": TEXT, "number": st.integers(1, 9), "gates": values(),
         "metrics": st.dictionaries(st.sampled_from(["tg_tps", "pp_tps", "x"]), metric, max_size=3),
         "validity": st.just({"state": "VALID", "reasons": []})}
    )  # fmt: skip
    return as_json(
        objects(
            {
                "schema": st.integers(1, 3),
                "kind": st.sampled_from(["launch", "run", "machine", "end"]),
                "run": TEXT,
                "machine": TEXT,
                "time": st.sampled_from(["2026-11-23T15:55:23Z", "2026-02-31T00:00:00Z"]),
                "payload": st.one_of(launch, values()),
            }
        )
    )


_WORDS = (
    "schema", "kind", "payload", "metrics", "gates", "cell", "launch", "samples", "VALID", "INVALID", "token/s",
    "2026-11-23T15:55:23Z", "2026-02-31T00:00:00Z", "tg_tps", "pp512", "pp?", "serve1+1@c1", "Q4_0",
)  # fmt: skip
_NOTE = json.dumps({"run": "20261123T155523Z-1a2b", "asked": "0123456789ab", "pid": 1, "started": "12"}).encode()
_PLACE = json.dumps({"account": "123456789012", "region": "us-east-1"}).encode()
_LIVE = json.dumps(
    {
        "schema": live_page.SCHEMA,
        "state": live_page.RUN,
        "started": "2026-11-23T15:55:23Z",
        "minutes": 3.5,
        "region": "us-east-1",
        "emulated": False,
        "ttl_minutes": 60,
        "versions": {"boto3": "1"},
        "problem": "",
        "rows": [{"check": CHECKS[0].key, "seen": "", "state": OK, "seconds": 1.0}],
    }
).encode()

TARGETS = (
    Target("record", _decode, (records.RecordError,), _lines, _WORDS, share=14, strategy=_record),
    Target("append", _append, (records.RecordError, _NotJsonError), _lines, _WORDS, share=0.7, strategy=_record),
    Target(
        "journal",
        _journal,
        (),
        lambda: [b"", b'{"a":1}\n{"c":3}\n', b'{"a":1}\n{"b":', b"\n\n"],
        ("\n", '{"a":1}', '{"b":2}\n'),
        share=0.5,
    ),
    Target("store", _read, (records.RecordError,), _stores, _WORDS, share=1),
    Target("figures", _figures, (), _runs, _WORDS, share=0.3),
    Target(
        "note",
        _notes,
        (),
        lambda: [_NOTE],
        ("run", "pid", "started", "asked"),
        share=1.5,
        strategy=lambda: as_json(objects({"run": TEXT, "pid": st.integers(), "started": TEXT, "asked": TEXT})),
    ),
    Target(
        "spool",
        _spool,
        (),
        lambda: [b"\n".join(_lines()[:2]) + b"\n", b'{"pid": 12, "left_s": 3.5}\n{"kind'],
        ("pid", "\n"),
        share=0.5,
    ),
    Target(
        "place",
        _place,
        (place.ElsewhereError, AwsError),
        lambda: [_PLACE],
        ("account", "region", "eu-central-1"),
        share=0.4,
    ),
    Target(
        "live-record",
        _live,
        (LiveError,),
        lambda: [_LIVE, b'{"schema": 1, "state": "never run"}'],
        ("rows", "check", "seen", "state"),
        share=6,
        strategy=lambda: as_json(values()),
    ),
)
