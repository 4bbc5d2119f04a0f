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
from pathlib import Path
from typing import Any

import duckdb
import pandas
import pytest
from support.records import side_by_side, traded

from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import canonical
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary, validity
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export import forms as export
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import files as imports
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

Record = dict[str, Any]
TEXTS = [form for form in export.FORMATS if form != "parquet"]
ROOT = Path(__file__).resolve().parents[5]
LATER = "20991231T000000Z-ffff"
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
    """Return the records of a session that holds, with enough launches of each cell."""
    some = []
    for one in every:
        if one["kind"] == "launch":
            some += [_again(one, block) for block in range(validity.ENOUGH_LAUNCHES)]
        elif one["kind"] != "bandwidth":
            some.append(one)
    return some


def _again(launch: Record, block: int) -> Record:
    """Return the undisturbed launch of a block, as fast as `launch` but for some thousandths."""
    again = copy.deepcopy(launch)
    payload = again["payload"]
    payload.update(number=payload["number"] + 100 * block, block=block, validity={"state": "VALID", "reasons": []})
    payload["gates"].update(steal_percent=0.0, other_cpu_percent=0.0)
    for entry in payload["metrics"].values():
        if entry["value"]:
            entry["value"] *= 1 + block / 5000
    return again


def later(every: list[Record], state: str = "VALID", build: str = "", model: str = "", **cell: Any) -> list[Record]:
    """Return the same run at a later time at half the speed, its launches of that state, with other cells."""
    some = copy.deepcopy(every)
    for one in some:
        one.update(run=LATER, time="2099-12-31T00:00:00Z")
        payload = one["payload"]
        if one["kind"] == "launch":
            payload["validity"] = {"state": state, "reasons": ["another process"] if state == "INVALID" else []}
            for entry in payload["metrics"].values():
                entry["value"] = (entry["value"] or 0) * 0.5
        for of_cell in (payload.get("cell"), *payload.get("cells", [])):
            if of_cell:
                of_cell.update(cell, build=build or of_cell["build"], model=model or of_cell["model"])
    return some


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
    assert {line["model"] for line in lines} == {"text:" + EVIL}
    assert json.loads(written(undisturbed(renamed(real, EVIL)), "github-action-benchmark-bigger"))


def test_where_nothing_holds_it_is_the_latest_figure(real):
    assert {line["run"] for line in lines_of(written([*real, *later(real, "INVALID")], "csv"))} == {LATER}


def speeds(every: list[Record]) -> set[tuple[str, ...]]:
    """Return run, model, threads and state of each figure of tg128 in the CSV."""
    lines = [line for line in lines_of(written(every, "csv")) if line["test"] == "tg128" and line["metric"] == "tg_tps"]
    return {(line["run"], line["model"], line["threads"], line["state"]) for line in lines}


def test_a_newer_run_that_does_not_hold_or_is_of_other_cells_takes_no_figure_away(real):
    """The file has of each cell what the pages have: the newest figure that holds, with its run."""
    good = undisturbed(real)
    before = speeds(good)
    assert {state for *_cell, state in before} == {"VALID"}
    assert speeds([*good, *later(good, "INVALID")]) == before
    assert {run for run, *_cell in speeds([*good, *later(good)])} == {LATER}
    another = speeds([*good, *later(good, model="another-synthetic")])
    assert another > before
    assert {model for _run, model, *_cell in another - before} == {"another-synthetic"}
    of_threads = speeds([*good, *later(good, threads=3)])
    assert of_threads > before
    assert {threads for *_cell, threads, _state in of_threads - before} == {"3"}
    rows = written([*good, *later(good, "INVALID")], "llama-bench")
    assert sorted(rows.splitlines()) == sorted(written(good, "llama-bench").splitlines())


def test_a_figure_too_little_known_to_be_ranked_raises_no_alarm(real):
    wide = undisturbed(real)
    for one in wide:
        if one["kind"] == "launch":
            for entry in one["payload"]["metrics"].values():
                entry["value"] = (entry["value"] or 0) * (1 + one["payload"]["block"] % 2)
    assert {state for *_cell, state in speeds(wide)} == {"UNSTABLE"}
    for form in ("bencher", "github-action-benchmark-bigger", "github-action-benchmark-smaller"):
        assert not json.loads(written(wide, form))


