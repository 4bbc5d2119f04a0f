# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is of a run in an account, asked of each service itself.

The tagging API is no proof that nothing is left: it lists what has ended and omits key pairs, IAM and schedules. So
each kind is asked for by its own call: by the tags that it has from its creation, by its name where it has none, and by
the VPC that it lies in. EC2's index of tags may know of an instance later than EC2 itself: instances are asked for by
the key pair of the run too. What could not be asked for is said: then nothing is proven.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.removal import removal
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import (
    EC2,
    EXPIRY,
    IAM,
    KINDS,
    OF_INSTANCE,
    PATH,
    PREFIX,
    Listing,
    Resource,
    vpc_of,
)

# The states of an instance that is not over.
ALIVE = {"Name": "instance-state-name", "Values": ["pending", "running", "shutting-down", "stopping", "stopped"]}
_REGIONS_AT_ONCE = 6


def find(region: str, run: str = "", owner: str = "", kinds: Collection[str] = KINDS) -> Listing:
    """Return what there is in `region`, and in IAM, of `run`, or of every run.

    `owner`: leave out what is tagged as another's. `kinds`: ask for these alone. Raises AwsError when nothing at all
    could be asked for.
    """
    return find_in([region], run, owner, kinds)


def find_in(regions: Sequence[str], run: str = "", owner: str = "", kinds: Collection[str] = KINDS) -> Listing:
    """Do as `find`, in several regions."""
    if run and not aws.proper_run(run):
        raise aws.AwsError(f"{run!r:.100} is no id of a run in EC2: it has up to 48 letters, digits and hyphens")
    resources: list[Resource] = []
    unasked: list[str] = []
    searches = [
        _Search(region, run, owner, [kind for kind in KINDS if kind in kinds and (number == 0 or kind not in IAM)])
        for number, region in enumerate(regions)
    ]
    with ThreadPoolExecutor(max_workers=_REGIONS_AT_ONCE) as pool:
        asked = [pool.submit(search.resources) for search in searches]
    for search, answer in zip(searches, asked, strict=True):
        try:
            resources += answer.result()
        except aws.AwsError as error:
            # One region that does not answer hides no other.
            if len(regions) == 1:
                raise
            unasked.append(f"{search.region}: {error}")
        unasked += search.unasked
    resources.sort(key=lambda resource: (resource.run, KINDS.index(resource.kind), resource.region, resource.id))
    return Listing(resources, unasked)


def enabled_regions(region: str) -> list[str]:
    """Return the regions that are switched on for the account, asked of `region`. Raises AwsError."""
    return sorted(row["RegionName"] for row in aws.pages(aws.client("ec2", region), "describe_regions", "Regions"))


def caller(region: str) -> str:
    """Return the owner that the credentials in use stand for. Raises AwsError."""
    return aws.owner_of(identity(region)["Arn"])


def identity(region: str) -> dict[str, str]:
    """Return the Account and the Arn of the credentials in use. Raises AwsError."""
    with aws.asked("sts:GetCallerIdentity"):
        said = aws.client("sts", region).get_caller_identity()
    return {name: str(said[name]) for name in ("Account", "Arn")}


def _action(client: Any, operation: str) -> str:
    return f"{client.meta.service_model.service_name}:{client.meta.method_to_api_mapping[operation]}"


class _Claim(NamedTuple):
    """A thing as its service describes it, the tags that count for it, and why they do."""

    thing: dict[str, Any]
    tags: dict[str, str]
    why: str
    foreign: bool = False


