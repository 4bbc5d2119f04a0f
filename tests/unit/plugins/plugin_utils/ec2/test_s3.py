# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Against a server on loopback that answers as S3 does, and refuses what is not signed for the region of the bucket."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import s3
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.s3 import S3Error, presign

OBJECT = b"a model"
SECRET = "wJalrXUtnFEMI/K7MDENG/not-a-real-key"


class Bucket(BaseHTTPRequestHandler):
    """One bucket, models, in eu-central-1, with one object, a/m.gguf."""

    def log_message(self, *_args):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        url = urlsplit(self.path)
        signed = parse_qs(url.query).get("X-Amz-Credential", [self.headers.get("Authorization", "")])[0]
        if not signed:
            return self.reply(403)
        if url.path.rstrip("/") == "/models":
            return self.reply(200 if "/eu-central-1/s3/" in signed else 400)
        if "/eu-central-1/s3/" not in signed:
            return self.reply(400)
        if url.path != "/models/a/m.gguf":
            return self.reply(403 if url.path.startswith("/models/secret") else 404)
        return self.reply(200, OBJECT)

    def reply(self, status, body=b""):
        self.send_response(status)
        self.send_header("x-amz-bucket-region", "eu-central-1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture(autouse=True)
def bucket(monkeypatch, tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    yield
    server.shutdown()
    server.server_close()


def test_an_address_that_anyone_may_use_for_some_hours():
    url, size = presign("s3://models/a/m.gguf")
    assert size == len(OBJECT)
    query = parse_qs(urlsplit(url).query)
    assert query["X-Amz-Expires"] == [str(s3.EXPIRES_S)]
    # Signed for the region of the bucket, which is not that of the controller.
    assert "/eu-central-1/s3/aws4_request" in query["X-Amz-Credential"][0]
    assert re.fullmatch(r"[0-9a-f]{64}", query["X-Amz-Signature"][0])
    assert SECRET not in url
    with urlopen(url) as answer:
        assert answer.read() == OBJECT


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://models/none", "s3://models/none: there is no such object; correct bucket and key"),
        ("s3://models/secret", "the credentials of the controller may not read it; allow them s3:GetObject on models"),
        ("s3://models", "'s3://models' is no object; write s3://BUCKET/KEY"),
        ("https://models/x", "is no object"),
    ],
)
def test_what_cannot_be_had(address, message):
    with pytest.raises(S3Error, match=re.escape(message)):
        presign(address)


def test_without_credentials(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(S3Error, match=r"cannot be asked for: Unable to locate credentials; give credentials"):
        presign("s3://models/a/m.gguf")


def test_without_boto3(monkeypatch):
    monkeypatch.setattr(aws, "boto3", None)
    with pytest.raises(S3Error, match="needs boto3 on the controller"):
        presign("s3://models/a/m.gguf")
