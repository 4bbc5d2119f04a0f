# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a module works that touches no host."""

from __future__ import annotations


class ModuleDocFragment:
    """Found by its name."""

    DOCUMENTATION = r"""
attributes:
  action:
    description: Runs on the controller alone and does not connect to the host.
    support: full
"""

    AWS = r"""
attributes:
  action:
    description: Runs on the controller alone, with boto3.
    support: full
options:
  region:
    description: The region; empty means that of the environment or of the profile.
    type: str
    default: ""
"""

    RUN = r"""
options:
  run:
    description: The run, as in the tag RunId.
    type: str
    required: true
"""
