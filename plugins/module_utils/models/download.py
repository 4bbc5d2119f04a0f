# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Download a file of many gigabytes: resumed, retried, and in its place only when it is the one that was meant.

What has arrived stands in .FILE.part, and in .FILE.part.json what is needed to go on from there, in this run or a
later one. A server that cannot resume, or whose file has changed meanwhile, sends it from the beginning.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import json
import os
import re
import time
from typing import Any, Callable, Dict, NamedTuple, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.models import web
from ansible_collections.cloudbench.llama.plugins.module_utils.models.digests import Digests, Hasher
from ansible_collections.cloudbench.llama.plugins.module_utils.models.file import claim, move
from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.module_utils.record.digits import whole
from ansible_collections.cloudbench.llama.plugins.module_utils.system.disk import require_space
from ansible_collections.cloudbench.llama.plugins.module_utils.system.watch import growing

PIECE_BYTES = 1024 * 1024
# A try that brings this much more counts as success: the next failure is again the first one.
PROGRESS_BYTES = 16 * 1024 * 1024


class DownloadError(ValueError):
    """A download that failed; the message says why and what to do."""


class Wanted(NamedTuple):
    """What to download. Messages call it `source`; `url` may hold a secret and stands in none.

    `sha256` or `git_blob` (the id git gives a file of that content, SHA-1) is the digest it must have, `bytes` the
    size, where they are known. `headers` go to the server of `url` only.
    """

    url: str
    source: str
    sha256: Optional[str] = None
    git_blob: Optional[str] = None
    bytes: Optional[int] = None
    headers: Optional[Dict[str, str]] = None


class Fetched(NamedTuple):
    """A finished download: digests and size of the file, and how many bytes of it an earlier run had left."""

    digests: Digests
    bytes: int
    resumed_from: int


