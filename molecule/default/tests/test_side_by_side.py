# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real programs set against each other: variants in a duet, and a search, with the programs that the scenario built."""

from __future__ import annotations

import itertools
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


def measured(playbook: str, results: Path, **variables: Any) -> tuple[list[dict[str, Any]], str]:
    """Run a playbook with the tiny model; return the records and what it printed."""
    asked = {
        "llama_cpp_dir": str(BASE / "llama.cpp"),
        "llama_cpp_cmake_options": quick_compile.options(),
        "llama_model_dir": str(BASE / "models"),
        "llama_model_models": ["tiny-synthetic"],
        "llama_bench_spool": str(results / "spool"),
        "llama_bench_threads": [1],
        **variables,
    }
    environment = {name: value for name, value in os.environ.items() if name != "CLOUDBENCH_RUN"}
    environment |= {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "CLOUDBENCH_RESULTS_DIR": str(results)}
    done = subprocess.run(
        ["ansible-playbook", playbook, "-e", json.dumps(asked)],
        cwd=PROJECT, env=environment, timeout=600, check=False,
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for path in results.glob("*/records/*.jsonl") for line in path.read_text("utf-8").splitlines()]
    return [json.loads(line) for line in lines], done.stdout


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a duet needs two processors, and there is one")
def test_two_variants_run_at_the_same_moment_each_on_its_half(tmp_path):
    # A third of a minute for duets: some pairs, whatever else the machine does.
    records, output = measured(
        "site.yml",
        tmp_path,
        llama_bench_variants=["default", "repack=off"],
        llama_bench_tests=["tg8"],
        llama_bench_duets=[{"a": "default", "b": "repack=off", "tests": ["tg16"]}],
        llama_bench_launches=1,
        llama_bench_minutes=1,
    )
    pairs = [record["payload"] for record in records if record["kind"] == "duet"]
    assert pairs, output
    for pair in pairs:
        assert "variant" not in pair["a"]["cell"]
        assert pair["b"]["cell"]["variant"] == "repack=off"
        halves = [[set(one[side]["cpus"]) for side in ("a", "b")] for one in pair["rounds"]]
        assert all(a and b and not a & b for a, b in halves)
        # A round of which nothing counts is tried again in the same places; then they change.
        places = [place for place, _rounds in itertools.groupby(halves)]
        assert places in ([halves[0]], [halves[0], halves[0][::-1]])
        assert len(places) == 2 or pair["log_ratio"] is None
        for one in pair["rounds"]:
            assert "--repack" in one["b"]["argv"]
            assert "--repack" not in one["a"]["argv"]
    # The launches alone are what the levels are of.
    launched = [record["payload"]["cell"] for record in records if record["kind"] == "launch"]
    assert {cell.get("variant") for cell in launched if cell["test"] == "tg8"} == {None, "repack=off"}
    assert not [cell for cell in launched if cell["test"] == "tg16"]


def test_a_search_ends_with_what_a_person_can_use(tmp_path):
    records, output = measured(
        "playbooks/tune.yml",
        tmp_path,
        llama_bench_tune_objectives=["generation"],
        llama_bench_tune_minutes=0.5,
    )
    (tuned,) = [record["payload"] for record in records if record["kind"] == "tuned"]
    assert tuned["objective"] == "generation"
    assert tuned["cell"]["test"] == "tg128", output
    (page,) = tmp_path.glob("*/tiny-synthetic/tuned-q4.md")
    assert "llama-server -m" in page.read_text("utf-8")
    (variables,) = tmp_path.glob("*/tuned/*.yml")
    # It is taken as it is.
    done = subprocess.run(
        ["ansible-playbook", "playbooks/check.yml", "-e", f"@{variables}"],
        cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
