# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run on EC2 would create, take and cost, made before anything starts, with an account or without one."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices, processors, speeds
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.explanation import machine_of
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import credentials, names, network
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.account import (
    QUOTAS,
    STANDARD,
    VPC_QUOTA,
    Account,
    Kind,
    Zone,
    ask,
    standard,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.matrix import IMAGES, Row, parse
from ansible_collections.cloudbench.llama.plugins.plugin_utils.failures.aws_words import FREE_PLAN_REMEDY, sign_in
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request import run_time
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.plan import make_plan
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import RunRequest

# What a tag of EC2 may hold.
_TAG = re.compile(r"[A-Za-z0-9 +=._:/@-]{1,256}")
_LARGEST_VOLUME_GB = 16384
AVAILABILITY_ZONE, _LOCAL_ZONE, _WAVELENGTH_ZONE = "availability-zone", "local-zone", "wavelength-zone"
# A week: whoever wants more wants no run.
_LONGEST_TTL = 7 * 24 * 60
_ARN = r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account>[0-9]{12}|aws):"
_PROFILE = re.compile(rf"(?:{_ARN}instance-profile/(?:[!-~]+/)?)?[A-Za-z0-9+=,.@_-]{{1,128}}")
_BOUNDARY = re.compile(rf"{_ARN}policy/(?:[!-~]+/)?[A-Za-z0-9+=,.@_-]{{1,128}}")


class FleetRequest(NamedTuple):
    """What is asked for: the variables of role ec2_environment of these names, and what the run on the instances is.

    `region` and `owner` may be empty; `volume_gb` 0: from the models.
    """

    run: str
    request: RunRequest
    instances: list[Any]
    region: str = ""
    owner: str = ""
    market: str = "on-demand"
    image: str = "amazon-linux-2023"
    connection: str = "ssh"
    ssh_from: str = ""
    cidr: str = "10.83.0.0/16"
    ttl_minutes: int = 240
    schedule: bool = True
    budget_usd: float = 0
    budget_email: str = ""
    volume_gb: int = 0
    results_bucket: str = ""
    results_prefix: str = ""
    subnet_ids: tuple[str, ...] = ()
    prices: Mapping[str, Any] | None = None
    instance_profile: str = ""
    permissions_boundary: str = ""
    placement_group: bool = False

    @property
    def makes_profile(self) -> bool:
        """Whether a role and an instance profile are made: nobody needs them for ssh, and no bucket."""
        return not self.instance_profile and (self.connection == "ssm" or bool(self.results_bucket))


def learn(fleet: FleetRequest, now: datetime.datetime) -> dict[str, Any]:
    """Return the plan, after asking the account where there is one; what is wrong stands in its `errors`.

    `now`: in UTC. The plan is JSON, as P(cloudbench.llama.ec2_plan#module) documents it.
    """
    try:
        region = aws.region(fleet.region)
    except aws.AwsError as error:
        return _Planner(fleet, "", now, None, [str(error)]).plan()
    rows, _errors = parse(fleet.instances, region, fleet.market, fleet.image)
    types = list(dict.fromkeys(name for row in rows for name in row.types))
    parameters = {IMAGES[row.image].parameter_for(kind) for row in rows for kind in _architectures(row)}
    try:
        account = ask(
            region,
            fleet.run,
            types,
            [row.market for row in rows],
            sorted(parameters),
            fleet.subnet_ids,
            now,
            fleet.instance_profile,
        )
    except aws.AwsError as error:
        return _Planner(fleet, region, now, None, [str(error)]).plan()
    return _Planner(fleet, region, now, account).plan()


def _architectures(row: Row) -> Iterable[str]:
    """The architecture of a row's type, or all there are where the catalog does not have it."""
    try:
        return [processors.instance_type(row.type).architecture]
    except processors.CatalogError:
        return IMAGES[row.image].words


