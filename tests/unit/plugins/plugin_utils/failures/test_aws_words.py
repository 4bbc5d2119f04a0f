# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of what AWS answers, and of what it does not."""

from __future__ import annotations

import pytest
from botocore import exceptions

from ansible_collections.cloudbench.llama.plugins.plugin_utils.failures import aws_words


def refusal(code, message="", status=400):
    return exceptions.ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, "RunInstances"
    )


WHO = "arn:aws:iam::123456789012:user/alice"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            refusal("UnauthorizedOperation", "You are not authorized to perform this operation.", 403),
            "ec2:RunInstances: the credentials are good, but not for this: allow ec2:RunInstances to the caller",
        ),
        (
            refusal("AccessDenied", f"User: {WHO} is not authorized to perform: iam:PassRole on resource: role x", 403),
            f"allow iam:PassRole to {WHO}",
        ),
        (
            refusal(
                "UnauthorizedOperation",
                f"User: {WHO} is not authorized to perform: ec2:RunInstances on resource: x with an explicit deny in a "
                "service control policy. Encoded authorization failure message: 4JmYpxvE",
                403,
            ),
            f"allow ec2:RunInstances to {WHO}, and lift the explicit deny of a policy or of the organisation, which",
        ),
        (
            refusal("ExpiredToken", "The security token is expired", 403),
            "credentials have expired (ExpiredToken): ",
        ),
        (refusal("RequestExpired", "Request has expired."), "have expired (RequestExpired): renew them (aws sso login"),
        (refusal("InvalidClientTokenId", "", 403), "AWS does not accept the credentials (InvalidClientTokenId): give "),
        (refusal("AuthFailure", "", 401), "the region is not switched on for the account"),
        (
            refusal("SignatureDoesNotMatch", "Signature expired: 20260101T000000Z is now earlier than", 403),
            "set the clock of the controller right",
        ),
        (refusal("OptInRequired", "You are not subscribed", 401), "switch the service or the region on"),
        (refusal("RequestLimitExceeded", "", 503), "asked too often (RequestLimitExceeded): wait some minutes"),
        (refusal("ThrottlingException"), "AWS answered 4 times that it is asked too often"),
        (refusal("InsufficientInstanceCapacity", "", 500), "name other zones, other types or the other market"),
        (
            refusal("VcpuLimitExceeded", "You have requested more vCPU capacity."),
            "a quota of the account is used up (VcpuLimitExceeded: You have requested more vCPU capacity): free",
        ),
        (
            refusal("InsufficientFreeAddressesInSubnet", "Not enough free addresses in subnet subnet-1"),
            "in subnet subnet-1): name another one in ec2_environment_subnet_ids, or ask for fewer instances",
        ),
        (refusal("MaxSpotInstanceCountExceeded"), "a quota of the account is used up"),
        (refusal("InternalError", "", 500), "AWS failed 4 times (500 InternalError): run again"),
        (
            refusal("InvalidParameterValue", "Value (x) is wrong."),
            "answers InvalidParameterValue: Value (x) is wrong",
        ),
        (exceptions.NoCredentialsError(), "there are no credentials: give those of the controller by aws configure"),
        (
            exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
            "the credentials are incomplete",
        ),
        (
            exceptions.ProfileNotFound(profile="work"),
            "profile (work) could not be found: correct AWS_PROFILE",
        ),
        (exceptions.UnauthorizedSSOTokenError(), "the sign-in is over or there was none ("),
        (
            exceptions.TokenRetrievalError(provider="sso", error_msg="Token has expired"),
            "): aws sso login, and run again",
        ),
        (exceptions.LoginRefreshRequired(), "): aws login, and run again"),
        (
            exceptions.CredentialRetrievalError(provider="assume-role", error_msg="no"),
            "the credentials cannot be had (Error when retrieving credentials from assume-role: no): renew them",
        ),
        (
            refusal("InvalidParameterCombination", "The specified instance type is not eligible for Free Tier."),
            "which does not launch this type (InvalidParameterCombination): put it on the paid plan (aws freetier",
        ),
        (refusal("InvalidParameterCombination", "x and y."), "AWS answers InvalidParameterCombination: x and y"),
        (
            refusal(
                "AccessDenied", f"User: {WHO} is not authorized to perform: iam:CreateRole on resource: role x", 403
            ),
            "with a permissions boundary alone, ec2_environment_permissions_boundary is its ARN",
        ),
        (exceptions.NoRegionError(), "name a region, such as us-east-1, or set AWS_REGION"),
        (exceptions.ConnectTimeoutError(endpoint_url="https://x"), "no answer in time"),
        (exceptions.ReadTimeoutError(endpoint_url="https://x"), "no answer in time"),
        (
            exceptions.EndpointConnectionError(endpoint_url="https://x"),
            "AWS cannot be reached (Could not connect",
        ),
        (exceptions.WaiterError(name="w", reason="Max attempts exceeded", last_response={}), "did not come"),
        (exceptions.UnknownServiceError(service_name="x", known_service_names=""), "UnknownServiceError: "),
    ],
)
def test_words(error, sentence, monkeypatch):
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    told = aws_words.words(error, "ec2:RunInstances", "4 times")
    assert told.startswith("ec2:RunInstances: ")
    assert sentence in told
    assert "\n" not in told


def test_the_models_of_the_services_are_read_once(monkeypatch):
    said = "An error occurred (X) when calling the Operation%d operation: x"
    assert aws_words.retold(said % 0) == "AWS:Operation0: AWS answers X: x"
    monkeypatch.delattr(aws_words.botocore.session, "Session")
    assert all(aws_words.retold(said % number) for number in range(500))
