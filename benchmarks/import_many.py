# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes to import the files of many machines by one command, beside a command for each of them.

Every machine has a directory with one file of llama-bench's JSON, --rows rows of a processor of its own: five numbers
of threads and seven tests, of as many quantizations as --quantizations says. Whole commands are timed, Ansible's start
among them, on an empty store each: of --beside machines one import each and a report after the last, by the version
before where --before names one, then the same files by one command of this version, in turns, --rounds times; and
--machines machines by one command. What the single imports of all machines would take is that of --beside of them,
multiplied: each writes the pages of all before it again, so that it is rather too little.

Targets: one command for all takes at most 0.25 of the wall time of the single ones, on the --beside machines and on all
of them; the index of all has at most 150 KB.

    .venv/bin/python benchmarks/import_many.py --before 165eb43
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import needs
from versions import checked_out

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "tests" / "fixtures" / "imports" / "llama-bench-new.json"
SHARE, INDEX_KB = 0.25, 150.0
THREADS = (4, 8, 16, 32, 64)
# Tokens of prompt, of output, and before either.
TESTS = ((128, 0, 0), (512, 0, 0), (2048, 0, 0), (0, 32, 0), (0, 128, 0), (512, 0, 4096), (0, 128, 4096))
# By llama-bench's name, with bytes of the 8B model.
TYPES = {
    "Q4_0": 4_653_375_488, "Q8_0": 8_525_971_456, "Q4_K - Medium": 4_912_898_304, "Q6_K": 6_587_940_864,
    "Q5_K - Medium": 5_725_177_856,
}  # fmt: skip


class Took(NamedTuple):
    """Seconds of a clock and of processors, pages written and bytes of the index."""

    wall: float
    processor: float
    pages: int = 0
    index_bytes: int = 0


def rows(number: int, many: int, quantizations: int) -> list[dict[str, Any]]:
    """Return what llama-bench prints on a machine: the settings are those of a real row, names and speeds others'."""
    base = json.loads(TEMPLATE.read_text("utf-8"))[0]
    draw = random.Random(number)
    speed_of_machine = draw.uniform(0.5, 2.0)
    made: list[dict[str, Any]] = []
    for kind, size in list(TYPES.items())[:quantizations]:
        for threads in THREADS:
            for prompt, generated, depth in TESTS:
                mean = speed_of_machine * threads**0.9 * (2.0 if prompt else 0.4) / (1 + depth / 16384)
                samples = [round(mean * (1 + draw.gauss(0, 0.01)), 6) for _repetition in range(5)]
                tokens = prompt + generated
                made.append(
                    {
                        **base,
                        "cpu_info": f"Processor {number:04} of a benchmark",
                        "model_filename": f"llama-3.1-8b-{kind.replace(' - Medium', '_M').lower()}.gguf",
                        "model_type": f"llama 8B {kind}",
                        "model_size": size,
                        "model_n_params": 8_030_261_312,
                        "n_threads": threads,
                        "n_prompt": prompt,
                        "n_gen": generated,
                        "n_depth": depth,
                        "test_time": f"2026-11-26T{number // 60 % 24:02}:{number % 60:02}:{len(made) % 60:02}Z",
                        "avg_ts": round(statistics.fmean(samples), 6),
                        "stddev_ts": round(statistics.stdev(samples), 6),
                        "samples_ts": samples,
                        "avg_ns": round(1e9 * tokens / statistics.fmean(samples)),
                        "stddev_ns": round(1e7 * tokens / mean),
                        "samples_ns": [round(1e9 * tokens / sample) for sample in samples],
                    }
                )
    return made[:many]


def fill(data: Path, machines: int, many: int, quantizations: int) -> list[Path]:
    """Write the files of all machines and return them."""
    paths = []
    for number in range(machines):
        path = data / f"host-{number:04}" / "stdout"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(rows(number, many, quantizations), indent=2) + "\n", "utf-8")
        paths.append(path)
    return paths


