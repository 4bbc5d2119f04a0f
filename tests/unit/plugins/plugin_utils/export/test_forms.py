# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures for other programs, from a part of a real run and from records with hostile names."""

from __future__ import annotations

import copy
import csv
import io
import json
import re
import sys
from typing import Any

import duckdb
import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import canonical
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export import forms as export
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

Record = dict[str, Any]
TEXTS = [form for form in export.FORMATS if form != "parquet"]
EVIL = '=HYPERLINK("x")\n"|\\'


def written(every: list[Record], form: str) -> str:
    return export.export(summary.runs(every), form).decode()


def renamed(every: list[Record], model: str) -> list[Record]:
    for one in every:
        payload = one["payload"]
        for cell in (payload.get("cell"), *payload.get("cells", [])):
            if cell:
                cell["model"] = model
    return every


def undisturbed(every: list[Record]) -> list[Record]:
    """Return the records of a session that holds."""
    for one in every:
        if one["kind"] == "launch":
            one["payload"]["validity"] = {"state": "VALID", "reasons": []}
        elif one["kind"] == "bandwidth":
            one["payload"]["read_gb_s"]["best"] = 10.0
    return every


def lines_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_rows_of_llama_bench_are_those_that_it_printed(real):
    rows = [json.loads(line) for line in written(real, "llama-bench").splitlines()]
    kept = [
        row
        for one in real
        if one["kind"] == "launch" and not one["payload"]["cell"].get("purpose")
        for row in one["payload"].get("rows") or []
        if "avg_ts" in row
    ]
    assert rows
    assert sorted(map(canonical, rows)) == sorted(map(canonical, kept))
    assert all(row["build_commit"] and row["test_time"] for row in rows)


def test_rows_of_an_older_llama_bench_have_the_fields_and_the_commit_that_they_lack(real):
    launches = [
        one for one in real if one["kind"] == "launch" and (one["payload"].get("rows") or [{}])[0].get("avg_ts")
    ]
    del launches[0]["payload"]["rows"][0]["load_mode"]
    launches[0]["payload"]["rows"][0]["build_commit"] = "unknown"
    rows = [json.loads(line) for line in written(real, "llama-bench").splitlines()]
    assert len({tuple(sorted(row)) for row in rows}) == 1
    assert {row["build_commit"] for row in rows} == {"0c1e57098"}


def test_a_table_has_every_metric_with_its_state(real):
    lines = lines_of(written(real, "csv"))
    assert {line["test"] for line in lines} >= {"pp512", "tg128", "load", "serve128+64@c1"}
    assert {line["weights"] for line in lines} == {"synthetic"}
    assert {line["state"] for line in lines} == {"INVALID"}
    (one,) = [line for line in lines if (line["test"], line["metric"], line["n_depth"]) == ("pp512", "pp_tps", "0")]
    launch = next(
        record["payload"]
        for record in real
        if record["kind"] == "launch"
        and record["payload"]["cell"]["test"] == "pp512"
        and not record["payload"]["cell"].get("purpose")
    )
    assert float(one["mean"]) == pytest.approx(launch["metrics"]["pp_tps"]["value"])
    assert (one["low"], one["high"], one["launches"]) == ("", "", "1")
    assert one["unit"] == "token/s"


def test_what_is_invalid_raises_no_alarm(real):
    for form in ("bencher", "github-action-benchmark-bigger", "github-action-benchmark-smaller"):
        assert not json.loads(written(real, form))
    good = undisturbed(real)
    bencher = json.loads(written(good, "bencher"))
    (name,) = [name for name in bencher if name.endswith("/pp512")]
    assert bencher[name]["pp_tps"]["value"] > 1
    bigger = json.loads(written(good, "github-action-benchmark-bigger"))
    smaller = json.loads(written(good, "github-action-benchmark-smaller"))
    assert {entry["unit"] for entry in bigger} == {"token/s"}
    assert {entry["unit"] for entry in smaller} == {"s"}
    assert any("weights=synthetic" in entry["extra"] for entry in bigger)


def test_open_metrics_are_well_formed(real):
    text = written(renamed(real, EVIL), "openmetrics")
    *lines, end = text.splitlines()
    assert end == "# EOF"
    sample = re.compile(r'cloudbench_llama_\w+\{(?:\w+="(?:[^"\\\n]|\\.)*",?)+\} [-+0-9.e]+')
    families: list[str] = []
    for line in lines:
        if line.startswith("# TYPE "):
            families.append(line.split()[2])
        elif not line.startswith("# HELP "):
            assert sample.fullmatch(line), line
            assert line.startswith(families[-1] + "{")
    assert len(families) == len(set(families)) > 10


def test_a_name_is_no_formula_and_breaks_no_line(real):
    lines = lines_of(written(renamed(real, EVIL), "csv"))
    assert {line["model"] for line in lines} == {"'" + EVIL}
    assert json.loads(written(undisturbed(renamed(real, EVIL)), "github-action-benchmark-bigger"))


def test_only_the_latest_run_of_a_machine(real):
    later = [{**one, "run": "20991231T000000Z-ffff", "time": "2099-12-31T00:00:00Z"} for one in real]
    assert {line["run"] for line in lines_of(written([*real, *later], "csv"))} == {"20991231T000000Z-ffff"}


@pytest.mark.parametrize("form", TEXTS)
def test_nothing_on_record_is_a_file_all_the_same(form):
    text = written([], form)
    assert text in ("", "{}\n", "[]\n", "# EOF\n")


@pytest.mark.parametrize("form", TEXTS)
def test_the_order_of_the_records_changes_nothing(real, form):
    assert written(real, form) == written(real[::-1], form)


def test_parquet_has_types_and_every_run(real, tmp_path):
    later = copy.deepcopy(real)
    for record in later:
        record.update(run="20991231T000000Z-ffff", time="2099-12-31T00:00:00Z")
    content = export.export(summary.runs([*real, *later]), "parquet")
    path = tmp_path / "figures.parquet"
    path.write_bytes(content)
    database = duckdb.connect()
    found = database.sql(
        f"SELECT run, mean, typeof(mean), typeof(time), typeof(threads), state FROM '{path}' "
        "WHERE metric = 'tg_tps' AND test = 'tg128' ORDER BY time"
    ).fetchall()
    assert [row[0] for row in found] == [real[0]["run"], "20991231T000000Z-ffff"]
    (figure,) = [
        one for one in export.figures(summary.runs(real)) if (one.name, one.row.cell["test"]) == ("tg_tps", "tg128")
    ]
    assert found[0][1:5] == (figure.interval.mean, "DOUBLE", "TIMESTAMP", "BIGINT")
    assert content == export.export(summary.runs([*later, *real]), "parquet")


def test_parquet_of_nothing_and_without_duckdb_is_refused_in_words(real, monkeypatch):
    with pytest.raises(export.ExportError, match="there are no figures on record"):
        export.export([], "parquet")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(export.ExportError, match="pip install duckdb"):
        export.export(summary.runs(real), "parquet")


def test_duckdb_reads_the_records_as_they_are(real, tmp_path):
    """What README.md shows for those who have very many."""
    records.append(tmp_path, real)
    found = duckdb.sql(
        f"SELECT count(*) FROM read_json('{tmp_path}/*/records/*.jsonl', union_by_name=true) WHERE kind = 'launch'"
    ).fetchall()
    assert found == [(len([one for one in real if one["kind"] == "launch"]),)]
