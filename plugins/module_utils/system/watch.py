# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module that runs in the background tells how far it is, and learns that nobody waits for it any more."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from types import FrameType
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.system.last_look import LastLook

# Between two looks at a file that grows.
_EVERY_SECONDS = 1.0
# Before so many seconds the pace so far says nothing of the rest.
_EARLY_SECONDS = 3.0


class WatchError(ValueError):
    """The directory of the files is gone; the message says what to do."""


class Watch:
    """The two files by which a controller looks at a job: `<prefix>.progress.json` and `<prefix>.seen`.

    The controller touches the second each time it looks; after `patience` seconds without that it counts as gone.
    With a patience of 0 nobody is waited for, and with an empty prefix nothing is written.
    """

    def __init__(self, prefix: str, patience: float) -> None:
        self.prefix = prefix
        self.patience = patience if prefix else 0.0
        self._look = LastLook(prefix + ".seen") if prefix else None

    def write(self, state: Dict[str, object]) -> None:
        """Replace the progress file."""
        if not self.prefix:
            return
        path = self.prefix + ".progress.json"
        try:
            with open(path + ".new", "w", encoding="utf-8") as file:
                json.dump(dict(state, pid=os.getpid()), file)
            os.replace(path + ".new", path)
        except FileNotFoundError:
            raise WatchError("%s was removed meanwhile; run again" % os.path.dirname(self.prefix)) from None

    def abandoned(self) -> bool:
        """Say whether the controller is gone."""
        if not self.patience or self._look is None:
            return False
        try:
            return self._look.seconds() > self.patience
        except OSError:
            # Whoever removed the file, or the whole directory, does not wait for it.
            return True

    def end(self) -> None:
        """Remove both files."""
        for ending in (".progress.json", ".progress.json.new", ".seen"):
            if self.prefix:
                with contextlib.suppress(OSError):
                    os.unlink(self.prefix + ending)


class Growth(NamedTuple):
    """A file that is being written: what that is in words, its path, the bytes it will have (None while unknown).

    `began` and `had`: when (time.monotonic) that began, and the bytes that were there already.
    """

    what: str
    path: str
    of: Callable[[], Optional[int]]
    began: float
    had: int

    def state(self) -> Dict[str, object]:
        """Return {"what", "done", "of", "elapsed_s", "left_s"}: bytes and seconds, None where not known."""
        done, of, elapsed = _size(self.path), self.of(), time.monotonic() - self.began
        came, left = done - self.had, None
        if of is not None and came > 0 and elapsed >= _EARLY_SECONDS:
            left = max(0.0, elapsed * (of - done) / came)
        return {"what": self.what, "done": done, "of": of, "elapsed_s": elapsed, "left_s": left}


# Of this process, the last one is what is told of.
_growing: List[Growth] = []


@contextlib.contextmanager
def growing(what: str, path: str, of: Callable[[], Optional[int]]) -> Iterator[None]:
    """While the block runs, have it told that the file at `path` grows to `of()` bytes; `what` says it in words."""
    _growing.append(Growth(what, path, of, time.monotonic(), _size(path)))
    try:
        yield
    finally:
        _growing.pop()


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


class Ended(SystemExit):
    """Nobody waits for this process any more; whatever it runs is ended on the way out."""


@contextlib.contextmanager
def told(prefix: str, patience: float) -> Iterator[None]:
    """While the block runs, write how far the file is that it makes; nothing where the prefix is empty.

    The block is ended by Ended when the controller is gone, and on SIGTERM. To be called in the main thread.
    """
    if not prefix:
        yield
        return
    os.makedirs(os.path.dirname(prefix), exist_ok=True)
    watch, over = Watch(prefix, patience), threading.Event()

    def look() -> None:
        while not over.wait(_EVERY_SECONDS):
            if watch.abandoned():
                os.kill(os.getpid(), signal.SIGTERM)
                return
            with contextlib.suppress(IndexError, OSError, WatchError):
                watch.write(_growing[-1].state())

    def end(_signal: int, _frame: Optional[FrameType]) -> None:
        raise Ended(1)

    before = signal.signal(signal.SIGTERM, end)
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        signal.signal(signal.SIGTERM, before)
        watch.end()
