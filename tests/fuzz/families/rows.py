# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of llama-bench: as a host reads them of its own launch, and in all forms and versions as they are imported."""

from __future__ import annotations

import json
from pathlib import Path

from fuzz.strategies import TEXT, as_json, as_lines, filled, numbers, objects
from fuzz.target import Target, fixture, fixtures, text_of
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.bench import output
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.one_shot import OutputError
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import figure, files
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.forms import ImportFailed
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records


def _of_host(data: bytes) -> None:
    """A host reads what its launch printed, and keeps it in a record."""
    text = text_of(data)
    rows = output.parse_rows(text)
    envelope.canonical(rows)
    row = rows[0] if rows else {}
    if rows:
        output.parse_row(text, row["n_prompt"], row["n_gen"], row["n_threads"], len(row["samples_ts"]))


def _imported(data: bytes) -> None:
    """A file is imported: what comes of it is taken by the store, and its pages lie below the results."""
    path = Path("imported")
    path.write_bytes(data)
    imported = files.of_files([files.load(str(path))], threads=4)
    for record in imported.records:
        kept = records.decode(envelope.canonical(record).encode("ascii"))
        records.component(kept["machine"], "machine")
        if kept["kind"] == "launch":
            page = summary.page_path(kept["machine"], kept["payload"]["cell"])
            for part in page.split("/"):
                records.component(part, "part of a page's path")


def _figure(data: bytes) -> None:
    """Numbers of a file are read by the marks of the file."""
    lines = text_of(data).split("\n")
    decimals = figure.style(lines)
    for line in lines:
        for style in ("", decimals):
            figure.ambiguous(line, style)
            number, count = figure.number(line, style), figure.count(line, style)
            assert count is None or isinstance(count, int)
            assert number is None or number - number == 0


def _row() -> SearchStrategy[dict[str, object]]:
    samples = st.lists(st.one_of(st.floats(0.1, 1e4), st.integers(1, 10**10)), max_size=4)
    return objects(
        {
            "n_prompt": st.integers(0, 9000), "n_gen": st.integers(0, 9000), "n_depth": st.integers(0, 9000),
            "n_threads": st.integers(1, 192), "avg_ts": st.floats(0.1, 1e4), "stddev_ts": st.floats(0, 10),
            "avg_ns": numbers(), "samples_ns": samples, "samples_ts": samples, "model_filename": TEXT,
            "model_type": st.sampled_from(["llama 8B Q4_K - Medium", "llama 1B Q4_0"]), "cpu_info": TEXT,
            "gpu_info": TEXT, "backends": TEXT, "test_time": st.sampled_from(["2026-11-23T15:55:23Z", "0001-01-01"]),
            "build_commit": TEXT, "build_number": st.integers(0, 12000), "model_size": numbers(),
            "model_n_params": numbers(),
        }
    )  # fmt: skip


def _json_rows() -> SearchStrategy[bytes]:
    return st.one_of(as_json(st.lists(_row(), max_size=3)), as_lines(_row().map(json.dumps), 3))


def _table() -> SearchStrategy[bytes]:
    return as_lines(
        filled(
            [
                "| model | size | params | backend | threads | test | t/s |",
                "| --- | --: | --: | --- | --: | --: | --: |",
                "| llama 8B Q4_0 | # GiB | # B | CPU | # | pp# | # ± # |",
                "| @ | @ | @ | @ | # | tg# @ d# | # |",
                "build: @ (#)",
                "@",
            ]
        )
    )


def _of_form(form: str) -> list[bytes]:
    return fixtures(f"imports/*.{form}")


_FIELDS = (
    "n_prompt",
    "n_gen",
    "n_depth",
    "n_threads",
    "avg_ts",
    "stddev_ts",
    "samples_ts",
    "samples_ns",
    "test_time",
    "model_type",
    "model_filename",
    "cpu_info",
    "gpu_info",
    "build_commit",
    "build_number",
    "pp512",
    "tg128",
    "Q4_K - Medium",
    "2026-11-23T15:55:23Z",
    "9999-12-31T23:59:59+00:00",
    "0001-01-01T00:00:00+14:00",
    "1970-01-01T00:00:00Z",
)

TARGETS = (
    Target(
        "rows-host",
        _of_host,
        (OutputError,),
        lambda: [*fixtures("llama-bench/*.json"), *fixtures("llama-bench/*.jsonl")],
        _FIELDS,
        share=12,
        strategy=_json_rows,
    ),
    Target(
        "import-json", _imported, (ImportFailed,), lambda: _of_form("json"), _FIELDS, share=1.5, strategy=_json_rows
    ),
    Target("import-jsonl", _imported, (ImportFailed,), lambda: _of_form("jsonl"), _FIELDS, share=1),
    Target("import-csv", _imported, (ImportFailed,), lambda: _of_form("csv"), (*_FIELDS, ";", "\t", '"'), share=1),
    Target(
        "import-md",
        _imported,
        (ImportFailed,),
        lambda: _of_form("md"),
        (*_FIELDS, "|", "±", "@ d4096", "---", "GiB", "build: ", "t/s"),
        share=1.5,
        strategy=_table,
    ),
    Target(
        "import-sql",
        _imported,
        (ImportFailed,),
        lambda: _of_form("sql"),
        (*_FIELDS, "CREATE TABLE", "INSERT INTO", "VALUES", ";", "--", "PRAGMA", "ATTACH", "SELECT", "WITH RECURSIVE"),
        share=0.7,
    ),
    Target(
        "import-log",
        _imported,
        (ImportFailed,),
        lambda: [*_of_form("log"), fixture("imports", "llama-bench-verbose.txt")],
        (
            "build: 1 (a)",
            "system_info: n_threads = ",
            "load time = ",
            "eval time = ",
            "[ Prompt: 1 t/s | Generation: 1 t/s ]",
        ),
        share=0.4,
    ),
    Target(
        "figure",
        _figure,
        (),
        lambda: [b"1,040\n3.5\n1.234.567,8", b"12\n1 024\n3e5", "1\u00a0024,5\n1'024".encode(), b"512.000"],
        (",", ".", "'", "\u202f", "e", "E+", "1,000", "000"),
        share=15,
        strategy=lambda: as_lines(filled(["#", "#,#", "#.#", "#'#", "# #", "@"])),
    ),
)
