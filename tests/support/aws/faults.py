# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of faults of the API of EC2, and what is left of a run that meets one.

Each provisions a run of one instance from an account of its own on the server that imitates AWS (server.py), or tears
one down, meets its fault, and gives the same command again once nothing is wrong any more; then all is given back.
Judged is what hosts/chaos.py judges, by what there can be of it: records lost are those that the store no longer has,
launches doubled are instances that a run has beyond the one it asked for, after the first command or the second, and
left behind is what the account has then.

Used by `make chaos` (tools/chaos.py) and by the scenario `aws`.
"""

from __future__ import annotations

import re
import signal
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from support.aws.accounts import LOG, PROJECT, Account
from support.aws.server import AwsServer
from support.hosts import interruptions
from support.hosts.chaos import Outcome, said

TYPE = "c7g.16xlarge"
# Longer than any of them may last, in seconds.
PATIENCE = 500.0
# What a run consists of, by the names of the server's leftovers.
WHOLE = [
    "instance", "internet-gateway", "key-pair", "launch-template", "role", "route-table",
    "schedule", "security-group", "subnet", "vpc",
]  # fmt: skip


class ApiFault(NamedTuple):
    """One row of the table.

    `rules`: what the server does (server.py). `fails`: whether the command must fail. `told`: what its output must
    match, and so must a record of failure where provisioning fails by itself. `playbook`: the command. `ended`: an
    action, once it is asked for, and what then happens: a signal that ends the command, a further rule of the server,
    or None: the instance is taken away. `long`: whether it takes more than a minute.
    """

    name: str
    what: str
    rules: tuple[dict[str, Any], ...]
    fails: bool
    told: str = ""
    playbook: str = "provision"
    variables: dict[str, Any] = {}  # noqa: RUF012
    ended: tuple[str, signal.Signals | dict[str, Any] | None] | None = None
    long: bool = False


def _refused(action: str, code: str, times: int | None = None, **more: Any) -> dict[str, Any]:
    return {"action": action, "code": code, "times": times, **more}


OTHER_ARCHITECTURE = (
    "The architecture 'x86_64' of the specified image does not match the architecture 'arm64' of the specified "
    "instance type."
)
# With it the instances have a role and a profile, which EC2 hears of only later.
BUCKET = {"ec2_environment_results_bucket": "results-of-somebody"}
SPOT = {"ec2_environment_instances": [{"type": TYPE, "market": "spot"}]}
ONE_ZONE = {"ec2_environment_instances": [{"type": TYPE, "zones": ["us-east-1a"]}]}
FAULTS = (
    ApiFault("api-throttled", "EC2 asked too often, 3 times each", (
        _refused("CreateVpc", "RequestLimitExceeded", 3), _refused("RunInstances", "RequestLimitExceeded", 3),
    ), fails=False),
    ApiFault("api-error", "EC2 fails by itself, once each", (
        _refused("CreateVpc", "InternalError", 1), _refused("RunInstances", "InternalError", 1),
    ), fails=False),
    ApiFault("api-launched-error", "EC2 launches, and says that it failed", (
        _refused("RunInstances", "InternalError", 1, after=True),
    ), fails=False),
    ApiFault("api-cut", "EC2 launches, and the connection breaks before it says so", (
        {"action": "RunInstances", "drop": True, "after": True},
    ), fails=False),
    ApiFault("api-late", "what was made is not found by the first 2 requests", ({"eventual": 2},), fails=False,
             variables=BUCKET),
    ApiFault("api-late-iam", "what IAM made is not found for 4 s", ({"service": "iam", "eventual": "4 s"},),
             fails=False, variables=BUCKET),
    ApiFault("api-late-tags", "the index of tags is late", ({"action": "RunInstances", "eventual_tags": 4},),
             fails=False),
    ApiFault("api-silent", "no answer", ({"action": "GetCallerIdentity", "delay": 21, "times": None},), fails=True,
             told="sts:GetCallerIdentity: no answer in time .* check the network", long=True),
    ApiFault("api-expired", "credentials expire", (_refused("*", "ExpiredToken"),), fails=True,
             told=r"the credentials have expired \(ExpiredToken\): renew them"),
    ApiFault("api-expired-midway", "credentials expire once the launch is asked for",
             ({"action": "RunInstances", "delay": 2},), fails=True,
             told=r"the credentials have expired \(ExpiredToken\): renew them",
             ended=("RunInstances", _refused("*", "ExpiredToken"))),
    ApiFault("api-throttled-ever", "EC2 asked too often, each time",
             (_refused("RunInstances", "RequestLimitExceeded"),), fails=True,
             told="RequestLimitExceeded", long=True),
    ApiFault("api-made-error", "EC2 makes a subnet, and says that it failed",
             (_refused("CreateSubnet", "InternalError", 1, after=True),), fails=True,
             told="ec2:CreateSubnet: AWS answers InvalidSubnet.Conflict"),
    ApiFault("api-denied", "not allowed to make a subnet", (_refused("CreateSubnet", "UnauthorizedOperation"),),
             fails=True, told="allow ec2:CreateSubnet"),
    ApiFault("api-credentials", "credentials that AWS does not know", (_refused("*", "AuthFailure"),), fails=True,
             told=r"AWS does not accept the credentials \(AuthFailure\): give those"),
    ApiFault("api-architecture", "an image of another architecture",
             (_refused("RunInstances", "InvalidParameterValue", message=OTHER_ARCHITECTURE),), fails=True,
             told="ec2:RunInstances: AWS answers InvalidParameterValue: " + OTHER_ARCHITECTURE[:-1]),
    ApiFault("api-quota", "quota of vCPUs used up", (_refused("RunInstances", "VcpuLimitExceeded"),), fails=True,
             told="ec2:RunInstances: a quota of the account is used up .*raise it in Service Quotas"),
    ApiFault("api-quota-vpcs", "quota of VPCs used up", (_refused("CreateVpc", "VpcLimitExceeded"),), fails=True,
             told="ec2:CreateVpc: a quota of the account is used up .*raise it in Service Quotas"),
    ApiFault("api-no-room-once", "no room in the first zone, once",
             (_refused("RunInstances", "InsufficientInstanceCapacity", 1),), fails=False),
    ApiFault("api-no-room", "no room for the type in any zone",
             (_refused("RunInstances", "InsufficientInstanceCapacity"),), fails=True,
             told=f"EC2 has no room for 1 x {TYPE} .*us-east-1a.*[Nn]ame other zones",
             variables=ONE_ZONE, long=True),
    ApiFault("api-spot-taken", "the spot instance is reclaimed while it boots", (), fails=True,
             told="Spot.*: run again, or ask for on-demand instances", variables=SPOT, ended=("RunInstances", None)),
    ApiFault("api-ctrl-c", "Ctrl-C while it launches", ({"action": "RunInstances", "delay": 2},), fails=True,
             ended=("RunInstances", signal.SIGINT)),
    ApiFault("api-kill", "kill -9 while it launches", ({"action": "RunInstances", "delay": 2},), fails=True,
             ended=("RunInstances", signal.SIGKILL)),
    ApiFault("api-teardown-denied", "teardown: not allowed to end the instance",
             (_refused("TerminateInstances", "UnauthorizedOperation"),), fails=True,
             told="aws ec2 terminate-instances", playbook="teardown"),
    ApiFault("api-teardown-held", "teardown: the network is held for a while",
             (_refused("DeleteSecurityGroup", "DependencyViolation", 2),), fails=False, playbook="teardown"),
    ApiFault("api-teardown-in-use", "teardown: the network is held for ever",
             (_refused("DeleteSecurityGroup", "DependencyViolation"),), fails=True, told="DependencyViolation",
             playbook="teardown", long=True),
    ApiFault("api-teardown-ctrl-c", "teardown: Ctrl-C while it ends the instance",
             ({"action": "TerminateInstances", "delay": 2},), fails=True, playbook="teardown",
             ended=("TerminateInstances", signal.SIGINT)),
    ApiFault("api-teardown-kill", "teardown: kill -9 while it ends the instance",
             ({"action": "TerminateInstances", "delay": 2},), fails=True, playbook="teardown",
             ended=("TerminateInstances", signal.SIGKILL)),
)  # fmt: skip
# What a run has beside WHOLE, by its variables.
MORE = {
    fault.name: ["instance-profile"] if fault.variables is BUCKET else ["spot-request"]
    for fault in FAULTS
    if fault.variables in (BUCKET, SPOT)
}
BY_NAME = {fault.name: fault for fault in FAULTS}


def whole(account: Account, *more: str) -> bool:
    """Whether everything of a run is there, and `more`; volume and network interface of its instance aside."""
    kinds = [kind for kind in account.kinds() if kind not in ("volume", "network-interface")]
    return kinds == sorted([*WHOLE, *more])


def suffer(fault: ApiFault) -> Outcome:
    """Meet one fault in an account of its own. Raises AssertionError where it could not be done."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary, AwsServer() as server:
        return met(fault, Account(server, Path(temporary), fault.name))


