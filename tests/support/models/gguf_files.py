# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GGUF files for tests, put together byte by byte and independently of the code under test (docs/gguf.md of ggml)."""

from __future__ import annotations

import struct
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import Shape

UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY, UINT64 = 4, 5, 6, 7, 8, 9, 10
CODES = {UINT32: "I", INT32: "i", FLOAT32: "f", BOOL: "?", UINT64: "Q"}

# A Llama small enough for a unit test; 256 is the shortest row that every type takes.
MINI = Shape("mini", "Llama mini", "5M", 512, 256, 4, 1024, 4, 2, 64, 8192, True, 32.0, "a test")
MINI_UNTIED = MINI._replace(name="mini-untied", tied=False)


def text(value: str) -> bytes:
    """A string, behind its length."""
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind: int, content: Any) -> bytes:
    """A value of a metadata record."""
    return text(content) if kind == STRING else struct.pack("<" + CODES[kind], content)


def record(key: str, kind: int, content: Any) -> bytes:
    """A metadata record; an array is given as (element kind, [elements])."""
    head = text(key) + struct.pack("<I", kind)
    if kind != ARRAY:
        return head + value(kind, content)
    element, items = content
    return head + struct.pack("<IQ", element, len(items)) + b"".join(value(element, item) for item in items)


def tensor(name: str, dimensions: list[int], kind: int, offset: int) -> bytes:
    """What a file says of a tensor."""
    count = len(dimensions)
    return text(name) + struct.pack(f"<I{count}QIQ", count, *dimensions, kind, offset)


def gguf(
    records: list[bytes],
    tensors: list[bytes] | None = None,
    data: bytes = b"",
    version: int = 3,
    counts: tuple[int, int] | None = None,
) -> bytes:
    """A file of these records and tensors; `counts` (tensors, records) replaces the true ones in the header."""
    tensors = tensors or []
    head = b"GGUF" + struct.pack("<IQQ", version, *(counts or (len(tensors), len(records))))
    head += b"".join(records) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + data


def vocabulary(tokens: int = 512, merges: int = 100) -> bytes:
    """A vocabulary-only file like llama.cpp's models/ggml-vocab-llama-bpe.gguf."""
    return gguf(
        [
            record("general.architecture", STRING, "llama"),
            record("llama.vocab_size", UINT32, tokens),
            record("tokenizer.ggml.model", STRING, "gpt2"),
            record("tokenizer.ggml.pre", STRING, "llama-bpe"),
            record("tokenizer.ggml.tokens", ARRAY, (STRING, [f"token{number}" for number in range(tokens)])),
            record("tokenizer.ggml.token_type", ARRAY, (INT32, [1] * tokens)),
            record("tokenizer.ggml.merges", ARRAY, (STRING, [f"a b{number}" for number in range(merges)])),
            record("tokenizer.ggml.bos_token_id", UINT32, 1),
        ]
    )


def model(**changes: Any) -> bytes:
    """A small valid model of two tensors: F32 of 32 elements, Q4_0 of 64 x 2."""
    records = [
        record("general.architecture", STRING, changes.get("architecture", "llama")),
        record("general.file_type", UINT32, changes.get("file_type", 2)),
        *changes.get("records", []),
    ]
    tensors = [tensor("a", [32], 0, 0), tensor("b", [64, 2], changes.get("kind", 2), 128)]
    return gguf(records, changes.get("tensors", tensors), bytes(128 + 72), version=changes.get("version", 3))
