# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an interval holds what it promises: short sessions of one machine at different hours, each a whole site.yml.

pp512 and tg128 of the default model, in --sessions sessions that begin --every seconds apart, with whatever neighbours
the machine has then. Of each test, the median over the figures of all sessions stands for the machine; counted is how
many of the 95 % intervals hold it: of the figures that are not INVALID, and of those that are ranked. Target: 90 % of
the former. The command may be interrupted and goes on where it was: what is in --results is counted as it is, and what
is in other directories with it.

    .venv/bin/python benchmarks/sessions.py --results sessions --sessions 20 --every 360
    .venv/bin/python benchmarks/sessions.py --results sessions --before 4c98adf   # the same records by another rule
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
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
PLUGIN_UTILS = "ansible_collections.cloudbench.llama.plugins.plugin_utils."
TESTS = ("pp512", "tg128")
COVERED_LEAST = 0.9

# Of one session: test -> {"mean", "low", "high", "state", "ranked"}.
Figures = dict[str, dict[str, Any]]


def session(results: Path, minutes: float) -> None:
    """Measure once more into `results`; a run that fails ends the program with its output."""
    variables = {
        "llama_bench_tests": list(TESTS),
        "llama_bench_threads": [len(os.sched_getaffinity(0))],
        "llama_bench_launches_most": 6,
        "llama_bench_repetitions": 1,
        "llama_bench_minutes": minutes,
        "llama_bench_twin": False,
    }
    environment = {**os.environ, "CLOUDBENCH_RESULTS_DIR": str(results), "LC_ALL": "C.UTF-8"}
    environment.pop("CLOUDBENCH_RUN", None)
    done = subprocess.run(
        [PLAYBOOK, "site.yml", "-e", json.dumps(variables)],
        cwd=ROOT, env=environment, check=False, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"site.yml ended with {done.returncode}\n{done.stdout[-3000:]}")


def inside(results: Path) -> None:
    """In a process of its own: print the figures of each session as this version of the collection forms them."""
    records = importlib.import_module(PLUGIN_UTILS + "store.records")
    summary = importlib.import_module(PLUGIN_UTILS + "analysis.summary")
    told = []
    for run in summary.runs(records.read(results).records):
        figures = {}
        for row in summary.rows(run, summary.cells(run)):
            if row.interval and row.interval.low:
                figures[row.cell["test"]] = {
                    "mean": row.interval.mean, "low": row.interval.low, "high": row.interval.high,
                    "state": row.state, "ranked": bool(summary.contenders([row])),
                }  # fmt: skip
        told.append(figures)
    print(json.dumps(told))


def figures_by(checkout: Path, results: Path) -> list[Figures]:
    """Return the figures of every session by the rule of a version of the collection."""
    argv = [sys.executable, __file__, "--inside", "--results", str(results)]
    environment = {**os.environ, "PYTHONPATH": str(checkout / "collections")}
    told: list[Figures] = json.loads(subprocess.run(argv, env=environment, stdout=subprocess.PIPE, check=True).stdout)
    return told


def table(name: str, sessions: list[Figures]) -> bool:
    """Print a line for each test; return whether the target is met in each."""
    met = True
    for test in TESTS:
        every = [figures[test] for figures in sessions if test in figures]
        if not every:
            print(f"| {name} | {test} | 0 | | | | | | |")
            met = False
            continue
        median = statistics.median(figure["mean"] for figure in every)
        spread = 50 * (max(figure["mean"] for figure in every) - min(figure["mean"] for figure in every)) / median
        sound = [figure for figure in every if figure["state"] != "INVALID"]
        counted = [holding(sound, median), holding([figure for figure in sound if figure["ranked"]], median)]
        print(f"| {name} | {test} | {len(every)} | {median:.2f} token/s | ±{spread:.1f} % | {' | '.join(counted)} |")
        met &= bool(sound) and share(sound, median) >= COVERED_LEAST
    return met


def share(figures: list[dict[str, Any]], median: float) -> float:
    """Return which share of the intervals holds the median."""
    return sum(bool(figure["low"] <= median <= figure["high"]) for figure in figures) / len(figures)


def holding(figures: list[dict[str, Any]], median: float) -> str:
    """Return two cells of the table: how many of the intervals hold the median, and how wide they are."""
    if not figures:
        return "0 of 0 | N/A"
    width = statistics.median(50 * (figure["high"] - figure["low"]) / figure["mean"] for figure in figures)
    covered = share(figures, median)
    return f"{round(covered * len(figures))} of {len(figures)}: {100 * covered:.0f} % | ±{width:.1f} %"


def main() -> int:
    """Measure what is missing, print the table, and return 0 where the target is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="folder of the records; it is made")
    parser.add_argument("--also", type=Path, nargs="+", default=[], help="folders of earlier sessions, which count too")
    parser.add_argument("--sessions", type=int, default=0, help="as many as there shall be in the end")
    parser.add_argument("--every", type=float, default=360, metavar="SECONDS", help="from begin to begin")
    parser.add_argument("--minutes", type=float, default=4, help="time limit of the measurements of a session")
    parser.add_argument("--before", metavar="COMMIT", help="also by the rule of this version")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    results = asked.results.resolve()
    if asked.inside:
        inside(results)
        return 0
    needs.meet(needs.requirements(), needs.program("git", remedy="sudo apt-get install git") if asked.before else None)
    results.mkdir(parents=True, exist_ok=True)
    places = [*(path.resolve() for path in asked.also), results]
    for number in range(len(list(results.glob("*/records/*.jsonl"))), asked.sessions):
        began = time.monotonic()
        session(results, asked.minutes)
        print(
            f"session {number + 1} of {asked.sessions}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True
        )
        if number + 1 < asked.sessions:
            time.sleep(max(0.0, asked.every - (time.monotonic() - began)))
    titles = ("rule", "test", "sessions", "median of all", "all within", "not INVALID: hold it", "half width, median")
    print(f"| {' | '.join(titles)} | ranked: hold it | half width, median |")
    print("|:--|:--|--:|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory(prefix="sessions-") as scratch:
        if asked.before:
            before = checked_out(asked.before, Path(scratch, "before"))
            table(f"of {asked.before}", [each for path in places for each in figures_by(before, path)])
        met = table("this", [each for path in places for each in figures_by(ROOT, path)])
    print(f"\nTarget: {100 * COVERED_LEAST:.0f} % of the intervals: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
