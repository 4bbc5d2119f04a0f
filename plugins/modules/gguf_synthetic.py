#!/usr/bin/python
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a GGUF file with the exact shape of a Llama 3 model and random weights."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gguf_synthetic
short_description: Write a Llama 3 model with random weights
version_added: 0.1.0
description:
  - Writes a GGUF file with the exact shape and the real tokenizer of a Llama 3 model and random weights.
  - The speed and the memory use of llama.cpp do not depend on the values of the weights, so the file measures both
    without a download and without a licence. Its text is meaningless; the file says so in C(general.name) and
    C(cloudbench.synthetic).
  - The same arguments give the same bytes on every machine.
  - The file is written under a temporary name, verified and renamed; what stood in its place is kept when anything
    fails. Beside it stands a file of its name with C(.json) appended, which holds the SHA-256, so that a later run
    need not read the model again.
author:
  - cloudbench.llama contributors (@cloudbench)
options:
  model:
    description: The model whose shape is wanted.
    type: str
    required: true
    choices:
      - tiny-synthetic
      - llama-3.2-1b-synthetic
      - llama-3.2-3b-synthetic
      - llama-3.1-8b-synthetic
      - llama-3.1-70b-synthetic
  quantization:
    description:
      - A type of C(llama-quantize).
      - V(Q4_0), V(Q8_0), V(F16), V(Q4_0_4_4), V(Q4_0_4_8) and V(Q4_0_8_8) are written directly. For any other, F16 is
        written beside it, and kept, and C(llama-quantize) makes the rest.
    type: str
    default: Q4_0
  seed:
    description: Seed of the random weights, from 0 to 18446744073709551615.
    type: int
    default: 1
  directory:
    description:
      - The directory of the file, whose name is that of the model and the quantization, such as
        C(llama-3.2-1b-synthetic-q4.gguf). It is created.
    type: path
    required: true
  vocabulary:
    description:
      - Path of C(models/ggml-vocab-llama-bpe.gguf) of a llama.cpp source tree, which holds the Llama 3 tokenizer.
      - Needed only when the file has to be written.
    type: path
  quantize_binary:
    description: Path of C(llama-quantize). Needed only for a type that is not written directly.
    type: path
extends_documentation_fragment:
  - cloudbench.llama.models.watched
  - cloudbench.llama.models.threads
attributes:
  check_mode:
    description: Says whether the file would be written, and writes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Write the default model
  cloudbench.llama.gguf_synthetic:
    model: llama-3.2-1b-synthetic
    directory: ~/.cache/cloudbench/models
    vocabulary: /opt/llama.cpp/models/ggml-vocab-llama-bpe.gguf

- name: Write it in a type that llama-quantize has to make
  cloudbench.llama.gguf_synthetic:
    model: llama-3.2-1b-synthetic
    quantization: Q4_K_M
    directory: ~/.cache/cloudbench/models
    vocabulary: /opt/llama.cpp/models/ggml-vocab-llama-bpe.gguf
    quantize_binary: /opt/llama.cpp/build/bin/llama-quantize
"""

RETURN = r"""
model:
  description: The model as its record holds it, and C(path). In check mode, C(null) if the file would be written.
  returned: success
  type: dict
  sample:
    id: c5c91736bfc7
    name: tiny-synthetic
    quantization: Q4_0
    file: tiny-synthetic-q4.gguf
    sha256: 2aa42061ea578427e3a0a4c7d0ada1a067c8279912f050882ee8f2033dafac97
    bytes: 36975776
    parameters: 36768032
    synthetic: true
    source: generated, seed 1
    architecture: llama
    path: /srv/models/tiny-synthetic-q4.gguf
"""

import os
from typing import Any, Dict, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils.models.file import ModelFileError, file_name, verify
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import Quantization, lookup
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantize import check_binary, quantize
from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import PRESETS, Shape
from ansible_collections.cloudbench.llama.plugins.module_utils.models.synthetic import (
    RECIPES,
    adopt,
    existing,
    generate,
    origin,
    plan,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.system.watch import told

Outcome = Tuple[bool, Optional[Dict[str, Any]]]


def write_direct(params: Dict[str, Any], shape: Shape, quantization: str, path: str, check: bool) -> Outcome:
    """Whether the file was, or in check mode would be, written, and its payload."""
    made = existing(shape, quantization, params["seed"], path)
    if made:
        return False, made
    if not params["vocabulary"]:
        raise ModelFileError(
            f"{path} has to be written, and the tokenizer is missing; set vocabulary to the path of "
            "models/ggml-vocab-llama-bpe.gguf of llama.cpp"
        )
    if check and not os.path.exists(path):
        return True, None
    planned = plan(shape, quantization, params["seed"], params["vocabulary"])
    made = adopt(planned, path, note=not check)
    if made:
        return False, made
    return True, None if check else generate(planned, path)


def write_quantized(params: Dict[str, Any], shape: Shape, target: Quantization, path: str, check: bool) -> Outcome:
    """The same for a type that llama-quantize makes of the F16 file."""
    made = existing(shape, target.name, params["seed"], path)
    if made:
        return False, made
    binary = params["quantize_binary"]
    if not binary:
        raise ModelFileError(
            "{} is made by llama-quantize, whose path is missing; set quantize_binary, or ask for one of {}".format(
                target.name, ", ".join(RECIPES)
            )
        )
    if check:
        return True, None
    check_binary(binary, target)
    source = os.path.join(os.path.dirname(path), file_name(shape.name, "F16"))
    payload = write_direct(params, shape, "F16", source, False)[1]
    threads = params["threads"] or os.cpu_count() or 1
    made = quantize(verify(source), payload or {}, target, binary, threads, path, origin(shape, params["seed"]))
    return True, made


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "watch": {"type": "path", "default": ""},
            "patience": {"type": "float", "default": 0},
            "model": {"type": "str", "required": True, "choices": list(PRESETS)},
            "quantization": {"type": "str", "default": "Q4_0"},
            "seed": {"type": "int", "default": 1},
            "directory": {"type": "path", "required": True},
            "vocabulary": {"type": "path"},
            "quantize_binary": {"type": "path"},
            "threads": {"type": "int"},
        },
        supports_check_mode=True,
    )
    params = module.params
    shape = PRESETS[params["model"]]
    try:
        target = lookup(params["quantization"])
        path = os.path.join(os.path.abspath(params["directory"]), file_name(shape.name, target.name))
        with told(params["watch"], params["patience"]):
            if target.name in RECIPES:
                changed, model = write_direct(params, shape, target.name, path, module.check_mode)
            else:
                changed, model = write_quantized(params, shape, target, path, module.check_mode)
    except (ValueError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, model=dict(model, path=path) if model else None)


if __name__ == "__main__":
    main()
