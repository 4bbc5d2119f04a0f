# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outputs of llama-bench in every form, and logs, become records and pages that say what is not known."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import compare, summary
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
    assert "What disturbed them is not known, so none of them is VALID" in page


def test_a_load_time_that_cannot_be_is_left_out_and_the_speeds_stay(tmp_path: Path) -> None:
    text = (FILES / "llama-completion-new.log").read_text()
    strange = re.sub(r"(load time = +)[\d.]+", rf"\g<1>{4 * 10**14}", text)
    assert strange != text
    log = tmp_path / "strange.log"
    log.write_text(strange)
    found = imports.records([str(log)], machine="box")
    assert speeds(found) == {"pp18": 1390.39, "tg15": 310.28}
    assert not any("log_load_s" in launch["metrics"] for launch in launches(found).values())
    records.append(tmp_path / "results", found.records)


def test_pages_say_where_figures_come_from_and_rank_them_nowhere(tmp_path: Path) -> None:
    found = imports.records([str(FILES / "llama-bench-new.json")], machine="box")
    records.append(tmp_path, found.records)
    pages = report.render(records.read(tmp_path).records)
    page, index = pages["imported-box/tiny-synthetic/q4.md"], pages["README.md"]
    assert "What disturbed them is not known, so none of them is VALID" in page
    assert "`llama-bench-new.json`" in page
    assert "Synthetic weights" not in page, "the file says nothing of the weights"
    assert "Imported from files of other programs: 1 machine." in index
    assert '<sub class="imported">imported</sub>' in index
    assert "| Interactive" not in index
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
        (json.dumps({**ROW, "n_threads": 10**9}), "it has 1000000000 threads"),
        (json.dumps({**ROW, "n_threads": -4}), "it has -4 threads"),
        (
            json.dumps({**ROW, "n_gen": 0, "n_prompt": 10**30}),
            "it has 1000000000000000000000000000000 tokens of prompt",
        ),
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


# ---- Unlike rows ----

FULL = {
    "build_commit": "51f311e0",
    "build_number": 4753,
    "cpu_info": "Intel(R) Xeon(R) Platinum 8488C",
    "gpu_info": "",
    "backends": "CPU",
    "model_filename": "/m/llama-7b.Q4_K_M.gguf",
    "model_type": "llama 7B Q4_K - Medium",
    "model_size": 4080263168,
    "model_n_params": 6738415616,
    "n_batch": 2048,
    "n_ubatch": 512,
    "n_threads": 16,
    "cpu_mask": "0x0",
    "cpu_strict": False,
    "poll": 50,
    "type_k": "f16",
    "type_v": "f16",
    "n_gpu_layers": 0,
    "no_kv_offload": False,
    "flash_attn": False,
    "use_mmap": True,
    "n_prompt": 0,
    "n_gen": 128,
    "test_time": "2025-04-20T18:40:01Z",
    "avg_ts": 20.0,
    "stddev_ts": 0.5,
    "samples_ts": [19.5, 20.5],
}


def rows_of(folder: Path, *changes: dict[str, Any], name: str = "a.jsonl") -> str:
    return write(folder, "".join(json.dumps({**FULL, **change}) + "\n" for change in changes), name)


def pages_of(folder: Path, *imported: imports.Imported) -> dict[str, str]:
    for each in imported:
        assert not records.append(folder / "results", each.records).problems
    contents = records.read(folder / "results")
    assert contents.problems == []
    return report.render(contents.records)


def figures(page: str) -> list[str]:
    """The figures of the table of throughput."""
    lines = page[page.index("## Throughput") :].split("\n\n")[1].splitlines()
    at = lines[0].split(" | ").index("token/s")
    return [line.split(" | ")[at].strip("*") for line in lines[2:]]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("flash_attn", True),
        ("n_batch", 4096),
        ("n_ubatch", 128),
        ("cpu_mask", "0xff"),
        ("cpu_strict", True),
        ("poll", 0),
        ("type_k", "q8_0"),
        ("type_v", "q8_0"),
        ("use_mmap", False),
        ("load_mode", "none"),
        ("no_kv_offload", True),
        ("numa", "distribute"),
        ("repack", 0),
        ("n_gpu_layers", 99),
        ("one_of_next_year", "on"),
    ],
)
def test_a_setting_that_differs_is_a_column_and_never_an_average(tmp_path: Path, setting: str, value: object) -> None:
    path = rows_of(tmp_path, {}, {setting: value, "avg_ts": 30.0, "samples_ts": [29.0, 31.0]})
    page = pages_of(tmp_path, imports.records([path]))["imported-intel-r-xeon-r-platinum-8488c/llama-7b/q4-k-m.md"]
    assert sorted(figures(page)) == ["20.00", "30.00"]
    assert f"| Test | Threads | {setting} | Processes |" in page
    shared = page[page.index("All of them: ") :].splitlines()[0]
    assert f"{setting} " not in shared
    assert "backends CPU" in shared


