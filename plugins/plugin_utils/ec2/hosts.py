# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a run: wait until each can be reached.

It has an address then, is known by its host keys and, where ssh goes through the Session Manager, has registered with
Systems Manager.

The console is read through the API, over a connection that is already trusted; asking the host itself would be to
trust whoever answers first. An instance whose keys are known already is not waited for: a console keeps 64 KB, and what
runs for hours has written more.
Source: docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html (Latest: instances on Nitro);
docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeInstanceInformation.html.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices, processors
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import known_hosts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.failures.state_reason import remedy

# What user_data.sh.j2 writes on the console of an image without the agent of Systems Manager.
_NO_AGENT = "cloudbench-no-ssm-agent"
# The host's address may come later than the host; its first boot takes some tens of seconds.
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 10.0
_GONE = ("shutting-down", "terminated", "stopping", "stopped")
# How many ids a filter of DescribeInstanceInformation takes.
_IDS = 100

_NO_KEYS = (
    "it is {state} and did not show its host keys on its console within {limit:.0f} s: look at aws ec2 "
    "get-console-output --latest --instance-id {id}; a longer wait is ec2_environment_timeout"
)
_NOT_REGISTERED = (
    "it runs and has shown its host keys, and did not register with Systems Manager within {limit:.0f} s "
    "(ssm:DescribeInstanceInformation does not call it Online): look whether its instance profile has "
    "AmazonSSMManagedInstanceCore, whether its subnet has a route to the endpoints ssm, ssmmessages and ec2messages of "
    "the region, by the internet or by VPC endpoints, and whether its image has the agent; a longer wait is "
    "ec2_environment_timeout"
)
_AGENTLESS = (
    "its image has no agent of Systems Manager, so nothing can reach it through the Session Manager: take the image "
    "amazon-linux-2023 or ubuntu-24.04, or ec2_environment_connection=ssh"
)
_CHANGED = (
    "its console shows another host key than the one that is known of it ({kinds}): whoever answers may not be it, and "
    "it is not connected to. If you made new keys on it yourself, remove the lines of {id} from the known_hosts of the "
    "run ({path}) and run again; otherwise tear the run down"
)


