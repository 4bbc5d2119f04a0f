# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands at the end of a terminal, from a part of a real run."""

from __future__ import annotations

import copy
import re
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import terminal

Record = dict[str, Any]


def told(real: list[Record], run: str = "") -> list[str]:
    return terminal.lines(real, run or real[0]["run"], "results")


def test_five_lines_and_the_page(real):
    head, prompt, generation, latency, note, page = told(real)
    assert "synthetic weights" in head
    assert prompt.startswith("  prompt")
    assert " token/s" in prompt
    assert " token/s" in generation
    assert "first token" in latency
    assert "@c1" in latency
    assert "not measured for want of time" in note
    assert re.search(r"; \d+ cells: (\d+ [A-Z]+(, )?)+$", note)
    assert page.startswith("  results/")
    assert page.endswith("/q4.md")


def test_a_figure_that_does_not_hold_says_why(real):
    lines = told(real)
    assert re.search(r"the memory bandwidth drifted by [\d.]+ %.*, which is in the intervals", lines[4])
    for line in lines[1:4]:
        assert line.endswith("; INVALID: 1 of 1 launch disturbed"), line


def test_a_line_says_how_far_its_figure_holds_for_whoever_colours_it(real):
    head, prompt, _generation, latency, note, page = told(real)
    assert (terminal.state(prompt), terminal.state(latency)) == ("INVALID", "INVALID")
    # The tally of all cells is no state, however many of them are INVALID.
    assert "INVALID" in note
    assert [terminal.state(line) for line in (head, note, page)] == [None, None, None]
    assert terminal.state("  generation  25.3 token/s at Q4_0 tg128; VALID ±5.5 %") == "VALID"


def test_what_was_not_measured_is_said(real):
    only = [one for one in real if one["kind"] != "launch" or one["payload"]["cell"]["test"] == "pp512"]
    _head, _prompt, generation, latency, _note, _page = told(only)
    assert generation.split() == ["generation", "not", "measured"]
    assert latency.split() == ["latency", "not", "measured"]


def test_another_run_or_nothing_has_no_lines(real):
    assert told(real, "20200101T000000Z-0000") == []
    assert terminal.lines([], "20200101T000000Z-0000", "results") == []


def test_names_do_not_steer_the_terminal(real):
    name = "evil\x1b[2J\u202e\nname"
    for one in real:
        payload = one["payload"]
        for cell in (payload.get("cell"), *payload.get("cells", [])):
            if cell:
                cell["model"] = name
    text = "\n".join(told(real))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text.splitlines()) == 6
    assert "evil?[2J??name" in text


def test_many_machines_end_in_the_index(real):
    every = []
    for number in range(terminal.MOST + 3):
        for one in copy.deepcopy(real):
            one["machine"] = f"m{number:02d}"
            every.append(one)
    lines = told(every)
    assert len(lines) == terminal.MOST * 6 + 1
    assert lines[-1] == "... and 3 machines more: results/README.md"
