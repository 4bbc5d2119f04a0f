# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checkout as a project of ansible-runner and AWX, and the definition of what it runs in, by their own programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def test_ansible_builder_accepts_the_definition(tmp_path: Path) -> None:
    command = [program("ansible-builder"), "create", "--file", str(ROOT / "execution-environment.yml")]
    command += ["--context", str(tmp_path / "context"), "--output-filename", "Containerfile"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    made = (tmp_path / "context" / "Containerfile").read_text("utf-8")
    for words in ("ansible-core==", "ansible-runner==", "bindep.txt", "requirements.txt"):
        assert words in made
    copied = tmp_path / "context" / "_build" / "requirements.txt"
    assert copied.read_text("utf-8") == (ROOT / "requirements.txt").read_text("utf-8")


def test_the_definition_has_the_versions_of_the_requirements() -> None:
    definition = yaml.safe_load((ROOT / "execution-environment.yml").read_text("utf-8"))
    core = definition["dependencies"]["ansible_core"]["package_pip"]
    assert f"{core} ; python_full_version >= '3.12'" in (ROOT / "requirements.txt").read_text("utf-8")
    runner = definition["dependencies"]["ansible_runner"]["package_pip"]
    assert f"\n{runner}\n" in (ROOT / "requirements-dev.txt").read_text("utf-8")


def test_what_the_collection_needs_is_found_by_ansible_builder(tmp_path: Path) -> None:
    """As for a collection that is installed: its introspection reads meta/execution-environment.yml."""
    installed = tmp_path / "ansible_collections" / "cloudbench"
    installed.mkdir(parents=True)
    (installed / "llama").symlink_to(ROOT)
    command = [program("ansible-builder"), "introspect", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = yaml.safe_load(done.stdout.partition("---\n")[2])
    assert any(line.startswith("boto3==") for line in told["python"])
    assert any(line.startswith("openssh-client") for line in told["system"])


def test_ansible_runner_runs_a_playbook_of_the_checkout(tmp_path: Path) -> None:
    """A private data directory whose project is the checkout, as AWX lays one out."""
    (tmp_path / "project").symlink_to(ROOT)
    (tmp_path / "env").mkdir()
    results = tmp_path / "results"
    lines = (ROOT / "tests" / "fixtures" / "records" / "schema-2.jsonl").read_text("utf-8")
    first = json.loads(lines.splitlines()[0])
    records = results / first["machine"] / "records" / f"{first['run']}.jsonl"
    records.parent.mkdir(parents=True)
    records.write_text(lines)
    (tmp_path / "env" / "envvars").write_text(yaml.safe_dump({"CLOUDBENCH_RESULTS_DIR": str(results)}))
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [program("ansible-runner"), "run", str(tmp_path), "--playbook", "playbooks/report.yml"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (results / "README.md").is_file()
    assert "failed=0" in done.stdout
    artifacts = list((tmp_path / "artifacts").glob("*/rc"))
    assert [path.read_text("utf-8") for path in artifacts] == ["0"]
