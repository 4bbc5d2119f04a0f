# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.progress import (
    ProgressError,
    cell_text,
    describe,
    describe_compilation,
    describe_file,
    watched,
)

PP = {"model": "llama-3.2-1b-synthetic", "quantization": "Q4_0", "test": "pp512", "threads": 2, "build": "default"}
PP["n_prompt"] = 512
TG = {**PP, "test": "tg128", "threads": 1, "build": "lto", "n_prompt": 0}

IN_DUET = (
    "duets: pair 3 of 6 or more: llama-3.2-1b-synthetic Q4_0 in build lto against Q4_0 in build default, tg128, "
    "1 thread each"
)


def test_a_cell_is_named_without_what_goes_without_saying():
    assert cell_text(PP) == "llama-3.2-1b-synthetic Q4_0 pp512, 2 threads"
    assert cell_text(TG) == "llama-3.2-1b-synthetic Q4_0 tg128, 1 thread, build lto"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "launch 1 of 12: llama-3.2-1b-synthetic Q4_0 pp512, 2 threads"),
        (
            {"done": 7, "now": TG, "left_s": 200.2, "figures": [
                {"cell": PP, "interval": [61.5, 61.0, 62.0, 4, 0.81]},
                {"cell": TG, "interval": [38.2149, 37.9, 38.5, 3, 0.76]},
            ]},
            f"launch 8 of 12: {cell_text(TG)}; so far 38.21 token/s \u00b10.8 % (n=3); about 3 min 20 s left",
        ),
        (
            {"done": 1, "figures": [{"cell": PP, "interval": [12345.6, None, None, 1, None]}]},
            "launch 2 of 12: llama-3.2-1b-synthetic Q4_0 pp512, 2 threads; so far 12,346 token/s (n=1)",
        ),
        (
            {"stage": "duets", "done": 2, "of": 6, "now": TG, "against": {**TG, "build": "default"}, "ratio": None},
            IN_DUET,
        ),
        (
            {"stage": "duets", "done": 2, "of": 6, "now": TG, "against": {**TG, "build": "default"},
             "ratio": [1.0412, 1.03, 1.05, 2, 1.04]},
            f"{IN_DUET}; so far 1.041x \u00b11.0 % (n=2)",
        ),
        (
            {"done": 30, "now": TG, "left_s": 200.2, "stage": "tuning generation: fa and ubatch", "gain": 1.318},
            (
                f"tuning generation: fa and ubatch: launch 31: {cell_text(TG)}; best so far "
                "about 1.32x of the defaults; 3 min 20 s left at most"
            ),
        ),
        ({"of": 0, "now": None}, "reading the models and measuring the memory"),
        ({"finished": True, "done": 12, "now": None}, "12 launches done"),
        ({"finished": True, "done": 1, "now": None, "failed": [PP]}, "1 launch done, 1 cell failed"),
        ({"finished": True, "done": 0, "now": None, "failed": [PP, TG]}, "nothing was measured, 2 cells failed"),
        (
            {"finished": True, "done": 0, "now": None, "out_of_time": 2},
            "nothing was measured, 2 cells left out for want of time",
        ),
    ],
    ids=[
        "begins", "knows the time", "one launch", "a duet begins", "a duet", "searches", "prepares", "done",
        "one failed", "all failed", "no time",
    ],
)  # fmt: skip
def test_progress_is_one_line(changes, text):
    state = {"done": 0, "of": 12, "now": PP, "figures": [], "failed": [], "left_s": None, **changes}
    assert describe(state) == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"of": 0}, "looking at what there is to do"),
        ({"waiting": True, "of": 0}, "another run compiles the same, waiting for it"),
        ({}, "step 57 of 138"),
        ({"left_s": 190.2}, "step 57 of 138; about 3 min 10 s left"),
        ({"done": 138, "left_s": 0.0}, "step 138 of 138"),
    ],
    ids=["begins", "waits", "too early", "knows the time", "done"],
)
def test_a_compilation_is_one_line(changes, text):
    assert describe_compilation({"done": 56, "of": 138, "elapsed_s": 9.0, "left_s": None, **changes}) == text


def test_long_work_says_how_far_it_is_and_short_work_nothing():
    said = []
    ticks = iter([0.0, 4.0, 11.0, 15.0, 22.0, 30.0])
    assert list(watched("abcde", 5, "reading files", said.append, lambda: next(ticks))) == list("abcde")
    # Not more often than every ten seconds, and not at the end, which the result says.
    assert said == ["reading files: 2 of 5; about 16 s left", "reading files: 4 of 5; about 6 s left"]
    assert list(watched("abc", 3, "reading files", None)) == list("abc")
    said.clear()
    assert list(watched("abc", 3, "reading files", said.append, lambda: 0.0)) == list("abc")
    assert said == []


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"now": 1},
        {"now": {}, "done": "x"},
        {"finished": True},
        {"stage": "duets", "now": {}},
        {"of": "many", "done": 1},
    ],
    ids=repr,
)
@pytest.mark.parametrize("tell", [describe, describe_compilation, describe_file])
def test_what_a_host_writes_that_is_no_progress_is_one_error(tell, state):
    with pytest.raises(ProgressError, match="it is no progress"):
        tell(state)


def test_a_terminal_obeys_nothing_of_what_a_host_writes():
    state = {
        "done": 0,
        "of": 1,
        "now": {**PP, "model": "m\x1b[2J\x07\u202e" + 5000 * "x"},
        "figures": [],
        "left_s": None,
    }
    line = describe(state)
    assert line.startswith("launch 1 of 1: m\ufffd[2J\ufffd\ufffdxxx")
    assert line.isprintable()
    assert len(line) == 1000
