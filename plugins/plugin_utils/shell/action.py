# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every action plugin does around its work: check its arguments, translate what the core raises, show lines."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from ansible.errors import AnsibleActionFail

from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.display import PlainAction, plain_result
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.plain import plain


def spec(**arguments: Any) -> Mapping[str, Any]:
    """Return what `ARGUMENTS` and `RULES` are made of; it belongs to a class, so nobody may change it."""
    return MappingProxyType(arguments)


class ActionFailed(AnsibleActionFail):
    """An error of the core: its message is whole, and what caused it is told by the traceback alone."""

    _include_cause_message = False


class CoreAction(PlainAction):
    """An action that works on the controller and touches no host, which may be out of reach.

    A plugin says what it takes: `ARGUMENTS` is the argument_spec of validate_argument_spec and `RULES` are its further
    arguments, such as required_one_of. `ERRORS` are what the core raises for bad input, `FAILURE` is the sentence that
    such an error ends; any other error is a fault of ours and passes.
    """

    _requires_connection = False
    _supports_check_mode = True

    ARGUMENTS: ClassVar[Mapping[str, Any] | None] = None
    RULES: ClassVar[Mapping[str, Any]] = spec()
    ERRORS: ClassVar[tuple[type[Exception], ...]] = ()
    FAILURE: ClassVar[str] = "%s"

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result, of which `changed` is False unless it says so. `args`: checked, with their defaults."""
        raise NotImplementedError

    def failure(self, error: Exception, args: Mapping[str, Any]) -> str:  # noqa: ARG002 - for a plugin that names them
        """Return the message for one of `ERRORS`."""
        return self.FAILURE % error

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check the arguments, do the work and return its result, as Ansible asks for it. Raises ActionFailed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = self._arguments()
        try:
            return {**result, "changed": False, **self.work(args, task_vars or {})}
        except self.ERRORS as error:
            raise ActionFailed(plain(self.failure(error, args), keep_lines=True)) from error

    def _arguments(self) -> dict[str, Any]:
        if self.ARGUMENTS is None:
            return dict(self._task.args)
        _validation, args = self.validate_argument_spec(copy.deepcopy(dict(self.ARGUMENTS)), **self.RULES)
        return dict(args)

    @property
    def check_mode(self) -> bool:
        """Whether nothing may be changed."""
        return bool(self._task.check_mode)

    def show(self, lines: Iterable[str]) -> None:
        """Print lines as they are: the callbacks that show results break long lines, and a command must stay whole."""
        for line in lines:
            self._display.display(line)


class HostAction(CoreAction):
    """An action that adds to what `MODULE` does on the host, which checks the arguments itself."""

    _requires_connection = True

    MODULE: ClassVar[str]

    def module(self, args: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Run the module and return its result."""
        ended = self._execute_module(module_name=self.MODULE, module_args=dict(args), task_vars=task_vars)
        return plain_result(dict(ended))
