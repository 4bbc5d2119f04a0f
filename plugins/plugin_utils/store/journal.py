# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of lines that are only appended to, by several processes, and hold no line twice.

Which lines a file holds is read once and remembered as digests. An append then reads what others have added since, so
that it costs the same however long the file is. A file that was replaced, shortened or rewritten is read again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from io import FileIO
from pathlib import Path

# So many lines are remembered, of the files appended to last: some 100 MB.
MOST_LINES = 1_000_000
# A file is read in pieces of so many bytes.
_PIECE = 1 << 24
# So long another writer is waited for. Whoever may read a file can lock it, and must not have a run wait for ever.
LOCK_S = 60.0
_LOOK_S = 0.02


def _digest(line: bytes) -> bytes:
    return blake2b(line, digest_size=16).digest()


@dataclass
class _Known:
    """What is known of a file: its lines, up to which byte they reach, where the last begins, and when it was so."""

    lines: set[bytes] = field(default_factory=set)
    end: int = 0
    last: int = 0
    last_digest: bytes = b""
    identity: tuple[int, int] = (0, 0)
    size: int = 0
    changed_ns: int = 0

    def add(self, line: bytes) -> None:
        """Know one more line, which follows the others in the file."""
        self.last, self.end = self.end, self.end + len(line) + 1
        self.last_digest = _digest(line)
        self.lines.add(self.last_digest)

    def note(self, status: os.stat_result) -> None:
        """Keep by what the file is known again."""
        self.identity = (status.st_dev, status.st_ino)
        self.size, self.changed_ns = status.st_size, status.st_mtime_ns

    def holds(self, file: FileIO) -> bool:
        """Say whether this is of `file`, which may have grown since."""
        status = os.fstat(file.fileno())
        if self.identity != (status.st_dev, status.st_ino) or status.st_size < self.size:
            return False
        if status.st_size == self.size:
            return status.st_mtime_ns == self.changed_ns
        length = self.end - self.last
        return not length or _digest(os.pread(file.fileno(), length, self.last)[:-1]) == self.last_digest


class Journals:
    """Appends lines to files."""

    def __init__(self, most_lines: int = MOST_LINES) -> None:
        self._most_lines = most_lines
        # The one used last stands last.
        self._known: dict[Path, _Known] = {}

    def append(self, path: Path, lines: Iterable[bytes]) -> int:
        """Append those of `lines` that the file does not hold, and return how many they are; raises OSError.

        They are on the disk when this returns; a disk without room for them leaves the file as it was. Others that
        append to it wait meanwhile, and are waited for, LOCK_S at most.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        with FileIO(descriptor, "r+") as file:
            _lock(file)
            known = self._known.pop(path, None)
            if known is None or not known.holds(file):
                known = _Known()
            rest = _read_on(file, known)
            before = known.end + len(rest)
            unfinished = _digest(rest) if rest else b""
            new = [
                line
                for line, digest in {line: _digest(line) for line in lines}.items()
                if digest not in known.lines and digest != unfinished
            ]
            if new:
                # A half line of a writer that died stays on a line of its own.
                data = (b"\n" if rest else b"") + b"\n".join(new) + b"\n"
                done = file.write(data)
                if done != len(data):
                    file.truncate(before)
                    raise OSError(errno.ENOSPC, f"no space for {len(data)} bytes")
                os.fsync(file.fileno())
                for line in [rest, *new] if rest else new:
                    known.add(line)
            known.note(os.fstat(file.fileno()))
        self._remember(path, known)
        if new and not before:
            _sync_directory(path.parent)
        return len(new)

    def _remember(self, path: Path, known: _Known) -> None:
        self._known[path] = known
        total = sum(len(each.lines) for each in self._known.values())
        while total > self._most_lines and len(self._known) > 1:
            total -= len(self._known.pop(next(iter(self._known))).lines)


def _lock(file: FileIO) -> None:
    """Lock a file that others may be writing to. Raises OSError when none of them comes to an end within LOCK_S."""
    end = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                told = f"another process has it locked, and kept it so for {LOCK_S:g} s (fuser names it)"
                raise OSError(errno.EBUSY, told) from None
        time.sleep(_LOOK_S)


def _read_on(file: FileIO, known: _Known) -> bytes:
    """Know the lines of `file` after those that are known, and return what stands behind the last of them."""
    file.seek(known.end)
    rest = b""
    while piece := file.read(_PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            known.add(line)
    return rest


def _sync_directory(path: Path) -> None:
    """Make the name of a new file durable, not only its content."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
