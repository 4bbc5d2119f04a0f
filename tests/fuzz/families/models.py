# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models: headers and parts of GGUF files, what stands beside them, what a hub answers, and how they are asked for."""

from __future__ import annotations

import http.client
import io
import json
import os
from functools import cache
from typing import Any
from unittest import mock

from fuzz.strategies import TEXT, as_json, objects, values
from fuzz.target import Target, fixtures
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from support.models import gguf_files

from ansible_collections.cloudbench.llama.plugins.module_utils.models import (
    digests,
    file,
    gguf,
    hub,
    presets,
    quantizations,
    source,
    texts,
    web,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope

_PATH = "model.gguf"


def _gguf(data: bytes) -> None:
    """A file is read, checked to be a whole model, described, and digested piece by piece."""
    with open(_PATH, "wb") as written:
        written.write(data)
    hasher = digests.Hasher()
    for at in range(0, len(data), 4096):
        hasher.update(data[at : at + 4096])
    known = hasher.digests()
    model = gguf.read_gguf(_PATH, ["llama"])
    assert model.data_offset <= len(data) + model.alignment
    file.removed_types_message(model)
    gguf.bits_per_weight(model)
    file.check_whole(model)
    envelope.canonical(file.describe(model, digests=known))


def _head(data: bytes) -> None:
    """The beginning of a file that is being downloaded."""
    gguf.parameters(gguf.read_head(data))


def _models() -> list[bytes]:
    array = gguf_files.record(
        "tokenizer.ggml.tokens", gguf_files.ARRAY, (gguf_files.STRING, [f"t{n}" for n in range(20)])
    )
    several = [
        gguf_files.record("general.alignment", gguf_files.UINT32, 64),
        gguf_files.record("split.count", gguf_files.UINT32, 2),
        gguf_files.record("split.no", gguf_files.UINT32, 0),
    ]
    made_with = [
        gguf_files.record("quantize.imatrix.file", gguf_files.STRING, "/somewhere/a.imatrix"),
        gguf_files.record("quantize.imatrix.dataset", gguf_files.STRING, "/somewhere/wiki.txt"),
        gguf_files.record("quantize.imatrix.chunks_count", gguf_files.INT32, 100),
        array,
    ]
    return [
        gguf_files.model(),
        gguf_files.model(records=several[:1]),
        gguf_files.model(records=several[1:]),
        gguf_files.model(records=made_with),
        gguf_files.model(file_type=7, kind=8),
        gguf_files.model(version=2),
    ]


def _heads() -> list[bytes]:
    return [*_models(), gguf_files.vocabulary(12, 6), *(data[-4096:] for data in fixtures("gguf/*.header")[:1]),
            *(data[:3000] for data in fixtures("gguf/*.header")[:2])]  # fmt: skip


def _records() -> SearchStrategy[bytes]:
    """Headers that are right in their form and say anything."""
    key = st.sampled_from(
        ["general.architecture", "general.file_type", "general.alignment", "split.count", "cloudbench.synthetic",
         "quantize.imatrix.file", "quantize.imatrix.chunks_count", "x"]
    )  # fmt: skip
    kinds = {
        gguf_files.UINT32: st.integers(0, 2**32 - 1),
        gguf_files.INT32: st.integers(-(2**31), 2**31 - 1),
        gguf_files.FLOAT32: st.floats(width=32),
        gguf_files.BOOL: st.booleans(),
        gguf_files.UINT64: st.integers(0, 2**64 - 1),
        gguf_files.STRING: st.sampled_from(["llama", "", "x", 300 * "A", "\0", "\u202e"]),
    }
    one = st.one_of(
        *(st.tuples(key, st.just(kind), value) for kind, value in kinds.items()),
        st.tuples(
            key,
            st.just(gguf_files.ARRAY),
            st.tuples(st.just(gguf_files.INT32), st.lists(st.integers(-9, 9), max_size=12)),
        ),
    )
    tensor = st.tuples(
        st.sampled_from(["a", "b", ""]),
        st.lists(st.integers(0, 2**34), max_size=5),
        st.integers(0, 50),
        st.integers(0, 2**63),
    )
    made = st.tuples(st.lists(one, max_size=4), st.lists(tensor, max_size=3))
    return made.map(
        lambda parts: gguf_files.gguf(
            [gguf_files.record(*record) for record in parts[0]],
            [gguf_files.tensor(*row) for row in parts[1]],
            bytes(256),
        )
    )


def _sidecar(data: bytes) -> None:
    """What stands beside a model is believed while size and time are those of the model."""
    if not os.path.exists("beside.gguf"):
        with open("beside.gguf", "wb") as written:
            written.write(gguf_files.model())
    os.utime("beside.gguf", ns=(10**18, 10**18))
    with open(file.sidecar_path("beside.gguf"), "wb") as written:
        written.write(data)
    file.read_sidecar("beside.gguf")
    known = file.recall("beside.gguf", {})
    if known is not None:
        envelope.canonical(known)


def _sidecars() -> list[bytes]:
    model = gguf_files.model()
    whole = digests.Hasher()
    whole.update(model)
    known = {
        "name": "m", "quantization": "Q4_0", "file": "m.gguf", "sha256": whole.sha256(), "bytes": len(model),
        "parameters": 160, "synthetic": False, "source": "here", "architecture": "llama", "mtime_ns": 10**18,
    }  # fmt: skip
    added = {"tensor_types": {"F32": {"tensors": 1, "bytes": 128}}, "bits_per_weight": 4.5, "tensors_sha256": None}
    return [json.dumps(known).encode(), json.dumps({**known, **added}, indent=2).encode()]


def _answer(data: bytes) -> web.Answer:
    """Return what a server says: a status line, headers and a body, as http.client reads them."""
    response = http.client.HTTPResponse(_Canned(data))  # type: ignore[arg-type]
    try:
        response.begin()
    except (OSError, http.client.HTTPException) as error:
        raise web.unreachable("hub.example", error) from error
    if response.status >= 400:
        raise web.failed("hub.example", response.status, response.headers)
    return web.Answer(response.status, response.headers, response)


class _Canned:
    """A connection on which everything has come already."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return what is read from."""
        return io.BufferedReader(io.BytesIO(self._data))


def _hub(data: bytes) -> None:
    """A hub says of which commit a file is, and which files there are."""
    asked = hub.Hub("https://hub.example", retries=1, wait=lambda _seconds: None)
    with mock.patch.object(web, "request", side_effect=lambda *_arguments, **_named: _answer(data)):
        try:
            asked.file("owner/name", "model.gguf").wanted(None)
        except hub.HubError:
            pass
        for entry in asked.files("owner/name"):
            assert ".." not in entry.file.split("/")
            assert not entry.file.startswith("/")


_COMMIT = "0123456789abcdef0123456789abcdef01234567"
_LISTING = {
    "sha": _COMMIT,
    "siblings": [
        {"rfilename": "config.json", "blobId": _COMMIT, "size": 654},
        {"rfilename": "model.gguf", "blobId": _COMMIT, "size": 9, "lfs": {"sha256": 64 * "a", "size": 9}},
    ],
}


def _http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


def _hub_answers() -> list[bytes]:
    listing = json.dumps(_LISTING).encode()
    return [
        _http(listing, "200 OK", f"X-Repo-Commit: {_COMMIT}", f'ETag: "{_COMMIT}"', f"Content-Length: {len(listing)}"),
        _http(
            listing,
            "302 Found",
            f"X-Repo-Commit: {_COMMIT}",
            f'X-Linked-Etag: "{64 * "a"}"',
            "X-Linked-Size: 9",
            "Location: /x",
        ),
        _http(b"", "429 Too Many Requests", "Retry-After: 30", 'RateLimit: "api";r=0;t=55'),
        _http(b"", "503 Busy", "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT"),
        _http(
            b"", "401 Unauthorized", "X-Error-Code: GatedRepo", "X-Error-Message: Access to this resource is disabled."
        ),
        _http(b"", "404 Not Found", "X-Error-Code: EntryNotFound"),
    ]


def _asked_for(data: bytes) -> None:
    """An entry of llama_model_models."""
    entry = json.loads(data)
    source.public_entry(entry)
    parsed = source.parse(entry)
    file.file_name(parsed.name, "Q4_0")
    for name in ("Q4_0", "IQ2_XXS", "Q4_0+imatrix"):
        source.for_quantization(parsed.url, name)
        try:
            source.check_quantization(parsed, quantizations.lookup(name))
            parsed.digest(name)
        except source.ModelSourceError as error:
            str(error)
    envelope.canonical(parsed._asdict())


class _NotJsonError(ValueError):
    """The input is no JSON, and variables come as values."""


def _values(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _NotJsonError from error


def _text(data: bytes) -> None:
    """An entry of llama_model_text."""
    texts.title(texts.parse(_values(data)).name)


@cache
def _entries() -> list[bytes]:
    sha256 = 64 * "0"
    entries: list[Any] = [
        "llama-3.2-1b-synthetic",
        next(iter(presets.PUBLISHED)),
        {"name": "mine", "path": "/models/m.gguf"},
        {
            "name": "mine",
            "url": "https://user:secret@example.org/m-{quantization}.gguf?x#y",
            "sha256": {"Q4_0": sha256},
        },
        {"name": "mine", "s3": "s3://bucket/key.gguf", "sha256": sha256},
        {"name": "mine", "repository": "owner/name", "file": "model-F16.gguf", "revision": "main"},
        {"name": "mine", "repository": "owner/name", "convert": True},
        {"name": "smollm2-135m", "requantize": True},
    ]
    return [json.dumps(entry).encode() for entry in entries]


def _entry_values(data: bytes) -> None:
    _values(data)
    _asked_for(data)


def _quantization(data: bytes) -> None:
    """The name of a quantization becomes part of the name of a file."""
    name = data.decode("utf-8", "surrogateescape")
    quantizations.plain(name)
    quantizations.promised_types(name)
    known = quantizations.lookup(name)
    assert quantizations.lookup(known.name) == known
    assert set(quantizations.slug(name)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert quantizations.bits(known) > 0


TARGETS = (
    Target(
        "gguf",
        _gguf,
        (gguf.GgufError, file.ModelFileError),
        _models,
        ("llama", "general.alignment", "split.count"),
        share=4,
        binary=True,
        strategy=_records,
    ),
    Target(
        "gguf-head",
        _head,
        (gguf.GgufError,),
        _heads,
        ("GGUF", "FUGG", "PK\x03\x04", "<html", '{"error'),
        share=8,
        binary=True,
        strategy=_records,
    ),
    Target("sidecar", _sidecar, (), _sidecars, ("sha256", "bytes", "mtime_ns", "imatrix"), share=1.5),
    Target(
        "hub",
        _hub,
        (hub.HubError,),
        _hub_answers,
        (
            "rfilename",
            "siblings",
            "lfs",
            "sha",
            "X-Repo-Commit: ",
            "ETag: ",
            "Content-Length: ",
            "Transfer-Encoding: chunked",
            "Retry-After: ",
            "../",
            "%2e%2e",
        ),
        share=3,
    ),
    Target(
        "model-source",
        _entry_values,
        (source.ModelSourceError, file.ModelFileError, _NotJsonError),
        _entries,
        (
            "name",
            "path",
            "url",
            "s3",
            "repository",
            "file",
            "revision",
            "sha256",
            "convert",
            "requantize",
            "{quantization}",
            "https://",
            "s3://",
            "user:secret@",
        ),
        share=10,
        strategy=lambda: as_json(
            objects(
                {
                    "name": st.just("mine"),
                    "path": TEXT,
                    "url": TEXT,
                    "s3": TEXT,
                    "repository": TEXT,
                    "file": TEXT,
                    "revision": TEXT,
                    "sha256": st.one_of(TEXT, st.dictionaries(TEXT, TEXT, max_size=2)),
                    "convert": st.booleans(),
                    "requantize": st.booleans(),
                }
            )
        ),
    ),
    Target(
        "text-source",
        _text,
        (texts.TextSourceError, _NotJsonError),
        lambda: [
            b'"book"',
            json.dumps({"name": "mine", "sha256": 64 * "0", "path": "/x.txt"}).encode(),
            json.dumps({"name": "mine", "sha256": 64 * "0", "url": "https://example.org/x.txt"}).encode(),
        ],
        ("name", "sha256", "path", "url"),
        share=6,
        strategy=lambda: as_json(values()),
    ),
    Target(
        "quantization",
        _quantization,
        (quantizations.QuantizationError,),
        lambda: [name.encode() for name in (*quantizations.BY_NAME, *quantizations.ALIASES, "q4_0+imatrix")],
        ("+imatrix", "+", "_K_M", "Q4_0"),
        share=5,
    ),
)
