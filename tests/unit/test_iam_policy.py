# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/iam-policy.json against what the runs of tools/iam_policy.py were recorded to ask for."""

from __future__ import annotations

import copy
import functools
import json
import re

import iam_policy
import pytest
from iam_policy import POLICY, RESOURCE_TAG, RUNS, UNSEEN, Demand, allowed, demands, policy, recorded, sessions

SHIPPED = json.loads(POLICY.read_text(encoding="utf-8"))
NEEDED = [*recorded(), *sessions()]
ACTIONS = sorted({(one["Sid"], action) for one in SHIPPED["Statement"] for action in one["Action"]})
EC2 = "arn:aws:ec2:us-east-1:123456789012:"
IAM = "arn:aws:iam::123456789012:"
OURS = ((RESOURCE_TAG, "cloudbench.llama"),)


def request(service, action, **params):
    return {"service": service, "action": action, "params": params}


def test_the_shipped_policy_is_the_one_that_is_made_of_the_record():
    assert POLICY.read_text(encoding="utf-8") == iam_policy.text(policy(NEEDED))


def test_iam_takes_it_as_one_managed_policy():
    assert iam_policy.size(SHIPPED) <= 6144


@pytest.mark.parametrize("action", sorted({one.action for one in NEEDED}))
def test_what_was_asked_for_is_allowed(action):
    assert [one for one in NEEDED if one.action == action and not allowed(SHIPPED, one)] == []


# Who has no network of his own leaves them out; they allow more than what stands in for them then.
FOR_GIVEN_NETWORKS = ("UseAGivenNetwork", "LaunchInAGivenSubnet")


def without(left_out):
    return {"Statement": [one for one in copy.deepcopy(SHIPPED)["Statement"] if one["Sid"] not in left_out]}


@functools.cache
def allowed_without(left_out):
    poorer = without(left_out)
    return [one for one in NEEDED if allowed(poorer, one)]


@pytest.mark.parametrize(("sid", "action"), ACTIONS)
def test_without_any_one_action_a_run_is_refused(sid, action):
    left_out = () if sid in FOR_GIVEN_NETWORKS else FOR_GIVEN_NETWORKS
    poorer = without(left_out)
    before = allowed_without(left_out)
    for statement in poorer["Statement"]:
        if statement["Sid"] == sid:
            statement["Action"].remove(action)
    assert any(not allowed(poorer, one) for one in before)


def test_nothing_is_allowed_that_no_run_asked_for_and_no_reason_explains():
    asked = {row["action"] for row in json.loads(iam_policy.FIXTURE.read_text(encoding="utf-8"))["demands"]}
    assert {action for _sid, action in ACTIONS} <= asked | set(UNSEEN)
    assert set(UNSEEN) <= {action for _sid, action in ACTIONS}
    assert all(reason and source.startswith("docs.aws.amazon.com/") for reason, source in UNSEEN.values())


def test_every_run_was_recorded():
    rows = json.loads(iam_policy.FIXTURE.read_text(encoding="utf-8"))["demands"]
    assert {run for row in rows for run in row["runs"]} == set(RUNS)


def test_nothing_is_allowed_by_a_wildcard_or_for_one_account_or_region():
    for statement in SHIPPED["Statement"]:
        assert not [action for action in statement["Action"] if "*" in action]
        assert statement["Effect"] == "Allow"
        if statement["Resource"] == ["*"]:
            verbs = ("Describe", "List", "GetProducts", "GetServiceQuota")
            assert all(action.partition(":")[2].startswith(verbs) for action in statement["Action"])
    assert not re.search(r"\d{12}|us-east-1", json.dumps(SHIPPED["Statement"]))


