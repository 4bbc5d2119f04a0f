# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table against the sources it was made from, and a person's own before it."""

from __future__ import annotations

import csv
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices, processors

FIXTURES = Path(__file__).resolve().parents[4] / "fixtures" / "prices"


def rows_of(name: str) -> list[dict[str, str]]:
    with (FIXTURES / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def source():
    """(type, region) -> price; what the newer source has is not read any more."""
    newer = {row["type"] for row in rows_of("ec2-us-east-1.csv")}
    return {
        (row["type"], region): Decimal(text)
        for row in rows_of("ec2-linux.csv")
        for region, text in row.items()
        if text and region != "type" and not row["type"].startswith("g5g.")
        if region != "us-east-1" or row["type"] not in newer
    }


def test_every_price_of_the_newest_source_is_the_one_of_the_table_or_that_of_dedicated_tenancy():
    dearer = []
    for row in rows_of("ec2-us-east-1.csv"):
        price, usd = prices.on_demand(row["type"], "us-east-1"), Decimal(row["usd"])
        assert price.usd is not None, row
        assert price[1:] == ("karpenter-provider-aws, zz_generated.pricing_aws.go", "2026-07-20")
        # One unit of the last digit of the one that has fewer, and that is the third at least.
        digits = max(min(number.as_tuple().exponent, -3) for number in (usd, price.usd))
        if abs(price.usd - usd) > Decimal(1).scaleb(digits):
            assert ".metal" in row["type"], (row, price.usd)
            assert Decimal("1.05") < usd / price.usd < Decimal("2.13"), (row, price.usd)
            dearer.append(row["type"])
    assert len(dearer) == 59


def test_the_sources_stand_from_the_newest_to_the_oldest():
    newest = [prices.shipped("c7g.large", region).date for region in ("us-east-1", "us-west-2")]
    assert newest == ["2026-07-20", "2025-03-02"]


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
    assert (sum(same.values()), len(dearer)) == (9100, 1785)


def test_the_table_has_nothing_that_the_source_does_not_have(source):
    known = {(region, name.partition(".")[0]) for name, region in source}
    known |= {("us-east-1", row["type"].partition(".")[0]) for row in rows_of("ec2-us-east-1.csv")}
    for name in processors.instance_types():
        for region in prices.regions():
            if (region, name.partition(".")[0]) not in known:
                assert prices.on_demand(name, region) == (None, "", ""), (name, region)


# Quoted elsewhere: the default run's type, and the pages of the types by AWS.
@pytest.mark.parametrize(
    ("name", "region", "usd"),
    [
        ("c7g.16xlarge", "us-east-1", "2.3200"),
        ("c8g.4xlarge", "us-east-1", "0.63808"),
        ("c8g.24xlarge", "us-east-1", "3.82848"),
        ("m7a.16xlarge", "us-east-1", "3.70944"),
        ("m7g.16xlarge", "us-east-1", "2.6112"),
        ("c7i.12xlarge", "us-east-1", "2.1420"),
        ("t4g.nano", "us-east-1", "0.0042"),
        ("t4g.2xlarge", "us-east-1", "0.2688"),
        ("hpc7g.4xlarge", "us-east-1", "1.6832"),
        ("hpc7g.16xlarge", "us-east-1", "1.6832"),
        ("c7g.16xlarge", "us-west-2", "2.3200"),
        # Of the newer source alone.
        ("c8a.48xlarge", "us-east-1", "10.34592"),
        ("m9g.large", "us-east-1", "0.09784"),
        ("t2.nano", "us-east-1", "0.0058"),
        ("g5.xlarge", "us-east-1", "1.006"),
        # At shared tenancy, though the source has it at dedicated tenancy, 5.69026.
        ("c8a.metal-24xl", "us-east-1", "5.17296"),
    ],
)
def test_known_prices(name, region, usd):
    price = prices.on_demand(name, region)
    assert price.usd == Decimal(usd)
    assert price.date == ("2026-07-20" if region == "us-east-1" else "2025-03-02")
    assert ("karpenter" if region == "us-east-1" else "Libcloud 3.9.1") in price.source


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("c9g.large", "eu-west-1"),
        ("g5.77xlarge", "us-east-1"),
        ("c7g.large", "us-mars-1"),
        ("c7g.77xlarge", "us-east-1"),
        ("nonsense", "us-east-1"),
    ],
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