def test_a_build_that_differs_is_no_average(tmp_path: Path) -> None:
    path = rows_of(tmp_path, {}, {"build_commit": "abcdef01", "avg_ts": 30.0})
    page = pages_of(tmp_path, imports.records([path]))["imported-intel-r-xeon-r-platinum-8488c/llama-7b/q4-k-m.md"]
    assert sorted(figures(page)) == ["20.00", "30.00"]
    # What a distribution has in the place of the commit is none.
    found = imports.records([rows_of(tmp_path, {"build_commit": "debian", "build_number": 11669})])
    (build,) = (one["payload"] for one in found.records if one["kind"] == "build")
    assert (build["name"], build["source"], build["build_number"]) == ("debian-b11669", None, 11669)


def test_what_is_set_side_by_side_has_the_same_settings(tmp_path: Path) -> None:
    of_q8 = {"model_filename": "/m/llama-7b.Q8_0.gguf", "model_type": "llama 7B Q8_0", "model_size": 7160799232}
    speeds_of = (({}, 0, 20.0), ({}, 1, 22.0), (of_q8, 0, 15.0), (of_q8, 1, 14.0))
    changes = [{**of_type, "flash_attn": on, "avg_ts": speed} for of_type, on, speed in speeds_of]
    found = imports.records([rows_of(tmp_path, *changes)], machine="box")
    runs = summary.runs(found.records)
    compared = compare.compare(runs, "quantization=Q4_K_M", "quantization=Q8_0", ["model"])
    pairs = [(one.a.interval, one.b.interval) for one in compared]
    assert [(a.mean, b.mean) for a, b in pairs if a and b] == [(20.0, 15.0), (22.0, 14.0)]
    lines = compare.lines(compare.told(compared))[-3:-1]
    assert ["flash_attn 0" in lines[0], "flash_attn 1" in lines[1]] == [True, True]
    page = pages_of(tmp_path, found)["imported-box/llama-7b/README.md"]
    assert "| Quantization | Build | Threads | flash_attn |" in page
    # Of the fastest cell's settings, whatever is faster with others.
    assert "Q4_K_M, 51f311e0 22.00 token/s; generation of Q8_0, 51f311e0 14.00 token/s" in page


def test_models_of_other_sizes_have_other_names(tmp_path: Path) -> None:
    plain = {"model_filename": "/m/7B/ggml-model-q4_0.gguf", "model_type": "llama 7B Q4_0"}
    large = {"model_filename": "/m/70B/ggml-model-q4_0.gguf", "model_type": "llama 70B Q4_0", "avg_ts": 2.0}
    large |= {"model_size": 38871000000, "model_n_params": 68976648192, "samples_ts": [1.9, 2.1]}
    found = imports.records([rows_of(tmp_path, plain, large)])
    assert {one["payload"]["name"] for one in found.records if one["kind"] == "model"} == {"llama-7b", "llama-70b"}
    same = {"model_filename": "/m/mine-q4_0.gguf"}
    found = imports.records([rows_of(tmp_path, {**plain, **same}, {**large, **same})])
    assert {one["payload"]["name"] for one in found.records if one["kind"] == "model"} == {"mine-6.74b", "mine-69b"}
    # Imported one by one they have one name, and are two cells still.
    one_by_one = [
        imports.records([rows_of(tmp_path, {**row, **same}, name=name)])
        for row, name in ((plain, "a.jsonl"), (large, "b.jsonl"))
    ]
    page = pages_of(tmp_path, *one_by_one)["imported-intel-r-xeon-r-platinum-8488c/mine/q4.md"]
    assert sorted(figures(page)) == ["2.000", "20.00"]
    assert "| model_n_params | model_size |" in page


