# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules as Ansible runs them: a process of its own, arguments as JSON on standard input, a result on output."""

from __future__ import annotations

import atexit
import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.aws.warm_python import CHECKOUT, WarmPython

COLLECTIONS = Path(__file__).resolve().parents[2] / "collections"
MODULES = COLLECTIONS / "ansible_collections" / "cloudbench" / "llama" / "plugins" / "modules"


@functools.cache
def interpreter() -> str:
    """A Python for modules, which has loaded what they load where it can fork; it ends with this process."""
    if not hasattr(os, "pidfd_open"):
        return sys.executable
    warm = WarmPython(CHECKOUT, {**os.environ, "PYTHONPATH": str(COLLECTIONS)})
    path = warm.__enter__()
    atexit.register(warm.__exit__)
    return path


def run(module: str, arguments: dict[str, Any], check: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a module of the checkout, in check mode if so asked, with the environment of this process."""
    return subprocess.run(
        [interpreter(), str(MODULES / f"{module}.py")],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check}}),
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        capture_output=True,
        text=True,
        check=False,
    )
