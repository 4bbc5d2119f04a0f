# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS answers about prices against what is made of it."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from botocore.config import Config
from botocore.stub import ANY, Stubber

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import ask_prices
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.client import AwsError


@pytest.fixture
def clients():
    kept = dict(
        aws_access_key_id="testing", aws_secret_access_key="testing", config=Config(retries={"total_max_attempts": 1})
    )
    return {name: aws.session().client(name, region_name="us-east-1", **kept) for name in ("pricing", "ec2")}


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
        price = ask_prices.ask_on_demand(clients["pricing"], "c7g.16xlarge", "us-west-2", "2026-11-24")
    assert price == ((usd, "AWS Pricing API", "2026-11-24") if usd else (None, "", ""))
    assert fields == {
        "instanceType": "c7g.16xlarge",
        "regionCode": "us-west-2",
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
    }


def test_bare_metal_that_is_listed_at_dedicated_tenancy_alone(clients):
    """As Karpenter asks for it, whose price list comes from the API."""
    filters = []
    with Stubber(clients["pricing"]) as stub:
        for products in ([], [product("7.3440000000")]):
            stub.add_response("get_products", {"FormatVersion": "aws_v1", "PriceList": products})
        clients["pricing"].meta.events.register(
            "before-parameter-build.pricing.GetProducts",
            lambda params, **_rest: filters.append({one["Field"]: one["Value"] for one in params["Filters"]}),
        )
        price = ask_prices.ask_on_demand(clients["pricing"], "x2iezn.metal", "us-east-1", "2026-11-24")
    assert price == (Decimal("7.344"), "AWS Pricing API, dedicated tenancy", "2026-11-24")
    assert [one["tenancy"] for one in filters] == ["Shared", "Dedicated"]
    assert filters[1]["productFamily"] == "Compute Instance (bare metal)"
    assert all(one["marketoption"] == "OnDemand" for one in filters)


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
        spot = ask_prices.ask_spot(clients["ec2"], ["c7g.16xlarge"], "2026-11-24T19:00:00Z")
    assert spot == {"c7g.16xlarge": {"us-east-1a": Decimal("0.8500"), "us-east-1b": Decimal("0.9100")}}


def test_a_refusal_names_what_to_allow(clients):
    with Stubber(clients["pricing"]) as stub:
        stub.add_client_error("get_products", "AccessDeniedException", http_status_code=400)
        with pytest.raises(AwsError, match="allow pricing:GetProducts") as caught:
            ask_prices.ask_on_demand(clients["pricing"], "c7g.large", "us-east-1", "2026-11-24")
    assert caught.value.denied


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "1", '{"terms": 1}', '{"terms": {"OnDemand": {"a": {}}}}', "[" * 100_000, product("cheap", "GB-Mo"),
     product("NaN", "GB-Mo"), product("sNaN", "GB-Mo"), product("-1", "GB-Mo"),
     product("1E+99", "GB-Mo"), product(None, "GB-Mo")],
)  # fmt: skip
def test_an_answer_of_another_form_is_told_with_the_remedy(clients, text):
    with Stubber(clients["pricing"]) as stub:
        stub.add_response("get_products", {"FormatVersion": "aws_v1", "PriceList": [text]}, None)
        with pytest.raises(AwsError, match=r"not of the form that AWS documents.*AWS_ENDPOINT_URL"):
            ask_prices.ask_storage(clients["pricing"], "us-west-2", "2026-11-24")
