# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the harness costs: a warm `ansible-playbook site.yml` against a bare shell loop of the very same launches.

In pairs, the order of each drawn at random, on pp512 and tg128 of the default model; both from the second run on, so
that programs and model are there. Targets: at most 1.05 times the loop plus 20 s, at most 30 s outside the launches.

    .venv/bin/python benchmarks/harness_cost.py --pairs 3 --launches 2
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import needs

ROOT = Path(__file__).resolve().parent.parent
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
FACTOR, ALLOWANCE_S, OUTSIDE_S = 1.05, 20.0, 30.0


def site(launches: int, seed: int) -> tuple[float, list[list[str]], float]:
    """Run site.yml; return its wall seconds, the command lines of its launches and their summed wall seconds."""
    with tempfile.TemporaryDirectory() as results:
        environment = {**os.environ, "CLOUDBENCH_RESULTS_DIR": results, "LC_ALL": "C.UTF-8"}
        environment.pop("CLOUDBENCH_RUN", None)
        variables = {
            "llama_bench_launches": launches,
            "llama_bench_launches_most": launches,
            "llama_bench_seed": seed,
            "llama_bench_tests": ["pp512", "tg128"],
            "llama_bench_threads": [len(os.sched_getaffinity(0))],
            "llama_bench_minutes": 0,
            "llama_bench_twin": False,
        }
        started = time.monotonic()
        subprocess.run(
            [PLAYBOOK, "site.yml", "-e", json.dumps(variables)],
            cwd=ROOT, env=environment, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        wall = time.monotonic() - started
        lines = [line for path in Path(results).glob("*/records/*.jsonl") for line in path.read_text().splitlines()]
    payloads = [record["payload"] for record in map(json.loads, lines) if record["kind"] == "launch"]
    payloads.sort(key=lambda payload: (payload["block"], payload["position"]))
    inside = sum(payload["metrics"]["wall_s"]["value"] for payload in payloads)
    return wall, [payload["argv"] for payload in payloads], inside


def loop(commands: list[list[str]]) -> float:
    """Run the same launches from a shell and return the wall seconds."""
    script = "\n".join(f"{shlex.join(argv)} >/dev/null 2>&1 || exit 1" for argv in commands)
    started = time.monotonic()
    subprocess.run(["sh", "-c", script], cwd=Path.home(), check=True, stdin=subprocess.DEVNULL)
    return time.monotonic() - started


def main() -> int:
    """Return 0 if the targets are met, 1 if one is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--launches", type=int, default=2, help="per cell")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    needs.meet(needs.playbooks(), needs.program("sh", remedy="sudo apt-get install dash"))

    _wall, commands, _inside = site(asked.launches, asked.seed)
    rows = []
    print("| pair | site.yml s | loop s | ratio | over 1.05 x loop, s | outside the launches, s |")
    print("|--:|--:|--:|--:|--:|--:|")
    order = random.Random(asked.seed)
    for pair in range(1, asked.pairs + 1):
        if order.random() < 0.5:
            bare = loop(commands)
            wall, _commands, inside = site(asked.launches, asked.seed)
        else:
            wall, _commands, inside = site(asked.launches, asked.seed)
            bare = loop(commands)
        rows.append((wall, bare, wall / bare, wall - FACTOR * bare, wall - inside))
        print("| %d | %.1f | %.1f | %.3f | %.1f | %.1f |" % (pair, *rows[-1]), flush=True)
    medians = [statistics.median(column) for column in zip(*rows, strict=False)]
    print("| median | %.1f | %.1f | %.3f | %.1f | %.1f |" % tuple(medians))
    met = medians[3] <= ALLOWANCE_S and medians[4] <= OUTSIDE_S
    print(
        f"\n{len(commands)} launches. Targets: over 1.05 x loop at most {ALLOWANCE_S:g} s, outside the launches at "
        f"most {OUTSIDE_S:g} s: {'met' if met else 'MISSED'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
