# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS answers when it does not do what was asked, in a sentence with the cause and the remedy.

Text alone: nothing is asked here. botocore is needed for the classes of its exceptions and for its list of operations.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
from typing import Any

try:
    import botocore.session
    from botocore import exceptions
except ImportError:
    botocore = None

_SIGN_IN = (
    "give those of the controller by aws configure or aws sso login, or by AWS_PROFILE, or by AWS_ACCESS_KEY_ID and "
    "its kin"
)
_RENEW = "renew them (aws sso login, or whatever issued them) and run again"
# What botocore says, in no exception of its own, of credentials whose time is over and that nothing renews.
STILL_EXPIRED = "refreshed credentials are still expired"

DENIED = (
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "UnauthorizedException",
    "UnauthorizedOperation",
)
# What docs/iam-policy.json allows for roles that have a permissions boundary.
_BOUNDED = ("iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePolicy")
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

# The Free plan of accounts made since July 2025.
FREE_PLAN_REMEDY = "put it on the paid plan (aws freetier upgrade-account-plan --account-plan-type PAID)"


def words(error: Exception, service_action: str, tries: str) -> str:
    """Return one sentence for a ClientError, a BotoCoreError or the RuntimeError that has STILL_EXPIRED in it.

    It has what was asked, the cause, the remedy.

    `service_action`: as a policy writes it, such as ec2:RunInstances. `tries`: how often it was asked, such as "4
    times".
    """
    if isinstance(error, exceptions.ClientError):
        return f"{service_action}: {_answer(*refusal(error), service_action, tries)}"
    return f"{service_action}: {_no_answer(error)}"


def refusal(error: Any) -> tuple[str, str, int]:
    """Return code, message and HTTP status of a ClientError; "" and 0 for what it does not say."""
    told = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return str(told.get("Code") or ""), str(told.get("Message") or ""), status or 0


def retold(text: str) -> str | None:
    """Return the sentence of `words` for the refusal that a module's message quotes, or None.

    Where a module only names what AWS refused, the sentence names the action.
    """
    if botocore is None:
        return None
    quoted = _REFUSAL.search(text)
    if quoted is None:
        return _untold(text)
    operation = quoted["operation"]
    service_action = f"{_service_of(operation)}:{operation}"
    return f"{service_action}: {_answer(quoted['code'], quoted['said'], 0, service_action, 'again and again')}"


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


@functools.cache
def _operations() -> dict[str, str]:
    """Return what a policy calls the service of each operation of _SERVICES. To read their models takes a second."""
    source = botocore.session.Session()
    models = [source.get_service_model(service) for service in _SERVICES]
    return {operation: model.signing_name for model in reversed(models) for operation in model.operation_names}


def _service_of(operation: str) -> str:
    """Return what a policy calls the service of an operation; AWS where none of _SERVICES has it."""
    return _operations().get(operation, "AWS")


def _answer(code: str, message: str, status: int, service_action: str, tries: str) -> str:
    said = message.strip().rstrip(".")
    if code in DENIED or (status == 403 and code in ("403", "Forbidden")):
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
    if code == "InvalidParameterCombination" and "not eligible for Free Tier" in said:
        return (
            f"the account is on AWS's Free plan, which does not launch this type ({code}): {FREE_PLAN_REMEDY}, or name "
            "a type that aws ec2 describe-instance-types --filters Name=free-tier-eligible,Values=true lists"
        )
    if code in _CAPACITY:
        return (
            f"AWS has no capacity for this type in this zone just now ({code}): name other zones, other types or the "
            "other market, or try later"
        )
    if code == "InsufficientFreeAddressesInSubnet":
        return (
            f"the subnet has too few free addresses ({code}: {said}): name another one in ec2_environment_subnet_ids, "
            "or ask for fewer instances"
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
    if wanted in _BOUNDED:
        sentence += (
            "; where that is allowed with a permissions boundary alone, ec2_environment_permissions_boundary is its ARN"
        )
    if "explicit deny" in said:
        sentence += ", and lift the explicit deny of a policy or of the organisation, which goes before every allowance"
    if "Encoded authorization failure message" in said:
        sentence += " (aws sts decode-authorization-message tells the details)"
    return sentence


def _no_answer(error: Exception) -> str:
    name = type(error).__name__
    said = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, exceptions.NoCredentialsError):
        return f"there are no credentials: {_SIGN_IN}"
    if isinstance(error, exceptions.PartialCredentialsError):
        return f"the credentials are incomplete ({said}): {_SIGN_IN}"
    if isinstance(error, exceptions.ProfileNotFound):
        return f"{said}: correct AWS_PROFILE, or unset it; aws configure list-profiles lists what there is"
    if identity := _no_identity(error, said):
        return identity
    if isinstance(error, (exceptions.NoRegionError, exceptions.InvalidRegionError)):
        return f"{said}: name a region, such as us-east-1, or set AWS_REGION"
    if isinstance(error, (exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError)):
        return f"no answer in time ({said}): {_network()}, and run again"
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.EndpointConnectionError)):
        return f"AWS cannot be reached ({said}): {_network()}"
    if isinstance(error, exceptions.WaiterError):
        return f"what was waited for did not come ({said}): run again; the teardown removes what there is"
    return f"{name}: {said}"


def _no_identity(error: Exception, said: str) -> str:
    """Return the cause and the remedy where no credentials can be had that are there somewhere, "" for other errors."""
    if STILL_EXPIRED in said:
        ended = os.environ.get("AWS_CREDENTIAL_EXPIRATION")
        when = f" (AWS_CREDENTIAL_EXPIRATION is {ended})" if ended else ""
        return f"the credentials have expired{when}: {_RENEW}"
    if isinstance(error, (exceptions.SSOError, exceptions.TokenRetrievalError)):
        return f"the sign-in is over or there was none ({said}): {sign_in('sso login')}, and run again"
    if _is_login_error(error):
        return f"the sign-in is over or there was none ({said}): {sign_in('login')}, and run again"
    if isinstance(error, exceptions.CredentialRetrievalError):
        return f"the credentials cannot be had ({said}): {_source(str(error.kwargs.get('provider')))}"
    if isinstance(error, (exceptions.InvalidConfigError, exceptions.InfiniteLoopConfigError)):
        return f"{said}: correct the profile in ~/.aws/config"
    return ""


def sign_in(command: str) -> str:
    """Return the command that signs in by `command` of aws for the profile of the environment."""
    profile = os.environ.get("AWS_DEFAULT_PROFILE") or os.environ.get("AWS_PROFILE")
    return f"aws {command} --profile {shlex.quote(profile)}" if profile else f"aws {command}"


def _is_login_error(error: Exception) -> bool:
    """Whether a sign-in by aws login failed, which an older botocore does not know."""
    known = getattr(exceptions, "LoginError", None)
    return known is not None and isinstance(error, known)


def _source(provider: str) -> str:
    """Return what helps where one of botocore's providers has no credentials to give."""
    if provider == "container-role":
        names = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        address = next((f"{name} ({os.environ[name]})" for name in names if os.environ.get(name)), names[0])
        return f"see that what {address} names answers here, or unset it"
    if provider == "custom-process":
        return "see that the credential_process of the profile answers without a person, and run again"
    return _RENEW


def _network() -> str:
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    also = f" and AWS_ENDPOINT_URL ({endpoint})" if endpoint else ""
    return f"check the network, the proxy, the name of the region{also}"
