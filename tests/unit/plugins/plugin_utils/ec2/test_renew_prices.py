# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's own table of prices, over HTTP against the API server of the tests."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from support.aws.server import AwsServer

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import renew_prices
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.client import AwsError

TODAY = "2026-11-29"


@pytest.fixture
def own_file(server: AwsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # After the one that the server's environment names.
    path = tmp_path / "below" / "prices.json"
    monkeypatch.setenv(prices.FILE_VARIABLE, str(path))
    return path


def priced(region: str, name: str, usd: float) -> dict[str, object]:
    return {"regionCode": region, "instanceType": name, "usd": usd}


def test_whole_regions_are_asked_for_and_kept_beside_the_others(server: AwsServer, own_file: Path) -> None:
    # More than the 100 that the service has on a page.
    many = [priced("eu-west-3", f"z9z.{size}xlarge", 0.01 * size) for size in range(1, 251)]
    twice = [priced("eu-west-3", "c9g.large", 0.1), priced("eu-west-3", "c9g.large", 0.2)]
    server.configure(
        prices=[*many, *twice, priced("us-east-1", "c9g.large", 0.0870), {"volumeApiName": "gp3", "usd": 0.0928}]
    )
    renewed = renew_prices.renew(["eu-west-3"], TODAY)
    assert renewed.types == {"eu-west-3": 250}
    assert prices.on_demand("z9z.250xlarge", "eu-west-3") == (Decimal("2.5"), "AWS Pricing API", TODAY)
    # Of two prices neither can be told to be the one that is paid.
    assert prices.on_demand("c9g.large", "eu-west-3").usd is None
    assert prices.storage("eu-west-3") == (Decimal("0.0928"), "AWS Pricing API", TODAY)
    renew_prices.renew(["us-east-1"], "2026-11-30")
    assert {region: row["date"] for region, row in json.loads(own_file.read_text()).items()} == {
        "eu-west-3": TODAY,
        "us-east-1": "2026-11-30",
    }
    assert prices.on_demand("c9g.large", "us-east-1").usd == Decimal("0.087")
    assert renew_prices.lines(renewed, TODAY) == [
        f"eu-west-3: 250 types, AWS Pricing API, {TODAY}",
        f"Kept in {own_file}, which goes before the table that ships.",
    ]


def test_a_region_that_has_no_price_leaves_the_file_as_it_was(server: AwsServer, own_file: Path) -> None:
    server.configure(prices=[priced("us-east-1", "c9g.large", 0.087)])
    with pytest.raises(AwsError, match="has no price of an instance in cn-north-1: leave that region out"):
        renew_prices.renew(["us-east-1", "cn-north-1"], TODAY)
    assert not own_file.exists()


def test_looking_writes_nothing(server: AwsServer, own_file: Path) -> None:
    server.configure(prices=[priced("us-east-1", "c9g.large", 0.087)])
    assert renew_prices.renew(["us-east-1"], TODAY, write=False).types == {"us-east-1": 1}
    assert not own_file.exists()
