# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records to a bucket and back, against the API server of the tests: once each, and nothing lost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.s3 import S3Error
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export import parquet
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared import names, parts, pull, push, table
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.names import (
    FIGURES,
    MARKER,
    RECORDS,
    Part,
    SharedError,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

PLACE = "s3://ours/llama"
COLLECTIONS = Path(__file__).resolve().parents[5] / "collections"


def quiet(_line):
    pass


def share(root, **how):
    return push.push(root, PLACE, quiet, **how)


def fetch(root, **how):
    return pull.pull(root, PLACE, quiet, **how)


def test_what_one_shares_another_fetches_byte_for_byte(s3, stores, keys, journals, server, tmp_path):
    ours = stores("ours", "r1", "r2")
    pushed = share(ours)
    assert (pushed.written, pushed.present, pushed.problems, pushed.refused) == (2, 0, [], [])
    assert pushed.lines == sum(len(kept.lines) for kept in records.files(ours))
    assert len(keys(RECORDS)) == len(keys(FIGURES)) == 2
    fetched = fetch(tmp_path / "theirs")
    assert (fetched.read, fetched.lines, fetched.refused) == (2, pushed.lines, [])
    assert journals(tmp_path / "theirs") == journals(ours)


def test_a_second_time_nothing_is_read_or_written(s3, stores, server, tmp_path):
    ours = stores("ours", "r1", "r2")
    share(ours)
    fetch(tmp_path / "theirs")
    seen = len(server.requests())
    for root in (ours, tmp_path / "theirs"):
        again, back = share(root), fetch(root)
        assert (again.written, again.tables, again.changed, again.present) == (0, 0, False, 2)
        assert (back.read, back.lines, back.present) == (0, 0, 2)
    asked = {
        (record["action"], record["params"].get("Key", "").rpartition("/")[2])
        for record in server.requests()[seen:]
        if record["action"] in ("PutObject", "GetObject")
    }
    assert asked == {("PutObject", MARKER), ("GetObject", MARKER)}


def test_a_journal_that_grows_becomes_further_objects(s3, stores, keys, journals, line_of, real, tmp_path):
    whole = stores("whole", "r1")
    lines = next(records.files(whole)).lines
    growing = tmp_path / "growing" / real[0]["machine"] / "records" / "r1.jsonl"
    growing.parent.mkdir(parents=True)
    for end in (3, 7, len(lines)):
        growing.write_bytes(names.content(lines[:end]))
        assert share(tmp_path / "growing").written == 1
    assert sorted(names.part(key).lines for key in keys(RECORDS)) == sorted([3, 4, len(lines) - 7])
    fetch(tmp_path / "theirs")
    assert journals(tmp_path / "theirs") == journals(tmp_path / "growing")
    assert (share(whole).written, fetch(whole).read) == (0, 0)


def test_of_a_copy_only_what_the_bucket_lacks_is_written(s3, stores, keys, journals, tmp_path, real):
    """The copy has the same lines in another order, so that names alone tell nothing."""
    whole = stores("whole", "r1")
    lines = next(records.files(whole)).lines
    part = tmp_path / "part" / real[0]["machine"] / "records" / "r1.jsonl"
    part.parent.mkdir(parents=True)
    part.write_bytes(names.content(lines[1:6:2]))
    share(tmp_path / "part")
    assert share(whole).lines == len(lines) - 3
    assert sorted(names.part(key).lines for key in keys(RECORDS)) == [3, len(lines) - 3]
    fetch(tmp_path / "theirs")
    assert {*journals(tmp_path / "theirs").popitem()[1].splitlines()} == {*lines}


def test_many_at_once_write_each_object_once(s3, stores, keys, server):
    runs = [f"r{number}" for number in range(12)]
    roots = [stores(f"copy{number}", *runs) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(share, roots))
    assert len(keys(RECORDS)) == len(keys(FIGURES)) == 12
    assert [outcome.refused for outcome in outcomes] == [[]] * 4
    assert sum(outcome.written for outcome in outcomes) == 12
    assert {outcome.written + outcome.present for outcome in outcomes} == {12}
    written = [record["params"]["Key"] for record in server.requests("PutObject") if record["status"] == 200]
    assert len(written) == len(set(written)) == 2 * 12 + 1


@pytest.mark.parametrize("skip", range(1, 8))
def test_broken_off_anywhere_it_goes_on(s3, stores, keys, server, journals, tmp_path, skip):
    ours = stores("ours", "r1", "r2", "r3")
    server.fault(service="s3", action="PutObject", code="AccessDenied", status=403, skip=skip, times=99)
    if skip < 7:
        with pytest.raises(aws.AwsError, match=r"s3://ours/llama: s3:PutObject: .*: allow s3:PutObject to the caller"):
            share(ours)
    server.clear_faults()
    there = set(keys())
    share(ours)
    assert there <= set(keys())
    assert len(keys(RECORDS)) == len(keys(FIGURES)) == 3
    server.fault(service="s3", action="GetObject", code="AccessDenied", status=403, skip=skip, times=99)
    if skip < 4:
        with pytest.raises(aws.AwsError, match="allow s3:GetObject"):
            fetch(tmp_path / "theirs")
    server.clear_faults()
    fetch(tmp_path / "theirs")
    assert journals(tmp_path / "theirs") == journals(ours)


def test_a_table_that_lacks_is_made_again(s3, stores, keys):
    ours = stores("ours", "r1", "r2")
    share(ours)
    lost = keys(FIGURES)[0]
    s3.delete_object(Bucket="ours", Key=f"llama/{lost}")
    again = share(ours)
    assert (again.written, again.tables, again.changed) == (0, 1, True)
    assert lost in keys(FIGURES)


def test_what_is_in_an_object_is_held_against_its_name(s3, stores, keys, tmp_path):
    ours = stores("ours", "r1", "r2")
    share(ours)
    bad, good = keys(RECORDS)
    body = s3.get_object(Bucket="ours", Key=f"llama/{good}")["Body"].read()
    s3.put_object(Bucket="ours", Key=f"llama/{bad}", Body=body)
    s3.put_object(Bucket="ours", Key="llama/records/machine=../month=2026-11/x", Body=b"x")
    fetched = fetch(tmp_path / "theirs")
    assert (fetched.read, len(fetched.refused)) == (1, 2)
    assert f"{bad}: its content is not what its name says" in fetched.refused
    assert any("machine=../month=2026-11/x': its name is none" in refusal for refusal in fetched.refused)
    assert [path.name for path in (tmp_path / "theirs").rglob("*.jsonl")] == ["r2.jsonl"]


def test_a_record_that_is_none_is_kept_out(s3, stores, line_of, tmp_path, real):
    ours = stores("ours", "r1")
    share(ours)
    launch = next(record for record in real if record["kind"] == "launch")
    hostile = [line_of(dict(launch, run="r2", payload={**launch["payload"], "metrics": "<script>"}))]
    part = Part(launch["machine"], launch["time"][:7], "r2", 1, names.digest(hostile))
    s3.put_object(Bucket="ours", Key=f"llama/{part.key(RECORDS)}", Body=parts.packed(hostile))
    fetched = fetch(tmp_path / "theirs")
    assert len(fetched.refused) == 1
    assert fetched.refused[0].startswith(f"{part.key(RECORDS)}: line 1: ")
    assert [path.name for path in (tmp_path / "theirs").rglob("*.jsonl")] == ["r1.jsonl"]


def test_lines_that_are_no_records_stay_here_and_are_named(s3, stores, keys):
    ours = stores("ours", "r1")
    (path,) = ours.glob("*/records/r1.jsonl")
    with path.open("ab") as file:
        file.write(b'{"half of a rec')
    pushed = share(ours)
    assert pushed.written == 1
    assert [problem.split(",")[0] for problem in pushed.problems] == [path.relative_to(ours).as_posix()]


def test_somebody_elses_object_under_our_name_is_told(s3, stores, keys, monkeypatch):
    """It came between our look and our write, and is not what it is called: ours would be lost without a word."""
    ours = stores("ours", "r1")
    share(ours)
    (key,) = keys(RECORDS)
    s3.put_object(Bucket="ours", Key=f"llama/{key}", Body=b"x")
    bucket = push.Bucket(names.place(PLACE))
    kept = next(records.files(ours))
    month, of = next(iter(parts.by_month(kept).items()))
    job = push.Job(next(parts.cut(kept.machine, month, kept.run, of))[0], of, whole=True)
    assert push.write(bucket, job, parquet.Writer()) == (False, b"x")
    monkeypatch.setattr(push, "_jobs", lambda *_given: iter([job]))
    pushed = share(ours)
    assert (pushed.written, pushed.present) == (0, 0)
    assert [refusal.partition(": it is no")[0] for refusal in pushed.refused] == [key]


def test_without_writing(s3, stores, keys, tmp_path):
    ours = stores("ours", "r1")
    assert share(ours, dry=True).written == 1
    assert keys() == []
    share(ours)
    dry = fetch(tmp_path / "theirs", dry=True)
    assert (dry.read, dry.lines > 0) == (1, True)
    assert not (tmp_path / "theirs").exists()


def test_of_one_machine_and_month_only_these_are_asked_for(s3, stores, server, tmp_path):
    share(stores("a", "r1", machine="machine-a"))
    share(stores("b", "r2", machine="machine-b"))
    seen = len(server.requests())
    fetched = fetch(tmp_path / "theirs", machine="machine-b")
    assert (fetched.read, fetched.present) == (1, 0)
    prefixes = {record["params"].get("Prefix") for record in server.requests()[seen:]} - {None}
    assert prefixes == {"llama/records/machine=machine-b/"}
    assert fetch(tmp_path / "theirs", month="1999-01").read == 0
    for how in ({"machine": "../x"}, {"month": "11-2026"}):
        with pytest.raises(SharedError):
            fetch(tmp_path / "theirs", **how)


class TestErrors:
    def test_a_bucket_that_is_not_there(self, server, stores):
        with pytest.raises(S3Error, match="there is no bucket ours: correct its name, or create it first"):
            share(stores("ours", "r1"))

    def test_a_place_where_nothing_was_shared(self, s3, tmp_path):
        with pytest.raises(
            SharedError, match="nothing was ever shared at s3://ours/llama: correct the place, or share"
        ):
            fetch(tmp_path)

    def test_another_form(self, s3, stores, tmp_path):
        s3.put_object(Bucket="ours", Key=f"llama/{MARKER}", Body=b'{"form":2}')
        with pytest.raises(SharedError, match="was shared in another form"):
            share(stores("ours", "r1"))
        with pytest.raises(SharedError, match="update the collection"):
            fetch(tmp_path)

    def test_no_credentials(self, s3, stores, monkeypatch, tmp_path):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        with pytest.raises(aws.AwsError, match="there are no credentials: give those of the controller"):
            share(stores("ours", "r1"))

    def test_an_endpoint_that_nobody_answers_at(self, s3, stores, monkeypatch):
        monkeypatch.setattr(aws, "ATTEMPTS", 1)
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        with pytest.raises(aws.AwsError, match=r"AWS cannot be reached .*AWS_ENDPOINT_URL \(http://127.0.0.1:1\)"):
            share(stores("ours", "r1"))

    def test_another_region(self, s3, stores, server):
        server.fault(service="s3", action="PutObject", code="IllegalLocationConstraintException", status=400, times=9)
        with pytest.raises(aws.AwsError, match="s3://ours/llama: the bucket is in another region than was asked"):
            share(stores("ours", "r1"))

    @pytest.mark.parametrize(("status", "does"), [(200, "ignores"), (501, "refuses")])
    def test_a_server_without_conditional_writes(self, stores, monkeypatch, server, status, does):
        written = []

        class Careless(BaseHTTPRequestHandler):
            """It takes whatever is put, again and again."""

            def log_message(self, *_args):
                pass

            def do_HEAD(self):
                self.answer(200)

            def do_PUT(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                written.append(self.path)
                self.answer(status)

            def answer(self, status):
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        careless = ThreadingHTTPServer(("127.0.0.1", 0), Careless)
        threading.Thread(target=careless.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        endpoint = f"http://127.0.0.1:{careless.server_address[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.setattr(aws, "ATTEMPTS", 1)
        try:
            message = f"s3://ours/llama: {endpoint} {does} conditional writes (If-None-Match: *)"
            with pytest.raises(SharedError, match=re.escape(message)):
                share(stores("ours", "r1"))
        finally:
            careless.shutdown()
            careless.server_close()
        assert {path.rpartition("/")[2] for path in written} == {MARKER}


def test_the_bytes_of_a_table_do_not_make_its_name(s3, stores, keys, monkeypatch):
    """Another version of DuckDB writes other bytes: the same lines are the same object all the same."""
    share(stores("ours", "r1"))
    before = keys()
    made = table.made
    monkeypatch.setattr(table, "made", lambda *of: made(*of) + b"other")
    share(stores("copy", "r1"))
    assert keys() == before


def test_a_process_may_begin_with_a_fetch(s3, stores, tmp_path):
    """Nothing but one thread may make what records are read by: a process of its own has read none before."""
    share(stores("ours", *(f"r{number}" for number in range(12))))
    program = (
        "import sys; from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared import pull; "
        "sys.setswitchinterval(1e-6); print(pull.pull(sys.argv[1], sys.argv[2], lambda line: None).read)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "theirs"), PLACE]
    environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "12"), done.stderr
