# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for a terminal: columns of text beside each other, by tabulate, without rules or a colour.

It imports nothing of the collection, so that every room may print by it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Literal

Alignment = Literal["left", "right"]
LEFT: Alignment = "left"
RIGHT: Alignment = "right"


class TableError(ValueError):
    """A table that cannot be made; the message says why and what to do."""


# The narrowest last column that text is wrapped into.
_NARROWEST = 24


def table(
    alignments: Sequence[Alignment],
    rows: Iterable[Sequence[str]],
    headers: Sequence[str] = (),
    width: int | None = None,
) -> list[str]:
    """Return `rows` as lines, a cell under the other, two spaces between columns and none at the end of a line.

    A cell is text: a figure is printed as it is written, and what would break its line becomes a space. With `width` no
    line is longer, as far as the columns before the last leave it room: the last is wrapped, below itself. Raises
    ValueError when a row has not a cell for each alignment.
    """
    lines = [list(row) for row in ([headers] if headers else []) + list(rows)]
    for line in lines:
        if len(line) != len(alignments):
            raise ValueError(f"a row of {len(line)} cells does not fit a table of {len(alignments)} columns")
    if not lines:
        return []
    # Here, so that whoever prints no table does not load it.
    try:
        from tabulate import tabulate
    except ImportError as error:
        raise TableError(f"{error}: a table needs tabulate; install requirements.txt of the collection") from error

    lines = [[" ".join(cell.split()) for cell in line] for line in lines]
    if width is not None:
        lines = _wrapped(lines, width)
    # Headers are a row like the others: tabulate would draw a rule below them or align them by itself.
    text = tabulate(
        lines,
        tablefmt="plain",
        colalign=alignments,
        disable_numparse=True,
    )
    return [line.rstrip() for line in text.split("\n")]


def _wrapped(lines: Sequence[list[str]], width: int) -> list[list[str]]:
    """Return the rows with what does not fit of their last cells in rows below, which are empty before it."""
    before = [max(len(cell) for cell in column) for column in list(zip(*lines, strict=True))[:-1]]
    room = max(width - sum(before) - 2 * len(before), _NARROWEST)
    wrapped: list[list[str]] = []
    for line in lines:
        first, *rest = textwrap.wrap(line[-1], room, break_on_hyphens=False) or [""]
        wrapped.append([*line[:-1], first])
        wrapped += [[*([""] * len(before)), text] for text in rest]
    return wrapped
