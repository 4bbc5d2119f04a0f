# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody else has added to what a run made is not taken away: every option of amazon.aws that purges is off."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
# A rule of the run's own group is what opens it: an address that the run came from before must not stay.
MAY_PURGE = {("ec2_security_group", "purge_rules")}
# Each acts only where the task gives the option that it belongs to.
BELONGS_TO = {"purge_policies": "managed_policies", "purge_rules_egress": "rules_egress", "purge_routes": "routes",
              "purge_subnets": "subnets", "purge_tags": "tags"}  # fmt: skip


def tasks(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [task for part in node for task in tasks(part)]
    if not isinstance(node, dict):
        return []
    return [node, *(task for key in ("block", "rescue", "always") for task in tasks(node.get(key)))]


def purging(module: str) -> set[str]:
    """The options of a module of amazon.aws that take away by default."""
    package = importlib.util.find_spec("ansible_collections.amazon.aws")
    assert package is not None
    assert package.submodule_search_locations
    source = Path(next(iter(package.submodule_search_locations))) / "plugins/modules" / f"{module}.py"
    return set(re.findall(r"\b(purge_\w+)=dict\([^)]*default=True", source.read_text("utf-8")))


CASES = [
    (file.relative_to(ROLES), task.get("name"), module.rpartition(".")[2], arguments)
    for file in sorted(ROLES.glob("*/tasks/**/*.yml"))
    for task in tasks(yaml.safe_load(file.read_text("utf-8")))
    for module, arguments in task.items()
    if module.startswith("amazon.aws.") and isinstance(arguments, dict) and arguments.get("state") != "absent"
]


def test_there_are_tasks_to_look_at():
    assert len(CASES) > 10


@pytest.mark.parametrize(("file", "name", "module", "arguments"), CASES, ids=[f"{one[0]}:{one[1]}" for one in CASES])
def test_no_task_takes_away_what_it_does_not_name(file, name, module, arguments):
    needed = {
        option
        for option in purging(module)
        if BELONGS_TO.get(option, "") in ("", *arguments) and (module, option) not in MAY_PURGE
    }
    assert {option for option in needed if arguments.get(option) is not False} == set()
