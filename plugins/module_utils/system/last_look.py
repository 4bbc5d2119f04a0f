# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long ago somebody touched a file, by a clock that nobody sets."""

from __future__ import annotations

import os
import time


class LastLook:
    """A file that a controller touches each time it looks.

    A new machine's clock is set while it works, by hours too, and the age of a file then says nothing. It counts only
    where it is no more than the time since it was asked for last: so long ago the controller may have looked.
    """

    def __init__(self, path: str) -> None:
        """Make the file; that counts as a look. Raises OSError where that cannot be."""
        self._path = path
        with open(path, "w", encoding="ascii"):
            pass
        self._touched_ns = os.stat(path).st_mtime_ns
        self._at = self._asked_at = time.monotonic()

    def seconds(self) -> float:
        """Return for how many seconds nobody has looked. Raises OSError where the file is gone."""
        now, touched_ns = time.monotonic(), os.stat(self._path).st_mtime_ns
        if touched_ns != self._touched_ns:
            age = time.time() - touched_ns / 1e9
            self._at = now - (age if 0 <= age <= now - self._asked_at else 0.0)
            self._touched_ns = touched_ns
        self._asked_at = now
        return now - self._at
