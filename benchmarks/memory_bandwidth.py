# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our read bandwidth against the best load kernel of likwid-bench, interleaved, each round in an order of its own.

likwid-bench reads as many bytes as our program does, with as many threads, and gives the mean of at least a second;
ours gives the best of its repetitions. A ceiling must not lie below what somebody else reaches: target, at least 0.95
of its best.

    sudo apt-get install likwid
    .venv/bin/python benchmarks/memory_bandwidth.py --program BUILD/bin/llama-roofline --rounds 7
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
from pathlib import Path

import needs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.cloudbench.llama.plugins.module_utils.probe import machine  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.bandwidth import (  # noqa: E402
    REPETITIONS,
    array_bytes,
)

AT_LEAST = 0.95


def output(argv: list[str]) -> str:
    """Return what a command prints."""
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=300
    ).stdout


def ours(program: Path, threads: int, size: int) -> float:
    """Return the best read bandwidth in GB/s (1e9 bytes) of our program."""
    argv = [str(program), "--threads", str(threads), "--bytes", str(size), "--repetitions", str(REPETITIONS)]
    return float(max(json.loads(output(argv))["read_gb_s"]))


def kernels() -> list[str]:
    """Return the load kernels that likwid-bench has and this processor can run."""
    has = set(machine.features())
    needs = {"load": "sse2", "load_sse": "sse2", "load_avx": "avx", "load_avx512": "avx512f", "load_mem": "sse4_1"}
    there = re.findall(r"^(load\w*) -", output(["likwid-bench", "-a"]), re.MULTILINE)
    return [name for name in there if needs.get(name, "") in has]


def likwid(kernel: str, threads: int, size: int) -> float:
    """Return the bandwidth in GB/s of one run of a kernel."""
    told = output(["likwid-bench", "-t", kernel, "-w", f"N:{size // 1000}kB:{threads}"])
    return float(re.search(r"^MByte/s:\s+([\d.]+)", told, re.MULTILINE).group(1)) / 1000  # type: ignore[union-attr]


def main() -> int:
    """Return 0 if the target is met, 1 if it is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--program", type=Path, required=True, help="llama-roofline")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    needs.meet(
        needs.program("likwid-bench", remedy="sudo apt-get install likwid"),
        needs.executable(asked.program),
    )
    size = array_bytes(machine.fingerprint())
    rates_of: dict[str, list[float]] = {name: [] for name in ("ours", *kernels())}
    source = random.Random(asked.seed)
    for _round in range(asked.rounds):
        for name in source.sample(sorted(rates_of), len(rates_of)):
            rates_of[name].append(
                ours(asked.program, asked.threads, size) if name == "ours" else likwid(name, asked.threads, size)
            )
    print(f"{size / 1e6:.0f} MB, {asked.threads} threads, {asked.rounds} rounds\n")
    print("| program | best GB/s | median of rounds | lowest |\n|:--|--:|--:|--:|")
    for name, rates in rates_of.items():
        print(f"| {name} | {max(rates):.2f} | {statistics.median(rates):.2f} | {min(rates):.2f} |")
    best = max(max(rates) for name, rates in rates_of.items() if name != "ours")
    ratio = max(rates_of["ours"]) / best
    print(f"\nours / best of likwid-bench: {ratio:.3f}: {'met' if ratio >= AT_LEAST else 'MISSED'}")
    return 0 if ratio >= AT_LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
