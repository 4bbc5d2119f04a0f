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

from interruptions import drawn, interrupted  # noqa: E402

# Launches of some seconds, more of them than the kills can use up.
LAUNCHES, TESTS, THREADS = 12, ["pp4096", "tg300"], [1, 2]


def main() -> int:
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
        found = interrupted(
            [str(Path(sys.executable).with_name("ansible-playbook")), "site.yml", "-e",
             json.dumps({**variables, "llama_bench_spool": str(spool)})],
            ROOT, environment, spool, results, kills,
        )  # fmt: skip
    victims = ", ".join(f"{count} {name}" for name, count in sorted(Counter(one.victim for one in kills).items()))
    print(
        f"kills: {found.kills} ({victims}), seed {args.seed}; tries: {found.tries}; {time.monotonic() - started:.0f} s"
    )
    planned = LAUNCHES * len(TESTS) * len(THREADS)
    print(f"runs: {found.runs}; launches: {found.launches} of {planned}; at once: {found.at_once}")
    print(f"records lost: {len(found.lost)}; launches doubled: {len(found.doubled)}; cells short: {len(found.short)}")
    good = (found.runs, found.launches, found.at_once) == (1, planned, 1)
    good = good and not (found.lost or found.doubled or found.short)
    print("met" if good else "MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
