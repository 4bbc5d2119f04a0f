# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others have published (published.yml, of which this is the one reader): beside a run, never in a ranking."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import yaml_file

_FILE = Path(__file__).with_suffix(".yml")


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


@functools.lru_cache(maxsize=1)
def table() -> tuple[Published, ...]:
    """Return all published figures, in the order of the file."""
    return tuple(
        Published(Source(about["title"], about["date"], about["version"]), **row)
        for about in yaml_file.read(_FILE).values()
        for row in about["rows"]
    )


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
