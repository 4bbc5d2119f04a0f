# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Hugging Face hub for tests: the answers of the real one, its content host, and what goes wrong with both.

    python tests/support/models/hub_server.py --directory DIR [--bind ADDRESS] [--port N] [--cdn-port N] [--token TOKEN]
                               [--gated REPOSITORY] [--denied REPOSITORY] [--fault FAULT]...

It serves DIR/<owner>/<name>/<file> as repositories and prints its endpoint, for HF_ENDPOINT or
llama_model_hub_endpoint, when it is ready. DIR is read once, at the start. The paths:

    /<owner>/<name>/resolve/<revision>/<file>    as the hub: a redirect to /cdn/ for large files, the rest directly
    /api/models/<owner>/<name>[/revision/<revision>]    what is in a repository, with sizes and digests
    /cdn/<sha256>/<file>?Signature=...           the content host; refuses a token, as the real one does
    /plain/<owner>/<name>/<file>                 the same file from an ordinary web server
    /redirect?to=<url>                           a redirect to anywhere, without `to` to itself

A FAULT is KIND, for ever, or KIND:N, the first N times:

    cut             the body ends at 99 % of the file, though more was promised
    wrong           one byte of the body is another
    ignore-range    the whole file, whatever part of it is asked for
    changed         another ETag with each answer
    no-length       a body without a Content-Length
    slow            pauses in the body
    401 ... 504     this status from the hub (429 and 503 with Retry-After: 1)
    cdn-401 ...     this status from /cdn/ and /plain/

What it answers was read from huggingface_hub 2.4.0 (file_download.py, utils/_http.py), which downloads from it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlsplit

LARGE = (".gguf", ".safetensors")
BLOCK = 1 << 16


class Stored(NamedTuple):
    """A file of a repository: `blob` is its git object id, `sha256` its digest where it is kept outside of git."""

    path: Path
    name: str
    size: int
    blob: str
    sha256: str | None

    @property
    def digest(self) -> str:
        """What the hub gives as ETag."""
        return self.sha256 or self.blob


class Repository(NamedTuple):
    """A repository at its only commit."""

    name: str
    commit: str
    files: dict[str, Stored]


class Seen(NamedTuple):
    """A request as it came in; header names are in lower case."""

    server: str
    method: str
    path: str
    headers: dict[str, str]


def _stored(path: Path, name: str) -> Stored:
    size = path.stat().st_size
    blob, sha256 = hashlib.sha1(b"blob %d\0" % size), hashlib.sha256()  # noqa: S324 - Git's id
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            blob.update(piece)
            sha256.update(piece)
    return Stored(path, name, size, blob.hexdigest(), sha256.hexdigest() if name.endswith(LARGE) else None)


