#!/usr/bin/env bash
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# guidellm 0.8.1 calls something else "time per output token" than vLLM's benchmark does: the whole time of a request,
# the wait for the first token included, divided by all its tokens (schemas/base/request_stats.py). So it depends on the
# length of the answer and of the prompt. What others call time per output token, (end - first token) / (n - 1), is its
# inter_token_latency_ms.
#
# Behaviour seen on 2026-11-29 of requests whose first token comes after 600 ms and each further one after 50 ms:
#
#     tokens    TTFT, ms    time_per_output_token_ms    inter_token_latency_ms
#          3       600.0                       233.3                      50.0
#         21       600.0                        76.2                      50.0
#
# Ends with 1 where the package does otherwise. Needs Python 3.11 or newer and a package index.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
# Of what it depends on, what the figures of a request are made with: the rest, torch too, reads data and asks servers.
"${pip[@]}" loguru==0.7.3 numpy==2.4.6 pydantic==2.14.4 pydantic-settings==2.16.3 uvloop==0.23.0
"${pip[@]}" --no-deps guidellm==0.8.1
"$folder/venv/bin/python" - <<'END'
import sys
from importlib.metadata import version

from guidellm.schemas import GenerativeRequestStats, RequestInfo, RequestTimings, UsageMetrics

FIRST_S, NEXT_S = 0.6, 0.05

print(f"guidellm {version('guidellm')}\n\ntokens    TTFT, ms    time_per_output_token_ms    inter_token_latency_ms")
same = True
for tokens in (3, 21):
    start, first = 100.0, 100.0 + FIRST_S
    last = first + (tokens - 1) * NEXT_S
    timings = RequestTimings(
        request_start=start, first_token_iteration=first, last_token_iteration=last, request_end=last, resolve_end=last,
        token_iterations=tokens,
    )
    request = GenerativeRequestStats(
        request_id=str(tokens), info=RequestInfo(request_id=str(tokens), status="completed", timings=timings),
        input_metrics=UsageMetrics(text_tokens=8), output_metrics=UsageMetrics(text_tokens=tokens),
    )
    ttft, tpot, itl = (
        request.time_to_first_token_ms, request.time_per_output_token_ms, request.inter_token_latency_ms,
    )
    print(f"{tokens:6d}{ttft:12.1f}{tpot:28.1f}{itl:26.1f}")
    expected = (1000 * FIRST_S, 1000 * (last - start) / tokens, 1000 * NEXT_S)
    same = same and all(abs(value - wanted) < 0.01 for value, wanted in zip((ttft, tpot, itl), expected))
print("\nas described" if same else "\nNOT as described: correct the table in docs/method.md")
sys.exit(0 if same else 1)
END
