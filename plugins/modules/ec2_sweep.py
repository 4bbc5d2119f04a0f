# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_sweep
short_description: Find the runs that are over and still have something in EC2
description:
  - Shows in a table, and returns, what is left of the runs of an owner that are past their end, or have none, with the
    commands that remove it. Removes nothing.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - cloudbench.llama.controller.aws
attributes:
  check_mode:
    description: Changes nothing in any case.
    support: full
options:
  regions:
    description: Look in these regions alone; empty and V([all]) mean all that are switched on for the account.
    type: list
    elements: str
    default: []
  owner:
    description: Whose runs; empty means those of the caller, by the last part of its ARN, V(*) anybody's.
    type: str
    default: ""
  all:
    description: Also runs that are not over, but for such of which only IAM is in the O(regions), since they live in
      another one.
    type: bool
    default: false
  but:
    description: Runs to leave out.
    type: list
    elements: str
    default: []
seealso:
  - module: cloudbench.llama.ec2_resources
"""

EXAMPLES = r"""
- name: Look what was forgotten
  cloudbench.llama.ec2_sweep:
    regions: [us-east-1, eu-central-1]
  register: forgotten
"""

RETURN = r"""
runs:
  description: The runs.
  returned: success
  type: list
  elements: dict
  contains:
    run:
      description: The id of the run.
      returned: success
      type: str
      sample: 20261124T190000Z-1a2b
    owner:
      description: Whose it is; empty when nothing of it is tagged.
      returned: success
      type: str
      sample: alice
    over:
      description: Since when it is over, or why it counts as over.
      returned: success
      type: str
      sample: expired 2026-11-24T21:00:00Z
    regions:
      description: The regions that it has something in.
      returned: success
      type: list
      elements: str
      sample: [us-east-1]
    resources:
      description: What it has, as P(cloudbench.llama.ec2_resources#module) returns it.
      returned: success
      type: list
      elements: dict
unasked:
  description: What could not be asked for, and why, a sentence each.
  returned: success
  type: list
  elements: str
  sample: []
"""
