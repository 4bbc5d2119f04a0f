# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host is looked at through its shell, whatever that shell prints besides."""

from __future__ import annotations

import json
import os
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.cloudbench.llama.plugins.action import gguf_quantize, llama_bench, llama_cpp_compile

# What a shell prints that reads a person's profile for each command that comes over ssh.
GREETINGS = {
    "silent": "",
    "text": "echo Welcome; echo 'today: {\"pid\": 1}'",
    "no newline": "printf 'Welcome '",
    "its commands": "set -x",
    "at the end": "trap 'echo Goodbye' EXIT",
}


def action(module: Any, greeting: str) -> Any:
    """Return an action whose host is this machine, by a shell that greets."""
    made = object.__new__(module.ActionModule)

    def run(command: str, **_options: Any) -> dict[str, Any]:
        done = subprocess.run(["/bin/sh", "-c", f"{greeting}\n{command}"], capture_output=True, text=True, check=False)
        return {"stdout": done.stdout, "stderr": done.stderr, "rc": done.returncode}

    made._low_level_execute_command = run
    made._display = SimpleNamespace(vvv=lambda _text: None)
    made._kept, made._lines, made._writer = [], 0, None
    return made


@pytest.mark.parametrize("greeting", GREETINGS.values(), ids=GREETINGS)
def test_progress_and_records_are_read_through_a_greeting(greeting, tmp_path, monkeypatch):
    monkeypatch.delenv("CLOUDBENCH_RESULTS_DIR", raising=False)
    state = {"pid": os.getpid(), "done": 1, "of": 6, "left_s": 3.0}
    prefix = str(tmp_path / "the run")
    looking = action(llama_bench, greeting)
    assert looking._look(prefix) is None
    (tmp_path / "the run.progress.json").write_text(json.dumps(state))
    (tmp_path / "the run.jsonl").write_text('{"kind": "launch", "n": 1}\n{"kind": "launch", "n": 2}\n{"kind": "lau')
    assert looking._look(prefix) == {**state, "alive": True}
    assert [record["n"] for record in looking._kept] == [1, 2]
    with (tmp_path / "the run.jsonl").open("a") as spool:
        spool.write('nch", "n": 3}\n')
    looking._look(prefix)
    assert [record["n"] for record in looking._kept] == [1, 2, 3]
    assert looking._complete({}, prefix)["bench_records"]["records"] == looking._kept
    assert action(llama_cpp_compile, greeting)._look(prefix) == {**state, "alive": True}


@pytest.mark.parametrize("greeting", GREETINGS.values(), ids=GREETINGS)
def test_the_home_of_a_host_is_read_through_a_greeting(greeting):
    assert action(llama_bench, greeting)._expand("~/x") == os.environ["HOME"] + "/x"


def test_a_shell_that_does_not_answer_is_a_lost_host(tmp_path):
    silent = action(llama_bench, "echo 'This account is closed.'; exit 1")
    with pytest.raises(AnsibleConnectionFailure, match=r"did not answer, it said .This account is closed"):
        silent._look(str(tmp_path / "run"))
    silent._kept = [{"kind": "launch"}]
    assert silent._complete({}, str(tmp_path / "run"))["bench_records"]["records"] == silent._kept


def test_a_runner_that_was_never_heard_of_is_not_said_to_have_ended(tmp_path):
    prefix = str(tmp_path / "run")
    looking = action(llama_bench, "")
    assert looking._complete({}, prefix)["msg"].startswith("the runner gave no sign of life for 300 s")
    (tmp_path / "run.progress.json").write_text(json.dumps({"pid": os.getpid()}))
    looking._look(prefix)
    assert looking._complete({}, prefix)["msg"] == "the runner ended without a result"


@pytest.mark.parametrize("greeting", GREETINGS.values(), ids=GREETINGS)
def test_a_file_that_is_made_is_told_in_bytes(greeting, tmp_path):
    looking = action(gguf_quantize, greeting)
    looking._host = "gv3"
    prefix = str(tmp_path / ".watch-1")
    assert looking._look(prefix) is None
    state = {"pid": os.getpid(), "what": "writing m.gguf", "done": 512 << 20, "of": 1 << 30, "left_s": 20.0}
    (tmp_path / ".watch-1.progress.json").write_text(json.dumps(state))
    (tmp_path / ".watch-1.seen").touch()
    os.utime(tmp_path / ".watch-1.seen", (0, 0))
    seen = looking._look(prefix)
    assert seen == {**state, "alive": True}
    # Whoever makes it learns that somebody looked.
    assert (tmp_path / ".watch-1.seen").stat().st_mtime > 0
    assert looking._line(seen) == "gv3: writing m.gguf: 512\xa0MiB of 1.00\xa0GiB; about 20 s left"
    assert looking._line({**seen, "of": None, "left_s": None}) == "gv3: writing m.gguf: 512\xa0MiB"
    assert looking._complete({"changed": True, "started": 1, "ansible_job_id": "j"}, prefix) == {"changed": True}
    assert "its module was killed; run again" in looking._complete({}, prefix)["msg"]
