# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories and patterns become machines by one command, as if each had been imported by itself."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import files as imports
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import many, sources
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.forms import ImportFailed
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.many import Asked
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

ROW = json.loads(
    (Path(__file__).resolve().parents[4] / "fixtures" / "imports" / "llama-bench-new.json").read_text("utf-8")
)[0]


def put(path: Path, *changes: dict[str, Any]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps({**ROW, **change}) for change in changes or ({},)))
    return str(path)


def pages_of(results: Path) -> dict[str, str]:
    return dict(report.render(records.read(results).records))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three machines in directories that bear their names, from where the command is given."""
    monkeypatch.chdir(tmp_path)
    for name, cpu, speed in (("a", "AMD EPYC 9R14", 20.0), ("b", "AMD EPYC 7R13", 30.0), ("c", "CPU", 40.0)):
        put(tmp_path / "data" / name / "stdout", {"cpu_info": cpu, "avg_ts": speed})
    return tmp_path / "data"


# ---- Machines ----


def test_one_command_gives_what_an_import_of_each_gives(data: Path, tmp_path: Path) -> None:
    outcome = many.collect(Asked(["data/*/stdout"], machine_from="parent"), str(tmp_path / "results"))
    assert outcome.machines == ["imported-a", "imported-b", "imported-c"]
    assert outcome.imported == ["data/a/stdout", "data/b/stdout", "data/c/stdout"]
    assert not records.append(tmp_path / "at-once", outcome.fresh).problems
    for name in "abc":
        records.append(tmp_path / "singly", imports.records([str(data / name / "stdout")], name).records)
    assert pages_of(tmp_path / "at-once") == pages_of(tmp_path / "singly")
    assert [[str(record) for record in records.read(tmp_path / store).records] for store in ("at-once", "singly")] == [
        [str(record) for record in records.read(tmp_path / "singly").records]
    ] * 2


def test_what_was_imported_before_is_left_and_said(data: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    records.append(results, many.collect(Asked(["data/[ab]/stdout"], machine_from="1"), str(results)).fresh)
    outcome = many.collect(Asked(["data"], machine_from="parent"), str(results))
    assert (outcome.imported, outcome.present) == (["data/c/stdout"], ["data/a/stdout", "data/b/stdout"])
    assert {record["machine"] for record in outcome.fresh} == {"imported-c"}
    assert many.said(outcome, "results")[0] == "Files: 1 imported, 2 imported before, 0 skipped; 3 machines"


def test_files_of_one_machine_are_imported_together(data: Path, tmp_path: Path) -> None:
    put(data / "a" / "again", {"cpu_info": "AMD EPYC 9R14", "avg_ts": 21.0})
    outcome = many.collect(Asked(["data/*/*"], machine_from="parent"), str(tmp_path / "results"))
    assert len(outcome.runs) == 3
    assert sum(record["kind"] == "launch" for record in outcome.fresh if record["machine"] == "imported-a") == 2


def test_a_machine_of_two_processors_is_skipped_and_the_others_are_not(data: Path, tmp_path: Path) -> None:
    put(data / "a" / "other", {"cpu_info": "AMD EPYC 7R13"})
    outcome = many.collect(Asked(["data"], machine_from="parent"), str(tmp_path / "results"))
    assert outcome.machines == ["imported-b", "imported-c"]
    assert [skipped.path for skipped in outcome.skipped] == ["data/a/other", "data/a/stdout"]
    assert "would be one machine with 2 processors" in outcome.skipped[0].reason
    # Under the name of one that is on record it is no other machine's either.
    records.append(tmp_path / "results", outcome.fresh)
    put(data / "b" / "stdout", {"cpu_info": "AMD EPYC 9R14"})
    later = many.collect(Asked(["data/[bc]"], machine_from="parent"), str(tmp_path / "results"))
    assert [skipped.path for skipped in later.skipped] == ["data/b/stdout"]
    assert "is a machine with the processor AMD EPYC 7R13" in later.skipped[0].reason


def test_two_names_that_would_be_one_are_refused(data: Path, tmp_path: Path) -> None:
    put(data / "A" / "stdout", {"cpu_info": "AMD EPYC 9R14", "avg_ts": 22.0})
    with pytest.raises(ImportFailed, match="A and a would both be kept as imported-a: rename one"):
        many.collect(Asked(["data"], machine_from="parent"), str(tmp_path / "results"))


def test_without_a_place_of_the_name_the_processors_tell_the_machines(data: Path, tmp_path: Path) -> None:
    outcome = many.collect(Asked(["data/[ab]"]), str(tmp_path / "results"))
    assert sorted(outcome.machines) == ["imported-amd-epyc-7r13", "imported-amd-epyc-9r14"]
    with pytest.raises(ImportFailed, match=r"stdout names no processor .*MACHINE_FROM=parent"):
        many.collect(Asked(["data"]), str(tmp_path / "results"))


def test_answers_of_two_logs_of_one_name_stay_apart(tmp_path: Path) -> None:
    """Of how many tokens they are nobody knows, so that each log's stand for themselves."""
    log = "[ Prompt: {0} t/s | Generation: {1} t/s ]\n"
    for run, speeds in (("first", (20.0, 10.0)), ("second", (40.0, 30.0))):
        path = tmp_path / "box" / run / "stdout"
        path.parent.mkdir(parents=True)
        path.write_text(log.format(*speeds))
    outcome = many.collect(Asked([str(tmp_path / "box")], machine_from="2", threads=4), str(tmp_path / "results"))
    cells = [record["payload"]["cell"]["settings"]["log"] for record in outcome.fresh if record["kind"] == "launch"]
    assert {name.partition(" ")[0] for name in cells} == {"stdout"}
    assert sorted(map(cells.count, cells)) == [2, 2, 2, 2]


