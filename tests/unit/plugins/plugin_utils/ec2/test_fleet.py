# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there are enough instances."""

from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import fleet

TWENTY = {"index": 0, "type": "c7g.large", "count": 20, "count_min": 15}
ASKED = " instances asked for"
ENOUGH = " instances asked for, and count_min says that 15 are enough"
ONE = {"index": 1, "type": "m7g.large", "count": 1}


@pytest.mark.parametrize(
    ("rows", "there", "enough", "words"),
    [
        ([TWENTY], ["0"] * 20, True, "20 of 20 instances"),
        (
            [TWENTY], ["0"] * 15, True,
            f"15 of 20 instances (row 0 (c7g.large): 15 of the 20{ENOUGH})",
        ),
        ([TWENTY], ["0"] * 14, False, "14 of 20 instances"),
        ([ONE], ["1"], True, "1 of 1 instances"),
        ([ONE], [], False, "0 of 1 instances"),
        # As many as are enough together, and too few of one row.
        (
            [TWENTY, ONE], ["0"] * 16, False,
            f"16 of 21 instances (row 0 (c7g.large): 16 of the 20{ENOUGH}; row 1 (m7g.large): 0 of the 1{ASKED})",
        ),
        ([TWENTY], ["0"] * 21, False, "21 of 20 instances"),
        ([], [], False, "0 of 0 instances"),
    ],
)  # fmt: skip
def test_a_fleet_is_enough_when_each_row_is(rows, there, enough, words):
    assert fleet.whole(rows, there) == {"enough": enough, "words": words}
