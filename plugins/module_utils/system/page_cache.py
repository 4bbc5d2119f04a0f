# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a file lies in the page cache: drop it from there, read it into there, and look. No root is needed."""

from __future__ import annotations

import ctypes
import mmap
import os
import time

_LIBC = ctypes.CDLL(None, use_errno=True)
_CHUNK = 8 << 20


def resident_share(path: str) -> float:
    """Return which share of a file's pages is in the page cache, 0 to 1 (mincore(2)). Raises OSError."""
    size = os.path.getsize(path)
    if not size:
        return 1.0
    with open(path, "rb") as file, mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ | mmap.PROT_WRITE,
                                             flags=mmap.MAP_PRIVATE) as mapped:  # fmt: skip
        pages = -(-size // mmap.PAGESIZE)
        vector = (ctypes.c_ubyte * pages)()
        # A private mapping that nobody writes to is the file's own pages; from_buffer wants it to be writable.
        first = ctypes.c_char.from_buffer(mapped)
        try:
            failed = _LIBC.mincore(ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(size), vector)
        finally:
            del first
        if failed:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), path)
        return sum(flags & 1 for flags in bytes(vector)) / pages


def drop(path: str) -> float:
    """Drop a file from the page cache and return which share of it is there nevertheless. Raises OSError.

    What another process maps, what is not yet written, and what has no disk behind it (tmpfs) stays.
    """
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return resident_share(path)


def read_through(path: str) -> float:
    """Read a file from its beginning to its end and return the seconds that took. Raises OSError."""
    started = time.monotonic()
    with open(path, "rb", buffering=0) as file:
        chunk = bytearray(_CHUNK)
        while file.readinto(chunk):
            pass
    return time.monotonic() - started
