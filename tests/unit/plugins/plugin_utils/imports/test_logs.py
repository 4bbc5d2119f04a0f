# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of several runs, several models, several devices and several programs: unlike things stay apart.

The lines are those of llama.cpp (src/llama-*.cpp, common/), put together here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import files as imports
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import names

BIG = {"commit": "aaaaaaa1", "model": "llama-70b-q4_0", "kind": "Q4_0", "mib": "37000.00"}
OTHER = {"commit": "ccccccc3", "model": "mistral-7b-q8_0", "kind": "Q8_0", "mib": "7000.00"}


def opened(
    commit: str = "bbbbbbb2", model: str = "llama-8b-q8_0", kind: str = "Q8_0", mib: str = "8137.64",
    device: str = "", offloaded: int | None = None, buffers: tuple[str, ...] = ("CPU_Mapped",),
) -> str:  # fmt: skip
    """What a program says until it has opened its model."""
    lines = [f"build: 6000 ({commit}) with gcc-12 (Debian) 12.2 for aarch64-linux-gnu"]
    if device:
        lines.append(f"llama_model_load_from_file_impl: using device {device} (unknown id) - 22000 MiB free")
    lines += [
        f"llama_model_loader: loaded meta data with 26 key-value pairs and 291 tensors from /m/{model}.gguf (version)",
        f"print_info: file type   = {kind}",
        "print_info: arch             = llama",
    ]
    if offloaded is not None:
        lines.append(f"load_tensors: offloaded {offloaded}/33 layers to GPU")
    lines += [f"load_tensors:   {buffer} model buffer size =  {mib} MiB" for buffer in buffers]
    return "\n".join(lines) + "\n"


def timed(prompt: str = "100.00", output: str = "40.00", threads: int = 32) -> str:
    """What it says in the end."""
    return (
        f"system_info: n_threads = {threads} (n_threads_batch = {threads}) / 64 | CPU : NEON = 1 |\n"
        f"llama_perf_context_print: prompt eval time = 1.00 ms / 100 tokens ( 1.00 ms per token, {prompt} tokens per "
        f"second)\nllama_perf_context_print:        eval time = 1.00 ms / 100 runs   ( 1.00 ms per token, {output} "
        "tokens per second)\n"
    )


class Cell(NamedTuple):
    """What is told apart of a figure."""

    machine: str
    model: str
    kind: str
    build: str
    threads: int
    speed: float


def imported(tmp_path: Path, *texts: str, machine: str = "box") -> tuple[list[Cell], list[str], list[dict[str, Any]]]:
    """The generation figures of some files, what is said of them, and the payloads of their launches."""
    paths = []
    for number, text in enumerate(texts):
        paths.append(str(tmp_path / f"{number}.log"))
        Path(paths[-1]).write_text(text)
    got = imports.records(paths, machine=machine, threads=4)
    launches = [each for each in got.records if each["kind"] == "launch" and "tg_tps" in each["payload"]["metrics"]]
    cells = []
    for each in launches:
        cell = each["payload"]["cell"]
        cells.append(
            Cell(
                each["machine"], cell["model"], cell["quantization"], cell["build"], cell["threads"],
                each["payload"]["metrics"]["tg_tps"]["value"],
            )
        )  # fmt: skip
    return cells, got.problems, [each["payload"] for each in launches]


def model_bytes(payload: dict[str, Any]) -> float:
    return round(payload["metrics"]["model_buffer_bytes"]["value"] / 2**20, 2)


@pytest.mark.parametrize("end", ["Killed\n", "error: failed to allocate\n", ""])
def test_a_run_that_ended_without_a_figure_gives_its_model_to_no_other(tmp_path: Path, end: str) -> None:
    cells, said, payloads = imported(tmp_path, opened(**BIG) + end + opened() + timed())
    assert cells == [Cell("imported-box", "llama-8b", "Q8_0", "bbbbbbb2", 32, 40.0)]
    assert said == ["0.log, line 1: a run of /m/llama-70b-q4_0.gguf without a speed, left out"]
    assert model_bytes(payloads[0]) == 8137.64