def met(fault: ApiFault, account: Account) -> Outcome:
    """Meet one fault in an empty account. Raises AssertionError where it could not be done, or for a traceback."""
    began = time.monotonic()
    log = account.directory / LOG
    # The one that is launched when the first was taken away has a console too.
    account.server.configure(hosts=[account.host] * 2)
    provisions = fault.playbook == "provision"
    if not provisions:
        made = account.provision(**fault.variables)
        assert made.code == 0, made.output
    asked = dict(fault.variables) if provisions else {"ec2_environment_run": account.run}
    before = log.stat().st_size if log.exists() else 0
    for rule in fault.rules:
        account.server.fault(**rule)
    code = _command(account, fault, asked)
    output = log.read_text("utf-8")[before:]
    fired = all(rule["fired"] for rule in account.server.faults())
    rented, seen = [_instances(account)], _records(account)
    by_itself = fault.ended is None or not isinstance(fault.ended[1], signal.Signals)
    causes = " ".join(failure["cause"] for failure in account.failures())
    account.mend()
    again = account.play(fault.playbook, **asked).code if code else None
    rented.append(_instances(account))
    complete = not provisions or whole(account, *MORE.get(fault.name, []))
    kinds = account.kinds()
    given_back = account.play("teardown", ec2_environment_run=account.run).code if provisions else 0
    left = ["{kind} {id}".format(**thing) for thing in account.server.leftovers()]
    kept = _records(account)
    lost = sum(record not in kept for record in seen)
    doubled = max(0, max(rented) - 1)
    outputs = log.read_text("utf-8")
    checks = {
        f"it ended with {code}, and has to {'fail' if fault.fails else 'end well'}": bool(code) is fault.fails,
        f"it does not say {fault.told!r}": re.search(fault.told, " ".join(output.split())),
        "the server did not do what is wrong": fired,
        "it has a traceback": "Traceback" not in outputs,
        "no record tells the failure": not (code and by_itself and provisions) or re.search(fault.told, causes),
        f"{lost} records are lost": not lost,
        f"{rented[-1]} instances run in the end": rented[-1] == int(provisions),
        f"the run is not whole in the end: {kinds}": complete,
        f"the teardown ended with {given_back}": not given_back,
        f"{doubled} instances are there twice": not doubled,
        f"left behind: {', '.join(left)}": not left,
        f"the same command ended with {again}": not again,
    }
    # A playbook that ends well says so in its last message.
    last = re.split(r" TASK \[| PLAY RECAP", " ".join(output.split()).rpartition("msg: ")[2])[0].strip("'")
    for place, shorter in ((account.directory, ""), (PROJECT, ""), (Path.home(), "~/")):
        output = output.replace(f"{place}/", shorter)
    shown = said(output if code else last)
    problems = [words for words, well in checks.items() if not well]
    return Outcome(code, shown, lost, doubled, left, again, time.monotonic() - began, problems, outputs)


def _command(account: Account, fault: ApiFault, asked: dict[str, Any]) -> int:
    """Give the command, have it end as the fault has it, and return its exit code."""
    if fault.ended is None:
        return account.play(fault.playbook, **asked).code
    action, by = fault.ended
    running = account.start(fault.playbook, **asked)
    account.wait_for(action)
    if by is None:
        account.server.terminate()
    elif isinstance(by, dict):
        account.server.fault(**by)
    else:
        account.stop(running, by)
    return running.wait(PATIENCE)


def _instances(account: Account) -> int:
    return sum(thing["kind"] == "instance" for thing in account.server.leftovers())


def _records(account: Account) -> list[dict[str, Any]]:
    return list(interruptions.records_in((account.directory / "results").glob("*/records/*.jsonl")))
