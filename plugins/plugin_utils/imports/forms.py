# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms in which llama-bench prints results: JSON, JSON lines, CSV, SQL and a table, also among other lines.

What is understood is kept, what is not is named with its line.
Source: tools/llama-bench/llama-bench.cpp (its printers).
"""

from __future__ import annotations

import csv
import itertools
import json
import math
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.log import parse_log
from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import printable
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import figure, logs
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.logs import Result
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.schema import encodable

# Of a message: processors and files that it lists may be many.
_LONGEST_MESSAGE = 4000


class ImportFailed(ValueError):
    """A file that cannot be imported; the message names it, the rule and the remedy.

    It may quote what the file says, of which a terminal obeys nothing then.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, _LONGEST_MESSAGE))


class Tool(NamedTuple):
    """What one file says.

    Its form, its results by llama-bench's names of fields, and what is not imported and why.
    """

    form: str
    results: list[Result]
    problems: list[str]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of the results."""
        return [result.row for result in self.results]


class _Reading(NamedTuple):
    """What a form gave: results, the numbers of lines that are none of it, and what is wrong with single results."""

    results: list[Result]
    foreign: list[int]
    problems: list[str]


# ---- JSON ----

_STRUCTURE = re.compile(r"[\s\[\],]*")
_OBJECT = re.compile(r"\{\s*(?:\"|\}|$)")
_OF_OBJECT = re.compile(r"\s*[\[\]{}\"]")
# So many results that are broken say that the file is none of ours.
_MOST_BROKEN = 100


def _json(text: str) -> _Reading | None:
    """Return the rows of a JSON array, of JSON lines, or of either among other lines."""
    starts = text.lstrip().startswith(("{", "["))
    if not re.search(r'"avg_ts"\s*:', text) and (not starts or logs.read(text)):
        return None
    reading = _objects(text)
    if not reading.results:
        # Either this says what is wrong with it, or it holds values that are no objects.
        rows = json_text.loads(text) if starts else []
        return _Reading([Result(1, 0, row) for row in (rows if isinstance(rows, list) else [rows])], [], [])
    return reading


def _finite(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _decoder() -> json.JSONDecoder:
    """Return what reads a row; a number that is none, or that no float holds, stays a text: its row is kept."""
    return json.JSONDecoder(parse_constant=str, parse_float=_finite)


def _decoded(decoder: json.JSONDecoder, text: str, at: int) -> tuple[Any, int]:
    """Return a value and where it ends. Raises ValueError and RecursionError."""
    value, end = decoder.raw_decode(text, at)
    if json_text.is_deep(value):
        raise ValueError("it is nested too deep")
    return value, end


def _objects(text: str) -> _Reading:
    decoder = _decoder()
    reading = _Reading([], [], [])
    process, consumed, at_line = 0, 0, 0
    broken = False
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        start, at_line = at_line, at_line + len(line)
        position = max(start, consumed)
        if position >= at_line:
            continue
        # Of a line with thousands of results no part is copied.
        while len(reading.problems) < _MOST_BROKEN and (begun := _OBJECT.search(text, position, at_line)) is not None:
            at = begun.start()
            # An array, or an object on its own, is what one process printed.
            if text.find("[", position, at) >= 0 and reading.results:
                process += 1
            try:
                row, consumed = _decoded(decoder, text, at)
                broken = False
            except (ValueError, RecursionError):
                row, consumed, left = _among_others(decoder, text, at, number)
                reading.foreign.extend(left)
                broken = row is None
            if row is None:
                reading.problems.append(f"line {number}: a result that is cut off or broken: {line.strip()!r:.60}")
                consumed = at_line
            else:
                reading.results.append(Result(number, process, row))
            position = consumed
        rest = text[position : max(position, at_line)]
        if re.fullmatch(r"\s*\[\s*", rest):
            process += bool(reading.results)
        elif not _STRUCTURE.fullmatch(rest) and not (broken and _OF_OBJECT.match(rest)):
            reading.foreign.append(number)
    return reading


def _among_others(
    decoder: json.JSONDecoder, text: str, at: int, number: int
) -> tuple[dict[str, Any] | None, int, list[int]]:
    """Return an object that other lines stand in the middle of, where it ends, and the numbers of those lines."""
    kept, foreign = [], []
    end = at
    for offset, line in enumerate(text[at : at + 65536].splitlines(keepends=True)):
        end += len(line)
        if offset and not _OF_OBJECT.match(line):
            foreign.append(number + offset)
            continue
        kept.append(line)
        if offset and line.strip().startswith("}"):
            break
    if not foreign:
        return None, at, []
    try:
        row, _end = _decoded(decoder, "".join(kept), 0)
    except (ValueError, RecursionError):
        return None, at, []
    return row, end, foreign


# ---- CSV ----


def _csv(text: str) -> _Reading | None:
    """Return the rows of `-o csv`, also of one that a spreadsheet has written with semicolons or tabs."""
    reading = _Reading([], [], [])
    names: list[str] = []
    mark, process = ",", -1
    for number, ended in enumerate(text.splitlines(keepends=True), 1):
        line = ended.rstrip("\r\n")
        if "avg_ts" in line and (head := _head(line)):
            mark, names = head
            process += 1
        elif names and line.strip():
            cells = next(csv.reader([line], delimiter=mark), [])
            if len(cells) == len(names) and ended == line and not line.endswith('"'):
                reading.problems.append(
                    f"line {number}: nothing ends its last field, {cells[-1]!r:.40}, so that more may have been there: "
                    "cut off or broken; where it is whole, end the line"
                )
            elif len(cells) == len(names) and not line.count('"') % 2:
                reading.results.append(Result(number, process, dict(zip(names, cells, strict=True))))
            elif len(cells) > len(names) // 2:
                reading.problems.append(
                    f"line {number}: it has {len(cells)} fields of the head's {len(names)}, or an open one: cut off or "
                    "broken"
                )
            else:
                reading.foreign.append(number)
        elif line.strip():
            reading.foreign.append(number)
    return reading if names else None


def _head(line: str) -> tuple[str, list[str]] | None:
    for mark in (",", ";", "\t"):
        names = [name.strip() for name in next(csv.reader([line.strip()], delimiter=mark), [])]
        if {"avg_ts", "n_prompt"} <= set(names):
            return mark, names
    return None


# ---- SQL ----

_ALLOWED = {
    sqlite3.SQLITE_CREATE_TABLE, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_READ, sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_REINDEX, sqlite3.SQLITE_CREATE_INDEX,
}  # fmt: skip
_CREATE = re.compile(r"\s*CREATE TABLE", re.IGNORECASE)
_INSERT = re.compile(r"\s*INSERT INTO\s+(\w+)\s*\(([^)]*)\)", re.IGNORECASE)


def _sql(text: str) -> _Reading | None:
    """Return the rows of `-o sql`, by SQLite itself in memory, where it may make a table and fill it and no more."""
    if not re.search(r"^[^\S\n]*(CREATE TABLE|INSERT INTO)\b", text, re.IGNORECASE | re.MULTILINE):
        return None
    lines = text.splitlines()
    inserts = [number for number, line in enumerate(lines, 1) if _INSERT.match(line)]
    if not inserts:
        return None
    try:
        rows = _executed(text, lines[inserts[0] - 1])
    except sqlite3.Error:
        return _by_statement(lines, inserts)
    if len(rows) != len(inserts):
        inserts = [inserts[0]] * len(rows)
    processes = _processes(lines)
    results = [Result(number, processes[number - 1], row) for number, row in zip(inserts, rows, strict=True)]
    return _Reading(results, [], [])


def _processes(lines: Iterable[str]) -> list[int]:
    """Return the process that each line is of: each makes its table first."""
    return [max(0, tables - 1) for tables in itertools.accumulate(bool(_CREATE.match(line)) for line in lines)]


def _executed(text: str, insert: str) -> list[dict[str, Any]]:
    """Return the rows of a table after a script has filled it; `insert` is a statement that names its columns."""
    columns = _INSERT.match(insert)
    if columns is None:
        return []
    table = columns.group(1)
    database = sqlite3.connect(":memory:")
    try:
        # A script can ask for more than a machine has: rows times rows, and texts twice as long each time.
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(len(text), 1000))
        database.execute(f"PRAGMA max_page_count = {_PAGES + len(text) // 1000}")
        database.set_progress_handler(_Steps(_STEPS + len(text)), _AT_ONCE)
        database.set_authorizer(lambda action, *_what: sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY)
        if not re.search(r"CREATE TABLE", text, re.IGNORECASE):
            database.execute(f"CREATE TABLE {table} ({columns.group(2)})")
        database.executescript(text)
        answer = database.execute(f"SELECT * FROM {table}")  # noqa: S608 - one word, in memory
        names = [column[0] for column in answer.description]
        rows = [dict(zip(names, row, strict=True)) for row in answer]
    finally:
        database.close()
    for row in rows:
        for name, value in row.items():
            if isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)):
                raise ValueError(f"its {name:.40} is {value!r:.40}, which llama-bench does not write")
    return rows


# Pages of 4 KiB that a table may take, one more for each thousand characters of the script, and what SQLite may do: a
# row of llama-bench takes a few hundred of its steps.
_PAGES, _STEPS, _AT_ONCE = 2000, 1_000_000, 10_000


class _Steps:
    """Ends what SQLite does after so many steps."""

    def __init__(self, most: int) -> None:
        self._left = most // _AT_ONCE

    def __call__(self) -> int:
        self._left -= 1
        return self._left < 0


def _by_statement(lines: list[str], inserts: list[int]) -> _Reading:
    """Return the rows of a script that is not whole, a statement at a time. Raises sqlite3.Error where none is left."""
    reading = _Reading([], [], [])
    error: sqlite3.Error | None = None
    processes = _processes(lines)
    for number in inserts:
        try:
            rows = _executed(lines[number - 1], lines[number - 1])
            reading.results.extend(Result(number, processes[number - 1], row) for row in rows)
        except sqlite3.Error as refused:
            error = error or refused
            reading.problems.append(f"line {number}: a statement that SQLite refuses: {refused}")
    if not reading.results and error:
        raise error
    table = False
    for number, line in enumerate(lines, 1):
        table = table or bool(_CREATE.match(line))
        if line.strip() and not table and number not in inserts:
            reading.foreign.append(number)
        if line.rstrip().endswith(";") or number in inserts:
            table = False
    return reading


# ---- The table ----

# What the table calls the fields of a row. Source: get_field_display_name() of llama-bench.cpp, old ones included.
COLUMNS = {
    "model": "model_type", "backend": "backends", "t/s": "avg_ts", "threads": "n_threads", "ngl": "n_gpu_layers",
    "sm": "split_mode", "nkvo": "no_kv_offload", "fa": "flash_attn", "lm": "load_mode", "mmap": "use_mmap",
    "dio": "use_direct_io", "embd": "embeddings", "nopo": "no_op_offload", "noh": "no_host", "rpk": "repack",
    "dev": "devices", "ts": "tensor_split", "ot": "tensor_buft_overrides", "fitt": "fit_target", "fitc": "fit_min_ctx",
}  # fmt: skip
# llama-bench has some forty, and to find out which cell holds a pipe takes the square of their number.
_MOST_COLUMNS = 200
_TEST = re.compile(r"(?:(pp)\s?(\d{1,9}))?\+?(?:(tg)\s?(\d{1,9}))?(?:\s*@\s*d\s?(\d{1,9}))?")
_SPEED = re.compile(r"([^±+]*?)(?:\s*(?:±|\+/-|\+-|\ufffd|Â±|┬▒)\s*(\S.*))?")
_BUILD_LINE = re.compile(r"build:\s*(\S+)\s*\((\d{1,9})\)")
_RULE = re.compile(r"\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?")


def _table_cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def _markdown(text: str) -> _Reading | None:
    """Return the rows of llama-bench's tables, each with the build of the line below its table."""
    reading = _Reading([], [], [])
    names: list[str] = []
    process, closed = -1, True
    table: list[tuple[int, dict[str, Any]]] = []
    for number, raw in enumerate(text.splitlines(keepends=True), 1):
        line = raw.strip().lstrip("> ").rstrip()
        cells = _table_cells(line) if line.startswith("|") else []
        built = _BUILD_LINE.fullmatch(line)
        if {"test", "t/s"} <= set(cells) and len(cells) <= _MOST_COLUMNS:
            _add_table(reading, table, process)
            names, process, table, closed = cells, process + 1, [], _closed(line)
        elif built and names:
            for _number, row in table:
                row.setdefault("build_commit", built.group(1))
                row.setdefault("build_number", built.group(2))
        elif not names or not cells:
            # A fence of code is no text.
            if line and not line.startswith("```"):
                reading.foreign.append(number)
        elif not _RULE.fullmatch(line):
            told = _named(names, cells)
            # Where the head has no pipe at its end, the end of the line is that of a row.
            if len(cells) >= len(names) and not (_closed(line) or (not closed and raw.endswith(("\r", "\n")))):
                reading.problems.append(
                    f"line {number}: no pipe ends its last cell, {cells[-1]!r:.40}, so that more may have been there: "
                    "cut off or broken; where it is whole, add the pipe"
                )
            elif told is None:
                pipes = ": cut off or broken"
                if len(cells) > len(names):
                    pipes = ", and which of them are one that holds a pipe cannot be told: write it as \\|"
                reading.problems.append(
                    f"line {number}: it has {len(cells)} cells where the head has {len(names)}{pipes}"
                )
            else:
                table.append((number, told))
    if process < 0:
        return None
    _add_table(reading, table, process)
    return reading


