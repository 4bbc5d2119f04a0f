# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A part of many like tests, another one for each commit: cases that differ little need not all run each time.

The environment variable CLOUDBENCH_THOROUGH=1 has all of them; the nightly workflow sets it. By the same variable the
molecule scenarios compile llama.cpp as for people (quick_compile.py).
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[2]
THIRDS, SIXTHS = 3, 6
VARIABLE = "CLOUDBENCH_THOROUGH"
# What decides about a run on EC2, where there is no commit to ask.
SOURCES = ("plugins", "roles", "playbooks")

Case = TypeVar("Case")


@functools.cache
def digest(root: Path = ROOT) -> str:
    """The commit that is checked out, or where git knows none the SHA-256 of the sources; hexadecimal digits."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "--verify", "HEAD"], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        whole = hashlib.sha256()
        for folder in SOURCES:
            for path in sorted((root / folder).rglob("*")):
                if path.is_file() and path.suffix != ".pyc":
                    content = hashlib.sha256(path.read_bytes()).hexdigest()
                    whole.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
        return whole.hexdigest()


def everything() -> bool:
    """Whether all cases are asked for; raises ValueError for a value that means neither."""
    asked = os.environ.get(VARIABLE, "")
    if asked not in ("", "0", "1"):
        raise ValueError(f"{VARIABLE} is {asked!r}: it is 1 for all, 0 or not set for a part by the commit")
    return asked == "1"


def chosen(cases: Sequence[Case], commit: str | None = None, parts: int = THIRDS) -> list[Case]:
    """Every third, or one of so many `parts`, of the cases, beginning where the commit's digest says.

    All of them where these are asked for.
    """
    if everything():
        return list(cases)
    return list(cases[int((commit or digest())[:8], 16) % parts :: parts])
