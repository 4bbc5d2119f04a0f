# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Against a server on loopback that breaks on purpose; nobody sleeps: what would be waited for is noted."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import random
from pathlib import Path
from typing import Any

import pytest
from support.models.hub_server import HubServer

from ansible_collections.cloudbench.llama.plugins.module_utils.models import download
from ansible_collections.cloudbench.llama.plugins.module_utils.models.digests import Digests
from ansible_collections.cloudbench.llama.plugins.module_utils.models.download import (
    DownloadError,
    Fetched,
    Wanted,
    fetch,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.models.file import ModelFileError
from ansible_collections.cloudbench.llama.plugins.module_utils.models.web import WebError
from ansible_collections.cloudbench.llama.plugins.module_utils.system.disk import SpaceError

CONTENT = random.Random(1).randbytes(3_000_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
DIGESTS = Digests(DIGEST, None)
CUT = len(CONTENT) * 99 // 100


@pytest.fixture
def hub(tmp_path: Path):
    folder = tmp_path / "repositories" / "org" / "name"
    folder.mkdir(parents=True)
    (folder / "m.gguf").write_bytes(CONTENT)
    (folder / "small.txt").write_text("hello")
    with HubServer(tmp_path / "repositories") as server:
        yield server


class Client:
    """Downloads m.gguf to `target` and notes how long it would have waited."""

    def __init__(self, hub: HubServer, directory: Path) -> None:
        self.hub = hub
        self.target = directory / "m.gguf"
        self.part = directory / ".m.gguf.part"
        self.waited: list[float] = []

    def fetch(self, *faults: str, **options: Any) -> Fetched:
        self.hub.set_faults(*faults)
        self.hub.requests.clear()
        self.waited.clear()
        wanted = {"url": f"{self.hub.endpoint}/plain/org/name/m.gguf", "source": "the model", "sha256": DIGEST}
        wanted.update({key: options.pop(key) for key in list(options) if key in Wanted._fields})
        return fetch(Wanted(**wanted), str(self.target), wait=self.waited.append, **options)

    def asked(self) -> list[str | None]:
        return [seen.headers.get("range") for seen in self.hub.requests]

    def left(self) -> list[str]:
        return sorted(os.listdir(self.target.parent))


@pytest.fixture
def client(hub: HubServer, tmp_path: Path) -> Client:
    (tmp_path / "models").mkdir()
    return Client(hub, tmp_path / "models")


def test_a_whole_file(client: Client) -> None:
    assert client.fetch() == Fetched(DIGESTS, len(CONTENT), 0)
    assert client.target.read_bytes() == CONTENT
    assert client.left() == ["m.gguf"]


@pytest.mark.parametrize(
    ("faults", "asked", "waited"),
    [
        (["cut:1"], [None, f"bytes={CUT}-"], [1.0]),
        # The part is of no use any more: from the beginning.
        (["cut:1", "ignore-range"], [None, f"bytes={CUT}-"], [1.0]),
        (["cut:1", "changed"], [None, f"bytes={CUT}-"], [1.0]),
        (["cdn-500:2"], [None, None, None], [1.0, 2.0]),
        (["cdn-429:1"], [None, None], [1.0]),
        (["cdn-503:1", "cut:1"], [None, None, f"bytes={CUT}-"], [1.0, 2.0]),
        (["no-length"], [None], []),
        (["slow"], [None], []),
    ],
)
def test_what_passes_is_sat_out(faults: list[str], asked: list, waited: list, client: Client) -> None:
    assert client.fetch(*faults).digests == DIGESTS
    assert (client.asked(), client.waited) == (asked, waited)
    assert client.left() == ["m.gguf"]


def test_cut_for_ever_and_resumed_by_the_next_run(client: Client) -> None:
    with pytest.raises(WebError, match=rf"ended after {CUT:,} of 3,000,000 bytes \(6 failures in a row\); .* are kept"):
        client.fetch("cut")
    assert client.asked() == [None] + [f"bytes={CUT}-"] * 5
    assert client.waited == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert client.left() == [".m.gguf.part", ".m.gguf.part.json"]

    assert client.fetch() == Fetched(DIGESTS, len(CONTENT), CUT)
    (only,) = client.hub.requests
    assert only.headers["range"] == f"bytes={CUT}-"
    assert only.headers["if-range"] == f'"{DIGEST[:32]}"'
    assert client.left() == ["m.gguf"]


def test_progress_makes_a_failure_the_first_one_again(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PROGRESS_BYTES", 1_000_000)
    assert client.fetch("cdn-500:2", "cut:1", retries=2).digests == DIGESTS
    assert client.waited == [1.0, 2.0, 1.0]


def test_a_server_without_validators_is_resumed_and_the_digest_decides(client: Client) -> None:
    client.part.write_bytes(CONTENT[:1_000_000])
    assert client.fetch().resumed_from == 1_000_000
    assert "if-range" not in client.hub.requests[0].headers

    # A part of another file: noticed at the end, and begun again once.
    client.part.write_bytes(bytes(1_000_000))
    assert client.fetch() == Fetched(DIGESTS, len(CONTENT), 0)
    assert client.asked() == ["bytes=1000000-", None]


def test_a_part_that_is_larger_than_the_file(client: Client) -> None:
    client.part.write_bytes(bytes(4_000_000))
    assert client.fetch(bytes=len(CONTENT)).digests == DIGESTS
    assert client.asked() == [None]
    client.part.write_bytes(bytes(4_000_000))
    assert client.fetch().digests == DIGESTS
    assert client.asked() == ["bytes=4000000-", None]


def test_a_part_that_is_whole_already(client: Client) -> None:
    client.part.write_bytes(CONTENT)
    assert client.fetch(bytes=len(CONTENT)) == Fetched(DIGESTS, len(CONTENT), len(CONTENT))
    assert client.hub.requests == []


class TestRefusals:
    def test_another_digest(self, client: Client) -> None:
        client.target.write_bytes(b"good")
        wrong = bytearray(CONTENT)
        wrong[0] ^= 1
        with pytest.raises(DownloadError, match=f"{hashlib.sha256(wrong).hexdigest()}, not {DIGEST}; it was removed"):
            client.fetch("wrong")
        assert len(client.hub.requests) == 1
        assert client.left() == ["m.gguf"]
        assert client.target.read_bytes() == b"good"

    def test_a_cut_that_cannot_be_seen_is_found_by_the_digest(self, client: Client) -> None:
        with pytest.raises(DownloadError, match=rf"what arrived \({CUT:,} bytes\) has the SHA-256"):
            client.fetch("no-length", "cut:1")
        assert client.left() == []

    def test_the_id_of_git(self, client: Client) -> None:
        small = {"url": f"{client.hub.endpoint}/plain/org/name/small.txt", "sha256": None, "bytes": 5}
        blob = "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"  # printf hello | git hash-object --stdin
        assert client.fetch(git_blob=blob, **small).bytes == 5
        assert client.fetch("no-length", git_blob=blob, **{**small, "bytes": None}).bytes == 5
        with pytest.raises(DownloadError, match=f"has the git id {blob}, not {'0' * 40}"):
            client.fetch(git_blob="0" * 40, **small)

    def test_another_size(self, client: Client) -> None:
        with pytest.raises(WebError, match="the server's file has 3,000,000 bytes, not 5; it is not the one"):
            client.fetch(bytes=5)

    def test_more_than_was_promised(self, client: Client) -> None:
        with pytest.raises(WebError, match="sends more than the 2,000,000 bytes"):
            client.fetch("no-length", bytes=2_000_000)
        assert client.left() == []

    @pytest.mark.parametrize(
        ("fault", "message", "tries"),
        [
            ("cdn-404", r"there is no such file \(404\); correct the address", 1),
            ("cdn-403", r"refuses it \(403\); give credentials", 1),
            ("cdn-401", r"refuses it \(401\); give credentials", 1),
            ("cdn-429", r"too many requests \(429\); try again later \(4 failures in a row\)", 4),
            ("cdn-500", r"the server fails \(500\); try again later \(4 failures in a row\)", 4),
        ],
    )
    def test_statuses(self, fault: str, message: str, tries: int, client: Client) -> None:
        with pytest.raises(WebError, match=f"the model: .*{message}"):
            client.fetch(fault, retries=3)
        assert len(client.hub.requests) == tries

    def test_what_the_caller_does_not_want(self, client: Client) -> None:
        def refuse(path: str) -> None:
            assert Path(path).read_bytes() == CONTENT
            raise ModelFileError("no model")

        with pytest.raises(ModelFileError, match="no model"):
            client.fetch(check=refuse)
        assert client.left() == []

    def test_no_room(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = []

        def full(directory: str, needed: int, purpose: str) -> None:
            asked.append((directory, needed, purpose))
            raise SpaceError("full")

        monkeypatch.setattr(download, "require_space", full)
        client.part.write_bytes(CONTENT[:1_000_000])
        with pytest.raises(SpaceError):
            client.fetch()
        assert asked == [(str(client.target.parent), 2_000_000, "Downloading the model")]
        # Of what is there already nothing is lost; of what is not, nothing is left.
        assert client.part.stat().st_size == 1_000_000
        client.part.unlink()
        with pytest.raises(SpaceError):
            client.fetch()
        assert client.left() == []

    def test_a_disk_that_fills_up_keeps_what_is_whole(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(download, "PIECE_BYTES", 1_000_000)
        calls = []

        def open_full(path: str, mode: str = "r", **options: Any) -> Any:
            file = open(path, mode, **options)  # noqa: SIM115 - the caller closes it
            return Full(file, calls) if mode == "r+b" else file

        monkeypatch.setattr(download, "open", open_full, raising=False)
        with pytest.raises(DownloadError, match=r"is full; free space; .* bytes are kept, and the next run goes on"):
            client.fetch()
        kept = client.part.stat().st_size
        assert 0 < kept < len(CONTENT)
        assert client.part.read_bytes() == CONTENT[:kept]
        monkeypatch.undo()
        assert client.fetch().resumed_from == kept

    def test_two_never_write_one_file(self, client: Client) -> None:
        with client.part.open("wb") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with pytest.raises(ModelFileError, match="is being written by another process"):
                client.fetch()


class Full:
    """A file on a disk that takes a piece, then half of one, and then nothing."""

    def __init__(self, file: Any, calls: list[int]) -> None:
        self.file, self.calls = file, calls

    def write(self, data: memoryview) -> int:
        self.calls.append(len(data))
        if len(self.calls) == 1:
            return self.file.write(data)
        if len(self.calls) == 2:
            return self.file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> Full:
        return self

    def __exit__(self, *_error: object) -> None:
        self.file.close()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"source": 1}', '{"source": "the model", "validator": null}']
)
def test_a_damaged_note_beside_the_part_is_none(content: str, client: Client) -> None:
    client.part.write_bytes(CONTENT[:1_000_000])
    Path(f"{client.part}.json").write_text(content)
    assert client.fetch().resumed_from == 1_000_000
