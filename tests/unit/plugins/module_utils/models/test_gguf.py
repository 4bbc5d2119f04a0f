# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import random
import re
import struct
import time
from pathlib import Path

import pytest
from support.models import gguf_files as files

from ansible_collections.cloudbench.llama.plugins.module_utils.models.ggml_types import BY_ID
from ansible_collections.cloudbench.llama.plugins.module_utils.models.gguf import (
    ArraySummary,
    Gguf,
    GgufError,
    Tensor,
    architecture,
    parameters,
    read_gguf,
)

FIXTURES = Path(__file__).resolve().parents[4] / "fixtures" / "gguf"


def read(tmp_path: Path, content: bytes, architectures: list[str] | None = None) -> Gguf:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    return read_gguf(str(path), architectures)


def test_read(tmp_path: Path) -> None:
    content = files.model(
        records=[
            files.record("f", files.FLOAT32, 0.5),
            files.record("b", files.BOOL, True),
            files.record("names", files.ARRAY, (files.STRING, [f"n{number}" for number in range(20)])),
            files.record("numbers", files.ARRAY, (files.INT32, list(range(-3, 97)))),
        ]
    )
    model = read(tmp_path, content)
    assert (model.version, model.alignment, model.bytes) == (3, 32, len(content))
    assert model.metadata == {
        "general.architecture": "llama",
        "general.file_type": 2,
        "f": 0.5,
        "b": True,
        "names": ArraySummary("string", 20, ("n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7")),
        "numbers": ArraySummary("int32", 100, (-3, -2, -1, 0, 1, 2, 3, 4)),
    }
    assert model.tensors == [Tensor("a", (32,), "F32", 0, 128), Tensor("b", (64, 2), "Q4_0", 128, 72)]
    assert model.data_offset == len(content) - 200
    assert parameters(model) == 32 + 128
    assert architecture(model) == "llama"
    start, end = model.spans["b"]
    assert content[start:end] == files.record("b", files.BOOL, True)


def test_read_what_llama_quantize_wrote(tmp_path: Path) -> None:
    header = (FIXTURES / "mini-untied-q4_0_4_8.header").read_bytes()
    with pytest.raises(GgufError, match=f"the file is {len(header)} bytes, its header promises 2417408: truncated"):
        read(tmp_path, header)
    model = read(tmp_path, header + bytes(2417408 - len(header)))
    assert model.metadata["tokenizer.ggml.tokens"].length == 512
    assert model.metadata["llama.attention.head_count_kv"] == 2
    assert {tensor.type for tensor in model.tensors} == {"F32", "Q4_0", "Q4_0_4_8", "Q6_K"}


