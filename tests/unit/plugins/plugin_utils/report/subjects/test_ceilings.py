# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompts and generation are held against what the machine was measured to do."""

from __future__ import annotations

import pytest
from support.records.real_run import page, section

CEILINGS = "Memory bandwidth and arithmetic"


def test_prompts_are_held_against_the_arithmetic_where_that_was_measured(real):
    assert "Share of" not in section(page(real), CEILINGS)
    assert "32-bit FMA |" not in section(page(real), CEILINGS)
    for one in real:
        if one["kind"] == "bandwidth":
            one["payload"]["fma_gflops"] = {"best": 300.0, "median": 290.0, "samples": [290.0, 300.0, 280.0]}
    # 2 x 1.24e9 weights for each of some hundred tokens a second.
    (line,) = [line for line in section(page(real), CEILINGS).splitlines() if line.startswith("| pp512")]
    rate, top, share = (float(cell.strip().rstrip(" %\u00a0")) for cell in line.strip("|").split("|")[1:])
    assert top == 300
    assert share == pytest.approx(100 * rate / 300, rel=0.01)
