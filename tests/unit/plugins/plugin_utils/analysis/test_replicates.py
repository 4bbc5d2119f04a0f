# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances of one type pooled, and the table of them on the page of a model."""

from __future__ import annotations

from typing import Any

import pytest
from support.records import side_by_side

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import mean_interval
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import replicates
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.replicates import Pooled, Replicate
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages


def machine(kind: str, number: int, factor: float, emulated: bool = False) -> list[dict[str, Any]]:
    """The records of one instance of a type, whose figures are so many times those of the fixture."""
    (one,) = side_by_side.COMBINATIONS[:1]
    payload = next(r["payload"] for r in side_by_side.records((one,)) if r["kind"] == "machine")
    name = f"test-{kind.replace('.', '-')}" + (f"-{number}" if number > 1 else "")
    instance = {**(payload["instance"] or {}), "type": kind, "id": f"i-{number}"}
    made = {**payload, "name": name, "instance": instance, "emulated": emulated}
    scaled = one._replace(pp512=one.pp512 * factor, tg128=one.tg128 * factor)
    return side_by_side.records((scaled,), machine=made)


def page(*given: list[dict[str, Any]]) -> str:
    return pages.render([record for records in given for record in records])[f"models/{side_by_side.MODEL}.md"]


def lines(text: str) -> list[list[str]]:
    section = text.partition("## Types of instances\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_three_instances_of_a_type_have_a_place_and_two_have_none():
    fast = [machine("c9g.large", number, 2.0 + number / 100) for number in (1, 2, 3)]
    slow = [machine("c8g.large", number, 1.0 + number / 100) for number in (1, 2, 3)]
    few = [machine("c7g.large", number, 4.0) for number in (1, 2)]
    generation = [line for line in lines(page(*fast, *slow, *few)) if line[2] == "tg128"]
    assert [(line[0], line[-1]) for line in generation] == [
        ("c9g.large", "1"), ("c8g.large", "2"), ("c7g.large", "too few"),
    ]  # fmt: skip
    # 1.01 to 1.03 times the figure of the fixture: 2 % of the mean.
    assert generation[1][5] == "2.0 %"
    assert generation[1][3].count("](../test-c8g-large") == 3


def test_types_whose_intervals_overlap_share_a_place():
    first = [machine("c9g.large", number, 1.0 + number / 10) for number in (1, 2, 3)]
    second = [machine("c8g.large", number, 1.02 + number / 10) for number in (1, 2, 3)]
    assert {line[-1] for line in lines(page(*first, *second)) if line[2] == "tg128"} == {"1"}


@pytest.mark.parametrize(
    "given",
    [
        [machine("c8g.large", 1, 1.0), machine("c9g.large", 1, 1.0)],
        [machine("c8g.large", 1, 1.0, emulated=True), machine("c8g.large", 2, 1.0, emulated=True)],
    ],
    ids=["one of each type", "emulated"],
)
def test_without_two_real_machines_of_a_type_nothing_is_pooled(given):
    assert "Types of instances" not in page(*given)


def test_places_are_among_figures_of_one_cell():
    def group(kind: str, what: str, *values: float) -> Pooled:
        members = [Replicate(None, None)] * len(values)  # type: ignore[arg-type]
        return Pooled(kind, "tg_tps", (what,), members, mean_interval(values), 0.0)

    fast, slow = group("a", "Q4_0", 10, 10.1, 10.2), group("b", "Q4_0", 5, 5.1, 5.2)
    assert replicates.apart(fast, slow)
    assert not replicates.apart(fast, group("b", "Q8_0", 5, 5.1, 5.2))
    assert not replicates.apart(fast, group("b", "Q4_0", 5, 5.1))
    assert not replicates.apart(fast, group("b", "Q4_0", 5, 10, 15))
