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
  - A file that is named by itself must hold results. Those that a directory or a pattern brings are skipped where they
    hold none, and are named with the reason; the module fails when none is left.
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
    description:
      - The files on the controller, each by its path, a directory or a pattern.
      - A directory stands for all files below it but those whose name, or a directory's, begins with a dot. In a
        pattern C(*), C(?) and C([...]) stand for parts of a name, and C(**) for any directories.
    type: list
    elements: path
    required: true
  machine:
    description:
      - A name for the machine; it is kept as C(imported-NAME). By default that of the processor in the files.
      - It must be given for several files of which one names no processor, as on Arm, and may not be given for files of
        several processors.
      - An instance type of EC2, such as C(c7g.16xlarge), adds what the catalog of this collection says of it, which is
        architecture, processor, vCPUs, cores and NUMA nodes, and the list price of O(region). Files that are of another
        architecture, processor or more vCPUs are refused.
    type: str
    default: ""
  machine_from:
    description:
      - Where the name of each file's machine stands, for the files of many machines at once. C(parent) is the name of
        the file's directory, C(file) the file's own without its ending, and a number that of the directory so many
        levels up, of which 1 is C(parent).
      - The files of each machine are a run of their own, as if they had been imported by themselves. A machine that
        cannot be is skipped.
      - Excludes O(machine).
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
  region:
    description: The region of EC2 whose list price is that of a machine which is named by its instance type; no price
      when empty, or where the table has none.
    type: str
    default: us-east-1
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

- name: Make pages of the outputs of many instances, each in a directory named by its type
  cloudbench.llama.bench_import:
    results_dir: results
    files: ["data/*/stdout"]
    machine_from: parent
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
  description: The id of the run that the files became, the first of RV(runs).
  returned: success
  type: str
  sample: 20261124T191339Z-614f
runs:
  description: The ids of the runs that the files became; one for each machine with O(machine_from).
  returned: success
  type: list
  elements: str
  sample: [20261124T191339Z-614f]
imported:
  description: The files whose figures are new.
  returned: success
  type: list
  elements: str
  sample: [data/c7g.16xlarge/stdout]
present:
  description: The files that were imported before.
  returned: success
  type: list
  elements: str
  sample: []
skipped:
  description: The files that were not imported.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
      sample: data/c7g.16xlarge/notes
    reason:
      description: Why not.
      type: str
      sample: has the same content as data/c7g.16xlarge/stdout
summary:
  description: What became of the files, in lines, where many files of one reason share one.
  returned: success
  type: list
  elements: str
  sample: ["Files: 299 imported, 1 skipped; 299 machines"]
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
