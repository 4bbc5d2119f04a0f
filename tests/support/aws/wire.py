# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests, results and errors of AWS in each of its protocols, by botocore's service models; see server.py."""

from __future__ import annotations

import contextlib
import io
import traceback
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

import botocore.parsers
import botocore.serialize
from botocore.exceptions import BotoCoreError
from moto.core.exceptions import ServiceException
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import XFormedAttributePicker, get_serializer_class
from moto.ec2.responses import EC2Response
from werkzeug.exceptions import HTTPException

# What signs a request as something else than boto3 calls it.
SIGNED_AS = {"servicequotas": "service-quotas", "tagging": "resourcegroupstaggingapi"}

# The status of an error that is no plain 400; for IAM the service model says it.
STATUS = {
    "AccessDenied": 403, "AuthFailure": 401, "DryRunOperation": 412, "ExpiredToken": 403,
    "InsufficientInstanceCapacity": 500, "InternalError": 500, "InternalFailure": 500, "InvalidClientTokenId": 403,
    "NoSuchBucket": 404, "NoSuchEntity": 404, "OptInRequired": 401, "RequestLimitExceeded": 503,
    "ServiceUnavailable": 503, "SignatureDoesNotMatch": 403, "SlowDown": 503, "UnauthorizedOperation": 403,
    "Unavailable": 503, "UnrecognizedClientException": 403,
}  # fmt: skip


class ApiError(ServiceException):
    """An answer of AWS that is an error."""

    def __init__(self, code: str, message: str = "", status: int | None = None) -> None:
        super().__init__(code, message or f"{code} was asked for by the test")
        self.status = status or STATUS.get(code)


def mistake(error: Exception) -> ApiError:
    """The answer where this server itself fails, which it also says on its standard error."""
    traceback.print_exception(error)
    return ApiError("MistakeOfTheTestServer", repr(error), 400)  # which no client tries again


class Answer(NamedTuple):
    """An answer of HTTP."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Call(NamedTuple):
    """A request to AWS. `operation` is None where botocore does not know its service or action."""

    service: str
    action: str
    region: str
    params: dict[str, Any]
    operation: OperationModel | None
    protocol: str
    environ: dict[str, Any]


def read_call(environ: dict[str, Any]) -> Call:
    """The request in `environ`, whose body is read and put back."""
    if environ.get("CONTENT_LENGTH"):
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    else:
        body = environ["wsgi.input"].read() if environ.get("wsgi.input_terminated") else b""
    _put_body(environ, body)
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    request = Request(dict(environ))
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0]
    parts = (scope or request.args.get("X-Amz-Credential", "")).split("/")
    region, service = (parts[2], SIGNED_AS.get(parts[3], parts[3])) if len(parts) == 5 else ("us-east-1", "s3")
    try:
        operation, labels = get_service_router(service).match(request)
        protocol = determine_request_protocol(operation.service_model, request.content_type)
        parsed = PROTOCOL_PARSERS[protocol](operation, blob_parser=lambda value: value).parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.get_data(),
                "url_path": request.path,
                "url_params": labels,
            }
        )
    except (BotoCoreError, HTTPException, NotImplementedError, KeyError, ValueError):
        target = environ.get("HTTP_X_AMZ_TARGET", f"{request.method} {request.path}").rpartition(".")[2]
        return Call(service, request.values.get("Action", target), region, {}, None, "", environ)
    finally:
        _put_body(environ, body)
    return Call(service, str(operation.name), region, dict(parsed or {}), operation, protocol, environ)


def _put_body(environ: dict[str, Any], body: bytes) -> None:
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))


def write_call(call: Call) -> dict[str, Any]:
    """The environ of the same request with the parameters the call has now; for the protocol of EC2."""
    serializer = botocore.serialize.create_serializer(call.protocol, include_validation=False)
    body = urlencode(serializer.serialize_to_request(call.params, call.operation)["body"]).encode()
    environ = dict(call.environ)
    _put_body(environ, body)
    return environ


def render(call: Call, result: Any) -> Answer:
    """`result`, a dictionary, an object of moto or an exception, in the protocol of the call."""
    if call.operation is None:
        return Answer(getattr(result, "status", None) or 400, [("Content-Type", "text/plain")], str(result).encode())
    picker = XFormedAttributePicker(response_transformers=EC2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a code that the service model does not name is no mistake here
        made = get_serializer_class(call.service, call.protocol)(call.operation, value_picker=picker).serialize(result)
    status = getattr(result, "status", None) or made["status_code"]
    body = made["body"] if isinstance(made["body"], bytes) else made["body"].encode()
    headers = dict(made["headers"])
    headers.setdefault("Content-Type", "text/xml")
    return Answer(status, list(headers.items()), b"" if call.environ["REQUEST_METHOD"] == "HEAD" else body)


def parse_answer(call: Call, answer: Answer) -> dict[str, Any]:
    """What boto3 would make of the answer, errors included."""
    if call.operation is None:
        return {}
    headers = {name.lower(): value for name, value in answer.headers}
    parser = botocore.parsers.create_parser(call.protocol)
    with contextlib.suppress(botocore.parsers.ResponseParserError):
        parsed: dict[str, Any] = parser.parse(
            {"headers": headers, "status_code": answer.status, "body": answer.body}, call.operation.output_shape
        )
        return parsed
    return {}


def leaves(value: Any, name: str = "", path: tuple[str, ...] = ()) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Each text or number in `value` with the name of the member that holds it and the names around that."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, str(key), (*path, name))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item, name, path)
    elif value is not None:
        yield name, str(value), path


def readable(value: Any) -> Any:
    """`value` for JSON."""
    if isinstance(value, dict):
        return {key: readable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [readable(item) for item in value]
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if value is None or isinstance(value, (str, int, float)):
        return value
    return value.isoformat() if isinstance(value, datetime) else f"a {type(value).__name__}"
