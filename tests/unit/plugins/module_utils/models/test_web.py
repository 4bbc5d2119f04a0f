# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import email.message
import time
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote

import pytest
from support.models.hub_server import HubServer

from ansible_collections.cloudbench.llama.plugins.module_utils.models import web
from ansible_collections.cloudbench.llama.plugins.module_utils.record.version import VERSION


@pytest.fixture
def hub(tmp_path: Path):
    folder = tmp_path / "repositories" / "org" / "name"
    folder.mkdir(parents=True)
    (folder / "file.txt").write_text("content")
    with HubServer(tmp_path / "repositories") as server:
        yield server


def answered(**fields: str) -> email.message.Message:
    message = email.message.Message()
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


def sent_to(hub: HubServer, server: str) -> list[dict[str, str]]:
    return [seen.headers for seen in hub.requests if seen.server == server]


class TestRedirects:
    def test_a_secret_goes_to_its_own_server_only(self, hub: HubServer) -> None:
        for target in (f"{hub.endpoint}/plain/org/name/file.txt", f"{hub.cdn}/plain/org/name/file.txt"):
            answer = web.request(
                f"{hub.endpoint}/redirect?to={target}", headers={"Range": "bytes=2-"}, secrets={"X-Key": "open sesame"}
            )
            assert answer.status == 206
            assert answer.body.read() == b"ntent"
            answer.body.close()
        assert [headers.get("x-key") for headers in sent_to(hub, "hub")] == ["open sesame"] * 3
        (elsewhere,) = sent_to(hub, "cdn")
        assert "x-key" not in elsewhere
        assert elsewhere["range"] == "bytes=2-"

    def test_user_and_password_become_a_header_and_stay_at_home_too(self, hub: HubServer) -> None:
        url = f"{hub.endpoint}/redirect?to={hub.cdn}/plain/org/name/file.txt".replace("//", "//me:pa%20ss@", 1)
        web.request(url).body.close()
        assert sent_to(hub, "hub")[0]["authorization"] == "Basic bWU6cGEgc3M="
        assert "authorization" not in sent_to(hub, "cdn")[0]

    @pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://host/x", "data:,x"])
    def test_nothing_but_the_web_is_followed(self, target: str, hub: HubServer) -> None:
        with pytest.raises(web.WebError, match="redirects to an address of the kind") as told:
            web.request(f"{hub.endpoint}/redirect?to={target}")
        assert not told.value.retry

    @pytest.mark.parametrize(
        ("url", "location", "place"),
        [
            ("https://a/b/c?d", "e", "https://a/b/e"),
            ("http://a/b", "//c:8080/d?e=f%20g", "http://c:8080/d?e=f%20g"),
            ("http://a/b", "HTTPS://C/a b\u00e9", "HTTPS://C/a%20b%E9"),
            ("https://a/b", "http://a/b", None),
            ("https://a/b", "//c/d", "https://c/d"),
        ],
    )
    def test_a_redirect_is_followed_but_never_out_of_https(self, url: str, location: str, place: str | None) -> None:
        if place is None:
            with pytest.raises(web.WebError, match="it redirects from https to http, which is not followed; give the"):
                web._next("it", url, answered(Location=location))
        else:
            assert web._next("it", url, answered(Location=location)) == place

    def test_a_redirect_to_nowhere(self) -> None:
        with pytest.raises(web.WebError, match="it redirects to nowhere; give the final address"):
            web._next("it", "https://a/b", answered())

    def test_a_secret_is_there_again_where_the_way_leads_back(self, hub: HubServer) -> None:
        back = quote(f"{hub.endpoint}/plain/org/name/file.txt", safe="")
        web.request(
            f"{hub.endpoint}/redirect?to={quote(f'{hub.cdn}/redirect?to={back}', safe='')}", secrets={"X-Key": "sesame"}
        ).body.close()
        assert [headers.get("x-key") for headers in sent_to(hub, "hub")] == ["sesame"] * 2
        assert [headers.get("x-key") for headers in sent_to(hub, "cdn")] == [None]

    def test_a_circle_ends(self, hub: HubServer) -> None:
        with pytest.raises(web.WebError, match="redirects in a circle"):
            web.request(f"{hub.endpoint}/redirect")

    def test_a_redirect_elsewhere_is_the_answer_where_that_is_wanted(self, hub: HubServer) -> None:
        answer = web.request(f"{hub.endpoint}/redirect?to={hub.cdn}/x", "HEAD", stay=True)
        answer.body.close()
        assert (answer.status, sent_to(hub, "cdn")) == (302, [])


