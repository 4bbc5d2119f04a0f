# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/machine.py: the fingerprint of this host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_info
short_description: Describe a host as far as it can change what is measured on it
description:
  - Reads processor, caches, memory, kernel settings and topology from C(/proc) and C(/sys).
  - Never reads what identifies a person or a network.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Reads only.
    support: full
options:
  name:
    description: The name under which results are kept; made from the processor when it is not given.
    type: str
  emulated:
    description: Whether the host is an emulation, so that none of its figures tells the speed of anything.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Describe the host
  cloudbench.llama.machine_info:
  register: host
"""

RETURN = r"""
machine:
  description: The payload of a machine record.
  returned: always
  type: dict
  sample: {"name": "local-amd-epyc", "cpu_count": 2, "memory_bytes": 25276510208}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils.machine import fingerprint, slug
from ansible_collections.cloudbench.llama.plugins.module_utils.record import with_id


def main():
    module = AnsibleModule(
        argument_spec=dict(name=dict(type="str"), emulated=dict(type="bool", default=False)),
        supports_check_mode=True,
    )
    name = module.params["name"]
    if name and slug(name) != name:
        module.fail_json(
            msg="the machine name %r becomes a directory: use lower-case letters, digits and hyphens, such as %r"
            % (name, slug(name) or "my-machine")
        )
    payload = fingerprint(emulated=module.params["emulated"])
    if name:
        payload["name"] = name
    module.exit_json(changed=False, machine=with_id(payload))


if __name__ == "__main__":
    main()