def test_what_is_on_record_of_another_file_counts_once(tmp_path: Path) -> None:
    later = {"avg_ts": 30.0, "test_time": "2026-11-30T01:00:00Z"}
    for name, changes in (("a", [{}]), ("all", [{}, later]), ("b", [later])):
        put(tmp_path / f"{name}.jsonl", *changes)
    results = tmp_path / "results"
    told = []
    for name in ("a", "all", "b", "all"):
        outcome = many.collect(Asked([str(tmp_path / f"{name}.jsonl")], machine="box"), str(results))
        records.append(results, outcome.fresh)
        told.append((len(outcome.imported), len(outcome.present), outcome.problems))
    once = "1 result is there twice and counted once:"
    assert told == [
        (1, 0, []),
        (1, 0, [f"all.jsonl: {once} a.jsonl too"]),
        (0, 1, [f"b.jsonl: {once} all.jsonl too"]),
        (0, 1, []),
    ]
    assert outcome.machines == ["imported-box"]
    assert sum(record["kind"] == "launch" for record in records.read(results).records) == 2


# ---- What is skipped ----


def test_what_holds_no_results_is_skipped_with_its_reason(data: Path, tmp_path: Path) -> None:
    (data / "a" / "notes.txt").write_text("hello")
    (data / "b" / "copy").write_bytes((data / "b" / "stdout").read_bytes())
    (data / "c" / "gone").symlink_to("nowhere")
    os.mkfifo(data / "c" / "pipe")
    (data / ".git").mkdir()
    (data / ".git" / "config").write_text("hello")
    outcome = many.collect(Asked(["data"], machine_from="parent"), str(tmp_path / "results"))
    lines = many.said(outcome, "results")
    assert lines[0] == "Files: 3 imported, 4 skipped; 3 machines"
    assert [line.partition(":")[2].strip()[:60] for line in lines if line.startswith("skipped: ")] == [
        "data/a/notes.txt: is neither an output of llama-bench (-o json, jsonl, "[:60],
        "data/c/gone: is no file that is there to be read",
        "data/c/pipe: is no file that is there to be read",
        "data/b/stdout: has the same content as data/b/copy",
    ]
    assert [line for line in lines if line.endswith(".md")] == [
        f"results/imported-{name}/tiny-synthetic/q4.md" for name in "abc"
    ]


