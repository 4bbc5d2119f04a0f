# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a server, with a program in its place that fails as is wanted; the real one runs in molecule/default."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.load import launch as load_time
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import server as llama_server
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.server import Server, ServerError
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.streaming import complete
from ansible_collections.cloudbench.llama.plugins.module_utils.system import process

ANSWERS = """
    import http.server, sys, time
    port = int(sys.argv[sys.argv.index("--port") + 1])
    began = time.monotonic()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            ready = time.monotonic() - began > {loading}
            self.send_response(200 if ready else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words):
            pass

    print("repack: repack tensor a with q4_0_8x8", flush=True)
    time.sleep(0.05)
    print("repack: repack tensor b with q4_0_8x8", flush=True)
    http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def program(tmp_path: Path, code: str) -> list[str]:
    path = tmp_path / "server.py"
    path.write_text(textwrap.dedent(code), encoding="utf-8")
    return [sys.executable, str(path)]


def test_a_server_is_healthy_when_it_says_so_and_is_accounted_for(tmp_path):
    pids = []
    with Server(program(tmp_path, ANSWERS.format(loading=0.3)), 20, pids.append) as server:
        assert server.healthy_s >= 0.3
        assert not server.ended()
        assert Path(f"/proc/{pids[0]}").exists()
    assert not Path(f"/proc/{pids[0]}").exists()
    assert server.usage.wall_s >= 0.3
    assert server.usage.rss_peak_bytes > 1 << 20
    assert "repack tensor b" in server.text()
    assert 0.04 < load_time.repack_seconds(server) < 2


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import time; time.sleep(60)", "was not healthy within 0.5 s"),
        (
            "import sys; print('error: failed to load model'); sys.exit(3)",
            "exit code 3 .*: error: failed to load model",
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"signal 11 \(SIGSEGV\) before it was healthy"),
    ],
)
def test_a_server_that_does_not_come_up_says_why_and_leaves_nothing(tmp_path, code, words):
    pids = []
    with pytest.raises(ServerError, match=words) as failed, Server(program(tmp_path, code), 0.5, pids.append):
        pass
    assert failed.value.advice.endswith(".")
    assert not Path(f"/proc/{pids[0]}").exists()


LOCKED = """
    import http.server, json, os, sys
    port = int(sys.argv[sys.argv.index("--port") + 1])
    wanted = "Bearer " + os.environ["LLAMA_API_KEY"]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            known = self.headers.get("Authorization") == wanted
            last = {"stop": True, "content": "", "timings": {"predicted_n": 1, "prompt_n": 1}}
            words = ["data: {}", "data: " + json.dumps(last)] if known else ["Invalid API Key"]
            body = "".join(word + chr(10) for word in words).encode()
            self.send_response(200 if known else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def test_a_server_answers_whoever_has_its_key_which_no_list_of_processes_shows(tmp_path, monkeypatch):
    monkeypatch.setenv("LLAMA_API_KEY", "somebody's own")
    keys = []
    for _launch in range(2):
        pids = []
        with Server(program(tmp_path, LOCKED), 20, pids.append) as server:
            answers = [complete("127.0.0.1", server.port, [1], 1, 5, headers) for headers in (None, {}, server.headers)]
            shown = Path(f"/proc/{pids[0]}/cmdline").read_text()
            environment = Path(f"/proc/{pids[0]}/environ").read_text().split("\0")
        assert [answer.error for answer in answers] == ["HTTP 401: Invalid API Key"] * 2 + [None]
        key = server.headers["Authorization"].removeprefix("Bearer ")
        assert f"LLAMA_API_KEY={key}" in environment
        assert key not in shown + " ".join(server.argv) + server.text()
        assert "127.0.0.1" in shown
        assert "somebody's own" not in "".join(environment)
        keys.append(key)
    assert len(set(keys)) == 2
    assert all(len(key) == 32 for key in keys)


def test_a_program_that_is_not_there():
    with pytest.raises(ServerError, match="could not be started"), Server(["/nonexistent/llama-server"], 1):
        pass


def test_a_port_that_was_taken_is_exchanged(tmp_path, monkeypatch):
    code = "import sys; print('address already in use'); sys.exit(1)"
    tried = []
    monkeypatch.setattr(llama_server, "free_port", lambda: tried.append(1) or 1)
    with pytest.raises(ServerError, match="address already in use"), Server(program(tmp_path, code), 20):
        pass
    assert len(tried) == 3


def test_a_server_that_dies_in_the_middle_is_known_to_be_gone(tmp_path):
    with Server(program(tmp_path, ANSWERS.format(loading=0)), 20) as server:
        os.kill(server._process.pid, 9)
        end = time.monotonic() + 5
        while not server.ended() and time.monotonic() < end:
            time.sleep(0.01)
        failure = server.failure("while it served")
    assert "ended by signal 9 (SIGKILL) while it served" in failure.cause


def test_a_server_that_does_not_want_to_end_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(llama_server, "_END_SECONDS", 0.2)
    stubborn = "\n    import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + ANSWERS.format(loading=0)
    with Server(program(tmp_path, stubborn), 20) as server:
        pass
    assert server._process.returncode == -9


def test_usages_of_one_after_the_other_add_up():
    one = process.Usage(1.0, 2.0, 3.0, 100, 4, 5, 6, 7)
    assert llama_server.total([one, one._replace(rss_peak_bytes=300)]) == process.Usage(
        2.0, 4.0, 6.0, 300, 8, 10, 12, 14
    )


def test_a_load_of_a_file_that_is_not_there_is_a_failure():
    cell = {"model": "m", "quantization": "Q4_0", "build": "default", "threads": 1, **registry.parse_test("load")}
    job = Job(cell, "/nonexistent", "/nonexistent/m.gguf", {"id": "b", "name": "default"}, {"id": "m"})
    with pytest.raises(LaunchFailed, match=r"the page cache of /nonexistent/m\.gguf cannot be asked") as failed:
        load_time.launch(job, LaunchSettings(time_limit=1.0))
    assert failed.value.payload["advice"]
