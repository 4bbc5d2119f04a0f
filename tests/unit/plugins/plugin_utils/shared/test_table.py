# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table beside an object: what pages compute with, in columns."""

from __future__ import annotations

import json

import duckdb
import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export import parquet
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared import table
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.parts import Lines


@pytest.fixture
def of(real):
    return Lines([json.dumps(record).encode() for record in real], real)


def read(of, tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(table.made(of, parquet.Writer()))
    return duckdb.connect().read_parquet(str(path))


def test_a_row_for_each_line_with_the_figure_that_stands_for_its_cell(of, tmp_path):
    relation = read(of, tmp_path)
    assert dict(zip(relation.columns, map(str, relation.types), strict=True)) == table.COLUMNS
    rows = relation.fetchall()
    assert len(rows) == len(of.records)
    for values, record in zip(rows, of.records, strict=True):
        row = dict(zip(relation.columns, values, strict=True))
        assert (row["kind"], row["run"]) == (record["kind"], record["run"])
        assert f"{row['time']:%Y-%m-%dT%H:%M:%SZ}" == record["time"]
        if record["kind"] == "launch":
            cell = record["payload"]["cell"]
            speed = summary.speed_of(cell)
            assert (row["metric"], row["value"]) == (speed, record["payload"]["metrics"][speed]["value"])
            assert [row[name] for name in ("model", "test", "threads")] == [
                cell["model"],
                cell["test"],
                cell["threads"],
            ]
            assert row["state"] == record["payload"]["validity"]["state"]
        else:
            assert row["metric"] is None


def test_unlike_launches_have_unlike_keys(real):
    launch = next(record for record in real if record["kind"] == "launch")
    others = [
        {**launch, "payload": {**launch["payload"], **other}}
        for other in ({"build": "x"}, {"model": "x"}, {"environment": {"A": "1"}}, {"number": 99})
    ]
    rows = list(table.rows(Lines([b"1", b"2", b"3", b"4", b"5"], [launch, *others])))
    keys = [row["key"] for row in rows]
    assert len(set(keys)) == 4
    assert keys[0] == keys[4]
    assert len({row["line"] for row in rows}) == 5


@pytest.mark.parametrize("time", ["2026-02-31T00:00:00Z", "2026-11-30T00:00:61Z"])
def test_a_time_that_no_calendar_has_is_none(of, tmp_path, time):
    first = dict(of.records[0], time=time)
    assert read(Lines(of.lines[:1], [first]), tmp_path).project('"time"').fetchall() == [(None,)]
