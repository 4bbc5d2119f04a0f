# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least policy of IAM for whoever runs a run on EC2, made from what runs have asked of AWS.

    python tools/iam_policy.py             writes docs/iam-policy.json from tests/fixtures/aws-actions.json, and what it
                                           has to allow, for IAM's own simulator, into docs/iam-demands.json
    python tools/iam_policy.py --record    first runs RUNS against the API of the tests and writes what they asked for

Each recorded request becomes the demands that AWS makes of its caller: action, resource and what conditions may look
at. A rule of RULES says how a demand may be allowed, and the policy has the actions that were demanded, no other. What
AWS demands without a request that shows it stands in UNSEEN, with reason and source. Roles are made within the boundary
of docs/iam-boundary.json alone, which is written by hand.

Which action has which resources and conditions: Service Authorization Reference, docs.aws.amazon.com/
service-authorization/latest/reference, of 2026-10-27.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.aws.server import AwsServer  # noqa: E402  what the tests have is no package of Python's path

FIXTURE = ROOT / "tests/fixtures/aws-actions.json"
POLICY = ROOT / "docs/iam-policy.json"
BOUNDARY_POLICY = ROOT / "docs/iam-boundary.json"
DEMANDS = ROOT / "docs/iam-demands.json"
# Of a managed policy, without white space: docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LIMIT = 6144

PROJECT = "cloudbench.llama"
ACCOUNT = "123456789012"
REQUEST_TAG, RESOURCE_TAG, GUARDDUTY_TAG = (
    "aws:RequestTag/Project", "aws:ResourceTag/Project", "aws:ResourceTag/GuardDutyManaged",
)  # fmt: skip
SSM_CORE = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
# What bounds the roles, in the words of a policy and as the runs name it.
BOUNDARY_KEY = "iam:PermissionsBoundary"
BOUNDARY = "arn:aws:iam::${aws:PrincipalAccount}:policy/cloudbench-boundary"
BOUNDARY_ARN = BOUNDARY.replace("${aws:PrincipalAccount}", ACCOUNT)
# What AWS knows of whoever asks, for the variables of a policy.
PRINCIPAL = {"aws:PrincipalAccount": ACCOUNT}

_REFERENCE = "docs.aws.amazon.com/service-authorization/latest/reference/"

# Actions that no request shows, or that a request shows under another name.
UNSEEN = {
    "ec2:CreateTags": (
        "whatever is created with tags",
        "docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html",
    ),
    "iam:TagRole": ("a role is created with tags", _REFERENCE + "list_awsidentityandaccessmanagementiam.html"),
    "iam:TagInstanceProfile": (
        "an instance profile is created with tags",
        _REFERENCE + "list_awsidentityandaccessmanagementiam.html",
    ),
    "iam:PassRole": (
        "a role is given to an instance profile, an instance or a schedule",
        "docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html",
    ),
    "iam:CreateServiceLinkedRole": (
        "the first spot instance of an account",
        "docs.aws.amazon.com/AWSEC2/latest/UserGuide/service-linked-roles-spot-instance-requests.html",
    ),
    "scheduler:UpdateSchedule": (
        "a run that goes on, and whose instances or end are not those of its schedule",
        _REFERENCE + "list_amazoneventbridgescheduler.html",
    ),
    "budgets:ModifyBudget": ("CreateBudget and UpdateBudget", _REFERENCE + "list_awsbudgetservice.html"),
    "budgets:ViewBudget": ("DescribeBudget", _REFERENCE + "list_awsbudgetservice.html"),
    "ssm:StartSession": (
        "ssh through the Session Manager, which the aws command asks for",
        "docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-restrict-access-quickstart.html",
    ),
    "ssmmessages:OpenDataChannel": (
        "the connection of a session",
        "docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-restrict-access-quickstart.html",
    ),
    "ssm:ResumeSession": (
        "a session whose connection broke",
        "docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-restrict-access-quickstart.html",
    ),
    "ssm:TerminateSession": (
        "the end of a session",
        "docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-restrict-access-quickstart.html",
    ),
}

# "No permissions are required": docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
FREE = ("sts:GetCallerIdentity",)