def read_repositories(directory: Path) -> dict[str, Repository]:
    """The repositories below `directory`, by name; a commit is the digest of what is in it."""
    found = {}
    for folder in sorted(path for path in directory.glob("*/*") if path.is_dir()):
        files = {}
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder).as_posix()
            files[name] = _stored(path, name)
        repository = folder.relative_to(directory).as_posix()
        listing = json.dumps([repository, [(name, file.blob) for name, file in files.items()]])
        found[repository] = Repository(
            repository, hashlib.sha1(listing.encode(), usedforsecurity=False).hexdigest(), files
        )
    return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, format: str, *args: Any) -> None:
        if self.server.hub.verbose:
            super().log_message(format, *args)

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub: HubServer = self.server.hub
        headers = {name.lower(): value for name, value in self.headers.items()}
        hub.requests.append(Seen(self.server.role, self.command, self.path, headers))
        url = urlsplit(self.path)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        if parts[0] == "redirect":
            return self._reply(302, {"Location": parse_qs(url.query).get("to", [self.path])[0]})
        if parts[0] in ("cdn", "plain"):
            return self._content(parts, parse_qs(url.query), headers)
        return self._hub(parts, headers)

    def _hub(self, parts: list[str], headers: dict[str, str]) -> None:
        hub: HubServer = self.server.hub
        for status in hub.statuses:
            if hub.happens(str(status)):
                return self._status(status)
        api = parts[:2] == ["api", "models"]
        name = "/".join(parts[2:4] if api else parts[:2])
        given = headers.get("authorization")
        known = given == f"Bearer {hub.token}" and hub.token is not None
        repository = hub.repositories.get(name)
        if given and not known and name not in hub.gated:
            return self._refuse(401, None, "Invalid credentials in Authorization header")
        if repository is None:
            if known:
                return self._refuse(404, "RepoNotFound", "Repository not found")
            return self._refuse(401, None, "Invalid username or password.")
        if name in hub.gated and not api and not known:
            return self._refuse(401, "GatedRepo", f"Access to model {name} is restricted. Please log in.")
        if name in hub.denied and not api:
            message = f"Access to model {name} is restricted and you are not in the authorized list."
            return self._refuse(403, "GatedRepo", message)
        tail = parts[4:] if api else parts[2:]
        if tail and (tail[0] != ("revision" if api else "resolve") or len(tail) < 2):
            return self._refuse(404, None, "Page not found")
        revision = tail[1] if tail else "main"
        if revision not in ("main", repository.commit):
            return self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if api:
            return self._reply(200, {"Content-Type": "application/json"}, json.dumps(hub.describe(repository)).encode())
        return self._resolve(repository, "/".join(parts[4:]))

    def _resolve(self, repository: Repository, name: str) -> None:
        """Answer for a file: with a small one itself, with a large one's place in the store."""
        hub: HubServer = self.server.hub
        file = repository.files.get(name)
        if file is None:
            return self._refuse(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": repository.commit})
        own = {"X-Repo-Commit": repository.commit, "ETag": f'"{file.digest}"'}
        if file.sha256 is None:
            return self._reply(200, own, file.path.read_bytes())
        own["X-Linked-Etag"] = f'"{file.sha256}"'
        own["X-Linked-Size"] = str(file.size)
        own["Location"] = f"{hub.cdn}/cdn/{file.sha256}/{quote(file.name)}?Signature={file.sha256[:8]}"
        return self._reply(302, own)

    def _content(self, parts: list[str], query: dict[str, list[str]], headers: dict[str, str]) -> None:
        hub: HubServer = self.server.hub
        for status in hub.statuses:
            if hub.happens(f"cdn-{status}"):
                return self._status(status)
        if parts[0] == "cdn":
            if "authorization" in headers:
                return self._reply(400, {}, b"Only one auth mechanism allowed")
            if query.get("Signature") != [parts[1][:8]]:
                return self._reply(403, {}, b"Missing signature")
            file = hub.by_digest.get(parts[1])
        else:
            repository = hub.repositories.get("/".join(parts[1:3]))
            file = repository.files.get("/".join(parts[3:])) if repository else None
        if file is None:
            return self._reply(404, {}, b"Not found")
        return self._send_file(file, headers)

    def _send_file(self, file: Stored, headers: dict[str, str]) -> None:
        hub: HubServer = self.server.hub
        etag = f'"{file.digest[:32]}"'
        if hub.happens("changed"):
            etag = f'"{time.monotonic_ns():x}"'
        wanted = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
        if headers.get("if-range", etag) != etag or hub.happens("ignore-range"):
            wanted = None
        start = int(wanted.group(1)) if wanted else 0
        if wanted and start >= file.size:
            return self._reply(416, {"Content-Range": f"bytes */{file.size}"})
        self.send_response(206 if wanted else 200)
        self.send_header("ETag", etag)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", "application/octet-stream")
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{file.size - 1}/{file.size}")
        if hub.happens("no-length"):
            self.close_connection = True
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(file.size - start))
        self.end_headers()
        if self.command == "HEAD":
            return None
        end = file.size * 99 // 100 if hub.happens("cut") else file.size
        wrong, slow = hub.happens("wrong"), hub.happens("slow")
        with file.path.open("rb") as source:
            source.seek(start)
            while start < end:
                block = bytearray(source.read(min(BLOCK, end - start)))
                if wrong:
                    block[0] ^= 1
                    wrong = False
                self.wfile.write(block)
                start += len(block)
                if slow:
                    time.sleep(0.02)
        if end < file.size:
            self.close_connection = True
        return None

    def _status(self, status: int) -> None:
        self._reply(status, {"Retry-After": "1"} if status in (429, 503) else {}, b"on purpose")

    def _refuse(self, status: int, code: str | None, message: str, more: dict[str, str] | None = None) -> None:
        headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **(more or {})}
        self._reply(status, headers, json.dumps({"error": message}).encode())

    def _reply(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], hub: HubServer, role: str) -> None:
        super().__init__(address, _Handler)
        self.hub = hub
        self.role = role

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error here."""


class HubServer:
    """The hub as a context manager. `cdn_port`: None for the port of the hub itself, 0 for any free one.

    `requests` is what came in, `endpoint` and `cdn` are the two addresses without a path.
    """

    def __init__(
        self,
        directory: str | Path,
        bind: str = "127.0.0.1",
        port: int = 0,
        cdn_port: int | None = 0,
        token: str | None = None,
        gated: tuple[str, ...] | list[str] = (),
        denied: tuple[str, ...] | list[str] = (),
        faults: tuple[str, ...] | list[str] = (),
        verbose: bool = False,
    ) -> None:
        self.repositories = read_repositories(Path(directory))
        self.by_digest = {
            file.digest: file for repository in self.repositories.values() for file in repository.files.values()
        }
        self.token, self.verbose = token, verbose
        self.gated, self.denied = (*gated, *denied), tuple(denied)
        self.requests: list[Seen] = []
        self._lock = threading.Lock()
        self._faults: dict[str, float] = {}
        self.statuses: set[int] = set()
        self.set_faults(*faults)
        self._servers = [_Server((bind, port), self, "hub")]
        self.endpoint = "http://{}:{}".format(bind, self._servers[0].server_address[1])
        self.cdn = self.endpoint
        if cdn_port is not None:
            self._servers.append(_Server((bind, cdn_port), self, "cdn"))
            self.cdn = "http://{}:{}".format(bind, self._servers[1].server_address[1])

    def set_faults(self, *faults: str) -> None:
        """Replace the faults by these; raises ValueError for one there is not."""
        kinds: dict[str, float] = {}
        for fault in faults:
            match = re.fullmatch(
                r"(cut|wrong|ignore-range|changed|no-length|slow|(?:cdn-)?([45]\d\d))(?::(\d+))?", fault
            )
            if not match:
                raise ValueError(f"{fault!r} is no fault; see --help")
            kinds[match.group(1)] = int(match.group(3)) if match.group(3) else float("inf")
        with self._lock:
            self._faults = kinds
            self.statuses = {int(kind[-3:]) for kind in kinds if kind[-3:].isdigit()}

    def happens(self, kind: str) -> bool:
        """Whether the fault happens now; counts it."""
        with self._lock:
            left = self._faults.get(kind, 0)
            self._faults[kind] = left - 1
            return left > 0

    def describe(self, repository: Repository) -> dict[str, Any]:
        """What /api/models says of a repository with ?blobs=true."""
        siblings = []
        for file in repository.files.values():
            sibling: dict[str, Any] = {"rfilename": file.name, "size": file.size, "blobId": file.blob}
            if file.sha256:
                sibling["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": 134}
            siblings.append(sibling)
        gated = "manual" if repository.name in self.gated else False
        return {"id": repository.name, "sha": repository.commit, "gated": gated, "siblings": siblings}

    def __enter__(self) -> HubServer:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


def main() -> None:
    """Serve until interrupted."""
    first, rest = (__doc__ or "").split("\n", 1)
    parser = argparse.ArgumentParser(description=first, epilog=rest, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", required=True, help="holds <owner>/<name>/<file>")
    parser.add_argument("--bind", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="port of the hub (default: any free one)")
    parser.add_argument("--cdn-port", type=int, help="port of the content host (default: that of the hub)")
    parser.add_argument("--token", help="the only token that is known")
    parser.add_argument("--gated", action="append", default=[], help="a repository that needs the token")
    parser.add_argument("--denied", action="append", default=[], help="a gated repository the token has no access to")
    parser.add_argument("--fault", action="append", default=[], help="what goes wrong, see below")
    given = parser.parse_args()
    try:
        server = HubServer(
            given.directory, given.bind, given.port, given.cdn_port, given.token,
            given.gated, given.denied, given.fault, verbose=True,
        )  # fmt: skip
    except (ValueError, OSError) as error:
        parser.error(str(error))
    with server:
        print(server.endpoint, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
