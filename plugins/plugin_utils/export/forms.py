# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures for other programs: for each cell of each machine the one that pages show, in the forms that those read.

Where a form has room, each figure carries its run, interval, number of launches and state, and says of synthetic
weights and emulated hosts. Forms that raise alarms (Bencher, github-action-benchmark) get only what may be ranked.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import variant
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import Interval
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import UNDATED, canonical
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export import parquet
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export.parquet import ExportError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts


class Figure(NamedTuple):
    """One metric of one cell: the mean of its launches with the 95 % interval (bounds None below two launches)."""

    run: Run
    row: Row
    name: str
    interval: Interval


# A row of a table and the run that it is of.
Measured = tuple[Run, Row]


def figures(measured: Iterable[Measured]) -> Iterator[Figure]:
    """Return every metric of cells, which come in a fixed order."""
    for run, row in measured:
        names = {name for record in row.figures for name in record["payload"]["metrics"]}
        for name in sorted(names & set(metrics.REGISTRY)):
            interval = summary.mean_of(row, name)
            if interval is not None:
                mean, low, high = map(_short, interval[:3])
                yield Figure(run, row, name, interval._replace(mean=mean, low=low, high=high))


def _short(value: Any) -> Any:
    """Return a number without the digits that only arithmetic put there."""
    return None if value is None else float(f"{value:.10g}")


def every(runs: Iterable[Run]) -> list[Measured]:
    """Return the rows of all runs, in their order."""
    return [(run, row) for run in runs for row in summary.rows(run, summary.cells(run)) if row.launches]


def standing(runs: Iterable[Run]) -> list[Measured]:
    """Return the row that stands for each cell of each machine, of whichever run it is; `runs` come in their order."""
    machines: dict[str, list[Run]] = {}
    for run in runs:
        machines.setdefault(run.machine, []).append(run)
    return [
        measured
        for _machine, of_machine in sorted(machines.items())
        for measured in sorted(
            (
                measured
                for path, page in summary.of_pages(of_machine).items()
                for measured in summary.standing_figures(page, path)
            ),
            key=lambda measured: (*summary.cell_order(measured[1].cell), measured[0].run),
        )
    ]


# What is no text, for a reader that knows types.
_TYPES = {
    **dict.fromkeys(("threads", "n_prompt", "n_gen", "n_depth", "launches"), "BIGINT"),
    **dict.fromkeys(("mean", "low", "high"), "DOUBLE"),
    "time": "TIMESTAMP",
}
# What the name of a test does not say of how a cell was launched.
_BESIDE_TEST = ("threads_batch", "numa")


def _origin(run: Run) -> str:
    if summary.emulated(run):
        return "emulated"
    return "imported" if summary.imported(run) else "measured"


def _described(figure: Figure) -> dict[str, Any]:
    """Return what identifies a figure and says how far it holds, the same names in every form."""
    run, row = figure.run, figure.row
    cell = row.cell
    synthetic = parts.is_synthetic(run, cell)
    launched = {name: cell[name] for name in _BESIDE_TEST if name in cell}
    of_variant = variant.settings_of(cell.get("variant", ""))
    settings = {**(cell.get("settings") or {}), **of_variant, **launched, **summary.environment(run)}
    described = {
        "machine": run.machine,
        "instance_type": (summary.machine(run).get("instance") or {}).get("type") or "",
        "run": run.run,
        "time": None if run.time == UNDATED else run.time,
        "model": cell["model"],
        "weights": "unknown" if synthetic is None else "synthetic" if synthetic else "real",
        "origin": _origin(run),
        "quantization": cell["quantization"],
        "build": cell["build"],
        "commit": " ".join(summary.commits(run, row.launches)),
        "threads": cell["threads"],
        "test": cell["test"],
        "n_prompt": cell["n_prompt"],
        "n_gen": cell["n_gen"],
        "n_depth": cell["n_depth"],
        "settings": " ".join(f"{name}={value}" for name, value in settings.items()),
        "state": row.state,
    }
    return {name: _shown(value) if isinstance(value, str) else value for name, value in described.items()}


def _shown(text: str) -> str:
    """Return a name without what acts instead of showing: tables are read on terminals too, and by cat."""
    return text if text.isprintable() else markdown.visible(text, keep_lines=True)


