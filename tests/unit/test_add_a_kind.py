# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipe of CONTRIBUTING.md: a further kind of measurement, added to a copy of this collection and used there.

The toy counts: `count8` runs a program that prints how many numbers a second it counted. It is planned, launched as a
real process by the measuring loop, stored, checked, shown on a page and exported; nothing else is touched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LICENCE = "".join((ROOT / "plugins/module_utils/kinds/kind.py").read_text("utf-8").splitlines(keepends=True)[:3])
ROOM = "ansible_collections.cloudbench.llama.plugins"

KIND = f'''{LICENCE}"""count8: how fast a program counts, a toy."""

from __future__ import annotations

import json
import re
from typing import List, Optional

from {ROOM}.module_utils.kinds import one_shot
from {ROOM}.module_utils.kinds.job import Job, program
from {ROOM}.module_utils.kinds.kind import Cell, Kind, Started
from {ROOM}.module_utils.kinds.outcome import Outcome
from {ROOM}.module_utils.kinds.pace import Pace
from {ROOM}.module_utils.kinds.settings import LaunchSettings


class Count(Kind):
    """Numbers, one after the other."""

    name = "count"
    program = "llama-count"
    headlines = ("count_rate",)
    metrics = headlines
    forms = "count<numbers> for a toy"
    examples = ("count8",)

    def parse(self, test: str) -> Optional[Cell]:
        match = re.fullmatch("count([1-9][0-9]*)", test)
        return {{"test": test, "n_prompt": 0, "n_gen": int(match.group(1)), "n_depth": 0}} if match else None

    def text(self, cell: Cell) -> str:
        return "count%d" % cell["n_gen"]

    def seconds(self, cell: Cell, pace: Pace, settings: LaunchSettings) -> float:
        return pace.start_s + cell["n_gen"] / 1000

    def argv(self, job: Job, settings: LaunchSettings) -> List[str]:
        return [program(job, self.program), "-n", str(job.cell["n_gen"])]

    def launch(self, job: Job, settings: LaunchSettings, started: Optional[Started] = None) -> Outcome:
        return one_shot.launch(
            job,
            self.argv(job, settings),
            settings,
            started,
            one_shot.run_process,
            json.loads,
            lambda row: {{"count_rate": {{"value": row["rate"], "unit": "1/s"}}}},
        )


KIND = Count()
'''

SUBJECT = f'''{LICENCE}"""Counting: the speed of a toy."""

from __future__ import annotations

from {ROOM}.plugin_utils.catalog import metrics
from {ROOM}.plugin_utils.report import markdown, parts
from {ROOM}.plugin_utils.report.markdown import LEFT, RIGHT
from {ROOM}.plugin_utils.report.subjects.subject import Subject
from {ROOM}.plugin_utils.report.view import Section, View

KIND = "count"


def _section(view: View) -> Section | None:
    rows = view.of_kind(KIND)
    if not rows:
        return None
    lines = [[row.cell["test"], metrics.show("count_rate", row.interval.mean), parts.badge(row)] for row in rows]
    return Section("Counting", [markdown.table([("Test", LEFT), ("Numbers/s", RIGHT), ("Validity", LEFT)], lines)])


SUBJECT = Subject(name="counting", metrics=("count_rate",), kinds=(KIND,), section=_section)
'''

# File, the line behind which something is written, and what: all that the recipe changes of what is there.
TOUCHED = {
    "plugins/module_utils/kinds/registry.py": [
        (
            f"from {ROOM}.module_utils.kinds.bench.kind import KIND as BENCH\n",
            f"from {ROOM}.module_utils.kinds.count.kind import KIND as COUNT\n",
        ),
        ("for kind in (BENCH, SERVE, BATCH, LOAD", ", COUNT"),
    ],
    "plugins/plugin_utils/catalog/metrics.py": [
        (
            "_ROWS = (\n",
            '    Metric("count_rate", "1/s", "Counting", "numbers / time", "a toy", number, "higher", 0, 1e12),\n',
        )
    ],
    "plugins/plugin_utils/report/subjects/registry.py": [
        ("    cost,\n", "    counting,\n"),
        ("    cost.SUBJECT,\n", "    counting.SUBJECT,\n"),
    ],
}
ADDED = {
    "plugins/module_utils/kinds/count/kind.py": KIND,
    "plugins/plugin_utils/report/subjects/counting.py": SUBJECT,
}

