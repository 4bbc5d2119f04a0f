# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Duets: whether two builds are equally fast on a machine that is not quiet, and how far such a word can be trusted.

    duets.py verdict A/bin/llama-bench B/bin/llama-bench MODEL.gguf     leaves with 1 where a test is not `equal`
    duets.py noise BIN/llama-bench MODEL.gguf --seconds 240             A/A, against launches in turns
    duets.py bias BIN/llama-bench MODEL.gguf --other OTHER.gguf         pairs that differ, in a duet and alone

All three measure by module_utils/measure/duet.py, as a run does. `noise` measures one thing against itself, for as long
by duets as by pairs of launches in turns, on all cores each or on one half of them. Its figure is the standard error of
the mean log ratio, brought to ten minutes of wall time. With --beside a process that computes on whichever core it is
given runs all the while, 0.1 s of every 0.3. `bias` measures repacking on and off, flash attention on and off, and
another file where one is given: alone, in turns on one half while the other is idle, and in duets, in turns with
these. Where the interval of their quotient lies beyond the margin of 2 %, a word from duets is one of duets.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import needs

needs.meet(needs.requirements())

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.registry import (  # noqa: E402
    headline,
    kind_of,
    parse_test,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.duet import (  # noqa: E402
    Duet,
    DuetRefused,
    Halves,
    counts,
    halves,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.host import Host  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import (  # noqa: E402
    Interval,
    mean_interval,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.settings import Settings  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import verdict  # noqa: E402

TEN_MINUTES = 600.0
MACHINE = {"id": "here"}
SETTINGS = Settings(launches=6, launches_most=30, repetitions=1, seed=1, time_limit=1800.0)
HOST = Host()
# What takes a third of a core, in slices longer than those of a scheduler.
BESIDE = """
import time
while True:
    end = time.monotonic() + 0.1
    while time.monotonic() < end:
        pass
    time.sleep(0.2)
"""


class Side(NamedTuple):
    """What is launched: a llama-bench, a file, and words of the command line beside."""

    bench: Path
    model: Path
    more: tuple[str, ...] = ()


class Launched(NamedTuple):
    """Log ratios of pairs, and the seconds that these took."""

    logs: list[float]
    seconds: float


def job(side: Side, test: str, threads: int) -> Job:
    """Return the job of one side; `repack=off` of the test's name is llama.cpp's --repack 0."""
    cell = {"model": side.model.name, "quantization": "?", "build": str(side.bench), "threads": threads}
    names = {"id": str(side.bench), "name": str(side.bench)}
    return Job(
        {**cell, **parse_test(test), **({"settings": {"more": " ".join(side.more)}} if side.more else {})},
        str(side.bench.resolve().parent),
        str(side.model.resolve()),
        names,
        {"id": side.model.name, "name": side.model.name},
    )


def wrapped(side: Side, directory: Path) -> Side:
    """Return a side whose program adds its words: a shell that becomes llama-bench."""
    if not side.more:
        return side
    place = directory / "-".join(word.strip("-") for word in side.more) / "llama-bench"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f'#!/bin/sh\nexec {side.bench.resolve()} "$@" {" ".join(side.more)}\n', "utf-8")
    place.chmod(0o755)
    return side._replace(bench=place)


def duet_pair(duet: Duet, split: Halves, _number: int = 0) -> float | None:
    """Measure one more pair and return its log ratio, None of one that does not count."""
    payload = duet.measure(split, SETTINGS, MACHINE, HOST)
    duet.add(payload)
    return float(payload["log_ratio"]) if counts(payload) else None


def alone(a: Job, b: Job, cpus: Sequence[int], number: int) -> float:
    """Launch both one after the other, in an order that takes turns, and return the log ratio of their speeds."""
    settings = SETTINGS.of_launch(a)._replace(cpus=cpus)
    speeds = {}
    for name, one in (("a", a), ("b", b))[:: 1 if number % 2 else -1]:
        speeds[name] = kind_of(one.cell).launch(one, settings).metrics[headline(one.cell)]["value"]
    return math.log(speeds["b"] / speeds["a"])


def split_of_machine() -> Halves:
    """Return the halves of this machine. Exits with 2 where it has none."""
    try:
        return halves(HOST.cores(), len(os.sched_getaffinity(0)))
    except DuetRefused as error:
        needs.meet(f"{error}")
        raise


def shown(ratio: Interval, places: int = 4) -> str:
    """Return a ratio with its interval."""
    if ratio.low is None or ratio.high is None:
        return f"{ratio.mean:.{places}f}"
    return f"{ratio.mean:.{places}f} ({ratio.low:.{places}f} to {ratio.high:.{places}f})"


def of_logs(logs: Sequence[float]) -> Interval:
    """Return the mean ratio of log ratios with its interval."""
    return mean_interval([math.exp(value) for value in logs])


def judge(asked: argparse.Namespace) -> int:
    """Print a line for each test and return 0 where both programs are equal in all."""
    split = split_of_machine()
    print("| test | pairs | B / A (95 % interval) | in a duet |\n|:--|--:|--:|:--|", flush=True)
    words = []
    with tempfile.TemporaryDirectory() as scratch:
        programs = (asked.a, asked.b)
        copies = [Path(scratch, side, "llama-bench") for side in "ab"] if asked.fresh else programs
        for test in asked.tests:
            words.append(_judged(asked, split, test, list(zip(copies, programs, strict=True))))
    return 0 if all(word == verdict.EQUAL for word in words) else 1


def _judged(asked: argparse.Namespace, split: Halves, test: str, programs: Sequence[tuple[Path, Path]]) -> str:
    """Print the line of a test and return its verdict; `programs`: what is launched, and what it is a copy of."""
    refresh(programs)
    duet = Duet(*(job(Side(bench, asked.model), test, split.threads) for bench, _program in programs))
    while duet.wants():
        refresh(programs)
        duet_pair(duet, split)
        print(f"{test}: pair {len(duet.pairs)}: {duet.ratio()}", file=sys.stderr, flush=True)
    ratio = duet.ratio()
    word = verdict.of_ratio(ratio) if ratio else verdict.INFORMATIONAL
    print(f"| {test} | {ratio.n if ratio else 0} | {shown(ratio) if ratio else 'N/A'} | {word} |", flush=True)
    return word


def refresh(programs: Sequence[tuple[Path, Path]]) -> None:
    """Make each copy anew: it lies in other pages of memory then, as after the next start of a machine."""
    for place, program in programs:
        if place != program:
            place.parent.mkdir(parents=True, exist_ok=True)
            made = place.with_suffix(".new")
            shutil.copyfile(program.resolve(), made)
            made.chmod(0o755)
            made.replace(place)


@contextmanager
def company(wanted: bool) -> Iterator[None]:
    """Compute beside what is measured, where that is wanted."""
    if not wanted:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", BESIDE])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def noise(asked: argparse.Namespace) -> int:
    """Print the standard errors of an A/A test by duets and by launches in turns, in the same wall time."""
    split = split_of_machine()
    every = sorted({*split.first, *split.second})
    side = Side(asked.bench, asked.model)
    print("| test | how | pairs | seconds | spread of a pair | standard error in 10 min | to launches on all cores |")
    print("|:--|:--|--:|--:|--:|--:|--:|", flush=True)
    for test in asked.tests:
        of_half, of_all = job(side, test, split.threads), job(side, test, len(every))
        duet = Duet(of_half, of_half)
        ways: dict[str, Callable[[int], float | None]] = {
            "launches in turns, all cores": partial(alone, of_all, of_all, every),
            "launches in turns, one half": partial(alone, of_half, of_half, split.first),
            "duets": partial(duet_pair, duet, split),
        }
        told = {name: Launched([], 0.0) for name in ways}
        with company(asked.beside):
            # In turns, so that each way meets the same hours, until each has had its time.
            while any(of_way.seconds < asked.seconds for of_way in told.values()):
                for name, measure in ways.items():
                    if told[name].seconds >= asked.seconds:
                        continue
                    began = time.monotonic()
                    value = measure(len(told[name].logs) + 1)
                    seconds = told[name].seconds + time.monotonic() - began
                    told[name] = Launched([*told[name].logs, *([] if value is None else [value])], seconds)
                    print(f"{test}, {name}: {value}", file=sys.stderr, flush=True)
        reference = None
        for name, (logs, seconds) in told.items():
            spread = statistics.stdev(logs)
            error = 100 * spread / math.sqrt(len(logs)) * math.sqrt(seconds / TEN_MINUTES)
            reference = reference or error
            print(
                f"| {test} | {name} | {len(logs)} | {seconds:.0f} | {100 * spread:.2f} % | ±{error:.2f} % "
                f"| {error / reference:.2f} |",
                flush=True,
            )
    return 0


def bias(asked: argparse.Namespace) -> int:
    """Print for pairs that differ their ratio alone and in a duet, and the quotient of these."""
    split = split_of_machine()
    plain = Side(asked.bench, asked.model)
    pairs: dict[str, tuple[Side, str, Side, str]] = {
        "repack / no repack": (plain, ",repack=off", plain, ""),
        "flash attention on / off": (plain._replace(more=("-fa", "0")), "", plain._replace(more=("-fa", "1")), ""),
    }
    if asked.other:
        name = f"{asked.other.name} / {asked.model.name}"
        pairs[name] = (plain, "", plain._replace(model=asked.other), "")
    print("| B / A | test | alone | in a duet | duet / alone | beyond 2 % |\n|:--|:--|--:|--:|--:|:--|", flush=True)
    for name, (left, off, right, on) in pairs.items():
        for test in asked.tests:
            a, b = (
                job(wrapped(side, asked.scratch), f"{test}{suffix}", split.threads)
                for side, suffix in ((left, off), (right, on))
            )
            duet = Duet(a, b)
            of_turns: list[float] = []
            of_duets: list[float] = []
            began = time.monotonic()
            while len(of_duets) < 3 or (time.monotonic() - began < asked.seconds and len(of_duets) < asked.pairs):
                of_turns.append(alone(a, b, split.first if len(of_duets) % 2 else split.second, len(of_turns)))
                value = duet_pair(duet, split)
                of_duets += [] if value is None else [value]
                print(f"{name}, {test}: alone {of_turns[-1]:.4f}, duet {value}", file=sys.stderr, flush=True)
            apart = verdict.unpaired([math.exp(value) for value in of_turns], [math.exp(value) for value in of_duets])
            ratio = apart.ratio
            word = verdict.of_ratio(ratio) if ratio else verdict.INFORMATIONAL
            beyond = {verdict.FASTER: "yes", verdict.SLOWER: "yes", verdict.EQUAL: "no"}.get(word, "open")
            print(
                f"| {name} | {test} | {shown(of_logs(of_turns), 3)} | {shown(of_logs(of_duets), 3)} "
                f"| {shown(ratio, 3) if ratio else 'N/A'} | {beyond} |",
                flush=True,
            )
    return 0


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, work in (("verdict", judge), ("noise", noise), ("bias", bias)):
        command = commands.add_parser(name)
        command.set_defaults(work=work)
        for program in ("a", "b") if name == "verdict" else ("bench",):
            command.add_argument(program, type=Path, metavar="LLAMA_BENCH")
        command.add_argument("model", type=Path)
        command.add_argument("--tests", nargs="+", default=["pp512", "tg128"])
        if name == "verdict":
            command.add_argument("--fresh", action="store_true", help="copy static programs anew before each pair")
        else:
            command.add_argument("--seconds", type=float, default=240.0, help="wall time of each way and test")
        if name == "noise":
            command.add_argument("--beside", action="store_true", help="compute beside what is measured")
        if name == "bias":
            command.add_argument("--other", type=Path, help="the same model in another quantization")
            command.add_argument("--pairs", type=int, default=12)
            command.add_argument("--scratch", type=Path, default=ROOT / ".cache" / "duets")
    asked = parser.parse_args()
    programs = [getattr(asked, name) for name in ("a", "b", "bench") if hasattr(asked, name)]
    other = getattr(asked, "other", None)
    needs.meet(
        *(needs.executable(program) for program in programs),
        needs.file(asked.model),
        needs.file(other) if other else None,
    )
    return int(asked.work(asked))


if __name__ == "__main__":
    sys.exit(main())
