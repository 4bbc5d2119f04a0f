# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cell is measured for, beside being asked for, and how its threads are left open."""

from __future__ import annotations

from typing import Any, Mapping, Optional

# A rung of the thread ladder, and the second copy of a cell whose ratio to the first is the noise of the machine.
LADDER, TWIN = "ladder", "twin"
# A side of a duet that came to nothing.
DUET = "duet"
# The thread count of a cell that leaves it to the thread ladder of its run.
BY_LADDER = 0
# What a search for the best configuration tries has this before the word for its objective: "tune prompts".
_TUNE = "tune "


def tune_purpose(objective: str) -> str:
    """Return the purpose of a cell that is tried for an objective of a search."""
    return _TUNE + objective


def tuned_for(cell: Optional[Mapping[str, Any]]) -> str:
    """Return the objective for which a search tries a cell, "" for any other cell and for none."""
    purpose = str((cell or {}).get("purpose") or "")
    return purpose[len(_TUNE) :] if purpose.startswith(_TUNE) else ""
