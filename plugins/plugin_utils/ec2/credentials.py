# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the credentials of AWS come from, how long they last, and what of them a run cannot work with.

Nothing is asked here. botocore renews what it has from a role, a sign-in or a service; what stands in the environment
or in a file ends when it ends.
"""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

# botocore's names of where credentials come from, of those that it renews; what they have to be renewed by.
_RENEWED = {
    "assume-role": "AssumeRole, as long as what it is asked with lasts",
    "assume-role-with-web-identity": "the web identity",
    "container-role": "the container service",
    "custom-process": "the credential_process of the profile, as long as that answers without a person",
    "iam-role": "the instance metadata service",
    "login": "the sign-in of aws login, as long as that lasts",
    "sso": "the sign-in of aws sso login, as long as that lasts",
}
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN")
_PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")


class Credentials(NamedTuple):
    """What signs the requests. `method`: botocore's name of the source. `ends`: in UTC, None where nothing says."""

    method: str
    temporary: bool
    ends: datetime.datetime | None


class MfaRole(NamedTuple):
    """A profile whose role is only given for a code of the device `serial`."""

    profile: str
    serial: str


def of_session(credentials: Any) -> Credentials:
    """Return what is known of botocore's credentials; those of a role are fetched by that."""
    frozen = credentials.get_frozen_credentials()
    # What the aws command reads too (configure export-credentials): botocore has no other name for it.
    ends = getattr(credentials, "_expiry_time", None)
    return Credentials(
        str(credentials.method), bool(frozen.token), ends.astimezone(datetime.UTC) if ends is not None else None
    )


def contradiction(environ: Mapping[str, str]) -> str:
    """Return why the environment names two identities, "" where it does not: botocore would take one, amazon.aws none.

    amazon.aws reads AWS_ACCESS_KEY and AWS_SECRET_KEY too, and AWS_PROFILE before AWS_DEFAULT_PROFILE.
    """
    named = {name: environ[name] for name in _PROFILES if environ.get(name)}
    keys = [name for name in _KEYS if environ.get(name)]
    if len(set(named.values())) > 1:
        return (
            f"AWS_PROFILE is {named['AWS_PROFILE']} and AWS_DEFAULT_PROFILE is {named['AWS_DEFAULT_PROFILE']}: boto3 "
            "takes the second and amazon.aws the first; unset one of them"
        )
    if named and keys:
        return (
            f"{' and '.join(named)} and {', '.join(keys)} are set: amazon.aws refuses a profile together with keys; "
            f"unset {' '.join(named)} or {' '.join(keys)}"
        )
    return ""


def mfa_role(profiles: Mapping[str, Mapping[str, Any]], name: str) -> MfaRole | None:
    """Return the first role on the way from the profile `name` to its keys that asks for a code, if there is one.

    `profiles`: those of botocore's full_config. The way is botocore's: by source_profile, until one has keys itself.
    """
    seen: set[str] = set()
    while name in profiles and name not in seen:
        seen.add(name)
        profile = profiles[name]
        if "role_arn" not in profile or "web_identity_token_file" in profile:
            return None
        if profile.get("mfa_serial"):
            return MfaRole(name, str(profile["mfa_serial"]))
        name = str(profile.get("source_profile", ""))
        if "aws_access_key_id" in profiles.get(name, {}):
            return None
    return None


def mfa_words(role: MfaRole, asked: str) -> str:
    """Return why a run cannot use the profile `asked`, and the command that helps."""
    export = f"aws configure export-credentials --profile {shlex.quote(asked)} --format env"
    return (
        f"the profile {asked} asks for a code of {role.serial}, and a run has nobody who types one: give it beforehand "
        f'by eval "$({export})" && unset AWS_PROFILE AWS_DEFAULT_PROFILE, set AWS_REGION, which the profile does not '
        "tell any more then, and run again"
    )


def told(credentials: Credentials, now: datetime.datetime, minutes: float, sign_in: str) -> tuple[list[str], list[str]]:
    """Return what the plan says of how long credentials last: what is well, and what to take note of.

    `now`: in UTC. `minutes`: how long the run may take. `sign_in`: the command that begins a session of single sign-on.
    """
    without = "without them nothing is torn down, and the instances live until their own end"
    if not credentials.temporary:
        return [], []
    if credentials.ends is None:
        unknown = (
            f"the credentials are a session token ({credentials.method}), and nothing says until when it is good: the "
            f"run may take up to {minutes:.0f} minutes, and {without}"
        )
        return [], [unknown]
    left = (credentials.ends - now).total_seconds() / 60
    good = f"the credentials, which are good for {left:.0f} minutes, until {credentials.ends:%Y-%m-%d %H:%M} UTC"
    if credentials.method in _RENEWED:
        good += f", and are renewed by {_RENEWED[credentials.method]}"
    if left >= minutes or credentials.method not in ("env", "login", "sso"):
        return [good], []
    if credentials.method == "env":
        short = (
            f"the credentials end in {left:.0f} minutes, at {credentials.ends:%Y-%m-%d %H:%M} UTC, nothing renews "
            f"them, and the run may take up to {minutes:.0f}: take new ones before it begins; {without}"
        )
        return [], [short]
    doubtful = (
        f"the credentials of the sign-in end in {left:.0f} minutes, and the run may take up to {minutes:.0f}: where "
        f"the sign-in itself is old, begin it anew by {sign_in}"
    )
    return [good], [doubtful]
