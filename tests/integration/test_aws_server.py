# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/support/aws/server.py through boto3, as what provisions sees it."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from support.aws import server as aws_server
from support.aws.server import AwsServer

TAGS = [{"Key": "RunId", "Value": "r1"}, {"Key": "Name", "Value": "cloudbench-r1"}]
ARM = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/{}/hvm/ebs-gp3/ami-id"
DEBIAN = "/aws/service/debian/release/12/latest/{}"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
        ],
    }
)


@pytest.fixture(scope="module")
def only_server():
    with AwsServer(spot_prices={"*": 0.25}) as server:
        yield server


@pytest.fixture
def server(only_server):
    yield only_server
    only_server.reset()


@pytest.fixture(scope="module")
def session():
    """Clients cost more than requests: one of each service."""
    return boto3.session.Session("testing", "testing", region_name="us-east-1")


class Clients:
    def __init__(self, session, endpoint):
        self._session, self._endpoint, self._made = session, endpoint, {}

    def client(self, name, region="us-east-1", retries=0, **config):
        config = Config(retries={"total_max_attempts": retries + 1, "mode": "standard"}, **config)
        return self._session.client(name, region_name=region, endpoint_url=self._endpoint, config=config)

    def __getattr__(self, name):
        service = name.replace("_", "-")
        return self._made.setdefault(name, None) or self._made.update({name: self.client(service)}) or self._made[name]


@pytest.fixture(scope="module")
def aws(only_server, session):
    return Clients(session, only_server.endpoint)


@pytest.fixture(scope="module")
def arm(aws):
    return aws.ssm.get_parameter(Name=ARM)["Parameter"]["Value"]


