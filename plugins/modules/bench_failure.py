# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bench_failure
short_description: Record that something failed on a host
description:
  - Returns failure records for the callback P(cloudbench.llama.bench_report#callback), so that a failure stands on a
    page with its cause and an advice, and not in a log only.
  - The task itself succeeds. Meant for the C(rescue) of a block.
  - Fails when the callback is not enabled, because the record would not be kept.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Warns and keeps no record.
    support: full
  action:
    description: Runs on the controller alone and does not connect to the host, which may be out of reach.
    support: full
options:
  phase:
    description: The phase that failed.
    type: str
    choices: [provision, connect, plan, build, model, measure, report]
    required: true
  cause:
    description:
      - Why it failed, a sentence for a person.
      - Taken from O(result) when it is not given. One of the two is required.
    type: str
  result:
    description: The result of the failed task, such as C(ansible_failed_result). Its message, its command and what
      that command printed become the cause.
    type: dict
  advice:
    description: What to do about it, a sentence for a person; made from O(phase) when it is not given.
    type: str
  machine:
    description: The name results are kept under; made from the inventory name of the host when it is not given.
    type: str
  cells:
    description:
      - Cells that are lost, as in C(llama_bench_plan.cells). Each becomes a record of its own.
      - Without any, and where O(model), O(quantization) and O(build) leave none, one record for the whole host is made.
    type: list
    elements: dict
    default: []
  model:
    description: Restrict O(cells) to those of the model of this name.
    type: str
  quantization:
    description: Restrict O(cells) to those of this quantization.
    type: str
  build:
    description: Restrict O(cells) to those of the build of this name.
    type: str
seealso:
  - plugin: cloudbench.llama.bench_report
    plugin_type: callback
  - module: cloudbench.llama.bench_plan
"""

EXAMPLES = r"""
- name: Build or record why not
  block:
    - name: Build
      ansible.builtin.import_role:
        name: cloudbench.llama.llama_cpp
  rescue:
    - name: Record the failure
      cloudbench.llama.bench_failure:
        phase: build
        result: "{{ ansible_failed_result }}"
        machine: "{{ llama_bench_machine.name }}"
        cells: "{{ llama_bench_plan.cells }}"

- name: Record that one model is not to be had
  cloudbench.llama.bench_failure:
    phase: model
    cause: The download of my-finetune ended after 3 of 9 GB.
    advice: Run again; what was obtained before is kept.
    machine: "{{ llama_bench_machine.name }}"
    cells: "{{ llama_bench_plan.cells }}"
    model: my-finetune
"""

RETURN = r"""
bench_records:
  description: The failure records, for the callback P(cloudbench.llama.bench_report#callback).
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
