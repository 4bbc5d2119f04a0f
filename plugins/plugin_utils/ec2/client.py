# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that makes clients of AWS and asks them page by page; what AWS refuses becomes an AwsError.

Credentials, profile and AWS_ENDPOINT_URL are those of this process.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

try:
    import boto3
    import botocore.loaders
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    boto3 = None

from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import nearest
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import credentials as identity
from ansible_collections.cloudbench.llama.plugins.plugin_utils.failures.aws_words import (
    DENIED,
    STILL_EXPIRED,
    refusal,
    words,
)

# The tag Project of everything that a run makes.
PROJECT = "cloudbench.llama"

# Where a run can be: elsewhere principals, services and currency are others, and nothing was ever tried.
PARTITIONS = ("aws", "aws-us-gov")

# Sessions of roles as botocore and other SDKs, EC2 and ECS name them.
_NAMED_BY_PROGRAM = re.compile(r"(botocore-session|aws-[a-z-]+|AWSCLI-Session)-?[0-9]*|i-[0-9a-f]+|[0-9a-f]{32}")

# An unanswered request is given up after ATTEMPTS times both, and the pauses between (at most 20 s each).
ATTEMPTS = 4
CONNECT_S = 5
READ_S = 20


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
        return self.code in DENIED

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


def installed() -> bool:
    """Say whether the controller has boto3."""
    return boto3 is not None


def need() -> None:
    """Raise AwsError when boto3 is not installed on the controller."""
    if not installed():
        raise AwsError(
            "AWS is reached by boto3, which this Python of the controller lacks: install it there (requirements.txt "
            "has it)"
        )


@functools.cache
def _models(path: str | None) -> Any:
    """Return what reads botocore's models of the services, and those below `path`; each is read once.

    The one of EC2 takes a third of a second, and a session reads it anew.
    """
    return botocore.loaders.create_loader(path)


def _below() -> Any:
    """Return a session of botocore. Raises BotoCoreError."""
    below = botocore.session.get_session()
    below.register_component("data_loader", _models(below.get_config_variable("data_path")))
    return below


def session(region: str | None = None) -> Any:
    """Return a boto3 session of its own: the default one keeps the credentials it once had.

    Raises AwsError, also for a profile that asks for a code, which nobody could type.
    """
    need()
    with asked("a session of AWS"):
        below = _below()
        made = _boto3_session(below, region)
        profile = below.get_config_variable("profile") or "default"
        # Keys of the environment go before it.
        with_code = None if os.environ.get("AWS_ACCESS_KEY_ID") else _mfa_role(below, profile)
    if with_code:
        raise AwsError(identity.mfa_words(with_code, profile), "MfaRequired")
    return made


def _mfa_role(below: Any, profile: str) -> identity.MfaRole | None:
    return identity.mfa_role(below.full_config.get("profiles", {}), profile)


def credentials(of: Any) -> identity.Credentials | None:
    """Return where the credentials of a session come from and when they end, None where there are none.

    Those of a role or a sign-in are asked for. Raises AwsError.
    """
    try:
        with asked("credentials"):
            given = of.get_credentials()
            return None if given is None else identity.of_session(given)
    except AwsError:
        raise
    except ValueError as error:
        # botocore reads the end of credentials as dateutil does, and lets that speak for itself.
        ends = os.environ.get("AWS_CREDENTIAL_EXPIRATION")
        named = f"AWS_CREDENTIAL_EXPIRATION is {ends!r:.60}" if ends else f"the credentials end at no time ({error})"
        raise AwsError(
            f"{named}: it has to be a time such as 2026-11-30T12:00:00Z; correct or unset it, or sign in again",
            "InvalidExpiration",
        ) from error


def session_of(variables: Mapping[str, str], region: str | None = None) -> Any:
    """Return a boto3 session of the credentials that variables of an environment name. Raises AwsError."""
    need()
    with asked("a session of AWS"):
        below = _below()
        below.set_credentials(
            variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], variables.get("AWS_SESSION_TOKEN")
        )
        return _boto3_session(below, region)


