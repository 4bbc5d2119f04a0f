# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store is the truth: it loses nothing, believes nothing absurd and writes nowhere but in its directory."""

from __future__ import annotations

import copy
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import canonical
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records, schema
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.records import (
    NewerSchemaError,
    Problem,
    RecordError,
)

Record = dict[str, Any]

FROZEN = Path(__file__).resolve().parents[4] / "fixtures" / "records"
# Whoever changes a frozen file breaks the promise that old records stay readable.
DIGESTS = {
    "schema-1.jsonl": "2e94af2a72966bea08557f04a92412f9c8af6e0e9badd64c347281746189fe12",
    "schema-2.jsonl": "b6ad6cc68d3414c83c3fcda4ec2a8b00ade1f861641646d2ac4563cc1f37ce80",
}


def launch_of(frozen: list[Record]) -> Record:
    return copy.deepcopy(next(record for record in frozen if record["kind"] == "launch"))


def file_of(root: Path, record: Record) -> Path:
    return root / record["machine"] / "records" / f"{record['run']}.jsonl"


def test_frozen_files_are_frozen_and_one_exists_for_every_schema() -> None:
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FROZEN.glob("*.jsonl")}
    assert digests == DIGESTS
    assert sorted(digests) == [f"schema-{number}.jsonl" for number in range(1, records.SCHEMA + 1)]
    assert len(records.UPGRADES) == records.SCHEMA - 1


def test_every_kind_of_schema_2_is_read() -> None:
    lines = (FROZEN / "schema-2.jsonl").read_bytes().splitlines()
    # Duets and searches came since, as additions.
    assert {records.decode(line)["kind"] for line in lines} == set(schema.KINDS) - {"failure", "duet", "tuned"}


def test_what_is_appended_is_read_again(tmp_path: Path, frozen: list[Record]) -> None:
    appended = records.append(tmp_path, frozen)
    contents = records.read(tmp_path)
    assert appended.written == len(frozen)
    assert not appended.problems
    assert not contents.problems
    assert sorted(map(str, contents.records)) == sorted(map(str, frozen))
    assert sorted(appended.files) == sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.jsonl"))


def test_a_line_is_written_once(store: Path, frozen: list[Record]) -> None:
    before = {path: path.read_bytes() for path in store.rglob("*.jsonl")}
    reordered = [dict(reversed(record.items())) for record in frozen]
    assert records.append(store, reordered + frozen).written == 0
    assert {path: path.read_bytes() for path in store.rglob("*.jsonl")} == before


@pytest.mark.parametrize("field", ["machine", "run"])
@pytest.mark.parametrize(
    "name",
    ["../../etc", "..", ".", "", "a/b", "/etc", "a\\b", ".hidden", "-rf", "a\nb", "a\0", "ü", "x" * 101, None, 7, {}],
)
def test_hostile_names_write_nothing(tmp_path: Path, frozen: list[Record], field: str, name: object) -> None:
    root = tmp_path / "a" / "results"
    good = launch_of(frozen)
    with pytest.raises(RecordError, match="is no file name"):
        records.append(root, [dict(good, **{field: name}), good])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file_of(root, good)]
    assert records.read(root).records == [good]


def test_the_index_cannot_be_a_machine(tmp_path: Path, frozen: list[Record]) -> None:
    with pytest.raises(RecordError, match="index page"):
        records.append(tmp_path, [dict(launch_of(frozen), machine="ReadMe.md")])


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path, frozen: list[Record]) -> None:
    record = launch_of(frozen)
    target = tmp_path / "elsewhere"
    target.write_text("mine\n")
    path = file_of(tmp_path / "results", record)
    path.parent.mkdir(parents=True)
    path.symlink_to(target)
    with pytest.raises(RecordError, match="cannot be written"):
        records.append(tmp_path / "results", [record])
    assert target.read_text() == "mine\n"


