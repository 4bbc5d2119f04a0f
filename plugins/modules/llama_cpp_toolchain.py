# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/llamacpp/build.py: what a host can compile llama.cpp with."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_cpp_toolchain
short_description: Look for the tool chain that llama.cpp is compiled with
description:
  - Looks for the compilers, CMake, Ninja and ccache where llama.cpp is to be compiled, which is the measured host, or
    the controller when it compiles for another processor.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Reads only.
    support: full
options:
  root:
    description: The directory that sources and builds are going to stand in.
    type: path
    required: true
  prefix:
    description: What stands before C(gcc) and C(g++) in the names of a cross compiler, such as V(aarch64-linux-gnu-).
    type: str
    default: ""
  compiler:
    description: The compiler that it has to be; empty means the one that is found first. A cross compiler is gcc.
    type: str
    choices: ["", gcc, clang]
    default: ""
"""

EXAMPLES = r"""
- name: Look for a compiler for Graviton on the controller
  cloudbench.llama.llama_cpp_toolchain:
    root: ~/.cache/cloudbench/llama.cpp
    prefix: aarch64-linux-gnu-
  delegate_to: localhost
"""

RETURN = r"""
toolchain:
  description: Paths and versions of the tools; C(missing) is what there is no build without, C(helpful) what makes it
    faster.
  returned: always
  type: dict
  sample:
    {"prefix": "", "missing": [], "helpful": ["ccache"], "compiler": "c++ (Debian 12.2.0-14+deb12u1) 12.2.0",
     "kind": "gcc", "major": 12, "triple": "x86_64-linux-gnu", "cmake": "3.25.1", "march": "znver3"}
root:
  description: O(root), expanded.
  returned: always
  type: str
processors:
  description: How many processors may compile.
  returned: always
  type: int
privileged:
  description: Whether the host is used as root, so that installing needs no become.
  returned: always
  type: bool
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.build import COMPILERS, toolchain


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            root=dict(type="path", required=True),
            prefix=dict(type="str", default=""),
            compiler=dict(type="str", choices=["", *COMPILERS], default=""),
        ),
        supports_check_mode=True,
    )
    module.exit_json(
        changed=False,
        toolchain=toolchain(module.params["prefix"], module.params["compiler"]),
        root=module.params["root"],
        processors=len(os.sched_getaffinity(0)),
        privileged=os.geteuid() == 0,
    )


if __name__ == "__main__":
    main()