class _Planner:
    """Makes the plan of one request; collects everything that is wrong instead of stopping at the first thing."""

    def __init__(
        self,
        fleet: FleetRequest,
        region: str,
        now: datetime.datetime,
        account: Account | None,
        errors: Iterable[str] = (),
    ) -> None:
        self.fleet = fleet
        self.region = region
        self.now = now
        self.account = account
        self.errors = list(errors)
        self.remarks: list[str] = []
        self.unchecked: list[str] = []
        self.wanted = run_time.files(fleet.request)
        self.given: dict[str, Decimal] = {}

    def plan(self) -> dict[str, Any]:
        self._check_request()
        if self.account is None:
            self.unchecked.append(
                "account, zones, images, quotas, spot prices and prices of today"
                + ("" if self.errors else ": there are no credentials")
            )
        else:
            self.unchecked += self.account.unasked
        volume = self._volume()
        parsed, wrong = parse(self.fleet.instances, self.region, self.fleet.market, self.fleet.image)
        self.errors += wrong
        rows = [made for made in map(self._row, parsed) if made] if self.region else []
        self._check_together(rows)
        self._check_quotas(rows)
        self._check_vpcs()
        ttl = self.fleet.ttl_minutes
        minutes = run_time.Range(
            max((row["minutes"][0] for row in rows), default=0), max((row["minutes"][1] for row in rows), default=0)
        )
        if rows and minutes.high > ttl:
            self.remarks.append(
                f"the run may take up to {minutes.high:.0f} minutes, and the instances end after {ttl}: raise "
                "ec2_environment_ttl_minutes, or ask for less"
            )
        lasting = self._lasting(minutes.high if rows else 0)
        expires = self.now + datetime.timedelta(minutes=ttl)
        return {
            "run": self.fleet.run,
            "region": self.region,
            "account": self.account.id if self.account else None,
            "partition": self.account.partition if self.account else None,
            "owner": self.fleet.owner or (self.account.owner if self.account else None),
            "makes_profile": self.fleet.makes_profile,
            "rows": rows,
            "prices": self._prices(name for row in rows for name in (row["type"], *row["or_types"])),
            "volume_gb": volume,
            "ttl_minutes": ttl,
            "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "schedule": self.fleet.schedule,
            "expected_minutes": round((minutes.low + minutes.high) / 2),
            "expected_range": [round(minutes.low), round(minutes.high)],
            "cost": self._cost(rows, volume, minutes),
            "creates": self._creates(rows, volume),
            "checked": self._checked() + lasting,
            "unchecked": list(dict.fromkeys(self.unchecked)),
            "remarks": list(dict.fromkeys(self.remarks)),
            "errors": list(dict.fromkeys(self.errors)),
        }

    def _check_request(self) -> None:
        fleet = self.fleet
        if problem := names.run_problem(fleet.run):
            self.errors.append(problem)
        if fleet.owner and not _TAG.fullmatch(fleet.owner):
            self.errors.append(
                f"ec2_environment_owner {fleet.owner!r} becomes a tag: use up to 256 letters, digits, spaces and "
                "+ = . _ : / @ -"
            )
        if not 5 <= fleet.ttl_minutes <= _LONGEST_TTL:
            self.errors.append(
                f"ec2_environment_ttl_minutes is a whole number from 5 to {_LONGEST_TTL} (a week), not "
                f"{fleet.ttl_minutes}"
            )
        if fleet.connection not in ("ssh", "ssm"):
            self.errors.append(f"ec2_environment_connection is ssh or ssm, not {fleet.connection!r}")
        try:
            network.subnet(fleet.cidr, 0)
            if fleet.ssh_from:
                network.ssh_source(fleet.ssh_from)
        except network.NetworkError as error:
            self.errors.append(str(error))
        if fleet.budget_usd > 0 and "@" not in fleet.budget_email:
            self.errors.append("ec2_environment_budget_usd needs ec2_environment_budget_email, whom to send the mail")
        owner = fleet.owner or (self.account.owner if self.account else "")
        if fleet.budget_usd > 0 and (problem := names.budget_problem(owner)):
            self.errors.append(problem)
        self._check_identity()
        try:
            self.given = prices.given(fleet.prices or {})
        except prices.PriceError as error:
            self.errors.append(f"ec2_environment_prices: {error}")
        self.remarks += [
            f"the size of the model {name} is not known: it counts nothing in minutes and volume; give "
            "ec2_environment_volume_gb"
            for name in self.wanted.unknown
        ]

    def _check_identity(self) -> None:
        fleet, account = self.fleet, self.account
        two = credentials.contradiction(os.environ)
        if two:
            self.errors.append(two)
        for name, value, pattern, example in (
            ("instance_profile", fleet.instance_profile, _PROFILE, "the name or the ARN of an instance profile"),
            (
                "permissions_boundary",
                fleet.permissions_boundary,
                _BOUNDARY,
                "the ARN of a policy, such as arn:aws:iam::123456789012:policy/cloudbench-boundary",
            ),
        ):
            match = pattern.fullmatch(value)
            if value and not match:
                self.errors.append(f"ec2_environment_{name} is {example}, not {value!r}")
            elif match and account and match["partition"]:
                there = (account.partition, account.id)
                if match["partition"] != there[0] or match["account"] not in (there[1], "aws"):
                    self.errors.append(
                        f"ec2_environment_{name} {value} is not of this account: it is {there[1]}, in the partition "
                        f"{there[0]}"
                    )
        if account and account.has_profile is False:
            self.errors.append(
                f"the account has no instance profile {fleet.instance_profile}; correct "
                "ec2_environment_instance_profile, or leave it empty to have made what is needed"
            )
        needed = ["AmazonSSMManagedInstanceCore"] if fleet.connection == "ssm" else []
        if fleet.results_bucket:
            needed.append(f"writing to s3://{fleet.results_bucket}/{fleet.results_prefix}/*")
        if fleet.instance_profile and needed:
            self.remarks.append(
                f"{fleet.instance_profile} is used as it is, and has to allow the instances {' and '.join(needed)}"
            )
        if fleet.budget_usd > 0 and account and account.partition != "aws":
            self.errors.append(
                f"there is no AWS Budgets in the partition {account.partition}: leave out ec2_environment_budget_usd"
            )

    def _lasting(self, minutes: float) -> list[str]:
        """What is well of how long the credentials last; what is not becomes a remark."""
        if self.account is None or self.account.credentials is None:
            return []
        signs = self.account.credentials
        begin = sign_in("login" if signs.method == "login" else "sso login")
        good, doubtful = credentials.told(signs, self.now, minutes, begin)
        self.remarks += doubtful
        return good

    def _volume(self) -> int:
        needed, asked = run_time.volume_gb(self.wanted), self.fleet.volume_gb
        if asked and not 8 <= asked <= _LARGEST_VOLUME_GB:
            self.errors.append(
                f"ec2_environment_volume_gb is 0, for as much as the models need, or 8 to {_LARGEST_VOLUME_GB}, not "
                f"{asked}"
            )
        elif asked and asked < needed:
            self.remarks.append(f"ec2_environment_volume_gb is {asked}, and the models need about {needed}")
        return asked or needed

    def _row(self, row: Row) -> dict[str, Any] | None:
        kinds = {name: self._kind(row, name) for name in row.types}
        kind = kinds[row.type]
        if kind is None or None in kinds.values():
            return None
        image = IMAGES[row.image]
        self._check_plan(row, {name: known for name, known in kinds.items() if known})
        self._check_placement(row, {name: known for name, known in kinds.items() if known})
        others = [name for name, other in kinds.items() if other and other.architecture != kind.architecture]
        if others:
            self.errors.append(
                f"{row.label}: {', '.join(others)} cannot stand in, for the image of the row is for "
                f"{kind.architecture}; name types of that architecture"
            )
        if row.type.partition(".")[0] in ("t1", "t2", "t3", "t3a", "t4g", "t8i"):
            self.remarks.append(
                f"{row.label} is burstable: its speed depends on credits, and what it uses beyond them costs extra"
            )
        if row.count_min < row.count:
            self.remarks.append(
                f"{row.label}: {row.count_min} of its {row.count} instances are enough: where there is no room for "
                "more, the run goes on with as many as there are"
            )
        if image.name == "debian-12" and self.fleet.connection == "ssm":
            self.remarks.append(
                f"{row.label}: the image debian-12 comes without the agent of Systems Manager, by which alone ssm "
                "reaches a host: name amazon-linux-2023 or ubuntu-24.04, or set ec2_environment_connection to ssh"
            )
        if kind.memory_gib is not None and self.wanted.largest * 1.1 > kind.memory_gib * 2**30:
            self.remarks.append(
                f"{row.label} has {kind.memory_gib:g} GiB of memory, and the largest file has about "
                f"{self.wanted.largest / 2**30:.0f}: what does not fit is recorded as a failure"
            )
        parameter = image.parameter_for(kind.architecture)
        zones = self._zones(row)
        minutes = self._minutes(row, kind)
        on_demand = {name: self._on_demand(name) for name in row.types}
        spot = {} if not self.account or self.account.spot is None else self.account.spot.get(row.type, {})
        if row.market == "spot" and not row.zones:
            # The cheapest first; a zone without a price last.
            zones = sorted(zones, key=lambda zone: (zone not in spot, spot.get(zone, 0)))
        now = next((spot[zone] for zone in zones or sorted(spot) if zone in spot), None)
        price = on_demand[row.type]
        self._check_price(row, on_demand, now)
        return {
            "index": row.index,
            "type": row.type,
            "or_types": list(row.or_types),
            "count": row.count,
            "count_min": row.count_min,
            "market": row.market,
            "max_price": row.max_price,
            "image": row.image,
            "image_parameter": parameter,
            "image_id": self._image(row, parameter),
            "architecture": kind.architecture,
            "login_user": image.login_user,
            "root_device": image.root_device,
            "machine": processors.machine_name(
                {"instance": {"type": row.type}, "architecture": kind.architecture},
            ),
            "zones": zones,
            "tries": [
                {"type": name, "zone": zone, "count": count}
                for count in row.counts
                for name in row.types
                for zone in zones
            ],
            "vcpus": kind.vcpus,
            "physical_cores": kind.physical_cores,
            "memory_gib": kind.memory_gib,
            "minutes": [round(minutes.low), round(minutes.high)],
            "usd_h": {
                "on_demand": _number(price.usd),
                "spot": _number(now),
                "spot_by_zone": {zone: _number(usd) for zone, usd in spot.items()},
                "most": _number(self._most(row, on_demand)),
                "source": price.source,
                "date": price.date,
            },
        }

    def _kind(self, row: Row, name: str) -> Kind | None:
        asked = self.account.kinds if self.account else None
        if asked is not None and name in asked:
            return asked[name]
        try:
            listed = processors.instance_type(name)
        except processors.CatalogError as error:
            told = str(error).partition("; the families it covers")[0]
            more = (
                f"{self.region} does not have it either" if asked is not None else "with credentials EC2 is asked too"
            )
            self.errors.append(f"{row.label}: {told}; {more}")
            return None
        if asked is not None:
            self._absent(row, name)
            return None
        close = not speeds.flexible(name.partition(".")[0])
        return Kind(listed.architecture, listed.vcpus, listed.physical_cores, listed.memory_gib, cluster=close)

    def _check_plan(self, row: Row, kinds: Mapping[str, Kind]) -> None:
        """AWS refuses most types to an account on the Free plan, and says so only at the launch, not to a dry run."""
        if self.account is None or self.account.plan != "FREE":
            return
        refused = [name for name, kind in kinds.items() if not kind.free_tier and name not in self.account.free_types]
        if refused:
            self.errors.append(
                f"{row.label}: the account is on AWS's Free plan, which does not launch {', '.join(refused)} "
                f"(InvalidParameterCombination, not eligible for Free Tier): {FREE_PLAN_REMEDY}, or name one of "
                f"{', '.join(self.account.free_types)}"
            )

    def _check_placement(self, row: Row, kinds: Mapping[str, Kind]) -> None:
        refused = [name for name, kind in kinds.items() if self.fleet.placement_group and not kind.cluster]
        if refused:
            self.errors.append(
                f"{row.label}: EC2 takes {', '.join(refused)} into no placement group of strategy cluster: name a type "
                "that is neither burstable nor flex, or do without one by ec2_environment_placement_group: false"
            )

    def _check_together(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """EC2 would launch them, in a group for each zone; but what is asked for is that all are close."""
        zones = {f"row {row['index']} ({row['type']})": row["zones"] for row in rows if row["zones"]}
        if self.fleet.placement_group and zones and not set.intersection(*map(set, zones.values())):
            told = "; ".join(f"{label}: {', '.join(names)}" for label, names in zones.items())
            self.errors.append(
                f"a placement group of strategy cluster lies in one zone, and the rows have none in common ({told}): "
                "name one zone for all rows, or do without a group by ec2_environment_placement_group: false"
            )

    def _absent(self, row: Row, name: str) -> None:
        self.errors.append(
            f"{row.label}: {self.region} does not have {name}; name another type, or set AWS_REGION to a region that "
            "has it"
        )

    def _zones(self, row: Row) -> list[str]:
        self._check_zones(row)
        if self.account is None:
            return list(row.zones)
        offered = None if self.account.zones is None else self.account.zones.get(row.type, [])
        usual = [zone for zone in offered or [] if self._zone(zone).type == AVAILABILITY_ZONE]
        zones = list(row.zones) or usual
        if offered == []:
            self._absent(row, row.type)
        elif offered is not None:
            wrong = [zone for zone in zones if zone not in offered]
            if wrong:
                self.errors.append(
                    f"{row.label}: EC2 does not offer it in {', '.join(wrong)}, but in {', '.join(usual)}; correct "
                    "zones"
                )
        if offered and not zones:
            self.errors.append(
                f"{row.label}: EC2 offers it in no Availability Zone, but in {', '.join(offered)}; name one in zones "
                "to use it"
            )
        if offered is None and not zones:
            self.errors.append(
                f"{row.label}: its zones could not be asked for; name some in zones, or allow "
                "ec2:DescribeInstanceTypeOfferings"
            )
        return self._in_subnets(row, zones) if self.fleet.subnet_ids else zones

    def _zone(self, name: str) -> Zone:
        """What is known of a zone; by its name where the account could not be asked."""
        asked = self.account.zone_types if self.account else None
        if asked and name in asked:
            return asked[name]
        if re.fullmatch(re.escape(self.region) + "[a-z]", name):
            return Zone(AVAILABILITY_ZONE, True, "")
        return Zone(_WAVELENGTH_ZONE if re.search(r"-wl\d", name) else _LOCAL_ZONE, True, "")

    def _check_zones(self, row: Row) -> None:
        """Say what there is to know of those that a row names and that are no Availability Zones."""
        for name in row.zones:
            zone = self._zone(name)
            if zone.type == _WAVELENGTH_ZONE:
                self.errors.append(
                    f"{row.label}: {name} is a Wavelength Zone, which is reached through a carrier gateway, and none "
                    f"is made: name a zone such as {self.region}a"
                )
            elif not zone.usable:
                self.errors.append(
                    f"{row.label}: {name} is a Local Zone that the account has not opted in to: aws ec2 "
                    f"modify-availability-zone-group --group-name {zone.group} --opt-in-status opted-in --region "
                    f"{self.region}, or name a zone such as {self.region}a"
                )
            elif zone.type == _LOCAL_ZONE:
                self.remarks.append(
                    f"{row.label}: {name} is a Local Zone: an hour costs more there than in the region, whose price is "
                    "counted, and not every one has gp3 volumes and spot"
                )

    def _in_subnets(self, row: Row, zones: list[str]) -> list[str]:
        subnets = self.account.subnets if self.account else None
        if subnets is None:
            return zones
        missing = [name for name in self.fleet.subnet_ids if name not in subnets]
        there = [subnet.zone for subnet in subnets.values()]
        if missing:
            self.errors.append(
                f"{self.region} has no subnet {', '.join(missing)}; correct ec2_environment_subnet_ids, or leave it "
                "empty to have a network made"
            )
        elif len(there) > len(set(there)) or len({subnet.vpc_id for subnet in subnets.values()}) > 1:
            self.errors.append("ec2_environment_subnet_ids: name one subnet a zone, all of one VPC")
        kept = [zone for zone in zones if zone in there]
        if zones and not kept and there:
            self.errors.append(
                f"{row.label}: none of its zones ({', '.join(zones)}) has one of the subnets, which are in "
                f"{', '.join(sorted(there))}; name another subnet or type"
            )
        roomy = [zone for zone in kept if any(of.zone == zone and of.free >= row.count_min for of in subnets.values())]
        if roomy != kept:
            told = ", ".join(f"{name} has {of.free}" for name, of in subnets.items() if of.zone in kept)
            sentence = f"{row.label}: {row.count_min} instances need as many free addresses in one subnet, and {told}"
            if roomy:
                self.remarks.append(f"{sentence}: it is launched in {', '.join(roomy)} alone")
            else:
                self.errors.append(f"{sentence}; name another subnet, or ask for fewer")
        return roomy

    def _image(self, row: Row, parameter: str) -> str | None:
        if self.account is None:
            return None
        images = self.account.images
        if images is None:
            self.errors.append(f"{row.label}: its image could not be asked for; allow ssm:GetParameter")
        elif parameter not in images:
            self.errors.append(f"{row.label}: {self.region} has no image {parameter}; name another image or region")
        return (images or {}).get(parameter)

    def _on_demand(self, name: str) -> prices.Price:
        if name in self.given:
            return prices.Price(self.given[name], "ec2_environment_prices", "")
        if self.account and self.account.on_demand.get(name, prices.Price(None)).usd is not None:
            return self.account.on_demand[name]
        return prices.on_demand(name, self.region)

    def _prices(self, types: Iterable[str]) -> dict[str, Any]:
        """Return by type what an hour of an instance costs, whichever of its market, zone and type it comes to be."""
        by_type = {}
        today = self.now.strftime("%Y-%m-%d")
        for name in dict.fromkeys(types):
            price = self._on_demand(name)
            spot = (self.account.spot or {}).get(name, {}) if self.account else {}
            by_type[name] = {
                "on_demand": {"usd_hour": _number(price.usd), "source": price.source, "date": price.date or today},
                "spot": {
                    "usd_hour_by_zone": {zone: _number(usd) for zone, usd in spot.items()},
                    "source": "EC2 spot price history",
                    "date": today,
                },
            }
        return by_type

    def _most(self, row: Row, on_demand: Mapping[str, prices.Price]) -> Decimal | None:
        """The most that an hour of one instance may cost; a spot instance never costs more than on demand."""
        if row.market == "spot" and row.max_price is not None:
            return Decimal(str(row.max_price))
        known = [price.usd for price in on_demand.values()]
        return None if None in known else max(usd for usd in known if usd is not None)

    def _check_price(self, row: Row, on_demand: Mapping[str, prices.Price], spot: Decimal | None) -> None:
        for name, price in on_demand.items():
            if price.usd is None:
                self.remarks.append(
                    f"{row.label}: what {name} costs in {self.region} is not known; "
                    "ec2_environment_prices takes a price"
                )
        if row.market == "spot" and spot is None:
            self.remarks.append(f"{row.label}: its spot price is not known; the most that it may be is counted instead")
        if row.max_price is not None and spot is not None and spot > Decimal(str(row.max_price)):
            self.remarks.append(
                f"{row.label}: spot costs {spot:.4f} USD an hour now, more than max_price {row.max_price:g}: raise it, "
                "or nothing is launched"
            )

    def _minutes(self, row: Row, kind: Kind) -> run_time.Range:
        request = self.fleet.request
        try:
            listed = processors.instance_type(row.type)
            machine = machine_of(listed)
            core, bandwidth = listed.core, listed.bandwidth_gb_s
        except processors.CatalogError:
            machine = {"name": row.type, "architecture": kind.architecture, "processor": None}
            core, bandwidth = None, None
        machine = dict(machine, cpu_count=kind.vcpus, physical_cores=kind.physical_cores)
        if bandwidth is None:
            self.remarks.append(f"{row.label}: its memory bandwidth is not published, so the minutes are a rough guess")
        plan = make_plan(request, machine)
        causes = [f"{row.label}: {failure['cause']} {failure['advice']}" for failure in plan["failures"]]
        if plan["cells"]:
            self.remarks += causes
        else:
            self.errors += causes or [f"{row.label}: nothing is asked for to be measured; name models and tests"]
        return run_time.expected_minutes(
            run_time.Host(kind.architecture, core, kind.vcpus, kind.physical_cores, bandwidth),
            request,
            plan["cells"],
            len(plan["builds"]),
            self.wanted,
            plan["duets"],
        )

    def _check_quotas(self, rows: list[dict[str, Any]]) -> None:
        asked = dict.fromkeys(QUOTAS, 0)
        for row in rows:
            if standard(row["type"]):
                asked[row["market"]] += row["vcpus"] * row["count"]
            elif self.account:
                self.unchecked.append(f"the quota of {row['type']}, whose family has one of its own")
        for market, vcpus in asked.items():
            quota = self.account.quotas.get(market) if self.account else None
            if self.account is None or quota is None or not vcpus:
                continue
            used = (self.account.used or {}).get(market, 0)
            if used + vcpus > quota:
                code, need = QUOTAS[market], used + vcpus
                self.errors.append(
                    f"the quota {code} (vCPUs of {market} instances of the families {STANDARD}) is {quota:g} in "
                    f"{self.region}; {used} are running and {vcpus} are asked for. Ask for less, or for a quota of "
                    f"{need}: aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {code} "
                    f"--desired-value {need} --region {self.region}"
                )

    def _check_vpcs(self) -> None:
        """A run makes a VPC of its own, and needs room for it beside those of others."""
        account = self.account
        if account is None or account.vpcs is None or account.vpc_quota is None or account.vpcs < account.vpc_quota:
            return
        need = account.vpcs + 1
        self.errors.append(
            f"the quota {VPC_QUOTA} (VPCs of a region) is {account.vpc_quota:g} in {self.region}, and {account.vpcs} "
            "are there: name subnets of one of them in ec2_environment_subnet_ids, remove one, or ask for a quota of "
            f"{need}: aws service-quotas request-service-quota-increase --service-code vpc --quota-code {VPC_QUOTA} "
            f"--desired-value {need} --region {self.region}"
        )

    def _checked(self) -> list[str]:
        if self.account is None:
            return []
        checked = []
        if self.account.kinds is not None:
            checked.append("the types, and in which zones EC2 offers them" if self.account.zones else "the types")
        if self.account.images:
            checked.append("the images")
        if self.account.quotas and self.account.used is not None:
            checked.append("the quotas, against what is running")
        if self.account.vpc_quota is not None and self.account.vpcs is not None:
            checked.append("the quota of VPCs, against those that are there")
        if self.account.plan:
            checked.append(f"the plan of the account, which is {self.account.plan}")
        return checked

    def _cost(self, rows: list[dict[str, Any]], volume: int, minutes: run_time.Range) -> dict[str, Any]:
        """USD. None is unknown; what is unknown makes its sums unknown."""
        count = sum(row["count"] for row in rows)
        storage_price = self.account.storage if self.account else prices.Price(None)
        if storage_price.usd is None:
            storage_price = prices.storage(self.region)
        if storage_price.usd is None and self.region:
            self.remarks.append(f"what storage costs in {self.region} is not known")
        storage = None if storage_price.usd is None else storage_price.usd * volume * count / prices.MONTH_H
        address_price = prices.address()
        address = (address_price.usd or Decimal(0)) * count
        now = _sum([_times(_hour(row), row["count"]) for row in rows])
        most = _sum([_times(row["usd_h"]["most"], row["count"]) for row in rows])
        hour = _sum([now, storage, address])
        worst = _sum([most, storage, address])
        middle = (minutes.low + minutes.high) / 2
        return {
            "instances": _number(now),
            "storage": _number(storage),
            "address": _number(address),
            "per_hour": _number(hour),
            "expected": _number(_for(hour, middle)),
            "expected_range": [_number(_for(hour, minutes.low)), _number(_for(hour, minutes.high))],
            "at_ttl": _number(_for(worst, self.fleet.ttl_minutes)),
            "storage_source": f"{storage_price.source}, {storage_price.date}" if storage_price.source else "",
            "address_source": f"{address_price.source}, {address_price.date}",
        }

    def _creates(self, rows: list[dict[str, Any]], volume: int) -> list[str]:
        fleet, count = self.fleet, sum(row["count"] for row in rows)
        if fleet.subnet_ids:
            made = [f"no network: {', '.join(fleet.subnet_ids)} are used"]
        else:
            made = ["VPC and internet gateway; a subnet and a route table in each zone that is used"]
        if fleet.connection == "ssm":
            made.append("security group that lets nobody in: ssh goes through the Session Manager")
        else:
            made.append("security group that lets ssh in from one address")
        made += ["key pair, whose private half stays on this machine", self._identity()]
        if fleet.placement_group:
            made.append("placement group, strategy cluster, in each zone that is used")
        if rows:
            made.append(_many(len(rows), "launch template"))
            each = "an encrypted volume of {} GB (gp3){}".format(
                volume, "" if fleet.subnet_ids else " and a public IPv4 address"
            )
            made.append(f"{_many(count, 'instance')}{'' if count == 1 else ', each'} with {each}")
        if fleet.schedule:
            role = f"their IAM role{' within the boundary' if fleet.permissions_boundary else ''}"
            made.append(f"schedule for each instance that ends it after {fleet.ttl_minutes} minutes, and {role}")
        if fleet.budget_usd > 0:
            made.append(
                f"budget that mails {fleet.budget_email} at {fleet.budget_usd:g} USD a month; it outlives the run"
            )
        return made

    def _identity(self) -> str:
        fleet = self.fleet
        if fleet.instance_profile:
            return f"no IAM role of the instances: they have the instance profile {fleet.instance_profile}"
        if not fleet.makes_profile:
            return "no IAM role of the instances: they ask nothing of AWS"
        may = ["AmazonSSMManagedInstanceCore"] if fleet.connection == "ssm" else []
        if fleet.results_bucket:
            may.append(f"writing to s3://{fleet.results_bucket}/{fleet.results_prefix}/*")
        within = f", within {fleet.permissions_boundary}" if fleet.permissions_boundary else ""
        return f"IAM role and instance profile: {', '.join(may)}{within}"


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _number(value: Decimal | None) -> float | None:
    return None if value is None else round(float(value), 4)


def _hour(row: Mapping[str, Any]) -> float | None:
    """USD of the hour of one instance of a row: of its market; for spot without a price, the most it may be."""
    usd: Mapping[str, float | None] = row["usd_h"]
    if row["market"] == "on-demand":
        return usd["on_demand"]
    return usd["most"] if usd["spot"] is None else usd["spot"]


def _times(usd: float | None, count: int) -> Decimal | None:
    return None if usd is None else Decimal(str(usd)) * count


def _sum(parts: Iterable[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for part in parts:
        if part is None:
            return None
        total += part
    return total


def _for(hour: Decimal | None, minutes: float) -> Decimal | None:
    return None if hour is None else hour * Decimal(str(minutes)) / 60
