# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands where msgspec should, so that schema.py can be imported by whoever only looks at it, as linters do.

Nothing is checked by it: records.checker() says first that msgspec is missing.
"""

from __future__ import annotations

from typing import Any


class _Nothing:
    """Has every attribute and takes every call."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing()

    def __call__(self, *_arguments: Any, **_named: Any) -> Any:
        return _Nothing()

    def __or__(self, _other: Any) -> Any:
        return self

    __ror__ = __or__


class _Struct:
    """A base that takes the options of msgspec.Struct."""

    def __init_subclass__(cls, **_options: Any) -> None:
        super().__init_subclass__()


Struct: Any = _Struct
msgspec: Any = _Nothing()
Meta: Any = msgspec
UNSET: Any = msgspec
UnsetType: Any = _Nothing
