#!/usr/bin/python
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An internet gateway that has its tags from the call that makes it, and is found by them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_internet_gateway
short_description: Create the internet gateway of a run once
description:
  - M(amazon.aws.ec2_vpc_igw) finds a gateway by its VPC, so that of one that was made and not attached, because the run
    was interrupted or the answer was lost, a second one is made. This module finds it by its tags Project and RunId,
    and makes it with its tags where there is none; that module attaches, detaches and deletes.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Creates nothing, and returns no id of one that is not there.
    support: full
options:
  tags:
    description: The tags of the gateway, among them C(Project) and C(RunId).
    type: dict
    required: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: amazon.aws.ec2_vpc_igw
"""

EXAMPLES = r"""
- name: Create the internet gateway
  cloudbench.llama.ec2_internet_gateway:
    region: us-east-1
    tags:
      Project: cloudbench.llama
      RunId: 20261124T190000Z-1a2b
  register: gateway
"""

RETURN = r"""
internet_gateway_id:
  description: The id of the gateway; empty in check mode when there is none yet.
  returned: success
  type: str
  sample: igw-07ef1bfaa2835d4d6
"""

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

from typing import Any, Dict, Optional

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

# What tells one run's gateway from another's.
_IDENTITY = ("Project", "RunId")


def existing(client: Any, tags: Dict[str, str]) -> Optional[str]:
    """Return the id of the gateway with these tags, None without one, the first of several."""
    wanted = [{"Name": "tag:" + key, "Values": [tags[key]]} for key in _IDENTITY]
    gateways = client.describe_internet_gateways(Filters=wanted, aws_retry=True)["InternetGateways"]
    return min((gateway["InternetGatewayId"] for gateway in gateways), default=None)


def create(client: Any, tags: Dict[str, str]) -> str:
    """Create a gateway and return its id, once EC2 finds it: amazon.aws.ec2_vpc_igw makes another one of an unknown."""
    listed = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
    specification = [{"ResourceType": "internet-gateway", "Tags": listed}]
    made = client.create_internet_gateway(TagSpecifications=specification, aws_retry=True)
    name = str(made["InternetGateway"]["InternetGatewayId"])
    # Repeated by the client until it is found.
    client.describe_internet_gateways(InternetGatewayIds=[name], aws_retry=True)
    return name


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(argument_spec=dict(tags=dict(type="dict", required=True)), supports_check_mode=True)
    tags = {key: str(value) for key, value in module.params["tags"].items()}
    missing = [key for key in _IDENTITY if not tags.get(key)]
    if missing:
        module.fail_json(msg="tags is without %s, by which the gateway is found again: add it" % " and ".join(missing))
    not_found = ["InvalidInternetGatewayID.NotFound"]
    retries = AWSRetry.jittered_backoff(delay=1, catch_extra_error_codes=not_found)
    client = module.client("ec2", retry_decorator=retries)
    try:
        name = existing(client, tags)
        changed = name is None
        if changed and not module.check_mode:
            name = create(client, tags)
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg="The internet gateway of the run %s cannot be created" % tags["RunId"])
    module.exit_json(changed=changed, internet_gateway_id=name or "")


if __name__ == "__main__":
    main()
