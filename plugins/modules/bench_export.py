# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bench_export
short_description: Write the figures on record in a form that another program reads
description:
  - Writes the figure that stands for each cell of each machine, or those of all runs, into one file.
  - Each figure carries interval, number of launches and state where the form has room for them.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - cloudbench.llama.controller
  - cloudbench.llama.results
attributes:
  check_mode:
    description: Says whether the file would change and writes nothing.
    support: full
options:
  format:
    description:
      - V(llama-bench) are the rows of llama-bench as it printed them, for scripts/compare-llama-bench.py of llama.cpp.
      - V(parquet) has every metric of every cell of all runs, for DuckDB and data frames.
      - V(csv) has every metric of every cell. Text that a reader could take for anything else has a prefix in it,
        C(commit:1e57098) and C(text:1e5). V(openmetrics) has the same for Prometheus and its kin.
      - V(bencher), V(github-action-benchmark-bigger) and V(github-action-benchmark-smaller) have the metric that stands
        for each cell, without INVALID ones.
    type: str
    choices:
      - llama-bench
      - csv
      - parquet
      - openmetrics
      - bencher
      - github-action-benchmark-bigger
      - github-action-benchmark-smaller
    default: csv
  path:
    description: The file to write on the controller.
    type: path
    required: true
seealso:
  - module: cloudbench.llama.bench_pages
  - module: cloudbench.llama.bench_compare
"""

EXAMPLES = r"""
- name: Write a table of all figures
  cloudbench.llama.bench_export:
    results_dir: results
    format: csv
    path: figures.csv
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /tmp/figures.csv
problems:
  description: Lines of the records that are none, with file, line and reason.
  returned: success
  type: list
  elements: str
  sample: []
"""
