# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bench_pages
short_description: Write the pages of all records
description:
  - Writes the markdown pages from the records alone, so that it can be run at any later time and gives the same bytes.
  - A page of this collection that no record supports any more is removed; a file of others is left alone.
  - Says what of the current run is missing or failed and leaves the judgement to the play, as role
    P(cloudbench.llama.bench_report#role) does.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - cloudbench.llama.controller
attributes:
  check_mode:
    description: Reads the records and writes no page.
    support: full
options:
  results_dir:
    description: The directory of records and pages on the controller.
    type: path
    required: true
seealso:
  - plugin: cloudbench.llama.bench_report
    plugin_type: callback
"""

EXAMPLES = r"""
- name: Write the pages
  cloudbench.llama.bench_pages:
    results_dir: results
  register: pages

- name: Fail when something could not be measured
  ansible.builtin.assert:
    that: pages.missing == [] and pages.failures == []
"""

RETURN = r"""
written:
  description: Pages that were written or removed, relative to O(results_dir). Empty in check mode.
  returned: success
  type: list
  elements: str
  sample: [README.md, local-amd-epyc/llama-3.2-1b-synthetic/q4.md]
run:
  description: The id of the current run, null when the callback is not enabled.
  returned: success
  type: str
  sample: 20261123T155523Z-1a2b
pages:
  description: Pages that the current run promised, relative to O(results_dir).
  returned: success
  type: list
  elements: str
  sample: [README.md, local-amd-epyc/llama-3.2-1b-synthetic/q4.md]
missing:
  description: A line for each of RV(pages) that is not there, and for each promised cell of which nothing is on record.
  returned: success
  type: list
  elements: str
  sample: []
failures:
  description: A line for each failure record of the current run.
  returned: success
  type: list
  elements: str
  sample: []
problems:
  description: A line for each record of any run that cannot be shown, with its file and the reason.
  returned: success
  type: list
  elements: str
  sample: []
rendered:
  description: O(results_dir), absolute.
  returned: success
  type: str
"""
