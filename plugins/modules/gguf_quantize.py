#!/usr/bin/python
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantize a GGUF file with llama-quantize."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gguf_quantize
short_description: Quantize a model file with llama-quantize
version_added: 0.1.0
description:
  - Makes a file of O(quantization) of O(src) with C(llama-quantize), unless it was made of the same file before.
  - Where O(src) is of that type already, it is verified and returned as it is.
  - Verifies the source, that there is room, and that the binary knows the type, before anything is written. The
    result is written under a temporary name, verified and renamed; what stood in its place is kept when anything
    fails.
author:
  - cloudbench.llama contributors (@cloudbench)
options:
  src:
    description: A model file in F32, F16 or BF16, or in the wanted type.
    type: path
    required: true
  directory:
    description:
      - The directory of the file to write, whose name is O(name) and the quantization, such as
        C(llama-3.1-8b-q4-k-m.gguf). It is created.
    type: path
    required: true
  quantization:
    description: A type of C(llama-quantize).
    type: str
    required: true
  binary:
    description: Path of C(llama-quantize). Not needed where O(src) is of the wanted type.
    type: path
  name:
    description: The model's name in records and in the name of the file.
    type: str
    required: true
  source:
    description: Where the model came from. The default is O(src).
    type: str
extends_documentation_fragment:
  - cloudbench.llama.models
  - cloudbench.llama.models.threads
attributes:
  check_mode:
    description: Says whether the file would be written, and writes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Quantize a model
  cloudbench.llama.gguf_quantize:
    src: /srv/models/llama-3.1-8b-f16.gguf
    directory: /srv/models
    quantization: Q4_K_M
    binary: /opt/llama.cpp/build/bin/llama-quantize
    name: llama-3.1-8b
"""

RETURN = r"""
model:
  description: The model as its record holds it, and C(path). In check mode, C(null) if the file would be written.
  returned: success
  type: dict
  sample:
    id: 3b0c2c3c2d2e
    name: llama-3.1-8b
    quantization: Q4_K_M
    file: llama-3.1-8b-q4-k-m.gguf
    sha256: 61c448840d8a3294dcadd1b42bc4b576ea5eb2116193e8a53d7a3d184f5fb291
    bytes: 4920734688
    parameters: 8030261312
    synthetic: false
    source: /srv/models/llama-3.1-8b-f16.gguf, quantized from F16
    architecture: llama
    path: /srv/models/llama-3.1-8b-q4-k-m.gguf
"""

import os
from typing import Any, Dict, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils.models.file import (
    ModelFileError,
    describe,
    file_name,
    remember,
    verify,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import lookup
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantize import (
    check_binary,
    check_source,
    existing,
    quantize,
)


def obtain(params: Dict[str, Any], check: bool) -> Tuple[bool, Optional[Dict[str, Any]]]:
    """Whether the file was, or in check mode would be, written, and its payload with its path."""
    target = lookup(params["quantization"])
    source = os.path.abspath(params["src"])
    path = os.path.join(os.path.abspath(params["directory"]), file_name(params["name"], target.name))
    model = verify(source, params["architectures"])
    payload = describe(model, name=params["name"], source=params["source"])
    if not check:
        remember(source, payload)
    if payload["quantization"] == target.name:
        return False, dict(payload, path=source)
    made = existing(payload["sha256"], target, payload["name"], path)
    if made:
        return False, dict(made, path=path)
    check_source(model, target)
    if os.path.realpath(source) == os.path.realpath(path):
        raise ModelFileError(f"{source} would be overwritten by its own quantization; give src another name")
    if not params["binary"]:
        raise ModelFileError(f"{target.name} is made by llama-quantize, whose path is missing; set binary")
    check_binary(params["binary"], target)
    if check:
        return True, None
    threads = params["threads"] or os.cpu_count() or 1
    return True, dict(quantize(model, payload, target, params["binary"], threads, path), path=path)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path", "required": True},
            "directory": {"type": "path", "required": True},
            "quantization": {"type": "str", "required": True},
            "binary": {"type": "path"},
            "name": {"type": "str", "required": True},
            "source": {"type": "str"},
            "architectures": {"type": "list", "elements": "str", "default": ["llama"]},
            "threads": {"type": "int"},
        },
        supports_check_mode=True,
    )
    try:
        changed, model = obtain(module.params, module.check_mode)
    except (ValueError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, model=model)


if __name__ == "__main__":
    main()
