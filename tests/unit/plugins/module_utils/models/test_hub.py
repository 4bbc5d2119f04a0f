# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import http.client
import io
import json
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from support.models.hub_server import HubServer

from ansible_collections.cloudbench.llama.plugins.module_utils.models import web
from ansible_collections.cloudbench.llama.plugins.module_utils.models.download import fetch
from ansible_collections.cloudbench.llama.plugins.module_utils.models.hub import Hub, HubError, HubFile, Unreachable

TOKEN = "hf_known"
CONTENT = bytes(range(256)) * 100


@pytest.fixture
def hub(tmp_path: Path):
    for name in ("open", "gated", "denied"):
        folder = tmp_path / "repositories" / "org" / name
        folder.mkdir(parents=True)
        for file in ("m-F16.gguf", "m-Q4_0.gguf", "a folder/model+1.gguf"):
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_bytes(CONTENT + file.encode())
        (folder / "config.json").write_text("hello")
    with HubServer(tmp_path / "repositories", token=TOKEN, gated=["org/gated"], denied=["org/denied"]) as server:
        yield server


def client(hub: HubServer, token: str | None = None, waited: list[float] | None = None) -> Hub:
    return Hub(hub.endpoint, token, wait=[].append if waited is None else waited.append)


def refusal(hub: HubServer, *question: str, token: str | None = None, faults: Any = (), kind: type = HubError) -> str:
    hub.set_faults(*faults)
    with pytest.raises(kind) as told:
        client(hub, token).file(*question)
    for secret in (TOKEN, "hf_unknown"):
        assert secret not in str(told.value)
    return str(told.value)


def test_a_large_file(hub: HubServer, tmp_path: Path) -> None:
    found = client(hub, TOKEN).file("org/open", "m-F16.gguf")
    content = CONTENT + b"m-F16.gguf"
    commit = hub.repositories["org/open"].commit
    assert found == HubFile(
        hub.endpoint, "org/open", commit, "m-F16.gguf", hashlib.sha256(content).hexdigest(), None, len(content)
    )
    assert found.source == hub.endpoint[len("http://") :] + f"/org/open@{commit}/m-F16.gguf"
    # The address is that of the commit, and the token stays with the hub.
    fetch(found.wanted(TOKEN), str(tmp_path / "x"))
    assert (tmp_path / "x").read_bytes() == content
    seen = [(seen.server, seen.method, seen.headers.get("authorization")) for seen in hub.requests]
    assert seen == [("hub", "HEAD", "Bearer hf_known"), ("hub", "GET", "Bearer hf_known"), ("cdn", "GET", None)]
    assert f"/resolve/{commit}/" in hub.requests[1].path


def test_a_hub_and_its_content_in_one_place(hub: HubServer, tmp_path: Path) -> None:
    with HubServer(tmp_path / "repositories", cdn_port=None) as other:
        found = client(other).file("org/open", "m-F16.gguf")
        assert found.sha256 == hashlib.sha256(CONTENT + b"m-F16.gguf").hexdigest()
        assert [seen.method for seen in other.requests] == ["HEAD"]
        fetch(found.wanted(None), str(tmp_path / "x"))


def test_a_small_file_has_the_id_of_git(hub: HubServer) -> None:
    found = client(hub).file("org/open", "config.json")
    assert (found.sha256, found.git_blob, found.bytes) == (None, "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0", 5)


def test_names_are_quoted(hub: HubServer) -> None:
    assert client(hub).file("org/open", "a folder/model+1.gguf").sha256
    assert "a%20folder/model%2B1.gguf" in hub.requests[0].path


def test_a_listing_agrees_with_each_file(hub: HubServer) -> None:
    listed = client(hub).files("org/open")
    assert [entry.file for entry in listed] == ["a folder/model+1.gguf", "config.json", "m-F16.gguf", "m-Q4_0.gguf"]
    assert listed == [client(hub).file("org/open", entry.file) for entry in listed]


def test_a_revision_is_a_branch_or_a_commit(hub: HubServer) -> None:
    commit = hub.repositories["org/open"].commit
    assert client(hub).file("org/open", "config.json", commit).commit == commit
    assert "has no revision v1; correct it" in refusal(hub, "org/open", "config.json", "v1")


