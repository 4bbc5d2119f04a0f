# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account of AWS: moto, and the answers it lacks or does not give as AWS does; see server.py."""

from __future__ import annotations

import base64
import contextlib
import copy
import fnmatch
import functools
import hashlib
import importlib.util
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from moto.backends import get_backend
from moto.core.base_backend import BackendDict
from moto.core.exceptions import ServiceException
from moto.core.model_instances import reset_model_data
from moto.ec2.models.amis import Ami
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.ec2.models.instances import Instance, InstanceState, MetadataOptions, StateReason
from moto.ec2.models.spot_requests import LaunchSpecification, SpotInstanceRequest
from moto.ec2.utils import random_spot_request_id
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.utilities.utils import load_resource
from support.aws.wire import Answer, ApiError, Call, mistake, parse_answer, render, write_call
from werkzeug.test import run_wsgi_app

ACCOUNT = "123456789012"

SETTINGS: dict[str, Any] = {
    "hosts": [],
    "pending": 0,
    "regions": [
        "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
        "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1",
        "us-east-2", "us-west-1", "us-west-2",
    ],
    "shutting_down": 0,
    "minute": 0,
    "quotas": {"L-1216C47A": 640.0, "L-34B43A08": 640.0},
    "vpcs": 5,
    "account_plan": "PAID",
    "prices": [
        {"instanceType": "c7g.large", "usd": 0.0111},
        {"instanceType": "c7g.4xlarge", "usd": 0.4444},
        {"instanceType": "c7g.16xlarge", "usd": 1.1111},
        {"instanceType": "c8g.16xlarge", "usd": 2.2222},
        {"instanceType": "c7i.16xlarge", "usd": 3.3333},
        {"volumeApiName": "gp3", "usd": 0.0555},
    ],
    "spot_prices": {"*": 0.3333},
    "organisation_tags": {},
    "opted_in": [],
    "policies": [],
    "room": {},
    "ends": None,
    "agent": "there",
}  # fmt: skip

# Public parameters of the images moto does not know: name with {} for the architecture's word in it, the words, what
# the image is called, its owner and root device.
IMAGES = [
    (
        "/aws/service/canonical/ubuntu/server/24.04/stable/current/{}/hvm/ebs-gp3/ami-id",
        {"amd64": "x86_64", "arm64": "arm64"},
        "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{}-server-20261101", "099720109477", "/dev/sda1",
    ),
    (
        "/aws/service/debian/release/12/latest/{}",
        {"amd64": "x86_64", "arm64": "arm64"},
        "debian-12-{}-20261101-2000", "136693071363", "/dev/xvda",
    ),
]  # fmt: skip

# Zones beside the Availability Zones, which an account has to opt in to: name, type, group. They offer every type.
MORE_ZONES = {
    "us-east-1": [
        ("us-east-1-bos-1a", "local-zone", "us-east-1-bos-1"),
        ("us-east-1-wl1-bos-wlz-1", "wavelength-zone", "us-east-1-wl1"),
    ],
}

NO_ASSUME = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."

# Why an instance ended.
USER = "Client.UserInitiatedShutdown"
REASONS = {
    "Server.SpotInstanceTermination": "Spot instance termination",
    "Client.InstanceInitiatedShutdown": "Instance initiated shutdown",
    USER: "User initiated shutdown",
    "Client.InternalError": "Client error on launch",
    "Client.VolumeLimitExceeded": "Volume limit exceeded",
    "Server.InternalError": "Internal error on launch",
}

QUOTAS = {
    "L-F678F1CE": "VPCs per Region",
    "L-1216C47A": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
    "L-34B43A08": "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
}


def backends(service: str) -> dict[str, Any]:
    """Moto's backends of a service, by region or "aws"."""
    of_accounts: dict[str, dict[str, Any]] = get_backend(service)  # type: ignore[call-overload]
    return of_accounts[ACCOUNT]


MANAGED_POLICIES = json.loads(aws_managed_policies_data)


def add_managed_policies(backend: Any) -> None:
    """AWS's own policies for moto's IAM: when they are asked for, since they cost more than a request."""
    if not backend.aws_managed_policies:
        policies = MANAGED_POLICIES.items()
        made = [AWSManagedPolicy.from_data(name, ACCOUNT, "aws", about) for name, about in policies]
        backend.aws_managed_policies = made
        backend.managed_policies.update({policy.arn: policy for policy in made})


def known_settings(given: dict[str, Any]) -> dict[str, Any]:
    """`given`; raises ValueError for a setting there is not."""
    unknown = sorted(set(given) - set(SETTINGS))
    if unknown:
        raise ValueError("there is no setting {}; known: {}".format(", ".join(unknown), ", ".join(sorted(SETTINGS))))
    return given


def spot_request(instance: Instance, options: dict[str, Any], tags: dict[str, str]) -> SpotInstanceRequest:
    """The spot request behind an instance that RunInstances started; moto's own one would start another instance."""
    request: Any = SpotInstanceRequest.__new__(SpotInstanceRequest)
    request.ec2_backend = instance.ec2_backend
    request.id = random_spot_request_id()
    request.instance = instance
    request.launch_specification = LaunchSpecification(
        None, None, instance.image_id, instance.key_name, instance.instance_type, instance.availability_zone,
        instance.monitored, instance.subnet_id or "",
    )  # fmt: skip
    request.launch_specification.groups = instance.security_groups
    request.price = options.get("MaxPrice", "")
    request.type = options.get("SpotInstanceType", "one-time")
    request.instance_interruption_behaviour = options.get("InstanceInterruptionBehavior", "terminate")
    request.valid_from = request.valid_until = request.launch_group = request.availability_zone_group = None
    request.spot_fleet_id = request.launch_spec = request.user_data = None
    move(request, "active", "fulfilled")
    request.add_tags(tags)
    spot: SpotInstanceRequest = request
    return spot


def move(request: SpotInstanceRequest, state: str, code: str) -> None:
    """Bring a spot request into another state, for the reason of that code."""
    request.state, request._status_code = state, code
    request.status_message = f"Your Spot request is {state}: {code}."


def spec_tags(params: dict[str, Any], kind: str) -> dict[str, str]:
    """The tags asked for resources of a kind in TagSpecifications."""
    specs = params.get("TagSpecifications") or []
    return {tag["Key"]: tag.get("Value", "") for spec in specs if spec["ResourceType"] == kind for tag in spec["Tags"]}


def tag_of(thing: dict[str, Any], key: str) -> str | None:
    """The value of a tag of what is described, None where it has none of that key."""
    return next((tag["Value"] for tag in thing["Tags"] if tag["Key"] == key), None)


def merge_tags(*lists: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """TagSpecifications as one, the later ones winning key by key."""
    tags: dict[str, dict[str, str]] = {}
    for spec in (spec for specs in lists for spec in specs):
        if spec["ResourceType"] != "launch-template":
            tags.setdefault(spec["ResourceType"], {}).update({tag["Key"]: tag["Value"] for tag in spec["Tags"]})
    return [
        {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in of.items()]}
        for kind, of in tags.items()
    ]


