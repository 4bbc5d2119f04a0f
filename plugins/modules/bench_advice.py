# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bench_advice
short_description: Say which instance types of EC2 would serve a model, how fast and for how much
description:
  - Starts nothing and asks nobody. Speeds are predicted from what others published of the processors, pulled by figures
    of the records that may be ranked; prices are those of the tables.
  - Shows a table for a person, each figure with an interval that holds 90 % and with where it comes from, what does not
    fit, and the command that measures the first three types.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - cloudbench.llama.controller
  - cloudbench.llama.results
attributes:
  check_mode:
    description: Writes no page.
    support: full
options:
  model:
    description: A preset model, of published or of generated weights.
    type: str
    default: llama-3.1-8b
  quantization:
    description: One of which the speed is predicted, V(Q4_0), V(Q4_K_M) or V(Q8_0).
    type: str
    default: Q4_0
  context:
    description: Tokens that each user has, prompt and answer, V(1) to V(131072).
    type: int
    default: 4096
  users:
    description: How many users generate at once, V(1) to V(512).
    type: int
    default: 1
  token_ms:
    description: The target of milliseconds a token; V(0) means none.
    type: float
    default: 0
  first_s:
    description: The target of seconds until the first token of a prompt of O(prompt) tokens; V(0) means none.
    type: float
    default: 0
  prompt:
    description: Tokens of that prompt.
    type: int
    default: 1000
  budget:
    description: US dollars a month that the instance may cost; V(0) means any.
    type: float
    default: 0
  memory_gib:
    description: GiB that the instance has at least; V(0) means what the model needs.
    type: float
    default: 0
  region:
    description: The region whose prices count.
    type: str
    default: us-east-1
  market:
    description: V(on-demand) or V(spot). Types are ranked by prices on demand, for those of spot are in no table.
    type: str
    default: on-demand
  types:
    description: Instance types and families to choose from; none means all.
    type: list
    elements: str
    default: []
  rows:
    description: How many types are shown.
    type: int
    default: 10
  page:
    description: A file that the advice is written to as a page; empty means none.
    type: str
    default: ""
seealso:
  - module: cloudbench.llama.ec2_plan
"""

EXAMPLES = r"""
- name: Ask for the types that serve eight users
  cloudbench.llama.bench_advice:
    results_dir: results
    model: llama-3.1-8b
    users: 8
    token_ms: 100
    first_s: 2
  register: advised
"""

RETURN = r"""
types:
  description: The types that the model fits into, ranked.
  returned: success
  type: list
  elements: str
meeting:
  description: Those of them that are expected to meet the targets.
  returned: success
  type: list
  elements: str
command:
  description: The command that measures the first three.
  returned: success
  type: str
"""
