# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback and the actions that feed it, as ansible-playbook runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import SCHEMA

ROOT = Path(__file__).resolve().parents[2]
RUN = "20261123T155523Z-1a2b"
OF_A_MACHINE = ("README.md", f"records/{RUN}.jsonl")
CALLBACK = "callbacks_enabled = cloudbench.llama.bench_report\n"
ELSEWHERE = CALLBACK + "[callback_bench_report]\nresults_dir = kept\n"

INVENTORY = f"""
all:
  hosts:
    here:
      ansible_connection: local
      ansible_python_interpreter: {sys.executable}
    gone:
      ansible_connection: ssh
      ansible_host: 127.0.0.1
      ansible_port: 1
      ansible_ssh_args: -F /dev/null -o BatchMode=yes -o ConnectTimeout=1
"""

# A task of a stranger that returns what is not for us to keep, as any host may for any module.
STRANGER = """
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec=dict(records=dict(type="raw"), version=dict(type="int")))
module.exit_json(bench_records={"version": module.params["version"], "records": module.params["records"]})
"""

# A play that plans this host, up to what is asked for.
PLANNED = """
- hosts: here
  gather_facts: false
  tasks:
    - cloudbench.llama.machine_info:
        name: local-test
      register: host
    - cloudbench.llama.bench_plan:
        machine: "{{ host.machine }}"
        request:"""

PLAYBOOK = (
    PLANNED
    + """
          models: [llama-3.2-1b-synthetic]
          quantizations: [Q4_0, Q9_9]
          threads: [1]
          tests: [pp512]
          launches: 6
          repetitions: 2
      register: promised
    - block:
        - ansible.builtin.command:
            argv: [sh, -c, "echo 'error: <b>the | compiler</b>' >&2; exit 3"]
      rescue:
        - cloudbench.llama.bench_failure:
            phase: build
            result: "{{ ansible_failed_result }}"
            machine: "{{ host.machine.name }}"
            cells: "{{ promised.plan.cells }}"
    - ansible.builtin.assert:
        that:
          - promised.plan.run == 'RUN'
          - promised.plan.quantizations == ['Q4_0']
- hosts: gone
  gather_facts: false
  tasks:
    - ansible.builtin.ping:
"""
)

STRANGE = """
- hosts: here
  gather_facts: false
  tasks:
    - stranger:
        version: 99
        records: []
    - stranger:
        version: 1
        records: none at all
    - stranger:
        version: 1
        records:
          - 7
          - {schema: 1, kind: failure, run: ../../../evil, time: "2026-11-23T15:55:23Z", machine: here, payload: {}}
          - {schema: 1, kind: failure, run: RUN, time: "2026-11-23T15:55:23Z", machine: ../evil, payload: {}}
          - {schema: 1, kind: failure, run: RUN, time: "2026-11-23T15:55:23Z", machine: local-test,
             payload: {phase: model, cause: kept all the same, advice: None., cell: null, detail: {}}}
- hosts: here
  gather_facts: false
  roles:
    - cloudbench.llama.bench_report
"""

# A limit that has no room for anything: the runner says so of each cell, and nothing fails.
NO_TIME = (
    PLANNED
    + """ {tests: [pp512], minutes: 6}
      register: promised
    - ansible.builtin.lineinfile:
        path: "{{ playbook_dir }}/results/local-test/records/RUN.jsonl"
        line: "{{ {'schema': SCHEMA, 'kind': 'omitted', 'run': 'RUN', 'time': '2026-11-23T15:55:23Z',
          'machine': 'local-test', 'payload': {'cell': promised.plan.cells[0], 'cause': 'no room',
          'advice': 'Raise it.'}} | to_json }}"
- hosts: here
  gather_facts: false
  roles:
    - cloudbench.llama.bench_report
"""
)

WITHOUT = """
- hosts: here
  gather_facts: false
  tasks:
    - cloudbench.llama.bench_pages:
        results_dir: "{{ playbook_dir }}/results"
      register: pages
    - ansible.builtin.assert:
        that: pages.written == [] and pages.run is none and pages is not changed
    - cloudbench.llama.bench_plan:
        machine: {name: local-test, cpu_count: 1, physical_cores: 1, emulated: false}
        request:
          models: [llama-3.2-1b-synthetic]
          quantizations: [Q4_0]
          tests: [pp512]
          launches: 1
          repetitions: 1
"""


class Done(NamedTuple):
    """How ansible-playbook ended, what it said (with single spaces), and every file of the results by its path."""

    code: int
    output: str
    files: dict[str, str]


