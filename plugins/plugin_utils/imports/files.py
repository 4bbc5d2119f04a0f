# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures that people have already: what llama-bench printed in any of its forms, and logs of llama.cpp's programs.

A file is one process: its repetitions are samples of one launch, and never launches. What a file does not say stays
unknown, nothing is known of what disturbed it, and what is imported stands on machines of its own, imported-*.

Sources: tools/llama-bench/llama-bench.cpp (its printers), src/llama-context.cpp and common/ (the timings of a log).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import buffer_metrics
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.log import parse_log
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.record.version import VERSION
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics

MOST_BYTES = 64 * 2**20
PREFIX = "imported-"
UNKNOWN = "unknown"


class ImportFailed(ValueError):
    """A file that cannot be imported; the message names it, the rule and the remedy."""


class Tool(NamedTuple):
    """What one file says.

    Its form, the rows of its results by llama-bench's names of fields, what is not imported and why, and its log's
    buffers and layouts.
    """

    form: str
    rows: list[dict[str, Any]]
    problems: list[str]
    kernel: dict[str, Any]


# ---- Forms ----

_COLUMNS = {"model": "model_type", "threads": "n_threads", "backend": "backends", "test": "test", "t/s": "avg_ts"}
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_POWERS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_TEST = re.compile(r"(?:(pp)\s?(\d+))?\+?(?:(tg)\s?(\d+))?(?:\s*@\s*d(\d+))?")


def _json(text: str) -> list[Any] | None:
    """Return the rows of a JSON array or of JSON lines; None where the text is neither."""
    stripped = text.strip()
    if stripped.startswith("["):
        rows = json.loads(stripped)
        return rows if isinstance(rows, list) else None
    if stripped.startswith("{"):
        return [json.loads(line) for line in stripped.splitlines() if line.strip()]
    return None


def _csv(text: str) -> list[Any] | None:
    first = text.lstrip().split("\n", 1)[0]
    if "avg_ts" not in first or "," not in first or first.lstrip().upper().startswith(("INSERT", "CREATE")):
        return None
    return list(csv.DictReader(io.StringIO(text.lstrip())))


_ALLOWED = {
    sqlite3.SQLITE_CREATE_TABLE, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_READ, sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_REINDEX, sqlite3.SQLITE_CREATE_INDEX,
}  # fmt: skip


def _sql(text: str) -> list[Any] | None:
    """Return the rows of `-o sql`, by SQLite itself in memory, where it may make a table and fill it and no more."""
    if not re.search(r"^\s*(CREATE TABLE|INSERT INTO)\b", text, re.IGNORECASE | re.MULTILINE):
        return None
    columns = re.search(r"INSERT INTO\s+(\w+)\s*\(([^)]*)\)", text, re.IGNORECASE)
    if columns is None:
        return None
    table = columns.group(1)
    database = sqlite3.connect(":memory:")
    try:
        database.set_authorizer(lambda action, *_what: sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY)
        if not re.search(r"CREATE TABLE", text, re.IGNORECASE):
            database.execute(f"CREATE TABLE {table} ({columns.group(2)})")
        database.executescript(text)
        answer = database.execute(f"SELECT * FROM {table}")  # noqa: S608 - one word, in memory
        names = [column[0] for column in answer.description]
        return [dict(zip(names, row, strict=True)) for row in answer]
    finally:
        database.close()


def _markdown(text: str) -> list[Any] | None:
    """Return the rows of llama-bench's table, with the commit of the line below it."""
    lines = [line.strip() for line in text.splitlines()]
    heads = [at for at, line in enumerate(lines) if line.startswith("|") and "t/s" in line and "test" in line]
    if not heads:
        return None
    built = re.search(r"^build:\s*(\w+)\s*\((\d+)\)", text, re.MULTILINE)
    rows = []
    for at in heads:
        names = [cell.strip() for cell in lines[at].strip("|").split("|")]
        for line in lines[at + 2 :]:
            if not line.startswith("|"):
                break
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if len(cells) == len(names):
                row = {_COLUMNS.get(name, name): cell for name, cell in zip(names, cells, strict=True)}
                rows.append(_of_table(row, built))
    return rows


