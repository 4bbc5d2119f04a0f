# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live check: what it may cost, its rows, its record and its page; its questions against the API of the tests."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError
from support.aws.given import Clock
from support.aws.server import AwsServer

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live import free as live_free
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live import hosts as live_hosts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live import page as live_page
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live import role as live_role
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live.checks import (
    CHECKS,
    PARTS,
    Ledger,
    LiveError,
    NotAsked,
    costs,
    most_usd,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live.programs import Playbooks, Played, Ssh
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live_smoke import (
    Account,
    LiveFiles,
    LiveSmoke,
    Settings,
)

DOCS = Path(__file__).resolve().parents[5] / "docs"
POLICY = (DOCS / "iam-policy.json").read_text("utf-8")
BOUNDS = (DOCS / "iam-boundary.json").read_text("utf-8")
DEMANDS = live_free.parse_demands(json.loads((DOCS / "iam-demands.json").read_text("utf-8")))
RUN = "20261124T190000Z-1a2b"
REGION = "us-east-1"
TTL = 9


def plan(**more: Any) -> dict[str, Any]:
    """A plan as the account makes it."""
    usd = {"on_demand": 0.0168, "spot": None, "most": 0.0168, "source": "AWS Pricing API", "date": "2026-11-29"}
    small = {"type": "t4g.small", "count": 2, "market": "on-demand", "zones": ["us-east-1a"], "image_id": "ami-1",
             "usd_h": usd}  # fmt: skip
    spot = {**small, "type": "c7g.medium", "count": 1, "market": "spot",
            "usd_h": {**usd, "on_demand": 0.0363, "most": 0.0363, "spot": 0.0121}}  # fmt: skip
    made = {
        "region": REGION, "account": "123456789012", "rows": [small, spot], "errors": [],
        "cost": {"storage": 0.0026, "address": 0.015, "storage_source": "AWS Pricing API, 2026-11-29"},
    }  # fmt: skip
    return {**made, **more}


# ---- What it may cost ----


def test_the_cost_is_that_of_all_instances_with_volumes_and_addresses_for_all_the_time() -> None:
    assert most_usd(plan(), 20) == (Decimal("0.0168") * 2 + Decimal("0.0363") + Decimal("0.0176")) / 3
    good, said = costs(plan(), 20, 0.05)
    assert good
    assert said == "0.0292 USD if all of it lives for 20 minutes; the limit is 0.05 USD"


def test_more_than_the_limit_is_refused() -> None:
    good, said = costs(plan(), 20, 0.02)
    assert not good
    assert "raise ec2_live_smoke_usd" in said


@pytest.mark.parametrize("what", ["row", "storage", "address"])
def test_a_price_that_is_not_known_is_no_price_of_nothing(what: str) -> None:
    given = plan()
    if what == "row":
        given["rows"][1]["usd_h"]["most"] = None
    else:
        given["cost"][what] = None
    with pytest.raises(LiveError, match="c7g.medium" if what == "row" else what):
        most_usd(given, 20)


# ---- Rows ----


def test_each_check_has_a_row_whatever_was_asked() -> None:
    told: list[str] = []
    ledger = Ledger(told.append, Clock())

    def unasked() -> tuple[bool, str]:
        raise NotAsked("no VPC")

    def refused() -> tuple[bool, str]:
        raise aws.AwsError("allow iam:CreateRole to arn:aws:iam::123456789012:user/a")

    assert ledger.ask("plan", lambda: (True, "fine"))
    assert not ledger.ask("dry-run", unasked)
    assert not ledger.ask("role", refused)
    rows = {row.key: row for row in ledger.rows}
    assert list(rows) == [check.key for check in CHECKS]
    seen = [rows[key].state for key in ("plan", "dry-run", "role", "left")]
    assert seen == ["ok", "not asked", "failed", "not asked"]
    # Nobody's account number goes onto a page.
    assert rows["role"].seen == "allow iam:CreateRole to arn:aws:iam::ACCOUNT:user/a"
    assert len(ledger.failed) == 1
    assert told[0] == "ok: the plan: fine (0.0 s)"


def test_checks_are_told_apart_and_stand_in_the_order_of_their_parts() -> None:
    assert len({check.key for check in CHECKS}) == len(CHECKS)
    assert [PARTS.index(check.part) for check in CHECKS] == sorted(PARTS.index(check.part) for check in CHECKS)


# ---- The record and the page ----


def record(**more: Any) -> dict[str, Any]:
    ledger = Ledger(clock=Clock())
    ledger.put("plan", True, "2 x t4g.small", 1)
    ledger.put("limit", False, "it is running | and has not ended", 600)
    told = {
        "started": "2026-11-29 12:00 UTC", "minutes": 14.2, "region": REGION, "emulated": False, "ttl_minutes": TTL,
        "versions": {"boto3": "1.2"}, "problem": "",
    }  # fmt: skip
    return live_page.made(ledger.rows, **{**told, **more})


def test_the_committed_page_is_that_of_the_committed_record() -> None:
    kept = live_page.read(DOCS / "live.json")
    assert kept is not None
    assert (DOCS / "live.md").read_text("utf-8") == live_page.render(kept)
    assert not kept.get("emulated")


def test_a_page_that_nobody_made_says_so_and_what_it_will_look_at() -> None:
    page = live_page.render(live_page.never())
    assert "**Never run.**" in page
    assert page.count("| not asked |") == len(CHECKS)
    assert "| ok |" not in page


def test_the_page_says_the_limits_that_the_role_has() -> None:
    role = yaml.safe_load((DOCS.parent / "roles/ec2_live_smoke/defaults/main.yml").read_text("utf-8"))
    page = live_page.render(live_page.never())
    assert f"refuses more than {role['ec2_live_smoke_usd']} USD" in page
    assert f"{role['ec2_live_smoke_ttl_minutes']} minutes" in page
    assert f"at most {role['ec2_live_smoke_minutes']}." in page


def test_a_page_says_what_was_seen() -> None:
    page = live_page.render(live_page.decode(live_page.encode(record())))
    assert f"**1 of {len(CHECKS)} as expected, 1 failed, {len(CHECKS) - 2} not asked**" in page
    assert "2026-11-29 12:00 UTC, us-east-1, 14.2 minutes, time limit of the instances 9 minutes; boto3 1.2." in page
    assert "| it is running &#124; and has not ended | **failed** | 600.0 |" in page
    assert "Emulated" not in page
    assert "Never run" not in page


def test_a_page_says_that_the_endpoint_was_not_aws_and_what_broke_it_off() -> None:
    page = live_page.render(record(emulated=True, problem="broken off: no answer"))
    assert "> [!WARNING]\n> Emulated: the endpoint was not AWS" in page
    assert "> [!CAUTION]\n> broken off: no answer" in page


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "has schema None, and this collection knows 1: update the collection"),
        ('{"schema": 2}', "has schema 2"),
        ('{"schema": 1, "state": "maybe"}', "state is 'run' or 'never run', not 'maybe'"),
        ('{"schema": 1, "state": "run"}', "started is missing or of another type"),
    ],
)
def test_what_is_no_record_is_refused(content: str, said: str) -> None:
    with pytest.raises(LiveError, match=said):
        live_page.decode(content)


