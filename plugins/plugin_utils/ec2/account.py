# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an account says before anything is created in it: who asks, what is offered, how much is allowed, what it costs.

Reads, and writes nothing.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices, processors
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import ask_prices
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.credentials import Credentials

# vCPUs of running standard instances, those of the families that begin with these letters.
QUOTAS = {"on-demand": "L-1216C47A", "spot": "L-34B43A08"}
STANDARD = "A, C, D, H, I, M, R, T, Z"
# VPCs of a region, of service vpc.
VPC_QUOTA = "L-F678F1CE"
# AWS Free Tier and the prices are asked for there, whatever the region; in aws-us-gov there is neither.
_GLOBAL_REGION = "us-east-1"
_WITH_PRICES = "aws"


class Kind(NamedTuple):
    """An instance type; `memory_gib` None where it is not known.

    `free_tier`: whether an account on the Free plan may launch it. `cluster`: whether placement groups of that strategy
    take it.
    """

    architecture: str
    vcpus: int
    physical_cores: int
    memory_gib: float | None
    free_tier: bool = False
    cluster: bool = True


class Subnet(NamedTuple):
    """A subnet that was given; `free`: addresses that nobody has."""

    zone: str
    vpc_id: str
    free: int


class Zone(NamedTuple):
    """A zone of a region: its type as EC2 has it, whether the account may use it, and the group to opt in to."""

    type: str
    usable: bool
    group: str


class Account(NamedTuple):
    """What could be learnt; None where the question was not answered, and then `unasked` says why.

    `kinds`: by type, of those that the region has. `zones`: by type, where it is offered. `subnets`: by id. `images`:
    id by parameter. `quotas` and `used`: vCPUs by market. `on_demand`: by type. `spot`: USD an hour by type and zone.
    `credentials`: what signs the requests. `plan`: FREE or PAID, "" for an account without plan. `free_types`: what an
    account on the Free plan may launch. `vpcs` and `vpc_quota`: those there are, of other runs and people, and those
    there may be. `has_profile`: whether the instance profile that was given is there. `zone_types`: by zone.
    """

    id: str
    arn: str
    kinds: dict[str, Kind] | None
    zones: dict[str, list[str]] | None
    images: dict[str, str] | None
    subnets: dict[str, Subnet] | None
    quotas: dict[str, float]
    used: dict[str, int] | None
    on_demand: dict[str, prices.Price]
    spot: dict[str, dict[str, Decimal]] | None
    storage: prices.Price
    unasked: list[str]
    credentials: Credentials | None = None
    plan: str | None = None
    free_types: tuple[str, ...] = ()
    vpcs: int | None = None
    vpc_quota: float | None = None
    has_profile: bool | None = None
    zone_types: dict[str, Zone] | None = None

    @property
    def partition(self) -> str:
        """One of aws.PARTITIONS."""
        return self.arn.split(":")[1]

    @property
    def owner(self) -> str:
        """Who the account says that one is; see aws.owner_of."""
        return aws.owner_of(self.arn)


def standard(instance_type: str) -> bool:
    """Say whether a type counts against QUOTAS; others have quotas of their own."""
    family = instance_type.partition(".")[0]
    return family[0] in "acdhimrtz" and not family.startswith(("hpc", "inf", "trn", "mac", "dl"))


