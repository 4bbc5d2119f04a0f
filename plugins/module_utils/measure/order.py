# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order the cells of a run are launched.

Randomised complete blocks: every block launches each active cell once, in an order of its own, so that a drift
of the machine falls on all cells alike (D. C. Montgomery, Design and Analysis of Experiments, chapter 4).
"""

from __future__ import annotations

import random
from typing import Iterable, List, Optional


def block_order(seed: int, block: int, active: Iterable[int]) -> List[int]:
    """Return the indices of the `active` cells in the order in which `block` (1, 2, ...) launches them.

    A function of its arguments alone: a run that is taken up again finds the same order.
    """
    order = sorted(active)
    random.Random("%d/%d" % (seed, block)).shuffle(order)
    return order


def seconds_left(walls: List[List[float]], wanted: List[int]) -> Optional[float]:
    """Return the expected seconds of the launches still wanted, or None while nothing has been measured.

    `walls[i]` holds the wall seconds of cell i's launches so far, `wanted[i]` how many more it is to get. A cell
    that has not run yet is expected to take as long as the mean of those that have.
    """
    means = [sum(w) / len(w) if w else None for w in walls]
    known = [mean for mean in means if mean is not None]
    if not known:
        return None
    typical = sum(known) / len(known)
    return sum(more * (typical if mean is None else mean) for mean, more in zip(means, wanted))
