# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of models, and the hub that they come from."""

from __future__ import annotations


class ModuleDocFragment:
    """Found by its name."""

    DOCUMENTATION = r"""
options:
  architectures:
    description: The architectures that are accepted.
    type: list
    elements: str
    default: [llama]
"""

    THREADS = r"""
options:
  threads:
    description: Threads of C(llama-quantize). The default is the number of processors.
    type: int
"""

    WATCHED = r"""
options:
  watch:
    description: Begin of the paths of the two files by which the action plugin of the same name looks at how far the
      file is. Empty means that nobody does.
    type: path
    default: ""
  patience:
    description: After so many seconds without a sign of the controller the work is ended. 0 means never.
    type: float
    default: 0
"""

    HUB = r"""
options:
  directory:
    description: The directory of all downloads. It is created.
    type: path
    required: true
  endpoint:
    description: The address of the hub.
    type: str
    default: https://huggingface.co
  token:
    description: A token of the hub. It is sent to O(endpoint) only.
    type: str
  timeout:
    description: Seconds without an answer after which a connection is given up.
    type: int
    default: 60
  retries:
    description: How many times in a row a request may fail for a reason that may pass.
    type: int
    default: 5
"""
