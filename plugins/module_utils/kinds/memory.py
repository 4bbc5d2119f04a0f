# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a cell fits into memory: refused beforehand with the arithmetic, rather than killed or swapped.

What has to be there at once is the weights (mapped from the file, or repacked, in which case the mapped ones may go),
the keys and values of the context, and the buffers of the computation, of which the logits of a batch are the largest.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import variant
from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import kv_bytes, shape_of

# llama.cpp gives each sequence a context in steps of so many tokens.
STEP = 256
# Tokens that are computed at once (-ub), and for which the logits are kept.
BATCH = 512
# What a machine needs for itself.
SPARE = 0.95


class Need(NamedTuple):
    """Bytes: of the weights, of keys and values, of the computation; the context in tokens, of all sequences."""

    weights: int
    kv: int
    compute: int
    context: int

    @property
    def total(self) -> int:
        """All that has to be there at once, in bytes."""
        return self.weights + self.kv + self.compute


def context_of(cell: Any, sequences: int) -> int:
    """Return the tokens of context that a cell asks for, those of all its sequences together."""
    each: int = cell["n_prompt"] + cell["n_gen"] + cell["n_depth"]
    return sequences * (-(-each // STEP) * STEP)


def of_job(job: Any, sequences: int) -> Optional[Need]:
    """Return what a job with so many sequences at once needs, None where the size of its model is not known.

    Keys and values are counted where the model's name is that of a known shape.
    """
    size = job.model.get("bytes")
    return of_cell(job.cell, job.model.get("name", ""), size, sequences) if size else None


def of_cell(cell: Any, model: str, size: int, sequences: int) -> Need:
    """Return what a cell of a model, whose file has `size` bytes, needs with so many sequences at once."""
    shape = shape_of(model)
    context = context_of(cell, sequences)
    if shape is None:
        return Need(size, 0, 0, context)
    at_once = int(variant.of_cell(cell).get("ubatch", BATCH))
    kv = kv_bytes(shape, *variant.kv_types(cell)) * context
    return Need(size, kv, 4 * at_once * shape.vocabulary, context)


def together(needs: Sequence[Need]) -> Need:
    """Return what launches at the same moment need: what they may share, such as a file both map, counts twice.

    Repacked weights are a copy of each process's own, and the pages of the file are dropped under pressure only.
    """
    return Need(*(sum(parts) for parts in zip(*needs)))


def share(need: Need, layers: int, of: int) -> Need:
    """Return what a host needs that has so many of all layers; what is computed with, each has."""
    return need._replace(weights=need.weights * layers // of, kv=need.kv * layers // of)


def gib(size: float) -> str:
    """Return a number of bytes in words: 4.34 GiB."""
    return "%.2f GiB" % (size / 2**30)


def parts(need: Need) -> str:
    """Return what a need is made of, in words."""
    return "%s of weights, %s of keys and values for %d tokens, %s to compute with" % (
        gib(need.weights),
        gib(need.kv),
        need.context,
        gib(need.compute),
    )


def refusal(need: Need, memory: Optional[int]) -> Optional[Tuple[str, str]]:
    """Return (cause, advice) when a need does not fit into the memory (bytes) of a machine, None when it does."""
    if not memory or need.total <= SPARE * memory:
        return None
    return (
        "it needs about %s: %s; of memory there is %s, of which %d %% may be used"
        % (gib(need.total), parts(need), gib(memory), round(100 * SPARE)),
        "Choose a smaller model, a quantization of fewer bits, a shorter context or a machine with more memory.",
    )
