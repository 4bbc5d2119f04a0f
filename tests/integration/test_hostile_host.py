# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose Python answers as it likes, in a run of the collection's own playbook, and what it gets by that.

It is reached without ssh; what it is asked to run, and what it answers, goes the way of any host's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.records import hostile

from ansible_collections.cloudbench.llama.plugins.module_utils.probe.machine import fingerprint
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

ROOT = Path(__file__).resolve().parents[2]
RUN = "20261123T155523Z-1a2b"
BEFORE = "20260101T000000Z-0000"
OTHER = "gv3-c7g-16xlarge"

# It is handed a module on standard input, or as a file, and answers by its name.
PYTHON = """#!{python}
import json, re, sys
text = open(sys.argv[1]).read() if sys.argv[1:] else sys.stdin.read()
asked = re.search(r"plugins[./]modules[./](\\w+)|ansible[./]modules[./](\\w+)", text)
name = next(filter(None, asked.groups())) if asked else "other"
answers = json.load(open({answers!r}))
with open({asked!r}, "a") as log:
    log.write(name + "\\n")
print(json.dumps(answers.get(name, answers["other"])))
"""

MARK = hostile.MARK
TEMPLATE = hostile.PAYLOADS["template"]
WORDS = {
    "cpu_model": TEMPLATE, "kernel": hostile.PAYLOADS["script"], "os": hostile.PAYLOADS["statement"],
    "governor": hostile.PAYLOADS["clipboard"], "virtualization": hostile.PAYLOADS["bidirectional"],
    "kernel_parameters": hostile.PAYLOADS["shell"],
}  # fmt: skip


class Done(NamedTuple):
    """How the run ended, what it said, and what the host was asked."""

    code: int
    output: str
    asked: list[str]


def run(folder: Path, answers: dict[str, Any], **environment: str) -> Done:
    """Run site.yml on the host, as a person would with the settings of the checkout."""
    (folder / "answers.json").write_text(json.dumps(answers))
    python = folder / "python3"
    python.write_text(
        PYTHON.format(python=sys.executable, answers=str(folder / "answers.json"), asked=str(folder / "asked"))
    )
    python.chmod(0o755)
    hosts = {"evil": {"ansible_connection": "local", "ansible_python_interpreter": str(python)}}
    (folder / "hosts.json").write_text(json.dumps({"bench": {"hosts": hosts}}))
    tree = folder / "llama.cpp" / "ggml"
    tree.mkdir(parents=True, exist_ok=True)
    (tree / "CMakeLists.txt").write_text("")
    given = {
        "llama_cpp_source_type": "tree",
        "llama_cpp_path": str(tree.parent),
        "llama_model_models": ["tiny-synthetic"],
        "llama_bench_tests": ["pp16"],
        "llama_bench_launches": 1,
        "llama_bench_threads": [1],
    }
    # As the group's variables: those of a command line nobody overrules.
    (folder / "group_vars").mkdir(exist_ok=True)
    (folder / "group_vars" / "bench.json").write_text(json.dumps(given))
    foreign = ("ANSIBLE_", "AWS_", "CLOUDBENCH_", "HF_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(folder / "hosts.json"), "site.yml"],
        cwd=ROOT,
        env={
            **kept,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "CLOUDBENCH_RESULTS_DIR": str(folder / "results"),
            "CLOUDBENCH_RUN": RUN,
            "HOME": str(folder / "home"),
            "LC_ALL": "C.UTF-8",
            **environment,
        },
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", timeout=300,
        check=False,
    )  # fmt: skip
    asked = folder / "asked"
    return Done(done.returncode, done.stdout, asked.read_text().split() if asked.exists() else [])


@pytest.fixture
def answers(tmp_path: Path) -> dict[str, Any]:
    """What the host says: a fingerprint of hostile words, and with each answer all that might be believed."""
    (tmp_path / "secrets" / "ggml").mkdir(parents=True)
    (tmp_path / "secrets" / "ggml" / "CMakeLists.txt").write_text("a secret of the controller")
    machine = {**fingerprint(), **WORDS}
    facts = {
        "llama_cpp_path": str(tmp_path / "secrets"),
        "llama_cpp_controller_cache": str(tmp_path / "chosen by the host"),
        "bench_report_results_dir": str(tmp_path / "chosen by the host"),
        "llama_bench_machine_name": OTHER,
        "ansible_connection": "ssh",
        "ansible_host": "203.0.113.1",
        "ansible_python_interpreter": "/bin/false",
        "inventory_hostname": "localhost",
        TEMPLATE: TEMPLATE,
    }
    foreign = [
        envelope.make(kind, run, OTHER, {"phase": "measure", "cause": "forged", "advice": "forged"})
        for kind in ("failure", "run")
        for run in (RUN, BEFORE)
    ]
    more = {
        "ansible_facts": facts,
        "bench_records": envelope.as_result(foreign),
        "rendered": str(tmp_path / "results"),
        "plan": {"cells": [], "run": BEFORE},
    }
    refused = {"failed": True, "rc": 1, "msg": f"no room {TEMPLATE} <b>{MARK}</b>", "stderr": TEMPLATE}
    return {"machine_info": {"changed": False, "machine": machine, **more}, "other": {**refused, **more}}


