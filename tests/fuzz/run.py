# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzz what reads foreign files, answers and variables: make fuzz.

    make fuzz                                  1,000,000 inputs over all targets; exit status 1 where there is a fault
    make fuzz INPUTS=20000 SEED=7 ONLY=gguf    fewer, others, of some targets alone (their names, with commas)
    .venv/bin/python tests/fuzz/run.py --replay tests/output/fuzz/gguf-0a1b2c.bin

Most inputs are made by a mutator of our own (mutate.py), from the true files of tests/fixtures: Hypothesis makes some
hundred of them a second, which would take hours. One in fifty is made by Hypothesis, by the structure of what the
target reads. Both follow from the seed: the same seed, the same inputs. Each target runs in a process of its own, under
the limits that target.py states. An input that shows a fault is made as small as it goes, kept, and becomes a case of
the unit test of its module once the fault is mended.

Coverage does not lead the mutator: atheris, which does that, instruments every module, and has the
Python of the day long after Ansible does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
for _place in ("collections", "tests"):
    sys.path.insert(0, str(ROOT / _place))

from fuzz import worker  # noqa: E402 - needs the places above
from fuzz.target import MEMORY_BYTES, MOST_BYTES, Target  # noqa: E402

INPUTS = 1_000_000
_FEWEST = 25
OUTPUT = ROOT / "tests" / "output" / "fuzz"


def quiet(home: str) -> dict[str, str]:
    """Return variables by which no target reads what whoever runs this has, nor asks a service of an instance."""
    return {
        "HOME": home,
        "XDG_CACHE_HOME": f"{home}/.cache",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null/none",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null/none",
        "CLOUDBENCH_PRICES": "/dev/null/none",
        "HYPOTHESIS_STORAGE_DIRECTORY": f"{home}/.hypothesis",
    }


def chosen(targets: Sequence[Target], only: str) -> list[Target]:
    """Return the targets that are named, all of them without a name. Ends the program for a name that is none."""
    names = [name for name in only.replace(",", " ").split() if name]
    known = {target.name: target for target in targets}
    for name in names:
        if name not in known:
            raise SystemExit(f"{name!r} is no target: the targets are {', '.join(known)}")
    return [known[name] for name in names] if names else list(targets)