def _of_table(row: dict[str, Any], built: re.Match[str] | None) -> dict[str, Any]:
    test = _TEST.fullmatch(row.get("test", ""))
    if test:
        row["n_prompt"], row["n_gen"], row["n_depth"] = (int(test.group(at) or 0) for at in (2, 4, 5))
    speed = re.match(r"([\d.]+)(?:\s*±\s*([\d.]+))?", row.get("avg_ts", ""))
    row["avg_ts"] = speed.group(1) if speed else None
    size = re.fullmatch(r"([\d.]+)\s*([KMGT]?i?B)", row.pop("size", ""))
    if size:
        row["model_size"] = round(float(size.group(1)) * _UNITS.get(size.group(2), 1))
    count = re.fullmatch(r"([\d.]+)\s*([KMBT])", row.pop("params", ""))
    if count:
        row["model_n_params"] = round(float(count.group(1)) * _POWERS[count.group(2)])
    if built:
        row["build_commit"], row["build_number"] = built.group(1), int(built.group(2))
    return row


_PREFIX = r"(?:llama_print_timings|llama_perf_context_print|common_perf_print|llama_perf_print):\s+"
_LOAD = re.compile(_PREFIX + r"load time =\s+([\d.]+) ms")
_TIMED = re.compile(
    _PREFIX
    + r"(prompt eval|eval) time =\s+([\d.]+) ms /\s+(\d+) (?:tokens|runs)\s+\(\s*[\d.]+ ms per token,\s+([\d.]+)"
)
_THREADS = re.compile(r"system_info: n_threads = (\d+)(?: \(n_threads_batch = (\d+)\))? / \d+([^\n]*)")
_SAID = {
    "build_commit": re.compile(r"(?:^|\s)build(?: =|:) \d+ \((\w+)\)", re.MULTILINE),
    "model_filename": re.compile(r"loaded meta data with .* from (\S+) \(version"),
    "model_type": re.compile(r"(?:model ftype|file type)\s+= ([^\n]+)"),
}


def _log(text: str) -> list[Any] | None:
    """Return prompt and generation of a log with timings, as llama-bench would name them."""
    timed = _TIMED.findall(text)
    if not timed and not _LOAD.search(text):
        return None
    threads = _THREADS.search(text)
    size, count = (re.search(rf"(?:model|file) {word}\s+= ([\d.]+) ([KMGTB]\w*)", text) for word in ("size", "params"))
    common: dict[str, Any] = {}
    for name, pattern in _SAID.items():
        match = pattern.search(text)
        if match:
            common[name] = match.group(1).strip()
    if size and size.group(2) in _UNITS:
        common["model_size"] = round(float(size.group(1)) * _UNITS[size.group(2)])
    if count and count.group(2) in _POWERS:
        common["model_n_params"] = round(float(count.group(1)) * _POWERS[count.group(2)])
    if threads:
        common["system_info"] = threads.group(3).strip(" |")
    load = _LOAD.search(text)
    rows = []
    for kind, _ms, count, speed in timed:
        prompt = kind == "prompt eval"
        used = threads.group(2) if threads and prompt and threads.group(2) else threads.group(1) if threads else None
        row = {**common, "n_prompt": int(count) if prompt else 0, "n_gen": 0 if prompt else int(count), "avg_ts": speed}
        if used:
            row["n_threads"] = int(used)
        if load:
            row["load_s"] = float(load.group(1)) / 1000
        # A prompt of one token, or no token at all, is no measurement.
        if int(count) > 1:
            rows.append(row)
    return rows


