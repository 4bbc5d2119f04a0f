# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/failures/cause.py: cause_of."""

from __future__ import annotations

DOCUMENTATION = r"""
name: failure_cause
short_description: Why a task failed, in words
description:
  - Returns what the result of a failed task says of the cause. What AWS refused is told with the action to allow.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
options:
  _input:
    description: The result, such as C(ansible_failed_result).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ ansible_failed_result | cloudbench.llama.failure_cause }}"
"""

RETURN = r"""
_value:
  description: The cause.
  type: str
  sample: "iam:CreateRole: the credentials are good, but not for this: allow iam:CreateRole to the caller"
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.failures.cause import cause_of
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.plain import plain


def failure_cause(result: dict[str, Any]) -> str:
    """Return the cause as it may be printed: a host may have said it."""
    return plain(cause_of(result), keep_lines=True)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"failure_cause": failure_cause}
