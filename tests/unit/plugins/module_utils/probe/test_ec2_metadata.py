# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Against a real HTTP server on loopback that answers as the instance metadata service does."""

from __future__ import annotations

import http.server
import threading

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.probe import ec2_metadata

TOKEN = "AQAEAGhV2Tz0_kLqWvY-7w=="
ANSWERS = {
    "instance-type": "c7g.16xlarge",
    "instance-id": "i-0123456789abcdef0",
    "placement/availability-zone": "us-east-1a",
    "ami-id": "ami-0123456789abcdef0",
    "instance-life-cycle": "spot",
}
INSTANCE = {
    "type": "c7g.16xlarge",
    "id": "i-0123456789abcdef0",
    "zone": "us-east-1a",
    "image": "ami-0123456789abcdef0",
    "life_cycle": "spot",
}


class Service(http.server.ThreadingHTTPServer):
    """The service: a token by PUT with a time to live, then data by GET with the token; 401 without.

    `answers` holds bytes or text by path, `status` and `location` go with every GET of data, `silent` ends no request.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.status, self.location = dict(ANSWERS), 200, None
        self.token, self.silent, self.requests = TOKEN, False, []
        self.hung = threading.Event()
        self.environment = {ec2_metadata.ENDPOINT_VARIABLE: f"http://127.0.0.1:{self.server_port}"}


class Handler(http.server.BaseHTTPRequestHandler):
    server: Service

    def log_message(self, format, *args):
        pass

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        self.server.requests.append(("PUT", self.path))
        if self.server.silent:
            self.server.hung.wait(20)
            return
        lives = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if self.path != "/latest/api/token" or not lives.isdigit() or not 1 <= int(lives) <= 21600:
            self.answer(400)
        else:
            self.answer(200, self.server.token.encode())

    def do_GET(self):
        self.server.requests.append(("GET", self.path))
        found = self.server.answers.get(self.path.removeprefix("/latest/meta-data/"))
        if self.headers.get("X-aws-ec2-metadata-token") != self.server.token:
            self.answer(401)
        elif found is None:
            self.answer(404, b"<html>404 - Not Found</html>")
        else:
            self.answer(self.server.status, found if isinstance(found, bytes) else found.encode())


@pytest.fixture
def service():
    server = Service()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.hung.set()
    server.shutdown()
    thread.join()
    server.server_close()


def ask(service, **more):
    return ec2_metadata.instance("/nowhere", {**service.environment, **more})


def test_an_instance_tells_what_it_is(service):
    assert ask(service) == INSTANCE
    assert service.requests[0] == ("PUT", "/latest/api/token")
    assert sorted(service.requests[1:]) == sorted(("GET", "/latest/meta-data/" + path) for path in ANSWERS)


def test_what_is_not_there_is_none(service):
    del service.answers["instance-life-cycle"], service.answers["ami-id"]
    assert ask(service) == {**INSTANCE, "life_cycle": None, "image": None}


@pytest.mark.parametrize(
    ("path", "garbage"),
    [
        ("instance-id", "i-0123; rm -rf /"),
        ("instance-id", "<html>Log in to use the network</html>"),
        ("placement/availability-zone", "../../etc"),
        ("ami-id", b"\xff\xfe\x00\x01"),
        ("instance-life-cycle", "spot " + "x" * 5000),
        ("instance-life-cycle", ""),
    ],
)
def test_an_answer_of_another_form_is_none(service, path, garbage):
    service.answers[path] = garbage
    found = ask(service)
    changed = {key for key, value in found.items() if value != INSTANCE[key]}
    assert [found[key] for key in changed] == [None]


@pytest.mark.parametrize("kind", ["", "c7g", "../../x.large", "c7g.16xlarge\nc7g.metal", "C7G.16XLARGE", "a" * 600])
def test_without_a_type_there_is_no_instance(service, kind):
    service.answers["instance-type"] = kind
    assert ask(service) is None
    assert len(service.requests) == 2


@pytest.mark.parametrize("token", ["", "two words", "x" * 300])
def test_a_token_of_another_form_is_not_sent_on(service, token):
    service.token = token
    assert ask(service) is None
    assert [method for method, _path in service.requests] == ["PUT"]


@pytest.mark.parametrize("status", [204, 301, 302, 307, 403, 404, 500, 503])
def test_any_other_status_is_no_answer_and_no_redirect_is_followed(service, status):
    service.status, service.location = status, "/latest/meta-data/instance-id"
    assert ask(service) is None
    assert len(service.requests) == 2


def test_a_service_that_hangs_is_given_up(service, monkeypatch):
    monkeypatch.setattr(ec2_metadata, "_TIMEOUT", 0.05)
    service.silent = True
    assert ask(service) is None
    assert service.requests == [("PUT", "/latest/api/token")]


def test_a_service_that_is_slow_gets_a_budget(service, monkeypatch):
    monkeypatch.setattr(ec2_metadata, "_BUDGET", 0.0)
    assert ask(service) is None
    assert [method for method, _path in service.requests] == ["PUT"]


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:1", "https://127.0.0.1:1", "file:///etc/passwd", "http://", "nonsense", "http://[::1",
        "http://127.0.0.1:99999999",
    ],
)  # fmt: skip
def test_an_endpoint_that_is_none_is_no_instance(endpoint):
    assert ec2_metadata.instance("/nowhere", {ec2_metadata.ENDPOINT_VARIABLE: endpoint}) is None


def test_no_proxy_is_asked(service, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert ask(service) == INSTANCE


def test_it_can_be_disabled_as_for_the_sdks(service):
    assert ask(service, AWS_EC2_METADATA_DISABLED="true") is None
    assert service.requests == []
    assert ask(service, AWS_EC2_METADATA_DISABLED="false") == INSTANCE


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"sys_vendor": "Amazon EC2\n"}, True),
        ({"board_vendor": "Amazon EC2\n"}, True),
        ({"sys_vendor": "Xen\n", "product_uuid": "ec2e1916-9099-7caf-fd21-012345abcdef\n"}, True),
        ({"sys_vendor": "Xen\n", "product_uuid": "EC2E1916-9099-7CAF-FD21-012345ABCDEF\n"}, True),
        ({"board_asset_tag": "i-0123456789abcdef0\n"}, True),
        ({"board_asset_tag": "i-am-a-tag\n", "sys_vendor": "Amazon EC2 lookalike\n"}, False),
        ({"sys_vendor": "QEMU\n", "board_vendor": "Google\n", "product_uuid": "f00e1916-ec2\n"}, False),
        ({}, False),
    ],
)
def test_only_a_machine_that_says_so_is_an_instance(tmp_path, monkeypatch, files, told):
    directory = tmp_path / "sys/class/dmi/id"
    directory.mkdir(parents=True)
    for name, text in files.items():
        (directory / name).write_text(text, "utf-8")
    asked = []

    def request(endpoint, method, path, headers):
        asked.append((endpoint, method, path))

    monkeypatch.setattr(ec2_metadata, "_request", request)
    assert ec2_metadata.is_instance(str(tmp_path)) is told
    assert ec2_metadata.instance(str(tmp_path), {}) is None
    assert asked == ([("http://169.254.169.254", "PUT", "api/token")] if told else [])