def test_other_alignment_and_version(tmp_path: Path) -> None:
    content = files.model(version=2, records=[files.record("general.alignment", files.UINT32, 64)])
    model = read(tmp_path, content + bytes(64))
    assert (model.version, model.alignment, model.data_offset % 64) == (2, 64, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "an HTML or XML page"),
        (b"\n  <html>", "an HTML or XML page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an HTML or XML page"),
        (b'{"error":"Repository not found"}', "an error message in JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 5\n", "a git-lfs pointer"),
        (struct.pack("<Q", 20) + b'{"__metadata__":{}}' + bytes(30), "a safetensors file"),
        (b"PK\x03\x04" + bytes(50), "a zip archive or PyTorch checkpoint"),
        (b"\x1f\x8b\x08" + bytes(50), "a compressed file"),
        (b"lmgg" + bytes(50), "an old GGML file"),
        (bytes(4096), "nothing but zero bytes"),
        (b"hello world, this is text", r"not a GGUF file \(it starts with b'hello wo'\)"),
        (b"GGUF", "the file ends after 4 bytes, inside the magic number and version: truncated"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(20), "a big-endian GGUF file"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "GGUF version 1, known are 2 and 3"),
        (b"GGUF" + struct.pack("<IQQ", 99, 0, 0), "GGUF version 99"),
        (files.gguf([], counts=(2**60, 0)), "announces 0 metadata keys and 1152921504606846976 tensors"),
        (files.gguf([], counts=(0, 2**60)), "announces 1152921504606846976 metadata keys"),
        (files.gguf([], counts=(0, 5)), "the file ends after 32 bytes, inside the value of '': truncated"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**40), "a string of 1099511627776 bytes in metadata key 1 of 1"),
        (files.gguf([files.text("k") + struct.pack("<I", 77)]), "the value of 'k' has the unknown type 77"),
        (
            files.gguf([files.text("k") + struct.pack("<IIQ", files.ARRAY, files.STRING, 2**50)]),
            "the value of 'k' announces 1125899906842624 strings",
        ),
        (
            files.gguf([files.text("k") + struct.pack("<IIQ", files.ARRAY, files.UINT32, 2**50)]),
            "the value of 'k' announces 1125899906842624 elements",
        ),
        (
            files.gguf([files.text("k") + struct.pack("<IIQ", files.ARRAY, files.ARRAY, 1)]),
            "array of the unknown type 9",
        ),
        (
            files.gguf([files.record("k", files.UINT32, 1), files.record("k", files.UINT32, 1)]),
            "the metadata key 'k' stands twice",
        ),
        (files.gguf([files.record("general.alignment", files.UINT32, 7)]), "general.alignment is 7"),
        (files.gguf([files.record("general.alignment", files.STRING, "x")]), "general.alignment is 'x'"),
        (files.model(tensors=[files.tensor("t", [32], 99, 0)]), "tensor 't' has the unknown type 99"),
        (files.model(tensors=[files.tensor("t", [33], 2, 0)]), r"tensor 't' of the shape \[33\] cannot be Q4_0"),
        (files.model(tensors=[files.tensor("t", [0], 0, 0)]), r"tensor 't' of the shape \[0\]"),
        (files.model(tensors=[files.tensor("t", [2] * 5, 0, 0)]), "tensor 't' has 5 dimensions"),
        (files.model(tensors=[files.tensor("t", [2**40, 2**20], 0, 0)]), "its header promises .*: truncated"),
        (files.model(tensors=[files.tensor("t", [8], 0, 0)] * 2), "tensor 't' stands twice"),
        (
            files.model(tensors=[files.tensor("t", [32], 0, 0), files.tensor("u", [8], 0, 32)]),
            "tensor 'u' lies at 32, inside another",
        ),
        (files.model()[:-1], "the file is 391 bytes, its header promises 392: truncated, 1 bytes are missing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-",
)
def test_what_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(GgufError, match=message) as caught:
        read(tmp_path, content)
    # What is wrong, and after a semicolon what to do.
    assert re.match(r".*model\.gguf.*; \S", str(caught.value))


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(GgufError, match=r"cannot be read: .*No such file"):
        read_gguf(str(tmp_path / "none.gguf"))
    with pytest.raises(GgufError, match="cannot be read"):
        read_gguf(str(tmp_path))


def test_architectures(tmp_path: Path) -> None:
    assert read(tmp_path, files.model(), ["llama"])
    with pytest.raises(GgufError, match="of the architecture 'gemma3'; only llama can be used"):
        read(tmp_path, files.model(architecture="gemma3"), ["llama"])
    with pytest.raises(GgufError, match=r"\(not named in the file\)"):
        read(tmp_path, files.gguf([]), ["llama"])


def test_hostile_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    whole = files.model(records=[files.record("names", files.ARRAY, (files.STRING, ["a", "bc", "def"]))])
    header = len(whole) - 200
    cases = [whole[:length] for length in range(len(whole))]
    source = random.Random(1)
    for position in range(header):
        for flipped in (whole[position] ^ 1 << source.randrange(8), 0xFF):
            cases.append(whole[:position] + bytes([flipped]) + whole[position + 1 :])
    outcomes = {"read": 0, "refused": 0}
    for case in cases:
        try:
            read(tmp_path, case, ["llama"])
            outcomes["read"] += 1
        except GgufError:
            outcomes["refused"] += 1
    assert outcomes["refused"] > len(whole)
    assert outcomes["read"] > 0


def test_a_sparse_file_of_zeros_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sparse.gguf"
    count = 8_000_000
    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + files.text("k"))
        file.write(struct.pack("<IIQ", files.ARRAY, files.STRING, count + 1))
        file.truncate(2**40)
    start = time.process_time()
    with pytest.raises(GgufError, match="announces 8000001 strings"):
        read_gguf(str(path))
    assert time.process_time() - start < 1


def test_a_real_vocabulary_is_quick(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.gguf"
    path.write_bytes(files.vocabulary(128_256, 280_147))
    best = float("inf")
    for _round in range(3):
        start = time.process_time()
        read_gguf(str(path))
        best = min(best, time.process_time() - start)
    assert best < 0.5


def test_the_removed_types_have_a_name_and_a_remedy() -> None:
    removed = {number: kind.name for number, kind in BY_ID.items() if kind.removed}
    assert removed == {
        31: "Q4_0_4_4",
        32: "Q4_0_4_8",
        33: "Q4_0_8_8",
        36: "IQ4_NL_4_4",
        37: "IQ4_NL_4_8",
        38: "IQ4_NL_8_8",
    }


def test_no_message_repeats_all_that_a_file_names(tmp_path: Path) -> None:
    twice = [files.record("n" * 100_000, files.UINT32, 1)] * 2
    with pytest.raises(GgufError, match="stands twice") as told:
        read(tmp_path, files.gguf(twice))
    assert len(str(told.value)) < 500