def fetch(
    wanted: Wanted,
    target: str,
    timeout: float = 60.0,
    retries: int = 5,
    check: Optional[Callable[[str], None]] = None,
    wait: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Download to `target`. A file that stands there is replaced once the new one is whole and right, not before.

    `timeout`: seconds without an answer. `retries`: how many times in a row a request may fail for a passing reason.
    `check`: called with the path of the whole file before it takes its place; raises when it is not wanted.
    Raises DownloadError, WebError, ModelFileError and SpaceError; what has arrived is kept unless it is wrong.
    """
    with claim(target) as part:
        transfer = _Transfer(wanted, part, timeout)
        resumed_from = transfer.have
        try:
            with growing("downloading " + os.path.basename(target), part, lambda: transfer.total):
                transfer.complete(retries, wait)
            wrong = transfer.difference()
            if wrong and transfer.pieced:
                # What was here before may have been of another file: from the beginning, once.
                transfer.restart()
                resumed_from = 0
                transfer.complete(retries, wait)
                wrong = transfer.difference()
            if wrong:
                transfer.restart()
                raise DownloadError(wrong)
            if check:
                try:
                    check(part)
                except ValueError:
                    transfer.restart()
                    raise
        except BaseException:
            if not transfer.have:
                transfer.forget()
                with contextlib.suppress(OSError):
                    os.unlink(part)
            raise
        transfer.forget()
        move(part, target)
        return Fetched(transfer.hasher.digests(), transfer.have, resumed_from)


class _Transfer:
    """The part on disk, the digests of its content, and the requests that fill it.

    `have`: bytes in the part. `total`: bytes of the whole file, None while that is unknown. `pieced`: whether the
    part holds the bodies of several answers.
    """

    def __init__(self, wanted: Wanted, part: str, timeout: float) -> None:
        self.wanted = wanted
        self.timeout = timeout
        self.total = wanted.bytes
        self.validator = ""
        self._part = part
        self._state = part + ".json"
        self.have = os.path.getsize(part)
        if self.total is not None and self.have > self.total:
            self.have = 0
            os.truncate(part, 0)
        self.pieced = self.have > 0
        self._recall()
        self._digest()

    def _recall(self) -> None:
        """Read the validator that the server of the same source gave with what is in the part."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            with open(self._state, encoding="utf-8") as file:
                state = json_text.loads(file.read())
            if state.get("source") == self.wanted.source:
                self.validator = str(state.get("validator") or "")

    def _remember(self) -> None:
        with open(self._state, "w", encoding="utf-8") as file:
            json.dump({"source": self.wanted.source, "validator": self.validator}, file)

    def forget(self) -> None:
        """Remove what was noted beside the part."""
        with contextlib.suppress(OSError):
            os.unlink(self._state)

    def _digest(self) -> None:
        """Begin the digests with what is in the part."""
        self.hasher = Hasher()
        # Git's id begins with the size of the whole.
        self._counted = self.total
        self._git = hashlib.sha1(b"blob %d\0" % (self.total or 0)) if self.wanted.git_blob else None  # noqa: S324 - Git's id
        if self.have:
            with open(self._part, "rb") as file:
                for piece in iter(lambda: file.read(PIECE_BYTES), b""):
                    self._count(piece)

    def _count(self, piece: bytes) -> None:
        self.hasher.update(piece)
        if self._git:
            self._git.update(piece)

    def restart(self) -> None:
        """Throw the part away and begin again."""
        os.truncate(self._part, 0)
        self.have = 0
        self.validator = ""
        self.pieced = False
        self._digest()

    def difference(self) -> Optional[str]:
        """A sentence that says how the whole file differs from the one that was meant; None where it does not."""
        if self._git and self._counted != self.have:
            # Its size was not known when it began to arrive.
            self._digest()
        for kind, expected, came in (
            ("SHA-256", self.wanted.sha256, self.hasher.sha256()),
            ("git id", self.wanted.git_blob, self._git.hexdigest() if self._git else ""),
        ):
            if expected and came and came != expected.lower():
                return (
                    f"{self.wanted.source}: what arrived ({self.have:,} bytes) has the {kind} {came}, not "
                    f"{expected.lower()}; it was removed; correct the digest, or get the file from elsewhere"
                )
        return None

    def complete(self, retries: int, wait: Callable[[float], None]) -> None:
        """Request until the whole file is there. Raises WebError when the server does not come round."""
        failures = 0
        while self.total is None or self.have < self.total:
            before = self.have
            try:
                self._request()
            except web.WebError as error:
                if self.have - before >= PROGRESS_BYTES:
                    failures = 0
                failures += 1
                if not error.retry or failures > retries:
                    raise web.WebError(self._gave_up(str(error), failures)) from error
                wait(web.pause(failures, error))
            else:
                self.total = self.have

    def _gave_up(self, reason: str, failures: int) -> str:
        tried = f" ({failures} failures in a row)" if failures > 1 else ""
        if not self.have:
            return reason + tried
        whole = f" of {self.total:,}" if self.total is not None else ""
        return f"{reason}{tried}; {self.have:,}{whole} bytes are kept, and the next run goes on from there"

    def _request(self) -> None:
        """One request, and its body to its end. Raises WebError, with what has arrived in the part."""
        headers = {}
        if self.have:
            headers["Range"] = f"bytes={self.have}-"
            if self.validator:
                headers["If-Range"] = self.validator
        try:
            answer = web.request(
                self.wanted.url,
                headers=headers,
                secrets=self.wanted.headers,
                timeout=self.timeout,
                name=self.wanted.source,
            )
        except web.WebError as error:
            if error.status == 416 and self.have:
                self.restart()
                raise web.WebError(f"{self.wanted.source}: its file has changed", retry=True, after=0.0) from error
            raise
        with contextlib.closing(answer.body):
            self._accept(answer)
            self._receive(answer.body)

    def _accept(self, answer: web.Answer) -> None:
        """Fit the part to what the answer is about to bring."""
        source, headers = self.wanted.source, answer.headers
        if (headers.get("Content-Encoding") or "identity") != "identity":
            raise web.WebError(f"{source}: the server sends it compressed, unasked; get the file from elsewhere")
        part = re.fullmatch(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)", headers.get("Content-Range") or "")
        if answer.status == 206 and part:
            start, total = int(part.group(1)), None if part.group(3) == "*" else int(part.group(3))
            if start != self.have:
                self.restart()
                raise web.WebError(f"{source}: the server sent another part than was asked for", retry=True)
            self.pieced = True
        else:
            total = whole(headers.get("Content-Length"))
            if self.have:
                self.restart()
        if total is not None and self.total is not None and total != self.total:
            self._refuse_size(answer, total)
        if self.total is None:
            self.total = total
        if self.total is not None:
            require_space(os.path.dirname(self._part), self.total - self.have, f"Downloading {source}")
        validator = headers.get("ETag") or headers.get("Last-Modified") or ""
        self.validator = "" if validator.startswith("W/") else validator
        self._remember()

    def _refuse_size(self, answer: web.Answer, total: int) -> None:
        if self.wanted.bytes is None:
            # The size came from an earlier answer of this run.
            self.total = total
            self.restart()
            raise web.WebError(f"{self.wanted.source}: its file has changed", retry=True)
        page = " (a web page: a direct address, or a login, is needed)"
        raise web.WebError(
            "{}: the server's file has {:,} bytes{}, not {:,}; it is not the one that was meant".format(
                self.wanted.source, total, page if answer.headers.get_content_type() == "text/html" else "", self.total
            )
        )

    def _receive(self, body: Any) -> None:
        with open(self._part, "r+b", buffering=0) as file:
            file.seek(self.have)
            while True:
                try:
                    piece = body.read(PIECE_BYTES)
                except http.client.IncompleteRead as error:
                    piece = error.partial
                    self._write(file, piece)
                    self._cut()
                except (OSError, http.client.HTTPException) as error:
                    reason = str(error) or type(error).__name__
                    raise web.WebError(f"{self.wanted.source}: the connection broke ({reason})", retry=True) from error
                if not piece:
                    break
                self._write(file, piece)
        if self.total is not None and self.have < self.total:
            self._cut()

    def _cut(self) -> None:
        whole = f"{self.total:,}" if self.total is not None else "an unknown number of"
        raise web.WebError(
            f"{self.wanted.source}: the connection ended after {self.have:,} of {whole} bytes", retry=True
        )

    def _write(self, file: Any, piece: bytes) -> None:
        if self.total is not None and self.have + len(piece) > self.total:
            self.restart()
            raise web.WebError(f"{self.wanted.source}: the server sends more than the {self.total:,} bytes of the file")
        view = memoryview(piece)
        try:
            while view:
                view = view[file.write(view) :]
        except OSError as error:
            # A torn piece is not counted, and cut off, so that digest and part stay one.
            with contextlib.suppress(OSError):
                os.truncate(self._part, self.have)
            if error.errno != errno.ENOSPC:
                raise
            raise DownloadError(
                self._gave_up(f"{self.wanted.source}: the disk of {os.path.dirname(self._part)} is full; free space", 1)
            ) from error
        self._count(piece)
        self.have += len(piece)