def test_a_link_out_of_the_directory_is_neither_read_nor_written(
    tmp_path: Path, store: Path, frozen: list[Record]
) -> None:
    """Of a file, of the directory of records, of that of the machine: a results directory may be a stranger's."""
    elsewhere = tmp_path / "elsewhere"
    record = launch_of(frozen)
    records.append(elsewhere, [record])
    secret = file_of(elsewhere, record)
    before = secret.read_bytes()
    (store / "by-file" / "records").mkdir(parents=True)
    (store / "by-file" / "records" / secret.name).symlink_to(secret)
    (store / "by-records").mkdir()
    (store / "by-records" / "records").symlink_to(secret.parent)
    (store / "by-machine").symlink_to(secret.parents[1])
    read = records.read(store)
    assert len(read.records) == len(frozen)
    named = [f"by-{way}/records/{secret.name}" for way in ("file", "machine", "records")]
    assert [problem.file for problem in read.problems] == named
    assert all("a symbolic link that leads out of the directory: put a copy" in str(one) for one in read.problems)
    for way in ("file", "machine", "records"):
        with pytest.raises(RecordError, match="cannot be written: it is a symbolic link that leads out"):
            records.append(store, [dict(record, machine=f"by-{way}", time="2026-11-30T00:00:00Z")])
    assert secret.read_bytes() == before


def test_a_directory_that_is_reached_by_a_link_is_a_directory(tmp_path: Path, store: Path) -> None:
    (tmp_path / "linked").symlink_to(store)
    (store / "other").symlink_to(sorted(path.name for path in store.iterdir())[0])
    read = records.read(tmp_path / "linked")
    assert read.records
    # A link within is read, and its records say that they belong elsewhere.
    assert {problem.file.partition("/")[0] for problem in read.problems} == {"other"}
    assert all("it belongs to machine" in str(problem) for problem in read.problems)


def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(store: Path) -> None:
    (store / "pipe" / "records").mkdir(parents=True)
    os.mkfifo(store / "pipe" / "records" / "x.jsonl")
    (problem,) = records.read(store).problems
    assert str(problem) == "pipe/records/x.jsonl: it is not read: it is no regular file: remove it"


def test_what_is_kept_is_written_by_its_owner_alone(tmp_path: Path, frozen: list[Record]) -> None:
    before = os.umask(0)
    try:
        records.append(tmp_path, frozen[:1])
    finally:
        os.umask(before)
    assert file_of(tmp_path, frozen[0]).stat().st_mode & 0o777 == 0o644


def test_numbers_json_does_not_have_are_refused(tmp_path: Path, frozen: list[Record]) -> None:
    record = launch_of(frozen)
    record["payload"]["metrics"]["wall_s"]["value"] = float("nan")
    with pytest.raises(RecordError, match="JSON"):
        records.append(tmp_path, [record])


def test_a_payload_that_looks_wrong_is_kept_and_named(tmp_path: Path, frozen: list[Record]) -> None:
    record = launch_of(frozen)
    record["payload"]["metrics"]["wall_s"]["value"] = -1.0
    appended = records.append(tmp_path, [record])
    assert [problem.reason for problem in appended.problems] == ["launch.metrics.wall_s is -1.0, outside 0 to 1e+08 s"]
    assert json.loads(file_of(tmp_path, record).read_text()) == record
    assert records.read(tmp_path).records == []


def test_a_half_line_costs_only_itself(tmp_path: Path, frozen: list[Record]) -> None:
    first, other = frozen[0], launch_of(frozen)
    records.append(tmp_path, [first])
    path = file_of(tmp_path, first)
    with path.open("a") as file:
        file.write('{"schema": 1, "kind": "lau')
    records.append(tmp_path, [other])
    contents = records.read(tmp_path)
    assert contents.records == [first, other]
    assert contents.problems == [
        Problem(
            path.relative_to(tmp_path).as_posix(),
            2,
            "it is not JSON, or ends in the middle: Unterminated string starting at",
        )
    ]


