# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second copy of a cell says how much a difference has to be."""

from __future__ import annotations

from support.records.real_run import launches, page, section, steady


def test_the_second_copy_of_a_cell_is_the_noise_and_no_row(real):
    every = [
        *steady(real),
        *launches(real, "tg128", [100.0, 101.0, 99.0, 100.0, 101.0, 99.0]),
        *launches(real, "tg128", [100.1, 101.2, 99.1, 100.1, 101.0, 99.2], purpose="twin"),
    ]
    text = page(every)
    assert "was measured twice in the same blocks" in section(text, "Noise floor")
    assert "1.0012 times as fast" in section(text, "Noise floor")
    assert section(text, "Throughput").count("| tg128 |") == 1
