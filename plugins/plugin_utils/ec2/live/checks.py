# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the live check looks at, a row each; the ledger that the rows are written into, and what the check may cost."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import visible

OK, FAILED, NOT_ASKED = "ok", "failed", "not asked"

# How much of what was seen a row keeps.
LONGEST = 600

FREE = "Free of charge, by your own credentials"
RENTED = "Under a role that holds the shipped policy alone"
GUARDS = "Each guard alone"
END = "The end"
PARTS = (FREE, RENTED, GUARDS, END)

# A and B are the two of the first type, C is the other one.
TYPE, SPOT_TYPE = "t4g.small", "c7g.medium"
INSTANCES = 3


class LiveError(ValueError):
    """The check cannot be made, or what it met is not what it was to meet; the message says what, and what to do."""


class NotAsked(LiveError):
    """A question that this account cannot be asked; the message says why."""


class Check(NamedTuple):
    """A row before anybody has asked: its name in the record, its part of the page, what is asked, what is expected."""

    key: str
    part: str
    what: str
    expected: str


CHECKS = (
    Check(
        "simulator",
        FREE,
        "IAM's own simulator: docs/iam-policy.json over every demand of docs/iam-demands.json",
        "each is allowed",
    ),
    Check("plan", FREE, "the plan", f"no error, two {TYPE} and a spot {SPOT_TYPE}"),
    Check("cost", FREE, "USD at most, by the plan's own prices and the minutes", "not more than the limit"),
    Check("zones", FREE, "the zones that offer each type", "one at least"),
    Check("images", FREE, "the image of each row", "an id"),
    Check("quotas", FREE, "the quotas L-1216C47A and L-34B43A08, vCPUs", "4 and 1 at least"),
    Check("prices", FREE, "a price of AWS of today: on demand, spot, storage", "one each"),
    Check("dry-run", FREE, f"RunInstances of a {TYPE} with DryRun", "DryRunOperation"),
    Check(
        "role", RENTED, "a role with docs/iam-policy.json alone is made and assumed, beside the boundary", "a session"
    ),
    Check("provision", RENTED, "playbooks/provision.yml", "exit code 0, three instances"),
    Check("host-keys", RENTED, "seconds from the launch until the console shows the host keys", "known of all three"),
    Check(
        "tags",
        RENTED,
        "the tags of instances, volumes, network interfaces and the spot request",
        "Project, RunId, Owner, ExpiresAt and Name on each",
    ),
    Check(
        "shutdown",
        RENTED,
        "/run/systemd/shutdown/scheduled of each, over ssh",
        "poweroff, the time limit after the launch",
    ),
    Check("schedules", RENTED, "the schedules of EventBridge Scheduler", "one of each instance alone"),
    Check(
        "limit",
        GUARDS,
        "A is left to its time limit: its schedule is deleted",
        "Client.InstanceInitiatedShutdown, at its time",
    ),
    Check(
        "schedule",
        GUARDS,
        "B is left to its schedule: its shutdown is cancelled",
        "Client.UserInitiatedShutdown, at its time",
    ),
    Check("loss", GUARDS, "C ends early, as a spot instance does", "the guards of A and B act all the same"),
    Check("teardown", END, "playbooks/teardown.yml, without a region in its environment", "exit code 0"),
    Check("sweep", END, "playbooks/sweep.yml, in every region that is enabled", "exit code 0, nothing of the run"),
    Check("role-removed", END, "the role and the boundary that were made", "IAM does not know them"),
    Check("left", END, "what there is of the run, asked by your own credentials", "nothing"),
    Check("time", END, "minutes from the first question to the last", "not more than the limit"),
)
BY_KEY = {check.key: check for check in CHECKS}


class Row(NamedTuple):
    """What became of a check. `state`: OK, FAILED or NOT_ASKED. `seconds`: None where nothing was asked."""

    key: str
    seen: str
    state: str
    seconds: float | None


def masked(said: object) -> str:
    """Return what was seen, in one line, without the numbers of accounts."""
    text = re.sub(r"(?<!\d)\d{12}(?!\d)", "ACCOUNT", visible(said))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


class Ledger:
    """The rows of one live check; `tell` is given a line for each."""

    def __init__(
        self, tell: Callable[[str], None] = lambda _line: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell, self._clock = tell, clock
        self._begun = clock()
        self._rows: dict[str, Row] = {}
        self.problem = ""

    @property
    def seconds(self) -> float:
        """Seconds since the first question."""
        return self._clock() - self._begun

    @property
    def rows(self) -> list[Row]:
        """A row for each check, in the order of CHECKS."""
        return [self._rows.get(check.key, Row(check.key, "", NOT_ASKED, None)) for check in CHECKS]

    @property
    def failed(self) -> list[str]:
        """A line for each check that failed, and one for what broke the check off."""
        rows = [f"{BY_KEY[row.key].what}: {row.seen}" for row in self.rows if row.state == FAILED]
        return rows + ([self.problem] if self.problem else [])

    def broken(self, error: Exception) -> None:
        """Write down why what was still to be asked is not."""
        self.problem = f"broken off: {masked(error)}"
        self._tell(self.problem)

    def ask(self, key: str, question: Callable[[], tuple[bool, object]]) -> bool:
        """Write the answer down: whether it is as expected, and what was seen. Return whether it is.

        What AWS refuses, and what cannot be done, is what was seen.
        """
        begun = self._clock()
        state = None
        try:
            good, seen = question()
        except NotAsked as error:
            good, seen, state = False, str(error), NOT_ASKED
        except (aws.AwsError, LiveError, OSError) as error:
            good, seen = False, str(error)
        return self.put(key, good, seen, self._clock() - begun, state)

    def put(self, key: str, good: bool, seen: object, seconds: float, state: str | None = None) -> bool:
        """Write down what was seen elsewhere; return `good`."""
        row = Row(BY_KEY[key].key, masked(seen), state or (OK if good else FAILED), round(seconds, 1))
        self._rows[key] = row
        self._tell(f"{row.state}: {BY_KEY[key].what}: {row.seen} ({row.seconds} s)")
        return good


def most_usd(plan: Mapping[str, Any], minutes: float) -> Decimal:
    """Return the most that the instances of a plan cost in so many minutes, USD. Raises LiveError.

    By the prices of the plan: spot as dear as on demand, with volumes and public addresses.
    """
    hour = Decimal(0)
    for row in plan["rows"]:
        most = row["usd_h"]["most"]
        if most is None:
            raise LiveError(
                f"what an hour of {row['type']} costs in {plan['region']} is not known: allow pricing:GetProducts, or "
                f'give a price, -e \'{{"ec2_environment_prices": {{"{row["type"]}": 0.05}}}}\''
            )
        hour += Decimal(str(most)) * row["count"]
    for what in ("storage", "address"):
        if plan["cost"][what] is None:
            raise LiveError(f"what {what} costs in {plan['region']} is not known: name another region by AWS_REGION")
        hour += Decimal(str(plan["cost"][what]))
    return hour * Decimal(str(minutes)) / 60


def costs(plan: Mapping[str, Any], minutes: float, limit: float) -> tuple[bool, str]:
    """Return whether the instances of a plan cost at most `limit` USD in so many minutes, and that in words."""
    usd = most_usd(plan, minutes)
    words = f"{usd:.4f} USD if all of it lives for {minutes:g} minutes; the limit is {limit:g} USD"
    if usd > Decimal(str(limit)):
        return False, f"{words}: name a cheaper region by AWS_REGION, or raise ec2_live_smoke_usd"
    return True, words
