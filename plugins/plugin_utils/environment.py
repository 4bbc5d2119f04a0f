# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The id of a run: one for one run of ansible-playbook, on all its hosts.

The callback lives in the process that all workers are forked from, so what it puts into the environment before the
first task reaches every action. Set beforehand it names a run, for instance to take one up again.
"""

from __future__ import annotations

import os
import re
import secrets
import time

VARIABLE = "CLOUDBENCH_RUN"
RESULTS_DIR_VARIABLE = "CLOUDBENCH_RESULTS_DIR"


class RunError(ValueError):
    """There is no usable run id; the message says why and what to do."""


def _checked(run: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", run):
        raise RunError(
            f"the run id {run!r} in {VARIABLE} becomes a file name: use up to 64 letters, digits and hyphens, or "
            "unset it"
        )
    return run


def begin_run() -> str:
    """Set and return the id of the run that this process begins: `20261123T155523Z-1a2b`. Raises RunError."""
    if not os.environ.get(VARIABLE):
        os.environ[VARIABLE] = time.strftime("%Y%m%dT%H%M%SZ-", time.gmtime()) + secrets.token_hex(2)
    return _checked(os.environ[VARIABLE])


def current_run() -> str:
    """Return the id of the run this process belongs to. Raises RunError when the callback did not set it."""
    run = os.environ.get(VARIABLE)
    if not run:
        raise RunError(
            "the callback cloudbench.llama.bench_report is not enabled, so nothing that is measured would be kept: add "
            "callbacks_enabled = cloudbench.llama.bench_report to [defaults] of ansible.cfg"
        )
    return _checked(run)
