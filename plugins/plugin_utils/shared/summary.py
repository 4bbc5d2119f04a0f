# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shared, by partition, from the tables alone: the records are not read.

Of all partitions how much there is, of named ones the median of each cell as well. Tables come a batch of partitions at
a time, so that neither memory nor disk hold all of them. They are a stranger's: DuckDB reads them where it may reach
nothing but their folder, and may not use more memory than it is given.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export import parquet
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import shorten, visible
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared import names
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.bucket import WORKERS, Bucket, Stored
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.names import FIGURES, Part, SharedError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.table import COLUMNS
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.table import LEFT, RIGHT, table

# Tables are a small part of the records they are made from.
MOST_TABLE = 64 << 20
# A batch is as many whole partitions as fit into so many bytes and files.
_BATCH_BYTES, _BATCH_FILES = 48 << 20, 1000
_MEMORY, _THREADS = "400MB", 2
# A name that a stranger chose may be as long as it likes.
_LONGEST = 60


class Partition(NamedTuple):
    """Of a machine and a month: objects, records, runs, launches, undisturbed ones, and cells with any."""

    machine: str
    month: str
    objects: int
    records: int
    runs: int
    launches: int
    valid: int
    cells: int


class Figure(NamedTuple):
    """Of a cell in a partition: undisturbed launches, the median of what stands for it, and the middle four fifths."""

    machine: str
    month: str
    model: str
    quantization: str
    build: str
    threads: int
    test: str
    variant: str
    launches: int
    metric: str
    low: float
    median: float
    high: float


@dataclass
class Shared:
    """What is at a place. `read_bytes`: of the tables. `problems`: objects whose figures are in nothing here."""

    partitions: list[Partition] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    objects: int = 0
    read_bytes: int = 0
    problems: list[str] = field(default_factory=list)


class Table(NamedTuple):
    """An object of figures."""

    part: Part
    size: int


# With the types that they should have: what a table has instead is turned into them, or refused.
_COLUMNS = ", ".join(f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in COLUMNS.items())
# All that is put into these texts is ours.
_ROWS = f"""
    SELECT machine, month, {_COLUMNS}
    FROM read_parquet($%s, hive_partitioning = true, hive_types = {{'machine': VARCHAR, 'month': VARCHAR}})
"""  # noqa: S608 - the names are those of COLUMNS
# Two who had copies of one run, and shared them at the same moment, may both have written a line: where a run has
# several objects in a partition, each line counts once.
_ROWS_ONCE = f"SELECT DISTINCT ON (machine, month, run, line) * FROM ({_ROWS})"  # noqa: S608 - as before
_OF_PARTITIONS = """
    SELECT machine, month, count(*), count(DISTINCT run), count(*) FILTER (kind = 'launch'),
           count(*) FILTER (state = 'VALID'), count(DISTINCT key) FILTER (state = 'VALID')
    FROM ({rows}) GROUP BY ALL ORDER BY ALL
"""
_OF_CELLS = """
    SELECT machine, month, any_value(model), any_value(quantization), any_value(build), any_value(threads),
           any_value(test), any_value(variant), count(*), any_value(metric), quantile_cont("value", [0.1, 0.5, 0.9])
    FROM ({rows}) WHERE state = 'VALID' AND "value" IS NOT NULL GROUP BY machine, month, key
"""


