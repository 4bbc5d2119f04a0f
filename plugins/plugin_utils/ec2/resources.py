# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is of a run in an account, asked of each service itself, and what to make of it.

The tagging API is no proof that nothing is left: it lists what has ended and omits key pairs, IAM and schedules. So
each kind is asked for by its own call: by the tags that it has from its creation, by its name where it has none, and by
the VPC that it lies in. What could not be asked for is said: then nothing is proven.
"""

from __future__ import annotations

import datetime
import re
import shlex
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.failures.cause import cause_of
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import visible

PREFIX = "cloudbench-"
PATH = "/cloudbench/"
# What the name of the schedule's role ends in.
EXPIRY = "-expiry"


class _Kind(NamedTuple):
    """How EC2 lists a kind: the call, the key of its answer, the key of the id; the filter for those in a VPC."""

    operation: str
    key: str
    id: str
    inside: str = ""


# Each before what it lies in, or is held by.
_EC2 = {
    "spot request": _Kind("describe_spot_instance_requests", "SpotInstanceRequests", "SpotInstanceRequestId"),
    "instance": _Kind("describe_instances", "Reservations", "InstanceId", "vpc-id"),
    "volume": _Kind("describe_volumes", "Volumes", "VolumeId"),
    "VPC endpoint": _Kind("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", "vpc-id"),
    "network interface": _Kind("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId", "vpc-id"),
    "launch template": _Kind("describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
    "key pair": _Kind("describe_key_pairs", "KeyPairs", "KeyPairId"),
    "security group": _Kind("describe_security_groups", "SecurityGroups", "GroupId", "vpc-id"),
    "route table": _Kind("describe_route_tables", "RouteTables", "RouteTableId", "vpc-id"),
    "internet gateway": _Kind(
        "describe_internet_gateways", "InternetGateways", "InternetGatewayId", "attachment.vpc-id"
    ),
    "subnet": _Kind("describe_subnets", "Subnets", "SubnetId", "vpc-id"),
    "VPC": _Kind("describe_vpcs", "Vpcs", "VpcId"),
}
# IAM has no region: what is found of it is listed with the first region that is asked.
_IAM = ("instance profile", "role")
KINDS = (*list(_EC2)[:7], "schedule", *_IAM, *list(_EC2)[7:])

_ALIVE = {"Name": "instance-state-name", "Values": ["pending", "running", "shutting-down", "stopping", "stopped"]}
_POLL_S = 5

# What amazon.aws itself repeats ten times, over some minutes.
_REPEATED = (
    "InternalError",
    "InternalFailure",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "Throttling",
    "TooManyRequestsException",
    "Unavailable",
)


class Resource(NamedTuple):
    """One thing that is there. Strings, empty where there is nothing to say, and one truth value.

    `why`: how it is known to be of the run. `removal`: the command that removes it. `foreign`: it lies in the VPC of
    the run, which did not make it: a person has to decide. `row`: of an instance, its index in the matrix. `vpc_id`,
    `cidr`: of what lies in a VPC.
    """

    kind: str
    id: str
    name: str
    region: str
    run: str
    owner: str
    expires_at: str
    state: str
    why: str
    removal: str
    foreign: bool = False
    row: str = ""
    vpc_id: str = ""
    cidr: str = ""


class Found(NamedTuple):
    """What is there, in the order of KINDS, and a sentence for each thing that could not be asked for."""

    resources: list[Resource]
    unasked: list[str]


class Run(NamedTuple):
    """What is left of a run that is over; `over` says in words since when, or why."""

    run: str
    owner: str
    over: str
    regions: list[str]
    resources: list[Resource]


def find(region: str, run: str = "", owner: str = "", kinds: Collection[str] = KINDS) -> Found:
    """Return what there is in `region`, and in IAM, of `run`, or of every run.

    `owner`: leave out what is tagged as another's. `kinds`: ask for these alone. Raises AwsError when nothing at all
    could be asked for.
    """
    return find_in([region], run, owner, kinds)


def find_in(regions: Sequence[str], run: str = "", owner: str = "", kinds: Collection[str] = KINDS) -> Found:
    """Do as `find`, in several regions."""
    if run and not aws.proper_run(run):
        raise aws.AwsError(f"{run!r} is no id of a run in EC2: it has up to 48 letters, digits and hyphens")
    resources: list[Resource] = []
    unasked: list[str] = []
    for number, region in enumerate(regions):
        here = [kind for kind in KINDS if kind in kinds and (number == 0 or kind not in _IAM)]
        search = _Search(region, run, owner, here)
        try:
            resources += search.resources()
        except aws.AwsError as error:
            # One region that does not answer hides no other.
            if len(regions) == 1:
                raise
            unasked.append(f"{region}: {error}")
        unasked += search.unasked
    resources.sort(key=lambda one: (one.run, KINDS.index(one.kind), one.region, one.id))
    return Found(resources, unasked)


def enabled_regions(region: str) -> list[str]:
    """Return the regions that are switched on for the account, asked of `region`. Raises AwsError."""
    return sorted(one["RegionName"] for one in aws.pages(aws.client("ec2", region), "describe_regions", "Regions"))


def caller(region: str) -> str:
    """Return the owner that the credentials in use stand for. Raises AwsError."""
    with aws.asked("sts:GetCallerIdentity"):
        return aws.owner_of(aws.client("sts", region).get_caller_identity()["Arn"])


def wait_until_gone(
    region: str,
    instance_ids: Sequence[str],
    timeout: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Wait until EC2 knows none of the instances any more but as terminated; return False after `timeout` seconds.

    Raises AwsError.
    """
    client = aws.client("ec2", region)
    end = clock() + timeout
    # By a filter, to which an instance that EC2 has forgotten is no error; it takes 200 values.
    filters = [
        [aws.filtered("instance-id", *instance_ids[at : at + 200]), _ALIVE] for at in range(0, len(instance_ids), 200)
    ]
    while any(aws.pages(client, "describe_instances", "Reservations", Filters=wanted) for wanted in filters):
        if clock() >= end:
            return False
        sleep(_POLL_S)
    return True


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
        services = {"schedule": "scheduler", **dict.fromkeys(_IAM, "iam")}
        session = aws.session(region)
        # Clients may be used by threads, but not made by them.
        self._clients = {
            service: aws.client(service, region, of=session)
            for service in sorted({services.get(kind, "ec2") for kind in kinds})
        }

    def resources(self) -> list[Resource]:
        """Ask, and return what there is. Raises AwsError when nothing could be asked for."""
        with ThreadPoolExecutor(max_workers=8) as pool:
            found = dict(zip(self.kinds, pool.map(self._listed, self.kinds), strict=True))
            if self.kinds and len(self._failed) == len(self.kinds):
                raise self._failed[self.kinds[0]]
            vpcs = {claim.thing["VpcId"]: claim.tags for claim in found.get("VPC", [])}
            inside = [kind for kind in self.kinds if vpcs and kind in _EC2 and _EC2[kind].inside]
            for kind, more in zip(inside, pool.map(lambda kind: self._inside(kind, vpcs), inside), strict=True):
                known = {claim.thing[_EC2[kind].id] for claim in found[kind]}
                found[kind] += [claim for claim in more if claim.thing[_EC2[kind].id] not in known]
        if "spot request" in found and "instance" in found:
            self._pair(found["spot request"], found["instance"])
        instances = {claim.thing["InstanceId"]: claim for claim in found.get("instance", [])}
        return [
            self._resource(kind, claim)
            for kind in self.kinds
            for claim in found[kind]
            if not _goes_by_itself(kind, claim.thing, instances)
        ]

    def _asked(self, kind: str, ask: Callable[[], list[Any]]) -> list[Any]:
        """Return what `ask` does, and nothing, but a sentence in `unasked`, when it cannot."""
        try:
            return ask()
        except aws.AwsError as error:
            self._failed[kind] = error
            where = "IAM" if kind in _IAM else self.region
            self.unasked.append(f"{kind}s in {where}: {error}")
            return []

    def _listed(self, kind: str) -> list[_Claim]:
        ask = {"schedule": self._schedules, "role": self._roles, "instance profile": self._profiles}
        return [
            claim
            for claim in self._asked(kind, ask.get(kind, lambda: self._tagged(kind)))
            if not self.owner or claim.tags.get("Owner") in (None, "", self.owner)
        ]

    def _ec2(self, kind: str, *filters: dict[str, Any]) -> list[dict[str, Any]]:
        alive = [_ALIVE] if kind == "instance" else []
        found = aws.pages(self._clients["ec2"], _EC2[kind].operation, _EC2[kind].key, Filters=[*filters, *alive])
        return [one for reservation in found for one in reservation["Instances"]] if kind == "instance" else found

    def _tagged(self, kind: str) -> list[_Claim]:
        of_run = [aws.filtered("tag:RunId", self.run)] if self.run else []
        return [
            _Claim(one, aws.tags(one), "tag")
            for one in self._ec2(kind, aws.filtered("tag:Project", aws.PROJECT), *of_run)
        ]

    def _inside(self, kind: str, vpcs: dict[str, dict[str, str]]) -> list[_Claim]:
        """What lies in the VPCs and is not tagged, be it by the run or by another one."""
        found = self._asked(kind, lambda: self._ec2(kind, aws.filtered(_EC2[kind].inside, *vpcs)))
        return [
            _Claim(one, vpcs[_vpc(one)], f"in {_vpc(one)}", kind == "instance" or _is_kept_by_another(kind, one))
            for one in found
            if aws.tags(one).get("Project") != aws.PROJECT and _vpc(one) in vpcs
        ]

    def _pair(self, requests: list[_Claim], instances: list[_Claim]) -> None:
        """Find each spot request by its instance and each instance by its request, if only one of them has the tags.

        The instance of a request that was cancelled lives on.
        """
        known = {claim.thing["InstanceId"] for claim in instances if not claim.foreign}
        by_instance = {one.thing["InstanceId"]: one for one in requests if one.thing.get("InstanceId")}
        missing = sorted(set(by_instance) - known)
        if missing:
            found = self._asked("instance", lambda: self._ec2("instance", aws.filtered("instance-id", *missing)))
            instances[:] = [claim for claim in instances if claim.thing["InstanceId"] not in missing]
            for one in found:
                request = by_instance[one["InstanceId"]]
                instances.append(_Claim(one, request.tags, f"of {request.thing['SpotInstanceRequestId']}"))
        known = {claim.thing["SpotInstanceRequestId"] for claim in requests}
        by_request = {one.thing.get("SpotInstanceRequestId"): one for one in instances if not one.foreign}
        missing = sorted(name for name in by_request if name and name not in known)
        if missing:
            wanted = aws.filtered("spot-instance-request-id", *missing)
            for one in self._asked("spot request", lambda: self._ec2("spot request", wanted)):
                instance = by_request[one["SpotInstanceRequestId"]]
                requests.append(_Claim(one, instance.tags, f"of {instance.thing['InstanceId']}"))

    def _schedules(self) -> list[_Claim]:
        """By name: a schedule cannot be tagged. What is not of one run alone tells its end by itself."""
        client = self._clients["scheduler"]
        found = []
        for one in aws.pages(client, "list_schedules", "Schedules", GroupName="default", NamePrefix=PREFIX + self.run):
            run = one["Name"][len(PREFIX) :]
            if run != self.run if self.run else not aws.proper_run(run):
                continue
            tags = {"RunId": run}
            if not self.run:
                whole = self._one(client, "get_schedule", GroupName="default", Name=one["Name"])
                if whole is None:
                    continue
                at = re.fullmatch(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)", whole["ScheduleExpression"])
                tags["ExpiresAt"] = f"{at.group(1)}Z" if at else ""
            found.append(_Claim(one, tags, "name"))
        return found

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

    def _identities(self, operation: str, key: str, name: str, get: str, one_key: str) -> list[_Claim]:
        """By path and name, and then by tag: a listing of IAM is without the tags."""
        client = self._clients["iam"]
        found = []
        for one in aws.pages(client, operation, key, PathPrefix=PATH):
            if one["Path"] != PATH or not one[name].startswith(PREFIX + self.run):
                continue
            whole = self._one(client, get, **{name: one[name]})
            if whole is None:
                continue
            tags, why = aws.tags(whole[one_key]), "tag"
            if tags.get("Project") != aws.PROJECT:
                run = one[name][len(PREFIX) :]
                tags, why = {"RunId": run.removesuffix(EXPIRY) if key == "Roles" else run}, "name"
            if self.run in ("", tags.get("RunId")):
                found.append(_Claim(one, tags, why))
        return found

    def _one(self, client: Any, operation: str, **arguments: str) -> dict[str, Any] | None:
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
            "security group": "GroupName",
        }
        name = str(thing[names[kind]] if kind in names else aws.tags(thing).get("Name", ""))
        return Resource(
            kind=kind,
            id=str(thing[_EC2[kind].id]) if kind in _EC2 else name,
            name=name,
            region=self.region,
            run=tags.get("RunId", ""),
            owner=tags.get("Owner", ""),
            expires_at=tags.get("ExpiresAt", ""),
            state=_state(kind, thing),
            why=claim.why,
            removal=_removal(kind, thing, self.region),
            foreign=claim.foreign,
            row=tags.get("Row", "") if kind == "instance" else "",
            vpc_id=_vpc(thing),
            cidr=str(thing.get("CidrBlock") or ""),
        )


