# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sampler costs: processor time of its own, and generation with it against without, in interleaved pairs.

The same launches as the runner makes, with the sampler reading /proc once a second or not at all; the order of each
pair is drawn at random. Targets: at most 0.1 % of one core, and the 95 % interval of the paired ratio within +-1 %.

    .venv/bin/python benchmarks/sampler_cost.py --bench BUILD/bin/llama-bench --model 1b.gguf --pairs 30
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import needs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.bench.output import parse_row  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import mean_interval  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.sampler import Sampler  # noqa: E402

CORE_SHARE, WITHIN = 0.001, 0.01


def launch(asked: argparse.Namespace, sampled: bool) -> float:
    """Launch llama-bench once and return its token/s."""
    argv = [str(asked.bench), "-m", str(asked.model), "-t", str(asked.threads), "-p", "0", "-n", str(asked.generate)]
    argv += ["-r", "1", "-o", "jsonl"]
    with Sampler() if sampled else contextlib.nullcontext() as sampler:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if sampler is not None:
            sampler.watch(process.pid)
        text = process.communicate(timeout=600)[0].decode("utf-8", "replace")
    if process.returncode:
        raise SystemExit(f"{argv} ended with {process.returncode}")
    return float(parse_row(text, 0, asked.generate, asked.threads, 1)["avg_ts"])


def own_share(seconds: float) -> float:
    """Return the share of one core that sampling takes while nothing else is done, watching this process."""
    with Sampler() as sampler:
        sampler.watch(os.getpid())
        # The first sample compiles and opens things.
        time.sleep(2.0)
        wall, used = time.monotonic(), time.process_time()
        time.sleep(seconds)
        return (time.process_time() - used) / (time.monotonic() - wall)


def main() -> int:
    """Return 0 if the targets are met, 1 if one is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bench", type=Path, required=True, help="llama-bench")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=60, help="how long to watch the sampler alone")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    needs.meet(needs.executable(asked.bench), needs.file(asked.model))

    share = own_share(asked.seconds)
    source = random.Random(asked.seed)
    ratios = []
    for _pair in range(asked.pairs):
        speeds = {}
        for sampled in source.sample([True, False], 2):
            speeds[sampled] = launch(asked, sampled)
        ratios.append(speeds[True] / speeds[False])
    ratio = mean_interval(ratios)
    low, high = ratio.low or 0.0, ratio.high or float("inf")
    inside = abs(low - 1) <= WITHIN and abs(high - 1) <= WITHIN
    print(f"of one core: {share:.3%} (target {CORE_SHARE:.1%}): {'met' if share <= CORE_SHARE else 'MISSED'}")
    print(f"with against without: {ratio.mean:.4f} ({low:.4f} to {high:.4f}), {ratio.n} pairs of tg{asked.generate}: "
          f"{'met' if inside else 'MISSED'}")  # fmt: skip
    return 0 if inside and share <= CORE_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
