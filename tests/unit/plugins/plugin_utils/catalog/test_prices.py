# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table against the source it was made from."""

from __future__ import annotations

import csv
import re
from decimal import Decimal
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices, processors

FIXTURE = Path(__file__).resolve().parents[4] / "fixtures" / "prices" / "ec2-linux.csv"


@pytest.fixture(scope="module")
def source():
    """(type, region) -> price."""
    with FIXTURE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        (row["type"], region): Decimal(text)
        for row in rows
        for region, text in row.items()
        if text and region != "type" and not row["type"].startswith("g5g.")
    }


def test_every_price_of_the_source_is_the_one_of_the_table_or_that_of_dedicated_tenancy(source):
    cheaper, dearer, same = [], [], {}
    for (name, region), usd in source.items():
        mine = prices.on_demand(name, region).usd
        assert mine is not None, (name, region)
        family = name.partition(".")[0]
        # The source has up to 5 decimals, the table 3 or 4: one unit of the last.
        if abs(usd - mine) <= Decimal(1).scaleb(mine.as_tuple().exponent):
            same[region, family] = same.get((region, family), 0) + 1
        elif Decimal("1.05") < usd / mine < Decimal("1.11"):
            dearer.append((name, region))
        else:
            cheaper.append((name, region, usd, mine))
    assert cheaper == []
    # Each family of each region has a size of which the source says the same.
    assert same.keys() == {(region, name.partition(".")[0]) for name, region in source}
    assert (sum(same.values()), len(dearer)) == (8055, 1629)


def test_the_table_has_nothing_that_the_source_does_not_have(source):
    known = {(region, name.partition(".")[0]) for name, region in source}
    for name in processors.instance_types():
        for region in prices.regions():
            if (region, name.partition(".")[0]) not in known:
                assert prices.on_demand(name, region) == (None, "", ""), (name, region)


# Quoted elsewhere: the default run's type, and the pages of the types by AWS.
@pytest.mark.parametrize(
    ("name", "region", "usd"),
    [
        ("c7g.16xlarge", "us-east-1", "2.3200"),
        ("c8g.4xlarge", "us-east-1", "0.6381"),
        ("c8g.24xlarge", "us-east-1", "3.8285"),
        ("m7a.16xlarge", "us-east-1", "3.7094"),
        ("m7g.16xlarge", "us-east-1", "2.6112"),
        ("c7i.12xlarge", "us-east-1", "2.1420"),
        ("t4g.nano", "us-east-1", "0.0042"),
        ("t4g.2xlarge", "us-east-1", "0.2688"),
        ("hpc7g.4xlarge", "us-east-1", "1.6832"),
        ("hpc7g.16xlarge", "us-east-1", "1.6832"),
    ],
)
def test_known_prices(name, region, usd):
    price = prices.on_demand(name, region)
    assert price.usd == Decimal(usd)
    assert price.date == "2025-03-02"
    assert "Libcloud 3.9.1" in price.source


@pytest.mark.parametrize(
    ("name", "region"),
    [("c9g.large", "us-east-1"), ("c7g.large", "us-mars-1"), ("c7g.77xlarge", "us-east-1"), ("nonsense", "us-east-1")],
)
def test_what_is_unknown_is_not_guessed(name, region):
    assert prices.on_demand(name, region).usd is None


def test_storage_and_address():
    assert prices.storage("eu-central-1") == (
        Decimal("0.0952"),
        "aws.amazon.com/ebs/pricing as a public application quotes it",
        "2021-07-14",
    )
    assert prices.storage("us-mars-1").usd is None
    assert prices.address()[0::2] == (Decimal("0.005"), "2024-02-01")


def test_prices_that_a_person_gives():
    assert prices.given({"c9g.large": 0.09, "c8i.large": "0.08"}) == {
        "c9g.large": Decimal("0.09"),
        "c8i.large": Decimal("0.08"),
    }
    for value in (0, -1, "cheap", True, "NaN", "Infinity", None):
        with pytest.raises(prices.PriceError, match=f"the price of c9g.large is USD an hour.*{re.escape(repr(value))}"):
            prices.given({"c9g.large": value})
