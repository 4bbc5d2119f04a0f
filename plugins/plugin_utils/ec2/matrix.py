# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The instances that are asked for: what an entry of the matrix may hold, and the images they start from."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import did_you_mean
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices

MARKETS = (prices.ON_DEMAND, "spot")
_KEYS = ("type", "count", "count_min", "market", "image", "zones", "or_types", "max_price")
_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")


class Image(NamedTuple):
    """An image by the public parameter of Systems Manager that names its newest build in each region.

    `words`: what `parameter` calls an architecture of the catalog.
    """

    name: str
    login_user: str
    root_device: str
    parameter: str
    words: dict[str, str]

    def parameter_for(self, architecture: str) -> str:
        """Return the parameter of Systems Manager that holds the image's id, for an architecture as uname gives it."""
        return self.parameter.format(self.words[architecture])


_AMAZON = {"aarch64": "arm64", "x86_64": "x86_64"}
_DEBIAN = {"aarch64": "arm64", "x86_64": "amd64"}
IMAGES = {
    image.name: image
    for image in (
        Image(
            "amazon-linux-2023",
            "ec2-user",
            "/dev/xvda",
            "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{}",
            _AMAZON,
        ),
        Image(
            "ubuntu-24.04",
            "ubuntu",
            "/dev/sda1",
            "/aws/service/canonical/ubuntu/server/24.04/stable/current/{}/hvm/ebs-gp3/ami-id",
            _DEBIAN,
        ),
        Image("debian-12", "admin", "/dev/xvda", "/aws/service/debian/release/12/latest/{}", _DEBIAN),
    )
}


@dataclasses.dataclass(frozen=True)
class Row:
    """An entry in full. `zones`: those that were named, in that order; `max_price`: USD an hour, for spot.

    `count_min`: how many are enough.
    """

    index: int
    type: str
    count: int
    market: str
    image: str
    zones: tuple[str, ...]
    or_types: tuple[str, ...]
    max_price: float | None
    count_min: int

    @property
    def counts(self) -> tuple[int, ...]:
        """How many to ask for, one number after the other, from `count` to `count_min` by halves of the distance."""
        numbers = [self.count]
        while numbers[-1] > self.count_min:
            numbers.append(self.count_min + (numbers[-1] - self.count_min) // 2)
        return tuple(numbers)

    @property
    def types(self) -> tuple[str, ...]:
        """The instance types that will do, the one to be taken first."""
        return (self.type, *self.or_types)

    @property
    def label(self) -> str:
        """The row in words, for messages."""
        return f"row {self.index} ({self.type:.60})"


def parse(entries: Sequence[Any], region: str, market: str, image: str) -> tuple[list[Row], list[str]]:
    """Return the rows of what is valid, and a sentence for each thing that is not.

    `region` may be empty, where it is not known; `market` and `image` are those of an entry that names none. Whether a
    type exists is not asked here.
    """
    if not entries:
        return [], ["ec2_environment_instances is empty: name at least one, such as [{type: c7g.16xlarge}]"]
    rows, errors = [], []
    for index, entry in enumerate(entries):
        row, wrong = _row(index, entry, region, market, image)
        errors += wrong
        if row:
            rows.append(row)
    return rows, errors


def _row(index: int, entry: Any, region: str, market: str, image: str) -> tuple[Row | None, list[str]]:
    if not isinstance(entry, Mapping):
        return None, [f"row {index} is {entry!r:.100}: write a mapping with a type, such as {{type: c7g.16xlarge}}"]
    given = {key: value for key, value in entry.items() if value is not None}
    row = Row(
        index,
        str(given.get("type", "")),
        given.get("count", 1),
        given.get("market", market),
        given.get("image", image),
        _names(given.get("zones", [])),
        _names(given.get("or_types", [])),
        given.get("max_price"),
        given.get("count_min", given.get("count", 1)),
    )
    who = row.label if row.type else f"row {index}"
    wrong = [
        f"{who}: {key!r:.60} means nothing; the keys are {', '.join(_KEYS)}{did_you_mean(key, _KEYS)}"
        for key in given
        if key not in _KEYS
    ]
    wrong += [f"{who}: {problem}" for problem in _problems(row, given, region)]
    if wrong:
        return None, wrong
    price = None if row.max_price is None else float(row.max_price)
    return dataclasses.replace(row, count=int(row.count), count_min=int(row.count_min), max_price=price), []


def _names(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (OverflowError, ValueError):
        return None


def _problems(row: Row, given: Mapping[str, Any], region: str) -> list[str]:
    problems = []
    if "type" not in given:
        problems.append("names no type; say which, such as c7g.16xlarge")
    for name in [row.type] * ("type" in given) + list(row.or_types):
        if not _TYPE.fullmatch(str(name)):
            problems.append(f"{name!r:.60} is no instance type: write family and size, such as c7g.16xlarge")
    count = _number(row.count)
    if count is None or not 1 <= count <= 100 or count != int(count):
        problems.append(f"count is a whole number from 1 to 100, not {row.count!r:.40}")
    elif "count_min" in given:
        least = _number(row.count_min)
        if least is None or not 1 <= least <= count or least != int(least):
            problems.append(
                f"count_min, how many are enough, is a whole number from 1 to count, which is {count:g}, not "
                f"{row.count_min!r:.40}: correct it, or leave it out to have all or nothing"
            )
    if row.market not in MARKETS:
        problems.append(f"market is {' or '.join(MARKETS)}, not {row.market!r:.60}{did_you_mean(row.market, MARKETS)}")
    if not isinstance(row.image, str) or row.image not in IMAGES:
        problems.append(f"image is one of {', '.join(IMAGES)}, not {row.image!r:.60}{did_you_mean(row.image, IMAGES)}")
    for zone in row.zones:
        if region and not re.fullmatch(re.escape(region) + r"([a-z]|-[a-z0-9-]+)", str(zone)):
            problems.append(f"{zone!r:.60} is no zone of {region}: write {region}a and so on, or set AWS_REGION")
    if any(len(set(map(str, names))) < len(names) for names in (row.zones, row.types)):
        problems.append("zones, or type and or_types, name the same twice; leave one out")
    return [*problems, *_price_problems(row)]


def _price_problems(row: Row) -> list[str]:
    if row.max_price is None:
        return []
    price = _number(row.max_price)
    if row.market != "spot":
        return [f"max_price goes with market spot, not with {row.market}; leave it out"]
    if price is None or not 0 < price < 10000:
        return [f"max_price is USD an hour, a number above 0 and below 10000, not {row.max_price!r:.40}"]
    return []
