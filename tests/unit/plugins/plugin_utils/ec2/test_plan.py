# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan without an account, and over HTTP against the API server of the tests."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

import boto3
import pytest
from moto.ec2.models.instance_types import INSTANCE_TYPES
from support.aws.server import AwsServer

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices, processors
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import account
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.credentials import Credentials
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.plan import FleetRequest, learn
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.plan_text import render
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import VARIABLES, RunRequest

NOW = datetime.datetime(2026, 11, 24, 19, 0, tzinfo=datetime.UTC)
RUN = "20261124T190000Z-1a2b"
DEFAULT = [{"type": "c7g.16xlarge"}]


def plan(instances: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    """The plan of instances; `more`: of the request for the fleet, and by its fields of the run on it."""
    asked: dict[str, Any] = {"tests": ("pp512", "tg128"), "minutes": 0}
    asked.update({field: more.pop(field) for field in VARIABLES if field in more})
    fleet = {"run": RUN, "instances": DEFAULT if instances is None else instances, **more}
    return learn(FleetRequest(request=RunRequest.of(asked), **fleet), NOW)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A region and nothing else."""
    for name in (
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


@pytest.fixture(scope="module")
def shared() -> Any:
    """Reading botocore's models for each plan anew takes longer than everything else."""
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.session.Session(region_name="us-east-1", **keys)


@pytest.fixture
def server(running: AwsServer, shared: Any, monkeypatch: pytest.MonkeyPatch) -> AwsServer:
    """An empty account whose credentials the environment has."""
    running.reset()
    for name, value in {
        "AWS_ENDPOINT_URL": running.endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws, "session", lambda _region=None: shared)
    # A refused request is not sent again: what is tested is the words.
    monkeypatch.setattr(aws, "ATTEMPTS", 1)
    return running


# ---- without an account ----


def test_the_default_run_without_an_account():
    made = plan()
    assert made["errors"] == []
    assert (made["account"], made["owner"], made["partition"]) == (None, None, None)
    (row,) = made["rows"]
    assert {name: row[name] for name in ("type", "count", "market", "image", "login_user", "machine", "vcpus")} == {
        "type": "c7g.16xlarge",
        "count": 1,
        "market": "on-demand",
        "image": "amazon-linux-2023",
        "login_user": "ec2-user",
        "machine": "gv3-c7g-16xlarge",
        "vcpus": 64,
    }
    assert (row["zones"], row["image_id"], row["memory_gib"]) == ([], None, 128)
    assert row["usd_h"] == {
        "on_demand": 2.32,
        "spot": None,
        "spot_by_zone": {},
        "most": 2.32,
        "source": "karpenter-provider-aws, zz_generated.pricing_aws.go",
        "date": "2026-07-20",
    }
    assert made["volume_gb"] == 30
    assert made["expires_at"] == "2026-11-24T23:00:00Z"
    assert json.loads(json.dumps(made)) == made
    assert made["unchecked"][0].endswith(": there are no credentials")


def test_what_it_costs_is_the_sum_of_its_parts():
    made = plan([{"type": "c7g.16xlarge", "count": 2}, {"type": "m7g.16xlarge"}], ttl_minutes=120, volume_gb=100)
    cost = made["cost"]
    assert cost["instances"] == pytest.approx(2 * 2.32 + 2.6112)
    assert cost["storage"] == pytest.approx(3 * 100 * 0.08 / 730, abs=5e-5)
    assert cost["address"] == pytest.approx(0.015)
    assert cost["per_hour"] == pytest.approx(cost["instances"] + cost["storage"] + cost["address"], abs=2e-4)
    assert cost["at_ttl"] == pytest.approx(2 * cost["per_hour"], abs=2e-4)
    low, high = made["expected_range"]
    assert 0 < low < made["expected_minutes"] < high
    assert cost["expected_range"][0] < cost["expected"] < cost["expected_range"][1] < cost["at_ttl"]


def test_the_most_counts_types_that_may_stand_in():
    made = plan([{"type": "c7g.large", "or_types": ["m7g.large"]}], ttl_minutes=60, volume_gb=30)
    assert made["rows"][0]["usd_h"]["most"] == 0.0816
    assert made["cost"]["instances"] == 0.0725
    assert made["cost"]["at_ttl"] == pytest.approx(0.0816 + made["cost"]["storage"] + made["cost"]["address"], abs=2e-4)
    capped = plan([{"type": "c7g.large", "market": "spot", "max_price": 0.03}], ttl_minutes=60)
    assert capped["rows"][0]["usd_h"]["most"] == 0.03
    assert any("its spot price is not known" in remark for remark in capped["remarks"])


def test_what_has_no_price_makes_the_sums_unknown_until_somebody_gives_one():
    made = plan([{"type": "r9g.large"}, {"type": "c7g.large"}])
    assert made["errors"] == []
    assert [row["usd_h"]["on_demand"] for row in made["rows"]] == [None, 0.0725]
    assert (made["cost"]["per_hour"], made["cost"]["expected"], made["cost"]["at_ttl"]) == (None, None, None)
    assert any("what r9g.large costs in us-east-1 is not known" in remark for remark in made["remarks"])
    assert any("unknown" in line for line in render(made))
    given = plan([{"type": "r9g.large"}], prices={"r9g.large": 0.1})
    assert given["rows"][0]["usd_h"]["source"] == "ec2_environment_prices"
    assert given["cost"]["instances"] == 0.1


def test_a_region_whose_storage_has_no_price():
    made = plan(region="ap-southeast-4")
    assert made["cost"]["storage"] is None
    assert "what storage costs in ap-southeast-4 is not known" in made["remarks"]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            {"instances": [{"type": "c7q.large"}]},
            "the instance type 'c7q.large' is not in the catalog; the nearest: c7",
        ),
        ({"instances": [{"type": "c7g.9xlarge"}]}, "the family c7g has c7g.medium"),
        ({"instances": [{"type": "c7g.large", "or_types": ["c7i.large"]}]}, "c7i.large cannot stand in, for the image"),
        ({"instances": []}, "ec2_environment_instances is empty"),
        ({"instances": [{"type": "c7g.large", "zones": ["eu-west-1a"]}]}, "is no zone of us-east-1"),
        ({"region": "us-esat-1"}, "'us-esat-1' is no region that this boto3 knows"),
        ({"run": "a" * 34}, "a name of 65, and 64 are allowed: use up to 33 letters, digits and hyphens"),
        ({"run": "a_b"}, "the run id 'a_b' becomes part of names and tags"),
        ({"owner": "a\nb"}, "ec2_environment_owner 'a\\nb' becomes a tag"),
        ({"ttl_minutes": 4}, "ec2_environment_ttl_minutes is a whole number from 5 to 10080 (a week), not 4"),
        ({"ttl_minutes": 10081}, "not 10081"),
        ({"connection": "telnet"}, "ec2_environment_connection is ssh or ssm, not 'telnet'"),
        ({"ssh_from": "0.0.0.0/0"}, "at most a /24 may be let in"),
        ({"cidr": "8.8.0.0/16"}, "must be private"),
        ({"region": "cn-north-1"}, "cn-north-1 is a region of the partition aws-cn, where nothing of this"),
        ({"instance_profile": "a b"}, "ec2_environment_instance_profile is the name or the ARN of an instance profile"),
        (
            {"permissions_boundary": "cloudbench-boundary"},
            "ec2_environment_permissions_boundary is the ARN of a policy, such as arn:aws:iam::123456789012:",
        ),
        ({"budget_usd": 5}, "needs ec2_environment_budget_email"),
        (
            {"budget_usd": 5, "budget_email": "a@example.com", "owner": "team:a"},
            "the budget would be called 'cloudbench-team:a'",
        ),
        (
            {"instances": [{"type": "c7g.large", "zones": ["us-east-1-wl1-bos-wlz-1"]}]},
            "us-east-1-wl1-bos-wlz-1 is a Wavelength Zone, which is reached through a carrier gateway",
        ),
        ({"volume_gb": 7}, "ec2_environment_volume_gb is 0, for as much as the models need, or 8 to 16384, not 7"),
        ({"prices": {"c7g.large": -1}}, "ec2_environment_prices: the price of c7g.large is USD an hour"),
        ({"models": ("no-preset",)}, "'no-preset' is no preset model"),
        ({"models": ()}, "nothing is asked for to be measured"),
        ({"tests": ("tg",)}, "'tg' is no test"),
        ({"threads": (65,)}, "65 threads are more than the 64 processors of c7g.16xlarge"),
    ],
)
def test_what_is_wrong_is_an_error(more, sentence):
    made = plan(**more)
    assert any(sentence in error for error in made["errors"]), made["errors"]
    assert "Wrong:" in render(made)


