#!/usr/bin/python
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules in the account that terminate one instance each, once, and then delete themselves."""

from __future__ import annotations

DOCUMENTATION = r"""
module: expiry_schedule
short_description: Have instances terminated at a time, from outside of them
description:
  - Keeps for each instance a one-time schedule of EventBridge Scheduler, in the group V(default), that calls
    C(ec2:TerminateInstances) and deletes itself afterwards. It works when an instance never came to run its first
    script, and when nobody is there any more who would tear it down.
  - One for all would end none of them when one is gone already, such as a spot instance that was reclaimed, since
    EC2 ends none of those named when it does not know one.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Tells what would change.
    support: full
options:
  name:
    description: What the names of the schedules begin with; a dot and the id of the instance follow, or a digest of
      it where that would be longer than the 64 characters that a name may have.
    type: str
    required: true
  state:
    description: Whether there is one for each of O(instance_ids). With V(absent) all that begin with O(name) and a
      dot are deleted, and the one that is called O(name).
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
    description: What the schedules are for.
    type: str
    default: Terminates an instance of a cloudbench.llama run
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
    instance_ids: [i-0123456789abcdef0, i-0123456789abcdef1]
    role_arn: arn:aws:iam::123456789012:role/cloudbench/cloudbench-20261124T190000Z-1a2b-expiry
"""

RETURN = r"""
name:
  description: What the names begin with.
  returned: success
  type: str
  sample: cloudbench-20261124T190000Z-1a2b
names:
  description: The schedules that there are, or that there were.
  returned: success
  type: list
  elements: str
  sample: [cloudbench-20261124T190000Z-1a2b.i-0123456789abcdef0]
"""

import base64
import hashlib
import json
import re
from typing import Any, Dict, List, Optional

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

_GROUP = "default"
# What a name may have: API_CreateSchedule of EventBridge Scheduler.
_LONGEST = 64
# The least that tells instances apart, 24 bits of a digest.
_SHORTEST = 4


def name_of(prefix: str, instance_id: str) -> str:
    """Return the name of the schedule of an instance. Raises ValueError."""
    room = _LONGEST - len(prefix) - 1
    if room < _SHORTEST:
        raise ValueError(
            "name is %r, of %d characters, and a schedule has %d with its instance: take a shorter one, of at most %d"
            % (prefix, len(prefix), _LONGEST, _LONGEST - 1 - _SHORTEST)
        )
    if len(instance_id) > room:
        digest = base64.urlsafe_b64encode(hashlib.sha256(instance_id.encode()).digest())
        return "%s.%s" % (prefix, digest.decode()[:room])
    return "%s.%s" % (prefix, instance_id)


def wanted(params: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    """Return the schedules in the words of the API by their names. Raises ValueError."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z$", params["at"] or "")
    if not match:
        raise ValueError("at is a time in UTC such as 2026-11-24T21:00:00Z, not %r" % params["at"])
    if not params["instance_ids"]:
        raise ValueError("instance_ids is empty: name the instances to terminate")
    arn = (params["role_arn"] or "").split(":")
    if len(arn) < 6 or arn[0] != "arn":
        raise ValueError("role_arn is the ARN of a role, not %r" % params["role_arn"])
    names = {name_of(params["name"], instance): instance for instance in sorted(set(params["instance_ids"]))}
    if len(names) < len(set(params["instance_ids"])):
        raise ValueError("name is %r, too long to tell the instances apart: take a shorter one" % params["name"])
    return {
        name: {
            "Name": name,
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
                "Input": json.dumps({"InstanceIds": [instance]}),
            },
        }
        for name, instance in names.items()
    }


def listed(client: Any, prefix: str) -> List[str]:
    """Return the names of the schedules that begin with `prefix` and a dot, and that of the one called so."""
    names: List[str] = []
    more: Dict[str, str] = {}
    while True:
        page = client.list_schedules(GroupName=_GROUP, NamePrefix=prefix, aws_retry=True, **more)
        names += [row["Name"] for row in page["Schedules"]]
        if not page.get("NextToken"):
            return sorted(name for name in names if name == prefix or name.startswith(prefix + "."))
        more = {"NextToken": page["NextToken"]}


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


def put(client: Any, schedule: Dict[str, Any], known: bool, check_mode: bool) -> bool:
    """Bring one schedule to what is wanted and return whether that was a change; `known`: it was listed."""
    present = existing(client, schedule["Name"]) if known else None
    if present is None and not check_mode:
        try:
            client.create_schedule(aws_retry=True, **schedule)
            return True
        except is_boto3_error_code("ConflictException"):
            # It was made a moment ago and is not listed yet.
            present = existing(client, schedule["Name"]) or {}
    if present is not None and not differs(present, schedule):
        return False
    if not check_mode:
        # An update forgets what it is not told.
        client.update_schedule(aws_retry=True, **schedule)
    return True


def delete(client: Any, name: str, check_mode: bool) -> bool:
    """Delete a schedule that was listed and return whether there was one still."""
    try:
        if not check_mode:
            client.delete_schedule(GroupName=_GROUP, Name=name, aws_retry=True)
    except is_boto3_error_code("ResourceNotFoundException"):
        return False  # it deletes itself after its time
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
            description=dict(default="Terminates an instance of a cloudbench.llama run"),
        ),
        required_if=[("state", "present", ["at", "instance_ids", "role_arn"])],
        supports_check_mode=True,
    )
    params, check_mode = module.params, module.check_mode
    present = params["state"] == "present"
    try:
        schedules = wanted(params) if present else {}
    except ValueError as error:
        module.fail_json(msg=str(error))
    client = module.client("scheduler", retry_decorator=AWSRetry.jittered_backoff())
    # What cannot be done for one is done for the others all the same.
    changed = False
    names: List[str] = []
    failed: List[Any] = []
    at = params["name"]
    try:
        known = listed(client, params["name"])
        names = sorted(schedules) if present else known
        for at in names:
            try:
                if present:
                    changed = put(client, schedules[at], at in known, check_mode) or changed
                else:
                    changed = delete(client, at, check_mode) or changed
            except ClientError as error:
                failed.append((at, error))
    except (ClientError, BotoCoreError) as error:
        failed.append((at, error))
    if failed:
        name, first = failed[0]
        others = " (nor those of %d other instances)" % (len(failed) - 1) if len(failed) > 1 else ""
        verb = "created" if present else "deleted"
        module.fail_json_aws(first, msg="The schedule %s cannot be %s%s" % (name, verb, others), changed=changed)
    module.exit_json(changed=changed, name=params["name"], names=names)


if __name__ == "__main__":
    main()
