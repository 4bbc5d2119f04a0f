# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every task that installs packages waits for a machine that is busy updating itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"


def installing(tasks: Any) -> Iterator[dict[str, Any]]:
    """Yield the arguments of each task that installs packages, inside blocks too."""
    for task in tasks or []:
        for part in ("block", "rescue", "always"):
            yield from installing(task.get(part))
        yield from (task[name] for name in ("ansible.builtin.package", "ansible.builtin.apt") if name in task)


def test_packages_wait_300_seconds_for_the_lock():
    files = [yaml.safe_load(path.read_text()) for path in ROLES.glob("*/tasks/**/*.yml")]
    packages = [args for tasks in files for args in installing(tasks)]
    assert len(packages) == 3
    for args in packages:
        assert re.search(r"__llama_(cpp|rpc)_lock_seconds", args["lock_timeout"])
    values = yaml.safe_load((ROLES / "llama_cpp" / "vars" / "main.yml").read_text())
    of_rpc = yaml.safe_load((ROLES / "llama_rpc" / "vars" / "main.yml").read_text())
    assert values["__llama_cpp_lock_seconds"] == of_rpc["__llama_rpc_lock_seconds"] == 300
    assert "failure_cause" in values["__llama_cpp_reason"]