def played(checkout: Path, results: Path, cache: Path, playbook: str, **variables: Any) -> Took:
    """Run a playbook of a version of the collection, and return what it took."""
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), f"playbooks/{playbook}.yml"]
    environment = {
        **os.environ,
        "LC_ALL": "C.UTF-8",
        "CLOUDBENCH_RESULTS_DIR": str(results),
        "XDG_CACHE_HOME": str(cache),
    }
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [*argv, "-e", json.dumps(variables)]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _store(scratch: Path) -> tuple[Path, Path]:
    """Return an empty directory for results and one for what is kept of them."""
    results, cache = scratch / "results", scratch / "cache"
    for path in (results, cache):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
    return results, cache


def _told(results: Path, *took: Took) -> Took:
    return Took(
        sum(each.wall for each in took),
        sum(each.processor for each in took),
        len(list(results.rglob("*.md"))),
        (results / "README.md").stat().st_size,
    )


def singly(checkout: Path, scratch: Path, paths: list[Path]) -> Took:
    """Import each file by a command of its own, and report at the end."""
    results, cache = _store(scratch)
    took = []
    for path in paths:
        name = path.parent.name
        took.append(
            played(checkout, results, cache, "import", bench_report_files=[str(path)], bench_report_machine=name)
        )
    took.append(played(checkout, results, cache, "report"))
    return _told(results, *took)


def at_once(scratch: Path, pattern: Path) -> Took:
    """Import all files by one command."""
    results, cache = _store(scratch)
    variables = {"bench_report_files": [str(pattern)], "bench_report_machine_from": "parent"}
    return _told(results, played(ROOT, results, cache, "import", **variables))


def main() -> int:
    """Return 0 if the targets are met, 1 if one is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", metavar="COMMIT", help="the version of the single imports; this one when absent")
    parser.add_argument("--machines", type=int, default=300)
    parser.add_argument("--beside", type=int, default=30, help="machines that both ways are measured on")
    parser.add_argument("--rows", type=int, default=35)
    parser.add_argument("--quantizations", type=int, default=1, choices=range(1, len(TYPES) + 1))
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    needs.meet(
        needs.playbooks(),
        needs.program("git", remedy="sudo apt-get install git") if asked.before else None,
        needs.disk(Path(tempfile.gettempdir()), 2),
    )
    with tempfile.TemporaryDirectory(prefix="import-many-") as folder:
        scratch = Path(folder)
        before = checked_out(asked.before, scratch / "before") if asked.before else ROOT
        few = fill(scratch / "few", asked.beside, asked.rows, asked.quantizations)
        fill(scratch / "all", asked.machines, asked.rows, asked.quantizations)
        single: list[Took] = []
        together: list[Took] = []
        for number in range(asked.rounds):
            for way in ("single", "together") if number % 2 == 0 else ("together", "single"):
                if way == "single":
                    single.append(singly(before, scratch, few))
                else:
                    together.append(at_once(scratch, scratch / "few" / "*" / "stdout"))
        every = at_once(scratch, scratch / "all" / "*" / "stdout")
    print("| way | machines | wall s | processor s | pages | index kB |")
    print("|:--|--:|--:|--:|--:|--:|")
    version = f"before ({asked.before})" if asked.before else "this version"
    shown = {
        f"a command each and a report, {version}": (asked.beside, single),
        "one command": (asked.beside, together),
        "one command, all": (asked.machines, [every]),
    }
    for name, (machines, took) in shown.items():
        wall, processor = (statistics.median(each[at] for each in took) for at in (0, 1))
        pages, size = took[0].pages, took[0].index_bytes / 1e3
        print(f"| {name} | {machines} | {wall:.1f} | {processor:.1f} | {pages:,} | {size:.0f} |")
    alone = statistics.median(each.wall for each in single)
    beside = statistics.median(each.wall for each in together) / alone
    whole = every.wall / (alone * asked.machines / asked.beside)
    print()
    met = True
    for words, figure, most, unit in (
        (f"One command to single ones, {asked.beside} machines", beside, SHARE, ""),
        (
            f"One command to single ones, {asked.machines} machines (those of {asked.beside}, multiplied)",
            whole,
            SHARE,
            "",
        ),
        (f"Index of {asked.machines} machines", every.index_bytes / 1e3, INDEX_KB, " kB"),
    ):
        met = met and figure <= most
        print(f"- {words}: {figure:.3g}{unit}. Target: at most {most:g}{unit}: {'met' if figure <= most else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
