#!/usr/bin/python
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/models/convert.py: a GGUF file of the safetensors in a repository."""

from __future__ import annotations

DOCUMENTATION = r"""
module: model_convert
short_description: Convert the safetensors of a repository to GGUF
version_added: 0.1.0
description:
  - With O(state=found), says whether the repository at its present commit was converted before, or fails with the
    reason why its files cannot be had.
  - With O(state=converted), makes a virtual environment with what the converter imports, downloads configuration,
    tokenizer and safetensors, verifies their digests, converts them to BF16 and verifies the model.
author:
  - cloudbench.llama contributors (@cloudbench)
options:
  state:
    description: Whether to look only.
    type: str
    choices: [found, converted]
    default: converted
  repository:
    description: The repository of the safetensors, as C(OWNER/NAME).
    type: str
    required: true
  revision:
    description: A branch, a tag or a commit of the repository.
    type: str
    default: main
  converter:
    description: The directory with C(convert_hf_to_gguf.py). Needed with O(state=converted).
    type: path
  environment:
    description: The directory of the virtual environment. Needed with O(state=converted).
    type: path
  python:
    description: The Python that the environment is made with, 3.10 or newer.
    type: str
    default: python3
  requirements:
    description: What C(pip) installs there.
    type: list
    elements: str
    default: []
  pip_options:
    description: Options of C(pip install).
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - cloudbench.llama.models.watched
  - cloudbench.llama.models.hub
attributes:
  check_mode:
    description: Asks the hub, and neither downloads nor converts.
    support: full
"""

EXAMPLES = r"""
- name: Convert Llama 3.2 1B
  cloudbench.llama.model_convert:
    repository: meta-llama/Llama-3.2-1B-Instruct
    token: "{{ llama_model_hub_token }}"
    directory: /srv/models/downloads
    converter: /srv/models/converter/source
    environment: /srv/models/converter/environment
    requirements: [torch==2.13.0, transformers==4.57.6]
"""

RETURN = r"""
path:
  description: The converted file on the host, null where there is none.
  returned: success
  type: str
  sample: /srv/models/downloads/9213176726f574b556790deb65791e0c5aa438b6/Llama-3.2-1B-Instruct-BF16.gguf
source:
  description: Where it came from.
  returned: success
  type: str
  sample: >-
    huggingface.co/meta-llama/Llama-3.2-1B-Instruct@9213176726f574b556790deb65791e0c5aa438b6, converted to BF16
commit:
  description: The commit that the revision means.
  returned: success
  type: str
  sample: 9213176726f574b556790deb65791e0c5aa438b6
"""

import os
from typing import Any, Dict, Tuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils.models.convert import (
    Converted,
    convert,
    environment,
    find,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.models.hub import Hub
from ansible_collections.cloudbench.llama.plugins.module_utils.system.watch import told


def obtain(params: Dict[str, Any], check: bool) -> Tuple[bool, Converted]:
    """Whether the file was, or in check mode would be, made, and what there is. Raises ValueError and OSError."""
    hub = Hub(params["endpoint"], params["token"], params["timeout"], params["retries"])
    repository, revision, directory = params["repository"], params["revision"], os.path.abspath(params["directory"])
    converter = find(hub, repository, revision, directory)
    if converter.path or params["state"] == "found" or check:
        return not converter.path and params["state"] != "found", converter
    python = environment(params["python"], params["environment"], params["requirements"], params["pip_options"])
    made = convert(
        hub,
        repository,
        converter.commit,
        revision,
        directory,
        python,
        params["converter"],
        params["timeout"],
        params["retries"],
    )
    return True, made


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "watch": {"type": "path", "default": ""},
            "patience": {"type": "float", "default": 0},
            "state": {"type": "str", "choices": ["found", "converted"], "default": "converted"},
            "repository": {"type": "str", "required": True},
            "revision": {"type": "str", "default": "main"},
            "endpoint": {"type": "str", "default": "https://huggingface.co"},
            "token": {"type": "str", "no_log": True},
            "directory": {"type": "path", "required": True},
            "converter": {"type": "path"},
            "environment": {"type": "path"},
            "python": {"type": "str", "default": "python3"},
            "requirements": {"type": "list", "elements": "str", "default": []},
            "pip_options": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 60},
            "retries": {"type": "int", "default": 5},
        },
        required_if=[("state", "converted", ("converter", "environment"))],
        supports_check_mode=True,
    )
    try:
        with told(module.params["watch"], module.params["patience"]):
            changed, result = obtain(module.params, module.check_mode)
    except (ValueError, OSError) as error:
        module.fail_json(msg=str(error))
    if result.warning:
        module.warn(result.warning)
    module.exit_json(changed=changed, path=result.path, source=result.source, commit=result.commit)


if __name__ == "__main__":
    main()