FORMS: dict[str, Callable[[str], list[Any] | None]] = {
    "llama-bench sql": _sql,
    "llama-bench json": _json,
    "llama-bench csv": _csv,
    "llama-bench markdown": _markdown,
    "llama.cpp log": _log,
}


def parse(text: str, name: str) -> Tool:
    """Return what a file says that is called `name`; the form is recognised by the text.

    Raises ImportFailed where it is of no known form or holds no result.
    """
    for form, reader in FORMS.items():
        try:
            every = reader(text)
        except (ValueError, csv.Error, sqlite3.Error, RecursionError) as error:
            raise ImportFailed(
                f"{name} looks like {form} and cannot be read as that: {error}; import it whole"
            ) from error
        if every is not None:
            rows, problems = [], []
            for at, row in enumerate(every, 1):
                reason = _wrong(row)
                if reason:
                    problems.append(f"{name}, result {at}: {reason}")
                else:
                    rows.append(row)
            if not rows:
                told = f": {problems[0]}" if problems else ""
                raise ImportFailed(f"{name} ({form}) holds no result that can be imported{told}")
            return Tool(form, rows, problems, parse_log(text))
    raise ImportFailed(
        f"{name} is neither an output of llama-bench (-o json, jsonl, csv, sql or md) nor a log of llama-cli or "
        "llama-completion with its timings at the end: give one of these"
    )


def _number(value: Any) -> float | None:
    try:
        figure = float(value)
    except (TypeError, ValueError):
        return None
    return figure if math.isfinite(figure) else None


def _count(row: Mapping[str, Any], name: str) -> int:
    figure = _number(row.get(name))
    return int(figure) if figure is not None else 0


def _wrong(row: Any) -> str | None:
    """Return why a result cannot be imported, None when it can."""
    if not isinstance(row, dict):
        return f"{row!r:.40} is no object"
    speed, prompt, generated = _number(row.get("avg_ts")), _count(row, "n_prompt"), _count(row, "n_gen")
    if prompt and generated:
        return f"pp{prompt}+tg{generated} is the speed of both at once, which stands for no metric here"
    if not 0 < prompt + generated < 10_000_000:
        return f"it has {row.get('n_prompt')!r:.40} tokens of prompt and {row.get('n_gen')!r:.40} of output"
    known = metrics.metric("pp_tps" if prompt else "tg_tps")
    if speed is None or not known.low <= speed <= known.high:
        return f"its speed is {row.get('avg_ts')!r:.40}, outside {known.low:g} to {known.high:g} token/s"
    return None


# ---- What is measured ----

# llama_model_ftype_name() of src/llama-model-loader.cpp, where it differs from the name of the file type.
_NAMED = re.compile(r"(?:mostly |all )?([A-Z0-9_]+?)(?: - (Small|Medium|Large|[\d.]+ bpw))?(?: \(guessed\))?$")
_SIZES = {"Small": "_S", "Medium": "_M", "Large": "_L"}
_PLAIN_K = ("Q2_K", "Q6_K")
_IN_NAME = re.compile(r"[-._]((?:I?Q\d|BF16|F16|F32|MXFP4|TQ\d)[A-Za-z0-9_]*)$", re.IGNORECASE)


def quantization(row: Mapping[str, Any]) -> str:
    """Return the file type of a row by its model_type (llama 8B Q4_K - Medium) or file name; "unknown" without one."""
    words = str(row.get("model_type") or "")
    match = _NAMED.search(words.replace("MXFP4 MoE", "MXFP4_MOE"))
    if match and re.match(r"(I?Q\d|BF16|F16|F32|MXFP4|TQ\d)", match.group(1)):
        kind, size = match.groups()
        return kind if kind in _PLAIN_K else kind + _SIZES.get(size or "", "")
    match = _IN_NAME.search(_stem(row))
    return match.group(1).upper() if match else UNKNOWN


def _stem(row: Mapping[str, Any]) -> str:
    name = re.split(r"[\\/]", str(row.get("model_filename") or ""))[-1]
    return re.sub(r"\.gguf$", "", name, flags=re.IGNORECASE)


