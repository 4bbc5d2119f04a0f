# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What launches are expected to take, and what a time limit has room for."""

from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import time_budget

KNOWN = time_budget.Reference(pp_tps=100.0, tg_tps=10.0, bytes=1e9, overhead_s=1.0)


def job(test: str, size: float = 1e9) -> Job:
    cell = {"model": "m", "quantization": "Q4_0", "build": "default", "threads": 2, **registry.parse_test(test)}
    return Job(cell, "bin", "m.gguf", {"id": "b"}, {"id": "m", "bytes": size})


@pytest.mark.parametrize(
    ("test", "seconds"),
    [
        ("pp100", 1 + 3 * 1.0),
        ("tg10", 1 + 2 * 1.0),
        ("tg10@d100", 1 + 3 * 1.0 + 2 * 1.0),
        ("load", 2 * 8 + 3 * 1.0 + 2 * 0.1),
        ("batch100+10@c4", 1 + 4 * 1.0 + 2 * 1.0),
        ("serve100+10@c1", 1 + 5 * (1.0 + 1.0)),
        ("serve100+10@c4", 1 + 5 * (4.0 + 2.0)),
        ("serve100+10@r0.1", 1 + 4 * 40),
    ],
)
def test_a_launch_takes_what_its_tokens_take(test, seconds):
    assert time_budget.launch_seconds(job(test), KNOWN, LaunchSettings(repetitions=2)) == pytest.approx(seconds)


def test_a_larger_model_takes_longer_in_proportion():
    small, large = (
        time_budget.launch_seconds(job("tg10", size), KNOWN, LaunchSettings(repetitions=2)) for size in (1e9, 8e9)
    )
    assert large == pytest.approx(8 * small)


def test_what_comes_last_is_left_out_first_and_what_fits_stays():
    assert time_budget.omit([10, 20, 30, 1], launches=6, limit=200) == ([2], 186)
    assert time_budget.omit([10, 20], launches=6, limit=1000) == ([], 180)
    assert time_budget.omit([10, 20], launches=6, limit=0) == ([0, 1], 0)
    # What costs nothing any more, because it failed or was launched before, always stays.
    assert time_budget.omit([0.0], launches=6, limit=0) == ([], 0)


def test_an_omission_names_both_times_and_the_remedy():
    told = time_budget.omission(job("pp512"), seconds=100, launches=6, limit=300)
    assert told["cell"]["test"] == "pp512"
    assert told["cause"] == "6 launches of it take about 10 min, for which the time limit of 5 min has no room left"
    assert "llama_bench_minutes" in told["advice"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (89, "1 min 29 s"), (200, "3 min 20 s"),
        (3599.6, "1 h"), (5400, "1 h 30 min"), (7530, "2 h 5 min"), (90000, "25 h"),
    ],
)  # fmt: skip
def test_duration(seconds, text):
    assert time_budget.duration(seconds) == text


def test_the_ladder_is_the_reference():
    def metrics(name: str, speed: float, wall: float) -> dict:
        return {name: {"value": speed}, "wall_s": {"value": wall}}

    figures = {"pp_tps": [metrics("pp_tps", 128.0, 3.0)], "tg_tps": [metrics("tg_tps", 32.0, 3.0)]}
    known = time_budget.reference(figures, 7e8)
    assert known == time_budget.Reference(128.0, 32.0, 7e8, pytest.approx((1.0 + 2.0) / 2))
    assert time_budget.reference({"pp_tps": [], "tg_tps": figures["tg_tps"]}, 7e8) is None