def test_one_reason_of_many_files_is_one_line(data: Path, tmp_path: Path) -> None:
    for number in range(300):
        put(data / f"host-{number:03}" / "stderr")
        (data / f"host-{number:03}" / "stderr").write_text("hello")
    outcome = many.collect(Asked(["data"], machine_from="parent"), str(tmp_path / "results"))
    assert len(outcome.skipped) == 300
    lines = many.said(outcome, "results")
    assert lines[0] == "Files: 3 imported, 300 skipped; 3 machines"
    assert len(lines) == 5
    assert lines[1].startswith("skipped: 300 files: is neither an output of llama-bench")
    assert lines[1].endswith("data/host-003/stderr, data/host-004/stderr and 295 more")
    threads = {**ROW, "n_threads": 0}
    for number in range(300):
        put(data / f"host-{number:03}" / "stderr", {**threads, "avg_ts": 20 + number})
    lines = many.said(many.collect(Asked(["data"], machine_from="parent"), "results"), "results")
    assert lines[1].startswith("skipped: 300 files: does not say how many threads it was measured with")


def test_many_pages_are_counted_and_the_index_is_named(data: Path, tmp_path: Path) -> None:
    for number in range(6):
        put(data / f"host-{number}" / "stdout", {"avg_ts": 20.0 + number})
    outcome = many.collect(Asked(["data"], machine_from="parent"), "results")
    assert many.said(outcome, "results")[-1] == "9 pages of the figures, listed by results/README.md"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Asked(["data/a/stdout", "data/notes"], machine_from="parent"), "notes is neither an output of llama-bench"),
        (Asked(["data/notes*"]), r"nothing is left to import\ndata/notes: is neither"),
        (Asked(["data/nowhere"]), "data/nowhere cannot be read: No such file"),
        (Asked(["data/*/nowhere"]), r"no file is meant by the pattern data/\*/nowhere"),
        (Asked(["data/empty"]), "the directory data/empty holds no file"),
        (Asked([]), "no file was named: name at least one"),
        (Asked(["data"], machine="x", machine_from="parent"), "MACHINE=x names one machine and MACHINE_FROM="),
        (Asked(["data"], machine_from="up"), "MACHINE_FROM=up is no place of a machine's name: file is"),
        (Asked(["data"], machine_from="0"), "MACHINE_FROM=0 is no place"),
        (Asked(["data"], machine_from="99"), "has no directory 99 levels up"),
        (Asked(["data"], machine="x", region="us-est-1"), "no price is known of the region 'us-est-1'; the near"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(data: Path, asked: Asked, message: str) -> None:
    (data / "notes").write_text("hello")
    (data / "empty").mkdir()
    with pytest.raises(ImportFailed, match=message):
        many.collect(asked, "results")


# ---- Files and names ----


def test_a_word_is_a_file_a_directory_or_a_pattern(data: Path) -> None:
    odd = put(data / "d" / "bench[1].json")
    put(data / "d" / ".hidden")
    below = [f"data/{name}/stdout" for name in "abc"]
    assert sources.sources([odd]) == [sources.Source(odd, named=True)]
    assert [source.path for source in sources.sources(["data", "data/a/stdout"])] == [*below, "data/d/bench[1].json"]
    assert [source.named for source in sources.sources(["data/a/stdout"])] == [True]
    assert [source.path for source in sources.sources(["data/[abc]", "data/**/stdout"])] == below
    assert sources.sources(["data/a/stdout", "data/*/stdout"])[0].named


@pytest.mark.parametrize(
    ("path", "way", "name"),
    [
        ("data/c7g.16xlarge/stdout", "parent", "c7g.16xlarge"),
        ("data/c7g.16xlarge/run-1/stdout", "2", "c7g.16xlarge"),
        ("data/c7g.16xlarge.json", "file", "c7g.16xlarge"),
        ("data/c7g.16xlarge", "file", "c7g.16xlarge"),
        ("data/m7i.metal-24xl", "file", "m7i.metal-24xl"),
        ("data/my box.log", "file", "my box"),
    ],
)
def test_the_name_of_a_machine_stands_in_the_path(path: str, way: str, name: str) -> None:
    assert sources.machine_of(path, way) == name
