# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_prices
short_description: Renew the table of what EC2 costs
description:
  - Asks the Pricing API what an hour of each instance type costs in whole regions, Linux, on demand, at shared tenancy,
    and what a GB of gp3 costs, and keeps it in a file of your own. Whatever plans or imports reads that file before the
    table that ships with the collection, and of two prices takes the newer one; pages are made of the records alone.
    Bare metal that is listed at dedicated tenancy alone is not in it.
  - The file is named by the variable C(CLOUDBENCH_PRICES) of the environment, and else is C(cloudbench/prices.json) in
    C(XDG_CACHE_HOME), which is usually C(~/.cache). Regions that are not asked for stay in it as they are.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - cloudbench.llama.controller.aws
attributes:
  check_mode:
    description: Asks, and writes nothing.
    support: full
options:
  regions:
    description: Ask of these regions instead; V([all]) means all that are switched on for the account.
    type: list
    elements: str
    default: []
seealso:
  - module: cloudbench.llama.ec2_plan
"""

EXAMPLES = r"""
- name: Learn the prices of today
  cloudbench.llama.ec2_prices:
    regions: [us-east-1, eu-central-1]
"""

RETURN = r"""
file:
  description: Where they are kept.
  returned: success
  type: str
  sample: /srv/alice/.cache/cloudbench/prices.json
types:
  description: How many types have a price, by region.
  returned: success
  type: dict
  sample: {us-east-1: 1068}
"""