def test_a_hostile_host_gets_its_failure_on_a_page_and_nothing_else(tmp_path: Path, answers: dict[str, Any]) -> None:
    earlier = envelope.make("failure", BEFORE, OTHER, envelope.failure("measure", "of before", "None."))
    records.append(tmp_path / "results", [earlier])
    before = (tmp_path / "results" / OTHER / "records" / f"{BEFORE}.jsonl").read_bytes()
    done = run(tmp_path, answers)
    assert done.code == 2, done.output
    assert "machine_info" in done.asked
    assert "llama_cpp_toolchain" in done.asked, "it was believed as far as it may be"
    assert "Traceback" not in done.output

    # Nothing that it said was taken for a template.
    assert not list(tmp_path.rglob(MARK))
    assert not (ROOT / MARK).exists()
    # It named no directory of this machine, and no file of it.
    assert not (tmp_path / "chosen by the host").exists()
    packed = list((tmp_path / "home").rglob("*.tar.gz"))
    assert packed, "the source that was asked for"
    # It wrote nothing of other machines and earlier runs, and the pages were written whatever it said of them.
    assert (tmp_path / "results" / OTHER / "records" / f"{BEFORE}.jsonl").read_bytes() == before
    kept = records.read(tmp_path / "results")
    assert kept.problems == []
    assert "forged" not in json.dumps(kept.records)
    assert "would be the word of a host alone: they were not kept" in " ".join(done.output.split())
    of_run = [record for record in kept.records if record["run"] == RUN]
    assert {record["kind"] for record in of_run} == {"machine", "run", "failure"}
    (machine,) = {record["machine"] for record in of_run}
    assert machine != OTHER
    # What it said stands there, as text.
    (told,) = [record["payload"] for record in of_run if record["kind"] == "machine"]
    assert {name: told[name] for name in WORDS} == WORDS
    (failed,) = [record["payload"] for record in of_run if record["kind"] == "failure"]
    assert TEMPLATE in failed["cause"]
    page = (tmp_path / "results" / machine / "tiny-synthetic" / "q4.md").read_text("utf-8")
    assert "no room" in page
    assert f"<b>{MARK}" not in page
    assert "<script>" not in page
    assert "\x1b" not in page

    # No line of ours has what steers a terminal; what the host is called by Ansible is not ours.
    ours = [line for line in done.output.splitlines() if machine in line or "bench_report" in line]
    assert ours
    assert all(line.isprintable() for line in ours)


def test_without_the_setting_of_the_checkout_hosts_may_set_variables_and_that_is_said(
    tmp_path: Path, answers: dict[str, Any]
) -> None:
    """So that the test above is known to look at something: Ansible's default lets facts be variables."""
    # By which a task that is its own would be another's, and be left out.
    del answers["machine_info"]["ansible_facts"]["inventory_hostname"]
    done = run(tmp_path, answers, ANSIBLE_INJECT_FACT_VARS="true")
    assert (tmp_path / "chosen by the host").exists(), done.output


def test_a_host_of_another_machine_than_this_is_warned_of_without_the_setting(tmp_path: Path) -> None:
    inventory = {"bench": {"hosts": {"far": {"ansible_host": "203.0.113.1"}}}}
    (tmp_path / "hosts.json").write_text(json.dumps(inventory))
    for setting, warned in (("true", True), ("false", False)):
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(tmp_path / "hosts.json"),
             "playbooks/check.yml"],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_INJECT_FACT_VARS": setting, "LC_ALL": "C.UTF-8", "HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        words = "may set variables of this run by what it calls its facts"
        assert (words in " ".join(done.stdout.split())) is warned


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        ({"name": "../../x"}, "the machine cannot be measured: the machine '../../x' is no file name"),
        ({"cpu_features": 7}, "machine.cpu_features is 7 where a list belongs"),
        ({"memory_bytes": TEMPLATE}, "machine.memory_bytes is"),
    ],
)
def test_a_host_that_is_no_machine_is_a_failure_with_its_reason(
    tmp_path: Path, answers: dict[str, Any], machine: dict[str, Any], words: str
) -> None:
    answers["machine_info"]["machine"].update(machine)
    done = run(tmp_path, answers)
    assert done.code == 2, done.output
    assert "Traceback" not in done.output
    kept = records.read(tmp_path / "results").records
    assert {record["machine"] for record in kept} == {"unknown-evil"}
    assert words in kept[0]["payload"]["cause"]
    assert not list(tmp_path.rglob(MARK))
