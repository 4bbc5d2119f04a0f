# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of a run can be reached, over HTTP against the API server of the tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import boto3
import pytest
from support.aws.given import Clock
from support.aws.server import AwsServer

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import hosts as ec2_hosts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.hosts import (
    Host,
    ended,
    known_to_ssh,
    wait,
)

RUN = "20261124T190000Z-1a2b"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDduK+2i6ufIPu4rXlnobuXzQdlEYZgnMQ+tPmJo/SWX"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDduK+2i6ufIPu4rXlnobuXzQdlEYZgnMQ+tPmJo/SWY"


@pytest.fixture
def client(server: AwsServer) -> Any:
    return aws.client("ec2", "us-east-1")


def launch(kind: str = "c7g.16xlarge", count: int = 1, connection: str = "ssh", **more: Any) -> list[str]:
    ec2 = boto3.client("ec2")
    images = ec2.describe_images(Filters=[{"Name": "architecture", "Values": ["arm64"]}])["Images"]
    tags = {"Project": "cloudbench.llama", "RunId": RUN, "Connection": connection}
    made = ec2.run_instances(
        ImageId=images[0]["ImageId"],
        InstanceType=kind,
        MinCount=count,
        MaxCount=count,
        **more,
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        ],
    )
    return [one["InstanceId"] for one in made["Instances"]]


def test_known_hosts_has_those_that_can_be_reached() -> None:
    hosts = [
        Host("i-1", "c7g.large", "gv3-c7g-large", "us-east-1a", "203.0.113.7", (KEY,), None),
        Host("i-2", "c7g.large", "gv3-c7g-large", "us-east-1a", "203.0.113.8", (), "gone"),
    ]
    assert known_to_ssh("203.0.113.9 ssh-rsa AAAA\n", hosts) == f"203.0.113.9 ssh-rsa AAAA\ni-1,203.0.113.7 {KEY}\n"


def test_a_host_is_known_by_what_its_console_shows(server: AwsServer, client: Any) -> None:
    server.configure(hosts=[{"address": "198.18.0.2", "console": f"boot\ncloudbench-host-key {KEY}\n"}])
    (instance,) = launch()
    clock = Clock()
    (host,) = wait(client, RUN, 60, sleep=clock.sleep, clock=clock)
    assert host == Host(instance, "c7g.16xlarge", "gv3-c7g-16xlarge", host.zone, "198.18.0.2", (KEY,), None)


def test_a_host_that_never_shows_a_key_is_given_up_when_the_time_is_over(server: AwsServer, client: Any) -> None:
    server.configure(hosts=[{"address": "198.18.0.2", "console": f"cloudbench-host-key {KEY}\n"}])
    first, second = launch(count=2)
    told: list[str] = []
    clock = Clock()
    hosts = {host.id: host for host in wait(client, RUN, 60, told.append, clock.sleep, clock)}
    assert hosts[first].problem is None
    assert "did not show its host keys on its console within 60 s" in str(hosts[second].problem)
    assert clock.now >= 60
    assert told == ["waiting at most 60 s for 1 of 2 instances to boot and show their host keys on the console"]
    # It had shown them before anybody asked, perhaps for hours.
    assert hosts[first].boot_s is None


def test_those_that_were_launched_are_waited_for_by_their_ids(server: AwsServer, client: Any) -> None:
    """The index of tags, and EC2 itself, may know of an instance later than whoever has launched it."""
    server.configure(hosts=[{"address": "198.18.0.2", "console": f"cloudbench-host-key {KEY}\n"}])
    server.fault(action="RunInstances", eventual_tags="600 s")
    (instance,) = launch()
    assert wait(client, RUN, 60) == []
    (host,) = wait(client, RUN, 60, ids=[instance])
    assert (host.id, host.problem, host.keys) == (instance, None, (KEY,))
    server.terminate(instance)
    assert [one.id for one in ended(client, RUN, [instance])] == [instance]

    clock = Clock()
    (host,) = wait(client, RUN, 60, sleep=clock.sleep, clock=clock, ids=["i-0123456789abcdef0"])
    assert (host.id, host.type, host.address) == ("i-0123456789abcdef0", "unknown", None)
    assert str(host.problem).startswith("it is not known to EC2 and did not show its host keys")
    assert clock.now >= 60


