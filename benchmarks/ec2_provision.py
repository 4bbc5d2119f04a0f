# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What provisioning and teardown cost on the controller: whole playbooks against the API server of the tests.

One instance and twenty of them, in turn, as processes of their own from start to end. The server answers at once, so
this is Ansible, Python and boto3 alone; what EC2 itself takes (some tens of seconds to boot, a minute to terminate)
comes on top. No host boots here, so there is no waiting for one: ec2_environment_timeout is 0.
Targets on 2 cores: provision at most 20 s, teardown at most 15 s, and for 20 instances at most 1.3 times that of one.

    .venv/bin/python benchmarks/ec2_provision.py [rounds]
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

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.aws.server import AwsServer  # noqa: E402

PROVISION_S, TEARDOWN_S, RATIO = 20.0, 15.0, 1.3


def timed(server: AwsServer, playbook: str, run: str, scratch: str, count: int) -> float:
    """Run a playbook; return its wall seconds. Fails with its output where it does not end well."""
    variables = {
        "ec2_environment_run": run,
        "ec2_environment_instances": [{"type": "c7g.16xlarge" if count == 1 else "c7g.xlarge", "count": count}],
        "ec2_environment_ssh_from": "203.0.113.7",
        "ec2_environment_directory": f"{scratch}/ec2",
        "ec2_environment_timeout": 0,
        # Nobody joins, which is no failure here.
        "ec2_environment_of_a_run": True,
    }
    environment = {
        **os.environ,
        **server.environment,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "CLOUDBENCH_RUN": run,
        "CLOUDBENCH_RESULTS_DIR": f"{scratch}/results",
        "LC_ALL": "C.UTF-8",
    }
    ansible = str(Path(sys.executable).parent / "ansible-playbook")
    command = [ansible, "-i", "inventory/aws", f"playbooks/{playbook}.yml"]
    started = time.monotonic()
    done = subprocess.run(
        [*command, "-e", json.dumps(variables)], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=300,
    )  # fmt: skip
    wall = time.monotonic() - started
    if done.returncode:
        raise SystemExit(done.stdout)
    return wall


def main() -> int:
    """Return 0 if the targets are met, 1 if one is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rounds", type=int, nargs="?", default=5)
    rounds = parser.parse_args().rounds
    needs.meet(needs.playbooks(), needs.distributions("moto", "flask"))
    times: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="ec2-provision-") as scratch, AwsServer() as server:
        for number in range(rounds):
            # Who goes first takes turns.
            for count in (1, 20) if number % 2 == 0 else (20, 1):
                run = f"round{number}x{count}"
                for playbook in ("provision", "teardown"):
                    times.setdefault((playbook, count), []).append(timed(server, playbook, run, scratch, count))
                    print(f"round {number + 1}: {playbook} {count}: {times[playbook, count][-1]:.1f} s", flush=True)
                if server.leftovers():
                    raise SystemExit(f"left after the teardown: {server.leftovers()}")
                server.reset()
    print("\n| playbook | 1 instance s | 20 instances s | ratio | target s | met |\n|:--|--:|--:|--:|--:|:--|")
    missed = 0
    for playbook, target in (("provision", PROVISION_S), ("teardown", TEARDOWN_S)):
        single, twenty = (times[playbook, count] for count in (1, 20))
        ratio = statistics.median(many / single for many, single in zip(twenty, single, strict=True))
        met = statistics.median(single) <= target and ratio <= RATIO
        missed += not met
        one_words, twenty_words = (
            f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})" for values in (single, twenty)
        )
        verdict = "yes" if met else "MISSED"
        print(f"| {playbook} | {one_words} | {twenty_words} | {ratio:.2f} | {target:g} | {verdict} |")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