class TestRefusals:
    def test_gated_without_a_token(self, hub: HubServer) -> None:
        assert refusal(hub, "org/gated", "m-F16.gguf") == (
            f"org/gated is gated, and no token was given; accept its licence at {hub.endpoint}/org/gated and give a "
            "token of that account: `export HF_TOKEN=...` on the controller, or the variable llama_model_hub_token, "
            "from a vault"
        )

    def test_gated_with_a_token_that_is_unknown(self, hub: HubServer) -> None:
        told = refusal(hub, "org/gated", "m-F16.gguf", token="hf_unknown")
        assert "is gated, and the hub does not accept the token; accept the licence at" in told

    def test_gated_with_a_token_without_access(self, hub: HubServer) -> None:
        told = refusal(hub, "org/denied", "m-F16.gguf", token=TOKEN)
        assert f"the account of the token has no access; ask for it at {hub.endpoint}/org/denied" in told
        assert "no token was given" in refusal(hub, "org/denied", "m-F16.gguf")

    def test_gated_with_access(self, hub: HubServer) -> None:
        assert client(hub, f" {TOKEN}\n").file("org/gated", "m-F16.gguf").sha256

    def test_a_token_that_is_unknown(self, hub: HubServer) -> None:
        told = refusal(hub, "org/open", "m-F16.gguf", token="hf_unknown")
        assert "does not know the token; give a valid one: `export HF_TOKEN=...`" in told

    def test_a_repository_that_there_is_not(self, hub: HubServer) -> None:
        told = refusal(hub, "org/none", "m-F16.gguf")
        assert "has no repository org/none, or shows it to its members only (401); check the name, or, if" in told
        assert "give a token" in told
        told = refusal(hub, "org/none", "m-F16.gguf", token=TOKEN)
        assert "(404); check the name, or, if it is private, whether the token may read it" in told

    def test_a_file_that_there_is_not(self, hub: HubServer) -> None:
        told = refusal(hub, "org/open", "m-Q8_0.gguf")
        assert told.endswith(
            "has no file m-Q8_0.gguf at main; there are m-Q4_0.gguf, m-F16.gguf, a folder/model+1.gguf"
        )
        assert refusal(hub, "org/open", "m.txt").endswith("has no file m.txt at main; correct the name")

    @pytest.mark.parametrize(
        ("fault", "message"),
        [
            ("403", "refuses org/open (403); give a token that may read it"),
            ("404", "does not answer like a Hugging Face hub; correct the repository or llama_model_hub_endpoint"),
            ("429", "too many requests from here (429); wait 1 s and run again, or give a token, which has a higher"),
        ],
    )
    def test_statuses(self, fault: str, message: str, hub: HubServer) -> None:
        assert message in refusal(hub, "org/open", "m-F16.gguf", faults=[fault])

    def test_a_hub_that_fails(self, hub: HubServer) -> None:
        told = refusal(hub, "org/open", "m-F16.gguf", faults=["500"], kind=Unreachable)
        assert "fails (500) and did not come round; run again later" in told
        assert len(hub.requests) == 6

    def test_a_hub_that_is_not_there(self, hub: HubServer) -> None:
        hub.__exit__()
        assert "cannot be reached" in refusal(hub, "org/open", "m-F16.gguf", kind=Unreachable)

    def test_something_else_than_a_hub(self, hub: HubServer) -> None:
        elsewhere = Hub(f"{hub.endpoint}/redirect?to={hub.endpoint}/plain/org/open/config.json#")
        with pytest.raises(HubError, match=r"does not answer like a Hugging Face hub \(X-Repo-Commit"):
            elsewhere.file("org/open", "config.json")
        with pytest.raises(HubError, match=r"does not answer like a Hugging Face hub \(no JSON\)"):
            elsewhere.files("org/open")

    @pytest.mark.parametrize(
        ("repository", "file", "revision", "message"),
        [
            ("name", "x", "main", "'name' is no repository; write OWNER/NAME"),
            ("../..", "x", "main", "is no repository"),
            ("org/name?x", "x", "main", "is no repository"),
            ("org/name", "../x", "main", "'../x' is no file of a repository"),
            ("org/name", "/x", "main", "is no file"),
            ("org/name", "x#y", "main", "is no file"),
            ("org/name", "x", "", "'' is no revision"),
            ("org/name", "x", "a b", "'a b' is no revision"),
        ],
    )
    def test_names_that_are_none(self, repository: str, file: str, revision: str, message: str, hub: HubServer) -> None:
        assert message in refusal(hub, repository, file, revision)
        assert hub.requests == []