def _benchmark(figure: Figure, differing: Mapping[str, Sequence[str]]) -> str:
    """Return the name of a cell for programs that know a benchmark by its name alone.

    `differing` are the settings in which the cells of each machine differ. What was set on purpose in the environment
    is in the name.
    """
    run, cell = figure.run, figure.row.cell
    settings = {**(cell.get("settings") or {}), **{name: cell[name] for name in _BESIDE_TEST if name in cell}}
    of_variant = variant.settings_of(cell.get("variant", ""))
    told = [*differing[run.machine], *_BESIDE_TEST]
    parts_of_it = (
        run.machine,
        cell["model"],
        cell["quantization"],
        cell["build"],
        f"t{cell['threads']}",
        cell["test"],
        *(f"{name}={settings[name]}" for name in told if name in settings),
        *(f"{name}={value}" for name, value in of_variant.items()),
        *(f"{name}={value}" for name, value in sorted(summary.environment(run).items())),
    )
    return _shown("/".join(map(str, parts_of_it)))


def _differing(measured: Iterable[Measured]) -> dict[str, Sequence[str]]:
    cells: dict[str, list[dict[str, Any]]] = {}
    for run, row in measured:
        cells.setdefault(run.machine, []).append(row.cell)
    return {machine: summary.differing_settings(of_machine) for machine, of_machine in cells.items()}


def _rows(measured: Sequence[Measured]) -> str:
    """llama-bench's own rows, one launch each, as `llama-bench -o jsonl` printed them, but for two things.

    build_commit is the one that the build records: a source without a repository makes llama-bench print another one,
    or none. What an older llama-bench does not print is null, where a newer one has printed it: the script that reads
    them refuses a file of which one line lacks a field.
    """
    tool_rows = [
        dict(tool_row, build_commit=(summary.commits(run, [record]) or [tool_row.get("build_commit")])[0])
        for run, row in measured
        if summary.benched(row.cell)
        for record in row.launches
        for tool_row in record["payload"].get("rows") or []
    ]
    names = {name: None for tool_row in tool_rows for name in tool_row}
    return "".join(f"{canonical({**names, **tool_row})}\n" for tool_row in tool_rows)


def _lines(measured: Iterable[Measured]) -> Iterator[dict[str, Any]]:
    """Return a line for every metric of every cell, the same names in each."""
    for figure in figures(measured):
        yield {
            **_described(figure),
            "metric": figure.name,
            "unit": metrics.metric(figure.name).unit,
            "mean": figure.interval.mean,
            "low": figure.interval.low,
            "high": figure.interval.high,
            "launches": figure.interval.n,
        }


# CSV has no types, and quotes do not make one: DuckDB and pandas read the commit 1e57098 as infinity, DuckDB `no` as a
# truth value, pandas `null` as nothing, and a spreadsheet MAR1 as a date. So text is written so that it can be nothing
# else; what is in doubt gets a prefix, and a commit, which nobody chooses, always has one.
_TEXT, _COMMIT = "text:", "commit:"
# What stands for text that is not there: a column without any value would be one of numbers.
_ABSENT = {"commit": f"{_COMMIT}unknown"}
_NO_TEXT = "none"
_WORDS = frozenset((
    "true", "false", "t", "f", "yes", "no", "y", "n", "on", "off", "nan", "inf", "infinity", "null", "none", "na",
    "n/a", "nil", "epoch", "now", "today", "tomorrow", "yesterday",
))  # fmt: skip
_DATE = re.compile(
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)[a-z]*[\s.,/-]*\d[\d\s.,:/-]*",
    re.IGNORECASE,
)
# Those of our own that begin with no letter: the id of a run and the unit %.
_OURS = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}|%", re.ASCII)


def _csv_text(name: str, value: str) -> str:
    """Return what a column of text holds for `value`, which a reader without a hint takes for text."""
    if not value:
        return _ABSENT.get(name, _NO_TEXT)
    if name == "commit":
        return " ".join(f"{_COMMIT}{commit}" for commit in value.split())
    plain = value.strip().casefold()
    safe = value[:1].isalpha() and plain not in _WORDS and not _DATE.fullmatch(plain) and not value.startswith(_TEXT)
    return value if safe or _OURS.fullmatch(value) else f"{_TEXT}{value}"


def _csv(measured: Sequence[Measured]) -> str:
    out = io.StringIO()
    writer: Any = None
    for line in _lines(measured):
        if writer is None:
            writer = csv.DictWriter(out, list(line), lineterminator="\n")
            writer.writeheader()
        writer.writerow(
            {name: value if name in _TYPES else _csv_text(name, str(value)) for name, value in line.items()}
        )
    return out.getvalue()