def test_errors_are_told_together():
    made = plan([{"type": "c7q.large"}, {"type": "c7g.large", "count": 0}, {"type": "c7g.large"}], ttl_minutes=1)
    assert len(made["errors"]) == 3
    assert [row["index"] for row in made["rows"]] == [2]


def test_what_to_take_note_of():
    def remarks(*instances, **more):
        return " | ".join(plan(list(instances) or None, **more)["remarks"])

    for kind in ("t4g.large", "t2.large", "t1.micro", "t8i.medium"):
        assert f"row 0 ({kind}) is burstable" in remarks({"type": kind})
    assert "is burstable" not in remarks({"type": "trn1.2xlarge"})
    assert "its memory bandwidth is not published" in remarks({"type": "c7i.large"})
    assert "the run may take up to" in remarks({"type": "c7g.medium"}, models=("llama-3.1-70b",))
    assert "and the models need about 60" in remarks(models=("llama-3.1-8b",), quantizations=("F16",), volume_gb=20)
    unknown = {"name": "mine", "path": "/models/mine.gguf"}
    assert "the size of the model mine is not known" in remarks(models=(unknown, "llama-3.1-8b"))
    # One bad value beside a good one is measured without it, as on any other host.
    assert "'tg' is no test" in remarks(tests=("tg", "tg128"))
    assert remarks() == ""


