# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a run: wait until each has an address and shows its host keys on its console.

The console is read through the API, over a connection that is already trusted; asking the host itself would be to
trust whoever answers first.
Source: docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html (Latest: instances on Nitro).
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices, processors
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws

# What user_data.sh.j2 writes on the console, a line for each key.
_KEY = re.compile(
    r"(?:^|\s)cloudbench-host-key ((?:ssh-(?:rsa|ed25519)|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/]+=*)(?=\s|$)"
)
# The host's address may come later than the host; its first boot takes some tens of seconds.
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 10.0
_GONE = ("shutting-down", "terminated", "stopping", "stopped")


class Host(NamedTuple):
    """One instance.

    `address`: what ssh connects to, a name or number; `problem`: why it cannot be reached, or None. `market`: on-demand
    or spot. `boot_s`: seconds from its launch until it showed its keys, within one pause of asking; None where it had
    shown them before anybody asked.
    """

    id: str
    type: str
    machine: str
    zone: str
    address: str | None
    keys: tuple[str, ...]
    problem: str | None
    market: str = prices.ON_DEMAND
    boot_s: float | None = None


def host_keys(console: str) -> tuple[str, ...]:
    """Return the public keys, `type base64`, that a console shows, each once and in its order."""
    return tuple(dict.fromkeys(match.group(1) for match in _KEY.finditer(console)))


def known_hosts(hosts: list[Host]) -> str:
    """Return the text of a known_hosts file for the hosts that can be reached."""
    reachable = [host for host in hosts if not host.problem]
    return "".join(f"{host.address} {key}\n" for host in reachable for key in host.keys)


def write_known_hosts(path: str, hosts: list[Host]) -> bool:
    """Write the known hosts for its owner alone, as a whole or not at all; return whether that was a change."""
    text = known_hosts(hosts)
    file = Path(path)
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return False
    new = file.with_name(file.name + ".new")
    new.touch(mode=0o600)
    new.write_text(text, encoding="utf-8")
    new.replace(file)
    return True


def _instances(client: Any, run: str, ids: Collection[str]) -> list[dict[str, Any]]:
    """Return the instances that have the tags of the run, and those of `ids`.

    The index of tags may know of an instance later than EC2, and EC2 later than whoever has launched it.
    """
    wanted = [aws.filtered("tag:Project", aws.PROJECT), aws.filtered("tag:RunId", run)]
    instances = _described(client, wanted)
    missing = sorted(set(ids) - {instance["InstanceId"] for instance in instances})
    # A filter takes 200 values, and unlike InstanceIds one that is not known is no error.
    for at in range(0, len(missing), 200):
        instances += _described(client, [aws.filtered("instance-id", *missing[at : at + 200])])
    known = {instance["InstanceId"] for instance in instances}
    return instances + [
        {
            "InstanceId": name,
            "InstanceType": "unknown",
            "Placement": {"AvailabilityZone": "unknown"},
            "State": {"Name": "not known to EC2"},
        }
        for name in missing
        if name not in known
    ]


