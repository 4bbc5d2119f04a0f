# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that makes clients of AWS, asks them page by page, and says in a sentence why AWS did not do it.

Credentials, profile and AWS_ENDPOINT_URL are those of this process.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

try:
    import boto3  # type: ignore[import-untyped]
    import botocore.session  # type: ignore[import-untyped]
    from botocore import exceptions
    from botocore.config import Config  # type: ignore[import-untyped]
    from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
except ImportError:
    boto3 = None

# The tag Project of everything that a run makes.
PROJECT = "cloudbench.llama"

# An unanswered request is given up after ATTEMPTS times both, and the pauses between (at most 20 s each).
ATTEMPTS = 4
CONNECT_S = 5
READ_S = 20

_SIGN_IN = (
    "give those of the controller by aws configure or aws sso login, or by AWS_PROFILE, or by AWS_ACCESS_KEY_ID and "
    "its kin"
)
_RENEW = "renew them (aws sso login, or whatever issued them) and run again"

_DENIED = (
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "UnauthorizedException",
    "UnauthorizedOperation",
)
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired")
_WRONG_CREDENTIALS = (
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "NotAuthorized",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
_THROTTLED = (
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
)
_CAPACITY = (
    "InsufficientCapacity",
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "InsufficientReservedInstanceCapacity",
)
_QUOTA = ("MaxSpotInstanceCountExceeded", "ServiceQuotaExceededException")
_QUOTA_NAME = re.compile(r"[A-Za-z]*LimitExceeded(Exception|Fault)?")
# How botocore writes down a refusal, which modules put behind words of their own.
_REFUSAL = re.compile(
    r"An error occurred \((?P<code>[^)]+)\) when calling the (?P<operation>\w+) operation"
    r"(?: \(reached max retries: \d+\))?: ?(?P<said>.*)",
    re.DOTALL,
)
# How amazon.aws names what failed where it leaves out why: "Failed to create security group".
_UNTOLD = re.compile(r"Failed to (?P<words>[a-z]+(?: [a-z]+)+)\.?$")
# The services that a run asks, by botocore's names; no two of them have an operation of one name that a run needs.
_SERVICES = ("sts", "iam", "scheduler", "ssm", "budgets", "service-quotas", "pricing", "s3", "ec2")


class AwsError(ValueError):
    """AWS did not do what was asked; the message says what that was, why, and what to do.

    `code`: the code of AWS, or the name of botocore's exception; empty where there is neither. `status`: of HTTP, 0
    where there was no answer.
    """

    def __init__(self, message: str, code: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.status = status

    @property
    def denied(self) -> bool:
        """Whether the credentials are good, but not for this."""
        return self.code in _DENIED

    @property
    def missing(self) -> bool:
        """Whether what was asked for does not exist, or not yet."""
        return self.code in ("NoSuchEntity", "ResourceNotFoundException", "NotFoundException") or bool(
            re.search(r"NotFound(Exception)?$|\.Unknown$", self.code)
        )

    @property
    def no_credentials(self) -> bool:
        """Whether there are none at all, which is no mistake where AWS is not needed."""
        return self.code == "NoCredentialsError"


def need() -> None:
    """Raise AwsError when boto3 is not installed on the controller."""
    if boto3 is None:
        raise AwsError(
            "AWS is reached by boto3, which this Python of the controller lacks: install it there (requirements.txt "
            "has it)"
        )


def session(region: str | None = None) -> Any:
    """Return a boto3 session of its own: the default one keeps the credentials it once had. Raises AwsError."""
    need()
    with asked("a session of AWS"):
        return boto3.session.Session(region_name=region or None)


def client(service: str, region: str | None = None, of: Any = None, **settings: Any) -> Any:
    """Return a boto3 client; `of`: the session to take credentials from, `settings`: more of botocore's Config.

    Makes no request. Raises AwsError.
    """
    made_by = of or session(region)
    config = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        **settings,
    )
    with asked(f"a client for {service}"):
        return made_by.client(service, region_name=region or None, config=config)


@functools.lru_cache(maxsize=1)
def regions() -> tuple[str, ...]:
    """Return every region with EC2 that the installed botocore knows, empty without botocore."""
    if boto3 is None:
        return ()
    source = botocore.session.Session()
    return tuple(
        sorted(
            name
            for partition in source.get_available_partitions()
            for name in source.get_available_regions("ec2", partition_name=partition)
        )
    )


def region(given: str = "") -> str:
    """Return the region to work in: `given`, AWS_REGION, AWS_DEFAULT_REGION, that of the profile. Raises AwsError."""
    name = given or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    if not name and boto3 is not None:
        name = session().region_name or ""
    if not name:
        raise AwsError("no region is given: name one, such as us-east-1, or set AWS_REGION", "NoRegionError")
    known = regions()
    if known and name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        nearest = f"; the nearest: {', '.join(near)}" if near else ""
        raise AwsError(
            f"{name!r} is no region that this boto3 knows{nearest}; correct it (one newer than boto3 needs a newer "
            "boto3)",
            "InvalidRegionError",
        )
    return name


@contextlib.contextmanager
def asked(service_action: str) -> Iterator[None]:
    """Turn what boto3 raises inside into AwsError; `service_action` as a policy writes it, such as ec2:RunInstances."""
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0
        raise AwsError(words(error, service_action), _code(error), status) from error
    except BotoCoreError as error:
        raise AwsError(words(error, service_action), type(error).__name__) from error


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code") or "")


def pages(client: Any, operation: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
    """Return all pages of what an operation, such as describe_vpcs, lists below `key`. Raises AwsError."""
    service, action = client.meta.service_model.service_name, client.meta.method_to_api_mapping[operation]
    with asked(f"{service}:{action}"):
        if not client.can_paginate(operation):
            return list(getattr(client, operation)(**arguments)[key])
        return [one for page in client.get_paginator(operation).paginate(**arguments) for one in page.get(key) or []]


def filtered(name: str, *values: str) -> dict[str, Any]:
    """Return one of EC2's filters."""
    return {"Name": name, "Values": list(values)}


def tags(thing: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of what a service describes; a network interface calls them otherwise."""
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags") or thing.get("TagSet") or []}


def proper_run(run: str) -> bool:
    """Return whether `run` can be the id of a run in EC2; nothing else may become part of a name or a command."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,47}", run) is not None


def words(error: Exception, service_action: str) -> str:
    """Return one sentence for a ClientError or BotoCoreError: what was asked, the cause, the remedy."""
    if isinstance(error, ClientError):
        return f"{service_action}: {_answer(error, service_action, f'{ATTEMPTS} times')}"
    return f"{service_action}: {_no_answer(error)}"


def retold(text: str) -> str | None:
    """Return the sentence of `words` for the refusal that a module's message quotes, or None.

    Where a module only names what AWS refused, the sentence names the action.
    """
    if boto3 is None:
        return None
    quoted = _REFUSAL.search(text)
    if quoted is None:
        return _untold(text)
    operation = quoted["operation"]
    service_action = f"{_service_of(operation)}:{operation}"
    error = ClientError({"Error": {"Code": quoted["code"], "Message": quoted["said"]}}, operation)
    return f"{service_action}: {_answer(error, service_action, 'again and again')}"


def _untold(text: str) -> str | None:
    named = _UNTOLD.search(text)
    operation = "".join(word.title() for word in named["words"].split()) if named else ""
    service = _service_of(operation) if named else "AWS"
    if service == "AWS":
        return None
    return (
        f"{service}:{operation}: amazon.aws does not tell what AWS said ({text.rstrip('.')}): allow "
        f"{service}:{operation} to the caller, if that is not done; CloudTrail, and the task with "
        "ANSIBLE_DISPLAY_TRACEBACK=error, tell more"
    )


@functools.lru_cache
def _service_of(operation: str) -> str:
    """Return what a policy calls the service of an operation; AWS where none of _SERVICES has it."""
    source = botocore.session.Session()
    models = (source.get_service_model(service) for service in _SERVICES)
    return next((model.signing_name for model in models if operation in model.operation_names), "AWS")


def _answer(error: Any, service_action: str, tries: str) -> str:
    code = _code(error)
    said = str(error.response.get("Error", {}).get("Message") or "").strip().rstrip(".")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0
    if code in _DENIED or (status == 403 and code in ("403", "Forbidden")):
        return _denied(said, service_action)
    if code == "RequestTimeTooSkewed" or "Signature expired" in said or "Signature not yet current" in said:
        return f"AWS refuses the signature for its time ({code}): set the clock of the controller right (timedatectl)"
    if code in _EXPIRED:
        return f"the credentials have expired ({code}): {_RENEW}"
    if code in _WRONG_CREDENTIALS:
        return (
            f"AWS does not accept the credentials ({code}): {_SIGN_IN}; where they are good elsewhere, the region is "
            "not switched on for the account or the clock of the controller is wrong"
        )
    if code in ("OptInRequired", "SubscriptionRequiredException", "PendingVerification", "Blocked"):
        return f"the account may not use this yet ({code}: {said}): switch the service or the region on in its console"
    if code in _THROTTLED or status == 429:
        return (
            f"AWS answered {tries} that it is asked too often ({code}): wait some minutes and run again, or "
            "stop what else asks in this account and region"
        )
    if code in _CAPACITY:
        return (
            f"AWS has no capacity for this type in this zone just now ({code}): name other zones, other types or the "
            "other market, or try later"
        )
    if code in _QUOTA or _QUOTA_NAME.fullmatch(code):
        return f"a quota of the account is used up ({code}: {said}): free some of it, or raise it in Service Quotas"
    if status >= 500 or code in ("InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable"):
        told = f"{status} {code}" if status else code
        return f"AWS failed {tries} ({told}): run again; https://health.aws.amazon.com tells of outages"
    return f"AWS answers {code or status}: {said or 'without a word'}"


def _denied(said: str, service_action: str) -> str:
    # RunInstances may be refused for want of iam:PassRole: AWS names the one that is wanting.
    named = re.search(r"authorized to perform:? ([a-z0-9-]+:[A-Za-z]+)", said)
    who = re.search(r"arn:aws[a-z-]*:(?:iam|sts)::[0-9]*:[^ ]+", said)
    wanted = named.group(1) if named else service_action
    by = f" to {who.group(0)}" if who else " to the caller"
    sentence = f"the credentials are good, but not for this: allow {wanted}{by}"
    if "explicit deny" in said:
        sentence += ", and lift the explicit deny of a policy or of the organisation, which goes before every allowance"
    if "Encoded authorization failure message" in said:
        sentence += " (aws sts decode-authorization-message tells the details)"
    return sentence


def _no_answer(error: Any) -> str:
    name = type(error).__name__
    said = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, exceptions.NoCredentialsError):
        return f"there are no credentials: {_SIGN_IN}"
    if isinstance(error, exceptions.PartialCredentialsError):
        return f"the credentials are incomplete ({said}): {_SIGN_IN}"
    if isinstance(error, exceptions.ProfileNotFound):
        return f"{said}: correct AWS_PROFILE, or unset it; aws configure list-profiles lists what there is"
    if isinstance(error, (exceptions.SSOError, exceptions.TokenRetrievalError, exceptions.CredentialRetrievalError)):
        return f"the credentials cannot be had ({said}): {_RENEW}"
    if isinstance(error, (exceptions.NoRegionError, exceptions.InvalidRegionError)):
        return f"{said}: name a region, such as us-east-1, or set AWS_REGION"
    if isinstance(error, (exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError)):
        return f"no answer in time ({said}): {_network()}, and run again"
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.EndpointConnectionError)):
        return f"AWS cannot be reached ({said}): {_network()}"
    if isinstance(error, exceptions.WaiterError):
        return f"what was waited for did not come ({said}): run again; the teardown removes what there is"
    return f"{name}: {said}"


def _network() -> str:
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    also = f" and AWS_ENDPOINT_URL ({endpoint})" if endpoint else ""
    return f"check the network, the proxy, the name of the region{also}"


def owner_of(arn: str) -> str:
    """Return the owner that the caller's ARN names: its last part, in the characters that a tag may have.

    arn:aws:iam::123456789012:user/team/alice is alice, an assumed role is its session, the root user is root.
    """
    return re.sub(r"[^A-Za-z0-9 +=._:/@-]", "-", arn.rpartition(":")[2].rpartition("/")[2]).strip()[:256]
