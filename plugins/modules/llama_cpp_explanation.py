# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_cpp_explanation
short_description: Tell which CMake line an instance type of EC2 gets, and why
description:
  - Starts nothing; shows lines for a person about processor, flags, expected kernels and the CMake lines for compiling
    on the instance and on another machine.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - cloudbench.llama.controller
  - cloudbench.llama.builds
attributes:
  check_mode:
    description: Changes nothing.
    support: full
options:
  instance_type:
    description: An instance type of EC2, such as V(c7g.16xlarge).
    type: str
    required: true
  gcc:
    description: The major version of the compiler; V(0) means one that is new enough.
    type: int
    default: 0
  builds:
    description: As C(llama_cpp_builds) of role P(cloudbench.llama.llama_cpp#role).
    type: list
    elements: raw
    default: [default]
  defaults:
    description: As of P(cloudbench.llama.llama_cpp_variant#module).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Explain what c8g.4xlarge gets from the gcc of Debian 12
  cloudbench.llama.llama_cpp_explanation:
    instance_type: c8g.4xlarge
    gcc: 12
    defaults: {source_type: pypi, version: 11434.0.0}
    targets: [llama-bench]
  register: explained
"""

RETURN = r"""
lines:
  description: The explanation, a line each.
  returned: success
  type: list
  elements: str
"""
