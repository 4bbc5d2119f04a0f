# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads on the controller while a host measures."""

from __future__ import annotations

from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.workload import TWIN, headline
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.time_budget import duration
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.metrics import metric, number


def _count(how_many: int, one: str, many: str) -> str:
    return f"{how_many} {one if how_many == 1 else many}"


def cell_text(cell: dict[str, Any]) -> str:
    """Return a cell in one line: `llama-3.2-1b-synthetic Q4_0 pp512, 2 threads`."""
    twin = ", the second copy" if cell.get("purpose") == TWIN else ""
    threads = _count(cell["threads"], "thread", "threads") if cell["threads"] else "threads by the ladder"
    build = "" if cell["build"] == "default" else f", build {cell['build']}"
    return f"{cell['model']} {cell['quantization']} {cell['test']}, {threads}{build}{twin}"


def _figure(entry: dict[str, Any]) -> str:
    mean, _low, _high, count, half_width = entry["interval"]
    spread = "" if half_width is None else f" ±{half_width:.1f} %"
    unit = metric(headline(entry["cell"])).unit
    return f"{number(mean)} {unit}{spread} (n={count})"


def describe(state: dict[str, Any]) -> str:
    """Return the progress that module llama_bench wrote, in one line: what, n of N, figure so far, time left."""
    if state.get("finished"):
        done = f"{_count(state['done'], 'launch', 'launches')} done"
        return done + (f", {_count(len(state['failed']), 'cell', 'cells')} failed" if state["failed"] else "")
    if state["now"] is None:
        return "reading the models and measuring the memory"
    stage = f"{state['stage']}: " if state.get("stage") == "choosing threads" else ""
    parts = [f"{stage}launch {state['done'] + 1} of {state['of']}: {cell_text(state['now'])}"]
    parts += [f"so far {_figure(entry)}" for entry in state["figures"] if entry["cell"] == state["now"]]
    if state["left_s"] is not None:
        parts.append(f"about {duration(state['left_s'])} left")
    return "; ".join(parts)


def describe_compilation(state: dict[str, Any]) -> str:
    """Return the progress that module llama_cpp_compile wrote, in words: which step of how many, time left."""
    if state.get("waiting"):
        return "another run compiles the same, waiting for it"
    if not state["of"]:
        return "looking at what there is to do"
    words = f"step {min(state['done'] + 1, state['of'])} of {state['of']}"
    return words + (f"; about {duration(state['left_s'])} left" if state["left_s"] else "")