def test_users_are_planned_for_as_many_slots_as_the_server_has():
    """As on the host: the request is the same."""
    refused = plan(tests=("serve128+64@c8",))
    assert any("serve128+64@c8 has 8 users at once, and the server 4 slots" in error for error in refused["errors"])
    made = plan(tests=("serve128+64@c8",), slots=8)
    assert (made["errors"], made["remarks"]) == ([], [])
    fewer = plan(tests=("serve128+64@c4",), slots=8)
    assert made["expected_range"][1] > fewer["expected_range"][1]


def test_no_region_is_an_error_and_no_traceback(monkeypatch):
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    made = plan()
    assert made["errors"] == ["no region is given: name one, such as us-east-1, or set AWS_REGION"]
    assert "no region" in render(made)[0]
    assert len(plan([{"type": "c7g.large", "zones": ["us-east-1a"], "count": 0}])["errors"]) == 2


# ---- with an account ----


def test_the_default_run_with_an_account(server):
    server.configure(spot_prices={"c7g.16xlarge": {"us-east-1a": 0.9, "us-east-1b": 0.5}})
    made = plan()
    assert made["errors"] == []
    assert made["unchecked"] == []
    assert (made["account"], made["partition"]) == ("123456789012", "aws")
    (row,) = made["rows"]
    assert row["image_id"].startswith("ami-")
    assert row["memory_gib"] == 128
    assert row["zones"][:2] == ["us-east-1a", "us-east-1b"]
    assert row["usd_h"]["on_demand"] == 1.1111
    assert (row["usd_h"]["source"], row["usd_h"]["date"]) == ("AWS Pricing API", "2026-11-24")
    assert row["usd_h"]["spot"] == 0.9
    assert row["usd_h"]["spot_by_zone"] == {"us-east-1a": 0.9, "us-east-1b": 0.5}
    assert made["cost"]["storage"] == pytest.approx(30 * 0.0555 / 730, abs=5e-5)
    assert server.requests(write=True) == []


def test_every_image_is_found(server):
    made = plan([{"type": kind, "image": image} for kind in ("c7g.large", "c7i.large") for image in ec2_images()])
    assert made["errors"] == []
    assert len({row["image_id"] for row in made["rows"]}) == 6


def ec2_images() -> list[str]:
    return ["amazon-linux-2023", "ubuntu-24.04", "debian-12"]


def test_spot_goes_to_the_cheapest_zone_first(server):
    server.configure(spot_prices={"c7g.16xlarge": {"us-east-1a": 0.9, "us-east-1c": 0.5}})
    (row,) = plan([{"type": "c7g.16xlarge", "market": "spot", "max_price": 0.4}])["rows"]
    assert row["zones"][:2] == ["us-east-1c", "us-east-1a"]
    assert row["usd_h"]["spot"] == 0.5
    made = plan([{"type": "c7g.16xlarge", "market": "spot", "max_price": 0.4, "zones": ["us-east-1a"]}])
    assert made["rows"][0]["zones"] == ["us-east-1a"]
    assert any("spot costs 0.9000 USD an hour now, more than max_price 0.4" in remark for remark in made["remarks"])
    assert made["cost"]["instances"] == 0.9


def test_every_type_that_may_be_launched_has_its_prices(server):
    server.configure(spot_prices={"c7g.16xlarge": {"us-east-1a": 0.3}, "c8g.16xlarge": {"us-east-1b": 0.4}})
    listed = plan([{"type": "c7g.16xlarge", "market": "spot", "or_types": ["c8g.16xlarge"]}])["prices"]
    assert list(listed) == ["c7g.16xlarge", "c8g.16xlarge"]
    assert prices.of_instance(listed, "c8g.16xlarge", "us-east-1b", "spot", 31.5) == {
        "usd_hour": 0.4,
        "date": "2026-11-24",
        "source": "EC2 spot price history",
        "market": "spot",
        "boot_s": 31.5,
    }
    paid = prices.of_instance(listed, "c7g.16xlarge", "us-east-1c", "on-demand", None)
    assert paid == {"usd_hour": 1.1111, "date": "2026-11-24", "source": "AWS Pricing API", "market": "on-demand"}
    for kind, zone in (("c7g.16xlarge", "us-east-1b"), ("c7g.large", "us-east-1a")):
        assert prices.of_instance(listed, kind, zone, "spot", 31.5) == {}
    # A clock that is days off tells of no boot, and the price is taken all the same.
    assert prices.of_instance(listed, "c7g.16xlarge", "us-east-1a", "on-demand", 9e9) == paid


