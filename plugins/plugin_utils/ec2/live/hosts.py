# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the live check sees of the instances: their consoles, tags, shutdowns and schedules, and how each ended."""

from __future__ import annotations

import datetime
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.hosts import console
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.known_hosts import host_keys
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live.checks import LiveError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import OF_INSTANCE, PREFIX

TAGS = ("Project", "RunId", "Owner", "ExpiresAt", "Name")
_WATCH_S = 2.0
_OVER = ("shutting-down", "terminated")
# What systemd-logind writes for `shutdown -P +N`: microseconds since 1970, and what comes then.
SCHEDULED = "/run/systemd/shutdown/scheduled"
# A minute is what `shutdown` and a schedule are as exact as; an instance boots in less than five.
_EARLY_S, _LATE_S = 60.0, 300.0


class Ended(NamedTuple):
    """How an instance was last seen: its state and EC2's reason; `seconds`: from its launch, None while it lives."""

    state: str
    reason: str
    seconds: float | None


def instances(ec2: Any, run: str) -> list[dict[str, Any]]:
    """Return the instances of a run as EC2 describes them, ended ones too, the spot one last. Raises AwsError."""
    filters = [aws.filtered("tag:Project", aws.PROJECT), aws.filtered("tag:RunId", run)]
    rows = aws.pages(ec2, "describe_instances", "Reservations", Filters=filters)
    every = [instance for row in rows for instance in row["Instances"]]
    return sorted(every, key=lambda instance: (instance.get("InstanceLifecycle") == "spot", instance["InstanceId"]))


class ConsoleWatch(threading.Thread):
    """Looks at the consoles of a run until each shows its host keys, beside what else is done.

    `shown`: by instance id, seconds from its launch until its keys were there, within one pause. `consoles`: by
    instance id, the text that showed them. `problem`: why it stopped looking.
    """

    def __init__(
        self,
        ec2: Any,
        run: str,
        expected: int,
        pause: float = _WATCH_S,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        super().__init__(daemon=True)
        self._ec2, self._run, self._expected, self._pause, self._now = ec2, run, expected, pause, now
        self._over = threading.Event()
        self.shown: dict[str, float] = {}
        self.consoles: dict[str, str] = {}
        self.problem = ""

    def run(self) -> None:
        """Look until all are known or nobody wants to know."""
        while not self._over.is_set() and len(self.shown) < self._expected:
            try:
                self.look()
            except aws.AwsError as error:
                self.problem = str(error)
                return
            self._over.wait(self._pause)

    def look(self) -> None:
        """Look once at each console that has shown nothing yet. Raises AwsError."""
        for instance in instances(self._ec2, self._run):
            name = instance["InstanceId"]
            if name in self.shown or instance["State"]["Name"] != "running":
                continue
            text = console(self._ec2, name)
            if host_keys(text):
                self.shown[name] = max(0.0, (self._now() - instance["LaunchTime"]).total_seconds())
                self.consoles[name] = text

    def end(self) -> None:
        """Look no longer."""
        self._over.set()
        self.join()

    def verdict(self, there: Mapping[str, str]) -> tuple[bool, str]:
        """Say after how many seconds each was known; `there`: a word for each instance, by its id."""
        told = [f"{word} {self.shown[name]:.0f} s" if name in self.shown else f"{word} never"
                for name, word in there.items()]  # fmt: skip
        good = len(there) == self._expected and all(name in self.shown for name in there)
        return good, ", ".join([*told, *([self.problem] if self.problem else [])]) or "no instance"


def tagged(ec2: Any, there: Sequence[Mapping[str, Any]], run: str) -> tuple[bool, str]:
    """Say whether instances, volumes, interfaces and spot requests have all tags of the run. Raises AwsError."""
    volumes = [mapping["Ebs"]["VolumeId"] for instance in there for mapping in instance.get("BlockDeviceMappings", [])]
    interfaces = [nic["NetworkInterfaceId"] for instance in there for nic in instance.get("NetworkInterfaces", [])]
    requests = [instance["SpotInstanceRequestId"] for instance in there if instance.get("SpotInstanceRequestId")]
    things = [(str(instance["InstanceId"]), aws.tags(instance)) for instance in there]
    for operation, key, member, named, ids in (
        ("describe_volumes", "Volumes", "VolumeIds", "VolumeId", volumes),
        ("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceIds", "NetworkInterfaceId", interfaces),
        ("describe_spot_instance_requests", "SpotInstanceRequests", "SpotInstanceRequestIds", "SpotInstanceRequestId",
         requests),
    ):  # fmt: skip
        if ids:
            things += [(row[named], aws.tags(row)) for row in aws.pages(ec2, operation, key, **{member: ids})]
    wrong = []
    for name, tags in things:
        missing = [tag for tag in TAGS if not tags.get(tag)]
        if missing or tags.get("RunId") != run:
            wrong.append(f"{name} lacks {', '.join(missing) or 'its run'}")
    kinds = (
        f"{len(there)} instances, {len(volumes)} volumes, {len(interfaces)} network interfaces, {len(requests)} spot "
        "requests"
    )
    whole = len(volumes) >= len(there) <= len(interfaces) and len(requests) == 1
    return not wrong and whole, f"{kinds}: {'; '.join(wrong) or 'all tagged'}"


def shutdown_after(text: str, launched: datetime.datetime) -> tuple[float, str]:
    """Return minutes from the launch to the shutdown that logind has scheduled, and its mode. Raises LiveError."""
    said = dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))
    if not re.fullmatch(r"\d{10,17}", said.get("USEC", "")):
        raise LiveError(f"no shutdown is scheduled: {SCHEDULED} says {text.strip()!r:.80}")
    at = datetime.datetime.fromtimestamp(int(said["USEC"]) / 1e6, datetime.UTC)
    return (at - launched).total_seconds() / 60, said.get("MODE", "")


