# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the F16 model that emulated hosts quantize and measure.

    python tests/support/models/mini.py FILE

The smallest preset is too large for them: nine tenths of it are a vocabulary of 128,256 tokens, and llama-quantize
takes minutes for those where SVE is emulated. This one has 512 tokens and 8 MB.

Random weights hold every token for nearly as likely as any other, whatever a kernel makes of them. So the norm before
the output is large: another rounding of the weights (F16 beside Q4_0) is 0.08 nat of KL divergence, and 0.002 without;
what right kernels differ by is 0.0003.
"""

from __future__ import annotations

import struct
import sys
import tempfile
from pathlib import Path

# A checkout's own link to the collection and the support of the tests, as pytest has them.
_ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [path for path in (str(_ROOT / "collections"), str(_ROOT / "tests")) if path not in sys.path]

from support.models.gguf_files import ARRAY, INT32, MINI, STRING, UINT32, gguf, record  # noqa: E402

from ansible_collections.cloudbench.llama.plugins.module_utils.models.file import sidecar_path  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.models.gguf import read_gguf  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.models.synthetic import generate, plan  # noqa: E402

OUTPUT_NORM = 8.0


def byte_tokens() -> list[str]:
    """The 256 characters by which byte-level BPE writes bytes; llama.cpp will not load a model without a newline.

    Source: bytes_to_unicode in encoder.py of OpenAI's GPT-2.
    """
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + index) for index in range(len(others))]


def vocabulary() -> bytes:
    """A vocabulary-only file that llama.cpp can tokenize with."""
    tokens = byte_tokens()
    tokens += [f"token{number}" for number in range(len(tokens), MINI.vocabulary)]
    return gguf(
        [
            record("general.architecture", STRING, "llama"),
            record("tokenizer.ggml.model", STRING, "gpt2"),
            record("tokenizer.ggml.pre", STRING, "llama-bpe"),
            record("tokenizer.ggml.tokens", ARRAY, (STRING, tokens)),
            record("tokenizer.ggml.token_type", ARRAY, (INT32, [1] * len(tokens))),
            record("tokenizer.ggml.merges", ARRAY, (STRING, ["a b"])),
            record("tokenizer.ggml.bos_token_id", UINT32, MINI.vocabulary - 2),
            record("tokenizer.ggml.eos_token_id", UINT32, MINI.vocabulary - 1),
        ]
    )


def write(path: str) -> None:
    """Write the model."""
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        file.write(vocabulary())
        file.flush()
        generate(plan(MINI, "F16", 1, file.name), path)
    # It vouches for a file as it was generated.
    Path(sidecar_path(path)).unlink()
    header = read_gguf(path)
    (norm,) = (tensor for tensor in header.tensors if tensor.name == "output_norm.weight")
    with Path(path).open("r+b") as model:
        model.seek(header.data_offset + norm.offset)
        model.write(struct.pack("<f", OUTPUT_NORM) * norm.shape[0])


if __name__ == "__main__":
    write(sys.argv[1])
