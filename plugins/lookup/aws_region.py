# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/ec2/client.py: the region that runs on EC2 work in."""

from __future__ import annotations

DOCUMENTATION = r"""
name: aws_region
short_description: The region that a run on EC2 works in
description:
  - Returns the region of E(AWS_REGION), E(AWS_DEFAULT_REGION) or the profile, in this order, as
    P(cloudbench.llama.ec2_plan#module) takes it; so an inventory and a plan speak of the same one.
  - Fails where none is known, and for one that boto3 does not know or in which no run can be.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
requirements:
  - boto3 on the controller
seealso:
  - module: cloudbench.llama.ec2_plan
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ lookup('cloudbench.llama.aws_region') }}"
"""

RETURN = r"""
_raw:
  description: The region.
  type: list
  elements: str
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws


class LookupModule(LookupBase):
    """Takes no terms."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        try:
            region = aws.region()
            # An inventory asks in the process that all tasks are forks of: what it has read, they need not read again.
            aws.client("ec2", region)
            return [region]
        except aws.AwsError as error:
            raise AnsibleLookupError(str(error)) from error
