# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for llama-server: /health and /completion of real HTTP, and answers that its model file, JSON, says.

{"says": {prompt: text}} is what it answers, "." to any other prompt; a token is a word with the space before it, and a
text that ends with "|" is ended by the model. "ids": false is a server that gives text alone; "dies_at": n ends it at
its n-th prompt; "status": n answers so; "changes": {...} are laid over each answer. It writes its command and each
request below the model file, a line each.
"""

from __future__ import annotations

import json
import os
import re
import sys
import zlib
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

MODEL = sys.argv[sys.argv.index("-m") + 1]
PORT = int(sys.argv[sys.argv.index("--port") + 1])
with open(MODEL, encoding="utf-8") as told:
    DOES = json.load(told)
ASKED = 0


def note(value: object) -> None:
    """Write a line of what was asked."""
    with open(MODEL + ".asked", "a", encoding="utf-8") as file:
        file.write(json.dumps(value) + "\n")


def completion(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what is said to a request."""
    text = DOES.get("says", {}).get(asked["prompt"], ".")
    words = re.findall(r"\s*[^\s|]+|\|", text)[: asked["n_predict"]]
    ended = bool(words) and words[-1] == "|"
    listed = [{"id": zlib.crc32(word.encode()), "token": "" if word == "|" else word} for word in words]
    said = {
        "content": "".join(words).rstrip("|"), "tokens": [entry["id"] for entry in listed],
        "tokens_predicted": len(words), "tokens_evaluated": len(asked["prompt"].split()), "truncated": False,
        "stop_type": "eos" if ended else "limit", "completion_probabilities": listed,
    }  # fmt: skip
    if DOES.get("ids") is False:
        del said["tokens"], said["stop_type"]
        said["stopped_eos"] = ended
        said["completion_probabilities"] = [
            {"content": "<|end|>" if word == "|" else word, "probs": []} for word in words
        ]
    return {**said, **DOES.get("changes", {})}


class Handler(BaseHTTPRequestHandler):
    """Answers one request after the other."""

    def log_message(self, *_given: object) -> None:
        """Say nothing."""

    def answer(self, status: int, body: object) -> None:
        """Send JSON."""
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        """Be healthy."""
        self.answer(200, {"status": "ok"})

    def do_POST(self) -> None:
        """Complete a prompt."""
        global ASKED
        ASKED += 1
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        note(asked)
        if DOES.get("dies_at") == ASKED:
            print("it ran into a wall", flush=True)
            os._exit(3)
        status = DOES.get("status", 200)
        self.answer(status, completion(asked) if status == 200 else {"error": {"message": "no room"}})


note(sys.argv[1:])
HTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
