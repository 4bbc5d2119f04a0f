# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that run by the interpreter of the module warm_python do what they do by any other, and nothing is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import warm_python

ROOT = Path(__file__).resolve().parents[2]
PACKED = ["ansible.builtin.command", "amazon.aws.ec2_instance", "amazon.aws.ec2_launch_template", "amazon.aws.ec2_key"]

pytestmark = pytest.mark.skipif(not warm_python.supported(), reason="processes cannot be waited for as files here")


def begin(**options: Any) -> dict[str, Any]:
    return {"cloudbench.llama.warm_python": {"modules": PACKED, **options}, "register": "warm"}


def play(folder: Path, tasks: list[dict[str, Any]], *options: str) -> str:
    """Run tasks on this machine; return what was said."""
    (folder / "temporary").mkdir()
    (folder / "play.json").write_text(
        json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}])
    )
    settings = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "temporary"),
        "TMPDIR": str(folder / "temporary"),
        "LC_ALL": "C.UTF-8",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "AWS_"))}
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", folder / "play.json", *options],
        cwd=ROOT, env={**kept, **settings}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def nothing_left(folder: Path) -> bool:
    until = time.monotonic() + 60
    while list((folder / "temporary").iterdir()):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("options", [[], ["-e", "ansible_pipelining=false"]], ids=["pipelining", "files"])
def test_tasks_and_what_they_begin_in_the_background_have_it_loaded(tmp_path: Path, options: list[str]) -> None:
    by_it = {"ansible_python_interpreter": "{{ warm.interpreter }}", "ansible_async_dir": str(tmp_path / "jobs")}
    tasks: list[dict[str, Any]] = [
        begin(interpreter="{{ ansible_python_interpreter | default(ansible_playbook_python) }}"),
        {"ansible.builtin.assert": {"that": ["warm.why == ''", "warm.interpreter != ansible_playbook_python"]}},
        {
            "ansible.builtin.command": {"argv": [sys.executable, "-c", "import os; print(os.environ['WORD'])"]},
            "environment": {"WORD": "given"}, "register": "now", "vars": by_it,
        },
        {
            "ansible.builtin.command": {"argv": ["sleep", "1"]},
            "async": 60, "poll": 0, "register": "begun", "vars": by_it,
        },
        {
            "ansible.builtin.async_status": {"jid": "{{ begun.ansible_job_id }}"}, "register": "ended", "vars": by_it,
            "until": "ended is finished", "retries": 60, "delay": 1,
        },
        {"ansible.builtin.assert": {"that": ["now.stdout == 'given'", "ended.rc == 0"]}},
    ]  # fmt: skip
    play(tmp_path, tasks, *options)
    assert nothing_left(tmp_path)


def test_a_playbook_that_ends_while_a_module_is_packed_leaves_nothing(tmp_path: Path) -> None:
    play(tmp_path, [begin()])
    # The packing goes on for a second or more, and then finds that nobody wants it.
    time.sleep(8)
    assert nothing_left(tmp_path)


def test_who_becomes_somebody_else_has_the_ordinary_python(tmp_path: Path) -> None:
    told = {"ansible.builtin.assert": {"that": ["warm.why == 'somebody else is to run it'"]}}
    play(tmp_path, [{**begin(), "become": True}, told])
    assert nothing_left(tmp_path)
