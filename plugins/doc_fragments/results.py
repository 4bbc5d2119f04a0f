# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store of the records."""

from __future__ import annotations


class ModuleDocFragment:
    """Found by its name."""

    DOCUMENTATION = r"""
options:
  results_dir:
    description: The directory of the records on the controller.
    type: path
    required: true
"""
