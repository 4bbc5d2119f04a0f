# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quality of real weights by real programs: out of the package, quantized with an importance matrix, measured, shown.

The programs are compiled without the optimisation that a benchmark has (support/quick_compile.py), which changes no
figure of this kind.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support import quick_compile

testinfra_hosts = ["ansible://localhost"]

BASE = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
# What is left of the log probabilities when a run is over.
LEFT = Path.home() / ".cache" / "cloudbench" / "quality"

Payload = dict[str, Any]


def site(results: Path, **variables: Any) -> tuple[int, dict[str, list[Payload]], str]:
    """Run site.yml; return how it ended, its records by kind, and what it printed."""
    asked = {
        "llama_cpp_dir": str(BASE / "llama.cpp"),
        "llama_cpp_cmake_options": quick_compile.options(),
        "llama_model_dir": str(BASE / "models"),
        "llama_model_models": ["smollm2-135m"],
        "llama_model_imatrix_chunks": 2,
        "llama_bench_spool": str(results / "spool"),
        "llama_bench_threads": [2],
        "llama_bench_launches": 2,
        "llama_bench_minutes": 0,
        "llama_bench_twin": False,
        "llama_bench_duets": [],
        **variables,
    }
    environment = {name: value for name, value in os.environ.items() if name != "CLOUDBENCH_RUN"}
    done = subprocess.run(
        ["ansible-playbook", "site.yml", "-e", json.dumps(asked)],
        cwd=PROJECT,
        env={**environment, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "CLOUDBENCH_RESULTS_DIR": str(results)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900, check=False,
    )  # fmt: skip
    records: dict[str, list[Payload]] = {}
    for path in results.glob("*/records/*.jsonl"):
        for line in path.read_text("utf-8").splitlines():
            record = json.loads(line)
            records.setdefault(record["kind"], []).append(record["payload"])
    return done.returncode, records, done.stdout


def figures(launches: list[Payload], metric: str) -> dict[tuple[str, int], float]:
    """Return a metric by quantization and part of the text."""
    return {
        (launch["cell"]["quantization"], launch["number"]): launch["metrics"][metric]["value"]
        for launch in launches
        if metric in launch["metrics"]
    }


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, list[Payload]], Path]:
    results = tmp_path_factory.mktemp("quality")
    code, records, output = site(
        results,
        llama_model_quantizations=["Q8_0", "Q4_0+imatrix"],
        llama_bench_tests=["quality64x4", "agree64x4", "greedy16"],
    )
    assert code == 0, output
    assert "failure" not in records, records["failure"]
    return records, results


def test_what_was_rounded_more_loses_more(measured: tuple[dict[str, list[Payload]], Path]) -> None:
    records, _results = measured
    divergences = figures(records["launch"], "kld_mean")
    assert len(divergences) == 4
    for part in (1, 2):
        assert 0 < divergences["Q8_0", part] < 0.05 < divergences["Q4_0+imatrix", part] < 1
    assert all(launch["validity"]["state"] == "VALID" for launch in records["launch"])


def test_what_is_repacked_predicts_what_is_not(measured: tuple[dict[str, list[Payload]], Path]) -> None:
    records, _results = measured
    agreement = figures(records["launch"], "agree_kld_mean")
    assert len(agreement) == 4
    # analysis/agreement.py takes 0.02 for wrong.
    assert max(agreement.values()) < 0.02


def test_greedy_answers_are_asked_once(measured: tuple[dict[str, list[Payload]], Path]) -> None:
    records, _results = measured
    same = figures(records["launch"], "greedy_equal_tokens_percent")
    assert set(same) == {("Q8_0", 1), ("Q4_0+imatrix", 1)}
    assert same["Q8_0", 1] > same["Q4_0+imatrix", 1]


def test_records_say_what_files_were_made_of(measured: tuple[dict[str, list[Payload]], Path]) -> None:
    records, _results = measured
    models = {model["quantization"]: model for model in records["model"]}
    assert set(models) == {"F16", "Q8_0", "Q4_0+imatrix"}
    assert {model["widened_from"] for model in models.values()} == {"Q4_1"}
    assert {key: models["Q4_0+imatrix"]["imatrix"][key] for key in ("text", "chunks")} == {
        "text": "lcet10",
        "chunks": 2,
    }
    assert models["Q4_0+imatrix"]["tensor_types"]["Q4_0"]["tensors"] > 100


def test_the_page_names_the_reference_and_nothing_is_left(measured: tuple[dict[str, list[Payload]], Path]) -> None:
    _records, results = measured
    page = next(results.glob("local-*/smollm2-135m/quality.md")).read_text("utf-8")
    assert "Q4_1" in page
    assert "Alice's Adventures in Wonderland" in page
    assert "Q4_0+imatrix" in page
    assert not LEFT.exists()


def test_the_same_again_is_the_same_to_the_last_digit(
    measured: tuple[dict[str, list[Payload]], Path], tmp_path: Path
) -> None:
    asked = {"llama_model_quantizations": ["Q4_0+imatrix"], "llama_bench_tests": ["quality64x4"]}
    code, records, output = site(tmp_path, **asked)
    assert code == 0, output
    for metric in ("ppl", "ppl_ratio", "kld_mean", "kld_p99", "top1_percent"):
        again = figures(records["launch"], metric)
        before = figures([one for one in measured[0]["launch"] if one["cell"]["test"] == "quality64x4"], metric)
        assert again == {key: value for key, value in before.items() if key[0] == "Q4_0+imatrix"}, metric


def test_random_weights_and_a_type_without_its_matrix_are_refused_with_the_reason(tmp_path: Path) -> None:
    code, records, output = site(
        tmp_path,
        llama_model_models=["tiny-synthetic"],
        llama_model_quantizations=["Q4_0"],
        llama_bench_tests=["quality64x4"],
    )
    assert code != 0
    assert "launch" not in records
    said = " ".join(output.split())
    assert "quality64x4 of tiny-synthetic has no meaning: its weights are random" in said
    assert "Traceback" not in said
