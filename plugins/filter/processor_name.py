# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/catalog/processors.py: the processor of an instance type, for groups of an inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
name: processor_name
short_description: The processor of an EC2 instance type
description:
  - Returns the catalog's name of the processor of an instance type, or C(unknown).
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
options:
  _input:
    description: An EC2 instance type.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ 'c7g.16xlarge' | cloudbench.llama.processor_name }}"
"""

RETURN = r"""
_value:
  description: The name of the processor.
  type: str
  sample: Graviton3
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors


def processor_name(instance_type: object) -> str:
    """Never fail: an inventory lists instances that nobody has catalogued yet."""
    try:
        return processors.instance_type(str(instance_type)).processor
    except processors.CatalogError:
        return "unknown"


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"processor_name": processor_name}
