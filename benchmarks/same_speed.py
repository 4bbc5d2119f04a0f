# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether two builds of llama.cpp are equally fast, on a machine that is not quiet.

    .venv/bin/python benchmarks/same_speed.py A/bin/llama-bench B/bin/llama-bench MODEL.gguf
    .venv/bin/python benchmarks/same_speed.py A/bin/llama-bench IK/bin/llama-bench MODEL.gguf --only-b="-rtr 1"

Both run at the same time, one thread each on a core of its own, and change cores for the second half of a pair: what
else the machine does, and how its cores differ, meets both alike. A pair is the geometric mean of the ratios of its
halves; the interval and the word are those of `make compare`. Two processes that share a memory are slower
than one alone, so the tokens per second are no figures of the machine. With the same file as A and B it is an A/A test.
Leaves with 1 where a test is not `equal`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import subprocess
import sys
from pathlib import Path

import needs

needs.meet(needs.requirements(), needs.program("taskset", remedy="sudo apt-get install util-linux"))

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import verdict  # noqa: E402

ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}


def both(programs: list[Path], cores: list[int], arguments: list[str], only: list[list[str]]) -> list[float]:
    """Run the programs at the same time, each on its core and with what `only` it is told; return their token/s."""
    running = [
        subprocess.Popen(
            ["taskset", "-c", str(core), program, *arguments, *own],
            env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for program, core, own in zip(programs, cores, only, strict=True)
    ]  # fmt: skip
    speeds = []
    for process, program in zip(running, programs, strict=True):
        output, errors = process.communicate()
        if process.returncode:
            raise SystemExit(f"{program} ended with {process.returncode}: {errors[-1000:]}")
        speeds.append(float(json.loads(output)[0]["avg_ts"]))
    return speeds


def main() -> int:
    """Print a line for each test and return 0 where both are equal in all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs=2, type=Path, metavar="LLAMA_BENCH", help="A and B")
    parser.add_argument("model", type=Path)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--prompt", type=int, default=512, metavar="TOKENS")
    parser.add_argument("--only-a", default="", metavar="ARGUMENTS", help="what A alone is told")
    parser.add_argument("--only-b", default="", metavar="ARGUMENTS", help="what B alone is told")
    parser.add_argument("--generate", type=int, default=128, metavar="TOKENS")
    asked = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    needs.meet(
        *(needs.executable(program) for program in asked.programs),
        needs.file(asked.model),
        None if len(cores) == 2 else "this process may use one core alone: two are needed, one for each build",
    )
    tests = {f"pp{asked.prompt}": (asked.prompt, 0), f"tg{asked.generate}": (0, asked.generate)}
    pairs: dict[str, list[float]] = {test: [] for test in tests}
    for number in range(asked.pairs):
        for test, (prompt, generate) in tests.items():
            arguments = ["-m", str(asked.model), "-p", str(prompt), "-n", str(generate), "-t", "1", "-r", "1"]
            only = [shlex.split(asked.only_a), shlex.split(asked.only_b)]
            halves = [both(asked.programs, order, [*arguments, "-o", "json"], only) for order in (cores, cores[::-1])]
            pairs[test].append(math.prod(b / a for a, b in halves) ** 0.5)
            print(f"pair {number + 1} of {asked.pairs}, {test}: {pairs[test][-1]:.4f}", file=sys.stderr, flush=True)
    print("\n| test | pairs | B / A (95 % interval) | word |\n|:--|--:|--:|:--|")
    words = []
    for test, ratios in pairs.items():
        judged = verdict.paired([1.0] * len(ratios), ratios)
        words.append(judged.word)
        ratio = judged.ratio
        within = f" ({ratio.low:.4f} to {ratio.high:.4f})" if ratio and ratio.low and ratio.high else ""
        print(f"| {test} | {len(ratios)} | {ratio.mean if ratio else math.nan:.4f}{within} | {judged.word} |")
    return 0 if all(word == verdict.EQUAL for word in words) else 1


if __name__ == "__main__":
    sys.exit(main())
