# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of imported figures say only what is true of those, and of hundreds of machines the index stays short."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import files as imports
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import index, pages

FIXTURES = Path(__file__).resolve().parents[4] / "fixtures"
MACHINES, MOST_KIB = 300, 150
WEIGHTS = (
    ("8B", "1-8B", "Q4_0", 4661211808, 8030261312),
    ("8B", "1-8B", "Q8_0", 8540770976, 8030261312),
    ("8B", "1-8B", "Q4_0_8_8", 4661211808, 8030261312),
    ("8B", "1-8B", "F16", 16068891648, 8030261312),
    ("1B", "2-1B", "Q4_0", 773025920, 1235814432),
)
TESTS = ((512, 0, 32), (512, 0, 64), (0, 128, 32), (0, 128, 64), (2048, 0, 64), (0, 256, 64), (128, 0, 64))
# What holds of runs of ours, and of these nobody knows.
UNTRUE = (
    "randomised", "random order", "drift", "| VALID |", "UNSTABLE", "not measured in the build", "fastest",
    "because no block has both", "Memory and CPU use are", "CPU use",
)  # fmt: skip


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The records of a file of 35 rows, as llama-bench prints them."""
    line = (FIXTURES / "imports" / "llama-bench-new.jsonl").read_text("utf-8").splitlines()[0]
    rows = []
    for size, name, kind, weight, parameters in WEIGHTS:
        for prompt, output, threads in TESTS:
            speed = (200.0 if prompt else 30.0) + len(rows)
            row = dict(
                json.loads(line), model_filename=f"models/Llama-3.{name}-Instruct-{kind}.gguf",
                model_type=f"llama {size} {kind}", model_size=weight, model_n_params=parameters, n_threads=threads,
                n_prompt=prompt, n_gen=output, avg_ts=speed, samples_ts=[speed - 1, speed, speed + 1],
                avg_ns=int((prompt + output) / speed * 1e9), samples_ns=[], stddev_ts=1.0,
            )  # fmt: skip
            rows.append(json.dumps(row))
    path = tmp_path_factory.mktemp("import") / "bench.jsonl"
    path.write_text("\n".join(rows), "utf-8")
    return imports.records([str(path)], machine="c8g-16xlarge").records


@pytest.fixture(scope="module")
def rendered(records: list[dict[str, Any]]) -> pages.Pages:
    return pages.render(records)


def test_no_page_says_what_only_our_runs_are(rendered: pages.Pages) -> None:
    assert len(rendered) == 10
    for path, text in rendered.items():
        for words in UNTRUE:
            assert words not in text, f"{path}: {words}"
        assert text.count("What disturbed them is not known") <= 2, path
    for figure in rendered.figures:
        subtitle = " ".join(figure.spec["title"]["subtitle"])
        assert "launch" not in subtitle, figure.path
        assert "imported, n = 1 process" in subtitle, figure.path


def test_a_page_has_no_column_of_which_nothing_is_known(rendered: pages.Pages) -> None:
    machine = rendered["imported-c8g-16xlarge/README.md"]
    assert "| Model | Quantization | Generation tg128 token/s | Prompt pp512 token/s | Measured |" in machine
    assert "| Import | Measured until | Results | Pages |" in machine
    page = rendered["imported-c8g-16xlarge/llama-3.1-8b-instruct/q4.md"]
    assert "| Test | Threads | Processes | token/s | 95 % interval | Min to max | Within a process |" in page
    assert "## Memory" not in page
    assert "## Reproduce" not in page


def test_the_index_has_a_line_for_each_machine_and_model(records: list[dict[str, Any]]) -> None:
    (run,) = summary.runs(records)
    entries = [index.lean(index.entry(path, [run])) for path in summary.pages(run)]
    many = [
        item._replace(
            path=item.path.replace("c8g-16xlarge", f"c8g-16xlarge-{number:03d}"),
            run=item.run._replace(machine=f"{item.run.machine}-{number:03d}"),
        )
        for number in range(MACHINES)
        for item in entries
    ]
    whole = pages.Pages()
    variables, shown = index.context(many, [], [])
    whole.add(summary.INDEX, "index.md.j2", {**variables, "nothing": False}, shown)
    text = whole[summary.INDEX]
    # A line for each, of its best, however many quantizations and thread counts there are.
    assert text.count("\n| [c8g.16xlarge]") + text.count("\n| [imported-c8g-16xlarge-") == 2 * MACHINES
    assert len(text.encode()) <= MOST_KIB * 1024
    assert "## [llama-3.1-8b-instruct](models/llama-3.1-8b-instruct.md)" in text


def test_where_the_bandwidth_was_not_measured_nobody_says_that_it_did_not_drift(frozen: list[dict[str, Any]]) -> None:
    text = pages.render(frozen)["local-amd-epyc-9b14/README.md"]
    assert "no drift found" not in text