# Pairs of condition key and value; and those of what a run did not make, by its id.
Context = tuple[tuple[str, str], ...]
Foreign = dict[str, Context]


class Demand(NamedTuple):
    """What a request needs to be allowed; `context`: what AWS would look at for conditions."""

    action: str
    resource: str
    context: Context = ()


# ---- From requests to demands ----

_NAMES = {"service-quotas": "servicequotas"}
_RENAMED = {
    "budgets:CreateBudget": "budgets:ModifyBudget",
    "budgets:UpdateBudget": "budgets:ModifyBudget",
    "budgets:DescribeBudget": "budgets:ViewBudget",
}
# They describe a thing by its id, and may be allowed for that thing; others list, and may be allowed for all alone.
_DESCRIBE_A_THING = ("ec2:DescribeInstanceAttribute", "ec2:DescribeVpcAttribute")
_DELETED_BY_NAME = (
    ("ec2:DeleteKeyPair", "KeyName", "key-pair"), ("ec2:DeletePlacementGroup", "GroupName", "placement-group"),
)  # fmt: skip
# The type of a resource by the beginning of its id.
_TYPES = {
    "eni-attach": "network-interface", "eni": "network-interface", "i": "instance", "igw": "internet-gateway",
    "key": "key-pair", "lt": "launch-template", "rtb": "route-table", "rtbassoc": "route-table",
    "sg": "security-group", "sir": "spot-instances-request", "subnet": "subnet", "vol": "volume", "vpc": "vpc",
    "vpce": "vpc-endpoint",
}  # fmt: skip


def _arn(service: str, what: str, region: str = "us-east-1", account: str = ACCOUNT) -> str:
    return f"arn:aws:{service}:{region}:{account}:{what}"


def _ec2(kind: str) -> str:
    return _arn("ec2", f"{kind}/x", account="" if kind == "image" else ACCOUNT)


def _project(tags: Iterable[dict[str, str]]) -> Context:
    return tuple((REQUEST_TAG, tag["Value"]) for tag in tags if tag["Key"] == "Project")


