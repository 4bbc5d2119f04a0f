# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of messages that every room needs."""

from __future__ import annotations

import time

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import (
    alike,
    did_you_mean,
    nearest,
    printable,
    without_user,
    without_users,
)

KNOWN = ["default", "no-repack", "legacy"]


@pytest.mark.parametrize(
    ("word", "hint"),
    [("no-repak", "; did you mean no-repack?"), ("x", ""), (None, ""), (["legacy"], "; did you mean legacy?")],
)
def test_what_a_wrong_word_may_have_meant(word: object, hint: str) -> None:
    assert did_you_mean(word, KNOWN) == hint
    assert did_you_mean(word, dict.fromkeys(KNOWN)) == hint


def test_the_nearest_are_three_at_most() -> None:
    known = [f"c{generation}g.large" for generation in range(5, 9)]
    assert nearest("c9g.large", known).startswith("; the nearest: c")
    assert nearest("c9g.large", known).count(", ") == 2
    assert nearest("x", known) == ""


@pytest.mark.parametrize(("cutoff", "names"), [(0.6, []), (0.0, ["legacy", "default"])])
def test_how_alike_is_alike_enough(cutoff: float, names: list[str]) -> None:
    assert alike("ly", ["default", "legacy"], most=2, cutoff=cutoff) == names


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("https://user:secret@host/x.git", "https://host/x.git"),
        ("https://user:p@ss word@host/x.git", "https://host/x.git"),
        ("https://host/a@b", "https://host/a@b"),
        ("git@host:x.git", "git@host:x.git"),
    ],
)
def test_an_address_loses_its_user(address: str, public: str) -> None:
    assert without_user(address) == public


def test_a_text_loses_the_user_of_each_address_in_it() -> None:
    said = "cannot read https://a:b@one/x, nor https://two for me@example.com: ssh://c@three/y"
    assert without_users(said) == "cannot read https://one/x, nor https://two for me@example.com: ssh://three/y"


def test_the_time_for_a_word_without_end_is_that_for_a_word():
    start = time.process_time()
    assert alike("c7g" + "a" * 1_000_000, ["c7g" + 50 * "a", "x"], most=2) == ["c7g" + 50 * "a"]
    assert time.process_time() - start < 1


def test_what_a_terminal_obeys_is_no_part_of_a_message():
    assert (
        printable("a\x1b[2J\x07\u202eb\n\x9b\ud800\x7f\u00a0é") == "a\ufffd[2J\ufffd\ufffdb\n\ufffd\ufffd\ufffd\u00a0é"
    )
    assert printable(12 * "x", 5) == "xxxxx"
