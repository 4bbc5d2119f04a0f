# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest
from support.models import gguf_files as files

from ansible_collections.cloudbench.llama.plugins.module_utils.models.digests import (
    Digests,
    Hasher,
    of_file,
    tensors_sha256,
)

A, B = random.Random(1).randbytes(128), random.Random(2).randbytes(72)
RECORDS = [files.record("general.architecture", files.STRING, "llama")]
EXPECTED = hashlib.sha256(
    json.dumps(
        [["a", "F32", [32], hashlib.sha256(A).hexdigest()], ["b", "Q4_0", [64, 2], hashlib.sha256(B).hexdigest()]],
        separators=(",", ":"),
    ).encode()
).hexdigest()


def of(*parts: bytes) -> str:
    """The digest of the tensors of all parts of a model."""
    tensors = []
    for part in parts:
        hasher = Hasher()
        hasher.update(part)
        tensors += hasher.tensors() or []
    return tensors_sha256(tensors)


def whole(*records: bytes, data: bytes = A + B, kind: int = 2) -> bytes:
    """A file of two tensors."""
    tensors = [files.tensor("a", [32], 0, 0), files.tensor("b", [64, 2], kind, 128)]
    return files.gguf([*RECORDS, *records], tensors, data)


def test_it_is_of_names_types_shapes_and_data_alone() -> None:
    assert of(whole()) == EXPECTED
    assert of(whole(files.record("general.file_type", files.UINT32, 38))) == EXPECTED
    turned = [files.tensor("b", [64, 2], 2, 0), files.tensor("a", [32], 0, 96)]
    assert of(files.gguf(RECORDS, turned, B + bytes(24) + A)) == EXPECTED
    assert of(whole(data=A + B[:-1] + bytes([B[-1] ^ 1]))) != EXPECTED
    # Q4_0 and IQ4_NL have blocks of the same size.
    assert of(whole(kind=20)) != EXPECTED


def test_it_is_the_same_for_the_parts_of_a_model() -> None:
    count = files.record("split.count", files.UINT32, 2)
    parts = [
        files.gguf([*RECORDS, count], [files.tensor("b", [64, 2], 2, 0)], B),
        files.gguf([count], [files.tensor("a", [32], 0, 0)], A),
    ]
    assert of(*parts) == EXPECTED
    assert of(parts[0]) != EXPECTED


@pytest.mark.parametrize("step", [1, 7, 64, 1000, 10**6])
def test_however_the_pieces_come_both_digests_are_the_same(step: int) -> None:
    # Longer than the first bytes in which the header is looked for.
    content = whole(files.record("tokens", files.ARRAY, (files.STRING, ["token"] * 7000)))
    hasher = Hasher()
    for start in range(0, len(content), step):
        hasher.update(memoryview(content)[start : start + step])
    assert hasher.digests() == Digests(hashlib.sha256(content).hexdigest(), EXPECTED)


@pytest.mark.parametrize("content", [b"", b"GGUF", b"no model", whole()[:-1], files.vocabulary(8), b"GGUF" * 40_000])
def test_what_has_no_tensors_or_not_all_of_them_has_one_digest(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    assert of_file(str(path)) == Digests(hashlib.sha256(content).hexdigest(), None)
