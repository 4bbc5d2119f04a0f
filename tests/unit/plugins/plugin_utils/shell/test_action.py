# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every action does around its work, without a playbook."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, HostAction, spec


class CoreError(ValueError):
    """Bad input, as the core says it."""


class Halve(CoreAction):
    ARGUMENTS = spec(number=dict(type="int", default=8), marks=dict(type="list", elements="str", default=[]), to=dict())
    RULES = spec(mutually_exclusive=[["number", "to"]])
    ERRORS = (CoreError,)
    FAILURE = "it cannot be halved: %s"

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        args["marks"].append("seen")
        if args["number"] == 0:
            raise KeyError("a fault")
        if args["number"] % 2:
            try:
                raise OSError("the cause")
            except OSError as error:
                raise CoreError("%d is odd" % args["number"]) from error
        return {"half": args["number"] // 2, "marks": args["marks"], "of": task_vars.get("of"), "dry": self.check_mode}


class Remote(HostAction):
    MODULE = "cloudbench.llama.machine_info"

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self.module(dict(args, more=1), task_vars), added=True)


def action(kind: type[CoreAction], check_mode: bool = False, **args: Any) -> Any:
    task = SimpleNamespace(args=args, async_val=0, check_mode=check_mode, action="halve")
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="there is one"))
    made = kind(task, connection, None, None, None)
    made._load_name = "halve"
    return made


def test_arguments_have_their_types_and_defaults() -> None:
    result = action(Halve, number="6").run(task_vars={"of": "the host"})
    assert result == {"changed": False, "half": 3, "marks": ["seen"], "of": "the host", "dry": False}
    assert action(Halve, check_mode=True).run()["dry"] is True


def test_a_default_belongs_to_nobody() -> None:
    assert [action(Halve).run()["marks"] for _turn in range(2)] == [["seen"], ["seen"]]


@pytest.mark.parametrize(
    ("args", "said"),
    [({"number": "x"}, "number"), ({"size": 1}, "Unsupported parameters"), ({"number": 2, "to": "1"}, "mutually")],
)
def test_what_is_no_argument_is_refused(args: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleActionFail, match=said):
        action(Halve, **args).run()


def test_an_error_of_the_core_is_the_whole_message() -> None:
    with pytest.raises(AnsibleActionFail) as caught:
        action(Halve, number=3).run()
    # ansible-core would add what caused it, in words of Python.
    assert caught.value.message == "it cannot be halved: 3 is odd"
    assert isinstance(caught.value.__cause__, CoreError)


def test_a_fault_of_ours_passes() -> None:
    with pytest.raises(KeyError):
        action(Halve, number=0).run()


def test_lines_are_shown_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    halve = action(Halve)
    monkeypatch.setattr(halve, "_display", SimpleNamespace(display=shown.append))
    halve.show(["a" * 300, "b"])
    assert shown == ["a" * 300, "b"]


def test_the_module_of_the_host_checks_its_arguments_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def execute(**given: Any) -> dict[str, Any]:
        asked.append(given)
        return {"changed": True}

    remote = action(Remote, name=1)
    monkeypatch.setattr(remote, "_execute_module", execute)
    assert remote.run(task_vars={"a": 1}) == {"changed": True, "added": True}
    assert asked == [
        {"module_name": "cloudbench.llama.machine_info", "module_args": {"name": 1, "more": 1}, "task_vars": {"a": 1}}
    ]
    assert (Remote._requires_connection, Halve._requires_connection) == (True, False)
