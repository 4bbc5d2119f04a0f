# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host is looked at through its shell, whatever that shell prints besides."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.modules import async_wrapper
from support.records import hostile

from ansible_collections.cloudbench.llama.plugins.action import gguf_quantize, llama_bench, llama_cpp_compile
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

RUN = "20261123T155523Z-1a2b"

# What a shell prints that reads a person's profile for each command that comes over ssh.
GREETINGS = {
    "silent": "",
    "text": "echo Welcome; echo 'today: {\"pid\": 1}'",
    "no newline": "printf 'Welcome '",
    "its commands": "set -x",
    "at the end": "trap 'echo Goodbye' EXIT",
}


def action(module: Any, greeting: str, end: str = "\n") -> Any:
    """Return an action whose host is this machine, by a shell that greets."""
    made = object.__new__(module.ActionModule)

    def run(command: str, **_options: Any) -> dict[str, Any]:
        done = subprocess.run(["/bin/sh", "-c", f"{greeting}\n{command}"], capture_output=True, text=True, check=False)
        # As a terminal ends lines, where ssh is told to have one.
        return {"stdout": done.stdout.replace("\n", end), "stderr": done.stderr, "rc": done.returncode}

    made._low_level_execute_command = run
    made.said = []
    made._display = SimpleNamespace(vvv=lambda _text: None, warning=made.said.append, display=made.said.append)
    made._kept, made._lines, made._writer, made._refused = [], 0, None, set()
    made._run, made._machine, made._host, made._what = RUN, "box", "box", "llama.cpp"
    return made