def test_without_an_account_the_prices_are_those_of_the_table_and_of_the_person():
    listed = plan([{"type": "c7g.large"}, {"type": "m9g.large"}], prices={"m9g.large": 0.1})["prices"]
    assert prices.of_instance(listed, "c7g.large", "us-east-1a", "spot", None) == {}
    assert prices.of_instance(listed, "c7g.large", "us-east-1a", "on-demand", None)["date"] == "2026-07-20"
    assert prices.paid(prices.of_instance(listed, "m9g.large", "us-east-1a", "on-demand", None)) == {
        "usd_hour": 0.1,
        "date": "2026-11-24",
        "source": "ec2_environment_prices",
        "market": "on-demand",
    }


def test_a_zone_without_the_type(server):
    made = plan([{"type": "c7g.16xlarge", "zones": ["us-east-1z"]}])
    assert "row 0 (c7g.16xlarge): EC2 does not offer it in us-east-1z, but in us-east-1a, " in made["errors"][0]


def test_a_type_the_catalog_lacks_and_one_that_nobody_has(server, monkeypatch):
    monkeypatch.delitem(processors._catalog().families, "a1")
    made = plan([{"type": "a1.4xlarge"}, {"type": "c7q.large"}])
    assert [(row["type"], row["architecture"], row["vcpus"]) for row in made["rows"]] == [("a1.4xlarge", "aarch64", 16)]
    assert made["rows"][0]["machine"] == "arm-a1-4xlarge"
    assert [error for error in made["errors"] if "c7q.large" in error and "us-east-1 does not have it either" in error]


def test_a_region_without_the_type(server):
    made = plan([{"type": "m9g.large"}], region="sa-east-1")
    sentence = "row 0 (m9g.large): sa-east-1 does not have m9g.large; name another type, or set AWS_REGION to a region"
    assert made["errors"] == [f"{sentence} that has it"]


def launch(kind: str, count: int, run: str, spot: bool = False) -> None:
    ec2 = aws.session("us-east-1").client("ec2")
    image = plan([{"type": kind}])["rows"][0]["image_id"]
    market = {"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {}
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "RunId", "Value": run}]}]
    ec2.run_instances(
        ImageId=image, InstanceType=kind, MinCount=count, MaxCount=count, TagSpecifications=tags, **market
    )


@pytest.mark.parametrize(("quota", "fits"), [(0, False), (63, False), (64, True)])
def test_the_quota_of_on_demand(server, quota, fits):
    server.configure(quotas={"L-1216C47A": quota, "L-34B43A08": 640})
    made = plan()
    if fits:
        assert made["errors"] == []
        assert "the quotas, against what is running" in made["checked"]
    else:
        (error,) = made["errors"]
        assert (
            f"the quota L-1216C47A (vCPUs of on-demand instances of the families A, C, D, H, I, M, R, T, Z) is {quota} "
        )
        assert f"is {quota} in us-east-1; 0 are running and 64 are asked for" in error
        assert "--quota-code L-1216C47A --desired-value 64 --region us-east-1" in error


def test_what_runs_counts_against_the_quota_of_its_market_but_not_this_run_itself(server):
    server.configure(quotas={"L-1216C47A": 80, "L-34B43A08": 80})
    launch("c7g.4xlarge", 1, "another")
    launch("c7g.16xlarge", 1, RUN)
    assert plan()["errors"] == []
    launch("c7g.4xlarge", 1, "another", spot=True)
    assert plan()["errors"] == []
    spot = plan([{"type": "c7g.16xlarge", "market": "spot", "count": 2}])
    assert "the quota L-34B43A08" in spot["errors"][0]
    assert "16 are running and 128 are asked for" in spot["errors"][0]
    assert "16 are running" in plan([{"type": "c7g.16xlarge", "count": 2}])["errors"][0]


def test_a_quota_of_another_family_is_said_not_to_be_checked(server):
    server.configure(quotas={"L-1216C47A": 0, "L-34B43A08": 0})
    made = plan([{"type": "x2gd.large"}])
    assert made["errors"] == []
    assert made["unchecked"] == ["the quota of x2gd.large, whose family has one of its own"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("c7g.large", True), ("im4gn.large", True), ("t4g.large", True), ("hpc7g.16xlarge", False), ("g5g.xlarge", False),
     ("x8g.large", False), ("inf2.xlarge", False), ("p5.48xlarge", False), ("mac2.metal", False)],
)  # fmt: skip
def test_which_families_are_standard(name, expected):
    assert account.standard(name) is expected


def test_what_may_not_be_asked_is_said_and_no_error(server):
    questions = {
        "GetProducts": "pricing:GetProducts",
        "GetServiceQuota": "servicequotas:GetServiceQuota",
        "DescribeInstances": "ec2:DescribeInstances",
        "DescribeInstanceTypes": "ec2:DescribeInstanceTypes",
        "DescribeSpotPriceHistory": "ec2:DescribeSpotPriceHistory",
        "DescribeVpcs": "ec2:DescribeVpcs",
        "GetAccountPlanState": "freetier:GetAccountPlanState",
    }
    for action, name in questions.items():
        code = "UnauthorizedOperation" if name.startswith("ec2:") else "AccessDeniedException"
        server.fault(action=action, code=code, times=None)
    made = plan()
    assert made["errors"] == []
    assert made["checked"] == ["the images"]
    assert made["rows"][0]["usd_h"]["source"].startswith("karpenter")
    for name in questions.values():
        assert [one for one in made["unchecked"] if f"allow {name} to the caller" in one], made["unchecked"]