def ask(
    region: str,
    run: str,
    types: Sequence[str],
    markets: Iterable[str],
    parameters: Sequence[str],
    subnet_ids: Sequence[str],
    now: datetime.datetime,
    instance_profile: str = "",
) -> Account | None:
    """Return what the account says, None where there are no credentials at all.

    `types` and `parameters` (of images): those asked for; `now`: in UTC; `instance_profile`: name or ARN of one that is
    to be used. Raises AwsError where the credentials are no good or AWS cannot be reached; what else is refused stands
    in `unasked`.
    """
    session = aws.session(region)
    try:
        signs = aws.credentials(session)
        with aws.asked("sts:GetCallerIdentity"):
            caller = aws.client("sts", region, of=session).get_caller_identity()
    except aws.AwsError as error:
        if error.no_credentials:
            return None
        raise
    # Made here: a session makes one client at a time.
    ec2 = aws.client("ec2", region, of=session)
    ssm = aws.client("ssm", region, of=session)
    quotas = aws.client("service-quotas", region, of=session)
    here = caller["Arn"].split(":")[1]
    # One type that does not exist, and no spot price is told at all.
    existing = [name for name in types if name in set(processors.instance_types())]
    today = now.strftime("%Y-%m-%d")
    moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    questions: dict[str, Callable[[], Any]] = {
        "kinds": lambda: _kinds(ec2, types),
        "zones": lambda: _zones(ec2, types),
        "zone types": lambda: _zone_types(ec2),
        "subnets": lambda: _subnets(ec2, subnet_ids) if subnet_ids else {},
        "used": lambda: _used(ec2, run),
        "spot": lambda: ask_prices.ask_spot(ec2, existing, moment) if existing else {},
        **{f"image {name}": _image(ssm, name) for name in parameters},
        **{f"quota {market}": _quota(quotas, "ec2", QUOTAS[market]) for market in sorted(set(markets))},
    }
    if here == _WITH_PRICES:
        pricing = aws.client("pricing", ask_prices.API_REGION, of=session)
        freetier = aws.client("freetier", _GLOBAL_REGION, of=session)
        questions["plan"] = lambda: _plan(freetier, ec2)
        questions["storage"] = lambda: ask_prices.ask_storage(pricing, region, today)
        questions.update({f"price {name}": _price(pricing, name, region, today) for name in types})
    if not subnet_ids:
        questions["vpcs"] = lambda: _vpcs(ec2, run)
        questions["quota vpc"] = _quota(quotas, "vpc", VPC_QUOTA)
    if instance_profile:
        iam = aws.client("iam", region, of=session)
        questions["profile"] = lambda: _has_profile(iam, instance_profile)
    with ThreadPoolExecutor(max_workers=8) as pool:
        asked = {name: pool.submit(_try, question) for name, question in questions.items()}
        answers = {name: future.result() for name, future in asked.items()}
    unasked = list(dict.fromkeys(str(answer) for answer in answers.values() if isinstance(answer, aws.AwsError)))
    if here != _WITH_PRICES:
        unasked.append(f"the prices of today: there is no Pricing API in the partition {here}")
    good = {name: None if isinstance(answer, aws.AwsError) else answer for name, answer in answers.items()}
    plan, free_types = good.get("plan") or (None, ())
    return Account(
        caller["Account"],
        caller["Arn"],
        good["kinds"],
        good["zones"],
        _answered(answers, parameters),
        good["subnets"],
        {market: float(quota) for market in QUOTAS if (quota := good.get(f"quota {market}")) is not None},
        good["used"],
        {name: good.get(f"price {name}") or prices.Price(None) for name in types},
        good["spot"],
        good.get("storage") or prices.Price(None),
        unasked,
        signs,
        plan,
        free_types,
        good.get("vpcs"),
        good.get("quota vpc"),
        good.get("profile"),
        good["zone types"],
    )


