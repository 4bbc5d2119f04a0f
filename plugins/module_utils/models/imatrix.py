# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An importance matrix of a model: made with llama-imatrix of a text, checked before, verified after, made once."""

from __future__ import annotations

import os
import re
from typing import Any, Dict

from ansible_collections.cloudbench.llama.plugins.module_utils.models.file import (
    ModelFileError,
    digests_of,
    draft,
    read_sidecar,
    write_sidecar,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.models.gguf import Gguf, read_gguf
from ansible_collections.cloudbench.llama.plugins.module_utils.record.digests import sha256_file
from ansible_collections.cloudbench.llama.plugins.module_utils.system.environment import libraries
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Finished, reason, run

PROGRAM = "llama-imatrix"
CONTEXT = 512
# What a matrix may take of the size of its model in F16, for the check of free space: a float and a count for a column.
_SHARE = 100
_SECONDS = 24 * 3600.0
_TOO_SHORT = re.compile(r"tokenizes to only (\d+) tokens")
_CHUNKS = "imatrix.chunk_count"


def make(
    model: Gguf, synthetic: bool, text: str, text_name: str, chunks: int, binary: str, threads: int, path: str
) -> Dict[str, Any]:
    """Make the matrix of a verified model at `path`, unless it is there, and return what a model record says of it.

    Of the file at `text`, called `text_name`, `chunks` chunks of CONTEXT tokens are taken. The result: `text`,
    `text_sha256`, `chunks`, `sha256` (of the matrix). Raises ModelFileError, SpaceError, and OSError.
    """
    if synthetic:
        raise ModelFileError(
            f"{model.path} has random weights, which have no importance to measure; take a model with real weights"
        )
    if not os.path.isfile(text):
        raise ModelFileError(f"the text of the importance matrix, {text}, is not there; role llama_model puts it there")
    wanted = {
        "text": text_name,
        "text_sha256": sha256_file(text),
        "chunks": chunks,
        "model_sha256": digests_of(model.path).sha256,
    }
    known = read_sidecar(path)
    if not known or any(known.get(key) != value for key, value in wanted.items()):
        with draft(path, model.bytes // _SHARE) as temporary:
            # It adds .gguf to a name that ends otherwise.
            made = temporary + ".gguf"
            try:
                _run(binary, model.path, text, chunks, threads, made)
                os.replace(made, temporary)
            finally:
                if os.path.exists(made):
                    os.unlink(made)
        known = dict(wanted, sha256=sha256_file(path))
        write_sidecar(path, known)
    return {key: known[key] for key in ("text", "text_sha256", "chunks", "sha256")}


def _run(binary: str, model: str, text: str, chunks: int, threads: int, made: str) -> None:
    """Run llama-imatrix. Raises ModelFileError, also where it ends well and has made nothing, or of fewer chunks."""
    # The name of the text as it is given here becomes part of the matrix and of what is made with it.
    place, name = os.path.split(text)
    argv = [binary, "-m", model, "-f", name, "-o", made, "-c", str(CONTEXT), "-b", str(CONTEXT)]
    argv += ["--chunks", str(chunks), "-t", str(threads), "--no-ppl"]
    try:
        ended: Finished = run(argv, _SECONDS, libraries(), directory=place, clean=True)
    except OSError as error:
        raise ModelFileError(
            f"{binary} cannot be run: {error.strerror}; build llama.cpp with {PROGRAM}, which a quantization with an "
            "importance matrix needs"
        ) from error
    short = _TOO_SHORT.search(ended.stdout + ended.stderr)
    if short:
        raise ModelFileError(
            f"the text {text} has {short.group(1)} tokens, and an importance matrix takes {2 * CONTEXT} at least; take "
            "a longer one"
        )
    if ended.exit_code != 0 or not os.path.exists(made):
        raise ModelFileError(
            f"{PROGRAM} made no importance matrix of {model}: {reason(ended.stderr) or ended.exit_code or ended.signal}"
        )
    done = read_gguf(made).metadata.get(_CHUNKS)
    if done != chunks:
        raise ModelFileError(
            f"the text {text} gave {done} of {chunks} chunks of {CONTEXT} tokens; take a longer one, or set "
            "llama_model_imatrix_chunks"
        )
