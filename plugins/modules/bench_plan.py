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
extends_documentation_fragment:
  - cloudbench.llama.run_request
options:
  machine:
    description: The payload of the machine record, as P(cloudbench.llama.machine_info#module) returns it.
    type: dict
    required: true
  search:
    description: Whether the best configuration is searched for, instead of cells measured.
    type: bool
    default: false
  tune:
    description: What a search is asked for, C(objectives), C(users), C(memory_gib), C(minutes) and C(space), as the
      variables C(llama_bench_tune_*) of role P(cloudbench.llama.llama_bench#role); looked at where O(search) is true.
    type: dict
    default: {}
  price_found:
    description:
      - O(request.price) as the plan of a run on EC2 has it, for a host to which nobody has given one. It is not part of
        the command that asks for the same again, whose hosts and hours will be others.
    type: dict
    default: {}
  fleet_found:
    description: Of a host that is one of fewer instances than were asked for, C(asked), C(enough) and C(there); empty
      otherwise.
    type: dict
    default: {}
seealso:
  - plugin: cloudbench.llama.run_request
    plugin_type: lookup
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
    request:
      models: [llama-3.2-1b-synthetic]
      quantizations: [Q4_0, Q8_0]
      tests: [pp512, tg128]
"""

RETURN = r"""
machine:
  description: The machine, under the name that its results are kept under. Of several hosts of one type in a run the
    second has C(-2) behind it, and so on.
  returned: success
  type: dict
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
    duets:
      description: Pairs of cells that are to be measured at the same moment, each with C(a) and C(b).
      returned: success
      type: list
      elements: dict
      sample: []
    models:
      description: The O(request.models) that are possible, as they were given, but for what in an address may be a
        secret.
      returned: success
      type: list
      elements: raw
      sample: [llama-3.2-1b-synthetic]
    quantizations:
      description: The O(request.quantizations) that are possible, by llama.cpp's own spelling.
      returned: success
      type: list
      elements: str
      sample: [Q4_0]
    files:
      description: The pairs of a model, as RV(plan.models) has it, and a quantization that cells need; what quality is
        measured against comes first.
      returned: success
      type: list
      elements: list
      sample: [[llama-3.2-1b-synthetic, Q4_0]]
    builds:
      description: The O(request.builds) that are possible and needed, as they were given.
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
    tune:
      description: The option C(tune) of P(cloudbench.llama.llama_bench#module), empty without O(search).
      returned: success
      type: dict
      sample: {}
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
