# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application behind the API of the tests: records, rules and what tests ask of it; see server.py."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto import backends
from moto import settings as moto_settings
from moto.moto_server.werkzeug_app import MotoRequestHandler
from support.aws.account import ACCOUNT, NO_ASSUME, Account, known_settings, no_profile
from support.aws.wire import Answer, ApiError, Call, leaves, mistake, parse_answer, read_call, readable, render
from werkzeug.serving import BaseWSGIServer, make_server

CONTROL = "/_cloudbench/"
READS = ("BatchGet", "Describe", "Get", "Head", "List", "Lookup", "Search", "Simulate")

# What an action creates: the members that name it and the error of those that ask for it too early.
CREATED = {
    ("ec2", "CreateVpc"): {"VpcId": "InvalidVpcID.NotFound"},
    ("ec2", "CreateSubnet"): {"SubnetId": "InvalidSubnetID.NotFound"},
    ("ec2", "CreateInternetGateway"): {"InternetGatewayId": "InvalidInternetGatewayID.NotFound"},
    ("ec2", "CreateRouteTable"): {"RouteTableId": "InvalidRouteTableID.NotFound"},
    ("ec2", "CreateSecurityGroup"): {"GroupId": "InvalidGroup.NotFound"},
    ("ec2", "CreateKeyPair"): {"KeyName": "InvalidKeyPair.NotFound", "KeyPairId": "InvalidKeyPair.NotFound"},
    ("ec2", "ImportKeyPair"): {"KeyName": "InvalidKeyPair.NotFound", "KeyPairId": "InvalidKeyPair.NotFound"},
    ("ec2", "CreateLaunchTemplate"): {
        "LaunchTemplateId": "InvalidLaunchTemplateId.NotFound",
        "LaunchTemplateName": "InvalidLaunchTemplateName.NotFoundException",
    },
    ("ec2", "CreatePlacementGroup"): {"GroupName": "InvalidPlacementGroup.Unknown"},
    ("ec2", "CreateVolume"): {"VolumeId": "InvalidVolume.NotFound"},
    ("ec2", "CreateNetworkInterface"): {"NetworkInterfaceId": "InvalidNetworkInterfaceID.NotFound"},
    ("ec2", "AllocateAddress"): {"AllocationId": "InvalidAllocationID.NotFound"},
    ("ec2", "RunInstances"): {
        "InstanceId": "InvalidInstanceID.NotFound",
        "SpotInstanceRequestId": "InvalidSpotInstanceRequestID.NotFound",
    },
    ("iam", "CreateRole"): {"RoleName": "NoSuchEntity"},
    ("iam", "CreatePolicy"): {"PolicyArn": "NoSuchEntity"},
    ("iam", "CreateInstanceProfile"): {"InstanceProfileName": "NoSuchEntity"},
    ("scheduler", "CreateSchedule"): {"Name": "ResourceNotFoundException"},
    ("s3", "CreateBucket"): {"Bucket": "NoSuchBucket"},
}  # fmt: skip

# ---- Rules: faults, and what is not there yet ----


RULE = {
    "service", "action", "when", "skip", "times", "code", "message", "status", "after", "delay", "drop", "eventual",
    "eventual_tags",
}  # fmt: skip


class Rule:
    """See server.py; raises ValueError for one that is none."""

    def __init__(self, given: dict[str, Any]) -> None:
        unknown = sorted(set(given) - RULE)
        if unknown:
            raise ValueError("a rule has no {}; known: {}".format(", ".join(unknown), ", ".join(sorted(RULE))))
        if not {"code", "delay", "drop", "eventual", "eventual_tags"} & set(given):
            raise ValueError("a rule needs code, delay, drop, eventual or eventual_tags")
        self.given = given
        self.late = bool({"eventual", "eventual_tags"} & set(given))
        self.left = given.get("times", None if self.late else 1)
        self.skip = given.get("skip", 0)
        self.fired = 0

    def acts(self, call: Call, params: dict[str, Any]) -> bool:
        """Whether it acts on this request; counts it."""
        for name in ("service", "action"):
            if not fnmatch.fnmatchcase(getattr(call, name), self.given.get(name, "*")):
                return False
        if self.late and (call.service, call.action) not in CREATED:
            return False
        for member, pattern in self.given.get("when", {}).items():
            if not any(
                name == member and fnmatch.fnmatchcase(text, str(pattern)) for name, text, _at in leaves(params)
            ):
                return False
        if self.left == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.left is not None:
            self.left -= 1
        self.fired += 1
        return True

    def error(self) -> ApiError | None:
        """The error it answers, if it does."""
        code = self.given.get("code")
        return ApiError(code, self.given.get("message", ""), self.given.get("status")) if code else None


