# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quantizations that llama-quantize writes: the one table of their names and numbers."""

from __future__ import annotations

import re
from typing import Dict, NamedTuple, Optional, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.models.ggml_types import BY_NAME as TENSOR_TYPES
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import did_you_mean


class QuantizationError(ValueError):
    """An unknown quantization; the message lists the known ones and the nearest."""


class Quantization(NamedTuple):
    """A row of `llama-quantize --help` (0c1e57098; the legacy ones: b3826).

    `file_type` is the number that llama-quantize writes to general.file_type. The help gives either
    `bits_per_weight`, or `gib_8b`, the size in GiB of Llama 3 8B; the other one is None, as are both where the help
    is silent or speaks of another model. `legacy`: llama.cpp removed the type in b4282. `needs_imatrix`: without an
    importance matrix llama-quantize refuses it (`tensor_requires_imatrix` in src/llama-quant.cpp, 832db0699007). That
    goes by the types of the tensors: IQ3_XS too has IQ3_XXS ones, and Q2_K is refused in a Q2_K_S only. A model whose
    embedding is no multiple of 256, such as SmolLM2 135M, gets IQ4_NL in their place, and IQ3_XS and IQ3_XXS of it
    need none. `imatrix`: made with one, which its name says: Q4_0+imatrix is another model than Q4_0.
    """

    name: str
    file_type: int
    bits_per_weight: Optional[float] = None
    gib_8b: Optional[float] = None
    legacy: bool = False
    needs_imatrix: bool = False
    imatrix: bool = False

    @property
    def plain(self) -> str:
        """What llama-quantize calls it, which has no word for an importance matrix: Q4_0 of Q4_0+imatrix."""
        return plain(self.name)


_ROWS = (
    Quantization("Q1_0", 40, bits_per_weight=1.125),
    Quantization("Q2_0", 41, bits_per_weight=2.25),
    Quantization("Q4_0", 2, gib_8b=4.34),
    Quantization("Q4_1", 3, gib_8b=4.78),
    Quantization("MXFP4_MOE", 38),
    Quantization("Q5_0", 8, gib_8b=5.21),
    Quantization("Q5_1", 9, gib_8b=5.65),
    Quantization("IQ2_XXS", 19, bits_per_weight=2.06, needs_imatrix=True),
    Quantization("IQ2_XS", 20, bits_per_weight=2.31, needs_imatrix=True),
    Quantization("IQ2_S", 28, bits_per_weight=2.5, needs_imatrix=True),
    Quantization("IQ2_M", 29, bits_per_weight=2.7, needs_imatrix=True),
    Quantization("IQ1_S", 24, bits_per_weight=1.56, needs_imatrix=True),
    Quantization("IQ1_M", 31, bits_per_weight=1.75, needs_imatrix=True),
    Quantization("TQ1_0", 36, bits_per_weight=1.69),
    Quantization("TQ2_0", 37, bits_per_weight=2.06),
    Quantization("Q2_K", 10, gib_8b=2.96),
    Quantization("Q2_K_S", 21, gib_8b=2.96, needs_imatrix=True),
    Quantization("IQ3_XXS", 23, bits_per_weight=3.06, needs_imatrix=True),
    Quantization("IQ3_S", 26, bits_per_weight=3.44),
    Quantization("IQ3_M", 27, bits_per_weight=3.66),
    Quantization("IQ3_XS", 22, bits_per_weight=3.3, needs_imatrix=True),
    Quantization("Q3_K_S", 11, gib_8b=3.41),
    Quantization("Q3_K_M", 12, gib_8b=3.74),
    Quantization("Q3_K_L", 13, gib_8b=4.03),
    Quantization("IQ4_NL", 25, bits_per_weight=4.5),
    Quantization("IQ4_XS", 30, bits_per_weight=4.25),
    Quantization("Q4_K_S", 14, gib_8b=4.37),
    Quantization("Q4_K_M", 15, gib_8b=4.58),
    Quantization("Q5_K_S", 16, gib_8b=5.21),
    Quantization("Q5_K_M", 17, gib_8b=5.33),
    Quantization("Q6_K", 18, gib_8b=6.14),
    Quantization("Q8_0", 7, gib_8b=7.96),
    Quantization("Q4_0_4_4", 33, gib_8b=4.34, legacy=True),
    Quantization("Q4_0_4_8", 34, gib_8b=4.34, legacy=True),
    Quantization("Q4_0_8_8", 35, gib_8b=4.34, legacy=True),
    Quantization("F16", 1),
    Quantization("BF16", 32),
    Quantization("F32", 0),
)

BY_NAME: Dict[str, Quantization] = {row.name: row for row in _ROWS}
ALIASES: Dict[str, str] = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"}

# What stands behind a type that is made with an importance matrix.
IMATRIX = "+imatrix"

# Types that come out the same without one: their functions in ggml/src/ggml-quants.c (832db0699007) do not use it.
_REGARDLESS = ("Q1_0", "Q2_0", "Q8_0", "MXFP4_MOE", "TQ1_0", "TQ2_0")

# Bits per weight of the types that llama-quantize takes as a source without loss on loss.
UNQUANTIZED: Dict[str, int] = {"F32": 32, "F16": 16, "BF16": 16}