def test_what_netrc_knows_of_a_server_is_not_sent_unasked(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hunter2\ndefault login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    web.request(f"{hub.endpoint}/plain/org/name/file.txt").body.close()
    (headers,) = sent_to(hub, "hub")
    assert "authorization" not in headers
    assert headers["user-agent"] == f"cloudbench.llama/{VERSION}"
    assert headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://host/x", "/local", "", "http://", "https:///x", "http://a b/", "http://h/\n"]
)
def test_what_is_no_address_of_a_web_server(url: str) -> None:
    with pytest.raises(web.WebError, match="is no address of a web server"):
        web.request(url)


def test_no_message_holds_a_secret(hub: HubServer) -> None:
    address = hub.endpoint.replace("//", "//me:hunter2@") + "/plain/none?Signature=hunter3"
    with pytest.raises(web.WebError) as told:
        web.request(address)
    assert f"{hub.endpoint}/plain/none: there is no such file (404)" in str(told.value)
    for key, value in (("Authorization", "Bearer hunter2\n"), ("Authorization", "hunter2 \u20ac"), ("hunter 2", "x")):
        with pytest.raises(web.WebError, match="cannot be sent; correct it") as told:
            web.request(hub.endpoint, secrets={key: value})
        assert "hunter2" not in str(told.value)
    with pytest.raises(web.WebError) as told:
        web.request("http://me:hunter2@host:port/")
    assert "hunter2" not in str(told.value)


def test_the_public_part_of_an_address() -> None:
    secret = "https://me:pass@host:8443/m.gguf?token=abc#x"
    assert web.public(secret) == "https://host:8443/m.gguf"
    assert web.holds_secret(secret)
    assert not web.holds_secret(web.public(secret))


def test_a_server_that_is_not_there(hub: HubServer) -> None:
    hub.__exit__()
    with pytest.raises(web.WebError, match=r"127\.0\.0\.1 cannot be reached: .*refused.*; check its name") as told:
        web.request(hub.endpoint)
    assert told.value.retry


@pytest.mark.parametrize(
    ("status", "headers", "retry", "after"),
    [
        (500, {}, True, None),
        (503, {"Retry_After": "7"}, True, 7.0),
        (429, {"RateLimit": '"api";r=0;t=55'}, True, 55.0),
        (429, {"RateLimit": '"api";r=3;t=55'}, True, None),
        (429, {"Retry_After": "soon"}, True, None),
        (429, {"Retry_After": "301"}, False, 301.0),
        (404, {"Retry_After": "7"}, False, None),
        (403, {}, False, None),
    ],
)
def test_when_to_ask_again(status: int, headers: dict, retry: bool, after: float | None) -> None:
    error = web.failed("it", status, answered(**headers))
    assert (error.retry, error.after, error.status) == (retry, after, status)
    if after == 301:
        assert "asks to wait 301 s (429); run again after that" in str(error)


def test_a_date_as_time_to_ask_again() -> None:
    error = web.failed("it", 503, answered(Retry_After=formatdate(time.time() + 100, usegmt=True)))
    assert error.after is not None
    assert 0 < error.after <= 100
    assert web.failed("it", 503, answered(Retry_After="Fri, 01 Jan 1999 00:00:00 GMT")).after == 0.0


def test_patience_grows_and_ends() -> None:
    error = web.WebError("", retry=True)
    assert [web.pause(count, error) for count in (1, 2, 3, 7, 20)] == [1.0, 2.0, 4.0, 60.0, 60.0]
    assert web.pause(9, web.WebError("", after=3.0)) == 3.0