@pytest.mark.parametrize("row", [{"check": "x"}, {"check": "plan", "state": "good", "seen": ""}, 3])
def test_a_row_that_is_none_is_refused(row: object) -> None:
    with pytest.raises(LiveError, match="is no row"):
        live_page.decode(json.dumps({**record(), "rows": [row]}))


def files(tmp_path: Path) -> LiveFiles:
    paths = dict.fromkeys(LiveFiles._fields, tmp_path)
    return LiveFiles(**{**paths, "page": tmp_path / "live.md"})


def test_what_does_not_come_from_aws_replaces_no_page_about_aws(tmp_path: Path) -> None:
    where = files(tmp_path)
    where.refuse(emulated=True)
    where.write(record(emulated=True), {"t4g.small": "cloudbench-host-key\r\n"})
    where.refuse(emulated=True)
    where.refuse(emulated=False)
    assert (tmp_path / "t4g.small.txt").read_bytes() == b"cloudbench-host-key\r\n"
    for kept in (record(), live_page.never()):
        where.write(kept, {})
        with pytest.raises(LiveError, match=r"the endpoint is not AWS, and .*live\.md is of AWS alone"):
            where.refuse(emulated=True)


# ---- Free of charge ----


def test_the_simulator_is_asked_for_every_demand(server: AwsServer) -> None:
    iam = aws.client("iam", REGION)
    good, said = live_free.simulated(iam, POLICY, DEMANDS)
    assert good, said
    assert said == f"{len(DEMANDS)} of {len(DEMANDS)} allowed"
    asked = server.requests("SimulateCustomPolicy")
    assert sum(len(one["params"]["ActionNames"]) for one in asked) == len(DEMANDS)
    assert all(one["params"]["PolicyInputList"] == [POLICY] for one in asked)


