# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Percentiles are of enough requests, and what one user feels stands on the index."""

from __future__ import annotations

import copy
import re

import pytest
from support.records.real_run import of, page, section

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.latency import percentile

FELT = "Latency, load time and cost"


@pytest.mark.parametrize(
    ("percent", "least"), [(50, 1), (90, 10), (95, 200), (99, 1000)]
)  # fmt: skip
def test_a_percentile_needs_its_number_of_values(percent, least):
    assert percentile([1.0] * (least - 1), percent) is None
    assert percentile([1.0] * least, percent) == 1.0


def test_percentiles_are_of_the_nearest_rank():
    values = [float(value) for value in range(1, 11)]
    assert percentile(values, 50) == 5.0
    assert percentile(values, 90) == 9.0


def test_a_server_without_a_good_request_breaks_no_page(real):
    for one in real:
        if one["kind"] == "launch":
            one["payload"].pop("requests", None)
            one["payload"].pop("slo", None)
    text = section(page(real), "Latency")
    assert "N/A" in text
    assert "the latency targets" in text


def of_model(made):
    """Return the page of the one model."""
    (text,) = (text for path, text in made.items() if path.startswith("models/"))
    return text


def test_the_page_of_a_model_says_what_one_user_feels(real):
    index = of_model(pages.render(real))
    (line,) = [line for line in section(index, FELT).splitlines() if "tiny-synthetic" in line or "llama-3" in line]
    assert "1 user, 128 tokens in, 64 out" in line
    assert line.count("\u00a0s |") == 2
    assert "USD" not in section(index, FELT)
    for one in real:
        if one["kind"] == "machine":
            one["payload"]["instance"] = {"type": "c7i.16xlarge", "zone": "us-east-1a"}
    assert "USD per million, prompt" in section(of_model(pages.render(real)), FELT)


def test_the_first_token_is_one_number_with_its_statistic_everywhere(real):
    """The median of each launch; a percentile over all requests would be another number under the same name."""
    for one in real:
        if "ttft_s" in one["payload"].get("metrics", {}):
            one["payload"]["metrics"]["ttft_s"]["value"] = 0.7654321
    made = pages.render(real)
    told = section(of_model(made), FELT)
    assert "| First token, median ms | Per token, median ms |" in told
    assert "| 765.4 |" in told
    latency = section(page(real), "Latency")
    assert "| First token ms |" in latency
    assert "median\u00a0765.4" in latency
    assert "p50" not in latency
    (figure,) = [figure for figure in made.figures if figure.path.endswith("q4-latency")]
    assert "first token, median, ms 765.4" in figure.alt


# Tables of which each line is a thing of its own.
FACTS = ("| Machine |", "| Build |", "| Model |", "| Figure |", "| Memory |")


def test_no_column_mixes_units(real):
    for path, text in pages.render(real).items():
        for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
            lines = table.splitlines()
            if lines[0].startswith(FACTS) and lines[0].count("|") == 3:
                continue
            for column in zip(*(line.strip("|").split(" | ") for line in (lines[0], *lines[2:])), strict=True):
                figures = [re.findall(r"[0-9][0-9.,]*\u00a0(ms|s|KiB|MiB|GiB|TiB)\b", cell) for cell in column]
                sizes = {unit for cell in figures for unit in cell if unit.endswith("B")}
                times = {unit for cell in figures for unit in cell if not unit.endswith("B")}
                assert len(sizes) <= 1, (path, column)
                assert len(times) <= 1, (path, column)


def test_what_comes_at_a_rate_says_at_which_rate_it_was_answered(real):
    assert "answered" not in section(page(real), "Latency")
    served = copy.deepcopy(of(real, "launch", "serve128+64@c1"))
    cell = served["payload"]["cell"]
    cell.update(test="serve128+64@r0.5", rate=0.5)
    del cell["concurrency"]
    served["payload"]["metrics"]["request_rate"]["value"] = 0.4321
    served["payload"]["metrics"]["duration_s"]["value"] = 98.76
    latency = section(page([*real, served]), "Latency")
    assert "0.5000 requests/s, Poisson" in latency
    assert "answered: 0.4321/s over 98.76\u00a0s" in latency
