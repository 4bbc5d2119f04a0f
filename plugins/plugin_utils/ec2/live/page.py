# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a live check, and the page that is made of it alone.

The record is an object of JSON: `schema` (1), `state` (RUN or NEVER) and, of one that was run, `started` (UTC),
`minutes`, `region`, `emulated`, `ttl_minutes`, `versions` (by name), `problem` (what broke it off, or empty) and
`rows`: check, seen, state, seconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live.checks import (
    BY_KEY,
    CHECKS,
    FAILED,
    GUARDS,
    LONGEST,
    NOT_ASKED,
    OK,
    PARTS,
    SPOT_TYPE,
    TYPE,
    LiveError,
    Row,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import (
    LEFT,
    RIGHT,
    Markdown,
    alert,
    bold,
    heading,
    table,
    text,
)

SCHEMA = 1
RUN, NEVER = "run", "never run"
COMMAND = "ansible-playbook playbooks/live_smoke.yml"

_COLUMNS = [("What", LEFT), ("Expected", LEFT), ("Seen", LEFT), ("Result", LEFT), ("Seconds", RIGHT)]
_MARKS = {OK: OK, FAILED: bold(FAILED), NOT_ASKED: NOT_ASKED}


def never() -> dict[str, Any]:
    """Return the record as it is before anybody has made the check."""
    return {"schema": SCHEMA, "state": NEVER}


def made(rows: list[Row], **told: Any) -> dict[str, Any]:
    """Return the record of a check; `told`: its other members."""
    return {
        "schema": SCHEMA,
        "state": RUN,
        **told,
        "rows": [{"check": row.key, "seen": row.seen, "state": row.state, "seconds": row.seconds} for row in rows],
    }


def encode(record: Mapping[str, Any]) -> str:
    """Return the text of a record's file."""
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


def decode(content: str) -> dict[str, Any]:
    """Return the record that a file holds. Raises LiveError for one that is none."""
    try:
        record = json_text.loads(content)
    except ValueError as error:
        raise LiveError(f"the record of the live check is no JSON ({error}): make it anew by {COMMAND}") from error
    schema = record.get("schema") if isinstance(record, dict) else None
    if schema != SCHEMA:
        raise LiveError(
            f"the record of the live check has schema {schema!r:.60}, and this collection knows {SCHEMA}: update the "
            f"collection, or make it anew by {COMMAND}"
        )
    wrong = _wrong(record)
    if wrong:
        raise LiveError(f"the record of the live check: {wrong}; make it anew by {COMMAND}")
    return dict(record)


def _wrong(record: Mapping[str, Any]) -> str:
    """Return what a record lacks or says wrongly, "" where it is good."""
    if record.get("state") == NEVER:
        return ""
    if record.get("state") != RUN:
        return f"state is {RUN!r} or {NEVER!r}, not {record.get('state')!r:.60}"
    kinds: dict[str, type | tuple[type, ...]] = {
        "started": str, "minutes": (int, float), "region": str, "emulated": bool, "ttl_minutes": int,
        "versions": dict, "problem": str, "rows": list,
    }  # fmt: skip
    for name, kind in kinds.items():
        if not isinstance(record.get(name), kind):
            return f"{name} is missing or of another type"
    for row in record["rows"]:
        good = isinstance(row, dict) and str(row.get("check")) in BY_KEY and str(row.get("state")) in _MARKS
        if not good or not isinstance(row.get("seen"), str):
            return f"{row!r:.80} is no row"
    return ""


def read(path: Path) -> dict[str, Any] | None:
    """Return the record in a file, None where there is none. Raises LiveError and OSError."""
    return decode(path.read_text("utf-8")) if path.exists() else None


def render(record: Mapping[str, Any]) -> str:
    """Return the page of a record."""
    rows = {row["check"]: row for row in record.get("rows", [])}
    parts = [heading(1, "The live check"), *_verdict(record, rows)]
    for part in PARTS:
        parts += [heading(2, part), *([_GUARDS] if part == GUARDS else []), _table(part, rows)]
    return "\n\n".join([*parts, _HOW]) + "\n"


_GUARDS = Markdown(
    f"A and B are the two {TYPE}, C is the spot {SPOT_TYPE}. Each of them has at any time a guard that ends it."
)
_HOW = Markdown(
    f"""## Make it

```console
$ export AWS_REGION=us-east-1
$ {COMMAND}
```

It prints what it may cost before it rents anything, and refuses more than 0.05 USD. The instances end themselves after
9 minutes, and all of it takes at most 20. [aws.md](aws.md) says what it needs. This page is made of the record
`live.json` beside it, and of nothing else."""
)


def _verdict(record: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> list[Markdown]:
    if record["state"] == NEVER:
        return [
            Markdown(
                "**Never run.** Nobody has made this check with an account of AWS yet. What it looks at, and what is "
                "expected, stands below; until it was run, what is said of AWS here is what its documentation says."
            )
        ]
    states = [row["state"] for row in rows.values()]
    good, bad = states.count(OK), states.count(FAILED)
    counted = f"{good} of {len(CHECKS)} as expected, {bad} failed, {len(CHECKS) - good - bad} not asked"
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    said = (
        f"{record['started']}, {record['region']}, {record['minutes']:.1f} minutes, time limit of the instances "
        f"{record['ttl_minutes']} minutes; {versions}."
    )
    lines = [Markdown(f"**{counted}**: {text(said)}")]
    if record["emulated"]:
        lines.insert(
            0,
            alert(
                "WARNING",
                "Emulated: the endpoint was not AWS (AWS_ENDPOINT_URL was set). Nothing here says what AWS does.",
            ),
        )
    if record["problem"]:
        lines.append(alert("CAUTION", record["problem"]))
    return lines


def _table(part: str, rows: Mapping[str, Mapping[str, Any]]) -> Markdown:
    cells = []
    for check in CHECKS:
        if check.part == part:
            row = rows.get(check.key, {})
            seconds = row.get("seconds")
            cells.append(
                [
                    check.what,
                    check.expected,
                    text(row.get("seen") or "", LONGEST),
                    _MARKS[row.get("state", NOT_ASKED)],
                    "" if seconds is None else f"{seconds:.1f}",
                ]
            )
    return table(_COLUMNS, cells)
