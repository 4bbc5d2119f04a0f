# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What EC2 costs: the dated table that ships (prices.yml, of which this is the one reader), and what a person says.

A person's own table is JSON: {region: {"source", "date", "on_demand": {type: USD an hour}, "storage": USD for a GB of
gp3 and a month}}.
"""

from __future__ import annotations

import datetime
import functools
import os
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors, yaml_file

# What a month has, where AWS divides a price by the month.
MONTH_H = 730

_FILE = Path(__file__).with_suffix(".yml")
# The variable of the environment that says where a person's own table is.
FILE_VARIABLE = "CLOUDBENCH_PRICES"


class PriceError(ValueError):
    """A price that was given and cannot be one; the message names it, the rule and the remedy."""


class Price(NamedTuple):
    """USD, with its source and the date (YYYY-MM-DD) it is of; `usd` None: unknown."""

    usd: Decimal | None
    source: str = ""
    date: str = ""


class _Table(NamedTuple):
    sources: dict[str, tuple[str, str]]
    units: dict[str, dict[str, Decimal]]
    flat: tuple[str, ...]
    address: Decimal
    storage: dict[str, Decimal]
    # Source, the newest first -> region -> family or type -> price of a unit, or of the type, and its decimals.
    on_demand: dict[str, dict[str, dict[str, tuple[Decimal, int]]]]


def _cell(word: str) -> tuple[str, tuple[Decimal, int]]:
    family, _equals, rest = word.partition("=")
    price, _colon, decimals = rest.partition(":")
    return family, (Decimal(price), int(decimals or 4))


def parse(data: Mapping[str, Any]) -> _Table:
    """Return the table of what the file holds."""
    return _Table(
        {name: (row["text"], str(row["date"])) for name, row in data["sources"].items()},
        {
            family: {size: Decimal(str(units)) for size, units in sizes.items()}
            for several, sizes in data["units"].items()
            for family in several.split()
        },
        tuple(data["flat"].split()),
        Decimal(data["address"]),
        {region: Decimal(price) for region, price in data["storage"].items()},
        {
            source: {region: dict(_cell(word) for word in words.split()) for region, words in rows.items()}
            for source, rows in data["on_demand"].items()
        },
    )


@functools.lru_cache(maxsize=1)
def _table() -> _Table:
    return yaml_file.read(_FILE, parse)


def own_file() -> Path:
    """Return where a person's own table is, whether it is there or not."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get(FILE_VARIABLE) or Path(cache, "cloudbench", "prices.json")).expanduser()


def own_table() -> dict[str, dict[str, Any]]:
    """Return a person's own table, {} without one. Raises PriceError."""
    path = own_file()
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        return {}
    return _own_table(path, changed)


@functools.lru_cache(maxsize=1)
def _own_table(path: Path, _changed: int) -> dict[str, dict[str, Any]]:
    try:
        table: dict[str, dict[str, Any]] = json_text.loads(path.read_text("utf-8"))
        for row in table.values():
            if not (isinstance(row["source"], str) and _day(row["date"])):
                raise ValueError(f"its source is {row['source']!r:.40} and its date {row['date']!r:.40}")
            given(row["on_demand"])
            if row.get("storage") is not None:
                given({"a GB of gp3": row["storage"]})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PriceError(
            f"{path} is no table of prices ({error!r:.100}): remove it, and make prices writes it anew"
        ) from error
    return table


def _day(said: Any) -> str:
    """Return a day as YYYY-MM-DD, "" for what is none: days are compared by their text."""
    try:
        return str(said) if len(str(said)) == 10 and datetime.date.fromisoformat(str(said)) else ""
    except ValueError:
        return ""


def _own(region: str, part: str, name: str = "") -> Price:
    """Return a price of a person's own table: of a type in `on_demand`, or of `storage`."""
    row = own_table().get(region, {})
    usd = row.get(part, {}).get(name) if name else row.get(part)
    return Price(None) if usd is None else Price(Decimal(str(usd)), row["source"], row["date"])


def _newest(mine: Price, shipped: Price) -> Price:
    return mine if mine.usd is not None and (shipped.usd is None or mine.date >= shipped.date) else shipped


def regions() -> list[str]:
    """Return the regions of which a table knows an on-demand price. Raises PriceError."""
    return sorted({*own_table(), *(region for rows in _table().on_demand.values() for region in rows)})


def _dated(usd: Decimal | None, source: str) -> Price:
    return Price(None) if usd is None else Price(usd, *_table().sources[source])


def on_demand(instance_type: str, region: str) -> Price:
    """Return the price of an hour of Linux, on demand, from the newest table that has it. Raises PriceError."""
    return _newest(_own(region, "on_demand", instance_type), shipped(instance_type, region))


