# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the CMake line of a build depends on."""

from __future__ import annotations


class ModuleDocFragment:
    """Found by its name."""

    DOCUMENTATION = r"""
options:
  cmake_options:
    description: CMake variables of every build.
    type: dict
    default: {}
  targets:
    description: The programs to build.
    type: list
    elements: str
    required: true
"""

    MACHINE = r"""
options:
  machine:
    description: The payload of the machine record, as P(cloudbench.llama.machine_info#module) returns it.
    type: dict
    required: true
"""