def model_name(row: Mapping[str, Any]) -> str:
    """Return the name of a row's model: of the file without its type, else the first words of model_type."""
    stem = _IN_NAME.sub("", _stem(row))
    if stem:
        return stem[:80].lower()
    words = _NAMED.sub("", str(row.get("model_type") or "")).strip()
    return re.sub(r"\s+", "-", words.lower())[:80] or UNKNOWN


def machine_name(given: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the name under which a file's results are kept: as given, else by the processor it names."""
    processors = [str(row.get("cpu_info") or "") for row in rows]
    words = given or next(filter(None, processors), "") or "machine"
    slug = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:60] or "machine"
    return slug if slug.startswith(PREFIX) else PREFIX + slug


class Imported(NamedTuple):
    """What an import gives: the records, the machine they are of, and what of the files is not among them and why."""

    records: list[dict[str, Any]]
    machine: str
    run: str
    problems: list[str]


def read(path: str) -> tuple[str, str]:
    """Return the text of a file and its SHA-256. Raises ImportFailed."""
    try:
        size = Path(path).stat().st_size
        if size > MOST_BYTES:
            raise ImportFailed(f"{path} has {size} bytes, over {MOST_BYTES}: import the part that holds the results")
        content = Path(path).read_bytes()
    except OSError as error:
        raise ImportFailed(f"{path} cannot be read: {error.strerror}") from error
    return content.decode("utf-8", "replace").removeprefix("\ufeff"), hashlib.sha256(content).hexdigest()


def records(paths: Iterable[str], machine: str = "", model: str = "", threads: int = 0) -> Imported:
    """Return the records of some files, one process each; those of one test are launches of one cell.

    `machine` and `model` are names for what the files do not name, `threads` is the number where they have none. Time
    and id of the run follow from the files (the latest test_time in them, else the time of the latest file), so that
    importing them again gives the same run.
    """
    paths = list(paths)
    read_files = [(path, *read(path)) for path in paths]
    if not read_files:
        raise ImportFailed("no file was named: name at least one")
    tools = [(path, digest, parse(text, Path(path).name)) for path, text, digest in read_files]
    rows = [row for _path, _digest, tool in tools for row in tool.rows]
    name = machine_name(machine, rows)
    when = _when(rows, paths)
    seal = envelope.digest(sorted(digest for _path, digest, _tool in tools))
    run = f"{envelope.utc(when).translate({ord(c): None for c in '-:'})[:15]}Z-{seal[:4]}"
    fingerprint = envelope.with_id({"name": name, "cpu_model": _first(rows, "cpu_info"), "emulated": None})
    problems = [problem for _path, _digest, tool in tools for problem in tool.problems]
    launches: list[dict[str, Any]] = []
    builds: dict[str, dict[str, Any]] = {}
    models: dict[str, dict[str, Any]] = {}
    cells: dict[str, dict[str, Any]] = {}
    for path, digest, tool in tools:
        for row in tool.rows:
            cell = _cell(row, model, threads, Path(path).name)
            build, weights = _build(row, cell), _model(row, cell)
            builds[build["id"]], models[weights["id"]] = build, weights
            cells[envelope.canonical(cell)] = cell
            launches.append(
                {
                    "cell": cell,
                    "build": build["id"],
                    "model": weights["id"],
                    "machine": fingerprint["id"],
                    "number": len(launches) + 1,
                    "block": None,
                    "metrics": _metrics(row, tool.kernel),
                    "kernel": tool.kernel if tool.kernel["buffers"] else None,
                    "rows": [row] if tool.form.startswith("llama-bench") else None,
                    "gates": None,
                    "validity": {"state": "VALID", "reasons": []},
                    "key": envelope.comparable_key(fingerprint, build, weights, cell),
                    "imported": {"file": Path(path).name, "sha256": digest, "form": tool.form},
                }
            )
    plan = {
        "cells": list(cells.values()),
        "launches": 1,
        "repetitions": 1,
        "seed": 0,
        "versions": {"collection": VERSION},
        "emulated": False,
        "command": "make import",
        "imported": [{"file": Path(path).name, "sha256": digest, "form": tool.form} for path, digest, tool in tools],
    }
    made = [("run", plan), ("machine", fingerprint)]
    made += [("build", build) for build in builds.values()] + [("model", weights) for weights in models.values()]
    made += [("launch", launch) for launch in launches]
    return Imported([envelope.make(kind, run, name, payload, when) for kind, payload in made], name, run, problems)


