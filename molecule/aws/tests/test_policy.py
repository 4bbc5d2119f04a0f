# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever has docs/iam-policy.json, and no more, can do a whole run."""

from __future__ import annotations

import json
import os
from pathlib import Path

from iam_policy import BOUNDARY_ARN, POLICY, allowed, demands

testinfra_hosts = ["local://"]

LOG = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "aws", "requests.jsonl")


def test_all_that_a_run_asks_for_is_allowed(account):
    records = []
    if LOG.exists():
        # The last line may be in the making.
        lines = LOG.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
        records = [json.loads(line) for line in lines]
    if not any(one["action"] == "RunInstances" for one in records):
        account.server.configure(policies=[BOUNDARY_ARN])
        done = account.provision(ec2_environment_permissions_boundary=BOUNDARY_ARN)
        assert done.code == 0, done.output
        account.give_back()
        records = account.server.requests()
    needed = demands(records)
    assert {"ec2:RunInstances", "ec2:DeleteVpc", "iam:PassRole"} <= {one.action for one in needed}
    policy = json.loads(POLICY.read_text(encoding="utf-8"))
    refused = [one for one in needed if not allowed(policy, one)]
    assert refused == [], "make the policy anew: python tools/iam_policy.py --record"
