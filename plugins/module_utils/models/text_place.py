# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where texts lie on a host: what puts them there and what reads them agree on it by this alone."""

from __future__ import annotations

import os

# From process.HOME.
DIRECTORY = os.path.join(".cache", "cloudbench", "texts")


def path_of(name: str) -> str:
    """Return the path of a text, from process.HOME, by the name that a cell has for it."""
    return os.path.join(DIRECTORY, name + ".txt")
