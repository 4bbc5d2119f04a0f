# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bench_import
short_description: Make records and pages of what other programs have printed
description:
  - Reads outputs of llama-bench in any of its forms (JSON, JSON Lines, CSV, SQL, markdown), and logs of llama-cli and
    llama-completion that end with their timings.
  - What one process repeated is one launch with samples. What a file does not say stays unknown.
  - Every setting that a row names belongs to its cell, so that unlike rows are never averaged. Rows of another
    processor or with a GPU are kept as another machine.
  - Lines that are no results, and results that are cut off, are left out and named.
  - Files that were imported already are left as they are.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - cloudbench.llama.controller
  - cloudbench.llama.results
attributes:
  check_mode:
    description: Says whether anything is new and writes nothing.
    support: full
options:
  files:
    description: The files on the controller.
    type: list
    elements: path
    required: true
  machine:
    description:
      - A name for the machine; it is kept as C(imported-NAME). By default that of the processor in the files.
      - It must be given for several files of which one names no processor, as on Arm, and may not be given for files of
        several processors.
    type: str
    default: ""
  model:
    description: The name of the model where it is not that of its file.
    type: str
    default: ""
  threads:
    description: How many threads were used, where a file does not say so.
    type: int
    default: 0
seealso:
  - module: cloudbench.llama.bench_export
  - module: cloudbench.llama.bench_pages
"""

EXAMPLES = r"""
- name: Make pages of an output of llama-bench
  cloudbench.llama.bench_import:
    results_dir: results
    files: [llama-bench.jsonl]
    machine: my-graviton
"""

RETURN = r"""
machine:
  description: The first of the machines.
  returned: success
  type: str
  sample: imported-my-graviton
machines:
  description: The machines under which the figures are kept.
  returned: success
  type: list
  elements: str
  sample: [imported-my-graviton]
run:
  description: The id of the run that the files became.
  returned: success
  type: str
  sample: 20261124T191339Z-614f
pages:
  description: The pages of the imported figures.
  returned: success
  type: list
  elements: str
  sample: [/tmp/results/imported-my-graviton/llama-3-8b/q4.md]
problems:
  description: What was left out of the files, with file, line and reason.
  returned: success
  type: list
  elements: str
  sample: []
"""