def summary(address: str, machine: str = "", month: str = "", cells: bool = False) -> Shared:
    """Return what is shared at s3://BUCKET/PREFIX, of all or of one machine or month; `cells`: with their medians.

    Raises SharedError, AwsError and ExportError.
    """
    bucket = Bucket(names.place(address))
    duckdb = parquet.engine()
    names.proper_month(month)
    bucket.known()
    shared = Shared()
    tables = _tables(bucket.listing(names.below(FIGURES, machine, month)), month, shared)
    shared.objects, shared.read_bytes = len(tables), sum(each.size for each in tables)
    parted = list(batches(tables))
    with tempfile.TemporaryDirectory(prefix="cloudbench-shared-") as root, ThreadPoolExecutor(WORKERS) as pool:
        try:
            folders = [Path(root, str(number)) for number in range(len(parted))]
            # The next batch comes while this one is computed with.
            coming = [_begin(pool, bucket, batch, folder) for batch, folder in zip(parted[:1], folders, strict=False)]
            for number, folder in enumerate(folders):
                if number + 1 < len(parted):
                    coming.append(_begin(pool, bucket, parted[number + 1], folders[number + 1]))
                there = [path for waiting in coming.pop(0) if (path := _arrived(waiting, shared)) is not None]
                if there:
                    _add(duckdb, folder, there, shared, cells)
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            pool.shutdown(cancel_futures=True)
    return shared


def _tables(listing: Iterator[Stored], month: str, shared: Shared) -> list[Table]:
    """Return the tables of a listing, and name what is none."""
    tables = []
    for stored in listing:
        try:
            part = names.part(stored.key)
            if stored.size > MOST_TABLE:
                raise SharedError(f"it has {stored.size} bytes, more than the {MOST_TABLE} that one may")
        except SharedError as error:
            shared.problems.append(f"{stored.key!r}: {error}")
            continue
        if month in ("", part.month):
            tables.append(Table(part, stored.size))
    return sorted(tables)


def batches(tables: Sequence[Table]) -> Iterator[list[Table]]:
    """Return tables in batches of whole partitions."""
    batch: list[Table] = []
    size = 0
    for _partition, group in groupby(tables, key=lambda each: (each.part.machine, each.part.month)):
        of_partition = list(group)
        more = sum(each.size for each in of_partition)
        if batch and (size + more > _BATCH_BYTES or len(batch) + len(of_partition) > _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch += of_partition
        size += more
    if batch:
        yield batch


class _Coming(NamedTuple):
    part: Part
    path: Future[Path]


def _begin(pool: ThreadPoolExecutor, bucket: Bucket, batch: Sequence[Table], folder: Path) -> list[_Coming]:
    for each in batch:
        Path(folder, each.part.key(FIGURES)).parent.mkdir(parents=True, exist_ok=True)
    return [_Coming(each.part, pool.submit(_download, bucket, each.part, folder)) for each in batch]


def _download(bucket: Bucket, part: Part, folder: Path) -> Path:
    path = Path(folder, part.key(FIGURES))
    path.write_bytes(bucket.get(part.key(FIGURES), MOST_TABLE))
    return path


def _arrived(coming: _Coming, shared: Shared) -> tuple[Part, Path] | None:
    try:
        return coming.part, coming.path.result()
    except SharedError as error:
        shared.problems.append(f"{coming.part.key(FIGURES)}: {error}")
        return None


def _database(duckdb: ModuleType, folder: Path) -> Any:
    database = duckdb.connect(config={"threads": _THREADS, "memory_limit": _MEMORY, "temp_directory": str(folder)})
    database.execute(f"SET allowed_directories = ['{folder}/']")
    for setting in ("enable_external_access", "autoload_known_extensions", "autoinstall_known_extensions"):
        database.execute(f"SET {setting} = false")
    database.execute("SET lock_configuration = true")
    return database


class _Answer(NamedTuple):
    partitions: list[tuple[Any, ...]]
    cells: list[tuple[Any, ...]]


def _add(duckdb: ModuleType, folder: Path, there: Sequence[tuple[Part, Path]], shared: Shared, cells: bool) -> None:
    """Add what the tables of whole partitions come to."""
    database = _database(duckdb, folder)
    try:
        good = list(there)
        try:
            answer = _answer(database, good, cells)
        except duckdb.Error:
            good = _readable(duckdb, database, there, shared)
            answer = _answer(database, good, cells)
    except duckdb.Error as error:
        raise SharedError(f"the tables cannot be computed with: {_first_line(error)}") from error
    finally:
        database.close()
    objects = Counter((part.machine, part.month) for part, _path in good)
    shared.partitions += [
        Partition._make([*line[:2], objects[line[0], line[1]], *line[2:]]) for line in answer.partitions
    ]
    shared.figures += [Figure._make([*line[:-1], *line[-1]]) for line in answer.cells]


def _answer(database: Any, pairs: Sequence[tuple[Part, Path]], cells: bool) -> _Answer:
    """Return what tables come to. Raises duckdb.Error where one cannot be read, or is not what its name says."""
    if not pairs:
        return _Answer([], [])
    _hold_counts(database, pairs)
    in_partition = Counter((part.machine, part.month, part.run) for part, _path in pairs)
    files: dict[str, list[str]] = {}
    for part, path in pairs:
        several = in_partition[part.machine, part.month, part.run] > 1
        files.setdefault("several" if several else "alone", []).append(str(path))
    texts = {"alone": _ROWS, "several": _ROWS_ONCE}
    rows = " UNION ALL ".join(f"({texts[name] % name})" for name in files)
    partitions = database.execute(_OF_PARTITIONS.format(rows=rows), files).fetchall()
    return _Answer(partitions, database.execute(_OF_CELLS.format(rows=rows), files).fetchall() if cells else [])


def _hold_counts(database: Any, pairs: Sequence[tuple[Part, Path]]) -> None:
    paths = [str(path) for _part, path in pairs]
    query = "SELECT file_name, num_rows FROM parquet_file_metadata($paths)"
    counts = dict(database.execute(query, {"paths": paths}).fetchall())
    for part, path in pairs:
        if counts.get(str(path)) != part.lines:
            database.execute("SELECT error('it has not as many rows as its name says')").fetchall()


def _readable(
    duckdb: ModuleType, database: Any, there: Sequence[tuple[Part, Path]], shared: Shared
) -> list[tuple[Part, Path]]:
    """Return the tables that can be computed with, each by itself, and name the others."""
    good = []
    for pair in there:
        try:
            _answer(database, [pair], cells=True)
            good.append(pair)
        except duckdb.Error as error:
            shared.problems.append(f"{pair[0].key(FIGURES)}: {_first_line(error)}")
    return good


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]


