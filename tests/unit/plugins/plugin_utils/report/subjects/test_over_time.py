# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was sampled while launches ran: lines of values, and samples that hold little."""

from __future__ import annotations

import pytest
from support.records.real_run import page

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects import over_time
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.over_time import busy, sparkline


@pytest.mark.parametrize(
    ("values", "top", "line"),
    [
        ([0.0, 50.0, 100.0], 100.0, "▁▅█"),
        ([None, 200.0, -1.0], 100.0, " █▁"),
        ([], 100.0, ""),
        ([1.0], 0.0, "▁"),
    ],
)
def test_a_line_of_values(values, top, line):
    assert sparkline(values, top) == line


def test_a_long_line_is_put_together():
    assert len(sparkline([float(value) for value in range(1000)], 1000.0)) == over_time.WIDTH
    assert sparkline([None] * 61, 1.0) == " " * 60


@pytest.mark.parametrize(
    "spoil",
    [
        {"time_s": [], "idle": None, "user": None, "system": None, "iowait": None, "steal": None, "cores": None},
        {"cores": [None, []], "rss_bytes": None, "anon_bytes": None},
        {"idle": [50.0], "iowait": None},
    ],
)
def test_samples_that_hold_nothing_break_no_page(real, spoil):
    for one in real:
        if one["kind"] == "samples":
            one["payload"].update(spoil)
    assert "## CPU use" in page(real)


@pytest.mark.parametrize(
    ("samples", "shares"),
    [
        ({"time_s": [1, 2, 3], "idle": [10.0, None, 30.0], "iowait": [5.0, 5.0, None]}, [85.0, None, 70.0]),
        ({"time_s": [1, 2], "idle": [10.0, 101.0], "iowait": None}, [90.0, 0.0]),
        ({"time_s": [1, 2], "idle": [10.0], "iowait": None}, [90.0, None]),
        ({"time_s": [1, 2], "idle": None}, [None, None]),
        ({"time_s": [], "idle": []}, []),
    ],
)
def test_how_busy_all_processors_were(samples, shares):
    assert busy(samples) == shares