class Late:
    """What lasts for a number of requests, or for "N s"."""

    def __init__(self, eventual: Any) -> None:
        number = float(str(eventual).rstrip(" s"))
        self.requests = 0 if isinstance(eventual, str) else int(number)
        self.until = time.monotonic() + number if isinstance(eventual, str) else 0.0

    def lasts(self) -> bool:
        """Whether it lasts for this request still; counts it."""
        lasts = bool(self.requests) or time.monotonic() < self.until
        self.requests = max(self.requests - 1, 0)
        return lasts


class Hidden(Late):
    """A thing that was just created and is not found yet."""

    def __init__(self, name: str, value: str, code: str, eventual: Any) -> None:
        super().__init__(eventual)
        self.name, self.value, self.code = name, value, code

    def error(self, call: Call, params: dict[str, Any]) -> ApiError | dict[str, Any] | None:
        """What a request that names it in `params` gets: an error, nothing found, or None where it does not."""
        if (call.service, call.action) in CREATED and self.name in CREATED[call.service, call.action]:
            return None
        named: ApiError | dict[str, Any] | None = None
        for name, text, path in leaves(params):
            arn, profile = text.rpartition("/")[2] == self.value, "IamInstanceProfile" in (name, *path)
            if self.name == "InstanceProfileName" and call.action == "RunInstances" and arn and profile:
                named = ApiError("InvalidParameterValue", no_profile(name, text))
            elif self.name == "RoleName" and arn and name == "RoleArn":
                named = ApiError("ValidationException", NO_ASSUME)
            elif text == self.value and "Filters" in path:
                output = call.operation.output_shape.members if call.operation else {}
                named = {member: [] for member, shape in output.items() if shape.type_name == "list"}
            elif text == self.value and (self.name.endswith("Id") or name in (self.name, self.name + "s")):
                named = ApiError(self.code, f"The {self.name} '{self.value}' does not exist")
        return named if named is not None and self.lasts() else None


class Untagged(Late):
    """A thing in a region that EC2's index of tags does not know yet."""

    def __init__(self, value: str, region: str, eventual: Any) -> None:
        super().__init__(eventual)
        self.value, self.region = value, region


