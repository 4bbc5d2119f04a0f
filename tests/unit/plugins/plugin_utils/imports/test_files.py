# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outputs of llama-bench in every form, and logs, become records and pages that say what is not known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import files as imports
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.files import ImportFailed
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

FILES = Path(__file__).resolve().parents[4] / "fixtures" / "imports"


def launches(found: imports.Imported) -> dict[str, dict[str, Any]]:
    return {one["payload"]["cell"]["test"]: one["payload"] for one in found.records if one["kind"] == "launch"}


def speeds(found: imports.Imported) -> dict[str, float]:
    return {
        test: next(entry["value"] for name, entry in launch["metrics"].items() if name in ("pp_tps", "tg_tps"))
        for test, launch in launches(found).items()
    }


@pytest.mark.parametrize(
    ("age", "form"),
    # b3826 has no -o jsonl.
    [("new", form) for form in ("json", "jsonl", "csv", "sql", "md")]
    + [("old", f) for f in ("json", "csv", "sql", "md")],
)
def test_every_form_gives_the_tests_and_speeds_that_it_prints(tmp_path: Path, form: str, age: str) -> None:
    found = imports.records([str(FILES / f"llama-bench-{age}.{form}")], machine="My Box")
    assert found.machine == "imported-my-box"
    assert set(launches(found)) == ({"pp32", "pp64", "tg8"} if age == "new" else {"pp32", "tg8"})
    printed = (FILES / f"llama-bench-{age}.{form}").read_text()
    for value in speeds(found).values():
        assert f"{value:g}"[:5] in printed.replace(",", "")
    for launch in launches(found).values():
        assert launch["cell"]["quantization"] == "Q4_0"
        assert launch["cell"]["threads"] == 1
        assert launch["cell"]["model"] == ("llama-?b" if form == "md" else "tiny-synthetic")
        has_samples = any("samples" in entry for entry in launch["metrics"].values())
        assert has_samples == (form in ("json", "jsonl"))
    assert not records.append(tmp_path, found.records).problems
    assert records.read(tmp_path).problems == []


def test_the_forms_of_one_kind_agree() -> None:
    """Every form is of a run of its own, so their speeds differ; what was measured does not."""
    of_json, of_lines = (
        imports.parse((FILES / f"llama-bench-new.{form}").read_text(), form).rows for form in ("json", "csv")
    )
    for name in ("n_prompt", "n_gen", "model_n_params", "model_type", "n_threads", "build_commit"):
        assert [str(row[name]) for row in of_json] == [str(row[name]) for row in of_lines]


@pytest.mark.parametrize(
    ("file", "prompt", "generated", "load", "size"),
    [
        ("llama-completion-new.log", 1390.39, 310.28, 0.0131, 29_150_413),
        ("llama-cli-old.log", 1404.93, 282.60, 0.5125, 29_150_413),
    ],
)
def test_a_log_gives_prompt_generation_and_load(
    tmp_path: Path, file: str, prompt: float, generated: float, load: float, size: int
) -> None:
    found = imports.records([str(FILES / file)], machine="box")
    assert speeds(found) == {"pp18": prompt, "tg15": generated}
    for launch in launches(found).values():
        assert launch["metrics"]["log_load_s"]["value"] == load
        assert (launch["cell"]["model"], launch["cell"]["quantization"]) == ("tiny-synthetic", "Q4_0")
    (model,) = {one["payload"]["id"]: one["payload"] for one in found.records if one["kind"] == "model"}.values()
    assert model["bytes"] == size
    records.append(tmp_path, found.records)
    page = report.render(records.read(tmp_path).records)["imported-box/tiny-synthetic/q4.md"]
    assert "## Imported" in page
    assert "imported: 1 process, nothing known of what disturbed them" in page


def test_pages_say_where_figures_come_from_and_rank_them_nowhere(tmp_path: Path) -> None:
    found = imports.records([str(FILES / "llama-bench-new.json")], machine="box")
    records.append(tmp_path, found.records)
    pages = report.render(records.read(tmp_path).records)
    page, index = pages["imported-box/tiny-synthetic/q4.md"], pages["README.md"]
    assert (
        "**UNSTABLE**<br><sub>imported: 1 process, 3 repetitions within, nothing known of what disturbed them" in page
    )
    assert "`llama-bench-new.json`" in page
    assert "Synthetic weights" not in page, "the file says nothing of the weights"
    assert "## Imported" in index
    assert "| Interactive |" not in index
    assert "## Measured" not in index


def test_two_files_are_two_processes_and_again_is_the_same_run() -> None:
    paths = [str(FILES / f"llama-bench-new.{form}") for form in ("json", "jsonl")]
    found = imports.records(paths, machine="box")
    assert len([one for one in found.records if one["kind"] == "launch"]) == 6
    again = imports.records(paths[::-1], machine="box")
    assert again.run == found.run


def test_what_has_no_metric_is_named_and_the_rest_is_kept() -> None:
    found = imports.records([str(FILES / "llama-bench-pg.md")], machine="box")
    assert set(launches(found)) == {"tg8@d64"}
    assert found.problems == [
        "llama-bench-pg.md, line 4: pp16+tg4 is the speed of both at once, which stands for no metric here"
    ]


def write(folder: Path, text: str, name: str = "some.jsonl") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


ROW = {"model_type": "llama 8B Q4_K - Medium", "n_prompt": 512, "n_gen": 0, "n_threads": 64, "avg_ts": 200.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is neither an output of llama-bench"),
        ("# Notes\n\nhello", "is neither an output of llama-bench"),
        ('{"a": ', "looks like llama-bench json and cannot be read as that"),
        ('{"some": "json"}', "holds no result that can be imported"),
        (json.dumps({**ROW, "avg_ts": -3}), "its speed is -3, outside"),
        (json.dumps({**ROW, "avg_ts": "nan"}), "its speed is 'nan', outside"),
        (json.dumps({**ROW, "avg_ts": 1e300}), "its speed is 1e\\+300, outside"),
        (json.dumps({**ROW, "n_prompt": 0}), "it has 0 tokens of prompt and 0 of output"),
        (json.dumps({**ROW, "n_threads": 0}), r"does not say how many threads .* give the number \(THREADS=64\)"),
        ("[[]]", r"\[\] is no object"),
        ("[" * 100_000, "cannot be read as that"),
        ("INSERT INTO t (avg_ts) VALUES ('1'); ATTACH DATABASE '/tmp/x' AS y;", "not authorized"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_words(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ImportFailed, match=message):
        imports.records([write(tmp_path, text)])


def test_files_that_are_not_there_or_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImportFailed, match="cannot be read: No such file"):
        imports.records([str(tmp_path / "none.json")])
    monkeypatch.setattr(imports, "MOST_BYTES", 3)
    with pytest.raises(ImportFailed, match="import the part that holds the results"):
        imports.records([write(tmp_path, "1234")])
    with pytest.raises(ImportFailed, match="no file was named"):
        imports.records([])