def test_what_passes_is_sat_out(hub: HubServer) -> None:
    waited: list[float] = []
    hub.set_faults("500:2")
    assert client(hub, waited=waited).file("org/open", "config.json")
    hub.set_faults("429:1")
    assert client(hub, waited=waited).files("org/open")
    assert waited == [1.0, 2.0, 1.0]


def listing(monkeypatch: pytest.MonkeyPatch, text: str) -> list[HubFile]:
    """Return the files of a repository by what a hub lists."""
    answer = web.Answer(200, Message(), io.BytesIO(text.encode()))
    monkeypatch.setattr(web, "request", lambda *_asked, **_named: answer)
    return Hub("https://hub.example").files("org/open")


SIBLING = {"rfilename": "m.gguf", "blobId": 40 * "a", "size": 9}


@pytest.mark.parametrize(
    "changes",
    [
        {"size": "9"}, {"size": -1}, {"size": True}, {"size": 10**30}, {"blobId": 7}, {"rfilename": None},
        {"lfs": {"sha256": 7}}, {"lfs": {"size": "9"}}, {"lfs": [1]}, {"lfs": "x"},
    ],
)  # fmt: skip
def test_a_listing_of_another_form_is_refused(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps({"sha": 40 * "a", "siblings": [{**SIBLING, **changes}]})
    with pytest.raises(HubError, match="lists org/open in a way that is not understood"):
        listing(monkeypatch, text)


@pytest.mark.parametrize("text", ["[" * 100_000, "NaN", "9" * 5000, "<html>"])
def test_a_listing_that_is_no_json_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HubError, match=r"does not answer like a Hugging Face hub \(no JSON\)"):
        listing(monkeypatch, text)


def test_a_listing_that_is_cut_off_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cut(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise http.client.IncompleteRead(b"")

    waited: list[float] = []
    monkeypatch.setattr(web, "request", lambda *_asked, **_named: web.Answer(200, Message(), Cut()))
    hub = Hub("https://hub.example", wait=waited.append)
    with pytest.raises(Unreachable, match=r"hub\.example cannot be reached: IncompleteRead"):
        hub.files("org/open")
    assert len(waited) > 1


def test_what_a_hub_says_is_no_command_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = Message()
    headers["X-Error-Message"] = "no\x9b31m\x1b[2J" + 5000 * "x"

    def refuse(*_asked: object, **_named: object) -> None:
        raise web.failed("hub.example", 403, headers)

    monkeypatch.setattr(web, "request", refuse)
    with pytest.raises(HubError, match=r"refuses org/open \(403: no\ufffd31m\ufffd\[2Jxxx") as told:
        Hub("https://hub.example").file("org/open", "m.gguf")
    assert len(str(told.value)) < 600


def test_a_time_to_wait_that_no_calendar_has_is_none() -> None:
    headers = Message()
    headers["Retry-After"] = "Fri, 31 Dec 99999 23:59:59 GMT"
    assert web.failed("hub.example", 503, headers).after is None


def test_a_hub_that_has_nothing_of_anything_is_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = Message()
    headers["X-Error-Code"] = "EntryNotFound"
    asked: list[str] = []

    def refuse(url: str, *_asked: object, **_named: object) -> None:
        asked.append(url)
        raise web.failed("hub.example", 404, headers)

    monkeypatch.setattr(web, "request", refuse)
    with pytest.raises(HubError, match=r"has no file m.gguf at main; correct the name"):
        Hub("https://hub.example").file("org/open", "m.gguf")
    assert len(asked) == 2
