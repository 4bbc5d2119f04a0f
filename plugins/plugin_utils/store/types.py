# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of records.py as types of msgspec, which reads and checks a line in a quarter of Python's time.

It may say no of a line that is right, then records.py looks closely and says what is wrong, if anything is. It never
says yes of one that is wrong. Where msgspec is not installed it always says no.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics

try:
    import msgspec
except ImportError:
    msgspec = None  # type: ignore[assignment]

# The bounds of an integer that msgspec takes; what lies outside is looked at closely.
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
# Nothing infinite lies within it, and what is not a number lies within nothing.
_LARGEST = sys.float_info.max

# Why a wrong line is none is not asked here.
_NOT_FINE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) if msgspec else ()


def decode(line: bytes) -> Any:
    """Return what a line of JSON holds, None where it is none, holds a number that is not finite, or nobody knows."""
    try:
        return msgspec.json.decode(line) if msgspec else None
    except _NOT_FINE:
        return None


def fits(value: Any, wanted: Any) -> bool:
    """Say whether `value`, of decode(), is certainly of a type of table()."""
    try:
        msgspec.convert(value, wanted)
    except _NOT_FINE:
        return False
    return True


def table(name: str, fields: Mapping[str, Any], narrower: Mapping[str, Any]) -> Any:
    """Return the type of an object with `fields`, a table of records.Field; of `narrower` the types are given."""
    made = {}
    for field_name, field in fields.items():
        wanted = narrower.get(field_name) or _type(field)
        made[field_name] = wanted if field.required else NotRequired[wanted]
    return _dictionary(name, made)


def _dictionary(name: str, items: Mapping[str, Any]) -> Any:
    """Return a type that is made while the program runs, which type checkers do not know."""
    return TypedDict(name, items)  # type: ignore[operator]


def _list(item: Any) -> Any:
    return list[item]


def _map(item: Any) -> Any:
    return dict[str, item]


def _type(field: Any) -> Any:
    wanted = _KINDS[field.type](field)
    return wanted | None if field.nullable else wanted


def _integer(field: Any) -> Any:
    high = _HIGHEST if field.high >= _HIGHEST else int(field.high)
    return Annotated[int, msgspec.Meta(ge=int(max(field.low, _LOWEST)), le=high)]


def _number(low: float, high: float) -> Any:
    return Annotated[float, msgspec.Meta(ge=max(low, -_LARGEST), le=min(high, _LARGEST))]


_KINDS: dict[str, Callable[[Any], Any]] = {
    "text": lambda field: str,
    "flag": lambda field: bool,
    "integer": _integer,
    "number": lambda field: _number(field.low, field.high),
    "list": lambda field: _list(_type(field.of)) if field.of else list,
    "map": lambda field: _map(_type(field.of)) if field.of else dict,
    "object": lambda field: table("object", field.of, {}),
    "any": lambda field: Any,
}


@cache
def of_metrics() -> Any:
    """Return the type of what a launch has measured: of every name of the registry its unit, and what it may be."""
    made = {}
    for name, metric in metrics.REGISTRY.items():
        number = _number(metric.low, metric.high)
        samples = _list(number)
        unit: Any = Literal[metric.unit]
        held = {"value": number, "unit": unit, "samples": NotRequired[samples]}
        entry = _dictionary(name, held)
        made[name] = NotRequired[entry]
    return _dictionary("metrics", made)


@cache
def of_gates() -> Any:
    """Return the type of what the gates of a launch have seen."""
    made = {}
    for name, metric in metrics.REGISTRY.items():
        number = _number(metric.low, metric.high)
        made[name] = NotRequired[number | None]
    return _dictionary("gates", made)