def shut_down_in_time(minutes: float, mode: str, ttl_minutes: float) -> bool:
    """Say whether a shutdown is what user data asked for, give or take the boot."""
    late = minutes - ttl_minutes
    return mode == "poweroff" and -_EARLY_S / 60 <= late <= _LATE_S / 60


def schedules(scheduler: Any, run: str) -> dict[str, list[str]]:
    """Return the ids of the instances that each schedule of a run ends, by its name. Raises AwsError."""
    ends = {}
    prefix = f"{PREFIX}{run}{OF_INSTANCE}"
    for row in aws.pages(scheduler, "list_schedules", "Schedules", GroupName="default", NamePrefix=prefix):
        with aws.asked("scheduler:GetSchedule"):
            whole = scheduler.get_schedule(GroupName="default", Name=row["Name"])
        ends[row["Name"]] = [str(name) for name in json.loads(whole["Target"]["Input"])["InstanceIds"]]
    return ends


def scheduled(ends: Mapping[str, Iterable[str]], wanted: Iterable[str]) -> tuple[bool, str]:
    """Say whether each of the instances has a schedule that ends it and no other."""
    alone = [ids for ids in map(list, ends.values()) if len(ids) == 1]
    lacking = [name for name in wanted if [name] not in alone]
    if lacking:
        return False, f"{len(ends)} schedules; none ends {', '.join(lacking)} alone"
    return True, f"{len(ends)} schedules, of one instance each"


def without_schedule(scheduler: Any, run: str, instance: str) -> None:
    """Delete the schedule of an instance, if it has one. Raises LiveError where that would end others, and AwsError."""
    names = {name: ids for name, ids in schedules(scheduler, run).items() if instance in ids}
    shared = [name for name, ids in names.items() if ids != [instance]]
    if shared:
        raise LiveError(f"{', '.join(shared)} ends {instance} and others, so that its limit cannot be left alone")
    for name in names:
        with aws.asked("scheduler:DeleteSchedule"):
            scheduler.delete_schedule(GroupName="default", Name=name)


def due(instance: Mapping[str, Any], minutes: float, minute_s: float) -> datetime.datetime:
    """Return when something comes that many minutes after the launch, where a minute takes `minute_s` seconds."""
    launched: datetime.datetime = instance["LaunchTime"]
    return launched + datetime.timedelta(seconds=minutes * minute_s)


def expires_after(instance: Mapping[str, Any]) -> float:
    """Return the minutes from the launch to the end that the tag of an instance tells. Raises LiveError."""
    text = aws.tags(instance).get("ExpiresAt", "")
    try:
        end = envelope.seconds(text)
    except ValueError as error:
        raise LiveError(f"the tag ExpiresAt of {instance['InstanceId']} is no time in UTC: {text!r}") from error
    return float(end - instance["LaunchTime"].timestamp()) / 60


def wait_for_ends(
    ec2: Any,
    wanted: Sequence[Mapping[str, Any]],
    until: datetime.datetime,
    pause: float,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
) -> dict[str, Ended]:
    """Return how each instance was first seen over, or how it is when `until` has come. Raises AwsError."""
    launched = {instance["InstanceId"]: instance["LaunchTime"] for instance in wanted}
    seen: dict[str, Ended] = {}
    while True:
        waiting = [name for name in launched if name not in seen or seen[name].seconds is None]
        filters = [aws.filtered("instance-id", *waiting)]
        rows = aws.pages(ec2, "describe_instances", "Reservations", Filters=filters)
        for instance in (instance for row in rows for instance in row["Instances"]):
            name, state = instance["InstanceId"], instance["State"]["Name"]
            over = (now() - launched[name]).total_seconds() if state in _OVER else None
            reason = (instance.get("StateReason") or {}).get("Code", "")
            seen[name] = Ended(state, reason, over)
        if all(name in seen and seen[name].seconds is not None for name in launched) or now() >= until:
            return {name: seen.get(name, Ended("unknown to EC2", "", None)) for name in launched}
        sleep(pause)


def ended_by(ended: Ended, reason: str, after_s: float) -> tuple[bool, str]:
    """Say whether an instance ended for a reason, and not before its time, seconds after its launch."""
    if ended.seconds is None:
        return False, f"it is {ended.state} and has not ended"
    reason_seen = ended.reason or "no reason"
    told = f"{ended.state}, {reason_seen}, {ended.seconds:.0f} s after the launch; due after {after_s:.0f} s"
    return ended.reason == reason and ended.seconds >= after_s - _EARLY_S, told
