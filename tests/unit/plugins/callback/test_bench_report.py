# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the callback keeps records and pages."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible import constants

from ansible_collections.cloudbench.llama.plugins.callback import bench_report
from ansible_collections.cloudbench.llama.plugins.callback.bench_report import CallbackModule


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
