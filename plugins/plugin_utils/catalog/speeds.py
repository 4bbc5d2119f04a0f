# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of how fast the processors of EC2 run llama.cpp: parameters fitted to published figures.

The one reader of speeds.yml, which tools/fit_ec2.py writes; analysis/predict.py says what is made of them.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors, yaml_file
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.processors import InstanceType

_FILE = Path(__file__).with_suffix(".yml")

# A z in the name of a family is AWS's own word for a high clock; c4, c5 and c5d, c5n have a higher one than their
# contemporaries without it.
_HIGH_CLOCK = re.compile(r"[a-z0-9]*z[a-z0-9]*|c[45][dn]?")
_FLEX = "-flex"
# t1 to t8i, not trn1.
_CREDITS = re.compile(r"t\d[a-z]*")
_NUMBER = re.compile(r"\d+")

# Where memory is as far as a type goes: one NUMA node, or several; without a hypervisor several are another thing (of
# Llama 2 7B the 48xlarge of Graviton4 generated 2 token/s, the metal-48xl 18).
ONE, SEVERAL, METAL = "one", "several", "metal"

# How near what was measured is to a type, the nearest first; the words say which of its relatives stands in for it.
MEASURED, OTHER_CLOCK, SAME_CORE, RELATIVE = "measured", "other clock", "same core", "relative"


class Source(NamedTuple):
    """Where the figures come from that the parameters are fitted to."""

    title: str
    address: str
    commit: str
    licence: str
    date: str
    engine: str
    quantization: str


class Size(NamedTuple):
    """Logs of the seconds for a unit of work and for a layer, with their variances and covariance, of so many types."""

    work: float
    layer: float
    work_variance: float
    covariance: float
    layer_variance: float
    types: int


class Curve(NamedTuple):
    """The four parameters of the formula, which holds between and beyond the sizes that were measured.

    `covariance` has the upper triangle by rows; `work_spread` and `layer_spread` are how far sizes are off it (log).
    """

    parameters: tuple[float, ...]
    covariance: tuple[float, ...]
    work_spread: float
    layer_spread: float


class Speed(NamedTuple):
    """Prompt or generation of a group, with one NUMA node or several.

    `sizes` by (NUMA nodes, physical cores); `curve` None: only the sizes that were measured are predicted. `hosts`: the
    spread (log) of types of one size, from host to host; `models` that of models around the formula, those of less than
    `small_bytes` of the table and the others.
    """

    sizes: Mapping[tuple[int, int], Size]
    curve: Curve | None
    hosts: float
    models: tuple[float, float]


class Group(NamedTuple):
    """Types of one processor with one clock.

    `speeds` by metric and place: ONE, SEVERAL or METAL. `lengths`: log of the speed of prompts of other lengths over
    pp512.
    """

    name: str
    processor: str
    high_clock: bool
    types: int
    speeds: Mapping[tuple[str, str], Speed]
    lengths: Mapping[int, float]


class Kernel(NamedTuple):
    """How much faster (log) another quantization or build is than what the source of the table had, for equal bytes.

    `bandwidth`: where memory bounds it, `compute`: where the cores do; a prompt has the second alone. `spread` (log) is
    what is not known of it, `source` where it comes from.
    """

    architecture: str
    quantization: str
    metric: str
    bandwidth: float
    compute: float
    spread: float
    source: str
    cores: Sequence[str] = ()
    other_cores: float = 0.0

    def spread_on(self, core: str | None) -> float:
        """Return the spread on a core."""
        return self.spread if core in self.cores else math.hypot(self.spread, self.other_cores)


class Users(NamedTuple):
    """What each further user adds to a step of generation: `cost` times the time of a token of a prompt.

    `spread` (log); `source`: the machine that it was measured on, and when.
    """

    cost: float
    spread: float
    source: str


class Table(NamedTuple):
    """All that is fitted.

    `kin`: spread of a group around its relative, by metric and relation. `degrees`: those of Student's t that the
    intervals are made with, `flex`: what is added for types whose processor is lent.
    """

    source: Source
    groups: Mapping[str, Group]
    small_bytes: float
    kin: Mapping[str, Mapping[str, float]]
    degrees: float
    flex: float
    kernels: Sequence[Kernel] = ()
    users: Users | None = None

    @property
    def quantizations(self) -> list[str]:
        """The quantizations that are predicted: that of the source, and those of which a ratio is known."""
        return [self.source.quantization, *dict.fromkeys(kernel.quantization for kernel in self.kernels)]


