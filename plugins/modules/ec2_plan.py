# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_plan
short_description: Say what a run on EC2 would create, take and cost
description:
  - Starts nothing. Shows a table for a person, and returns the plan by which role
    P(cloudbench.llama.ec2_environment#role) provisions.
  - With credentials the account is asked which types it is offered, where, for how much, and whether its quotas allow
    them. Without any the plan is made from the tables of this collection, and says what it could not check.
  - Does not fail for what cannot be rented or measured, but returns every such thing in RV(plan.errors).
  - Credentials, profile and endpoint are those of the environment, as for boto3.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Changes nothing.
    support: full
  action:
    description: Runs on the controller alone and does not connect to the host.
    support: full
extends_documentation_fragment:
  - cloudbench.llama.run_request
options:
  run:
    description: The id of the run, at most 33 letters, digits and hyphens; by default that of this run.
    type: str
    default: ""
  region:
    description: The region; by default that of E(AWS_REGION), E(AWS_DEFAULT_REGION) or the profile.
    type: str
    default: ""
  owner:
    description: Whom the instances belong to; by default the last part of the ARN of the caller.
    type: str
    default: ""
  instances:
    description: The matrix, each entry a mapping with C(type) and perhaps C(count), C(count_min), C(market),
      C(image), C(zones), C(or_types) and C(max_price), as the README of role
      P(cloudbench.llama.ec2_environment#role) has them.
    type: list
    elements: raw
    required: true
  market:
    description: V(on-demand) or V(spot), for entries that do not say.
    type: str
    default: on-demand
  image:
    description: V(amazon-linux-2023), V(ubuntu-24.04) or V(debian-12), for entries that do not say.
    type: str
    default: amazon-linux-2023
  connection:
    description: V(ssh) or V(ssm).
    type: str
    default: ssh
  ttl_minutes:
    description: Minutes after which the instances end themselves, V(5) to V(10080).
    type: int
    default: 240
  schedule:
    description: Whether a schedule in the account ends them too.
    type: bool
    default: true
  budget_usd:
    description: US dollars a month at which a mail is sent; V(0) means none.
    type: float
    default: 0
  budget_email:
    description: Who gets it.
    type: str
    default: ""
  volume_gb:
    description: Size of the volume of each instance; V(0) means from the models.
    type: int
    default: 0
  results_bucket:
    description: A bucket that the instances may write to.
    type: str
    default: ""
  results_prefix:
    description: The one prefix in it.
    type: str
    default: ""
  ssh_from:
    description: The address or network that ssh may come from; empty means one that is looked up later.
    type: str
    default: ""
  cidr:
    description: The network of the VPC that is made.
    type: str
    default: 10.83.0.0/16
  subnet_ids:
    description: Subnets to use, one a zone, all of one VPC; none means that a network is made.
    type: list
    elements: str
    default: []
  prices:
    description: On-demand prices that go before all others, instance type to US dollars an hour.
    type: dict
    default: {}
  instance_profile:
    description: An instance profile that is there already, by name or ARN, for the instances to have.
    type: str
    default: ""
  permissions_boundary:
    description: The ARN of the policy that bounds every role that is made.
    type: str
    default: ""
  placement_group:
    description: Whether the instances lie in a placement group of strategy cluster.
    type: bool
    default: false
seealso:
  - plugin: cloudbench.llama.run_request
    plugin_type: lookup
  - module: cloudbench.llama.bench_plan
"""

EXAMPLES = r"""
- name: Plan two instances
  cloudbench.llama.ec2_plan:
    instances:
      - type: c7g.16xlarge
      - {type: c8g.4xlarge, market: spot, or_types: [m8g.4xlarge]}
    request:
      models: [llama-3.1-8b]
      tests: [pp512, tg128]
  register: planned
"""

RETURN = r"""
plan:
  description: What was planned.
  returned: success
  type: dict
  contains:
    run:
      description: The id of the run.
      returned: success
      type: str
    region:
      description: The region; empty when none is known.
      returned: success
      type: str
    account:
      description: The account; null without credentials, as is C(partition).
      returned: success
      type: str
    partition:
      description: The partition of AWS, such as V(aws).
      returned: success
      type: str
    owner:
      description: Whom the instances belong to; null where that is unknown.
      returned: success
      type: str
    makes_profile:
      description: Whether a role and an instance profile are made for the instances.
      returned: success
      type: bool
    rows:
      description:
        - What is launched, an entry for each of O(instances) that is possible, with C(index), C(type), C(or_types),
          C(count), C(count_min), C(market), C(max_price), C(image), C(image_parameter), C(image_id) (null without
          credentials), C(architecture), C(login_user), C(root_device), C(machine) (the name that results are kept
          under), C(zones) (to be tried in this order), C(tries) (C(type), C(zone) and C(count) of each try, in their
          order), C(vcpus), C(physical_cores), C(memory_gib) (null where unknown) and C(minutes) (the least and the most
          expected).
        - C(usd_h) has US dollars an hour for one instance, C(on_demand), C(spot), C(spot_by_zone) and C(most), null
          where unknown, and C(source) and C(date) of the on-demand price.
      returned: success
      type: list
      elements: dict
    prices:
      description:
        - What an hour of an instance costs, by type, those of C(or_types) included. C(on_demand) has C(usd_hour) (null
          where unknown), C(source) and C(date), C(spot) has C(usd_hour_by_zone), C(source) and C(date).
      returned: success
      type: dict
    volume_gb:
      description: Size of the volume of each instance.
      returned: success
      type: int
    ttl_minutes:
      description: Minutes after which the instances end themselves.
      returned: success
      type: int
    expires_at:
      description: When that is, for a launch now, in UTC.
      returned: success
      type: str
      sample: "2026-11-24T21:00:00Z"
    schedule:
      description: Whether schedules in the account end the instances then.
      returned: success
      type: bool
    expected_minutes:
      description: The middle of C(expected_range).
      returned: success
      type: int
    expected_range:
      description: Minutes from launch to teardown, an estimate.
      returned: success
      type: list
      elements: int
    cost:
      description: US dollars. C(instances), C(storage) and C(address) for an hour of all, C(per_hour) their sum;
        C(expected) and C(expected_range) for the minutes expected; C(at_ttl) the most. Null where a price is unknown.
      returned: success
      type: dict
    creates:
      description: What would be created, a line each.
      returned: success
      type: list
      elements: str
    checked:
      description: What the account was asked for.
      returned: success
      type: list
      elements: str
    unchecked:
      description: What could not be checked, and why.
      returned: success
      type: list
      elements: str
    remarks:
      description: What to take note of.
      returned: success
      type: list
      elements: str
    errors:
      description: Everything that stands in the way of the run; nothing may be created while there is one.
      returned: success
      type: list
      elements: str
"""
