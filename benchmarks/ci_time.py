# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the project's own tests take: two versions side by side on one machine, in turns, stage by stage.

Each version is a git worktree with its own .venv. A round runs `.ci/run`, or the groups and stages that are named, in
one version and then in the other, the order of each round drawn at random; of a stage the median of its rounds counts.
Caches are as they are: the first round of a machine that has none shows what it takes from nothing, and that of a
checkout makes its .venv. A stage that only one version has, has no ratio; "all" is the wall clock of the whole.
Targets: all of it at most 0.45 of the version before, and at most 40 minutes.

    .venv/bin/python benchmarks/ci_time.py 242e7e1 HEAD
    .venv/bin/python benchmarks/ci_time.py --rounds 3 --stages lint unit -- 242e7e1 HEAD
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import needs

ROOT = Path(__file__).resolve().parent.parent
RATIO, MOST_S = 0.45, 40 * 60.0
ALL = "all"
# An older tests/run.py knows groups alone: of its stages those that are named are left, whatever their group.
CHOOSE = """
import sys
sys.path.insert(0, "tests")
import run
every, named = run.stages, set(sys.argv[1:])
run.stages = lambda groups, reports: [
    stage for group in run.GROUPS for stage in every([group], reports) if not named or named & {group, stage.name}
]
sys.argv = ["run.py"]
sys.exit(run.main())
"""

Times = dict[str, list[float]]


def commit(revision: str) -> str:
    """The full name of a revision; ends the program where there is none."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", revision + "^{commit}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"ci_time.py: {revision} is no commit of this checkout; git log shows those there are")
    return done.stdout.strip()


def stage_times(output: str) -> dict[str, float]:
    """Seconds of each stage, from the table that tests/run.py ends with."""
    _before, _heading, table = output.rpartition("\nstage ")
    rows = re.findall(r"^(\S+) +(\d+\.\d) +(?:\d+\.\d +)?\d+ +\d+", table, re.MULTILINE)
    return {name: float(seconds) for name, seconds in rows}


def install(worktree: Path) -> None:
    """Make .venv as the Makefile does, which older versions do with their tests alone."""
    subprocess.run([sys.executable, "-m", "venv", worktree / ".venv"], check=True)
    for name in ("requirements.txt", "requirements-dev.txt"):
        pip = [
            str(worktree / ".venv/bin/python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-compile",
            "--requirement",
            name,
        ]
        subprocess.run(pip, cwd=worktree, check=True)


def measure(worktree: Path, stages: list[str]) -> tuple[dict[str, float], str]:
    """Run the tests of a version; seconds of each stage and of all, and the line that counts the tests."""
    command: list[str | Path] = [worktree / ".venv/bin/python", "-c", CHOOSE, *stages] if stages else [".ci/run"]
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=worktree, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    seconds = time.monotonic() - started
    found = stage_times(done.stdout)
    if not found:
        sys.exit(f"ci_time.py: no stage ran in {worktree}:\n{done.stdout[-2000:]}")
    return {**found, ALL: seconds}, done.stdout.strip().splitlines()[-1]


def rows(before: Times, after: Times) -> list[str]:
    """A line of a Markdown table for each stage: medians of both versions and their ratio."""
    lines = []
    for name in dict.fromkeys([*before, *after]):
        medians = [statistics.median(times[name]) if name in times else None for times in (before, after)]
        cells = ["" if seconds is None else f"{seconds:.1f}" for seconds in medians]
        ratio = f"{medians[1] / medians[0]:.2f}" if medians[0] and medians[1] is not None else ""
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {ratio} |")
    return lines


def main() -> int:
    """Return 0 if the targets are met, 1 if not; where single stages were asked for, 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("before", help="a commit")
    parser.add_argument("after", help="a commit")
    parser.add_argument("--rounds", type=int, default=1, help="how often each version is measured")
    parser.add_argument("--stages", nargs="+", default=[], metavar="NAME", help="groups or stages; default: .ci/run")
    parser.add_argument("--seed", type=int, default=1, help="of the order")
    given = parser.parse_args()
    needs.meet(
        needs.program("git", remedy="sudo apt-get install git"),
        needs.program("make", remedy="sudo apt-get install make"),
        needs.disk(Path(tempfile.gettempdir()), 6),
        None if given.stages else needs.root("installing compilers and emulating hosts"),
    )
    commits = [commit(revision) for revision in (given.before, given.after)]
    order = random.Random(given.seed)
    times: list[Times] = [defaultdict(list), defaultdict(list)]
    with tempfile.TemporaryDirectory(prefix="ci-time-") as scratch:
        worktrees = [Path(scratch, name) for name in ("before", "after")]
        try:
            for worktree, revision in zip(worktrees, commits, strict=True):
                add = ["git", "-C", str(ROOT), "worktree", "add", "--quiet", "--detach", str(worktree), revision]
                subprocess.run(add, check=True)
                if given.stages:
                    install(worktree)
            for number in range(given.rounds):
                for index in order.sample((0, 1), 2):
                    found, counted = measure(worktrees[index], given.stages)
                    for name, seconds in found.items():
                        times[index][name].append(seconds)
                    version = ("before", "after")[index]
                    print(f"round {number + 1}, {version}: {found[ALL]:.0f} s, {counted}", flush=True)
        finally:
            for worktree in worktrees:
                subprocess.run(["git", "-C", str(ROOT), "worktree", "remove", "--force", str(worktree)], check=False)
    print(f"\n| stage | {given.before} s | {given.after} s | ratio |\n|:--|--:|--:|--:|")
    print("\n".join(rows(*times)))
    if given.stages:
        return 0
    before, after = (statistics.median(times[index][ALL]) for index in (0, 1))
    met = after <= RATIO * before and after <= MOST_S
    print(f"\nTargets: {RATIO:g} of the version before and {MOST_S:g} s: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
