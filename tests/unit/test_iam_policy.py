# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/iam-policy.json against what the runs of tools/iam_policy.py were recorded to ask for."""

from __future__ import annotations

import copy
import functools
import json
import re
from pathlib import Path

import iam_policy
import jinja2
import pytest
from iam_policy import (
    ACCOUNT,
    BOUNDARY_ARN,
    BOUNDARY_KEY,
    BOUNDARY_POLICY,
    POLICY,
    REQUEST_TAG,
    RESOURCE_TAG,
    RUNS,
    UNSEEN,
    Demand,
    allowed,
    demands,
    policy,
    recorded,
    sessions,
)

TEMPLATES = Path(__file__).resolve().parents[2] / "roles/ec2_environment/templates"
SHIPPED = json.loads(POLICY.read_text(encoding="utf-8"))
BOUNDARY = json.loads(BOUNDARY_POLICY.read_text(encoding="utf-8"))
NEEDED = [*recorded(), *sessions()]
ACTIONS = sorted({(one["Sid"], action) for one in SHIPPED["Statement"] for action in one["Action"]})
EC2 = "arn:aws:ec2:us-east-1:123456789012:"
IAM = "arn:aws:iam::123456789012:"
OURS = ((RESOURCE_TAG, "cloudbench.llama"),)
TAGGED = ((REQUEST_TAG, "cloudbench.llama"),)
BOUNDED = ((BOUNDARY_KEY, BOUNDARY_ARN),)


def request(service, action, **params):
    return {"service": service, "action": action, "params": params}


def test_the_shipped_policy_is_the_one_that_is_made_of_the_record():
    assert POLICY.read_text(encoding="utf-8") == iam_policy.text(policy(NEEDED))


def test_the_live_check_asks_for_every_demand():
    assert iam_policy.DEMANDS.read_text(encoding="utf-8") == iam_policy.demands_text(NEEDED)


def test_iam_takes_it_as_one_managed_policy():
    assert iam_policy.size(SHIPPED) <= 6144


@pytest.mark.parametrize("action", sorted({one.action for one in NEEDED}))
def test_what_was_asked_for_is_allowed(action):
    assert [one for one in NEEDED if one.action == action and not allowed(SHIPPED, one)] == []


# Who has no network of his own leaves them out; they allow more than what stands in for them then.
FOR_GIVEN_NETWORKS = ("UseAGivenNetwork",)


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
        if statement["Resource"] == "*":
            verbs = ("Describe", "List", "GetAccountPlanState", "GetProducts", "GetServiceQuota")
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
        Demand("ec2:DescribeInstanceAttribute", EC2 + "instance/x"),
        Demand("ec2:DescribeInstanceAttribute", "*"),
        Demand("ec2:DescribeVpcAttribute", EC2 + "vpc/x"),
        Demand("freetier:UpgradeAccountPlan", "*"),
        Demand("iam:PutRolePolicy", IAM + "role/admin"),
        Demand("iam:PutRolePolicy", IAM + "role/admin", BOUNDED),
        Demand("iam:PutRolePolicy", IAM + "role/cloudbench/x"),
        Demand("iam:PutRolePolicy", IAM + "role/cloudbench/x", ((BOUNDARY_KEY, IAM + "policy/another"),)),
        Demand(
            "iam:PutRolePolicy",
            IAM + "role/cloudbench/x",
            ((BOUNDARY_KEY, "arn:aws:iam::210987654321:policy/cloudbench-boundary"),),
        ),
        Demand("iam:CreateRole", IAM + "role/cloudbench/x", TAGGED),
        Demand("iam:CreateRole", IAM + "role/x", (*TAGGED, *BOUNDED)),
        Demand("iam:PutRolePermissionsBoundary", IAM + "role/cloudbench/x", BOUNDED),
        Demand("iam:DeleteRolePermissionsBoundary", IAM + "role/cloudbench/x", BOUNDED),
        Demand("iam:CreatePolicyVersion", IAM + "policy/cloudbench-boundary"),
        Demand("iam:AttachRolePolicy", IAM + "role/cloudbench/x", (("iam:PolicyARN", iam_policy.SSM_CORE),)),
        Demand("iam:DeleteRole", IAM + "role/cloudbench-run"),
        Demand("iam:CreateRole", IAM + "role/cloudbench/x"),
        Demand("iam:CreateUser", IAM + "user/cloudbench/x"),
        Demand(
            "iam:AttachRolePolicy",
            IAM + "role/cloudbench/x",
            (("iam:PolicyARN", "arn:aws:iam::aws:policy/AdministratorAccess"), *BOUNDED),
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


# What is allowed whatever it is tagged with: what a launch makes beside its instance, which has to be tagged; what a
# given network is; and a look at roles, of which IAM tells the tags to nobody beforehand.
WITHOUT_CONTEXT = (*FOR_GIVEN_NETWORKS, "LaunchFromImages", "LookAtRoles")


@pytest.mark.parametrize(
    "demand", [demand for demand in NEEDED if demand.context], ids=lambda demand: f"{demand.action} {demand.context}"
)
def test_each_condition_is_looked_at(demand):
    """Not the action alone: with one key of its context taken away, or another value in it, the request is refused."""
    poorer = without(WITHOUT_CONTEXT)
    assert allowed(poorer, demand) or demand.action == "ec2:RunInstances"
    for key, value in demand.context:
        rest = tuple(pair for pair in demand.context if pair[0] != key)
        # AttachRolePolicy always has it.
        if key != "iam:PolicyARN":
            assert not allowed(poorer, demand._replace(context=rest)), key
        assert not allowed(poorer, demand._replace(context=((key, f"not {value}"), *rest))), key


@pytest.mark.parametrize(
    "demand",
    [demand for demand in NEEDED if "cloudbench" in demand.resource],
    ids=lambda demand: f"{demand.action} {demand.resource.rpartition(':')[2]}",
)
def test_each_resource_is_looked_at(demand):
    other = demand._replace(resource=demand.resource.replace("cloudbench", "another"))
    assert not allowed(SHIPPED, other)


def one_statement(**parts):
    return {"Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::mine/*", **parts}]}