def _vpc(thing: dict[str, Any]) -> str:
    attached = [one.get("VpcId") for one in thing.get("Attachments") or []]
    return str(thing.get("VpcId") or next((one for one in attached if one), ""))


def _state(kind: str, thing: dict[str, Any]) -> str:
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
        return any(one.get("Main") for one in thing.get("Associations") or [])
    if kind == "network interface":
        of_endpoint = thing.get("InterfaceType") == "vpc_endpoint"
        return of_endpoint or thing.get("Attachment", {}).get("InstanceId") in instances
    if kind == "spot request":
        return thing["State"] not in ("open", "active")
    return kind in ("VPC endpoint", "volume") and _state(kind, thing).lower() in ("deleted", "deleting")


def _removal(kind: str, thing: dict[str, Any], region: str) -> str:
    """Return the command that removes it, for a shell."""
    ec2, here = "aws ec2 ", f" --region {region}"
    if kind == "instance":
        return f"{ec2}terminate-instances --instance-ids {thing['InstanceId']}{here}"
    if kind == "spot request":
        name = thing["SpotInstanceRequestId"]
        return f"{ec2}cancel-spot-instance-requests --spot-instance-request-ids {name}{here}"
    if kind == "VPC endpoint":
        return f"{ec2}delete-vpc-endpoints --vpc-endpoint-ids {thing['VpcEndpointId']}{here}"
    if kind == "key pair":
        return f"{ec2}delete-key-pair --key-name {shlex.quote(thing['KeyName'])}{here}"
    if kind == "security group":
        return f"{ec2}delete-security-group --group-id {thing['GroupId']}{here}"
    if kind == "volume":
        detach = "".join(
            f"{ec2}detach-volume --volume-id {thing['VolumeId']}{here} && "
            f"{ec2}wait volume-available --volume-ids {thing['VolumeId']}{here} && "
            for one in thing.get("Attachments") or []
        )
        return f"{detach}{ec2}delete-volume --volume-id {thing['VolumeId']}{here}"
    if kind == "network interface":
        name, attachment = thing["NetworkInterfaceId"], thing.get("Attachment", {})
        if thing.get("RequesterManaged"):
            said = shlex.quote(visible(thing.get("Description") or "a service"))
            return f"# remove what it belongs to: {said}"
        detach = f"{ec2}detach-network-interface --force --attachment-id {attachment.get('AttachmentId')}{here} && "
        wait = f"{ec2}wait network-interface-available --network-interface-ids {name}{here} && "
        return f"{detach + wait if attachment else ''}{ec2}delete-network-interface --network-interface-id {name}{here}"
    if kind == "route table":
        associations = [one["RouteTableAssociationId"] for one in thing.get("Associations") or []]
        before = "".join(f"{ec2}disassociate-route-table --association-id {one}{here} && " for one in associations)
        return f"{before}{ec2}delete-route-table --route-table-id {thing['RouteTableId']}{here}"
    if kind == "internet gateway":
        name = f"--internet-gateway-id {thing['InternetGatewayId']}"
        before = f"{ec2}detach-internet-gateway {name} --vpc-id {_vpc(thing)}{here} && " if _vpc(thing) else ""
        return f"{before}{ec2}delete-internet-gateway {name}{here}"
    if kind in _EC2:
        word = kind.lower().replace(" ", "-")
        return f"{ec2}delete-{word} --{word}-id {thing[_EC2[kind].id]}{here}"
    if kind == "schedule":
        return f"aws scheduler delete-schedule --group-name default --name {shlex.quote(thing['Name'])}{here}"
    if kind == "instance profile":
        name = f"--instance-profile-name {shlex.quote(thing['InstanceProfileName'])}"
        before = "".join(
            f"aws iam remove-role-from-instance-profile {name} --role-name {shlex.quote(role['RoleName'])} && "
            for role in thing.get("Roles") or []
        )
        return f"{before}aws iam delete-instance-profile {name}"
    name = f"--role-name {shlex.quote(thing['RoleName'])}"
    return (
        f"for policy in $(aws iam list-role-policies {name} --query 'PolicyNames[]' --output text); do "
        f'aws iam delete-role-policy {name} --policy-name "$policy"; done; '
        f"for policy in $(aws iam list-attached-role-policies {name} --query 'AttachedPolicies[].PolicyArn' "
        f'--output text); do aws iam detach-role-policy {name} --policy-arn "$policy"; done; '
        f"aws iam delete-role {name}"
    )