LINES: list[tuple[str, bytes, str]] = [
    ("foreign object", b'{"hello": "world"}', "schema is None"),
    ("foreign list", b"[1, 2]", "it is list, not an object"),
    ("NaN", b'{"schema": NaN}', "it holds NaN where a number belongs"),
    ("not UTF-8", b'{"schema": 1, "kind": "\xff"}', "it is not UTF-8"),
    ("nested", b"[" * 200000 + b"]" * 200000, "nested too deep"),
    ("long integer", b'{"schema": ' + b"9" * 5000 + b"}", "integer"),
    ("schema 0", b'{"schema": 0}', "schema is 0"),
    ("schema true", b'{"schema": true}', "schema is True"),
    ("schema as text", b'{"schema": "1"}', "schema is '1'"),
]


@pytest.mark.parametrize(("line", "reason"), [pytest.param(line, why, id=name) for name, line, why in LINES])
def test_lines_that_are_no_records(store: Path, frozen: list[Record], line: bytes, reason: str) -> None:
    path = file_of(store, frozen[0])
    path.write_bytes(line + b"\n\n" + path.read_bytes())
    contents = records.read(store)
    assert len(contents.records) == len(frozen)
    assert [(problem.file, problem.line) for problem in contents.problems] == [(path.relative_to(store).as_posix(), 1)]
    assert reason in contents.problems[0].reason


def set_value(*path: Any) -> Callable[[Record], None]:
    """Return a change that sets the last of path at the place the others name."""

    def change(record: Record) -> None:
        place: Any = record
        for step in path[:-2]:
            place = place[step]
        place[path[-2]] = path[-1]

    return change


def drop(*path: Any) -> Callable[[Record], None]:
    """Return a change that removes a field."""

    def change(record: Record) -> None:
        place: Any = record
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return change


P = "payload"
CHANGES: list[tuple[str, Callable[[Record], None], str]] = [
    ("no time", drop("time"), "the field record.time is missing"),
    ("odd time", set_value("time", "yesterday"), "time is 'yesterday'"),
    ("thirteenth month", set_value("time", "2026-13-01T00:00:00Z"), "time is '2026-13-01"),
    ("unknown kind", set_value("kind", "canary"), "the kind 'canary' is unknown"),
    ("no payload", drop(P), "the field record.payload is missing"),
    ("payload of another kind", set_value("kind", "build"), "the field build.id is missing"),
    ("no cell", drop(P, "cell"), "the field launch.cell is missing"),
    ("no threads", drop(P, "cell", "threads"), "the field launch.cell.threads is missing"),
    ("threads as text", set_value(P, "cell", "threads", "2"), "launch.cell.threads is '2' where an integer belongs"),
    ("threads true", set_value(P, "cell", "threads", True), "launch.cell.threads is True"),
    ("no threads at all", set_value(P, "cell", "threads", 0), "launch.cell.threads is 0, outside 1 to 100000"),
    ("no speed", set_value(P, "metrics", {}), "launch.metrics has no "),
    ("other unit", set_value(P, "metrics", "wall_s", "unit", "ms"), "launch.metrics.wall_s.unit is 'ms', not 's'"),
    ("negative", set_value(P, "metrics", "cpu_user_s", "value", -0.1), "launch.metrics.cpu_user_s is -0.1"),
    ("absurd", set_value(P, "metrics", "wall_s", "value", 1e300), "launch.metrics.wall_s is 1e+300"),
    ("infinite", set_value(P, "rows", 0, "avg_ts", float("inf")), "it holds Infinity"),
    ("speed of zero", set_value(P, "metrics", "pp_tps", {"value": 0, "unit": "token/s"}), "launch.metrics.pp_tps is 0"),
    (
        "sample of NaN",
        set_value(P, "metrics", "pp_tps", {"value": 1, "unit": "token/s", "samples": ["NaN"]}),
        "samples[0]",
    ),
    ("gate", set_value(P, "gates", "steal_percent", 101), "launch.gates.steal_percent is 101"),
    ("state", set_value(P, "validity", "state", "FINE"), "neither INVALID nor VALID"),
    ("argv as text", set_value(P, "argv", "llama-bench"), "launch.argv is 'llama-bench' where a list belongs"),
    ("another run", set_value("run", "20200101T000000Z-0000"), "not into this file"),
    ("another machine", set_value("machine", "mine"), "not into this file"),
]


