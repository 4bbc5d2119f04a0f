# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for the best configuration against an exhaustive grid, by real launches of a tiny model.

The grid is what finds the best without a search: every configuration of the same space, launched --launches times in
randomised blocks, the least that a figure is made of. The search of make tune is run with each of --seeds. What it
chose and the best of the grid are then launched --pairs times in the same blocks, because the largest of many noisy
means is too large: their paired ratio is the share of the best. Targets: at least 98 % of the best in at most 20 % of
the grid's time, with each seed. Time is that of the launches, by their own clocks.

Each launch is a line of a file in --raw as soon as it is done: the command may be interrupted, and goes on.

    .venv/bin/python tests/support/models/mini.py mini-f16.gguf && llama-quantize mini-f16.gguf mini-q4.gguf Q4_0
    .venv/bin/python benchmarks/tuner.py --bench llama-bench --model mini-q4.gguf --raw tuner/
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import needs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))
# The imports below want them.
needs.meet(needs.requirements())

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.cell import tune_purpose  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.variant import VariantError  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import space as spaces  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import mean_interval  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.run import Host, measure  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.settings import Settings  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.tune import Asked, tune  # noqa: E402

SHARE_LEAST, TIME_MOST = 0.98, 0.20
# What changes something with two processors and one build. Defaults of llama.cpp (fa=on, ubatch=512) stand once.
SPACE = {
    "fa": ["off"], "ubatch": ["128", "256"], "repack": ["off"], "load": ["none"], "kv": ["q8_0"], "poll": ["0", "100"],
    "thp": [], "numa": [],
}  # fmt: skip

Record = dict[str, Any]
HOST = Host(bandwidth=lambda *_given: None)


