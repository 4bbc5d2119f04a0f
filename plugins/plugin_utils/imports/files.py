# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures that people have already: what llama-bench printed in any of its forms, and logs of llama.cpp's programs.

What one process repeated is one launch with samples, however often it printed the test. What a file does not say stays
unknown, nothing is known of what disturbed it, and what is imported stands on machines of its own, imported-*.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import buffer_metrics
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.record.version import VERSION
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.processors import InstanceType
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import figure, forms, instance, logs, names
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.forms import ImportFailed, Tool, parse
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.logs import Result

__all__ = ["File", "ImportFailed", "Imported", "load", "of_files", "parse", "read", "records", "refuse_other_processor"]

MOST_BYTES = 64 * 2**20


class Imported(NamedTuple):
    """What an import gives: the records, the machines they are of, their run, and what is not among them and why."""

    records: list[dict[str, Any]]
    machines: list[str]
    run: str
    problems: list[str]

    @property
    def machine(self) -> str:
        """The first of the machines."""
        return self.machines[0]


class File(NamedTuple):
    """A file that was read: its path, SHA-256 and results, and what messages call it."""

    path: str
    digest: str
    tool: Tool
    name: str

    def origin(self) -> dict[str, Any]:
        """Return what a record says of where its figures come from."""
        return {"file": Path(self.path).name, "sha256": self.digest, "form": self.tool.form}


def load(path: str, name: str = "") -> File:
    """Return what a file says; messages call it `name`, by default as the file is called. Raises ImportFailed."""
    text, digest = read(path)
    name = name or Path(path).name
    tool = parse(text, name)
    return File(path, digest, tool._replace(results=_by_process(tool.results)), name)


# What loading a model and warming up may take between two tests of one process, in seconds.
_BETWEEN_S = 600.0


def _by_process(results: Iterable[Result]) -> list[Result]:
    """Return the results, those apart that a later process appended to the file: by their times.

    A process measures one test after the other, so that the next one begins about when the one before has ended.
    """
    told: list[Result] = []
    later = 0
    before: tuple[int, float, float] | None = None
    for result in results:
        time = _time(result.row)
        if time is not None:
            if before and before[0] == result.process and not 0 <= time - before[1] <= before[2]:
                later += 1
            before = result.process, time, _BETWEEN_S + 3 * _seconds(result.row)
        told.append(result._replace(process=result.process + later))
    return told


# llama-bench repeats five times by itself; CSV does not say how often.
_REPETITIONS = 20


def _seconds(row: Mapping[str, Any]) -> float:
    """Return how long the test of a row took, or rather more; 0 where it does not say."""
    samples = row.get("samples_ns")
    taken = [figure.number(sample) or 0.0 for sample in samples] if isinstance(samples, list) else []
    return (sum(taken) or _REPETITIONS * (figure.number(row.get("avg_ns")) or 0.0)) / 1e9


def read(path: str) -> tuple[str, str]:
    """Return the text of a file and its SHA-256. Raises ImportFailed."""
    try:
        size = Path(path).stat().st_size
        if size > MOST_BYTES:
            raise ImportFailed(f"{path} has {size} bytes, over {MOST_BYTES}: import the part that holds the results")
        content = Path(path).read_bytes()
    except OSError as error:
        raise ImportFailed(f"{path} cannot be read: {error.strerror}") from error
    return _decoded(content).removeprefix("\ufeff"), hashlib.sha256(content).hexdigest()


