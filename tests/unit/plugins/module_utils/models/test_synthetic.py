# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from support.models import gguf_files as files

from ansible_collections.cloudbench.llama.plugins.module_utils.models import synthetic
from ansible_collections.cloudbench.llama.plugins.module_utils.models.digests import of_file
from ansible_collections.cloudbench.llama.plugins.module_utils.models.gguf import GgufError, read_gguf
from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import rope_factors
from ansible_collections.cloudbench.llama.plugins.module_utils.models.synthetic import (
    RECIPES,
    adopt,
    chunks,
    existing,
    generate,
    plan,
)

FIXTURES = Path(__file__).resolve().parents[4] / "fixtures" / "gguf"


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("vocabulary") / "vocabulary.gguf"
    path.write_bytes(files.vocabulary())
    return str(path)


def content(quantization: str, vocabulary: str, shape: Any = files.MINI, seed: int = 1) -> bytes:
    return b"".join(chunks(plan(shape, quantization, seed, vocabulary)))


@pytest.mark.parametrize(
    ("shape", "quantization"),
    [
        (files.MINI, "Q4_0"),
        (files.MINI, "Q8_0"),
        (files.MINI, "Q4_0_8_8"),
        (files.MINI_UNTIED, "Q4_0"),
        (files.MINI_UNTIED, "Q8_0"),
        (files.MINI_UNTIED, "Q4_0_4_8"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_header_is_the_one_llama_quantize_writes(shape: Any, quantization: str, vocabulary: str) -> None:
    recorded = (FIXTURES / f"{shape.name}-{quantization.lower()}.header").read_bytes()
    assert plan(shape, quantization, 1, vocabulary).header == recorded


# The same bytes on every machine and Python: a change here is a change of GENERATOR_VERSION.
@pytest.mark.parametrize(
    ("quantization", "digest"),
    [
        ("F16", "6a183e68daa2571a2208df185f95c9e02369532a3f07e3e23153ba6ccb3da22f"),
        ("Q8_0", "ebc7eeb76d23425ef03df17c4dafce90958b02375aaf9bbd142c6717d83bc74e"),
        ("Q4_0", "d15c8096dbaa1ae72fc1e344a7e4c4b185e98c58ece25d39e3ba110b15b84835"),
        ("Q4_0_8_8", "b29f77a17153917b8e0eb0b1a2557df042b2e7354f4d964fc52e6ccd2958cb50"),
    ],
)
def test_the_bytes_never_change(quantization: str, digest: str, vocabulary: str) -> None:
    assert hashlib.sha256(content(quantization, vocabulary)).hexdigest() == digest


def test_another_seed_gives_other_weights(vocabulary: str) -> None:
    first, second = (content("Q4_0", vocabulary, seed=seed) for seed in (1, 2))
    assert len(first) == len(second)
    equal = sum(a == b for a, b in zip(first[-100_000:], second[-100_000:], strict=True))
    assert equal < 30_000


def test_a_planned_file_has_the_planned_size(vocabulary: str) -> None:
    for quantization in RECIPES:
        for shape in (files.MINI, files.MINI_UNTIED):
            planned = plan(shape, quantization, 1, vocabulary)
            assert sum(len(piece) for piece in chunks(planned)) == planned.bytes


def q4_0(block: bytes) -> list[float]:
    (scale,) = struct.unpack_from("<e", block)
    low, high = [byte & 15 for byte in block[2:]], [byte >> 4 for byte in block[2:]]
    return [scale * (number - 8) for number in low + high]


def q4_0x8(block: bytes) -> list[float]:
    scales = struct.unpack_from("<8e", block)
    assert len(set(scales)) == 1
    numbers = [number for byte in block[16:] for number in (byte & 15, byte >> 4)]
    return [scales[0] * (number - 16 if number > 7 else number) for number in numbers]


def q8_0(block: bytes) -> list[float]:
    scale, *numbers = struct.unpack("<e32b", block)
    assert min(numbers) >= -127
    return [scale * number for number in numbers]


def q6_k(block: bytes) -> list[float]:
    """dequantize_row_q6_K in ggml-quants.c."""
    low, high, scales = block[:128], block[128:192], struct.unpack_from("<16b", block, 192)
    (scale,) = struct.unpack_from("<e", block, 208)
    values = []
    for half in range(2):
        for index in range(32):
            bits = high[32 * half + index]
            quarters = (
                low[64 * half + index] & 15 | (bits & 3) << 4,
                low[64 * half + index + 32] & 15 | (bits >> 2 & 3) << 4,
                low[64 * half + index] >> 4 | (bits >> 4 & 3) << 4,
                low[64 * half + index + 32] >> 4 | (bits >> 6 & 3) << 4,
            )
            for quarter, number in enumerate(quarters):
                values.append(scale * scales[8 * half + index // 16 + 2 * quarter] * (number - 32))
    return values


def f16(block: bytes) -> list[float]:
    return list(struct.unpack("<e", block))


@pytest.mark.parametrize(
    ("quantization", "tensor", "block", "decode"),
    [
        ("F16", "blk.0.ffn_up.weight", 2, f16),
        ("Q8_0", "blk.0.ffn_up.weight", 34, q8_0),
        ("Q4_0", "blk.0.ffn_up.weight", 18, q4_0),
        ("Q4_0", "token_embd.weight", 210, q6_k),
        ("Q4_0_8_8", "blk.0.ffn_up.weight", 144, q4_0x8),
    ],
)
def test_weights_look_like_weights(
    quantization: str, tensor: str, block: int, decode: Any, vocabulary: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content(quantization, vocabulary))
    model = read_gguf(str(path))
    row = next(row for row in model.tensors if row.name == tensor)
    start = model.data_offset + row.offset
    data = path.read_bytes()[start : start + min(row.bytes, 200_000)]
    weights = [value for at in range(0, len(data) - block + 1, block) for value in decode(data[at : at + block])]
    assert all(math.isfinite(weight) for weight in weights)
    mean = sum(weights) / len(weights)
    deviation = math.sqrt(sum((weight - mean) ** 2 for weight in weights) / len(weights))
    assert abs(mean) < 0.001
    assert deviation == pytest.approx(0.02, rel=0.05)
    assert max(map(abs, weights)) < 0.2


def test_vectors(vocabulary: str, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content("Q4_0", vocabulary))
    model = read_gguf(str(path), ["llama"])
    data = path.read_bytes()
    for tensor in model.tensors:
        if tensor.type == "F32":
            start = model.data_offset + tensor.offset
            values = struct.unpack_from(f"<{tensor.shape[0]}f", data, start)
            if tensor.name == "rope_freqs.weight":
                assert values == pytest.approx(rope_factors(files.MINI))
            else:
                assert set(values) == {1.0}


def test_it_says_that_it_is_synthetic(vocabulary: str, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content("F16", vocabulary))
    metadata = read_gguf(str(path)).metadata
    assert metadata["general.name"] == "Llama mini shape, synthetic random weights"
    assert metadata["cloudbench.synthetic"] is True
    assert (metadata["cloudbench.seed"], metadata["general.file_type"]) == (1, 1)


def test_the_tokenizer_is_copied_byte_for_byte(vocabulary: str, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content("Q4_0", vocabulary))
    source, copy = read_gguf(vocabulary), read_gguf(str(path))
    keys = [key for key in source.spans if key.startswith("tokenizer.")]
    assert len(keys) == 6
    for key in keys:
        (a, b), (c, d) = source.spans[key], copy.spans[key]
        assert Path(vocabulary).read_bytes()[a:b] == path.read_bytes()[c:d]


def test_what_is_refused(vocabulary: str, tmp_path: Path) -> None:
    with pytest.raises(GgufError, match="'Q4_K_M' cannot be generated directly, only F16, "):
        plan(files.MINI, "Q4_K_M", 1, vocabulary)
    with pytest.raises(GgufError, match="the seed -1 is not from 0"):
        plan(files.MINI, "Q4_0", -1, vocabulary)
    with pytest.raises(GgufError, match="holds 512 tokens, Llama mini needs 513; give models/ggml-vocab-llama-bpe"):
        plan(files.MINI._replace(vocabulary=513), "Q4_0", 1, vocabulary)
    with pytest.raises(GgufError, match="No such file"):
        plan(files.MINI, "Q4_0", 1, str(tmp_path / "none.gguf"))
    (tmp_path / "empty.gguf").write_bytes(files.gguf([files.record("general.architecture", files.STRING, "llama")]))
    with pytest.raises(GgufError, match="holds no tokens"):
        plan(files.MINI, "Q4_0", 1, str(tmp_path / "empty.gguf"))


class TestLifeOfAFile:
    def path(self, tmp_path: Path) -> str:
        return str(tmp_path / "models" / "mini-q4.gguf")

    def test_generate_then_find(self, vocabulary: str, tmp_path: Path) -> None:
        path = self.path(tmp_path)
        payload = generate(plan(files.MINI, "Q4_0", 1, vocabulary), path)
        data = Path(path).read_bytes()
        assert payload == {
            "id": payload["id"],
            "name": "mini",
            "quantization": "Q4_0",
            "file": "mini-q4.gguf",
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "parameters": 4_065_568,
            "synthetic": True,
            "source": "generated, seed 1",
            "architecture": "llama",
            "tensor_types": {
                "F32": {"tensors": 10, "bytes": 9_344},
                "Q4_0": {"tensors": 28, "bytes": 2_211_840},
                "Q6_K": {"tensors": 1, "bytes": 107_520},
            },
            "bits_per_weight": 4.5823,
            "tensors_sha256": of_file(path).tensors_sha256,
        }
        assert existing(files.MINI, "Q4_0", 1, path) == payload
        assert existing(files.MINI, "Q4_0", 2, path) is None
        assert existing(files.MINI, "Q8_0", 1, path) is None
        assert existing(files.MINI_UNTIED, "Q4_0", 1, path) is None
        sidecar = json.loads(Path(path + ".json").read_text())
        assert {key: sidecar[key] for key in ("shape", "seed", "generator")} == {
            "shape": "mini",
            "seed": 1,
            "generator": synthetic.GENERATOR_VERSION,
        }
        assert sorted(os.listdir(tmp_path / "models")) == ["mini-q4.gguf", "mini-q4.gguf.json"]

    def test_a_touched_file_is_adopted_and_a_changed_one_is_not(self, vocabulary: str, tmp_path: Path) -> None:
        path, planned = self.path(tmp_path), plan(files.MINI, "Q4_0", 1, vocabulary)
        payload = generate(planned, path)
        os.utime(path, (1, 1))
        assert existing(files.MINI, "Q4_0", 1, path) is None
        assert adopt(planned, path) == payload
        assert existing(files.MINI, "Q4_0", 1, path) == payload

        with open(path, "r+b") as file:
            file.seek(-1000, os.SEEK_END)
            file.write(b"\x00\x01\x02\x03")
        os.utime(path, (2, 2))
        assert adopt(planned, path) is None
        assert adopt(planned, path + ".none") is None

    def test_a_good_file_survives_a_failure(
        self, vocabulary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path, planned = self.path(tmp_path), plan(files.MINI, "Q4_0", 1, vocabulary)
        generate(planned, path)
        before = Path(path).read_bytes()

        def cut(planned: synthetic.Plan) -> Any:
            yield planned.header
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(synthetic, "chunks", cut)
        with pytest.raises(ValueError, match=r"mini-q4\.gguf could not be written: No space left on device; "):
            generate(plan(files.MINI, "Q4_0", 2, vocabulary), path)

        # Written to the end, but too short: the check after writing.
        monkeypatch.setattr(synthetic, "chunks", lambda planned: iter([planned.header]))
        with pytest.raises(GgufError, match="another size than planned"):
            generate(plan(files.MINI, "Q4_0", 2, vocabulary), path)
        assert Path(path).read_bytes() == before
        assert sorted(os.listdir(tmp_path / "models")) == ["mini-q4.gguf", "mini-q4.gguf.json"]
