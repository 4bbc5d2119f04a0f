# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for a terminal: what stands where, and what a cell may hold."""

from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.table import LEFT, RIGHT, table


def test_columns_stand_below_each_other_and_no_line_ends_in_spaces() -> None:
    rows = [["1", "c8g.4xlarge", ""], ["12", "m7i", "0.6381"]]
    assert table([RIGHT, LEFT, RIGHT], rows, ["row", "instances", "USD"]) == [
        "row  instances       USD",
        "  1  c8g.4xlarge",
        " 12  m7i          0.6381",
    ]


def test_a_figure_is_printed_as_it_is_written() -> None:
    assert table([RIGHT], [["1.50"], ["1e3"], ["0010"], ["-0"], ["1,000"], ["nan"]]) == [
        " 1.50",
        "  1e3",
        " 0010",
        "   -0",
        "1,000",
        "  nan",
    ]


def test_a_row_stays_a_line() -> None:
    assert table([LEFT, LEFT], [["a\nb\r\n c", "d"], ["", ""]]) == ["a b c  d", ""]


def test_what_is_too_long_for_a_width_is_wrapped_below_itself() -> None:
    rows = [["slower", "a-word-of-" + "x" * 30 + " and some words more"], ["equal", "short"]]
    assert table([LEFT, LEFT], rows, width=36) == [
        "slower  a-word-of-xxxxxxxxxxxxxxxxxx",
        "        xxxxxxxxxxxx and some words",
        "        more",
        "equal   short",
    ]
    assert max(map(len, table([LEFT, LEFT], [["x" * 40, "word " * 20]], width=50))) == 40 + 2 + 24


def test_no_row_is_no_line() -> None:
    assert table([LEFT], []) == []


def test_a_row_must_fit_its_table() -> None:
    with pytest.raises(ValueError, match="a row of 2 cells does not fit a table of 1 columns"):
        table([LEFT], [["a", "b"]])
