# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random kills of controller and runner in the middle of one run, the same command given again each time.

Targets: 0 records lost, 0 launches doubled, the result complete, never two measuring programs at once.

    .venv/bin/python benchmarks/random_kills.py --kills 20 --seed 1
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import needs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.hosts.interruptions import drawn, interrupted  # noqa: E402

# Launches of some seconds, more of them than the kills can use up.
LAUNCHES, TESTS, THREADS = 12, ["pp4096", "tg300"], [1, 2]


def main() -> int:
    """Return 0 if the targets are met, 1 if one is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    needs.meet(needs.playbooks())
    kills = drawn(args.kills, args.seed)
    variables = {
        "llama_model_models": ["tiny-synthetic"],
        "llama_bench_tests": TESTS,
        "llama_bench_threads": THREADS,
        "llama_bench_launches": LAUNCHES,
        "llama_bench_launches_most": LAUNCHES,
        "llama_bench_minutes": 0,
        "llama_bench_twin": False,
    }
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        results, spool = Path(directory, "results"), Path(directory, "spool")
        spool.mkdir()
        environment = {**os.environ, "CLOUDBENCH_RESULTS_DIR": str(results), "LC_ALL": "C.UTF-8"}
        environment.pop("CLOUDBENCH_RUN", None)
        outcome = interrupted(
            [str(Path(sys.executable).with_name("ansible-playbook")), "site.yml", "-e",
             json.dumps({**variables, "llama_bench_spool": str(spool)})],
            ROOT, environment, spool, results, kills,
        )  # fmt: skip
    victims = ", ".join(f"{count} {name}" for name, count in sorted(Counter(kill.victim for kill in kills).items()))
    print(
        f"kills: {outcome.kills} ({victims}), seed {args.seed}; tries: {outcome.tries}; "
        f"{time.monotonic() - started:.0f} s"
    )
    planned = LAUNCHES * len(TESTS) * len(THREADS)
    print(f"runs: {outcome.runs}; launches: {outcome.launches} of {planned}; at once: {outcome.at_once}")
    lost, doubled, short = (len(wrong) for wrong in (outcome.lost, outcome.doubled, outcome.short))
    print(f"records lost: {lost}; launches doubled: {doubled}; cells short: {short}")
    good = (outcome.runs, outcome.launches, outcome.at_once) == (1, planned, 1)
    good = good and not (lost or doubled or short)
    print("met" if good else "MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