def _closed(line: str) -> bool:
    return bool(re.search(r"(?<!\\)\|$", line))


# What the cells of columns look like, by which one that was taken apart at a pipe in it is known; others hold anything.
_NUMBER = re.compile(r"-?\d+")
_LIKE = {
    "size": re.compile(r"\S+ [KMGT]iB"),
    "params": re.compile(r"\S+ [KMBT]"),
    **dict.fromkeys(("threads", "ngl", "n_batch", "n_ubatch", "poll", "fa", "nkvo", "mmap", "dio", "embd"), _NUMBER),
    **dict.fromkeys(("nopo", "noh", "rpk", "main_gpu", "n_cpu_moe", "fitt", "fitc"), _NUMBER),
}


def _named(names: list[str], cells: list[str]) -> dict[str, Any] | None:
    """Return a row by the names of its fields, None where it has too few.

    What is too many stands in one cell that holds pipes: that with which all others look like what their columns hold.
    None where that is not one cell alone.
    """
    surplus = len(cells) - len(names)
    if surplus < 0:
        return None
    ways = [
        dict(zip(names, [*cells[:at], "|".join(cells[at : at + surplus + 1]), *cells[at + surplus + 1 :]], strict=True))
        for at in range(len(names) if surplus else 1)
    ]
    fits = [way for way in ways if all(_fits(name, cell) for name, cell in way.items())] if surplus else ways
    return {COLUMNS.get(name, name): cell for name, cell in fits[0].items()} if len(fits) == 1 else None


