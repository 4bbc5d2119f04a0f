# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest of a file."""

from __future__ import annotations

import hashlib


def sha256_file(path: str) -> str:
    """Return the SHA-256 of the file at `path`, 64 lower-case hexadecimal digits. Raises OSError."""
    state = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            state.update(piece)
    return state.hexdigest()
