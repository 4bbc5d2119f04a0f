# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of messages that every room needs: what a wrong word may have meant, and addresses without what is secret."""

from __future__ import annotations

import difflib
import re
from typing import Iterable, List

_LONGEST = 100


# What a terminal obeys: control characters but the line feed, and what turns the direction of a text around; and halves
# of characters, which no file and no terminal takes.
_OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: object, most: int = 1000) -> str:
    """A text of somebody else as a message may hold it: `most` characters of it, and nothing that a terminal obeys."""
    return _OBEYED.sub("\ufffd", str(text)[:most])


def alike(word: object, known: Iterable[str], most: int = 1, cutoff: float = 0.6) -> List[str]:
    """The `most` of `known` that are most like `word`, the best first; none below `cutoff`, a ratio of 0 to 1."""
    # No word is as long as this, and the time grows with the square of it.
    return difflib.get_close_matches(str(word)[:_LONGEST], list(known), n=most, cutoff=cutoff)


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """The end of a sentence that refuses `word`: "; did you mean c7g?", or "" where nothing is like it."""
    return "".join(f"; did you mean {name}?" for name in alike(word, known))


def nearest(word: object, known: Iterable[str]) -> str:
    """The middle of a sentence that refuses `word`: "; the nearest: a, b, c", or "" where nothing is like it."""
    names = alike(word, known, most=3)
    return f"; the nearest: {', '.join(names)}" if names else ""


def without_user(address: str) -> str:
    """An address, short of user and password."""
    return re.sub(r"//[^/]*@", "//", address)


def without_users(text: str) -> str:
    """A text, such as what git says, with each address in it short of user and password."""
    return re.sub(r"//[^/\s]*@", "//", text)
