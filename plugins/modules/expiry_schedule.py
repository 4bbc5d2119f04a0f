#!/usr/bin/python
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A schedule in the account that terminates instances once, and then deletes itself."""

from __future__ import annotations

DOCUMENTATION = r"""
module: expiry_schedule
short_description: Have instances terminated at a time, from outside of them
description:
  - Keeps a one-time schedule of EventBridge Scheduler, in the group V(default), that calls C(ec2:TerminateInstances)
    and deletes itself afterwards. It works when an instance never came to run its first script, and when nobody is
    there any more who would tear it down.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Tells what would change.
    support: full
options:
  name:
    description: The name of the schedule.
    type: str
    required: true
  state:
    description: Whether there is one.
    type: str
    choices: [present, absent]
    default: present
  at:
    description: When, in UTC, such as V(2026-11-24T21:00:00Z). Required for O(state=present).
    type: str
  instance_ids:
    description: The instances. Required for O(state=present).
    type: list
    elements: str
  role_arn:
    description: The role that the schedule takes; it trusts C(scheduler.amazonaws.com) and allows
      C(ec2:TerminateInstances). Required for O(state=present).
    type: str
  description:
    description: What the schedule is for.
    type: str
    default: Terminates the instances of a cloudbench.llama run
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Have the instances ended at nine
  cloudbench.llama.expiry_schedule:
    region: us-east-1
    name: cloudbench-20261124T190000Z-1a2b
    at: "2026-11-24T21:00:00Z"
    instance_ids: [i-0123456789abcdef0]
    role_arn: arn:aws:iam::123456789012:role/cloudbench/cloudbench-20261124T190000Z-1a2b-expiry
"""

RETURN = r"""
name:
  description: The name of the schedule.
  returned: success
  type: str
  sample: cloudbench-20261124T190000Z-1a2b
"""

import json
import re
from typing import Any, Dict, Optional

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

_GROUP = "default"


def wanted(params: Dict[str, Any]) -> Dict[str, Any]:
    """Return the schedule in the words of the API. Raises ValueError."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z$", params["at"] or "")
    if not match:
        raise ValueError("at is a time in UTC such as 2026-11-24T21:00:00Z, not %r" % params["at"])
    if not params["instance_ids"]:
        raise ValueError("instance_ids is empty: name the instances to terminate")
    arn = (params["role_arn"] or "").split(":")
    if len(arn) < 6 or arn[0] != "arn":
        raise ValueError("role_arn is the ARN of a role, not %r" % params["role_arn"])
    return {
        "Name": params["name"],
        "GroupName": _GROUP,
        "Description": params["description"],
        "State": "ENABLED",
        "ScheduleExpression": "at(%s)" % match.group(1),
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": "arn:%s:scheduler:::aws-sdk:ec2:terminateInstances" % arn[1],
            "RoleArn": params["role_arn"],
            "Input": json.dumps({"InstanceIds": sorted(params["instance_ids"])}),
        },
    }


def existing(client: Any, name: str) -> Optional[Dict[str, Any]]:
    """Return the schedule in the words of the API, None where there is none."""
    try:
        return dict(client.get_schedule(GroupName=_GROUP, Name=name, aws_retry=True))
    except is_boto3_error_code("ResourceNotFoundException"):
        return None


def differs(present: Dict[str, Any], schedule: Dict[str, Any]) -> bool:
    """Return whether `present` says anything else; what AWS adds of its own does not count."""
    target = present.get("Target") or {}
    told = dict(present, Target={key: target.get(key) for key in schedule["Target"]})
    return any(told.get(key) != value for key, value in schedule.items())


def ensure(client: Any, params: Dict[str, Any], check_mode: bool) -> bool:
    """Bring the schedule to what is wanted and return whether that was a change. Raises ValueError."""
    if params["state"] == "absent":
        return ensure_absent(client, params["name"], check_mode)
    schedule = wanted(params)
    present = existing(client, params["name"])
    if present is not None and not differs(present, schedule):
        return False
    if not check_mode:
        # An update forgets what it is not told.
        put = client.create_schedule if present is None else client.update_schedule
        put(aws_retry=True, **schedule)
    return True


def ensure_absent(client: Any, name: str, check_mode: bool) -> bool:
    """Delete the schedule and return whether there was one."""
    if existing(client, name) is None:
        return False
    try:
        if not check_mode:
            client.delete_schedule(GroupName=_GROUP, Name=name, aws_retry=True)
    except is_boto3_error_code("ResourceNotFoundException"):
        pass  # it deletes itself after its time
    return True


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(
        argument_spec=dict(
            name=dict(required=True),
            state=dict(choices=["present", "absent"], default="present"),
            at=dict(),
            instance_ids=dict(type="list", elements="str"),
            role_arn=dict(),
            description=dict(default="Terminates the instances of a cloudbench.llama run"),
        ),
        required_if=[("state", "present", ["at", "instance_ids", "role_arn"])],
        supports_check_mode=True,
    )
    client = module.client("scheduler", retry_decorator=AWSRetry.jittered_backoff())
    try:
        changed = ensure(client, module.params, module.check_mode)
    except ValueError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        verb = "created" if module.params["state"] == "present" else "deleted"
        module.fail_json_aws(error, msg="The schedule %s cannot be %s" % (module.params["name"], verb))
    module.exit_json(changed=changed, name=module.params["name"])


if __name__ == "__main__":
    main()
