# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the callback keeps records and pages."""

from __future__ import annotations

import os
import time
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import constants

from ansible_collections.cloudbench.llama.plugins.callback import bench_report
from ansible_collections.cloudbench.llama.plugins.callback.bench_report import CallbackModule
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell import fleet_channel


@pytest.mark.parametrize(("asked", "place"), [("", "results"), ("results", "results"), ("elsewhere", "elsewhere")])
def test_an_empty_directory_is_none_and_never_the_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: str, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLOUDBENCH_RESULTS_DIR", asked)
    callback = CallbackModule()
    monkeypatch.setattr(callback, "get_option", {"results_dir": asked}.get)
    monkeypatch.setattr(callback, "_begin", lambda: None)
    monkeypatch.setattr("ansible.plugins.callback.CallbackBase.set_options", lambda *_given, **_options: None)
    callback.set_options()
    # Role bench_report and the actions take it from there.
    assert os.environ["CLOUDBENCH_RESULTS_DIR"] == str(tmp_path / place)


def test_how_far_a_figure_holds_has_a_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["box, model", "  generation 25 token/s at Q4_0; VALID ±5 %", "  prompt 7 token/s at Q4_0; INVALID: steal"]
    monkeypatch.setattr(bench_report.terminal, "lines", lambda *_: lines)
    monkeypatch.setattr(bench_report.records, "read", lambda *_: SimpleNamespace(records=[]))
    callback, said = CallbackModule(), []
    monkeypatch.setattr(callback._display, "display", lambda line, color=None: said.append((line, color)))
    callback._tell()
    assert said == list(zip(lines, (None, constants.COLOR_OK, constants.COLOR_ERROR), strict=True))


def result(action: str, value: object, **more: Any) -> SimpleNamespace:
    task = SimpleNamespace(resolved_action=action, check_mode=False)
    host = SimpleNamespace(get_name=lambda: "box\x1b[2J")
    return SimpleNamespace(task=task, host=host, result={"bench_records": value, **more})