def _boto3_session(below: Any, region: str | None) -> Any:
    made = boto3.session.Session(region_name=region or None, botocore_session=below)
    # boto3 appends its own path each time.
    paths = below.get_component("data_loader").search_paths
    paths[:] = dict.fromkeys(paths)
    return made


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
    """Return every region with EC2 of PARTITIONS that the installed botocore knows, empty without botocore."""
    if boto3 is None:
        return ()
    source = _below()
    return tuple(
        sorted(
            name for partition in PARTITIONS for name in source.get_available_regions("ec2", partition_name=partition)
        )
    )


def _partition(region: str) -> str:
    """Return the partition that a region is in by its name, "" where it is in none."""
    try:
        return str(_below().get_partition_for_region(region))
    except BotoCoreError:
        return ""


def region_of_environment() -> tuple[str, str]:
    """Return the region that the environment names and the variable that does so, both empty where none does."""
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if os.environ.get(variable):
            return os.environ[variable], variable
    return "", ""


def region(given: str = "") -> str:
    """Return the region to work in: `given`, AWS_REGION, AWS_DEFAULT_REGION, that of the profile.

    The one answer for plan, inventory and sweep, and for the teardown of a run that does not tell its own. Raises
    AwsError, also for one outside PARTITIONS.
    """
    name = given or region_of_environment()[0]
    if not name and boto3 is not None:
        name = session().region_name or ""
    if not name:
        raise AwsError("no region is given: name one, such as us-east-1, or set AWS_REGION", "NoRegionError")
    known = regions()
    partition = _partition(name) if known and name not in known else ""
    if partition not in ("", *PARTITIONS):
        raise AwsError(
            f"{name} is a region of the partition {partition}, where nothing of this was made or tried: name one of "
            f"{' or '.join(PARTITIONS)}, such as us-east-1",
            "InvalidRegionError",
        )
    if known and name not in known:
        raise AwsError(
            f"{name!r:.100} is no region that this boto3 knows{nearest(name, known)}; correct it (one newer than boto3 "
            "needs a newer boto3)",
            "InvalidRegionError",
        )
    return name


@contextlib.contextmanager
def asked(service_action: str) -> Iterator[None]:
    """Turn what boto3 raises inside into AwsError; `service_action` as a policy writes it, such as ec2:RunInstances."""
    try:
        yield
    except ClientError as error:
        code, _message, status = refusal(error)
        raise AwsError(words(error, service_action, f"{ATTEMPTS} times"), code, status) from error
    except BotoCoreError as error:
        raise AwsError(words(error, service_action, f"{ATTEMPTS} times"), type(error).__name__) from error
    except RuntimeError as error:
        # What botocore raises where the time of AWS_CREDENTIAL_EXPIRATION is over.
        if STILL_EXPIRED not in str(error):
            raise
        raise AwsError(words(error, service_action, f"{ATTEMPTS} times"), "ExpiredToken") from error


def pages(client: Any, operation: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
    """Return all pages of what an operation, such as describe_vpcs, lists below `key`. Raises AwsError."""
    service, action = client.meta.service_model.service_name, client.meta.method_to_api_mapping[operation]
    with asked(f"{service}:{action}"):
        if not client.can_paginate(operation):
            return list(getattr(client, operation)(**arguments)[key])
        return [row for page in client.get_paginator(operation).paginate(**arguments) for row in page.get(key) or []]


def filtered(name: str, *values: str) -> dict[str, Any]:
    """Return one of EC2's filters."""
    return {"Name": name, "Values": list(values)}


def tags(thing: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of what a service describes; a network interface calls them otherwise."""
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags") or thing.get("TagSet") or []}


def proper_run(run: str) -> bool:
    """Return whether `run` can be the id of a run in EC2; nothing else may become part of a name or a command."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,47}", run) is not None


def proper_region(name: str) -> str:
    """Return `name` if it can be a region, else ""; nothing else may become part of a command."""
    return name if re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-\d+", name) else ""


def owner_of(arn: str) -> str:
    """Return the owner that the caller's ARN names: its last part, in the characters that a tag may have.

    arn:aws:iam::123456789012:user/team/alice is alice, an assumed role is its session, the root user is root. A session
    that a program named is another one in the next process: then it is the role.
    """
    parts = arn.rpartition(":")[2].split("/")
    if parts[0] == "assumed-role" and len(parts) > 2 and _NAMED_BY_PROGRAM.fullmatch(parts[-1]):
        parts.pop()
    return re.sub(r"[^A-Za-z0-9 +=._:/@-]", "-", parts[-1]).strip()[:256]
