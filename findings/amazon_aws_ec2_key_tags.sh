#!/usr/bin/env bash
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# amazon.aws 10.1.2 (of ansible 12.3.0): ec2_key with key_material looks at the key alone and at no tag
# (plugins/modules/ec2_key.py, update_key_pair_by_key_material). Where the key is there already, other tags are neither
# written nor reported as a change; where the key is another one and the task names no tags, the tags that were there
# are gone, although the option's text has it that they are left as they are. With "force: false" tags are written.
#
# Behaviour seen on 2026-11-29 against moto 5.2.5:
#
#     task                              changed   tags of the pair after it
#     key A, tag Run=1                     True   {'Run': '1'}
#     key A, tag Run=2                    False   {'Run': '1'}
#     key A, tag Run=2, force: false       True   {'Run': '2'}
#     key B, no tags                       True   {}
#
# So what sweeps by tag, or by a date in a tag, takes the pair for another run's or does not find it.
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
import logging
import os
import subprocess
import sys

import boto3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from moto.server import ThreadedMotoServer


def run(module: str, **options: object) -> dict:
    """Return what a module of amazon.aws answers."""
    command = ["ansible", "localhost", "--one-line", "-m", f"amazon.aws.{module}", "-a", json.dumps(options)]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return json.loads(output.partition("=> ")[2])


def public_key() -> str:
    """Return the public half of a new key, as ssh-keygen writes it."""
    return Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
os.environ["AWS_ENDPOINT_URL"] = f"http://{host}:{port}"
ec2 = boto3.client("ec2")
first, second = public_key(), public_key()
tasks = {
    "key A, tag Run=1": {"key_material": first, "tags": {"Run": "1"}},
    "key A, tag Run=2": {"key_material": first, "tags": {"Run": "2"}},
    "key A, tag Run=2, force: false": {"key_material": first, "tags": {"Run": "2"}, "force": False},
    "key B, no tags": {"key_material": second},
}
print(f"{'task':34}changed   tags of the pair after it")
seen = []
for title, options in tasks.items():
    answer = run("ec2_key", name="bench", **options)
    (pair,) = ec2.describe_key_pairs(KeyNames=["bench"])["KeyPairs"]
    seen.append((answer["changed"], {tag["Key"]: tag["Value"] for tag in pair.get("Tags", [])}))
    print(f"{title:34}{seen[-1][0]!s:>7}   {seen[-1][1]}")
same = seen == [(True, {"Run": "1"}), (False, {"Run": "1"}), (True, {"Run": "2"}), (True, {})]
print("\nas described" if same else "\nNOT as described")
sys.exit(0 if same else 1)
END