@pytest.mark.parametrize(
    "demand",
    [
        Demand("ec2:TerminateInstances", EC2 + "instance/x"),
        Demand("ec2:TerminateInstances", EC2 + "instance/x", ((RESOURCE_TAG, "another"),)),
        Demand("ec2:DeleteVpc", EC2 + "vpc/x"),
        Demand("ec2:DeleteVpc", EC2 + "vpc/x", (("aws:ResourceTag/GuardDutyManaged", "true"),)),
        Demand("ec2:CreateVpc", EC2 + "vpc/x"),
        Demand("ec2:RunInstances", EC2 + "instance/x"),
        Demand("ec2:RunInstances", EC2 + "security-group/x"),
        Demand("ec2:RunInstances", EC2 + "key-pair/x"),
        Demand("ec2:CreateTags", EC2 + "instance/x", (("aws:RequestTag/Project", "cloudbench.llama"),)),
        Demand("ec2:StopInstances", EC2 + "instance/x", OURS),
        Demand("iam:PutRolePolicy", IAM + "role/admin"),
        Demand("iam:DeleteRole", IAM + "role/cloudbench-run"),
        Demand("iam:CreateRole", IAM + "role/cloudbench/x"),
        Demand("iam:CreateUser", IAM + "user/cloudbench/x"),
        Demand(
            "iam:AttachRolePolicy",
            IAM + "role/cloudbench/x",
            (("iam:PolicyARN", "arn:aws:iam::aws:policy/AdministratorAccess"),),
        ),
        Demand("iam:PassRole", IAM + "role/cloudbench/x", (("iam:PassedToService", "lambda.amazonaws.com"),)),
        Demand("iam:PassRole", IAM + "role/admin", (("iam:PassedToService", "ec2.amazonaws.com"),)),
        Demand("scheduler:DeleteSchedule", "arn:aws:scheduler:us-east-1:123456789012:schedule/default/another"),
        Demand("ssm:GetParameter", "arn:aws:ssm:us-east-1:123456789012:parameter/secret"),
        Demand("ssm:StartSession", EC2 + "instance/x"),
        Demand("ssm:StartSession", "arn:aws:ssm:us-east-1::document/AWS-StartInteractiveCommand"),
        Demand("ssm:TerminateSession", "arn:aws:ssm:us-east-1:123456789012:session/another-x"),
    ],
    ids=lambda demand: f"{demand.action} {demand.resource.rpartition(':')[2]}",
)
def test_what_is_not_of_a_run_is_refused(demand):
    assert not allowed(SHIPPED, demand)


# ---- From requests to demands ----


def test_a_request_with_tags_needs_to_be_allowed_to_set_them():
    tags = [{"Key": "Project", "Value": "cloudbench.llama"}]
    found = demands([request("ec2", "CreateSubnet", VpcId="vpc-1", TagSpecifications=[
        {"ResourceType": "subnet", "Tags": tags}])])  # fmt: skip
    project = ("aws:RequestTag/Project", "cloudbench.llama")
    assert found == [
        Demand("ec2:CreateSubnet", EC2 + "subnet/x", (project,)),
        Demand("ec2:CreateSubnet", EC2 + "vpc/x", OURS),
        Demand("ec2:CreateTags", EC2 + "subnet/x", (project, ("ec2:CreateAction", "CreateSubnet"))),
    ]


def test_what_a_template_says_counts_for_the_launch():
    template = {
        "ImageId": "ami-1",
        "IamInstanceProfile": {"Name": "cloudbench-run"},
        "NetworkInterfaces": [{"SubnetId": "subnet-1"}],
        "InstanceMarketOptions": {"MarketType": "spot"},
    }
    found = demands(
        [
            request("ec2", "CreateLaunchTemplate", LaunchTemplateName="one", LaunchTemplateData=template),
            request("ec2", "RunInstances", LaunchTemplate={"LaunchTemplateName": "one"}),
        ],
        {"subnet-1": ()},
    )
    assert Demand("ec2:RunInstances", EC2 + "subnet/x") in found
    assert {"iam:PassRole", "iam:CreateServiceLinkedRole"} <= {one.action for one in found}


def test_an_id_of_an_unknown_kind_and_an_action_without_a_rule_are_mistakes():
    with pytest.raises(ValueError, match=r"ec2:DeleteNatGateway of nat-1: .*add it"):
        demands([request("ec2", "DeleteNatGateway", NatGatewayId="nat-1")])
    with pytest.raises(ValueError, match=r"no rule says how .*lambda:Invoke.*add one"):
        policy([Demand("lambda:Invoke", "*")])
