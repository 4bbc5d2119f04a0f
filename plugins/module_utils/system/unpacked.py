# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible has unpacked a module into, which one that is killed leaves behind and the next of its run removes.

Source: ansible-core's AnsiballZ wrapper, which makes the directory by tempfile.mkdtemp and removes it at the end.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import Sequence

_NAME = re.compile(r"ansible_[A-Za-z0-9_.]{1,200}_payload_[A-Za-z0-9_]{1,20}")


def directory(paths: Sequence[str] = ()) -> str:
    """Return the directory that this module was unpacked into, "" where it runs otherwise, as in a test.

    `paths`: those that Python looks for modules in, which begin with the archive there.
    """
    for path in paths or sys.path:
        place = os.path.dirname(path)
        if _NAME.fullmatch(os.path.basename(place)) and os.path.isabs(place):
            return place
    return ""


def take_over(note: str, here: str) -> None:
    """Remove what the module that wrote this note before was unpacked into, and write down that this one is `here`.

    Whoever calls it knows that the one before has ended. Nothing is removed but a directory of such a name beside
    `here`, whatever the note says.
    """
    if not here:
        return
    try:
        with open(note, encoding="utf-8") as file:
            before = file.read(4096).strip()
    except (OSError, ValueError):
        before = ""
    alike = os.path.dirname(before) == os.path.dirname(here) and _NAME.fullmatch(os.path.basename(before))
    if before != here and alike and not os.path.islink(before):
        shutil.rmtree(before, ignore_errors=True)
    with open(note, "w", encoding="utf-8") as file:
        file.write(here + "\n")
