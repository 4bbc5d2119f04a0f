# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's display as actions and the callback use it: nothing that a host or a record says steers the terminal.

Ansible prints what it is given. What is printed here has names and causes of other machines in it, so whoever prints
does it by one door, and no caller has to remember.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.plain import plain

# What of a module's result Ansible prints as it is when a task fails.
_SAID = ("msg", "module_stdout", "module_stderr")


class PlainDisplay:
    """What Ansible's display has, with every message made plain."""

    def __init__(self, display: Any) -> None:
        self._display = display

    def __getattr__(self, name: str) -> Any:
        return getattr(self._display, name)

    def display(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Print a message; its lines stay."""
        self._display.display(plain(msg, keep_lines=True), *args, **kwargs)

    def warning(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Print a warning."""
        self._display.warning(plain(msg, keep_lines=True), *args, **kwargs)

    def error(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Print an error."""
        self._display.error(plain(msg, keep_lines=True), *args, **kwargs)

    def v(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Print what is asked for by -v."""
        self._display.v(plain(msg, keep_lines=True), *args, **kwargs)

    def vv(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Print what is asked for by -vv."""
        self._display.vv(plain(msg, keep_lines=True), *args, **kwargs)

    def vvv(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Print what is asked for by -vvv."""
        self._display.vvv(plain(msg, keep_lines=True), *args, **kwargs)

    def vvvv(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Print what is asked for by -vvvv."""
        self._display.vvvv(plain(msg, keep_lines=True), *args, **kwargs)


class PlainAction(ActionBase):
    """An action that prints by a PlainDisplay."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._display: Any = PlainDisplay(self._display)


def plain_result(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a module of ours with those texts made plain that Ansible prints when a task fails."""
    said = {name: plain(result[name], keep_lines=True) for name in _SAID if isinstance(result.get(name), str)}
    return {**result, **said}
