# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.models.ggml_types import BY_NAME as TENSOR_TYPES
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import (
    ALIASES,
    BY_NAME,
    QuantizationError,
    bits,
    listed,
    lookup,
    needs_imatrix,
    of_file_type,
    promised_types,
    slug,
)

FIXTURES = Path(__file__).resolve().parents[4] / "fixtures" / "llama-quantize"
CURRENT = (FIXTURES / "help-0c1e57098.txt").read_text("utf-8")
LEGACY = (FIXTURES / "help-b3826.txt").read_text("utf-8")


def remarks(text: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^ *\d+ +or +(\w+) *: *(.*)$", text))


def test_the_table_is_what_both_versions_list() -> None:
    current, legacy = listed(CURRENT), listed(LEGACY)
    assert (len(current), len(legacy)) == (38, 38)
    assert {row.name: row.file_type for row in BY_NAME.values()} == {
        name: number for name, number in {**legacy, **current}.items() if name not in ALIASES
    }
    assert {name for name, row in BY_NAME.items() if row.legacy} == set(legacy) - set(current)


def test_the_aliases_are_those_of_the_help() -> None:
    assert {
        name: remark.removeprefix("alias for ") for name, remark in remarks(CURRENT).items() if "alias" in remark
    } == ALIASES


def test_sizes_are_those_of_the_help() -> None:
    for name, remark in {**remarks(LEGACY), **remarks(CURRENT)}.items():
        if name in ALIASES:
            continue
        wide, size = re.match(r"([\d.]+) +bpw", remark), re.match(r"([\d.]+)G.*@ Llama-3-8B", remark)
        row = BY_NAME[name]
        assert row.bits_per_weight == (float(wide.group(1)) if wide else None), name
        assert row.gib_8b == (float(size.group(1)) if size else None), name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Q4_0", "q4"),
        ("Q4_0_4_4", "q4-044"),
        ("Q4_0_4_8", "q4-048"),
        ("Q4_0_8_8", "q4-088"),
        ("Q4_K_M", "q4-k-m"),
        ("q8_0", "q8"),
        ("F16", "f16"),
        ("IQ4_NL", "iq4-nl"),
        ("Q4_1", "q4-1"),
        ("Q5_0", "q5"),
        ("Q5_1", "q5-1"),
        ("Q4_K", "q4-k-m"),
    ],
)
def test_slug(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_no_two_quantizations_share_a_slug() -> None:
    assert len({slug(name) for name in BY_NAME}) == len(BY_NAME)


def test_an_unknown_name_is_answered_with_the_list_and_the_nearest() -> None:
    with pytest.raises(QuantizationError, match=r"'Q4_KM' is no quantization .*Q1_0, .*F32; did you mean Q4_K_M\?"):
        lookup("Q4_KM")
    with pytest.raises(QuantizationError, match=r"F32$"):
        lookup("")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (2, "Q4_0"),
        (35, "Q4_0_8_8"),
        (1024 + 7, "Q8_0"),
        (39, "NVFP4"),
        (4, None),
        (-1, None),
        ("2", None),
        (True, None),
    ],
)
def test_of_file_type(number: object, expected: str | None) -> None:
    assert of_file_type(number) == expected


def test_bits() -> None:
    assert bits(BY_NAME["Q4_0"]) == pytest.approx(4.64, abs=0.01)
    assert (bits(BY_NAME["F16"]), bits(BY_NAME["F32"]), bits(BY_NAME["IQ4_XS"])) == (16, 32, 4.25)


def test_nine_types_need_an_importance_matrix() -> None:
    assert {name for name in BY_NAME if needs_imatrix(name)} == {
        "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS", "IQ3_XS", "Q2_K_S",
    }  # fmt: skip
    assert not needs_imatrix("q4_k")
    with pytest.raises(QuantizationError, match="'IQ9' is no quantization"):
        needs_imatrix("IQ9")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MXFP4_MOE", ("MXFP4",)),
        ("NVFP4", ("NVFP4",)),
        ("Q4_K_M", ("Q4_K",)),
        ("Q4_K", ("Q4_K",)),
        ("Q2_K", ("Q2_K",)),
        ("IQ2_M", ("IQ2_S",)),
        ("IQ3_XS", ("IQ3_S", "IQ3_XXS")),
        ("Q4_0_8_8", ("Q4_0_8_8",)),
        ("BF16", ("BF16",)),
        ("mine", ()),
    ],
)
def test_what_a_name_promises(name: str, expected: tuple[str, ...]) -> None:
    assert promised_types(name) == expected


def test_every_name_promises_types_that_there_are() -> None:
    assert all(promised_types(name) for name in BY_NAME)
    assert {kind for name in BY_NAME for kind in promised_types(name)} <= set(TENSOR_TYPES)