def shipped(instance_type: str, region: str) -> Price:
    """Return the price of an hour of Linux, on demand, from the table that ships: the same for everybody."""
    family, _dot, size = instance_type.partition(".")
    table = _table()
    for source, rows in table.on_demand.items():
        words = rows.get(region, {})
        if instance_type in words:
            return _dated(words[instance_type][0], source)
        if family in words:
            units = table.units.get(family, {}).get(size) or _vcpus(instance_type)
            price, decimals = words[family]
            total = price if family in table.flat and units else price * units
            return _dated(total.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP) or None, source)
    return Price(None)


def _vcpus(instance_type: str) -> Decimal:
    """Return its vCPUs, 0 where there is no such type."""
    try:
        return Decimal(processors.instance_type(instance_type).vcpus)
    except processors.CatalogError:
        return Decimal(0)


def storage(region: str) -> Price:
    """Return the price of a GB of gp3 for a month, from the newest table that has it. Raises PriceError."""
    return _newest(_own(region, "storage"), _dated(_table().storage.get(region), "storage"))


def address() -> Price:
    """Return the price of an hour of a public IPv4 address, which is the same in every region."""
    return _dated(_table().address, "address")


def given(prices: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return the prices a person gave, by instance type, in USD an hour. Raises PriceError."""
    good = {}
    for name, value in prices.items():
        try:
            usd = Decimal(str(value))
        except InvalidOperation:
            usd = Decimal("nan")
        if isinstance(value, bool) or not usd.is_finite() or not 0 < usd < 10000:
            named = str(name)[:60]
            named = named if named.isprintable() else repr(named)
            raise PriceError(
                f"the price of {named} is USD an hour, a number above 0 and below 10000, not {value!r:.40}"
            )
        good[str(name)] = usd
    return good


# The markets, as AWS spells them; list prices are of the first.
ON_DEMAND, SPOT = "on-demand", "spot"
# What a person need not say of the price of a host.
_PAID = {"source": "as given for the run", "market": ON_DEMAND}
_LONGEST_BOOT_S = 86400


def paid(said: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what an hour of a host costs as a run record has it, of what a person says; None of an empty mapping.

    That is `usd_hour` (USD) and `date` (YYYY-MM-DD), and may be `source`, `market` (on-demand, spot ...) and `boot_s`,
    the seconds from the order until the host answers. Raises PriceError.
    """
    if not said:
        return None
    known = ("usd_hour", "date", "source", "market", "boot_s")
    unknown = sorted(str(name) for name in said if name not in known)
    if unknown:
        raise PriceError(f"the price of a host has no {unknown[0]!r:.60}: it has {', '.join(known)}")
    for name in ("usd_hour", "date"):
        if said.get(name) is None:
            raise PriceError(f"the price of a host has no {name}: say {{usd_hour: 0.85, date: 2026-11-27}}")
    usd = given({"an hour of the host": said["usd_hour"]})["an hour of the host"]
    day = _day(said["date"])
    if not day:
        raise PriceError(f"the date of a price is of the form 2026-11-27, not {said['date']!r:.40}")
    price: dict[str, Any] = {"usd_hour": float(usd), "date": day}
    for name, usual in _PAID.items():
        price[name] = str(said.get(name) or usual)[:200]
    if said.get("boot_s") is not None:
        try:
            seconds = float(said["boot_s"])
        except (OverflowError, TypeError, ValueError):
            seconds = -1.0
        if not 0 <= seconds <= _LONGEST_BOOT_S:
            raise PriceError(f"boot_s is seconds, 0 to {_LONGEST_BOOT_S}, not {said['boot_s']!r:.40}")
        price["boot_s"] = seconds
    return price


def of_instance(
    listed: Mapping[str, Any], instance_type: str, zone: str, market: str, boot_s: float | None
) -> dict[str, Any]:
    """Return what paid() takes of an instance, {} where its price is unknown.

    `listed`: C(prices) of a plan, by type; `market`: on-demand or spot; `boot_s`: None where nobody has seen it boot.
    """
    of_type = listed.get(instance_type) or {}
    if market == SPOT:
        quoted = of_type.get("spot") or {}
        usd = (quoted.get("usd_hour_by_zone") or {}).get(zone)
    else:
        quoted = of_type.get("on_demand") or {}
        usd = quoted.get("usd_hour")
    if usd is None:
        return {}
    price = {"usd_hour": usd, "date": quoted["date"], "source": quoted["source"], "market": market}
    # A clock that is a day off is no boot that took a day.
    return {**price, "boot_s": boot_s} if boot_s is not None and boot_s <= _LONGEST_BOOT_S else price
