# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are replaced as a whole or not at all, and known by their first bytes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# What says of a file of ours what it was made of stands within so many bytes.
HEAD = 1000


def replace(path: Path, content: bytes, mode: int = 0o644, sync: bool = True) -> None:
    """Write a file as a whole, and leave it as before when this raises OSError.

    `sync`: it is on the disk when this returns. What is made again from records need not wait for that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def head(path: Path) -> bytes:
    """Return the first HEAD bytes of a file, none of one that is not there or cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""
