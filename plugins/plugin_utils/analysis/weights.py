# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the weights of a model are, whatever its quantization is called: the types of its tensors, and what is the same.

Models are payloads of their records; those of the first versions do not say it, and nothing is said of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import promised_types

# Types of norms and biases, which llama-quantize leaves alone: no quantization is judged by them.
_LEFT_ALONE = ("F32",)

# From here on the word of llama-bench is of another model: it calls 1.24 billion 1B, and SmolLM2 135M 256M.
_ANOTHER = 1.5
_SIZES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)([KMBT])(?!\w)")


def types(model: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Return type, number and bytes of the tensors of each type, those that take most first."""
    shares = model.get("tensor_types") or {}
    rows = [(name, share["tensors"], share["bytes"]) for name, share in shares.items()]
    return sorted(rows, key=lambda row: (-row[2], row[0]))


def promised_share(model: dict[str, Any]) -> float | None:
    """Return which share of the bytes of quantized tensors is of the types that the quantization's name promises.

    None where the record or the name does not say it.
    """
    promised = promised_types(model["quantization"])
    every = {name: size for name, _count, size in types(model)}
    if not promised or not every:
        return None
    quantized = {name: size for name, size in every.items() if name in promised or name not in _LEFT_ALONE}
    whole = sum(quantized.values())
    return sum(quantized.get(name, 0) for name in promised) / whole if whole else 0.0


def said_size(model_type: str) -> float | None:
    """Return the parameters that a model has in llama-bench's word for it, such as "llama 1B Q4_0"; None without."""
    match = _SIZE.search(model_type)
    return float(match.group(1)) * _SIZES[match.group(2)] if match else None


def is_misnamed(model: dict[str, Any], model_type: str) -> bool:
    """Say whether llama-bench's word for a model gives it a size that is not its own."""
    said, parameters = said_size(model_type), model.get("parameters")
    return bool(said and parameters and not 1 / _ANOTHER < said / parameters < _ANOTHER)


def twins(models: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return by the digest of tensors that several quantizations of a model have the one that they all are.

    That is one whose tensors bear its name, and among such the first by name.
    """
    names: dict[str, dict[str, bool]] = {}
    for model in models:
        if model.get("tensors_sha256"):
            names.setdefault(model["tensors_sha256"], {})[model["quantization"]] = promised_share(model) == 0
    return {
        digest: min(alike, key=lambda name: (alike[name], name)) for digest, alike in names.items() if len(alike) > 1
    }