def test_what_the_simulator_refuses_is_named(server: AwsServer) -> None:
    poorer = json.loads(POLICY)
    poorer["Statement"] = [one for one in poorer["Statement"] if one["Sid"] != "OwnSessions"]
    good, said = live_free.simulated(aws.client("iam", REGION), json.dumps(poorer), DEMANDS)
    assert not good
    assert "ssm:ResumeSession on arn:aws:ssm:us-east-1:123456789012:session/" in said
    assert "(implicitDeny)" in said


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({}, "there is no plan"),
        (plan(errors=["no such type"]), "no such type"),
        (plan(account=None), "there are no credentials"),
        (plan(rows=plan()["rows"][:1]), "leave ec2_environment_instances out"),
    ],
)
def test_a_plan_that_is_another_one_rents_nothing(made: dict[str, Any], said: str) -> None:
    good, seen = live_free.planned(made)
    assert not good
    assert said in seen


def test_a_plan_says_zones_images_and_prices() -> None:
    assert live_free.planned(plan()) == (True, "2 x t4g.small on-demand, 1 x c7g.medium spot, in us-east-1")
    assert live_free.zones(plan()) == (True, "t4g.small: us-east-1a; c7g.medium: us-east-1a")
    assert live_free.images(plan()) == (True, "ami-1")
    assert live_free.priced(plan())[0]
    old = plan()
    old["rows"][0]["usd_h"]["source"] = "Apache Libcloud 3.9.1, pricing.json"
    assert not live_free.priced(old)[0]


def test_quotas_are_asked_for(server: AwsServer) -> None:
    quotas = aws.client("service-quotas", REGION)
    assert live_free.quotas(quotas) == (True, "L-1216C47A 640, L-34B43A08 640")
    server.configure(quotas={"L-1216C47A": 2, "L-34B43A08": 1})
    assert live_free.quotas(quotas) == (False, "L-1216C47A 2, L-34B43A08 1")


def image() -> str:
    images = boto3.client("ec2").describe_images(Filters=[{"Name": "architecture", "Values": ["arm64"]}])["Images"]
    return str(images[0]["ImageId"])


def test_a_launch_that_is_none_is_asked_for(server: AwsServer) -> None:
    rows = [{"type": "t4g.small", "image_id": image()}]
    assert live_free.dry_run(aws.client("ec2", REGION), rows) == (True, "DryRunOperation")
    assert server.requests("RunInstances")[0]["write"] is False
    assert server.leftovers() == []
    server.fault(action="RunInstances", code="UnauthorizedOperation")
    assert live_free.dry_run(aws.client("ec2", REGION), rows) == (False, "UnauthorizedOperation")
    server.fault(action="RunInstances", code="VPCIdNotSpecified", message="No default VPC for this user")
    with pytest.raises(NotAsked, match="no default VPC"):
        live_free.dry_run(aws.client("ec2", REGION), rows)