def own_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: Any) -> Path:
    path = tmp_path / "prices.json"
    path.write_text(table if isinstance(table, str) else json.dumps(table))
    monkeypatch.setenv(prices.FILE_VARIABLE, str(path))
    return path


def own_row(date: str, **on_demand: str) -> dict[str, Any]:
    return {"source": "AWS Pricing API", "date": date, "on_demand": on_demand, "storage": "0.09"}


def test_of_a_persons_own_table_and_the_shipped_one_the_newer_price_counts(tmp_path, monkeypatch):
    table = {
        "us-east-1": own_row("2026-11-29", **{"c7g.large": "0.08", "z9z.large": "1.5"}),
        "us-west-2": own_row("2024-01-01", **{"c7g.large": "0.01", "z9z.large": "1.5"}),
        "us-mars-1": own_row("2026-11-29"),
    }
    own_table(tmp_path, monkeypatch, table)
    assert prices.on_demand("c7g.large", "us-east-1") == (Decimal("0.08"), "AWS Pricing API", "2026-11-29")
    assert prices.on_demand("z9z.large", "us-east-1").usd == Decimal("1.5")
    assert prices.on_demand("m7g.large", "us-east-1").date == "2026-07-20"
    assert prices.on_demand("c7g.large", "us-west-2") == prices.shipped("c7g.large", "us-west-2")
    assert prices.on_demand("z9z.large", "us-west-2").date == "2024-01-01"
    assert prices.storage("us-mars-1") == (Decimal("0.09"), "AWS Pricing API", "2026-11-29")
    assert "us-mars-1" in prices.regions()
    # Pages ask for the one that is the same for everybody.
    assert prices.shipped("c7g.large", "us-east-1").date == "2026-07-20"


@pytest.mark.parametrize(
    "table",
    [
        "no JSON", [], {"us-east-1": []}, {"us-east-1": {"date": "2026-11-29"}},
        {"us-east-1": own_row("yesterday")}, {"us-east-1": own_row("2026-11-29", **{"c7g.large": "cheap"})},
        {"us-east-1": own_row("2026-11-29", **{"c7g.large": "-1"})},
        {"us-east-1": own_row("20261129")}, {"us-east-1": {**own_row("2026-11-29"), "source": None}},
        {"us-east-1": {**own_row("2026-11-29"), "storage": 0}}, {"us-east-1": {**own_row("2026-11-29"), "storage": ""}},
        {"us-east-1": {**own_row("2026-11-29"), "on_demand": []}},
    ],
)  # fmt: skip
def test_an_own_table_that_is_none_is_refused_with_its_name_and_a_remedy(tmp_path, monkeypatch, table):
    path = own_table(tmp_path, monkeypatch, table)
    with pytest.raises(prices.PriceError, match=rf"{path} is no table of prices .*: remove it, and make prices"):
        prices.on_demand("c7g.large", "us-east-1")


def test_where_a_persons_own_table_is(monkeypatch):
    monkeypatch.delenv(prices.FILE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert prices.own_file() == Path("/somewhere/cloudbench/prices.json")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/srv/alice")
    assert prices.own_file() == Path("/srv/alice/.cache/cloudbench/prices.json")
    monkeypatch.setenv(prices.FILE_VARIABLE, "~/mine.json")
    assert prices.own_file() == Path("/srv/alice/mine.json")


def test_prices_that_a_person_gives():
    assert prices.given({"c9g.large": 0.09, "c8i.large": "0.08"}) == {
        "c9g.large": Decimal("0.09"),
        "c8i.large": Decimal("0.08"),
    }
    for value in (0, -1, "cheap", True, "NaN", "Infinity", None):
        with pytest.raises(prices.PriceError, match=f"the price of c9g.large is USD an hour.*{re.escape(repr(value))}"):
            prices.given({"c9g.large": value})