def get_object(resource="arn:aws:s3:::mine/a/b", *context):
    return Demand("s3:GetObject", resource, context)


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        ({"StringEquals": {"key": "a*"}}, "ab", False),
        ({"StringLike": {"key": "a*"}}, "ab", True),
        ({"StringLike": {"key": ["b*", "a?"]}}, "ab", True),
        ({"ArnLike": {"key": "arn:aws:iam::*:policy/x"}}, "arn:aws:iam::1:policy/x", True),
        # A star of one part of an ARN does not reach into the next.
        ({"ArnEquals": {"key": "arn:aws:*:policy/x"}}, "arn:aws:iam::1:policy/x", False),
        ({"ArnEquals": {"key": "arn:aws:iam::${aws:PrincipalAccount}:policy/x"}}, f"arn:aws:iam::{ACCOUNT}:policy/x",
         True),
        ({"ArnEquals": {"key": "arn:aws:iam::${aws:PrincipalAccount}:policy/x"}}, "arn:aws:iam::1:policy/x", False),
        ({"Bool": {"key": "true"}}, "True", True),
        ({"BoolIfExists": {"other": "true"}}, "False", True),
        ({"Bool": {"other": "true"}}, "False", False),
        ({"StringEquals": {"key": "a", "other": "b"}}, "a", False),
    ],
)  # fmt: skip
def test_the_evaluator_knows_what_operators_mean(condition, value, holds):
    demand = get_object("arn:aws:s3:::mine/a", ("key", value))
    assert allowed(one_statement(Condition=condition), demand) is holds


def test_the_evaluator_takes_wildcards_in_actions_and_resources():
    assert allowed(one_statement(), get_object())
    assert allowed(one_statement(Action="S3:getobject"), get_object())
    assert not allowed(one_statement(Action="s3:Put*"), get_object())
    assert not allowed(one_statement(), get_object("arn:aws:s3:::other/a"))
    assert not allowed(one_statement(Resource=["arn:aws:s3:::mine/?"]), get_object())


@pytest.mark.parametrize(
    "parts",
    [{"Effect": "Deny"}, {"NotResource": "*"}, {"Condition": {"NumericLessThan": {"key": "1"}}}],
    ids=["Deny", "NotResource", "operator"],
)
def test_what_the_evaluator_does_not_know_is_a_mistake_and_no_yes(parts):
    with pytest.raises(ValueError, match="not known here"):
        allowed(one_statement(**parts), get_object("arn:aws:s3:::mine/a", ("key", "0")))


# ---- The boundary ----