@pytest.mark.parametrize("form", TEXTS)
def test_nothing_on_record_is_a_file_all_the_same(form):
    text = written([], form)
    assert text in ("", "{}\n", "[]\n", "# EOF\n")


@pytest.mark.parametrize("form", TEXTS)
def test_the_order_of_the_records_changes_nothing(real, form):
    assert written(real, form) == written(real[::-1], form)


@pytest.mark.parametrize("form", TEXTS)
def test_duets_are_no_launches_and_change_no_export(form):
    every = side_by_side.records()
    default, _no_repack, lto, *_more = side_by_side.COMBINATIONS
    assert written([*every, *side_by_side.duets(every, default, lto, "tg128", [1.03] * 6)], form) == written(
        every, form
    )


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
        one
        for one in export.figures(export.every(summary.runs(real)))
        if (one.name, one.row.cell["test"]) == ("tg_tps", "tg128")
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


NUMBERS = {"threads", "n_prompt", "n_gen", "n_depth", "launches", "mean", "low", "high"}
# What readers of CSV take for a number, a date, a time, a truth value, nothing or a formula.
NO_NAMES = (
    "1e5", "0e12345", "1e999", "12345678", "0x1f", "1_000", "1,5", "-3", "+7", ".5", "inf", "Infinity", "nan", "NaN",
    "true", "FALSE", "t", "f", "yes", "No", "null", "NULL", "None", "NA", "n/a", "#N/A", "<NA>", "2026-11-29",
    "29/11/2026", "12:30", "12:30:00", "2026-11-29T12:00:00Z", "epoch", "today", "MAR1", "sep-2", "Jan 5, 2026", "1/2",
    "5 %", "=1+1", "@SUM(A1)", "'x", " 1", "text:1",
)  # fmt: skip


def everywhere(every: list[Record], value: str) -> list[Record]:
    """Return two tests of a run in which every name that somebody chooses is `value`, also the commit."""
    few = [one for one in every if one["kind"] != "launch" or one["payload"]["cell"]["test"] in ("pp512", "tg128")]
    changed = [{**record, "machine": value, "run": value} for record in copy.deepcopy(few)]
    for record in changed:
        payload = record["payload"]
        for cell in (payload.get("cell"), *payload.get("cells", [])):
            if cell:
                cell.update(dict.fromkeys(("model", "quantization", "build"), value))
        if record["kind"] == "build":
            payload["source"] = {**(payload.get("source") or {}), "commit": value}
        if record["kind"] == "machine":
            payload.update(name=value, instance={"type": value})
    return changed


def text_columns(line: dict[str, Any]) -> list[str]:
    return [name for name in line if name not in NUMBERS | {"time"}]


@pytest.mark.parametrize("name", ["1e57098", *NO_NAMES])
def test_text_is_read_as_text_from_csv_without_a_hint(real, tmp_path, name):
    """DuckDB read the commit 1e57098 as infinity and 0e12345 as 0."""
    path = tmp_path / "figures.csv"
    path.write_text(written(everywhere(real, name), "csv"), "utf-8", newline="")
    kept = lines_of(path.read_text("utf-8"))
    database = duckdb.connect(config={"threads": 1})
    relation = database.sql(f"SELECT * FROM '{path}'")
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    assert {column for column in text_columns(kept[0]) if types[column] != "VARCHAR"} == set()
    assert {types[column] for column in ("threads", "mean")} == {"BIGINT", "DOUBLE"}
    frame = pandas.read_csv(path)
    for column in text_columns(kept[0]):
        assert pandas.api.types.is_string_dtype(frame[column]), column
        assert list(frame[column]) == [line[column] for line in kept], column
        assert [row[0] for row in relation.project(f'"{column}"').fetchall()] == [line[column] for line in kept], column
    assert {line["commit"] for line in kept} == {" ".join(f"commit:{word}" for word in name.split())}
    assert {line["model"].removeprefix("text:") for line in kept} == {name}
    # No spreadsheet makes anything else of what begins with a letter and is no word or date of its own.
    assert all(line[column][0].isalpha() or line[column] == "%" for line in kept for column in text_columns(line))


