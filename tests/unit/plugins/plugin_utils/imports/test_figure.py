# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers are read as they were meant, or not at all."""

from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import figure


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("40.25", 40.25),
        ("40,25", 40.25),
        ("1.040,25", 1040.25),
        ("1,040.25", 1040.25),
        ("1.234.567,8", 1234567.8),
        ("1,234,567", 1234567.0),
        ("1 040,25", 1040.25),
        ("1\u202f040.25", 1040.25),
        ("1'040.25", 1040.25),
        ("1.040", 1.04),
        ("0,125", 0.125),
        ("12345,678", 12345.678),
        ("1e3", 1000.0),
        (" 7 ", 7.0),
        (7, 7.0),
        ("1,040", None),
        ("40.25x", None),
        ("40,25,1", None),
        ("1,04.25", None),
        ("1e999", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        (None, None),
        (True, None),
        ([], None),
    ],
)
def test_a_number_is_read_whole_or_not(text: object, number: float | None) -> None:
    assert figure.number(text) == number


@pytest.mark.parametrize(
    ("others", "comma", "point"),
    [(["40,25"], 1.04, 1040.0), (["40.25"], 1040.0, 1.04), (["1.040,25"], 1.04, 1040.0), ([], None, 1.04)],
)
def test_what_is_read_two_ways_is_read_as_the_rest_of_the_file(
    others: list[str], comma: float | None, point: float
) -> None:
    decimals = figure.style(["1,040", "17", *others])
    assert figure.number("1,040", decimals) == comma
    assert figure.number("1.040", decimals) == point
    assert figure.ambiguous("1,040", decimals) == (not others)


@pytest.mark.parametrize(
    ("text", "decimals", "count"),
    [
        ("1.024", "comma", 1024),
        ("1.024", "point", None),
        ("1,024", "point", 1024),
        ("1.024", "", 1024),
        ("1,024", "", 1024),
        ("512.000", "", None),
        ("512.000", "point", 512),
        ("512,000", "comma", 512),
        ("1.024.000", "", 1024000),
        ("1 024", "", 1024),
        ("512.0", "", 512),
        ("1.5", "", None),
        (1.5, "", None),
        (512.0, "", 512),
        (-4, "", -4),
        ("x", "", None),
        (None, "", None),
    ],
)
def test_a_count_is_whole_or_none(text: object, decimals: str, count: int | None) -> None:
    assert figure.count(text, decimals) == count


def test_one_mark_before_three_digits_says_two_things_whichever_it_is() -> None:
    assert figure.ambiguous("1,040")
    assert figure.ambiguous("1.040")
    assert not figure.ambiguous("1.0400")
    assert not figure.ambiguous("0.125")
    assert not figure.ambiguous("1.040", "point")


@pytest.mark.parametrize("text", ["9" * 5000, "1" + ",000" * 2000, "1" + ".000" * 2000 + ",5", " " * 3 + "1" * 61])
def test_what_is_longer_than_any_figure_is_none(text: str) -> None:
    assert figure.number(text) is None
    assert figure.count(text) is None
    assert figure.style([text]) == ""
    assert not figure.ambiguous(text)