class _Reader:
    """Reads requests in their order. `foreign`: the tag, or none, of what the run did not make, by its id."""

    def __init__(self, foreign: Foreign) -> None:
        self.foreign = foreign
        self.boundaries: dict[str, Context] = {}
        self.templates: dict[str, dict[str, Any]] = {}

    def demands(self, record: dict[str, Any]) -> Iterator[Demand]:
        """The demands of one record of requests.jsonl."""
        name = f"{_NAMES.get(record['service'], record['service'])}:{record['action']}"
        action, params = _RENAMED.get(name, name), record["params"]
        if name in FREE:
            return
        read = {"ec2": self.of_ec2, "iam": self.of_iam, "scheduler": self.of_scheduler}.get(record["service"])
        if read:
            yield from read(action, params)
        elif action == "ssm:GetParameter":
            yield Demand(action, _arn("ssm", f"parameter{params['Name']}", account=""))
        elif action == "ssm:StartSession":
            yield from self.existing(action, params["Target"])
            yield Demand(action, _arn("ssm", f"document/{params['DocumentName']}", account=""))
        elif action.startswith("budgets:"):
            budget = params.get("BudgetName") or (params.get("Budget") or params["NewBudget"])["BudgetName"]
            yield Demand(action, _arn("budgets", f"budget/{budget}", region=""))
        else:
            yield Demand(action, "*")

    def of_ec2(self, action: str, params: dict[str, Any]) -> Iterator[Demand]:
        if action.startswith("ec2:Describe") and action not in _DESCRIBE_A_THING:
            yield Demand(action, "*")
            return
        if action == "ec2:CreateLaunchTemplate":
            self.templates[params["LaunchTemplateName"]] = params["LaunchTemplateData"]
        if action == "ec2:RunInstances":
            yield from self.of_a_launch(action, params)
        for specification in params.get("TagSpecifications") or []:
            yield from self.created(action, specification)
        for member, value in params.items():
            ids = value if isinstance(value, list) else [value]
            if re.search(r"Ids?$", member) and all(isinstance(one, str) for one in ids):
                for one in ids:
                    yield from self.existing(action, one)
        for deleted, member, kind in _DELETED_BY_NAME:
            if action == deleted and member in params:
                yield Demand(action, _ec2(kind), ((RESOURCE_TAG, PROJECT),))

    def created(self, action: str, specification: dict[str, Any]) -> Iterator[Demand]:
        resource, tags = _ec2(specification["ResourceType"]), _project(specification["Tags"])
        yield Demand(action, resource, tags)
        yield Demand("ec2:CreateTags", resource, (*tags, ("ec2:CreateAction", action.partition(":")[2])))

    def existing(self, action: str, name: str) -> Iterator[Demand]:
        kind = _TYPES.get(name.rpartition("-")[0])
        if kind is None:
            raise ValueError(f"{action} of {name}: no resource of EC2 in _TYPES has such an id; add it")
        yield Demand(action, _ec2(kind), self.foreign.get(name, ((RESOURCE_TAG, PROJECT),)))
        if action == "ec2:DetachNetworkInterface":
            yield Demand(action, _ec2("instance"), ((RESOURCE_TAG, PROJECT),))

    def of_a_launch(self, action: str, params: dict[str, Any]) -> Iterator[Demand]:
        """What the launch template brings into it."""
        template = self.templates.get(params["LaunchTemplate"].get("LaunchTemplateName"), {})
        tagged = ((RESOURCE_TAG, PROJECT),)
        yield Demand(action, _ec2("image"))
        placed = ("placement-group",) if (template.get("Placement") or {}).get("GroupName") else ()
        for kind in ("key-pair", "launch-template", "security-group", *placed):
            yield Demand(action, _ec2(kind), tagged)
        interface = (template.get("NetworkInterfaces") or [{}])[0]
        yield Demand(action, _ec2("subnet"), self.foreign.get(interface.get("SubnetId", ""), tagged))
        for specification in template.get("TagSpecifications") or []:
            yield from self.created(action, specification)
        if template.get("InstanceMarketOptions"):
            linked = "role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"
            yield Demand("iam:CreateServiceLinkedRole", _arn("iam", linked, ""))
        profile = template.get("IamInstanceProfile") or {}
        if profile:
            yield self.passed(profile.get("Name") or profile["Arn"].rpartition("/")[2], "ec2")

    def passed(self, role: str, service: str) -> Demand:
        context = (("iam:PassedToService", f"{service}.amazonaws.com"),)
        return Demand("iam:PassRole", _arn("iam", f"role/cloudbench/{role}", ""), context)

    def of_iam(self, action: str, params: dict[str, Any]) -> Iterator[Demand]:
        context = _project(params.get("Tags") or [])
        if "PolicyArn" in params and action == "iam:AttachRolePolicy":
            context += (("iam:PolicyARN", params["PolicyArn"]),)
        if action == "iam:CreateRole":
            bounded = params.get("PermissionsBoundary")
            self.boundaries[params["RoleName"]] = ((BOUNDARY_KEY, bounded),) if bounded else ()
        if action in ("iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePolicy"):
            context += self.boundaries.get(params["RoleName"], ())
        # IAM finds out the path of what exists. Of what does not, and is asked for, it knows the name alone.
        paths = ("cloudbench/", "") if re.match(r"iam:(Get|List)", action) else ("cloudbench/",)
        kind, member = ("instance-profile", "InstanceProfileName") if "InstanceProfileName" in params else (
            "role", "RoleName")  # fmt: skip
        if member not in params:
            yield Demand(action, "*")
            return
        if "Path" in params:
            paths = (params["Path"].lstrip("/"),)
        for path in paths:
            yield Demand(action, _arn("iam", f"{kind}/{path}{params[member]}", ""), context)
        if action in ("iam:CreateRole", "iam:CreateInstanceProfile"):
            tagging = action.replace("Create", "Tag")
            tags = _project(params.get("Tags") or [])
            yield Demand(tagging, _arn("iam", f"{kind}/{paths[0]}{params[member]}", ""), tags)
        if action == "iam:AddRoleToInstanceProfile":
            yield self.passed(params["RoleName"], "ec2")

    def of_scheduler(self, action: str, params: dict[str, Any]) -> Iterator[Demand]:
        if "Name" not in params:
            yield Demand(action, "*")
            return
        schedule = _arn("scheduler", f"schedule/{params.get('GroupName', 'default')}/{params['Name']}")
        yield Demand(action, schedule)
        if action == "scheduler:CreateSchedule":
            yield Demand("scheduler:UpdateSchedule", schedule)
        if "Target" in params:
            yield self.passed(params["Target"]["RoleArn"].rpartition("/")[2], "scheduler")