def _decoded(content: bytes) -> str:
    """Return a text in UTF-8, or in UTF-16 as a Windows shell writes it, by its mark or by the zeros in it."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    begins = content[:512]
    for coding, zeros, letters in (("utf-16-le", begins[1::2], begins[::2]), ("utf-16-be", begins[::2], begins[1::2])):
        if zeros and zeros.count(0) > 0.8 * len(zeros) and letters.count(0) < 0.2 * len(letters):
            return content.decode(coding, "replace")
    return content.decode("utf-8", "replace")


# ---- Machines ----


class _Part(NamedTuple):
    """The results of one file that are of one machine."""

    file: File
    results: list[Result]


def _by_machine(files: Sequence[File], given: str) -> dict[tuple[str, str], list[_Part]]:
    """Return the parts of the files by the processor and the GPU that they are of; "" for what is not said.

    Within a file that names one processor alone, rows that name none are of that. Raises ImportFailed where a name
    would make one machine of several.
    """
    machines: dict[tuple[str, str], list[_Part]] = {}
    for file in files:
        said = {names.processor(result.row) for result in file.tool.results} - {""}
        alone = next(iter(said)) if len(said) == 1 else ""
        parts: dict[tuple[str, str], list[Result]] = {}
        for result in file.tool.results:
            key = names.processor(result.row) or alone, names.accelerator(result.row)
            parts.setdefault(key, []).append(result)
        for key, results in parts.items():
            machines.setdefault(key, []).append(_Part(file, results))
    silent = sorted({part.file.name for (cpu, _gpu), parts in machines.items() if not cpu for part in parts})
    processors = sorted({cpu for cpu, _gpu in machines if cpu})
    if not given and silent and len(files) > 1:
        raise ImportFailed(
            f"{_listed(silent)} {'names' if len(silent) == 1 else 'name'} no processor (on Arm cpu_info is 'CPU'), so "
            f"nothing tells whether the {len(files)} files are of one machine: give its name (MACHINE=my-graviton), "
            "and import what is of another machine by itself, or say where the name of each stands "
            "(MACHINE_FROM=parent)"
        )
    if given and len(processors) > 1:
        raise ImportFailed(
            f"MACHINE={given:.80} would be one machine with {len(processors)} processors: "
            f"{'; '.join(f'{cpu} ({_listed(_files_of(machines, cpu))})' for cpu in processors)}; import each by itself "
            "under a name of its own, leave MACHINE out, or say where the name of each stands (MACHINE_FROM=parent)"
        )
    return _assigned(machines, processors) if given else machines


def _assigned(
    machines: dict[tuple[str, str], list[_Part]], processors: Sequence[str]
) -> dict[tuple[str, str], list[_Part]]:
    """Return the parts where a person has said that all are of one machine: what names no processor is of that one."""
    joined: dict[tuple[str, str], list[_Part]] = {}
    for (_cpu, gpu), parts in machines.items():
        joined.setdefault((processors[0] if processors else "", gpu), []).extend(parts)
    return joined


def _files_of(machines: Mapping[tuple[str, str], list[_Part]], cpu: str) -> list[str]:
    return sorted({part.file.name for (of, _gpu), parts in machines.items() if of == cpu for part in parts})


def _listed(items: Sequence[str]) -> str:
    shown = [*items[:5], *([f"{len(items) - 5} more"] if items[5:] else [])]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown)


def refuse_other_processor(imported: Imported, known: Iterable[Mapping[str, Any]]) -> None:
    """Raise ImportFailed where records that are `known` have another processor under the name of an imported machine.

    Of what names no processor nobody can tell.
    """
    there = {
        record["machine"]: record["payload"]["cpu_model"]
        for record in known
        if record["kind"] == "machine" and record["payload"].get("cpu_model")
    }
    for record in imported.records:
        now = record["payload"].get("cpu_model") if record["kind"] == "machine" else None
        before = there.get(record["machine"])
        if now and before and now != before:
            raise ImportFailed(
                f"{record['machine']} is a machine with the processor {before}, and these files are of {now}: give "
                "them another name (MACHINE=...)"
            )


# ---- Records ----


def records(paths: Iterable[str], machine: str = "", model: str = "", threads: int = 0) -> Imported:
    """Return the records of some files, as of_files() does."""
    return of_files([load(path) for path in paths], machine, model, threads)


def of_files(
    files: Iterable[File],
    machine: str = "",
    model: str = "",
    threads: int = 0,
    region: str = "",
    known: Iterable[Mapping[str, Any]] = (),
) -> Imported:
    """Return the records of some files; equal tests of one process are samples of one launch.

    `machine` and `model` are names for what the files do not name, `threads` is the number where they have none.
    Results of several processors are of several machines. A `machine` that is an instance type of EC2 has what the
    catalog says of it, and the list price of a `region`. Time and id of the run follow from the files (the latest
    time in them, envelope.UNDATED where they have none), so that importing them again gives the same run. What the
    `known` records have of other files is left out.
    """
    # One that is named twice is one.
    files = list({file.digest: file for file in files}.values())
    if not files:
        raise ImportFailed("no file was named: name at least one")
    files = [_with_threads(file, threads) for file in files]
    when = _latest(result.row for file in files for result in file.tool.results)
    files, twice = _once(files, known)
    seal = envelope.digest(sorted(file.digest for file in files))
    run = f"{envelope.utc(when).translate({ord(c): None for c in '-:'})[:15]}Z-{seal[:4]}"
    every: list[dict[str, Any]] = []
    machines = []
    listed = instance.instance_type(machine)
    for (cpu, gpu), parts in _by_machine(files, machine).items():
        name = names.machine_name(machine, cpu, gpu, seal[:6])
        machines.append(name)
        fingerprint = _fingerprint(name, cpu, parts, listed)
        price = instance.price(listed, region) if listed else None
        for kind, time, payload in _of_machine(fingerprint, parts, model, threads, price):
            every.append(envelope.make(kind, run, name, payload, when if time is None else time))
    return Imported(every, machines, run, [problem for file in files for problem in file.tool.problems] + twice)


def _with_threads(file: File, threads: int) -> File:
    """Return a file with the results of which the threads are known: `threads` is the number of those that name none.

    What ran on a GPU and names none, where others of the file do, has not the number that was given for the
    processor. Raises ImportFailed where no result has a number.
    """
    told: list[Result] = []
    refused: list[Result] = []
    given: list[Result] = []
    some = any(forms.tokens(result.row, "n_threads") for result in file.tool.results)
    for result in file.tool.results:
        if forms.tokens(result.row, "n_threads"):
            told.append(result)
        elif threads > 0 and not (some and names.accelerator(result.row)):
            given.append(result)
        else:
            refused.append(result)
    if refused and not told and not given:
        raise ImportFailed(
            f"{file.name} does not say how many threads it was measured with: give the number (THREADS=64)"
        )
    problems = list(file.tool.problems)
    if refused:
        remedy = "give the number (THREADS=64)"
        if threads:
            remedy = f"THREADS={threads} is not taken for a GPU beside rows that name theirs; import them by themselves"
        problems.append(f"{file.name}, {_lines(refused)}: no number of threads is named there, left out: {remedy}")
    if given and some:
        problems.append(f"{file.name}, {_lines(given)}: no number of threads is named there, taken as {threads}")
    lost = set(map(id, refused))
    results = [result for result in file.tool.results if id(result) not in lost]
    return file._replace(tool=file.tool._replace(results=results, problems=problems))


def _lines(results: Sequence[Result]) -> str:
    numbers = [str(number) for number in dict.fromkeys(result.line for result in results)]
    return f"{'lines' if numbers[1:] else 'line'} {_listed(numbers)}"


class _Measurement(NamedTuple):
    """Where a measurement was read: the file's digest, name and form, and its row."""

    digest: str
    name: str
    form: str
    row: Mapping[str, Any]