def test_ids_of_runs_units_and_what_is_missing_are_text_too(real, tmp_path):
    for number, run in enumerate(("20261124T150000Z-0002", "20261124T150000Z-1e57", "20261124T150000Z-0000")):
        path = tmp_path / f"{number}.csv"
        every = [{**record, "run": run} for record in copy.deepcopy(real)]
        for record in every:
            if record["kind"] == "build":
                record["payload"]["source"] = {}
            if record["kind"] == "machine":
                record["payload"]["instance"] = None
        path.write_text(written(every, "csv"), "utf-8")
        frame = pandas.read_csv(path)
        assert set(frame["run"]) == {run}
        assert set(frame["commit"]) == {"commit:unknown"}
        assert set(frame["instance_type"]) == {"none"}
        for unit in set(frame["unit"]):
            part = tmp_path / "part.csv"
            frame[frame["unit"] == unit].to_csv(part, index=False)
            ((kind, kept),) = duckdb.sql(f"SELECT DISTINCT typeof(unit), run FROM '{part}'").fetchall()
            assert (kind, kept) == ("VARCHAR", run)
            assert pandas.api.types.is_string_dtype(pandas.read_csv(part)["unit"]), unit


@pytest.mark.parametrize("name", ["1e57098", "null", "2026-11-29", "true", EVIL])
def test_parquet_keeps_text_as_it_is(real, tmp_path, name):
    path = tmp_path / "figures.parquet"
    path.write_bytes(export.export(summary.runs(everywhere(real, name)), "parquet"))
    relation = duckdb.sql(f"SELECT * FROM '{path}'")
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    texts = text_columns(types)
    assert {types[column] for column in texts} == {"VARCHAR"}
    chosen = ("machine", "instance_type", "run", "model", "quantization", "build", "commit")
    frame = relation.df()
    assert {column: set(frame[column]) for column in chosen} == {column: {name} for column in chosen}


@pytest.mark.parametrize("commit", ["1e57098", "0e12345", "0012345"])
def test_the_rows_of_llama_bench_keep_a_commit_that_looks_like_a_number(real, commit):
    rows = [json.loads(line) for line in written(everywhere(real, commit), "llama-bench").splitlines()]
    assert {row["build_commit"] for row in rows} == {commit}


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "sql", "md"])
def test_an_import_keeps_a_commit_that_looks_like_a_number(tmp_path, form):
    text = (ROOT / "tests" / "fixtures" / "imports" / f"llama-bench-new.{form}").read_text("utf-8")
    (tmp_path / "rows").write_text(text.replace("0c1e57098", "1e57098"), "utf-8")
    kept = imports.records([str(tmp_path / "rows")], machine="1e5").records
    (run,) = summary.runs(kept)
    assert (run.machine, summary.commits(run, run.launches)) == ("imported-1e5", ["1e57098"])
    assert {line["commit"] for line in lines_of(written(kept, "csv"))} == {"commit:1e57098"}


def test_the_exported_rows_are_imported_as_they_were(real, tmp_path):
    (tmp_path / "rows.jsonl").write_text(written(everywhere(real, "1e57098"), "llama-bench"), "utf-8")
    again = imports.records([str(tmp_path / "rows.jsonl")], machine="again")
    (run,) = summary.runs(again.records)
    assert summary.commits(run, run.launches) == ["1e57098"]


def steady(every: list[Record]) -> list[Record]:
    """Return the records of a session in which the launches of a cell agree within a thousandth."""
    first: dict[tuple[str, str], float] = {}
    for record in every:
        speed = record["payload"]["metrics"].get("tg_tps") if record["kind"] == "launch" else None
        if speed:
            payload = record["payload"]
            base = first.setdefault((payload["cell"]["quantization"], payload["cell"]["build"]), speed["value"])
            speed["value"] = base * (1 + 0.0005 * (payload["number"] % 3))
    return every