def test_what_may_not_be_asked_and_is_needed(server):
    server.fault(service="ssm", action="GetParameter", code="AccessDeniedException", times=None)
    server.fault(action="DescribeInstanceTypeOfferings", code="UnauthorizedOperation", times=None)
    made = plan()
    assert any("its image could not be asked for; allow ssm:GetParameter" in error for error in made["errors"])
    assert any("name some in zones, or allow ec2:DescribeInstanceTypeOfferings" in error for error in made["errors"])
    named = plan([{"type": "c7g.16xlarge", "zones": ["us-east-1b"]}])
    assert named["rows"][0]["zones"] == ["us-east-1b"]


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("ExpiredToken", "sts:GetCallerIdentity: the credentials have expired"),
        ("InvalidClientTokenId", "sts:GetCallerIdentity: AWS does not accept the credentials"),
    ],
)
def test_credentials_that_are_no_good_are_an_error(server, code, sentence):
    server.fault(service="sts", action="GetCallerIdentity", code=code, times=None)
    made = plan()
    assert [error for error in made["errors"] if error.startswith(sentence)]
    # The estimate is told nevertheless.
    assert made["cost"]["instances"] == 2.32


def test_a_server_that_is_not_there(server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    (error,) = plan()["errors"]
    assert re.match(r"sts:GetCallerIdentity: AWS cannot be reached .*AWS_ENDPOINT_URL \(http://127.0.0.1:9\)", error)


def test_throttling_of_a_check_is_no_error(server):
    server.fault(service="service-quotas", code="ThrottlingException", times=None)
    made = plan()
    assert made["errors"] == []
    assert [one for one in made["unchecked"] if "servicequotas:GetServiceQuota: AWS answered" in one]


def test_an_instance_too_small_for_the_model(server):
    made = plan([{"type": "c7g.large"}], models=("llama-3.1-8b",))
    assert any("has 4 GiB of memory, and the largest file has about 4" in remark for remark in made["remarks"])


def subnets(*zones: str, vpcs: int = 1) -> tuple[str, ...]:
    ec2 = aws.session("us-east-1").client("ec2")
    made = [ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _index in range(vpcs)]
    return tuple(
        ec2.create_subnet(VpcId=made[index % vpcs], CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=zone)["Subnet"][
            "SubnetId"
        ]
        for index, zone in enumerate(zones)
    )


def test_subnets_that_are_given_choose_the_zones(server):
    given = subnets("us-east-1c", "us-east-1b")
    made = plan(subnet_ids=given)
    assert made["errors"] == []
    assert made["rows"][0]["zones"] == ["us-east-1b", "us-east-1c"]
    assert made["creates"][0] == f"no network: {given[0]}, {given[1]} are used"
    wrong = plan([{"type": "c7g.16xlarge", "zones": ["us-east-1a"]}], subnet_ids=given)
    assert "none of its zones (us-east-1a) has one of the subnets, which are in us-east-1b" in wrong["errors"][0]


def test_subnets_that_cannot_be_used(server):
    assert "us-east-1 has no subnet subnet-0123" in plan(subnet_ids=("subnet-0123",))["errors"][0]
    two = plan(subnet_ids=subnets("us-east-1a", "us-east-1b", vpcs=2))
    assert two["errors"] == ["ec2_environment_subnet_ids: name one subnet a zone, all of one VPC"]
    twice = plan(subnet_ids=subnets("us-east-1a", "us-east-1a"))
    assert twice["errors"] == two["errors"]


# ---- what the account is ----


def test_a_free_plan_is_told_with_type_and_remedy(server):
    server.configure(account_plan="FREE")
    made = plan([{"type": "c7g.16xlarge"}, {"type": "t4g.small"}, {"type": "t4g.micro", "or_types": ["m8g.large"]}])
    first, second = made["errors"]
    assert first.startswith(
        "row 0 (c7g.16xlarge): the account is on AWS's Free plan, which does not launch c7g.16xlarge"
    )
    assert "aws freetier upgrade-account-plan --account-plan-type PAID" in first
    assert "or name one of c7i-flex.large, m7i-flex.large, t3.micro, t3.small, t4g.micro, t4g.small" in first
    assert second.startswith("row 2 (t4g.micro): ")
    assert "does not launch m8g.large (" in second


@pytest.mark.parametrize(("account_plan", "told"), [("PAID", ["the plan of the account, which is PAID"]), (None, [])])
def test_a_paid_plan_and_an_account_of_before_the_plans_are_well(server, account_plan, told):
    server.configure(account_plan=account_plan)
    made = plan()
    assert (made["errors"], made["unchecked"]) == ([], [])
    assert [one for one in made["checked"] if "plan" in one] == told


def test_the_quota_of_vpcs(server):
    server.configure(vpcs=2)
    made = plan()
    assert made["errors"] == []
    assert "the quota of VPCs, against those that are there" in made["checked"]
    given = subnets("us-east-1a")
    (error,) = plan()["errors"]
    assert error.startswith(
        "the quota L-F678F1CE (VPCs of a region) is 2 in us-east-1, and 2 are there: name subnets of"
    )
    assert "--service-code vpc --quota-code L-F678F1CE --desired-value 3 --region us-east-1" in error
    assert plan(subnet_ids=given)["errors"] == []
    ec2 = aws.session("us-east-1").client("ec2")
    vpc = ec2.describe_subnets(SubnetIds=list(given))["Subnets"][0]["VpcId"]
    # What this run has made already it does not make again.
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "RunId", "Value": RUN}])
    assert plan()["errors"] == []


