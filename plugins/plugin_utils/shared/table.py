# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table that stands beside an object of records: what each line says of a launch, in columns.

It is made from the lines and holds nothing else, so that it can be made again; the lines are the one truth.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry as kinds
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import digest
from ansible_collections.cloudbench.llama.plugins.plugin_utils.export import parquet
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shared.parts import Lines

# `line` tells lines apart, `key` launches that may not be pooled: of another cell, build, model's file or environment.
# The metric is the one that stands for the cell. What is of no launch has null.
COLUMNS = {
    "line": "BIGINT",
    "kind": "VARCHAR",
    "run": "VARCHAR",
    "time": "TIMESTAMP",
    "key": "VARCHAR",
    "model": "VARCHAR",
    "quantization": "VARCHAR",
    "build": "VARCHAR",
    "threads": "INTEGER",
    "test": "VARCHAR",
    "variant": "VARCHAR",
    "purpose": "VARCHAR",
    "state": "VARCHAR",
    "metric": "VARCHAR",
    "value": "DOUBLE",
}


def _moment(time: str) -> str | None:
    """Return a time as DuckDB reads it, None for a day or a second that no calendar has."""
    try:
        return datetime.datetime.fromisoformat(time).strftime("%Y-%m-%d %H:%M:%S.%f")
    except ValueError:
        return None


def rows(of: Lines) -> Iterator[dict[str, Any]]:
    """Return a row for each line, with the names of COLUMNS."""
    keys: dict[str, str] = {}
    for line, record in zip(of.lines, of.records, strict=True):
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row.update(
            # 63 bits, which every type of integer holds.
            line=int.from_bytes(hashlib.sha256(line).digest()[:8]) >> 1,
            kind=record["kind"],
            run=record["run"],
            time=_moment(record["time"]),
        )
        if record["kind"] == "launch":
            row.update(_launch(record["payload"], keys))
        yield row


def _launch(payload: dict[str, Any], keys: dict[str, str]) -> dict[str, Any]:
    cell = payload["cell"]
    apart = [cell, payload["build"], payload["model"], payload.get("environment")]
    # Of many launches of a cell one is digested.
    text = repr(apart)
    if text not in keys:
        keys[text] = digest(apart)
    metric = kinds.headline(cell)
    return {
        **{name: cell.get(name, "") for name in ("model", "quantization", "build", "test", "variant", "purpose")},
        "key": keys[text],
        "threads": cell["threads"],
        "state": payload["validity"]["state"],
        "metric": metric,
        "value": (payload["metrics"].get(metric) or {}).get("value"),
    }


def made(of: Lines, writer: parquet.Writer) -> bytes:
    """Return the object of figures of lines."""
    return writer.written(rows(of), COLUMNS)