def code(call, **params):
    """The code of the error that a call ends in."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"]


def network(ec2):
    """A network with a gateway as a run makes it: the ids."""
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/24")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/25", AvailabilityZone="us-east-1b")["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    group = ec2.create_security_group(GroupName="cloudbench-r1", Description="-", VpcId=vpc)["GroupId"]
    return vpc, subnet, gateway, table, group


def template(aws, image, group=None, subnet=None, **data):
    """A launch template as a run makes it: its id."""
    nic = {"DeviceIndex": 0, "AssociatePublicIpAddress": True, "SubnetId": subnet, "Groups": [group]}
    given = {
        "ImageId": image,
        "InstanceType": "c7g.large",
        "UserData": base64.b64encode(b"#!/bin/sh\nshutdown -P +240\n").decode(),
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/xvda",
                "Ebs": {"VolumeSize": 40, "VolumeType": "gp3", "Encrypted": True, "Throughput": 300, "Iops": 4000},
            }
        ],
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": TAGS}
            for kind in ("instance", "volume", "network-interface", "spot-instances-request")
        ],
        **({"NetworkInterfaces": [nic]} if subnet else {}),
        **data,
    }
    made = aws.ec2.create_launch_template(
        LaunchTemplateName="cloudbench-r1-0",
        LaunchTemplateData={name: value for name, value in given.items() if value is not None},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": TAGS}],
    )
    return made["LaunchTemplate"]["LaunchTemplateId"]


def launch(aws, template, count=1, **params):
    run = aws.ec2.run_instances(LaunchTemplate={"LaunchTemplateId": template}, MinCount=1, MaxCount=count, **params)
    return [instance["InstanceId"] for instance in run["Instances"]]


def described(aws, instance):
    return aws.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


# ---- Records ----


def test_what_comes_in_is_recorded_as_a_caller_writes_it(server, aws):
    aws.ec2.describe_vpcs(Filters=[{"Name": "tag:RunId", "Values": ["r1"]}])
    aws.iam.create_role(RoleName="r", Path="/cloudbench/", AssumeRolePolicyDocument=TRUST)
    aws.sts.get_caller_identity()
    aws.s3.create_bucket(Bucket="results")
    aws.s3.put_object(Bucket="results", Key="a/b", Body=b"12345")
    with pytest.raises(ClientError):
        aws.ssm.get_parameter(Name="/nothing")
    seen = server.requests()
    assert [(record["service"], record["action"], record["write"], record["status"]) for record in seen] == [
        ("ec2", "DescribeVpcs", False, 200),
        ("iam", "CreateRole", True, 200),
        ("sts", "GetCallerIdentity", False, 200),
        ("s3", "CreateBucket", True, 200),
        ("s3", "PutObject", True, 200),
        ("ssm", "GetParameter", False, 400),
    ]
    assert seen[0]["params"] == {"Filters": [{"Name": "tag:RunId", "Values": ["r1"]}]}
    assert seen[1]["params"]["Path"] == "/cloudbench/"
    assert (seen[4]["params"]["Bucket"], seen[4]["params"]["Key"]) == ("results", "a/b")
    assert (seen[5]["error_code"], seen[0]["error_code"]) == ("ParameterNotFound", None)
    assert aws.s3.get_object(Bucket="results", Key="a/b")["Body"].read() == b"12345"
    assert [record["action"] for record in server.requests("Create*", service="iam")] == ["CreateRole"]
    assert all(not record["injected"] for record in seen)


def test_secrets_are_not_recorded(server, only_server, session):
    client = boto3.client(
        "ec2", "us-east-1", endpoint_url=server.endpoint,
        aws_access_key_id="AKIA" + "IOSFODNN7SECRETS", aws_secret_access_key="x", aws_session_token="the-session-token",
    )  # fmt: skip
    client.describe_vpcs()
    text = (server.state / "requests.jsonl").read_text()
    assert "DescribeVpcs" in text
    assert "AKIA" not in text
    assert "the-session-token" not in text
    assert "Signature" not in text


def test_records_survive_a_kill(tmp_path, session):
    with AwsServer(tmp_path / "state") as server:
        Clients(session, server.endpoint).sts.get_caller_identity()
        server._process.send_signal(signal.SIGKILL)
        server._process.wait()
        records = [json.loads(line) for line in (tmp_path / "state/requests.jsonl").read_text().splitlines()]
    assert [record["action"] for record in records] == ["GetCallerIdentity"]


def test_the_server_of_the_command_line_ends_with_its_signal(tmp_path):
    command = [sys.executable, aws_server.__file__, "--state", str(tmp_path), "--settings", '{"pending": 3}']
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        endpoint = json.loads(process.stdout.readline())["endpoint"]
        with urllib.request.urlopen(endpoint + "/_cloudbench/settings") as answer:
            assert json.load(answer)["pending"] == 3
        process.terminate()
    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize("wrong", ['{"hostz": []}', "{"])
def test_a_wrong_setting_is_refused_in_a_sentence(tmp_path, wrong):
    command = [sys.executable, aws_server.__file__, "--state", str(tmp_path), "--settings", wrong]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "hostz" in done.stderr or "--settings" in done.stderr


def test_wrong_rules_settings_and_paths_are_refused(server):
    with pytest.raises(ValueError, match="no codes; known: action"):
        server.fault(service="ec2", codes="X")
    with pytest.raises(ValueError, match="needs code"):
        server.fault(service="ec2")
    with pytest.raises(ValueError, match="no setting hostz"):
        server.configure(hostz=[])
    with pytest.raises(ValueError, match="nothing this server knows"):
        server._ask("GET", "request")
    assert server.faults() == []


# ---- Rules ----

PROTOCOLS = {
    "ec2": (lambda aws: aws.ec2.describe_vpcs, {}, "UnauthorizedOperation", 403),
    "iam": (lambda aws: aws.iam.get_role, {"RoleName": "r"}, "AccessDenied", 403),
    "sts": (lambda aws: aws.sts.get_caller_identity, {}, "ExpiredToken", 403),
    "ssm": (lambda aws: aws.ssm.get_parameter, {"Name": "x"}, "ThrottlingException", 400),
    "budgets": (lambda aws: aws.budgets.describe_budgets, {"AccountId": "123456789012"}, "AccessDeniedException", 400),
    "pricing": (lambda aws: aws.pricing.get_products, {"ServiceCode": "AmazonEC2"}, "AccessDeniedException", 400),
    "service-quotas": (
        lambda aws: aws.service_quotas.get_service_quota,
        {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}, "TooManyRequestsException", 400,
    ),
    "scheduler": (lambda aws: aws.scheduler.list_schedules, {}, "ValidationException", 400),
    "s3": (lambda aws: aws.s3.list_objects_v2, {"Bucket": "b"}, "SlowDown", 503),
}  # fmt: skip


@pytest.mark.parametrize("service", PROTOCOLS)
def test_an_error_has_the_shape_of_its_protocol(server, aws, service):
    call, params, wanted, status = PROTOCOLS[service]
    server.fault(service=service, code=wanted, message="No, because.")
    with pytest.raises(ClientError) as caught:
        call(aws)(**params)
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["Error"]["Message"]) == (wanted, "No, because.")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
    assert [(record["error_code"], record["injected"]) for record in server.requests()] == [(wanted, True)]


def test_a_modelled_error_becomes_the_exception_of_the_client(server, aws):
    server.fault(service="scheduler", action="DeleteSchedule", code="ResourceNotFoundException")
    with pytest.raises(aws.scheduler.exceptions.ResourceNotFoundException):
        aws.scheduler.delete_schedule(Name="x")
    server.fault(service="iam", action="GetRole", code="NoSuchEntity")
    with pytest.raises(aws.iam.exceptions.NoSuchEntityException):
        aws.iam.get_role(RoleName="x")


def test_times_skip_when_and_the_order_of_rules(server, aws):
    server.fault(action="DescribeVpcs", code="First", skip=1)
    server.fault(action="DescribeVpcs", code="Second", when={"VpcIds": "vpc-1*"}, times=None)
    server.fault(service="ec2", action="Describe*", code="Third", times=2, status=400)
    one, other = {"VpcIds": ["vpc-10"]}, {"VpcIds": ["vpc-20"]}
    describe = aws.ec2.describe_vpcs
    assert [code(describe, **params) for params in (one, one, one, other, other, other, one)] == [
        "Second", "First", "Second", "Third", "Third", "InvalidVpcID.NotFound", "Second",
    ]  # fmt: skip
    assert [rule["fired"] for rule in server.faults()] == [1, 3, 2]
    server.clear_faults()
    assert code(describe, **one) == "InvalidVpcID.NotFound"


def test_a_rule_sees_the_launch_template_behind_a_launch(server, aws, arm):
    launched = template(aws, arm)
    server.fault(
        action="RunInstances",
        code="InsufficientInstanceCapacity",
        when={"InstanceType": "c7g.*"},
        times=None,
        status=500,
    )
    assert code(aws.ec2.run_instances, LaunchTemplate={"LaunchTemplateId": launched}, MinCount=1, MaxCount=1) == (
        "InsufficientInstanceCapacity"
    )
    assert launch(aws, launched, InstanceType="m7g.large")


def test_a_lost_answer_is_found_again_by_its_client_token(server, aws, arm):
    launched = template(aws, arm)
    server.fault(action="RunInstances", code="InternalError", after=True)
    client = aws.client("ec2", retries=2)
    run = client.run_instances(LaunchTemplate={"LaunchTemplateId": launched}, MinCount=1, MaxCount=1)
    assert [record["status"] for record in server.requests("RunInstances")] == [500, 200]
    left = [thing["id"] for thing in server.leftovers() if thing["kind"] == "instance"]
    assert left == [run["Instances"][0]["InstanceId"]]
    tokens = {record["params"]["ClientToken"] for record in server.requests("RunInstances")}
    assert len(tokens) == 1
    again = {"LaunchTemplate": {"LaunchTemplateId": launched}, "MinCount": 1, "ClientToken": tokens.pop()}
    assert code(aws.ec2.run_instances, MaxCount=2, **again) == "IdempotentParameterMismatch"


def test_a_lost_answer_of_a_call_without_token_leaves_a_second_thing(server, aws):
    server.fault(action="CreateVpc", drop=True, after=True)
    aws.client("ec2", retries=2).create_vpc(CidrBlock="10.9.0.0/24")
    assert [record["status"] for record in server.requests("CreateVpc")] == [None, 200]
    assert [thing["kind"] for thing in server.leftovers()] == ["vpc", "vpc"]


def test_a_dropped_request_changes_nothing(server, aws):
    server.fault(action="CreateVpc", drop=True)
    with pytest.raises(ConnectionClosedError):
        aws.ec2.create_vpc(CidrBlock="10.9.0.0/24")
    assert server.leftovers() == []


def test_a_late_answer_is_a_timeout_and_delays_no_one_else(server, aws):
    server.fault(action="CreateVpc", delay=60)
    with pytest.raises(ReadTimeoutError):
        aws.client("ec2", read_timeout=0.3).create_vpc(CidrBlock="10.9.0.0/24")
    while not server.requests("CreateVpc"):
        time.sleep(0.02)
    assert aws.ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.9.0.0/24"]}])["Vpcs"]


def test_a_new_thing_is_not_found_by_the_first_who_name_it(server, aws):
    server.fault(action="CreateVpc", eventual=2)
    vpc = aws.ec2.create_vpc(CidrBlock="10.9.0.0/24")["Vpc"]["VpcId"]
    assert code(aws.ec2.create_subnet, VpcId=vpc, CidrBlock="10.9.0.0/25") == "InvalidVpcID.NotFound"
    aws.ec2.describe_vpcs()
    assert aws.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"] == []
    assert aws.ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    assert [record["injected"] for record in server.requests()] == [False, True, False, True, False]
    aws.ec2.delete_vpc(VpcId=vpc)


def test_every_new_thing_can_be_late(server, aws, arm):
    server.fault(eventual=1)
    ec2, iam = aws.ec2, aws.iam
    vpc, missing = ec2.create_vpc(CidrBlock="10.9.0.0/24")["Vpc"]["VpcId"], {}
    missing["vpc"] = code(ec2.describe_vpcs, VpcIds=[vpc])
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/25")["Subnet"]["SubnetId"]
    missing["subnet"] = code(ec2.modify_subnet_attribute, SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    missing["gateway"] = code(ec2.attach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    missing["table"] = code(ec2.associate_route_table, RouteTableId=table, SubnetId=subnet)
    group = ec2.create_security_group(GroupName="g", Description="-", VpcId=vpc)["GroupId"]
    missing["group"] = code(ec2.describe_security_groups, GroupIds=[group])
    ec2.create_key_pair(KeyName="k", KeyType="ed25519")
    missing["key"] = code(ec2.describe_key_pairs, KeyNames=["k"])
    iam.create_role(RoleName="same", AssumeRolePolicyDocument=TRUST)
    missing["role"] = code(iam.get_role, RoleName="same")
    iam.create_instance_profile(InstanceProfileName="same")
    missing["profile"] = code(iam.add_role_to_instance_profile, InstanceProfileName="same", RoleName="same")
    launched = template(aws, arm)
    missing["template"] = code(ec2.describe_launch_templates, LaunchTemplateIds=[launched])
    missing["template name"] = code(ec2.describe_launch_templates, LaunchTemplateNames=["cloudbench-r1-0"])
    instance = launch(aws, launched)[0]
    missing["instance"] = code(ec2.describe_instances, InstanceIds=[instance])
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    missing["volume"] = code(ec2.describe_volumes, VolumeIds=[volume])
    assert missing == {
        "vpc": "InvalidVpcID.NotFound",
        "subnet": "InvalidSubnetID.NotFound",
        "gateway": "InvalidInternetGatewayID.NotFound",
        "table": "InvalidRouteTableID.NotFound",
        "group": "InvalidGroup.NotFound",
        "key": "InvalidKeyPair.NotFound",
        "role": "NoSuchEntity",
        "profile": "NoSuchEntity",
        "template": "InvalidLaunchTemplateId.NotFound",
        "template name": "InvalidLaunchTemplateName.NotFoundException",
        "instance": "InvalidInstanceID.NotFound",
        "volume": "InvalidVolume.NotFound",
    }
    described(aws, instance)


def test_the_index_of_tags_can_be_late(server, aws, arm):
    server.fault(action="RunInstances", eventual_tags=2)
    launched = template(aws, arm)
    instance = launch(aws, launched)[0]

    def by_tag():
        filters = [{"Name": "tag:RunId", "Values": ["r1"]}]
        reservations = aws.ec2.describe_instances(Filters=filters)["Reservations"]
        return [one["InstanceId"] for found in reservations for one in found["Instances"]]

    assert by_tag() == []
    assert {tag["Key"] for tag in described(aws, instance)["Tags"]} >= {"RunId", "Name"}
    assert by_tag() == []
    assert by_tag() == [instance]
    server.fault(action="RunInstances", eventual_tags="600 s")
    launch(aws, launched)
    assert by_tag() == [instance]
    server.clear_faults()
    assert len(by_tag()) == 2


def test_ec2_and_the_scheduler_hear_of_new_roles_late(server, aws, arm):
    server.fault(service="iam", eventual="600 s")
    aws.iam.create_instance_profile(InstanceProfileName="late")
    role = aws.iam.create_role(RoleName="late", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    launched = template(aws, arm, IamInstanceProfile={"Name": "late"})
    with pytest.raises(ClientError, match="Invalid IAM Instance Profile name"):
        launch(aws, launched)
    schedule = {
        "Name": "s", "ScheduleExpression": "at(2026-11-24T21:00:00)", "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances", "RoleArn": role, "Input": "{}"},
    }  # fmt: skip
    with pytest.raises(ClientError, match="must allow AWS EventBridge Scheduler to assume the role"):
        aws.scheduler.create_schedule(**schedule)
    server.clear_faults()
    aws.scheduler.create_schedule(**schedule)


# ---- Instances ----


def test_a_launch_template_is_applied_to_the_instance(server, aws, arm):
    _vpc, subnet, _gateway, _table, group = network(aws.ec2)
    aws.iam.create_instance_profile(InstanceProfileName="cloudbench-r1", Path="/cloudbench/")
    launched = template(aws, arm, group, subnet, IamInstanceProfile={"Name": "cloudbench-r1"})
    first, second = (described(aws, instance) for instance in launch(aws, launched, count=2))
    for instance in (first, second):
        assert instance["MetadataOptions"]["HttpTokens"] == "required"
        assert instance["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
        assert instance["IamInstanceProfile"]["Arn"].endswith(":instance-profile/cloudbench/cloudbench-r1")
        assert (instance["SubnetId"], instance["Placement"]["AvailabilityZone"]) == (subnet, "us-east-1b")
        assert [of["GroupId"] for of in instance["SecurityGroups"]] == [group]
        assert instance["NetworkInterfaces"][0]["Attachment"]["DeleteOnTermination"]
        assert (instance["State"]["Name"], instance["Architecture"]) == ("running", "arm64")
        assert instance["PublicIpAddress"]
        tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
        assert tags == {
            "RunId": "r1", "Name": "cloudbench-r1",
            "aws:ec2launchtemplate:id": launched, "aws:ec2launchtemplate:version": "1",
        }  # fmt: skip
    asked = {"InstanceId": first["InstanceId"]}
    attribute = aws.ec2.describe_instance_attribute
    assert attribute(Attribute="instanceInitiatedShutdownBehavior", **asked)["InstanceInitiatedShutdownBehavior"] == {
        "Value": "terminate"
    }
    data = attribute(Attribute="userData", **asked)["UserData"]["Value"]
    assert base64.b64decode(data) == b"#!/bin/sh\nshutdown -P +240\n"
    volume = aws.ec2.describe_volumes(Filters=[{"Name": "tag:RunId", "Values": ["r1"]}])["Volumes"][0]
    wanted = {"VolumeType": "gp3", "Size": 40, "Encrypted": True, "Iops": 4000, "Throughput": 300}
    assert {name: volume[name] for name in wanted} == wanted
    nics = aws.ec2.describe_network_interfaces(Filters=[{"Name": "tag:RunId", "Values": ["r1"]}])
    assert len(nics["NetworkInterfaces"]) == 2


def test_what_the_request_says_wins_over_the_template(server, aws, arm):
    launched = template(aws, arm)
    spec = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "mine"}, {"Key": "Row", "Value": "1"}]}]
    instance = described(aws, launch(aws, launched, InstanceType="m7g.large", TagSpecifications=spec)[0])
    tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"] if not tag["Key"].startswith("aws:")}
    assert (instance["InstanceType"], tags) == ("m7g.large", {"RunId": "r1", "Name": "mine", "Row": "1"})


def test_the_image_brings_its_root_volume(server, aws, arm):
    launched = template(aws, arm, BlockDeviceMappings=None)
    instance = described(aws, launch(aws, launched)[0])
    assert [device["DeviceName"] for device in instance["BlockDeviceMappings"]] == ["/dev/xvda"]
    assert instance["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"]


def test_a_template_shows_what_it_was_made_of_and_loses_versions(server, aws, arm):
    launched = template(aws, arm)
    aws.ec2.create_launch_template_version(LaunchTemplateId=launched, LaunchTemplateData={"InstanceType": "c8g.large"})
    versions = aws.ec2.describe_launch_template_versions(LaunchTemplateId=launched)["LaunchTemplateVersions"]
    kinds = [spec["ResourceType"] for spec in versions[0]["LaunchTemplateData"]["TagSpecifications"]]
    assert kinds == ["instance", "volume", "network-interface", "spot-instances-request"]
    gone = aws.ec2.delete_launch_template_versions(LaunchTemplateId=launched, Versions=["1", "2", "3"])
    assert [of["VersionNumber"] for of in gone["SuccessfullyDeletedLaunchTemplateVersions"]] == [2]
    assert [of["ResponseError"]["Code"] for of in gone["UnsuccessfullyDeletedLaunchTemplateVersions"]] == [
        "operationNotPermitted", "launchTemplateVersionDoesNotExist",
    ]  # fmt: skip
    one = {"LaunchTemplateId": launched, "Version": "2"}
    assert code(aws.ec2.run_instances, LaunchTemplate=one, MinCount=1, MaxCount=1) == (
        "InvalidLaunchTemplateId.VersionNotFound"
    )
    aws.ec2.delete_launch_template(LaunchTemplateId=launched)
    assert code(aws.ec2.delete_launch_template, LaunchTemplateId=launched) == "InvalidLaunchTemplateId.NotFound"
    assert server.leftovers() == []


def test_more_templates_than_a_page_of_moto_are_described(server, aws, arm):
    for number in range(17):
        aws.ec2.create_launch_template(LaunchTemplateName=f"x{number}", LaunchTemplateData={"ImageId": arm})
    assert len(aws.ec2.describe_launch_templates()["LaunchTemplates"]) == 17


def direct(aws, image, **params):
    given = {"ImageId": image, "InstanceType": "c7g.large", "MinCount": 1, "MaxCount": 1, **params}
    return code(aws.ec2.run_instances, **{name: value for name, value in given.items() if value is not None})


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"InstanceType": "c99z.huge"}, "InvalidParameterValue"),
        ({"InstanceType": "c7i.large"}, "InvalidParameterValue"),
        ({"ImageId": "ami-00000000000000000"}, "InvalidAMIID.NotFound"),
        ({"ImageId": None}, "MissingParameter"),
        ({"KeyName": "nobody's"}, "InvalidKeyPair.NotFound"),
        ({"SecurityGroupIds": ["sg-00000000000000000"]}, "InvalidGroup.NotFound"),
        ({"SubnetId": "subnet-00000000000000000"}, "InvalidSubnetID.NotFound"),
        ({"IamInstanceProfile": {"Name": "nobody's"}}, "InvalidParameterValue"),
        ({"LaunchTemplate": {"LaunchTemplateName": "none"}}, "InvalidLaunchTemplateName.NotFoundException"),
        ({"Placement": {"AvailabilityZone": "us-east-1e"}, "InstanceType": "c7g.16xlarge"}, "Unsupported"),
        ({"MaxCount": 11, "InstanceType": "c7g.16xlarge"}, "VcpuLimitExceeded"),
        ({"MaxCount": 11, "InstanceType": "c7g.16xlarge", "InstanceMarketOptions": {"MarketType": "spot"}},
         "MaxSpotInstanceCountExceeded"),
        ({"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.1"}}}, "SpotMaxPriceTooLow"),
        ({"DryRun": True}, "DryRunOperation"),
    ],
)  # fmt: skip
def test_a_launch_is_refused_as_ec2_refuses_it(server, aws, arm, params, wanted):
    assert direct(aws, arm, **params) == wanted
    assert server.leftovers() == []
    assert server.requests("RunInstances")[0]["write"] is ("DryRun" not in params)


def test_the_architectures_are_named(server, aws, arm):
    with pytest.raises(ClientError, match="'arm64' of the specified image does not match the architecture 'x86_64' of"):
        aws.ec2.run_instances(ImageId=arm, InstanceType="c7i.large", MinCount=1, MaxCount=1)


def test_quotas_can_be_set(server, aws, arm):
    server.configure(quotas={"L-1216C47A": 3, "L-34B43A08": 0})
    quota = aws.service_quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")["Quota"]
    assert (quota["Value"], quota["QuotaName"][:17]) == (3, "Running On-Demand")
    assert code(aws.service_quotas.get_service_quota, ServiceCode="ec2", QuotaCode="L-1") == "NoSuchResourceException"
    aws.ec2.run_instances(ImageId=arm, InstanceType="c7g.large", MinCount=1, MaxCount=1)
    assert direct(aws, arm) == "VcpuLimitExceeded"
    assert direct(aws, arm, InstanceMarketOptions={"MarketType": "spot"}) == "MaxSpotInstanceCountExceeded"


def test_a_region_has_room_for_so_many_vpcs(server, aws):
    server.configure(vpcs=2)
    quota = aws.service_quotas.get_service_quota(ServiceCode="vpc", QuotaCode="L-F678F1CE")["Quota"]
    assert (quota["Value"], quota["QuotaName"]) == (2, "VPCs per Region")
    aws.ec2.create_vpc(CidrBlock="10.9.0.0/24")
    assert code(aws.ec2.create_vpc, CidrBlock="10.9.0.0/24") == "VpcLimitExceeded"
    aws.client("ec2", region="eu-west-1").create_vpc(CidrBlock="10.9.0.0/24")


def test_an_account_on_the_free_plan_launches_little(server, aws, arm):
    plan = aws.freetier.get_account_plan_state
    assert (plan()["accountPlanType"], plan()["accountPlanStatus"]) == ("PAID", "ACTIVE")
    server.configure(account_plan=None)
    assert code(plan) == "ResourceNotFoundException"
    server.configure(account_plan="FREE")
    assert plan()["accountPlanType"] == "FREE"
    eligible = [{"Name": "free-tier-eligible", "Values": ["true"]}]
    listed = aws.ec2.describe_instance_types(Filters=eligible)["InstanceTypes"]
    assert {"c7i-flex.large", "m7i-flex.large", "t3.micro", "t4g.small"} <= {row["InstanceType"] for row in listed}
    assert len(listed) < 10
    with pytest.raises(ClientError, match="The specified instance type is not eligible for Free Tier") as caught:
        launch(aws, template(aws, arm))
    assert caught.value.response["Error"]["Code"] == "InvalidParameterCombination"
    aws.ec2.delete_launch_template(LaunchTemplateName="cloudbench-r1-0")
    launch(aws, template(aws, arm, InstanceType="t4g.small"))


def test_a_role_is_bounded_by_what_is_there(server, aws):
    arn = "arn:aws:iam::123456789012:policy/bound"
    given = {"RoleName": "r", "AssumeRolePolicyDocument": TRUST, "PermissionsBoundary": arn}
    assert code(aws.iam.create_role, **given) == "NoSuchEntity"
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    aws.iam.create_policy(
        PolicyName="bound", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    aws.iam.create_role(**given)
    assert aws.iam.get_role(RoleName="r")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn


def test_states_take_the_descriptions_they_are_given(server, aws, arm):
    server.configure(pending=2, shutting_down=1)
    _vpc, subnet, _gateway, _table, group = network(aws.ec2)
    instance = launch(aws, template(aws, arm, group, subnet))[0]
    states = [described(aws, instance)["State"]["Name"] for _one in range(3)]
    assert states == ["pending", "pending", "running"]
    change = aws.ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"][0]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "shutting-down")
    assert "instance" in [thing["kind"] for thing in server.leftovers()]
    states = [described(aws, instance)["State"]["Name"] for _one in range(3)]
    assert states == ["shutting-down", "terminated", "terminated"]
    assert {"instance", "volume", "network-interface"}.isdisjoint(thing["kind"] for thing in server.leftovers())


def test_hosts_are_handed_out_in_the_order_of_launch(server, aws, arm):
    server.configure(hosts=[{"address": "198.18.0.2", "console": "ssh-ed25519 AAAA"}, {"address": "198.18.0.6"}])
    launched = template(aws, arm)
    instances = [*launch(aws, launched), *launch(aws, launched, count=2)]
    addresses = [described(aws, instance)["PublicIpAddress"] for instance in instances]
    assert addresses[:2] == ["198.18.0.2", "198.18.0.6"]
    assert not addresses[2].startswith("198.18.")
    output = [aws.ec2.get_console_output(InstanceId=instance).get("Output", "") for instance in instances]
    assert output == ["ssh-ed25519 AAAA", "", ""]


# ---- Spot ----


def spot(aws, arm):
    options = {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time", "MaxPrice": "0.9"}}
    instance = launch(aws, template(aws, arm, InstanceMarketOptions=options))[0]
    return instance, described(aws, instance)["SpotInstanceRequestId"]


def request(aws, name):
    return aws.ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[name])["SpotInstanceRequests"][0]


def test_a_spot_launch_has_a_tagged_request(server, aws, arm):
    instance, name = spot(aws, arm)
    assert described(aws, instance)["InstanceLifecycle"] == "spot"
    by_tag = aws.ec2.describe_spot_instance_requests(Filters=[{"Name": "tag:RunId", "Values": ["r1"]}])
    found = by_tag["SpotInstanceRequests"][0]
    assert (found["SpotInstanceRequestId"], found["InstanceId"], found["State"]) == (name, instance, "active")
    assert (found["Status"]["Code"], found["SpotPrice"], found["Type"]) == ("fulfilled", "0.9", "one-time")
    assert found["Tags"] == TAGS
    aws.ec2.terminate_instances(InstanceIds=[instance])
    assert (request(aws, name)["State"], request(aws, name)["Status"]["Code"]) == (
        "closed", "instance-terminated-by-user",
    )  # fmt: skip
    assert [thing["kind"] for thing in server.leftovers()] == ["launch-template"]


def test_a_cancelled_request_leaves_its_instance_running(server, aws, arm):
    instance, name = spot(aws, arm)
    cancelled = aws.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[name])["CancelledSpotInstanceRequests"]
    assert cancelled == [{"SpotInstanceRequestId": name, "State": "cancelled"}]
    assert request(aws, name)["Status"]["Code"] == "request-canceled-and-instance-running"
    kinds = [thing["kind"] for thing in server.leftovers()]
    assert ("instance" in kinds, "spot-request" in kinds) == (True, False)
    assert described(aws, instance)["State"]["Name"] == "running"
    for call in (aws.ec2.cancel_spot_instance_requests, aws.ec2.describe_spot_instance_requests):
        assert code(call, SpotInstanceRequestIds=["sir-0000000a"]) == "InvalidSpotInstanceRequestID.NotFound"


def test_capacity_is_reclaimed(server, aws, arm):
    instance, name = spot(aws, arm)
    assert server.terminate(instance) == [instance]
    gone = described(aws, instance)
    assert (gone["State"]["Name"], gone["StateReason"]["Code"]) == ("terminated", "Server.SpotInstanceTermination")
    assert (request(aws, name)["State"], request(aws, name)["Status"]["Code"]) == (
        "closed", "instance-terminated-no-capacity",
    )  # fmt: skip
    assert server.terminate() == []


def schedule(aws, name, role, *instances):
    aws.scheduler.create_schedule(
        Name=name, ScheduleExpression="at(2026-11-24T21:00:00)", FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances", "RoleArn": role,
            "Input": json.dumps({"InstanceIds": list(instances)}),
        },
    )  # fmt: skip


def test_the_time_of_schedules_comes(server, aws, arm):
    role = aws.iam.create_role(RoleName="expiry", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    first, second, third = launch(aws, template(aws, arm), 3)
    assert server.terminate(first, forgotten=True) == [first]
    assert code(aws.ec2.describe_instances, InstanceIds=[first]) == "InvalidInstanceID.NotFound"
    # One that EC2 does not know, and none is ended.
    assert code(aws.ec2.terminate_instances, InstanceIds=[first, second]) == "InvalidInstanceID.NotFound"
    assert described(aws, second)["State"]["Name"] == "running"
    schedule(aws, "all", role, first, second, third)
    schedule(aws, "one", role, second)
    assert server.expire() == [
        {"name": "all", "ended": [], "error": "InvalidInstanceID.NotFound"},
        {"name": "one", "ended": [second], "error": None},
    ]
    assert [described(aws, one)["State"]["Name"] for one in (second, third)] == ["terminated", "running"]
    # They have deleted themselves; without its role one can do nothing.
    assert server.expire() == []
    schedule(aws, "late", role, third)
    aws.iam.delete_role(RoleName="expiry")
    assert server.expire() == [{"name": "late", "ended": [], "error": "ValidationException"}]
    assert described(aws, third)["State"]["Name"] == "running"


def test_the_regions_are_those_that_are_switched_on(server, aws):
    def names(**params):
        return {row["RegionName"] for row in aws.ec2.describe_regions(**params)["Regions"]}

    assert len(names()) == 17
    assert names() < names(AllRegions=True)
    server.configure(regions=["us-east-1"])
    assert names() == {"us-east-1"}


def test_an_instance_ends_itself(server, aws, arm):
    reason = "Client.InstanceInitiatedShutdown"
    instance, name = spot(aws, arm)
    with pytest.raises(ValueError, match="no reason Whim; known: Server"):
        server.terminate(instance, "Whim")
    server.terminate(instance, reason)
    assert described(aws, instance)["StateReason"] == {
        "Code": reason,
        "Message": f"{reason}: Instance initiated shutdown",
    }
    assert request(aws, name)["Status"]["Code"] == "instance-terminated-by-user"


def test_limits_and_schedules_come_by_themselves_where_a_minute_is_over(server, aws, arm):
    address = {"address": "127.0.0.2", "console": ""}
    server.configure(hosts=[{**address, "address": f"127.0.0.{number}"} for number in (2, 3, 4)])
    data = base64.b64encode(b"#!/bin/sh\n# first\nshutdown -P +9\n").decode()
    limited, cancelled, scheduled = launch(aws, template(aws, arm, UserData=data), 3)
    role = aws.iam.create_role(RoleName="expiry", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    schedule(aws, "one", role, scheduled)
    assert server.shutdown("127.0.0.2") / 1e6 == pytest.approx(time.time() + 540, abs=60)
    for other in ("127.0.0.3", "127.0.0.4"):
        assert server.shutdown(other, cancel=True) is None
    with pytest.raises(ValueError, match=r"no instance has the address 127\.0\.0\.9"):
        server.shutdown("127.0.0.9")
    assert described(aws, limited)["State"]["Name"] == "running"
    server.configure(minute=0.001)
    time.sleep(0.1)
    reasons = [described(aws, one).get("StateReason", {}).get("Code") for one in (limited, cancelled, scheduled)]
    assert reasons == ["Client.InstanceInitiatedShutdown", "", "Client.UserInitiatedShutdown"]
    assert described(aws, cancelled)["State"]["Name"] == "running"
    assert [thing["kind"] for thing in server.leftovers() if thing["kind"] == "schedule"] == []


def test_the_simulator_looks_at_action_resource_and_context(server, aws):
    statement = {
        "Effect": "Allow", "Action": "ec2:DeleteVpc", "Resource": "arn:aws:ec2:*:*:vpc/*",
        "Condition": {"StringEquals": {"aws:ResourceTag/Project": "p"}},
    }  # fmt: skip
    own = {"Effect": "Allow", "Action": "ssm:ResumeSession", "Resource": "arn:aws:ssm:*:*:session/${aws:userid}-*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement, own]})

    def decided(action, resource, **context):
        entries = [
            {"ContextKeyName": key.replace("_", ":"), "ContextKeyValues": [value], "ContextKeyType": "string"}
            for key, value in context.items()
        ]
        answer = aws.iam.simulate_custom_policy(
            PolicyInputList=[text], ActionNames=[action], ResourceArns=[resource], ContextEntries=entries
        )
        (result,) = answer["EvaluationResults"]
        assert (result["EvalActionName"], result["EvalResourceName"]) == (action, resource)
        return result["EvalDecision"]

    vpc = "arn:aws:ec2:us-east-1:123456789012:vpc/x"
    assert decided("ec2:DeleteVpc", vpc) == "implicitDeny"
    assert decided("ec2:DeleteVpc", vpc, **{"aws_ResourceTag/Project": "p"}) == "allowed"
    assert decided("ec2:DeleteVpc", vpc.replace("vpc", "subnet"), **{"aws_ResourceTag/Project": "p"}) == "implicitDeny"
    session = "arn:aws:ssm:us-east-1:123456789012:session/{}-1"
    assert decided("ssm:ResumeSession", session.format("me"), aws_userid="me") == "allowed"
    assert decided("ssm:ResumeSession", session.format("you"), aws_userid="me") == "implicitDeny"
    assert server.requests("SimulateCustomPolicy")[0]["write"] is False


def test_a_role_is_assumed_once_it_is_there(server, aws, session):
    arn = "arn:aws:iam::123456789012:role/cloudbench/r"
    assert code(aws.sts.assume_role, RoleArn=arn, RoleSessionName="me") == "AccessDenied"
    aws.iam.create_role(RoleName="r", Path="/cloudbench/", AssumeRolePolicyDocument=TRUST)
    given = aws.sts.assume_role(RoleArn=arn, RoleSessionName="me")
    assert given["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/r/me"
    assert given["Credentials"]["Expiration"].timestamp() == pytest.approx(time.time() + 3600, abs=60)


def test_spot_prices_are_those_that_were_set(server, aws):
    server.configure(spot_prices={"c7g.16xlarge": {"us-east-1a": 0.7, "us-east-1b": 0.5}})
    history = aws.ec2.describe_spot_price_history(
        InstanceTypes=["c7g.16xlarge", "c7g.large"], ProductDescriptions=["Linux/UNIX"]
    )["SpotPriceHistory"]
    assert [(row["AvailabilityZone"], row["SpotPrice"]) for row in history] == [
        ("us-east-1a", "0.700000"), ("us-east-1b", "0.500000"),
    ]  # fmt: skip


# ---- What depends on what ----


def test_nothing_goes_while_something_is_in_it(server, aws, arm):
    server.configure(shutting_down=1)
    ec2 = aws.ec2
    vpc, subnet, gateway, table, group = network(ec2)
    instance = launch(aws, template(aws, arm, group, subnet))[0]
    main = ec2.describe_route_tables(Filters=[{"Name": "association.main", "Values": ["true"]}])["RouteTables"]
    main = next(table["RouteTableId"] for table in main if table["VpcId"] == vpc)
    for call, params in (
        (ec2.delete_security_group, {"GroupId": group}),
        (ec2.delete_subnet, {"SubnetId": subnet}),
        (ec2.detach_internet_gateway, {"InternetGatewayId": gateway, "VpcId": vpc}),
        (ec2.delete_internet_gateway, {"InternetGatewayId": gateway}),
        (ec2.delete_route_table, {"RouteTableId": table}),
        (ec2.delete_route_table, {"RouteTableId": main}),
        (ec2.delete_vpc, {"VpcId": vpc}),
    ):
        assert code(call, **params) == "DependencyViolation", params
    nic = described(aws, instance)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    assert code(ec2.delete_network_interface, NetworkInterfaceId=nic) == "InvalidParameterValue"
    ec2.terminate_instances(InstanceIds=[instance])
    assert code(ec2.delete_subnet, SubnetId=subnet) == "DependencyViolation"
    assert code(ec2.delete_subnet, SubnetId=subnet) == "DependencyViolation"
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_subnet(SubnetId=subnet)
    assert code(ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"
    ec2.delete_route_table(RouteTableId=table)
    assert code(ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    assert [thing["kind"] for thing in server.leftovers()] == ["launch-template"]


def test_a_network_stays_while_it_has_an_endpoint(server, aws):
    vpc = aws.ec2.create_vpc(CidrBlock="10.9.0.0/24")["Vpc"]["VpcId"]
    name = "com.amazonaws.us-east-1.s3"
    made = aws.ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=name, VpcEndpointType="Gateway")
    endpoint = made["VpcEndpoint"]["VpcEndpointId"]
    assert code(aws.ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"
    assert [thing["kind"] for thing in server.leftovers()] == ["vpc", "vpc-endpoint"]
    aws.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    aws.ec2.delete_vpc(VpcId=vpc)
    assert server.leftovers() == []


def test_a_security_group_stays_while_another_names_it(server, aws):
    vpc, _subnet, _gateway, _table, group = network(aws.ec2)
    other = aws.ec2.create_security_group(GroupName="other", Description="-", VpcId=vpc)["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": group}]}
    aws.ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[rule])
    assert code(aws.ec2.delete_security_group, GroupId=group) == "DependencyViolation"
    aws.ec2.delete_security_group(GroupId=other)
    aws.ec2.delete_security_group(GroupId=group)


def test_volumes_that_do_not_go_with_their_instance_are_left(server, aws, arm):
    devices = [
        {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 9, "DeleteOnTermination": False}},
        {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 9}},
    ]
    instance = launch(aws, template(aws, arm, BlockDeviceMappings=devices))[0]
    aws.ec2.terminate_instances(InstanceIds=[instance])
    volumes = [thing["id"] for thing in server.leftovers() if thing["kind"] == "volume"]
    assert len(volumes) == 1
    aws.ec2.delete_volume(VolumeId=volumes[0])


# ---- Images, prices, regions ----


@pytest.mark.parametrize(
    ("name", "kind", "device", "owner"),
    [
        (UBUNTU.format("arm64"), "arm64", "/dev/sda1", "099720109477"),
        (UBUNTU.format("amd64"), "x86_64", "/dev/sda1", "099720109477"),
        (DEBIAN.format("arm64"), "arm64", "/dev/xvda", "136693071363"),
        (DEBIAN.format("amd64"), "x86_64", "/dev/xvda", "136693071363"),
        (ARM, "arm64", "/dev/xvda", "137112412989"),
        (ARM.replace("arm64", "x86_64"), "x86_64", "/dev/xvda", "137112412989"),
    ],
)
def test_public_parameters_point_at_images(server, aws, name, kind, device, owner):
    parameter = aws.ssm.get_parameter(Name=name)["Parameter"]
    image = aws.ec2.describe_images(ImageIds=[parameter["Value"]])["Images"][0]
    assert (image["Architecture"], image["RootDeviceName"], image["OwnerId"]) == (kind, device, owner)
    assert (image["VirtualizationType"], image["State"], image["RootDeviceType"]) == ("hvm", "available", "ebs")


def test_public_parameters_are_answered_together(server, aws):
    names = [DEBIAN.format("arm64"), ARM, "/nothing"]
    answer = aws.ssm.get_parameters(Names=names)
    assert {parameter["Name"] for parameter in answer["Parameters"]} == {names[0], ARM}
    assert answer["InvalidParameters"] == ["/nothing"]


def test_images_differ_between_regions(server, aws):
    west = aws.client("ssm", "us-west-2").get_parameter(Name=DEBIAN.format("arm64"))["Parameter"]["Value"]
    assert aws.client("ec2", "us-west-2").describe_images(ImageIds=[west])["Images"]
    assert code(aws.ec2.describe_images, ImageIds=[west]) == "InvalidAMIID.NotFound"


def test_the_price_list_answers_filters(server, aws):
    server.configure(prices=[{"instanceType": "c7g.large", "usd": 0.5}, {"volumeApiName": "gp3", "usd": 0.25}])

    def prices(**fields):
        filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in fields.items()]
        found = aws.pricing.get_products(ServiceCode="AmazonEC2", Filters=filters)["PriceList"]
        rows = [json.loads(row) for row in found]
        terms = [term for row in rows for term in row["terms"]["OnDemand"].values()]
        return [(of["unit"], of["pricePerUnit"]["USD"]) for term in terms for of in term["priceDimensions"].values()]

    linux = {"operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used"}
    assert prices(instanceType="c7g.large", regionCode="eu-west-1", **linux) == [("Hrs", "0.5000000000")]
    assert prices(volumeApiName="gp3", productFamily="Storage") == [("GB-Mo", "0.2500000000")]
    assert prices(instanceType="c7g.large", operatingSystem="Windows") == []


def test_a_region_there_is_not_knows_no_credentials(server, aws):
    assert code(aws.client("ec2", "us-nowhere-1").describe_vpcs) == "AuthFailure"
    assert code(aws.client("ssm", "us-nowhere-1").get_parameter, Name=ARM) == "UnrecognizedClientException"


def test_what_nobody_answers_is_said(server, aws):
    assert code(aws.ssm.get_inventory) == "UnknownToTheTestServer"
    scope = "AWS4-HMAC-SHA256 Credential=a/20261124/us-east-1/{}/aws4_request, SignedHeaders=x, Signature=y"
    for service in ("ec2", "no-service"):
        ask = urllib.request.Request(server.endpoint, b"Action=Dance", {"Authorization": scope.format(service)})
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(ask)
    assert [(record["service"], record["action"]) for record in server.requests()[1:]] == [
        ("ec2", "Dance"), ("no-service", "Dance"),
    ]  # fmt: skip


# ---- Placement groups ----


@pytest.fixture
def close(server, aws):
    """The name of a placement group of strategy cluster."""
    tags = [{"ResourceType": "placement-group", "Tags": TAGS}]
    aws.ec2.create_placement_group(GroupName="close", Strategy="cluster", TagSpecifications=tags)
    return "close"


def test_a_placement_group_is_found_by_name_and_tag(server, aws, close):
    (group,) = aws.ec2.describe_placement_groups(Filters=[{"Name": "tag:RunId", "Values": ["r1"]}])["PlacementGroups"]
    assert (group["GroupName"], group["Strategy"], group["State"]) == (close, "cluster", "available")
    assert group["Tags"] == TAGS
    assert aws.ec2.describe_placement_groups(GroupNames=[close])["PlacementGroups"] == [group]
    for name, value in (("tag:RunId", "r2"), ("group-name", "other"), ("strategy", "spread")):
        asked = [{"Name": name, "Values": [value]}]
        assert aws.ec2.describe_placement_groups(Filters=asked)["PlacementGroups"] == []
    assert aws.client("ec2", "us-west-2").describe_placement_groups()["PlacementGroups"] == []
    assert [leftover["kind"] for leftover in server.leftovers()] == ["placement-group"]


def test_placement_groups_are_refused_as_ec2_refuses_them(server, aws, close):
    assert code(aws.ec2.create_placement_group, GroupName=close, Strategy="spread") == "InvalidPlacementGroup.Duplicate"
    assert code(aws.ec2.delete_placement_group, GroupName="other") == "InvalidPlacementGroup.Unknown"
    assert code(aws.ec2.describe_placement_groups, GroupNames=["other"]) == "InvalidPlacementGroup.Unknown"
    assert code(aws.ec2.create_placement_group, GroupName="new", DryRun=True) == "DryRunOperation"
    assert code(aws.ec2.delete_placement_group, GroupName=close, DryRun=True) == "DryRunOperation"
    assert len(aws.ec2.describe_placement_groups()["PlacementGroups"]) == 1
    aws.ec2.delete_placement_group(GroupName=close)
    assert server.leftovers() == []


def test_a_cluster_group_has_one_zone_and_not_every_type(server, aws, arm, close):
    inside = {"GroupName": close}
    assert direct(aws, arm, InstanceType="t4g.small", Placement=inside) == "InvalidParameterCombination"
    assert direct(aws, arm, Placement={"GroupName": "other"}) == "InvalidPlacementGroup.Unknown"
    here, there = ({**inside, "AvailabilityZone": f"us-east-1{zone}"} for zone in "ab")
    launch = {"ImageId": arm, "InstanceType": "c7g.large", "MinCount": 1, "MaxCount": 1}
    (instance,) = aws.ec2.run_instances(**launch, Placement=here)["Instances"]
    assert direct(aws, arm, Placement=there) == "InvalidParameterValue"
    ((told,),) = [reservation["Instances"] for reservation in aws.ec2.describe_instances()["Reservations"]]
    assert (told["InstanceId"], told["Placement"]["GroupName"]) == (instance["InstanceId"], close)
    assert code(aws.ec2.delete_placement_group, GroupName=close) == "InvalidPlacementGroup.InUse"
    aws.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    aws.ec2.run_instances(**launch, Placement=there)


# ---- What is left ----


def test_everything_that_is_left_is_found_without_tags(server, aws, arm):
    assert server.leftovers() == []
    vpc, subnet, gateway, table, group = network(aws.ec2)
    aws.ec2.create_key_pair(KeyName="k")
    options = {"MarketType": "spot"}
    instance = launch(aws, template(aws, arm, group, subnet, InstanceMarketOptions=options))[0]
    west = aws.client("ec2", "eu-west-1")
    orphan = west.create_volume(AvailabilityZone="eu-west-1a", Size=1)["VolumeId"]
    west.allocate_address(Domain="vpc")
    role = aws.iam.create_role(RoleName="r", Path="/cloudbench/", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    aws.iam.create_instance_profile(InstanceProfileName="p")
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    }
    aws.iam.create_policy(PolicyName="own", PolicyDocument=json.dumps(document))
    aws.scheduler.create_schedule(
        Name="s", ScheduleExpression="at(2026-11-24T21:00:00)", FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances", "RoleArn": role, "Input": "{}"},
    )  # fmt: skip
    aws.budgets.create_budget(
        AccountId="123456789012",
        Budget={
            "BudgetName": "b", "BudgetType": "COST", "TimeUnit": "MONTHLY",
            "BudgetLimit": {"Amount": "1", "Unit": "USD"},
        },
    )  # fmt: skip
    aws.s3.create_bucket(Bucket="results")
    left = server.leftovers()
    assert sorted(thing["kind"] for thing in left) == [
        "bucket", "budget", "elastic-ip", "instance", "instance-profile", "internet-gateway", "key-pair",
        "launch-template", "network-interface", "policy", "role", "route-table", "schedule", "security-group",
        "spot-request", "subnet", "volume", "volume", "vpc",
    ]  # fmt: skip
    by_id = {thing["id"]: thing for thing in left}
    assert {vpc, subnet, gateway, table, group, instance, orphan} < set(by_id)
    assert by_id[orphan] == {"service": "ec2", "kind": "volume", "id": orphan, "region": "eu-west-1", "name": ""}
    assert by_id[instance]["name"] == "cloudbench-r1"
    server.reset()
    assert (server.leftovers(), server.requests(), server.faults()) == ([], [], [])


def test_two_clients_at_once_do_not_lose_anything(server, aws):
    clients = [aws.client("ec2") for _one in range(4)]
    threads = [threading.Thread(target=one.create_vpc, kwargs={"CidrBlock": "10.9.0.0/24"}) for one in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.leftovers()) == len(server.requests("CreateVpc", status=200)) == 4


def test_the_server_ends_with_the_process_that_started_it(tmp_path):
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); from support.aws.server import AwsServer\n"
        "server = AwsServer(sys.argv[2]); server.__enter__(); print(server.endpoint, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(Path(aws_server.__file__).parents[2]), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        endpoint = process.stdout.readline().strip()
        process.kill()
    for _one in range(100):
        try:
            urllib.request.urlopen(endpoint + "/_cloudbench/faults", timeout=5).close()
        except OSError:
            return
        time.sleep(0.1)
    pytest.fail("the server is still there")


def test_nothing_of_the_environment_reaches_the_server(monkeypatch, session):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with AwsServer(quotas={"L-1216C47A": 1}) as server:
        assert "AWS_ENDPOINT_URL" in os.environ
        quota = Clients(session, server.endpoint).service_quotas.get_service_quota
        assert quota(ServiceCode="ec2", QuotaCode="L-1216C47A")["Quota"]["Value"] == 1
