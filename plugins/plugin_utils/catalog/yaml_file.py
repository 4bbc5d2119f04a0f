# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own tables and argument specs, read by libyaml where PyYAML has it, in a tenth of the time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Table = TypeVar("Table")


class DamagedTableError(ValueError):
    """A table of the collection that does not hold what it must; the message names the file and the remedy."""


def read(path: Path, parse: Callable[[Any], Table]) -> Table:
    """Return what `parse` makes of the YAML file at `path`. Raises DamagedTableError, and OSError.

    Whoever adds a row to a table is told which file is wrong, and what Python says of it.
    """
    try:
        return parse(yaml.load(path.read_text("utf-8"), Loader=_LOADER))  # noqa: S506 - the loader is a safe one
    except (
        yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
    ) as error:  # fmt: skip
        said = " ".join(str(error).split())
        raise DamagedTableError(
            f"{path} is damaged ({type(error).__name__}: {said!r:.200}): take back what was changed in it, or install "
            "the collection again"
        ) from error