def test_demands_that_are_none_are_refused() -> None:
    for wrong in ([], {"demands": [{"action": "a"}]}, {"demands": [1]}):
        with pytest.raises(LiveError, match="take docs/iam-demands"):
            live_free.parse_demands(wrong)


# ---- The role ----


def test_a_role_is_made_for_who_makes_it_and_removed(server: AwsServer) -> None:
    account = Account(REGION)
    arn = live_role.make(account.iam, RUN, POLICY, account.caller, {"Project": aws.PROJECT, "Owner": "me"})
    assert arn.endswith(f":role/cloudbench/cloudbench-{RUN}-role")
    made = server.requests("CreateRole")[0]["params"]
    trust = json.loads(made["AssumeRolePolicyDocument"])["Statement"][0]
    assert trust["Condition"] == {"StringEquals": {"aws:userid": account.caller["UserId"]}}
    assert {tag["Key"]: tag["Value"] for tag in made["Tags"]}["RunId"] == f"{RUN}-role"
    session = live_role.assume(account.sts, arn, "an owner/x")
    who = aws.client("sts", REGION, of=aws.session_of(session, REGION)).get_caller_identity()["Arn"]
    assert who.endswith(f"assumed-role/cloudbench-{RUN}-role/an-owner-x")
    assert live_role.removed(account.iam, RUN) == (True, f"cloudbench-{RUN}-role is gone")
    assert live_role.removed(account.iam, RUN)[0]
    assert server.leftovers() == []


def test_a_boundary_is_made_where_there_is_none_and_removed(server: AwsServer) -> None:
    account = Account(REGION)
    arn = live_role.boundary_arn(account.caller)
    assert arn.replace("123456789012", "${aws:PrincipalAccount}") in POLICY
    assert live_role.make_boundary(account.iam, BOUNDS, account.caller, {"Project": aws.PROJECT})
    assert not live_role.make_boundary(account.iam, BOUNDS, account.caller, {})
    assert server.requests("CreatePolicy")[0]["params"]["PolicyDocument"] == BOUNDS
    live_role.remove_boundary(account.iam, account.caller)
    live_role.remove_boundary(account.iam, account.caller)
    assert server.leftovers() == []


def test_a_role_that_sts_does_not_know_yet_is_waited_for(server: AwsServer) -> None:
    account, clock = Account(REGION), Clock()
    with pytest.raises(aws.AwsError, match="sts:AssumeRole"):
        live_role.assume(account.sts, "arn:aws:iam::123456789012:role/cloudbench/x", "me", clock.sleep, clock)
    assert clock.now >= 60
    arn = live_role.make(account.iam, RUN, POLICY, account.caller, {})
    server.fault(action="AssumeRole", code="AccessDenied", times=2)
    assert set(live_role.assume(account.sts, arn, "me", clock.sleep, clock)) == {
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    }  # fmt: skip


def test_a_session_that_never_may_what_its_policy_says_is_told() -> None:
    clock = Clock()

    def denied() -> None:
        with aws.asked("ec2:DescribeVpcs"):
            raise ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}, "DescribeVpcs")

    with pytest.raises(LiveError, match=r"after 60 s the session may not .*service control policy"):
        live_role.wait_until_it_may(denied, clock.sleep, clock)


# ---- The hosts ----


LAUNCHED = datetime.datetime(2026, 11, 29, 12, 0, tzinfo=datetime.UTC)


def test_a_shutdown_is_read_as_logind_writes_it() -> None:
    usec = int((LAUNCHED + datetime.timedelta(minutes=9, seconds=30)).timestamp() * 1e6)
    minutes, mode = live_hosts.shutdown_after(f"USEC={usec}\nWARN_WALL=1\nMODE=poweroff\nUID=0\n", LAUNCHED)
    assert (minutes, mode) == (9.5, "poweroff")
    assert live_hosts.shut_down_in_time(minutes, mode, TTL)
    assert not live_hosts.shut_down_in_time(minutes, "reboot", TTL)
    assert not live_hosts.shut_down_in_time(7.5, mode, TTL)
    assert not live_hosts.shut_down_in_time(15, mode, TTL)
    with pytest.raises(LiveError, match="no shutdown is scheduled"):
        live_hosts.shutdown_after("", LAUNCHED)