def demands(records: Iterable[dict[str, Any]], foreign: Foreign | None = None) -> list[Demand]:
    """Return what requests need to be allowed, each once; raises ValueError for an id of no known kind."""
    reader = _Reader(foreign or {})
    found = {demand for record in records for demand in reader.demands(record)}
    found = {demand._replace(context=tuple(sorted(demand.context))) for demand in found}
    return sorted(found)


def sessions() -> list[Demand]:
    """Return what a connection through the Session Manager needs, of which the API of the tests knows nothing."""
    instance = Demand("ssm:StartSession", _ec2("instance"), ((RESOURCE_TAG, PROJECT),))
    document = Demand("ssm:StartSession", _arn("ssm", "document/AWS-StartSSHSession", account=""))
    own = ("ssm:ResumeSession", "ssm:TerminateSession", "ssmmessages:OpenDataChannel")
    return [instance, document, *(Demand(action, _arn("ssm", "session/${aws:userid}-x")) for action in own)]


# ---- From demands to the policy ----


class Rule(NamedTuple):
    """How demands may be allowed: a statement whose actions are those of `actions` (with *) that are demanded."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: dict[str, dict[str, Any]] | None = None


_ANY_EC2 = ("arn:aws:ec2:*:*:*",)
_ROLES = "arn:aws:iam::*:role/cloudbench/*"
_PROFILES = "arn:aws:iam::*:instance-profile/cloudbench/*"
# A demand is allowed by the first rule that can.
RULES = (
    Rule(
        "Look",
        (
            "ec2:Describe*",
            "freetier:GetAccountPlanState",
            "iam:ListInstanceProfiles",
            "iam:ListRoles",
            "pricing:*",
            "scheduler:List*",
            "servicequotas:Get*",
            "ssm:DescribeInstanceInformation",
        ),
        ("*",),
    ),
    Rule(
        "FindImages",
        ("ssm:GetParameter",),
        tuple(
            f"arn:aws:ssm:*::parameter/aws/service/{image}/*"
            for image in ("ami-amazon-linux-latest", "canonical/ubuntu/server", "debian/release")
        ),
    ),
    Rule(
        "TagWhatIsCreated",
        ("ec2:CreateTags",),
        _ANY_EC2,
        {"StringEquals": {REQUEST_TAG: PROJECT, "ec2:CreateAction": "?"}},
    ),
    # Always together with an instance, which has to be tagged.
    Rule(
        "LaunchFromImages",
        ("ec2:RunInstances",),
        ("arn:aws:ec2:*::image/*", "arn:aws:ec2:*:*:network-interface/*", "arn:aws:ec2:*:*:spot-instances-request/*"),
    ),
    Rule("CreateWithTags", ("ec2:*",), _ANY_EC2, {"StringEquals": {REQUEST_TAG: PROJECT}}),
    Rule("UseAndRemoveWhatHasTheTag", ("ec2:*",), _ANY_EC2, {"StringEquals": {RESOURCE_TAG: PROJECT}}),
    Rule(
        "UseAGivenNetwork",
        ("ec2:CreateSecurityGroup", "ec2:RunInstances"),
        ("arn:aws:ec2:*:*:vpc/*", "arn:aws:ec2:*:*:subnet/*"),
    ),
    Rule("RemoveWhatGuardDutyPutsIn", ("ec2:Delete*",), _ANY_EC2, {"StringEquals": {GUARDDUTY_TAG: "true"}}),
    # Without the path too: of what does not exist, IAM does not know it.
    Rule(
        "LookAtRoles",
        ("iam:Get*", "iam:List*"),
        ("arn:aws:iam::*:role/cloudbench*", "arn:aws:iam::*:instance-profile/cloudbench*"),
    ),
    # Whoever may write policies into roles and pass them can do what those can: a boundary keeps that to the least.
    Rule(
        "CreateRolesWithinTheBoundary",
        ("iam:CreateRole",),
        (_ROLES,),
        {"StringEquals": {REQUEST_TAG: PROJECT}, "ArnEquals": {BOUNDARY_KEY: BOUNDARY}},
    ),
    Rule(
        "CreateProfilesAndTag",
        ("iam:CreateInstanceProfile", "iam:Tag*"),
        (_ROLES, _PROFILES),
        {"StringEquals": {REQUEST_TAG: PROJECT}},
    ),
    # PutRolePolicy knows no PolicyARN, AttachRolePolicy always does.
    Rule(
        "PutPoliciesIntoRoles",
        ("iam:AttachRolePolicy", "iam:PutRolePolicy"),
        (_ROLES,),
        {"ArnEquals": {BOUNDARY_KEY: BOUNDARY}, "ArnEqualsIfExists": {"iam:PolicyARN": SSM_CORE}},
    ),
    Rule(
        "PassRoles",
        ("iam:PassRole",),
        (_ROLES,),
        {"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com", "scheduler.amazonaws.com"]}},
    ),
    Rule(
        "FillAndRemoveRoles",
        ("iam:AddRoleToInstanceProfile", "iam:Delete*", "iam:Detach*", "iam:Remove*"),
        (_ROLES, _PROFILES),
    ),
    Rule(
        "FirstSpotInstance",
        ("iam:CreateServiceLinkedRole",),
        ("arn:aws:iam::*:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot",),
    ),
    Rule("Schedules", ("scheduler:*",), ("arn:aws:scheduler:*:*:schedule/default/cloudbench-*",)),
    Rule("Budgets", ("budgets:*",), ("arn:aws:budgets::*:budget/cloudbench-*",)),
    Rule(
        "SessionsOnInstances",
        ("ssm:StartSession",),
        ("arn:aws:ec2:*:*:instance/*",),
        {"StringEquals": {RESOURCE_TAG: PROJECT}, "BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"}},
    ),
    Rule("SessionsOfSshAlone", ("ssm:StartSession",), ("arn:aws:ssm:*:*:document/AWS-StartSSHSession",)),
    Rule("OwnSessions", ("ssm*",), ("arn:aws:ssm:*:*:session/${aws:userid}-*",)),
)


def _like(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text) is not None


def _like_arn(pattern: str, text: str) -> bool:
    """Part by part, as ArnEquals and ArnLike both do."""
    wanted, given = pattern.split(":", 5), text.split(":", 5)
    return len(wanted) == len(given) and all(map(_like, wanted, given))


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "ArnEquals": _like_arn,
    "ArnLike": _like_arn,
    "Bool": lambda wanted, value: wanted.lower() == value.lower(),
    "StringEquals": lambda wanted, value: wanted == value,
    "StringLike": _like,
}
_ELEMENTS = {"Sid", "Effect", "Action", "Resource", "Condition"}


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _filled(text: str) -> str:
    """With the variables of PRINCIPAL; others stand in demands as they do in policies."""
    for name, value in PRINCIPAL.items():
        text = text.replace(f"${{{name}}}", value)
    return text


def _holds(condition: dict[str, dict[str, Any]] | None, context: dict[str, str]) -> bool:
    """Whether each key of a condition holds; "?" holds for any value. Raises ValueError for an unknown operator."""
    for operator, wanted in (condition or {}).items():
        compare = _OPERATORS.get(operator.removesuffix("IfExists"))
        if compare is None:
            raise ValueError(f"what the operator {operator} means is not known here: add it to _OPERATORS")
        for key, values in wanted.items():
            if operator.endswith("IfExists") and key not in context:
                continue
            if key not in context:
                return False
            if not any(value == "?" or compare(_filled(value), context[key]) for value in _list(values)):
                return False
    return True


def _matches(
    actions: Iterable[str], resources: Iterable[str], condition: dict[str, Any] | None, demand: Demand
) -> bool:
    return (
        any(_like(action.lower(), demand.action.lower()) for action in actions)
        and any(_like(_filled(resource), demand.resource) for resource in resources)
        and _holds(condition, dict(demand.context))
    )


def allowed(policy: dict[str, Any], demand: Demand) -> bool:
    """Return whether a statement of the policy allows it: its action, on that resource, under that condition.

    Raises ValueError for what a policy may have and ours does not, such as a Deny or NotResource.
    """
    for statement in policy["Statement"]:
        if statement["Effect"] != "Allow" or set(statement) - _ELEMENTS:
            raise ValueError(f"what the statement {statement} means is not known here: teach `allowed`")
    return any(
        _matches(_list(statement["Action"]), _list(statement["Resource"]), statement.get("Condition"), demand)
        for statement in policy["Statement"]
    )


def policy(wanted: Iterable[Demand]) -> dict[str, Any]:
    """Return the policy that allows what is demanded; raises ValueError for what no rule can allow."""
    found: dict[str, list[Demand]] = {rule.sid: [] for rule in RULES}
    for demand in wanted:
        rule = next((rule for rule in RULES if _may(rule, demand)), None)
        if rule is None:
            raise ValueError(f"no rule says how {demand} may be allowed: add one to RULES")
        found[rule.sid].append(demand)
    statements = []
    for rule in RULES:
        if not found[rule.sid]:
            continue
        statement: dict[str, Any] = {
            "Sid": rule.sid,
            "Effect": "Allow",
            "Action": sorted({demand.action for demand in found[rule.sid]}),
            "Resource": list(rule.resources) if len(rule.resources) > 1 else rule.resources[0],
        }
        if rule.condition:
            seen = {key: sorted({dict(one.context).get(key, "") for one in found[rule.sid]}) for key in _open(rule)}
            statement["Condition"] = {
                operator: {key: seen.get(key, value) for key, value in wanted_by.items()}
                for operator, wanted_by in rule.condition.items()
            }
        statements.append(statement)
    return {"Version": "2012-10-17", "Statement": statements}


def _may(rule: Rule, demand: Demand) -> bool:
    """Whether a rule can allow a demand: one for everything does so only where AWS takes nothing narrower."""
    narrow = rule.resources != ("*",) or demand.resource == "*"
    return narrow and _matches(rule.actions, rule.resources, rule.condition, demand)


def _open(rule: Rule) -> list[str]:
    """The keys of its condition whose values are those that were demanded."""
    return [key for wanted in (rule.condition or {}).values() for key, value in wanted.items() if value == "?"]


def text(made: dict[str, Any]) -> str:
    """Return the policy as it is shipped."""
    return json.dumps(made, indent=2) + "\n"


def demands_text(wanted: Iterable[Demand]) -> str:
    """Return the demands as they are shipped, a line each: playbooks/live_smoke.yml asks IAM's simulator for them."""
    rows = [json.dumps({"action": one.action, "resource": one.resource, "context": dict(one.context)})
            for one in sorted(set(wanted))]  # fmt: skip
    return '{"demands": [\n%s\n]}\n' % ",\n".join(rows)


