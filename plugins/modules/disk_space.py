#!/usr/bin/python
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/system/disk.py: fail where there is not enough room."""

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_space
short_description: Check that a disk has room
version_added: 0.1.0
description:
  - Fails, with what is needed and what is free, unless a directory has room for so many bytes.
author:
  - cloudbench.llama contributors (@cloudbench)
options:
  path:
    description: A directory, which need not exist yet.
    type: path
    required: true
  bytes:
    description: What is needed.
    type: int
    required: true
  purpose:
    description: What it is needed for; the failure message starts with it.
    type: str
    required: true
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
"""

EXAMPLES = r"""
- name: Check that there is room for a download
  cloudbench.llama.disk_space:
    path: ~/.cache/cloudbench/models
    bytes: 4653375136
    purpose: Downloading llama-3.1-8b
"""

RETURN = r""" # """

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils.system.disk import SpaceError, require_space


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "bytes": {"type": "int", "required": True},
            "purpose": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        require_space(module.params["path"], module.params["bytes"], module.params["purpose"])
    except (SpaceError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
