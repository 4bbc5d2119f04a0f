# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes of a token and the share of the memory bandwidth they take."""

from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.registry import parse_test
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import roofline
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.roofline import Ceiling

EIGHT = {"name": "llama-3.1-8b-synthetic", "bytes": 4_652_990_000}
ONE = {"name": "llama-3.2-1b-synthetic", "bytes": 703_000_000}


def test_the_table_of_embeddings_is_only_looked_up():
    # 4.357 of 4.652 GB, counted tensor by tensor from the file; its output matrix has more bits than the table.
    assert roofline.weight_bytes(EIGHT) == pytest.approx(4.357e9, rel=0.003)
    # A tied table is the output matrix too.
    assert roofline.weight_bytes(ONE) == 703_000_000


def test_the_context_is_read_as_well():
    assert roofline.kv_bytes(EIGHT, {"n_depth": 1, "n_gen": 0}) == 131072
    cell = parse_test("tg128@d4096")
    assert roofline.token_bytes(EIGHT, cell) == pytest.approx(roofline.weight_bytes(EIGHT) + 131072 * (4096 + 64))


def rate(threads: int, best: float) -> dict:
    return {"threads": threads, "read_gb_s": {"best": best}}


def test_the_ceiling_is_that_of_the_same_threads():
    rates = [rate(1, 10.0), rate(2, 18.0), rate(2, 19.0), rate(4, 15.0)]
    assert roofline.ceiling(rates, 2) == Ceiling(19.0, 2)
    assert roofline.ceiling(rates, 4) == Ceiling(15.0, 4)
    assert roofline.ceiling(rates, 3) == Ceiling(19.0, 2)
    assert roofline.ceiling([], 1) is None


def test_a_share_of_the_ceiling():
    cell = parse_test("tg128")
    share = roofline.bandwidth_share(ONE, cell, 10.0, Ceiling(14.06, 2))
    assert share == pytest.approx(50.0, rel=0.01)
    unknown = {"name": "mine", "bytes": 1}
    for model, speed, top in ((unknown, 1.0, Ceiling(1.0, 1)), (ONE, None, Ceiling(1.0, 1)), (ONE, 1.0, None)):
        assert roofline.bandwidth_share(model, cell, speed, top) is None


def test_the_arithmetic_is_that_of_the_same_threads():
    rates = [{**rate(1, 10.0), "fma_gflops": {"best": 100.0}}, {**rate(2, 10.0), "fma_gflops": None}, rate(4, 9.0)]
    assert roofline.arithmetic(rates, 1) == 100.0
    assert [roofline.arithmetic(rates, threads) for threads in (2, 3, 4)] == [None, None, None]


def test_a_prompt_is_two_operations_for_each_weight_and_token():
    assert roofline.prompt_gflops(EIGHT, parse_test("pp512"), 1.0) == pytest.approx(2 * 7.505, rel=0.01)
    assert roofline.prompt_gflops(EIGHT, parse_test("tg128"), 1.0) is None


def test_what_the_bandwidth_allows_is_the_whole_of_it():
    cell = parse_test("tg128")
    allowed = roofline.allowed_tps(ONE, cell, Ceiling(14.06, 2))
    assert roofline.bandwidth_share(ONE, cell, allowed, Ceiling(14.06, 2)) == pytest.approx(100)
    assert roofline.allowed_tps(ONE, cell, None) is None
    assert roofline.allowed_tps({"name": "mine", "bytes": 1}, cell, Ceiling(1.0, 1)) is None


def test_the_intensity_of_a_prompt_is_that_of_the_tokens_computed_at_once():
    short, usual, long = (roofline.intensity(ONE, parse_test(test)) for test in ("pp128", "pp512", "pp2048"))
    assert usual == pytest.approx(4 * short) == long
    generated = roofline.intensity(ONE, parse_test("tg128"))
    assert generated == pytest.approx(usual / 512, rel=0.01)
    assert roofline.intensity({"name": "mine", "bytes": 1}, parse_test("pp512")) is None


def test_a_share_of_the_arithmetic():
    assert roofline.arithmetic_share(150.0, 300.0) == 50.0
    assert roofline.arithmetic_share(None, 300.0) is None
    assert roofline.arithmetic_share(1.0, None) is None
