# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's variables stand in three places, for Ansible, for its validation and for people: they never differ."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())


def load(path: Path) -> dict[str, Any]:
    return (yaml.safe_load(path.read_text("utf-8")) or {}) if path.is_file() else {}


def options(role: Path) -> dict[str, list[dict[str, Any]]]:
    """Each option's specifications, one per entry point that has it."""
    found: dict[str, list[dict[str, Any]]] = {}
    for entry_point in load(role / "meta" / "argument_specs.yml")["argument_specs"].values():
        for name, specification in entry_point.get("options", {}).items():
            found.setdefault(name, []).append(specification)
    return found


def documented(readme: str) -> set[str]:
    """The names in the first column of the variable tables: rows that begin with a name in backticks."""
    return set(re.findall(r"^\|\s*`([A-Za-z_]\w*)`\s*\|", readme, re.MULTILINE))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
class TestRole:
    def test_every_default_is_specified_with_the_same_value(self, role: Path) -> None:
        specified = options(role)
        for name, value in load(role / "defaults" / "main.yml").items():
            if name.startswith("__"):
                continue
            assert name in specified, f"{name} has a default but no entry in meta/argument_specs.yml"
            for specification in specified[name]:
                assert specification.get("default") == value, f"{name}: the specification names another default"
                assert type(specification.get("default")) is type(value), f"{name}: 1, true and '1' are different"
                assert not specification.get("required"), f"{name} has a default, so it is not required"

    def test_every_option_has_a_default_or_is_required(self, role: Path) -> None:
        defaults = load(role / "defaults" / "main.yml")
        for name, specifications in options(role).items():
            for specification in specifications:
                assert name in defaults or specification.get("required") is True, name
                assert specification.get("description"), f"{name} has no description"

    def test_every_variable_carries_the_name_of_the_role(self, role: Path) -> None:
        names = set(options(role))
        for path in [*role.glob("defaults/*.yml"), *role.glob("vars/*.yml")]:
            names |= set(load(path))
        prefixes = (f"{role.name}_", f"__{role.name}_")
        assert [name for name in sorted(names) if not name.startswith(prefixes)] == []

    def test_the_readme_lists_exactly_the_options(self, role: Path) -> None:
        assert documented((role / "README.md").read_text("utf-8")) == set(options(role))
