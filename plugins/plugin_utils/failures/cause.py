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

# What ansible-core says where a module printed no result: why, stands in what it printed instead.
_NO_RESULT = re.compile(r"Module result deserialization failed|MODULE FAILURE")
# Python says so of the first line of a module that it is too old for: 3.6 of its future, 3.7 of what 3.8 brought.
_TOO_OLD = re.compile(r"^SyntaxError: (?:future feature annotations is not defined|invalid syntax)$", re.MULTILINE)
_OLD_PYTHON = "the Python of the host is older than 3.8"

# apt's and dnf's words of who keeps them waiting; apt's stand in its progress and not in its last message.
_HOLDER = re.compile(r"(?i)held by process \d+(?: \([^)\n]*\))?")

# What to do where the cause itself tells, whatever the phase.
_ADVICE_BY_CAUSE = (
    (
        re.compile(r"minimum of Python version"),
        "Install a Python of that version or newer on the host, and name it in ansible_python_interpreter.",
    ),
    (
        re.compile(r"held by process"),
        "Wait for that process to end (a new machine updates itself), or end it, and run again.",
    ),
    (
        re.compile(rf"(?i){re.escape(_OLD_PYTHON)}|interpreter .*not found|no python|python\S*: (command )?not found"),
        "Install Python 3.8 or newer on the host, or name the one it has in ansible_python_interpreter.",
    ),
    # botocore's words, behind those of a module of amazon.aws.
    (
        re.compile(r"(?i)could not connect to the endpoint|timeout on endpoint|connection was closed before"),
        "Check the network, the proxy, the name of the region and AWS_ENDPOINT_URL, and run again.",
    ),
)

_LONGEST = 1500
# Of loops within loops: what comes from a host may be nested without end.
_MOST_LOOPS = 5


# What ended a program from outside, or left it no room; what names itself an error; a line that has the word.
_SERIOUS = (
    re.compile(r"(?i)\bkilled\b|out of memory|cannot allocate memory|no space left|segmentation fault"),
    re.compile(r"(?i)error:|^(fatal|E):|undefined reference"),
    re.compile(r"(?i)error|^(fatal|E):"),
)
# What make and ninja say of a command that failed is never why it failed.
_CONSEQUENCE = re.compile(r"^(?:[\w./-]*make(?:\[\d+\])?: \*\*\* |ninja: build stopped)")


def _telling(text: str) -> list[str]:
    """Return the lines of an output that best say why a program failed: those that name an error, or the last.

    Of Python's traceback that is the last one.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if _traceback(lines):
        return lines[-1:]
    named = [line for line in lines if _naming(line)]
    serious = [line for line in named if _SERIOUS[0].search(line)]
    return (serious or named)[:3] if named else lines[-3:]


def _traceback(lines: list[str]) -> bool:
    return any(line.startswith("Traceback (most recent call last)") for line in lines)


def _naming(line: str) -> int:
    """Return how clearly a line names an error, 0 where it does not."""
    if _CONSEQUENCE.match(line):
        return 0
    return next((len(_SERIOUS) - at for at, pattern in enumerate(_SERIOUS) if pattern.search(line)), 0)


def _most_telling(stderr: str, stdout: str) -> list[str]:
    """Return the telling lines of the output that names an error most clearly, of stderr where both are alike."""

    def clearness(text: str) -> int:
        lines = [line.strip() for line in text.splitlines()]
        return max([*map(_naming, lines), 2 if _traceback(lines) else 0], default=0)

    first, second = (stdout, stderr) if clearness(stdout) > clearness(stderr) else (stderr, stdout)
    return _telling(first) or _telling(second)


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _that_failed(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result of the first item of a loop that failed, the result itself of a task without a loop."""
    for _level in range(_MOST_LOOPS):
        items = result.get("results")
        failed = (
            [item for item in items if isinstance(item, dict) and item.get("failed")] if isinstance(items, list) else []
        )
        if not failed:
            break
        result = failed[0]
    return result


def cause_of(result: dict[str, Any]) -> str:
    """Return why a task failed, from its result: its message, its command, and what the program said.

    What AWS refused to a module is told as aws_words tells it, the way out included. A host may have put anything into
    the result, and has a cause all the same.
    """
    result = _that_failed(result)
    said = _words(result.get("msg") or "the task failed without a message").strip()
    parts = [retold(said) or said]
    # What a module left that ended without a result, as where its Python or sudo is at fault.
    left = str(result.get("module_stderr") or "").strip() or str(result.get("module_stdout") or "").strip()
    if left:
        old = [f"{_OLD_PYTHON}, which the modules need"] if _TOO_OLD.search(left) else []
        parts = (old or ([] if _NO_RESULT.match(said) else parts)) + _telling(left)
    if result.get("assertion"):
        parts.append(f"assertion: {_words(result['assertion'])}")
    if result.get("cmd"):
        parts.append(f"command: {_words(result['cmd'])[:200]}")
        code = result.get("rc")
        if code and isinstance(code, int):
            parts.append(f"exit code {code}" if code > 0 else f"ended by signal {-code}")
        parts += _most_telling(str(result.get("stderr") or ""), str(result.get("stdout") or ""))
    cause = " | ".join(parts)[:_LONGEST]
    holders = [_HOLDER.search(_words(result.get(name) or "")) for name in ("stdout", "stderr")]
    holder = next((match.group(0) for match in holders if match), None)
    return f"{cause} | {holder}" if holder and not _HOLDER.search(cause) else cause


def advice_of(phase: str, cause: str) -> str:
    """Return what to do about a failure that brings no advice of its own."""
    return next((advice for pattern, advice in _ADVICE_BY_CAUSE if pattern.search(cause)), ADVICE[phase])


def failure_line(machine: str, failure: dict[str, Any]) -> str:
    """Return a failure record's payload in one line: where, in which phase, what of, why and what to do."""
    what = f"{failure['phase']}, {cell_text(failure['cell'])}" if failure.get("cell") else failure["phase"]
    stop = "" if failure["cause"].endswith((".", "!", "?")) else "."
    return f"{machine}: {what}: {failure['cause']}{stop} {failure['advice']}"
