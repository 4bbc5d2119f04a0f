# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients for a bucket of S3, and an address by which a host may download one object without any credential."""

from __future__ import annotations

from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # presign says so

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws

# Long enough for 140 GB at 30 Mbit/s; what temporary credentials sign ends with them.
EXPIRES_S = 12 * 3600


class S3Error(ValueError):
    """An object that cannot be had; the message says why and what to do."""


def presign(address: str) -> tuple[str, int]:
    """Return a signed address (a secret) of the object s3://BUCKET/KEY, and its size in bytes.

    Credentials, profile, region and AWS_ENDPOINT_URL are those of this process. The object is asked for first, so that
    what is wrong is told here and not by the host. Raises S3Error.
    """
    if not aws.installed():
        raise S3Error(f"{address} needs boto3 on the controller; install it there (requirements.txt has it)")
    bucket, _slash, key = address[len("s3://") :].partition("/")
    if not address.startswith("s3://") or not bucket or not key:
        raise S3Error(f"{address!r:.100} is no object; write s3://BUCKET/KEY")
    try:
        client = _client(_region(bucket)[0])
        size = client.head_object(Bucket=bucket, Key=key)["ContentLength"]
        url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=EXPIRES_S)
    except ClientError as error:
        raise S3Error(f"{address}: {_reason(error, bucket)}") from error
    except BotoCoreError as error:
        raise S3Error(
            f"{address} cannot be asked for: {error}; give credentials and region of the controller by aws configure, "
            "or AWS_PROFILE, or AWS_ACCESS_KEY_ID and its kin"
        ) from error
    except aws.AwsError as error:
        raise S3Error(f"{address} cannot be asked for: {error}") from error
    return url, size


def client_of(bucket: str, **settings: Any) -> Any:
    """Return a client that signs for the region of a bucket; `settings`: more of botocore's Config.

    Raises S3Error where there is no such bucket, and AwsError where nobody can be asked.
    """
    aws.need()
    with aws.asked("s3:ListBucket"):
        region, status = _region(bucket)
    if status == 404:
        raise S3Error(f"there is no bucket {bucket}: correct its name, or create it first; none is created here")
    return _client(region, **settings)


def _client(region: str | None, **settings: Any) -> Any:
    # Version 4: the only signature every region takes. Virtual-hosted names where the endpoint has them.
    return aws.client("s3", region, signature_version="s3v4", **settings)


def _region(bucket: str) -> tuple[str | None, int]:
    """The region of the bucket, which a signature names, None where it is not told; and the status of the answer."""
    client = _client(None)
    try:
        answer = client.head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response
    told = answer.get("ResponseMetadata", {})
    region = told.get("HTTPHeaders", {}).get("x-amz-bucket-region")
    return str(region or client.meta.region_name or "") or None, int(told.get("HTTPStatusCode") or 0)


def _reason(error: Any, bucket: str) -> str:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status == 404:
        return "there is no such object; correct bucket and key"
    if status == 403:
        return f"the credentials of the controller may not read it; allow them s3:GetObject on {bucket}"
    code = error.response.get("Error", {}).get("Code")
    return f"S3 answers {status} ({code}); check the bucket and AWS_ENDPOINT_URL"
