#!/usr/bin/env bash
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# llama-benchy 0.4.0 gives a short answer a "peak t/s" above the speed at which its tokens came, although they came
# evenly: where the first and the last token are less than a second apart, it divides n tokens by the n - 1 gaps between
# them (results.py, _calculate_peak_throughput). Its own "t/s" of the same answer counts n - 1 tokens, not the first.
#
# Behaviour seen on 2026-11-29 of tokens that come every 0.1 s, which is 10 t/s:
#
#     tokens   t/s   peak t/s
#          2  10.0       20.0
#          3  10.0       15.0
#          6  10.0       12.0
#         10  10.0       11.1
#
# So its peak is no speed to compare with a mean, of this tool or of another one, where answers take less than a second.
# Ends with 1 where the package does otherwise. Needs Python 3.11 or newer and a package index.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
# Of what it depends on, what its results are made with: the rest asks servers.
"${pip[@]}" aiohttp==3.14.5 numpy==2.4.6 pydantic==2.14.4 tabulate==0.10.0
"${pip[@]}" --no-deps llama-benchy==0.4.0
"$folder/venv/bin/python" - <<'END'
import sys
from importlib.metadata import version

from llama_benchy.client import RequestResult
from llama_benchy.results import BenchmarkResults

EXPECTED = {2: 20.0, 3: 15.0, 6: 12.0, 10: 100 / 9}


def measured(tokens: int) -> tuple[float, float]:
    """Return the "t/s" and "peak t/s" of one answer whose tokens come every 0.1 s, half a second after the request."""
    times = [0.5 + 0.1 * number for number in range(tokens)]
    answer = RequestResult(
        start_ts=0.0, end_ts=times[-1], first_token_ts=times[0], first_response_ts=times[0], prompt_tokens=8,
        total_tokens=tokens, token_timestamps=times,
    )
    results = BenchmarkResults()
    sizes = {"pp": 8, "tg": tokens, "depth": 0, "expected_pp_tokens": 8}
    results.add("model", concurrency=1, run_results=[[answer]], latency=0.0, **sizes)
    (run,) = results.runs
    return run.tg_throughput.mean, run.peak_throughput.mean


print(f"llama-benchy {version('llama-benchy')}: tokens every 0.1 s\n\ntokens   t/s   peak t/s")
same = True
for tokens, expected in EXPECTED.items():
    mean, peak = measured(tokens)
    print(f"{tokens:6d}{mean:6.1f}{peak:11.1f}")
    same = same and abs(mean - 10.0) < 0.01 and abs(peak - expected) < 0.01
print("\nas described" if same else "\nNOT as described: correct the table in docs/method.md")
sys.exit(0 if same else 1)
END
