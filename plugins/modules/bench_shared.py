# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bench_shared
short_description: Say what is shared in a bucket of S3, by machine and month
description:
  - Prints how many records, runs, launches and cells each partition has. With O(machine), also the median of each cell
    over its undisturbed launches.
  - Reads the tables that stand beside the records, of the partitions that are asked for, and no record.
  - Launches are pooled where cell, build, model and environment are the same. Nothing is ranked.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - cloudbench.llama.bucket
  - cloudbench.llama.controller
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
options:
  machine:
    description: The one machine to sum up; all when empty.
    type: str
    default: ""
  month:
    description: The one month to sum up, such as C(2026-11); all when empty.
    type: str
    default: ""
seealso:
  - module: cloudbench.llama.bench_share
"""

EXAMPLES = r"""
- name: Say what is shared of a machine
  cloudbench.llama.bench_shared:
    bucket: s3://our-results/llama
    machine: gv3-c7g-16xlarge
"""

RETURN = r"""
partitions:
  description: What each machine and month has.
  returned: success
  type: list
  elements: dict
  contains:
    machine:
      description: The machine.
      type: str
      sample: gv3-c7g-16xlarge
    month:
      description: The month.
      type: str
      sample: 2026-11
    objects:
      description: Objects of records.
      type: int
      sample: 4
    records:
      description: Records in them.
      type: int
      sample: 2496
    runs:
      description: Runs that they are of.
      type: int
      sample: 2
    launches:
      description: Launches among the records.
      type: int
      sample: 840
    valid:
      description: Undisturbed launches.
      type: int
      sample: 802
    cells:
      description: Cells with any.
      type: int
      sample: 61
figures:
  description: Of each cell how many undisturbed launches there are, and the median and the middle four fifths of what
    stands for it.
  returned: success
  type: list
  elements: dict
  sample: []
objects:
  description: How many tables were read.
  returned: success
  type: int
  sample: 4
problems:
  description: Objects whose figures are in nothing above, with the reason.
  returned: success
  type: list
  elements: str
  sample: []
"""