def size(made: dict[str, Any]) -> int:
    """Return the characters of a policy as IAM counts them."""
    return len(re.sub(r"\s", "", text(made)))


def recorded() -> list[Demand]:
    """Return the demands of the fixture."""
    return [_demand(row) for row in json.loads(FIXTURE.read_text(encoding="utf-8"))["demands"]]


def _demand(row: dict[str, Any]) -> Demand:
    return Demand(row["action"], row["resource"], tuple(sorted(row["context"].items())))


# ---- The runs that are recorded ----


class Run(NamedTuple):
    """A run by its variables; `again`: what is different when it is provisioned a second time.

    `before` and `after` are what others do in the account, before it and before its end, which is not recorded. They
    return more variables, and what is foreign to the run. `end`: the playbook that removes it, and its variables.
    """

    variables: dict[str, Any] | None = None
    again: dict[str, Any] | None = None
    before: Callable[[Any], tuple[dict[str, Any], Foreign]] | None = None
    after: Callable[[Any], Foreign] | None = None
    end: tuple[str, dict[str, Any] | None] = ("teardown", None)


def _given_network(ec2: Any) -> tuple[dict[str, Any], Foreign]:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    return {"ec2_environment_subnet_ids": [subnet]}, {vpc: (), subnet: ()}


def _leavings(ec2: Any) -> Foreign:
    """What is in the way of a teardown: of GuardDuty, and a volume and a network interface of the run."""
    wanted = [{"Name": "tag:Project", "Values": [PROJECT]}]
    vpc = ec2.describe_vpcs(Filters=wanted)["Vpcs"][0]
    subnet = ec2.describe_subnets(Filters=wanted)["Subnets"][0]
    guardduty = [{"Key": "GuardDutyManaged", "Value": "true"}]
    group = ec2.create_security_group(
        GroupName="GuardDutyManagedSecurityGroup",
        Description="of GuardDuty",
        VpcId=vpc["VpcId"],
        TagSpecifications=[{"ResourceType": "security-group", "Tags": guardduty}],
    )["GroupId"]
    endpoint = ec2.create_vpc_endpoint(
        VpcEndpointType="Interface",
        VpcId=vpc["VpcId"],
        ServiceName="com.amazonaws.us-east-1.guardduty-data",
        SubnetIds=[subnet["SubnetId"]],
        TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": guardduty}],
    )["VpcEndpoint"]["VpcEndpointId"]
    ec2.create_volume(
        AvailabilityZone=subnet["AvailabilityZone"],
        Size=1,
        TagSpecifications=[{"ResourceType": "volume", "Tags": vpc["Tags"]}],
    )
    ec2.create_network_interface(
        SubnetId=subnet["SubnetId"], TagSpecifications=[{"ResourceType": "network-interface", "Tags": vpc["Tags"]}]
    )
    context = ((GUARDDUTY_TAG, "true"),)
    return {group: context, endpoint: context}


