# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that is printed steers the terminal."""

from __future__ import annotations

import pytest
from support.records import hostile

from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.plain import plain, short


@pytest.mark.parametrize("text", hostile.PAYLOADS.values(), ids=hostile.PAYLOADS)
def test_every_character_shows(text: str) -> None:
    assert plain(text).isprintable()
    lines = plain(text, keep_lines=True)
    assert lines.replace("\n", "").isprintable()
    assert lines.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("evil\x1b[2J\u202e\nname", "evil?[2J??name"),
        ("5\u00a0token/s\tof 7", "5 token/s of 7"),
        ("Überprüfung: größer ≥ 3 ✓", "Überprüfung: größer ≥ 3 ✓"),
        (ValueError("a\x07"), "a?"),
    ],
)
def test_what_shows_stays(text: object, shown: str) -> None:
    assert plain(text) == shown


def test_lines_of_a_message_stay_apart_and_those_of_windows_are_lines() -> None:
    assert plain("a\r\nb\rc\nd", keep_lines=True) == "a\nb?c\nd"


def test_a_host_cannot_push_away_what_stands_above() -> None:
    assert short("x" * 30, 10) == "x" * 9 + "…"
    assert short("x\x1b", 10) == "x?"
