# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our TTFT and TPOT against those of guidellm, on one llama-server: rounds in pairs, the order of each drawn at random.

Both send unique prompts of so many tokens, take outputs of a fixed length, and keep so many users busy. Ours is the
client that runs `serve` tests; its first request of each user only warms up, so as many of guidellm's are left out.
Both figures are reckoned by our definitions from the times and tokens of each request, guidellm's too: what it calls
time per output token contains the TTFT. Target: the medians of TTFT and TPOT within 5 %.

    python3 -m venv ~/guidellm && ~/guidellm/bin/pip install guidellm==0.8.1
    .venv/bin/python benchmarks/server_client.py --guidellm ~/guidellm/bin/guidellm --bin BUILD/bin --model 1b.gguf
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
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import needs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.prompts import LLAMA_3, tokens_of  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.requests import tpot  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.serve import launch as serving  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.server import ADDRESS, Server  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.streaming import complete  # noqa: E402

PROMPT, GENERATE = 128, 64
WITHIN = 0.05
# Two names are of one figure when they differ by less than this.
SAME_S = 1e-6
GUIDELLM = "python3 -m venv ~/guidellm && ~/guidellm/bin/pip install guidellm==0.8.1"
NAMES = ("ttft_s", "tpot_s")


class Figures(NamedTuple):
    """Of each measured request: seconds to the first token, and per token after it."""

    ttft_s: list[float]
    tpot_s: list[float]


def post(port: int, path: str, body: dict[str, Any]) -> Any:
    """Return the JSON that the server answers."""
    request = urllib.request.Request(
        f"http://{ADDRESS}:{port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - http, above
        return json.load(answer)


def texts(port: int, count: int, seed: int) -> list[str]:
    """Return prompts that the server takes for PROMPT tokens, the one for the beginning included."""
    source = random.Random(seed)
    # Words that are one token each stay so beside each other: the tokenizer splits at spaces first.
    pieces = [post(port, "/detokenize", {"tokens": [token]})["content"] for token in range(1000, 2200)]
    words = [piece for piece in pieces if piece.startswith(" ") and piece[1:].isascii() and piece[1:].isalpha()]
    prompts: list[str] = []
    while len(prompts) < count:
        text = "".join(source.choice(words) for _word in range(PROMPT - 1))
        if len(post(port, "/tokenize", {"content": text, "add_special": True})["tokens"]) == PROMPT:
            prompts.append(text)
    return prompts


def ours(port: int, users: int, each: int, seed: int, tokens: Sequence[int] = LLAMA_3) -> Figures:
    """Measure with our client."""
    done = serving.closed_loop(users, each, PROMPT, seed, lambda p: complete(ADDRESS, port, p, GENERATE, 300.0), tokens)
    requests = [request for request in serving.described(done) if not request.get("warmup")]
    if failed := [request for request in requests if not request["ok"]]:
        raise SystemExit(f"{len(failed)} of {len(requests)} requests of ours failed, the first: {failed[0]}")
    return Figures([request["ttft_s"] for request in requests], [tpot(request) or 0.0 for request in requests])


def as_ours(request: dict[str, Any]) -> dict[str, Any]:
    """Return one of guidellm's requests as our records have them; exits where its own figures are of something else."""
    timings = request["info"]["timings"]
    told = {
        "ttft_s": timings["first_token_iteration"] - timings["request_start"],
        "e2e_s": timings["last_token_iteration"] - timings["request_start"],
        "n_gen": request["output_tokens"],
    }
    for name, mine in (("time_to_first_token_ms", told["ttft_s"]), ("inter_token_latency_ms", tpot(told))):
        if mine is None or abs(request[name] / 1000 - mine) > SAME_S:
            raise SystemExit(f"guidellm's {name} of {request[name]} ms is {mine} s by our definition: read its source")
    return told


def theirs(guidellm: Path, port: int, users: int, each: int, seed: int) -> Figures:
    """Measure with guidellm; exits where it asked for something else than we do."""
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
    good = sorted(benchmark["requests"]["successful"], key=lambda request: request["request_start_time"])
    if len(good) != count:
        raise SystemExit(f"{len(good)} of {count} requests of guidellm succeeded: {benchmark['requests']}")
    sizes = {(request["prompt_tokens"], request["output_tokens"]) for request in good}
    if sizes != {(PROMPT, GENERATE)}:
        raise SystemExit(f"guidellm sent and got {sorted(sizes)} tokens and not {PROMPT} and {GENERATE}")
    measured = [as_ours(request) for request in good[users:]]
    return Figures([request["ttft_s"] for request in measured], [tpot(request) or 0.0 for request in measured])


def main() -> int:
    """Return 0 if the targets are met, 1 if one is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--guidellm", type=Path, required=True)
    parser.add_argument("--bin", type=Path, required=True, help="the directory bin/ of a build")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--users", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--each", type=int, default=6, help="measured requests of each user and round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    asked = parser.parse_args()
    needs.meet(
        needs.executable(asked.guidellm, GUIDELLM),
        needs.executable(asked.bin / "llama-server"),
        needs.file(asked.model),
    )

    cell = {
        "model": "m", "quantization": "?", "build": "b", "threads": asked.threads,
        **registry.parse_test(f"serve{PROMPT}+{GENERATE}@c{max(asked.users)}"),
    }  # fmt: skip
    job = Job(cell, str(asked.bin.resolve()), str(asked.model.resolve()), {"id": "b", "name": "b"}, {"id": "m"})
    settings = LaunchSettings(time_limit=3600.0, slots=max(asked.users), requests=asked.each, seed=1)
    met, tokens = True, tokens_of(job.model_path)
    print("| users | figure | ours, median s | guidellm, median s | ratio by round | ratio of medians | met |")
    print("|--:|:--|--:|--:|:--|--:|:--|")
    with Server(serving.argv_of(job, settings), 3600.0) as server:
        for users in asked.users:
            both: dict[str, list[Figures]] = {"ours": [], "theirs": []}
            for number in range(asked.rounds):
                seed = 100 * users + number
                order = ["ours", "theirs"]
                random.Random(seed).shuffle(order)
                for side in order:
                    if side == "ours":
                        both[side].append(ours(server.port, users, asked.each, seed, tokens))
                    else:
                        both[side].append(theirs(asked.guidellm, server.port, users, asked.each, seed))
            for name in NAMES:
                mine = [statistics.median(getattr(figures, name)) for figures in both["ours"]]
                other = [statistics.median(getattr(figures, name)) for figures in both["theirs"]]
                every = [
                    statistics.median(value for figures in both[side] for value in getattr(figures, name))
                    for side in ("ours", "theirs")
                ]
                ratio = every[0] / every[1]
                met = met and abs(ratio - 1) <= WITHIN
                rounds = ", ".join(f"{a / b:.3f}" for a, b in zip(mine, other, strict=True))
                print(
                    f"| {users} | {name} | {every[0]:.4f} | {every[1]:.4f} | {rounds} | {ratio:.3f} | "
                    f"{'yes' if abs(ratio - 1) <= WITHIN else 'NO'} |",
                    flush=True,
                )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
