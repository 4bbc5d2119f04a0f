# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files are meant by paths, patterns and directories, and the machine that a file's place says it is of."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.forms import ImportFailed

# Where the name of a machine stands: in the file's own name, or in that of the directory that it lies in. A number is
# that of the levels up, of which 1 is PARENT.
FILE, PARENT = "file", "parent"

# What stands behind the dot of an instance type, and so is no ending of a file's name.
_SIZE = re.compile(r"\.(?:\d*xlarge|metal(?:-\d+xl)?|nano|micro|small|medium|large)$", re.IGNORECASE)


class Source(NamedTuple):
    """A file, and whether it was named itself: what a directory or pattern brings need not hold results."""

    path: str
    named: bool


def sources(words: Iterable[str]) -> list[Source]:
    """Return the files that are meant by `words`, each once, those of a directory or pattern in their order.

    A word that is the path of a file is that file; of a directory, all files below it whose names and directories do
    not begin with a dot; any other a pattern (*, ?, [...], and ** for any number of directories), of which the same
    holds. Raises ImportFailed for one that nothing is meant by.
    """
    meant: dict[str, Source] = {}
    for word in words:
        path = os.path.expanduser(word)
        if os.path.isdir(path):
            below = list(_below(path))
            if not below:
                raise ImportFailed(f"the directory {word} holds no file: name one that does, or a pattern")
        elif os.path.lexists(path) or not glob.has_magic(path):
            meant[os.path.abspath(path)] = Source(path, named=True)
            continue
        else:
            below = [file for match in sorted(glob.glob(path, recursive=True)) for file in _files_of(match)]
            if not below:
                raise ImportFailed(
                    f"no file is meant by the pattern {word}: it is read from {os.getcwd()}, * stands for any part of "
                    "a name and ** for any directories"
                )
        for file in below:
            meant.setdefault(os.path.abspath(file), Source(file, named=False))
    return list(meant.values())


def _files_of(path: str) -> Iterator[str]:
    if os.path.isdir(path):
        yield from _below(path)
    else:
        yield path


def _below(directory: str) -> Iterator[str]:
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(folder, name) for name in sorted(names) if not name.startswith("."))


def check_way(way: str) -> None:
    """Raise ImportFailed where no name of a machine stands at a place called `way`."""
    if way not in (FILE, PARENT) and not re.fullmatch(r"[1-9]\d?", way):
        raise ImportFailed(
            f"MACHINE_FROM={way:.40} is no place of a machine's name: {FILE} is the file's name without its ending, "
            f"{PARENT} that of its directory, and a number that of the directory so many levels up (1 is {PARENT})"
        )


def machine_of(path: str, way: str) -> str:
    """Return the name of the machine of a file by a place that check_way() takes. Raises ImportFailed without one."""
    if way == FILE:
        name = os.path.basename(path)
        return name if _SIZE.search(name) else Path(name).stem
    levels = 1 if way == PARENT else int(way)
    folders = Path(os.path.abspath(path)).parts[1:-1]
    if levels > len(folders):
        raise ImportFailed(f"{path} has no directory {levels} levels up: give a smaller number (MACHINE_FROM=1)")
    return folders[-levels]