@pytest.mark.parametrize(
    ("ends", "good", "said"),
    [
        ({"a": ["i-1"], "b": ["i-2"]}, True, "2 schedules, of one instance each"),
        ({"a": ["i-1", "i-2"]}, False, "1 schedules; none ends i-1, i-2 alone"),
        ({}, False, "0 schedules; none ends i-1, i-2 alone"),
    ],
)
def test_a_schedule_is_of_one_instance(ends: dict[str, list[str]], good: bool, said: str) -> None:
    assert live_hosts.scheduled(ends, ["i-1", "i-2"]) == (good, said)


def test_how_an_instance_ended_is_judged_by_reason_and_time() -> None:
    limit = "Client.InstanceInitiatedShutdown"
    assert live_hosts.ended_by(live_hosts.Ended("terminated", limit, 560.0), limit, 540)[0]
    assert not live_hosts.ended_by(live_hosts.Ended("terminated", limit, 300.0), limit, 540)[0]
    assert not live_hosts.ended_by(live_hosts.Ended("terminated", "Client.UserInitiatedShutdown", 560.0), limit, 540)[0]
    assert live_hosts.ended_by(live_hosts.Ended("running", "", None), limit, 540) == (
        False, "it is running and has not ended",
    )  # fmt: skip


def launch(kind: str, count: int = 1, **more: Any) -> list[str]:
    ends = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=TTL)).strftime("%Y-%m-%dT%H:%M:%SZ")
    tags = {"Project": aws.PROJECT, "RunId": RUN, "Owner": "me", "ExpiresAt": ends, "Name": "x"}
    tags["LoginUser"] = "ec2-user"
    kinds = ["instance", "volume", "network-interface", *(["spot-instances-request"] if more else [])]
    made = boto3.client("ec2").run_instances(
        ImageId=image(),
        InstanceType=kind,
        MinCount=count,
        MaxCount=count,
        InstanceInitiatedShutdownBehavior="terminate",
        UserData=f"#!/bin/sh\nshutdown -P +{TTL}\n",
        TagSpecifications=[
            {"ResourceType": name, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
            for name in kinds
        ],
        **more,
    )
    return [one["InstanceId"] for one in made["Instances"]]


def schedule(instances: list[str], name: str) -> None:
    trust = {"Version": "2012-10-17", "Statement": []}
    iam = boto3.client("iam")
    if not any(role["RoleName"] == "expiry" for role in iam.list_roles()["Roles"]):
        iam.create_role(RoleName="expiry", AssumeRolePolicyDocument=json.dumps(trust))
    at = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=TTL)).strftime("%Y-%m-%dT%H:%M:%S")
    boto3.client("scheduler").create_schedule(
        Name=f"cloudbench-{RUN}.{name}",
        ScheduleExpression=f"at({at})",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances",
            "RoleArn": "arn:aws:iam::123456789012:role/expiry",
            "Input": json.dumps({"InstanceIds": instances}),
        },
    )


class Answered(Ssh):
    """ssh that the API of the tests answers."""

    def __init__(self, server: AwsServer) -> None:
        super().__init__(["ssh"], Path("runs"))
        self.server = server
        self.asked: list[str] = []

    def run(self, user: str, address: str, *words: str) -> str:
        self.asked.append(f"{user}@{address} {' '.join(words)}")
        usec = self.server.shutdown(address, cancel=words[-1] == "-c")
        return f"USEC={usec}\nMODE=poweroff\n"