class Host(NamedTuple):
    """One instance.

    `address`: what ssh connects to, a name or number; `problem`: why it cannot be reached, or None. `market`: on-demand
    or spot. `boot_s`: seconds from its launch until it could be reached, within one pause of asking; None where that
    was so before anybody asked. `row`: its index in the matrix, as its tag has it.
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
    row: str = ""


def known_to_ssh(text: str, hosts: Iterable[Host]) -> str:
    """Return the known_hosts `text` with the keys of the hosts that can be reached, and everything that it had."""
    return known_hosts.merge(
        text, {host.id: (str(host.address), host.keys) for host in hosts if not host.problem and host.address}
    )


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


def console(client: Any, instance: str) -> str:
    """Return what an instance has written to its console so far; nothing where that is nothing. Raises AwsError."""
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
    row = aws.tags(instance).get("Row", "")
    name = instance["InstanceId"]
    return Host(name, kind, machine or kind, zone, _address(instance), keys, problem, market, boot_s, row)


def _since_launch(instance: dict[str, Any], now: datetime.datetime) -> float:
    """Return the seconds since an instance was launched; the clocks of EC2 and of this machine may differ a little."""
    return round(max(0.0, float((now - instance["LaunchTime"]).total_seconds())), 1)


def _ended(instance: dict[str, Any]) -> str:
    reason = instance.get("StateReason") or {}
    code = reason.get("Code") or ""
    said = reason.get("Message") or code or "EC2 gives no reason"
    advice = remedy(code, instance.get("InstanceLifecycle") == prices.SPOT)
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


def registered(ssm: Any, instances: Iterable[str]) -> set[str]:
    """Return those of the instances that Systems Manager calls Online. Raises AwsError."""
    wanted = list(instances)
    online: set[str] = set()
    for at in range(0, len(wanted), _IDS):
        filters = [{"Key": "InstanceIds", "Values": wanted[at : at + _IDS]}]
        rows = aws.pages(ssm, "describe_instance_information", "InstanceInformationList", Filters=filters)
        online |= {str(row["InstanceId"]) for row in rows if row.get("PingStatus") == "Online"}
    return online


class _Watch:
    """What is known of the hosts of a run while they are waited for.

    `known`: host keys by instance id; `path`: where they are kept, for messages. `ssm`: makes the client of Systems
    Manager, None where nothing goes through it or it may not be asked.
    """

    def __init__(
        self, client: Any, known: Mapping[str, tuple[str, ...]], path: str, ssm: Callable[[], Any] | None
    ) -> None:
        self.client, self.known, self.path = client, known, path
        self._make_ssm, self._ssm = ssm, None
        self.tell: Callable[[str], None] = lambda _line: None

    def keys(self, instance: dict[str, Any]) -> tuple[tuple[str, ...], str | None]:
        """Return the host keys of an instance that runs, and why it cannot be connected to."""
        name = instance["InstanceId"]
        said = console(self.client, name)
        shown, known = known_hosts.host_keys(said), self.known.get(name, ())
        changed = known_hosts.changed_keys(known, shown) if known else []
        if changed:
            kinds = ", ".join(dict.fromkeys(key.partition(" ")[0] for key in changed))
            return (), _CHANGED.format(kinds=kinds, id=name, path=self.path or "known_hosts")
        if _NO_AGENT in said and _through_ssm(instance):
            return (), _AGENTLESS
        return tuple(dict.fromkeys((*known, *shown))), None

    def online(self, instances: list[dict[str, Any]]) -> set[str]:
        """Return the ids of those instances that ssh can get to, as far as Systems Manager has a say in it."""
        asked = [instance["InstanceId"] for instance in instances if _through_ssm(instance)]
        there = {instance["InstanceId"] for instance in instances} - set(asked)
        if not asked or self._make_ssm is None:
            return there | set(asked)
        self._ssm = self._ssm or self._make_ssm()
        try:
            return there | registered(self._ssm, asked)
        except aws.AwsError as error:
            if not error.denied:
                raise
            # The connection itself will tell.
            self._make_ssm = None
            self.tell(f"whether the instances have registered with Systems Manager cannot be asked: {error}")
            return there | set(asked)


def _through_ssm(instance: dict[str, Any]) -> bool:
    return aws.tags(instance).get("Connection") == "ssm"


def _told(keyless: int, unregistered: int, of: int, timeout: float) -> str:
    """What is waited for, in a line."""
    parts = [f"{keyless} of {of} instances to boot and show their host keys on the console"] if keyless else []
    if unregistered:
        parts.append(f"{unregistered} of {of} instances to register with Systems Manager")
    return f"waiting at most {timeout:.0f} s for {' and '.join(parts)}"


def wait(
    client: Any,
    run: str,
    timeout: float,
    tell: Callable[[str], None] = lambda _line: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    today: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ids: Collection[str] = (),
    known: Mapping[str, tuple[str, ...]] | None = None,
    path: str = "",
    ssm: Callable[[], Any] | None = None,
) -> list[Host]:
    """Return every instance of a run once each can be reached, has ended, or `timeout` seconds are over.

    It can be reached when its host keys are known and, through the Session Manager, it has registered. `tell` is given
    a line whenever the number of those that are waited for changes; `today`: the time in UTC. `ids`: those known to be
    of the run, which are waited for also while their tags do not find them. `known`: host keys by instance id, kept in
    `path`. `ssm`: makes a client of Systems Manager. Raises AwsError.
    """
    deadline = clock() + timeout
    watch = _Watch(client, known or {}, path, ssm)
    watch.tell = tell
    done: dict[str, Host] = {}
    pause, before = _FIRST_WAIT, ""
    while True:
        keyless, keyed = [], []
        for instance in _instances(client, run, ids):
            name, state = instance["InstanceId"], instance["State"]["Name"]
            if name in done:
                continue
            keys: tuple[str, ...] = ()
            problem = _ended(instance) if state in _GONE else None
            if state == "running" and _address(instance):
                keys, problem = watch.keys(instance)
            if problem:
                done[name] = _host(instance, (), problem)
            elif keys:
                keyed.append((instance, keys))
            else:
                keyless.append(instance)
        online = watch.online([instance for instance, _keys in keyed])
        for instance, keys in keyed:
            if instance["InstanceId"] in online:
                # Who is there at the first look may have been so for hours.
                boot_s = _since_launch(instance, today()) if before else None
                done[instance["InstanceId"]] = _host(instance, keys, None, boot_s)
        unregistered = [instance for instance, _keys in keyed if instance["InstanceId"] not in online]
        if not keyless and not unregistered:
            return list(done.values())
        if clock() >= deadline:
            late = [(instance, _NO_KEYS) for instance in keyless]
            late += [(instance, _NOT_REGISTERED) for instance in unregistered]
            return [*done.values(), *(_late(instance, problem, timeout) for instance, problem in late)]
        line = _told(len(keyless), len(unregistered), len(done) + len(keyless) + len(unregistered), timeout)
        if line != before:
            tell(line)
            before = line
        sleep(min(pause, max(0.1, deadline - clock())))
        pause = min(_LONGEST_WAIT, pause * 1.5)


def _late(instance: dict[str, Any], problem: str, timeout: float) -> Host:
    said = problem.format(state=instance["State"]["Name"], limit=timeout, id=instance["InstanceId"])
    return _host(instance, (), said)
