# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole number of somebody else is one as the kernel writes it, or none."""

from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.record.digits import whole


@pytest.mark.parametrize(("word", "number"), [("0", 0), ("12", 12), ("9223372036854771712", 9223372036854771712)])
def test_what_the_kernel_writes_is_a_number(word: str, number: int) -> None:
    assert whole(word) == number


@pytest.mark.parametrize("word", [None, "", "max", "-1", "+1", "1.5", "1_000", "²", "٣", "1\n", "9" * 20, "9" * 5000])
def test_whatever_else_stands_there_is_none(word: str | None) -> None:
    assert whole(word) is None
