# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The id of a run: one for one run of ansible-playbook, on all its hosts.

The callback lives in the process that all workers are forked from, so what it puts into the environment before the
first task reaches every action. Set beforehand it names a run. A run that measures and does not come to its end leaves
a note in the results directory; the same command goes on with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import time
from pathlib import Path
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import files, records

VARIABLE = "CLOUDBENCH_RUN"
# What VARIABLE holds for whoever wants no run to be gone on with.
NEW = "new"
RESULTS_DIR_VARIABLE = "CLOUDBENCH_RESULTS_DIR"


class RunError(ValueError):
    """There is no usable run id; the message says why and what to do."""


def _checked(run: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", run):
        raise RunError(
            f"the run id {run!r:.100} in {VARIABLE} becomes a file name: use up to 64 letters, digits and hyphens, or "
            "unset it"
        )
    return run


_UNFINISHED = ".unfinished.json"
# After so long nobody means the run of then.
_FORGOTTEN_SECONDS = 7 * 24 * 3600


def _new_run() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ-", time.gmtime()) + secrets.token_hex(2)


def begin_run() -> str:
    """Set and return the id of the run that this process begins: `20261123T155523Z-1a2b`. Raises RunError."""
    if os.environ.get(VARIABLE, NEW) in ("", NEW):
        os.environ[VARIABLE] = _new_run()
    return _checked(os.environ[VARIABLE])


def _started(pid: int) -> str | None:
    """Return when a process began, in the kernel's own count, by which it is told from a later one of its number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def unfinished(results_dir: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return the note of a run that did not come to its end, None where there is none or its process still runs."""
    path = Path(results_dir, _UNFINISHED)
    try:
        note = json_text.loads(path.read_text("utf-8"))
        age = time.time() - path.stat().st_mtime
        run, pid, began = _checked(note["run"]), note["pid"], note["started"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if isinstance(pid, bool) or not isinstance(pid, int):
        return None
    running = began is not None and _started(pid) == began
    return None if running or age > _FORGOTTEN_SECONDS else {**note, "run": run}


def go_on(results_dir: str | os.PathLike[str], asked: str) -> tuple[str, str | None]:
    """Begin a run that measures, or go on with the one that was interrupted; return its id and what to say of it.

    `asked`: the digest of the command. An id in the environment is taken as it is. Raises RunError.
    """
    given = os.environ.get(VARIABLE)
    note = None if given else unfinished(results_dir)
    if note is None:
        return begin_run(), None
    if note.get("asked") == asked:
        os.environ[VARIABLE] = note["run"]
        said = f"goes on with run {note['run']}, which was interrupted; {VARIABLE}={NEW} begins another"
        return _checked(note["run"]), said
    said = f"run {note['run']} was interrupted, and was asked for otherwise: {VARIABLE}={note['run']} goes on with it"
    return begin_run(), said


def note_unfinished(results_dir: str | os.PathLike[str], run: str, asked: str) -> None:
    """Leave a note that a run has begun to measure. A directory that takes none only loses the note."""
    path = Path(results_dir, _UNFINISHED)
    note = {"run": run, "asked": asked, "pid": os.getpid(), "started": _started(os.getpid())}
    with contextlib.suppress(OSError):
        files.replace(path, json.dumps(note).encode())


def forget_unfinished(results_dir: str | os.PathLike[str], run: str) -> None:
    """Remove the note of a run that has come to its end, and no other."""
    path = Path(results_dir, _UNFINISHED)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if json_text.loads(path.read_text("utf-8")).get("run") == run:
            path.unlink()


def current_run() -> str:
    """Return the id of the run this process belongs to. Raises RunError when the callback did not set it, or could not.

    Without a package that it needs, Ansible goes on without the callback.
    """
    try:
        records.checker()
    except records.RecordError as error:
        raise RunError(str(error)) from None
    run = os.environ.get(VARIABLE)
    if not run:
        raise RunError(
            "the callback cloudbench.llama.bench_report is not enabled, so nothing that is measured would be kept: add "
            "callbacks_enabled = cloudbench.llama.bench_report to [defaults] of ansible.cfg"
        )
    return _checked(run)