class Raw:
    """Records in a file, each written as it is made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[Record] = []
        if path.exists():
            text = path.read_text("utf-8")
            # Killed while it wrote: that launch is repeated.
            self.records = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
            path.write_text("".join(f"{json.dumps(record)}\n" for record in self.records), "utf-8")

    def emit(self, kind: str, payload: Record, started: float) -> None:
        """Write a record, but what the sampler saw."""
        if kind == "samples":
            return
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "payload": payload, "time": started}) + "\n")

    def earlier(self) -> list[Record]:
        """Return what was there when this began."""
        return list(self.records)

    def payloads(self, kind: str) -> list[Record]:
        """Return the payloads of all that are there now."""
        return [record["payload"] for record in Raw(self.path).records if record["kind"] == kind]


def configurations(machine: Record, base: Record) -> list[Record]:
    """Return a cell for each configuration of the space that can be."""
    space = spaces.space_of(base, ["default"], machine, (), SPACE)
    cells = []
    for values in itertools.product(*space.values()):
        try:
            cells.append(spaces.cell_of(dict(zip(space, values, strict=True)), base))
        except VariantError:
            continue
    return cells


def run(jobs: Sequence[Job], settings: Settings, machine: Record, raw: Raw) -> None:
    """Measure cells in blocks, as `make bench` does."""
    until = time.monotonic()

    def progress(state: Record) -> None:
        nonlocal until
        if time.monotonic() > until:
            until = time.monotonic() + 30
            print(f"{raw.path.name}: {state['done']} of {state['of']} launches", file=sys.stderr)

    measure(list(jobs), settings, machine, raw.emit, progress, earlier=raw.earlier(), host=HOST)


def seconds(launches: Sequence[Record]) -> float:
    """Return the seconds that launches took."""
    return float(sum(launch["metrics"]["wall_s"]["value"] for launch in launches))


def by_cell(launches: Sequence[Record], headline: str) -> dict[str, list[float]]:
    """Return the figures of each cell, in the order of the blocks."""
    figures: dict[str, list[float]] = {}
    for launch in sorted(launches, key=lambda launch: launch["block"]):
        key = json.dumps(plain(launch["cell"]), sort_keys=True)
        figures.setdefault(key, []).append(launch["metrics"][headline]["value"])
    return figures


def plain(cell: Record) -> Record:
    """Return a cell without what it was launched for."""
    return {name: value for name, value in cell.items() if name != "purpose"}


def words(cell: Record) -> str:
    """Return a configuration in words."""
    return f"{cell['threads']} threads, {cell.get('variant') or 'default'}"


def main() -> int:
    """Return 0 if both targets are met with each seed, else 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bench", type=Path, required=True, help="llama-bench")
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file, so small that a launch takes a second")
    parser.add_argument("--raw", type=Path, required=True, help="directory in which the launches are kept")
    parser.add_argument("--test", default="pp512")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--launches", type=int, default=6, help="launches of each configuration of the grid")
    parser.add_argument("--pairs", type=int, default=30, help="blocks of the comparison at the end")
    asked = parser.parse_args()
    needs.meet(
        needs.executable(asked.bench),
        needs.file(asked.model),
        None if asked.raw.is_dir() else f"there is no directory {asked.raw}: mkdir -p {asked.raw}",
    )
    count = len(os.sched_getaffinity(0))
    machine = {"id": "m", "name": "benchmark", "cpu_count": count, "physical_cores": count, "numa_nodes": 1}
    cell = {
        "model": "tiny",
        "quantization": "Q4_0",
        "build": "default",
        "threads": 0,
        **registry.parse_test(asked.test),
    }
    build = {"id": "b", "name": "default"}
    model = {"id": "f", "name": "tiny", "bytes": asked.model.stat().st_size}

    def job(of: Record) -> Job:
        return Job(of, str(asked.bench.resolve().parent), str(asked.model.resolve()), build, model)

    def settings(seed: int, launches: int, most: int) -> Settings:
        return Settings(launches, most, 1, seed, 60.0)

    grid, headline = Raw(asked.raw / "grid.jsonl"), registry.headline(cell)
    cells = configurations(machine, cell)
    began = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    run([job(one) for one in cells], settings(1, asked.launches, asked.launches), machine, grid)
    of_grid = grid.payloads("launch")
    figures = {key: mean_interval(values).mean for key, values in by_cell(of_grid, headline).items()}
    best = max(figures, key=lambda key: figures[key])
    searches = []
    for seed in range(1, asked.seeds + 1):
        raw = Raw(asked.raw / f"seed-{seed}.jsonl")
        first = job(dict(cell, purpose=tune_purpose("prompts" if cell["n_prompt"] else "generation")))
        show: Callable[[Record], None] = lambda _state: None  # noqa: E731
        tune([first], Asked(SPACE), settings(seed, 6, 30), machine, raw.emit, show, earlier=raw.earlier(), host=HOST)
        searches.append(raw)
        print(f"seed {seed}: {raw.payloads('tuned')[-1]['launches']} launches", file=sys.stderr)
    chosen = [raw.payloads("tuned")[-1] for raw in searches]
    last = Raw(asked.raw / "last.jsonl")
    names = dict.fromkeys([best, *(json.dumps(plain(one["cell"]), sort_keys=True) for one in chosen)])
    run([job(json.loads(name)) for name in names], settings(2, asked.pairs, asked.pairs), machine, last)
    beside = by_cell(last.payloads("launch"), headline)
    print(
        f"Begun {began} UTC; {len(cells)} configurations of {asked.test}, {asked.launches} launches of each: ", end=""
    )
    print(f"{len(of_grid)} launches, {seconds(of_grid):.0f} s. Best of the grid: {words(json.loads(best))}.\n")
    print("| Seed | Chosen | Share of the best (95 %) | Launches | Of the grid's time | Met |")
    print("|--:|:--|--:|--:|--:|:--|")
    good, times = True, []
    for seed, (raw, found) in enumerate(zip(searches, chosen, strict=True), start=1):
        key = json.dumps(plain(found["cell"]), sort_keys=True)
        ratio = mean_interval([mine / top for mine, top in zip(beside[key], beside[best], strict=False)])
        launches = raw.payloads("launch")
        share = seconds(launches) / seconds(of_grid)
        times.append(share)
        met = ratio.mean >= SHARE_LEAST and share <= TIME_MOST
        good = good and met
        bounds = "itself" if key == best else f"{ratio.low or 0:.1%} to {ratio.high or 0:.1%}"
        print(
            f"| {seed} | {words(found['cell'])} | {ratio.mean:.1%} ({bounds}) | {len(launches)} | {share:.1%} | "
            f"{'yes' if met else 'NO'} |"
        )
    print(f"\nMedian of the time: {statistics.median(times):.1%} of the grid's.")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
