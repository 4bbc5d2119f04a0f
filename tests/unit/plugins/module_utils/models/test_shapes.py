# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import (
    PRESETS,
    ShapeError,
    likely_shape,
    parameters,
    preset,
    rope_factors,
    shape_of,
    tensors,
)


# Published parameter counts (model cards), each with the head_dimension / 2 elements of rope_freqs on top.
@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("llama-3.2-1b-synthetic", 1_235_814_400),
        ("llama-3.2-3b-synthetic", 3_212_749_824),
        ("llama-3.1-8b-synthetic", 8_030_261_248),
        ("llama-3.1-70b-synthetic", 70_553_706_496),
    ],
)
def test_parameters_are_the_published_ones(name: str, published: int) -> None:
    shape = PRESETS[name]
    assert parameters(shape) == published + shape.head_dimension // 2


def test_every_shape_can_take_every_quantization() -> None:
    for shape in PRESETS.values():
        assert shape.heads % shape.kv_heads == 0
        for tensor in tensors(shape):
            if len(tensor.dimensions) == 2:
                assert tensor.dimensions[0] % 256 == 0, (shape.name, tensor)
                assert tensor.dimensions[1] % 8 == 0, (shape.name, tensor)


def test_tied_embeddings_have_no_output_matrix() -> None:
    for shape in PRESETS.values():
        names = [tensor.name for tensor in tensors(shape)]
        assert ("output.weight" in names) is not shape.tied
        assert len(names) == len(set(names)) == 3 + (not shape.tied) + 9 * shape.layers


def test_rope_factors() -> None:
    # The ends of the ramp: short waves are left alone, long ones divided by the factor of config.json.
    one, eight = rope_factors(PRESETS["llama-3.2-1b-synthetic"]), rope_factors(PRESETS["llama-3.1-8b-synthetic"])
    assert (len(one), len(eight)) == (32, 64)
    assert (one[0], one[-1], eight[0], eight[-1]) == (1.0, 32.0, 1.0, 8.0)
    assert one == sorted(one)
    # Between them, from the rule worked by hand for pair 16 of 64: wavelength 2 pi 500000^(32/64) = 4442.88 tokens,
    # smooth = (8192 / 4442.88 - 1) / 3 = 0.28128, factor 1 / ((1 - smooth) / 32 + smooth) = 3.29...
    assert one[16] == pytest.approx(1 / ((1 - 0.281282) / 32 + 0.281282), rel=1e-5)


def test_an_unknown_preset_is_answered_with_the_list_and_the_nearest() -> None:
    with pytest.raises(ShapeError, match=r"tiny-synthetic, .*; did you mean llama-3\.2-1b-synthetic\?"):
        preset("llama-3.2-1b")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("llama-3.2-1b-synthetic", "llama-3.2-1b-synthetic"),
        ("tiny-synthetic", "tiny-synthetic"),
        ("llama-3-8b", "llama-3.1-8b-synthetic"),
        ("llama-3.1-8b", "llama-3.1-8b-synthetic"),
        ("llama-3.3-70b", "llama-3.1-70b-synthetic"),
        # It may be any model of that size: no figure follows from such a name.
        ("mine-8b", None),
        ("no-preset", None),
        ("", None),
    ],
)
def test_the_shape_of_a_name(name: str, shape: str | None) -> None:
    known = shape_of(name)
    assert (known and known.name) == shape


@pytest.mark.parametrize(
    ("texts", "shape"),
    [
        (("mine", "/models/Llama-3.2-3B-Instruct.gguf"), "llama-3.2-3b-synthetic"),
        (("mine-8b", "/models/m-1b.gguf"), "llama-3.1-8b-synthetic"),
        (("mine", "/models/other-13b.gguf"), None),
        (("mine", "/models/18b.gguf"), None),
        ((), None),
    ],
)
def test_a_size_in_a_name_hints_at_a_shape(texts: tuple[str, ...], shape: str | None) -> None:
    likely = likely_shape(*texts)
    assert (likely and likely.name) == shape
