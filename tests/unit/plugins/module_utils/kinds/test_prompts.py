# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A prompt is made of tokens that its model has."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.models.gguf_files import ARRAY, INT32, STRING, UINT32, gguf, model, record, tensor

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.prompts import LLAMA_3, prompts, tokens_of


def vocabulary(path: Path, count: int, kinds: list[int] | None = None, special: int = 1) -> str:
    """Write a file with so many tokens, each of its type where these are given, and return its path."""
    records = [
        record("general.architecture", STRING, "llama"),
        record("tokenizer.ggml.bos_token_id", UINT32, special),
        record("tokenizer.ggml.tokens", ARRAY, (STRING, [str(token) for token in range(count)])),
    ]
    if kinds is not None:
        records.append(record("tokenizer.ggml.token_type", ARRAY, (INT32, kinds)))
    path.write_bytes(gguf([*records, record("general.name", STRING, "behind the types")]))
    return str(path)


def test_a_large_vocabulary_has_the_prompts_it_always_had(tmp_path):
    tokens = tokens_of(vocabulary(tmp_path / "large.gguf", 128_256))
    assert tokens == LLAMA_3 == range(1000, 100000)
    # Those of seed 7 before other vocabularies were known, so that figures stay comparable.
    assert prompts(7, tokens)(4) == prompts(7)(4) == [43445, 20772, 52750, 86319]


def test_llama_2_is_asked_for_text_of_its_own(tmp_path):
    # 32,000 tokens: unknown, control, 256 single bytes, and text.
    tokens = tokens_of(vocabulary(tmp_path / "llama-2.gguf", 32_000, [2, 3, 3] + [6] * 256 + [1] * 31_741))
    assert (min(tokens), max(tokens), len(tokens)) == (1000, 31_999, 31_000)
    assert max(prompts(3, tokens)(4096)) < 32_000


def test_a_tiny_vocabulary_is_used_but_for_what_is_no_text(tmp_path):
    assert list(tokens_of(vocabulary(tmp_path / "a.gguf", 8, [1, 1, 3, 5, 6, 4, 1, 1], special=7))) == [0, 1, 6]
    assert list(tokens_of(vocabulary(tmp_path / "b.gguf", 4, special=0))) == [1, 2, 3]
    # Types of another number than the tokens are none of theirs.
    assert list(tokens_of(vocabulary(tmp_path / "c.gguf", 3, [3, 3]))) == [0, 2]
    assert list(tokens_of(vocabulary(tmp_path / "d.gguf", 2, [3, 3]))) == [0, 1]


def test_without_a_tokenizer_the_model_itself_says_how_many(tmp_path):
    named, shaped, silent = tmp_path / "named.gguf", tmp_path / "shaped.gguf", tmp_path / "silent.gguf"
    named.write_bytes(model(records=[record("llama.vocab_size", UINT32, 300)]))
    shaped.write_bytes(
        gguf(
            [record("general.architecture", STRING, "llama")], [tensor("token_embd.weight", [32, 5], 0, 0)], bytes(640)
        )
    )
    silent.write_bytes(model())
    assert [len(tokens_of(str(path))) for path in (named, shaped)] == [300, 5]
    assert tokens_of(str(silent)) == LLAMA_3


@pytest.mark.parametrize("content", [b"", b"no model"])
def test_what_is_no_model_is_left_to_the_server_to_refuse(tmp_path, content):
    (tmp_path / "m.gguf").write_bytes(content)
    assert tokens_of(str(tmp_path / "m.gguf")) == LLAMA_3
