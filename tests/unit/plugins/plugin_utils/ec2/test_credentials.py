# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where credentials come from and until when they are good, by the sources themselves, each on this machine."""

from __future__ import annotations

import datetime
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.aws.server import AwsServer

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import credentials
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.credentials import Credentials, MfaRole

NOW = datetime.datetime(2026, 11, 24, 19, 0, tzinfo=datetime.UTC)
IN_AN_HOUR = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(hours=1)
KEYS = {"AccessKeyId": "ASIATESTING", "SecretAccessKey": "testing"}


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A directory for config and credentials, and nothing of AWS in the environment."""
    for name in (
        "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
        "AWS_CREDENTIAL_EXPIRATION", "AWS_ENDPOINT_URL", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_DEFAULT_REGION",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


def of_environment() -> Credentials | None:
    return aws.credentials(aws.session("us-east-1"))


# ---- the sources ----


def test_there_are_none():
    assert of_environment() is None


def test_keys_of_a_user_do_not_end(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTING")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    assert of_environment() == Credentials("env", False, None)


def test_a_token_of_the_environment_says_when_it_ends_or_does_not(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIATESTING")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    assert of_environment() == Credentials("env", True, None)
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", IN_AN_HOUR.isoformat())
    assert of_environment() == Credentials("env", True, IN_AN_HOUR)


def test_a_token_of_the_environment_that_is_over_is_told(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIATESTING")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2026-01-01T00:00:00Z")
    with pytest.raises(aws.AwsError, match=r"expired \(AWS_CREDENTIAL_EXPIRATION is 2026-01-01T00:00:00Z\)") as caught:
        of_environment()
    assert caught.value.code == "ExpiredToken"
    with pytest.raises(aws.AwsError, match="the credentials have expired"), aws.asked("sts:GetCallerIdentity"):
        aws.client("sts", "us-east-1").get_caller_identity()


def test_an_end_that_is_no_time_is_told_with_its_variable(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIATESTING")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "rubbish")
    with pytest.raises(aws.AwsError, match="AWS_CREDENTIAL_EXPIRATION is 'rubbish': it has to be a time such as"):
        of_environment()


def process(home: Path, answer: str, code: int = 0) -> None:
    """A profile whose credentials a program of this machine prints."""
    script = home / "credentials.py"
    script.write_text(f"import sys\nprint({answer!r})\nsys.exit({code})\n")
    (home / "config").write_text(f"[profile work]\ncredential_process = {sys.executable} {script}\n")


def test_a_program(monkeypatch, home):
    monkeypatch.setenv("AWS_PROFILE", "work")
    process(home, json.dumps({"Version": 1, **KEYS, "SessionToken": "t", "Expiration": IN_AN_HOUR.isoformat()}))
    assert of_environment() == Credentials("custom-process", True, IN_AN_HOUR)
    process(home, "who are you?", 1)
    with pytest.raises(aws.AwsError, match="see that the credential_process of the profile answers without a person"):
        of_environment()


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The service that gives the credentials of a container; what it answers can be changed."""
    answer: dict[str, Any] = {**KEYS, "Token": "t", "Expiration": IN_AN_HOUR.isoformat()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200 if answer else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{server.server_port}/")
    yield answer
    server.shutdown()
    server.server_close()


def test_a_container(container, monkeypatch):
    assert of_environment() == Credentials("container-role", True, IN_AN_HOUR)
    # botocore asks three times, a second apart.
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    container.clear()
    with pytest.raises(aws.AwsError, match=r"AWS_CONTAINER_CREDENTIALS_FULL_URI \(http://127.0.0.1:\d+/\) names"):
        of_environment()


ASSUMING = """\
[profile base]
aws_access_key_id = testing
aws_secret_access_key = testing
[profile work]
role_arn = arn:aws:iam::123456789012:role/work
source_profile = base
"""


def test_a_role_that_is_assumed(monkeypatch, home, running: AwsServer):
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint)
    monkeypatch.setenv("AWS_PROFILE", "base")
    (home / "config").write_text(ASSUMING)
    running.reset()
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    aws.client("iam", "us-east-1").create_role(RoleName="work", AssumeRolePolicyDocument=trust)
    monkeypatch.setenv("AWS_PROFILE", "work")
    given = of_environment()
    assert given is not None
    assert (given.method, given.temporary) == ("assume-role", True)
    assert given.ends is not None
    assert given.ends > IN_AN_HOUR - datetime.timedelta(minutes=5)


def test_a_role_that_asks_for_a_code_is_refused_with_the_command_that_helps(monkeypatch, home):
    monkeypatch.setenv("AWS_PROFILE", "work")
    (home / "config").write_text(ASSUMING + "mfa_serial = arn:aws:iam::123456789012:mfa/alice\n")
    with pytest.raises(aws.AwsError) as caught:
        aws.session()
    assert caught.value.code == "MfaRequired"
    told = str(caught.value)
    assert "the profile work asks for a code of arn:aws:iam::123456789012:mfa/alice" in told
    assert 'eval "$(aws configure export-credentials --profile work --format env)" && unset AWS_PROFILE' in told
    # What that command sets goes before the profile.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIATESTING")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    assert of_environment() == Credentials("env", False, None)


