# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often a verdict is wrong: real launches of one thing against itself, and against itself held up by 5 %.

A comparison is what the product makes: interleaved pairs, the order of each drawn at random, 6 of them and then more,
--most at the utmost, until the 95 % interval of the mean ratio is within 1 % either way. No launch is in two
comparisons. In the second part B is stopped and continued (SIGSTOP, SIGCONT) every 20 ms for 5 % of the time, and A
gets as many signals that do nothing. What share of the time B stood still is measured beside its speed. Targets: at
most 5 % of the comparisons of equal things say faster or slower, and at least 95 % of the others say slower.

Each pair is a line of --raw as soon as it is measured: the command may be interrupted, and goes on where it was.

    .venv/bin/python benchmarks/verdicts.py --bench llama-bench --model tiny.gguf --raw verdicts.jsonl --seconds 540
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import needs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))
# The imports below want them.
needs.meet(needs.requirements())

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.bench.output import parse_row  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import mean_interval  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import verdict  # noqa: E402

FEWEST, ENOUGH_PERCENT = 6, 1.0
PERIOD_S, HELD_SHARE = 0.02, 0.05
SAME, HELD = "A/A", "B held up"
FALSE_MOST, FOUND_LEAST = 0.05, 0.95
TIME_LIMIT_S = 60.0

Pair = dict[str, Any]


def _signals(process: subprocess.Popen[bytes], holds: bool) -> float:
    """Signal `process` once a period until it ends; return the share of its time that it was stopped."""
    started, stopped = time.monotonic(), 0.0
    while process.poll() is None:
        now = time.monotonic()
        if now - started > TIME_LIMIT_S:
            raise SystemExit(f"{process.args!r} did not end within {TIME_LIMIT_S:g} s")
        # A sleep takes longer than was asked for: what is owed by now is counted, not the number of stops.
        owed = HELD_SHARE * (now - started) - stopped
        if owed > HELD_SHARE * PERIOD_S / 2:
            process.send_signal(signal.SIGSTOP if holds else signal.SIGCONT)
            time.sleep(owed)
            process.send_signal(signal.SIGCONT)
            stopped += time.monotonic() - now
        time.sleep(PERIOD_S * (1 - HELD_SHARE))
    return stopped / (time.monotonic() - started) if holds else 0.0


def launch(argv: Sequence[str], asked: argparse.Namespace, held: bool | None) -> tuple[float, float]:
    """Launch llama-bench once; return its token/s and the share of the time it was stopped. `held` None: no signals."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
        try:
            share = 0.0 if held is None else _signals(process, held)
            process.wait(TIME_LIMIT_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode:
            raise SystemExit(f"{argv} ended with {process.returncode}")
        out.seek(0)
        text = out.read().decode("utf-8", "replace")
    row = parse_row(text, asked.prompt, asked.generate, asked.threads, asked.repetitions)
    return float(row["avg_ts"]), share


def decided(pairs: Sequence[Pair], most: int) -> bool:
    """Say whether a comparison has its pairs, by the rule that stops a run: the interval's width, never a verdict."""
    if len(pairs) < FEWEST:
        return False
    width = mean_interval([pair["b"] / pair["a"] for pair in pairs]).half_width_percent
    return len(pairs) >= most or (width is not None and width <= ENOUGH_PERCENT)