def _parquet(measured: Sequence[Measured]) -> bytes:
    """Parquet, written by DuckDB, with types: text, BIGINT, DOUBLE and TIMESTAMP (UTC)."""
    lines = list(_lines(measured))
    if not lines:
        raise ExportError("there are no figures on record, and so no columns to write: measure something first")
    with parquet.Writer() as writer:
        return writer.written(lines, {name: _TYPES.get(name, "VARCHAR") for name in lines[0]})


def _label(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _openmetrics(measured: Sequence[Measured]) -> str:
    """Gauges, a sample each for the mean and the bounds (OpenMetrics 1.0)."""
    families: dict[str, list[str]] = {}
    for figure in figures(measured):
        labels = {name: value for name, value in _described(figure).items() if name != "time"}
        for statistic in ("mean", "low", "high"):
            value = getattr(figure.interval, statistic)
            if value is not None:
                shown = ",".join(
                    f'{name}="{_label(text)}"' for name, text in {**labels, "statistic": statistic}.items()
                )
                families.setdefault(figure.name, []).append(f"cloudbench_llama_{figure.name}{{{shown}}} {value!r}")
    text = ""
    for name, samples in sorted(families.items()):
        about = metrics.metric(name)
        text += f"# TYPE cloudbench_llama_{name} gauge\n"
        text += f"# HELP cloudbench_llama_{name} {_label(f'{about.label}, {about.unit}: {about.formula}')}\n"
        text += "".join(f"{sample}\n" for sample in samples)
    return f"{text}# EOF\n"


def _holding(measured: Sequence[Measured]) -> Iterator[Figure]:
    """Return the metrics that stand for their cells, of those that may be ranked."""
    for figure in figures(measured):
        if figure.row.ranked and figure.name == figure.row.speed:
            yield figure


def _bencher(measured: Sequence[Measured]) -> str:
    """Bencher Metric Format (bencher.dev/docs/reference/bencher-metric-format)."""
    measures: dict[str, dict[str, dict[str, float]]] = {}
    differing = _differing(measured)
    for figure in _holding(measured):
        bounds = {"lower_value": figure.interval.low, "upper_value": figure.interval.high}
        measure = {"value": figure.interval.mean, **{key: value for key, value in bounds.items() if value is not None}}
        measures.setdefault(_benchmark(figure, differing), {})[figure.name] = measure
    return json.dumps(measures, indent=2, sort_keys=True) + "\n"


def _github_action(measured: Sequence[Measured], better: str) -> str:
    entries = []
    differing = _differing(measured)
    for figure in _holding(measured):
        about = metrics.metric(figure.name)
        if about.better == better:
            half = figure.interval.half_width_percent
            entry = {
                "name": f"{_benchmark(figure, differing)} {figure.name}",
                "unit": about.unit,
                "value": figure.interval.mean,
                "extra": ", ".join(f"{name}={value}" for name, value in _described(figure).items() if value != ""),
            }
            entries.append(entry if half is None else {**entry, "range": f"±{half:.2f} %"})
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"


class Format(NamedTuple):
    """A form of export: what ends its file's name, who reads it, and the function that writes it.

    `every`: it holds all runs, and not the figures that stand alone.
    """

    suffix: str
    reader: str
    write: Callable[[Sequence[Measured]], str | bytes]
    every: bool = False


FORMATS = {
    "llama-bench": Format("jsonl", "llama.cpp's scripts/compare-llama-bench.py", _rows),
    "csv": Format("csv", "spreadsheets and data frames", _csv),
    "parquet": Format("parquet", "DuckDB and data frames, all runs", _parquet, every=True),
    "openmetrics": Format("txt", "Prometheus and its kin", _openmetrics),
    "bencher": Format("json", "Bencher", _bencher),
    "github-action-benchmark-bigger": Format(
        "json", "github-action-benchmark, customBiggerIsBetter", lambda measured: _github_action(measured, "higher")
    ),
    "github-action-benchmark-smaller": Format(
        "json", "github-action-benchmark, customSmallerIsBetter", lambda measured: _github_action(measured, "lower")
    ),
}


def export(runs: Iterable[Run], form: str) -> bytes:
    """Return the figures that stand for the cells of each machine, or those of all runs, in a form of FORMATS.

    Raises ExportError when a form needs what is not there.
    """
    asked = FORMATS[form]
    written = asked.write(every(runs) if asked.every else standing(runs))
    return written if isinstance(written, bytes) else written.encode("utf-8")