class Found(NamedTuple):
    """The group that tells of a type, and how near it is: MEASURED, OTHER_CLOCK, SAME_CORE or RELATIVE."""

    group: Group
    relation: str


def high_clock(family: str) -> bool:
    """Say whether a family's name says that its clock is higher than that of others with its processor."""
    return _HIGH_CLOCK.fullmatch(family) is not None


def flexible(family: str) -> bool:
    """Say whether the processor of a family is lent for bursts: flex families and those with credits."""
    return family.endswith(_FLEX) or _CREDITS.fullmatch(family) is not None


def place(kind: InstanceType) -> str | None:
    """Return ONE, SEVERAL or METAL, None where the NUMA nodes of a type are not known."""
    if not kind.numa_nodes:
        return None
    if kind.numa_nodes == 1:
        return ONE
    return METAL if kind.name.partition(".")[2].startswith("metal") else SEVERAL


def group_name(kind: InstanceType) -> str:
    """Return the name of the group of an instance type."""
    return f"{kind.processor}, high clock" if high_clock(kind.family) else kind.processor


def _speed(data: Mapping[str, Any]) -> Speed:
    curve = data.get("curve")
    return Speed(
        {tuple(map(int, str(size).split("x"))): Size(*row) for size, row in data["sizes"].items()},  # type: ignore[misc]
        curve and Curve(tuple(curve["parameters"]), tuple(curve["covariance"]), *curve["spread"]),
        data["hosts"],
        tuple(data["models"]),
    )


def parse(data: Mapping[str, Any]) -> Table:
    """Return the table of what the file holds, or of what the tool that writes it has fitted."""
    groups = {
        name: Group(
            name,
            row["processor"],
            row["high_clock"],
            row["types"],
            {
                (metric, place): _speed(row[place][metric])
                for place in (ONE, SEVERAL, METAL)
                for metric in row.get(place, {})
            },
            {int(length): value for length, value in row["lengths"].items()},
        )
        for name, row in data["groups"].items()
    }
    spread = data["spread"]
    return Table(
        Source(**{key: str(value) for key, value in data["source"].items()}),
        groups,
        spread["small_bytes"],
        spread["kin"],
        spread["degrees"],
        spread["flex"],
        [Kernel(**row) for row in data.get("kernels", [])],
        Users(**data["users"]) if data.get("users") else None,
    )


@functools.lru_cache(maxsize=1)
def table() -> Table:
    """Return the table that ships."""
    return yaml_file.read(_FILE, parse)


def _kinship(name: str) -> tuple[str, int]:
    """Return the line of a processor and its number in it: Graviton and 4."""
    number = _NUMBER.search(name.replace("E5 v", "E5 ").replace("E5", "E", 1))
    line = "Xeon E5" if name.startswith("Xeon E5") else name.split()[0].rstrip("0123456789E")
    return line, int(number.group()) if number else 1


def nearest(kind: InstanceType, groups: Sequence[Group]) -> Found | None:
    """Return the nearest relative of a type among groups, None where its core is not known or nothing is like it.

    Its own group; its processor at another clock; another processor with its core; the nearest of its line (Graviton,
    Xeon, EPYC), by number.
    """
    if kind.core is None:
        return None
    name = group_name(kind)
    for group in groups:
        if group.name == name:
            return Found(group, MEASURED)
    fast = high_clock(kind.family)
    line, number = _kinship(kind.processor)

    def distance(group: Group) -> tuple[int, int, bool, str]:
        other_line, other_number = _kinship(group.processor)
        if group.processor == kind.processor:
            rank = 0
        elif processors.processor(group.processor).core == kind.core:
            rank = 1
        else:
            rank = 2 if other_line == line else 3
        return rank, abs(other_number - number), group.high_clock != fast, group.name

    ranked = sorted(groups, key=distance)
    if not ranked or distance(ranked[0])[0] == 3:
        return None
    return Found(ranked[0], (OTHER_CLOCK, SAME_CORE, RELATIVE)[distance(ranked[0])[0]])
