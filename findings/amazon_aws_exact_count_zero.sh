#!/usr/bin/env bash
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# amazon.aws 10.1.2 (of ansible 12.3.0): ec2_instance takes "exact_count: 0" for no count at all. Where nothing runs it
# launches an instance, and where two run it leaves both and reports that nothing had to be changed. Its code asks
# whether the option is true (plugins/modules/ec2_instance.py, main and build_run_instance_spec), and 0 is not.
#
# Behaviour seen on 2026-11-29 against moto 5.2.5:
#
#     exact_count   running before   changed   running after
#               0                0      True               1
#               2                1      True               2
#               0                2     False               2
#               1                2      True               1
#
# So a play whose number of instances is a variable, 0 for none, pays for one or for all of them: "state: absent" is
# what ends them.
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
from moto.server import ThreadedMotoServer


def run(module: str, **options: object) -> dict:
    """Return what a module of amazon.aws answers."""
    command = ["ansible", "localhost", "--one-line", "-m", f"amazon.aws.{module}", "-a", json.dumps(options)]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return json.loads(output.partition("=> ")[2])


def running() -> int:
    """Return the number of instances that cost money."""
    found = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}])
    return sum(len(reservation["Instances"]) for reservation in found["Reservations"])


logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
os.environ["AWS_ENDPOINT_URL"] = f"http://{host}:{port}"
ec2 = boto3.client("ec2")
image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
mine = {"tag:Run": "1", "instance-state-name": ["pending", "running"]}
print("exact_count   running before   changed   running after")
seen = []
for count in (0, 2, 0, 1):
    before = running()
    answer = run(
        "ec2_instance", image_id=image, instance_type="t3.micro", tags={"Run": "1"}, filters=mine, wait=False,
        exact_count=count,
    )
    seen.append((count, before, answer["changed"], running()))
    print("{:11d}{:17d}{!s:>10}{:16d}".format(*seen[-1]))
same = seen == [(0, 0, True, 1), (2, 1, True, 2), (0, 2, False, 2), (1, 2, True, 1)]
print("\nas described" if same else "\nNOT as described")
sys.exit(0 if same else 1)
END
