# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions and the callback print by one door, and nobody prints beside it."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from support.records import hostile

from ansible_collections.cloudbench.llama.plugins.callback.bench_report import CallbackModule
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, HostAction
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.display import PlainDisplay
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.live import LiveAction

PLUGINS = Path(__file__).resolve().parents[5] / "plugins"
DOORS = ("display", "warning", "error", "v", "vv", "vvv", "vvvv")
ESCAPE = hostile.PAYLOADS["clipboard"]


class Screen:
    """Keeps what is printed."""

    verbosity = 3

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        for door in DOORS:
            setattr(self, door, lambda message, *_args, _door=door, **_kwargs: self.said.append((_door, message)))


class Refusing(CoreAction):
    ERRORS = (ValueError,)

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        self.show([ESCAPE])
        raise ValueError(f"no such thing as {ESCAPE}")


class Remote(HostAction):
    MODULE = "cloudbench.llama.machine_info"

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        return self.module(args, task_vars)


def action(kind: type[CoreAction]) -> Any:
    task = SimpleNamespace(args={}, async_val=0, check_mode=False, action="refuse")
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="there is one"))
    made = kind(task, connection, None, None, None)
    made._load_name = "refuse"
    return made


@pytest.mark.parametrize("text", hostile.PAYLOADS.values(), ids=hostile.PAYLOADS)
def test_nothing_that_is_printed_steers_the_terminal(text: str) -> None:
    screen = Screen()
    display = PlainDisplay(screen)
    for door in DOORS:
        getattr(display, door)(f"it is called {text}")
    assert [door for door, _message in screen.said] == list(DOORS)
    assert all(message.replace("\n", "").isprintable() for _door, message in screen.said)
    assert display.verbosity == 3, "what prints nothing is Ansible's own"


def test_an_action_prints_and_fails_in_plain_words() -> None:
    refusing = action(Refusing)
    screen = Screen()
    refusing._display._display = screen
    with pytest.raises(AnsibleActionFail) as failed:
        refusing.run()
    assert failed.value.message == "no such thing as ?]52;c;b3duZWQ=?"
    assert screen.said == [("display", "?]52;c;b3duZWQ=?")]


def test_what_a_module_says_of_its_failure_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    remote = action(Remote)
    said = {"failed": True, "msg": ESCAPE, "module_stdout": ESCAPE, "rc": 1, "machine": {"name": ESCAPE}}
    monkeypatch.setattr(remote, "_execute_module", lambda **_given: said)
    ended = remote.run()
    assert ended["msg"] == ended["module_stdout"] == "?]52;c;b3duZWQ=?"
    assert ended["machine"] == {"name": ESCAPE}, "what is kept is what was said"


def test_the_callback_prints_by_the_same_door() -> None:
    assert isinstance(CallbackModule()._display, PlainDisplay)


def actions() -> list[type]:

    prefix = "ansible_collections.cloudbench.llama.plugins.action"
    names = sorted(path.stem for path in (PLUGINS / "action").glob("*.py") if path.stem != "__init__")
    return [importlib.import_module(f"{prefix}.{name}").ActionModule for name in names]


@pytest.mark.parametrize("kind", actions(), ids=lambda kind: kind.__module__.rpartition(".")[2])
def test_every_action_has_the_door(kind: type) -> None:
    assert issubclass(kind, (CoreAction, LiveAction))
    assert issubclass(kind, ActionBase)


def test_no_plugin_takes_ansibles_display_by_itself() -> None:
    """Display is a singleton that anybody can ask for, and print() needs none."""
    own = PLUGINS / "plugin_utils" / "shell" / "display.py"
    beside = []
    for folder in ("action", "callback", "filter", "lookup", "plugin_utils"):
        for path in sorted((PLUGINS / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                imported = isinstance(node, ast.ImportFrom) and node.module == "ansible.utils.display"
                printed = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
                # What runs as a Python of its own prints what its program would have.
                if (imported or printed) and path != own and path.name != "warm_python.py":
                    beside.append(f"{path.relative_to(PLUGINS)}, line {node.lineno}")
    assert beside == []