def test_processors_are_machines_of_their_own_and_so_is_one_with_a_gpu(tmp_path: Path) -> None:
    paths = [rows_of(tmp_path, {}, {"backends": "CUDA", "gpu_info": "NVIDIA L4", "avg_ts": 90.0})]
    paths += [rows_of(tmp_path, {"cpu_info": "AMD EPYC 9R14", "avg_ts": 40.0}, name="b.jsonl")]
    found = imports.records(paths)
    assert sorted(found.machines) == [
        "imported-amd-epyc-9r14",
        "imported-intel-r-xeon-r-platinum-8488c",
        "imported-intel-r-xeon-r-platinum-8488c-with-nvidia-l4",
    ]
    with pytest.raises(ImportFailed, match=r"MACHINE=box would be one machine with 2 processors: AMD EPYC 9R14 \(b"):
        imports.records(paths, machine="box")
    assert imports.records(paths[:1], machine="box").machines == ["imported-box", "imported-box-with-nvidia-l4"]
    later = imports.records(paths[1:], machine="box")
    with pytest.raises(ImportFailed, match=r"imported-box is a machine with the processor Intel.* give them another"):
        imports.refuse_other_processor(later, imports.records(paths[:1], machine="box").records)


def test_files_that_name_no_processor_are_not_taken_for_one_machine(tmp_path: Path) -> None:
    paths = [rows_of(tmp_path, {"cpu_info": "CPU", "avg_ts": speed}, name=f"{speed}.jsonl") for speed in (20.0, 30.0)]
    with pytest.raises(ImportFailed, match=r"20.0.jsonl and 30.0.jsonl name no processor .*MACHINE=my-graviton"):
        imports.records(paths)
    assert imports.records(paths, machine="box").machines == ["imported-box"]
    # Each by itself has a name of its own.
    assert len({imports.records([path]).machine for path in paths}) == 2


# ---- Processes, samples and times ----


def test_equal_tests_of_one_process_are_its_repetitions(tmp_path: Path) -> None:
    changes = [{"avg_ts": speed, "samples_ts": [speed]} for speed in (20.0, 21.0, 22.0, 23.0, 24.0, 25.0)]
    page = pages_of(tmp_path, imports.records([rows_of(tmp_path, *changes)], machine="box"))[
        "imported-box/llama-7b/q4-k-m.md"
    ]
    assert figures(page) == ["22.50"]
    assert "| 1<br><sub>6 repetitions</sub> |" in page
    assert "| 20.00\u00a0to\u00a025.00 |" in page


def test_the_extremes_are_those_of_the_samples_or_not_known(tmp_path: Path) -> None:
    paths = [rows_of(tmp_path, {}, name="a.jsonl"), rows_of(tmp_path, {"samples_ts": [19.0, 21.0]}, name="b.jsonl")]
    page = pages_of(tmp_path, imports.records(paths, machine="box"))["imported-box/llama-7b/q4-k-m.md"]
    assert "| 19.00\u00a0to\u00a021.00 | ±0.5000 |" in page
    paths += [rows_of(tmp_path, {"samples_ts": None}, name="c.jsonl")]
    page = pages_of(tmp_path, imports.records(paths, machine="other"))["imported-other/llama-7b/q4-k-m.md"]
    assert "| N/A | ±0.5000 |" in page