class _Search:
    """The questions to one region. `unasked` grows with them."""

    def __init__(self, region: str, run: str, owner: str, kinds: Sequence[str]) -> None:
        self.region, self.run, self.owner, self.kinds = region, run, owner, kinds
        self.unasked: list[str] = []
        self._failed: dict[str, aws.AwsError] = {}
        services = {"schedule": "scheduler", **dict.fromkeys(IAM, "iam")}
        session = aws.session(region)
        # Clients may be used by threads, but not made by them.
        self._clients = {
            service: aws.client(service, region, of=session)
            for service in sorted({services.get(kind, "ec2") for kind in kinds})
        }

    def resources(self) -> list[Resource]:
        """Ask, and return what there is. Raises AwsError when nothing could be asked for."""
        with ThreadPoolExecutor(max_workers=8) as pool:
            claims = dict(zip(self.kinds, pool.map(self._listed, self.kinds), strict=True))
            if self.kinds and len(self._failed) == len(self.kinds):
                raise self._failed[self.kinds[0]]
            vpcs = {claim.thing["VpcId"]: claim.tags for claim in claims.get("VPC", [])}
            inside = [kind for kind in self.kinds if vpcs and kind in EC2 and EC2[kind].inside]
            for kind, more in zip(inside, pool.map(lambda kind: self._inside(kind, vpcs), inside), strict=True):
                known = {claim.thing[EC2[kind].id] for claim in claims[kind]}
                claims[kind] += [claim for claim in more if claim.thing[EC2[kind].id] not in known]
        if "spot request" in claims and "instance" in claims:
            self._pair(claims["spot request"], claims["instance"])
        instances = {claim.thing["InstanceId"]: claim for claim in claims.get("instance", [])}
        return [
            self._resource(kind, claim)
            for kind in self.kinds
            for claim in claims[kind]
            if not _goes_by_itself(kind, claim.thing, instances)
        ]

    def _asked(self, kind: str, ask: Callable[[], list[Any]]) -> list[Any]:
        """Return what `ask` does, and nothing, but a sentence in `unasked`, when it cannot."""
        try:
            return ask()
        except aws.AwsError as error:
            self._failed[kind] = error
            where = "IAM" if kind in IAM else self.region
            self.unasked.append(f"{kind}s in {where}: {error}")
            return []

    def _listed(self, kind: str) -> list[_Claim]:
        ask = {
            "instance": self._instances,
            "schedule": self._schedules,
            "role": self._roles,
            "instance profile": self._profiles,
        }
        return [
            claim
            for claim in self._asked(kind, ask.get(kind, lambda: self._tagged(kind)))
            if not self.owner or claim.tags.get("Owner") in (None, "", self.owner)
        ]

    def _ec2(self, kind: str, *filters: dict[str, Any]) -> list[dict[str, Any]]:
        alive = [ALIVE] if kind == "instance" else []
        rows = aws.pages(self._clients["ec2"], EC2[kind].operation, EC2[kind].key, Filters=[*filters, *alive])
        return [instance for row in rows for instance in row["Instances"]] if kind == "instance" else rows

    def _tagged(self, kind: str) -> list[_Claim]:
        of_run = [aws.filtered("tag:RunId", self.run)] if self.run else []
        return [
            _Claim(thing, aws.tags(thing), "tag")
            for thing in self._ec2(kind, aws.filtered("tag:Project", aws.PROJECT), *of_run)
        ]

    def _instances(self) -> list[_Claim]:
        """By tag, and those that the index of tags does not know yet by their key pair, which is named for the run."""
        claims = self._tagged("instance")
        known = {claim.thing["InstanceId"] for claim in claims}
        for thing in self._ec2("instance", aws.filtered("key-name", f"{PREFIX}{self.run or '*'}")):
            tags, why = aws.tags(thing), "tag"
            if tags.get("Project") != aws.PROJECT:
                tags, why = {"RunId": thing["KeyName"][len(PREFIX) :]}, "key pair"
            if thing["InstanceId"] not in known and self.run in ("", tags.get("RunId")):
                claims.append(_Claim(thing, tags, why))
        return claims

    def _inside(self, kind: str, vpcs: dict[str, dict[str, str]]) -> list[_Claim]:
        """What lies in the VPCs and is not tagged, or tagged by the run itself and not in the index of tags yet."""
        things = self._asked(kind, lambda: self._ec2(kind, aws.filtered(EC2[kind].inside, *vpcs)))
        claims = []
        for thing in things:
            tags, vpc = aws.tags(thing), vpcs.get(vpc_of(thing))
            if vpc is None:
                continue
            if tags.get("Project") != aws.PROJECT:
                foreign = kind == "instance" or _is_kept_by_another(kind, thing)
                claims.append(_Claim(thing, vpc, f"in {vpc_of(thing)}", foreign))
            elif all(tags.get(name) == vpc.get(name) for name in ("RunId", "Owner")):
                claims.append(_Claim(thing, tags, "tag"))
        return claims

    def _pair(self, requests: list[_Claim], instances: list[_Claim]) -> None:
        """Find each spot request by its instance and each instance by its request, if only one of them has the tags.

        The instance of a request that was cancelled lives on.
        """
        known = {claim.thing["InstanceId"] for claim in instances if not claim.foreign}
        by_instance = {claim.thing["InstanceId"]: claim for claim in requests if claim.thing.get("InstanceId")}
        missing = sorted(set(by_instance) - known)
        if missing:
            untagged = self._asked("instance", lambda: self._ec2("instance", aws.filtered("instance-id", *missing)))
            instances[:] = [claim for claim in instances if claim.thing["InstanceId"] not in missing]
            for thing in untagged:
                request = by_instance[thing["InstanceId"]]
                instances.append(_Claim(thing, request.tags, f"of {request.thing['SpotInstanceRequestId']}"))
        known = {claim.thing["SpotInstanceRequestId"] for claim in requests}
        by_request = {claim.thing.get("SpotInstanceRequestId"): claim for claim in instances if not claim.foreign}
        missing = sorted(name for name in by_request if name and name not in known)
        if missing:
            wanted = aws.filtered("spot-instance-request-id", *missing)
            for thing in self._asked("spot request", lambda: self._ec2("spot request", wanted)):
                instance = by_request[thing["SpotInstanceRequestId"]]
                requests.append(_Claim(thing, instance.tags, f"of {instance.thing['InstanceId']}"))

    def _schedules(self) -> list[_Claim]:
        """By name: a schedule cannot be tagged. Where all runs are asked for, the first of each tells its end."""
        client = self._clients["scheduler"]
        claims = []
        ends: dict[str, str] = {}
        for row in aws.pages(client, "list_schedules", "Schedules", GroupName="default", NamePrefix=PREFIX + self.run):
            run = row["Name"][len(PREFIX) :].partition(OF_INSTANCE)[0]
            if run != self.run if self.run else not aws.proper_run(run):
                continue
            if not self.run and run not in ends:
                whole = self._described(client, "get_schedule", GroupName="default", Name=row["Name"])
                if whole is None:
                    continue
                at = re.fullmatch(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)", whole["ScheduleExpression"])
                ends[run] = f"{at.group(1)}Z" if at else ""
            claims.append(_Claim(row, {"RunId": run, "ExpiresAt": ends.get(run, "")}, "name"))
        return claims

    def _roles(self) -> list[_Claim]:
        return self._identities("list_roles", "Roles", "RoleName", "get_role", "Role")

    def _profiles(self) -> list[_Claim]:
        return self._identities(
            "list_instance_profiles",
            "InstanceProfiles",
            "InstanceProfileName",
            "get_instance_profile",
            "InstanceProfile",
        )

    def _identities(self, operation: str, key: str, name: str, get: str, described_key: str) -> list[_Claim]:
        """By path and name, and then by tag: a listing of IAM is without the tags."""
        client = self._clients["iam"]
        claims = []
        for row in aws.pages(client, operation, key, PathPrefix=PATH):
            if row["Path"] != PATH or not row[name].startswith(PREFIX + self.run):
                continue
            whole = self._described(client, get, **{name: row[name]})
            if whole is None:
                continue
            tags, why = aws.tags(whole[described_key]), "tag"
            if tags.get("Project") != aws.PROJECT:
                run = row[name][len(PREFIX) :]
                tags, why = {"RunId": run.removesuffix(EXPIRY) if key == "Roles" else run}, "name"
            if self.run in ("", tags.get("RunId")):
                claims.append(_Claim(row, tags, why))
        return claims

    def _described(self, client: Any, operation: str, **arguments: str) -> dict[str, Any] | None:
        """Return what there was a moment ago, or None."""
        try:
            with aws.asked(_action(client, operation)):
                return dict(getattr(client, operation)(**arguments))
        except aws.AwsError as error:
            if error.missing:
                return None
            raise

    def _resource(self, kind: str, claim: _Claim) -> Resource:
        thing, tags = claim.thing, claim.tags
        names = {
            "schedule": "Name",
            "role": "RoleName",
            "instance profile": "InstanceProfileName",
            "launch template": "LaunchTemplateName",
            "key pair": "KeyName",
            "placement group": "GroupName",
            "security group": "GroupName",
        }
        name = str(thing[names[kind]] if kind in names else aws.tags(thing).get("Name", ""))
        return Resource(
            kind=kind,
            id=str(thing[EC2[kind].id]) if kind in EC2 else name,
            name=name,
            region=aws.proper_region(tags.get("Region", "")) if kind in IAM else self.region,
            run=tags.get("RunId", ""),
            owner=tags.get("Owner", ""),
            expires_at=tags.get("ExpiresAt", ""),
            state=_state(thing),
            why=claim.why,
            removal=removal(kind, thing, self.region),
            foreign=claim.foreign,
            row=tags.get("Row", "") if kind == "instance" else "",
            vpc_id=vpc_of(thing),
            cidr=str(thing.get("CidrBlock") or ""),
        )


def _state(thing: dict[str, Any]) -> str:
    state = thing.get("State") or thing.get("Status") or ""
    if isinstance(state, dict):
        state = state.get("Name", "")
    return str(state)


def _is_kept_by_another(kind: str, thing: dict[str, Any]) -> bool:
    """Whether a network interface is somebody's instance's, or a service's, which alone may remove it."""
    return kind == "network interface" and bool(thing.get("RequesterManaged") or thing.get("Attachment"))


def _goes_by_itself(kind: str, thing: dict[str, Any], instances: Collection[str]) -> bool:
    """Whether nobody has to remove it: EC2 does, together with what it belongs to, or it is over."""
    if kind == "security group":
        return bool(thing["GroupName"] == "default")
    if kind == "route table":
        return any(association.get("Main") for association in thing.get("Associations") or [])
    if kind == "network interface":
        of_endpoint = thing.get("InterfaceType") == "vpc_endpoint"
        return of_endpoint or thing.get("Attachment", {}).get("InstanceId") in instances
    if kind == "spot request":
        return thing["State"] not in ("open", "active")
    return kind in ("VPC endpoint", "volume") and _state(thing).lower() in ("deleted", "deleting")
