# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live check as a whole, where AWS is the API of the tests and ssh is answered for by it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from support.hosts import ssh_stand_in

testinfra_hosts = ["local://"]

PROJECT = Path(__file__).resolve().parents[3]
# A minute of the guards, in seconds.
MINUTE = 0.2
PRICES = [
    {"instanceType": "t4g.small", "usd": 0.0168},
    {"instanceType": "c7g.medium", "usd": 0.0363},
    {"volumeApiName": "gp3", "usd": 0.08},
]


def live_smoke(account):
    """Run it to its end, and return its exit code, its output and its rows."""
    hosts = [{**account.host, "address": f"127.0.0.{number}"} for number in (2, 3, 4)]
    account.server.configure(hosts=hosts, prices=PRICES, spot_prices={"*": 0.0121})
    running = account.start(
        "live_smoke",
        python=account.controller,
        ec2_live_smoke_page=str(account.directory / "live.md"),
        ec2_live_smoke_consoles=str(account.directory / "consoles"),
        ec2_live_smoke_directory=str(account.directory / "live"),
        ec2_live_smoke_minute_seconds=MINUTE,
        ec2_live_smoke_ssh=[sys.executable, ssh_stand_in.__file__],
        ec2_live_smoke_variables={
            name: account.variables[name] for name in ("ansible_connection", "ansible_python_interpreter")
        },
    )
    # Until C is lost nothing ends by itself: how long a busy machine takes to provision does not matter.
    account.wait_for("TerminateInstances", seconds=600)
    account.server.configure(minute=MINUTE)
    code = running.wait(timeout=600)
    output = (account.directory / "output.log").read_text("utf-8")
    assert "Traceback" not in output, output
    rows = json.loads((account.directory / "live.json").read_text("utf-8"))["rows"]
    return code, output, {row["check"]: row for row in rows}


def unwritten():
    return [(PROJECT / "docs" / name).read_text("utf-8") for name in ("live.md", "live.json")]


@pytest.mark.slow
def test_all_is_as_expected_and_nothing_is_left(account):
    before = unwritten()
    code, output, rows = live_smoke(account)
    assert {row["state"] for row in rows.values()} == {"ok"}, rows
    assert code == 0, output
    assert account.server.leftovers() == []
    assert rows["limit"]["seen"].startswith("terminated, Client.InstanceInitiatedShutdown")
    assert rows["schedule"]["seen"].startswith("terminated, Client.UserInitiatedShutdown")
    assert "USD if all of it lives for 20 minutes; the limit is 0.05 USD" in output
    # It was told before anything was made.
    assert output.index("the limit is 0.05 USD") < output.index("playbooks/provision.yml")
    # The run itself was that of the role: what it made belongs to its session.
    role, *_others = account.server.requests("CreateRole")
    assert role["params"]["RoleName"] == f"cloudbench-{account.run}-role"
    (put, *_others) = account.server.requests("PutRolePolicy")
    assert put["params"]["PolicyDocument"] == (PROJECT / "docs" / "iam-policy.json").read_text("utf-8")
    assert account.server.requests("AttachRolePolicy") == [] or all(
        one["params"]["RoleName"] != role["params"]["RoleName"] for one in account.server.requests("AttachRolePolicy")
    )
    page = (account.directory / "live.md").read_text("utf-8")
    assert "Emulated: the endpoint was not AWS" in page
    assert "cloudbench-host-key" in (account.directory / "consoles" / "t4g.small.txt").read_text("utf-8")
    assert unwritten() == before
    assert "SecretAccessKey" not in output


@pytest.mark.slow
def test_a_guard_that_is_missing_is_a_failure_and_nothing_is_left(account):
    account.server.fault(service="scheduler", action="CreateSchedule", code="AccessDeniedException", times=None)
    code, output, rows = live_smoke(account)
    assert code != 0
    assert {name for name, row in rows.items() if row["state"] == "failed"} == {"schedules", "schedule", "loss"}, rows
    assert "its shutdown is not cancelled, since nothing else would end it" in output
    assert rows["limit"]["state"] == "ok"
    assert account.server.leftovers() == []