def summary(resources: Iterable[Resource]) -> str:
    """Return how many there are of each kind, such as "2 instances, 1 VPC"."""
    counted = Counter(one.kind for one in resources)
    return ", ".join(f"{counted[kind]} {kind}{'s' if counted[kind] > 1 else ''}" for kind in KINDS if counted[kind])


def line(one: Resource) -> str:
    """Return a resource in a line: what, whose, in which state."""
    name = f" {visible(one.name)}" if one.name not in ("", one.id) else ""
    told = ", ".join(visible(said) for said in (one.state, one.why if one.why != "tag" else "") if said)
    return f"{one.kind} {visible(one.id)}{name}{f' ({told})' if told else ''}"


def left_over(found: Found, run: str, region: str, attempts: dict[str, str] | None = None) -> str:
    """Return what a person has to know and do about what is left of `run`, in lines; empty when nothing is.

    `attempts`: why the removal of a resource failed, by its id.
    """
    lines = []
    if found.resources:
        lines.append(f"Of the run {run} in {region} is left, and may go on costing: {summary(found.resources)}.")
    for one in found.resources:
        lines.append(f"- {line(one)}")
        why = (attempts or {}).get(one.id)
        if why:
            lines.append(f"  it could not be removed: {why}")
        elif one.foreign:
            lines.append("  the run did not make it, and it is not removed: decide yourself")
        lines.append(f"  {one.removal}")
    if found.resources:
        lines.append(f"Once the cause is gone, the teardown can be repeated: {teardown_command(run, region)}")
    if found.unasked:
        lines.append(f"It is not proven that nothing is left of the run {run}, since this could not be asked for:")
        lines += [f"- {said}" for said in found.unasked]
    return "\n".join(lines)


