# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of llama-server: a stream of events, and the likeliest tokens of a prompt."""

from __future__ import annotations

import http.client
import json
from unittest import mock

from fuzz.families.hosts import Connection
from fuzz.families.models import _http
from fuzz.strategies import TEXT, numbers, objects
from fuzz.target import Target, fixtures
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.greedy import answers
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import streaming
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope

_PROMPT = [11, 12, 13]
_N_GEN = 2
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
_LAST = {"stop": True, "content": "", "timings": {"predicted_n": _N_GEN, "prompt_n": len(_PROMPT)}}


def _answered(data: bytes) -> mock._patch[object]:
    def connect(connection: http.client.HTTPConnection) -> None:
        connection.sock = Connection(data)

    return mock.patch.object(http.client.HTTPConnection, "connect", connect)


def _sse(data: bytes) -> None:
    """A stream is timed, whatever the server says."""
    with _answered(data):
        answer = streaming.complete("127.0.0.1", 1, _PROMPT, _N_GEN, 5.0)
    envelope.canonical(answer._asdict())
    assert answer.error is not None or (answer.generated >= _N_GEN and answer.events)
    assert answer.error is None or len(answer.error) < 2000


def _greedy(data: bytes) -> None:
    """An answer is read, compared with itself and with another one, and kept in a record."""
    with _answered(data):
        answer = answers.ask("127.0.0.1", 1, "a prompt", 64, 5.0)
    assert answers.equal_tokens(answer, answer) == answer.n_gen
    other = answer._replace(text="x" + answer.text, ids=None)
    for left, right in ((answer, answer), (answer, other), (other, answer)):
        envelope.canonical(answers.compared(1, "a prompt", left, right))


def _events(*events: object) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def _streams() -> list[bytes]:
    token = {"stop": False, "content": "a"}
    chunks = (
        b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (_events(token, token), _events(_LAST))) + b"0\r\n\r\n"
    )
    return [
        _HEAD + _events(token, token, _LAST),
        _HEAD + _events(token, token, _LAST) + b"data: [DONE]\n\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
        _HEAD + _events({"error": {"code": 500, "message": "x"}}),
        _http(b"busy", "503 Service Unavailable", "Content-Length: 4"),
        _HEAD + b": comment\n\nerror: {}\n\n",
    ]


def _event() -> SearchStrategy[dict[str, object]]:
    timings = objects({"predicted_n": st.integers(0, 9), "prompt_n": st.just(3)})
    return objects({"stop": st.booleans(), "content": TEXT, "timings": timings, "error": TEXT})


def _completions() -> list[bytes]:
    said = [row["said"] for data in fixtures("greedy/*.json") for row in json.loads(data)]
    return [_http(json.dumps(answer).encode()) for answer in said]


def _completion() -> SearchStrategy[bytes]:
    token = objects({"id": st.integers(0, 9), "token": TEXT, "content": TEXT, "probs": st.just([])})
    return objects(
        {
            "content": TEXT, "tokens_evaluated": st.integers(0, 9), "tokens_predicted": st.integers(1, 4),
            "truncated": st.booleans(), "stop_type": st.sampled_from(["eos", "limit"]), "stopped_eos": st.booleans(),
            "completion_probabilities": st.lists(token, max_size=4), "tokens": st.lists(numbers(), max_size=4),
        }
    ).map(lambda said: _http(json.dumps(said).encode()))  # fmt: skip


TARGETS = (
    Target(
        "sse",
        _sse,
        (),
        _streams,
        (
            "data: ",
            "data: [DONE]\n\n",
            "error: ",
            ": x",
            '"stop": true',
            '"timings": {}',
            "Content-Length: ",
            "Transfer-Encoding: chunked\r\n",
            "\r\n",
            "HTTP/1.1 200 OK\r\n",
        ),
        share=6,
        strategy=lambda: st.lists(_event(), max_size=4).map(lambda events: _HEAD + _events(*events)),
    ),
    Target(
        "greedy",
        _greedy,
        (answers.AnswerError,),
        _completions,
        ("completion_probabilities", "tokens", "content", "token", "stop_type", "eos", '"id": '),
        share=3,
        strategy=_completion,
    ),
)
