#!/usr/bin/env bash
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# amazon.aws 10.1.2 (of ansible 12.3.0): where ec2_instance with a smaller exact_count may not end an instance, it says
# nothing of why. It calls its own fail_json with two messages (plugins/modules/ec2_instance.py, enforce_count), so that
# Python refuses the call, and that is what the task fails with: neither AWS's words nor its error code are in the
# answer. Where "state: absent" is refused the same, it says so in AWS's words.
#
# Behaviour seen on 2026-11-29 against moto 5.2.5, of an instance with termination protection:
#
#     exact_count: 1    ... AnsibleModule.fail_json() got multiple values for argument 'msg'
#     state: absent     ... An error occurred (OperationNotPermitted) when calling the TerminateInstances operation: ...
#
# So who lowers the count reads of a mistake in Ansible while the instances go on costing money, and no rescue can tell
# a protected instance from a missing permission.
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


logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
os.environ["AWS_ENDPOINT_URL"] = f"http://{host}:{port}"
ec2 = boto3.client("ec2")
image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
mine = {"tag:Run": "1", "instance-state-name": ["pending", "running"]}
wanted = {"image_id": image, "instance_type": "t3.micro", "tags": {"Run": "1"}, "filters": mine, "wait": False}
for instance in run("ec2_instance", exact_count=2, **wanted)["instance_ids"]:
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": True})
fewer = run("ec2_instance", exact_count=1, **wanted)
absent = run("ec2_instance", state="absent", filters=mine, wait=False)
print(f"exact_count: 1    {fewer['msg']}\nstate: absent     {absent['msg']}")
same = (
    "got multiple values for argument 'msg'" in fewer["msg"]
    and "OperationNotPermitted" not in json.dumps(fewer)
    and "OperationNotPermitted" in absent["msg"]
)
print("\nas described" if same else "\nNOT as described")
sys.exit(0 if same else 1)
END