def shares(targets: Sequence[Target], inputs: int) -> list[int]:
    """Return how many inputs each target gets: by its share, and of few inputs in all enough to say something."""
    whole = sum(target.share for target in targets)
    least = max(1, min(_FEWEST, inputs // (2 * len(targets))))
    counts = [max(least, int(inputs * target.share / whole)) for target in targets]
    largest = counts.index(max(counts))
    counts[largest] = max(least, counts[largest] + inputs - sum(counts))
    return counts


def kept(name: str, data: bytes, output: Path) -> Path:
    """Write an input where it can be had again, and return where."""
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{name}-{hashlib.sha256(data).hexdigest()[:8]}.bin"
    path.write_bytes(data)
    return path


def told(target: Target, finding: worker.Finding, output: Path) -> list[str]:
    """Return what to say of a fault: what it is, the least input, and how to have it again."""
    small = worker.least(target, finding)
    path = kept(target.name, small.least, output)
    shown = os.path.relpath(path, ROOT) if path.is_relative_to(ROOT) else str(path)
    return [
        f"{target.name}: {small.fault}",
        f"  {small.times} of its inputs; the least, {len(small.least)} bytes: {small.least[:300]!r}",
        f"  again: .venv/bin/python tests/fuzz/run.py --replay {shown}",
    ]


def table(results: Sequence[worker.Result]) -> list[str]:
    """Return the table of the end, and a line of sums."""
    from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.table import table as lines_of

    def row(name: str, rows: Sequence[worker.Result]) -> list[str]:
        inputs, seconds = sum(each.inputs for each in rows), sum(each.seconds for each in rows)
        cpu_s, faults = sum(each.cpu_s for each in rows), sum(len(each.findings) for each in rows)
        rate, peak = inputs / max(cpu_s, 1e-9), max(each.peak_bytes for each in rows)
        return [
            name,
            f"{inputs:,}",
            f"{seconds:.1f}",
            f"{cpu_s:.1f}",
            f"{rate:,.0f}",
            f"{peak / 2**20:.0f}",
            str(faults),
        ]

    rows = [row(result.target, [result]) for result in results]
    headers = ["target", "inputs", "seconds", "CPU s", "inputs/CPU s", "peak MiB", "faults"]
    alignments: list[Literal["left", "right"]] = ["left", "right", "right", "right", "right", "right", "right"]
    return lines_of(alignments, [*rows, row("all", results)], headers)


def replay(targets: Sequence[Target], path: Path) -> int:
    """Give a kept input to its target, and return the exit status."""
    data = path.read_bytes()
    name = path.name.rpartition("-")[0]
    target = chosen(targets, name)[0]
    fault = worker.judged(target, data)
    print(f"{target.name}, {len(data)} bytes: {fault or 'no fault'}")
    return int(fault is not None)


def main(arguments: Sequence[str], targets: Sequence[Target] | None = None, output: Path = OUTPUT) -> int:
    """Do as the command line says and return the exit status."""
    parser = argparse.ArgumentParser(description="Fuzz what reads foreign files, answers and variables.")
    parser.add_argument("--inputs", type=int, default=INPUTS, help=f"over all targets, {INPUTS:,} by default")
    parser.add_argument("--seed", type=int, default=1, help="from which all inputs follow")
    parser.add_argument("--only", default="", help="names of targets, with commas between")
    parser.add_argument("--mutate", action="store_true", help="make all of them by mutation, none by Hypothesis")
    parser.add_argument("--replay", type=Path, help="an input that was kept: give it to its target again")
    parser.add_argument("--json", type=Path, help="write the table there too")
    asked = parser.parse_args(arguments)
    if asked.inputs < 1:
        parser.error(f"--inputs is 1 or more, not {asked.inputs}")
    # The environment is that of the tests too, where they call this.
    home = tempfile.TemporaryDirectory(prefix="cloudbench-fuzz-home-")
    with home as place, mock.patch.dict(os.environ, quiet(place)):
        every = _every() if targets is None else targets
        if asked.replay:
            return replay(every, asked.replay)
        wanted = chosen(every, asked.only)
        if asked.mutate:
            wanted = [target._replace(strategy=None) for target in wanted]
        return fuzz(wanted, asked.inputs, asked.seed, output, asked.json)


def _every() -> Sequence[Target]:
    # The tables of the collection are read by it, in the environment of quiet().
    from fuzz.registry import TARGETS

    return TARGETS


def fuzz(targets: Sequence[Target], inputs: int, seed: int, output: Path, report: Path | None = None) -> int:
    """Give the targets so many inputs, say what came of it, and return the exit status."""
    results = []
    said: list[str] = []
    for target, count in zip(targets, shares(targets, inputs), strict=True):
        result = worker.run(target, count, seed)
        results.append(result)
        mark = f", {len(result.findings)} faults" if result.findings else ""
        print(f"{target.name}: {result.inputs:,} inputs in {result.seconds:.1f} s{mark}", flush=True)
        for finding in result.findings:
            said += told(target, finding, output)
    print("", *table(results), "", *said, sep="\n")
    limits = f"at most {MEMORY_BYTES >> 20} MiB and {MOST_BYTES >> 10} KiB an input"
    print(f"seed {seed}; {sum(len(result.findings) for result in results)} faults; {limits}")
    if report:
        rows = [{**result._asdict(), "findings": [str(each.fault) for each in result.findings]} for result in results]
        report.write_text(json.dumps({"seed": seed, "targets": rows}, indent=1) + "\n", "utf-8")
    return int(any(result.findings for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
