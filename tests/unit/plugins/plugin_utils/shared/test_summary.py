# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shared by partition, computed from tables in the API server of the tests."""

from __future__ import annotations

import statistics
from collections import defaultdict

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary as figures
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export import parquet
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared import names, parts, push, summary, table
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.names import FIGURES, RECORDS, Part, SharedError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.parts import Lines

PLACE = "s3://ours/llama"


def share(root):
    push.push(root, PLACE, lambda _line: None)


def expected(real):
    """Medians of the undisturbed launches of each cell, from the records themselves."""
    values = defaultdict(list)
    for record in real:
        if record["kind"] == "launch" and record["payload"]["validity"]["state"] == "VALID":
            payload = record["payload"]
            cell = payload["cell"]
            metric = figures.speed_of(cell)
            values[cell["test"], cell.get("purpose", ""), cell["threads"], metric].append(
                payload["metrics"][metric]["value"]
            )
    return sorted((test, metric, len(seen), statistics.median(seen)) for (test, _p, _t, metric), seen in values.items())


def test_counts_and_medians_are_those_of_the_records(s3, stores, real):
    share(stores("ours", "r1", "r2"))
    share(stores("other", "r3", machine="machine-b"))
    shared = summary.summary(PLACE, cells=True)
    assert shared.problems == []
    assert {partition.machine for partition in shared.partitions} == {real[0]["machine"], "machine-b"}
    ours = next(partition for partition in shared.partitions if partition.machine == real[0]["machine"])
    launches = [record for record in real if record["kind"] == "launch"]
    assert (ours.objects, ours.records, ours.runs, ours.launches) == (2, 2 * len(real), 2, 2 * len(launches))
    seen = sorted(
        (figure.test, figure.metric, figure.launches, figure.median)
        for figure in shared.figures
        if figure.machine == "machine-b"
    )
    assert seen == expected(real)
    assert len(seen) > 10
    text = "\n".join(summary.said(shared, PLACE))
    assert f"s3://ours/llama: {3 * len(real)} records in 3 objects" in text


def test_a_machine_and_a_month_alone_are_read(s3, stores, server):
    share(stores("ours", "r1"))
    share(stores("other", "r2", machine="machine-b"))
    seen = len(server.requests())
    shared = summary.summary(PLACE, "machine-b")
    assert [partition.machine for partition in shared.partitions] == ["machine-b"]
    asked = [record["params"].get("Key", "") for record in server.requests()[seen:]]
    assert [key.split("/")[1:3] for key in asked if "figures/" in key] == [["figures", "machine=machine-b"]]
    assert not any("records/" in key for key in asked)
    assert summary.summary(PLACE, month="1999-01").partitions == []


def test_a_line_that_two_have_written_counts_once(s3, stores, real, keys, line_of):
    share(stores("ours", "r1"))
    (key,) = keys(RECORDS)
    part = names.part(key)
    whole = [dict(record, run="r1") for record in real]
    some = Lines([line_of(record) for record in whole[:5]], whole[:5])
    twin = Part(part.machine, part.month, part.run, 5, names.digest(some.lines))
    s3.put_object(Bucket="ours", Key=f"llama/{twin.key(FIGURES)}", Body=table.made(some, parquet.Writer()))
    (partition,) = summary.summary(PLACE).partitions
    assert (partition.objects, partition.records) == (2, len(real))


@pytest.mark.parametrize("body", [b"", b"PAR1 no table PAR1", None])
def test_a_table_that_is_none_is_left_out_and_named(s3, stores, keys, real, body):
    share(stores("ours", "r1", "r2"))
    bad, _good = keys(FIGURES)
    if body is None:
        some = Lines([b"1"], [real[0]])
        body = table.made(some, parquet.Writer())
    s3.put_object(Bucket="ours", Key=f"llama/{bad}", Body=body)
    s3.put_object(Bucket="ours", Key="llama/figures/notes.txt", Body=b"x")
    shared = summary.summary(PLACE)
    (partition,) = shared.partitions
    assert (partition.objects, partition.records, partition.runs) == (1, len(real), 1)
    assert sorted(problem.partition(": ")[0] for problem in shared.problems) == sorted([bad, "'figures/notes.txt'"])


def test_names_of_strangers_do_not_steer_the_terminal(s3, stores, keys, real, line_of):
    share(stores("ours", "r1"))
    launch = next(record for record in real if record["kind"] == "launch")
    payload = {**launch["payload"], "cell": {**launch["payload"]["cell"], "model": "\x1b[2Jx" + "y" * 500}}
    payload["validity"] = {"state": "VALID", "reasons": []}
    hostile = dict(launch, run="r9", payload=payload)
    of = Lines([line_of(hostile)], [hostile])
    part = Part(launch["machine"], launch["time"][:7], "r9", 1, names.digest(of.lines))
    s3.put_object(Bucket="ours", Key=f"llama/{part.key(FIGURES)}", Body=table.made(of, parquet.Writer()))
    text = "\n".join(summary.said(summary.summary(PLACE, cells=True), PLACE))
    assert "\x1b" not in text
    assert "y" * 100 not in text


def test_what_is_asked_for_has_to_be_one(s3, stores):
    share(stores("ours", "r1"))
    with pytest.raises(SharedError, match="'2026' is no month: write it as 2026-11"):
        summary.summary(PLACE, month="2026")
    with pytest.raises(SharedError, match="is no file name"):
        summary.summary(PLACE, machine="a/b")


def test_batches_are_whole_partitions(monkeypatch):
    monkeypatch.setattr(summary, "_BATCH_BYTES", 10)
    tables = [
        summary.Table(Part(machine, "2026-11", f"r{number}", 1, "ab" * 32), 4)
        for machine in ("a", "b", "c")
        for number in range(2)
    ]
    batches = list(summary.batches(tables))
    assert [[each.part.machine for each in batch] for batch in batches] == [["a", "a"], ["b", "b"], ["c", "c"]]
    assert parts.MOST_PACKED > parts.MOST_BYTES
