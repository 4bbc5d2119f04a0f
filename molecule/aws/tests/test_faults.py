# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people, networks and AWS do wrong. Each is told with its cause and a way out, and nothing is left afterwards."""

from __future__ import annotations

import re
import signal

import boto3
import pytest
from support import rotation
from support.aws import faults
from support.aws.faults import TYPE, whole

testinfra_hosts = ["local://"]

NO_ROOM = "InsufficientInstanceCapacity"


def ec2(account):
    session = boto3.session.Session("testing", "testing", region_name="us-east-1")
    return session.client("ec2", endpoint_url=account.server.endpoint)


def writes(account):
    return [one["action"] for one in account.server.requests(write=True)]


def causes(account):
    return " ".join(failure["cause"] for failure in account.failures())


# ---- What needs no fault ----


def test_check_mode_says_what_is_missing_and_a_second_run_changes_nothing(account):
    empty = account.provision("--check")
    assert empty.code == 0, empty.output
    for kind in ("VPC", "subnet", "role", "instance", "schedule"):
        assert re.search(rf"msg: {kind} ", empty.output), empty.output
    assert writes(account) == []
    first = account.provision()
    assert first.code == 0, first.output
    assert whole(account), account.kinds()
    before = len(account.server.requests())
    again, full = account.provision(), account.provision("--check")
    for done in (again, full):
        assert done.code == 0, done.output
        assert set(re.findall(r"changed=(\d+)", done.output)) == {"0"}, done.output
    assert [one["action"] for one in account.server.requests()[before:] if one["write"]] == []
    account.give_back()


def test_a_teardown_can_be_repeated(account):
    assert account.provision().code == 0
    assert "know nothing of the run" in account.give_back().output
    before = len(account.server.requests())
    assert "know nothing of the run" in account.give_back().output
    assert [one["action"] for one in account.server.requests()[before:] if one["write"]] == []


def test_an_account_without_a_default_vpc_is_as_good(account):
    client = ec2(account)
    vpc = client.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    for subnet in client.describe_subnets()["Subnets"]:
        client.delete_subnet(SubnetId=subnet["SubnetId"])
    client.delete_vpc(VpcId=vpc)
    done = account.provision()
    assert done.code == 0, done.output
    account.faults += 1
    account.give_back()


def test_the_tags_of_an_organisation_survive_a_second_run(account):
    tag = {"Key": "CostCenter", "Value": "4711"}
    account.server.configure(organisation_tags={tag["Key"]: tag["Value"]})
    assert account.provision().code == 0
    before = len(account.server.requests())
    again = account.provision()
    account.faults += 1
    assert again.code == 0, again.output
    assert set(re.findall(r"changed=(\d+)", again.output)) == {"0"}, again.output
    assert [one["action"] for one in account.server.requests()[before:] if one["write"]] == []
    client = ec2(account)
    instances = [one for row in client.describe_instances()["Reservations"] for one in row["Instances"]]
    described = [
        *instances, *client.describe_volumes()["Volumes"], *client.describe_key_pairs()["KeyPairs"],
        *client.describe_launch_templates()["LaunchTemplates"],
        *client.describe_internet_gateways()["InternetGateways"],
    ]  # fmt: skip
    assert len(described) == 5
    assert [one for one in described if tag not in one["Tags"]] == []
    account.give_back()


CLUSTER = {"ec2_environment_cluster_port": 50052}


def test_a_cluster_lies_in_a_placement_group(account):
    fleet = [{"type": TYPE, "count": 2, "zones": ["us-east-1a", "us-east-1b"]}]
    # Refused in the first zone it is another group: one is never of two zones.
    account.server.configure(hosts=[account.host] * 2)
    account.server.fault(action="RunInstances", code="Unsupported")
    done = account.provision(ec2_environment_instances=fleet, **CLUSTER)
    assert done.code == 0, done.output
    assert whole(account, "placement-group"), account.kinds()
    groups = {group["GroupName"]: group for group in ec2(account).describe_placement_groups()["PlacementGroups"]}
    assert sorted(groups) == [f"cloudbench-{account.run}-us-east-1{zone}" for zone in "ab"]
    for group in groups.values():
        assert group["Strategy"] == "cluster"
        assert {"Key": "RunId", "Value": account.run} in group["Tags"]
    launched = [
        instance
        for reservation in ec2(account).describe_instances()["Reservations"]
        for instance in reservation["Instances"]
    ]
    placed = [(instance["Placement"]["AvailabilityZone"], instance["Placement"]["GroupName"]) for instance in launched]
    assert placed == [("us-east-1b", f"cloudbench-{account.run}-us-east-1b")] * 2
    again = account.provision(ec2_environment_instances=fleet, **CLUSTER)
    assert again.code == 0, again.output
    assert set(re.findall(r"changed=(\d+)", again.output)) == {"0"}, again.output
    account.give_back()


