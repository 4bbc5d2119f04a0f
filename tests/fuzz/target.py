# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is fuzzed: a reader of this collection with the errors that it documents, and when an input is a fault of it.

A fault is any of these, and nothing else:

- an exception that is not one of the reader's own errors, or an assertion of the target about what it returned;
- more than SECONDS of processor time for one input, which is MOST_BYTES long at most;
- more memory than the worker may have, MEMORY_BYTES of address space over what it began with (run.py sets that limit);
- an error whose message is longer than LONGEST_MESSAGE, or holds what a terminal would obey: an error is to be read.
"""

from __future__ import annotations

import os
import re
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple, NoReturn

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"

# Processor time, so that a machine which others keep busy finds no faults that are none.
SECONDS = 2.0
MEMORY_BYTES = 256 * 2**20
MOST_BYTES = 128 * 1024
LONGEST_MESSAGE = 5000

EXCEPTION, TIME, MEMORY, MESSAGE = "exception", "time", "memory", "message"

# Control characters but tab and line feed, what turns the direction of a text around, and halves of characters.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Target(NamedTuple):
    """A reader and how it is fuzzed.

    `call` gives an input to the real code, and asserts what must hold of the result. `errors` are those that its
    callers catch. `corpus` gives inputs to begin with, true ones first of all; `words` are what it looks for in them.
    `share` is how many inputs it gets beside the others, `binary` whether its numbers are not text. `strategy` gives
    inputs by their structure; only its caller loads Hypothesis.
    """

    name: str
    call: Callable[[bytes], object]
    errors: tuple[type[Exception], ...]
    corpus: Callable[[], list[bytes]]
    words: tuple[str, ...] = ()
    share: float = 1.0
    binary: bool = False
    strategy: Callable[[], SearchStrategy[bytes]] | None = None


class Fault(NamedTuple):
    """What is wrong with a reader: one of the four kinds, in words, and the line of ours where it showed."""

    kind: str
    what: str
    where: str

    def __str__(self) -> str:
        return f"{self.kind} at {self.where}: {self.what}"


class _Late(BaseException):
    """The time of an input is over. No reader catches it."""


def _late(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Late


@contextmanager
def clock() -> Iterator[None]:
    """Let examine() stop what takes too long; in the main thread."""
    before = signal.signal(signal.SIGPROF, _late)
    try:
        yield
    finally:
        signal.signal(signal.SIGPROF, before)


def examine(target: Target, data: bytes, seconds: float = SECONDS) -> Fault | None:
    """Return the fault that an input shows, None for none. To be called within clock()."""
    try:
        try:
            signal.setitimer(signal.ITIMER_PROF, seconds)
            target.call(data)
        except target.errors as error:
            return _of_message(error)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0.0)
    except _Late as late:
        return Fault(TIME, f"no end within {seconds:g} s of processor time", _where(late))
    except MemoryError as error:
        return Fault(MEMORY, f"no room within {MEMORY_BYTES >> 20} MiB", _where(error))
    except Exception as error:  # whatever else there is: that is what is looked for
        return Fault(EXCEPTION, f"{type(error).__name__}: {str(error)[:200]!a}", _where(error))
    return None


def _of_message(error: Exception) -> Fault | None:
    text = str(error)
    if len(text) > LONGEST_MESSAGE:
        return Fault(MESSAGE, f"{type(error).__name__} with {len(text)} characters: {text[:80]!a}", _where(error))
    obeyed = _OBEYED.search(text)
    if obeyed:
        return Fault(MESSAGE, f"{type(error).__name__} holds {obeyed.group(0)!a}: {text[:120]!a}", _where(error))
    return None


def _where(error: BaseException) -> str:
    """Return the innermost line of plugins that an error came through, of any file where it came through none."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/plugins/" in frame.filename]
    frame = (ours or frames)[-1]
    return f"{os.path.realpath(frame.filename).removeprefix(f'{ROOT}/')}:{frame.lineno}"


def fixture(*names: str) -> bytes:
    """Return the content of a file of tests/fixtures."""
    return FIXTURES.joinpath(*names).read_bytes()


def fixtures(pattern: str) -> list[bytes]:
    """Return the content of the files of tests/fixtures that match a pattern, by name."""
    return [path.read_bytes() for path in sorted(FIXTURES.glob(pattern)) if path.is_file()]


def text_of(data: bytes) -> str:
    """Return an input as the text that a program printed, which is read so everywhere."""
    return data.decode("utf-8", "replace")