def _fits(name: str, cell: str) -> bool:
    if name == "test":
        return bool(cell and _TEST.fullmatch(cell))
    if name == "t/s":
        speed = _SPEED.fullmatch(cell)
        return bool(speed and re.fullmatch(r"\d[\d.,' \u00a0\u2009\u202f\u2019]*", speed.group(1).strip()))
    return name not in _LIKE or bool(_LIKE[name].fullmatch(cell))


def _add_table(reading: _Reading, rows: Sequence[tuple[int, dict[str, Any]]], process: int) -> None:
    """Add the results of the rows of one table, numbers as numbers, and a sentence on each that is ambiguous."""
    decimals = _style(row for _number, row in rows)
    for number, row in rows:
        speed = _SPEED.fullmatch(row.get("avg_ts", ""))
        if speed and figure.ambiguous(speed.group(1), decimals):
            reading.problems.append(f"line {number}: {_ambiguous(speed.group(1).strip())}")
        else:
            reading.results.append(Result(number, process, _of_line(row, decimals)))


def _style(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the mark of the decimals in the speeds of some rows, and in their deviations."""
    texts = [
        match
        for row in rows
        for name in ("avg_ts", "stddev_ts")
        if (match := _SPEED.fullmatch(str(row.get(name) or "")))
    ]
    return figure.style(part for match in texts for part in match.groups() if part)


def _ambiguous(text: str) -> str:
    whole, decimal = re.sub(r"[.,]", "", text), text.replace(",", ".")
    return (
        f"its speed is {text!r}, with a thousands mark {whole} and with decimals {decimal}, and no other speed of the "
        f"file says which: write {whole} or {decimal}0 there"
    )


def _of_line(row: dict[str, Any], decimals: str) -> dict[str, Any]:
    test = _TEST.fullmatch(row.get("test", ""))
    if test:
        row["n_prompt"], row["n_gen"], row["n_depth"] = (int(test.group(at) or 0) for at in (2, 4, 5))
    speed = _SPEED.fullmatch(row.get("avg_ts", ""))
    if speed and (mean := figure.number(speed.group(1), decimals)) is not None:
        row["avg_ts"] = mean
        deviation = figure.number(speed.group(2), decimals) if speed.group(2) else None
        if deviation is not None:
            row["stddev_ts"] = deviation
    for name, field, of in (("size", "model_size", logs.size), ("params", "model_n_params", logs.count)):
        said = re.fullmatch(r"(\S+)\s*([KMGTB]\w*)", row.pop(name, ""))
        if said and (amount := of(said.group(1), said.group(2), decimals)):
            row[field] = amount
    if "build_number" in row:
        row["build_number"] = int(row["build_number"])
    return row


# ---- Logs beside rows ----

_MODEL_OPENED = re.compile(r"loaded meta data with")
_CONTEXT_MADE = re.compile(r"constructing llama_context|llama_new_context_with_model: n_ctx")
_BUFFER_NAMED = re.compile(r"buffer size\s*=")
_NOT_TOLD = (
    "the log beside the results does not tell which model and context each was measured with: their buffers are unknown"
)


def _with_kernels(reading: _Reading, text: str) -> _Reading:
    """Return the results with the buffers that the log of the program names for each, where it can be told.

    llama-bench makes a context for each result, logs its buffers and prints the result behind them. Where the log
    stands before or behind all results it has as many contexts in the same order.
    """
    if not reading.results:
        return reading
    if line := logs.timings_at(text):
        beside = f"line {line}: the timings of another program beside the results, left out: import its log by itself"
        return reading._replace(problems=[*reading.problems, beside])
    if not _BUFFER_NAMED.search(text):
        return reading
    lines = [0, *itertools.accumulate(map(len, text.splitlines(keepends=True)))]
    ends = {number: lines[number - 1] for number in sorted({result.line for result in reading.results})}
    made = [match.start() for match in _CONTEXT_MADE.finditer(text)]
    opened = [match.start() for match in _MODEL_OPENED.finditer(text)]
    kernels: dict[int, dict[str, Any]] = {}
    start = 0
    before: dict[int, int] = {}
    on_line = Counter(result.line for result in reading.results)
    for number, end in ends.items():
        before[number] = len([at for at in made if start <= at < end]) or bool(_BUFFER_NAMED.search(text, start, end))
        start = end
    aside = len(made) == len(ends) and (max(made) < min(ends.values()) or min(made) > max(ends.values()))
    for at, (number, end) in enumerate(ends.items()):
        if on_line[number] > 1:
            continue
        if aside:
            until = min([stop for stop in (*made[at + 1 : at + 2], *opened) if stop > made[at]], default=len(text))
            kernels[number] = _kernel(text, opened, made[at], until)
        elif all(before.values()) or before[number] == 1:
            kernels[number] = _kernel(text, opened, max((stop for stop in made if stop < end), default=0), end)
    problems = [] if len(kernels) == len(ends) else [f"line {min(ends.keys() - kernels)}: {_NOT_TOLD}"]
    results = [result._replace(kernel=kernels.get(result.line)) for result in reading.results]
    return reading._replace(results=results, problems=[*reading.problems, *problems])


def _kernel(text: str, opened: Sequence[int], made: int, end: int) -> dict[str, Any]:
    """Return what a log says of the model that was opened last and of the context made at `made`, up to `end`."""
    begin = max((at for at in opened if at < end), default=0)
    # Contexts between are those of other results.
    first = _CONTEXT_MADE.search(text, begin, end)
    return parse_log(text[begin : first.start()] + text[max(made, begin) : end] if first else text[begin:end])


# ---- Any of them ----


def _log(text: str) -> _Reading | None:
    told = logs.read(text)
    return None if told is None else _Reading(told[0], [], told[1])


FORMS: dict[str, Callable[[str], _Reading | None]] = {
    "llama-bench sql": _sql,
    "llama-bench json": _json,
    "llama-bench csv": _csv,
    "llama-bench markdown": _markdown,
    "llama.cpp log": _log,
}

# A line of a program's log, as it stands around results: 0.00.060.940 I print_info: …, ggml_cuda_init: …
_LOG_LINE = re.compile(r"[\s.]*(?:\d+(?:\.\d+){3} [DIWE] )?~?[A-Za-z_]\w*(?:::\w+)?(?:\(\))?:(?:\s|$)|[\s.]+$")
_BUILD_WORDS = re.compile(r"build:\s")
_TROUBLE = re.compile(r"\b(?:error|failed|abort\w*|killed|terminate\w*|core dumped)\b", re.IGNORECASE)


def parse(text: str, name: str) -> Tool:
    """Return what a file says that is called `name`; the form is recognised by the text.

    Raises ImportFailed where it is of no known form or holds no result.
    """
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    for form, reader in FORMS.items():
        try:
            reading = reader(text)
        except (ValueError, csv.Error, sqlite3.Error, RecursionError) as error:
            raise ImportFailed(
                f"{name} looks like {form} and cannot be read as that: {error}; import it whole"
            ) from error
        if reading is not None:
            return _judged(reading, form, text, name)
    raise ImportFailed(
        f"{name} is neither an output of llama-bench (-o json, jsonl, csv, sql or md) nor a log of llama-cli or "
        "llama-completion with its timings at the end: give one of these"
    )


def _judged(reading: _Reading, form: str, text: str, name: str) -> Tool:
    """Return the results that can be imported, and a sentence for what cannot."""
    if form != "llama.cpp log":
        reading = _with_kernels(reading, text)
    results, problems = [], [f"{name}, {problem}" for problem in reading.problems]
    decimals = _style(result.row for result in reading.results if isinstance(result.row, dict))
    # JSON may escape half a surrogate pair, which no page and no file can hold.
    escapes = bool(re.search(r"\\u[dD][89a-fA-F]", text))
    for result in reading.results:
        row = _with_counts(result.row, decimals) if isinstance(result.row, dict) else result.row
        reason = wrong(row, decimals)
        if reason:
            problems.append(f"{name}, line {result.line}: {reason}")
        else:
            row["avg_ts"] = figure.number(row["avg_ts"], decimals)
            said = row.get("stddev_ts")
            if isinstance(said, str):
                row["stddev_ts"] = None if figure.ambiguous(said, decimals) else figure.number(said, decimals)
                if row["stddev_ts"] is None and said.strip().lower() not in _NO_VALUE:
                    problems.append(f"{name}, line {result.line}: its deviation is {said!r:.40}, left out")
            results.append(result._replace(row=encodable(row) if escapes else row))
    if not results:
        told = f": {problems[0]}" if problems else ""
        raise ImportFailed(f"{name} ({form}) holds no result that can be imported{told}")
    problems += _foreign_words(name, reading.foreign, text.splitlines())
    return Tool(form, results, problems)


def _foreign_words(name: str, numbers: Iterable[int], lines: list[str]) -> list[str]:
    """Return one sentence on the lines that are neither results nor a program's log, none without such lines."""
    # A log goes on where a row ended.
    rest = {number: lines[number - 1].strip().lstrip("[]{}, ") for number in numbers}
    strange = [
        number
        for number, line in rest.items()
        if line and (_TROUBLE.search(line) or not _LOG_LINE.match(line)) and not _BUILD_WORDS.match(line)
    ]
    if not strange:
        return []
    spans = list(_spans(strange))
    more = f" and {len(strange) - sum(last - first + 1 for first, last in spans[:8])} more" if spans[8:] else ""
    listed = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in spans[:8])
    begins = lines[strange[0] - 1].strip()
    if len(strange) == 1:
        return [f"{name}, line {listed}: no result, left out: {begins!r:.60}"]
    return [f"{name}, lines {listed}{more}: no results, left out; the first: {begins!r:.60}"]


