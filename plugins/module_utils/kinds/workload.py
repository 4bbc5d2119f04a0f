# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be measured of a model: the names of tests, and the metric that stands for each.

pp512, tg128, tg128@d4096, tg128,repack=off and pp512,load=none are one process of llama-bench; serve128+64@c4 and
serve128+64@r0.5 are requests of a prompt and an output length to llama-server, by users at once or by a rate;
batch128+64@c4 is llama-batched-bench, the bound of the same; load is llama-server from its start to its first token.
"""

from __future__ import annotations

import re
from typing import Any, Dict, NamedTuple

BENCH, SERVE, BATCH, LOAD = "bench", "serve", "batch", "load"
LADDER, TWIN = "ladder", "twin"
# The thread count of a cell that leaves it to the thread ladder of its run.
BY_LADDER = 0

_TOKENS = r"[1-9][0-9]{0,6}"
_BENCH = re.compile(r"(pp|tg)(%s)(?:@d(%s))?((?:,(?:load=(?:mmap|none)|repack=off))*)" % (_TOKENS, _TOKENS))
_MANY = re.compile(
    r"(serve|batch)(%s)\+(%s)@(?:c([1-9][0-9]{0,3})|r([0-9]{1,4}(?:\.[0-9]{1,4})?))" % (_TOKENS, _TOKENS)
)


class Kind(NamedTuple):
    """What holds for all tests of a kind.

    `program` is what runs, `precision` the half width of the interval, in percent of the mean, at which a cell has
    enough launches: one process of llama-bench differs from the next by about 1 %, a server under load by more.
    """

    program: str
    precision: float


KINDS = {
    BENCH: Kind("llama-bench", 1.0),
    SERVE: Kind("llama-server", 5.0),
    BATCH: Kind("llama-batched-bench", 5.0),
    LOAD: Kind("llama-server", 5.0),
}

# The metric that stands for a cell, and whether more of it is better.
_HEADLINES = {SERVE: "tpot_s", BATCH: "batched_tg_tps", LOAD: "load_warm_s"}
HEADLINES = ("pp_tps", "tg_tps", "tpot_s", "batched_tg_tps", "load_warm_s")
LOWER_IS_BETTER = ("tpot_s", "load_warm_s")


class WorkloadError(ValueError):
    """A test's name that says nothing; the message names it, the rule and the remedy."""


def parse_test(text: str) -> Dict[str, Any]:
    """Return the fields of a cell that a test's name stands for: test, n_prompt, n_gen, n_depth (tokens) and others.

    concurrency (users or sequences at once), rate (requests per second), load (llama-bench's load mode) and repack
    are there only where the name says so. Raises WorkloadError.
    """
    name = str(text)
    if name == LOAD:
        return {"test": name, "n_prompt": 0, "n_gen": 1, "n_depth": 0}
    match = _BENCH.fullmatch(name)
    if match:
        kind, tokens = match.group(1), int(match.group(2))
        cell: Dict[str, Any] = {
            "test": name,
            "n_prompt": tokens if kind == "pp" else 0,
            "n_gen": tokens if kind == "tg" else 0,
            "n_depth": int(match.group(3) or 0),
        }
        options = [option.split("=") for option in match.group(4).split(",")[1:]]
        if len({key for key, _value in options}) == len(options):
            for key, value in options:
                cell[key] = value if key == "load" else False
            return cell
    match = _MANY.fullmatch(name)
    if match and (match.group(1) == SERVE or match.group(4)) and (match.group(4) or float(match.group(5))):
        cell = {"test": name, "n_prompt": int(match.group(2)), "n_gen": int(match.group(3)), "n_depth": 0}
        if match.group(4):
            cell["concurrency"] = int(match.group(4))
        else:
            cell["rate"] = float(match.group(5))
        return cell
    raise WorkloadError(
        "%r is no test: write pp<tokens> for a prompt or tg<tokens> for generation, with @d<tokens> for a context that "
        "is already filled and ,load=none or ,repack=off for another way to load; serve<prompt>+<output>@c<users> or "
        "@r<requests per second> for a server; batch<prompt>+<output>@c<sequences>; or load, such as pp512, "
        "tg128@d4096, serve128+64@c4 or load" % (text,)
    )


def kind(cell: Dict[str, Any]) -> str:
    """Return the kind of a cell's test: BENCH, SERVE, BATCH or LOAD. What no rule knows is of llama-bench."""
    name = cell["test"]
    if name == LOAD:
        return LOAD
    match = _MANY.fullmatch(name)
    return match.group(1) if match else BENCH


def headline(cell: Dict[str, Any]) -> str:
    """Return the name of the metric that stands for a cell."""
    return _HEADLINES.get(kind(cell)) or ("pp_tps" if cell["n_prompt"] else "tg_tps")


def precision(cell: Dict[str, Any]) -> float:
    """Return the half width of the interval, in percent of the mean, at which a cell has enough launches."""
    return KINDS[kind(cell)].precision
