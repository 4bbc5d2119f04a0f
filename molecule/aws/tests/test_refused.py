# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provisioning is refused, for ever, one of all actions that it asks for: each in its turn."""

from __future__ import annotations

testinfra_hosts = ["local://"]

# What each service answers to those who may not; the others: AccessDeniedException.
CODES = {"ec2": "UnauthorizedOperation", "iam": "AccessDenied", "sts": "AccessDenied"}
# Services that policies and botocore call by other names.
IN_POLICIES = {"service-quotas": "servicequotas"}
# EC2's own words do not always name the action.
WORDS = {"ec2": "You are not authorized to perform this operation."}
# Without these a run goes on.
OPTIONAL = {
    # Zones are told by their names then.
    "ec2:DescribeAvailabilityZones",
    # Asked by amazon.aws once the instance is launched.
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeSpotPriceHistory",
    "pricing:GetProducts",
    "freetier:GetAccountPlanState",
    "scheduler:CreateSchedule",
    "scheduler:GetSchedule",
    "servicequotas:GetServiceQuota",
    # Whether the agent has registered is not waited for then: ssh tries.
    "ssm:DescribeInstanceInformation",
}

# Without this amazon.aws goes on and lacks nothing, so that there is nothing to tell; a teardown needs it, and tells.
NOT_MISSED = {"iam:ListRolePolicies"}


def test_a_refused_action_is_named_and_nothing_is_left(account, asked, asking):
    service, action = asked
    name = f"{IN_POLICIES.get(service, service)}:{action}"
    account.server.fault(
        service=service,
        action=action,
        times=None,
        code=CODES.get(service, "AccessDeniedException"),
        message=WORDS.get(service, f"User: arn:aws:iam::123456789012:user/moto is not authorized to perform: {name}"),
    )
    # Without the schedule it is quicker, for those that come before it.
    late = asking.late
    done = account.provision(ec2_environment_schedule=late or service == "scheduler", **asking.variables)
    refused = [one for one in account.server.requests() if one["injected"]]
    assert {(one["service"], one["action"]) for one in refused} == {asked}
    assert (f"allow {name} " in done.output) == (name not in NOT_MISSED), done.output
    # The role that the schedule has is asked for when the instances are there.
    goes_on = name in OPTIONAL | NOT_MISSED or (late and service == "iam")
    assert (done.code == 0) == goes_on, done.output
    if done.code == 0:
        assert {"instance", "security-group"} <= set(account.kinds())
        assert ("instance-profile" in account.kinds()) == bool(asking.variables)
        missed = "Schedule" in action or (service == "iam" and name not in NOT_MISSED)
        assert ("schedule" in account.kinds()) == (late and not missed)
    else:
        assert any(f"allow {name} " in failure["cause"] for failure in account.failures()), account.failures()
    account.give_back()
