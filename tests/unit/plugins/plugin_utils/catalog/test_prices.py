# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table against the source it was made from, and what AWS answers against what is made of it."""

from __future__ import annotations

import csv
import json
import re
from decimal import Decimal
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.stub import ANY, Stubber

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices, processors
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.client import AwsError

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


@pytest.fixture
def clients():
    kept = dict(
        aws_access_key_id="testing", aws_secret_access_key="testing", config=Config(retries={"total_max_attempts": 1})
    )
    return {name: boto3.session.Session().client(name, region_name="us-east-1", **kept) for name in ("pricing", "ec2")}


def product(usd, unit="Hrs"):
    dimension = {"unit": unit, "pricePerUnit": {"USD": usd}}
    return json.dumps({"terms": {"OnDemand": {"sku.term": {"priceDimensions": {"sku.term.rate": dimension}}}}})


@pytest.mark.parametrize(
    ("products", "usd"),
    [
        ([product("2.3200000000")], Decimal("2.32")),
        ([product("0.0000000000"), product("2.3200000000")], Decimal("2.32")),
        ([product("2.3200000000"), product("2.5000000000")], None),
        ([product("5", unit="Quantity")], None),
        ([], None),
    ],
)
def test_the_pricing_api(clients, products, usd):
    fields = {}
    with Stubber(clients["pricing"]) as stub:
        stub.add_response(
            "get_products",
            {"FormatVersion": "aws_v1", "PriceList": products},
            {"ServiceCode": "AmazonEC2", "Filters": ANY, "FormatVersion": "aws_v1", "MaxResults": 100},
        )
        clients["pricing"].meta.events.register(
            "before-parameter-build.pricing.GetProducts",
            lambda params, **_rest: fields.update({one["Field"]: one["Value"] for one in params["Filters"]}),
        )
        price = prices.ask_on_demand(clients["pricing"], "c7g.16xlarge", "us-west-2", "2026-11-24")
    assert price == ((usd, "AWS Pricing API", "2026-11-24") if usd else (None, "", ""))
    assert fields == {
        "instanceType": "c7g.16xlarge",
        "regionCode": "us-west-2",
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
    }


def test_the_newest_spot_price_of_each_zone_is_taken(clients):
    def row(zone, when, usd, name="c7g.16xlarge"):
        return {"AvailabilityZone": zone, "Timestamp": when, "SpotPrice": usd, "InstanceType": name}

    with Stubber(clients["ec2"]) as stub:
        stub.add_response(
            "describe_spot_price_history",
            {
                "SpotPriceHistory": [
                    row("us-east-1b", "2026-11-24T18:00:00Z", "0.9100"),
                    row("us-east-1a", "2026-11-24T10:00:00Z", "0.8000"),
                    row("us-east-1a", "2026-11-24T18:00:00Z", "0.8500"),
                    row("us-east-1a", "2026-11-24T09:00:00Z", "0.7000"),
                ]
            },
        )
        spot = prices.ask_spot(clients["ec2"], ["c7g.16xlarge"], "2026-11-24T19:00:00Z")
    assert spot == {"c7g.16xlarge": {"us-east-1a": Decimal("0.8500"), "us-east-1b": Decimal("0.9100")}}


def test_a_refusal_names_what_to_allow(clients):
    with Stubber(clients["pricing"]) as stub:
        stub.add_client_error("get_products", "AccessDeniedException", http_status_code=400)
        with pytest.raises(AwsError, match="allow pricing:GetProducts") as caught:
            prices.ask_on_demand(clients["pricing"], "c7g.large", "us-east-1", "2026-11-24")
    assert caught.value.denied