def said(shared: Shared, address: str) -> list[str]:
    """Return what is shared in lines: a table of the partitions, and one of the cells."""
    head = ("machine", "month", "objects", "records", "runs", "launches", "VALID", "cells")
    plain = [
        [str(each) for each in partition[:2]] + [metrics.number(n) for n in partition[2:]]
        for partition in shared.partitions
    ]
    lines = table((LEFT, LEFT, *[RIGHT] * 6), plain, head)
    if shared.figures:
        lines += ["", *_cells(shared.figures)]
    total = sum(partition.records for partition in shared.partitions)
    whole = (
        f"{names.place(address)}: {metrics.plural(total, 'record')} in {metrics.plural(shared.objects, 'object')}; "
        f"{metrics.binary(shared.read_bytes)} of tables read, of the records none"
    )
    lines += ["", whole]
    return [visible(line, keep_lines=True) for line in lines + [f"left out: {problem}" for problem in shared.problems]]


def _cells(figures: Sequence[Figure]) -> list[str]:
    head = (
        "machine",
        "month",
        "model",
        "quantization",
        "build",
        "threads",
        "test",
        "variant",
        "VALID",
        "metric",
        "median",
        "middle 80 %",
    )
    ordered = sorted(figures, key=lambda figure: tuple(map(str, figure)))
    plain = [
        [
            *(shorten(str(name), _LONGEST) for name in figure[:8]),
            metrics.number(figure.launches),
            figure.metric,
            metrics.number(figure.median),
            f"{metrics.number(figure.low)} to {metrics.number(figure.high)}",
        ]
        for figure in ordered
    ]
    alignments = [LEFT] * 5 + [RIGHT] + [LEFT] * 2 + [RIGHT, LEFT, RIGHT, RIGHT]
    return table(alignments, plain, head)
