# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Digests of a model file in one reading: of the whole of it, and of its tensors alone.

The latter is the same for a model, for its parts together and for what they are merged to, and whatever the metadata
say: MXFP4_MOE of a model without experts is Q8_0 but for a number there.
"""

from __future__ import annotations

import hashlib
from typing import Any, Iterable, List, NamedTuple, Optional, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.models.gguf import (
    MAGIC,
    Gguf,
    GgufError,
    Tensor,
    read_head,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import canonical

PIECE_BYTES = 1024 * 1024

# The header of Llama 3, with its 128,256 tokens, has 8 MiB.
_MOST_HEAD = 64 * 1024 * 1024
_FIRST_HEAD = 64 * 1024


class Digests(NamedTuple):
    """SHA-256 of a file and of its tensors, 64 hexadecimal digits; the latter is None where it is no whole GGUF."""

    sha256: str
    tensors_sha256: Optional[str]


class TensorDigest(NamedTuple):
    """What is digested of a tensor: name, type, shape (row length first) and the SHA-256 of its data."""

    name: str
    type: str
    shape: Tuple[int, ...]
    sha256: str


def tensors_sha256(tensors: Iterable[TensorDigest]) -> str:
    """The digest of tensors in any order, of one file or of all parts of a model."""
    return hashlib.sha256(canonical(sorted(tensors)).encode("utf-8")).hexdigest()


class Hasher:
    """Digests of a file that comes in pieces, from its beginning, as from a disk or a server.

    Of the content no more is held than the header.
    """

    def __init__(self) -> None:
        self._whole = hashlib.sha256()
        self._head: Optional[bytearray] = bytearray()
        self._next_try = _FIRST_HEAD
        self._model: Optional[Gguf] = None
        self._waiting: List[Tensor] = []
        self._current = hashlib.sha256()
        self._position = 0
        self._tensors: List[TensorDigest] = []

    def update(self, piece: Any) -> None:
        """Add the next `piece` (bytes or memoryview)."""
        self._whole.update(piece)
        if self._head is None:
            self._add(memoryview(piece))
            return
        self._head += piece
        if len(self._head) >= self._next_try:
            self._read_head()

    def sha256(self) -> str:
        """Return the SHA-256 of what has come."""
        return self._whole.hexdigest()

    def tensors(self) -> Optional[List[TensorDigest]]:
        """Return what is known of each tensor, None where not all of them have come, or it is no GGUF."""
        if self._head is not None:
            self._read_head()
        return None if self._model is None or self._waiting else list(self._tensors)

    def digests(self) -> Digests:
        """Return both digests of what has come."""
        tensors = self.tensors()
        return Digests(self.sha256(), tensors_sha256(tensors) if tensors else None)

    def _read_head(self) -> None:
        """Begin with the tensors if the header is there, else wait for twice as much."""
        head = self._head or bytearray()
        try:
            self._model = read_head(bytes(head))
        except GgufError:
            # Too short or damaged, which reads alike.
            self._next_try = 2 * len(head)
            if len(head) >= _MOST_HEAD or not head.startswith(MAGIC):
                self._head = None
            return
        self._head = None
        # The next one is the last.
        self._waiting = sorted(self._model.tensors, key=lambda tensor: -tensor.offset)
        self._add(memoryview(head))

    def _add(self, piece: memoryview) -> None:
        start, end = self._position, self._position + len(piece)
        self._position = end
        while self._model and self._waiting:
            tensor = self._waiting[-1]
            begin = self._model.data_offset + tensor.offset
            stop = begin + tensor.bytes
            if begin < end:
                self._current.update(piece[max(begin - start, 0) : stop - start])
            if stop > end:
                return
            self._tensors.append(TensorDigest(tensor.name, tensor.type, tensor.shape, self._current.hexdigest()))
            self._current = hashlib.sha256()
            self._waiting.pop()


def of_file(path: str) -> Digests:
    """Read the file at `path` in full, once, and return its digests. Raises OSError."""
    hasher = Hasher()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(PIECE_BYTES), b""):
            hasher.update(piece)
    return hasher.digests()
