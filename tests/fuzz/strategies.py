# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs by their structure, for Hypothesis: what is well formed and means odd things.

The mutator breaks what is true. What it hardly comes to, a text that is right in every mark and wrong in what it says,
is made here; Hypothesis then also finds the least example by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fuzz.mutate import NUMBERS, TEXTS
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

# Of all of Unicode Hypothesis makes a table first, which takes seconds and 200 MiB.
_LETTERS = (
    "abzAZ019 _-./\\:;,=+*?!#$%&'\"()[]{}<>|~^`@\t\n\r\0\x1b\x7f\x85\xa0éßİ²٣\u0301\u200b\u202e\u2028\ud800\ufeff🦙"
)
TEXT: SearchStrategy[str] = st.one_of(st.sampled_from(TEXTS), st.text(st.sampled_from(_LETTERS), max_size=30))


def numbers() -> SearchStrategy[Any]:
    """Numbers as JSON has them, those that are none and those that are too large included."""
    return st.one_of(
        st.integers(),
        st.floats(),
        st.sampled_from([2**31, 2**53 + 1, 2**63, 2**64, 10**15, 10**309, 1e308, -0.0, 1e-320]),
    )


def values(most: int = 6) -> SearchStrategy[Any]:
    """Any value of JSON."""
    leaves = st.one_of(st.none(), st.booleans(), numbers(), TEXT)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
        max_leaves=most,
    )


def either(*likely: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """What belongs there, or anything."""
    return st.one_of(*likely, *likely, values(3))


def objects(fields: Mapping[str, SearchStrategy[Any]]) -> SearchStrategy[dict[str, Any]]:
    """Objects with some of these fields, each of them what belongs there or anything."""
    return st.fixed_dictionaries({}, optional={name: either(value) for name, value in fields.items()})


def as_json(value: SearchStrategy[Any]) -> SearchStrategy[bytes]:
    """The text of a value."""
    return value.map(lambda made: json.dumps(made).encode())


def as_lines(line: SearchStrategy[str], most: int = 8) -> SearchStrategy[bytes]:
    """The text of some lines."""
    return st.lists(line, max_size=most).map(lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass"))


def filled(patterns: Sequence[str]) -> SearchStrategy[str]:
    """Texts of patterns in which each `#` is a number and each `@` a word."""
    number = st.one_of(st.integers(0, 10**6).map(str), st.floats(0, 1e6).map(repr), st.sampled_from(NUMBERS))

    @st.composite
    def fill(draw: st.DrawFn) -> str:
        parts = []
        for letter in draw(st.sampled_from(patterns)):
            parts.append(draw(number) if letter == "#" else draw(TEXT) if letter == "@" else letter)
        return "".join(parts)

    return fill()