def teardown_command(run: str, region: str) -> str:
    """Return the command that tears one run down."""
    return f"AWS_REGION={region} ansible-playbook cloudbench.llama.teardown -e ec2_environment_run={run}"


def _failures(results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the results, item by item, of modules that failed in tasks with failed_when: false."""
    every = [one for result in results for one in result.get("results") or [result]]
    return [one for one in every if one.get("failed") or "failed_when_suppressed_exception" in one]


def attempts_of(results: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return why removals failed, by the id of the resource, from the registered results of tasks that loop over them.

    The item of a loop is a resource, or a list of them.
    """
    failed = {}
    for one in _failures(results):
        item = one.get("item")
        for resource in item if isinstance(item, list) else [item]:
            if isinstance(resource, dict) and "id" in resource:
                failed[resource["id"]] = " ".join(cause_of(one).split())
    return failed


def may_go(found: Found, results: Iterable[dict[str, Any]]) -> bool:
    """Return whether another try may remove more: not if something foreign blocks it, or if what failed was already
    repeated for minutes by amazon.aws."""
    codes = [str((one.get("error") or {}).get("code")) for one in _failures(results)]
    blocked = any(one.foreign for one in found.resources)
    return bool(found.resources) and not blocked and not set(codes) & set(_REPEATED)


def _parsed(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC)
    except ValueError:
        return None


def over(
    resources: Iterable[Resource],
    owner: str,
    everything: bool = False,
    but: Collection[str] = (),
    everywhere: bool = False,
    now: datetime.datetime | None = None,
) -> list[Run]:
    """Return the runs of `owner` ("*": of anybody) that are over: expired, or without an end.

    `everything`: also those that are not over. Never one named in `but`, and never one of which only IAM is here and
    whose end is to come, unless `everywhere` was asked: it lives in another region. What is not tagged with an owner
    belongs to the run's, if that has one.
    """
    moment = now or datetime.datetime.now(datetime.UTC)
    groups: dict[tuple[str, str], list[Resource]] = {}
    rest: list[Resource] = []
    for one in resources:
        if aws.proper_run(one.run):
            groups.setdefault((one.run, one.owner), []).append(one) if one.owner else rest.append(one)
    for one in rest:
        owners = [key for key in groups if key[0] == one.run]
        groups.setdefault(owners[0] if len(owners) == 1 else (one.run, ""), []).append(one)
    found = []
    for (run, whose), parts in sorted(groups.items()):
        if owner not in ("*", whose) or run in but:
            continue
        ends = [end for end in map(_parsed, {one.expires_at for one in parts}) if end]
        if not ends:
            said = "has no end"
        elif max(ends) <= moment:
            said = f"expired {max(ends):%Y-%m-%dT%H:%M:%SZ}"
        elif everything and (everywhere or any(one.kind not in _IAM for one in parts)):
            said = f"runs until {max(ends):%Y-%m-%dT%H:%M:%SZ}"
        else:
            continue
        parts.sort(key=lambda one: (KINDS.index(one.kind), one.region, one.id))
        regions = sorted({one.region for one in parts if one.kind not in _IAM}) or [parts[0].region]
        found.append(Run(run, whose, said, regions, parts))
    return found


def of_no_run(resources: Iterable[Resource], owner: str) -> list[Resource]:
    """Return what is tagged for this project and `owner` ("*": anybody), but for no run."""
    return [one for one in resources if not aws.proper_run(one.run) and owner in ("*", one.owner)]


def sweep_table(
    runs: Sequence[Run], strays: Sequence[Resource], owner: str, regions: Sequence[str], unasked: Sequence[str]
) -> list[str]:
    """Return what a sweep has found, in lines for a person."""
    whose = "anybody" if owner == "*" else owner
    where = ", ".join(regions) if len(regions) <= 4 else f"{len(regions)} regions"
    lines = []
    if runs:
        rows = [("run", "owner", "", "what there is")]
        rows += [
            (one.run, visible(one.owner) or "nobody", one.over, f"{summary(one.resources)} ({', '.join(one.regions)})")
            for one in runs
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines.append(f"Left of the runs of {whose} in {where}:")
        for row in rows:
            lines.append("  ".join([cell.ljust(width) for cell, width in zip(row, widths, strict=False)] + [row[3]]))
        sweep = "ansible-playbook cloudbench.llama.sweep -e ec2_environment_sweep_remove=true"
        lines.append(f"Each is removed by its command; {sweep} removes all that are over:")
        lines += [teardown_command(one.run, region) for one in runs for region in one.regions]
    else:
        lines.append(f"No run of {whose} in {where} is over.")
    if strays:
        lines.append("Of no run, to be removed by hand:")
        for stray in strays:
            lines += [f"- {line(stray)}", f"  {stray.removal}"]
    if unasked:
        lines.append("There may be more, since this could not be asked for:")
        lines += [f"- {said}" for said in unasked]
    return lines
