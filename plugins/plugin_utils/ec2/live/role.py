# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role that holds one policy alone, for who made it alone, and the boundary of other roles: made, used, removed.

That boundary is what the policy demands of each role that a run makes. The role has the tags of a run of its own, so
that a sweep finds it where nobody removed it. Sources: API_CreateRole, API_PutRolePolicy and API_CreatePolicy of IAM,
API_AssumeRole of STS; aws:userid: docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live.checks import LiveError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import PATH, PREFIX

# What the run of the role is called after the run that it serves.
OF_ROLE = "-role"
_POLICY = "cloudbench"
_BOUNDARY = "cloudbench-boundary"
# IAM lets STS, and STS lets the services, know of a role within seconds.
_PATIENCE_S, _PAUSE_S = 60.0, 3.0
# How long a session lasts: what a role that says nothing else allows.
SESSION_S = 3600


def role_name(run: str) -> str:
    """Return the name of the role that serves a run."""
    return f"{PREFIX}{run}{OF_ROLE}"


def make(iam: Any, run: str, policy: str, caller: Mapping[str, str], tags: Mapping[str, str]) -> str:
    """Make the role, and return its ARN; `caller`: the answer of GetCallerIdentity. Raises AwsError."""
    partition = caller["Arn"].split(":")[1]
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{partition}:iam::{caller['Account']}:root"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:userid": caller["UserId"]}},
            }
        ],
    }
    name = role_name(run)
    with aws.asked("iam:CreateRole"):
        made = iam.create_role(
            Path=PATH,
            RoleName=name,
            Description="The live check of cloudbench.llama: holds docs/iam-policy.json alone",
            AssumeRolePolicyDocument=json.dumps(trust),
            MaxSessionDuration=SESSION_S,
            Tags=[{"Key": key, "Value": value} for key, value in {**tags, "RunId": f"{run}{OF_ROLE}"}.items()],
        )
    with aws.asked("iam:PutRolePolicy"):
        # Inline: IAM counts it without its white space, and it goes with the role.
        iam.put_role_policy(RoleName=name, PolicyName=_POLICY, PolicyDocument=_of_partition(policy, caller))
    return str(made["Role"]["Arn"])


def _of_partition(policy: str, caller: Mapping[str, str]) -> str:
    return policy.replace("arn:aws:", f"arn:{caller['Arn'].split(':')[1]}:")


def boundary_arn(caller: Mapping[str, str]) -> str:
    """Return the ARN of the boundary that docs/iam-policy.json demands."""
    return f"arn:{caller['Arn'].split(':')[1]}:iam::{caller['Account']}:policy/{_BOUNDARY}"


def make_boundary(iam: Any, boundary: str, caller: Mapping[str, str], tags: Mapping[str, str]) -> bool:
    """Make the boundary, unless the account has it already; return whether it was made. Raises AwsError."""
    try:
        with aws.asked("iam:GetPolicy"):
            iam.get_policy(PolicyArn=boundary_arn(caller))
        return False
    except aws.AwsError as error:
        if not error.missing:
            raise
    with aws.asked("iam:CreatePolicy"):
        iam.create_policy(
            PolicyName=_BOUNDARY,
            PolicyDocument=_of_partition(boundary, caller),
            Description="The roles of runs of cloudbench.llama may do this at most: docs/iam-boundary.json",
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
    return True


def remove_boundary(iam: Any, caller: Mapping[str, str]) -> None:
    """Remove the boundary. Raises AwsError, also while a role has it."""
    try:
        with aws.asked("iam:DeletePolicy"):
            iam.delete_policy(PolicyArn=boundary_arn(caller))
    except aws.AwsError as error:
        if not error.missing:
            raise


def session_name(owner: str) -> str:
    """Return the name of the session, which becomes the owner of what it makes; STS takes 2 to 64 such characters."""
    return re.sub(r"[^\w+=,.@-]", "-", owner, flags=re.ASCII)[:64].ljust(2, "-")


def assume(
    sts: Any,
    arn: str,
    owner: str,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, str]:
    """Return the variables of the environment that stand for a session of the role, once STS knows it.

    Raises AwsError.
    """
    end = clock() + _PATIENCE_S
    while True:
        try:
            with aws.asked("sts:AssumeRole"):
                given = sts.assume_role(RoleArn=arn, RoleSessionName=session_name(owner), DurationSeconds=SESSION_S)
            break
        except aws.AwsError as error:
            if not error.denied or clock() >= end:
                raise
        sleep(_PAUSE_S)
    credentials = given["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
    }


def wait_until_it_may(
    ask: Callable[[], object],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until the session may what its policy says: `ask` raises AwsError until then. Raises LiveError."""
    end = clock() + _PATIENCE_S
    while True:
        try:
            ask()
            return
        except aws.AwsError as error:
            if not error.denied and error.code not in ("AuthFailure", "InvalidClientTokenId"):
                raise
            if clock() >= end:
                raise LiveError(
                    f"after {_PATIENCE_S:.0f} s the session may not do what its policy allows: {error}; a service "
                    "control policy or a boundary of the organisation goes before it"
                ) from error
        sleep(_PAUSE_S)


def remove(iam: Any, run: str) -> None:
    """Remove the role, if it is there. Raises AwsError."""
    name = role_name(run)
    steps: list[tuple[str, Callable[[], object]]] = [
        ("iam:DeleteRolePolicy", lambda: iam.delete_role_policy(RoleName=name, PolicyName=_POLICY)),
        ("iam:DeleteRole", lambda: iam.delete_role(RoleName=name)),
    ]
    for action, step in steps:
        try:
            with aws.asked(action):
                step()
        except aws.AwsError as error:
            if not error.missing:
                raise


def removed(iam: Any, run: str) -> tuple[bool, str]:
    """Remove the role, and say whether IAM still knows it. Raises AwsError."""
    remove(iam, run)
    try:
        with aws.asked("iam:GetRole"):
            iam.get_role(RoleName=role_name(run))
    except aws.AwsError as error:
        if error.missing:
            return True, f"{role_name(run)} is gone"
        raise
    return False, f"{role_name(run)} is still there: aws iam delete-role --role-name {role_name(run)}"
