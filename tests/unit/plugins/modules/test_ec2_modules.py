# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules for EC2 as Ansible runs them, against the API server of the tests."""

from __future__ import annotations

import json
import re
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
    IDS = ("i-0123456789abcdef1", "i-0123456789abcdef0")
    NAMES = (f"cloudbench-{RUN}.i-0123456789abcdef0", f"cloudbench-{RUN}.i-0123456789abcdef1")

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
            "instance_ids": self.IDS,
            "role_arn": role["Role"]["Arn"],
        }

    def writes(self, server: AwsServer) -> list[str]:
        return [request["action"] for request in server.requests(write=True, service="scheduler")]

    def test_life(self, server: AwsServer, arguments: dict[str, Any]) -> None:
        predicted = call("expiry_schedule", check=True, **arguments)
        assert (predicted["changed"], predicted["names"]) == (True, list(self.NAMES))
        assert self.writes(server) == []

        made = call("expiry_schedule", **arguments)
        assert (made["changed"], made["names"]) == (True, list(self.NAMES)), made
        for name, instance in zip(self.NAMES, sorted(self.IDS), strict=True):
            found = boto3.client("scheduler").get_schedule(Name=name)
            assert found["ScheduleExpression"] == "at(2030-11-24T21:00:00)"
            assert found["ScheduleExpressionTimezone"] == "UTC"
            assert found["FlexibleTimeWindow"] == {"Mode": "OFF"}
            assert found["ActionAfterCompletion"] == "DELETE"
            assert found["State"] == "ENABLED"
            assert found["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances"
            assert found["Target"]["RoleArn"] == arguments["role_arn"]
            assert json.loads(found["Target"]["Input"]) == {"InstanceIds": [instance]}

        # In another order they are the same.
        arguments["instance_ids"] = arguments["instance_ids"][::-1]
        for check in (False, True):
            assert call("expiry_schedule", check=check, **arguments)["changed"] is False
        assert self.writes(server) == ["CreateSchedule"] * 2

        arguments["at"] = "2030-11-24T23:00:00Z"
        assert call("expiry_schedule", check=True, **arguments)["changed"] is True
        assert self.writes(server) == ["CreateSchedule"] * 2
        assert call("expiry_schedule", **arguments)["changed"] is True
        found = boto3.client("scheduler").get_schedule(Name=self.NAMES[0])
        assert found["ScheduleExpression"] == "at(2030-11-24T23:00:00)"
        # What an update is not told, it forgets.
        assert server.requests("UpdateSchedule")[-1]["params"]["ActionAfterCompletion"] == "DELETE"

        # Another instance has its own, and a run whose name begins so keeps its own.
        arguments["instance_ids"] = ["i-0123456789abcdef2"]
        assert call("expiry_schedule", **arguments)["names"] == [f"{self.NAME}.i-0123456789abcdef2"]
        other = {**arguments, "name": f"{self.NAME}-b"}
        assert call("expiry_schedule", **other)["changed"] is True
        absent = {"name": self.NAME, "state": "absent"}
        before = self.writes(server)
        assert len(call("expiry_schedule", check=True, **absent)["names"]) == 3
        assert self.writes(server) == before
        assert [call("expiry_schedule", **absent)["changed"] for _n in range(2)] == [True, False]
        assert [left["id"] for left in server.leftovers() if left["kind"] == "schedule"] == [
            f"{self.NAME}-b.i-0123456789abcdef2"
        ]

    def test_the_one_for_all_instances_of_an_older_version_is_removed_too(
        self, server: AwsServer, arguments: dict[str, Any]
    ) -> None:
        boto3.client("scheduler").create_schedule(
            Name=self.NAME,
            ScheduleExpression="at(2030-11-24T21:00:00)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances", "RoleArn": arguments["role_arn"]},
        )
        call("expiry_schedule", **arguments)
        assert call("expiry_schedule", name=self.NAME, state="absent")["names"] == [self.NAME, *self.NAMES]
        assert [left["kind"] for left in server.leftovers()] == ["role"]

    def test_what_is_refused_for_one_is_done_for_the_others(self, server: AwsServer, arguments: dict[str, Any]) -> None:
        server.fault(action="CreateSchedule", when={"Name": self.NAMES[0]}, code="AccessDeniedException", message="no")
        refused = call("expiry_schedule", **arguments)
        assert refused["msg"].startswith(f"The schedule {self.NAMES[0]} cannot be created: ")
        assert [left["id"] for left in server.leftovers() if left["kind"] == "schedule"] == [self.NAMES[1]]
        assert call("expiry_schedule", **arguments)["changed"] is True
        server.fault(action="DeleteSchedule", code="AccessDeniedException", message="no", times=2)
        refused = call("expiry_schedule", name=self.NAME, state="absent")
        assert "cannot be deleted (nor those of 1 other instances): " in refused["msg"]

    def test_a_schedule_that_is_not_listed_yet_is_no_conflict(
        self, server: AwsServer, arguments: dict[str, Any]
    ) -> None:
        call("expiry_schedule", **arguments)
        server.fault(action="CreateSchedule", code="ConflictException", message="it is there", times=None)
        # Of the names of the list it knows none.
        boto3.client("scheduler").delete_schedule(Name=self.NAMES[0])
        refused = call("expiry_schedule", **arguments)
        assert "ResourceNotFoundException" in refused["msg"]
        assert server.requests("UpdateSchedule")[-1]["params"]["Name"] == self.NAMES[0]

    @pytest.mark.parametrize(("length", "whole"), [(44, True), (45, False), (59, False)])
    def test_a_name_has_at_most_64_characters(
        self, server: AwsServer, arguments: dict[str, Any], length: int, whole: bool
    ) -> None:
        name = "cloudbench-".ljust(length, "x")
        arguments["name"] = name
        names = call("expiry_schedule", **arguments)["names"]
        assert len(set(names)) == 2
        assert max(map(len, names)) <= 64
        assert all(re.fullmatch(r"[0-9a-zA-Z_.-]+", one) and one.startswith(name + ".") for one in names)
        assert (names == [f"{name}.{one}" for one in sorted(self.IDS)]) == whole
        assert call("expiry_schedule", **arguments)["changed"] is False
        assert call("expiry_schedule", name=name, state="absent")["names"] == names

    def test_another_partition(self, server: AwsServer, arguments: dict[str, Any]) -> None:
        arguments["role_arn"] = arguments["role_arn"].replace("arn:aws:", "arn:aws-us-gov:")
        call("expiry_schedule", **arguments)
        request = server.requests("CreateSchedule")[0]
        assert request["params"]["Target"]["Arn"] == "arn:aws-us-gov:scheduler:::aws-sdk:ec2:terminateInstances"

    def test_what_is_refused(self, server: AwsServer, arguments: dict[str, Any]) -> None:
        def refused(**changes: Any) -> str:
            return call("expiry_schedule", **{**arguments, **changes})["msg"]

        assert refused(at="tomorrow") == "at is a time in UTC such as 2026-11-24T21:00:00Z, not 'tomorrow'"
        assert refused(instance_ids=[]) == "instance_ids is empty: name the instances to terminate"
        assert refused(role_arn="me") == "role_arn is the ARN of a role, not 'me'"
        assert refused(name="x" * 60).endswith(
            "of 60 characters, and a schedule has 64 with its instance: take a shorter one, of at most 59"
        )
        assert "state is present but all of the following are missing: at" in call("expiry_schedule", name="x")["msg"]
        assert self.writes(server) == []
        # The words by which a caller knows that IAM has not spread the role yet.
        message = refused(role_arn="arn:aws:iam::123456789012:role/none")
        assert message.startswith(f"The schedule {self.NAMES[0]} cannot be created (nor those of 1 other instances): ")
        assert "to assume the role" in message
        server.fault(action="ListSchedules", code="AccessDeniedException", message="not you")
        message = call("expiry_schedule", name=self.NAME, state="absent")["msg"]
        assert message.startswith(f"The schedule {self.NAME} cannot be deleted: ")
