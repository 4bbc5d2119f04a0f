# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results that many share: writers at once to one bucket, and a report of very many records by partition.

Both against the API server of the tests on loopback, which answers one request after the other and is no measure of S3.

Writers: --writers processes share --objects runs each, of a launch and what it refers to, at the same time. Then all
of them share once more, and one more round has every writer share the same runs. Target: each object there, each
written once, none again.

Report: --records launches under other numbers and figures, --lines to an object, as that many machines, months and runs
as it takes; lines and tables are made by the code that shares. Of 2,000 to an object they are 5,000 objects. What is
shared is then summed up in processes of their own: all partitions; the medians of all cells; one machine. The count and
the medians of one partition are held against what was written. Target: all partitions in at most 60 s and 1 GB (peak of
the process that sums up, DuckDB in it).

    .venv/bin/python benchmarks/shared.py
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import needs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))
sys.path.insert(0, str(ROOT / "tests"))
# The imports below want them.
needs.meet(needs.requirements(), needs.distributions("moto"))

import boto3  # noqa: E402
from support.aws.server import AwsServer  # noqa: E402

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry as kinds  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import canonical  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export import parquet  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared import (  # noqa: E402
    names,
    parts,
    push,
    summary,
    table,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.bucket import Bucket  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records  # noqa: E402

BUCKET = "results"
REPORT_S, REPORT_MB = 60.0, 1000.0
MONTHS = tuple(f"2026-{month:02}" for month in range(1, 11))
RUNS_A_MONTH = 10
THREADS = (1, 2, 4, 8, 16, 32)
TESTS = ("pp512", "tg128")
# A number in the line of a launch that its own number, block or figure takes the place of.
NUMBER, FIGURE = 987654321, 123456.789


def template() -> list[dict[str, Any]]:
    """Return the records of a real run that others are made of: what a launch refers to, and one of each test."""
    path = ROOT / "tests" / "fixtures" / "records" / "schema-2.jsonl"
    every = [records.decode(line) for line in path.read_bytes().splitlines()]
    things = [record for record in every if record["kind"] in ("machine", "build", "model")]
    launches = [record for record in every if record["kind"] == "launch"]
    return things + [next(record for record in launches if record["payload"]["cell"]["test"] == test) for test in TESTS]


# ---- Writers ----


def fill(root: Path, machine: str, runs: list[str]) -> None:
    """Write a results directory with runs of a few records each."""
    base = template()
    folder = root / machine / "records"
    folder.mkdir(parents=True)
    for run in runs:
        lines = [canonical(dict(record, machine=machine, run=run)) for record in base]
        (folder / f"{run}.jsonl").write_text("".join(f"{line}\n" for line in lines), "ascii")


def write(root: str, prefix: str, ready: Any) -> None:
    """Share a results directory, in a process of its own, once all are ready."""
    ready.wait()
    pushed = push.push(root, f"s3://{BUCKET}/{prefix}", lambda _line: None)
    if pushed.refused or pushed.problems:
        raise SystemExit(f"not all was shared: {pushed}")


def at_once(roots: list[Path], prefix: str) -> float:
    """Return the seconds in which all have shared."""
    spawned = multiprocessing.get_context("spawn")
    ready = spawned.Barrier(len(roots) + 1)
    processes = [spawned.Process(target=write, args=(str(root), prefix, ready)) for root in roots]
    for process in processes:
        process.start()
    ready.wait()
    start = time.monotonic()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("a writer failed; its own words stand above")
    return time.monotonic() - start


def there(client: Any, prefix: str) -> list[names.Part]:
    """Return the parts whose records are in the bucket."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/{names.RECORDS}/")
    keys = [entry["Key"].partition("/")[2] for page in pages for entry in page.get("Contents") or []]
    return [names.part(key) for key in keys]


def writers(server: AwsServer, client: Any, asked: argparse.Namespace, scratch: Path) -> bool:
    """Print what became of the objects of writers at once; return whether each is there once."""
    print("| writers | runs of each | seconds | objects there | written twice | refused for being there |")
    print("|--:|--:|--:|--:|--:|--:|")
    met = True
    apart = [scratch / f"writer-{number}" for number in range(asked.writers)]
    for number, root in enumerate(apart):
        fill(root, f"machine-{number}", [f"run-{run}" for run in range(asked.objects)])
    alike = [scratch / f"copy-{number}" for number in range(asked.writers)]
    for root in alike:
        fill(root, "machine", [f"run-{run}" for run in range(asked.objects)])
    rounds = (
        ("own runs", apart, "apart", asked.writers * asked.objects),
        ("again", apart, "apart", asked.writers * asked.objects),
        ("the same runs", alike, "alike", asked.objects),
    )
    for what, roots, prefix, expected in rounds:
        before = len(server.requests("PutObject"))
        took = at_once(roots, prefix)
        puts = server.requests("PutObject")[before:]
        done = Counter(put["params"]["Key"] for put in puts if put["status"] == 200)
        twice = sum(count > 1 for count in done.values())
        refused = sum(put["status"] == 412 for put in puts)
        objects = there(client, prefix)
        met = met and len(objects) == len(set(objects)) == expected and not twice
        print(
            f"| {len(roots)} | {asked.objects:,}, {what} | {took:.1f} | {len(objects):,} | {twice} | {refused:,} |",
            flush=True,
        )
    return met


# ---- Report ----


class Object(NamedTuple):
    """An object to come."""

    machine: str
    month: str
    run: str
    lines: int


def objects(many: int, lines: int) -> Iterator[Object]:
    """Return the objects that hold `many` records."""
    number = 0
    while many > 0:
        machine, rest = divmod(number, len(MONTHS) * RUNS_A_MONTH)
        month = MONTHS[rest // RUNS_A_MONTH]
        run = f"{month.replace('-', '')}01T000000Z-{number:04x}"
        yield Object(f"gv3-c7g-{machine:04}", month, run, min(lines, many))
        number, many = number + 1, many - lines


def figures(of: Object) -> Iterator[tuple[str, int, int, float]]:
    """Return test, threads, number and figure of each launch of an object, always the same ones."""
    draw = random.Random(of.run + of.machine)
    speeds = {(test, threads): draw.uniform(5, 500) for test in TESTS for threads in THREADS}
    cells = list(speeds)
    for number in range(of.lines):
        test, threads = cells[number % len(cells)]
        yield test, threads, number // len(cells) + 1, round(speeds[test, threads] * draw.gauss(1, 0.02), 4)


def made(of: Object) -> parts.Lines:
    """Return the lines of an object, and the records on them."""
    texts, bases = {}, {}
    for record in template():
        if record["kind"] == "launch":
            payload = {**record["payload"], "number": NUMBER, "validity": {"state": "VALID", "reasons": []}}
            test = payload["cell"]["test"]
            metric = kinds.headline(payload["cell"])
            payload["metrics"] = {**payload["metrics"], metric: {**payload["metrics"][metric], "value": FIGURE}}
            base = dict(record, machine=of.machine, run=of.run, time=f"{of.month}-15T12:00:00Z")
            for threads in THREADS:
                cell = {**payload["cell"], "threads": threads}
                bases[test, threads] = {**base, "payload": {**payload, "cell": cell}}
                texts[test, threads] = canonical(bases[test, threads])
    lines = parts.Lines([], [])
    for test, threads, number, figure in figures(of):
        base = bases[test, threads]
        payload = base["payload"]
        metric = kinds.headline(payload["cell"])
        entry = {**payload["metrics"][metric], "value": figure}
        metrics = {**payload["metrics"], metric: entry}
        lines.records.append({**base, "payload": {**payload, "number": number, "metrics": metrics}})
        text = texts[test, threads].replace(str(NUMBER), str(number)).replace(str(FIGURE), repr(figure))
        lines.lines.append(text.encode("ascii"))
    return lines


_bucket: Bucket | None = None
_writer: parquet.Writer | None = None


def put(of: Object) -> tuple[int, int, int]:
    """Share an object as push does; return the bytes of its lines, of them packed, and of its table."""
    global _bucket, _writer
    _writer = _writer or parquet.Writer()
    _bucket = _bucket or Bucket(names.place(f"s3://{BUCKET}/many"))
    lines = made(of)
    if records.decode(lines.lines[-1]) != lines.records[-1]:
        raise SystemExit("a line is not the record that it was made with")
    part = names.Part(of.machine, of.month, of.run, of.lines, names.digest(lines.lines))
    packed, tabled = parts.packed(lines.lines), table.made(lines, _writer)
    if not _bucket.add(part.key(names.RECORDS), packed) or not _bucket.add(part.key(names.FIGURES), tabled):
        raise SystemExit(f"{part} was there already")
    return sum(map(len, lines.lines)), len(packed), len(tabled)


def inside(machine: str, cells: bool) -> None:
    """Sum up in a process of its own, and print what came of it and what it took."""
    start = time.monotonic()
    shared = summary.summary(f"s3://{BUCKET}/many", machine, cells=cells)
    took = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    if shared.problems:
        raise SystemExit("; ".join(shared.problems[:3]))
    first = [list(each) for each in shared.figures if each.month == MONTHS[0] and each.machine == "gv3-c7g-0000"]
    counted = sum(partition.records for partition in shared.partitions)
    print(json.dumps([took, peak, len(shared.partitions), counted, len(shared.figures), first, shared.read_bytes]))


def summed_up(machine: str = "", cells: bool = False) -> list[Any]:
    """Return what `inside` prints."""
    argv = [sys.executable, __file__, "--inside", machine, str(int(cells))]
    return list(json.loads(subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout))


def expected(every: list[Object]) -> dict[tuple[str, int], tuple[int, float]]:
    """Return launches and median of each cell of the first partition, from what was written."""
    values: dict[tuple[str, int], list[float]] = {}
    for of in every:
        if (of.machine, of.month) == ("gv3-c7g-0000", MONTHS[0]):
            for test, threads, _number, figure in figures(of):
                values.setdefault((test, threads), []).append(figure)
    return {cell: (len(each), statistics.median(each)) for cell, each in values.items()}


def report(asked: argparse.Namespace) -> bool:
    """Print what it takes to sum up very many records; return whether the targets are met."""
    every = list(objects(asked.records, asked.lines))
    start = time.monotonic()
    sizes = [0, 0, 0]
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for done in pool.imap_unordered(put, every, chunksize=4):
            sizes = [sum(pair) for pair in zip(sizes, done, strict=True)]
    print(
        f"\n{asked.records:,} records in {len(every):,} objects, shared in {time.monotonic() - start:.0f} s: "
        f"{sizes[0] / 1e9:.2f} GB of lines, {sizes[1] / 1e9:.2f} GB packed, {sizes[2] / 1e9:.3f} GB of tables\n"
    )
    print("| summed up | partitions | records | cells | MB read | seconds | peak MB |")
    print("|:--|--:|--:|--:|--:|--:|--:|")
    met = True
    wanted = expected(every)
    asks = (
        ("all partitions", "", False),
        ("all, with the medians of all cells", "", True),
        ("one machine", "gv3-c7g-0000", True),
    )
    for what, machine, cells in asks:
        took, peak, partitions, counted, cell_count, first, read = summed_up(machine, cells)
        print(
            f"| {what} | {partitions:,} | {counted:,} | {cell_count:,} | {read / 1e6:.0f} | {took:.1f} | {peak:.0f} |",
            flush=True,
        )
        if not machine:
            met = met and counted == asked.records and took <= REPORT_S and peak <= REPORT_MB
        if cells:
            seen = {(each[6], each[5]): (each[8], each[11]) for each in first}
            met = met and seen.keys() == wanted.keys()
            met = met and all(
                seen[cell][0] == wanted[cell][0] and abs(seen[cell][1] - wanted[cell][1]) < 1e-9 for cell in wanted
            )
    return met


def main() -> int:
    """Print the tables, and whether the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--objects", type=int, default=1000, help="runs of each writer; 0 leaves writers out")
    parser.add_argument("--records", type=int, default=10_000_000, help="0 leaves the report out")
    parser.add_argument("--lines", type=int, default=2000, help="records of an object")
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        inside(asked.inside[0], asked.inside[1] == "1")
        return 0
    needs.meet(needs.disk(Path(tempfile.gettempdir()), 4))
    met = True
    for wanted in (asked.objects, asked.records):
        if not wanted:
            continue
        with AwsServer() as server, tempfile.TemporaryDirectory(prefix="shared-") as scratch:
            os.environ.update(server.environment)
            client = boto3.session.Session().client("s3")
            client.create_bucket(Bucket=BUCKET)
            if wanted is asked.objects:
                met = writers(server, client, asked, Path(scratch)) and met
            else:
                Bucket(names.place(f"s3://{BUCKET}/many")).prove()
                met = report(asked) and met
    said = "met" if met else "MISSED"
    print(f"\nTargets: each object once; all partitions in {REPORT_S:g} s and {REPORT_MB:g} MB: {said}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
