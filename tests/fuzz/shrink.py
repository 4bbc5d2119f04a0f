# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least of an input that still shows a fault: parts are taken away, and what is left is made plain."""

from __future__ import annotations

import time
from collections.abc import Callable

_PLAIN = b"0a \n"


def shrink(data: bytes, fails: Callable[[bytes], bool], tries: int = 3000, seconds: float = 30.0) -> bytes:
    """Return a part of `data` of which `fails` is still true, as it is of `data`; the least that is found in time."""
    left = [tries, time.monotonic() + seconds]

    def still(smaller: bytes) -> bool:
        if left[0] <= 0 or time.monotonic() > left[1]:
            return False
        left[0] -= 1
        return fails(smaller)

    before = None
    while before != data:
        before = data
        data = _shorter(data, still)
        data = _plainer(data, still)
    return data


def _shorter(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """Take parts away, half of it first and single bytes last."""
    size = max(1, len(data) // 2)
    while True:
        at = 0
        while at < len(data):
            smaller = data[:at] + data[at + size :]
            if fails(smaller):
                data = smaller
            else:
                at += size
        if size == 1:
            return data
        size //= 2


def _plainer(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """Put plain bytes in the place of others, of what is short enough to be looked at byte by byte."""
    for at in range(len(data) if len(data) <= 200 else 0):
        if data[at] not in _PLAIN:
            for plain in _PLAIN:
                changed = data[:at] + bytes((plain,)) + data[at + 1 :]
                if fails(changed):
                    data = changed
                    break
    return data
