# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run whose processes are killed goes on with the same command, with the programs that the scenario has built."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from pathlib import Path

from support import quick_compile
from support.hosts.interruptions import CONTROLLER, RUNNER, Kill, interrupted

testinfra_hosts = ["ansible://localhost"]

BASE = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])


def left_behind(word: str) -> list[str]:
    """Return the command lines with a word of processes that do not end within half a minute."""
    end = time.monotonic() + 30
    while True:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                text = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                found += [text] if word in text else []
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.5)


def test_killed_processes_cost_the_launch_in_flight_and_nothing_else(tmp_path):
    inherited = {name: value for name, value in os.environ.items() if name != "CLOUDBENCH_RUN"}
    results, spool = tmp_path / "results", tmp_path / "spool"
    spool.mkdir()
    variables = {
        "llama_cpp_dir": str(BASE / "llama.cpp"),
        "llama_cpp_cmake_options": quick_compile.options(),
        "llama_model_dir": str(BASE / "models"),
        "llama_model_models": ["tiny-synthetic"],
        "llama_bench_spool": str(spool),
        "llama_bench_tests": ["pp8", "tg600"],
        "llama_bench_threads": [1],
        "llama_bench_launches": 4,
        "llama_bench_twin": False,
        "llama_bench_minutes": 0,
    }
    found = interrupted(
        ["ansible-playbook", "site.yml", "-e", json.dumps(variables)],
        PROJECT,
        {
            **inherited,
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "CLOUDBENCH_RESULTS_DIR": str(results),
        },
        spool,
        results,
        [Kill(RUNNER, 2, 0.3), Kill(CONTROLLER, 1, 0.2)],
    )
    output = "\n".join(found.outputs)
    assert left_behind(str(spool)) == [], "processes that outlive their controller"
    assert (found.runs, found.launches) == (1, 8), output
    assert (found.lost, found.doubled, found.short) == ([], [], []), output
    assert found.at_once == 1
    assert "goes on with run" in found.outputs[1]
    assert "goes on with run" in found.outputs[2]
    # The end of the terminal: the verdict of the whole run, in colour as Molecule asks for it, and where its page is.
    assert re.search(r"^(?:\x1b\[[\d;]*m)?  generation +\S+ token/s", found.outputs[2], re.MULTILINE)
    assert found.outputs[2].rstrip().endswith("/tiny-synthetic/q4.md")
