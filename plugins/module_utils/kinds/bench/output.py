# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what llama-bench prints on standard output: one test result per row, as JSON Lines or as a JSON array.

Fields are taken by name and unknown ones are kept: the set has grown with almost every version. Only what a
figure is made from is required. Source: tools/llama-bench/llama-bench.cpp (examples/llama-bench before 2025).
"""

from __future__ import annotations

import json
from typing import Any, Dict, List

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.one_shot import OutputError
from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text

# What a row must say of itself before its figure is believed, and of what type.
_REQUIRED = {
    "n_prompt": int, "n_gen": int, "n_threads": int, "avg_ts": float, "samples_ns": list, "samples_ts": list,
}  # fmt: skip

# A whole number may be longer than any float, and is then no speed and no duration.
_MOST = 1e300


def _decode(text: str) -> List[Any]:
    """Return the JSON values in `text`: the elements of one array, or one value per line."""
    stripped = text.strip()
    if not stripped:
        raise OutputError("it printed nothing")
    try:
        if stripped.startswith("["):
            rows: List[Any] = json_text.loads(stripped)
            return rows
        return [json_text.loads(line) for line in stripped.splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated"):
            raise OutputError("its JSON ends in the middle: %r" % error.doc[-60:]) from error
        raise OutputError("it is not JSON: %r" % error.doc[max(0, error.pos - 20) : error.pos + 40]) from error
    except ValueError as error:
        raise OutputError(str(error)) from error


def _check(row: Any) -> Dict[str, Any]:
    if not isinstance(row, dict):
        raise OutputError("a row is %s, not an object" % type(row).__name__)
    for name, kind in _REQUIRED.items():
        if name not in row:
            raise OutputError("a row lacks the field %s" % name)
        value = row[name]
        wanted = (int, float) if kind is float else kind
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise OutputError("the field %s is %.40r, not of type %s" % (name, value, kind.__name__))
    if not row["samples_ts"] or len(row["samples_ts"]) != len(row["samples_ns"]):
        raise OutputError("it has %d speeds for %d durations" % (len(row["samples_ts"]), len(row["samples_ns"])))
    for value in [row["avg_ts"]] + row["samples_ts"] + row["samples_ns"]:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < _MOST:
            raise OutputError("it holds the speed or duration %.40r, which is not a positive number" % (value,))
    return row


def parse_rows(text: str) -> List[Dict[str, Any]]:
    """Return the rows of `text` verbatim (times in ns, speeds in token/s). Raises OutputError.

    NaN and infinities, which Python's json would accept, are refused: llama-bench prints them when a
    duration is zero, and they must not reach a record.
    """
    return [_check(row) for row in _decode(text)]


def parse_row(text: str, n_prompt: int, n_gen: int, n_threads: int, repetitions: int) -> Dict[str, Any]:
    """Return the one row of a launch, after making sure that it answers what was asked. Raises OutputError."""
    rows = parse_rows(text)
    if len(rows) != 1:
        raise OutputError("it has %d rows, where one test was asked for" % len(rows))
    row = rows[0]
    asked = {"n_prompt": n_prompt, "n_gen": n_gen, "n_threads": n_threads}
    for name, value in asked.items():
        if row[name] != value:
            raise OutputError("its row has %s = %s, where %s was asked for" % (name, row[name], value))
    if len(row["samples_ts"]) != repetitions:
        raise OutputError("it has %d samples, where %d were asked for" % (len(row["samples_ts"]), repetitions))
    return row
