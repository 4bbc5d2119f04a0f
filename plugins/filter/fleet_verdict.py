# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/fleet.py: whole."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_verdict
short_description: Whether there are enough of the instances that a plan asks for
description:
  - Counts the instances of each row of a plan. A row has enough of them when there are as many as its C(count_min).
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
positional: joined
options:
  _input:
    description: C(rows) of the plan of M(cloudbench.llama.ec2_plan).
    type: list
    elements: dict
    required: true
  joined:
    description: Of each instance that is there, the index of its row, as its tag C(Row) has it.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show whether 15 of 20 are enough
  ansible.builtin.debug:
    msg: "{{ [{'index': 0, 'type': 'c7g.large', 'count': 20, 'count_min': 15}]
      | cloudbench.llama.fleet_verdict(['0'] * 15) }}"
"""

RETURN = r"""
_value:
  description: C(enough), a truth value, and C(words), what is there.
  type: dict
  sample:
    enough: true
    words: "15 of 20 instances (row 0 (c7g.large): 15 of the 20 instances asked for, and count_min says that 15 are
      enough)"
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import fleet


def fleet_verdict(rows: Sequence[Mapping[str, Any]], joined: Iterable[Any]) -> dict[str, Any]:
    """Hand on to the core."""
    return fleet.whole(rows, joined)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"fleet_verdict": fleet_verdict}
