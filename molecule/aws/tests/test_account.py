# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts as people have them: a region of a profile, roles that are given or bounded, a plan that is free."""

from __future__ import annotations

import re
from pathlib import Path

import boto3

testinfra_hosts = ["local://"]

PROJECT = Path(__file__).resolve().parents[3]
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def client(account, service, region="us-east-1"):
    session = boto3.session.Session("testing", "testing", region_name=region)
    return session.client(service, endpoint_url=account.server.endpoint)


def with_profile(account, *lines):
    """Put the keys of the account into a profile that nothing else stands beside, with more lines of its config."""
    keys = [f"{name.lower()} = {account.environment.pop(name)}" for name in KEYS]
    config, credentials = account.directory / "config", account.directory / "credentials"
    config.write_text("\n".join(["[profile work]", "region = us-west-2", *lines, ""]), encoding="utf-8")
    credentials.write_text("\n".join(["[work]", *keys, "[base]", *keys, ""]), encoding="utf-8")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        account.environment.pop(name)
    account.environment.update(
        AWS_PROFILE="work", AWS_CONFIG_FILE=str(config), AWS_SHARED_CREDENTIALS_FILE=str(credentials)
    )


def causes(account):
    return " ".join(failure["cause"] for failure in account.failures())


def launched(account):
    """The parameters of the one launch, and the instance that came of it."""
    (template,) = (one["params"]["LaunchTemplateData"] for one in account.server.requests("CreateLaunchTemplate"))
    reservations = client(account, "ec2").describe_instances()["Reservations"]
    (instance,) = (instance for reservation in reservations for instance in reservation["Instances"])
    return template, instance


def test_a_region_that_only_the_profile_knows_is_that_of_the_inventory_too(account):
    with_profile(account)
    done = account.provision()
    assert done.code == 0, done.output
    assert "1 instances of the run" in done.output
    regions = {one["region"] for one in account.server.requests() if one["service"] == "ec2"}
    assert regions == {"us-west-2"}
    account.give_back()


def test_a_profile_that_asks_for_a_code_is_told_the_command_that_helps(account):
    with_profile(
        account,
        "role_arn = arn:aws:iam::123456789012:role/work",
        "source_profile = base",
        "mfa_serial = arn:aws:iam::123456789012:mfa/alice",
    )
    done = account.play("plan")
    account.faults += 1
    assert done.code != 0
    assert "asks for a code of arn:aws:iam::123456789012:mfa/alice" in done.output
    assert "aws configure export-credentials --profile work --format env" in done.output
    assert not re.search(r"I/O operation|EOF|Enter MFA", done.output), done.output
    assert account.server.requests() == []


def test_who_comes_by_ssh_and_has_no_bucket_makes_no_role_of_instances(account):
    done = account.provision(ec2_environment_schedule=False)
    assert done.code == 0, done.output
    template, instance = launched(account)
    assert "IamInstanceProfile" not in template
    assert "IamInstanceProfile" not in instance
    assert [one["action"] for one in account.server.requests(service="iam", write=True)] == []
    assert not {"role", "instance-profile"} & set(account.kinds())
    account.give_back()


def test_a_profile_and_a_boundary_that_are_given_are_used(account):
    iam = client(account, "iam")
    boundary = iam.create_policy(
        PolicyName="cloudbench-boundary", PolicyDocument=(PROJECT / "docs/iam-boundary.json").read_text("utf-8")
    )["Policy"]["Arn"]
    profile = iam.create_instance_profile(InstanceProfileName="given", Path="/org/")["InstanceProfile"]["Arn"]
    given = account.server.leftovers()
    done = account.provision(
        ec2_environment_instance_profile=profile,
        ec2_environment_permissions_boundary=boundary,
        ec2_environment_results_bucket="mine",
    )
    assert done.code == 0, done.output
    template, instance = launched(account)
    assert template["IamInstanceProfile"] == {"Arn": profile}
    assert instance["IamInstanceProfile"]["Arn"] == profile
    assert [one["params"] for one in account.server.requests("CreateInstanceProfile")][1:] == []
    roles = [one["params"] for one in account.server.requests("CreateRole")]
    assert [role["PermissionsBoundary"] for role in roles] == [boundary]
    assert roles[0]["RoleName"].endswith("-expiry")
    assert "schedule" in account.kinds()
    # What was given stays.
    assert account.play("teardown", ec2_environment_run=account.run).code == 0
    assert account.server.leftovers() == given
    iam.delete_instance_profile(InstanceProfileName="given")
    iam.delete_policy(PolicyArn=boundary)


def test_a_free_plan_is_told_in_the_plan_before_anything_is_made(account):
    account.server.configure(account_plan="FREE")
    done = account.provision()
    account.faults += 1
    assert done.code != 0
    assert "the account is on AWS's Free plan, which does not launch c7g.16xlarge" in causes(account)
    assert "aws freetier upgrade-account-plan --account-plan-type PAID" in causes(account)
    assert account.server.requests(write=True) == []
    account.give_back()


def test_a_free_plan_that_may_not_be_asked_for_is_told_of_the_refused_launch(account):
    account.server.configure(account_plan="FREE")
    account.server.fault(action="GetAccountPlanState", code="AccessDeniedException", times=None)
    done = account.provision()
    assert done.code != 0
    assert "the account is on AWS's Free plan, which does not launch this type" in causes(account)
    assert "instance" not in account.kinds()
    account.give_back()
