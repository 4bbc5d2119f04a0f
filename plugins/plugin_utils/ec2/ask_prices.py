# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask AWS what EC2 costs: the Pricing API for list prices, EC2 itself for the spot market."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.client import AwsError, asked, pages

# The Pricing API is in few regions; its answers are of all.
API_REGION = "us-east-1"
SOURCE = "AWS Pricing API"
# An hour of the dearest instance is some hundred USD.
_MOST_USD = 10_000
# What a list price is of, beside type and region.
_LISTED = {
    "operatingSystem": "Linux",
    "preInstalledSw": "NA",
    "tenancy": "Shared",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}


def ask_on_demand(pricing: Any, instance_type: str, region: str, today: str) -> prices.Price:
    """Return the price of an hour of Linux, on demand, from the Pricing API; `pricing` is a client. Raises AwsError.

    Of bare metal that is listed at dedicated tenancy alone the price is that, and the source says so. Capacity blocks
    are listed beside it, as another market option.
    """
    wanted = {"instanceType": instance_type, "regionCode": region, **_LISTED}
    price = _ask(pricing, wanted, "Hrs", today)
    if price.usd is not None or not instance_type.partition(".")[2].startswith("metal"):
        return price
    # The machine is whole: nobody else is on it at any tenancy.
    bare = {**wanted, "tenancy": "Dedicated", "productFamily": "Compute Instance (bare metal)"}
    dedicated = _ask(pricing, bare, "Hrs", today)
    return dedicated if dedicated.usd is None else dedicated._replace(source=f"{dedicated.source}, dedicated tenancy")


def ask_list(pricing: Any, region: str) -> dict[str, Decimal]:
    """Return the price of an hour of Linux, on demand, of each type that a region has one of. Raises AwsError."""
    filters = _filters({"regionCode": region, **_LISTED})
    different: dict[str, set[Decimal]] = {}
    for text in pages(pricing, "get_products", "PriceList", ServiceCode="AmazonEC2", Filters=filters):
        with _understood():
            product = json_text.loads(str(text))
            name = str(product["product"]["attributes"]["instanceType"])
            different.setdefault(name, set()).update(_usd(product, "Hrs"))
    return {name: usd.pop() for name, usd in sorted(different.items()) if len(usd) == 1}


def ask_storage(pricing: Any, region: str, today: str) -> prices.Price:
    """Return the price of a GB of gp3 for a month from the Pricing API. Raises AwsError."""
    return _ask(pricing, {"volumeApiName": "gp3", "productFamily": "Storage", "regionCode": region}, "GB-Mo", today)


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    """Have an answer that is not of the documented form, as of a proxy in between, raise AwsError."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise AwsError(
            f"the answer with prices is not of the form that AWS documents ({type(error).__name__}: "
            f"{str(error)!r:.100}): run again, see what AWS_ENDPOINT_URL and the proxy variables lead to, or leave the "
            "prices to the table that ships"
        ) from error


def _price(usd: Decimal) -> Decimal:
    """Return a price that can be paid. Raises ValueError."""
    if not (usd.is_finite() and 0 < usd < _MOST_USD):
        raise ValueError(f"a price is {usd}")
    return usd


def _filters(wanted: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]


def _ask(pricing: Any, wanted: Mapping[str, str], unit: str, today: str) -> prices.Price:
    filters = _filters(wanted)
    with asked("pricing:GetProducts"):
        answer = pricing.get_products(ServiceCode="AmazonEC2", Filters=filters, FormatVersion="aws_v1", MaxResults=100)
    with _understood():
        different = {usd for text in answer["PriceList"] for usd in _usd(json_text.loads(str(text)), unit)}
    # Two prices for one thing: neither can be told to be the one that is paid.
    return prices.Price(different.pop(), SOURCE, today) if len(different) == 1 else prices.Price(None)


def _usd(product: Mapping[str, Any], unit: str) -> Iterable[Decimal]:
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            usd = Decimal(dimension["pricePerUnit"].get("USD", "0"))
            if dimension["unit"] == unit and usd:
                yield _price(usd)


def ask_spot(ec2: Any, instance_types: list[str], now: str) -> dict[str, dict[str, Decimal]]:
    """Return the newest spot price of Linux, USD an hour, by instance type and zone; `ec2` is a client of the region.

    `instance_types`: at least one, and of those that exist, else EC2 refuses; `now`: ISO 8601. Raises AwsError.
    """
    newest: dict[str, dict[str, tuple[Any, Decimal]]] = {}
    wanted = {"InstanceTypes": instance_types, "ProductDescriptions": ["Linux/UNIX"], "StartTime": now, "EndTime": now}
    for row in pages(ec2, "describe_spot_price_history", "SpotPriceHistory", **wanted):
        zones = newest.setdefault(row["InstanceType"], {})
        zone = row["AvailabilityZone"]
        if zone not in zones or row["Timestamp"] > zones[zone][0]:
            with _understood():
                zones[zone] = (row["Timestamp"], _price(Decimal(row["SpotPrice"])))
    return {name: {zone: usd for zone, (_when, usd) in sorted(zones.items())} for name, zones in newest.items()}
