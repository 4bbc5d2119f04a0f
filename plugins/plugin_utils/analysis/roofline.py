# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How near a figure is to what the machine can do: bytes that generation reads, and the operations of a prompt.

Generation reads every weight once for each token, and the keys and values of the context; so memory bandwidth is its
ceiling (S. Williams, A. Waterman, D. Patterson, Roofline, CACM 52 (2009)). A prompt is bound by arithmetic. What is
measured of that is multiplying and adding numbers of 32 bits; kernels that multiply 8-bit integers may be above it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import variant
from ansible_collections.cloudbench.llama.plugins.module_utils.models import shapes
from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import Shape, parameters

Payload = dict[str, Any]

# Tokens of a prompt that are computed at once: llama.cpp's own default of --ubatch-size.
UBATCH = 512


class Ceiling(NamedTuple):
    """The read bandwidth that a figure is held against: 1e9 bytes per second, and the threads it was measured with."""

    read_gb_s: float
    threads: int


def embedding_share(shape: Shape) -> float:
    """Return which share of the weights is the table of token embeddings that is only looked up: 0 where it is tied.

    A tied table is the output matrix as well, which each token reads whole.
    """
    return 0.0 if shape.tied else shape.vocabulary * shape.embedding / parameters(shape)


def weight_bytes(model: Payload) -> float | None:
    """Return the bytes of weights that generation reads for each token, None where the shape is not known.

    `model`: the payload of its record. The file's bytes, short of the embedding table's share of them: right to the
    per cent where all tensors have one type, and high by some where the output matrix has more bits than the table.
    """
    shape = shape_of(model)
    size = model.get("bytes")
    return None if shape is None or not size else size * (1 - embedding_share(shape))


def shape_of(model: Payload) -> Shape | None:
    """Return the shape of a model by its name, None where that names none."""
    return shapes.shape_of(str(model.get("name")))


def kv_bytes(model: Payload, cell: Payload) -> float | None:
    """Return the bytes of keys and values that a cell of generation reads at the mean depth of its context."""
    shape = shape_of(model)
    depth = cell["n_depth"] + cell["n_gen"] / 2
    return None if shape is None else shapes.kv_bytes(shape, *variant.kv_types(cell)) * depth


def token_bytes(model: Payload, cell: Payload) -> float | None:
    """Return the bytes that each token of a cell of generation reads: weights, and the context at its mean depth."""
    weights, context = weight_bytes(model), kv_bytes(model, cell)
    return None if weights is None or context is None else weights + context


def ceiling(bandwidths: Iterable[Payload], threads: int) -> Ceiling | None:
    """Return the best read bandwidth with so many threads, else with any number; None without a measurement.

    `bandwidths`: payloads of bandwidth records of one machine and run.
    """
    known = [Ceiling(measured["read_gb_s"]["best"], measured["threads"]) for measured in bandwidths]
    alike = [ceiling for ceiling in known if ceiling.threads == threads]
    return max(alike or known, default=None)


def allowed_tps(model: Payload, cell: Payload, top: Ceiling | None) -> float | None:
    """Return the tokens per second of generation that a read bandwidth allows; None where something is not known."""
    each = token_bytes(model, cell)
    return top.read_gb_s * 1e9 / each if each and top else None


def bandwidth_share(model: Payload, cell: Payload, tg_tps: float | None, top: Ceiling | None) -> float | None:
    """Return which share (percent) of the read bandwidth generation takes; None where something is not known."""
    each = token_bytes(model, cell)
    if each is None or tg_tps is None or top is None:
        return None
    return 100 * each * tg_tps / (top.read_gb_s * 1e9)


def arithmetic(bandwidths: Iterable[Payload], threads: int) -> float | None:
    """Return the best GFLOP/s of 32 bits with so many threads, None where that was not measured."""
    known = [
        measured["fma_gflops"]["best"]
        for measured in bandwidths
        if measured.get("fma_gflops") and measured["threads"] == threads
    ]
    return max(known, default=None)


def token_operations(model: Payload) -> float | None:
    """Return the operations for each token, 2 for each weight that it uses; None where the shape is not known.

    Those of the attention are left out.
    """
    shape = shape_of(model)
    return None if shape is None else 2 * (parameters(shape) * (1 - embedding_share(shape)))


def gflops(model: Payload, tps: float | None) -> float | None:
    """Return the GFLOP/s of so many tokens a second, None where something is not known."""
    operations = token_operations(model)
    return None if operations is None or tps is None else operations * tps / 1e9


def prompt_gflops(model: Payload, cell: Payload, pp_tps: float | None) -> float | None:
    """Return the GFLOP/s of a prompt, None of a cell without one and where something is not known."""
    return gflops(model, pp_tps) if cell["n_prompt"] else None


def arithmetic_share(rate: float | None, top: float | None) -> float | None:
    """Return which share (percent) of the arithmetic a prompt takes, both in GFLOP/s; None where one is not known."""
    return 100 * rate / top if rate is not None and top else None


def intensity(model: Payload, cell: Payload) -> float | None:
    """Return the operations for each byte read, None where something is not known.

    The tokens of a prompt that are computed at once share one reading of the weights.
    """
    operations, weights = token_operations(model), weight_bytes(model)
    if operations is None or not weights:
        return None
    if cell["n_prompt"]:
        together: int = min(cell["n_prompt"], UBATCH)
        return operations * together / weights
    return operations / (token_bytes(model, cell) or weights)
