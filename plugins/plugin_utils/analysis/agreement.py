# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds that predict otherwise than the first build with the same file: fast and wrong, so that no speed counts.

Rounding alone differs between kernels that are right. docs/decisions/0029-quality-is-paired.md says how the bound was
chosen and what it is not asked of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry as kinds
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import variant
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.validity import INVALID

Payload = dict[str, Any]
Record = dict[str, Any]
Launches = Mapping[tuple[Any, ...], Sequence[Record]]

KIND = "agree"
METRIC = "agree_kld_mean"
# In nat, of the mean over the launches. Of right builds the rounding of sums and of activations to 8 bits differs: that
# came to 0.0066 at most over three builds of two engines (docs/method.md). What is wrong is wrong by tenths and more.
AGREE_BOUND = 0.02

# The settings of a launch that change what is computed; the others change when and where.
_COMPUTES = ("fa", "batch", "ubatch", "ctk", "ctv", "repack")
_EXACT_CACHE = ("F32", "F16", "BF16")


class Disagreement(NamedTuple):
    """A cell of kind agree over the bound.

    `kld`: the mean KL divergence in nat; `base`: the name of the build that it was compared with, "" where unknown.
    """

    cell: Payload
    kld: float
    base: str

    @property
    def words(self) -> str:
        """Return why a speed does not count."""
        base = f"build {self.base}" if self.base else "the first build"
        return (
            f"with the same file it predicts otherwise than {base} does, not repacked: KL divergence {self.kld:.3g} "
            f"nat, over {AGREE_BOUND:g}"
        )


def _computed_by(cell: Payload) -> tuple[Any, ...]:
    """Return what decides what a cell predicts, whatever its test, threads and memory."""
    settings = variant.of_cell(cell)
    chosen = tuple((name, settings[name]) for name in _COMPUTES if name in settings)
    return cell["model"], cell["quantization"], cell["build"], chosen


def disagreements(by_cell: Launches, builds: Mapping[str, Payload]) -> list[Disagreement]:
    """Return the cells of kind agree over the bound, in the order of their cells.

    `by_cell`: the launches of a run by cell, `builds` its builds by id. A quantized KV cache has its price, which is no
    error: such a cell is held against the build that agrees best with that cache.
    """
    every: list[Disagreement] = []
    for launches in by_cell.values():
        cell = launches[0]["payload"]["cell"]
        if kinds.kind_of(cell).name != KIND:
            continue
        entries = (record["payload"]["metrics"].get(METRIC) for record in launches)
        known = [entry["value"] for entry in entries if entry]
        if known:
            told = launches[0]["payload"].get("predicted") or {}
            base = builds.get(told.get("base_build", "")) or {}
            every.append(Disagreement(cell, fmean(known), str(base.get("name", ""))))
    return [each for each in every if each.kld - _price(each.cell, every) > AGREE_BOUND]


def _price(cell: Payload, every: Sequence[Disagreement]) -> float:
    """Return what the KV cache of a cell costs, in nat: 0 for one that is not quantized."""
    if set(variant.kv_types(cell)) <= set(_EXACT_CACHE):
        return 0.0

    def alike(other: Payload) -> bool:
        fields = ("model", "quantization", "test", "text")
        return variant.kv_types(other) == variant.kv_types(cell) and all(other.get(f) == cell.get(f) for f in fields)

    return max(0.0, min(each.kld for each in every if alike(each.cell)))


def stamp(disagreeing: Sequence[Disagreement], cell: Payload) -> str:
    """Return why no figure of time of `cell` counts, "" where its build agrees or nobody asked."""
    if not disagreeing or not kinds.kind_of(cell).timed:
        return ""
    computed = _computed_by(cell)
    return next((each.words for each in disagreeing if _computed_by(each.cell) == computed), "")


def stamped(launches: Sequence[Record], why: str) -> list[Record]:
    """Return the launches of a cell, INVALID where stamp() has given a reason: `make compare` must not use them."""
    if not why:
        return list(launches)
    return [_stamped(record, why) for record in launches]


def _stamped(record: Record, why: str) -> Record:
    payload = record["payload"]
    validity = {"state": INVALID, "reasons": [*payload["validity"]["reasons"], why]}
    return {**record, "payload": {**payload, "validity": validity}}
