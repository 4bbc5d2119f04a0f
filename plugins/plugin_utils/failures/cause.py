# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What failed, in words, out of the result of a failed task."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.progress import cell_text
from ansible_collections.cloudbench.llama.plugins.plugin_utils.failures.aws_words import retold

# What to do about a failure that brings no advice of its own, by phase.
ADVICE = {
    "provision": "Correct what the message names and run again; what was made is removed by the playbook teardown.",
    "connect": "Check address, key and network.",
    "plan": "Correct the variable that the message names.",
    "build": "Read the message; run again with -v for more.",
    "model": "Correct the model or its digest; what was obtained before is kept.",
    "measure": "Run the command of the record by hand on the host.",
    "report": "Run the playbook cloudbench.llama.report: it needs the records alone.",
}

# What to do where the cause itself tells, whatever the phase.
_ADVICE_BY_CAUSE = (
    (
        re.compile(r"(?i)interpreter .*not found|no python|python\S*: (command )?not found"),
        "Install Python 3.8 or newer on the host, or name the one it has in ansible_python_interpreter.",
    ),
    # botocore's words, behind those of a module of amazon.aws.
    (
        re.compile(r"(?i)could not connect to the endpoint|timeout on endpoint|connection was closed before"),
        "Check the network, the proxy, the name of the region and AWS_ENDPOINT_URL, and run again.",
    ),
)

_LONGEST = 1500


def _telling(text: str) -> list[str]:
    """Return the lines of an output that best say why a program failed: those that name an error, or the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if "error" in line.lower()]
    return (named[:3] if named else lines[-3:]) if lines else []


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def cause_of(result: dict[str, Any]) -> str:
    """Return why a task failed, from its result: its message, its command, and what the program said.

    What AWS refused to a module is told as aws_words tells it, the way out included.
    """
    for item in result.get("results") or []:
        if isinstance(item, dict) and item.get("failed"):
            return cause_of(item)
    said = _words(result.get("msg") or "the task failed without a message").strip()
    parts = [retold(said) or said]
    if result.get("assertion"):
        parts.append(f"assertion: {_words(result['assertion'])}")
    if result.get("cmd"):
        parts.append(f"command: {_words(result['cmd'])[:200]}")
        if result.get("rc"):
            parts.append(f"exit code {result['rc']}" if result["rc"] > 0 else f"ended by signal {-result['rc']}")
        parts += _telling(str(result.get("stderr") or "")) or _telling(str(result.get("stdout") or ""))
    return " | ".join(parts)[:_LONGEST]


def advice_of(phase: str, cause: str) -> str:
    """Return what to do about a failure that brings no advice of its own."""
    return next((advice for pattern, advice in _ADVICE_BY_CAUSE if pattern.search(cause)), ADVICE[phase])


def failure_line(machine: str, failure: dict[str, Any]) -> str:
    """Return a failure record's payload in one line: where, in which phase, what of, why and what to do."""
    what = f"{failure['phase']}, {cell_text(failure['cell'])}" if failure.get("cell") else failure["phase"]
    stop = "" if failure["cause"].endswith((".", "!", "?")) else "."
    return f"{machine}: {what}: {failure['cause']}{stop} {failure['advice']}"
