# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables: those that ship as YAML, and the prices that a person has or gives."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from fuzz.families.models import _NotJsonError, _values
from fuzz.strategies import TEXT, as_json, numbers, objects, values
from fuzz.target import Target
from hypothesis import strategies as st

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import (
    builds,
    prices,
    processors,
    published,
    speeds,
    yaml_file,
)

_PARSERS: dict[str, Callable[[Any], object]] = {
    "processors": processors.parse, "prices": prices.parse, "builds": builds.parse, "published": published.parse,
    "speeds": speeds.parse,
}  # fmt: skip
_FOLDER = Path(yaml_file.__file__).parent


def _first(value: Any, most: int = 2) -> Any:
    """Return the beginning of a table: the first few entries on each level."""
    if isinstance(value, dict):
        return {name: _first(item) for name, item in islice(value.items(), max(most, 12 if len(value) < 13 else most))}
    if isinstance(value, list):
        return [_first(item) for item in value[:most]]
    return " ".join(value.split(" ")[:6]) if isinstance(value, str) and len(value) > 200 else value


@cache
def _tables() -> list[bytes]:
    """A beginning of each table, behind the name of it."""
    tables = []
    for name in _PARSERS:
        data = yaml.load((_FOLDER / f"{name}.yml").read_text("utf-8"), Loader=yaml.CSafeLoader)
        tables.append(f"# {name}\n{yaml.safe_dump(_first(data), sort_keys=False, width=200)}".encode())
    return tables


def _table(data: bytes) -> None:
    """A table of the collection that somebody has changed, or that was cut."""
    path = Path("table.yml")
    path.write_bytes(data)
    name = data[2:12].split(b"\n")[0].decode("ascii", "replace")
    for parser in [_PARSERS[name]] if name in _PARSERS else _PARSERS.values():
        yaml_file.read(path, parser)


_OWN = {
    "us-east-1": {
        "source": "AWS Pricing API",
        "date": "2026-11-27",
        "on_demand": {"c7g.large": "0.0725", "c8g.large": 0.08},
        "storage": "0.08",
    },
    "eu-central-1": {"source": "x", "date": "2026-11-27", "on_demand": {}},
}
_NUMBER = count(1)


def _own(data: bytes) -> None:
    """A person's own table of prices."""
    path = Path("prices.json").absolute()
    path.write_bytes(data)
    # It is read again when its time has changed, and inputs come faster than a file system's clock ticks.
    os.utime(path, ns=(number := next(_NUMBER), number))
    with mock.patch.dict(os.environ, {prices.FILE_VARIABLE: str(path)}):
        for region in prices.regions()[:3]:
            for price in (prices.on_demand("c7g.large", region), prices.storage(region)):
                assert price.usd is None or price.usd > 0
                assert isinstance(price.date, str)
                assert isinstance(price.source, str)


def _given(data: bytes) -> None:
    """What a person says of the price of a host."""
    said = _values(data)
    if isinstance(said, dict):
        if "usd_hour" in said or "date" in said:
            envelope.canonical(prices.paid(said))
        else:
            prices.given(said)


TARGETS = (
    Target(
        "tables",
        _table,
        (yaml_file.DamagedTableError,),
        _tables,
        (
            "sources:",
            "- ",
            ": ",
            "&a",
            "*a",
            "<<: *a",
            "!!python/object:x",
            "? ",
            "|",
            ">",
            "{",
            "---",
            "2026-13-45",
            "=:",
            "4:?",
        ),
        share=0.3,
    ),
    Target(
        "prices-own",
        _own,
        (prices.PriceError,),
        lambda: [json.dumps(_OWN).encode(), json.dumps(_OWN, indent=1).encode()],
        ("on_demand", "storage", "date", "source", "us-east-1", "2026-02-31", "2026-W01-1", "20261127"),
        share=1,
        strategy=lambda: as_json(
            st.dictionaries(
                st.sampled_from(["us-east-1", "x"]),
                objects(
                    {
                        "source": TEXT,
                        "date": st.sampled_from(["2026-11-27", "20261127"]),
                        "storage": numbers(),
                        "on_demand": st.dictionaries(st.sampled_from(["c7g.large", "x"]), numbers(), max_size=2),
                    }
                ),
            )
        ),
    ),
    Target(
        "prices-given",
        _given,
        (prices.PriceError, _NotJsonError),
        lambda: [b'{"usd_hour": 0.85, "date": "2026-11-27", "market": "spot", "boot_s": 30}', b'{"c7g.large": "0.07"}'],
        ("usd_hour", "date", "source", "market", "boot_s", "20261127", "2026-W01-1", "sNaN", "Infinity", "1E+5000"),
        share=8,
        strategy=lambda: as_json(
            st.one_of(
                values(),
                objects({"usd_hour": numbers(), "date": st.just("2026-11-27"), "source": TEXT, "boot_s": numbers()}),
            )
        ),
    ),
)
