# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_hosts
short_description: Wait until the instances of a run can be reached
description:
  - Waits until each instance of a run has an address and has shown its host keys on its console, which is read through
    the API of EC2, or until it has ended or the time is over. Where ssh goes through the Session Manager it also waits
    until Systems Manager calls the instance Online.
  - An instance whose host keys are in O(known_hosts) is known by them and not waited for. One whose console shows
    another key than is known of it is not connected to.
  - An instance that cannot be reached does not fail the task; it comes with its problem.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - cloudbench.llama.controller.aws
  - cloudbench.llama.controller.run
attributes:
  check_mode:
    description: Waits, and writes no file.
    support: full
options:
  timeout:
    description: Seconds after which an instance is given up.
    type: float
    default: 600
  known_hosts:
    description: Where the known hosts of the run are kept, for C(UserKnownHostsFile) of ssh. Those without a problem
      are added, each by its id and its address; nothing is removed.
    type: path
  ended:
    description: Instead of waiting, return the instances that have ended, each with the reason that EC2 gives.
    type: bool
    default: false
  prices:
    description: What instances cost, C(prices) of the plan of M(cloudbench.llama.ec2_plan).
    type: dict
    default: {}
  instance_ids:
    description: The instances that are known to be of the run. They are waited for also while EC2 does not find them by
      their tags yet, or does not know them.
    type: list
    elements: str
    default: []
  rows:
    description: The rows of the plan, C(rows) of the plan of M(cloudbench.llama.ec2_plan), by which fewer instances
      than were asked for may be enough.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Wait for the instances
  cloudbench.llama.ec2_hosts:
    run: 20261124T190000Z-1a2b
  register: hosts
"""

RETURN = r"""
instances:
  description:
    - Every instance of the run. C(market) is V(on-demand) or V(spot). C(boot_s) are the seconds from the launch until
      it could be reached, null where it could before anybody asked. C(row) is its row in the matrix, and C(spared) says
      that it has a problem and its row has enough instances without it; C(fleet) has C(asked), C(enough) and C(there)
      of its row where there are fewer than were asked for, and enough. C(price) is what an hour of it costs by
      O(prices), in the form that the variable C(llama_bench_price) has; empty where that is unknown.
  returned: success
  type: list
  elements: dict
  sample:
    - id: i-0123456789abcdef0
      type: c7g.16xlarge
      machine: gv3-c7g-16xlarge
      zone: us-east-1a
      address: 203.0.113.7
      keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA..."]
      problem: null
      market: spot
      boot_s: 31.4
      row: "0"
      spared: false
      fleet: {}
      price:
        {usd_hour: 0.9214, date: "2026-11-27", source: EC2 spot price history, market: spot, boot_s: 31.4}
fewer:
  description: A sentence for each row of O(rows) that has fewer instances than were asked for, and enough.
  returned: success
  type: list
  elements: str
"""