def test_a_cluster_can_do_without_a_placement_group(account):
    done = account.provision(ec2_environment_placement_group=False, **CLUSTER)
    assert done.code == 0, done.output
    assert whole(account), account.kinds()
    assert account.server.requests("CreatePlacementGroup") == []
    account.faults += 1
    account.give_back()


def test_a_kept_fleet_is_known_when_its_console_has_scrolled_on(account):
    assert account.provision().code == 0
    (known,) = (account.directory / "ec2").glob("*/known_hosts")
    kept = known.read_text()
    account.server.configure(hosts=[{**account.host, "console": "[ 7200.1] what is written for hours"}])
    account.faults += 1
    again = account.provision()
    assert again.code == 0, again.output
    assert known.read_text() == kept != ""
    # Whoever shows another key is not taken for the one that is known.
    account.server.configure(hosts=[{**account.host, "console": account.host["console"][:-1] + "Y"}])
    other = account.provision()
    assert other.code != 0
    assert "shows another host key than the one that is known of it (ssh-ed25519)" in causes(account)
    assert known.read_text() == kept
    account.give_back()


# ---- What is refused before anything is made ----


@pytest.mark.parametrize(
    ("environment", "variables", "said"),
    [
        (
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
            {},
            r"there are no credentials: give those of the controller by aws configure",
        ),
        ({"AWS_REGION": "us-est-1"}, {}, r"'us-est-1' is no region that this boto3 knows; the nearest: .*us-east-1"),
        (
            {"AWS_REGION": "ap-northeast-3"},
            {"ec2_environment_instances": [{"type": "x2gd.metal"}]},
            r"ap-northeast-3 does not have x2gd.metal; name another type, or set AWS_REGION to a region that has it",
        ),
        (
            {},
            {"ec2_environment_instances": [{"type": "c7g.16xlrge"}]},
            r"c7g.16xlrge.*c7g.16xlarge",
        ),
        (
            {},
            {"ec2_environment_instances": [{"type": TYPE, "or_types": ["c7i.16xlarge"]}]},
            r"c7i.16xlarge cannot stand in, for the image of the row is for aarch64; name types of that architecture",
        ),
        (
            {},
            {"ec2_environment_instances": [{"type": TYPE, "image": "ami-0123456789abcdef0"}]},
            r"image is one of amazon-linux-2023, ubuntu-24.04, debian-12, not 'ami-0123456789abcdef0'",
        ),
        (
            {},
            {"ec2_environment_subnet_ids": ["subnet-0123456789abcdef0"]},
            r"us-east-1 has no subnet subnet-0123456789abcdef0; correct ec2_environment_subnet_ids",
        ),
        ({}, {"ec2_environment_ssh_from": "0.0.0.0/0"}, r"0\.0\.0\.0/0"),
    ],
    ids=[
        "no credentials", "wrong region", "not in the region", "unknown type", "other architecture", "an image's id",
        "no such subnet", "the world",
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_before_it_costs(account, environment, variables, said):
    good = dict(account.environment)
    account.environment.update({"AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_CONFIG_FILE": "/dev/null"})
    for name, value in environment.items():
        account.environment.pop(name)
        if value is not None:
            account.environment[name] = value
    done = account.provision(**variables)
    assert done.code != 0
    assert re.search(said, done.output), done.output
    assert re.search(said, causes(account)), account.failures()
    assert "instance" not in account.kinds()
    account.faults += 1
    account.environment = good
    account.give_back()


def test_a_quota_of_nothing_is_told_before_it_costs(account):
    account.server.configure(quotas={"L-1216C47A": 0, "L-34B43A08": 0})
    done = account.provision()
    assert done.code != 0
    assert "the quota L-1216C47A" in causes(account)
    assert "aws service-quotas request-service-quota-increase" in causes(account)
    assert writes(account) == []
    account.faults += 1
    account.give_back()


# ---- The table of `make chaos` ----

# What other tests here come near to: a third of these for each commit, all others each time.
BY_TURNS = {
    "api-expired-midway", "api-throttled-ever", "api-denied", "api-ctrl-c", "api-kill", "api-teardown-denied",
    "api-teardown-held", "api-teardown-in-use",
}  # fmt: skip
TRIED = [fault for fault in faults.FAULTS if fault.name not in BY_TURNS]
TRIED += rotation.chosen([fault for fault in faults.FAULTS if fault.name in BY_TURNS])


@pytest.mark.parametrize(
    "fault", [pytest.param(fault, id=fault.name, marks=[pytest.mark.slow] if fault.long else []) for fault in TRIED]
)
def test_a_fault_of_the_table_ends_as_promised(account, fault):
    outcome = faults.met(fault, account)
    account.faults += fault.ended is not None and fault.ended[1] is None
    assert outcome.problems == [], outcome.output


# ---- No room ----


@pytest.mark.slow
def test_no_room_in_a_zone_is_found_in_the_next(account):
    rows = [{"type": TYPE, "zones": ["us-east-1a", "us-east-1b"]}]
    # The subnet is known only when it is there, and the launch follows at once.
    account.server.fault(action="CreateLaunchTemplate", delay=10)
    running = account.start("provision", ec2_environment_instances=rows)
    account.wait_for("CreateSubnet")
    subnets = ec2(account).describe_subnets(Filters=[{"Name": "tag:RunId", "Values": [account.run]}])["Subnets"]
    assert [subnet["AvailabilityZone"] for subnet in subnets] == ["us-east-1a"]
    account.server.fault(action="RunInstances", when={"SubnetId": subnets[0]["SubnetId"]}, code=NO_ROOM, times=None)
    # The module itself tries for two minutes, beside three other playbooks of this test session.
    assert running.wait(timeout=500) == 0
    assert account.server.faults()[-1]["fired"] > 0
    assert zones(account) == ["us-east-1b"]
    account.give_back()


@pytest.mark.slow
def test_fewer_instances_are_enough_where_that_is_said(account):
    account.server.configure(room={"us-east-1a": 2}, hosts=[account.host, account.host])
    rows = [{"type": TYPE, "count": 3, "count_min": 2, "zones": ["us-east-1a"]}]
    done = account.provision(ec2_environment_instances=rows)
    account.faults += 1
    assert done.code == 0, done.output
    assert zones(account) == ["us-east-1a"] * 2
    assert "2 of the 3 instances asked for, and count_min says that 2 are enough: the run goes on" in done.output
    assert account.failures() == []
    again = account.provision(ec2_environment_instances=rows)
    assert again.code == 0, again.output
    assert set(re.findall(r"changed=(\d+)", again.output)) == {"0"}, again.output
    assert "2 of 3 instances" in again.output
    account.give_back()


def zones(account):
    filters = [{"Name": "tag:RunId", "Values": [account.run]}]
    reservations = ec2(account).describe_instances(Filters=filters)["Reservations"]
    return [one["Placement"]["AvailabilityZone"] for found in reservations for one in found["Instances"]]


def test_no_room_for_a_type_is_found_for_another(account):
    account.server.fault(action="RunInstances", when={"InstanceType": TYPE}, code="Unsupported", times=None)
    rows = [{"type": TYPE, "or_types": ["c8g.16xlarge"], "zones": ["us-east-1a"]}]
    done = account.provision(ec2_environment_instances=rows)
    assert done.code == 0, done.output
    (reservation,) = ec2(account).describe_instances()["Reservations"]
    assert [one["InstanceType"] for one in reservation["Instances"]] == ["c8g.16xlarge"]
    account.give_back()


# ---- Instances that are of no use ----


def test_an_instance_that_ends_for_its_key_is_told_what_to_mend(account):
    # As long as the module that launches it asks for it, it is pending.
    account.server.configure(ends="Client.InternalError", pending=8)
    done = account.provision(ec2_environment_timeout=60)
    account.faults += 1
    assert done.code != 0
    said = causes(account)
    assert "(Client.InternalError: Client error on launch): mend it first, for another try is paid for too" in said
    assert "kms:CreateGrant" in said
    assert "run again" not in said
    account.give_back()


def test_an_instance_without_host_keys_is_told(account):
    account.server.configure(hosts=[{"address": "127.0.0.2", "console": "booting"}])
    done = account.provision()
    account.faults += 1
    assert done.code != 0
    assert "did not show its host keys on its console within 1 s: look at aws ec2 get-console-output" in causes(account)
    assert "a longer wait is ec2_environment_timeout" in causes(account)
    account.give_back()


def test_an_instance_that_does_not_answer_is_told(account):
    # Nobody listens at port 1.
    done = account.provision(ansible_connection=None, ansible_port=1)
    account.faults += 1
    assert done.code != 0
    failure = account.failures()[-1]
    assert failure["phase"] == "connect"
    # Where ssh has ended before it is told the module, Ansible says that instead of what ssh said.
    assert any(words in failure["cause"] for words in ("refused", "could not be sent to remote host '127.0.0.2'")), (
        failure
    )
    assert failure["advice"] == "Check address, key and network."
    account.give_back()


# ---- What guards them ----


def test_a_teardown_in_another_region_touches_nothing(account):
    assert account.provision().code == 0
    account.faults += 1
    home, elsewhere = account.environment, {"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "us-west-2"}
    there, before = account.server.leftovers(), len(writes(account))
    account.environment = {**home, **elsewhere}
    command = f"AWS_REGION=us-east-1 ansible-playbook cloudbench.llama.teardown -e ec2_environment_run={account.run}"
    # By the directory of the run, and on another machine by the tags of its roles.
    for directory, by in ((None, "place.json says so"), ("other", "the tag Region of its ")):
        more = {"ec2_environment_directory": str(account.directory / directory)} if directory else {}
        refused = account.play("teardown", ec2_environment_run=account.run, **more)
        assert refused.code != 0
        said = refused.output.replace(" ", "")
        assert f"Therun{account.run}isinus-east-1(" in said, refused.output
        assert by.replace(" ", "") in said
        assert "AWS_REGIONsaysus-west-2" in said
        assert command.replace(" ", "") in said
    # Nor does it become a run of two regions.
    again = account.provision()
    assert again.code != 0
    assert f"is in us-east-1 ({account.directory}" in causes(account), account.failures()
    # A sweep looks in every region, and finds it.
    swept = account.play("sweep", ec2_environment_sweep_all=True)
    assert command in swept.output, swept.output
    assert account.server.leftovers() == there
    assert len(writes(account)) == before
    # Without a region the run is enough.
    account.environment = {name: value for name, value in home.items() if name not in elsewhere}
    account.give_back()


def test_the_schedules_end_the_others_when_one_was_reclaimed_long_ago(account):
    account.server.configure(hosts=[account.host, account.host])
    done = account.provision(ec2_environment_instances=[{"type": TYPE, "market": "spot", "count": 2}])
    assert done.code == 0, done.output
    first, second = [one["id"] for one in account.server.leftovers() if one["kind"] == "instance"]
    assert account.server.terminate(first, forgotten=True) == [first]
    account.faults += 1
    ended = {tuple(one["ended"]): one["error"] for one in account.server.expire()}
    assert ended == {(): "InvalidInstanceID.NotFound", (second,): None}
    assert "instance" not in account.kinds()
    account.give_back()


def test_an_instance_that_no_tag_finds_is_guarded(account):
    account.server.fault(action="RunInstances", eventual_tags="600 s")
    # The module fails once it has launched.
    account.server.fault(action="DescribeInstanceStatus", code="UnauthorizedOperation", times=None)
    done = account.provision(ec2_environment_subnet_ids=[given_subnet(account)])
    assert done.code != 0
    assert "ec2:DescribeInstanceStatus" in causes(account), account.failures()
    (instance,) = [one["id"] for one in account.server.leftovers() if one["kind"] == "instance"]
    assert [one["id"] for one in account.server.leftovers() if one["kind"] == "schedule"] == [
        f"cloudbench-{account.run}.{instance}"
    ]
    # Nor does a teardown take it for gone.
    gone = account.play("teardown", ec2_environment_run=account.run)
    assert gone.code == 0, gone.output
    assert "instance" not in account.kinds()
    account.give_back()


def given_subnet(account):
    zones = ec2(account).describe_instance_type_offerings(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": [TYPE]}]
    )["InstanceTypeOfferings"]
    wanted = [{"Name": "availability-zone", "Values": [zones[0]["Location"]]}]
    return ec2(account).describe_subnets(Filters=wanted)["Subnets"][0]["SubnetId"]


def test_a_refused_budget_does_not_stop_the_run(account):
    account.server.fault(service="budgets", action="*", code="AccessDeniedException", times=None)
    done = account.provision(ec2_environment_budget_usd=50, ec2_environment_budget_email="me@example.com")
    assert done.code == 0, done.output
    assert "No mail tells me@example.com that a month costs more than 50 USD" in done.output
    assert "allow budgets:" in done.output
    actions = [one["action"] for one in account.server.requests()]
    assert actions.index("DescribeBudget") < actions.index("RunInstances")
    assert whole(account), account.kinds()
    account.give_back()


# ---- Others in the same account ----


def test_two_runs_at_once_do_not_touch_each_other(account):
    interpreter = account.variables["ansible_python_interpreter"]
    other = type(account)(account.server, account.directory / "other", "other", interpreter, account.controller)
    other.directory.mkdir()
    account.server.configure(hosts=[account.host, account.host])
    both = [one.start("provision") for one in (account, other)]
    assert [one.wait(timeout=280) for one in both] == [0, 0]
    of_other = [one for one in account.server.leftovers() if other.run in one["id"] + one["name"]]
    assert account.play("teardown", ec2_environment_run=account.run).code == 0
    left = account.server.leftovers()
    assert left
    assert [one for one in left if account.run in one["id"] + one["name"]] == []
    assert [one for one in left if other.run in one["id"] + one["name"]] == of_other
    done = account.play(
        "sweep", ec2_environment_sweep_owner="bob", ec2_environment_sweep_all=True, ec2_environment_sweep_remove=True
    )
    assert done.code == 0, done.output
    assert account.server.leftovers() == left
    other.give_back()


# ---- The one who started it goes away ----


BROKEN_OFF = [
    (action, with_signal)
    for action in (
        "CreateRole",
        "CreateVpc",
        "CreateSecurityGroup",
        "CreateInternetGateway",
        "CreateRouteTable",
        "CreatePlacementGroup",
        "CreateLaunchTemplate",
        "RunInstances",
    )
    for with_signal in (signal.SIGINT, signal.SIGKILL)
]


@pytest.mark.parametrize(
    ("action", "with_signal"),
    [
        pytest.param(action, with_signal, id=f"{action}-{'Ctrl-C' if with_signal == signal.SIGINT else 'kill'}")
        for action, with_signal in rotation.chosen(BROKEN_OFF)
    ],
)
def test_what_a_broken_off_run_has_made_is_found(account, action, with_signal):
    account.server.fault(action=action, delay=2)
    running = account.start("provision", **(CLUSTER if action == "CreatePlacementGroup" else {}))
    account.wait_for(action)
    account.stop(running, with_signal)
    assert account.server.leftovers()
    if (action, with_signal) in ((("RunInstances"), signal.SIGKILL), ("CreateVpc", signal.SIGINT)):
        account.mend()
        done = account.play("sweep", ec2_environment_sweep_all=True, ec2_environment_sweep_remove=True)
        assert done.code == 0, done.output
        assert account.server.leftovers() == []
    else:
        account.give_back()


# ---- The whole way ----


def test_a_run_without_instances_ends_with_a_page_and_without_leavings(account):
    account.server.fault(action="CreateSubnet", code="UnauthorizedOperation", times=None)
    done = account.play("site")
    assert done.code != 0
    assert account.server.requests("CreateSubnet")
    assert account.server.leftovers() == [], done.output
    pages = "".join(page.read_text("utf-8") for page in (account.directory / "results").glob("**/*.md"))
    assert "allow ec2:CreateSubnet" in pages
    account.mend()
