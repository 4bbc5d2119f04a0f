#!/usr/bin/env bash
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# moto 5.2.5: an instance from a launch template is not what the template says. Type, image, key and security group are
# taken from it, the rest is dropped without a word, and describe_instances answers with the default. The same data
# given to run_instances itself holds.
#
# Behaviour seen on 2026-11-29:
#
#     of the instance              from the template   given directly
#     metadata HttpTokens                   optional         required
#     when it shuts itself down                 stop        terminate
#     InstanceLifecycle                         None             spot
#     Monitoring                            disabled          enabled
#     EbsOptimized                             False             True
#     IamInstanceProfile                        None          profile
#
# So a test against moto that looks at the instance fails where the code is right (no IMDSv1, an instance that ends when
# its time is up, spot prices), and one that expects the defaults passes where the template lost these lines: look at
# the template's data, or at the request.
# Ends with 1 where the package does otherwise. Needs Python 3.11 or newer and a package index; asks no cloud.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" boto3==1.44.5 botocore==1.44.5 "moto[ec2]==5.2.5"
# Nothing of the caller's: no profile, no key.
env -i "HOME=$folder" "PATH=$PATH" AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing \
    AWS_DEFAULT_REGION=us-east-1 "$folder/venv/bin/python" - <<'END'
import sys
from importlib.metadata import version

import boto3
from moto import mock_aws

EXPECTED = {
    "metadata HttpTokens": ("optional", "required"),
    "when it shuts itself down": ("stop", "terminate"),
    "InstanceLifecycle": (None, "spot"),
    "Monitoring": ("disabled", "enabled"),
    "EbsOptimized": (False, True),
    "IamInstanceProfile": (None, "profile"),
}


def started(**options: object) -> dict:
    """Return what EC2 says of an instance that these options start."""
    (instance,) = ec2.run_instances(MinCount=1, MaxCount=1, **options)["Instances"]
    name = {"InstanceId": instance["InstanceId"]}
    (instance,) = ec2.describe_instances(InstanceIds=[name["InstanceId"]])["Reservations"][0]["Instances"]
    shutdown = ec2.describe_instance_attribute(Attribute="instanceInitiatedShutdownBehavior", **name)
    return {
        "InstanceType": instance["InstanceType"],
        "metadata HttpTokens": instance["MetadataOptions"]["HttpTokens"],
        "when it shuts itself down": shutdown["InstanceInitiatedShutdownBehavior"]["Value"],
        "InstanceLifecycle": instance.get("InstanceLifecycle"),
        "Monitoring": instance["Monitoring"]["State"],
        "EbsOptimized": instance["EbsOptimized"],
        "IamInstanceProfile": instance["IamInstanceProfile"]["Arn"].rpartition("/")[2]
        if instance.get("IamInstanceProfile") else None,
    }


with mock_aws():
    ec2 = boto3.client("ec2")
    boto3.client("iam").create_instance_profile(InstanceProfileName="profile")
    data = {
        "ImageId": ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"],
        "InstanceType": "c7g.large",
        "MetadataOptions": {"HttpTokens": "required"},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "InstanceMarketOptions": {"MarketType": "spot"},
        "Monitoring": {"Enabled": True},
        "EbsOptimized": True,
        "IamInstanceProfile": {"Name": "profile"},
    }
    ec2.create_launch_template(LaunchTemplateName="bench", LaunchTemplateData=data)
    template, direct = started(LaunchTemplate={"LaunchTemplateName": "bench"}), started(**data)
print(f"moto {version('moto')}\n\n{'of the instance':29}from the template   given directly")
same = template["InstanceType"] == direct["InstanceType"] == "c7g.large"
for title, expected in EXPECTED.items():
    print(f"{title:29}{template[title]!s:>17}{direct[title]!s:>17}")
    same = same and (template[title], direct[title]) == expected
print("\nas described" if same else "\nNOT as described")
sys.exit(0 if same else 1)
END
