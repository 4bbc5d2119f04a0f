# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of AWS, and what is said when it refuses."""

from __future__ import annotations

import re
import socket

import pytest
from botocore import exceptions

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.client import AwsError


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """No credentials, profile or region but those that a test sets."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


def refusal(code, message="", status=400):
    return exceptions.ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, "RunInstances"
    )


def test_an_error_keeps_what_a_program_asks_for():
    with pytest.raises(AwsError) as caught, aws.asked("iam:GetRole"):
        raise refusal("NoSuchEntity", "The role with name x cannot be found.", 404)
    error = caught.value
    assert (error.code, error.status, error.denied, error.missing, error.no_credentials) == (
        "NoSuchEntity", 404, False, True, False,
    )  # fmt: skip
    for code, missing in {
        "InvalidVpcID.NotFound": True,
        "InvalidKeyPair.NotFound": True,
        "InvalidLaunchTemplateName.NotFoundException": True,
        "ResourceNotFoundException": True,
        "ParameterNotFound": True,
        "DependencyViolation": False,
    }.items():
        assert AwsError("", code).missing is missing, code
    assert AwsError("", "UnauthorizedOperation").denied
    assert AwsError("", "NoCredentialsError").no_credentials


def test_what_is_no_error_of_aws_passes():
    with pytest.raises(KeyError), aws.asked("ec2:RunInstances"):
        raise KeyError("x")


@pytest.mark.parametrize(
    ("given", "first", "second", "expected"),
    [
        ("eu-west-1", "us-east-1", "us-west-2", "eu-west-1"),
        ("", "us-east-1", "us-west-2", "us-east-1"),
        ("", "", "us-west-2", "us-west-2"),
        ("", "", "", "eu-central-1"),
        ("us-gov-east-1", "us-east-1", "", "us-gov-east-1"),
        ("us-gov-west-1", "", "", "us-gov-west-1"),
    ],
)
def test_the_region(monkeypatch, environment, given, first, second, expected):
    (environment / "config").write_text("[default]\nregion = eu-central-1\n")
    monkeypatch.setenv("AWS_REGION", first)
    monkeypatch.setenv("AWS_DEFAULT_REGION", second)
    if not second:
        monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert aws.region(given) == expected


def test_no_region_and_a_wrong_one(monkeypatch):
    with pytest.raises(AwsError, match="no region is given: name one, such as us-east-1, or set AWS_REGION"):
        aws.region()
    with pytest.raises(AwsError, match=r"'us-esat-1' is no region that this boto3 knows; the nearest: .*us-east-1, "):
        aws.region("us-esat-1")
    for region, partition in {"cn-north-1": "aws-cn", "us-iso-east-1": "aws-iso", "eusc-de-east-1": "aws-eusc"}.items():
        sentence = f"{region} is a region of the partition {partition}, where nothing of this was made or tried: name"
        with pytest.raises(AwsError, match=re.escape(sentence)):
            aws.region(region)
    monkeypatch.setenv("AWS_PROFILE", "work")
    with pytest.raises(AwsError, match=re.escape("profile (work) could not be found: correct AWS_PROFILE")):
        aws.region()


def test_without_boto3(monkeypatch):
    monkeypatch.setattr(aws, "boto3", None)
    aws.regions.cache_clear()
    try:
        assert aws.region("us-east-1") == "us-east-1"
        with pytest.raises(AwsError, match="boto3, which this Python of the controller lacks"):
            aws.client("ec2", "us-east-1")
    finally:
        aws.regions.cache_clear()


def test_models_of_services_are_read_once_and_credentials_anew(monkeypatch):
    def keys(session):
        return session.get_credentials().access_key, session.client("sts", "us-east-1").meta.service_model

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "first")
    first, model = keys(aws.session())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "second")
    second, again = keys(aws.session())
    assert (first, second) == ("first", "second")
    assert again.metadata is model.metadata
    paths = [aws.session("us-east-1")._session.get_component("data_loader").search_paths for _time in range(3)]
    assert len(paths[0]) == len(set(paths[0]))


def test_models_below_a_path_of_the_environment_are_read(monkeypatch, environment):
    aws.session()
    monkeypatch.setenv("AWS_DATA_PATH", str(environment / "models"))
    assert str(environment / "models") in aws.session()._session.get_component("data_loader").search_paths


def test_no_request_without_end(monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "50")
    settings = aws.client("ec2", "us-east-1").meta.config
    assert settings.retries["mode"] == "standard"
    assert settings.retries["total_max_attempts"] == aws.ATTEMPTS
    assert (settings.connect_timeout, settings.read_timeout) == (aws.CONNECT_S, aws.READ_S)


def test_the_endpoint_and_the_credentials_are_those_of_the_environment(monkeypatch):
    with pytest.raises(AwsError, match="there are no credentials") as caught, aws.asked("ec2:DescribeVpcs"):
        aws.client("ec2", "us-east-1").describe_vpcs()
    assert caught.value.no_credentials
    with socket.socket() as unused:
        # Bound and not listening: whoever connects is refused.
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setattr(aws, "ATTEMPTS", 1)
        with pytest.raises(AwsError, match=re.escape(f"and AWS_ENDPOINT_URL ({endpoint})")), aws.asked("ec2:X"):
            aws.client("ec2", "us-east-1").describe_vpcs()


@pytest.mark.parametrize(
    ("arn", "owner"),
    [
        ("arn:aws:iam::123456789012:user/alice", "alice"),
        ("arn:aws:iam::123456789012:user/team/alice", "alice"),
        ("arn:aws:sts::123456789012:assumed-role/Admin/alice@example.com", "alice@example.com"),
        ("arn:aws:sts::123456789012:assumed-role/Bench/botocore-session-1796000000", "Bench"),
        ("arn:aws:sts::123456789012:assumed-role/Bench/i-0123456789abcdef0", "Bench"),
        ("arn:aws:sts::123456789012:assumed-role/Bench/0123456789abcdef0123456789abcdef", "Bench"),
        ("arn:aws:iam::123456789012:root", "root"),
    ],
)
def test_the_owner(arn, owner):
    assert aws.owner_of(arn) == owner