def plain(value: Any) -> Any:
    """What moto keeps of a template as a caller wrote it."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if isinstance(value, (str, int, float)) and type(value) in (str, int, float, bool) else str(value)


class Account:
    """The account: moto, and the answers that moto lacks or that it does not give as AWS does.

    An answer takes a call and gives what is rendered as its result, or an Answer as it is; it raises ApiError.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.start = {**SETTINGS, **known_settings(settings)}
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.forget()

    def forget(self) -> None:
        """An empty account."""
        services: Any = BackendDict
        for made in services._instances:
            for account in made.values():
                if made.service_name == "s3":  # moto keeps the names of buckets elsewhere too
                    account.reset()
            made.clear()  # what is needed is made again; moto's own reset makes everything, and most of it in vain
        services._instances.clear()
        reset_model_data()
        self.settings = copy.deepcopy(self.start)
        self.launched = 0
        self.order: dict[str, int] = {}
        self.countdown: dict[str, int] = {}
        self.tokens: dict[tuple[str, ...], tuple[dict[str, Any], Answer]] = {}
        self.versions_gone: dict[str, set[int]] = {}
        # When it was launched, and after how many minutes its user data shuts it down, by instance.
        self.limits: dict[str, tuple[float, int]] = {}
        # What describes it, by region and name.
        self.placement: dict[tuple[str, str], dict[str, Any]] = {}
        # When it was made, by region and name.
        self.schedules_made: dict[tuple[str, str], float] = {}

    def answer(self, call: Call) -> Answer:
        """What AWS would answer."""
        if self.settings["minute"]:
            self.pass_time(self.settings["minute"])
        token = call.params.get("ClientToken")
        key = (call.service, call.action, call.region, str(token))
        params, answer = self.tokens.get(key, (None, None)) if token else (None, None)
        if answer and params == call.params:
            return answer
        try:
            if call.operation is None:
                raise NotImplementedError(f"There is no action {call.action} of {call.service}")
            if answer and call.service == "ec2":
                message = "The request uses the same client token as a previous, but non-identical request."
                raise ApiError("IdempotentParameterMismatch", message)
            if call.region not in INSTANCE_TYPE_OFFERINGS["region"]:
                code = {"ec2": "AuthFailure", "query": "InvalidClientTokenId"}.get(call.protocol)
                message = "AWS was not able to validate the provided access credentials"
                raise ApiError(code or "UnrecognizedClientException", message)
            if call.service == "iam":
                add_managed_policies(backends("iam")["aws"])
            self.refuse_untagging(call)
            own = self.ANSWERS.get((call.service, call.action))
            result = own(self, call) if own else self.forward(call)
        except ServiceException as error:
            result = error
        except NotImplementedError as error:
            result = ApiError("UnknownToTheTestServer", f"{error}; see tests/support/aws/account.py", 400)
        except Exception as error:
            result = mistake(error)
        try:
            answer = result if isinstance(result, Answer) else render(call, result)
        except Exception as error:
            answer = render(call, mistake(error))
        if token and answer.status < 300:
            self.tokens[key] = (call.params, answer)
        return answer

    def forward(self, call: Call, changed: bool = False) -> Answer:
        """What moto answers; `changed` says that the parameters are not those of the request any more."""
        environ = write_call(call) if changed else dict(call.environ)
        body, status, headers = run_wsgi_app(self.moto, environ, buffered=True)
        return Answer(int(status.split()[0]), list(headers), b"".join(body))

    def ec2(self, region: str) -> Any:
        """Moto's EC2 of a region, with its images of Amazon Linux and those it lacks."""
        backend = backends("ec2")[region]
        if not backend.amis:
            with contextlib.suppress(FileNotFoundError):
                for about in load_resource(f"ec2/resources/latest_amis/{region}.json"):
                    backend.amis[about["ami_id"]] = Ami(backend, **{**about, "owner_alias": "amazon"})
            for name, words, title, owner, device in IMAGES:
                for word, architecture in words.items():
                    made = public_image(backend, name.format(word), title.format(word), owner, device, architecture)
                    backend.amis[made.id] = made
        return backend

    # ---- an organisation that tags by itself ----

    def refuse_untagging(self, call: Call) -> None:
        """Raise ApiError for whoever takes tags away where an organisation puts its own on everything."""
        if self.settings["organisation_tags"] and (call.action == "DeleteTags" or call.action.startswith("Untag")):
            code = "UnauthorizedOperation" if call.service == "ec2" else "AccessDenied"
            message = f"is not authorized to perform: {call.service}:{call.action} with an explicit deny in a service"
            raise ApiError(code, f"User: arn:aws:iam::{ACCOUNT}:user/testing {message} control policy")

    def tag_created(self, call: Call, created: list[tuple[str, str]]) -> None:
        """Put the organisation's tags on what a call has created; `created`: the members that name it, with values."""
        tags = self.settings["organisation_tags"]
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        if not tags:
            return
        if call.service == "ec2":
            backend = self.ec2(call.region)
            ids = [value for name, value in created if name.endswith("Id")]
            for instance in (instance for instance in backend.all_instances() if instance.id in ids):
                ids += [volume.volume_id for _device, volume in instance.get_block_device_mapping]
                ids += [nic.id for nic in instance.nics.values()]
            backend.create_tags(ids, tags)
            for template in (template for name, template in backend.launch_templates.items() if name in ids):
                template.tags = template.get_tags()  # moto describes it by a copy
        for name, value in created:
            if name == "RoleName":
                backends("iam")["aws"].tag_role(value, listed)
            elif name == "InstanceProfileName":
                backends("iam")["aws"].tag_instance_profile(value, listed)

    # ---- instances ----

    def full_params(self, call: Call) -> dict[str, Any]:
        """The parameters of a call, with the launch template of RunInstances applied; raises ApiError."""
        wanted = call.params.get("LaunchTemplate") if call.action == "RunInstances" else None
        if not wanted:
            return call.params
        version = self.template_version(call, wanted, str(wanted.get("Version", "$Default")))
        known = call.operation.input_shape.members if call.operation else {}
        params = {name: value for name, value in plain(version.data).items() if name in known and value not in ("", [])}
        given = {name: value for name, value in call.params.items() if name != "LaunchTemplate"}
        for name, key in (("BlockDeviceMappings", "DeviceName"), ("NetworkInterfaces", "DeviceIndex")):
            both = {str(item.get(key)): item for item in [*params.get(name, []), *given.pop(name, [])]}
            if both:
                params[name] = list(both.values())
        tags = merge_tags(params.get("TagSpecifications", []), given.pop("TagSpecifications", []))
        params.update(given)
        return {**params, "TagSpecifications": tags} if tags else params

    def template_version(self, call: Call, wanted: dict[str, Any], number: str) -> Any:
        """The version of a launch template that an id or a name and `number` or $Latest, $Default point at."""
        backend = self.ec2(call.region)
        name, template = wanted.get("LaunchTemplateName"), wanted.get("LaunchTemplateId")
        if not template and name not in backend.launch_template_name_to_ids:
            message = f"The specified launch template, with template name {name}, does not exist."
            raise ApiError("InvalidLaunchTemplateName.NotFoundException", message)
        template = template or backend.launch_template_name_to_ids[name]
        if template not in backend.launch_templates:
            message = f"The specified launch template, with template ID {template}, does not exist."
            raise ApiError("InvalidLaunchTemplateId.NotFound", message)
        found = backend.launch_templates[template]
        if number in ("$Latest", "$Default"):
            return found.latest_version() if number == "$Latest" else found.default_version()
        numbers = {str(version.number): version for version in found.versions}
        if number not in numbers or int(number) in self.versions_gone.get(template, set()):
            message = f"Could not find the specified version {number} for the launch template with ID {template}."
            raise ApiError("InvalidLaunchTemplateId.VersionNotFound", message)
        return numbers[number]

    def run_instances(self, call: Call) -> Any:
        """Start instances, as complete as AWS has them; raises ApiError where AWS would start none."""
        backend = self.ec2(call.region)
        params = self.full_params(call)
        nics = params.get("NetworkInterfaces", [])
        for name, word in (("SubnetId", "subnet ID"), ("SecurityGroupIds", "security groups")):
            if nics and params.get(name):
                message = f"Network interfaces and an instance-level {word} may not be specified on the same request"
                raise ApiError("InvalidParameterCombination", message)
        image = check_image(backend, params)
        check_names(backend, params)
        params = self.check_room(call, backend, params)
        params = {**params, "MinCount": params.get("MaxCount", 1)}  # moto starts no more than the least
        params["BlockDeviceMappings"] = with_root(params.get("BlockDeviceMappings", []), image.root_device_name)
        before = set(backend.reservations)
        answer = self.forward(call._replace(params=params), changed=True)
        if answer.status >= 300:
            return answer
        reservation = next(found for name, found in backend.reservations.items() if name not in before)
        wanted = call.params.get("LaunchTemplate")
        version = self.template_version(call, wanted, str(wanted.get("Version", "$Default"))) if wanted else None
        for instance in reservation.instances:
            self.complete(backend, instance, params, version)
        return reservation

    def check_room(self, call: Call, backend: Any, params: dict[str, Any]) -> dict[str, Any]:
        """The parameters with as many instances as there is room for.

        Raises ApiError where the zone does not offer the type or has less room than MinCount, and where price or quota
        forbid it.
        """
        kind, market = params["InstanceType"], params.get("InstanceMarketOptions", {})
        if self.settings["account_plan"] == "FREE" and not INSTANCE_TYPES[kind].get("FreeTierEligible"):
            message = (
                "The specified instance type is not eligible for Free Tier. For a list of Free Tier instance types, "
                "run 'describe-instance-types' with the filter 'free-tier-eligible=true'."
            )
            raise ApiError("InvalidParameterCombination", message)
        subnet, spot = subnet_of(params), market.get("MarketType") == "spot"
        zone = backend.get_subnet(subnet).availability_zone if subnet else None
        zone = zone or params.get("Placement", {}).get("AvailabilityZone")
        zones = zones_of(backend.region_name, kind)
        if not zones:
            message = "The requested configuration is currently not supported. Please check the documentation for"
            raise ApiError("Unsupported", message + " supported configurations.")
        if zone and zone not in zones:
            raise ApiError(
                "Unsupported",
                f"Your requested instance type ({kind}) is not supported in your requested Availability Zone ({zone}). "
                f"Please retry your request by not specifying an Availability Zone or choosing {', '.join(zones)}.",
            )
        limit, price = market.get("SpotOptions", {}).get("MaxPrice"), self.spot_price(kind, zone or zones[0])
        if spot and limit and price and float(limit) < price:
            raise ApiError(
                "SpotMaxPriceTooLow",
                f"Your Spot request price of {limit} is lower than the minimum required Spot request fulfillment price "
                f"of {price}.",
            )
        self.check_placement(call, params, zone)
        params = self.with_room(backend, params, zone, subnet)
        quota = self.settings["quotas"].get("L-34B43A08" if spot else "L-1216C47A", 0)
        used = sum(
            vcpus(instance.instance_type)
            for instance in backend.all_instances()
            if instance.state != "terminated" and (instance.lifecycle == "spot") == spot
        )
        if used + int(params.get("MaxCount", 1)) * vcpus(kind) <= quota:
            return params
        if spot:
            raise ApiError("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
        raise ApiError(
            "VcpuLimitExceeded",
            f"You have requested more vCPU capacity than your current vCPU limit of {quota:.0f} allows for the "
            "instance bucket that the specified instance type belongs to. Please visit "
            "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
        )

    def with_room(self, backend: Any, params: dict[str, Any], zone: str | None, subnet: str | None) -> dict[str, Any]:
        """The parameters with no more instances than zone and subnet have room for; raises ApiError below MinCount."""
        kind, least, most = params["InstanceType"], int(params.get("MinCount", 1)), int(params.get("MaxCount", 1))
        alive = [of for of in backend.all_instances() if of.state != "terminated" and of.placement.zone == zone]
        room = self.settings["room"].get(zone, most + len(alive)) - len(alive)
        if room < least:
            raise ApiError(
                "InsufficientInstanceCapacity",
                f"We currently do not have sufficient {kind} capacity in the Availability Zone you requested ({zone}). "
                "Our system will be working on provisioning additional capacity.",
            )
        free = backend.get_subnet(subnet).available_ip_address_count if subnet else most
        if free < least:
            raise ApiError("InsufficientFreeAddressesInSubnet", f"Not enough free addresses in subnet {subnet}")
        return {**params, "MaxCount": min(most, room, free)}

    def complete(self, backend: Any, instance: Any, params: dict[str, Any], version: Any) -> None:
        """What was asked for and moto left out."""
        instance.metadata_options = MetadataOptions(params.get("MetadataOptions", {}))
        instance.disable_api_termination = params.get("DisableApiTermination", False)
        if version:
            instance.add_tags(
                {"aws:ec2launchtemplate:id": version.template.id, "aws:ec2launchtemplate:version": str(version.number)}
            )
        profile = params.get("IamInstanceProfile", {})
        if profile and not instance.iam_instance_profile:
            name = profile.get("Name") or profile["Arn"].rpartition("/")[2]
            backend.associate_iam_instance_profile(instance.id, iam_instance_profile_name=name)
        by_index = {int(nic.get("DeviceIndex", 0)): nic for nic in params.get("NetworkInterfaces", [])}
        for index, nic in instance.nics.items():
            nic.delete_on_termination = by_index.get(index, {}).get("DeleteOnTermination", True)
            nic.add_tags(spec_tags(params, "network-interface"))
        instance.security_groups = instance.security_groups or list(instance.nics[0].group_set)
        asked = {item["DeviceName"]: item.get("Ebs", {}) for item in params["BlockDeviceMappings"]}
        for device, attached in instance.get_block_device_mapping:
            volume, ebs = backend.volumes[attached.volume_id], asked.get(device, {})
            volume.iops = ebs.get("Iops", volume.iops)
            volume.throughput = ebs.get("Throughput", 125 if volume.volume_type == "gp3" else None)
        if instance.lifecycle == "spot":
            options = {"MaxPrice": self.on_demand_price(instance.instance_type)}
            options.update(params["InstanceMarketOptions"].get("SpotOptions", {}))
            request = spot_request(instance, options, spec_tags(params, "spot-instances-request"))
            backend.spot_instance_requests[request.id] = request
            instance.spot_instance_request_id = request.id
        instance.placement.group_name = params.get("Placement", {}).get("GroupName", "")
        self.order[instance.id] = self.launched
        self.launched += 1
        if address := self.host(instance).get("address"):
            instance.nics[0].public_ip = address
        if minutes := limit_of(params.get("UserData", "")):
            self.limits[instance.id] = (time.time(), minutes)
        if self.settings["pending"] or self.settings["ends"]:
            self.countdown[instance.id] = self.settings["pending"]
            instance._state = InstanceState("pending", 0)

    def host(self, instance: Any) -> dict[str, str]:
        """What the setting `hosts` says of an instance, now."""
        hosts = dict(enumerate(self.settings["hosts"]))
        host: dict[str, str] = hosts.get(self.order.get(instance.id, -1), {})
        return host

    def tick(self, backend: Any, instances: list[str] | None) -> None:
        """Let the time of these instances, or of all, go on by one description."""
        for instance in backend.all_instances():
            left = self.countdown.get(instance.id)
            if left is None or (instances and instance.id not in instances):
                continue
            if left:
                self.countdown[instance.id] -= 1
                continue
            del self.countdown[instance.id]
            if instance.state == "pending" and self.settings["ends"]:
                code = self.settings["ends"]
                self.end(backend, instance, "instance-terminated-by-user", at_once=True)
                instance.state_reason = StateReason(f"{code}: {REASONS[code]}", code)
            elif instance.state == "pending":
                instance._state = InstanceState("running", 16)
            else:
                instance.terminate()

    def describe_instances(self, call: Call) -> Any:
        """What moto has, a step further in its life each time; the names of key pairs with * and ?, unlike in moto."""
        backend = backends("ec2")[call.region]
        self.tick(backend, call.params.get("InstanceIds"))
        filters = copy.deepcopy(call.params.get("Filters") or [])
        names = {instance.key_name for instance in backend.all_instances() if instance.key_name}
        for wanted in (one for one in filters if one["Name"] == "key-name"):
            patterns = wanted["Values"]
            matching = [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
            wanted["Values"] = matching or patterns
        if filters == (call.params.get("Filters") or []):
            return self.forward(call)
        return self.forward(call._replace(params={**call.params, "Filters": filters}), changed=True)

    def terminate_instances(self, call: Call) -> Any:
        """End the instances named, unless one is protected; raises ApiError."""
        backend = self.ec2(call.region)
        instances = backend.get_multi_instances_by_id(call.params.get("InstanceIds", []))
        refuse_dry_run(call)
        for instance in instances:
            if instance.disable_api_termination:
                message = f"The instance '{instance.id}' may not be terminated. Modify its 'disableApiTermination' "
                raise ApiError("OperationNotPermitted", message + "instance attribute and try again.")
        changes = []
        for instance in instances:
            previous = {"Code": instance.state_code, "Name": instance.state}
            self.end(backend, instance, "instance-terminated-by-user")
            now = previous if previous["Code"] == 48 else {"Code": 32, "Name": "shutting-down"}
            changes.append({"InstanceId": instance.id, "CurrentState": now, "PreviousState": previous})
        return {"TerminatingInstances": changes}

    def end(self, backend: Any, instance: Any, why: str, at_once: bool = False) -> None:
        """Shut an instance down and close its spot request."""
        if instance.state in ("terminated", "shutting-down") and not at_once:
            return
        request = backend.spot_instance_requests.get(getattr(instance, "spot_instance_request_id", None))
        if request and request.state != "closed":
            move(request, "cancelled" if request.state == "cancelled" else "closed", why)
        if self.settings["shutting_down"] and not at_once:
            self.countdown[instance.id] = self.settings["shutting_down"]
            instance._state = InstanceState("shutting-down", 32)
            instance.state_reason = StateReason(f"{USER}: {REASONS[USER]}", USER)
            return
        self.countdown.pop(instance.id, None)
        if instance.state != "terminated":
            instance.terminate()

    def take_away(self, wanted: str, reason: str | None = None, forgotten: bool = False) -> list[str]:
        """AWS ends this instance, or all of them, for a reason of REASONS: the ids. Raises ValueError.

        `forgotten`: so long ago that EC2 does not know it any more.
        """
        if reason and reason not in REASONS:
            raise ValueError("there is no reason {}; known: {}".format(reason, ", ".join(REASONS)))
        taken = []
        for region, backend in backends("ec2").items():
            for instance in backend.all_instances() if region else []:
                if wanted in ("all", instance.id) and instance.state != "terminated":
                    code = reason or ("Server.SpotInstanceTermination" if instance.lifecycle == "spot" else USER)
                    reclaimed = code.startswith("Server.")
                    why = "instance-terminated-no-capacity" if reclaimed else "instance-terminated-by-user"
                    self.end(backend, instance, why, at_once=True)
                    instance.state_reason = StateReason(f"{code}: {REASONS[code]}", code)
                    taken.append(instance.id)
                    if forgotten:
                        for reservation in backend.reservations.values():
                            reservation.instances = [one for one in reservation.instances if one.id != instance.id]
        return taken

    def expire(self) -> list[dict[str, Any]]:
        """The time of every schedule comes: its name, the instances that it ended and the error that it met.

        EventBridge Scheduler takes the role of the schedule for that, and deletes the schedule afterwards.
        """
        done = []
        for region, backend in backends("scheduler").items():
            for group in backend.schedule_groups.values():
                for schedule in list(group.schedules.values()):
                    done.append(self.carry_out(region, schedule))
                    if schedule.action_after_completion == "DELETE":
                        group.delete_schedule(schedule.name)
        return done

    def carry_out(self, region: str, schedule: Any) -> dict[str, Any]:
        """What the service does for a schedule that terminates instances; raises ValueError for another one."""
        if not schedule.target["Arn"].endswith(":aws-sdk:ec2:terminateInstances"):
            raise ValueError(f"the schedule {schedule.name} does something that this server cannot do")
        role = schedule.target["RoleArn"].rpartition("/")[2]
        ended: list[str] = []
        error = None
        try:
            if role not in {role.name for role in backends("iam")["aws"].roles.values()}:
                raise ApiError("ValidationException", NO_ASSUME)
            ids = json.loads(schedule.target["Input"])["InstanceIds"]
            changes = self.terminate_instances(
                Call("ec2", "TerminateInstances", region, {"InstanceIds": ids}, None, "ec2", {})
            )
            ended = [change["InstanceId"] for change in changes["TerminatingInstances"]]
        except ServiceException as problem:
            error = problem.code
        return {"name": schedule.name, "ended": ended, "error": error}

    def pass_time(self, minute: float) -> None:
        """End what is to end: by the shutdown of its user data, or by a schedule; a minute takes `minute` seconds."""
        now = time.time()
        for name, (launched, minutes) in list(self.limits.items()):
            if now >= launched + minutes * minute:
                del self.limits[name]
                self.take_away(name, "Client.InstanceInitiatedShutdown")
        for (region, name), made in list(self.schedules_made.items()):
            group = backends("scheduler")[region].schedule_groups["default"]
            schedule = group.schedules.get(name)
            if schedule is None:
                del self.schedules_made[region, name]
                continue
            at = datetime.strptime(schedule.schedule_expression, "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)
            if now >= made + (at.timestamp() - made) / 60 * minute:
                self.carry_out(region, schedule)
                group.delete_schedule(name)

    def shutdown_of(self, address: str, cancel: bool = False) -> int | None:
        """When the instance with this address shuts itself down, microseconds since 1970, None where it does not.

        `cancel`: as `shutdown -c` does on it. Raises ValueError for an address that none has.
        """
        hosts = dict(enumerate(self.settings["hosts"]))
        names = [name for name, at in self.order.items() if hosts.get(at, {}).get("address") == address]
        if not names:
            raise ValueError(f"no instance has the address {address}")
        if cancel:
            self.limits.pop(names[-1], None)
        launched, minutes = self.limits.get(names[-1], (0.0, 0))
        return int((launched + minutes * 60) * 1e6) if minutes else None

    def console_output(self, call: Call) -> Any:
        """The console of an instance, with the keys that it has shown."""
        instance = self.ec2(call.region).get_multi_instances_by_id([call.params["InstanceId"]])[0]
        text = self.host(instance).get("console", "")
        output = base64.b64encode(text.encode()).decode()
        return {"InstanceId": instance.id, "Timestamp": datetime.now(UTC), "Output": output}

    def instance_information(self, call: Call) -> Any:
        """The instances that have registered with Systems Manager, by the setting `agent`."""
        filters = {item["Key"]: item["Values"] for item in call.params.get("Filters", [])}
        listed = []
        for instance in self.ec2(call.region).all_instances():
            restarted = "restart" in (instance.user_data.decode() if instance.user_data else "")
            registered = {"there": True, "asleep": restarted, "missing": False}[self.settings["agent"]]
            if instance.state == "running" and instance.id in filters.get("InstanceIds", [instance.id]) and registered:
                listed.append({"InstanceId": instance.id, "PingStatus": "Online", "AgentVersion": "3.3.0.0"})
        return {"InstanceInformationList": listed}

    def spot_requests(self, call: Call) -> list[Any]:
        """The spot requests that a call names; raises ApiError."""
        known = self.ec2(call.region).spot_instance_requests
        for name in call.params.get("SpotInstanceRequestIds", []):
            if name not in known:
                message = f"The spot instance request ID '{name}' does not exist"
                raise ApiError("InvalidSpotInstanceRequestID.NotFound", message)
        return [known[name] for name in call.params.get("SpotInstanceRequestIds", [])]

    def describe_spot_requests(self, call: Call) -> Any:
        """What moto has; raises ApiError for one that there is not."""
        self.spot_requests(call)
        return self.forward(call)

    def cancel_spot_requests(self, call: Call) -> Any:
        """Cancel requests, whose instances go on."""
        requests = self.spot_requests(call)
        refuse_dry_run(call)
        for request in requests:
            if request.state in ("open", "active"):
                alive = request.instance.state not in ("terminated", "shutting-down")
                why = "request-canceled-and-instance-running" if alive else "canceled-before-fulfillment"
                move(request, "cancelled", why)
        cancelled = [{"SpotInstanceRequestId": request.id, "State": request.state} for request in requests]
        return {"CancelledSpotInstanceRequests": cancelled}

    @contextlib.contextmanager
    def untagged(self, region: str, names: list[str]) -> Iterator[None]:
        """As long as it lasts, EC2's index of tags does not know what has these ids."""
        tags = backends("ec2")[region].tags if names else {}
        kept = {name: tags.pop(name) for name in names if name in tags}
        try:
            yield
        finally:
            tags.update(kept)

    # ---- placement groups, which moto lacks ----

    def create_placement_group(self, call: Call) -> Any:
        """Make a group without instances; raises ApiError for a name that is taken."""
        name, tags = call.params["GroupName"], spec_tags(call.params, "placement-group")
        if (call.region, name) in self.placement:
            raise ApiError("InvalidPlacementGroup.Duplicate", f"The Placement Group '{name}' already exists.")
        refuse_dry_run(call)
        made = {
            "GroupName": name,
            "GroupId": "pg-" + hashlib.sha256(f"{call.region} {name}".encode()).hexdigest()[:17],
            "GroupArn": f"arn:aws:ec2:{call.region}:{ACCOUNT}:placement-group/{name}",
            "Strategy": call.params.get("Strategy", "cluster"),
            "State": "available",
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }
        self.placement[call.region, name] = made
        return {"PlacementGroup": made}

    def describe_placement_groups(self, call: Call) -> Any:
        """Those of a region, by their names, strategies and tags; raises ApiError for a name that nobody has."""
        for name in call.params.get("GroupNames") or []:
            self.placement_group(call, name)
        found = [group for (region, _name), group in self.placement.items() if region == call.region]
        if call.params.get("GroupNames"):
            found = [group for group in found if group["GroupName"] in call.params["GroupNames"]]
        members = {"group-name": "GroupName", "strategy": "Strategy", "state": "State"}
        for wanted in call.params.get("Filters") or []:
            key, values = wanted["Name"], wanted["Values"]
            found = [
                group
                for group in found
                if (group[members[key]] if key in members else tag_of(group, key.partition(":")[2])) in values
            ]
        return {"PlacementGroups": found}

    def delete_placement_group(self, call: Call) -> Any:
        """Delete a group without instances; raises ApiError."""
        name = call.params["GroupName"]
        self.placement_group(call, name)
        if self.instances_in(call.region, name):
            message = f"The placement group '{name}' is in use and may not be deleted."
            raise ApiError("InvalidPlacementGroup.InUse", message)
        refuse_dry_run(call)
        del self.placement[call.region, name]
        return {}

    def placement_group(self, call: Call, name: str) -> dict[str, Any]:
        """The group of a name; raises ApiError where there is none."""
        if (call.region, name) not in self.placement:
            raise ApiError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
        return self.placement[call.region, name]

    def instances_in(self, region: str, name: str) -> list[Any]:
        """The instances in a group that have not ended."""
        alive = (of for of in self.ec2(region).all_instances() if of.state != "terminated")
        return [of for of in alive if of.placement.group_name == name]

    def check_placement(self, call: Call, params: dict[str, Any], zone: str | None) -> None:
        """Raise ApiError for a group that is not there, or cannot have such an instance in that zone."""
        name = params.get("Placement", {}).get("GroupName")
        if not name:
            return
        strategy, kind = self.placement_group(call, name)["Strategy"], params["InstanceType"]
        if strategy not in INSTANCE_TYPES[kind]["PlacementGroupInfo"]["SupportedStrategies"]:
            message = f"{strategy.capitalize()} placement groups are not supported by the '{kind}' instance type."
            raise ApiError("InvalidParameterCombination", f"{message} Specify a supported instance type and try again.")
        if strategy == "cluster":
            zones = {of.placement.zone for of in self.instances_in(call.region, name)}
            if zones - {zone}:
                raise ApiError(
                    "InvalidParameterValue",
                    f"The placement group '{name}' has instances in {', '.join(sorted(zones))}: none can be in {zone}",
                )

    # ---- launch templates ----

    def create_template(self, call: Call) -> Any:
        """A launch template without the tags that moto adds to those of what it launches."""
        answer = self.forward(call)
        for template in self.ec2(call.region).launch_templates.values():
            for version in template.versions:  # moto adds the template's own tags to those of what it launches
                specs = version.data.get("TagSpecifications")
                if specs is not None:
                    version.data["TagSpecifications"] = merge_tags(specs)
        return answer

    def describe_templates(self, call: Call) -> Any:
        """All of them: moto ends its first page after 15 and has no second one."""
        return self.forward(call._replace(params={**call.params, "MaxResults": 10000}), changed=True)

    def delete_template_versions(self, call: Call) -> Any:
        """Delete versions but the default one, with what failed beside what was done."""
        refuse_dry_run(call)
        done, failed = [], []
        for number in call.params.get("Versions", []):
            version = self.template_version(call, call.params, "$Default")
            template = version.template
            about = {
                "LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "VersionNumber": int(number),
            }  # fmt: skip
            if str(template.default_version_number) == str(number):
                words = f"The specified version {number} is the default version and cannot be deleted."
                failed.append({**about, "ResponseError": {"Code": "operationNotPermitted", "Message": words}})
                continue
            try:
                self.template_version(call, call.params, str(number))
            except ApiError as error:
                problem = {"Code": "launchTemplateVersionDoesNotExist", "Message": error.message}
                failed.append({**about, "ResponseError": problem})
                continue
            self.versions_gone.setdefault(template.id, set()).add(int(number))
            done.append(about)
        return {
            "SuccessfullyDeletedLaunchTemplateVersions": done, "UnsuccessfullyDeletedLaunchTemplateVersions": failed,
        }  # fmt: skip

    def delete_template(self, call: Call) -> Any:
        """Delete a launch template; raises ApiError for one that there is not."""
        self.template_version(call, call.params, "$Default")
        return self.forward(call)

    # ---- what depends on what ----

    def delete_security_group(self, call: Call) -> Any:
        """Delete a group that no interface has and no other group names."""
        backend = self.ec2(call.region)
        group = call.params.get("GroupId")
        used = any(group in [of.id for of in nic.group_set] for nic in backend.enis.values())
        for other in (other for groups in backend.groups.values() for other in groups.values()):
            rules = [*other.ingress_rules, *other.egress_rules]
            named = {(rule.source_group or {}).get("GroupId") for rule in rules}
            used |= other.id != group and group in named
        return self.unless(call, used, f"resource {group} has a dependent object")

    def delete_subnet(self, call: Call) -> Any:
        """Delete a subnet without interfaces, and its associations with it."""
        backend, subnet = self.ec2(call.region), call.params["SubnetId"]
        used = any(nic.subnet.id == subnet for nic in backend.enis.values())
        answer = self.unless(call, used, f"The subnet '{subnet}' has dependencies and cannot be deleted.")
        if answer.status < 300:
            for table in backend.route_tables.values():
                table._associations = {key: of for key, of in table._associations.items() if of != subnet}
        return answer

    def detach_internet_gateway(self, call: Call) -> Any:
        """Detach a gateway of a VPC without public addresses."""
        vpc = call.params["VpcId"]
        mapped = any(nic.public_ip and nic.subnet.vpc_id == vpc for nic in self.ec2(call.region).enis.values())
        words = "Please unmap those public address(es) before detaching the gateway."
        return self.unless(call, mapped, f"Network {vpc} has some mapped public address(es). {words}")

    def delete_network_interface(self, call: Call) -> Any:
        """Delete an interface that no instance has."""
        nic = self.ec2(call.region).enis.get(call.params["NetworkInterfaceId"])
        if nic and nic.instance:
            raise ApiError("InvalidParameterValue", f"Network interface '{nic.id}' is currently in use.")
        return self.forward(call)

    def delete_route_table(self, call: Call) -> Any:
        """Delete a route table that is not the main one of its VPC."""
        table = self.ec2(call.region).route_tables.get(call.params["RouteTableId"])
        words = f"The routeTable '{call.params['RouteTableId']}' has dependencies and cannot be deleted."
        return self.unless(call, bool(table and table.main_association_id), words)

    def delete_vpc(self, call: Call) -> Any:
        """Delete a VPC without endpoints, gateways and groups."""
        backend, vpc = self.ec2(call.region), call.params["VpcId"]
        used = any(of.vpc_id == vpc and of.state != "deleted" for of in backend.vpc_end_points.values())
        used |= any(gateway.vpc and gateway.vpc.id == vpc for gateway in backend.internet_gateways.values())
        used |= any(group.name != "default" for group in backend.groups.get(vpc, {}).values())
        return self.unless(call, used, f"The vpc '{vpc}' has dependencies and cannot be deleted.")

    def unless(self, call: Call, used: bool, message: str) -> Answer:
        """Do what is asked, unless something is in the way; what is shutting down goes on doing so."""
        if used:
            self.tick(self.ec2(call.region), None)
            raise ApiError("DependencyViolation", message)
        return self.forward(call)

    # ---- what is known about regions, zones, images, prices and quotas ----

    def describe_regions(self, call: Call) -> Any:
        """The regions that the account has switched on, unless others are asked for."""
        if call.params.get("AllRegions") or call.params.get("RegionNames"):
            return self.forward(call)
        return {
            "Regions": [
                {"RegionName": name, "Endpoint": f"ec2.{name}.amazonaws.com", "OptInStatus": "opt-in-not-required"}
                for name in self.settings["regions"]
            ]
        }

    def availability_zones(self, call: Call) -> Any:
        """Those of moto, with type and status, and MORE_ZONES, of which all are told where all are asked for."""
        filters = {item["Name"]: item.get("Values", []) for item in call.params.get("Filters", [])}
        zones = [
            {"ZoneName": zone.name, "ZoneId": zone.zone_id, "RegionName": call.region, "State": "available",
             "ZoneType": "availability-zone", "OptInStatus": "opt-in-not-required", "GroupName": f"{call.region}-zg-1"}
            for zone in self.ec2(call.region).zones.get(call.region, [])
        ]  # fmt: skip
        for name, kind, group in MORE_ZONES.get(call.region, []):
            status = "opted-in" if group in self.settings["opted_in"] else "not-opted-in"
            if status == "opted-in" or call.params.get("AllAvailabilityZones"):
                zones.append(
                    {"ZoneName": name, "ZoneId": name, "RegionName": call.region, "State": "available",
                     "ZoneType": kind, "OptInStatus": status, "GroupName": group}
                )  # fmt: skip
        members = {"zone-name": "ZoneName", "zone-type": "ZoneType", "opt-in-status": "OptInStatus"}
        wanted = {members[name]: values for name, values in filters.items()}
        if call.params.get("ZoneNames"):
            wanted["ZoneName"] = call.params["ZoneNames"]
        return {
            "AvailabilityZones": [
                zone for zone in zones if all(zone[member] in values for member, values in wanted.items())
            ]
        }

    def type_offerings(self, call: Call) -> Any:
        """Those of moto, and by zone also those of MORE_ZONES."""
        offered = parse_answer(call, self.forward(call)).get("InstanceTypeOfferings", [])
        if call.params.get("LocationType") == "availability-zone":
            kinds = sorted({offer["InstanceType"] for offer in offered})
            offered += [
                {"InstanceType": kind, "LocationType": "availability-zone", "Location": name}
                for name, _type, _group in MORE_ZONES.get(call.region, [])
                for kind in kinds
            ]
        return {"InstanceTypeOfferings": offered}

    def with_images(self, call: Call) -> Any:
        """What moto has, once the images of this account are there."""
        self.ec2(call.region)
        return self.forward(call)

    def get_parameters(self, call: Call) -> Any:
        """Parameters of Systems Manager: the ids of images, and what moto has."""
        names = call.params["Names"]
        own = [found for name in names if (found := image_parameter(name, call.region))]
        parsed = parse_answer(call, self.forward(call))
        known = {parameter["Name"] for parameter in own}
        wrong = [name for name in parsed.get("InvalidParameters", []) if name not in known]
        return {"Parameters": [*own, *parsed.get("Parameters", [])], "InvalidParameters": wrong}

    def get_parameter(self, call: Call) -> Any:
        """One parameter of Systems Manager."""
        found = image_parameter(call.params["Name"], call.region)
        return {"Parameter": found} if found else self.forward(call)

    def on_demand_price(self, kind: str) -> str:
        """USD per hour as a spot request has it whose caller gave none, or an empty text."""
        rows = (row for row in self.settings["prices"] if row.get("instanceType") == kind)
        return "{:.6f}".format(row["usd"]) if (row := next(rows, None)) else ""

    def spot_price(self, kind: str, zone: str) -> float | None:
        """USD per hour, if it is known."""
        price = self.settings["spot_prices"].get(kind, self.settings["spot_prices"].get("*"))
        return price.get(zone) if isinstance(price, dict) else price

    def spot_price_history(self, call: Call) -> Any:
        """The spot prices of the settings, as of now."""
        kinds = call.params.get("InstanceTypes") or [kind for kind in self.settings["spot_prices"] if kind != "*"]
        filters = {item["Name"]: item.get("Values", []) for item in call.params.get("Filters", [])}
        kinds = [kind for kind in kinds if fnmatch.fnmatch(kind, (filters.get("instance-type") or ["*"])[0])]
        wanted = {call.params.get("AvailabilityZone")} - {None} or set(filters.get("availability-zone", []))
        history = [
            {
                "AvailabilityZone": zone,
                "InstanceType": kind,
                "ProductDescription": "Linux/UNIX",
                "SpotPrice": f"{self.spot_price(kind, zone):.6f}",
                "Timestamp": datetime.now(UTC).replace(microsecond=0),
            }
            for kind in kinds
            for zone in zones_of(call.region, kind)
            if (not wanted or zone in wanted) and self.spot_price(kind, zone) is not None
        ]
        return {"SpotPriceHistory": history}

    def get_products(self, call: Call) -> Any:
        """The on-demand prices of the settings, as the price list has them, at most 100 a page."""
        filters = call.params.get("Filters", [])
        region = next((item["Value"] for item in filters if item["Field"] == "regionCode"), "us-east-1")
        found = []
        for row in self.settings["prices"] if call.params.get("ServiceCode") == "AmazonEC2" else []:
            attributes, product = price_list_entry(row, region)
            if all(attributes.get(item["Field"]) == item["Value"] for item in filters):
                found.append(json.dumps(product))
        start = int(call.params.get("NextToken") or 0)
        end = start + min(call.params.get("MaxResults") or 100, 100)
        more = {"NextToken": str(end)} if end < len(found) else {}
        return {"FormatVersion": "aws_v1", "PriceList": found[start:end], **more}

    def create_schedule(self, call: Call) -> Any:
        """Make a schedule; raises ApiError where its role is not there."""
        role = call.params["Target"]["RoleArn"].rpartition("/")[2]
        if role not in {role.name for role in backends("iam")["aws"].roles.values()}:
            raise ApiError("ValidationException", NO_ASSUME)
        answer = self.forward(call)
        if answer.status < 300:
            self.schedules_made.setdefault((call.region, call.params["Name"]), time.time())
        return answer

    # ---- who may what ----

    def simulate_policy(self, call: Call) -> Any:
        """IAM's simulator, as far as the evaluator of tools/iam_policy.py goes."""
        evaluator = policy_evaluator()
        context = {
            entry["ContextKeyName"]: entry["ContextKeyValues"][0] for entry in call.params.get("ContextEntries", [])
        }
        policies = [
            json.loads(re.sub(r"\$\{([A-Za-z:]+)\}", lambda match: context.get(match.group(1), ""), text))
            for text in call.params["PolicyInputList"]
        ]
        results = []
        for action in call.params["ActionNames"]:
            for resource in call.params.get("ResourceArns", ["*"]):
                demand = evaluator.Demand(action, resource, tuple(sorted(context.items())))
                allowed = any(evaluator.allowed(policy, demand) for policy in policies)
                decision = "allowed" if allowed else "implicitDeny"
                results.append({"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": decision})
        return {"EvaluationResults": results, "IsTruncated": False}

    def assume_role(self, call: Call) -> Any:
        """A session of a role that is there; raises ApiError."""
        arn = call.params["RoleArn"]
        if arn not in {role.arn for role in backends("iam")["aws"].roles.values()}:
            words = f"User: arn:aws:iam::{ACCOUNT}:user/moto is not authorized to perform: sts:AssumeRole on resource: "
            raise ApiError("AccessDenied", words + arn)
        return self.forward(call)

    def get_service_quota(self, call: Call) -> Any:
        """The quotas of the settings; raises ApiError for one that is not among them."""
        code, service = str(call.params.get("QuotaCode")), str(call.params.get("ServiceCode"))
        values = {"ec2": self.settings["quotas"], "vpc": {"L-F678F1CE": self.settings["vpcs"]}}.get(service, {})
        if code not in values:
            raise ApiError("NoSuchResourceException", "The request failed because the specified quota does not exist.")
        names = {"ec2": "Amazon Elastic Compute Cloud (Amazon EC2)", "vpc": "Amazon Virtual Private Cloud (Amazon VPC)"}
        return {
            "Quota": {
                "ServiceCode": service,
                "ServiceName": names[service],
                "QuotaArn": f"arn:aws:servicequotas:{call.region}:{ACCOUNT}:{service}/{code}",
                "QuotaCode": code,
                "QuotaName": QUOTAS.get(code, code),
                "Value": float(values[code]),
                "Unit": "None",
                "Adjustable": True,
                "GlobalQuota": False,
            }
        }

    def account_plan(self, call: Call) -> Any:
        """The plan of the settings; raises ApiError for an account that has none."""
        plan = self.settings["account_plan"]
        if plan is None:
            raise ApiError("ResourceNotFoundException", "There is no account plan for this account.")
        return {"accountId": ACCOUNT, "accountPlanType": plan, "accountPlanStatus": "ACTIVE"}

    def create_role(self, call: Call) -> Any:
        """Make a role; raises ApiError for a permissions boundary that is not there."""
        boundary = call.params.get("PermissionsBoundary")
        there = {*backends("iam")["aws"].managed_policies, *self.settings["policies"]}
        if boundary and boundary not in there:
            raise ApiError("NoSuchEntity", f"Scope ARN: {boundary} does not exist or is not attachable.")
        return self.forward(call)

    def create_vpc(self, call: Call) -> Any:
        """Make a VPC; raises ApiError where the region may have no more."""
        if len(self.ec2(call.region).vpcs) >= self.settings["vpcs"]:
            raise ApiError("VpcLimitExceeded", "The maximum number of VPCs has been reached.")
        return self.forward(call)

    ANSWERS: ClassVar[dict[tuple[str, str], Any]] = {
        ("ec2", "CancelSpotInstanceRequests"): cancel_spot_requests,
        ("ec2", "CreateLaunchTemplate"): create_template,
        ("ec2", "CreatePlacementGroup"): create_placement_group,
        ("ec2", "CreateVpc"): create_vpc,
        ("ec2", "DeleteLaunchTemplate"): delete_template,
        ("ec2", "DeleteLaunchTemplateVersions"): delete_template_versions,
        ("ec2", "DeleteNetworkInterface"): delete_network_interface,
        ("ec2", "DeletePlacementGroup"): delete_placement_group,
        ("ec2", "DeleteRouteTable"): delete_route_table,
        ("ec2", "DeleteSecurityGroup"): delete_security_group,
        ("ec2", "DeleteSubnet"): delete_subnet,
        ("ec2", "DeleteVpc"): delete_vpc,
        ("ec2", "DescribeAvailabilityZones"): availability_zones,
        ("ec2", "DescribeImages"): with_images,
        ("ec2", "DescribeInstances"): describe_instances,
        ("ec2", "DescribeInstanceStatus"): describe_instances,
        ("ec2", "DescribeInstanceTypeOfferings"): type_offerings,
        ("ec2", "DescribeLaunchTemplates"): describe_templates,
        ("ec2", "DescribeLaunchTemplateVersions"): describe_templates,
        ("ec2", "DescribePlacementGroups"): describe_placement_groups,
        ("ec2", "DescribeRegions"): describe_regions,
        ("ec2", "DescribeSpotInstanceRequests"): describe_spot_requests,
        ("ec2", "DescribeSpotPriceHistory"): spot_price_history,
        ("ec2", "DetachInternetGateway"): detach_internet_gateway,
        ("ec2", "GetConsoleOutput"): console_output,
        ("ec2", "RunInstances"): run_instances,
        ("ec2", "TerminateInstances"): terminate_instances,
        ("freetier", "GetAccountPlanState"): account_plan,
        ("iam", "CreateRole"): create_role,
        ("iam", "SimulateCustomPolicy"): simulate_policy,
        ("pricing", "GetProducts"): get_products,
        ("scheduler", "CreateSchedule"): create_schedule,
        ("scheduler", "UpdateSchedule"): create_schedule,
        ("service-quotas", "GetServiceQuota"): get_service_quota,
        ("ssm", "DescribeInstanceInformation"): instance_information,
        ("ssm", "GetParameter"): get_parameter,
        ("ssm", "GetParameters"): get_parameters,
        ("sts", "AssumeRole"): assume_role,
    }

    # ---- what is left ----

    def leftovers(self) -> list[dict[str, str]]:
        """What exists in the account and is not AWS's own: service, kind, id, region and name, sorted."""
        found: list[tuple[str, str, str, str, str]] = []
        for region, backend in backends("ec2").items():
            found.extend(("ec2", kind, name, region, tag) for kind, name, tag in ec2_leftovers(backend))
        for (region, _name), group in self.placement.items():
            found.append(("ec2", "placement-group", group["GroupId"], region, group["GroupName"]))
        for region, backend in backends("iam").items():
            found.extend(("iam", "role", role.name, region, role.path) for role in backend.roles.values())
            profiles = backend.instance_profiles.values()
            found.extend(("iam", "instance-profile", profile.name, region, profile.path) for profile in profiles)
            policies = backend.managed_policies.values()
            found.extend(("iam", "policy", of.name, region, of.path) for of in policies if f":{ACCOUNT}:" in of.arn)
        for region, backend in backends("scheduler").items():
            for group in backend.schedule_groups.values():
                found.extend(("scheduler", "schedule", name, region, group.name) for name in group.schedules)
                if group.name != "default":
                    found.append(("scheduler", "schedule-group", group.name, region, ""))
        for region, backend in backends("budgets").items():
            found.extend(("budgets", "budget", name, region, "") for name in backend.budgets.get(ACCOUNT, {}))
        for region, backend in backends("s3").items():
            found.extend(("s3", "bucket", name, region, "") for name in backend.buckets)
        return [dict(zip(("service", "kind", "id", "region", "name"), row, strict=True)) for row in sorted(found)]


def ec2_leftovers(backend: Any) -> Iterator[tuple[str, str, str]]:
    """Kind, id and name of what is left in a region's EC2."""
    vpcs = {vpc.id for vpc in backend.vpcs.values() if not vpc.is_default}
    subnets = [subnet for zone in backend.subnets.values() for subnet in zone.values()]
    groups = [group for of in backend.groups.values() for group in of.values()]
    kinds = {
        "instance": [instance for instance in backend.all_instances() if instance.state != "terminated"],
        "spot-request": [of for of in backend.spot_instance_requests.values() if of.state in ("open", "active")],
        "volume": backend.volumes.values(),
        "network-interface": backend.enis.values(),
        "launch-template": backend.launch_templates.values(),
        "security-group": [group for group in groups if group.name != "default"],
        "route-table": [table for table in backend.route_tables.values() if not table.main_association_id],
        "internet-gateway": backend.internet_gateways.values(),
        "subnet": [subnet for subnet in subnets if subnet.vpc_id in vpcs or not subnet.default_for_az],
        "vpc-endpoint": [of for of in backend.vpc_end_points.values() if of.state != "deleted"],
        "vpc": [vpc for vpc in backend.vpcs.values() if not vpc.is_default],
    }
    for kind, things in kinds.items():
        for thing in things:
            yield kind, thing.id, next((tag["value"] for tag in thing.get_tags() if tag["key"] == "Name"), "")
    for key in backend.key_pairs.values():
        yield "key-pair", key.id, key.key_name
    for address in backend.addresses:
        yield "elastic-ip", address.allocation_id, address.public_ip


def zones_of(region: str, kind: str) -> list[str]:
    """The zones of a region that offer a type."""
    offers = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, [])
    return sorted(offer["Location"] for offer in offers if offer["InstanceType"] == kind)


def vcpus(kind: str) -> int:
    """The vCPUs of a type."""
    return int(INSTANCE_TYPES[kind]["VCpuInfo"]["DefaultVCpus"])


def limit_of(user_data: str) -> int:
    """After how many minutes user data, in base64, shuts its instance down; 0 where it does not."""
    text = base64.b64decode(user_data).decode("utf-8", "replace")
    match = re.search(r"^shutdown -P \+(\d+)$", text, re.MULTILINE)
    return int(match.group(1)) if match else 0


@functools.cache
def policy_evaluator() -> Any:
    """The module tools/iam_policy.py, which is no package of the server's path."""
    path = Path(__file__).resolve().parents[3] / "tools" / "iam_policy.py"
    spec = importlib.util.spec_from_file_location("iam_policy", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def refuse_dry_run(call: Call) -> None:
    """Raise the error that is the answer to a dry run of something allowed."""
    if call.params.get("DryRun"):
        raise ApiError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")


def check_image(backend: Any, params: dict[str, Any]) -> Any:
    """The image, which is there and fits the type; raises ApiError."""
    kind, image = params.setdefault("InstanceType", "m1.small"), params.get("ImageId", "")
    if not image:
        raise ApiError("MissingParameter", "The request must contain the parameter ImageId")
    if image not in backend.amis:
        raise ApiError("InvalidAMIID.NotFound", f"The image id '[{image}]' does not exist")
    if kind not in INSTANCE_TYPES:
        raise ApiError("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
    fits, has = INSTANCE_TYPES[kind]["ProcessorInfo"]["SupportedArchitectures"], backend.amis[image].architecture
    if has not in fits:
        raise ApiError(
            "InvalidParameterValue",
            f"The architecture '{has}' of the specified image does not match the architecture '{','.join(fits)}' "
            f"of the specified instance type ('{kind}'). Specify an instance type and an AMI that have matching "
            "architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to discover "
            "the architecture of the instance type or AMI.",
        )
    return backend.amis[image]


def check_names(backend: Any, params: dict[str, Any]) -> None:
    """Raise ApiError for a key, security group or instance profile that is not there."""
    key, profile = params.get("KeyName"), params.get("IamInstanceProfile", {})
    if key and key not in backend.key_pairs:
        raise ApiError("InvalidKeyPair.NotFound", f"The key pair '{key}' does not exist")
    groups = [group for nic in params.get("NetworkInterfaces", []) for group in nic.get("Groups", [])]
    for group in [*groups, *params.get("SecurityGroupIds", [])]:
        found = backend.get_security_group_from_id(group)
        if not found:
            raise ApiError("InvalidGroup.NotFound", f"The security group '{group}' does not exist")
        subnet = subnet_of(params)
        if subnet and backend.get_subnet(subnet).vpc_id != found.vpc_id:
            message = f"Security group {group} and subnet {subnet} belong to different networks."
            raise ApiError("InvalidParameter", message)
    for member, text in profile.items():
        if text.rpartition("/")[2] not in backends("iam")["aws"].instance_profiles:
            raise ApiError("InvalidParameterValue", no_profile(member, text))


def no_profile(member: str, text: str) -> str:
    """What EC2 says where IAM has not told it of an instance profile."""
    name = f"iamInstanceProfile.{member.lower()}"
    return f"Value ({text}) for parameter {name} is invalid. Invalid IAM Instance Profile {member.lower()}"


def subnet_of(params: dict[str, Any]) -> str | None:
    """The subnet that instances go to, if the request names one."""
    nics = [nic["SubnetId"] for nic in params.get("NetworkInterfaces", []) if nic.get("SubnetId")]
    return params.get("SubnetId") or (nics[0] if nics else None)


def with_root(mappings: list[dict[str, Any]], root: str) -> list[dict[str, Any]]:
    """Block devices as AWS makes them: the image's root device is always there, and goes with the instance."""
    mappings = copy.deepcopy(mappings)
    if root not in [mapping["DeviceName"] for mapping in mappings]:
        mappings.insert(0, {"DeviceName": root, "Ebs": {}})
    for mapping in mappings:
        if "Ebs" in mapping:
            mapping["Ebs"] = {"VolumeSize": 8, "VolumeType": "gp2", "DeleteOnTermination": True, **mapping["Ebs"]}
    return mappings


def image_id(parameter: str, region: str) -> str:
    """The image a public parameter points at in a region."""
    return "ami-" + hashlib.sha256(f"{parameter} {region}".encode()).hexdigest()[:17]


def image_parameter(name: str, region: str) -> dict[str, Any] | None:
    """The public parameter of an image that moto lacks."""
    if not any(name == pattern.format(word) for pattern, words, *_rest in IMAGES for word in words):
        return None
    return {
        "Name": name,
        "Type": "String",
        "Value": image_id(name, region),
        "Version": 1,
        "LastModifiedDate": datetime(2026, 11, 1, tzinfo=UTC),
        "ARN": f"arn:aws:ssm:{region}::parameter{name}",
        "DataType": "aws:ec2:image",
    }


def public_image(backend: Any, parameter: str, title: str, owner: str, device: str, architecture: str) -> Any:
    """A public image in moto."""
    return Ami(
        backend, image_id(parameter, backend.region_name), name=title, description=title, owner_id=owner,
        owner_alias="amazon", public=True, virtualization_type="hvm", architecture=architecture, hypervisor="xen",
        root_device_type="ebs", root_device_name=device, region_name=backend.region_name + "a",
    )  # fmt: skip


def price_list_entry(row: dict[str, Any], region: str) -> tuple[dict[str, str], dict[str, Any]]:
    """The attributes that filters look at, and an entry of the price list, for a row of the setting `prices`."""
    attributes = {"servicecode": "AmazonEC2", "regionCode": row.get("regionCode", region), "locationType": "AWS Region"}
    if "instanceType" in row:
        family = "Compute Instance (bare metal)" if ".metal" in row["instanceType"] else "Compute Instance"
        unit = "Hrs"
        attributes.update(
            instanceType=row["instanceType"], operatingSystem="Linux", tenancy=row.get("tenancy", "Shared"),
            preInstalledSw="NA", capacitystatus="Used", licenseModel="No License required",
            marketoption=row.get("marketoption", "OnDemand"), operation="RunInstances",
        )  # fmt: skip
    else:
        family, unit = "Storage", "GB-Mo"
        attributes.update(volumeApiName=row["volumeApiName"], storageMedia="SSD-backed", volumeType="General Purpose")
    sku = hashlib.sha256(json.dumps(attributes, sort_keys=True).encode()).hexdigest()[:16].upper()
    term = f"{sku}.JRTCKXETXF"
    dimension = {
        "unit": unit,
        "beginRange": "0",
        "endRange": "Inf",
        "description": f"${row['usd']} per {unit}",
        "appliesTo": [],
        "rateCode": f"{term}.6YS6EN2CT7",
        "pricePerUnit": {"USD": f"{row['usd']:.10f}"},
    }
    terms = {"priceDimensions": {dimension["rateCode"]: dimension}, "sku": sku, "offerTermCode": "JRTCKXETXF"}
    entry = {
        "product": {"productFamily": family, "attributes": attributes, "sku": sku},
        "serviceCode": "AmazonEC2",
        "terms": {"OnDemand": {term: {**terms, "effectiveDate": "2026-11-01T00:00:00Z", "termAttributes": {}}}},
        "version": "20261101000000",
        "publicationDate": "2026-11-01T00:00:00Z",
    }
    return {**attributes, "productFamily": family, "termType": "OnDemand"}, entry
