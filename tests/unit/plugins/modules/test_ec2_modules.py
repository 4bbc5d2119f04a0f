# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules for EC2 as Ansible runs them, against the API server of the tests."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from support import modules
from support.aws.server import AwsServer

RUN = "20261124T190000Z-1a2b"


def call(module: str, /, check: bool = False, **arguments: Any) -> dict[str, Any]:
    process = modules.run(module, {"region": "us-east-1", **arguments}, check)
    assert process.stdout, process.stderr
    return json.loads(process.stdout)


TAGS = {"Project": "cloudbench.llama", "RunId": RUN, "Owner": "alice", "Name": f"cloudbench-{RUN}"}


class TestGateway:
    def test_life(self, server: AwsServer) -> None:
        predicted = call("ec2_internet_gateway", check=True, tags=TAGS)
        assert (predicted["changed"], predicted["internet_gateway_id"]) == (True, "")
        assert server.requests(write=True) == []

        made = call("ec2_internet_gateway", tags=TAGS)
        assert made["changed"] is True, made
        # The tags come with the call that creates it; no other call writes.
        (request,) = server.requests(write=True)
        assert request["action"] == "CreateInternetGateway"
        (gateway,) = boto3.client("ec2").describe_internet_gateways()["InternetGateways"]
        assert gateway["InternetGatewayId"] == made["internet_gateway_id"]
        assert {tag["Key"]: tag["Value"] for tag in gateway["Tags"]} == TAGS

        for check in (False, True):
            again = call("ec2_internet_gateway", check=check, tags=TAGS)
            assert (again["changed"], again["internet_gateway_id"]) == (False, made["internet_gateway_id"])
        other = call("ec2_internet_gateway", tags={**TAGS, "RunId": "another"})
        assert other["changed"] is True
        assert other["internet_gateway_id"] != made["internet_gateway_id"]

    def test_it_is_returned_when_ec2_finds_it(self, server: AwsServer) -> None:
        """amazon.aws.ec2_vpc_igw makes another one, without tags, of one that it does not find."""
        server.fault(action="CreateInternetGateway", eventual=1)
        made = call("ec2_internet_gateway", tags=TAGS)
        assert made["changed"] is True, made
        last = server.requests("DescribeInternetGateways")[-1]
        assert last["params"]["InternetGatewayIds"] == [made["internet_gateway_id"]]
        assert last["error_code"] is None

    def test_what_is_refused(self, server: AwsServer) -> None:
        message = call("ec2_internet_gateway", tags={"Project": "cloudbench.llama"})["msg"]
        assert message == "tags is without RunId, by which the gateway is found again: add it"
        server.fault(action="CreateInternetGateway", code="UnauthorizedOperation", message="not you", status=403)
        refused = call("ec2_internet_gateway", tags=TAGS)
        assert refused["msg"].startswith(f"The internet gateway of the run {RUN} cannot be created: ")
        assert refused["error"]["code"] == "UnauthorizedOperation"


class TestSchedule:
    NAME = f"cloudbench-{RUN}"

    @pytest.fixture
    def arguments(self, server: AwsServer) -> dict[str, Any]:
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
        role = boto3.client("iam").create_role(
            RoleName=f"{self.NAME}-expiry", Path="/cloudbench/", AssumeRolePolicyDocument=json.dumps(trust)
        )
        return {
            "name": self.NAME,
            "at": "2030-11-24T21:00:00Z",
            "instance_ids": ["i-0123456789abcdef1", "i-0123456789abcdef0"],
            "role_arn": role["Role"]["Arn"],
        }

    def writes(self, server: AwsServer) -> list[str]:
        return [request["action"] for request in server.requests(write=True, service="scheduler")]

    def test_life(self, server: AwsServer, arguments: dict[str, Any]) -> None:
        assert call("expiry_schedule", check=True, **arguments)["changed"] is True
        assert self.writes(server) == []

        made = call("expiry_schedule", **arguments)
        assert made["changed"] is True, made
        found = boto3.client("scheduler").get_schedule(Name=self.NAME)
        assert found["ScheduleExpression"] == "at(2030-11-24T21:00:00)"
        assert found["ScheduleExpressionTimezone"] == "UTC"
        assert found["FlexibleTimeWindow"] == {"Mode": "OFF"}
        assert found["ActionAfterCompletion"] == "DELETE"
        assert found["State"] == "ENABLED"
        assert found["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances"
        assert found["Target"]["RoleArn"] == arguments["role_arn"]
        assert json.loads(found["Target"]["Input"]) == {"InstanceIds": sorted(arguments["instance_ids"])}

        # In another order it is the same.
        arguments["instance_ids"].reverse()
        for check in (False, True):
            assert call("expiry_schedule", check=check, **arguments)["changed"] is False
        assert self.writes(server) == ["CreateSchedule"]

        arguments["at"] = "2030-11-24T23:00:00Z"
        assert call("expiry_schedule", check=True, **arguments)["changed"] is True
        assert self.writes(server) == ["CreateSchedule"]
        assert call("expiry_schedule", **arguments)["changed"] is True
        found = boto3.client("scheduler").get_schedule(Name=self.NAME)
        assert found["ScheduleExpression"] == "at(2030-11-24T23:00:00)"
        # What an update is not told, it forgets.
        assert server.requests("UpdateSchedule")[-1]["params"]["ActionAfterCompletion"] == "DELETE"

        assert call("expiry_schedule", check=True, name=self.NAME, state="absent")["changed"] is True
        assert self.writes(server) == ["CreateSchedule", "UpdateSchedule"]
        assert [call("expiry_schedule", name=self.NAME, state="absent")["changed"] for _n in range(2)] == [True, False]
        assert [left["kind"] for left in server.leftovers()] == ["role"]

    def test_another_partition(self, server: AwsServer, arguments: dict[str, Any]) -> None:
        arguments["role_arn"] = arguments["role_arn"].replace("arn:aws:", "arn:aws-us-gov:")
        call("expiry_schedule", **arguments)
        (request,) = server.requests("CreateSchedule")
        assert request["params"]["Target"]["Arn"] == "arn:aws-us-gov:scheduler:::aws-sdk:ec2:terminateInstances"

    def test_what_is_refused(self, server: AwsServer, arguments: dict[str, Any]) -> None:
        def refused(**changes: Any) -> str:
            return call("expiry_schedule", **{**arguments, **changes})["msg"]

        assert refused(at="tomorrow") == "at is a time in UTC such as 2026-11-24T21:00:00Z, not 'tomorrow'"
        assert refused(instance_ids=[]) == "instance_ids is empty: name the instances to terminate"
        assert refused(role_arn="me") == "role_arn is the ARN of a role, not 'me'"
        assert "state is present but all of the following are missing: at" in call("expiry_schedule", name="x")["msg"]
        assert self.writes(server) == []
        # The words by which a caller knows that IAM has not spread the role yet.
        message = refused(role_arn="arn:aws:iam::123456789012:role/none")
        assert message.startswith(f"The schedule {self.NAME} cannot be created: ")
        assert "to assume the role" in message
        server.fault(action="DeleteSchedule", code="AccessDeniedException", message="not you")
        assert call("expiry_schedule", **arguments)["changed"] is True
        message = call("expiry_schedule", name=self.NAME, state="absent")["msg"]
        assert message.startswith(f"The schedule {self.NAME} cannot be deleted: ")