def test_capacity_blocks_and_metal_have_prices_of_their_own(server):
    server.configure(
        prices=[
            {"instanceType": "c7g.16xlarge", "usd": 1.1111},
            {"instanceType": "c7g.16xlarge", "usd": 0.5, "marketoption": "CapacityBlock"},
            {"instanceType": "c7g.metal", "usd": 2.5, "tenancy": "Dedicated"},
        ]
    )
    made = plan([{"type": "c7g.16xlarge"}, {"type": "c7g.metal"}])
    assert [(row["usd_h"]["on_demand"], row["usd_h"]["source"]) for row in made["rows"]] == [
        (1.1111, "AWS Pricing API"),
        (2.5, "AWS Pricing API, dedicated tenancy"),
    ]


class GovCloud:
    """Its Security Token Service; moto has no such region."""

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "123456789012", "Arn": "arn:aws-us-gov:iam::123456789012:user/alice"}


def test_in_govcloud_nothing_is_asked_that_is_not_there(server, monkeypatch):
    client = aws.client
    monkeypatch.setattr(
        aws, "client", lambda service, *rest, **more: GovCloud() if service == "sts" else client(service, *rest, **more)
    )
    made = plan(budget_usd=5, budget_email="alice@example.com")
    assert made["partition"] == "aws-us-gov"
    assert made["errors"] == [
        "there is no AWS Budgets in the partition aws-us-gov: leave out ec2_environment_budget_usd"
    ]
    assert made["unchecked"] == ["the prices of today: there is no Pricing API in the partition aws-us-gov"]
    assert not [one for one in server.requests() if one["service"] in ("pricing", "freetier")]


# ---- how close they are ----


def in_catalog(name: str) -> bool:
    """Say whether the type is known without an account."""
    try:
        return bool(processors.instance_type(name))
    except processors.CatalogError:
        return False


def test_a_type_that_no_cluster_placement_group_takes_is_refused_beforehand(server):
    fleet = [{"type": "c7g.large", "or_types": ["t4g.large"]}, {"type": "c7g.16xlarge"}]
    assert plan(fleet)["errors"] == []
    made = plan(fleet, placement_group=True)
    said = "row 0 (c7g.large): EC2 takes t4g.large into no placement group of strategy cluster: name a type that is "
    remedy = "neither burstable nor flex, or do without one by ec2_environment_placement_group: false"
    assert made["errors"] == [said + remedy]
    assert "placement group, strategy cluster, in each zone that is used" in made["creates"]
    assert not [line for line in plan(fleet)["creates"] if "placement" in line]


def test_without_an_account_those_are_refused_that_are_known_by_their_family():
    known = [name for name in INSTANCE_TYPES if in_catalog(name)]
    errors = plan([{"type": name} for name in known], placement_group=True)["errors"]
    refused = {match[1] for error in errors if (match := re.search(r"EC2 takes (\S+) into no placement", error))}
    by_ec2 = {
        name for name in known if "cluster" not in INSTANCE_TYPES[name]["PlacementGroupInfo"]["SupportedStrategies"]
    }
    assert refused <= by_ec2
    # What an account alone can tell: the first generations, and one for video.
    assert {name.partition(".")[0] for name in by_ec2 - refused} == {"c1", "m1", "m2", "m3", "vt1"}
    assert {"t4g", "c7i-flex"} <= {name.partition(".")[0] for name in refused}


@pytest.mark.parametrize("asked", [True, False])
def test_rows_that_share_no_zone_are_refused(asked, request):
    if asked:
        request.getfixturevalue("server")
    fleet = [
        {"type": "c7g.large", "zones": ["us-east-1a", "us-east-1b"]}, {"type": "m7g.large", "zones": ["us-east-1c"]},
    ]  # fmt: skip
    (error,) = plan(fleet, placement_group=True)["errors"]
    assert error == (
        "a placement group of strategy cluster lies in one zone, and the rows have none in common (row 0 (c7g.large): "
        "us-east-1a, us-east-1b; row 1 (m7g.large): us-east-1c): name one zone for all rows, or do without a group by "
        "ec2_environment_placement_group: false"
    )
    assert plan(fleet)["errors"] == []
    fleet[1]["zones"].append("us-east-1b")
    assert plan(fleet, placement_group=True)["errors"] == []


