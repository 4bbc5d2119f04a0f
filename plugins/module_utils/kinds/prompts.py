# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompts for a server: as long as asked for, and never the same one twice."""

from __future__ import annotations

import os
import random
import struct
from functools import lru_cache
from typing import Callable, List, Sequence

from ansible_collections.cloudbench.llama.plugins.module_utils.models.gguf import (
    ArraySummary,
    Gguf,
    GgufError,
    architecture,
    read_gguf,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import HOME

# Token ids of prompts: text of the Llama 3 vocabulary, short of its first bytes and its special tokens.
LLAMA_3: Sequence[int] = range(1000, 100000)

# LLAMA_TOKEN_TYPE_NORMAL of llama.cpp's include/llama.h; others are control, unused and byte tokens.
_NORMAL = 1


def prompts(seed: int, tokens: Sequence[int] = LLAMA_3) -> Callable[[int], List[int]]:
    """Return a function that makes prompts of so many of these tokens, never the same one twice for a seed."""
    source = random.Random(seed)
    return lambda n_prompt: [source.choice(tokens) for _token in range(n_prompt)]


@lru_cache(maxsize=64)
def tokens_of(path: str) -> Sequence[int]:
    """Return the token ids of prompts for the model at `path` (from process.HOME): ordinary ones of its vocabulary.

    llama-server refuses a prompt with a token that the model does not have ("Prompt contains invalid tokens"). Every
    vocabulary that is large enough gets those of Llama 3.
    """
    try:
        model = read_gguf(os.path.join(HOME, path))
    except GgufError:
        return LLAMA_3
    count = _vocabulary(model)
    if not count or count >= LLAMA_3[-1] + 1:
        return LLAMA_3
    special = {value for key, value in model.metadata.items() if key.endswith("_token_id")}
    kinds = _token_types(model, count)
    ordinary = [token for token, kind in enumerate(kinds) if kind == _NORMAL and token not in special]
    # Text, where there is enough of it: the first are single bytes.
    text = [token for token in ordinary if token >= LLAMA_3[0]]
    return text if len(text) >= LLAMA_3[0] else ordinary or range(count)


def _vocabulary(model: Gguf) -> int:
    """Return how many tokens a model has, 0 where its file does not say."""
    tokens = model.metadata.get("tokenizer.ggml.tokens")
    if isinstance(tokens, ArraySummary):
        return tokens.length
    told = model.metadata.get("%s.vocab_size" % architecture(model))
    rows = [tensor.shape[-1] for tensor in model.tensors if tensor.name == "token_embd.weight"]
    return told if isinstance(told, int) else (rows or [0])[0]


def _token_types(model: Gguf, count: int) -> Sequence[int]:
    """Return the type of each token, all normal where the file names none."""
    kinds = model.metadata.get("tokenizer.ggml.token_type")
    if not isinstance(kinds, ArraySummary) or kinds.length != count or kinds.type not in ("int32", "uint32"):
        return [_NORMAL] * count
    # The array is the end of its record.
    with open(model.path, "rb") as file:
        file.seek(model.spans["tokenizer.ggml.token_type"][1] - 4 * count)
        return struct.unpack("<%di" % count, file.read(4 * count))
