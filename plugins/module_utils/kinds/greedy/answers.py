# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of a llama-server to a prompt, the likeliest token each time, and where two of them part.

llama.cpp's server gives the ids of its tokens; ik_llama.cpp's, as llama.cpp's of 2024, their text alone. Where both
sides have ids these are compared, else the pieces of text. No server lists a token that ends inside a character: that
one is in the piece of the token that completes it.
"""

from __future__ import annotations

import http.client
import json
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import printable

# Of a text in a record: as much as tells two tokens apart, and where they stand.
_TOKEN_SHOWN, _BEFORE_SHOWN = 40, 80
# An answer has some hundred bytes for each token.
_LONGEST = 64 << 20


class AnswerError(Exception):
    """No answer that can be compared; `cause` and `advice` are sentences, `lost` is whether nobody answered."""

    def __init__(self, cause: str, advice: str = "", lost: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.advice = advice or "Read stderr_tail; run the command of this record by hand."
        self.lost = lost


class Piece(NamedTuple):
    """The text of a token, and how many tokens it is of where the server's ids say so."""

    text: str
    tokens: int


class Answer(NamedTuple):
    """What was said after a prompt of `n_prompt` tokens: `n_gen` tokens, their ids where the server gives them, pieces.

    `ended`: the last token is the model's own end, which is no text.
    """

    n_prompt: int
    n_gen: int
    ids: Optional[List[int]]
    pieces: List[Piece]
    text: str
    ended: bool

    @property
    def empty(self) -> bool:
        """Whether it ended before it said anything."""
        return self.ended and self.n_gen == 1

    def piece(self, token: int) -> int:
        """Return the index of the piece that a token (its index) is in, the number of pieces where it is in none."""
        for index, piece in enumerate(self.pieces):
            token -= piece.tokens
            if token < 0:
                return index
        return len(self.pieces)


def body_of(prompt: str, n_gen: int) -> Dict[str, Any]:
    """Return the request for the likeliest `n_gen` tokens after a prompt, or fewer where the model ends before.

    n_probs has every server since 2023 name the tokens; what a server does not know it passes over.
    """
    return {
        "prompt": prompt,
        "n_predict": n_gen,
        "stream": False,
        "cache_prompt": False,
        "ignore_eos": False,
        "temperature": 0,
        "top_k": 1,
        "seed": 1,
        "n_probs": 1,
        "return_tokens": True,
    }


def ask(
    address: str, port: int, prompt: str, n_gen: int, timeout: float, headers: Optional[Mapping[str, str]] = None
) -> Answer:
    """Send a prompt and return the answer; it may take `timeout` seconds. Raises AnswerError.

    `headers`: by which the request is let in.
    """
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        body = json.dumps(body_of(prompt, n_gen))
        connection.request("POST", "/completion", body, {"Content-Type": "application/json", **(headers or {})})
        response = connection.getresponse()
        words = response.read(_LONGEST + 1)
        # Of a part alone http.client does not say that the rest is missing.
        if response.length and len(words) <= _LONGEST:
            raise http.client.IncompleteRead(words, response.length)
    except OSError as error:
        if isinstance(error, TimeoutError) or "timed out" in str(error):
            raise AnswerError(
                "no answer for %g s" % timeout, "Raise llama_bench_time_limit, or ask for fewer tokens."
            ) from error
        raise AnswerError("%s: %s" % (type(error).__name__, printable(error, 300)), lost=True) from error
    except (OverflowError, http.client.HTTPException) as error:
        raise AnswerError("%s: %s" % (type(error).__name__, printable(error, 300)), lost=True) from error
    finally:
        connection.close()
    if len(words) > _LONGEST:
        raise AnswerError("its answer has over %d bytes" % _LONGEST)
    if response.status != 200:
        told = words[:300].decode("utf-8", "replace").strip()
        raise AnswerError("HTTP %d: %s" % (response.status, printable(told) or "without a word"))
    try:
        said = json_text.loads(words.decode("utf-8", "replace"))
    except ValueError as error:
        raise AnswerError("its answer is not JSON: %s" % error) from error
    return parse(said, n_gen)


