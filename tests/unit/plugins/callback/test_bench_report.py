# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the callback keeps records and pages."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import constants

from ansible_collections.cloudbench.llama.plugins.callback import bench_report
from ansible_collections.cloudbench.llama.plugins.callback.bench_report import CallbackModule
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope


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
