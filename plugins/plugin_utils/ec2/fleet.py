# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many of the instances that were asked for are there, row by row, and whether that is enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple


class Verdict(NamedTuple):
    """What there is of a row of the plan: `there` of `asked` instances, of which `least` are enough."""

    row: int
    type: str
    there: int
    asked: int
    least: int

    @property
    def enough(self) -> bool:
        """Whether the run may go on with what there is."""
        return self.least <= self.there <= self.asked

    @property
    def fewer(self) -> bool:
        """Whether there are fewer than were asked for."""
        return self.there < self.asked

    def record(self) -> dict[str, int]:
        """Return what a run record has of it, nothing where there are as many as were asked for."""
        return {"asked": self.asked, "enough": self.least, "there": self.there} if self.fewer else {}

    @property
    def words(self) -> str:
        """The verdict in a sentence without its end: row 0 (c7g.large): 15 of the 20 instances asked for ..."""
        least = f", and count_min says that {self.least} are enough" if self.least < self.asked else ""
        return f"row {self.row} ({self.type}): {self.there} of the {self.asked} instances asked for{least}"


def verdicts(rows: Iterable[Mapping[str, Any]], indexes: Iterable[Any]) -> list[Verdict]:
    """Return the verdict on each row of a plan; `indexes`: the row of each instance that is there, as it is tagged."""
    there = Counter(str(index) for index in indexes)
    return [
        Verdict(row["index"], row["type"], there[str(row["index"])], row["count"], row.get("count_min", row["count"]))
        for row in rows
    ]


def whole(rows: Sequence[Mapping[str, Any]], indexes: Iterable[Any]) -> dict[str, Any]:
    """Return whether a fleet is what its plan asks for: `enough`, and `words`, what is there in one sentence.

    Of a plan without rows there is nothing, and that is not enough.
    """
    of_rows = verdicts(rows, indexes)
    there, asked = sum(row.there for row in of_rows), sum(row.asked for row in of_rows)
    enough = bool(of_rows) and all(row.enough for row in of_rows)
    told = "; ".join(row.words for row in of_rows if row.fewer and (row.enough or len(of_rows) > 1))
    return {"enough": enough, "words": f"{there} of {asked} instances{f' ({told})' if told else ''}"}