# ---- who the instances are ----


def test_who_comes_by_ssh_and_has_no_bucket_makes_no_role():
    assert "no IAM role of the instances: they ask nothing of AWS" in plan()["creates"]
    assert "IAM role and instance profile: AmazonSSMManagedInstanceCore" in plan(connection="ssm")["creates"]
    both = plan(
        results_bucket="mine", results_prefix="bench", permissions_boundary="arn:aws:iam::123456789012:policy/b"
    )
    said = "IAM role and instance profile: writing to s3://mine/bench/*, within arn:aws:iam::123456789012:policy/b"
    assert said in both["creates"]
    assert [one for one in both["creates"] if one.endswith("and their IAM role within the boundary")]


def test_a_profile_that_is_given_is_used_and_has_to_be_there(server):
    made = plan(instance_profile="bench", connection="ssm")
    missing = (
        "the account has no instance profile bench; correct ec2_environment_instance_profile, or leave it empty to"
    )
    assert [error.startswith(missing) for error in made["errors"]] == [True]
    arn = aws.session("us-east-1").client("iam").create_instance_profile(InstanceProfileName="bench", Path="/org/")
    for name in ("bench", arn["InstanceProfile"]["Arn"]):
        made = plan(instance_profile=name, connection="ssm")
        assert made["errors"] == []
        assert f"no IAM role of the instances: they have the instance profile {name}" in made["creates"]
        assert made["remarks"] == [
            f"{name} is used as it is, and has to allow the instances AmazonSSMManagedInstanceCore"
        ]
    server.fault(action="GetInstanceProfile", code="AccessDenied", times=None)
    refused = plan(instance_profile="bench")
    assert refused["errors"] == []
    assert [one for one in refused["unchecked"] if "allow iam:GetInstanceProfile" in one]


@pytest.mark.parametrize(
    ("arn", "fits"),
    [
        ("arn:aws:iam::123456789012:policy/cloudbench-boundary", True),
        ("arn:aws:iam::aws:policy/PowerUserAccess", True),
        ("arn:aws:iam::210987654321:policy/cloudbench-boundary", False),
        ("arn:aws-us-gov:iam::123456789012:policy/cloudbench-boundary", False),
    ],
)
def test_a_boundary_is_of_the_account(server, arn, fits):
    errors = plan(permissions_boundary=arn)["errors"]
    assert errors == ([] if fits else [
        f"ec2_environment_permissions_boundary {arn} is not of this account: it is 123456789012, in the partition aws"
    ])  # fmt: skip


def test_a_profile_and_keys_at_once_are_refused_as_the_modules_would(server, monkeypatch, tmp_path):
    (tmp_path / "config").write_text("[profile work]\n")
    monkeypatch.setenv("AWS_PROFILE", "work")
    sentence = "amazon.aws refuses a profile together with keys; unset AWS_PROFILE or AWS_ACCESS_KEY_ID"
    assert [error for error in plan()["errors"] if sentence in error]


def test_a_session_that_may_end_too_soon_is_told(server, monkeypatch):
    ends = NOW + datetime.timedelta(minutes=5)
    monkeypatch.setattr(aws, "credentials", lambda _session: Credentials("env", True, ends))
    made = plan()
    (remark,) = made["remarks"]
    assert remark.startswith("the credentials end in 5 minutes, at 2026-11-24 19:05 UTC, nothing renews them")
    assert f"the run may take up to {made['expected_range'][1]}" in remark
    monkeypatch.setattr(aws, "credentials", lambda _session: Credentials("container-role", True, ends))
    made = plan()
    assert made["remarks"] == []
    assert made["checked"][-1].startswith("the credentials, which are good for 5 minutes")


# ---- in words ----


def test_the_text():
    lines = render(
        plan(
            [{"type": "c7g.16xlarge"}, {"type": "c8g.4xlarge", "count": 2, "or_types": ["m8g.4xlarge"]}],
            budget_usd=50,
            budget_email="alice@example.com",
            results_bucket="mine",
            results_prefix="bench",
        )
    )
    text = "\n".join(lines)
    assert lines[0] == f"Plan of the run {RUN} in us-east-1 (no account, owner unknown)"
    assert "  3 instances, each with an encrypted volume of 30 GB (gp3) and a public IPv4 address" in lines
    assert "IAM role and instance profile: writing to s3://mine/bench/*" in text
    assert "budget that mails alice@example.com at 50 USD a month; it outlives the run" in text
    header = next(index for index, line in enumerate(lines) if line.startswith("row "))
    shown = r"0 +1 x c7g.16xlarge +on-demand +amazon-linux-2023 +any +64 +64 +128 +2.3200 +unknown +[0-9]+ to [0-9]+"
    assert re.fullmatch(shown, lines[header + 1])
    assert "row 1 where there is no room: m8g.4xlarge" in lines
    assert re.search(r"^at most, 240 minutes +[0-9]+\.[0-9]{2}  ", text, re.MULTILINE)
    assert "\x1b" not in text
    assert max(map(len, lines)) <= 120
    assert all(line == line.rstrip() for line in lines)


