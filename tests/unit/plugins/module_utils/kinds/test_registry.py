# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of tests, and what each stands for."""

from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.registry import WorkloadError, parse_test


@pytest.mark.parametrize(
    ("name", "fields", "kind", "headline"),
    [
        ("pp512", (512, 0, 0), "bench", "pp_tps"),
        ("tg128", (0, 128, 0), "bench", "tg_tps"),
        ("tg128@d4096", (0, 128, 4096), "bench", "tg_tps"),
        ("pp512@d64,load=none,repack=off", (512, 0, 64), "bench", "pp_tps"),
        ("serve128+64@c4", (128, 64, 0), "serve", "tpot_s"),
        ("serve128+64@r0.5", (128, 64, 0), "serve", "tpot_s"),
        ("batch1+1@c16", (1, 1, 0), "batch", "batched_tg_tps"),
        ("load", (0, 1, 0), "load", "load_warm_s"),
        ("greedy64", (64, 64, 0), "greedy", "greedy_first_difference"),
    ],
)
def test_a_name_says_what_is_measured(name, fields, kind, headline):
    cell = parse_test(name)
    assert cell["test"] == name
    assert registry.kind_of(cell).text({key: value for key, value in cell.items() if key != "test"}) == name
    assert (cell["n_prompt"], cell["n_gen"], cell["n_depth"]) == fields
    assert registry.kind_of(cell).name == kind
    assert registry.headline(cell) == headline
    assert headline in registry.headlines()


def test_options_are_there_only_where_the_name_has_them():
    assert set(parse_test("tg128")) == {"test", "n_prompt", "n_gen", "n_depth"}
    assert parse_test("tg128,repack=off")["repack"] is False
    assert parse_test("tg128,load=mmap")["load"] == "mmap"
    assert parse_test("serve1+2@c3")["concurrency"] == 3
    assert parse_test("serve1+2@r2")["rate"] == 2.0


@pytest.mark.parametrize(
    "name",
    ["", "pp", "pp0", "tg01", "pp512@d0", "xx1", "pp5.5", "pp512 ", "tg8,repack=on", "tg8,load=fast", ("tg8,load=none,"
     "load=mmap"), "serve128@c4", "serve128+64", "serve1+1@c0", "serve1+1@r0", "serve1+1@r.5", "batch1+1@r2", "loads",
     "pp99999999", "greedy", "greedy0", "greedy64x2", None, 512],
)  # fmt: skip
def test_what_says_nothing_is_refused_by_name(name):
    with pytest.raises(WorkloadError, match="is no test: write pp<tokens>") as error:
        parse_test(name)
    assert repr(name) in str(error.value)


def test_a_name_from_a_later_version_counts_as_one_of_llama_bench():
    assert registry.kind_of({"test": "quality", "n_prompt": 0}) is registry.BENCH


def test_only_llama_bench_is_held_to_one_per_cent():
    assert registry.kind_of(parse_test("pp8")).precision == 1.0
    assert {registry.kind_of(parse_test(name)).precision for name in ("load", "batch1+1@c1", "serve1+1@c1")} == {5.0}
