#!/usr/bin/python
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: model_source
short_description: Understand an entry of llama_model_models
version_added: 0.1.0
description:
  - Says where a model comes from and by which way, or fails with what is wrong with the entry.
  - Chooses the builds of llama.cpp that can quantize it and that bring the vocabulary.
author:
  - cloudbench.llama contributors (@cloudbench)
options:
  entry:
    description: The name of a preset, or a mapping, as the role C(cloudbench.llama.llama_model) takes them.
    type: raw
    required: true
  quantization:
    description: A type of C(llama-quantize).
    type: str
    required: true
  builds:
    description:
      - The builds of llama.cpp on the host, as the fact C(llama_cpp_built) lists them. C(bin), C(file_types) and
        C(vocab) are read.
    type: list
    elements: dict
    default: []
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  action:
    description: Runs on the controller and does not connect to the host.
    support: full
"""

EXAMPLES = r"""
- name: Understand what is asked for
  cloudbench.llama.model_source:
    entry: llama-3.2-1b
    quantization: Q4_0
    builds: "{{ llama_cpp_built }}"
"""

RETURN = r"""
name:
  description: The model's name in records and file names.
  returned: success
  type: str
  sample: llama-3.2-1b
way:
  description: One of C(generate), C(package), C(use), C(download) and C(convert).
  returned: success
  type: str
  sample: download
path:
  description: The file on the host, where the way is C(use).
  returned: success
  type: str
  sample: ""
repository:
  description: The repository on the hub, empty for another origin.
  returned: success
  type: str
  sample: unsloth/Llama-3.2-1B-Instruct-GGUF
file:
  description: The file in the repository; C({quantization}) may stand in it.
  returned: success
  type: str
  sample: Llama-3.2-1B-Instruct-F16.gguf
revision:
  description: Its branch, tag or commit.
  returned: success
  type: str
  sample: main
sha256:
  description: The digest that the file must have, null where none is promised.
  returned: success
  type: str
  sample: null
requantize:
  description: Whether a file that is quantized may be made wider and quantized again.
  returned: success
  type: bool
  sample: false
quantize_binary:
  description: Path of C(llama-quantize) of the first build that knows the type, or else of the first one.
  returned: success
  type: str
  sample: /home/ubuntu/.cache/cloudbench/llama.cpp/build-f3e4dfb84ddf/bin/llama-quantize
imatrix_binary:
  description: Path of C(llama-imatrix) of the first build.
  returned: success
  type: str
  sample: /home/ubuntu/.cache/cloudbench/llama.cpp/build-f3e4dfb84ddf/bin/llama-imatrix
vocabulary:
  description: Path of the vocabulary of the first build that has one.
  returned: success
  type: str
  sample: /home/ubuntu/.cache/cloudbench/llama.cpp/build-f3e4dfb84ddf/ggml-vocab-llama-bpe.gguf
"""
