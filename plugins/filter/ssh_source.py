# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/network.py: ssh_source."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ssh_source
short_description: The network that ssh may come from
description:
  - Returns the network of an address, and fails for whatever would open the port to many.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
options:
  _input:
    description: An IPv4 address, or a network of at most 256 addresses.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ '203.0.113.7' | cloudbench.llama.ssh_source }}"
"""

RETURN = r"""
_value:
  description: The network.
  type: str
  sample: 203.0.113.7/32
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import network


def ssh_source(text: object) -> str:
    """Translate the core's error."""
    try:
        return network.ssh_source(str(text))
    except network.NetworkError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"ssh_source": ssh_source}
