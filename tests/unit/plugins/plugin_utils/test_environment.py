# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils import environment
from ansible_collections.cloudbench.llama.plugins.plugin_utils.environment import RunError, begin_run, current_run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.records import component


def test_a_run_has_one_id_for_all_that_ask(monkeypatch):
    monkeypatch.setenv(environment.VARIABLE, "")
    monkeypatch.setattr(environment.time, "gmtime", lambda: (2026, 11, 23, 15, 55, 23, 0, 327, 0))
    run = begin_run()
    assert re.fullmatch(r"20261123T155523Z-[0-9a-f]{4}", run)
    assert current_run() == begin_run() == run
    assert component(run, "run id") == run
    others = set()
    for _again in range(9):
        monkeypatch.setenv(environment.VARIABLE, "")
        others.add(begin_run())
    assert len(others) > 1, "two runs in one second have different ids"


def test_a_run_that_was_named_is_taken_up_again(monkeypatch):
    monkeypatch.setenv(environment.VARIABLE, "nightly-7")
    assert (begin_run(), current_run()) == ("nightly-7", "nightly-7")


def test_without_the_callback_there_is_no_run(monkeypatch):
    monkeypatch.delenv(environment.VARIABLE, raising=False)
    with pytest.raises(RunError, match=r"callbacks_enabled = cloudbench\.llama\.bench_report"):
        current_run()


@pytest.mark.parametrize("run", ["../x", "-x", "a b", "a/b", "a.jsonl", "x\n", "$(id)", "r\u00f6", "a" * 65])
def test_an_id_that_is_no_file_name_is_refused(monkeypatch, run):
    monkeypatch.setenv(environment.VARIABLE, run)
    for ask in (begin_run, current_run):
        with pytest.raises(RunError, match="in CLOUDBENCH_RUN becomes a file name"):
            ask()
