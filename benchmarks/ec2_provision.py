# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What provisioning and teardown cost on the controller: whole playbooks against the API server of the tests.

One instance and twenty of them, in turn, as processes of their own from start to end. The server answers at once, so
this is Ansible, Python and boto3 alone; what EC2 itself takes (some tens of seconds to boot, a minute to terminate)
comes on top. No host boots here; one second is waited for it.

How long EC2 takes to answer comes on top too, as often as one request waits for another. Counted are the requests, and
by one more round in which each answer comes DELAY_S later: what that round is longer, in delays, is the number of round
trips one after the other.

Targets on 2 cores: provision at most 20 s, teardown at most 15 s, and for 20 instances at most 1.3 times that of one;
with --before at most 0.6 times that of the version before, the sides in turns.

    .venv/bin/python benchmarks/ec2_provision.py [rounds] [--before COMMIT]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import needs
from versions import checked_out

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.aws.server import AwsServer  # noqa: E402

PROVISION_S, TEARDOWN_S, RATIO, BEFORE_RATIO = 20.0, 15.0, 1.3, 0.6
DELAY_S = 0.3
PLAYBOOKS = ("provision", "teardown")
COUNTS = (1, 20)


def timed(root: Path, server: AwsServer, playbook: str, run: str, scratch: str, count: int) -> float:
    """Run a playbook of a checkout; return its wall seconds. Where it does not end well its output ends the program."""
    variables = {
        "ec2_environment_run": run,
        "ec2_environment_instances": [{"type": "c7g.16xlarge" if count == 1 else "c7g.xlarge", "count": count}],
        "ec2_environment_ssh_from": "203.0.113.7",
        "ec2_environment_directory": f"{scratch}/ec2",
        "ec2_environment_timeout": 1,
        # Nobody joins, which is no failure here.
        "ec2_environment_of_a_run": True,
    }
    environment = {
        **os.environ,
        **server.environment,
        "ANSIBLE_CONFIG": str(root / "ansible.cfg"),
        "CLOUDBENCH_RUN": run,
        "CLOUDBENCH_RESULTS_DIR": f"{scratch}/results",
        "LC_ALL": "C.UTF-8",
    }
    ansible = str(Path(sys.executable).parent / "ansible-playbook")
    command = [ansible, "-i", "inventory/aws", f"playbooks/{playbook}.yml"]
    started = time.monotonic()
    done = subprocess.run(
        [*command, "-e", json.dumps(variables)], cwd=root, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=300,
    )  # fmt: skip
    wall = time.monotonic() - started
    if done.returncode:
        raise SystemExit(done.stdout)
    return wall


class Side:
    """One version: its checkout, and what was seen of it by playbook and number of instances."""

    def __init__(self, name: str, root: Path) -> None:
        self.name, self.root = name, root
        self.seconds: dict[tuple[str, int], list[float]] = {}
        self.delayed: dict[str, float] = {}
        self.requests: dict[str, int] = {}

    def round(self, server: AwsServer, scratch: str, number: int, count: int, delay_s: float = 0.0) -> None:
        """Provision and tear down once; `delay_s` is how much later each answer comes."""
        run = f"round{number}x{count}"
        for playbook in PLAYBOOKS:
            if delay_s:
                server.fault(delay=delay_s, times=None)
            before = len(server.requests())
            wall = timed(self.root, server, playbook, run, scratch, count)
            if delay_s:
                self.delayed[playbook] = wall
                self.requests[playbook] = len(server.requests()) - before
                server.clear_faults()
            else:
                self.seconds.setdefault((playbook, count), []).append(wall)
            print(f"round {number}, {self.name}: {playbook} {count}: {wall:.1f} s", file=sys.stderr, flush=True)
        if server.leftovers():
            raise SystemExit(f"left after the teardown: {server.leftovers()}")
        server.reset()

    def round_trips(self, playbook: str) -> float:
        """How many requests wait for one another."""
        return (self.delayed[playbook] - statistics.median(self.seconds[playbook, 1])) / DELAY_S


def spread(values: list[float]) -> str:
    """The median, and from where to where."""
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def paired(many: list[float], single: list[float]) -> float:
    """The median of the ratios."""
    return statistics.median(one / other for one, other in zip(many, single, strict=True))


def main() -> int:
    """Return 0 if the targets are met, 1 if one is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", type=int, nargs="?", default=5)
    parser.add_argument("--before", metavar="COMMIT", help="also that version, in turns")
    asked = parser.parse_args()
    needs.meet(
        needs.playbooks(),
        needs.distributions("moto", "flask"),
        needs.program("git", remedy="sudo apt-get install git") if asked.before else None,
    )
    with tempfile.TemporaryDirectory(prefix="ec2-provision-") as scratch, AwsServer() as server:
        sides = [Side("this", ROOT)]
        if asked.before:
            sides.append(Side(asked.before, checked_out(asked.before, Path(scratch, "before"))))
        for number in range(asked.rounds):
            # Who goes first takes turns.
            turn = 1 if number % 2 == 0 else -1
            for count in COUNTS[::turn]:
                for side in sides[::turn]:
                    side.round(server, scratch, number + 1, count)
        for side in sides:
            side.round(server, scratch, asked.rounds + 1, 1, DELAY_S)
    missed = False
    print("\n| playbook | version | 1 instance s | 20 instances s | ratio | requests | round trips | target s | met |")
    print("|:--|:--|--:|--:|--:|--:|--:|--:|:--|")
    for playbook, target in zip(PLAYBOOKS, (PROVISION_S, TEARDOWN_S), strict=True):
        for side in sides:
            single, twenty = (side.seconds[playbook, count] for count in COUNTS)
            ratio = paired(twenty, single)
            met = statistics.median(single) <= target and ratio <= RATIO
            missed |= not met and side is sides[0]
            print(
                f"| {playbook} | {side.name} | {spread(single)} | {spread(twenty)} | {ratio:.2f} "
                f"| {side.requests[playbook]} | {side.round_trips(playbook):.0f} | {target:g} "
                f"| {'yes' if met else 'MISSED'} |"
            )
    for side in sides[1:]:
        for playbook in PLAYBOOKS:
            for count in COUNTS:
                ratio = paired(sides[0].seconds[playbook, count], side.seconds[playbook, count])
                missed |= ratio > BEFORE_RATIO
                print(
                    f"\n{playbook}, {count}: {ratio:.2f} of {side.name}; target {BEFORE_RATIO:g}: "
                    f"{'met' if ratio <= BEFORE_RATIO else 'MISSED'}",
                    end="",
                )
        print()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