@pytest.fixture
def fleet(server: AwsServer) -> list[dict[str, Any]]:
    """A, B and C, as the playbook would launch them, each with a schedule."""
    server.configure(hosts=[{"address": f"127.0.0.{number}", "console": "-"} for number in (2, 3, 4)])
    ids = launch("t4g.small", 2) + launch("c7g.medium", InstanceMarketOptions={"MarketType": "spot"})
    for number, name in enumerate(ids):
        schedule([name], str(number))
    return live_hosts.instances(boto3.client("ec2"), RUN)


def smoke(server: AwsServer, tmp_path: Path, minute_s: float = 0.01) -> LiveSmoke:
    settings = Settings(RUN, REGION, TTL, 20, 0.05, minute_s, POLICY, BOUNDS, DEMANDS)

    def sleep(_seconds: float) -> None:
        server.configure(minute=minute_s)

    return LiveSmoke(settings, plan(), Account(REGION), Ledger(), Playbooks(RUN, tmp_path, {}), Answered(server), sleep)


def states(made: LiveSmoke, *keys: str) -> dict[str, str]:
    return {row.key: row.state for row in made.ledger.rows if row.key in keys}


def test_tags_are_looked_at_on_all_that_a_launch_makes(server: AwsServer, fleet: list[dict[str, Any]]) -> None:
    client = aws.client("ec2", REGION)
    assert [one.get("InstanceLifecycle") == "spot" for one in fleet] == [False, False, True]
    assert live_hosts.tagged(client, fleet, RUN) == (
        True, "3 instances, 3 volumes, 3 network interfaces, 1 spot requests: all tagged",
    )  # fmt: skip
    volume = fleet[1]["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    boto3.client("ec2").delete_tags(Resources=[volume], Tags=[{"Key": "ExpiresAt"}])
    good, said = live_hosts.tagged(client, fleet, RUN)
    assert not good
    assert f"{volume} lacks ExpiresAt" in said


def test_each_guard_acts_alone(server: AwsServer, fleet: list[dict[str, Any]], tmp_path: Path) -> None:
    made = smoke(server, tmp_path)
    made.guards(fleet)
    assert states(made, "limit", "schedule", "loss") == dict.fromkeys(("limit", "schedule", "loss"), "ok"), (
        made.ledger.failed
    )
    # Neither was ended by what the other was left to.
    assert isinstance(made.ssh, Answered)
    assert made.ssh.asked == [f"ec2-user@{fleet[1]['PublicIpAddress']} sudo -n shutdown -c"]
    deleted = [one["params"]["Name"] for one in server.requests("DeleteSchedule")]
    assert len(deleted) == 1
    assert [one["kind"] for one in server.leftovers() if one["kind"] == "instance"] == []


def test_a_shutdown_is_not_cancelled_where_nothing_else_would_end_the_instance(
    server: AwsServer, fleet: list[dict[str, Any]], tmp_path: Path
) -> None:
    for row in boto3.client("scheduler").list_schedules()["Schedules"]:
        boto3.client("scheduler").delete_schedule(Name=row["Name"])
    made = smoke(server, tmp_path)
    made.guards(fleet)
    assert states(made, "limit", "schedule", "loss") == {"limit": "ok", "schedule": "failed", "loss": "failed"}
    assert isinstance(made.ssh, Answered)
    assert made.ssh.asked == []


def test_one_schedule_for_all_is_not_the_guard_of_one(
    server: AwsServer, fleet: list[dict[str, Any]], tmp_path: Path
) -> None:
    for row in boto3.client("scheduler").list_schedules()["Schedules"]:
        boto3.client("scheduler").delete_schedule(Name=row["Name"])
    schedule([one["InstanceId"] for one in fleet], "all")
    made = smoke(server, tmp_path)
    made.guards(fleet)
    assert states(made, "limit", "schedule", "loss") == dict.fromkeys(("limit", "schedule", "loss"), "failed")
    assert "ends" in made.ledger.failed[0]


def test_consoles_are_watched_until_they_show_keys(server: AwsServer, fleet: list[dict[str, Any]]) -> None:
    watch = live_hosts.ConsoleWatch(aws.client("ec2", REGION), RUN, 3, now=lambda: fleet[0]["LaunchTime"])
    watch.look()
    words = {one["InstanceId"]: word for word, one in zip("ABC", fleet, strict=True)}
    assert watch.verdict(words) == (False, "A never, B never, C never")
    boto3.client("ec2").terminate_instances(InstanceIds=list(words))


def test_seconds_until_a_console_shows_keys_count_from_the_launch(server: AwsServer) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDduK+2i6ufIPu4rXlnobuXzQdlEYZgnMQ+tPmJo/SWX"
    console = f"[ 9.1] cloud-init\r\ncloudbench-host-key {key}\r\n"
    server.configure(hosts=[{"address": "127.0.0.2", "console": console}] * 2)
    launch("t4g.small", 2)
    there = live_hosts.instances(boto3.client("ec2"), RUN)
    later = there[0]["LaunchTime"] + datetime.timedelta(seconds=41)
    watch = live_hosts.ConsoleWatch(aws.client("ec2", REGION), RUN, 2, pause=0.01, now=lambda: later)
    watch.start()
    watch.join(timeout=20)
    watch.end()
    assert watch.verdict({one["InstanceId"]: word for word, one in zip("AB", there, strict=True)}) == (
        True, "A 41 s, B 41 s",
    )  # fmt: skip
    assert set(watch.consoles.values()) == {console}


def test_a_watch_that_may_not_look_says_so(server: AwsServer) -> None:
    server.fault(action="DescribeInstances", code="UnauthorizedOperation", times=None)
    watch = live_hosts.ConsoleWatch(aws.client("ec2", REGION), RUN, 1, pause=0.01)
    watch.start()
    watch.join(timeout=20)
    assert "ec2:DescribeInstances" in watch.verdict({})[1]


# ---- All of it ----


class Pretended(Playbooks):
    """Playbooks that do nothing and end as they are told."""

    def __init__(self, run: str, directory: Path, **codes: int) -> None:
        super().__init__(run, directory, {})
        self.codes = codes
        self.played: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    def play(self, name: str, given: Any, timeout: float, inventory: bool = False, **more: Any) -> Played:
        self.played.append((name, dict(given), more))
        return Played(self.codes.get(name, 0), "[ERROR]: no room\n", Path(f"{name}.log"))


def whole(server: AwsServer, tmp_path: Path, usd: float = 0.05, **codes: int) -> tuple[LiveSmoke, Pretended]:
    playbooks = Pretended(RUN, tmp_path, **codes)
    settings = Settings(RUN, REGION, TTL, 20, usd, 0.01, POLICY, BOUNDS, DEMANDS[:1])
    given = plan()
    for row in given["rows"]:
        row["image_id"] = image()
    return LiveSmoke(settings, given, Account(REGION), Ledger(), playbooks, Answered(server)), playbooks


def test_what_may_cost_too_much_makes_nothing(server: AwsServer, tmp_path: Path) -> None:
    made, playbooks = whole(server, tmp_path, usd=0.001)
    made.check()
    assert states(made, "plan", "cost", "role", "provision") == {
        "plan": "ok", "cost": "failed", "role": "not asked", "provision": "not asked",
    }  # fmt: skip
    assert (playbooks.played, server.requests(write=True)) == ([], [])


def test_with_check_only_what_costs_nothing_is_asked(server: AwsServer, tmp_path: Path) -> None:
    made, playbooks = whole(server, tmp_path)
    made.check(rent=False)
    assert states(made, "dry-run", "role", "left") == {"dry-run": "ok", "role": "not asked", "left": "not asked"}
    assert (playbooks.played, server.requests(write=True)) == ([], [])


def test_what_fails_is_given_back_all_the_same(server: AwsServer, tmp_path: Path) -> None:
    made, playbooks = whole(server, tmp_path, provision=2)
    made.check()
    assert states(made, "role", "provision", "tags", "limit", "teardown", "sweep", "role-removed", "left") == {
        "role": "ok", "provision": "failed", "tags": "not asked", "limit": "not asked", "teardown": "ok", "sweep": "ok",
        "role-removed": "ok", "left": "ok",
    }  # fmt: skip
    assert "exit code 2: [ERROR]: no room (provision.log), 0 instances" in made.ledger.failed[0]
    by_name = {name: (given, more) for name, given, more in playbooks.played}
    assert list(by_name) == ["provision", "teardown", "sweep"]
    # The run and its end are those of the session of the role; the end is told no region.
    assert {given["AWS_ACCESS_KEY_ID"] for given, _more in by_name.values()} != {"testing"}
    assert "AWS_REGION" not in by_name["teardown"][0]
    assert by_name["provision"][0]["AWS_REGION"] == REGION
    boundary = by_name["provision"][1]["ec2_environment_permissions_boundary"]
    assert boundary.endswith(":policy/cloudbench-boundary")
    assert by_name["sweep"][1]["ec2_environment_sweep_except"] == [f"{RUN}-role"]
    assert server.leftovers() == []


def test_a_boundary_that_was_there_stays(server: AwsServer, tmp_path: Path) -> None:
    made, _playbooks = whole(server, tmp_path, provision=2)
    live_role.make_boundary(made.account.iam, BOUNDS, made.account.caller, {})
    made.check()
    assert [thing["kind"] for thing in server.leftovers()] == ["policy"]


def test_what_is_left_is_a_failure_with_the_command_that_removes_it(
    server: AwsServer, tmp_path: Path, fleet: list[dict[str, Any]]
) -> None:
    made, _playbooks = whole(server, tmp_path, provision=2, teardown=2)
    made.check()
    assert states(made, "teardown", "left") == {"teardown": "failed", "left": "failed"}
    assert f"ec2_environment_run={RUN}" in "".join(made.ledger.failed)
    assert len(fleet) == 3


def test_what_aws_refuses_in_the_middle_breaks_it_off_and_not_its_end(server: AwsServer, tmp_path: Path) -> None:
    made, playbooks = whole(server, tmp_path)
    server.fault(action="DescribeInstances", code="UnauthorizedOperation", times=None)
    made.check()
    assert made.ledger.problem.startswith("broken off: ec2:DescribeInstances")
    assert [name for name, _given, _more in playbooks.played] == ["provision", "teardown", "sweep"]
    assert made.ledger.problem in made.ledger.failed
    server.clear_faults()
    assert server.leftovers() == []


# ---- The programs ----


def test_a_playbook_gets_the_identity_that_it_is_given_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "mine")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    made = Playbooks(RUN, tmp_path, {"a": 1})
    environment = made.environment({"AWS_ACCESS_KEY_ID": "given"})
    assert environment["AWS_ACCESS_KEY_ID"] == "given"
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert not {"AWS_PROFILE", "AWS_REGION", "AWS_SECRET_ACCESS_KEY"} & set(environment)
    assert environment["CLOUDBENCH_RUN"] == RUN
    command = made.command("teardown", {"b": 2}, inventory=False)
    assert command[-1] == '{"a": 1, "b": 2}'
    assert "-i" not in command
    assert "-i" in made.command("provision", {}, inventory=True)


def test_ssh_checks_host_keys() -> None:
    command = Ssh(["ssh"], Path("runs")).command("ec2-user", "198.51.100.1", "true")
    assert "StrictHostKeyChecking=yes" in command
    assert f"UserKnownHostsFile={Path('runs/known_hosts')}" in command
    assert command[-2:] == ["ec2-user@198.51.100.1", "true"]


def test_consoles_that_were_seen_show_keys() -> None:
    """What instances of AWS wrote on their consoles, once somebody has made the check."""
    for path in sorted((DOCS.parent / "tests" / "fixtures" / "consoles").glob("*.txt")):
        assert "cloudbench-host-key ssh-" in path.read_text("utf-8"), path.name
