# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole numbers that somebody else has written: the kernel, or what a container put in its place, or a server."""

from __future__ import annotations

import re
from typing import Optional

# 64 bits at most. `isdigit` and `\d` take digits that int() does not, and int() no more than some thousands of them.
_WHOLE = re.compile(r"[0-9]{1,19}\Z")


def whole(word: Optional[str]) -> Optional[int]:
    """Return the whole number, 0 or more, that a word is; None for any other word, and for none."""
    return int(word) if word is not None and _WHOLE.match(word) else None
