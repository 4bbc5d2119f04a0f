# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often a verdict is wrong: real launches of one thing against itself, and against itself held up by 5 and 2 %.

A comparison is what the product makes. By launches in turns: interleaved pairs, the order of each drawn at random, 6 of
them and then more, --most at the utmost, until the 95 % interval of the mean ratio is within 1 % either way. With
--duets: pairs of module_utils/measure/duet.py, which ends a comparison itself. No launch is in two comparisons. Where B
is held up it is stopped and continued (SIGSTOP, SIGCONT) every 20 ms for 5 or 2 % of the time, and A gets as many
signals that do nothing. Targets: at most 5 % of the comparisons of equal things say faster or slower, at least 95 % of
those with 5 % and 80 % of those with 2 % say slower.

Each pair is a line of --raw as soon as it is measured: the command may be interrupted, and goes on where it was. The
parts take turns, so that each has met the same hours.

    .venv/bin/python benchmarks/verdicts.py --bench llama-bench --model tiny.gguf --raw verdicts.jsonl --seconds 540
    .venv/bin/python benchmarks/verdicts.py … --duets --threads 1 --generate 64 --raw duets.jsonl
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import random
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duets
import needs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))
# The imports below want them.
needs.meet(needs.requirements())

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.bench.output import parse_row  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import duet  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import (  # noqa: E402
    Interval,
    mean_interval,
    side_of_margin,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import verdict  # noqa: E402

FEWEST, ENOUGH_PERCENT = 6, 1.0
FALSE_MOST = 0.05
TIME_LIMIT_S = 60.0
# Reached by each side of a round of a duet, in seconds, with a model of which a launch takes a second.
TOGETHER_S = 0.25

Pair = dict[str, Any]


class Part(NamedTuple):
    """Comparisons of one kind: the share of its time that B is stopped, and what share of them is to find it.

    `beyond_margin`: a slow-down counts as found where the verdict is `slower`, whose margin is 2 %; otherwise where the
    interval lies below 1.
    """

    name: str
    held: float
    found_least: float
    beyond_margin: bool


SAME = Part("A/A", 0.0, 0.0, True)
PARTS = (SAME, Part("B held up by 5 %", 0.05, 0.95, True), Part("B held up by 2 %", 0.02, 0.80, False))


def held_up(bench: Path, share: float, signals_of: float, directory: Path) -> Path:
    """Return a program that is `bench` with one beside it that holds it up."""
    place = directory / f"{share:g}-of-{signals_of:g}" / "llama-bench"
    place.parent.mkdir(exist_ok=True)
    beside = shlex.join([sys.executable, "-S", str(ROOT / "tests" / "support" / "hold_up.py")])
    holds = f"{beside} $$ {share:g} {signals_of:g} >/dev/null 2>&1 &"
    place.write_text(f'#!/bin/sh\n{holds}\nexec {shlex.quote(str(bench.resolve()))} "$@"\n', "utf-8")
    place.chmod(0o755)
    return place


def launch(argv: Sequence[str], asked: argparse.Namespace) -> float:
    """Launch llama-bench once and return its token/s."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=TIME_LIMIT_S)
    if done.returncode:
        raise SystemExit(f"{argv} ended with {done.returncode}")
    text = done.stdout.decode("utf-8", "replace")
    row = parse_row(text, asked.prompt, asked.generate, asked.threads, asked.repetitions)
    return float(row["avg_ts"])


class Turns:
    """One comparison by launches in turns, the order of each pair drawn at random."""

    def __init__(
        self, asked: argparse.Namespace, programs: tuple[Path, Path], seed: str, pairs: Sequence[Pair]
    ) -> None:
        self.asked, self.seed, self.number = asked, seed, len(pairs)
        rest = ["-m", str(asked.model), "-t", str(asked.threads), "-p", str(asked.prompt), "-n", str(asked.generate)]
        rest += ["-r", str(asked.repetitions), "-o", "jsonl"]
        self.argv = {side: [str(program), *rest] for side, program in zip("ab", programs, strict=True)}

    def pair(self) -> float | None:
        """Return B/A of one more pair."""
        b_first = random.Random(f"{self.seed} {self.number}").random() < 0.5
        self.number += 1
        told = {side: launch(self.argv[side], self.asked) for side in ("ba" if b_first else "ab")}
        return told["b"] / told["a"]


class Duets:
    """One comparison by duets, as the product makes it."""

    def __init__(
        self, asked: argparse.Namespace, programs: tuple[Path, Path], seed: str, pairs: Sequence[Pair]
    ) -> None:
        self.split = duets.split_of_machine()
        test = f"pp{asked.prompt}" if asked.prompt else f"tg{asked.generate}"
        sides = (duets.job(duets.Side(program, asked.model), test, self.split.threads) for program in programs)
        self.duet = duet.Duet(*sides)
        del seed, pairs

    def pair(self) -> float | None:
        """Return B/A of one more pair, None of one that does not count."""
        log = duets.duet_pair(self.duet, self.split)
        return None if log is None else math.exp(log)


def decided(pairs: Sequence[Pair], asked: argparse.Namespace) -> bool:
    """Say whether a comparison has its pairs, by the rules of a run.

    Launches end by the interval's width, never by a verdict; duets where the interval is on one side of the margin.
    """
    known = ratios(pairs)
    if len(pairs) >= asked.most or len(known) < FEWEST:
        return len(pairs) >= int(asked.most)
    ratio, by_duets = mean_interval(known), bool(asked.duets)
    if by_duets:
        return side_of_margin(ratio) is not None
    return ratio.half_width_percent is not None and ratio.half_width_percent <= ENOUGH_PERCENT


def ratios(pairs: Iterable[Pair]) -> list[float]:
    """Return B/A of the pairs that count."""
    return [pair["ratio"] for pair in pairs if pair["ratio"] is not None]


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


def comparisons(pairs: Iterable[Pair], part: Part) -> list[list[Pair]]:
    """Return the comparisons of a part, whole or not."""
    by_number: dict[int, list[Pair]] = {}
    for pair in pairs:
        if pair["part"] == part.name:
            by_number.setdefault(pair["comparison"], []).append(pair)
    return list(by_number.values())


def turns(wanted: dict[str, int]) -> list[tuple[Part, int]]:
    """Return all comparisons, those of a part evenly among the others."""
    every = [(part, number) for part in PARTS for number in range(wanted[part.name])]
    return sorted(every, key=lambda entry: (entry[1] + 0.5) / wanted[entry[0].name])


def measure(asked: argparse.Namespace, head: dict[str, Any], pairs: list[Pair]) -> None:
    """Measure what is missing, for as long as may be; `pairs` grows with the file."""
    until = time.monotonic() + asked.seconds
    way = Duets if asked.duets else Turns
    with tempfile.TemporaryDirectory() as scratch, asked.raw.open("a", encoding="utf-8") as raw:
        for part, number in turns(asked.wanted):
            mine = [pair for pair in pairs if (pair["part"], pair["comparison"]) == (part.name, number)]
            programs = (asked.bench, asked.bench)
            if part.held:
                a, b = (held_up(asked.bench, share, part.held, Path(scratch)) for share in (0.0, part.held))
                programs = (a, b)
            comparison = way(asked, programs, f"{head['seed']} {part.name} {number}", mine)
            while not decided(mine, asked):
                if time.monotonic() > until:
                    return
                pair: Pair = {"part": part.name, "comparison": number, "time": round(time.time(), 3)}
                pair["ratio"] = comparison.pair()
                pair["seconds"] = round(time.time() - pair["time"], 3)
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


def hits(part: Part, intervals: Sequence[Interval]) -> int:
    """Return how many comparisons of a part are wrong (A/A), or have found that B is slower."""
    words = [verdict.of_ratio(ratio) for ratio in intervals]
    if part.held and not part.beyond_margin:
        return sum(1 for ratio in intervals if ratio.high is not None and ratio.high < 1)
    return words.count(verdict.SLOWER) + (0 if part.held else words.count(verdict.FASTER))


def report(pairs: list[Pair], asked: argparse.Namespace) -> bool:
    """Print the tables of what is complete; return whether all is measured and the targets are met."""
    words = (verdict.FASTER, verdict.SLOWER, verdict.EQUAL, verdict.UNDECIDED)
    print("| part | comparisons | pairs, median (range) | " + " | ".join(words) + " | share (95 %) | target | met |")
    print("|:--|--:|--:|" + "--:|" * len(words) + "--:|--:|:--|")
    good = True
    notes = []
    for part in PARTS:
        wanted = asked.wanted[part.name]
        whole = [comparison for comparison in comparisons(pairs, part) if decided(comparison, asked)]
        if not whole:
            good = good and not wanted
            continue
        intervals = [mean_interval(ratios(comparison)) for comparison in whole]
        told = [verdict.of_ratio(ratio) for ratio in intervals]
        number = hits(part, intervals)
        share = number / len(whole)
        met = len(whole) >= wanted and (share >= part.found_least if part.held else share <= FALSE_MOST)
        good = good and met
        sizes = [len(comparison) for comparison in whole]
        low, high = wilson(number, len(whole))
        found = f">= {part.found_least:.0%} " + ("found" if part.beyond_margin else "of intervals below 1")
        target = found if part.held else f"<= {FALSE_MOST:.0%} wrong"
        outcome = "yes" if met else "NO" if len(whole) >= wanted else f"not yet, {len(whole)} of {wanted}"
        print(
            f"| {part.name} | {len(whole)} | {statistics.median(sizes):g} ({min(sizes)} to {max(sizes)}) | "
            + " | ".join(str(told.count(word)) for word in words)
            + f" | {share:.1%} ({low:.1%} to {high:.1%}) | {target} | {outcome} |"
        )
        every = ratios(pair for comparison in whole for pair in comparison)
        ratio = mean_interval(every)
        spread = statistics.stdev(math.log(value) for value in every)
        capped = sum(1 for size in sizes if size >= asked.most)
        seconds = [sum(pair["seconds"] for pair in comparison) for comparison in whole]
        notes.append(
            f"{part.name}: over {len(every)} pairs B/A is {duets.shown(ratio)}; pairs lie {100 * spread:.1f} % apart "
            f"(sd); {sum(sizes) - len(every)} do not count; {capped} comparisons came to {asked.most} pairs; one took "
            f"{statistics.median(seconds):.0f} s (median), {max(seconds):.0f} s at most."
        )
    print("\n" + "\n".join(notes))
    return good


def main() -> int:
    """Return 0 if all is measured and the targets are met, else 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bench", type=Path, required=True, help="llama-bench")
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file, so small that a launch takes a second")
    parser.add_argument("--raw", type=Path, required=True, help="where the pairs are kept, and found again")
    parser.add_argument("--seconds", type=float, default=540, help="how long to measure; 0 only reports")
    parser.add_argument("--duets", action="store_true", help="both at the same moment")
    parser.add_argument("--same", type=int, default=200, help="comparisons of equal things")
    parser.add_argument("--held", type=int, default=60, help="comparisons with B held up by 5 %%")
    parser.add_argument("--little", type=int, default=40, help="comparisons with B held up by 2 %%")
    parser.add_argument("--most", type=int, default=duet.PAIRS_MOST, help="pairs of a comparison at most")
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
    asked.wanted = dict(zip((part.name for part in PARTS), (asked.same, asked.held, asked.little), strict=True))
    # A study of the rule needs hundreds of comparisons: with rounds as short as its launches they take an hour.
    duet.TOGETHER_S = TOGETHER_S

    head = {"bench": hashlib.sha256(asked.bench.read_bytes()).hexdigest(), "model": asked.model.name}
    head |= {"bytes": asked.model.stat().st_size, "together_s": TOGETHER_S}
    what = ("threads", "prompt", "generate", "repetitions", "seed", "most", "duets")
    head |= {name: getattr(asked, name) for name in what}
    pairs = read(asked.raw, head)
    if asked.seconds > 0:
        measure(asked, head, pairs)
    return 0 if report(pairs, asked) else 1


if __name__ == "__main__":
    raise SystemExit(main())