def spooled(n: int, **changes: Any) -> dict[str, Any]:
    """A record as the runner on the host writes it."""
    return {**envelope.make("launch", RUN, "box", {"n": n}), **changes}


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lines", "terminal"])
@pytest.mark.parametrize("greeting", GREETINGS.values(), ids=GREETINGS)
def test_progress_and_records_are_read_through_a_greeting(greeting, end, tmp_path, monkeypatch):
    monkeypatch.delenv("CLOUDBENCH_RESULTS_DIR", raising=False)
    state = {"pid": os.getpid(), "done": 1, "of": 6, "left_s": 3.0}
    prefix = str(tmp_path / "the run")
    looking = action(llama_bench, greeting, end)
    assert looking._look(prefix) is None
    (tmp_path / "the run.progress.json").write_text(json.dumps(state))
    lines = [json.dumps(spooled(n)) for n in (1, 2, 3)]
    (tmp_path / "the run.jsonl").write_text("\n".join(lines)[:-20])
    assert looking._look(prefix) == {**state, "alive": True}
    assert [record["payload"]["n"] for record in looking._kept] == [1, 2]
    with (tmp_path / "the run.jsonl").open("a") as spool:
        spool.write(f"{lines[2][-20:]}\n")
    looking._look(prefix)
    assert [record["payload"]["n"] for record in looking._kept] == [1, 2, 3]
    assert looking._complete({}, prefix)["bench_records"]["records"] == looking._kept
    assert action(llama_cpp_compile, greeting, end)._look(prefix) == {**state, "alive": True}


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
    assert looking._line(seen) == "gv3: writing m.gguf: 512 MiB of 1.00 GiB; about 20 s left"
    assert looking._line({**seen, "of": None, "left_s": None}) == "gv3: writing m.gguf: 512 MiB"
    assert looking._complete({"changed": True, "started": 1, "ansible_job_id": "j"}, prefix) == {"changed": True}
    assert "its module was killed; run again" in looking._complete({}, prefix)["msg"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"run": "20260101T000000Z-0000"}, "a record is of the run '20260101T000000Z-0000' of 'box'"),
        ({"machine": "gv4-c8g-16xlarge"}, f"a record is of the run '{RUN}' of 'gv4-c8g-16xlarge'"),
        ({"machine": "../box"}, f"a record is of the run '{RUN}' of '../box'"),
        ({"kind": "run"}, "a record is of the kind 'run', which no host may write"),
        ({"kind": "machine"}, "a record is of the kind 'machine', which no host may write"),
        ({"kind": ["launch"]}, "a record is of the kind"),
    ],
)
def test_a_host_writes_nothing_into_other_runs_or_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], reason: str
) -> None:
    """Neither by its spool, which is read while it measures, nor by the result at the end."""
    results = tmp_path / "results"
    monkeypatch.setenv("CLOUDBENCH_RESULTS_DIR", str(results))
    looking = action(llama_bench, "")
    given = [spooled(1), spooled(2, **changes), 7, spooled(3)]
    (tmp_path / "run.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in given))
    looking._look(str(tmp_path / "run"))
    ended = looking._complete({"bench_records": envelope.as_result(given)}, str(tmp_path / "run"))
    without = looking._complete({}, str(tmp_path / "run"))
    for kept in (looking._kept, ended["bench_records"]["records"], without["bench_records"]["records"]):
        assert [record["payload"]["n"] for record in kept] == [1, 3]
    assert [path.relative_to(results).as_posix() for path in results.rglob("*.jsonl")] == [f"box/records/{RUN}.jsonl"]
    said = [words for words in looking.said if reason in words]
    assert len(said) == 1, "once, however often it is read"
    assert any("a record is an object, not int" in words for words in looking.said)


def test_records_of_a_later_form_are_handed_on_for_the_callback_to_refuse() -> None:
    later = {"version": 99, "records": []}
    assert action(llama_bench, "")._complete({"bench_records": later}, "/nowhere/run")["bench_records"] == later


@pytest.mark.parametrize("kind", sorted(records.OF_A_HOST))
def test_what_the_runner_writes_is_its_own_to_write(kind: str) -> None:
    kept, refused = records.of_host([spooled(1, kind=kind)], RUN, "box")
    assert (len(kept), refused) == (1, [])


STATES = ['"a text"', "[]", "7", "null", '{"pid": "1; touch x"}', '{"pid": 1.5}', "{}", "[" * 5000]


@pytest.mark.parametrize("text", STATES, ids=range(len(STATES)))
def test_a_progress_that_is_none_is_no_sign_of_life(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.progress.json").write_text(text)
    assert action(llama_bench, "")._look(str(tmp_path / "run")) is None
    assert action(llama_cpp_compile, "")._look(str(tmp_path / "run")) is None


@pytest.mark.parametrize("text", hostile.PAYLOADS.values(), ids=hostile.PAYLOADS)
def test_a_progress_of_other_words_is_a_line_all_the_same(text: str) -> None:
    cell = {"model": text, "quantization": text, "build": text, "test": text, "threads": 1, "variant": text}
    states: list[dict[str, Any]] = [
        {"done": 0, "of": 6, "now": cell, "stage": text, "figures": [], "left_s": None, "failed": []},
        {"done": text, "of": text, "now": text, "stage": text, "figures": text, "left_s": text},
        {"finished": True, "done": text}, {text: text}, {"stage": "duets", "now": cell, "against": text, "ratio": text},
    ]  # fmt: skip
    for state in states:
        for kind in (llama_bench, llama_cpp_compile):
            line = action(kind, "")._told(state)
            assert line.startswith("box: ")
            assert line.isprintable()
            assert len(line) <= 500


@pytest.mark.parametrize(
    "state",
    [
        "[]",
        "12",
        '{"pid": "1; touch x"}',
        '{"pid": true}',
        '{"pid": -1}',
        '{"pid": 1e9}',
        '{"pid": NaN}',
        "[" * 100_000,
        "{}",
    ],
)
def test_a_state_that_is_none_is_not_believed(state, tmp_path, monkeypatch):
    monkeypatch.delenv("CLOUDBENCH_RESULTS_DIR", raising=False)
    (tmp_path / "run.progress.json").write_text(state)
    (tmp_path / "run.jsonl").write_text(f"12\n[]\n{json.dumps(spooled(1))}\n")
    looking = action(llama_bench, "")
    assert looking._look(str(tmp_path / "run")) is None
    assert [record["payload"]["n"] for record in looking._kept] == [1]


@pytest.mark.parametrize("left", ['"soon"', "true", "-5", "1e300", "[]"])
def test_a_time_left_that_is_none_is_not_waited_for(left, tmp_path):
    (tmp_path / "run.progress.json").write_text('{"pid": %d, "left_s": %s}' % (os.getpid(), left))
    state = action(llama_bench, "")._look(str(tmp_path / "run"))
    assert state["left_s"] is None
    assert state["alive"]
    assert action(llama_bench, "")._told(state).endswith("in a way that is not understood")


def test_a_host_that_has_lost_its_spool_gets_back_what_its_run_has(tmp_path, monkeypatch):
    results = tmp_path / "results"
    kept = results / "box" / "records" / "r1.jsonl"
    kept.parent.mkdir(parents=True)
    written = [{"kind": kind, "n": n} for n, kind in enumerate(("machine", "run", "build", "launch", "failure", "end"))]
    kept.write_text("".join(json.dumps(record) + "\n" for record in written))
    monkeypatch.setenv("CLOUDBENCH_RESULTS_DIR", str(results))
    giving = action(llama_bench, GREETINGS["text"])
    giving._machine = "box"
    said: list[str] = []
    giving._display = SimpleNamespace(display=said.append)
    giving._transfer_data = lambda path, data: Path(path).write_text(data)
    spool = tmp_path / "a spool" / "r1"
    giving._give_back(str(spool), "r1")
    lines = [json.loads(line) for line in spool.with_suffix(".jsonl").read_text().splitlines()]
    assert [record["kind"] for record in lines] == ["build", "launch"]
    assert said == ["box: gets back 2 records of this run, which it has not"]
    # What the host has of it is more than the controller knows.
    spool.with_suffix(".jsonl").write_text("its own\n")
    giving._give_back(str(spool), "r1")
    assert spool.with_suffix(".jsonl").read_text() == "its own\n"


def test_a_new_run_gives_nothing_back(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOUDBENCH_RESULTS_DIR", str(tmp_path))
    giving = action(llama_bench, "")
    giving._machine = "box"
    giving._give_back(str(tmp_path / "spool" / "r1"), "r1")
    assert list(tmp_path.iterdir()) == []


def test_what_the_job_of_a_killed_controller_left_is_known_to_the_next(tmp_path):
    prefix, jobs, temporary = str(tmp_path / "a spool" / "r1"), tmp_path / "jobs", tmp_path / "tmp"

    def left(number):
        acting = action(llama_bench, GREETINGS["text"])
        acting._module_directory = f"{temporary}/ansible-tmp-17.{number}-1-2/"
        acting._remember({"results_file": str(jobs / f"j{number}.10")}, prefix)
        return list(acting._left)

    assert left(1) == []
    assert left(2) == [str(jobs / "j1.10"), str(temporary / "ansible-tmp-17.1-1-2")]
    # Nothing else is ever removed, whatever stands there.
    for other in ("/etc/passwd", f"{jobs}/j1.10/../x", f"{jobs}/notes", "", f"\n{temporary}", f"\n{temporary}/.."):
        Path(prefix + ".job").write_text(other)
        assert left(3) == []


def wrapped(tmp_path: Path, monkeypatch: Any, module: str) -> dict[str, Any]:
    """What Ansible's own wrapper answers for a module, a shell script here."""
    path = tmp_path / "module"
    path.write_text(f"#!/bin/sh\n{module}\n")
    path.chmod(0o755)
    written: list[dict[str, Any]] = []
    monkeypatch.setattr(async_wrapper, "jwrite", written.append)
    sender, receiver = multiprocessing.Pipe()
    monkeypatch.setattr(async_wrapper, "ipc_notifier", sender, raising=False)
    with receiver:
        async_wrapper._run_module(str(path), "j1.1")
    return {"finished": True, **written[-1]}


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("kill -9 $$", ""),
        ("echo 'MemoryError: no room' >&2; kill -9 $$", ": MemoryError: no room"),
        ("echo no result", ""),
    ],
)
def test_a_module_that_was_killed_is_told_without_the_traceback_of_its_wrapper(module, words, tmp_path, monkeypatch):
    job = wrapped(tmp_path, monkeypatch, module)
    assert "Traceback" in job["msg"]
    ended = action(llama_bench, "")._complete(job, str(tmp_path / "run"))
    assert (ended["failed"], ended["msg"]) == (True, f"the runner ended without a result{words}")
    assert not {"cmd", "data", "stderr"} & set(ended)
    compiled = action(llama_cpp_compile, "")._complete(job, str(tmp_path / "run"))
    assert compiled == {
        "failed": True, "msg": "the compiler was killed, and its module with it; run again, it goes on"
    }  # fmt: skip
    assert "its module was killed" in action(gguf_quantize, "")._complete(job, str(tmp_path / "run"))["msg"]


def test_what_a_module_says_itself_is_told_as_it_is(tmp_path, monkeypatch):
    job = wrapped(
        tmp_path, monkeypatch, """echo '{"failed": true, "msg": "no such machine", "cmd": "x"}'; echo hm >&2"""
    )
    assert action(llama_bench, "")._complete(job, str(tmp_path / "run"))["msg"] == "no such machine"
