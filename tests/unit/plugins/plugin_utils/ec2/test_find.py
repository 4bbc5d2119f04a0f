# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is of a run, over HTTP against the API server of the tests, until it is gone."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from typing import Any

import boto3
import pytest
from botocore import xform_name
from support.aws.given import Clock
from support.aws.server import AwsServer

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.find import caller, enabled_regions, find, find_in
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.judge import left_over
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import KINDS, Listing, Resource
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.wait import wait_until_gone, wait_until_listed

RUN = "20261124T190000Z-1a2b"
OTHER = "20261124T190000Z-1a2b-expiry"  # what a name of RUN could be taken for
REGION = "us-east-1"
END = "2026-11-24T21:00:00Z"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["ec2.amazonaws.com", "scheduler.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}


class Maker:
    """Makes what a run makes, each with its tags from the call that creates it."""

    def __init__(self, run: str = RUN, owner: str = "alice", region: str = REGION, expires_at: str = END) -> None:
        session = aws.session(region)
        self.ec2, self.iam = session.client("ec2"), session.client("iam")
        self.scheduler = session.client("scheduler")
        self.name = f"cloudbench-{run}"
        self.region = region
        tags = {
            "Project": "cloudbench.llama",
            "RunId": run,
            "Owner": owner,
            "Region": region,
            "ExpiresAt": expires_at,
            "Name": self.name,
        }
        self.tags = [{"Key": key, "Value": value} for key, value in tags.items()]

    def tagged(self, *kinds: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": self.tags} for kind in kinds]

    def network(self) -> None:
        self.vpc = self.ec2.create_vpc(CidrBlock="10.83.0.0/16", TagSpecifications=self.tagged("vpc"))["Vpc"]["VpcId"]
        gateway = self.ec2.create_internet_gateway(TagSpecifications=self.tagged("internet-gateway"))
        self.gateway = gateway["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        subnet = self.ec2.create_subnet(
            VpcId=self.vpc,
            CidrBlock="10.83.0.0/24",
            AvailabilityZone=f"{self.region}a",
            TagSpecifications=self.tagged("subnet"),
        )
        self.subnet = subnet["Subnet"]["SubnetId"]
        self.table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=self.table, SubnetId=self.subnet)
        self.group = self.ec2.create_security_group(
            GroupName=self.name, Description="ssh", VpcId=self.vpc, TagSpecifications=self.tagged("security-group")
        )["GroupId"]

    def key(self) -> str:
        self.ec2.create_key_pair(KeyName=self.name, TagSpecifications=self.tagged("key-pair"))
        return self.name

    def launch(self, *kinds: str, spot: bool = False, subnet: str = "", key: str = "") -> str:
        images = self.ec2.describe_images(Filters=[{"Name": "architecture", "Values": ["arm64"]}])["Images"]
        market = {"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {}
        made = self.ec2.run_instances(
            ImageId=images[0]["ImageId"],
            InstanceType="c7g.large",
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet or self.subnet,
            TagSpecifications=self.tagged(*kinds),
            **market,
            **({"KeyName": key} if key else {}),
        )
        return str(made["Instances"][0]["InstanceId"])

    def identity(self) -> None:
        for name in (self.name, f"{self.name}-expiry"):
            self.iam.create_role(
                RoleName=name, Path="/cloudbench/", AssumeRolePolicyDocument=json.dumps(TRUST), Tags=self.tags
            )
        self.iam.attach_role_policy(
            RoleName=self.name, PolicyArn="arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
        )
        self.iam.create_instance_profile(InstanceProfileName=self.name, Path="/cloudbench/", Tags=self.tags)
        self.iam.add_role_to_instance_profile(InstanceProfileName=self.name, RoleName=self.name)

    def schedule(self, name: str = "") -> None:
        self.scheduler.create_schedule(
            Name=name or f"{self.name}.i-0123456789abcdef0",
            ScheduleExpression=f"at({END[:-1]})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances",
                "RoleArn": f"arn:aws:iam::123456789012:role/cloudbench/{self.name}-expiry",
                "Input": '{"InstanceIds": ["i-0123456789abcdef0"]}',
            },
        )

    def volume(self) -> str:
        zone = f"{self.region}a"
        made = self.ec2.create_volume(AvailabilityZone=zone, Size=1, TagSpecifications=self.tagged("volume"))
        return str(made["VolumeId"])

    def everything(self) -> None:
        self.identity()
        self.network()
        self.schedule()
        self.volume()
        self.ec2.create_network_interface(SubnetId=self.subnet, TagSpecifications=self.tagged("network-interface"))
        self.ec2.create_vpc_endpoint(
            VpcId=self.vpc, ServiceName="com.amazonaws.us-east-1.s3", VpcEndpointType="Gateway"
        )
        self.key()
        self.ec2.create_launch_template(
            LaunchTemplateName=f"{self.name}-0123abcd",
            LaunchTemplateData={"InstanceType": "c7g.large"},
            TagSpecifications=self.tagged("launch-template"),
        )
        self.ec2.create_placement_group(
            GroupName=f"{self.name}-{self.region}a",
            Strategy="cluster",
            TagSpecifications=self.tagged("placement-group"),
        )
        self.launch("instance", "volume", "spot-instances-request", spot=True)


def kinds(found: Listing) -> dict[str, int]:
    assert found.unasked == []
    return Counter(one.kind for one in found.resources)


ALL = {
    **dict.fromkeys(KINDS, 1),
    "volume": 2,  # one of the instance, and one that lies about
    "role": 2,
}


def run_command(command: str) -> None:
    """Do what `aws` would do for a command, by the same names of services, operations and parameters."""
    words = shlex.split(command)
    assert words[0] == "aws"
    region = words[words.index("--region") + 1] if "--region" in words else REGION
    client = boto3.client(words[1], region_name=region)
    options: dict[str, list[str]] = {}
    for word in words[3:]:
        if word.startswith("--"):
            options[word[2:]] = current = []
        else:
            current.append(word)
    options.pop("region", None)
    if words[2] == "wait":
        return  # for states that the server of the tests reaches at once
    operation = words[2].replace("-", "_")
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    arguments: dict[str, Any] = {}
    for name, shape in model.input_shape.members.items():
        given = options.pop(xform_name(name, "-"), None)
        if given is not None:
            arguments[name] = {"list": given, "boolean": True}.get(shape.type_name, given[0] if given else None)
    assert options == {}, f"{command}: {operation} has no such options"
    getattr(client, operation)(**arguments)


class TestFind:
    def test_nothing(self, server: AwsServer) -> None:
        assert find(REGION, RUN) == Listing([], [])
        assert find(REGION) == Listing([], [])
        assert server.requests(write=True) == []

    def test_everything_is_found_and_removed_by_its_commands(self, server: AwsServer) -> None:
        maker = Maker()
        maker.everything()
        found = find(REGION, RUN)
        assert kinds(found) == ALL
        assert kinds(find(REGION)) == ALL
        assert [one for one in found.resources if one.run != RUN] == []
        assert [one.kind for one in found.resources if one.foreign] == []
        assert [one.cidr for one in found.resources if one.kind == "subnet"] == ["10.83.0.0/24"]
        assert {one.vpc_id for one in found.resources if one.kind in ("subnet", "route table")} == {maker.vpc}

        for one in found.resources:
            if one.kind == "volume" and one.state == "in-use":
                continue  # it ends with its instance
            for command in one.removal.split(" && ") if one.kind != "role" else role_commands(one):
                run_command(command)
        assert server.leftovers() == []
        assert find(REGION, RUN) == Listing([], [])

    def test_what_is_not_of_the_run(self, server: AwsServer) -> None:
        Maker(OTHER, owner="bob").everything()
        boto3.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
        stranger = {"ResourceType": "volume", "Tags": [{"Key": "RunId", "Value": RUN}]}
        boto3.client("ec2").create_volume(AvailabilityZone="us-east-1a", Size=1, TagSpecifications=[stranger])
        assert find(REGION, RUN) == Listing([], [])
        assert kinds(find(REGION, OTHER)) == ALL

    def test_of_one_owner(self, server: AwsServer) -> None:
        """Two may have given their runs one name."""
        Maker(owner="bob").volume()
        mine = Maker(owner="alice")
        volume = mine.volume()
        mine.identity()
        assert kinds(find(REGION, RUN)) == {"volume": 2, "role": 2, "instance profile": 1}
        found = find(REGION, RUN, owner="alice")
        assert [one.id for one in found.resources if one.kind == "volume"] == [volume]
        assert kinds(found)["role"] == 2
        assert kinds(find(REGION, RUN, owner="bob")) == {"volume": 1}

    def test_another_ones_instance_in_the_vpc_is_foreign(self, server: AwsServer) -> None:
        maker = Maker()
        maker.network()
        foreign = maker.launch()
        found = find(REGION, RUN)
        assert [(one.kind, one.id) for one in found.resources if one.foreign] == [("instance", foreign)]
        assert "the run did not make it" in left_over(found, RUN, REGION)
        # That of another run is that run's, and its interface is in the way all the same.
        maker.ec2.terminate_instances(InstanceIds=[foreign])
        Maker(OTHER).launch("instance", subnet=maker.subnet)
        found = find(REGION, RUN)
        assert [one.kind for one in found.resources if one.foreign] == ["network interface"]

    @pytest.mark.parametrize("kinds_tagged", [("spot-instances-request",), ("instance",)])
    def test_a_spot_request_and_its_instance_are_found_by_each_other(
        self, server: AwsServer, kinds_tagged: tuple[str, ...]
    ) -> None:
        maker = Maker()
        given = maker.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        instance = maker.launch(*kinds_tagged, spot=True, subnet=given)
        found = find(REGION, RUN)
        assert kinds(found) == {"spot request": 1, "instance": 1}
        assert {one.expires_at for one in found.resources} == {END}
        # A request that was cancelled leaves its instance running.
        (request,) = [one.id for one in found.resources if one.kind == "spot request"]
        maker.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
        assert [one.id for one in find(REGION, RUN).resources] == [instance]

    def test_a_terminated_instance_is_gone_and_one_that_ends_is_not(self, server: AwsServer) -> None:
        maker = Maker()
        given = maker.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        instance = maker.launch("instance", subnet=given)
        server.configure(shutting_down=1)
        maker.ec2.terminate_instances(InstanceIds=[instance])
        assert [one.state for one in find(REGION, RUN).resources] == ["shutting-down"]
        assert find(REGION, RUN) == Listing([], [])

    def test_every_page_is_read(self, server: AwsServer) -> None:
        maker = Maker()
        maker.identity()
        for number in range(55):
            maker.schedule(f"cloudbench-r{number}.i-0123456789abcdef0")
        found = find(REGION)
        assert kinds(found)["schedule"] == 55
        assert {one.expires_at for one in found.resources if one.kind == "schedule"} == {END}
        assert len(server.requests("ListSchedules")) == 2

    def test_schedules_of_a_run(self, server: AwsServer) -> None:
        """One for each instance, and the one for all that an older version made; that of a longer name is another's."""
        maker = Maker()
        maker.identity()
        names = [maker.name, f"{maker.name}.i-0123456789abcdef0", f"{maker.name}.i-0123456789abcdef1"]
        for name in (*names, f"cloudbench-{OTHER}.i-0123456789abcdef0"):
            maker.schedule(name)
        assert [one.id for one in find(REGION, RUN).resources if one.kind == "schedule"] == names
        found = [one for one in find(REGION).resources if one.kind == "schedule"]
        assert [(one.run, one.expires_at) for one in found] == [(RUN, END)] * 3 + [(OTHER, END)]
        # The end of a run is asked for once.
        assert len(server.requests("GetSchedule")) == 2

    @pytest.mark.parametrize("given", [False, True], ids=["VPC of the run", "given subnet"])
    def test_what_the_index_of_tags_does_not_know_yet(self, server: AwsServer, given: bool) -> None:
        maker = Maker()
        maker.network()
        subnet = maker.ec2.describe_subnets()["Subnets"][0]["SubnetId"] if given else maker.subnet
        server.fault(action="RunInstances", eventual_tags="600 s")
        instance = maker.launch("instance", subnet=subnet, key=maker.key())
        assert maker.ec2.describe_instances(Filters=[aws.filtered("tag:RunId", RUN)])["Reservations"] == []
        for found in (find(REGION, RUN), find(REGION)):
            (one,) = [one for one in found.resources if one.kind == "instance"]
            assert (one.id, one.run, one.owner, one.foreign) == (instance, RUN, "alice", False)

    def test_an_instance_without_tags_is_known_by_the_key_pair_of_the_run(self, server: AwsServer) -> None:
        maker = Maker()
        given = maker.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        instance = maker.launch(subnet=given, key=maker.key())
        for found in (find(REGION, RUN), find(REGION)):
            (one,) = [one for one in found.resources if one.kind == "instance"]
            assert (one.id, one.run, one.owner, one.why) == (instance, RUN, "", "key pair")
        assert find(REGION, OTHER).resources == []

    def test_iam_tells_the_region_of_its_run(self, server: AwsServer) -> None:
        Maker(region="eu-west-1").identity()
        assert {one.region for one in find(REGION, RUN).resources} == {"eu-west-1"}
        maker = Maker("r3")
        maker.tags = [tag for tag in maker.tags if tag["Key"] != "Region"]
        maker.identity()
        assert {one.region for one in find(REGION, "r3").resources} == {""}

    @pytest.mark.parametrize("name", ["us-east-1", "us-gov-west-1", "ap-southeast-7", "eusc-de-east-1"])
    def test_a_region_may_become_part_of_a_command(self, name: str) -> None:
        assert aws.proper_region(name) == name
        assert aws.proper_region(f"{name}; rm -r /") == ""

    def test_a_region_that_does_not_answer_hides_no_other(self, server: AwsServer) -> None:
        found = find_in([REGION, "xx-nowhere-1"], RUN)
        assert [one for one in found.unasked if one.startswith("xx-nowhere-1: ")]
        assert {one.region for one in found.resources} <= {REGION}

    def test_iam_is_listed_once_for_all_regions(self, server: AwsServer) -> None:
        Maker().identity()
        Maker(region="eu-west-1").volume()
        found = find_in([REGION, "eu-west-1"], RUN)
        assert kinds(found) == {"volume": 1, "role": 2, "instance profile": 1}
        assert {one.region for one in found.resources if one.kind == "volume"} == {"eu-west-1"}
        assert "--region eu-west-1" in found.resources[0].removal
        assert "eu-west-1" in enabled_regions(REGION)

    @pytest.mark.parametrize(
        ("action", "said"),
        [
            ("DescribeInstances", "instances in us-east-1: ec2:DescribeInstances: "),
            ("DescribeSpotInstanceRequests", "spot requests in us-east-1: ec2:DescribeSpotInstanceRequests: "),
            ("DescribeVolumes", "volumes in us-east-1: ec2:DescribeVolumes: "),
            ("DescribeKeyPairs", "key pairs in us-east-1: ec2:DescribeKeyPairs: "),
            ("DescribeVpcs", "VPCs in us-east-1: ec2:DescribeVpcs: "),
            ("ListSchedules", "schedules in us-east-1: scheduler:ListSchedules: "),
            ("ListRoles", "roles in IAM: iam:ListRoles: "),
        ],
    )
    def test_what_may_not_be_asked_for_is_said(self, server: AwsServer, action: str, said: str) -> None:
        maker = Maker()
        maker.volume()
        server.fault(action=action, code="UnauthorizedOperation", message="not you", status=403, times=None)
        found = find(REGION, RUN)
        (sentence,) = found.unasked
        assert sentence.startswith(said)
        assert "allow " in sentence
        assert len(found.resources) == (action != "DescribeVolumes")
        assert "It is not proven" in left_over(Listing([], found.unasked), RUN, REGION)
        # Without this kind nothing is amiss.
        kind = said.partition("s in ")[0]
        rest = [one for one in KINDS if one != kind]
        assert find(REGION, RUN, kinds=rest).unasked == []

    def test_when_nothing_may_be_asked_for(self, server: AwsServer) -> None:
        server.fault(code="ExpiredToken", message="expired", status=403, times=None)
        with pytest.raises(aws.AwsError, match="have expired"):
            find(REGION, RUN)

    def test_a_run_that_is_none(self) -> None:
        with pytest.raises(aws.AwsError, match="'a b' is no id of a run"):
            find(REGION, "a b")

    def test_the_caller_is_the_owner(self, server: AwsServer) -> None:
        arn = boto3.client("sts").get_caller_identity()["Arn"]
        assert arn.endswith("/" + caller(REGION))


def role_commands(role: Resource) -> list[str]:
    """The commands that the loops of a role's removal come to."""
    iam = boto3.client("iam")
    lists = re.findall(r"\$\((aws iam list-\S+ --role-name \S+) --query '([^']+)' --output text\)", role.removal)
    assert [query for _one, query in lists] == ["PolicyNames[]", "AttachedPolicies[].PolicyArn"]
    inline = iam.list_role_policies(RoleName=role.id)["PolicyNames"]
    attached = [one["PolicyArn"] for one in iam.list_attached_role_policies(RoleName=role.id)["AttachedPolicies"]]
    bodies = re.findall(r"do (aws [^;]+); done", role.removal)
    commands = [command for command, _one in lists]
    for body, values in zip(bodies, (inline, attached), strict=True):
        commands += [body.replace('"$policy"', value) for value in values]
    return [*commands, role.removal.rpartition("; ")[2]]


class TestWait:
    def test_until_the_instances_are_gone(self, server: AwsServer) -> None:
        maker, clock = Maker(), Clock()
        given = maker.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        instances = [maker.launch("instance", subnet=given) for _one in range(2)]
        assert not wait_until_gone(REGION, instances, 60, clock.sleep, clock)
        assert clock.now >= 60
        server.configure(shutting_down=3)
        maker.ec2.terminate_instances(InstanceIds=instances)
        clock = Clock()
        assert wait_until_gone(REGION, instances, 60, clock.sleep, clock)
        assert 0 < clock.now < 60
        assert wait_until_gone(REGION, ["i-0123456789abcdef0"], 60, clock.sleep, clock)
        assert wait_until_gone(REGION, [], 60, clock.sleep, clock)

    def test_until_the_tags_of_the_instances_are_known(self, server: AwsServer) -> None:
        maker, clock = Maker(), Clock()
        given = maker.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        server.fault(action="RunInstances", eventual_tags=3)
        late = maker.launch("instance", subnet=given)
        assert wait_until_listed(maker.ec2, RUN, [late], 60, clock.sleep, clock) == set()
        assert len(server.requests("DescribeInstances")) == 4
        assert 0 < clock.now < 60
        assert wait_until_listed(maker.ec2, RUN, [late, "i-0"], 60, clock.sleep, clock) == {"i-0"}
        assert wait_until_listed(maker.ec2, RUN, [], 60, clock.sleep, clock) == set()