def test_how_long_a_host_took_to_boot_is_known_of_one_that_was_waited_for(
    server: AwsServer, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.configure(hosts=[{"address": "198.18.0.2", "console": f"cloudbench-host-key {KEY}\n"}])
    (instance,) = launch(InstanceMarketOptions={"MarketType": "spot"})
    clock = Clock()
    console = ec2_hosts.console
    # The server shows all of a console at once.
    monkeypatch.setattr(ec2_hosts, "console", lambda client, name: console(client, name) if clock.now > 20 else "")
    started = client.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["LaunchTime"]
    (host,) = wait(
        client, RUN, 60, sleep=clock.sleep, clock=clock, today=lambda: started + timedelta(seconds=clock.now)
    )
    assert (host.problem, host.market) == (None, "spot")
    assert host.boot_s == pytest.approx(clock.now, abs=0.1)
    assert 20 < clock.now < 40


def test_through_the_session_manager_a_host_is_its_id(server: AwsServer, client: Any) -> None:
    server.configure(hosts=[{"address": "198.18.0.2", "console": f"cloudbench-host-key {KEY}\n"}])
    (instance,) = launch(connection="ssm")
    clock = Clock()
    (host,) = wait(client, RUN, 60, sleep=clock.sleep, clock=clock, ssm=ssm)
    assert known_to_ssh("", [host]) == f"{instance} {KEY}\n"


def ssm() -> Any:
    return aws.client("ssm", "us-east-1")


RESTARTS = "#!/bin/sh\nsystemctl restart amazon-ssm-agent\n"


@pytest.mark.parametrize(("agent", "user_data"), [("asleep", ""), ("missing", RESTARTS)])
def test_an_agent_that_does_not_register_is_told_with_what_to_look_at(
    server: AwsServer, client: Any, agent: str, user_data: str
) -> None:
    server.configure(hosts=[{"address": "198.18.0.2", "console": f"cloudbench-host-key {KEY}\n"}], agent=agent)
    launch(connection="ssm", **({"UserData": user_data} if user_data else {}))
    told: list[str] = []
    clock = Clock()
    (host,) = wait(client, RUN, 60, told.append, clock.sleep, clock, ssm=ssm)
    assert told == ["waiting at most 60 s for 1 of 1 instances to register with Systems Manager"]
    for words in ("within 60 s", "instance profile", "a route to the endpoints ssm, ssmmessages", "has the agent"):
        assert words in str(host.problem)


def test_an_agent_that_is_restarted_registers(server: AwsServer, client: Any) -> None:
    server.configure(hosts=[{"address": "198.18.0.2", "console": f"cloudbench-host-key {KEY}\n"}], agent="asleep")
    launch(connection="ssm", UserData=RESTARTS)
    clock = Clock()
    (host,) = wait(client, RUN, 60, sleep=clock.sleep, clock=clock, ssm=ssm)
    assert host.problem is None
    assert server.requests("DescribeInstanceInformation")[0]["params"]["Filters"][0]["Values"] == [host.id]


def test_an_image_without_agent_is_not_waited_for(server: AwsServer, client: Any) -> None:
    console = f"cloudbench-host-key {KEY}\ncloudbench-no-ssm-agent\n"
    server.configure(hosts=[{"address": "198.18.0.2", "console": console}], agent="missing")
    launch(connection="ssm")
    clock = Clock()
    (host,) = wait(client, RUN, 60, sleep=clock.sleep, clock=clock, ssm=ssm)
    assert clock.now == 0
    assert "its image has no agent of Systems Manager" in str(host.problem)


def test_who_may_not_ask_systems_manager_is_told_so_and_connects(server: AwsServer, client: Any) -> None:
    server.configure(hosts=[{"address": "198.18.0.2", "console": f"cloudbench-host-key {KEY}\n"}])
    server.fault(action="DescribeInstanceInformation", code="AccessDeniedException", times=None)
    launch(connection="ssm")
    told: list[str] = []
    clock = Clock()
    (host,) = wait(client, RUN, 60, told.append, sleep=clock.sleep, clock=clock, ssm=ssm)
    assert host.problem is None
    assert "allow ssm:DescribeInstanceInformation" in told[0]


def test_by_ssh_nobody_asks_systems_manager(server: AwsServer, client: Any) -> None:
    server.configure(hosts=[{"address": "198.18.0.2", "console": f"cloudbench-host-key {KEY}\n"}], agent="missing")
    launch()
    clock = Clock()
    (host,) = wait(client, RUN, 60, sleep=clock.sleep, clock=clock, ssm=ssm)
    assert host.problem is None
    assert server.requests("DescribeInstanceInformation") == []


def test_a_kept_host_is_known_when_its_console_has_scrolled_on(server: AwsServer, client: Any) -> None:
    server.configure(hosts=[{"address": "198.18.0.2", "console": "[ 7200.1] what it writes for hours\n"}])
    (instance,) = launch()
    clock = Clock()
    (host,) = wait(client, RUN, 60, sleep=clock.sleep, clock=clock, known={instance: (KEY,), "i-0": (OTHER,)})
    assert clock.now == 0
    assert (host.problem, host.keys) == (None, (KEY,))


def test_a_key_that_changed_is_an_error_and_no_new_key(server: AwsServer, client: Any) -> None:
    server.configure(hosts=[{"address": "198.18.0.2", "console": f"cloudbench-host-key {OTHER}\n"}])
    (instance,) = launch()
    clock = Clock()
    (host,) = wait(
        client, RUN, 60, sleep=clock.sleep, clock=clock, known={instance: (KEY,)}, path="/home/bench/known_hosts"
    )
    assert "its console shows another host key than the one that is known of it (ssh-ed25519)" in str(host.problem)
    assert f"remove the lines of {instance} from the known_hosts of the run (/home/bench/known_hosts)" in host.problem
    kept = f"{instance},198.18.0.2 {KEY}\n"
    assert known_to_ssh(kept, [host]) == kept


@pytest.mark.parametrize(
    ("reason", "spot", "said"),
    [
        ("Client.InternalError", False, "Client error on launch): mend it first"),
        ("Client.InternalError", True, "AWSServiceRoleForEC2Spot may not use it"),
        ("Client.VolumeLimitExceeded", False, "raise the quota L-7A658B76"),
        ("Server.InternalError", False, "Internal error on launch): run again"),
    ],
)
def test_an_instance_that_ends_at_once_is_told_with_what_to_mend(
    server: AwsServer, client: Any, reason: str, spot: bool, said: str
) -> None:
    server.configure(ends=reason, pending=2)
    launch(**({"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {}))
    clock = Clock()
    (host,) = wait(client, RUN, 60, sleep=clock.sleep, clock=clock)
    assert 0 < clock.now < 60
    assert said in str(host.problem)
    assert ended(client, RUN)[0].problem == host.problem


def test_a_host_that_ended_is_told_with_the_reason_of_ec2(server: AwsServer, client: Any) -> None:
    (instance,) = launch(InstanceMarketOptions={"MarketType": "spot"})
    server.terminate(instance)
    clock = Clock()
    (host,) = wait(client, RUN, 60, sleep=clock.sleep, clock=clock)
    assert clock.now == 0
    assert instance in str(host.problem)
    assert "on-demand" in str(host.problem)
    assert ended(client, RUN) == [host]


def test_instances_of_another_run_are_not_waited_for(client: Any) -> None:
    launch()
    assert wait(client, "another", 60) == []


def test_a_refusal_names_the_action_to_allow(server: AwsServer, client: Any) -> None:
    server.fault(service="ec2", action="GetConsoleOutput", code="UnauthorizedOperation", status=403)
    launch()
    with pytest.raises(aws.AwsError, match="allow ec2:GetConsoleOutput"):
        wait(client, RUN, 60)
