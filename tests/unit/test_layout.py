# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house: which room may know which other, what only a room itself may open, and what names say nothing."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
PREFIX = "ansible_collections.cloudbench.llama.plugins."

# From the ground up: a room imports itself and what stands below it. CONTRIBUTING.md says what is in each.
TARGET = ("record", "system", "probe", "models", "llamacpp", "kinds", "measure")
CONTROLLER = (
    "terminal", "catalog", "store", "analysis", "failures", "report", "request", "ec2", "export", "shared",
    "imports", "site", "shell",
)  # fmt: skip
# Names of locals that say nothing of what they hold.
EMPTY_NAMES = {"found", "one", "own"}


def modules(side: str) -> list[Path]:
    return sorted((PLUGINS / side).rglob("*.py"))


def name_of(path: Path) -> str:
    """The name of a module below plugins, such as module_utils.kinds.registry."""
    return ".".join(path.relative_to(PLUGINS).with_suffix("").parts)


KNOWN = {name_of(path) for path in PLUGINS.rglob("*.py")}


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text("utf-8"))))


@functools.cache
def imports(path: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    return tuple(node for node in nodes(path) if isinstance(node, (ast.Import, ast.ImportFrom)))


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """The modules of ours that a file imports, below plugins, each with the name that is taken from it."""
    for node in imports(path):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PREFIX):
            parent = (node.module or "")[len(PREFIX) :]
            for alias in node.names:
                whole = f"{parent}.{alias.name}"
                yield (whole, "") if whole in KNOWN else (parent, alias.name)


def place(name: str) -> tuple[str, str]:
    side, room = name.split(".")[:2]
    return side, room


@pytest.mark.parametrize(("side", "rooms"), [("module_utils", TARGET), ("plugin_utils", CONTROLLER)])
def test_every_module_lies_in_a_room_and_every_room_is_used(side, rooms):
    assert {path.relative_to(PLUGINS / side).parts[0] for path in modules(side)} == set(rooms)


@pytest.mark.parametrize("path", [*modules("module_utils"), *modules("plugin_utils")], ids=name_of)
def test_imports_run_one_way(path):
    side, room = place(name_of(path))
    rooms = TARGET if side == "module_utils" else CONTROLLER
    below = set(rooms[: rooms.index(room) + 1])
    upward = []
    for name, _taken in imported(path):
        other_side, other_room = place(name)
        if (other_side, side) == ("plugin_utils", "module_utils") or (other_side == side and other_room not in below):
            upward.append(name)
    assert upward == []


def test_no_module_imports_itself_by_way_of_others():
    edges = {name_of(path): {name for name, _taken in imported(path)} for path in PLUGINS.rglob("*.py")}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way, name))
        if name not in done:
            for other in sorted(edges.get(name, ())):
                visit(other, (*way, name))
            done.add(name)

    for name in sorted(edges):
        visit(name, ())


@pytest.mark.parametrize("path", sorted(PLUGINS.rglob("*.py")), ids=name_of)
def test_the_inside_of_a_room_is_opened_by_its_own_door(path):
    """A package within a room, and a name with an underscore, are for that room and that module alone."""
    inside = []
    for name, taken in imported(path):
        within = name.split(".")[:2] == name_of(path).split(".")[:2]
        if (len(name.split(".")) > 3 and not within) or taken.startswith("_"):
            inside.append(f"{name} {taken}".strip())
    assert inside == []


@pytest.mark.parametrize("path", modules("module_utils"), ids=name_of)
def test_what_goes_to_a_host_needs_nothing_but_python_and_what_ansible_ships(path):
    foreign = []
    for node in imports(path):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            ours = name.startswith((f"{PREFIX}module_utils", "ansible.module_utils"))
            if not ours and name.partition(".")[0] not in sys.stdlib_module_names:
                foreign.append(name)
    assert foreign == []


@pytest.mark.parametrize("path", modules("plugin_utils"), ids=name_of)
def test_only_shells_know_ansible(path):
    names = {
        name
        for node in imports(path)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    if place(name_of(path))[1] != "shell":
        assert {name for name in names if name.partition(".")[0] == "ansible"} == set()


def bound(path: Path) -> Iterator[tuple[str, int]]:
    for node in nodes(path):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno


@pytest.mark.parametrize("path", sorted(PLUGINS.rglob("*.py")), ids=name_of)
def test_names_of_locals_say_what_they_hold(path):
    assert [f"{name}, line {line}" for name, line in bound(path) if name in EMPTY_NAMES] == []