def _spans(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Return the first and the last of each row of numbers that follow each other."""
    for _key, group in itertools.groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0]):
        held = [number for _at, number in group]
        yield held[0], held[-1]


_MOST_TOKENS, _MOST_THREADS = 10_000_000, 10**5

# What numbers of a row are whole: those without which it is no result, and others.
_COUNTS = ("n_prompt", "n_gen", "n_depth", "n_threads")
_SIZES = ("model_size", "model_n_params", "build_number", "cpus")
# What programs write where there is no number.
_NO_VALUE = ("", "na", "n/a", "nan", "none", "null")


def _with_counts(row: dict[str, Any], decimals: str) -> dict[str, Any]:
    """Return a copy of a row, its whole numbers as numbers, by the marks of its file; what cannot be read stays."""
    texts = {name: row[name] for name in (*_COUNTS, *_SIZES) if isinstance(row.get(name), str)}
    counts = {name: figure.count(text, decimals) for name, text in texts.items()}
    return {**row, **{name: count for name, count in counts.items() if count is not None}}


def tokens(row: Mapping[str, Any], name: str) -> int:
    """Return a whole number of a row by its name, 0 where there is none."""
    # What is text still could not be read by the marks of its file.
    return figure.count(row.get(name), figure.POINT) or 0


def speed_name(row: Mapping[str, Any]) -> str:
    """Return the metric that a row's speed is."""
    return "pp_tps" if tokens(row, "n_prompt") or row.get("unknown_length") == "pp" else "tg_tps"


def wrong(row: Any, decimals: str = "") -> str | None:
    """Return why a result cannot be imported, None when it can."""
    if not isinstance(row, dict):
        return f"{row!r:.40} is no object"
    said = row.get("avg_ts")
    for name in _COUNTS:
        count = row.get(name)
        if figure.count(count, decimals) is None and str(count).strip().lower() not in _NO_VALUE:
            return f"its {name} is {count!r:.40}, by the marks of its file no whole number: write it without any"
    speed, prompt, generated = figure.number(said, decimals), tokens(row, "n_prompt"), tokens(row, "n_gen")
    if prompt and generated:
        return f"pp{prompt}+tg{generated} is the speed of both at once, which stands for no metric here"
    if not row.get("unknown_length"):
        if row.get("test") and "n_prompt" not in row:
            return f"its test is {row['test']!r:.40}, which is none such as pp512, tg128 or tg128 @ d4096"
        if prompt < 0 or generated < 0 or not 0 < prompt + generated < _MOST_TOKENS:
            return f"it has {row.get('n_prompt')!r:.40} tokens of prompt and {row.get('n_gen')!r:.40} of output"
    if not 0 <= tokens(row, "n_threads") <= _MOST_THREADS or not 0 <= tokens(row, "n_depth") < _MOST_TOKENS:
        return f"it has {row.get('n_threads')!r:.40} threads and a depth of {row.get('n_depth')!r:.40}"
    if isinstance(said, str) and figure.ambiguous(said, decimals):
        return _ambiguous(said.strip())
    known = metrics.metric(speed_name(row))
    if speed is None or not known.low <= speed <= known.high:
        return f"its speed is {said!r:.40}, outside {known.low:g} to {known.high:g} token/s"
    return None
