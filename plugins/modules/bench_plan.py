# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bench_plan
short_description: Begin a run on a host and promise its cells
description:
  - Makes the plan of a run, every combination of models, quantizations, builds, threads and tests, and returns it
    for the tasks that follow and as records for the callback P(cloudbench.llama.bench_report#callback).
  - A value that is not possible becomes a failure record, and the rest of the plan goes on without it.
  - Fails when the callback is not enabled, because nothing that is measured would be kept.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Returns the plan and keeps no record.
    support: full
  action:
    description: Runs on the controller alone and does not connect to the host.
    support: full
options:
  machine:
    description: The payload of the machine record, as P(cloudbench.llama.machine_info#module) returns it.
    type: dict
    required: true
  models:
    description: Models, each the name of a preset or a mapping with C(name).
    type: list
    elements: raw
    required: true
  quantizations:
    description: Types of the weights by llama.cpp's names, such as V(Q4_0); V(legacy) is the removed type that was made
      for the processor of O(machine).
    type: list
    elements: str
    required: true
  threads:
    description: Thread counts; empty means those that the thread ladder of the run finds best.
    type: list
    elements: raw
    default: []
  tests:
    description: What to measure, the most important first. V(pp512) is a prompt of 512 tokens, V(tg128) a generation
      of 128 tokens, V(tg128@d4096) the same with a context of 4096 tokens that is already filled;
      V(serve128+64@c4) requests of 128 and 64 tokens to a server from 4 users at once, V(serve128+64@r0.5) every 2
      seconds on average; V(batch128+64@c4) 4 sequences at once; V(load) the load times.
    type: list
    elements: str
    required: true
  builds:
    description: The builds to measure with, names of ready builds or mappings with C(name). A removed file type is
      measured by those that read it, or by the ready build V(legacy), which then joins the plan.
    type: list
    elements: raw
    default: [default]
  launches:
    description: Fresh processes per cell at least.
    type: int
    required: true
  launches_most:
    description: Fresh processes per cell at most. A run of less than 6 O(launches) never takes more than those.
    type: int
    default: 30
  repetitions:
    description: Measurements inside one process.
    type: int
    required: true
  minutes:
    description: How long the measurements may take; V(0) is no limit.
    type: float
    default: 0
  slots:
    description: Slots of the server, the most users that are served at once.
    type: int
    default: 4
  requests:
    description: Requests of each user in one launch.
    type: int
    default: 4
  slo:
    description: What a request has to meet to count as goodput, C(ttft_s) and C(tpot_s) in seconds.
    type: dict
    default: {ttft_s: 2.0, tpot_s: 0.1}
  price:
    description:
      - What an hour of the host costs, for a host that is not on the list prices of EC2 or does not pay them.
      - C(usd_hour) in USD and C(date) of the form V(2026-11-27) have to be there; C(market) (V(on-demand), V(spot)),
        C(source) and C(boot_s), the seconds from the order until the host answers, may be.
    type: dict
    default: {}
  price_found:
    description:
      - The same as the plan of a run on EC2 has it, for a host to which nobody has given a O(price). It is not part of
        the command that asks for the same again, whose hosts and hours will be others.
    type: dict
    default: {}
  twin:
    description: Whether one cell of generation is measured twice, for the noise of the machine.
    type: bool
    default: true
  seed:
    description: Seed of the order of launches; made from the id of the run when it is not given.
    type: int
seealso:
  - plugin: cloudbench.llama.bench_report
    plugin_type: callback
  - module: cloudbench.llama.llama_bench
"""

EXAMPLES = r"""
- name: Describe the machine
  cloudbench.llama.machine_info:
  register: host

- name: Promise four cells
  cloudbench.llama.bench_plan:
    machine: "{{ host.machine }}"
    models: [llama-3.2-1b-synthetic]
    quantizations: [Q4_0, Q8_0]
    tests: [pp512, tg128]
    launches: 6
    repetitions: 2
"""

RETURN = r"""
plan:
  description: The plan of this run on this host.
  returned: success
  type: dict
  contains:
    run:
      description: The id of the run, one for all hosts.
      returned: success
      type: str
      sample: 20261123T155523Z-1a2b
    seed:
      description: The seed of the order of launches.
      returned: success
      type: int
      sample: 1234
    launches_most:
      description: Launches of a cell at most.
      returned: success
      type: int
      sample: 30
    cells:
      description: What is to be measured, each with C(model), C(quantization), C(build), C(threads), C(test),
        and C(n_prompt), C(n_gen) and C(n_depth) in tokens.
      returned: success
      type: list
      elements: dict
      sample:
        - {"model": "llama-3.2-1b-synthetic", "quantization": "Q4_0", "build": "default", "threads": 2,
           "test": "pp512", "n_prompt": 512, "n_gen": 0, "n_depth": 0}
    models:
      description: The O(models) that are possible, as they were given.
      returned: success
      type: list
      elements: raw
      sample: [llama-3.2-1b-synthetic]
    quantizations:
      description: The O(quantizations) that are possible, by llama.cpp's own spelling.
      returned: success
      type: list
      elements: str
      sample: [Q4_0]
    builds:
      description: The O(builds) that are possible and needed, as they were given.
      returned: success
      type: list
      elements: raw
      sample: [default]
    programs:
      description: The programs of llama.cpp that the tests need beside C(llama-bench).
      returned: success
      type: list
      elements: str
      sample: [llama-server]
    failures:
      description: Payloads of failure records, one for each value that is not possible.
      returned: success
      type: list
      elements: dict
      sample: []
bench_records:
  description: The machine record, the run record and the failure records, for the callback
    P(cloudbench.llama.bench_report#callback).
  returned: when not in check mode
  type: dict
  contains:
    version:
      description: The version of this form.
      returned: when not in check mode
      type: int
      sample: 1
    records:
      description: The records.
      returned: when not in check mode
      type: list
      elements: dict
"""
