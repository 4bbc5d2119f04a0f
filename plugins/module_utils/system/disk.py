# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room on a disk, asked for before anything is written."""

from __future__ import annotations

import os


class SpaceError(ValueError):
    """There is not enough room; the message says how much is needed and how much is free."""


def size(count: int) -> str:
    """Return a number of bytes as a person reads it, and exactly: `500,000,000 bytes (0.50 GB)`."""
    return "{0:,} bytes ({1:.2f} GB)".format(count, count / 1e9)


def require_space(directory: str, needed: int, purpose: str) -> None:
    """Raise SpaceError unless `needed` bytes are free for this user where `directory` is, or is going to be."""
    place = os.path.abspath(directory)
    while not os.path.exists(place):
        place = os.path.dirname(place)
    state = os.statvfs(place)
    free = state.f_bavail * state.f_frsize
    if needed > free:
        raise SpaceError(
            "%s: needs %s, but only %s are free in %s; free space there or choose another directory"
            % (purpose, size(needed), size(free), place)
        )
