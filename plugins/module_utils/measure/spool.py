# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The target's own copy of what was measured, the state of the run, and the lock of the machine."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import signal
import socket
import struct
import time
from typing import Any, Dict, Iterator, List, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import canonical
from ansible_collections.cloudbench.llama.plugins.module_utils.system import unpacked
from ansible_collections.cloudbench.llama.plugins.module_utils.system.last_look import LastLook


class SpoolError(ValueError):
    """The spool cannot be used; the message says why and what to do."""


class Spool:
    """A directory on the target: `<run>.jsonl`, a record a line, and `<run>.progress.json`, rewritten as it goes.

    `<run>.seen` is touched by the controller each time it looks: its age says how long nobody has. `<run>.unpacked`
    names what this runner was unpacked into.
    """

    def __init__(self, directory: str, run: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", run):
            raise SpoolError("the run id %r is not a file name: use up to 64 letters, digits and hyphens" % run)
        os.makedirs(directory, exist_ok=True)
        self.records_path = os.path.join(directory, run + ".jsonl")
        self.progress_path = os.path.join(directory, run + ".progress.json")
        self.seen_path = os.path.join(directory, run + ".seen")
        self._unpacked_path = os.path.join(directory, run + ".unpacked")
        self._look: Optional[LastLook] = None

    def open(self) -> None:
        """Begin: of an earlier try under the same id the records stay and the progress goes.

        So does what a runner that was killed was unpacked into. The controller counts as seen just now.
        """
        unpacked.take_over(self._unpacked_path, unpacked.directory())
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.progress_path)
        self._look = LastLook(self.seen_path)

    def unseen(self) -> float:
        """Return for how many seconds the controller has not looked, since open() at most."""
        return self._look.seconds() if self._look else 0.0

    def append(self, record: Dict[str, Any]) -> None:
        """Write `record` to disk before returning: a launch that was paid for survives a crash of what follows."""
        with open(self.records_path, "ab+") as file:
            if file.tell():
                # The half line of a runner that died stays on a line of its own.
                file.seek(-1, os.SEEK_END)
                file.write(b"" if file.read() == b"\n" else b"\n")
            file.write(canonical(record).encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def progress(self, state: Dict[str, Any]) -> None:
        """Replace the progress file, which the controller reads while the run goes on. Not synced: it is no result."""
        temporary = self.progress_path + ".new"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(state, file)
        os.replace(temporary, self.progress_path)

    def runner(self) -> Optional[int]:
        """Return the process id of the runner that wrote the progress of this run last, None when there was none."""
        try:
            with open(self.progress_path, encoding="utf-8") as file:
                pid = json_text.loads(file.read()).get("pid")
        except (OSError, ValueError, AttributeError):
            return None
        return pid if isinstance(pid, int) else None

    def records(self) -> List[Dict[str, Any]]:
        """Return what has been appended so far, without what an earlier runner did not write to its end.

        That is what a run that is taken up goes on from.
        """
        records: List[Dict[str, Any]] = []
        if not os.path.exists(self.records_path):
            return records
        with open(self.records_path, encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    record = json_text.loads(line)
                except ValueError:
                    continue
                if isinstance(record, dict):
                    records.append(record)
        return records


# How long a runner that was asked to end may take: it kills the launch in flight and writes nothing more.
_END_SECONDS = 30.0


@contextlib.contextmanager
def machine_lock(name: str = "cloudbench.llama", orphan: Optional[int] = None) -> Iterator[None]:
    """Hold the one lock of this machine's measurements, whoever runs them; the kernel drops it when the process dies.

    An abstract Unix socket (unix(7)): no file to be left behind, and none whose owner could shut others out. A holder
    with the process id `orphan`, the runner of a controller that is gone, is asked to end; its launch is lost.
    Raises SpoolError when another run holds it: two benchmarks at once measure each other.
    """
    address = "\0" + name
    asked = False
    end = time.monotonic() + _END_SECONDS
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lock:
        while True:
            try:
                lock.bind(address)
                break
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                holder = _holder(address)
                # Free just now, or about to be.
                ending = (asked or holder is None) and time.monotonic() < end
                if holder is not None and holder == orphan and not asked:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(holder, signal.SIGTERM)
                    asked = ending = True
                if not ending:
                    raise SpoolError(
                        "another measurement is running on this machine (process %s); wait for it to end, or end it"
                        % ("unknown" if holder is None else holder)
                    ) from error
                time.sleep(0.1)
        lock.listen(1)
        yield


def _holder(address: str) -> Optional[int]:
    """Return the process that holds a lock, None when nobody answers for it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(address)
            credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return None
        return int(struct.unpack("3i", credentials)[0])
