# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others have published (published.yml, of which this is the one reader): beside a run, never in a ranking."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import yaml_file

_FILE = Path(__file__).with_suffix(".yml")
_IMATRIX = "+imatrix"


class Source(NamedTuple):
    """Who published a figure, when (YYYY-MM, None where it does not say) and with what."""

    title: str
    date: str | None
    version: str | None


class Published(NamedTuple):
    """A published figure: tokens per second of a test on an instance type.

    `model` names the shape; `threads` None: it does not say; `test` is `tg` where the number of tokens is not said;
    `variant` are settings other than llama.cpp's own, as a cell has them.
    """

    source: Source
    instance: str
    model: str
    quantization: str
    test: str
    tps: float
    threads: int | None = None
    variant: str = ""

    @property
    def speed(self) -> str:
        """The metric: pp_tps or tg_tps."""
        return "pp_tps" if self.test.startswith("pp") else "tg_tps"


class Quality(NamedTuple):
    """Published figures of llama-perplexity, under the names of catalog/metrics.py; None: not published.

    `quantization` ends with `+imatrix` where an importance matrix was used; `reference` is the type of the weights that
    it is compared with, `context` tokens of a chunk. `ppl_difference` is PPL - PPL(reference).
    """

    source: Source
    text: str
    context: int | None
    reference: str
    model: str
    quantization: str
    ppl: float | None = None
    ppl_ratio: float | None = None
    ppl_difference: float | None = None
    kld_mean: float | None = None
    kld_median: float | None = None
    kld_p99: float | None = None
    top1_percent: float | None = None
    p_change_rms_percent: float | None = None

    @property
    def plain(self) -> str:
        """The quantization without what says that an importance matrix was used."""
        return plain(self.quantization)

    @property
    def ratio(self) -> float | None:
        """The PPL ratio as published, else what PPL and its difference make it."""
        if self.ppl_ratio is not None or self.ppl is None or self.ppl_difference is None:
            return self.ppl_ratio
        return self.ppl / (self.ppl - self.ppl_difference)


def plain(quantization: str) -> str:
    """Return the name of a quantization as llama-quantize has it: `Q4_0+imatrix` is Q4_0."""
    return quantization.removesuffix(_IMATRIX)


def _source(about: dict[str, Any]) -> Source:
    return Source(about["title"], about["date"], about["version"])


def parse(data: Mapping[str, Any]) -> tuple[tuple[Published, ...], tuple[Quality, ...]]:
    """Return the speeds and the figures of quality of what the file holds, in its order."""
    speeds = tuple(Published(_source(about), **row) for about in data.values() for row in about.get("rows", ()))
    figures = tuple(
        Quality(_source(about), about["text"], about["context"], about["reference"], model, quantization, **of_file)
        for about in data.values()
        for (model, quantization), of_file in _figures(about.get("quality", ())).items()
    )
    return speeds, figures


@functools.lru_cache(maxsize=1)
def _file() -> tuple[tuple[Published, ...], tuple[Quality, ...]]:
    return yaml_file.read(_FILE, parse)


def table() -> tuple[Published, ...]:
    """Return all published figures, in the order of the file."""
    return _file()[0]


def of(instance: str, model: str, quantization: str) -> list[Published]:
    """Return the figures of a model and quantization on an instance type; weights with random values are the model."""
    name = model.removesuffix("-synthetic")
    return [row for row in table() if (row.instance, row.model, row.quantization) == (instance, name, quantization)]


def of_variant(instance: str, variant: str) -> list[tuple[Published, Published]]:
    """Return what is published of a variant on an instance's family, each with the figure of the defaults beside it."""
    family = instance.partition(".")[0]
    rows = [row for row in table() if row.instance.partition(".")[0] == family]
    return [
        (default, row)
        for row in rows
        for default in rows
        if row.variant == variant and default == row._replace(variant="", tps=default.tps)
    ]


def qualities() -> tuple[Quality, ...]:
    """Return all published figures of quality, in the order of the file."""
    return _file()[1]


def _figures(tables: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, float | None]]:
    """Return the figures of each model and quantization of a source, from all of its tables."""
    figures: dict[tuple[str, str], dict[str, float | None]] = {}
    for each in tables:
        for quantization, values in each["rows"].items():
            row = dict(zip(each["columns"], values, strict=True))
            figures.setdefault((each["model"], quantization), {}).update(row)
    return figures


_FAMILY = re.compile(r"llama-?([0-9])")
_SIZE = re.compile(r"(?<![0-9.])([0-9]+(?:\.[0-9]+)?)([bm])(?![a-z0-9])")
_NEXT_BEST_FAMILY = "llama-3"


def quality(model: str) -> list[Quality]:
    """Return what is published of the quality of a model, by its name, or else of the nearest one.

    Nearest is the one of the same family (Llama 3 with 3.1 and 3.2; Llama 3 for all that is no Llama) whose size is,
    as a ratio, next to what the name says. Of a name without a size the first of the family is taken.
    """
    name = model.lower().removesuffix("-synthetic")
    known = dict.fromkeys(row.model for row in qualities())
    if name not in known:
        family = _FAMILY.search(name)
        near = [each for each in known if family and each.startswith(f"llama-{family.group(1)}")]
        near = near or [each for each in known if each.startswith(_NEXT_BEST_FAMILY)]
        size = _size(name)
        name = min(near, key=lambda each: abs(math.log((_size(each) or 1) / size))) if size else near[0]
    return [row for row in qualities() if row.model == name]


def _size(name: str) -> float | None:
    """Return the weights, in thousand millions, that a name says a model has."""
    said = _SIZE.search(name)
    return float(said.group(1)) * (1e-3 if said.group(2) == "m" else 1) or None if said else None