class Application:
    """WSGI: one request after the other, recorded, through the rules, to the account."""

    def __init__(self, state: Path, settings: dict[str, Any]) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self.log = (state / "requests.jsonl").open("a+", encoding="utf-8")
        self.lock = threading.Lock()
        self.account = Account(settings)
        self.records: list[dict[str, Any]] = []
        self.rules: list[Rule] = []
        self.hidden: list[Hidden] = []
        self.untagged: list[Untagged] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """Answer one request, as WSGI has it."""
        answer = (self.control if environ["PATH_INFO"].startswith(CONTROL) else self.serve)(environ)
        start_response(f"{answer.status} {'OK' if answer.status < 300 else 'Error'}", answer.headers)
        return [answer.body]

    def serve(self, environ: dict[str, Any]) -> Answer:
        """The answer of AWS, unless a rule has another one."""
        started = time.time()
        with self.lock:
            call = read_call(environ)
            injected = False
            params = call.params
            with contextlib.suppress(Exception):  # the answer will say what is wrong with it
                params = self.account.full_params(call)
            rule = next((rule for rule in self.rules if rule.acts(call, params)), None)
            given = rule.given if rule else {}
            error = rule.error() if rule else None
            late = (of.error(call, params) for of in self.hidden)
            hidden = next((found for found in late if found is not None), None)
            if rule and not given.get("after") and (error or given.get("drop")):
                answer, injected = render(call, error or ApiError("InternalError")), True
            elif hidden is not None:
                answer, injected = render(call, hidden), True
            else:
                with self.account.untagged(call.region, self.not_indexed(call)):
                    answer = self.account.answer(call)
                if answer.status < 300 and (call.service, call.action) in CREATED:
                    self.account.tag_created(call, self.created(call, answer))
                if rule and rule.late and answer.status < 300:
                    self.hide(call, answer, given)
                if error or given.get("drop"):
                    answer, injected = render(call, error or ApiError("InternalError")), True
            self.record(call, started, answer, injected, bool(given.get("drop")))
        if given.get("delay"):
            time.sleep(given["delay"])
        if given.get("drop"):
            with contextlib.suppress(OSError):
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionError("dropped on purpose")
        return answer

    def created(self, call: Call, answer: Answer) -> list[tuple[str, str]]:
        """The members of request and answer that name what was created, with their values."""
        names = CREATED[call.service, call.action]
        said = leaves([call.params, parse_answer(call, answer)])
        return sorted({(name, text) for name, text, _path in said if name in names})

    def not_indexed(self, call: Call) -> list[str]:
        """The ids that a request which looks for tags does not find."""
        filters = call.params.get("Filters") or []
        if call.service != "ec2" or not any(str(one.get("Name")).startswith("tag") for one in filters):
            return []
        return [late.value for late in self.untagged if late.region == call.region and late.lasts()]

    def hide(self, call: Call, answer: Answer, given: dict[str, Any]) -> None:
        """Remember what was created as not found yet, or as not found by its tags."""
        created = CREATED[call.service, call.action]
        seen = {(name, text) for name, text, _path in leaves([parse_answer(call, answer), call.params])}
        told = {text for _name, text, _path in leaves(call.params)}
        for name, text in sorted(seen):
            if name not in created or (name.endswith("Id") and text in told):
                continue
            if "eventual" in given:
                self.hidden.append(Hidden(name, text, created[name], given["eventual"]))
            if "eventual_tags" in given:
                self.untagged.append(Untagged(text, call.region, given["eventual_tags"]))

    def record(self, call: Call, started: float, answer: Answer, injected: bool, dropped: bool) -> None:
        """Write a request down."""
        error = parse_answer(call, answer).get("Error", {}) if answer.status >= 300 else {}
        record = {
            "time": datetime.fromtimestamp(started, UTC).isoformat(timespec="milliseconds"),
            "service": call.service,
            "action": call.action,
            "region": call.region,
            "params": readable(call.params),
            "write": not call.action.startswith(READS) and call.service != "sts" and not call.params.get("DryRun"),
            "status": None if dropped else answer.status,
            "error_code": None if dropped else error.get("Code"),
            "injected": injected,
        }
        self.records.append(record)
        self.log.write(json.dumps(record) + "\n")
        self.log.flush()

    def control(self, environ: dict[str, Any]) -> Answer:
        """What the tests ask of the server itself."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"][len(CONTROL) :]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            given = json.loads(body) if body else None
            with self.lock:
                status, result = 200, self.controls(method, path, given)
        except ValueError as error:
            status, result = 400, {"error": str(error)}
        except Exception as error:
            status, result = 500, {"error": mistake(error).message}
        return Answer(status, [("Content-Type", "application/json")], json.dumps(result).encode())

    def controls(self, method: str, path: str, given: Any) -> Any:
        """The answer to `control`; raises ValueError for what there is not."""
        account = self.account
        if (method, path) == ("GET", "requests"):
            return self.records
        if (method, path) == ("GET", "leftovers"):
            return account.leftovers()
        if path == "settings":
            account.settings.update(known_settings(given or {}))
            return account.settings
        if path == "faults":
            if method == "POST":
                self.rules.extend([Rule(rule) for rule in given])
            if method == "DELETE":
                self.rules, self.hidden, self.untagged = [], [], []
            return [{**rule.given, "fired": rule.fired} for rule in self.rules]
        if (method, path) == ("POST", "terminate"):
            return account.take_away(given["instance"], given.get("reason"), bool(given.get("forgotten")))
        if (method, path) == ("POST", "expire"):
            return account.expire()
        if (method, path) == ("POST", "shutdown"):
            return {"usec": account.shutdown_of(given["address"], given.get("cancel", False))}
        if (method, path) == ("POST", "reset"):
            account.forget()
            self.records, self.rules, self.hidden, self.untagged = [], [], [], []
            self.log.truncate(0)
            return {}
        raise ValueError(f"{method} {CONTROL}{path} is nothing this server knows")


class Handler(MotoRequestHandler):
    """HTTP without a log: the records say it."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Write nothing."""


def serve(state: Path, port: int, settings: dict[str, Any]) -> BaseWSGIServer:
    """The server, which serves already; raises ValueError for a setting there is not and OSError."""
    os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT  # else moto looks for it in the IAM of each partition
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # over a thousand of ECS; the account loads those of EC2
    moto_settings.EC2_ENABLE_INSTANCE_TYPE_VALIDATION = True
    moto_settings.ENABLE_AMI_VALIDATION = True
    services = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: services  # else it lists its folder for each request
    application = Application(state, settings)
    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
