# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One launch of the test `load`: how long a server takes from its start to its first answer, file cold and warm.

Cold: the file has been dropped from the page cache, which is checked. Warm: it lies there whole. Both run to the first
200 of /health (llama-server warms up before that with an empty run) and on to the first token of a one-token request.
`load_read_s` is the time of one sequential read of the cold file, which no loader can beat; `load_repack_s` the time
between the first and the last tensor that the log of the warm start calls repacked. A file that is mapped is read while
it is repacked, so these parts do not add up to the whole.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job, program, where_known
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.memory import STEP
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import (
    LaunchFailed,
    Outcome,
    buffer_metrics,
    usage_metrics,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.prompts import prompts, tokens_of
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.log import parse_log
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.server import (
    ADDRESS,
    NAME,
    Server,
    ServerError,
    total,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.streaming import complete
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.system import page_cache
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import HOME, STDERR_TAIL

PROGRAM = NAME
METRICS = (
    "load_cold_s", "first_token_cold_s", "load_warm_s", "first_token_warm_s", "load_read_s", "load_repack_s",
)  # fmt: skip

# A file of which more is left in the page cache is not cold.
COLD_SHARE = 0.01


class _Start(NamedTuple):
    """Seconds to the first healthy answer and to the first token; the server, ended."""

    ready_s: float
    first_token_s: float
    server: Server


def argv_of(job: Job) -> List[str]:
    """Return the command line of the server, without address and port; the log names each tensor that is repacked."""
    cell = job.cell
    argv = [program(job, PROGRAM), "-m", job.model_path, "-t", str(cell["threads"])]
    argv += ["-tb", str(cell.get("threads_batch") or cell["threads"]), "-np", "1", "-c", str(STEP)]
    argv += where_known(job, PROGRAM, ("--no-webui",), ("--cache-ram", "0"), ("-fit", "off"), ("-lv", "5"))
    return argv + variant.argv(job, PROGRAM)


def _start(job: Job, settings: LaunchSettings, prompt: List[int], started: Optional[Callable[[int], None]]) -> _Start:
    server = Server(
        argv_of(job), settings.time_limit, started, settings.environment, settings.cpus, settings.huge_pages
    )
    with server:
        # Two tokens, so that the first one is an event of its own and not the summary.
        answer = complete(ADDRESS, server.port, prompt, 2, max(0.1, server.remaining()), server.headers)
        if answer.error or not answer.events:
            if server.ended():
                raise server.failure("at its first request")
            raise ServerError(
                "the first request to %s failed: %s" % (NAME, answer.error),
                "Read stderr_tail; run the command of this record by hand.",
                server.text(),
            )
        first = answer.events[0] - server.began
    return _Start(server.healthy_s, first, server)


def repack_seconds(server: Server) -> Optional[float]:
    """Return the seconds between the first and the last line about a repacked tensor, None without two of them."""
    times = [when for when, line in server.log if "repack tensor" in line]
    return times[-1] - times[0] if len(times) > 1 else None


def launch(job: Job, settings: LaunchSettings, started: Optional[Callable[[int], None]] = None) -> Outcome:
    """Start a server with its file cold and once more with its file warm. Raises LaunchFailed."""
    path = os.path.join(HOME, job.model_path)
    argv = argv_of(job)

    def failed(cause: str, advice: str, **detail: Any) -> LaunchFailed:
        return LaunchFailed(envelope.failure("measure", cause, advice, job.cell, argv=argv, **detail))

    seconds: Dict[str, Optional[float]] = {}
    starts: List[_Start] = []
    # Before the file is dropped: reading its header would warm it again.
    prompt = prompts(settings.seed, tokens_of(job.model_path))(1)
    try:
        share = page_cache.drop(path)
        cold = share <= COLD_SHARE
        if cold:
            seconds["load_read_s"] = page_cache.read_through(path)
            share = page_cache.drop(path)
            starts.append(_start(job, settings, prompt, started))
            seconds["load_cold_s"], seconds["first_token_cold_s"] = starts[0][:2]
        page_cache.read_through(path)
        warm_share = page_cache.resident_share(path)
        starts.append(_start(job, settings, prompt, started))
        seconds["load_warm_s"], seconds["first_token_warm_s"] = starts[-1][:2]
        seconds["load_repack_s"] = repack_seconds(starts[-1].server)
    except ServerError as error:
        raise failed(error.cause, error.advice, stderr_tail=error.tail[-STDERR_TAIL:]) from error
    except OSError as error:
        raise failed("the page cache of %s cannot be asked: %s" % (path, error), "Leave the test load out.") from error
    metrics: Dict[str, Dict[str, Any]] = {
        name: {"value": round(value, 4), "unit": "s"} for name, value in seconds.items() if value is not None
    }
    usage = total([start.server.usage for start in starts])
    kernel = parse_log(starts[-1].server.text())
    metrics.update(usage_metrics(usage))
    metrics.update(buffer_metrics(kernel))
    # What one page too many of a page cache does to a figure, a reader is to be able to judge.
    told = {"cold": cold, "cold_resident_share": round(share, 5), "warm_resident_share": round(warm_share, 5)}
    return Outcome(starts[-1].server.argv, metrics, [], kernel, usage, {"load": told})
