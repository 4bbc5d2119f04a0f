# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON that somebody else has written: a program, a server, an earlier run.

Python reads more than JSON is: NaN and infinities, which no record may hold, and brackets within brackets until it has
no stack left, which is an error of its own. Whoever reads what is foreign wants one error, and what can be written
again.
"""

from __future__ import annotations

import json
import math
from typing import Any, List, NoReturn, Union

# Rows, records and answers have some six levels. What is nested deeper nobody here can show or write.
MOST_LEVELS = 64


class _WrongNumberError(ValueError):
    """A number that is none, or that no float holds."""


def _no_constant(name: str) -> NoReturn:
    raise _WrongNumberError("it holds %s where a number belongs" % name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _WrongNumberError("it holds %.40s where a number belongs" % text)
    return number


def loads(text: Union[str, bytes]) -> Any:
    """Return what a text of JSON holds; bytes are in UTF-8.

    Raises ValueError, json.JSONDecodeError where the text is no JSON: also for NaN, infinities and 1e999, for what is
    nested deeper than MOST_LEVELS, and for whole numbers that are too long for Python.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested without end") from error
    if text.count("[") + text.count("{") > MOST_LEVELS and is_deep(value):
        raise ValueError("it is nested deeper than %d levels" % MOST_LEVELS)
    return value


def is_deep(value: Any) -> bool:
    """Say whether a value of JSON has more levels than MOST_LEVELS, without going down by recursion."""
    level: List[Any] = [value]
    for _level in range(MOST_LEVELS + 1):
        below: List[Any] = []
        for held in level:
            if isinstance(held, dict):
                below.extend(held.values())
            elif isinstance(held, list):
                below.extend(held)
        level = below
        if not level:
            return False
    return True
