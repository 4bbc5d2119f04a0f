# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that shows on a terminal and does nothing else there.

Names, causes and progress come from other machines and other people's files. An escape sequence in one of them could
rewrite what stands above it, set the title of a window or fill the clipboard; a bidirectional override turns a line
round. It imports nothing of the collection, so that every room may print by it.
"""

from __future__ import annotations

# Longer than any line of ours, short enough that a host cannot push away what stands above.
LONGEST = 4000

_NO_BREAK = "\u00a0"


def plain(text: object, keep_lines: bool = False) -> str:
    """Return `text` as a string in which every character shows: what does not show becomes a question mark.

    No-break spaces and tabs become spaces. Line ends stay with `keep_lines`, for messages that have several.
    """
    spaced = str(text).replace(_NO_BREAK, " ").replace("\t", " ")
    if spaced.isprintable():
        return spaced
    if keep_lines:
        return "\n".join(map(plain, spaced.replace("\r\n", "\n").split("\n")))
    return "".join(character if character.isprintable() else "?" for character in spaced)


def short(text: object, limit: int = LONGEST) -> str:
    """Return `text` as plain() does, at most `limit` characters of it, and an ellipsis where there were more."""
    shown = plain(text)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"