# What is done with the kind, by the collection as it is then.
USE = f"""
import json, os, sys, time
from {ROOM}.module_utils.kinds import registry
from {ROOM}.module_utils.kinds.job import jobs_of
from {ROOM}.module_utils.measure.run import measure
from {ROOM}.module_utils.measure.settings import Settings
from {ROOM}.module_utils.record import envelope
from {ROOM}.plugin_utils.analysis import summary
from {ROOM}.plugin_utils.export import forms
from {ROOM}.plugin_utils.report import pages
from {ROOM}.plugin_utils.report.subjects import registry as subjects
from {ROOM}.plugin_utils.request.plan import make_plan
from {ROOM}.plugin_utils.request.run_request import RunRequest
from {ROOM}.plugin_utils.store import records

results, programs = sys.argv[1:]
machine = envelope.with_id({{
    "name": "local-toy", "cpu_model": "toy", "cpu_count": 2, "physical_cores": 2, "memory_bytes": 1 << 34,
    "emulated": False, "architecture": "x86_64",
}})
build = envelope.with_id({{"name": "default", "source": {{"commit": "0c1e57098"}}}})
model = envelope.with_id({{"name": "tiny-synthetic", "quantization": "Q4_0", "synthetic": True, "bytes": 1000}})
asked = RunRequest.of({{"models": ["tiny-synthetic"], "tests": ["count8"], "threads": [1], "launches": 2}})
plan = make_plan(asked, machine)
jobs = jobs_of(plan["cells"], [dict(build, bin=programs)], [dict(model, path=programs + "/m.gguf")])
run = {{
    "cells": plan["cells"], "launches": 2, "repetitions": 1, "seed": 1, "versions": {{}}, "emulated": False,
    "command": "true",
}}
kept = [envelope.make(kind, "run-1", "local-toy", payload) for kind, payload in
        (("machine", machine), ("build", build), ("model", model), ("run", run))]
ended = measure(jobs, Settings(2, 2, 1, 1, 60.0), machine,
                lambda kind, payload, when: kept.append(envelope.make(kind, "run-1", "local-toy", payload, when)),
                lambda state: None)
appended = records.append(results, kept)
shown, problems = pages.render_store(results)
runs = summary.runs(records.read(results).records)
print(json.dumps({{
    "failures": plan["failures"], "programs": plan["programs"], "ended": ended,
    "kinds": [record["kind"] for record in kept],
    "failed": [record["payload"]["cause"] for record in kept if record["kind"] == "failure"],
    "problems": [str(problem) for problem in [*appended.problems, *problems]],
    "page": shown["local-toy/tiny-synthetic/q4.md"], "csv": forms.export(runs, "csv").decode(),
    "subjects": sorted(subjects.shown()),
}}))
"""

COUNTER = "#!/bin/sh\necho '{\"rate\": 4321.0}'\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def collection(tmp_path):
    """A copy of this collection in which the recipe was followed."""
    copy = tmp_path / "ansible_collections" / "cloudbench" / "llama"
    shutil.copytree(ROOT / "plugins", copy / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in ADDED.items():
        assert not (copy / name).exists()
        write(copy / name, text)
    for name, insertions in TOUCHED.items():
        text = (copy / name).read_text("utf-8")
        for behind, line in insertions:
            assert text.count(behind) == 1, f"{name}: {behind!r}"
            text = text.replace(behind, behind + line)
        write(copy / name, text)
    return tmp_path


def test_a_kind_is_its_package_its_subject_and_three_files_of_others():
    beside = [name for name in ADDED if not name.startswith("plugins/module_utils/kinds/count/")]
    assert beside == ["plugins/plugin_utils/report/subjects/counting.py"]
    assert len(TOUCHED) == 3
    recipe = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("### Add a kind of measurement")[2]
    for name in TOUCHED:
        assert "/".join(Path(name).parts[2:]) in recipe or Path(name).name in recipe, name


def test_a_kind_that_was_added_is_planned_launched_kept_shown_and_exported(collection, tmp_path):
    write(tmp_path / "bin" / "llama-count", COUNTER)
    (tmp_path / "bin" / "llama-count").chmod(0o755)
    write(tmp_path / "bin" / "m.gguf", "x" * 1000)
    done = subprocess.run(
        [sys.executable, "-c", USE, str(tmp_path / "results"), str(tmp_path / "bin")],
        env={**os.environ, "PYTHONPATH": str(collection)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["failures"] == []
    assert said["programs"] == ["llama-count"]
    assert said["failed"] == []
    assert said["ended"]
    assert said["kinds"].count("launch") == 2
    assert said["problems"] == []
    assert "## Counting" in said["page"]
    assert "4,321" in said["page"]
    assert "count_rate" in said["csv"]
    assert "count_rate" in said["subjects"]
