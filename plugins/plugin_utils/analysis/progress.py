# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads on the controller while a host measures."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.cell import TWIN
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.registry import headline
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.time_budget import duration
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import printable
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.metrics import (
    NO_BREAK,
    binary,
    metric,
    number,
    plural,
)

T = TypeVar("T")
Tell = Callable[[str], None]
State = dict[str, Any]


class ProgressError(ValueError):
    """What a host has written of how far it is says nothing."""


def _of_host(tell: Callable[[State], str]) -> Callable[[State], str]:
    """Have a function that reads what a host has written raise ProgressError alone, and return one line of a terminal.

    A host may write anything, and a terminal obeys what is no letter.
    """

    @functools.wraps(tell)
    def told(state: State) -> str:
        try:
            words = tell(state)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ProgressError(f"it is no progress ({type(error).__name__})") from error
        return printable(words, _LONGEST).replace("\n", " ")

    return told


# Of a line for a terminal.
_LONGEST = 1000
# Seconds after which long work says how far it is.
EVERY_S = 10.0


def watched(
    items: Iterable[T], count: int, what: str, tell: Tell | None, clock: Callable[[], float] = time.monotonic
) -> Iterator[T]:
    """Yield the items, of which there are `count`, and tell now and then how many are done and how long the rest takes.

    What ends soon says nothing.
    """
    began = told = clock()
    for done, item in enumerate(items, 1):
        yield item
        now = clock()
        if tell and done < count and now - told >= EVERY_S:
            told = now
            left = duration((now - began) / done * (count - done))
            tell(f"{what}: {number(done)} of {number(count)}; about {left} left")


def thread_count(cell: dict[str, Any]) -> str:
    """Return the threads of a cell in words: 2 threads."""
    return plural(cell["threads"], "thread") if cell["threads"] else "threads by the ladder"


def cell_text(cell: dict[str, Any]) -> str:
    """Return a cell in one line: `llama-3.2-1b-synthetic Q4_0 pp512, 2 threads`."""
    twin = ", the second copy" if cell.get("purpose") == TWIN else ""
    build = "" if cell["build"] == "default" else f", build {cell['build']}"
    settings = f", {cell['variant']}" if cell.get("variant") else ""
    return f"{cell['model']} {cell['quantization']} {cell['test']}, {thread_count(cell)}{build}{settings}{twin}"


def _figure(entry: dict[str, Any]) -> str:
    mean, _low, _high, count, half_width = entry["interval"]
    spread = "" if half_width is None else f" ±{half_width:.1f} %"
    name = headline(entry["cell"])
    unit = metric(name).unit
    # A ratio or a count has no unit to speak of.
    return f"{number(mean)} {unit if unit != '1' else name}{spread} (n={count})"


@_of_host
def describe(state: State) -> str:
    """Return the progress that module llama_bench wrote, in one line: what, n of N, figure so far, time left.

    Raises ProgressError.
    """
    if state.get("finished"):
        done = f"{plural(state['done'], 'launch')} done" if state["done"] else "nothing was measured"
        if state.get("out_of_time"):
            done += f", {plural(state['out_of_time'], 'cell')} left out for want of time"
        return done + (f", {plural(len(state['failed']), 'cell')} failed" if state["failed"] else "")
    if state["now"] is None:
        return "reading the models and measuring the memory"
    if state.get("stage") == "duets":
        return _duet(state)
    if state.get("gain"):
        return _describe_search(state)
    stage = f"{state['stage']}: " if state.get("stage") == "choosing threads" else ""
    parts = [f"{stage}launch {state['done'] + 1} of {state['of']}: {cell_text(state['now'])}"]
    parts += [f"so far {_figure(entry)}" for entry in state["figures"] if entry["cell"] == state["now"]]
    if state["left_s"] is not None:
        parts.append(f"about {duration(state['left_s'])} left")
    return "; ".join(parts)


def _duet(state: dict[str, Any]) -> str:
    a, b = state["against"], state["now"]
    sides = [f"{cell['quantization']} in build {cell['build']}" for cell in (b, a)]
    told = f"duets: pair {state['done'] + 1} of {state['of']} or more: {b['model']} {sides[0]} against {sides[1]}"
    told += f", {b['test']}, {thread_count(b)} each"
    if not state["ratio"]:
        return told
    mean, _low, _high, count, half_width = state["ratio"]
    spread = "" if half_width is None else f" ±{half_width:.1f} %"
    return f"{told}; so far {mean:.3f}x{spread} (n={count})"


def _describe_search(state: dict[str, Any]) -> str:
    """Return how far a search is, of which nobody knows how many launches it takes."""
    parts = [
        f"{state['stage']}: launch {state['done'] + 1}: {cell_text(state['now'])}",
        f"best so far about {state['gain']:.2f}x of the defaults",
    ]
    if state["left_s"] is not None:
        parts.append(f"{duration(state['left_s'])} left at most")
    return "; ".join(parts)


@_of_host
def describe_compilation(state: State) -> str:
    """Return the progress that module llama_cpp_compile wrote, in words: which step of how many, time left.

    Raises ProgressError.
    """
    if state.get("waiting"):
        return "another run compiles the same, waiting for it"
    if not state["of"]:
        return "looking at what there is to do"
    words = f"step {min(state['done'] + 1, state['of'])} of {state['of']}"
    return words + (f"; about {duration(state['left_s'])} left" if state["left_s"] else "")


@_of_host
def describe_file(state: State) -> str:
    """Return how far a file is that is being made, in words: how much of how much, time left. Raises ProgressError."""
    sizes = [binary(size).replace(NO_BREAK, " ") for size in (state["done"], state["of"]) if size is not None]
    left = f"; about {duration(state['left_s'])} left" if state["left_s"] else ""
    return f"{state['what']}: {' of '.join(sizes)}{left}"