@pytest.fixture
def collecting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A callback with what it kept and what it said."""
    callback: Any = CallbackModule()
    callback._results_dir, callback.kept, callback.said = str(tmp_path), [], []
    monkeypatch.setattr(callback, "_keep", callback.kept.append)
    monkeypatch.setattr(callback._display, "_display", SimpleNamespace(warning=callback.said.append))
    return callback


FAILED = envelope.make("failure", "20261123T155523Z-1a2b", "box", {"cause": "x"})


@pytest.mark.parametrize("name", ["bench_failure", "bench_plan", "llama_bench"])
def test_records_of_our_own_actions_are_kept(collecting: Any, name: str) -> None:
    collecting._collect(result(f"cloudbench.llama.{name}", envelope.as_result([FAILED])))
    assert collecting.kept == [[FAILED]]


@pytest.mark.parametrize(
    "action", ["ansible.builtin.setup", "ansible.builtin.command", "cloudbench.llama.gguf_quantize", "evil.llama_bench"]
)
@pytest.mark.parametrize("value", [envelope.as_result([FAILED]), "text", [FAILED], 7])
def test_what_a_host_returns_for_any_other_module_is_not_kept(collecting: Any, action: str, value: object) -> None:
    """It answers as it likes: to be asked for its distribution is no leave to write down figures of another machine."""
    collecting._collect(result(action, value))
    assert collecting.kept == []
    (said,) = collecting.said
    assert said.startswith("bench_report: box?[2J: a task of ")
    assert "would be the word of a host alone: they were not kept" in said


def test_only_the_action_that_writes_pages_says_that_they_are_written(collecting: Any) -> None:
    collecting._to_render = True
    collecting._collect(result("ansible.builtin.setup", None, rendered=collecting._results_dir))
    assert collecting._to_render
    collecting._collect(result("cloudbench.llama.bench_pages", None, rendered=collecting._results_dir))
    assert not collecting._to_render


@pytest.mark.parametrize(
    ("value", "said"),
    [({"version": 99, "records": []}, "records of form 99 are not understood"), ({}, "records of form None are not")],
)
def test_records_of_another_form_are_not_kept(collecting: Any, value: object, said: str) -> None:
    collecting._collect(result("cloudbench.llama.llama_bench", value))
    assert collecting.kept == []
    assert said in collecting.said[0]


def record(kind: str, machine: str, payload: dict[str, Any], when: str = "2026-11-30T10:00:00Z") -> dict[str, Any]:
    return {"schema": 2, "kind": kind, "run": "r1", "time": when, "machine": machine, "payload": payload}


CELL = {"model": "m", "quantization": "Q4_0", "build": "default", "threads": 1, "test": "pp8",
        "n_prompt": 8, "n_gen": 0, "n_depth": 0}  # fmt: skip
LAUNCH = {"cell": CELL, "number": 1}
END = {"state": "finished", "launches": 1}


def failed(phase: str, cell: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"phase": phase, "cause": "it broke", "advice": "Mend it.", "cell": cell, "detail": {}}


@pytest.mark.parametrize(
    ("of_run", "stays"),
    [
        # One host that has come to its end, and one that has not.
        ([record("launch", "a", LAUNCH), record("end", "a", END)], False),
        ([record("launch", "a", LAUNCH)], True),
        ([record("launch", "a", LAUNCH), record("end", "a", END), record("launch", "b", LAUNCH)], True),
        # Others failed before they began: the same command measures those, and not all again.
        ([record("end", "a", END), record("failure", "unknown-b", failed("connect"))], True),
        ([record("end", "a", END), record("failure", "b", failed("build", CELL))], True),
        # What the plan refused is refused again, and of a host alone nothing is gone on with.
        ([record("end", "a", END), record("failure", "b", failed("plan"))], False),
        ([record("failure", "b", failed("build", CELL))], False),
        # A cell of a host that has finished cannot be measured.
        ([record("end", "a", END), record("failure", "a", failed("measure", CELL))], False),
        # It could be reached later.
        (
            [
                record("end", "a", END),
                record("failure", "unknown-b", failed("connect")),
                record("end", "b", END, "2026-11-30T11:00:00Z"),
                record("end", "unknown-b", END, "2026-11-30T11:00:00Z"),
            ],
            False,
        ),
    ],
)
def test_a_note_stays_while_the_same_command_has_something_to_go_on_with(
    monkeypatch: pytest.MonkeyPatch, of_run: list[dict[str, Any]], stays: bool
) -> None:
    forgotten: list[str] = []
    monkeypatch.setattr(bench_report.records, "read", lambda *_: SimpleNamespace(records=of_run))
    monkeypatch.setattr(bench_report.run_id, "forget_unfinished", lambda _directory, run: forgotten.append(run))
    callback = CallbackModule()
    callback._run = "r1"
    callback._forget()
    assert forgotten == ([] if stays else ["r1"])


def test_a_note_stays_while_a_host_has_what_could_not_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[str] = []
    monkeypatch.setattr(bench_report.run_id, "forget_unfinished", lambda _directory, run: forgotten.append(run))
    monkeypatch.setattr(bench_report.records, "read", lambda *_: SimpleNamespace(records=[]))
    callback = CallbackModule()

    def full(_new: list[Any]) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(callback, "_writer", SimpleNamespace(append=full))
    monkeypatch.setattr(callback, "_display", SimpleNamespace(error=lambda _text: None))
    callback._keep([record("end", "a", END)])
    callback._forget()
    assert forgotten == []


def test_a_host_that_was_away_comes_to_its_end_under_both_names(tmp_path: Path) -> None:
    callback = CallbackModule()
    callback._results_dir, callback._run = str(tmp_path), "r1"
    kept: list[dict[str, Any]] = []
    callback._keep = kept.extend  # type: ignore[method-assign]
    callback._reached("b", [record("end", "b", END)])
    assert kept == []
    (tmp_path / "unknown-b" / "records").mkdir(parents=True)
    (tmp_path / "unknown-b" / "records" / "r1.jsonl").touch()
    callback._reached("b", [record("launch", "b", LAUNCH)])
    assert kept == []
    callback._reached("b", [record("end", "b", END)])
    assert [(one["kind"], one["machine"], one["payload"]["state"]) for one in kept] == [
        ("end", "unknown-b", "finished")
    ]


def side(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, here: bool) -> tuple[list[str], bool]:
    """Two hosts side by side, of which one ends; return what was said, and whether pages were written."""
    said: list[str] = []
    display = SimpleNamespace(display=said.append, _lock=bench_report.threading.RLock())
    written = tmp_path / "written"
    monkeypatch.setattr(bench_report, "_write_beside", lambda _directory: written.touch())
    beside = bench_report._Side(str(tmp_path), display)
    beside.begin("a", False, Decimal("3.6"))
    beside.begin("b", here, Decimal("3.6"))
    fleet_channel.tell("b", 100.0)
    time.sleep(0.3)
    beside.end("a", failed=False)
    end = time.monotonic() + 10
    while not (said and written.exists()) and time.monotonic() < end and not (here and said):
        time.sleep(0.05)
    beside.close()
    return said, written.exists()


def test_hosts_side_by_side_have_a_line_and_pages_as_each_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said, written = side(monkeypatch, tmp_path, here=False)
    assert said[0].startswith("2 hosts: 1 done, 1 running, 0 failed; about 1 min")
    assert said[0].endswith("about 0.10 USD left")
    assert written


def test_no_page_is_written_beside_a_measurement_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said, written = side(monkeypatch, tmp_path, here=True)
    assert said
    assert not written
