# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers answer is read as it is, and two answers part at the right token, with ids and without."""

from __future__ import annotations

import http.client
import io
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.greedy import answers
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.greedy.answers import (
    Answer,
    AnswerError,
    Piece,
    ask,
    body_of,
    compared,
    equal_tokens,
    parse,
)

FIXTURES = Path(__file__).resolve().parents[5] / "fixtures" / "greedy"


def recorded(engine: str) -> list[Answer]:
    """Return the two answers that a real server gave: one that it ended, one with a character of two tokens."""
    told = json.loads((FIXTURES / f"{engine}.json").read_text("utf-8"))
    return [parse(entry["said"], entry["n_predict"]) for entry in told]


def answer(*tokens: str, ids: bool = True, ended: bool = False, n_prompt: int = 5) -> Answer:
    """Return an answer of these tokens, each of which has its text's number as an id."""
    text = "".join(tokens)
    words = [*tokens, ""] if ended else list(tokens)
    numbers = [hash(word) for word in words] if ids else None
    return Answer(n_prompt, len(words), numbers, [Piece(word, 1) for word in words], text, ended)


def said(**changes: Any) -> dict[str, Any]:
    """Return what a server of llama.cpp says: two tokens of two."""
    listed = [{"id": 7, "token": " a"}, {"id": 8, "token": " b"}]
    return {
        "content": " a b", "tokens": [7, 8], "tokens_predicted": 2, "tokens_evaluated": 5, "truncated": False,
        "stop_type": "limit", "completion_probabilities": listed, **changes,
    }  # fmt: skip


def test_the_likeliest_token_is_asked_for_each_time():
    body = body_of("Once", 9)
    assert (body["prompt"], body["n_predict"]) == ("Once", 9)
    assert (body["temperature"], body["top_k"], body["cache_prompt"], body["ignore_eos"]) == (0, 1, False, False)


def test_an_answer_of_llama_cpp_has_ids_and_its_end_no_text():
    first, second = recorded("llama.cpp")
    assert (first.n_prompt, first.n_gen, first.ended) == (12, 17, True)
    assert first.ids
    assert first.ids[-1] == 2
    assert first.pieces[-1] == Piece("", 1)
    assert "".join(piece.text for piece in first.pieces) == first.text == " 2 + 2 = 4\n\nThe answer is: 4"
    assert (second.n_gen, len(second.pieces), second.ended) == (24, 23, False)
    assert second.pieces[:3] == [Piece(" is", 1), Piece(" √", 2), Piece("3", 1)]


def test_an_answer_of_ik_llama_cpp_has_text_alone_and_its_characters_whole():
    first, second = recorded("ik_llama.cpp")
    assert first.ids is second.ids is None
    assert (first.n_gen, first.ended, first.pieces[-1]) == (17, True, Piece("", 1))
    assert second.pieces[:5] == [Piece(word, 1) for word in (" is", " ", "3", "√", "2")]
    assert "".join(piece.text for piece in second.pieces) == second.text


def test_two_engines_are_compared_by_their_text():
    ours, theirs = recorded("llama.cpp"), recorded("ik_llama.cpp")
    assert equal_tokens(ours[0], theirs[0]) == equal_tokens(theirs[0], ours[0]) == 17
    assert compared(1, "Q", ours[0], theirs[0])["first_difference"] is None
    row = compared(2, "Q", ours[1], theirs[1])
    assert row == {
        "prompt": 2, "asked": "Q", "n_prompt": 14, "base_n_prompt": 14, "tokens": 24, "base_tokens": 24,
        "first_difference": 2,
        "before": " is", "said": " ", "base_said": " √",
    }  # fmt: skip


def test_a_token_inside_a_character_counts():
    (_first, base) = recorded("llama.cpp")
    assert base.ids
    other = base._replace(ids=[*base.ids[:3], 36, *base.ids[4:]])
    # Token 4, of which 2 and 3 make one character.
    row = compared(2, "Q", base, other)
    assert (row["first_difference"], row["before"], row["base_said"]) == (4, " is √", "3")
    without = other._replace(ids=None, pieces=[*(piece._replace(tokens=1) for piece in base.pieces[:2]), Piece("4", 1)])
    assert equal_tokens(base, without._replace(text=" is √4")) == 3


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize(
    ("base", "other", "first", "words"),
    [
        (("a", "b", "c"), ("a", "b", "c"), None, None),
        (("a", "b", "c"), ("x", "b", "c"), 1, ("", "x", "a")),
        (("a", "b", "c"), ("a", "b", "x"), 3, ("ab", "x", "c")),
        # The text is common, the token is not.
        (("a", " side", "s"), ("a", " sides", "s"), 2, ("a", " sides", " side")),
    ],
)
def test_where_two_answers_part(ids, base, other, first, words):
    row = compared(3, "Q", answer(*base, ids=ids), answer(*other))
    assert row["first_difference"] == first
    assert tuple(row.get(name) for name in ("before", "said", "base_said")) == (words or (None, None, None))


