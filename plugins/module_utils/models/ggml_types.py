# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tensor types of ggml: number in a GGUF file -> name, block size, bytes per block.

Sources: `enum ggml_type` in ggml/include/ggml.h and `GGML_QUANT_SIZES` in gguf-py/gguf/constants.py,
llama.cpp 0c1e57098 for the current types, ea9c32be71b9 (b3826) and b4282 for the removed ones.
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional


class GgmlType(NamedTuple):
    """A tensor type; `block` is the number of elements that share `bytes` bytes."""

    id: int
    name: str
    block: int
    bytes: int
    removed: Optional[str] = None  # what to use instead; None for a type that llama.cpp still reads


_USE_Q4_0 = "use Q4_0: a current llama.cpp repacks it while loading"
_USE_IQ4_NL = "use IQ4_NL: a current llama.cpp repacks it while loading"

_ROWS = (
    GgmlType(0, "F32", 1, 4),
    GgmlType(1, "F16", 1, 2),
    GgmlType(2, "Q4_0", 32, 18),
    GgmlType(3, "Q4_1", 32, 20),
    GgmlType(6, "Q5_0", 32, 22),
    GgmlType(7, "Q5_1", 32, 24),
    GgmlType(8, "Q8_0", 32, 34),
    GgmlType(9, "Q8_1", 32, 36),
    GgmlType(10, "Q2_K", 256, 84),
    GgmlType(11, "Q3_K", 256, 110),
    GgmlType(12, "Q4_K", 256, 144),
    GgmlType(13, "Q5_K", 256, 176),
    GgmlType(14, "Q6_K", 256, 210),
    GgmlType(15, "Q8_K", 256, 292),
    GgmlType(16, "IQ2_XXS", 256, 66),
    GgmlType(17, "IQ2_XS", 256, 74),
    GgmlType(18, "IQ3_XXS", 256, 98),
    GgmlType(19, "IQ1_S", 256, 50),
    GgmlType(20, "IQ4_NL", 32, 18),
    GgmlType(21, "IQ3_S", 256, 110),
    GgmlType(22, "IQ2_S", 256, 82),
    GgmlType(23, "IQ4_XS", 256, 136),
    GgmlType(24, "I8", 1, 1),
    GgmlType(25, "I16", 1, 2),
    GgmlType(26, "I32", 1, 4),
    GgmlType(27, "I64", 1, 8),
    GgmlType(28, "F64", 1, 8),
    GgmlType(29, "IQ1_M", 256, 56),
    GgmlType(30, "BF16", 1, 2),
    GgmlType(31, "Q4_0_4_4", 32, 18, _USE_Q4_0),
    GgmlType(32, "Q4_0_4_8", 32, 18, _USE_Q4_0),
    GgmlType(33, "Q4_0_8_8", 32, 18, _USE_Q4_0),
    GgmlType(34, "TQ1_0", 256, 54),
    GgmlType(35, "TQ2_0", 256, 66),
    GgmlType(36, "IQ4_NL_4_4", 32, 18, _USE_IQ4_NL),
    GgmlType(37, "IQ4_NL_4_8", 32, 18, _USE_IQ4_NL),
    GgmlType(38, "IQ4_NL_8_8", 32, 18, _USE_IQ4_NL),
    GgmlType(39, "MXFP4", 32, 17),
    GgmlType(40, "NVFP4", 64, 36),
    GgmlType(41, "Q1_0", 128, 18),
    GgmlType(42, "Q2_0", 64, 18),
)

BY_ID: Dict[int, GgmlType] = {row.id: row for row in _ROWS}
BY_NAME: Dict[str, GgmlType] = {row.name: row for row in _ROWS}
