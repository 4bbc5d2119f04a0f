# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_live_smoke
short_description: Check with an account of AWS what no test can exercise
description:
  - Asks what costs nothing, and says what the rest may cost; above O(usd) nothing is rented.
  - Then makes a role that holds the O(policy) alone, rents the instances of the O(plan) by a session of it with the
    playbook C(provision), leaves each of their guards alone, and gives everything back by C(teardown) and C(sweep).
  - Writes down what was expected and what was seen, and returns what was not as expected. Does not fail for that.
  - Credentials and endpoint are those of the environment, as for boto3; they have to be allowed to make a role.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Asks what costs nothing, and rents and writes nothing.
    support: full
  action:
    description: Runs on the controller alone and does not connect to the host.
    support: full
options:
  plan:
    description: The plan of what is rented, as P(cloudbench.llama.ec2_plan#module) returns it.
    type: dict
    required: true
  variables:
    description: Variables of the playbooks that are run.
    type: dict
    default: {}
  page:
    description: The page that is written; its record is beside it, with C(.json).
    type: path
    required: true
  consoles:
    description: Where the consoles that showed host keys are kept, a file an instance type.
    type: path
    required: true
  directory:
    description: Where the logs of the playbooks are kept, a directory a run.
    type: path
    required: true
  runs:
    description: Where the playbooks keep key and known hosts, a directory a run.
    type: path
    required: true
  policy:
    description: The policy that the role holds.
    type: path
    required: true
  boundary:
    description: The policy that the O(policy) demands as the permissions boundary of each role of a run. It is made
      where the account lacks it, and removed again.
    type: path
    required: true
  demands:
    description: What that policy has to allow.
    type: path
    required: true
  ssh:
    description: The words of the program that is ssh.
    type: list
    elements: str
    default: [ssh]
  ttl_minutes:
    description: Minutes after which the instances end themselves.
    type: int
    required: true
  minutes:
    description: Minutes that all of it may take.
    type: float
    required: true
  usd:
    description: US dollars that it may cost at most.
    type: float
    required: true
  minute_seconds:
    description: Seconds that a minute of the guards takes.
    type: float
    default: 60
  permissions_boundary:
    description: The ARN of the permissions boundary of the roles of the run, where the account has one that serves.
    type: str
    default: ""
seealso:
  - module: cloudbench.llama.ec2_plan
"""

EXAMPLES = r"""
- name: Make the live check
  cloudbench.llama.ec2_live_smoke:
    plan: "{{ ec2_environment_plan }}"
    page: docs/live.md
    consoles: tests/fixtures/consoles
    directory: ~/.cache/cloudbench/live-smoke
    runs: ~/.cache/cloudbench/ec2
    policy: docs/iam-policy.json
    boundary: docs/iam-boundary.json
    demands: docs/iam-demands.json
    ttl_minutes: 9
    minutes: 20
    usd: 0.05
"""

RETURN = r"""
page:
  description: The page.
  returned: success
  type: str
  sample: docs/live.md
rows:
  description: What became of each check.
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description: The name of the check.
      returned: success
      type: str
      sample: limit
    seen:
      description: What was seen; empty where nothing was asked.
      returned: success
      type: str
      sample: terminated, Client.InstanceInitiatedShutdown, 556 s after the launch; due after 540 s
    state:
      description: V(ok), V(failed) or V(not asked).
      returned: success
      type: str
      sample: ok
    seconds:
      description: How long it took.
      returned: success
      type: float
      sample: 431.2
problems:
  description: A line for each thing that was not as expected.
  returned: success
  type: list
  elements: str
  sample: []
"""