def of_template(name):
    """The statements of a policy that the role writes, with one resource and condition value each."""
    plan = {"partition": "aws", "region": "us-east-1", "account": ACCOUNT}
    given = {
        "ec2_environment_plan": plan,
        "ec2_environment_results_bucket": "mine",
        "ec2_environment_results_prefix": "cloudbench",
        "__ec2_environment_run": "run",
    }
    return json.loads(jinja2.Template((TEMPLATES / name).read_text(encoding="utf-8")).render(given))["Statement"]


# What AWS knows of the requests of a run's roles: the instance has all tags of its run, the bucket is of the account.
KNOWN = (
    (RESOURCE_TAG, "cloudbench.llama"),
    ("aws:ResourceAccount", ACCOUNT),
    ("aws:ResourceTag/RunId", "run"),
    ("s3:prefix", "cloudbench/run/x"),
)


def policy_templates():
    return sorted(path.name for path in TEMPLATES.glob("*_policy.json.j2"))


@pytest.mark.parametrize("name", policy_templates())
def test_the_boundary_lets_roles_do_what_runs_give_them(name):
    for statement in of_template(name):
        actions, resources = (
            value if isinstance(value, list) else [value] for value in (statement["Action"], statement["Resource"])
        )
        for action in actions:
            for resource in resources:
                demand = Demand(action, resource.replace("*", "x"), KNOWN)
                assert allowed({"Statement": [statement]}, demand), demand
                assert allowed(BOUNDARY, demand), demand


@pytest.mark.parametrize(
    "demand",
    [
        Demand("iam:CreateUser", IAM + "user/x", KNOWN),
        Demand("iam:PutRolePolicy", IAM + "role/cloudbench/x", KNOWN),
        Demand("sts:AssumeRole", IAM + "role/admin", KNOWN),
        Demand("ec2:RunInstances", EC2 + "instance/x", KNOWN),
        Demand("ec2:TerminateInstances", EC2 + "instance/x"),
        Demand("s3:GetObject", "arn:aws:s3:::mine/secret/x", KNOWN),
        Demand("s3:PutObject", "arn:aws:s3:::mine/cloudbench/x", (("aws:ResourceAccount", "210987654321"),)),
        Demand("ssm:GetParameter", "arn:aws:ssm:us-east-1:123456789012:parameter/x", KNOWN),
    ],
    ids=lambda demand: f"{demand.action} {demand.resource.rpartition(':')[2]}",
)
def test_the_boundary_keeps_roles_from_all_else(demand):
    assert not allowed(BOUNDARY, demand)


def test_iam_takes_the_boundary_and_its_name():
    assert iam_policy.size(BOUNDARY) <= iam_policy.LIMIT
    assert BOUNDARY_POLICY.read_text(encoding="utf-8") == iam_policy.text(BOUNDARY)
    assert re.search(rf'"{re.escape(iam_policy.BOUNDARY)}"', POLICY.read_text(encoding="utf-8"))


# ---- From requests to demands ----


def test_a_role_is_bounded_by_what_it_was_made_with():
    made = {"RoleName": "cloudbench-run", "Path": "/cloudbench/", "PermissionsBoundary": BOUNDARY_ARN}
    requests = [request("iam", "CreateRole", **made), request("iam", "PutRolePolicy", RoleName="cloudbench-run")]
    bounded = [one for one in demands(requests) if one.action in ("iam:CreateRole", "iam:PutRolePolicy")]
    assert [one.context for one in bounded] == [BOUNDED, BOUNDED]
    loose = demands([requests[1]])
    assert loose == [Demand("iam:PutRolePolicy", IAM + "role/cloudbench/cloudbench-run")]
    with pytest.raises(ValueError, match="no rule says how"):
        policy(loose)


def test_what_is_described_by_its_id_is_demanded_for_that_thing():
    assert demands([request("ec2", "DescribeInstanceAttribute", InstanceId="i-1", Attribute="instanceType")]) == [
        Demand("ec2:DescribeInstanceAttribute", EC2 + "instance/x", OURS)
    ]
    assert demands([request("ec2", "DescribeInstances", InstanceIds=["i-1"])]) == [Demand("ec2:DescribeInstances", "*")]


def test_instances_without_a_profile_are_passed_no_role():
    found = demands(
        [
            request("ec2", "CreateLaunchTemplate", LaunchTemplateName="one", LaunchTemplateData={"ImageId": "ami-1"}),
            request("ec2", "RunInstances", LaunchTemplate={"LaunchTemplateName": "one"}),
        ]
    )
    assert "iam:PassRole" not in {one.action for one in found}


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
