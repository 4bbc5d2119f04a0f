# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our TTFT and TPOT against those of guidellm, on one llama-server: rounds in pairs, the order of each drawn at random.

Both send unique prompts of so many tokens, take outputs of a fixed length, and keep so many users busy. Ours is the
client that runs `serve` tests; its first request of each user only warms up, so as many of guidellm's are left out.
Target: the medians of TTFT and TPOT within 5 %.

    python3 -m venv /tmp/guidellm && /tmp/guidellm/bin/pip install guidellm==0.8.1
    .venv/bin/python benchmarks/server_client.py --guidellm /tmp/guidellm/bin/guidellm --bin BUILD/bin --model 1b.gguf
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import workload
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.serve import launch as serving
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.server import ADDRESS, Options, Server  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.streaming import complete  # noqa: E402

PROMPT, GENERATE = 128, 64
WITHIN = 0.05
NAMES = ("ttft_s", "tpot_s")


class Figures(NamedTuple):
    """Of each measured request: seconds to the first token, and per token after it."""

    ttft_s: list[float]
    tpot_s: list[float]


def post(port: int, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"http://{ADDRESS}:{port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def texts(port: int, count: int, seed: int) -> list[str]:
    """Return prompts that the server takes for PROMPT tokens, the one for the beginning included."""
    source = random.Random(seed)
    # Words that are one token each stay so beside each other: the tokenizer splits at spaces first.
    pieces = [post(port, "/detokenize", {"tokens": [token]})["content"] for token in range(1000, 2200)]
    words = [piece for piece in pieces if piece.startswith(" ") and piece[1:].isascii() and piece[1:].isalpha()]
    found = []
    while len(found) < count:
        text = "".join(source.choice(words) for _word in range(PROMPT - 1))
        if len(post(port, "/tokenize", {"content": text, "add_special": True})["tokens"]) == PROMPT:
            found.append(text)
    return found


def ours(port: int, users: int, each: int, seed: int) -> Figures:
    done = serving.closed_loop(users, each, PROMPT, seed, lambda p: complete(ADDRESS, port, p, GENERATE, 300.0))
    requests = [one for one in serving.described(done) if not one.get("warmup")]
    assert all(one["ok"] for one in requests), requests
    return Figures([one["ttft_s"] for one in requests], [serving.tpot(one) or 0.0 for one in requests])


def theirs(guidellm: Path, port: int, users: int, each: int, seed: int) -> Figures:
    count = users * (each + 1)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        rows = [{"prompt": text, "output_tokens_count": GENERATE} for text in texts(port, count, seed)]
        (directory / "data.json").write_text(json.dumps(rows))
        config = {
            "backend": {
                "kind": "openai_http", "target": f"http://{ADDRESS}:{port}", "model": "m",
                "request_format": "/v1/completions", "http2": False,
                # What our client asks for too.
                "extras": {"body": {"cache_prompt": False, "samplers": ["top_k", "temperature"], "top_k": 40,
                                    "temperature": 1.0}},
            },
            "profile": {"kind": "concurrent", "streams": [users]},
            "constraints": [{"kind": "max_requests", "count": count}],
            "data": [{"kind": "json_file", "path": str(directory / "data.json")}],
            "outputs": [{"kind": "json", "path": str(directory / "out.json")}],
        }  # fmt: skip
        (directory / "run.json").write_text(json.dumps({"spec": config}))
        done = subprocess.run(
            [guidellm, "run", "--config", directory / "run.json", "--disable-console"],
            env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=900,
        )  # fmt: skip
        if done.returncode or not (directory / "out.json").exists():
            raise SystemExit(f"guidellm ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        (benchmark,) = json.loads((directory / "out.json").read_text())["benchmarks"]
    good = sorted(benchmark["requests"]["successful"], key=lambda one: one["request_start_time"])
    assert len(good) == count, benchmark["requests"]
    assert {(one["prompt_tokens"], one["output_tokens"]) for one in good} == {(PROMPT, GENERATE)}, good[0]
    measured = good[users:]
    return Figures(
        [one["time_to_first_token_ms"] / 1000 for one in measured],
        [one["inter_token_latency_ms"] / 1000 for one in measured],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--guidellm", type=Path, required=True)
    parser.add_argument("--bin", type=Path, required=True, help="the directory bin/ of a build")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--users", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--each", type=int, default=6, help="measured requests of each user and round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    asked = parser.parse_args()

    cell = {
        "model": "m", "quantization": "?", "build": "b", "threads": asked.threads,
        **workload.parse_test(f"serve{PROMPT}+{GENERATE}@c{max(asked.users)}"),
    }  # fmt: skip
    job = Job(cell, str(asked.bin.resolve()), str(asked.model.resolve()), {"id": "b", "name": "b"}, {"id": "m"})
    options = Options(3600.0, max(asked.users), asked.each, 2.0, 0.1, 1)
    met = True
    print("| users | figure | ours, median s | guidellm, median s | ratio by round | ratio of medians | met |")
    print("|--:|:--|--:|--:|:--|--:|:--|")
    with Server(serving.argv_of(job, options), 3600.0) as server:
        for users in asked.users:
            both: dict[str, list[Figures]] = {"ours": [], "theirs": []}
            for number in range(asked.rounds):
                seed = 100 * users + number
                order = ["ours", "theirs"]
                random.Random(seed).shuffle(order)
                for one in order:
                    if one == "ours":
                        both[one].append(ours(server.port, users, asked.each, seed))
                    else:
                        both[one].append(theirs(asked.guidellm, server.port, users, asked.each, seed))
            for name in NAMES:
                own = [statistics.median(getattr(one, name)) for one in both["ours"]]
                other = [statistics.median(getattr(one, name)) for one in both["theirs"]]
                every = [
                    statistics.median(value for one in both[side] for value in getattr(one, name))
                    for side in ("ours", "theirs")
                ]
                ratio = every[0] / every[1]
                met = met and abs(ratio - 1) <= WITHIN
                rounds = ", ".join(f"{a / b:.3f}" for a, b in zip(own, other, strict=True))
                print(
                    f"| {users} | {name} | {every[0]:.4f} | {every[1]:.4f} | {rounds} | {ratio:.3f} | "
                    f"{'yes' if abs(ratio - 1) <= WITHIN else 'NO'} |",
                    flush=True,
                )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
