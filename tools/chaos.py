# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Try the table of faults on real runs and write what came of it into docs/reliability.md.

    make chaos                         all of them, in an order by the seed
    make chaos ONLY=ssh-1s,sigterm     some; the rows of the others stay as they are
    make chaos SEED=7

The hosts are copies of this machine in namespaces (tests/support/hosts/clones.py), which needs root; the faults of the
API of EC2 (api-...) are those of a server that imitates AWS (tests/support/aws), and need nothing.
Leaves with 0 when every fault ended as promised, 1 when one did not, 2 for words that name no fault, 3 where there can
be no such hosts.
"""

from __future__ import annotations

import argparse
import datetime
import os
import random
import re
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "collections"), str(ROOT / "tests")]

from support.aws import faults as api  # noqa: E402
from support.aws.faults import ApiFault  # noqa: E402
from support.hosts import chaos, clones  # noqa: E402
from support.hosts.chaos import Fault, Outcome  # noqa: E402
from support.hosts.emulated import EmulationError  # noqa: E402

from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import did_you_mean  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT  # noqa: E402

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- make chaos writes from here -->", "<!-- make chaos writes up to here -->"
COLUMNS = (
    ("fault", LEFT), ("what the person sees last", LEFT), ("exit code", RIGHT), ("the same command again", LEFT),
    ("records lost", RIGHT), ("launches doubled", RIGHT), ("left behind", RIGHT), ("seconds", RIGHT), ("date", LEFT),
)  # fmt: skip
LONGEST = 160
GOOD, BAD, UNMEANT, NO_HOSTS = 0, 1, 2, 3
FAULTS: tuple[Fault | ApiFault, ...] = (*chaos.FAULTS, *api.FAULTS)
BY_NAME = {fault.name: fault for fault in FAULTS}


def row(fault: Fault | ApiFault, outcome: Outcome, date: str) -> str:
    """A line of the table."""
    again = "not needed" if outcome.again is None else f"exit code {outcome.again}"
    cells = [
        markdown.lines(markdown.code(fault.name), fault.what), markdown.text(outcome.said, LONGEST), str(outcome.code),
        again, str(outcome.lost), str(outcome.doubled), str(len(outcome.left)), f"{outcome.seconds:.0f}", date,
    ]  # fmt: skip
    return markdown.table(COLUMNS, [cells]).splitlines()[-1]


def rows_of(page: str) -> dict[str, str]:
    """The lines of the table by the names of their faults."""
    inside = page.partition(BEGIN)[2].partition(END)[0]
    return {match.group(1): line for line in inside.splitlines() if (match := re.match(r"\| `([a-z0-9-]+)`", line))}


def with_rows(page: str, new: Mapping[str, str], machine: str) -> str:
    """The page with these lines instead of those of the same faults; faults that are no more have no line."""
    known = {**rows_of(page), **new}
    head, begin, rest = page.partition(BEGIN)
    _inside, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} lacks the lines {BEGIN!r} and {END!r}, between which the table is written")
    table = markdown.table(COLUMNS, []).splitlines()
    table += [known[fault.name] for fault in FAULTS if fault.name in known]
    untried = [f"`{fault.name}` ({fault.what})" for fault in FAULTS if fault.name not in known]
    left = f"\n\nWithout a line yet: {', '.join(untried)}." if untried else ""
    return f"{head}{begin}\n\n{machine}\n\n" + "\n".join(table) + f"{left}\n\n{end}{tail}"


def machine_words() -> str:
    """Where it was tried, in a sentence."""
    brand = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text("utf-8", "replace"), re.MULTILINE)
    processor = brand.group(1).strip() if brand else os.uname().machine
    return f"Last tried on {os.cpu_count()} cores of {processor}, Linux {os.uname().release}."


def asked(only: str, seed: int) -> Sequence[Fault | ApiFault]:
    """The faults of these names, all for none, in the order of the seed; ValueError for a name that there is not."""
    names = [name for name in re.split(r"[,\s]+", only) if name] or list(BY_NAME)
    for name in names:
        if name not in BY_NAME:
            raise ValueError(f"there is no fault {name!r}{did_you_mean(name, list(BY_NAME)) or '.'} "
                             f"There are {', '.join(BY_NAME)}")  # fmt: skip
    return random.Random(seed).sample([BY_NAME[name] for name in dict.fromkeys(names)], len(dict.fromkeys(names)))


def suffer(fault: Fault | ApiFault, seed: int) -> Outcome:
    """Try one fault. Raises AssertionError where it could not be done, EmulationError where there is no host."""
    return api.suffer(fault) if isinstance(fault, ApiFault) else chaos.suffer(fault, seed)


def main() -> int:
    """Return one of the exit codes above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="names of faults, with commas; default: all")
    parser.add_argument("--seed", type=int, default=1, help="of the order")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time, each on a host of its own; default: 1")
    parser.add_argument("--output", type=Path, help="keep what each run said in this directory")
    given = parser.parse_args()
    try:
        faults = asked(given.only, given.seed)
    except ValueError as error:
        print(f"chaos: {error}", file=sys.stderr)
        return UNMEANT
    of_hosts = any(isinstance(fault, Fault) for fault in faults)
    if of_hosts and (problem := clones.obstacle()):
        print(f"chaos: no hosts here: {problem}", file=sys.stderr)
        return NO_HOSTS
    print(f"{len(faults)} faults, seed {given.seed}", flush=True)
    if of_hosts:
        print("building llama.cpp first, where that was not done", flush=True)
        chaos.prepare()
    print(markdown.table(COLUMNS, []).splitlines()[0], flush=True)
    failed = []
    pool = ThreadPoolExecutor(max(1, given.jobs))
    tried = {pool.submit(suffer, fault, given.seed): fault for fault in faults}
    for future in as_completed(tried):
        fault = tried[future]
        try:
            outcome = future.result()
        except (AssertionError, EmulationError, OSError) as error:
            failed.append(f"{fault.name}: {error}")
            print(f"{fault.name}: could not be tried: {str(error)[-3000:]}", flush=True)
            continue
        line = row(fault, outcome, datetime.datetime.now(tz=datetime.UTC).date().isoformat())
        print(line, flush=True)
        if given.output:
            given.output.mkdir(parents=True, exist_ok=True)
            (given.output / f"{fault.name}.txt").write_text(outcome.output, "utf-8")
        failed += [f"{fault.name}: {problem}" for problem in outcome.problems]
        # After each: what was tried stays tried when the rest is interrupted.
        PAGE.write_text(with_rows(PAGE.read_text("utf-8"), {fault.name: line}, machine_words()), "utf-8")
    for problem in failed:
        print(f"NOT AS PROMISED {problem}")
    print(f"{len(faults)} faults, {len(failed)} problems")
    return BAD if failed else GOOD


if __name__ == "__main__":
    sys.exit(main())