def _described(client: Any, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    reservations = aws.pages(client, "describe_instances", "Reservations", Filters=filters)
    return [instance for reservation in reservations for instance in reservation["Instances"]]


def _console(client: Any, instance: str) -> str:
    """Return what an instance has written to its console so far; nothing where there is nothing yet."""
    try:
        with aws.asked("ec2:GetConsoleOutput"):
            output = client.get_console_output(InstanceId=instance, Latest=True).get("Output") or ""
    except aws.AwsError as error:
        # Not on Nitro: only the output that EC2 takes some minutes after the boot.
        if error.code != "UnsupportedOperation":
            raise
        with aws.asked("ec2:GetConsoleOutput"):
            output = client.get_console_output(InstanceId=instance).get("Output") or ""
    # botocore decodes it; an answer that was not encoded stays as it is.
    try:
        decoded = base64.b64decode(output, validate=True)
    except (binascii.Error, ValueError):
        return str(output)
    return decoded.decode("utf-8", "replace")


def _address(instance: dict[str, Any]) -> str | None:
    """Return what ssh connects to: through the Session Manager the id, else the public or the private address."""
    if aws.tags(instance).get("Connection") == "ssm":
        return str(instance["InstanceId"])
    return instance.get("PublicIpAddress") or instance.get("PrivateIpAddress")


def _host(instance: dict[str, Any], keys: tuple[str, ...], problem: str | None, boot_s: float | None = None) -> Host:
    kind = instance["InstanceType"]
    machine = processors.machine_name({"instance": {"type": kind}, "architecture": instance.get("Architecture")})
    zone = instance["Placement"]["AvailabilityZone"]
    market = prices.SPOT if instance.get("InstanceLifecycle") == prices.SPOT else prices.ON_DEMAND
    return Host(instance["InstanceId"], kind, machine or kind, zone, _address(instance), keys, problem, market, boot_s)


def _since_launch(instance: dict[str, Any], now: datetime.datetime) -> float:
    """Return the seconds since an instance was launched; the clocks of EC2 and of this machine may differ a little."""
    return round(max(0.0, float((now - instance["LaunchTime"]).total_seconds())), 1)


def _ended(instance: dict[str, Any]) -> str:
    reason = instance.get("StateReason") or {}
    said = reason.get("Message") or reason.get("Code") or "EC2 gives no reason"
    advice = "run again"
    if "Spot" in (reason.get("Code") or ""):
        advice = "run again, or ask for on-demand instances"
    return f"the instance {instance['InstanceId']} is {instance['State']['Name']} ({said}): {advice}"


def ended(client: Any, run: str, ids: Collection[str] = ()) -> list[Host]:
    """Return the instances of a run that are no longer, each with EC2's own reason. Raises AwsError.

    `ids`: those known, whose tags may be gone too.
    """
    return [
        _host(instance, (), _ended(instance))
        for instance in _instances(client, run, ids)
        if instance["State"]["Name"] in _GONE
    ]


def wait(
    client: Any,
    run: str,
    timeout: float,
    tell: Callable[[str], None] = lambda _line: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    today: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ids: Collection[str] = (),
) -> list[Host]:
    """Return every instance of a run once each runs and has shown its keys, has ended, or `timeout` seconds are over.

    `ids`: those known, which are waited for also while their tags do not find them. `tell` is given a line whenever the
    number of those that are waited for changes; `today`: the time in UTC. Raises AwsError.
    """
    deadline = clock() + timeout
    done: dict[str, Host] = {}
    pause, before = _FIRST_WAIT, -1
    while True:
        waiting = []
        for instance in _instances(client, run, ids):
            if instance["InstanceId"] in done:
                continue
            state = instance["State"]["Name"]
            if state in _GONE:
                done[instance["InstanceId"]] = _host(instance, (), _ended(instance))
                continue
            keys: tuple[str, ...] = ()
            if state == "running" and _address(instance):
                keys = host_keys(_console(client, instance["InstanceId"]))
            if keys:
                # Who is there at the first look may have been so for hours.
                boot_s = _since_launch(instance, today()) if before >= 0 else None
                done[instance["InstanceId"]] = _host(instance, keys, None, boot_s)
            else:
                waiting.append(instance)
        if not waiting:
            return list(done.values())
        if clock() >= deadline:
            problem = (
                "it is {state} and did not show its host keys on its console within {limit:.0f} s: look at aws ec2 "
                "get-console-output --latest --instance-id {id}; a longer wait is ec2_environment_timeout"
            )
            late = [
                _host(
                    instance,
                    (),
                    problem.format(state=instance["State"]["Name"], limit=timeout, id=instance["InstanceId"]),
                )
                for instance in waiting
            ]
            return [*done.values(), *late]
        if len(waiting) != before:
            tell(f"waiting for {len(waiting)} of {len(waiting) + len(done)} instances to boot and show their host keys")
            before = len(waiting)
        sleep(min(pause, max(0.1, deadline - clock())))
        pause = min(_LONGEST_WAIT, pause * 1.5)
