# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, where ansible-doc looks for it; no code runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bench_arguments
short_description: Refuse what cannot be meant, before anything is done for it
description:
  - Fails when a variable of the host begins as those of a role of this collection do and no role has it, and names the
    nearest one.
  - Fails when a variable of a role has a value that is possible on no machine, such as a test or a build that there is
    not, or less than no minutes.
  - Nothing is built, rented or recorded for it. What depends on the machine, such as a number of threads, is left to
    P(cloudbench.llama.bench_plan#module).
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Looks at the variables all the same.
    support: full
extends_documentation_fragment:
  - cloudbench.llama.controller
options:
  measure:
    description: Whether an inventory without a host to measure fails too. One with the group C(ec2_environment) is
      going to have some.
    type: bool
    default: false
  planned:
    description: Whether it fails too that no host was planned by this command, where nothing is on record of why.
    type: bool
    default: false
seealso:
  - module: cloudbench.llama.bench_plan
"""

EXAMPLES = r"""
- name: Refuse what cannot be meant
  cloudbench.llama.bench_arguments:
    measure: true
"""

RETURN = r"""
# Nothing but what every module returns.
"""
