# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others have published: the table, and where it stands on a page."""

from __future__ import annotations

import re

import pytest
from support.records.side_by_side import PAGE, as_variant, records

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import lookup
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors, published
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages

TITLE = "## Published figures"


@pytest.mark.parametrize("row", published.table(), ids=lambda row: f"{row.instance}-{row.quantization}-{row.test}")
def test_a_row_names_what_there_is(row):
    assert processors.instance_type(row.instance).name == row.instance
    assert lookup(row.quantization)
    assert row.test == "tg" or registry.parse_test(row.test)
    assert 0 < row.tps < 1000
    assert row.source.title
    assert row.source.date is None or re.fullmatch(r"20\d\d-\d\d", row.source.date)


def test_nothing_is_published_twice():
    known = [row._replace(tps=0.0) for row in published.table()]
    assert len(set(known)) == len(known)


def test_weights_with_random_values_are_the_model():
    found = published.of("c7g.16xlarge", "llama-3.1-8b-synthetic", "Q4_0")
    assert found == published.of("c7g.16xlarge", "llama-3.1-8b", "Q4_0")
    assert [row.tps for row in found] == [285.79, 43.43]
    assert published.of("c7g.16xlarge", "llama-3.2-1b", "Q4_0") == []
    assert published.of("c7g.2xlarge", "llama-3.1-8b", "Q4_0") == []


def test_a_variant_stands_beside_the_defaults_of_the_same_machine():
    ((default, without),) = published.of_variant("c7g.16xlarge", "fa=off")
    assert (default.tps, without.tps, without.instance) == (397.9, 615.4, "c7g.4xlarge")
    assert published.of_variant("c7i.16xlarge", "fa=off") == []
    assert published.of_variant("c7g.16xlarge", "fa=on") == []


def test_the_page_side_by_side_says_what_is_published_of_a_variant():
    text = pages.render(as_variant(records(), "no-repack", "fa=off"))[PAGE]
    assert "Published, not measured here: fa=off on c7g.4xlarge gave 615.4 token/s" in text
    assert "1.55 times" in text
    assert "Published, not measured here" not in pages.render(records())[PAGE]


def page(every: list[dict]) -> str:
    return pages.render(every)[PAGE.replace("README.md", "q4.md")]


def test_a_run_stands_beside_what_was_published_and_says_what_differs():
    text = page(records())
    section = text.partition(TITLE)[2].partition("\n## ")[0]
    (line,) = [line for line in section.splitlines() if "| tg |" in line]
    assert "| 43.43 |" in line
    assert re.search(r"\| \d\.\d\dx \|", line)
    assert "llama.cpp 0c1e57098 here" in line
    assert "no such test was measured here" in section


def test_another_machine_and_an_emulated_one_stand_beside_nothing():
    for change in ({"instance": None}, {"emulated": True}):
        every = records()
        for one in every:
            if one["kind"] == "machine":
                one["payload"].update(change)
        assert TITLE not in page(every)