def play(folder: Path, playbook: str, *arguments: str, enabled: str = CALLBACK) -> Done:
    """Run ansible-playbook in `folder` as a person would, apart from the settings and the home of whoever tests."""
    files = {
        "ansible.cfg": f"[defaults]\ninventory = hosts.yml\ncollections_path = {ROOT / 'collections'}\n{enabled}",
        "hosts.yml": INVENTORY,
        "play.yml": playbook.replace("RUN", RUN).replace("SCHEMA", str(SCHEMA)),
        "library/stranger.py": STRANGER,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "CLOUDBENCH_"))}
    settings = {
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "home" / "tmp"),
        "_ANSIBLE_CALLBACK_DISPATCH_ERROR_BEHAVIOR": "error",
        "LC_ALL": "C.UTF-8",
        **({"CLOUDBENCH_RUN": RUN} if enabled else {}),
    }
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "play.yml", *arguments],
        cwd=folder, env={**own, **settings}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", timeout=120, check=False,
    )  # fmt: skip
    results = folder / ("kept" if enabled == ELSEWHERE else "results")
    kept = [path for path in results.rglob("*") if path.is_file()]
    named = {path.relative_to(results).as_posix(): path.read_text("utf-8") for path in kept}
    return Done(done.returncode, " ".join(done.stdout.split()), named)


def records(done: Done, machine: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.files[f"{machine}/records/{RUN}.jsonl"].splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("play")


@pytest.fixture(scope="module")
def measured(folder) -> Done:
    """A run in which one host is planned and fails to build, and another one cannot be reached."""
    if shutil.which("ssh") is None:
        pytest.skip("no ssh client here")
    return play(folder, PLAYBOOK)


def test_what_tasks_return_is_kept(measured):
    kept = records(measured, "local-test")
    assert [one["kind"] for one in kept] == ["machine", "run", "failure", "failure"]
    assert {(one["schema"], one["run"], one["machine"]) for one in kept} == {(SCHEMA, RUN, "local-test")}
    plan, refused, failed = (one["payload"] for one in kept[1:])
    assert [cell["quantization"] for cell in plan["cells"]] == ["Q4_0"]
    assert (refused["phase"], refused["cell"]) == ("plan", None)
    assert "Q9_9" in refused["cause"]
    assert (failed["phase"], failed["cell"]) == ("build", plan["cells"][0])
    assert failed["cause"].endswith("error: <b>the | compiler</b>")


def test_a_host_that_cannot_be_reached_is_a_failure(measured):
    assert measured.code == 4, measured.output
    (one,) = records(measured, "unknown-gone")
    assert (one["kind"], one["payload"]["phase"]) == ("failure", "connect")
    assert "could not be reached" in one["payload"]["cause"]
    assert "unknown-gone" in measured.files["README.md"]


def test_pages_are_written_when_the_play_ends(measured):
    page = "local-test/llama-3.2-1b-synthetic/q4.md"
    assert set(measured.files) == {
        "README.md", page, "models/llama-3.2-1b-synthetic.md",
        *(f"{name}/{file}" for name in ("local-test", "unknown-gone") for file in OF_A_MACHINE),
    }  # fmt: skip
    assert "compiler" in measured.files[page]
    assert "<b>" not in measured.files[page], "what a host says is text"
    assert "bench_report: wrote " in measured.output


def test_without_the_callback_there_are_pages_but_no_run(folder, measured):
    done = play(folder, WITHOUT, enabled="")
    assert done.code == 2, done.output
    assert "failed=1" in done.output
    assert "callbacks_enabled = cloudbench.llama.bench_report" in done.output
    assert done.files == measured.files, "the same records give the same bytes"


def test_a_trial_run_keeps_nothing(tmp_path):
    done = play(tmp_path, PLAYBOOK.replace("hosts: gone", "hosts: all"), "--check")
    assert done.code == 4, done.output
    assert done.files == {}


def test_what_a_host_returns_as_records_is_not_kept(tmp_path):
    done = play(tmp_path, STRANGE, enabled=ELSEWHERE)
    assert done.code == 0, done.output
    words = "here: a task of stranger returned records, which would be the word of a host alone: they were not kept"
    assert words in done.output
    assert "kept all the same" not in "".join(done.files.values())
    assert set(done.files) == {"README.md"}
    assert list(tmp_path.rglob("*evil*")) == []
    assert not (tmp_path / "results").exists()


def test_a_run_in_which_nothing_was_measured_fails_and_says_why(tmp_path):
    done = play(tmp_path, NO_TIME)
    assert done.code == 2, done.output
    why = "the time limit of 6 min had no room for its one cell"
    assert f"missing: every figure of local-test: {why}" in done.output
    assert f"local-test: nothing was measured: {why}" in done.output
    assert f"Nothing was measured: {why}" in done.files["local-test/llama-3.2-1b-synthetic/q4.md"]
