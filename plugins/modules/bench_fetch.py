# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bench_fetch
short_description: Read what others have put into a bucket of S3 and is missing here
description:
  - Reads the objects whose lines the results directory lacks, holds each against its name and each of its lines against
    the rules for records, and appends the lines to the journals of their runs.
  - An object that is not what it is called, or holds a line that is no record of its machine, run and month, is refused
    as a whole and named; the others are kept.
  - May be broken off and run again at any point.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - cloudbench.llama.bucket
  - cloudbench.llama.controller
  - cloudbench.llama.results
attributes:
  check_mode:
    description: Says how much would be read and writes nothing.
    support: full
options:
  machine:
    description: The one machine to fetch; all when empty.
    type: str
    default: ""
  month:
    description: The one month to fetch, such as C(2026-11); all when empty.
    type: str
    default: ""
seealso:
  - module: cloudbench.llama.bench_share
  - module: cloudbench.llama.bench_pages
"""

EXAMPLES = r"""
- name: Fetch what others have measured
  cloudbench.llama.bench_fetch:
    results_dir: results
    bucket: s3://our-results/llama
"""

RETURN = r"""
objects:
  description: How many objects were read.
  returned: success
  type: int
  sample: 3
records:
  description: How many of their records are new here.
  returned: success
  type: int
  sample: 2496
present:
  description: How many objects were here already and not read.
  returned: success
  type: int
  sample: 9
refused:
  description: Objects that were not kept, with the reason.
  returned: success
  type: list
  elements: str
  sample: []
summary:
  description: What became of the objects, in lines.
  returned: success
  type: list
  elements: str
  sample: ["3 objects read, 2,496 records new in results; 9 objects already there"]
"""
