# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_resources
short_description: Find everything that a run has in EC2, IAM and EventBridge Scheduler
description:
  - Asks each service itself, by tag, by name and by the VPC.
  - What could not be asked for is returned in words; then nothing is proven.
  - The region is the one that the run was begun in, by its O(directory), else by the tag Region of what it has in IAM.
    Where O(region), or else the environment, says another one, and where the run is in another account, the module
    fails and says so. A run that tells neither is looked for in O(region), in that of the environment or the profile.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - cloudbench.llama.controller.aws
  - cloudbench.llama.controller.run
attributes:
  check_mode:
    description: Writes nothing into the O(directory).
    support: full
options:
  directory:
    description: The directory of the run on the controller, which tells its region and account.
    type: path
  begin:
    description: Whether the run is about to make something; then its region and account are written into the
      O(directory), unless they are there already.
    type: bool
    default: false
  owner:
    description: Leave out what is tagged as somebody else's.
    type: str
    default: ""
  without:
    description: Kinds not to ask for. What is returned then proves nothing about them.
    type: list
    elements: str
    choices: [spot request, instance, volume, VPC endpoint, network interface, launch template, key pair,
      placement group, schedule, instance profile, role, security group, route table, internet gateway, subnet, VPC]
    default: []
  gone:
    description: Instances to wait for before asking, until they are terminated.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for them at most. A machine without a hypervisor takes minutes.
    type: float
    default: 900
  attempts:
    description: Results of modules that were to remove the RV(resources), in tasks that loop over them; RV(report)
      says why they failed.
    type: list
    elements: dict
    default: []
seealso:
  - module: cloudbench.llama.ec2_sweep
"""

EXAMPLES = r"""
- name: Find what there is of a run
  cloudbench.llama.ec2_resources:
    region: us-east-1
    run: 20261124T190000Z-1a2b
  register: there

- name: Show what is left, and the commands that remove it
  ansible.builtin.debug:
    msg: "{{ there.report }}"
"""

RETURN = r"""
region:
  description: The region that was asked.
  returned: success
  type: str
  sample: us-east-1
region_known:
  description: Whether the run itself tells its region, or every region was looked at.
  returned: success
  type: bool
  sample: true
nothing_left:
  description: What is proven when the RV(report) is empty.
  returned: success
  type: str
  sample: EC2, IAM and EventBridge Scheduler know nothing of the run 20261124T190000Z-1a2b in us-east-1.
resources:
  description: What there is, in an order in which it can be removed.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: What it is, such as V(instance), V(spot request), V(key pair) or V(VPC).
      returned: success
      type: str
      sample: instance
    id:
      description: Its id; its name where it has none.
      returned: success
      type: str
      sample: i-0123456789abcdef0
    name:
      description: Its name, or its tag Name.
      returned: success
      type: str
      sample: cloudbench-20261124T190000Z-1a2b
    region:
      description: Its region; of what is in IAM that of the run by its tag Region, empty without it.
      returned: success
      type: str
      sample: us-east-1
    run:
      description: The run that it belongs to.
      returned: success
      type: str
      sample: 20261124T190000Z-1a2b
    owner:
      description: The owner by its tag; empty where its name tells the run.
      returned: success
      type: str
      sample: alice
    expires_at:
      description: The end of the run by its tag; empty where its name tells the run.
      returned: success
      type: str
      sample: "2026-11-24T21:00:00Z"
    state:
      description: Its state in the words of its service; empty where it has none.
      returned: success
      type: str
      sample: running
    why:
      description: How it is known to be of the run, by its V(tag), its V(name), or what it lies in or belongs to.
      returned: success
      type: str
      sample: tag
    removal:
      description: The command that removes it.
      returned: success
      type: str
      sample: aws ec2 terminate-instances --instance-ids i-0123456789abcdef0 --region us-east-1
    foreign:
      description: Whether it lies in the VPC of the run without having been made by it.
      returned: success
      type: bool
      sample: false
    row:
      description: The index in the matrix of an instance.
      returned: success
      type: str
      sample: "0"
    vpc_id:
      description: The VPC that it lies in.
      returned: success
      type: str
      sample: vpc-310ce8b6cba804db1
    cidr:
      description: The addresses of a subnet or VPC.
      returned: success
      type: str
      sample: 10.83.0.0/24
lines:
  description: The same for a person, a line each.
  returned: success
  type: list
  elements: str
unasked:
  description: What could not be asked for, and why, a sentence each.
  returned: success
  type: list
  elements: str
  sample: []
may_go:
  description: Whether another try may remove more, as far as O(attempts) tell.
  returned: success
  type: bool
  sample: false
report:
  description: What a person has to know and do about what is there, with the commands that remove it; empty when
    nothing is there and all could be asked for.
  returned: success
  type: str
  sample: ""
"""