def test_the_text_says_when_each_guard_acts():
    lines = render(plan(ttl_minutes=90))
    at = lines.index("What ends the instances where no teardown does:")
    assert lines[at + 1 : at + 5] == [
        "  each itself, 90 minutes after its boot: shutdown -P is the first that it does",
        "  the account, at 2026-11-24T20:30:00Z: a schedule for each instance, booted or not",
        "  a sweep after that, when somebody runs it; it removes all else too, in every region:",
        "    ansible-playbook cloudbench.llama.sweep -e ec2_environment_sweep_remove=true",
    ]
    without = "\n".join(render(plan(schedule=False)))
    assert "no schedule in the account, since ec2_environment_schedule is false: what never boots goes on" in without
    assert "a schedule for each instance" not in without


def test_the_text_of_a_session_manager_run_says_that_nobody_gets_in():
    made = plan(connection="ssm", schedule=False)["creates"]
    assert "security group that lets nobody in: ssh goes through the Session Manager" in made
    assert not [what for what in made if what.startswith("schedule")]


def test_fewer_instances_may_be_enough():
    made = plan(
        [{"type": "c7g.large", "count": 20, "count_min": 15, "zones": ["us-east-1a"], "or_types": ["m7g.large"]}]
    )
    (row,) = made["rows"]
    assert (row["count"], row["count_min"]) == (20, 15)
    assert [(one["count"], one["type"]) for one in row["tries"]] == [
        (count, kind) for count in (20, 17, 16, 15) for kind in ("c7g.large", "m7g.large")
    ]
    assert any("15 of its 20 instances are enough" in remark for remark in made["remarks"])
    assert any("15 to 20 x c7g.large" in line for line in render(made))
    assert not any("enough" in line for line in render(plan([{"type": "c7g.large", "count": 20}])))


def test_through_the_session_manager_an_image_without_agent_is_told():
    rows = [{"type": "c7g.large", "image": "debian-12"}]
    told = "the image debian-12 comes without the agent of Systems Manager"
    assert any(told in remark for remark in plan(rows, connection="ssm")["remarks"])
    assert not any(told in remark for remark in plan(rows)["remarks"])


# ---- zones that are no Availability Zones ----


def test_a_local_zone_is_taken_only_where_it_is_named(server):
    (row,) = plan()["rows"]
    assert row["zones"][0] == "us-east-1a"
    assert [zone for zone in row["zones"] if not re.fullmatch("us-east-1[a-f]", zone)] == []
    named = plan([{"type": "c7g.16xlarge", "zones": ["us-east-1-bos-1a"]}])
    (error,) = named["errors"]
    assert (
        "us-east-1-bos-1a is a Local Zone that the account has not opted in to: aws ec2 modify-availability-" in error
    )
    server.configure(opted_in=["us-east-1-bos-1"])
    known = plan([{"type": "c7g.16xlarge", "zones": ["us-east-1-bos-1a"]}])
    assert known["errors"] == []
    assert known["rows"][0]["zones"] == ["us-east-1-bos-1a"]
    assert any("us-east-1-bos-1a is a Local Zone: an hour costs more there" in remark for remark in known["remarks"])


def test_a_wavelength_zone_is_refused(server):
    (error,) = plan([{"type": "c7g.16xlarge", "zones": ["us-east-1-wl1-bos-wlz-1"]}])["errors"]
    assert "is a Wavelength Zone" in error


def test_without_their_types_zones_are_told_by_their_names(server):
    server.fault(action="DescribeAvailabilityZones", code="UnauthorizedOperation", times=None)
    made = plan()
    assert made["errors"] == []
    assert [zone for zone in made["rows"][0]["zones"] if "-bos-" in zone] == []
    assert any("allow ec2:DescribeAvailabilityZones" in one for one in made["unchecked"])


# ---- subnets that are given ----


def test_a_subnet_without_room_is_told_before_it_costs(server):
    ec2 = aws.session("us-east-1").client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    # A /28 has 11 addresses to give away.
    small, large = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for cidr, zone in (("10.0.0.0/28", "us-east-1a"), ("10.0.16.0/24", "us-east-1b"))
    )
    rows = [{"type": "c7g.large", "count": 12}]
    (error,) = plan(rows, subnet_ids=(small,))["errors"]
    assert f"12 instances need as many free addresses in one subnet, and {small} has 11; name another subnet" in error
    both = plan(rows, subnet_ids=(small, large))
    assert both["errors"] == []
    assert both["rows"][0]["zones"] == ["us-east-1b"]
    assert any(f"{small} has 11, {large} has 251: it is launched in us-east-1b" in remark for remark in both["remarks"])
    fewer = plan([{"type": "c7g.large", "count": 12, "count_min": 11}], subnet_ids=(small,))
    assert (fewer["errors"], fewer["rows"][0]["zones"]) == ([], ["us-east-1a"])