def _once(files: Sequence[File], known: Iterable[Mapping[str, Any]]) -> tuple[list[File], list[str]]:
    """Return the files, each measurement in the first of them alone, and a sentence on each that has it again.

    One is what is equal in all that the rows say, in another file or, with its time, in the same; a form without
    samples may have it again as well. What a log says of unknown length may be equal by chance.
    """
    first = _on_record(known, {file.digest for file in files})
    kept, problems = [], []
    for file in files:
        results: list[Result] = []
        again: list[str] = []
        for result in file.tool.results:
            row = result.row
            now = _Measurement(file.digest, file.name, file.tool.form, row)
            there = first.setdefault(_brief(row), [])
            before = next((each for each in there if _is_same(each, now)), None)
            if before and not row.get("unknown_length"):
                again.append(before.name)
            else:
                results.append(result)
                there.append(now)
        if again:
            count = "1 result is" if len(again) == 1 else f"{len(again)} results are"
            problems.append(f"{file.name}: {count} there twice and counted once: {_listed(sorted(set(again)))} too")
        kept.append(file._replace(tool=file.tool._replace(results=results)))
    return kept, problems


def _on_record(known: Iterable[Mapping[str, Any]], digests: set[str]) -> dict[tuple[str, str], list[_Measurement]]:
    """Return what records of other files than those of `digests` hold, by _brief() of the rows."""
    first: dict[tuple[str, str], list[_Measurement]] = {}
    for record in known:
        told = record["payload"].get("imported") if record["kind"] == "launch" else None
        if told and told["sha256"] not in digests:
            for row in record["payload"].get("rows") or []:
                there = _Measurement(told["sha256"], told["file"], told["form"], row)
                first.setdefault(_brief(row), []).append(there)
    return first


