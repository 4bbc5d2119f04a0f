# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_rpc_cluster
short_description: Make a cluster of hosts whose RPC servers run
description:
  - Joins what hosts have told of themselves to what the measuring host has to know of the others.
  - Fails where there are fewer than two, where one has no build or no server, where two of them listen on one address,
    and where their builds are not of one and the same llama.cpp, naming both versions.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Only reads variables.
    support: full
  action:
    description: Runs on the controller alone and does not connect to the hosts.
    support: full
options:
  hosts:
    description: The hosts by their names in the inventory, the measuring one first. Of each C(llama_cpp_built) is read,
      and of all but the first C(llama_rpc_worker) and C(llama_bench_machine).
    type: list
    elements: str
    required: true
  build:
    description: The entry of C(llama_cpp_builds) that all of them have.
    type: raw
    default: rpc
seealso:
  - module: cloudbench.llama.llama_rpc_server
  - module: cloudbench.llama.llama_bench
"""

EXAMPLES = r"""
- name: Join the hosts
  cloudbench.llama.llama_rpc_cluster:
    hosts: "{{ groups.bench }}"
  register: joined
"""

RETURN = r"""
cluster:
  description: The option C(cluster) of P(cloudbench.llama.llama_bench#module).
  returned: success
  type: dict
  sample:
    head: first
    workers:
      - {"host": "second", "address": "10.0.0.8", "port": 50052, "threads": 16, "machine": {"name": "gv3-c7g-4xlarge"},
         "serves": false}
"""