def test_the_query_of_the_readme_gives_labelled_comparable_rows_that_hold(real, tmp_path, monkeypatch, capfd):
    """It gave figures of all tests, INVALID ones too, without a word of what they were of."""
    texts = re.findall(r'duckdb\.sql\(\\"(.*?)\\"\)\.show\(max_width=(\d+)\)', (ROOT / "README.md").read_text("utf-8"))
    ((query, width),) = texts
    good = steady([records.upgrade(copy.deepcopy(record)) for record in side_by_side.records()])
    slow = copy.deepcopy(good)
    for record in slow:
        record.update(machine="a-disturbed-machine")
        if record["kind"] == "launch":
            record["payload"]["validity"] = {"state": "INVALID", "reasons": ["another process ran"]}
    emulated = copy.deepcopy(good)
    for record in emulated:
        record.update(machine="an-emulated-machine")
        if record["kind"] == "machine":
            record["payload"]["emulated"] = True
    tuned = copy.deepcopy(good)
    for record in tuned:
        record.update(machine="a-machine-with-an-environment")
        if record["kind"] == "launch":
            record["payload"]["environment"] = {"GGML_X": "1"}
    every = summary.runs([*real, *good, *slow, *emulated, *tuned])
    (tmp_path / "figures.parquet").write_bytes(export.export(every, "parquet"))
    monkeypatch.chdir(tmp_path)
    relation = duckdb.sql(query)
    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    relation.show(max_width=int(width))
    shown = capfd.readouterr().out
    assert "…" not in shown
    assert all(name in shown for name in relation.columns)
    assert {row["machine"] for row in rows} == {side_by_side.MACHINE}
    labels = ("model", "machine", "quantization", "build", "threads", "run")
    assert len({tuple(row[name] for name in labels) for row in rows}) == len(rows)
    expected = {
        (row.cell["quantization"], row.cell["build"])
        for run in summary.runs(good)
        for row in summary.rows(run, summary.cells(run))
        if row.cell["test"] == "tg128" and row.state == summary.VALID
    }
    assert {(row["quantization"], row["build"]) for row in rows} == expected
    assert expected
    assert {row["unit"] for row in rows} == {"token/s"}
    assert all(row["low"] <= row["mean"] <= row["high"] for row in rows)


def test_cells_that_differ_in_a_setting_alone_are_benchmarks_of_their_own(real):
    good = undisturbed(real)
    other = copy.deepcopy([one for one in good if one["kind"] == "launch"])
    for record in other:
        record["payload"]["cell"]["settings"] = {"flash_attn": "1"}
    for record in good:
        if record["kind"] == "launch":
            record["payload"]["cell"]["settings"] = {"flash_attn": "0"}
    names = [name for name in json.loads(written([*good, *other], "bencher")) if "/pp512/" in name]
    assert {name.rpartition("/")[2] for name in names} == {"flash_attn=0", "flash_attn=1"}


def test_quality_is_exported_as_any_other_figure_and_a_wrong_build_raises_no_alarm() -> None:
    every = traded.records()
    rows = list(csv.DictReader(io.StringIO(written(every, "csv"))))
    of_q4_0 = {row["metric"]: row for row in rows if row["quantization"] == "Q4_0" and row["build"] == "default"}
    assert float(of_q4_0["ppl_ratio"]["mean"]) == pytest.approx(1.18)
    assert (float(of_q4_0["kld_mean"]["mean"]), of_q4_0["kld_mean"]["unit"]) == (pytest.approx(0.28), "nat")
    assert float(of_q4_0["agree_kld_mean"]["mean"]) == pytest.approx(0.0005)
    assert {row["state"] for row in rows if row["build"] == "fast" and row["metric"] == "tg_tps"} == {"INVALID"}
    measures = json.loads(written(every, "bencher"))
    assert "ppl_ratio" in measures["local-amd-epyc/smollm2-135m/Q4_0/default/t2/quality512x4"]
    assert "local-amd-epyc/smollm2-135m/Q4_0/fast/t2/tg128" not in measures
    assert "local-amd-epyc/smollm2-135m/Q4_0/default/t2/tg128" in measures
