#!/usr/bin/python
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify a GGUF file and say what it is."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gguf_info
short_description: Verify a model file
version_added: 0.1.0
description:
  - Verifies that a file is a complete GGUF model that llama.cpp can read, and describes it.
  - Fails with the reason for anything else, such as a web page, a git-lfs pointer, a truncated download or a model of
    another architecture.
  - The SHA-256 is computed once and kept beside the file, in O(path) with C(.json) appended.
author:
  - cloudbench.llama contributors (@cloudbench)
options:
  path:
    description: The file to verify.
    type: path
    required: true
  move_to:
    description:
      - Move the file there once it is verified, in one step on the same file system. Its directory is created.
      - A file that stands there is kept when the verification fails.
    type: path
  sha256:
    description: The SHA-256 that the file must have.
    type: str
  allow_removed:
    description: Whether tensor types are accepted that llama.cpp removed in b4282, such as Q4_0_8_8.
    type: bool
    default: true
  name:
    description: The model's name in records. The default is the file name without C(.gguf).
    type: str
  quantization:
    description: The quantization of the file. The default is what the file says in C(general.file_type).
    type: str
  synthetic:
    description: Whether the weights are random. The default is what the file says in C(cloudbench.synthetic).
    type: bool
  source:
    description: Where the file came from. The default is its path.
    type: str
extends_documentation_fragment:
  - cloudbench.llama.models
attributes:
  check_mode:
    description: Verifies, but does not move.
    support: full
"""

EXAMPLES = r"""
- name: Verify a model
  cloudbench.llama.gguf_info:
    path: /srv/models/llama-3.1-8b-q4_0.gguf
    name: llama-3.1-8b
    sha256: 61c448840d8a3294dcadd1b42bc4b576ea5eb2116193e8a53d7a3d184f5fb291

- name: Accept a download
  cloudbench.llama.gguf_info:
    path: /srv/models/.llama-3.1-8b.gguf.download
    move_to: /srv/models/llama-3.1-8b.gguf
"""

RETURN = r"""
model:
  description: The model as its record holds it, and C(path).
  returned: success
  type: dict
  sample:
    id: 5a9a1c1f0f3b
    name: llama-3.1-8b
    quantization: Q4_0
    file: llama-3.1-8b-q4_0.gguf
    sha256: 61c448840d8a3294dcadd1b42bc4b576ea5eb2116193e8a53d7a3d184f5fb291
    bytes: 4653375136
    parameters: 8030261312
    synthetic: false
    source: /srv/models/llama-3.1-8b-q4_0.gguf
    architecture: llama
    tensor_types:
      F32: {tensors: 66, bytes: 1065216}
      Q4_0: {tensors: 225, bytes: 4221370368}
      Q6_K: {tensors: 1, bytes: 430940160}
    bits_per_weight: 4.6358
    tensors_sha256: 0f1d1b7a6f9a5d1c0f3b8f62b7c1a6d1b8b0b5d7f5c46e2f4d8e9a3c7b6e5f40
    path: /srv/models/llama-3.1-8b-q4_0.gguf
removed_types:
  description: The tensor types in the file that a current llama.cpp refuses.
  returned: success
  type: list
  elements: str
  sample: [Q4_0_8_8]
"""

import os
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils.models.file import (
    describe,
    digests_of,
    move,
    remember,
    removed_types,
    verify,
)


def inspect(params: Dict[str, Any], check: bool) -> Dict[str, Any]:
    """The module's result. Raises ValueError and OSError."""
    path = os.path.abspath(params["path"])
    target = os.path.abspath(params["move_to"] or path)
    model = verify(path, params["architectures"], params["sha256"], params["allow_removed"])
    payload = describe(
        model._replace(path=target),
        name=params["name"],
        quantization=params["quantization"],
        source=params["source"] or path,
        synthetic=params["synthetic"],
        digests=digests_of(path),
    )
    moved = target != path
    if not check:
        if moved:
            move(path, target)
        remember(target, payload)
    return {"changed": moved, "model": dict(payload, path=target), "removed_types": removed_types(model)}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "move_to": {"type": "path"},
            "sha256": {"type": "str"},
            "architectures": {"type": "list", "elements": "str", "default": ["llama"]},
            "allow_removed": {"type": "bool", "default": True},
            "name": {"type": "str"},
            "quantization": {"type": "str"},
            "synthetic": {"type": "bool"},
            "source": {"type": "str"},
        },
        supports_check_mode=True,
    )
    try:
        result = inspect(module.params, module.check_mode)
    except (ValueError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
