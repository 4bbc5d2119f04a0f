# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/probe/machine.py: the fingerprint of this host. The action of this name completes it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_info
short_description: Describe a host as far as it can change what is measured on it
description:
  - Reads processor, caches, memory, kernel settings and topology from C(/proc) and C(/sys) of the host.
  - On an EC2 instance, which the firmware tells, it also asks the instance metadata service, version 2, for type, id,
    zone, image and life cycle. E(AWS_EC2_METADATA_SERVICE_ENDPOINT) of the host names another address for it.
  - The controller then recognises the processor, by instance type or else by what C(/proc/cpuinfo) says, and adds what
    its catalog knows of it. A processor that it does not know is no error.
  - Never reads what identifies a person or a network.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Reads only.
    support: full
  action:
    description: The host reads; the controller recognises.
    support: full
options:
  name:
    description:
      - The name under which results are kept.
      - Made from the instance type (V(gv3-c7g-16xlarge), V(x86-c7i-16xlarge)), from the core of an emulated host
        (V(emulated-neoverse-v1)) or from the processor (V(local-amd-epyc)) when it is not given.
      - Where results of another machine are kept under that name, one with other caches, flags or size, a word is added
        that tells them apart (V(local-amd-epyc-znver3)), and a warning says so.
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
  description: The payload of a machine record. What the host does not tell is null.
  returned: always
  type: dict
  sample:
    name: gv3-c7g-16xlarge
    architecture: aarch64
    cpu_implementer: "0x41"
    cpu_part: "0xd40"
    cpu_count: 64
    sve_bytes: 32
    byte_order: little
    bits: 64
    instance: {type: c7g.16xlarge, id: i-0123456789abcdef0, zone: us-east-1a, image: null, life_cycle: spot}
  contains:
    processor:
      description: What the catalog knows of the processor, null when it does not know it.
      type: dict
      returned: always
      sample:
        name: Graviton3
        core: neoverse-v1
        title: Arm Neoverse V1
        recognised_by: instance type c7g.16xlarge
        march: armv8.4-a+sve+i8mm+bf16+dotprod+fp16
        mcpu: neoverse-v1
        vector: SVE, 256 bits, with i8mm and bf16
        q4_0_layout: q4_0_8x8
        legacy_type: Q4_0_8_8
        bandwidth_gb_s: 307.2
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils.probe.machine import fingerprint, slug
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import with_id


def main() -> None:
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
