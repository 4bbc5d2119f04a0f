# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_cpp_configuration
short_description: Choose the CMake arguments of llama.cpp for the very processor
description:
  - Takes the instructions to compile for from the catalog of processors, as far as the compiler knows them, and says
    why, and what is lost with this compiler.
  - Makes the key of the build, which is equal exactly when building again would give the same programs.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - cloudbench.llama.controller
  - cloudbench.llama.builds
  - cloudbench.llama.builds.machine
attributes:
  check_mode:
    description: Changes nothing.
    support: full
options:
  variant:
    description: What P(cloudbench.llama.llama_cpp_variant#module) returns.
    type: dict
    required: true
  source:
    description: The payload that P(cloudbench.llama.llama_cpp_source#module) returns.
    type: dict
    required: true
  toolchain:
    description: The C(toolchain) that P(cloudbench.llama.llama_cpp_toolchain#module) returns, of where it is compiled.
    type: dict
    required: true
  programs:
    description: The directory of our own programs, which are compiled with llama.cpp and say how; part of the key.
    type: path
  warnings:
    description: What else is to be said of the build, such as RV(cloudbench.llama.llama_cpp_source#module:warning).
    type: list
    elements: str
    default: []
seealso:
  - module: cloudbench.llama.llama_cpp_variant
  - module: cloudbench.llama.llama_cpp_build
"""

EXAMPLES = r"""
- name: Choose the flags
  cloudbench.llama.llama_cpp_configuration:
    variant: "{{ wanted.variant }}"
    source: "{{ obtained.source }}"
    machine: "{{ llama_bench_machine }}"
    toolchain: "{{ found.toolchain }}"
    targets: [llama-bench, llama-quantize, llama-system-info, llama-roofline]
"""

RETURN = r"""
configuration:
  description: How the build is made.
  returned: success
  type: dict
  contains:
    arguments:
      description: CMake's arguments.
      type: list
      elements: str
      returned: success
      sample: [-DCMAKE_BUILD_TYPE=Release, -DGGML_NATIVE=ON]
    key:
      description: The key of the build.
      type: str
      returned: success
      sample: f3e4dfb84ddf
    way:
      description: Whether the host compiles (native) or the controller does (cross).
      type: str
      returned: success
      sample: native
    engine:
      description: Whose code it is, llama.cpp or ik_llama.cpp.
      type: str
      returned: success
      sample: llama.cpp
    licence:
      description: The licences of what is compiled in, as an SPDX expression; empty where nobody has named them.
      type: str
      returned: success
      sample: MIT
    provenance:
      description: Who publishes what is compiled in, a line each.
      type: list
      elements: str
      returned: success
    core:
      description: The core of the catalog it is made for; null where the catalog has no say.
      type: str
      returned: success
      sample: neoverse-v1
    march:
      description: The -march that is asked for; null where the compiler finds its own.
      type: str
      returned: success
    why:
      description: Why these flags.
      type: list
      elements: str
      returned: success
    warnings:
      description: What is lost with this compiler, and the remedy; O(warnings) come last.
      type: list
      elements: str
      returned: success
"""
