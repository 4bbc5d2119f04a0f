# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and arrivals, and what the figures of a launch are made of."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.prompts import prompts
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.serve import launch as serving
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.serve.launch import (
    arrivals,
    closed_loop,
    described,
    metrics_of,
    open_loop,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.streaming import Answer

SETTINGS = LaunchSettings(time_limit=60.0, slots=2, requests=3, slo_ttft_s=2.0, slo_tpot_s=0.1, seed=7)


def job(test: str = "serve8+4@c2", **more) -> Job:
    cell = {"model": "m", "quantization": "Q4_0", "build": "default", "threads": 3, **registry.parse_test(test), **more}
    return Job(cell, "bin", "m.gguf", {"id": "b", "name": "default"}, {"id": "m"})


class Server:
    """Answers after a while, and knows how many asked at once."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.lock = seconds, threading.Lock()
        self.now = self.most = 0
        self.asked: list[list[int]] = []

    def __call__(self, prompt: list[int]) -> Answer:
        sent = time.monotonic()
        with self.lock:
            self.asked.append(prompt)
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.seconds)
        with self.lock:
            self.now -= 1
        done = time.monotonic()
        return Answer(sent, [done - self.seconds / 2, done], 2, len(prompt), None)


def test_each_user_warms_up_and_then_sends_one_request_after_the_other():
    server = Server(0.01)
    requests = closed_loop(3, 4, 8, 7, server)
    assert len(requests) == 3 * 5
    assert sum(one.warmup for one in requests) == 3
    assert server.most == 3
    # Nobody is measured while somebody else warms up.
    warm = max(one.answer.events[-1] for one in requests if one.warmup)
    assert all(one.due >= warm - 0.005 for one in requests if not one.warmup)


def test_no_prompt_comes_twice_and_each_has_its_length():
    server = Server()
    closed_loop(2, 5, 8, 7, server)
    assert {len(prompt) for prompt in server.asked} == {8}
    assert len({tuple(prompt) for prompt in server.asked}) == len(server.asked) == 12
    make, again, other = prompts(7), prompts(7), prompts(8)
    assert make(8) == again(8) != other(8)


def test_arrivals_are_poisson():
    times = arrivals(4.0, 4001, 1)
    assert times[0] == 0.0
    assert times == arrivals(4.0, 4001, 1)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    mean = sum(gaps) / len(gaps)
    assert mean == pytest.approx(0.25, rel=0.05)
    # The standard deviation of an exponential distribution is its mean.
    assert (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5 == pytest.approx(mean, rel=0.05)


def test_a_request_that_waits_began_when_it_was_planned():
    server = Server(0.05)
    requests = open_loop(200.0, 10, 8, 7, server)
    measured = [one for one in requests if not one.warmup]
    assert len(measured) == 10
    assert server.most > 3
    planned = arrivals(200.0, 10, 7)
    assert [one.due - measured[0].due for one in measured] == pytest.approx(planned)


def request(start: float, ttft: float | None, e2e: float | None, n: int = 5, ok: bool = True, **more) -> dict:
    gaps = [(e2e - ttft) / (n - 1)] * (n - 1) if ok and n > 1 else []
    return {"start_s": start, "ttft_s": ttft, "e2e_s": e2e, "n_prompt": 8, "n_gen": n, "itl_s": gaps, "ok": ok,
            "error": None if ok else "HTTP 500", **more}  # fmt: skip


def test_the_figures_of_a_launch():
    requests = [
        request(-1.0, 9.0, 9.9, warmup=True),
        request(0.0, 0.2, 0.6),
        request(0.5, 0.3, 1.1),
        request(1.0, 3.0, 3.4),
        request(2.0, None, None, n=0, ok=False),
    ]
    found = metrics_of(requests, slo_ttft_s=2.0, slo_tpot_s=0.1)
    assert found["ttft_s"] == {"value": 0.3, "unit": "s", "samples": [0.2, 0.3, 3.0]}
    # (e2e - ttft) / (n - 1), not / n.
    assert found["tpot_s"]["samples"] == pytest.approx([0.1, 0.2, 0.1])
    assert found["itl_s"]["value"] == pytest.approx(0.1)
    assert found["duration_s"]["value"] == pytest.approx(4.4)
    assert found["output_tps"]["value"] == pytest.approx(15 / 4.4, abs=1e-4)
    assert found["request_rate"]["value"] == pytest.approx(3 / 4.4, abs=1e-6)
    # The second is too slow by token, the third at its first one.
    assert found["goodput_rate"]["value"] == pytest.approx(1 / 4.4, abs=1e-6)
    assert found["error_share"]["value"] == 0.25


def test_a_single_token_has_no_time_between_tokens():
    found = metrics_of([request(0.0, 0.2, 0.2, n=1)], 2.0, 0.1)
    assert "tpot_s" not in found
    assert "itl_s" not in found
    assert found["goodput_rate"]["value"] > 0


def test_what_failed_is_described_too():
    failed = serving.Request(5.0, Answer(5.0, [], 0, 0, "HTTP 500: no"), False)
    good = serving.Request(4.0, Answer(4.0, [4.5, 4.75], 2, 8, None), True)
    assert described([good, failed]) == [
        {"start_s": -1.0, "ttft_s": 0.5, "e2e_s": 0.75, "n_prompt": 8, "n_gen": 2, "itl_s": [0.25], "ok": True,
         "error": None, "warmup": True},
        {"start_s": 0.0, "ttft_s": None, "e2e_s": None, "n_prompt": 0, "n_gen": 0, "itl_s": [], "ok": False,
         "error": "HTTP 500: no"},
    ]  # fmt: skip


def test_more_users_than_slots_are_refused_before_anything_starts():
    cause, advice = registry.SERVE.trouble(job("serve8+4@c3").cell, SETTINGS)
    assert cause.startswith("serve8+4@c3 has 3 users at once, and the server 2 slots")
    assert "llama_bench_slots" in advice
    assert registry.SERVE.trouble(job("serve8+4@c2").cell, SETTINGS) is None
    assert registry.SERVE.trouble(job("serve8+4@r9").cell, SETTINGS) is None


def test_the_server_is_given_its_slots_its_context_and_both_thread_counts():
    argv = serving.argv_of(job(threads_batch=5), SETTINGS)
    given = dict(itertools.pairwise(argv))
    assert argv[0] == "bin/llama-server"
    assert [given[option] for option in ("-m", "-t", "-tb", "-np", "-c")] == ["m.gguf", "3", "5", "2", "512"]
    assert "--log-disable" not in argv


def test_ik_llama_cpp_writes_no_log_into_the_home():
    known = {"llama-server": ["--log-disable", "--run-time-repack"]}
    ik = job()
    argv = serving.argv_of(ik._replace(build={**ik.build, "options": known}), SETTINGS)
    assert "--log-disable" in argv


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("TimeoutError: no event for 60 s", "Raise llama_bench_time_limit"),
        ("timeout: no event for 60 s", "Raise llama_bench_time_limit"),
        ('HTTP 400: {"error":{"message":"Prompt contains invalid tokens"}}', "Read stderr_tail"),
    ],
)
def test_only_what_takes_too_long_wants_a_higher_time_limit(monkeypatch, error, advice):
    class Broken:
        port, argv, usage, headers = 1, ["llama-server"], None, {}

        def __init__(self, *_arguments) -> None:
            pass

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_exception) -> None:
            pass

        def ended(self) -> bool:
            return False

        def remaining(self) -> float:
            return 1.0

        def text(self) -> str:
            return "the log"

    monkeypatch.setattr(serving, "Server", Broken)
    monkeypatch.setattr(serving, "complete", lambda *_arguments: Answer(0.0, [], 0, 0, error))
    with pytest.raises(LaunchFailed) as failed:
        serving.launch(job(), SETTINGS)
    assert error in failed.value.payload["cause"]
    assert failed.value.payload["advice"].startswith(advice)
