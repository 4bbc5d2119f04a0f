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
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics, processors, published
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import View

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


QUALITY_TITLE = "## Published quality (not measured here)"

# What a working program can print. A percentile of the KLD may lie below 0: the reference's logits are rounded.
BOUNDS = {
    "ppl": (1, 1e3), "ppl_ratio": (0.9, 20), "ppl_difference": (0, 1e3), "kld_mean": (0, 10), "kld_median": (-1e-3, 10),
    "kld_p99": (0, 50), "top1_percent": (0, 100), "p_change_rms_percent": (0, 100),
}  # fmt: skip


@pytest.mark.parametrize("row", published.qualities(), ids=lambda row: f"{row.model}-{row.quantization}")
def test_figures_of_quality_name_their_source_and_can_be(row):
    assert row.source.title
    assert row.source.date is None or re.fullmatch(r"20\d\d-\d\d", row.source.date)
    assert row.text
    assert row.context is None or row.context > 0
    assert row.reference in ("F16", "BF16")
    assert lookup(row.plain).name == row.plain
    given = {name: getattr(row, name) for name in BOUNDS if getattr(row, name) is not None}
    assert "ppl_ratio" in given or {"ppl", "ppl_difference"} <= given.keys()
    for name, value in given.items():
        assert BOUNDS[name][0] <= value <= BOUNDS[name][1], name
        assert name not in metrics.REGISTRY or metrics.trouble(name, value) is None


@pytest.mark.parametrize("row", published.qualities(), ids=lambda row: f"{row.model}-{row.quantization}")
def test_ratio_and_difference_of_one_row_agree(row):
    if row.ppl is not None and row.ppl_difference is not None:
        assert row.ppl / (row.ppl - row.ppl_difference) == pytest.approx(row.ratio, abs=2e-6)


def test_no_figure_of_quality_is_published_twice():
    known = [(row.source, row.model, row.quantization) for row in published.qualities()]
    assert len(set(known)) == len(known) == 63


def test_figures_are_those_of_the_readme():
    rows = {(row.quantization, row.reference): row for row in published.quality("llama-3-8b")}
    medium = rows["Q4_K_M", "F16"]
    assert medium[6:] == (6.407115, 1.028160, 0.175482, 0.031273, None, None, 91.901, 5.519)
    assert (medium.source.date, medium.context) == ("2024-04", 512)
    with_imatrix = rows["Q4_K_M+imatrix", "F16"]
    assert (with_imatrix.ppl, with_imatrix.kld_mean, with_imatrix.plain) == (6.382937, 0.028152, "Q4_K_M")
    assert rows["Q4_0", "F16"].ppl_ratio is None
    assert rows["Q4_0", "F16"].ratio == pytest.approx(1.075183, abs=1e-6)
    assert rows["F16", "BF16"][6:] == (6.227711, 1.000404, 0.002517, 0.00002515, 0.000013, 0.000222, 99.739, 0.150)


@pytest.mark.parametrize(
    ("model", "nearest"),
    [
        ("llama-3-8b", "llama-3-8b"),
        ("llama-3.1-8b-synthetic", "llama-3-8b"),
        ("Meta-Llama-3.1-70B-Instruct", "llama-3-70b"),
        ("llama-3.2-1b", "llama-3-8b"),
        ("llama2-13b", "llama-2-7b"),
        ("smollm2-135m-instruct", "llama-3-8b"),
        ("qwen-2.5-72b", "llama-3-70b"),
        ("my-own", "llama-3-8b"),
    ],
)
def test_the_nearest_model_is_of_the_family_and_next_in_size(model, nearest):
    assert {row.model for row in published.quality(model)} == {nearest}


def test_the_page_of_a_run_that_measured_quality_has_what_is_published(monkeypatch):
    assert QUALITY_TITLE not in page(records())
    monkeypatch.setattr(View, "of_kind", lambda self, name: self.rows if name == "quality" else [])
    section = page(records()).partition(QUALITY_TITLE)[2].partition("\n## ")[0]
    head, _rule, *lines = [line for line in section.splitlines() if line.startswith("|")]
    assert [line.split("|")[1].strip() for line in lines] == [
        "F16", "F16", "Q8_0", "Q4_K_M+imatrix", "Q4_K_M", "Q4_0", "Q2_K+imatrix", "Q2_K",
    ]  # fmt: skip
    assert "KLD, 99 %" in head
    (mine,) = [line for line in lines if line.startswith("| Q4_0 ")]
    assert "| 6.7001 | 1.0752 | 0.07194 |" in mine
    assert (
        "| Wikitext-2, test, context 512 | llama.cpp PR 6936, tools/perplexity/README.md | 2024-04, llama.cpp" in mine
    )
    assert "Of llama-3.1-8b-synthetic itself none is known here" in section


def test_a_page_of_launches_that_failed_has_nothing_of_it(monkeypatch):
    monkeypatch.setattr(View, "of_kind", lambda self, name: [row._replace(launches=[]) for row in self.rows])
    assert QUALITY_TITLE not in page(records())