def parse(said: Any, n_gen: int) -> Answer:
    """Return the answer in what a server said to a request for `n_gen` tokens. Raises AnswerError."""
    text = said.get("content") if isinstance(said, dict) else None
    if not isinstance(text, str):
        raise AnswerError("its answer is no completion: %.100r" % (said,))
    n_prompt, generated = said.get("tokens_evaluated"), said.get("tokens_predicted")
    if not isinstance(n_prompt, int) or not isinstance(generated, int):
        raise AnswerError("its answer does not count the tokens of the prompt and its own")
    if said.get("truncated"):
        raise AnswerError(
            "the context was full: the prompt has %d tokens, and %d were to follow" % (n_prompt, n_gen),
            "Ask for fewer tokens.",
        )
    if not generated:
        raise AnswerError("its answer is empty", "Read stderr_tail; the file or the build may be broken.")
    ended = said.get("stop_type") == "eos" or said.get("stopped_eos") is True
    if generated > n_gen or (generated < n_gen and not ended):
        raise AnswerError("its answer has %d tokens of %d, and the model has not ended it" % (generated, n_gen))
    listed = said.get("completion_probabilities")
    read = [_piece(entry) for entry in listed] if isinstance(listed, list) else []
    pieces = [piece for piece in read if piece is not None]
    if not pieces or len(pieces) < len(read):
        raise AnswerError(
            "it names no tokens, which n_probs asks for",
            "Measure it with a build of another llama.cpp, or leave that test out of llama_bench_tests.",
        )
    text = _whole(text)
    # Some write the end as <|im_end|>, some as nothing.
    pieces = [*_as_in(text, pieces[:-1]), ""] if ended else _as_in(text, pieces)
    named = [entry.get("id") for entry in listed]
    ids = said.get("tokens") or named
    if not isinstance(ids, list) or len(ids) != generated or not all(isinstance(number, int) for number in ids):
        ids = None
    counts = _counts(ids, named) if ids else [1] * len(pieces)
    return Answer(n_prompt, generated, ids, [Piece(*pair) for pair in zip(pieces, counts)], text, ended)


def _piece(entry: Any) -> Optional[str]:
    """Return the text of a token as an entry of a server's list has it, None where it has none."""
    text = entry.get("token", entry.get("content")) if isinstance(entry, dict) else None
    return _whole(text) if isinstance(text, str) else None


def _as_in(text: str, pieces: List[str]) -> List[str]:
    """Return pieces as they stand in a text.

    ik_llama.cpp lists the last byte alone of a character that several tokens make: its piece is all up to the next one.
    """
    read, at = [], 0
    for index, piece in enumerate(pieces):
        if not text.startswith(piece, at):
            following = pieces[index + 1] if index + 1 < len(pieces) else None
            end = len(text) if following is None else text.find(following, at + 1)
            piece = text[at : end if end > at else at + 1]
        read.append(piece)
        at += len(piece)
    return read


def _counts(ids: List[int], named: List[Any]) -> List[int]:
    """Return of how many tokens each piece is: with those before it that ended inside a character."""
    counts, begin = [], 0
    for number in named:
        end = ids.index(number, begin) + 1 if number in ids[begin:] else begin + 1
        counts.append(end - begin)
        begin = end
    return counts


def _whole(text: str) -> str:
    """Return a text without halves of characters, which JSON can hold and a record cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _common(left: Sequence[Any], right: Sequence[Any]) -> int:
    """Return with how many equal members two sequences begin."""
    unequal = (place for place, (a, b) in enumerate(zip(left, right)) if a != b)
    return next(unequal, min(len(left), len(right)))


def equal_tokens(base: Answer, other: Answer) -> int:
    """Return with how many equal tokens two answers begin; of equal answers all."""
    if base.ids is not None and other.ids is not None:
        return _common(base.ids, other.ids)
    if (base.text, base.n_gen, base.ended) == (other.text, other.n_gen, other.ended):
        return base.n_gen
    pieces = _common([piece.text for piece in base.pieces], [piece.text for piece in other.pieces])
    equal = sum(piece.tokens for piece in _counted(base, other).pieces[:pieces])
    # They differ, so that one of them has a token that the other has not.
    return min(equal, max(base.n_gen, other.n_gen) - 1)


def _counted(base: Answer, other: Answer) -> Answer:
    """Return that of two answers which knows of how many tokens its pieces are, where either does."""
    return other if base.ids is None else base


def compared(number: int, prompt: str, base: Answer, other: Answer) -> Dict[str, Any]:
    """Return what a record keeps of two answers to a prompt, the `number`-th.

    first_difference: the first token that differs, from 1 on, None where none does; then also the text before it and
    the two tokens, each None where an answer has ended there.
    """
    equal = equal_tokens(base, other)
    row: Dict[str, Any] = {
        "prompt": number,
        "asked": prompt,
        "n_prompt": other.n_prompt,
        "base_n_prompt": base.n_prompt,
        "tokens": other.n_gen,
        "base_tokens": base.n_gen,
        "first_difference": None,
    }
    if equal == base.n_gen == other.n_gen:
        return row
    place = _counted(base, other).piece(equal)
    before = "".join(piece.text for piece in base.pieces[:place])
    said, base_said = _shown(other, place), _shown(base, place)
    return dict(row, first_difference=equal + 1, before=before[-_BEFORE_SHOWN:], said=said, base_said=base_said)


def _shown(answer: Answer, place: int) -> Optional[str]:
    """Return a piece of an answer, None where the answer has ended."""
    last = len(answer.pieces) - 1
    if place < last or (place == last and not answer.ended):
        return answer.pieces[place].text[:_TOKEN_SHOWN]
    # Cut inside a character, which was never listed.
    return None if answer.ended else "\ufffd"
