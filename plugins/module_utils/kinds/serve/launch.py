# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One launch of llama-server under load: latency as a user feels it, by streamed requests.

Closed loop: so many users, each with one request after the other. Open loop: requests arrive as a Poisson process,
whether or not the server keeps up, and the clock of each runs from its planned time, so that waiting counts. The first
request of each user warms up; it is kept and counts nowhere.

Where hosts with a server each share the requests, a proxy is before them, on this host as the users are.
"""

from __future__ import annotations

import contextlib
import random
import statistics
import threading
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Cluster, Job, program, where_known
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.memory import context_of
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import (
    LaunchFailed,
    Outcome,
    buffer_metrics,
    usage_metrics,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.prompts import LLAMA_3, prompts, tokens_of
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.requests import tpot
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.log import parse_log
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.proxy import Proxy, ProxyError
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.server import ADDRESS, NAME, Server, ServerError
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.streaming import Answer, complete
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import STDERR_TAIL

PROGRAM = NAME
METRICS = (
    "ttft_s", "tpot_s", "itl_s", "e2e_s", "output_tps", "request_rate", "goodput_rate", "error_share", "duration_s",
)  # fmt: skip

# More failed requests than this, and the launch is no measurement.
MOST_ERRORS = 0.1

# Between two requests of a user this much is no pause of the server.
_NO_PAUSE_S = 0.05


class Request(NamedTuple):
    """A request: when it was due (monotonic seconds), what came of it, and whether it only warmed up."""

    due: float
    answer: Answer
    warmup: bool


def argv_of(job: Job, settings: LaunchSettings) -> List[str]:
    """Return the command line of the server, without address and port: nothing but the model, its slots and threads."""
    cell = job.cell
    argv = [program(job, PROGRAM), "-m", job.model_path, "-t", str(cell["threads"])]
    argv += ["-tb", str(cell.get("threads_batch") or cell["threads"])]
    argv += ["-np", str(settings.slots), "-c", str(context_of(cell, settings.slots))]
    # No page for browsers, no memory for prompts of before, nothing that adapts itself.
    argv += where_known(job, PROGRAM, ("--no-webui",), ("--cache-ram", "0"), ("--no-slots",), ("-fit", "off"))
    if variant.repacks_when_told(job.build, PROGRAM):
        # ik_llama.cpp's writes a file llama.log where it is started, which is somebody's home.
        argv += where_known(job, PROGRAM, ("--log-disable",))
    return argv + variant.argv(job, PROGRAM)


def arrivals(rate: float, count: int, seed: int) -> List[float]:
    """Return when `count` requests arrive, in seconds from the first: a Poisson process of `rate` per second."""
    source = random.Random("arrivals/%d" % seed)
    times = [0.0]
    for _request in range(count - 1):
        times.append(times[-1] + source.expovariate(rate))
    return times


Send = Callable[[List[int]], Answer]


def closed_loop(
    users: int, each: int, n_prompt: int, seed: int, send: Send, tokens: Sequence[int] = LLAMA_3
) -> List[Request]:
    """Let every user send a request for warming up and then `each` requests, one after the other."""
    make, lock = prompts(seed, tokens), threading.Lock()
    asked = [[make(n_prompt) for _request in range(each + 1)] for _user in range(users)]
    done: List[Request] = []
    warm = threading.Barrier(users)

    def user(number: int) -> None:
        for index, prompt in enumerate(asked[number]):
            due = time.monotonic()
            answer = send(prompt)
            with lock:
                done.append(Request(due, answer, index == 0))
            if index == 0:
                # Nobody is measured while somebody else warms up.
                warm.wait()

    _together([threading.Thread(target=user, args=(number,), daemon=True) for number in range(users)])
    return sorted(done, key=lambda request: request.due)


def open_loop(
    rate: float, count: int, n_prompt: int, seed: int, send: Send, tokens: Sequence[int] = LLAMA_3
) -> List[Request]:
    """Send one request for warming up, then `count` requests at their times, however many are under way."""
    make, lock = prompts(seed, tokens), threading.Lock()
    due = time.monotonic()
    done = [Request(due, send(make(n_prompt)), True)]
    zero = time.monotonic()
    planned = [(zero + after, make(n_prompt)) for after in arrivals(rate, count, seed)]

    def send_later(when: float, prompt: List[int]) -> None:
        answer = send(prompt)
        with lock:
            done.append(Request(when, answer, False))

    threads = []
    for when, prompt in planned:
        time.sleep(max(0.0, when - time.monotonic()))
        thread = threading.Thread(target=send_later, args=(when, prompt), daemon=True)
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    return sorted(done, key=lambda request: request.due)


def _together(threads: List[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def computed(requests: List[Dict[str, Any]], lasted_s: float) -> Tuple[float, float]:
    """Return from when until when a server had a request all the time, the longest such time.

    In seconds since its start; it `lasted_s`, and ended after the last answer. `requests`: as described() makes them.
    """
    answered = [request for request in requests if request["e2e_s"] is not None]
    spans = sorted((request["start_s"], request["start_s"] + request["e2e_s"]) for request in answered)
    if not spans:
        return 0.0, 0.0
    joined = [spans[0]]
    for start, end in spans[1:]:
        if start - joined[-1][1] <= _NO_PAUSE_S:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    start, end = max(joined, key=lambda span: span[1] - span[0])
    last = max(end for _start, end in spans)
    return lasted_s - (last - start), lasted_s - (last - end)


def described(requests: List[Request]) -> List[Dict[str, Any]]:
    """Return the requests as a record keeps them: seconds from when the first measured one was due."""
    measured = [request.due for request in requests if not request.warmup]
    zero = min(measured or [request.due for request in requests])
    entries = []
    for due, answer, warmup in requests:
        events = answer.events
        entry: Dict[str, Any] = {
            "start_s": round(due - zero, 6),
            "ttft_s": round(events[0] - due, 6) if events else None,
            "e2e_s": round(events[-1] - due, 6) if events else None,
            "n_prompt": answer.processed,
            "n_gen": answer.generated,
            "itl_s": [round(later - earlier, 6) for earlier, later in zip(events, events[1:])],
            "ok": answer.error is None,
            "error": answer.error,
        }
        entries.append(dict(entry, warmup=True) if warmup else entry)
    return entries


def metrics_of(requests: List[Dict[str, Any]], slo_ttft_s: float, slo_tpot_s: float) -> Dict[str, Dict[str, Any]]:
    """Return the metrics of the measured requests of a launch. At least one has to have ended well."""
    measured = [request for request in requests if not request.get("warmup")]
    good = [request for request in measured if request["ok"]]
    ends = [request["start_s"] + request["e2e_s"] for request in measured if request["e2e_s"] is not None]
    duration = max(ends) - min(request["start_s"] for request in measured)
    tpots = [tpot(request) for request in good]
    known = [request for request in tpots if request is not None]
    gaps = [gap for request in good for gap in request["itl_s"]]
    met = [
        request
        for request, each in zip(good, tpots)
        if request["ttft_s"] <= slo_ttft_s and (each is None or each <= slo_tpot_s)
    ]

    def seconds(values: List[float]) -> Dict[str, Any]:
        return {"value": round(statistics.median(values), 7), "unit": "s", "samples": [round(v, 7) for v in values]}

    metrics = {
        "ttft_s": seconds([request["ttft_s"] for request in good]),
        "e2e_s": seconds([request["e2e_s"] for request in good]),
        "output_tps": {"value": round(sum(request["n_gen"] for request in good) / duration, 4), "unit": "token/s"},
        "request_rate": {"value": round(len(good) / duration, 6), "unit": "1/s"},
        "goodput_rate": {"value": round(len(met) / duration, 6), "unit": "1/s"},
        "error_share": {"value": round(1 - len(good) / len(measured), 4), "unit": "1"},
        "duration_s": {"value": round(duration, 4), "unit": "s"},
    }
    if known:
        metrics["tpot_s"] = seconds(known)
    if gaps:
        # The gaps themselves are with their requests.
        metrics["itl_s"] = {"value": round(statistics.median(gaps), 7), "unit": "s"}
    return metrics


def _advice(error: str) -> str:
    """Return what to do about requests that failed so."""
    if error.startswith(("TimeoutError", "timeout")):
        return "Raise llama_bench_time_limit, or ask for fewer tokens; stderr_tail is the end of the server's log."
    return "Read stderr_tail, the end of the server's log; run the command of this record by hand."


def launch(job: Job, settings: LaunchSettings, started: Optional[Callable[[int], None]] = None) -> Outcome:
    """Start a server, send it the requests of a cell and end it. Raises LaunchFailed when there is no figure."""
    cell = job.cell
    argv, tokens = argv_of(job, settings), tokens_of(job.model_path)

    def failed(cause: str, advice: str, **detail: Any) -> LaunchFailed:
        return LaunchFailed(envelope.failure("measure", cause, advice, cell, argv=argv, **detail))

    others = job.cluster or Cluster()
    server = Server(
        argv, settings.time_limit, started, settings.environment, settings.cpus, settings.huge_pages, others.key
    )
    together: Dict[str, Any] = {}
    try:
        with server, contextlib.ExitStack() as stack:
            port, count = server.port, settings.requests * settings.slots
            if others.servers:
                here = "%s:%d" % (ADDRESS, port)
                at_once = cell.get("concurrency") or count
                proxy = stack.enter_context(Proxy([here, *others.servers], at_once, settings.time_limit))
                port = proxy.port

            def send(prompt: List[int]) -> Answer:
                patience = max(0.1, server.remaining())
                return complete(ADDRESS, port, prompt, cell["n_gen"], patience, server.headers)

            if "rate" in cell:
                requests = open_loop(cell["rate"], count, cell["n_prompt"], settings.seed, send, tokens)
            else:
                users = cell["concurrency"]
                requests = closed_loop(users, settings.requests, cell["n_prompt"], settings.seed, send, tokens)
            if server.ended():
                raise server.failure("while it served")
            if others.servers:
                behind = proxy.counts()
                together = {"proxy": proxy.version, "hosts": [{"requests": each.requests} for each in behind]}
                down = [number for number, each in enumerate(behind) if not each.steady]
                if down:
                    raise failed(
                        "of the %d servers behind the proxy number %s was not there all the time"
                        % (len(behind), " and ".join(str(number + 1) for number in down)),
                        _advice(""),
                        servers_lost=down,
                        requests=described(requests),
                    )
    except ProxyError as error:
        raise failed(error.cause, error.advice) from error
    except ServerError as error:
        raise failed(error.cause, error.advice, stderr_tail=error.tail[-STDERR_TAIL:]) from error
    told = described(requests)
    measured = [request for request in told if not request.get("warmup")]
    errors = [request["error"] for request in measured if not request["ok"]]
    if len(errors) > MOST_ERRORS * len(measured):
        raise failed(
            "%d of %d requests failed, the first one so: %s" % (len(errors), len(measured), errors[0]),
            _advice(str(errors[0])),
            stderr_tail=server.text()[-STDERR_TAIL:],
            requests=told,
        )
    kernel = parse_log(server.text())
    metrics = metrics_of(told, settings.slo_ttft_s, settings.slo_tpot_s)
    metrics.update(usage_metrics(server.usage))
    metrics.update(buffer_metrics(kernel))
    detail = {
        "requests": told,
        "slo": {"ttft_s": settings.slo_ttft_s, "tpot_s": settings.slo_tpot_s},
        "slots": settings.slots,
        "context": context_of(cell, settings.slots),
    }
    if together:
        detail["cluster"] = together
    return Outcome(server.argv, metrics, [], kernel, server.usage, detail)
