# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run makes in an account: its kinds, what is known of each thing there, and how it is told in a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import visible

PREFIX = "cloudbench-"
PATH = "/cloudbench/"
# What the name of the schedule's role ends in.
EXPIRY = "-expiry"
# Between the run and the instance in the name of a schedule; no id of a run has it.
OF_INSTANCE = "."


class Kind(NamedTuple):
    """How EC2 lists a kind: the call, the key of its answer, the key of the id; the filter for those in a VPC."""

    operation: str
    key: str
    id: str
    inside: str = ""


# Each before what it lies in, or is held by.
EC2 = {
    "spot request": Kind("describe_spot_instance_requests", "SpotInstanceRequests", "SpotInstanceRequestId"),
    "instance": Kind("describe_instances", "Reservations", "InstanceId", "vpc-id"),
    "volume": Kind("describe_volumes", "Volumes", "VolumeId"),
    "VPC endpoint": Kind("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", "vpc-id"),
    "network interface": Kind("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId", "vpc-id"),
    "launch template": Kind("describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
    "key pair": Kind("describe_key_pairs", "KeyPairs", "KeyPairId"),
    "placement group": Kind("describe_placement_groups", "PlacementGroups", "GroupId"),
    "security group": Kind("describe_security_groups", "SecurityGroups", "GroupId", "vpc-id"),
    "route table": Kind("describe_route_tables", "RouteTables", "RouteTableId", "vpc-id"),
    "internet gateway": Kind(
        "describe_internet_gateways", "InternetGateways", "InternetGatewayId", "attachment.vpc-id"
    ),
    "subnet": Kind("describe_subnets", "Subnets", "SubnetId", "vpc-id"),
    "VPC": Kind("describe_vpcs", "Vpcs", "VpcId"),
}
# IAM has no region: it is asked with the first region alone.
IAM = ("instance profile", "role")
KINDS = (*list(EC2)[:8], "schedule", *IAM, *list(EC2)[8:])


class Resource(NamedTuple):
    """One thing that is there. Strings, empty where there is nothing to say, and one truth value.

    `region`: of what is in IAM that of its run, by its tag Region, else empty. `why`: how it is known to be of the run.
    `removal`: the command that removes it. `foreign`: it lies in the VPC of the run, which did not make it:
    a person has to decide. `row`: of an instance, its index in the matrix. `vpc_id`, `cidr`: of what lies in a VPC.
    """

    kind: str
    id: str
    name: str
    region: str
    run: str
    owner: str
    expires_at: str
    state: str
    why: str
    removal: str
    foreign: bool = False
    row: str = ""
    vpc_id: str = ""
    cidr: str = ""


class Listing(NamedTuple):
    """What is there, in the order of KINDS, and a sentence for each thing that could not be asked for."""

    resources: list[Resource]
    unasked: list[str]


def vpc_of(thing: dict[str, Any]) -> str:
    """Return the id of the VPC that a thing is in or attached to, "" where there is none."""
    attached = [attachment.get("VpcId") for attachment in thing.get("Attachments") or []]
    return str(thing.get("VpcId") or next((vpc for vpc in attached if vpc), ""))


def summary(resources: Iterable[Resource]) -> str:
    """Return how many there are of each kind, such as "2 instances, 1 VPC"."""
    counted = Counter(resource.kind for resource in resources)
    return ", ".join(f"{counted[kind]} {kind}{'s' if counted[kind] > 1 else ''}" for kind in KINDS if counted[kind])


def line(resource: Resource) -> str:
    """Return a resource in a line: what, whose, in which state."""
    name = f" {visible(resource.name)}" if resource.name not in ("", resource.id) else ""
    told = ", ".join(visible(said) for said in (resource.state, resource.why if resource.why != "tag" else "") if said)
    return f"{resource.kind} {visible(resource.id)}{name}{f' ({told})' if told else ''}"