def read(path: Path, head: dict[str, Any]) -> list[Pair]:
    """Return the pairs in a raw file and leave it ready to be added to. Exits when it is of something else."""
    if not path.exists() or not path.stat().st_size:
        path.write_text(json.dumps({"head": head}) + "\n", "utf-8")
        return []
    text = path.read_text("utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        # Killed while it wrote: that pair is measured again.
        os.truncate(path, len(whole.encode("utf-8")))
    lines = [json.loads(line) for line in whole.splitlines()]
    if not lines or lines[0].get("head") != head:
        raise SystemExit(f"{path} is not of this program, model, test and seed: give another --raw")
    return lines[1:]


def comparisons(pairs: Iterable[Pair], part: str) -> list[list[Pair]]:
    """Return the comparisons of a part that have all their pairs, and those that have not."""
    by_number: dict[int, list[Pair]] = {}
    for pair in pairs:
        if pair["part"] == part:
            by_number.setdefault(pair["comparison"], []).append(pair)
    return list(by_number.values())


def measure(asked: argparse.Namespace, head: dict[str, Any], pairs: list[Pair]) -> None:
    """Measure what is missing, for as long as may be; `pairs` grows with the file."""
    argv = [str(asked.bench), "-m", str(asked.model), "-t", str(asked.threads), "-p", str(asked.prompt)]
    argv += ["-n", str(asked.generate), "-r", str(asked.repetitions), "-o", "jsonl"]
    until = time.monotonic() + asked.seconds
    with asked.raw.open("a", encoding="utf-8") as raw:
        for part, wanted in ((SAME, asked.same), (HELD, asked.held)):
            for number in range(wanted):
                mine = [pair for pair in pairs if (pair["part"], pair["comparison"]) == (part, number)]
                while not decided(mine, asked.most):
                    if time.monotonic() > until:
                        return
                    b_first = random.Random(f"{head['seed']} {part} {number} {len(mine)}").random() < 0.5
                    pair: Pair = {"part": part, "comparison": number, "time": round(time.time(), 3)}
                    for side in "ba" if b_first else "ab":
                        held = None if part == SAME else side == "b"
                        pair[side], pair[f"{side}_stopped"] = launch(argv, asked, held)
                    pair["b_first"] = b_first
                    raw.write(json.dumps(pair) + "\n")
                    raw.flush()
                    mine.append(pair)
                    pairs.append(pair)


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209)."""
    z = statistics.NormalDist().inv_cdf(0.975)
    share, more = hits / of, z * z / of
    middle, half = share + more / 2, z * math.sqrt(share * (1 - share) / of + more / of / 4)
    return max(0.0, (middle - half) / (1 + more)), min(1.0, (middle + half) / (1 + more))


def report(pairs: list[Pair], asked: argparse.Namespace) -> bool:
    """Print the tables of what is complete; return whether all is measured and both targets are met."""
    words = (verdict.FASTER, verdict.SLOWER, verdict.EQUAL, verdict.UNDECIDED)
    print("| part | comparisons | pairs, median (range) | " + " | ".join(words) + " | share (95 %) | target | met |")
    print("|:--|--:|--:|" + "--:|" * len(words) + "--:|--:|:--|")
    good = True
    notes = []
    for part, wanted in ((SAME, asked.same), (HELD, asked.held)):
        whole = [comparison for comparison in comparisons(pairs, part) if decided(comparison, asked.most)]
        if not whole:
            good = good and not wanted
            continue
        told = [
            verdict.paired([pair["a"] for pair in comparison], [pair["b"] for pair in comparison]).word
            for comparison in whole
        ]
        counts = {word: told.count(word) for word in words}
        hits = counts[verdict.SLOWER] + (counts[verdict.FASTER] if part == SAME else 0)
        share = hits / len(whole)
        met = len(whole) >= wanted and (share <= FALSE_MOST if part == SAME else share >= FOUND_LEAST)
        good = good and met
        sizes = [len(comparison) for comparison in whole]
        low, high = wilson(hits, len(whole))
        target = f"<= {FALSE_MOST:.0%} wrong" if part == SAME else f">= {FOUND_LEAST:.0%} found"
        outcome = "yes" if met else "NO" if len(whole) >= wanted else f"not yet, {len(whole)} of {wanted}"
        print(
            f"| {part} | {len(whole)} | {statistics.median(sizes):g} ({min(sizes)} to {max(sizes)}) | "
            + " | ".join(str(counts[word]) for word in words)
            + f" | {share:.1%} ({low:.1%} to {high:.1%}) | {target} | {outcome} |"
        )
        every = [pair for comparison in whole for pair in comparison]
        ratio = mean_interval([pair["b"] / pair["a"] for pair in every])
        spread = statistics.stdev(math.log(pair["b"] / pair["a"]) for pair in every)
        below = sum(1 for comparison in whole if (mean_interval([x["b"] / x["a"] for x in comparison]).high or 1) < 1)
        capped = sum(1 for comparison, size in zip(whole, sizes, strict=True) if size >= asked.most)
        stopped = "" if part == SAME else f"; B stood still for {statistics.mean(x['b_stopped'] for x in every):.2%}"
        notes.append(
            f"{part}: over {len(every)} pairs B/A is {ratio.mean:.4f} ({ratio.low or 0:.4f} to {ratio.high or 0:.4f})"
            f"{stopped}; pairs lie {100 * spread:.1f} % apart (sd); {capped} comparisons came to {asked.most} pairs; "
            f"of {below} the interval lies below 1."
        )
    print("\n" + "\n".join(notes))
    return good


def main() -> int:
    """Return 0 if all is measured and both targets are met, else 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bench", type=Path, required=True, help="llama-bench")
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file, so small that a launch takes a second")
    parser.add_argument("--raw", type=Path, required=True, help="where the pairs are kept, and found again")
    parser.add_argument("--seconds", type=float, default=540, help="how long to measure; 0 only reports")
    parser.add_argument("--same", type=int, default=200, help="comparisons of equal things")
    parser.add_argument("--held", type=int, default=60, help="comparisons with B held up")
    parser.add_argument("--most", type=int, default=30, help="pairs of a comparison at most")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--prompt", type=int, default=0)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    needs.meet(
        needs.executable(asked.bench),
        needs.file(asked.model),
        None if asked.raw.parent.is_dir() else f"there is no directory {asked.raw.parent}: mkdir -p {asked.raw.parent}",
    )

    head = {"bench": hashlib.sha256(asked.bench.read_bytes()).hexdigest(), "model": asked.model.name}
    head |= {"bytes": asked.model.stat().st_size, "period_s": PERIOD_S, "held_share": HELD_SHARE}
    head |= {name: getattr(asked, name) for name in ("threads", "prompt", "generate", "repetitions", "seed", "most")}
    pairs = read(asked.raw, head)
    if asked.seconds > 0:
        measure(asked, head, pairs)
    return 0 if report(pairs, asked) else 1


if __name__ == "__main__":
    raise SystemExit(main())