@pytest.mark.parametrize(("change", "reason"), [pytest.param(change, why, id=name) for name, change, why in CHANGES])
def test_a_record_that_is_wrong_is_named_and_the_rest_is_read(
    store: Path, frozen: list[Record], change: Callable[[Record], None], reason: str
) -> None:
    good = launch_of(frozen)
    bad = launch_of(frozen)
    change(bad)
    path = file_of(store, good)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], json.dumps(bad), *lines[2:]]) + "\n")
    contents = records.read(store)
    assert len(contents.records) == len(frozen)
    assert [(problem.file, problem.line) for problem in contents.problems] == [(path.relative_to(store).as_posix(), 3)]
    assert reason in contents.problems[0].reason


def test_a_number_too_large_for_a_float_is_not_finite(store: Path, frozen: list[Record]) -> None:
    path = file_of(store, launch_of(frozen))
    path.write_text(path.read_text().replace('"n_batch":2048', '"n_batch":1e999', 1))
    contents = records.read(store)
    assert [problem.reason for problem in contents.problems] == ["it holds a number that is not finite"]
    assert len(contents.records) == len(frozen) - 1


def test_fields_and_metrics_of_a_later_minor_version_are_kept(tmp_path: Path, frozen: list[Record]) -> None:
    record = launch_of(frozen)
    record["payload"]["colour"] = "blue"
    record["payload"]["metrics"]["ttft_s"] = {"value": 0.3, "unit": "s"}
    assert not records.append(tmp_path, [record]).problems
    assert records.read(tmp_path).records == [record]


def test_a_newer_schema_stops_reading_and_says_what_to_do(store: Path, frozen: list[Record]) -> None:
    newer = dict(frozen[0], schema=records.SCHEMA + 1)
    path = file_of(store, newer)
    with path.open("a") as file:
        file.write(json.dumps(newer) + "\n")
    with pytest.raises(NewerSchemaError, match="update the collection") as caught:
        records.read(store)
    assert str(path) in str(caught.value)
    with pytest.raises(RecordError, match="update the collection"):
        records.append(store, [newer])


def test_the_ladder_climbs_every_step_from_where_a_record_stands(
    store: Path, frozen: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    def to_3(record: Record) -> Record:
        return dict(record, schema=3, steps=[*record.get("steps", []), 3])

    def to_4(record: Record) -> Record:
        return dict(record, schema=4, steps=[*record.get("steps", []), 4])

    monkeypatch.setattr(records, "UPGRADES", (*records.UPGRADES, to_3, to_4))
    monkeypatch.setattr(records, "SCHEMA", 4)
    assert {tuple(record["steps"]) for record in records.read(store).records} == {(3, 4)}
    assert records.upgrade(dict(frozen[0], schema=1))["steps"] == [3, 4]
    assert records.upgrade(dict(frozen[0], schema=3))["steps"] == [4]
    assert records.upgrade(dict(frozen[0], schema=4)) == dict(frozen[0], schema=4)


def test_a_file_that_cannot_be_read_is_a_problem(store: Path) -> None:
    (store / "one" / "records" / "x.jsonl").mkdir(parents=True)
    assert [problem.file for problem in records.read(store).problems] == ["one/records/x.jsonl"]


def test_no_directory_is_no_record(tmp_path: Path) -> None:
    assert records.read(tmp_path / "absent") == records.Contents([], [])


WRITER = """
import json, sys
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records
root, number = sys.argv[1:]
template = json.load(sys.stdin)
for i in range(60):
    template["payload"]["number"] = i + 1
    template["payload"]["argv"] = [number, "x" * 5000]
    records.append(root, [template])
"""


def test_two_writers_do_not_mix_their_lines(tmp_path: Path, frozen: list[Record]) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), number],
            stdin=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": ":".join(filter(None, sys.path))},
        )
        for number in ("1", "2")
    ]
    for writer in writers:
        assert writer.stdin
        writer.stdin.write(json.dumps(launch_of(frozen)))
        writer.stdin.close()
    assert [writer.wait(60) for writer in writers] == [0, 0]
    contents = records.read(tmp_path)
    assert not contents.problems
    written = [(record["payload"]["argv"][0], record["payload"]["number"]) for record in contents.records]
    assert sorted(written) == [(writer, number) for writer in ("1", "2") for number in range(1, 61)]


