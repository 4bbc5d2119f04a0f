# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one command, `ansible-playbook site.yml -i inventory/aws`, asked of AWS, measured and left.

converge.yml has run it once, to its end. The last test keeps a fleet, goes on with it and loses it in the middle.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

testinfra_hosts = ["local://"]

BASE = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
RUN = "aws-scenario"
TAGS = {"Project", "RunId", "Owner", "Region", "ExpiresAt", "Name"}


pytestmark = pytest.mark.usefixtures("started")


def ask(path: str, given: Any = None) -> Any:
    """What the API of the tests says of itself."""
    body = None if given is None else json.dumps(given).encode()
    endpoint = how()["environment"]["AWS_ENDPOINT_URL"]
    with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/_cloudbench/{path}", body)) as answer:
        return json.load(answer)


def how() -> dict[str, Any]:
    """The environment and the variables of the run."""
    return json.loads((BASE / "aws" / "run.json").read_text())


@pytest.fixture(scope="module")
def requests() -> list[dict[str, Any]]:
    """All that the run asked of AWS, in order."""
    return [json.loads(line) for line in (BASE / "aws" / "requests.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def log() -> str:
    return (BASE / "aws" / "site.log").read_text()


def called(requests: list[dict[str, Any]], action: str) -> list[dict[str, Any]]:
    found = [one["params"] for one in requests if one["action"] == action]
    assert found, f"{action} was never called"
    return found


def tags_of(params: dict[str, Any]) -> list[set[str]]:
    specifications = params.get("TagSpecifications") or [{"Tags": params.get("Tags", [])}]
    return [{tag["Key"] for tag in one["Tags"]} for one in specifications]


def test_it_went_through_all_phases_in_order(log):
    plays = re.findall(r"^PLAY \[(.*?)\]", log, re.MULTILINE)
    # Each playbook that site.yml imports can be run alone, and checks; within a run the others leave it to the first.
    check = "Check what is asked for"
    assert plays[0] == check
    assert [play for play in plays if play != check] == [
        "Plan the instances",
        "Provision",
        "Join the run",
        "Say how many there are",
        "Prepare",
        "Measure",
        "Report and tear down",
    ]
    assert "Traceback" not in log
    assert re.search(r"^localhost .*failed=0 .*rescued=0", log, re.MULTILINE)


def test_before_anything_was_made_it_said_what_and_for_how_much(log):
    plan = log[: log.index("PLAY [Provision]")]
    assert "1 x c7g.16xlarge" in plan
    assert "1 x c8g.4xlarge" in plan
    assert re.search(r"^at most, 240 minutes +\d+\.\d\d", plan, re.MULTILINE)


def test_everything_has_its_tags_from_the_call_that_made_it(requests):
    for action in (
        "CreateVpc", "CreateInternetGateway", "CreateSubnet", "CreateSecurityGroup", "ImportKeyPair", "CreateRole",
        "CreateLaunchTemplate", "CreateRouteTable", "RunInstances",
    ):  # fmt: skip
        for params in called(requests, action):
            for tags in tags_of(params):
                assert tags >= TAGS, action


def test_one_address_may_come_in_by_ssh_and_nobody_else(requests):
    (params,) = called(requests, "AuthorizeSecurityGroupIngress")
    (permission,) = params["IpPermissions"]
    assert (permission["IpProtocol"], permission["FromPort"], permission["ToPort"]) == ("tcp", 22, 22)
    assert [one["CidrIp"] for one in permission["IpRanges"]] == ["203.0.113.7/32"]
    assert not permission.get("Ipv6Ranges")


def test_a_template_is_what_the_security_of_an_instance_asks_for(requests):
    on_demand, spot = (params["LaunchTemplateData"] for params in called(requests, "CreateLaunchTemplate"))
    for data in (on_demand, spot):
        assert data["MetadataOptions"]["HttpTokens"] == "required"
        assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
        assert data["InstanceInitiatedShutdownBehavior"] == "terminate"
        (volume,) = data["BlockDeviceMappings"]
        assert volume["Ebs"]["Encrypted"] is True
        assert volume["Ebs"]["VolumeType"] == "gp3"
        assert volume["Ebs"]["DeleteOnTermination"] is True
        lines = base64.b64decode(data["UserData"]).decode().splitlines()
        assert lines[0] == "#!/bin/sh"
        assert next(line for line in lines if not line.startswith("#")) == "shutdown -P +240"
        assert "PRIVATE" not in "".join(lines)
    assert "InstanceMarketOptions" not in on_demand
    assert spot["InstanceMarketOptions"]["MarketType"] == "spot"
    kinds = [one["ResourceType"] for one in spot["TagSpecifications"]]
    assert kinds == ["instance", "volume", "network-interface", "spot-instances-request"]


def test_the_one_role_is_that_of_the_schedules_which_may_end_these_instances_and_no_more(requests):
    (role,) = called(requests, "CreateRole")
    assert role["PermissionsBoundary"].endswith(":policy/cloudbench-boundary")
    assert not {"AttachRolePolicy", "CreateInstanceProfile"} & {one["action"] for one in requests}
    (policy,) = called(requests, "PutRolePolicy")
    (statement,) = json.loads(policy["PolicyDocument"])["Statement"]
    assert policy["RoleName"].endswith("-expiry")
    assert statement["Action"] == "ec2:TerminateInstances"
    assert statement["Condition"] == {"StringEquals": {"aws:ResourceTag/RunId": RUN}}


def test_a_schedule_ends_each_of_these_instances_when_their_time_is_over(requests):
    schedules = called(requests, "CreateSchedule")
    expires = {
        tag["Value"]
        for params in called(requests, "RunInstances")
        for one in params["TagSpecifications"]
        for tag in one["Tags"]
        if tag["Key"] == "ExpiresAt"
    }
    assert {one["ScheduleExpression"] for one in schedules} == {f"at({moment.removesuffix('Z')})" for moment in expires}
    asked = [json.loads(one["Target"]["Input"])["InstanceIds"] for one in schedules]
    ended = [[one] for params in called(requests, "TerminateInstances") for one in params["InstanceIds"]]
    assert sorted(asked) == sorted(ended)
    assert len(asked) == 2
    assert [one["Name"] for one in schedules] == [f"cloudbench-{RUN}.{ids[0]}" for ids in asked]


@pytest.mark.parametrize(("core", "layout"), [("neoverse-v1", "q4_0_8x8"), ("neoverse-n2", "q4_0_4x8")])
def test_both_instances_were_measured_with_the_build_for_their_processor(core, layout):
    machine = BASE / "results" / f"emulated-{core}"
    records = [json.loads(line) for line in (machine / "records" / f"{RUN}.jsonl").read_text().splitlines()]
    launches = [one["payload"] for one in records if one["kind"] == "launch"]
    assert len(launches) == 4
    assert {one["kernel"]["path"]["state"] for one in launches} == {"as expected"}
    assert [one for one in records if one["kind"] == "failure"] == []
    page = (machine / "mini" / "q4.md").read_text()
    assert layout in page
    assert "Emulated" in page


@pytest.mark.parametrize(
    ("core", "market", "usd_hour", "source"),
    [
        ("neoverse-v1", "on-demand", 1.1111, "AWS Pricing API"),
        ("neoverse-n2", "spot", 0.3333, "EC2 spot price history"),
    ],
)
def test_a_run_knows_what_an_hour_of_each_host_costs(core, market, usd_hour, source):
    lines = (BASE / "results" / f"emulated-{core}" / "records" / f"{RUN}.jsonl").read_text().splitlines()
    (plan,) = [one["payload"] for one in map(json.loads, lines) if one["kind"] == "run"]
    assert plan["price"].items() >= {"market": market, "usd_hour": usd_hour, "source": source}.items()
    # The same again will be had of other hosts at another hour.
    assert "llama_bench_price" not in plan["command"]


def test_nothing_is_left_anywhere(log):
    assert ask("leftovers") == []
    assert f"know nothing of the run {RUN}" in log
    assert not (BASE / "ec2" / RUN).exists()


def test_no_key_is_in_anything_that_was_said_or_kept(log):
    texts = [log, *(path.read_text() for path in (BASE / "results").rglob("*") if path.is_file())]
    texts.append((BASE / "aws" / "requests.jsonl").read_text())
    for text in texts:
        assert "PRIVATE KEY" not in text


def test_host_keys_are_checked(host):
    options = (PROJECT / "inventory" / "aws" / "group_vars" / "aws_ec2.yml").read_text()
    assert "StrictHostKeyChecking=yes" in options
    assert not re.search(r"StrictHostKeyChecking=(no|accept-new|off)|host_key_checking", options, re.IGNORECASE)


# --- A fleet that is kept, and lost -----------------------------------------------------------------------------------


@contextlib.contextmanager
def site(run: str, **variables: Any) -> Iterator[subprocess.Popen[str]]:
    """site.yml as a process of its own, killed if the test does not see its end."""
    given = how()
    environment = {**os.environ, **given["environment"], "CLOUDBENCH_RUN": run}
    process = subprocess.Popen(
        ["ansible-playbook", "site.yml", "-i", "inventory/aws", "-e", json.dumps({**given["variables"], **variables})],
        cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def kill_hosts(names: Iterable[str]) -> None:
    """End what runs on the emulated hosts, as EC2 does with a spot instance that it takes back."""
    for name in names:
        pids = subprocess.run(["ip", "netns", "pids", f"cloudbench-{name}"], capture_output=True, text=True, check=True)
        for pid in pids.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def test_a_kept_fleet_serves_a_further_run_and_its_loss_is_reported_and_torn_down(started):
    # The hosts know the key of the first run, so the fleet has a copy of it.
    keys = BASE / "ec2" / "fleet"
    shutil.copytree(BASE / "aws" / "keys", keys)
    # By the order of all launches, of which those of the first run are over.
    ask("settings", {"hosts": how()["hosts"] * 8})
    with site("fleet", keep=True, llama_bench_launches=1, llama_bench_tests=["tg4"]) as process:
        output, _none = process.communicate(timeout=400)
        assert process.returncode == 0, output
    kept = {one["id"] for one in ask("leftovers") if one["kind"] == "instance"}
    assert len(kept) == 2

    seen: list[str] = []
    with site("further", ec2_environment_run="fleet", llama_bench_launches=200) as process:
        assert process.stdout is not None
        deadline = time.monotonic() + 400
        for line in process.stdout:
            seen.append(line)
            assert time.monotonic() < deadline, "".join(seen)
            # A busy machine may show nothing before the tenth.
            if re.search(r"launch ([4-9]|[1-9]\d+) of", line):
                break
        ask("terminate", {"instance": "all"})
        kill_hosts(started["hosts"])
        rest, _none = process.communicate(timeout=400)
    output = "".join(seen) + rest
    assert process.returncode == 2, output
    # Provisioning found all of it there.
    assert ": Launch 1 x" not in output
    records = [
        json.loads(line)
        for path in (BASE / "results").glob("*/records/further.jsonl")
        for line in path.read_text().splitlines()
    ]
    causes = " ".join(one["payload"]["cause"] for one in records if one["kind"] == "failure")
    assert "the host was lost while it measured" in causes
    assert "Server.SpotInstanceTermination" in causes or "Spot" in causes
    # What was measured until then is kept, the last launches before the controller looked excepted.
    assert any(one["kind"] == "launch" for one in records)
    assert "the host was lost" in (BASE / "results" / "emulated-neoverse-v1" / "mini" / "q4.md").read_text()
    assert ask("leftovers") == []
    assert not keys.exists()
