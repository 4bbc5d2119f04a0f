# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live check: what no test can exercise, asked of an account of AWS, and everything given back at the end.

What is asked and made beside the run is asked by the person's own credentials; the run itself is that of the playbooks
provision, teardown and sweep, by a session of a role that holds docs/iam-policy.json alone.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.record.version import VERSION
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.find import find
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live import free, hosts, page, role
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live.checks import (
    INSTANCES,
    Ledger,
    LiveError,
    costs,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live.programs import Playbooks, Ssh
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.removal import teardown_command
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import files as store

# What the end takes of the time that there is: teardown and sweep.
_END_S = 300.0
# How long the playbooks of the end may take, whatever time there is: what is rented is given back in any case.
_TEARDOWN_S, _SWEEP_S = 900.0, 300.0
# A schedule is as exact as a minute, and an instance takes some time to end.
_PATIENCE_MINUTES, _LEAST_PATIENCE_S = 3.0, 60.0


# What live_smoke() raises before anything is made.
ERRORS = (aws.AwsError, LiveError, OSError)


class Settings(NamedTuple):
    """What the check is told: variables of role ec2_live_smoke, the run and the region.

    `minute_s`: how many seconds a minute of the guards takes, 60 but in a test. `policy`: the text of
    docs/iam-policy.json, `bounds`: that of docs/iam-boundary.json, `demands`: those of docs/iam-demands.json.
    `boundary`: the ARN of a boundary that is there, "" for one that is made where it is missing.
    """

    run: str
    region: str
    ttl_minutes: int
    minutes: float
    usd: float
    minute_s: float
    policy: str
    bounds: str
    demands: Sequence[free.Demand]
    boundary: str = ""


class Account:
    """Clients of the person's own credentials, and who that is. Raises AwsError."""

    def __init__(self, region: str) -> None:
        session = aws.session(region)
        self.ec2 = aws.client("ec2", region, of=session)
        # One that a thread of its own uses.
        self.watching = aws.client("ec2", region, of=session)
        self.iam = aws.client("iam", region, of=session)
        self.sts = aws.client("sts", region, of=session)
        self.scheduler = aws.client("scheduler", region, of=session)
        self.quotas = aws.client("service-quotas", region, of=session)
        with aws.asked("sts:GetCallerIdentity"):
            self.caller: dict[str, str] = self.sts.get_caller_identity()

    @property
    def owner(self) -> str:
        """Whom the run belongs to: the session of the role is named so."""
        return role.session_name(aws.owner_of(self.caller["Arn"]))

    @property
    def emulated(self) -> bool:
        """Whether this is not AWS."""
        host = urlsplit(str(self.ec2.meta.endpoint_url)).hostname or ""
        return not host.endswith((".amazonaws.com", ".api.aws"))


class LiveSmoke:
    """One live check. `consoles`: afterwards the consoles that showed host keys, by instance type."""

    def __init__(
        self,
        settings: Settings,
        plan: Mapping[str, Any],
        account: Account,
        ledger: Ledger,
        playbooks: Playbooks,
        ssh: Ssh,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.told, self.plan, self.account, self.ledger = settings, plan, account, ledger
        self.playbooks, self.ssh, self._sleep = playbooks, ssh, sleep
        self._session: dict[str, str] = {}
        self._begun = False
        self._made_boundary = False
        self._boundary = settings.boundary
        self.consoles: dict[str, str] = {}

    def check(self, rent: bool = True) -> None:
        """Ask everything; `rent`: also what costs. What was made is removed, whatever becomes of the rest."""
        if not self.free() or not rent:
            return
        try:
            self.rented()
        except (aws.AwsError, LiveError, OSError) as error:
            self.ledger.broken(error)
        finally:
            self.end()

    # ---- 1: free of charge ----

    def free(self) -> bool:
        """Ask what costs nothing; return whether the rest may be rented."""
        told, plan, ask = self.told, self.plan, self.ledger.ask
        good = ask("plan", lambda: free.planned(plan))
        good = good and ask("cost", lambda: costs(plan, told.minutes, told.usd))
        ask("simulator", lambda: free.simulated(self.account.iam, told.policy, told.demands))
        ask("quotas", lambda: free.quotas(self.account.quotas))
        if not good:
            return False
        ask("zones", lambda: free.zones(plan))
        ask("images", lambda: free.images(plan))
        ask("prices", lambda: free.priced(plan))
        ask("dry-run", lambda: free.dry_run(self.account.ec2, plan["rows"]))
        return True

    # ---- 2: rented ----

    def rented(self) -> None:
        """Rent under the role, look at what is there, and leave each guard alone."""
        ask = self.ledger.ask
        if not ask("role", self._take_role):
            return
        watch = hosts.ConsoleWatch(self.account.watching, self.told.run, INSTANCES)
        watch.start()
        try:
            provisioned = ask("provision", self._provision)
        finally:
            watch.end()
        there = hosts.instances(self.account.ec2, self.told.run)
        words = self._words(there)
        ask("host-keys", lambda: watch.verdict(words))
        self.consoles = {instance["InstanceType"]: watch.consoles[instance["InstanceId"]] for instance in there
                         if instance["InstanceId"] in watch.consoles}  # fmt: skip
        if not provisioned:
            return
        ask("tags", lambda: hosts.tagged(self.account.ec2, there, self.told.run))
        ask("shutdown", lambda: self._shutdowns(there, words))
        ask("schedules", lambda: hosts.scheduled(hosts.schedules(self.account.scheduler, self.told.run), words))
        self.guards(there)

    def _take_role(self) -> tuple[bool, str]:
        told, account = self.told, self.account
        tags = {
            "Project": aws.PROJECT,
            "Owner": account.owner,
            "Region": told.region,
            "ExpiresAt": envelope.utc(time.time() + told.minutes * 60),
        }
        self._begun = True
        if not self._boundary:
            self._made_boundary = role.make_boundary(account.iam, told.bounds, account.caller, tags)
            self._boundary = role.boundary_arn(account.caller)
        arn = role.make(account.iam, told.run, told.policy, account.caller, tags)
        session = role.assume(account.sts, arn, account.owner, self._sleep)
        client = aws.client("ec2", told.region, of=aws.session_of(session, told.region))
        role.wait_until_it_may(lambda: aws.pages(client, "describe_vpcs", "Vpcs"), self._sleep)
        self._session = session
        bounded = "made too" if self._made_boundary else "there already"
        return True, f"a session of {role.role_name(told.run)}; the boundary of the roles of a run is {bounded}"

    def _provision(self) -> tuple[bool, str]:
        left = self.told.minutes * 60 - self.ledger.seconds - _END_S
        bounded = {"ec2_environment_permissions_boundary": self._boundary}
        played = self.playbooks.play("provision", self._here(), left, inventory=True, **bounded)
        good, said = played.verdict()
        there = hosts.instances(self.account.ec2, self.told.run)
        return good and len(there) == INSTANCES, f"{said}, {len(there)} instances"

    def _here(self) -> dict[str, str]:
        return {**self._session, "AWS_REGION": self.told.region}

    @staticmethod
    def _words(there: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """A, B and C for the instances, by their ids."""
        return {instance["InstanceId"]: word for word, instance in zip("ABC", there, strict=False)}

    def _run_on(self, instance: Mapping[str, Any], *words: str) -> str:
        address = instance.get("PublicIpAddress") or instance.get("PrivateIpAddress")
        user = aws.tags(instance).get("LoginUser", "")
        if not address or not user:
            raise LiveError(f"{instance['InstanceId']} has no address or no tag LoginUser")
        return self.ssh.run(user, str(address), *words)

    def _shutdowns(self, there: Sequence[Mapping[str, Any]], words: Mapping[str, str]) -> tuple[bool, str]:
        good, told = True, []
        for instance in there:
            text = self._run_on(instance, "sudo", "-n", "cat", hosts.SCHEDULED)
            minutes, mode = hosts.shutdown_after(text, instance["LaunchTime"])
            good = good and hosts.shut_down_in_time(minutes, mode, self.told.ttl_minutes)
            told.append(f"{words[instance['InstanceId']]} {mode} {minutes:.1f} min")
        return good, f"{', '.join(told)} after the launch; the limit is {self.told.ttl_minutes} min"

    # ---- 3: each guard alone ----

    def guards(self, there: Sequence[Mapping[str, Any]]) -> None:
        """Leave A its limit alone and B its schedule alone, end C early, and see how they end."""
        a, b, c = there
        steps: tuple[tuple[str, Mapping[str, Any], Callable[[Mapping[str, Any]], None]], ...] = (
            ("limit", a, self._leave_the_limit),
            ("schedule", b, self._leave_the_schedule),
            ("loss", c, self._lose),
        )
        waiting = {}
        for key, instance, step in steps:
            try:
                step(instance)
                waiting[key] = instance
            except (aws.AwsError, LiveError, OSError) as error:
                self.ledger.put(key, False, error, 0)
        begun = self.ledger.seconds
        ends = self._wait(list(waiting.values()))
        seconds = self.ledger.seconds - begun
        good = {}
        for key, reason in (
            ("limit", "Client.InstanceInitiatedShutdown"),
            ("schedule", "Client.UserInitiatedShutdown"),
        ):
            if key in waiting:
                instance = waiting[key]
                right, seen = hosts.ended_by(ends[instance["InstanceId"]], reason, self._due_s(key, instance))
                good[key] = self.ledger.put(key, right, seen, seconds)
        if "loss" in waiting:
            lost = ends[c["InstanceId"]]
            right = lost.seconds is not None and good.get("limit", False) and good.get("schedule", False)
            after = "has not ended" if lost.seconds is None else f"{lost.seconds:.0f} s after the launch"
            guards = {"limit": "the limit of A", "schedule": "the schedule of B"}
            said = [f"{word} {'acted' if good.get(key) else 'did not act'}" for key, word in guards.items()]
            self.ledger.put("loss", right, f"{lost.state}, {lost.reason}, {after}; {', '.join(said)}", seconds)

    def _leave_the_limit(self, instance: Mapping[str, Any]) -> None:
        hosts.without_schedule(self.account.scheduler, self.told.run, instance["InstanceId"])

    def _leave_the_schedule(self, instance: Mapping[str, Any]) -> None:
        ends = hosts.schedules(self.account.scheduler, self.told.run)
        good, seen = hosts.scheduled(ends, [instance["InstanceId"]])
        if not good:
            raise LiveError(f"its shutdown is not cancelled, since nothing else would end it: {seen}")
        self._run_on(instance, "sudo", "-n", "shutdown", "-c")

    def _lose(self, instance: Mapping[str, Any]) -> None:
        with aws.asked("ec2:TerminateInstances"):
            self.account.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])

    def _due_s(self, key: str, instance: Mapping[str, Any]) -> float:
        """Return the seconds from the launch at which the one guard of an instance acts."""
        minutes = self.told.ttl_minutes if key == "limit" else hosts.expires_after(instance)
        return minutes * self.told.minute_s

    def _wait(self, wanted: Sequence[Mapping[str, Any]]) -> dict[str, hosts.Ended]:
        now = datetime.datetime.now(datetime.UTC)
        # An instance boots before it counts, and a schedule counts from the plan.
        last = max([hosts.due(instance, self.told.ttl_minutes, self.told.minute_s) for instance in wanted], default=now)
        patience = max(_PATIENCE_MINUTES * self.told.minute_s, _LEAST_PATIENCE_S)
        until = max(last, now) + datetime.timedelta(seconds=patience)
        left = max(0.0, self.told.minutes * 60 - self.ledger.seconds - _END_S)
        until = min(until, now + datetime.timedelta(seconds=left))
        pause = min(5.0, max(0.5, self.told.minute_s / 12))
        return hosts.wait_for_ends(self.account.ec2, wanted, until, pause, self._sleep) if wanted else {}

    # ---- 4: the end ----

    def end(self) -> None:
        """Give everything back, and ask whether anything is left."""
        ask = self.ledger.ask
        if self._session:
            ask("teardown", self._tear_down)
            ask("sweep", self._sweep)
        if self._begun:
            ask("role-removed", self._without_role)
        ask("left", self._left)
        minutes = self.ledger.seconds / 60
        self.ledger.put("time", minutes <= self.told.minutes, f"{minutes:.1f} of at most {self.told.minutes:g}", 0)

    def _without_role(self) -> tuple[bool, str]:
        good, said = role.removed(self.account.iam, self.told.run)
        if self._made_boundary:
            role.remove_boundary(self.account.iam, self.account.caller)
            said += ", and so is the boundary"
        return good, said

    def _tear_down(self) -> tuple[bool, str]:
        played = self.playbooks.play("teardown", self._session, _TEARDOWN_S, ec2_environment_run=self.told.run)
        return played.verdict()

    def _sweep(self) -> tuple[bool, str]:
        played = self.playbooks.play(
            "sweep",
            self._here(),
            _SWEEP_S,
            ec2_environment_sweep_all=True,
            ec2_environment_sweep_remove=False,
            ec2_environment_sweep_regions=["all"],
            ec2_environment_sweep_except=[f"{self.told.run}{role.OF_ROLE}"],
        )
        good, said = played.verdict()
        listed = any(line.startswith(f"{self.told.run} ") for line in played.output.splitlines())
        return good and not listed, f"{said}, {'the run is listed' if listed else 'nothing of the run'}"

    def _left(self) -> tuple[bool, str]:
        listing = find(self.told.region, self.told.run)
        left = summary(listing.resources) or "nothing"
        if listing.resources:
            left += f": {teardown_command(self.told.run, self.told.region)}"
        return not listing.resources and not listing.unasked, "; ".join([left, *listing.unasked])


class LiveFiles(NamedTuple):
    """Where the check reads and writes: `page` with its record beside it, `consoles` those that were seen.

    `directory`: of logs, a directory a run; `runs`: of the keys of all runs, as ec2_environment_directory.
    """

    page: Path
    consoles: Path
    directory: Path
    runs: Path
    policy: Path
    boundary: Path
    demands: Path

    @classmethod
    def of(cls, args: Mapping[str, Any]) -> LiveFiles:
        """Return the paths that options of these names give."""
        return cls(*(Path(args[name]).expanduser() for name in cls._fields))

    @property
    def record(self) -> Path:
        """The record that the page is made of."""
        return self.page.with_suffix(".json")

    def refuse(self, emulated: bool) -> None:
        """Raise LiveError where what does not come from AWS would replace a page about AWS."""
        kept = page.read(self.record)
        if emulated and kept is not None and not kept.get("emulated"):
            raise LiveError(
                f"the endpoint is not AWS, and {self.page} is of AWS alone: unset AWS_ENDPOINT_URL, or name another "
                "page by ec2_live_smoke_page"
            )

    def write(self, record: Mapping[str, Any], consoles: Mapping[str, str]) -> None:
        """Write record, page and consoles. Raises OSError."""
        store.replace(self.record, page.encode(record).encode())
        store.replace(self.page, page.render(record).encode())
        for name, text in consoles.items():
            store.replace(self.consoles / f"{name}.txt", text.encode())


class Outcome(NamedTuple):
    """What the shell returns: `problems` is empty where all is as expected."""

    changed: bool
    page: str
    rows: list[dict[str, Any]]
    problems: list[str]


def live_smoke(
    run: str,
    region: str,
    plan: Mapping[str, Any],
    files: LiveFiles,
    variables: Mapping[str, Any],
    ssh: Sequence[str],
    ttl_minutes: int,
    minutes: float,
    usd: float,
    minute_s: float,
    permissions_boundary: str,
    rent: bool,
    tell: Callable[[str], None],
    ansible: str,
) -> Outcome:
    """Make the live check of a run, write its record, and return what became of it.

    `rent`: also what costs; else nothing is written. Raises AwsError, LiveError and OSError before anything is made.
    """
    account = Account(region)
    files.refuse(account.emulated)
    settings = Settings(
        run,
        region,
        ttl_minutes,
        minutes,
        usd,
        minute_s,
        files.policy.read_text("utf-8"),
        files.boundary.read_text("utf-8"),
        free.parse_demands(json.loads(files.demands.read_text("utf-8"))),
        permissions_boundary,
    )
    ledger = Ledger(tell)
    smoke = LiveSmoke(
        settings, plan, account, ledger, Playbooks(run, files.directory / run, variables), Ssh(ssh, files.runs / run)
    )
    started = datetime.datetime.now(datetime.UTC)
    tell(f"The live check of the run {run}; what its playbooks say is kept in {files.directory / run}")
    tell(f"If it is broken off: {teardown_command(run, region)}, and the same of the run {run}{role.OF_ROLE}")
    try:
        smoke.check(rent)
    finally:
        record = page.made(
            ledger.rows,
            started=started.strftime("%Y-%m-%d %H:%M UTC"),
            minutes=round(ledger.seconds / 60, 1),
            region=region,
            emulated=account.emulated,
            ttl_minutes=ttl_minutes,
            versions={
                "cloudbench.llama": VERSION,
                "ansible-core": ansible,
                "boto3": importlib.metadata.version("boto3"),
            },
            problem=ledger.problem,
        )
        if rent:
            files.write(record, smoke.consoles)
    return Outcome(rent, str(files.page), record["rows"], ledger.failed)
