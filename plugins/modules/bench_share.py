# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bench_share
short_description: Put the records into a bucket of S3, beside those of others
description:
  - Writes the lines of the journals that the bucket lacks as objects, each named by machine, month, run and the digest
    of its lines, and beside each a table of Parquet that is made from it.
  - Objects are only added, each under the condition that none of its name is there. A server that ignores the
    condition is found out before anything is written.
  - Creates no bucket, deletes nothing, sets no access and no encryption.
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
    description: Says how much would be written and writes nothing.
    support: full
seealso:
  - module: cloudbench.llama.bench_fetch
  - module: cloudbench.llama.bench_shared
"""

EXAMPLES = r"""
- name: Share the records
  cloudbench.llama.bench_share:
    results_dir: results
    bucket: s3://our-results/llama
"""

RETURN = r"""
objects:
  description: How many objects of records are new in the bucket.
  returned: success
  type: int
  sample: 3
records:
  description: How many records these hold.
  returned: success
  type: int
  sample: 2496
present:
  description: How many objects of these journals were there before.
  returned: success
  type: int
  sample: 9
problems:
  description: Lines of the journals that are no records and stay here, with file, line and reason.
  returned: success
  type: list
  elements: str
  sample: []
refused:
  description: Objects in the bucket that are not what they are called.
  returned: success
  type: list
  elements: str
  sample: []
summary:
  description: What became of the records, in lines.
  returned: success
  type: list
  elements: str
  sample: ["s3://our-results/llama: 3 objects of 2,496 records new, 9 already there"]
"""
