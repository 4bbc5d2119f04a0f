# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A place in S3 to which objects are only added: each is written once, under the condition that it is not there.

Nothing here deletes, overwrites, creates a bucket, opens it or encrypts: that is its owner's.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import s3
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.names import (
    MARKER,
    MARKER_CONTENT,
    Place,
    SharedError,
)

# Requests at the same time: S3 takes thousands a second, and a controller has other things to do.
WORKERS = 8
# Seconds after which a name is asked for again that another was writing at the same moment.
_PAUSES = (0.1, 0.5, 2.0)
_CONDITION = "conditional writes (If-None-Match: *)"
_ELSEWHERE = "the bucket is in another region than was asked: set AWS_REGION to that of the bucket"
_OF_BUCKETS = {
    "NoSuchBucket": "there is no such bucket: correct its name, or create it first; none is created here",
    "AuthorizationHeaderMalformed": _ELSEWHERE,
    "IllegalLocationConstraintException": _ELSEWHERE,
    "PermanentRedirect": _ELSEWHERE,
    "TemporaryRedirect": _ELSEWHERE,
    "301": _ELSEWHERE,
}


class Stored(NamedTuple):
    """An object: its name below the prefix, and its bytes."""

    key: str
    size: int


class Bucket:
    """Objects below a place. Its methods may be called by several threads. They raise AwsError and SharedError."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._client = s3.client_of(place.bucket, max_pool_connections=WORKERS)

    def listing(self, below: str) -> Iterator[Stored]:
        """Return the objects whose names begin with `below`, by name; what a console makes of a folder is none."""
        prefix = f"{self.place.prefix}{below}"
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.place.bucket, Prefix=prefix)
        with self._asked("s3:ListBucket"):
            for page in pages:
                for entry in page.get("Contents") or []:
                    if not entry["Key"].endswith("/"):
                        yield Stored(entry["Key"][len(self.place.prefix) :], int(entry["Size"]))

    def get(self, key: str, most: int) -> bytes:
        """Return the content of an object. Raises SharedError where it has more than `most` bytes."""
        with self._asked("s3:GetObject"):
            answer = self._client.get_object(Bucket=self.place.bucket, Key=f"{self.place.prefix}{key}")
            content: bytes = answer["Body"].read(most + 1)
        if len(content) > most:
            raise SharedError(f"it has more than the {most} bytes that an object of its kind may")
        return content

    def add(self, key: str, content: bytes) -> bool:
        """Write an object unless one of that name is there; return whether it was written."""
        for pause in (*_PAUSES, None):
            try:
                with self._asked("s3:PutObject"):
                    self._client.put_object(
                        Bucket=self.place.bucket,
                        Key=f"{self.place.prefix}{key}",
                        Body=content,
                        IfNoneMatch="*",
                        # What arrives is what was sent, or the bucket refuses it.
                        ChecksumSHA256=base64.b64encode(hashlib.sha256(content).digest()).decode("ascii"),
                    )
            except aws.AwsError as error:
                if error.status == 412:
                    return False
                if error.status == 501:
                    raise self._unconditional("refuses") from error
                # Another is writing that very name.
                if error.status != 409 or pause is None:
                    raise
                time.sleep(pause)
            else:
                return True
        raise AssertionError("the last try returns or raises")

    def prove(self) -> None:
        """See that this is a place for results, or make it one, and that what is there is not overwritten.

        A server that ignores the condition would answer that it has written what is there already.
        """
        if self.add(MARKER, MARKER_CONTENT) and self.add(MARKER, MARKER_CONTENT):
            raise self._unconditional("ignores")
        self.known()

    def known(self) -> None:
        """See that results of this form were shared here."""
        try:
            content = self.get(MARKER, 4096)
        except aws.AwsError as error:
            if error.status != 404:
                raise
            raise SharedError(f"nothing was ever shared at {self.place}: correct the place, or share first") from error
        if content != MARKER_CONTENT:
            raise SharedError(
                f"what is at {self.place} was shared in another form ({MARKER} differs): update the collection, or "
                "name another prefix"
            )

    def _unconditional(self, does: str) -> SharedError:
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "the endpoint"
        return SharedError(
            f"{self.place}: {endpoint} {does} {_CONDITION}, so that one could overwrite what another has shared: "
            "use a bucket of S3, or a server that has them"
        )

    @contextlib.contextmanager
    def _asked(self, action: str) -> Iterator[None]:
        """aws.asked, with the place before what AWS says, and sentences for what is only said of buckets."""
        try:
            with aws.asked(action):
                yield
        except aws.AwsError as error:
            said = _OF_BUCKETS.get(error.code) or str(error)
            raise aws.AwsError(f"{self.place}: {said}", error.code, error.status) from error