def _when(rows: Iterable[Mapping[str, Any]], paths: Iterable[str]) -> float:
    """Return when the latest of the results was measured, as far as the files say, in seconds since the epoch."""
    said = []
    for row in rows:
        try:
            said.append(datetime.fromisoformat(str(row.get("test_time")).replace("Z", "+00:00")))
        except ValueError:
            continue
    known = [time if time.tzinfo else time.replace(tzinfo=UTC) for time in said]
    return max(known).timestamp() if known else max(Path(path).stat().st_mtime for path in paths)


def _first(rows: Iterable[Mapping[str, Any]], name: str) -> str | None:
    return next((str(row[name]) for row in rows if row.get(name)), None)


def _cell(row: Mapping[str, Any], model: str, threads: int, file: str) -> dict[str, Any]:
    prompt, generated, depth = (_count(row, name) for name in ("n_prompt", "n_gen", "n_depth"))
    count = _count(row, "n_threads") or threads
    if count < 1:
        raise ImportFailed(f"{file} does not say how many threads it was measured with: give the number (THREADS=64)")
    test = f"{'pp' if prompt else 'tg'}{prompt or generated}" + (f"@d{depth}" if depth else "")
    mapped = {name: str(row[name]) for name in ("type_k", "type_v") if row.get(name) not in (None, "f16")}
    build = "-".join([(_commit(row) or UNKNOWN)[:12], *mapped.values()])
    return {
        **registry.parse_test(test),
        "model": model or model_name(row),
        "quantization": quantization(row),
        "build": build,
        "threads": count,
    }


def _commit(row: Mapping[str, Any]) -> str | None:
    said = str(row.get("build_commit") or UNKNOWN)
    return None if said == UNKNOWN else said


def _build(row: Mapping[str, Any], cell: Mapping[str, Any]) -> dict[str, Any]:
    commit = _commit(row)
    source = {"commit": commit, "type": "imported"} if commit else None
    return envelope.with_id(
        {"name": cell["build"], "source": source, "system_info": row.get("system_info"), "way": None}
    )


def _model(row: Mapping[str, Any], cell: Mapping[str, Any]) -> dict[str, Any]:
    size, parameters = _count(row, "model_size"), _count(row, "model_n_params")
    return envelope.with_id(
        {
            "name": cell["model"],
            "quantization": cell["quantization"],
            "file": _stem(row) or None,
            "bytes": size or None,
            "parameters": parameters or None,
            # A file of results says nothing of the weights.
            "synthetic": None,
            "source": "imported",
        }
    )


def _metrics(row: Mapping[str, Any], kernel: dict[str, Any]) -> dict[str, Any]:
    speed = "pp_tps" if _count(row, "n_prompt") else "tg_tps"
    measured: dict[str, Any] = {speed: {"value": _number(row["avg_ts"]), "unit": "token/s"}}
    samples = row.get("samples_ts")
    if isinstance(samples, list) and samples and all(_number(sample) is not None for sample in samples):
        measured[speed]["samples"] = [_number(sample) for sample in samples]
    if row.get("load_s"):
        measured["log_load_s"] = {"value": round(float(row["load_s"]), 4), "unit": "s"}
    return {**measured, **buffer_metrics(kernel)}
