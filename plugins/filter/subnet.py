# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/network.py: subnet."""

from __future__ import annotations

DOCUMENTATION = r"""
name: subnet
short_description: The subnet of a VPC for the zone of this number
description:
  - Returns the /20 of this number of a network.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
positional: index
options:
  _input:
    description: The network of the VPC, private, from a /16 to a /20.
    type: str
    required: true
  index:
    description: Its number, counted from 0.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Show the second one
  ansible.builtin.debug:
    msg: "{{ '10.83.0.0/16' | cloudbench.llama.subnet(1) }}"
"""

RETURN = r"""
_value:
  description: The network of the subnet.
  type: str
  sample: 10.83.16.0/20
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import network


def subnet(cidr: str, index: int) -> str:
    """Translate the core's error."""
    try:
        return network.subnet(cidr, int(index))
    except network.NetworkError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"subnet": subnet}
