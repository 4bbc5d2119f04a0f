# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to append one record to a store that holds many, beside the version of another commit.

The records are copies of a real launch's under other numbers, all of one run on one machine, so in one file. Each
version appends in a process of its own to the same file, in turns, --rounds times; the file is cut back in between.
The first append of a process reads the file and is told apart; the others are each on the disk (fsync) when their time
ends. Target: a record costs at most 1.5 times as much where there are most as where there are fewest, by the medians.

    .venv/bin/python benchmarks/append.py --before 08cf5c2
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import needs
from versions import checked_out

ROOT = Path(__file__).resolve().parent.parent
PLUGIN_UTILS = "ansible_collections.cloudbench.llama.plugins.plugin_utils."
TEMPLATE = ROOT / "tests" / "fixtures" / "records" / "schema-2.jsonl"
MACHINE, RUN = "machine-0000", "20261101T000000Z-0000"
MOST_RATIO = 1.5


def launches(first: int, many: int) -> list[dict[str, Any]]:
    """Return records of launches, no two of them equal."""
    lines = map(json.loads, TEMPLATE.read_text("utf-8").splitlines())
    base = next(record for record in lines if record["kind"] == "launch")
    base.update(machine=MACHINE, run=RUN)
    return [{**base, "payload": {**base["payload"], "number": number + 1}} for number in range(first, first + many)]


def fill(results: Path, many: int) -> Path:
    """Write a store of `many` records and return its file."""
    path = results / MACHINE / "records" / f"{RUN}.jsonl"
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="ascii") as file:
        for first in range(0, many, 1000):
            for record in launches(first, min(1000, many - first)):
                file.write(json.dumps(record, sort_keys=True, separators=(",", ":")) + "\n")
    return path


def inside(results: Path, many: int, appended: int) -> None:
    """In a process of its own: append records one at a time, say how many seconds and of a processor each took."""
    try:
        records = importlib.import_module(PLUGIN_UTILS + "store.records")
    except ImportError:
        # Before there were sub-packages.
        records = importlib.import_module(PLUGIN_UTILS + "records")
    writer = records.Writer(results) if hasattr(records, "Writer") else None
    took = []
    for record in launches(many, appended + 1):
        wall, processor = time.monotonic(), time.process_time()
        done = writer.append([record]) if writer else records.append(results, [record])
        took.append((time.monotonic() - wall, time.process_time() - processor))
        if done.written != 1 or done.problems:
            raise SystemExit(f"a record was not appended: {done}")
    print(json.dumps(took))


def run(checkout: Path, results: Path, many: int, appended: int) -> list[tuple[float, float]]:
    """Return what each append took in a version of the collection, in a process of its own: wall and processor time."""
    argv = [sys.executable, __file__, "--inside", str(results), str(many), str(appended)]
    environment = {**os.environ, "PYTHONPATH": str(checkout / "collections")}
    ended = subprocess.run(argv, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    took: list[tuple[float, float]] = json.loads(ended.stdout)
    return took


def main() -> int:
    """Print a table with a line for each version and number of records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", metavar="COMMIT", help="the version to compare with; none when absent")
    parser.add_argument("--records", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--append", type=int, default=100, help="records to append in a round")
    parser.add_argument("--append-before", type=int, default=5, help="the same of the version before, which is slow")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inside", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        inside(Path(asked.inside[0]), int(asked.inside[1]), int(asked.inside[2]))
        return 0
    needs.meet(
        needs.requirements(),
        needs.program("git", remedy="sudo apt-get install git") if asked.before else None,
        needs.disk(Path(tempfile.gettempdir()), 2),
    )
    print("| version | records there | appended | first ms | each ms | of it processor ms |")
    print("|:--|--:|--:|--:|--:|--:|")
    medians = []
    with tempfile.TemporaryDirectory(prefix="append-") as scratch:
        versions = [("this", ROOT, asked.append)]
        if asked.before:
            before = checked_out(asked.before, Path(scratch, "before"))
            versions.insert(0, (f"before ({asked.before})", before, asked.append_before))
        for many in sorted(asked.records):
            results = Path(scratch, str(many))
            path = fill(results, many)
            size = path.stat().st_size
            took: dict[str, list[list[tuple[float, float]]]] = {name: [] for name, _checkout, _append in versions}
            for number in range(asked.rounds):
                for name, checkout, append in versions if number % 2 == 0 else reversed(versions):
                    took[name].append(run(checkout, results, many, append))
                    os.truncate(path, size)
            for name, rounds in took.items():
                first = 1000 * statistics.median(each[0][0] for each in rounds)
                wall, processor = (
                    1000 * statistics.median(pair[part] for each in rounds for pair in each[1:]) for part in (0, 1)
                )
                appended = sum(len(each) - 1 for each in rounds)
                print(f"| {name} | {many:,} | {appended} | {first:.1f} | {wall:.2f} | {processor:.2f} |", flush=True)
                if name == "this":
                    medians.append(wall)
            path.unlink()
    ratio = medians[-1] / medians[0]
    met = ratio <= MOST_RATIO
    print(f"\nMost to fewest: {ratio:.2f} times. Target: at most {MOST_RATIO:g}: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