def test_what_was_imported_before_stands_on_the_page_and_the_index(tmp_path: Path) -> None:
    first = imports.records([rows_of(tmp_path, {}, name="a.jsonl")], machine="box")
    prompt = {"n_prompt": 512, "n_gen": 0, "avg_ts": 300.0, "samples_ts": [300.0], "test_time": "2025-05-20T18:40:01Z"}
    second = imports.records([rows_of(tmp_path, prompt, name="b.jsonl")], machine="box")
    both = imports.records([str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")], machine="box")
    pages = pages_of(tmp_path, first, second, both)
    page, index = pages["imported-box/llama-7b/q4-k-m.md"], pages["README.md"]
    assert figures(page) == ["300.0", "20.00"]
    # A file that is in two imports counts once.
    assert re.search(r"^\| tg128 \|.*\| 1(<br>[^|]*)? \| 20\.00 \|", page, re.MULTILINE)
    assert "20.00" in index
    assert "300.0" in index
    assert all(f"{each.run}.jsonl" in pages["imported-box/README.md"] for each in (first, second, both))
    assert "| 2025-04-20 |" in page
    assert "| 2025-05-20 |" in page


def test_every_row_has_its_own_time_and_a_log_without_one_none(tmp_path: Path) -> None:
    late = {"n_gen": 64, "test_time": "2025-05-20T18:40:01Z"}
    found = imports.records([rows_of(tmp_path, {}, late)])
    times = [one["time"] for one in found.records if one["kind"] == "launch"]
    assert times == ["2025-04-20T18:40:01Z", "2025-05-20T18:40:01Z"]
    found = imports.records([str(FILES / "llama-cli-old.log")], machine="box")
    assert {one["time"] for one in found.records} == {"1970-01-01T00:00:00Z"}
    pages = pages_of(tmp_path, found)
    assert "1970" not in pages["README.md"]
    assert "of unknown date" in pages["imported-box/tiny-synthetic/q4.md"]
    dated = "2025-04-20 18:40:01 " + (FILES / "llama-cli-old.log").read_text()
    found = imports.records([write(tmp_path, dated, "b.log")], machine="box")
    assert {one["time"] for one in found.records} == {"2025-04-20T18:40:01Z"}


# ---- Files ----


def test_a_real_log_with_rows_in_the_middle_of_it_gives_both(tmp_path: Path) -> None:
    found = imports.records([str(FILES / "llama-bench-verbose.txt")])
    assert found.problems == []
    assert found.machines == ["imported-amd-epyc"]
    of_launches = [one["payload"] for one in found.records if one["kind"] == "launch"]
    told = [(each["cell"]["test"], each["cell"]["settings"]["flash_attn"]) for each in of_launches]
    assert told == [("pp8", "0"), ("tg2", "0"), ("pp8", "1"), ("tg2", "1")]
    for each in of_launches:
        assert each["metrics"]["model_buffer_bytes"]["value"] == int(718.75 * 2**20)
        assert each["metrics"]["repack_buffer_bytes"]["value"] == 522 * 2**20


@pytest.mark.parametrize(
    "change",
    [
        {"samples_ts": None, "stddev_ts": None, "flash_attn": None, "model_size": None},
        {"model_type": 5, "model_filename": 7, "n_batch": [1], "samples_ts": [1, "x"]},
        {"model_size": 10**30, "model_n_params": -1, "test_time": "9999-01-01T00:00:00Z", "stddev_ts": "x"},
        {"type_k": "\ud800", "test_time": "0001-01-01T00:00:00Z", "model_filename": "\ud800|<script>.gguf"},
    ],
)
def test_whatever_a_row_holds_becomes_records_that_can_be_read(tmp_path: Path, change: dict[str, Any]) -> None:
    found = imports.records([rows_of(tmp_path, change)], machine="box")
    assert figures(next(page for path, page in pages_of(tmp_path, found).items() if path.count("/") == 2)) == ["20.00"]


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_a_windows_shell_writes_utf_16(tmp_path: Path, coding: str) -> None:
    for name in ("llama-bench-new.jsonl", "llama-bench-new.md"):
        (tmp_path / name).write_text((FILES / name).read_text(), coding)
        there, here = (imports.records([str(folder / name)], machine="box") for folder in (FILES, tmp_path))
        assert speeds(there) == speeds(here)


def test_todays_llama_cli_gives_speeds_of_unknown_length(tmp_path: Path) -> None:
    text = "build      : b11669-0c1e57098\nmodel      : a-Q4_0.gguf\n\n[ Prompt: {} t/s | Generation: {} t/s ]\n"
    paths = [write(tmp_path, text.format(*both), f"{both[0]}.log") for both in ((120.5, 20.5), (240.5, 40.5))]
    with pytest.raises(ImportFailed, match="THREADS=64"):
        imports.records(paths, machine="box")
    page = pages_of(tmp_path, imports.records(paths, machine="box", threads=8))["imported-box/a/q4.md"]
    # Nobody knows whether the two are of one length.
    assert sorted(figures(page)) == ["120.5", "20.50", "240.5", "40.50"]
    assert "Prompt processing, pp?" in page
    assert "0-token" not in page


def test_a_log_before_repack_was_its_name_is_repacked(tmp_path: Path) -> None:
    log = (FILES / "llama-cli-old.log").read_text()
    log = log.replace("CPU buffer size =    27.80 MiB", "CPU_AARCH64 model buffer size =    20.00 MiB")
    page = pages_of(tmp_path, imports.records([write(tmp_path, log, "a.log")], machine="box"))[
        "imported-box/tiny-synthetic/q4.md"
    ]
    assert "not repacked" not in page
    assert "CPU_AARCH64" in page
    assert re.search(r"\| Repack\u00a0MiB \|.*\n.*\n.* \| 20\.0 \|", page)


# ---- One thing is one, and two are two ----


def test_what_begins_alike_is_never_an_average(tmp_path: Path) -> None:
    rules = ".ffn_(gate|up|down)_exps.weight=CPU;" * 8
    for number, field, pair in (
        (1, "tensor_buft_overrides", (f"{rules}a=CPU", f"{rules}b=CPU")),
        (2, "model_filename", (f"{'x' * 90}-alpha.gguf", f"{'x' * 90}-beta.gguf")),
        (3, "build_commit", ("debian-with-a-long-word-1", "debian-with-a-long-word-2")),
    ):
        changes = [{field: value, "avg_ts": speed} for value, speed in zip(pair, (20.0, 30.0), strict=True)]
        pages = pages_of(tmp_path / str(number), imports.records([rows_of(tmp_path, *changes)], machine="box"))
        cells = [page for path, page in pages.items() if path.count("/") == 2 and "README" not in path]
        assert sorted(shown for page in cells for shown in figures(page)) == ["20.00", "30.00"], field


def test_answers_of_unknown_length_stay_apart_over_imports(tmp_path: Path) -> None:
    text = "model      : a-Q4_0.gguf\n\n[ Prompt: {} t/s | Generation: {} t/s ]\n"
    each: list[imports.Imported] = []
    for name, both in (("x", (120.5, 20.5)), ("y", (240.5, 40.5))):
        (tmp_path / name).mkdir()
        each.append(imports.records([write(tmp_path / name, text.format(*both), "cli.log")], "box", threads=8))
    assert sorted(figures(pages_of(tmp_path, *each)["imported-box/a/q4.md"])) == ["120.5", "20.50", "240.5", "40.50"]


def test_a_measurement_that_several_files_hold_counts_once(tmp_path: Path) -> None:
    later = {"avg_ts": 30.0, "samples_ts": [30.0], "test_time": "2025-04-21T18:40:01Z"}
    paths = [
        rows_of(tmp_path, {}, name="a.jsonl"),
        rows_of(tmp_path, later, name="b.jsonl"),
        rows_of(tmp_path, {}, later, name="all.jsonl"),
    ]
    found = imports.records(paths, machine="box")
    assert sorted(one["payload"]["metrics"]["tg_tps"]["value"] for one in found.records if one["kind"] == "launch") == [
        20.0,
        30.0,
    ]
    assert found.problems == ["all.jsonl: 2 results are there twice and counted once: a.jsonl and b.jsonl too"]
    # A run that was printed in two forms is one.
    fields = [name for name in FULL if not name.startswith("samples")]
    table = write(tmp_path, ",".join(fields) + "\n" + ",".join(str(FULL[name]) for name in fields) + "\n", "a.csv")
    found = imports.records([paths[0], table], machine="box")
    assert found.problems == ["a.csv: 1 result is there twice and counted once: a.jsonl too"]
    # Within a file it is one by its time; what has none may be measured again.
    assert "1 result is there twice" in imports.records([rows_of(tmp_path, {}, {})], machine="box").problems[0]
    assert imports.records([rows_of(tmp_path, {"test_time": ""}, {"test_time": ""})], machine="box").problems == []


# ---- Threads ----


def test_a_row_without_threads_costs_no_other_row(tmp_path: Path) -> None:
    path = rows_of(tmp_path, {}, {"n_threads": 0, "n_gen": 64})
    found = imports.records([path], machine="box")
    assert set(launches(found)) == {"tg128"}
    assert found.problems == [
        "a.jsonl, line 2: no number of threads is named there, left out: give the number (THREADS=64)"
    ]
    found = imports.records([path], machine="box", threads=8)
    assert {test: launch["cell"]["threads"] for test, launch in launches(found).items()} == {"tg128": 16, "tg64": 8}
    assert found.problems == ["a.jsonl, line 2: no number of threads is named there, taken as 8"]


def test_a_number_of_threads_is_not_that_of_a_gpu_beside_rows_that_name_theirs(tmp_path: Path) -> None:
    gpu = {"n_threads": None, "backends": "CUDA", "gpu_info": "NVIDIA L4", "n_gen": 64}
    found = imports.records([rows_of(tmp_path, {}, gpu)], machine="box", threads=1)
    assert found.machines == ["imported-box"]
    assert (
        "line 2: no number of threads is named there, left out: THREADS=1 is not taken for a GPU" in found.problems[0]
    )
    assert imports.records([rows_of(tmp_path, gpu)], threads=1).machines[0].endswith("with-nvidia-l4")
