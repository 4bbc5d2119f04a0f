# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a benchmark asks for before it measures.

Each function looks for one thing and returns None where it is there, else a sentence that names it and the command that
gets it. `meet` takes what they returned.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
# Exit code of a benchmark that did not begin, as of one with wrong arguments; 1 is a missed target.
UNMET = 2

SETUP = "run `make setup` and start this with .venv/bin/python"
BUILD = "`make bench` builds it into ~/.cache/cloudbench/llama.cpp/build-*/bin"
MODEL = "`make bench` makes one in ~/.cache/cloudbench/models"


def meet(*lacking: str | None) -> None:
    """Go on where nothing is lacking; else print each sentence and leave with 2."""
    if sentences := [sentence for sentence in lacking if sentence]:
        _leave(sentences)


def _leave(sentences: Iterable[str]) -> NoReturn:
    for sentence in sentences:
        print(f"{Path(sys.argv[0]).name}: {sentence}", file=sys.stderr)
    raise SystemExit(UNMET)


def program(*names: str, remedy: str) -> str | None:
    """A program on PATH, by any of its names."""
    if any(shutil.which(name) for name in names):
        return None
    return f"the program {' or '.join(names)} is missing: {remedy}"


def version(name: str, least: tuple[int, ...], remedy: str) -> str | None:
    """A program on PATH whose --version is at least this."""
    if missing := program(name, remedy=remedy):
        return missing
    told = subprocess.run([name, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    digits = re.search(r"\d+(?:\.\d+)*", told.stdout)
    if digits and tuple(map(int, digits.group().split("."))) >= least:
        return None
    wanted = ".".join(map(str, least))
    return f"{name} is of version {digits.group() if digits else 'unknown'}, older than {wanted}: {remedy}"


def executable(path: Path, remedy: str = BUILD) -> str | None:
    """A program by its path, such as one of a build."""
    if not path.is_file():
        return f"there is no program {path}: {remedy}"
    if not os.access(path, os.X_OK):
        return f"{path} is no program: it cannot be executed"
    return None


def file(path: Path, remedy: str = MODEL) -> str | None:
    """A file that can be read."""
    if not path.is_file():
        return f"there is no file {path}: {remedy}"
    return None if os.access(path, os.R_OK) else f"the file {path} cannot be read by this user"


def distributions(*names: str, remedy: str = SETUP) -> str | None:
    """Python packages, by the names they are installed by, for the Python that runs this."""
    missing = [name for name in names if not _is_installed(name)]
    if not missing:
        return None
    return f"{sys.executable} has no {', '.join(missing)}: {remedy}"


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def requirements() -> str | None:
    """What a run needs on the controller: the packages of requirements.in."""
    lines = (ROOT / "requirements.in").read_text("utf-8").splitlines()
    named = [line for line in lines if re.match(r"[A-Za-z]", line)]
    return distributions(*dict.fromkeys(re.split(r"[^A-Za-z0-9._-]", line)[0] for line in named))


def playbooks() -> str | None:
    """ansible-playbook beside this Python, with what it needs."""
    return requirements() or executable(Path(sys.executable).with_name("ansible-playbook"), SETUP)


def disk(directory: Path, gigabytes: float) -> str | None:
    """Free space (GB of 1e9 bytes) where a directory is, or will be."""
    place = next(parent for parent in (directory.absolute(), *directory.absolute().parents) if parent.is_dir())
    free = shutil.disk_usage(place).free / 1e9
    if free >= gigabytes:
        return None
    return f"{place} has {free:.1f} GB free and {gigabytes:g} GB are needed: make room, or name another place in TMPDIR"


def root(purpose: str) -> str | None:
    """The rights of root."""
    return None if os.geteuid() == 0 else f"{purpose} needs root: start this with sudo"


def namespaces() -> str | None:
    """Namespaces of the kernel, those of the network among them, which emulated hosts live in."""
    if missing := program("unshare", remedy="sudo apt-get install util-linux"):
        return missing
    command = ["unshare", "--mount", "--pid", "--net", "--fork", "true"]
    tried = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if not tried.returncode:
        return None
    words = (tried.stderr.strip().splitlines() or ["it said nothing"])[-1]
    return f"there are no namespaces here ({words}): start this with sudo, a container with docker run --privileged"
