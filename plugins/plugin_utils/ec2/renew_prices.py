# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's own table of prices: what the Pricing API says of whole regions, kept in a file with its date."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import ask_prices
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import files


class Renewed(NamedTuple):
    """Where the table is, what it holds now, and the number of types with a price by region asked for."""

    path: Path
    table: dict[str, dict[str, Any]]
    types: dict[str, int]


def renew(regions: Sequence[str], today: str, write: bool = True) -> Renewed:
    """Ask for the prices of regions and keep them beside those of the other regions; `write` False only asks.

    Raises AwsError, PriceError and OSError, and then the file is as before.
    """
    path = prices.own_file()
    table = dict(prices.own_table())
    pricing = aws.client("pricing", ask_prices.API_REGION)
    for region in regions:
        of_types = ask_prices.ask_list(pricing, region)
        if not of_types:
            raise aws.AwsError(f"the Pricing API has no price of an instance in {region}: leave that region out")
        storage = ask_prices.ask_storage(pricing, region, today).usd
        table[region] = {
            "source": ask_prices.SOURCE,
            "date": today,
            "on_demand": {name: str(usd.normalize()) for name, usd in of_types.items()},
            **({} if storage is None else {"storage": str(storage.normalize())}),
        }
    if write:
        files.replace(path, (json.dumps(table, indent=1, sort_keys=True) + "\n").encode())
    return Renewed(path, table, {region: len(table[region]["on_demand"]) for region in regions})


def lines(renewed: Renewed, today: str) -> list[str]:
    """Return what is said of it."""
    told = [f"{region}: {count} types, {ask_prices.SOURCE}, {today}" for region, count in renewed.types.items()]
    return [*told, f"Kept in {renewed.path}, which goes before the table that ships."]
