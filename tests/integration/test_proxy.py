# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HAProxy before servers of this machine: who gets which requests, who is lost, and what is left of it."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import itertools
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.hosts import haproxy

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import proxy
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.proxy import Behind, Proxy, ProxyError

KEY = "Bearer " + "k" * 32


class Handler(http.server.BaseHTTPRequestHandler):
    """As llama-server: healthy for everybody, and an answer of tokens one after the other for who has the key."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        known = self.path == "/health" or self.headers.get("Authorization") == KEY
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Authorization") != KEY:
            self.send_error(401)
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _token in range(5):
            self.wfile.write(b"7\r\ndata: x\r\n")
            self.wfile.flush()
            time.sleep(0.1)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_words: object) -> None:
        pass


class Servers:
    """So many servers of loopback."""

    def __init__(self, count: int) -> None:
        self.each = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _number in range(count)]
        for server in self.each:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.places = [f"127.0.0.1:{server.server_port}" for server in self.each]

    def end(self, number: int) -> None:
        self.each[number].shutdown()
        self.each[number].server_close()


@pytest.fixture(scope="module", autouse=True)
def _there() -> None:
    if why := haproxy.obstacle():
        pytest.skip(why)


@pytest.fixture
def servers() -> Iterator[Servers]:
    made = Servers(3)
    yield made
    for number in range(3):
        with contextlib.suppress(OSError):
            made.end(number)


def send(port: int, key: str = KEY) -> tuple[int, list[float]]:
    """The status of a request, and when each token of its answer came."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/completion", b"{}", {"Authorization": key})
    answer = connection.getresponse()
    came = []
    while answer.read(7):
        came.append(time.monotonic())
    connection.close()
    return answer.status, came


def test_each_request_goes_to_the_server_that_has_the_fewest(servers: Servers) -> None:
    with Proxy(servers.places, 6, 60) as before:
        assert before.version.startswith("HAProxy version ")

        def user() -> None:
            for _request in range(4):
                assert send(before.port)[0] == 200

        users = [threading.Thread(target=user) for _number in range(6)]
        for each in users:
            each.start()
        for each in users:
            each.join()
        counts = before.counts()
    assert [each.steady for each in counts] == [True] * 3
    assert sum(each.requests for each in counts) == 24
    # Six users on three servers are two on each, whenever one of them comes again.
    assert all(7 <= each.requests <= 9 for each in counts), counts


def test_a_token_is_handed_on_when_it_comes(servers: Servers) -> None:
    with Proxy(servers.places, 1, 60) as before:
        _status, came = send(before.port)
    gaps = [later - earlier for earlier, later in itertools.pairwise(came)]
    assert len(came) == 5
    assert all(0.05 < gap < 0.2 for gap in gaps), gaps


def test_who_has_no_key_is_refused_by_the_server(servers: Servers) -> None:
    with Proxy(servers.places, 1, 60) as before:
        assert send(before.port, "Bearer wrong")[0] == 401


def test_a_server_that_goes_is_told_and_nothing_is_sent_twice(servers: Servers) -> None:
    with Proxy(servers.places, 4, 60) as before:
        assert send(before.port)[0] == 200
        servers.end(2)
        deadline = time.monotonic() + 30
        while before.counts()[2].steady and time.monotonic() < deadline:
            time.sleep(0.1)
        assert [each.steady for each in before.counts()] == [True, True, False]
        # The others go on.
        assert send(before.port)[0] == 200


def test_a_server_that_was_away_for_a_moment_is_told_too(servers: Servers) -> None:
    """For less than its checks need to see it."""
    with Proxy(servers.places[:2], 4, 60) as before:
        assert send(before.port)[0] == 200
        servers.end(1)
        statuses = [send(before.port)[0] for _request in range(2)]
        assert [each.steady for each in before.counts()] == [True, False]
    assert set(statuses) <= {200, 503}


def listening() -> set[str]:
    """The addresses in hexadecimal digits on which somebody listens."""
    rows: list[list[str]] = []
    for name in ("tcp", "tcp6"):
        rows += [line.split() for line in Path("/proc/net", name).read_text("ascii").splitlines()[1:]]
    return {row[1] for row in rows if row[3] == "0A"}


def test_it_listens_on_loopback_alone_and_leaves_nothing(servers: Servers, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    earlier = listening()
    with Proxy(servers.places, 1, 60) as before:
        assert listening() - earlier == {f"0100007F:{before.port:04X}"}
        (directory,) = tmp_path.iterdir()
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert stat.S_IMODE((directory / "stats").stat().st_mode) == 0o600
        assert "k" * 32 not in (directory / "haproxy.cfg").read_text("ascii")
    assert list(tmp_path.iterdir()) == []
    assert listening() == earlier


def test_what_it_says_when_it_cannot_begin_is_told(servers: Servers, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ProxyError, match=r"haproxy ended with exit code 1: .*") as refused, Proxy(["no port"], 1, 60):
        pass
    assert "expects a port number" in refused.value.cause
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 150, "with a space", "quo'te", "ü", "a#b$c"])
def test_any_directory_for_temporary_files_will_do(
    name: str, servers: Servers, tmp_path: Path, monkeypatch: Any
) -> None:
    place = tmp_path / name
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    with Proxy(servers.places, 1, 60) as before:
        assert send(before.port)[0] == 200
        assert sum(each.requests for each in before.counts()) == 1
    assert list(place.iterdir()) == []


def test_without_haproxy_it_is_said_how_to_have_it(monkeypatch: Any) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.setattr(proxy, "_PLACES", ())
    assert proxy.missing() == "several servers need HAProxy before them, and this host has no program haproxy"
    with pytest.raises(ProxyError) as refused, Proxy(["127.0.0.1:1"], 1, 60):
        pass
    assert refused.value.advice.startswith("Install the package haproxy on the measuring host")


def test_counts_that_are_none_are_no_counts() -> None:
    said = (
        "# pxname,svname,stot,econ,eresp,status,chkdown\nservers,s1,7,0,0,UP,0\nservers,s2,6,0,0,DOWN,1\n"
        "servers,s3,5,0,,UP 1/3,0\nservers,s4,5,1,0,UP,0\nservers,s5,5,0,2,UP,0\n"
    )
    steady = [True, False, True, False, False]
    assert proxy.counted(said, 5) == [
        Behind(count, there) for count, there in zip((7, 6, 5, 5, 5), steady, strict=True)
    ]
    with pytest.raises(ValueError, match="it tells nothing of server 6"):
        proxy.counted(said, 6)
    with pytest.raises(ValueError, match="it tells nothing of server 1"):
        proxy.counted("Unknown command.\n", 1)