SSO = """\
[profile work]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = Benchmarks
"""


def test_a_sign_in_that_is_missing_is_told_with_its_command(monkeypatch, home):
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", str(home))
    monkeypatch.setenv("AWS_PROFILE", "work")
    (home / "config").write_text(SSO)
    with pytest.raises(aws.AwsError, match=r"the sign-in is over or there was none .*: aws sso login --profile work"):
        of_environment()


def test_a_profile_that_cannot_be_is_told(monkeypatch, home):
    monkeypatch.setenv("AWS_PROFILE", "work")
    (home / "config").write_text("[profile work]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = none\n")
    with pytest.raises(aws.AwsError, match=r'source_profile "none" .*: correct the profile in ~/.aws/config'):
        of_environment()


# ---- the way to a code ----

ROLE, DEVICE = {"role_arn": "arn:aws:iam::1:role/x"}, {"mfa_serial": "arn:aws:iam::1:mfa/alice"}
STATIC = {"aws_access_key_id": "x", "aws_secret_access_key": "y"}


@pytest.mark.parametrize(
    ("profiles", "expected"),
    [
        ({}, None),
        ({"work": STATIC}, None),
        ({"work": {**STATIC, **DEVICE}}, None),
        ({"work": {**ROLE, "source_profile": "base"}, "base": STATIC}, None),
        ({"work": {**ROLE, **DEVICE, "source_profile": "base"}, "base": STATIC}, "work"),
        ({"work": {**ROLE, "source_profile": "middle"}, "middle": {**ROLE, **DEVICE, "source_profile": "base"}},
         "middle"),
        # With keys of its own botocore asks for no role of it.
        ({"work": {**ROLE, "source_profile": "middle"}, "middle": {**ROLE, **DEVICE, **STATIC}}, None),
        ({"work": {**ROLE, **DEVICE, "web_identity_token_file": "token"}}, None),
        ({"work": {**ROLE, "source_profile": "work"}}, None),
    ],
)  # fmt: skip
def test_which_profile_asks_for_a_code(profiles, expected):
    role = credentials.mfa_role(profiles, "work")
    assert role == (MfaRole(expected, DEVICE["mfa_serial"]) if expected else None)


# ---- two identities at once ----


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({}, ""),
        ({"AWS_PROFILE": "work"}, ""),
        ({"AWS_PROFILE": "work", "AWS_DEFAULT_PROFILE": "work"}, ""),
        ({"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_PROFILE": ""}, ""),
        (
            {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_PROFILE": "work"},
            "AWS_PROFILE and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY are set: amazon.aws refuses a profile together",
        ),
        ({"AWS_SECRET_KEY": "y", "AWS_DEFAULT_PROFILE": "work"}, "unset AWS_DEFAULT_PROFILE or AWS_SECRET_KEY"),
        ({"AWS_PROFILE": "a", "AWS_DEFAULT_PROFILE": "b"}, "boto3 takes the second and amazon.aws the first"),
    ],
)
def test_two_identities(environ, sentence):
    told = credentials.contradiction(environ)
    assert (sentence in told) if sentence else told == ""


# ---- in the plan ----


def lasting(method: str, minutes_left: float | None, temporary: bool = True) -> tuple[str, str]:
    ends = None if minutes_left is None else NOW + datetime.timedelta(minutes=minutes_left)
    good, doubtful = credentials.told(Credentials(method, temporary, ends), NOW, 66, "aws sso login --profile work")
    return " | ".join(good), " | ".join(doubtful)


def test_what_the_plan_says_of_their_end():
    assert lasting("env", None, temporary=False) == ("", "")
    good, doubtful = lasting("env", None)
    assert good == ""
    assert (
        "a session token (env), and nothing says until when it is good: the run may take up to 66 minutes" in doubtful
    )
    good, doubtful = lasting("env", 30)
    assert good == ""
    assert "the credentials end in 30 minutes, at 2026-11-24 19:30 UTC, nothing renews them" in doubtful
    assert "take new ones before it begins; without them nothing is torn down" in doubtful
    good, doubtful = lasting("env", 180)
    assert good == "the credentials, which are good for 180 minutes, until 2026-11-24 22:00 UTC"
    assert doubtful == ""


def test_what_is_renewed_without_a_person_is_no_worry():
    for method in ("assume-role", "container-role", "custom-process", "iam-role", "assume-role-with-web-identity"):
        good, doubtful = lasting(method, 20)
        assert "good for 20 minutes, until 2026-11-24 19:20 UTC, and are renewed by " in good
        assert doubtful == ""
    good, doubtful = lasting("sso", 20)
    assert "renewed by the sign-in of aws sso login" in good
    assert "begin it anew by aws sso login --profile work" in doubtful
    assert lasting("sso", 120)[1] == ""
