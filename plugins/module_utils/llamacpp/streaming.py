# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request to llama-server's /completion, streamed: when each token came, by the monotonic clock of the client.

A server-sent event holds one token, or several where the first of them ended in the middle of a character (tools/server
of llama.cpp holds them back); the last event is the summary and no token.
"""

from __future__ import annotations

import http.client
import json
import time
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import printable

# An event is some hundred bytes, the summary some thousand.
_LONGEST = 1 << 20


class Answer(NamedTuple):
    """What came of a request.

    Times of its token events (monotonic seconds), tokens generated and processed, and why it failed, None when it did
    not.
    """

    sent: float
    events: List[float]
    generated: int
    processed: int
    error: Optional[str]


def body_of(prompt: List[int], n_gen: int) -> Dict[str, Any]:
    """Return the request for exactly `n_gen` tokens after a prompt of token ids, without the server's cache.

    Sampled, because the likeliest token of random weights may be half a character for ever, which is no event.
    """
    return {
        "prompt": prompt,
        "n_predict": n_gen,
        "stream": True,
        "cache_prompt": False,
        "ignore_eos": True,
        "samplers": ["top_k", "temperature"],
        "top_k": 40,
        "temperature": 1.0,
        "seed": prompt[0],
    }


def complete(
    address: str,
    port: int,
    prompt: List[int],
    n_gen: int,
    timeout: float,
    headers: Optional[Mapping[str, str]] = None,
) -> Answer:
    """Send a request and read its answer to the end; never raises for what the server does.

    `timeout`: seconds between two events after which the request is given up. `headers`: by which it is let in.
    """
    body = json.dumps(body_of(prompt, n_gen))
    sent = time.monotonic()
    events: List[float] = []
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    last: Optional[Dict[str, Any]] = None
    try:
        connection.request("POST", "/completion", body, {"Content-Type": "application/json", **(headers or {})})
        response = connection.getresponse()
        if response.status != 200:
            words = response.read(300).decode("utf-8", "replace").strip()
            return Answer(sent, events, 0, 0, "HTTP %d: %s" % (response.status, printable(words) or "without a word"))
        while True:
            line = response.readline(_LONGEST + 1)
            now = time.monotonic()
            if not line:
                break
            if len(line) > _LONGEST or not line.startswith(b"data: "):
                trouble = _trouble(line)
                if trouble:
                    return Answer(sent, events, 0, 0, trouble)
                continue
            if line.strip() == b"data: [DONE]":
                break
            last = json_text.loads(line[6:].decode("utf-8", "replace"))
            if not isinstance(last, dict) or "error" in last:
                return Answer(sent, events, 0, 0, "the server says %.200r" % (last,))
            if last.get("stop"):
                break
            events.append(now)
    except (OSError, OverflowError, http.client.HTTPException) as error:
        words = "no event for %g s" % timeout if isinstance(error, TimeoutError) else printable(error, 300)
        return Answer(sent, events, 0, 0, "%s: %s" % (type(error).__name__, words))
    except ValueError as error:
        return Answer(sent, events, 0, 0, "an event is not JSON: %s" % error)
    finally:
        connection.close()
    return _judged(sent, events, last, len(prompt), n_gen)


def _trouble(line: bytes) -> Optional[str]:
    """Return why a line that is no event ends an answer, None for what may stand between events."""
    if len(line) > _LONGEST:
        return "over %d bytes in a line, no event: %.60r" % (_LONGEST, line[:60])
    if line.startswith(b"error:"):
        return printable(line[:300].decode("utf-8", "replace").strip())
    if line.strip() and not line.startswith(b":"):
        return "no server-sent event: %.60r" % line[:60]
    return None


def _judged(sent: float, events: List[float], last: Optional[Dict[str, Any]], n_prompt: int, n_gen: int) -> Answer:
    """Return the answer after making sure that it is to what was asked."""
    timings = (last or {}).get("timings")
    if not last or not last.get("stop") or not isinstance(timings, dict):
        return Answer(sent, events, 0, 0, "the stream ended without its summary")
    generated, processed = timings.get("predicted_n"), timings.get("prompt_n")
    if not isinstance(generated, int) or not isinstance(processed, int):
        return Answer(sent, events, 0, 0, "its summary does not count the tokens")
    if processed != n_prompt:
        error: Optional[str] = "it processed %d tokens of a prompt of %d" % (processed, n_prompt)
    elif generated < n_gen or not events:
        error = "it generated %d tokens of %d" % (generated, n_gen)
    else:
        error = None
    return Answer(sent, events, generated, processed, error)
