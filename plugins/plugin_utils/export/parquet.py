# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines with typed columns as Parquet, by DuckDB."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any


class ExportError(ValueError):
    """An export that cannot be written; the message names the cause and the remedy."""


def engine() -> ModuleType:
    """Return DuckDB. Raises ExportError where it is not installed."""
    try:
        import duckdb
    except ImportError as error:
        raise ExportError(
            f"Parquet is written and read by DuckDB, which {sys.executable} does not have: "
            f"{sys.executable} -m pip install duckdb"
        ) from error
    return duckdb


class Writer:
    """Writes files of Parquet, many of them by one database: to begin one takes longer than to write a small file.

    Several threads may write by it. Raises ExportError where DuckDB is not installed.
    """

    def __init__(self) -> None:
        self._database = engine().connect(config={"threads": 1})

    def __enter__(self) -> Writer:
        """Return this."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End the database."""
        self._database.close()

    def written(self, lines: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> bytes:
        """Return `lines` as a file of Parquet; `columns`: DuckDB's type of each."""
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "lines.jsonl"), Path(folder, "figures.parquet")
            source.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
            # A connection of its own: one alone is for one thread.
            cursor = self._database.cursor()
            try:
                relation = cursor.read_json(str(source), columns=dict(columns), format="newline_delimited")
                relation.write_parquet(str(target), compression="zstd")
            finally:
                cursor.close()
            return target.read_bytes()
