# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections import Counter

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.order import block_order, seconds_left


def test_a_block_launches_each_active_cell_once():
    assert sorted(block_order(1, 3, {0, 2, 5})) == [0, 2, 5]


def test_the_order_can_be_had_again_and_differs_between_blocks_and_seeds():
    orders = [tuple(block_order(seed, block, range(6))) for seed in (1, 2) for block in (1, 2, 3)]
    assert orders == [tuple(block_order(seed, block, range(6))) for seed in (1, 2) for block in (1, 2, 3)]
    assert len(set(orders)) == 6


def test_every_cell_comes_first_equally_often():
    first = Counter(block_order(seed, 1, range(4))[0] for seed in range(4000))
    assert all(900 < first[cell] < 1100 for cell in range(4))


def test_the_time_left():
    assert seconds_left([[], []], [3, 3]) is None
    assert seconds_left([[10.0, 20.0], [4.0]], [1, 2]) == 15 + 8
    # A cell that has not run yet is taken for an average one.
    assert seconds_left([[10.0], []], [0, 2]) == 20
