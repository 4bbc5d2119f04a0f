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
    description: A model file in F32, F16 or BF16, in the wanted type, or with O(requantize) in any.
    type: path
    required: true
  directory:
    description:
      - The directory of the file to write, whose name is O(name) and the quantization, such as
        C(llama-3.1-8b-q4-k-m.gguf). It is created.
    type: path
    required: true
  quantization:
    description: A type of C(llama-quantize), with C(+imatrix) behind it where it is made with an importance matrix.
    type: str
    required: true
  binary:
    description: Path of C(llama-quantize). Not needed where O(src) is of the wanted type.
    type: path
  requantize:
    description:
      - Whether O(src) may be quantized already. F16 is made of it then, kept beside the others, and everything is made
        of that. What it has lost stays lost.
    type: bool
    default: false
  imatrix_binary:
    description: Path of C(llama-imatrix). Needed for a O(quantization) such as C(Q4_0+imatrix).
    type: path
  imatrix_text:
    description: The text that an importance matrix is made of.
    type: path
  imatrix_chunks:
    description: How many chunks of 512 tokens of it are taken.
    type: int
    default: 32
  name:
    description: The model's name in records and in the name of the file.
    type: str
    required: true
  source:
    description: Where the model came from. The default is O(src).
    type: str
extends_documentation_fragment:
  - cloudbench.llama.models.watched
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
from ansible_collections.cloudbench.llama.plugins.module_utils.models.gguf import Gguf
from ansible_collections.cloudbench.llama.plugins.module_utils.models.imatrix import make
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import (
    UNQUANTIZED,
    Quantization,
    lookup,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantize import (
    check_binary,
    check_imatrix,
    check_source,
    existing,
    quantize,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.record.digests import sha256_file
from ansible_collections.cloudbench.llama.plugins.module_utils.system.watch import told

# What a file that is quantized is made into, for everything else to be made of.
_WIDE = "F16"


def obtain(params: Dict[str, Any], check: bool) -> Tuple[bool, Optional[Dict[str, Any]]]:
    """Whether the file was, or in check mode would be, written, and its payload with its path."""
    target = lookup(params["quantization"])
    source = os.path.abspath(params["src"])
    path = _path(params, target.name)
    model = verify(source, params["architectures"])
    payload = describe(model, name=params["name"], source=params["source"])
    if not check:
        remember(source, payload)
    if payload["quantization"] == target.name:
        return False, dict(payload, path=source)
    wider = params["requantize"] and payload["quantization"] not in UNQUANTIZED
    wide_path = _path(params, _WIDE)
    if wider:
        known = existing(payload["sha256"], lookup(_WIDE), payload["name"], wide_path)
        if known is None:
            if check:
                return True, None
            _check(params, lookup(_WIDE), source, wide_path)
            known = quantize(model, payload, lookup(_WIDE), params["binary"], _threads(params), wide_path)
            if target.name == _WIDE:
                return True, dict(known, path=wide_path)
        if target.name == _WIDE:
            return False, dict(known, path=wide_path)
        source, payload = wide_path, known
    made = existing(payload["sha256"], target, payload["name"], path)
    if made and (not target.imatrix or _of_text(made, params)):
        return False, dict(made, path=path)
    model = verify(source, params["architectures"])
    check_source(model, target)
    check_imatrix(target)
    _check(params, target, source, path)
    if check:
        return True, None
    matrix = _importance(params, model, payload) if target.imatrix else None
    return True, dict(
        quantize(model, payload, target, params["binary"], _threads(params), path, imatrix=matrix), path=path
    )


def _path(params: Dict[str, Any], quantization: str) -> str:
    return os.path.join(os.path.abspath(params["directory"]), file_name(params["name"], quantization))


def _threads(params: Dict[str, Any]) -> int:
    return params["threads"] or os.cpu_count() or 1


def _check(params: Dict[str, Any], target: Quantization, source: str, path: str) -> None:
    """Raise ModelFileError where the file cannot be made, before anything is written."""
    if os.path.realpath(source) == os.path.realpath(path):
        raise ModelFileError(f"{source} would be overwritten by its own quantization; give src another name")
    if not params["binary"]:
        raise ModelFileError(f"{target.name} is made by llama-quantize, whose path is missing; set binary")
    check_binary(params["binary"], target)
    if target.imatrix and not (params["imatrix_binary"] and params["imatrix_text"]):
        raise ModelFileError(
            f"{target.name} is made with an importance matrix; set imatrix_binary and imatrix_text, of which it is made"
        )


def _of_text(made: Dict[str, Any], params: Dict[str, Any]) -> bool:
    """Say whether a file was made with the importance matrix that is asked for."""
    known = made.get("imatrix") or {}
    text = params["imatrix_text"]
    same = known.get("chunks") == params["imatrix_chunks"]
    return same and (not text or not os.path.exists(text) or known.get("text_sha256") == sha256_file(text))


def _importance(params: Dict[str, Any], model: Gguf, payload: Dict[str, Any]) -> Tuple[str, Dict[str, Any]]:
    """Return the path of the importance matrix, made unless it is there, and what a record says of it."""
    text = os.path.abspath(params["imatrix_text"])
    path = os.path.join(os.path.abspath(params["directory"]), params["name"] + ".imatrix")
    name = os.path.splitext(os.path.basename(text))[0]
    return path, make(
        model,
        payload["synthetic"],
        text,
        name,
        params["imatrix_chunks"],
        params["imatrix_binary"],
        _threads(params),
        path,
    )


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "watch": {"type": "path", "default": ""},
            "patience": {"type": "float", "default": 0},
            "src": {"type": "path", "required": True},
            "directory": {"type": "path", "required": True},
            "quantization": {"type": "str", "required": True},
            "binary": {"type": "path"},
            "name": {"type": "str", "required": True},
            "source": {"type": "str"},
            "requantize": {"type": "bool", "default": False},
            "imatrix_binary": {"type": "path"},
            "imatrix_text": {"type": "path"},
            "imatrix_chunks": {"type": "int", "default": 32},
            "architectures": {"type": "list", "elements": "str", "default": ["llama"]},
            "threads": {"type": "int"},
        },
        supports_check_mode=True,
    )
    try:
        with told(module.params["watch"], module.params["patience"]):
            changed, model = obtain(module.params, module.check_mode)
    except (ValueError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, model=model)


if __name__ == "__main__":
    main()