_SAMPLES = ("samples_ns", "samples_ts")


def _brief(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return what equal rows have in common at least, which is read quickly."""
    return names.text(row.get("avg_ts")), names.text(row.get("test_time"))


def _said(row: Mapping[str, Any]) -> str:
    """Return what a row says but its samples, in the same words whatever form it had."""
    texts = {name: names.text(value) for name, value in row.items() if name not in _SAMPLES}
    return envelope.canonical({name: text for name, text in texts.items() if text})


def _is_same(before: _Measurement, now: _Measurement) -> bool:
    dated = _time(now.row) is not None
    samples = [[each.row.get(name) for name in _SAMPLES] for each in (before, now)]
    if samples[0] == samples[1]:
        possible = dated or before.digest != now.digest
    else:
        # CSV and SQL have no samples.
        possible = dated and before.form != now.form and [None, None] in samples
    return possible and _said(before.row) == _said(now.row)


def _fingerprint(name: str, cpu: str, parts: Sequence[_Part], listed: InstanceType | None) -> dict[str, Any]:
    """Return what is known of a machine: what its files say, and of an instance type what the catalog says."""
    rows = [result.row for part in parts for result in part.results]
    said = {
        "name": name,
        "cpu_model": cpu or None,
        "architecture": _first(str(row.get("compiler_target") or "").partition("-")[0] for row in rows),
        "cpu_count": max((forms.tokens(row, "cpus") for row in rows), default=0) or None,
        "emulated": None,
    }
    if listed:
        said.update(instance.facts(listed, said, _listed([part.file.name for part in parts])))
    return envelope.with_id(said)


def _of_machine(
    fingerprint: dict[str, Any], parts: Sequence[_Part], model: str, threads: int, price: dict[str, Any] | None
) -> list[tuple[str, float | None, dict[str, Any]]]:
    """Return kind, time and payload of each record of one machine; no time where it is that of the run."""
    called = _model_names((result.row for part in parts for result in part.results), model)
    launches: list[tuple[str, float | None, dict[str, Any]]] = []
    builds: dict[str, dict[str, Any]] = {}
    models: dict[str, dict[str, Any]] = {}
    cells: dict[str, dict[str, Any]] = {}
    for part in parts:
        for kernel, cell, alike in _launches(part, called, threads):
            build, weights = _build(alike[0], cell), _model(alike[0], cell)
            builds[build["id"]], models[weights["id"]] = build, weights
            cells[envelope.canonical(cell)] = cell
            payload = {
                "cell": cell,
                "build": build["id"],
                "model": weights["id"],
                "machine": fingerprint["id"],
                "number": len(launches) + 1,
                "block": None,
                "metrics": _metrics(alike, kernel),
                "kernel": kernel if kernel.get("buffers") else None,
                "rows": alike if part.file.tool.form.startswith("llama-bench") else None,
                "gates": None,
                "validity": {"state": "VALID", "reasons": []},
                "key": envelope.comparable_key(fingerprint, build, weights, cell),
                "imported": part.file.origin(),
            }
            launches.append(("launch", _time(alike[0]) or envelope.seconds(envelope.UNDATED), payload))
    plan = {
        "cells": list(cells.values()),
        "launches": 1,
        "repetitions": 1,
        "seed": 0,
        "versions": {"collection": VERSION},
        "emulated": False,
        "command": "make import",
        "imported": [part.file.origin() for part in parts],
        **({"price": price} if price else {}),
    }
    things = [("run", plan), ("machine", fingerprint)]
    things += [("build", build) for build in builds.values()] + [("model", weights) for weights in models.values()]
    return [*((kind, None, payload) for kind, payload in things), *launches]


def _first(values: Iterable[str]) -> str | None:
    return next(filter(None, values), None)


def _launches(
    part: _Part, called: Mapping[tuple[Any, ...], str], threads: int
) -> list[tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]]:
    """Return kernel, cell and rows of each launch: what one process printed of one cell."""
    launches: dict[tuple[int, str], tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]] = {}
    # Two logs may have one name, in one import or in two.
    log = f"{names.shortened(Path(part.file.path).name, 60)} {part.file.digest[:12]}"
    for result in part.results:
        cell = _cell(result.row, called[_weights(result.row)], forms.tokens(result.row, "n_threads") or threads, log)
        key = result.process, envelope.canonical(cell)
        launches.setdefault(key, (result.kernel or {}, cell, []))[2].append(result.row)
    return list(launches.values())


# A clock that was never set says 1970 or less.
_END_OF_TIME = 4e9


def _time(row: Mapping[str, Any]) -> float | None:
    """Return when a row was measured, in seconds since the epoch, None where it does not say."""
    try:
        said = datetime.fromisoformat(str(row.get("test_time")).replace("Z", "+00:00"))
        time = (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return time if 0 < time < _END_OF_TIME else None


def _latest(rows: Iterable[Mapping[str, Any]]) -> float:
    known = [time for row in rows if (time := _time(row)) is not None]
    return max(known, default=envelope.seconds(envelope.UNDATED))


# llama.cpp has had some ten thousand.
_MOST_BUILDS = 10**9
# In bytes, or parameters: what is more is nonsense.
_MOST_SIZE = 10**15
# Sizes of one model, one of them rounded for a table, differ by less.
_SAME_SIZE = 0.01


def _weights(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what a row says of its weights."""
    return (
        names.model_name(row),
        names.quantization(row),
        forms.tokens(row, "model_n_params"),
        forms.tokens(row, "model_size"),
    )


def _model_names(rows: Iterable[Mapping[str, Any]], given: str) -> dict[tuple[Any, ...], str]:
    """Return the model's name for each _weights(); with the size in it where several models would have one name."""
    called: dict[tuple[Any, ...], str] = {}
    groups: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for key in sorted({_weights(row) for row in rows}):
        groups.setdefault((given or key[0], key[1]), []).append(key)
    for (name, _kind), keys in groups.items():
        several = [
            field
            for field in (2, 3)
            if (sizes := [key[field] for key in keys if key[field]]) and max(sizes) > min(sizes) * (1 + _SAME_SIZE)
        ]
        for key in keys:
            called[key] = name
            if 2 in several and key[2]:
                called[key] = f"{names.shortened(name, 60)}-{key[2] / 1e9:.3g}b"
            elif several and key[3]:
                called[key] = f"{names.shortened(name, 60)}-{key[3] / 2**30:.3g}gib"
    return called


def _cell(row: Mapping[str, Any], model: str, threads: int, log: str) -> dict[str, Any]:
    held = names.settings(row)
    if row.get("unknown_length"):
        word = row["unknown_length"]
        # Of two answers nobody knows whether they are of one length, so each stands for itself.
        held = dict(sorted({**held, "log": log}.items()))
        test: dict[str, Any] = {"test": f"{word}?", "n_prompt": 0, "n_gen": 0, "n_depth": 0}
    else:
        prompt, generated, depth = (forms.tokens(row, name) for name in ("n_prompt", "n_gen", "n_depth"))
        name = f"{'pp' if prompt else 'tg'}{prompt or generated}" + (f"@d{depth}" if depth else "")
        test = registry.parse_test(name)
    cell = {**test, "model": model, "quantization": names.quantization(row), "build": _build_name(row)}
    return {**cell, "threads": threads, **({"settings": held} if held else {})}


def _build_name(row: Mapping[str, Any]) -> str:
    word, number = str(row.get("build_commit") or names.UNKNOWN), forms.tokens(row, "build_number")
    commit = logs.commit(word)
    if commit:
        return commit[:12]
    # A distribution has its own word where the commit stands.
    return "-".join([names.shortened(word, 20), *([f"b{number}"] if number else [])])


def _build(row: Mapping[str, Any], cell: Mapping[str, Any]) -> dict[str, Any]:
    commit = logs.commit(str(row.get("build_commit") or ""))
    build = {
        "name": cell["build"],
        "source": {"commit": commit, "type": "imported"} if commit else None,
        "system_info": row.get("system_info"),
        "way": None,
    }
    number, compiler = forms.tokens(row, "build_number"), row.get("compiler")
    known = {
        "build_number": number if 0 < number < _MOST_BUILDS else None,
        "compiler": str(compiler) if compiler else None,
    }
    return envelope.with_id({**build, **{name: value for name, value in known.items() if value}})


def _model(row: Mapping[str, Any], cell: Mapping[str, Any]) -> dict[str, Any]:
    size, parameters = forms.tokens(row, "model_size"), forms.tokens(row, "model_n_params")
    size, parameters = size if size <= _MOST_SIZE else 0, parameters if parameters <= _MOST_SIZE else 0
    return envelope.with_id(
        {
            "name": cell["model"],
            "quantization": cell["quantization"],
            "file": names.stem(row) or None,
            "bytes": size if size > 0 else None,
            "parameters": parameters if parameters > 0 else None,
            # A file of results says nothing of the weights.
            "synthetic": None,
            "source": "imported",
        }
    )


def _metrics(rows: Sequence[Mapping[str, Any]], kernel: dict[str, Any]) -> dict[str, Any]:
    """Return the metrics of one launch: the mean of its rows, which are repetitions of one test in one process."""
    speeds = [float(figure.number(row["avg_ts"]) or 0) for row in rows]
    entry: dict[str, Any] = {"value": fmean(speeds) if speeds[1:] else speeds[0], "unit": "token/s"}
    samples = [_samples(row) for row in rows]
    if all(samples):
        entry["samples"] = [sample for some in samples for sample in some]
    deviation = figure.number(rows[0].get("stddev_ts")) if len(rows) == 1 else None
    if deviation is not None and deviation >= 0:
        entry["stddev"] = deviation
    measured = {forms.speed_name(rows[0]): entry}
    load_s = round(float(rows[0].get("load_s") or 0), 4)
    # A time that cannot be one is not known; the speeds beside it are.
    if load_s and metrics.trouble("log_load_s", load_s) is None:
        measured["log_load_s"] = {"value": load_s, "unit": "s"}
    return {**measured, **buffer_metrics(kernel)}


def _samples(row: Mapping[str, Any]) -> list[float]:
    """Return the speeds of the repetitions of a row, none where it does not have all of them."""
    said = row.get("samples_ts")
    known = metrics.metric(forms.speed_name(row))
    samples = [figure.number(sample) for sample in said] if isinstance(said, list) else []
    good = [sample for sample in samples if sample is not None and known.low <= sample <= known.high]
    return good if len(good) == len(samples) else []
