# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bench_compare
short_description: Compare two selections of what is on record
description:
  - Compares every cell of selection O(b) with the one of O(a) that differs from it only in what the selections name,
    and says for each whether B is faster, slower, equal or undecided.
  - Where several runs have a cell, the newest that has those of both selections is compared within itself, block by
    block. Only where no run has both is the newest of each compared with the other.
  - Two cells of a run that were measured in duets, at the same moment on half of the cores each, are judged by these,
    which is said. Their speeds are those of launches alone on the machine all the same.
  - Where more differs than was asked for, nothing is compared, and the differing parts are named.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - cloudbench.llama.controller
  - cloudbench.llama.results
attributes:
  check_mode:
    description: Reads the records, as it does without check mode.
    support: full
options:
  a:
    description: What to compare with, as C(key=value) of C(run), C(machine), C(model), C(quantization), C(build),
      C(commit), C(threads) and C(test), separated by spaces or commas; or the id of a run, V(latest) or V(previous).
      Without it, or without O(b), what can be compared is printed as commands, and the task fails.
    type: str
    default: ""
  b:
    description: What to compare, in the same form.
    type: str
    default: ""
  allow:
    description: Parts of machine, build and model that may differ beside what the selections name, such as V(build) or
      V(machine.kernel).
    type: list
    elements: str
    default: []
  fail_on:
    description: Verdicts that are returned in words as RV(failing). V(missing) is a cell that B planned or tried and
      has no figure of; V(never) is none.
    type: list
    elements: str
    choices: [faster, slower, equal, undecided, informational, missing, never]
    default: [slower, missing]
seealso:
  - module: cloudbench.llama.bench_pages
"""

EXAMPLES = r"""
- name: Ask what run-time repacking gives
  cloudbench.llama.bench_compare:
    results_dir: results
    a: build=no-repack
    b: build=default
"""

RETURN = r"""
lines:
  description: What is printed, a table for the cells of the same runs and a summary, at most 100 columns wide.
  returned: success
  type: list
  elements: str
verdicts:
  description: The words of the comparisons, V(faster), V(slower), V(equal), V(undecided), V(informational) or
    V(missing).
  returned: success
  type: list
  elements: str
  sample: [faster, equal]
failing:
  description: A sentence for each comparison whose verdict is among O(fail_on).
  returned: success
  type: list
  elements: str
  sample: []
"""