def test_a_writer_waits_for_the_other(store: Path, frozen: list[Record]) -> None:
    record = launch_of(frozen)
    record["payload"]["argv"] = ["new"]
    writer = threading.Thread(target=records.append, args=(store, [record]))
    with file_of(store, record).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        writer.start()
        writer.join(0.2)
        assert writer.is_alive()
    writer.join(10)
    assert record in records.read(store).records


def test_a_line_that_a_merge_repeated_is_read_once(store: Path, frozen: list[Record]) -> None:
    path = file_of(store, frozen[0])
    path.write_text(path.read_text() * 2)
    assert len(records.read(store).records) == len(frozen)


def test_every_metric_in_the_frozen_records_is_registered(frozen: list[Record]) -> None:
    launches = [record["payload"] for record in frozen if record["kind"] == "launch"]
    names = {name for launch in launches for name in [*launch["metrics"], *launch["gates"]]}
    assert names <= set(metrics.REGISTRY)
    units = {name: entry["unit"] for launch in launches for name, entry in launch["metrics"].items()}
    assert units == {name: metrics.metric(name).unit for name in units}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"value":', b'"value":1e999,"was":', "it holds a number that is not finite"),
        (b'"value":', b'"value":-0.0,"was":', None),
        (b'"value":', b'"value":NaN,"was":', "it holds NaN where a number belongs"),
        (b'"payload":{', b'"payload":{"foreign":[{"deep":1e999}],', "it holds a number that is not finite"),
        (b'"payload":{', b'"payload":{"foreign":"\\ud800",', None),
        (b'"payload":{', b'"payload":{"\\ud800":1,', None),
        (b'"number":', b'"\\ud800":1,"number":true,"was":', "launch.number is True where an integer belongs"),
        (b'"payload":{', b'"payload":{"foreign":"\xff",', "it is not UTF-8"),
        (b'"payload":{', b'"payload":{"foreign":"\xed\xa0\x80",', "it is not UTF-8"),
        (
            b'"payload":{',
            b'"payload":{"foreign":"\x01",',
            "it is not JSON, or ends in the middle: Invalid control character at",
        ),
        (b'"payload":{', b'"payload":{"foreign":"\xc3\xa9 \xf0\x9f\x99\x82",', None),
        (b'"payload":{', b'"payload":{"number":1,', None),
        (b'"payload":{', b'"payload":{"foreign":' + b"[" * 5000 + b"]" * 5000 + b",", "its JSON is nested too deep"),
        (b'"payload":{', b'"payload":{"foreign":' + b"9" * 400 + b",", None),
        (b'"payload":{', b'"payload":{"foreign":0.1e-400,"more":123456789.123456789e-3,', None),
        (b'"metrics":{', b'"metrics":{"some_s":{"value":-1,"unit":"s"},', None),
        (
            b'"metrics":{',
            b'"metrics":{"some_s":{"value":"1","unit":"s"},',
            "launch.metrics.some_s.value is '1' where a number belongs",
        ),
        (b'"gates":{', b'"gates":{"some_share":"1",', "launch.gates.some_share is '1' where a number belongs"),
        (b'"schema":2', b'"schema":2.0', "schema is 2.0, not a version number: this is no record of cloudbench.llama"),
        (b'"schema":2', b'"schema":1', None),
        (b'"kind":"launch"', b'"kind":["launch"]', "record.kind is ['launch'] where text belongs"),
    ],
)
def test_a_line_is_read_as_python_reads_it(
    real: list[dict[str, Any]], old: bytes, new: bytes, reason: str | None
) -> None:
    (line, *_more) = (canonical(record).encode() for record in real if record["kind"] == "launch")
    assert old in line
    line = line.replace(old, new, 1)
    try:
        taken: Any = records.decode(line)
    except records.RecordError as error:
        taken = str(error)
    wanted = reason or {**json.loads(line), "schema": records.SCHEMA}
    assert taken == wanted
    assert repr(taken) == repr(wanted)
