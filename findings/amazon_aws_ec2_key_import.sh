#!/usr/bin/env bash
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# amazon.aws 10.1.2 (of ansible 12.3.0): ec2_key with key_material writes to the account each time it runs, when it
# reports no change too. To learn the fingerprint of the key it was given it imports that key once more, under a name of
# its own and without the tags of the task, reads the answer and deletes the pair again (plugins/modules/ec2_key.py,
# get_key_fingerprint). With "force: false" it only reads.
#
# Behaviour seen on 2026-11-29 against moto 5.2.5, of a pair that is there as the task has it:
#
#     force   changed   what writes                      name of the pair   tags
#      True     False   ImportKeyPair, DeleteKeyPair     ansible-(a UUID)   none
#     False     False   none                                                none
#
# So a policy that allows ImportKeyPair for one name or only with a tag lets the first run pass and refuses the second,
# and a run that ends in between leaves a pair that no sweep by tag finds.
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
from threading import Thread
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


def run(module: str, **options: object) -> dict:
    """Return what a module of amazon.aws answers."""
    command = ["ansible", "localhost", "--one-line", "-m", f"amazon.aws.{module}", "-a", json.dumps(options)]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return json.loads(output.partition("=> ")[2])


def public_key() -> str:
    """Return the public half of a new key, as ssh-keygen writes it."""
    return Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


class Recorder:
    """moto behind a list of what it was asked."""

    def __init__(self) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.requests = []

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        self.requests.append({name: values[0] for name, values in parse_qs(body.decode()).items()})
        return self.moto(environ, start_response)


class Quiet(WSGIRequestHandler):
    """A server that prints nothing of a request."""

    def log_request(self, *_args) -> None:
        pass


recorder = Recorder()
server = make_server("127.0.0.1", 0, recorder, threaded=True, request_handler=Quiet)
Thread(target=server.serve_forever, daemon=True).start()
os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{server.server_port}"
wanted = {"name": "bench", "key_material": public_key(), "tags": {"Run": "1"}}
run("ec2_key", **wanted)
print(f"force   changed   {'what writes':33}{'name of the pair':47}tags")
seen = []
for force in (True, False):
    recorder.requests.clear()
    answer = run("ec2_key", force=force, **wanted)
    writes = [asked for asked in recorder.requests if not asked["Action"].startswith("Describe")]
    actions = [asked["Action"] for asked in writes]
    names = {asked["KeyName"] for asked in writes}
    tags = "some" if "TagSpecification" in json.dumps(writes) else "none"
    seen.append((answer["changed"], actions, [name.partition("-")[0] for name in names], tags))
    print(f"{force!s:>5}{answer['changed']!s:>10}   {', '.join(actions) or 'none':33}{', '.join(names):47}{tags}")
same = seen == [(False, ["ImportKeyPair", "DeleteKeyPair"], ["ansible"], "none"), (False, [], [], "none")]
print("\nas described" if same else "\nNOT as described")
sys.exit(0 if same else 1)
END
