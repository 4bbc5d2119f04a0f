# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers as people have them in files: with a decimal comma, with thousands marks, or as programs print them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

COMMA, POINT = "comma", "point"

# Spaces and apostrophes between groups of three digits.
_GROUPS = re.compile(r"(?<=\d)[ \u00a0\u2009\u202f'\u2019](?=\d{3}(?!\d))")
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_POINT_MARKS = re.compile(r"\d{1,3}(?:,\d{3})+\.\d+|\d{1,3}(?:,\d{3}){2,}")
_COMMA_MARKS = re.compile(r"\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}")
_ONE_COMMA = re.compile(r"\d+,\d+")
_ONE_MARK = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
# No figure of a program is longer, and Python makes no whole number of thousands of digits.
_LONGEST = 60
_WHOLE_MARKS = re.compile(r"[1-9]\d{0,2}(?:(?:\.\d{3})+|(?:,\d{3})+)")


def style(texts: Iterable[str]) -> str:
    """Return which mark the decimals have in a file, COMMA or POINT, by those of its numbers that can be read one way.

    "" where none of them says it, or one says this and another that.
    """
    marks = set()
    for text in map(_short, texts):
        if _ONE_MARK.fullmatch(text):
            continue
        if _COMMA_MARKS.fullmatch(text) or _ONE_COMMA.fullmatch(text):
            marks.add(COMMA)
        elif _POINT_MARKS.fullmatch(text) or re.fullmatch(r"\d+\.\d+", text):
            marks.add(POINT)
    return marks.pop() if len(marks) == 1 else ""


def ambiguous(text: str, decimals: str = "") -> bool:
    """Say whether a number is one thing with thousands marks and another with decimals: 1,040 and 1.040."""
    return not decimals and bool(_ONE_MARK.fullmatch(_short(text)))


def count(value: Any, decimals: str = "") -> int | None:
    """Return the whole number of a field, None where it is none or ambiguous; `decimals` is that of style().

    Without a style 1.024 is 1024, because with decimals it would be no whole number; 512.000 is ambiguous.
    """
    text = _short(value) if isinstance(value, str) else ""
    if _WHOLE_MARKS.fullmatch(text):
        groups = re.split(r"[.,]", text)
        mark = COMMA if "," in text else POINT
        if groups[2:] or (decimals and mark != decimals):
            return int("".join(groups))
        if not decimals:
            return None if groups[1] == "000" else int("".join(groups))
    figure = number(value, decimals)
    return int(figure) if figure is not None and figure.is_integer() else None


def number(value: Any, decimals: str = "") -> float | None:
    """Return the number of a field, None where it is none, not finite, or ambiguous; `decimals` is that of style()."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        plain = _plain(_short(value), decimals)
        if plain is None:
            return None
        value = plain
    try:
        figure = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return figure if math.isfinite(figure) else None


def _short(text: str) -> str:
    """Return a field without spaces and apostrophes between its digits, nothing of one that is no figure's length."""
    stripped = text.strip()
    return _GROUPS.sub("", stripped) if len(stripped) <= _LONGEST else ""


def _plain(text: str, decimals: str) -> str | None:
    """Return a number as Python writes it, None where it cannot be read in one way only."""
    if _ONE_MARK.fullmatch(text):
        mark = COMMA if "," in text else POINT
        if mark == COMMA and not decimals:
            return None
        return text.replace(",", ".") if mark == (decimals or POINT) else re.sub(r"[.,]", "", text)
    if _PLAIN.fullmatch(text):
        return text
    if _POINT_MARKS.fullmatch(text):
        return text.replace(",", "")
    if _COMMA_MARKS.fullmatch(text):
        return text.replace(".", "").replace(",", ".")
    return text.replace(",", ".") if _ONE_COMMA.fullmatch(text) else None
