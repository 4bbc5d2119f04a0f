#!/usr/bin/env bash
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# amazon.aws 10.1.2 (of ansible 12.3.0) with botocore 1.44.5: where the answer to the allocation of an address is lost,
# ec2_eip leaves an address that it does not know of and reports the other one. botocore sends a request again when the
# connection broke before the answer, whatever the request does. What RunInstances makes is safe from that, as each such
# request carries a ClientToken that is the same both times; AllocateAddress has no such parameter.
#
# Behaviour seen on 2026-11-29 against moto 5.2.5, one answer lost:
#
#     AllocateAddress requests   2
#     addresses reported         1
#     addresses in the account   2
#     ClientToken                RunInstances yes, AllocateAddress no
#
# AWS charges for each address by the hour, in use or not. So a teardown that releases what the task registered is not
# enough: ask for the addresses by tag.
# Ends with 1 where the packages do otherwise. Needs Python 3.11 to 3.13 and a package index; asks no cloud.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" --quiet --disable-pip-version-check)
"${pip[@]}" install ansible-core==2.19.14 boto3==1.44.5 botocore==1.44.5 "moto[ec2,server]==5.2.5"
# Of the package "ansible" only the collection amazon.aws.
"${pip[@]}" download --no-deps --dest "$folder" ansible==12.3.0
"$folder/venv/bin/python" - "$folder" <<'END'
import sys
from pathlib import Path
from zipfile import ZipFile

folder = Path(sys.argv[1])
(wheel,) = folder.glob("ansible-*.whl")
with ZipFile(wheel) as package:
    names = [name for name in package.namelist() if name.startswith("ansible_collections/amazon/aws/")]
    package.extractall(folder, names)
END
# Nothing of the caller's: no profile, no key, no proxy, no configuration. The server is moto's, on this machine.
cd "$folder"
env -i "HOME=$folder" "PATH=$folder/venv/bin:$PATH" LC_ALL=C.UTF-8 "ANSIBLE_COLLECTIONS_PATH=$folder" \
    ANSIBLE_LOCALHOST_WARNING=false AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing AWS_REGION=us-east-1 \
    AWS_DEFAULT_REGION=us-east-1 python - <<'END'
import json
import os
import subprocess
import sys
from io import BytesIO
from socket import SHUT_RDWR
from threading import Thread
from urllib.parse import parse_qs

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


def run(module: str, **options: object) -> dict:
    """Return what a module of amazon.aws answers."""
    command = ["ansible", "localhost", "--one-line", "-m", f"amazon.aws.{module}", "-a", json.dumps(options)]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return json.loads(output.partition("=> ")[2])


class Recorder:
    """moto behind a list of what it was asked, and a line that breaks while one answer is on its way."""

    def __init__(self) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.requests = []
        self.lost = ""

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        self.requests.append({name: values[0] for name, values in parse_qs(body.decode()).items()})
        if self.requests[-1].get("Action") != self.lost:
            return self.moto(environ, start_response)
        self.lost = ""
        list(self.moto(environ, lambda *_answer: None))
        environ["werkzeug.socket"].shutdown(SHUT_RDWR)
        start_response("200 OK", [])
        return []


class Quiet(WSGIRequestHandler):
    """A server that prints nothing of a request."""

    def log_request(self, *_args) -> None:
        pass


def idempotent(operation: str) -> str:
    """Return whether a request of EC2 takes the token that makes a second one harmless."""
    return "yes" if "ClientToken" in ec2.meta.service_model.operation_model(operation).input_shape.members else "no"


recorder = Recorder()
server = make_server("127.0.0.1", 0, recorder, threaded=True, request_handler=Quiet)
Thread(target=server.serve_forever, daemon=True).start()
os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{server.server_port}"
ec2 = boto3.client("ec2")
recorder.lost = "AllocateAddress"
answer = run("ec2_eip", in_vpc=True, tags={"Run": "1"})
sent = [asked["Action"] for asked in recorder.requests].count("AllocateAddress")
allocated = [address["AllocationId"] for address in ec2.describe_addresses()["Addresses"]]
tokens = (idempotent("RunInstances"), idempotent("AllocateAddress"))
print(f"AllocateAddress requests   {sent}")
print(f"addresses reported         {allocated.count(answer['allocation_id'])}")
print(f"addresses in the account   {len(allocated)}")
print("ClientToken                RunInstances {}, AllocateAddress {}".format(*tokens))
same = (
    answer["changed"] and sent == len(allocated) == 2 and allocated.count(answer["allocation_id"]) == 1
    and tokens == ("yes", "no")
)
print("\nas described" if same else "\nNOT as described")
sys.exit(0 if same else 1)
END
