# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A streamed answer is timed event by event, and whatever else a server says is an error and no traceback.

The server here is a stand-in, so that it can answer badly on demand; the real one is asked by molecule/default.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.streaming import body_of, complete

ADDRESS = "127.0.0.1"


class Peer:
    """Answers each connection with the same bytes, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer = b""
        self.hold = threading.Event()
        self.asked: list[bytes] = []
        self.listener = socket.create_server((ADDRESS, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    @staticmethod
    def request(connection: socket.socket) -> bytes:
        """Return a request as a whole: one that is not read to its end is answered by a reset."""
        got = b""
        while b"\r\n\r\n" not in got:
            got += connection.recv(1 << 16)
        head, _empty, body = got.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += connection.recv(1 << 16)
        return body

    def serve(self) -> None:
        while True:
            try:
                connection, _peer = self.listener.accept()
            except OSError:
                return
            with connection:
                self.asked.append(self.request(connection))
                connection.sendall(self.answer)
                if b"KEEP" in self.answer:
                    self.hold.wait(5)


@pytest.fixture
def peer() -> Iterator[Peer]:
    one = Peer()
    yield one
    one.hold.set()
    one.listener.close()


def event(**fields: object) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def stream(*events: bytes, head: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n") -> bytes:
    return head + b"".join(events)


def last(generated: int = 2, processed: int = 3) -> bytes:
    return event(stop=True, content="", timings={"predicted_n": generated, "prompt_n": processed})


def ask(peer: Peer, timeout: float = 5.0):
    return complete(ADDRESS, peer.port, [11, 12, 13], 2, timeout)


def test_each_token_has_its_time(peer):
    peer.answer = stream(event(content="a"), event(content="b"), last())
    answer = ask(peer)
    assert answer.error is None
    assert (answer.generated, answer.processed) == (2, 3)
    assert len(answer.events) == 2
    assert answer.sent <= answer.events[0] <= answer.events[1]
    asked = json.loads(peer.asked[0])
    assert asked == body_of([11, 12, 13], 2)
    assert asked["prompt"] == [11, 12, 13]
    assert asked["ignore_eos"] is True
    assert asked["cache_prompt"] is False


def test_half_a_character_makes_no_event_and_loses_no_token(peer):
    peer.answer = stream(event(content="ä"), last())
    answer = ask(peer)
    assert (answer.error, answer.generated, len(answer.events)) == (None, 2, 1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\nbang", "HTTP 500: bang"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "HTTP 503: without a word"),
        (b"", "RemoteDisconnected"),
        (b"SSH-2.0-OpenSSH\r\n", "BadStatusLine"),
        (stream(b"data: {no json}\n\n"), "an event is not JSON"),
        (stream(b"<html>\n"), "no server-sent event"),
        (stream(b"data: [1, 2]\n\n"), "the server says [1, 2]"),
        (stream(event(error={"message": "slot lost"})), "slot lost"),
        (stream(b"error: {}\n"), "error: {}"),
        (stream(event(content="a")), "the stream ended without its summary"),
        (stream(event(content="a"), b"data: [DONE]\n\n"), "the stream ended without its summary"),
        (stream(event(content="a"), event(stop=True)), "the stream ended without its summary"),
        (stream(event(content="a"), event(stop=True, timings={})), "does not count the tokens"),
        (stream(event(content="a"), last(generated=1)), "it generated 1 tokens of 2"),
        (stream(last()), "it generated 2 tokens of 2"),
        (stream(b"data: " + b"[" * 100_000 + b"\n\n"), "an event is not JSON: it is nested without end"),
        (stream(b"data: " + b"9" * 5000 + b"\n\n"), "an event is not JSON"),
        (stream(b"data: " + b" " * (1 << 20) + b"1\n\n"), "over 1048576 bytes in a line, no event"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % 10**30, "the stream ended without its summary"),
        (stream(event(content="a"), last(processed=1)), "it processed 1 tokens of a prompt of 3"),
    ],
)
def test_what_is_no_answer_is_an_error(peer, answer, words):
    peer.answer = answer
    found = ask(peer)
    assert words in found.error
    assert found.generated in (0, 1, 2)


def test_a_server_that_says_nothing_more_is_given_up(peer):
    peer.answer = stream(event(content="KEEP"))
    assert "no event for 0.2 s" in ask(peer, timeout=0.2).error


def test_nobody_listens():
    with socket.create_server((ADDRESS, 0)) as free:
        port = free.getsockname()[1]
    assert "ConnectionRefusedError" in complete(ADDRESS, port, [1], 1, 1.0).error