RUNS = {
    "default": Run(again={"ec2_environment_ssh_from": "203.0.113.8"}),
    "spot": Run(
        {
            "ec2_environment_market": "spot",
            "ec2_environment_instances": [
                {"type": "c7g.16xlarge", "max_price": 2},
                {"type": "c8g.large", "image": "ubuntu-24.04"},
                {"type": "c7i.large", "image": "debian-12"},
            ],
        }
    ),
    "extras": Run(
        {
            "ec2_environment_connection": "ssm",
            "ec2_environment_results_bucket": "results-of-somebody",
            "ec2_environment_budget_usd": 50,
            "ec2_environment_budget_email": "somebody@example.com",
        },
    ),
    "cluster": Run({"ec2_environment_cluster_port": 50052}),
    "given-network": Run(before=_given_network),
    "swept": Run(
        after=_leavings,
        end=(
            "sweep",
            {
                "ec2_environment_sweep_remove": True,
                "ec2_environment_sweep_all": True,
                "ec2_environment_sweep_regions": ["us-east-1", "eu-west-1"],
            },
        ),
    ),
}  # fmt: skip


class _Recorder:
    """Runs playbooks as a person does, and reads what they asked for."""

    def __init__(self, server: AwsServer, directory: Path) -> None:
        self.server, self.directory = server, directory

    def _client(self, service: str) -> Any:
        import boto3

        return boto3.session.Session("testing", "testing", region_name="us-east-1").client(
            service, endpoint_url=self.server.endpoint
        )

    def _command(self, run: str, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
        environment = {
            **clean,
            **self.server.environment,
            "LC_ALL": "C.UTF-8",
            "CLOUDBENCH_RUN": run,
            "CLOUDBENCH_RESULTS_DIR": str(self.directory / "results"),
        }
        command = [str(Path(sys.executable).with_name(program)), "-i", "inventory/aws", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    def _play(self, run: str, name: str, variables: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        given = {"ec2_environment_directory": str(self.directory / "ec2"), "ec2_environment_timeout": 1, **variables}
        return self._command(run, "ansible-playbook", f"playbooks/{name}.yml", "-e", json.dumps(given))

    def _left(self) -> int:
        """How many things there are; a budget outlives its run."""
        return sum(one["kind"] != "budget" for one in self.server.leftovers())

    def demands(self, name: str, run: Run) -> list[Demand]:
        """Return those of a run; raises RuntimeError when it leaves anything."""
        variables = {
            "ec2_environment_ssh_from": "203.0.113.7",
            "ec2_environment_permissions_boundary": BOUNDARY_ARN,
            **(run.variables or {}),
        }
        self._client("iam").create_policy(
            PolicyName=BOUNDARY.rpartition("/")[2], PolicyDocument=BOUNDARY_POLICY.read_text(encoding="utf-8")
        )
        # Its host shows a key on its console and is not there: a run as far as the API has to do with it.
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDduK+2i6ufIPu4rXlnobuXzQdlEYZgnMQ+tPmJo/SWX"
        self.server.configure(hosts=[{"address": "127.0.0.2", "console": f"cloudbench-host-key {key}"}])
        foreign: Foreign = {}
        more: dict[str, Any] = {}
        if run.before:
            more, foreign = run.before(self._client("ec2"))
        there = self._left()
        records = []
        begun = len(self.server.requests())
        self._play(name, "provision", {**variables, **more})
        if run.again:
            self._play(name, "provision", {**variables, **more, **run.again})
            self._command(name, "ansible-inventory", "--list")
        records += self.server.requests()[begun:]
        if run.after:
            foreign.update(run.after(self._client("ec2")))
        begun = len(self.server.requests())
        playbook, end = run.end
        if playbook == "sweep":
            self._play(name, playbook, {"ec2_environment_sweep_regions": ["all"]})
        ended = self._play(name, playbook, {**variables, **more, **(end or {}), "ec2_environment_run": name})
        records += self.server.requests()[begun:]
        if ended.returncode or self._left() != there:
            raise RuntimeError(f"the run {name} was not removed:\n{ended.stdout}{ended.stderr}")
        return demands(records, foreign)


def _generic(demand: Demand) -> Demand:
    """Without the names of the single runs."""
    resource = re.sub(r"cloudbench-(?:%s)" % "|".join(RUNS), "cloudbench-run", demand.resource)
    # A schedule has the name of its instance.
    resource = re.sub(r"\.i-[0-9a-f]{17}$", ".i-0123456789abcdef0", resource)
    return demand._replace(resource=resource)


def record(names: Iterable[str]) -> None:
    """Run these of RUNS and write what they demand, beside what the others did."""
    found: dict[Demand, set[str]] = {}
    for row in json.loads(FIXTURE.read_text(encoding="utf-8"))["demands"] if FIXTURE.exists() else []:
        found[_demand(row)] = set(row["runs"])
    for name in names:
        print(f"{name} ...", flush=True)
        with tempfile.TemporaryDirectory() as directory, AwsServer() as server:
            new = {_generic(demand) for demand in _Recorder(server, Path(directory)).demands(name, RUNS[name])}
        for demand in {*found, *new}:
            runs = found.setdefault(demand, set())
            (runs.add if demand in new else runs.discard)(name)
        _write({demand: sorted(runs & set(RUNS)) for demand, runs in found.items() if runs & set(RUNS)})


def _write(found: dict[Demand, list[str]]) -> None:
    rows = [
        {"action": demand.action, "resource": demand.resource, "context": dict(demand.context), "runs": runs}
        for demand, runs in sorted(found.items())
    ]
    lines = ",\n".join(f"    {json.dumps(row)}" for row in rows)
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    FIXTURE.write_text(f'{{\n  "recorded": "{day}",\n  "demands": [\n{lines}\n  ]\n}}\n', encoding="utf-8")


def main() -> None:
    """Write what is asked for."""
    first, rest = (__doc__ or "").split("\n", 1)
    parser = argparse.ArgumentParser(description=first, epilog=rest, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--record", nargs="*", choices=list(RUNS), metavar="RUN", help=f"record these, or all: {', '.join(RUNS)}"
    )
    asked = parser.parse_args().record
    if asked is not None:
        record(asked or RUNS)
    wanted = [*recorded(), *sessions()]
    made = policy(wanted)
    POLICY.write_text(text(made), encoding="utf-8")
    DEMANDS.write_text(demands_text(wanted), encoding="utf-8")
    print(f"{POLICY.relative_to(ROOT)}: {size(made)} of at most {LIMIT} characters")


if __name__ == "__main__":
    main()