# The types of tensors that a name promises where they are not called as it is: `llama_ftype_get_default_type` in
# src/llama-quant.cpp (832db0699007), and the second type of a mixture that is named after both.
_PROMISED: Dict[str, Tuple[str, ...]] = {
    "MXFP4_MOE": ("MXFP4",),
    "IQ2_S": ("IQ2_XS", "IQ2_S"),
    "IQ2_M": ("IQ2_S",),
    "IQ3_XS": ("IQ3_S", "IQ3_XXS"),
    "IQ3_M": ("IQ3_S",),
    "Q2_K_S": ("Q2_K",),
    "Q3_K_S": ("Q3_K",),
    "Q3_K_M": ("Q3_K",),
    "Q3_K_L": ("Q3_K",),
    "Q4_K_S": ("Q4_K",),
    "Q4_K_M": ("Q4_K",),
    "Q5_K_S": ("Q5_K",),
    "Q5_K_M": ("Q5_K",),
}

_BY_FILE_TYPE: Dict[int, str] = {row.file_type: row.name for row in _ROWS}
_BY_FILE_TYPE[39] = "NVFP4"  # LLAMA_FTYPE_MOSTLY_NVFP4 in include/llama.h: read, but not written by llama-quantize
_GUESSED = 1024  # LLAMA_FTYPE_GUESSED, a flag added to the number

_ELEMENTS_8B = 8030261312  # weights of Llama 3 8B, to which `gib_8b` refers


def lookup(name: str) -> Quantization:
    """The quantization called `name` in any case, or by an alias of llama-quantize.

    With `+imatrix` behind it, it is that type made with an importance matrix. Raises QuantizationError, also where
    there is no such thing.
    """
    upper, plus, made_with = name.upper().partition("+")
    row = BY_NAME.get(ALIASES.get(upper, upper))
    if row is None:
        hint = did_you_mean(upper, BY_NAME)
        known = ", ".join(BY_NAME)
        raise QuantizationError(f"{name!r:.60} is no quantization of llama-quantize; they are {known}{hint}")
    if not plus:
        return row
    if plus + made_with != IMATRIX.upper():
        raise QuantizationError(
            f"{name!r:.60} is no quantization: behind a type stands {IMATRIX} or nothing; write {row.name}{IMATRIX} or "
            f"{row.name}"
        )
    useless = _useless(row)
    if useless:
        raise QuantizationError(f"{row.name}{IMATRIX} cannot be had: {useless}; write {row.name}")
    return row._replace(name=row.name + IMATRIX, imatrix=True)


def plain(name: str) -> str:
    """What llama-quantize calls a quantization: Q4_0 of Q4_0+imatrix. A name that is unknown stays as it is."""
    return name[: -len(IMATRIX)] if name.endswith(IMATRIX) else name


def _useless(row: Quantization) -> Optional[str]:
    """Why a type is not made with an importance matrix, None where it is."""
    if row.legacy:
        return "llama.cpp removed the type in b4282, and its llama-quantize made no use of an importance matrix for it"
    if row.name in UNQUANTIZED:
        return "nothing is rounded that an importance matrix could weigh"
    if row.name in _REGARDLESS:
        return "llama-quantize makes it without regard to an importance matrix"
    return None


def of_file_type(number: object) -> Optional[str]:
    """The name for a value of general.file_type, None for one that is unknown or no integer."""
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    return _BY_FILE_TYPE.get(number & ~_GUESSED)


def promised_types(name: str) -> Tuple[str, ...]:
    """The types of ggml that most tensors of a quantization are to have by its name; none for an unknown name."""
    name = ALIASES.get(plain(name), plain(name))
    return _PROMISED.get(name) or ((name,) if name in TENSOR_TYPES else ())


def needs_imatrix(name: str) -> bool:
    """Whether llama-quantize refuses the type without an importance matrix. Raises QuantizationError."""
    return lookup(name).needs_imatrix


def bits(quantization: Quantization) -> float:
    """Bits per weight: from the help where it has them, else 16 or 32 for a float type, else 8.5 (Q8_0, the most)."""
    if quantization.bits_per_weight is not None:
        return quantization.bits_per_weight
    if quantization.gib_8b is not None:
        return quantization.gib_8b * 2**30 * 8 / _ELEMENTS_8B
    return UNQUANTIZED.get(quantization.name, 8.5)


def listed(help_text: str) -> Dict[str, int]:
    """Name -> file type number of every type in the output of `llama-quantize --help`, aliases included."""
    return {name: int(number) for number, name in re.findall(r"(?m)^ *([0-9]{1,9}) +or +(\w+) *:", help_text)}


def slug(name: str) -> str:
    """The name as it stands in file names: Q4_K_M -> q4-k-m, Q4_0_8_8 -> q4-088, Q4_0+imatrix -> q4-imatrix.

    Raises QuantizationError for an unknown name.
    """
    text, _plus, made_with = lookup(name).name.lower().partition("+")
    text = re.sub(r"_0_(\d)_(\d)$", r"-0\1\2", text)
    text = re.sub(r"_0$", "", text)
    return "-".join(filter(None, (text.replace("_", "-"), made_with)))
