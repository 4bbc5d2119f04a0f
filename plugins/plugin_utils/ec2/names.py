# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names that a run gives to what it makes, against what AWS allows a name to be.

Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html; botocore's models of EC2, EventBridge
Scheduler and Budgets.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import EXPIRY, PREFIX


class Name(NamedTuple):
    """What is named after a run: what it is, what comes after the run's id in its longest name, and what AWS allows."""

    what: str
    after: str
    limit: int


_INSTANCE = "i-" + "0" * 17
NAMES = (
    Name("the role of the schedule in IAM", EXPIRY, 64),
    Name("the role of the instances in IAM", "", 64),
    Name("a schedule of EventBridge Scheduler", f".{_INSTANCE}", 64),
    Name("the instance profile in IAM", "", 128),
    Name("a launch template", "-00000000", 128),
    Name("the key pair", "", 255),
    Name("a placement group", "-us-east-1-wl1-bos-wlz-1", 255),
    Name("the security group", "", 255),
)
LONGEST_RUN = min(name.limit - len(PREFIX) - len(name.after) for name in NAMES)
_STRICTEST = min(NAMES, key=lambda name: name.limit - len(name.after))
_LONGEST_BUDGET = 100


def run_problem(run: str) -> str | None:
    """Return why a run cannot have this id in EC2, None where it can."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", run):
        return (
            f"the run id {run!r:.100} becomes part of names and tags: use up to {LONGEST_RUN} letters, digits and "
            "hyphens, the first no hyphen"
        )
    if len(run) > LONGEST_RUN:
        named = len(PREFIX) + len(run) + len(_STRICTEST.after)
        return (
            f"the run id {run!r:.100} has {len(run)} characters, so that {_STRICTEST.what} would have a name of "
            f"{named}, and {_STRICTEST.limit} are allowed: use up to {LONGEST_RUN} letters, digits and hyphens"
        )
    return None


def budget_problem(owner: str) -> str | None:
    """Return why the budget cannot be named after an owner, None where it can."""
    name = PREFIX + owner
    if len(name) > _LONGEST_BUDGET or re.search(r"[:\\]|/action/", name):
        return (
            f"the budget would be called {name!r:.100}, and AWS Budgets takes up to {_LONGEST_BUDGET} characters "
            "without colon, backslash and /action/: give a shorter ec2_environment_owner, or leave out "
            "ec2_environment_budget_usd"
        )
    return None