def test_a_run_between_two_others_gives_them_nothing_either(tmp_path: Path) -> None:
    middle = opened(**BIG) + timed()[:90] + "\nKilled\n"
    cells, said, payloads = imported(
        tmp_path, opened() + timed() + middle + opened(**OTHER) + timed(output="44.00", threads=16)
    )
    assert cells == [
        Cell("imported-box", "llama-8b", "Q8_0", "bbbbbbb2", 32, 40.0),
        Cell("imported-box", "mistral-7b", "Q8_0", "ccccccc3", 16, 44.0),
    ]
    assert [model_bytes(payload) for payload in payloads] == [8137.64, 7000.0]
    assert len(said) == 1
    assert "llama-70b" in said[0]


def test_what_stands_behind_the_figures_is_not_theirs(tmp_path: Path) -> None:
    answer = (
        "system_info: n_threads = 32 / 64 | CPU : NEON = 1 |\n\n> hi\n[ Prompt: 100.0 t/s | Generation: 40.0 t/s ]\n"
    )
    cells, said, payloads = imported(tmp_path, opened() + answer + opened(**BIG) + "Killed\n")
    assert [(cell.model, cell.speed) for cell in cells] == [("llama-8b", 40.0)]
    assert model_bytes(payloads[0]) == 8137.64
    assert "llama-70b" in said[0]


def test_the_speeds_of_a_draft_and_its_target_are_not_averaged(tmp_path: Path) -> None:
    draft = opened(model="llama-1b-q4_0", kind="Q4_0").partition("\n")[2]
    log = opened() + draft + "draft:\n" + timed("1000.00", "400.00") + "target:\n" + timed()
    with pytest.raises(imports.ImportFailed, match=r"several models \(/m/llama-8b-q8_0.gguf and /m/llama-1b-q4_0"):
        imported(tmp_path, log)


def test_a_warning_between_a_target_and_its_draft_makes_no_two_runs_of_them(tmp_path: Path) -> None:
    draft = opened(model="llama-1b-q4_0", kind="Q4_0").partition("\n")[2]
    with pytest.raises(imports.ImportFailed, match="several models"):
        imported(tmp_path, opened() + "common: error: the draft has another vocabulary\n" + draft + timed())


def test_a_model_that_is_opened_twice_is_one(tmp_path: Path) -> None:
    """llama.cpp opens it once more to see what memory it takes."""
    cells, said, _payloads = imported(tmp_path, opened() + opened().partition("\n")[2] + timed())
    assert (len(cells), said) == (1, [])


def test_a_gpu_is_part_of_the_machine_and_its_layers_of_the_cell(tmp_path: Path) -> None:
    gpu = "CUDA0 (NVIDIA L4)"
    cells, said, payloads = imported(
        tmp_path,
        opened(device=gpu, offloaded=0) + timed(output="10.00"),
        opened(device=gpu, offloaded=33) + timed(output="90.00"),
        opened() + timed(output="12.00"),
    )
    assert [(cell.machine, cell.speed) for cell in cells] == [
        ("imported-box-with-nvidia-l4", 10.0), ("imported-box-with-nvidia-l4", 90.0), ("imported-box", 12.0),
    ]  # fmt: skip
    assert [payload["cell"]["settings"].get("n_gpu_layers") for payload in payloads] == ["0", "33", None]
    assert payloads[0]["key"] != payloads[1]["key"]
    assert said == []


@pytest.mark.parametrize(
    ("first", "second", "setting"),
    [
        (("CPU_Mapped", "CPU_REPACK"), ("CPU_Mapped",), ("repack", "1", "0")),
        (("CPU_Mapped",), ("CPU",), ("use_mmap", "1", "0")),
    ],
)
def test_how_weights_lie_in_memory_is_part_of_the_cell(
    tmp_path: Path, first: tuple[str, ...], second: tuple[str, ...], setting: tuple[str, str, str]
) -> None:
    cells, said, payloads = imported(
        tmp_path, opened(buffers=first) + timed(output="30.00"), opened(buffers=second) + timed(output="20.00")
    )
    assert [cell.speed for cell in cells] == [30.0, 20.0]
    assert tuple(payload["cell"]["settings"][setting[0]] for payload in payloads) == setting[1:]
    # Both have prompts at 100 token/s, which are not the same measurement.
    assert said == []


