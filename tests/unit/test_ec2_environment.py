# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role ec2_environment has packed beforehand what it is going to run, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "ec2_environment"
VARIABLES = yaml.safe_load((ROLE / "vars" / "main.yml").read_text("utf-8"))
# What Ansible or this collection does on the controller: nothing is packed.
ACTIONS = {f"cloudbench.llama.{path.stem}" for path in (ROOT / "plugins" / "action").glob("*.py")} | {
    f"ansible.builtin.{name}"
    for name in (
        "assert", "debug", "group_by", "import_playbook", "import_role", "include_tasks", "meta", "set_fact",
        "wait_for_connection",
    )
}  # fmt: skip
# Of runs that ask for more than the default ones; the task packs them itself.
SELDOM = {
    "provisioning": {
        "amazon.aws.ec2_placement_group", "amazon.aws.ec2_vpc_subnet_info", "amazon.aws.iam_instance_profile",
        "ansible.builtin.uri", "cloudbench.llama.cost_budget",
    },
    "teardown": {
        "amazon.aws.ec2_eni", "amazon.aws.ec2_placement_group", "amazon.aws.ec2_spot_instance", "amazon.aws.ec2_vol",
        "amazon.aws.ec2_vpc_endpoint", "amazon.aws.iam_instance_profile",
    },
}  # fmt: skip
FILES = {
    "provisioning": [
        "main", "found", "identity", "network", "zone", "route", "group", "key", "budget", "launch", "try", "guard",
    ],
    "teardown": ["teardown", "teardown/remove"],
}  # fmt: skip


def modules(tasks: list[dict[str, Any]]) -> Iterator[str]:
    for task in tasks:
        for part in ("block", "rescue", "always"):
            yield from modules(task.get(part, []))
        yield from (key for key in task if key.count(".") == 2)


@pytest.mark.parametrize("way", FILES)
def test_what_is_packed_beforehand_is_what_runs(way: str) -> None:
    run = {
        module for name in FILES[way] for module in modules(yaml.safe_load((ROLE / f"tasks/{name}.yml").read_text()))
    }
    packed = VARIABLES[f"__ec2_environment_modules_of_{way}"]
    assert len(packed) == len(set(packed))
    assert set(packed) == run - ACTIONS - SELDOM[way]
    assert SELDOM[way] <= run
