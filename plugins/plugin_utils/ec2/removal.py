# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that remove what a run has made: of one thing, and of the whole run."""

from __future__ import annotations

import shlex
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import EC2, vpc_of
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import visible

# What is removed by its name, and not by its id.
_BY_NAME = {"key pair": ("--key-name", "KeyName"), "placement group": ("--group-name", "GroupName")}


def removal(kind: str, thing: dict[str, Any], region: str) -> str:
    """Return the command that removes it, for a shell."""
    ec2, here = "aws ec2 ", f" --region {region}"
    if kind == "instance":
        return f"{ec2}terminate-instances --instance-ids {thing['InstanceId']}{here}"
    if kind == "spot request":
        name = thing["SpotInstanceRequestId"]
        return f"{ec2}cancel-spot-instance-requests --spot-instance-request-ids {name}{here}"
    if kind == "VPC endpoint":
        return f"{ec2}delete-vpc-endpoints --vpc-endpoint-ids {thing['VpcEndpointId']}{here}"
    if kind in _BY_NAME:
        option, member = _BY_NAME[kind]
        return f"{ec2}delete-{kind.replace(' ', '-')} {option} {shlex.quote(thing[member])}{here}"
    if kind == "security group":
        return f"{ec2}delete-security-group --group-id {thing['GroupId']}{here}"
    if kind == "volume":
        detach = "".join(
            f"{ec2}detach-volume --volume-id {thing['VolumeId']}{here} && "
            f"{ec2}wait volume-available --volume-ids {thing['VolumeId']}{here} && "
            for _attachment in thing.get("Attachments") or []
        )
        return f"{detach}{ec2}delete-volume --volume-id {thing['VolumeId']}{here}"
    if kind == "network interface":
        name, attachment = thing["NetworkInterfaceId"], thing.get("Attachment", {})
        if thing.get("RequesterManaged"):
            said = shlex.quote(visible(thing.get("Description") or "a service"))
            return f"# remove what it belongs to: {said}"
        detach = f"{ec2}detach-network-interface --force --attachment-id {attachment.get('AttachmentId')}{here} && "
        wait = f"{ec2}wait network-interface-available --network-interface-ids {name}{here} && "
        return f"{detach + wait if attachment else ''}{ec2}delete-network-interface --network-interface-id {name}{here}"
    if kind == "route table":
        names = [row["RouteTableAssociationId"] for row in thing.get("Associations") or []]
        before = "".join(f"{ec2}disassociate-route-table --association-id {name}{here} && " for name in names)
        return f"{before}{ec2}delete-route-table --route-table-id {thing['RouteTableId']}{here}"
    if kind == "internet gateway":
        name = f"--internet-gateway-id {thing['InternetGatewayId']}"
        before = f"{ec2}detach-internet-gateway {name} --vpc-id {vpc_of(thing)}{here} && " if vpc_of(thing) else ""
        return f"{before}{ec2}delete-internet-gateway {name}{here}"
    if kind in EC2:
        word = kind.lower().replace(" ", "-")
        return f"{ec2}delete-{word} --{word}-id {thing[EC2[kind].id]}{here}"
    return _outside_ec2(kind, thing, region)


def _outside_ec2(kind: str, thing: dict[str, Any], region: str) -> str:
    """Return the command that removes what is the scheduler's or IAM's."""
    if kind == "schedule":
        name = shlex.quote(thing["Name"])
        return f"aws scheduler delete-schedule --group-name default --name {name} --region {region}"
    if kind == "instance profile":
        name = f"--instance-profile-name {shlex.quote(thing['InstanceProfileName'])}"
        before = "".join(
            f"aws iam remove-role-from-instance-profile {name} --role-name {shlex.quote(role['RoleName'])} && "
            for role in thing.get("Roles") or []
        )
        return f"{before}aws iam delete-instance-profile {name}"
    name = f"--role-name {shlex.quote(thing['RoleName'])}"
    return (
        f"for policy in $(aws iam list-role-policies {name} --query 'PolicyNames[]' --output text); do "
        f'aws iam delete-role-policy {name} --policy-name "$policy"; done; '
        f"for policy in $(aws iam list-attached-role-policies {name} --query 'AttachedPolicies[].PolicyArn' "
        f'--output text); do aws iam detach-role-policy {name} --policy-arn "$policy"; done; '
        f"aws iam delete-role {name}"
    )


SWEEP = "ansible-playbook cloudbench.llama.sweep"


def teardown_command(run: str, region: str) -> str:
    """Return the command that tears one run down."""
    return f"AWS_REGION={region} ansible-playbook cloudbench.llama.teardown -e ec2_environment_run={run}"