def _try(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except aws.AwsError as error:
        return error


def _kinds(ec2: Any, types: Sequence[str]) -> dict[str, Kind]:
    # By filter: a type that does not exist is left out then, and fails the request otherwise.
    rows = aws.pages(ec2, "describe_instance_types", "InstanceTypes", Filters=[aws.filtered("instance-type", *types)])
    return {
        row["InstanceType"]: Kind(
            "aarch64" if "arm64" in row["ProcessorInfo"]["SupportedArchitectures"] else "x86_64",
            row["VCpuInfo"]["DefaultVCpus"],
            row["VCpuInfo"].get("DefaultCores") or row["VCpuInfo"]["DefaultVCpus"],
            row["MemoryInfo"]["SizeInMiB"] / 1024,
            bool(row.get("FreeTierEligible")),
            "cluster" in row.get("PlacementGroupInfo", {}).get("SupportedStrategies", ["cluster"]),
        )
        for row in rows
    }


def _plan(freetier: Any, ec2: Any) -> tuple[str, tuple[str, ...]]:
    """Return the plan of the account, and of a Free one the types that it may launch."""
    try:
        with aws.asked("freetier:GetAccountPlanState"):
            state = freetier.get_account_plan_state()
    except aws.AwsError as error:
        # An account of before the plans has none.
        if error.missing:
            return "", ()
        raise
    if state["accountPlanType"] != "FREE" or state["accountPlanStatus"] == "NOT_STARTED":
        return str(state["accountPlanType"]), ()
    rows = aws.pages(
        ec2, "describe_instance_types", "InstanceTypes", Filters=[aws.filtered("free-tier-eligible", "true")]
    )
    return "FREE", tuple(sorted(row["InstanceType"] for row in rows))


def _vpcs(ec2: Any, run: str) -> int:
    """Return how many VPCs there are that are not of this run."""
    return sum(aws.tags(row).get("RunId") != run for row in aws.pages(ec2, "describe_vpcs", "Vpcs"))


def _has_profile(iam: Any, name_or_arn: str) -> bool:
    try:
        with aws.asked("iam:GetInstanceProfile"):
            iam.get_instance_profile(InstanceProfileName=name_or_arn.rpartition("/")[2])
    except aws.AwsError as error:
        if error.missing:
            return False
        raise
    return True


def _zones(ec2: Any, types: Sequence[str]) -> dict[str, list[str]]:
    rows = aws.pages(
        ec2,
        "describe_instance_type_offerings",
        "InstanceTypeOfferings",
        LocationType="availability-zone",
        Filters=[aws.filtered("instance-type", *types)],
    )
    offered: dict[str, list[str]] = {}
    for row in rows:
        offered.setdefault(row["InstanceType"], []).append(row["Location"])
    return {name: sorted(zones) for name, zones in offered.items()}


def _image(ssm: Any, parameter: str) -> Callable[[], str]:
    def question() -> str:
        try:
            with aws.asked("ssm:GetParameter"):
                return str(ssm.get_parameter(Name=parameter)["Parameter"]["Value"])
        except aws.AwsError as error:
            if error.missing:
                return ""
            raise

    return question


def _answered(answers: dict[str, Any], parameters: Sequence[str]) -> dict[str, str] | None:
    images = {name: answers[f"image {name}"] for name in parameters}
    if any(isinstance(answer, aws.AwsError) for answer in images.values()):
        return None
    return {name: image for name, image in images.items() if image}


def _zone_types(ec2: Any) -> dict[str, Zone]:
    rows = aws.pages(ec2, "describe_availability_zones", "AvailabilityZones", AllAvailabilityZones=True)
    return {
        row["ZoneName"]: Zone(row["ZoneType"], row["OptInStatus"] != "not-opted-in", row["GroupName"]) for row in rows
    }


def _subnets(ec2: Any, ids: Sequence[str]) -> dict[str, Subnet]:
    rows = aws.pages(ec2, "describe_subnets", "Subnets", Filters=[aws.filtered("subnet-id", *ids)])
    return {
        row["SubnetId"]: Subnet(row["AvailabilityZone"], row["VpcId"], row["AvailableIpAddressCount"]) for row in rows
    }


def _used(ec2: Any, run: str) -> dict[str, int]:
    """Return the vCPUs of the standard instances that run, those of this run apart, by market."""
    reservations = aws.pages(
        ec2, "describe_instances", "Reservations", Filters=[aws.filtered("instance-state-name", "pending", "running")]
    )
    used = dict.fromkeys(QUOTAS, 0)
    for instance in (instance for row in reservations for instance in row["Instances"]):
        mine = aws.tags(instance).get("RunId") == run
        if not mine and standard(instance["InstanceType"]):
            used["spot" if instance.get("InstanceLifecycle") == "spot" else "on-demand"] += _vcpus(instance)
    return used


def _vcpus(instance: dict[str, Any]) -> int:
    try:
        return processors.instance_type(instance["InstanceType"]).vcpus
    except processors.CatalogError:
        options = instance.get("CpuOptions", {})
        return int(options.get("CoreCount", 0)) * int(options.get("ThreadsPerCore", 1))


def _quota(quotas: Any, service: str, code: str) -> Callable[[], float]:
    def question() -> float:
        with aws.asked("servicequotas:GetServiceQuota"):
            return float(quotas.get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]["Value"])

    return question


def _price(pricing: Any, name: str, region: str, today: str) -> Callable[[], prices.Price]:
    return lambda: ask_prices.ask_on_demand(pricing, name, region, today)
