# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of tensors is of their types and bytes; a record that does not tell them says nothing."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import weights


def model(quantization: str, digest: str | None = None, **sizes: int) -> dict[str, Any]:
    shares = {name: {"tensors": 1, "bytes": size} for name, size in sizes.items()}
    return {"quantization": quantization, "tensor_types": shares or None, "tensors_sha256": digest}


@pytest.mark.parametrize(
    ("quantization", "sizes", "share"),
    [
        ("MXFP4_MOE", {"Q8_0": 900, "F32": 100}, 0.0),
        # SmolLM2 135M: rows of 576 are no multiple of 256.
        ("Q2_K", {"Q4_0": 70, "Q3_K": 20, "Q8_0": 10, "F32": 5}, 0.0),
        ("Q4_K_M", {"Q5_0": 60, "Q4_K": 30, "Q6_K": 10, "F32": 5}, 0.3),
        ("IQ3_XS", {"IQ3_S": 40, "IQ3_XXS": 40, "Q6_K": 20}, 0.8),
        ("F32", {"F32": 5}, 1.0),
        ("F16", {"F16": 30, "F32": 5}, 1.0),
        ("Q4_0", {"F32": 5}, 0.0),
        ("Q4_0", {}, None),
        ("Some of mine", {"Q4_0": 5}, None),
    ],
)
def test_the_share_that_a_name_promises(quantization: str, sizes: dict[str, int], share: float | None) -> None:
    assert weights.promised_share(model(quantization, **sizes)) == share


def test_types_come_by_what_they_take() -> None:
    told = model("Q4_0", F32=5, Q4_0=70, Q6_K=20)
    assert [name for name, _count, _size in weights.types(told)] == ["Q4_0", "Q6_K", "F32"]
    assert weights.types({"quantization": "Q4_0"}) == []


@pytest.mark.parametrize(
    ("word", "parameters", "misnamed"),
    [
        ("llama 256M Q4_0", 134_515_008, True),
        ("llama 1B Q4_0", 1_235_814_432, False),
        ("llama 8B Q4_K - Medium", 8_030_261_312, False),
        ("llama ?B Q4_0", 37_000_000, False),
        ("llama 7B Q4_0", None, False),
        ("qwen2 1.5B Q8_0", 494_000_000, True),
    ],
)
def test_the_word_of_llama_bench(word: str, parameters: int | None, misnamed: bool) -> None:
    assert weights.is_misnamed({"parameters": parameters}, word) is misnamed


def test_quantizations_of_the_same_tensors_are_the_one_that_bears_its_name() -> None:
    models = [
        model("MXFP4_MOE", "a", Q8_0=9),
        model("Q8_0", "a", Q8_0=9),
        model("Q4_0", "b", Q4_0=5),
        model("Q4_0", "b", Q4_0=5),
        model("Q6_K", None, Q6_K=5),
        model("Q5_K_M", None, Q6_K=5),
    ]
    assert weights.twins(models) == {"a": "Q8_0"}