@pytest.mark.parametrize("ids", [True, False])
def test_an_answer_that_ends_differs_from_one_that_goes_on(ids):
    ended, on = answer("a", ids=ids, ended=True), answer("a", "b", ids=ids)
    assert compared(1, "Q", on, ended) == {
        "prompt": 1, "asked": "Q", "n_prompt": 5, "base_n_prompt": 5, "tokens": 2, "base_tokens": 2,
        "first_difference": 2,
        "before": "a", "said": None, "base_said": "b",
    }  # fmt: skip
    assert compared(1, "Q", ended, on)["base_said"] is None
    assert compared(1, "Q", ended, ended)["first_difference"] is None


def test_what_is_kept_of_a_text_is_bounded():
    row = compared(1, "Q", answer("a" * 500, "b" * 500), answer("a" * 500, "c" * 500))
    assert row["before"] == "a" * 80
    assert row["said"] == "c" * 40


def test_half_a_character_is_no_text_of_a_record():
    listed = [{"id": 7, "token": " a"}, {"id": 8, "token": "\ud83d"}]
    read = parse(said(content=" a\ud83d", completion_probabilities=listed), 2)
    assert read.text == " a?"
    read.text.encode("utf-8")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"content": None}, "its answer is no completion"),
        ({"tokens_predicted": None}, "does not count the tokens"),
        ({"truncated": True}, "the context was full: the prompt has 5 tokens, and 2 were to follow"),
        ({"tokens_predicted": 0, "content": ""}, "its answer is empty"),
        ({"tokens_predicted": 1}, "has 1 tokens of 2, and the model has not ended it"),
        ({"tokens_predicted": 3}, "has 3 tokens of 2"),
        ({"completion_probabilities": None}, "it names no tokens, which n_probs asks for"),
        ({"completion_probabilities": [{"id": 7}, "b"]}, "it names no tokens"),
    ],
)
def test_what_is_no_answer_is_refused(changes, words):
    with pytest.raises(AnswerError, match=words) as error:
        parse(said(**changes), 2)
    assert error.value.advice
    with pytest.raises(AnswerError):
        parse(["no object"], 2)


def test_ids_that_do_not_count_are_no_ids():
    assert parse(said(), 2).ids == [7, 8]
    assert parse(said(tokens=[7]), 2).ids is None
    # Before llama.cpp gave all of them beside the text.
    assert parse(said(tokens=None), 2).ids == [7, 8]


class Canned:
    """A connection on which an answer has come already."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def sendall(self, _data: object) -> None:
        pass

    def close(self) -> None:
        pass

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self.answer)


def asked(monkeypatch: pytest.MonkeyPatch, body: bytes, length: int | None = None) -> AnswerError:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) if length is None else length)

    def connect(connection: http.client.HTTPConnection) -> None:
        connection.sock = Canned(head + body)  # type: ignore[assignment]

    monkeypatch.setattr(http.client.HTTPConnection, "connect", connect)
    with pytest.raises(AnswerError) as told:
        ask("127.0.0.1", 1, "Once", 2, 5.0)
    return told.value


@pytest.mark.parametrize("body", [b"[" * 100_000, b"NaN", b"9" * 5000, b'{"content": 1e999}', b"[" * 70 + b"]" * 70])
def test_an_answer_that_is_no_json_is_told(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    error = asked(monkeypatch, body)
    assert error.cause.startswith("its answer is not JSON: ")
    assert not error.lost


@pytest.mark.parametrize("length", [100, 10**30])
def test_a_server_that_ends_within_its_answer_is_lost(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    error = asked(monkeypatch, b'{"content": ', length)
    assert error.cause.startswith("IncompleteRead: ")
    assert error.lost


def test_an_answer_without_end_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_LONGEST", 1000)
    assert asked(monkeypatch, b" " * 2000).cause == "its answer has over 1000 bytes"
