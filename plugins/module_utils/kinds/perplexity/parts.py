# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a text that one launch takes."""

from __future__ import annotations

import os

from ansible_collections.cloudbench.llama.plugins.module_utils.models.text_place import path_of
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import HOME

# Of a text in a European language a token has 3 to 4.5 bytes, less in any other: so many are enough for one.
BYTES_PER_TOKEN = 5


class TextError(ValueError):
    """A text that cannot be used; the message names it, the rule and the remedy."""


def count(name: str, tokens: int) -> int:
    """Return how many parts of so many tokens a text has. Raises TextError where it cannot be read."""
    path = os.path.join(HOME, path_of(name))
    try:
        return os.path.getsize(path) // (tokens * BYTES_PER_TOKEN)
    except OSError as error:
        raise TextError("the text %s cannot be read: %s; role llama_model puts it there" % (path, error)) from error


def part(name: str, tokens: int, number: int) -> bytes:
    """Return part `number`, from 1 on, which is at least so many tokens long: whole lines where it has any.

    Parts do not overlap, and are the same whatever was asked for before. Raises TextError.
    """
    path, size = os.path.join(HOME, path_of(name)), tokens * BYTES_PER_TOKEN
    try:
        with open(path, "rb") as file:
            file.seek((number - 1) * size)
            text = file.read(size)
    except OSError as error:
        raise TextError("the text %s cannot be read: %s; role llama_model puts it there" % (path, error)) from error
    if len(text) < size:
        raise TextError(
            "the text %s has no part %d of %d tokens: take a longer text, fewer launches or fewer tokens in the test"
            % (name, number, tokens)
        )
    # Not in the middle of a line, let alone of a character.
    begin = 0 if number == 1 else text.find(b"\n") + 1
    return text[begin:].decode("utf-8", "ignore").encode("utf-8")
