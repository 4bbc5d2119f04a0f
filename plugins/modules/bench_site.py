# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bench_site
short_description: Make the HTML site of all records
description:
  - Writes the pages and figures of all records, and a directory that shows them as HTML.
  - The site loads nothing from outside, works from disk and can be read without JavaScript.
  - With JavaScript its tables sort and filter, two rows of the index are compared, and figures become a plot.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - cloudbench.llama.controller
  - cloudbench.llama.results
attributes:
  check_mode:
    description: Cannot say what would change without writing it.
    support: none
options:
  path:
    description: The directory of the site on the controller, a new or an empty one, or one that this module wrote.
    type: path
    required: true
seealso:
  - module: cloudbench.llama.bench_pages
  - module: cloudbench.llama.bench_export
"""

EXAMPLES = r"""
- name: Make the site
  cloudbench.llama.bench_site:
    results_dir: results
    path: site
"""

RETURN = r"""
path:
  description: The directory of the site.
  returned: success
  type: str
  sample: /tmp/site
start:
  description: The page to open.
  returned: success
  type: str
  sample: /tmp/site/index.html
written:
  description: How many of its files changed.
  returned: success
  type: int
  sample: 12
problems:
  description: Lines of the records that are none, with file, line and reason.
  returned: success
  type: list
  elements: str
  sample: []
"""