def test_a_decimal_comma_is_one_in_sizes_too(tmp_path: Path) -> None:
    log = opened(mib="8137,64") + timed(prompt="1.100,00", output="40,25")
    cells, _said, payloads = imported(tmp_path, log)
    assert cells[0].speed == 40.25
    assert model_bytes(payloads[0]) == 8137.64


def test_a_log_beside_rows_is_named_and_gives_them_no_buffers(tmp_path: Path) -> None:
    row = '{"build_commit": "51f311e0", "build_number": 1, "cpu_info": "Xeon", "model_filename": "/m/x.gguf", '
    row += '"model_type": "llama 7B Q4_0", "n_threads": 16, "n_prompt": 0, "n_gen": 128, "avg_ts": 20.0}\n'
    log = opened() + timed()
    cells, said, payloads = imported(tmp_path, row + log)
    assert 40.0 not in [cell.speed for cell in cells]
    assert all("model_buffer_bytes" not in payload["metrics"] for payload in payloads)
    assert any("the timings of another program beside the results, left out" in sentence for sentence in said)


def test_the_sums_of_llama_batched_bench_are_no_timings_of_a_test(tmp_path: Path) -> None:
    table = "|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |\n"
    with pytest.raises(imports.ImportFailed, match=r"line \d+: this is llama-batched-bench"):
        imported(tmp_path, opened() + table + timed())
    # A run before it is read all the same.
    cells, said, _payloads = imported(tmp_path, opened(**OTHER) + timed(output="44.00") + opened() + table + timed())
    assert [(cell.model, cell.speed) for cell in cells] == [("mistral-7b", 44.0)]
    assert len(said) == 1


def test_rows_that_a_later_process_appended_are_of_another_process(tmp_path: Path) -> None:
    def row(time: str, speed: float) -> str:
        return (
            '{"build_commit": "51f311e0", "build_number": 1, "cpu_info": "Xeon", "model_filename": "/m/x.gguf", '
            '"model_type": "llama 7B Q4_0", "n_threads": 16, "n_prompt": 0, "n_gen": 128, '
            f'"test_time": "{time}", "avg_ns": 1000000000, "avg_ts": {speed}}}\n'
        )

    days = row("2025-04-20T18:40:01Z", 20.0) + row("2025-04-22T18:40:01Z", 40.0)
    assert [cell.speed for cell in imported(tmp_path, days, machine="")[0]] == [20.0, 40.0]
    # One process that was told a test twice.
    twice = row("2025-04-20T18:40:01Z", 20.0) + row("2025-04-20T18:40:11Z", 40.0)
    assert [cell.speed for cell in imported(tmp_path, twice, machine="")[0]] == [30.0]


def test_names_that_no_path_can_hold_stay_two() -> None:
    first, second = (names.machine_name(name, "") for name in ("机器一", "机器二"))
    assert first != second
    assert names.machine_name("c7g.16xlarge", "") == "imported-c7g-16xlarge"


def test_marks_that_contradict_each_other_say_nothing_of_a_third(tmp_path: Path) -> None:
    head = "build_commit,cpu_info,model_filename,model_type,n_threads,n_prompt,n_gen,avg_ts\n"
    line = '"51f311e0","Xeon","/m/x.gguf","llama 7B Q4_0","16","0","{}","{}"\n'
    text = head + line.format(128, "40,25") + line.format(256, "1,040.25") + line.format(512, "1,040")
    cells, said, _payloads = imported(tmp_path, text, machine="")
    assert [cell.speed for cell in cells] == [40.25, 1040.25]
    assert "with a thousands mark 1040 and with decimals 1.040" in said[0]
