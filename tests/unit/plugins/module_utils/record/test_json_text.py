# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign JSON is read, or refused by one error, and what is read can be written again."""

from __future__ import annotations

import json

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope, json_text


@pytest.mark.parametrize(
    "text", ['{"a": [1, 2.5, null, true, "x"]}', b'"\xc3\xa4"', "9223372036854775808", "-0.0", "1e300", "[]"]
)
def test_what_is_json_is_read_as_python_reads_it(text: str | bytes) -> None:
    value = json_text.loads(text)
    assert value == json.loads(text)
    envelope.canonical(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("NaN", "it holds NaN where a number belongs"),
        ('{"a": [-Infinity]}', "it holds -Infinity where a number belongs"),
        ("1e999", "it holds 1e999 where a number belongs"),
        ("[" * 100_000, "it is nested without end"),
        ("[" * 70 + "]" * 70, "it is nested deeper than 64 levels"),
        ('{"a":' * 65 + "{}" + "}" * 65, "it is nested deeper than 64 levels"),
        ("9" * 5000, "4300"),
        (b"\xff", "decode"),
        ("", "Expecting value"),
        ("{'a': 1}", "Expecting property name"),
    ],
)
def test_what_is_none_or_cannot_be_written_again_is_one_error(text: str | bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        json_text.loads(text)


def test_what_is_wide_is_not_deep() -> None:
    assert len(json_text.loads("[" + "[[1]]," * 5000 + "{}]")) == 5001
    assert json_text.loads("[" * 64 + "]" * 64)
