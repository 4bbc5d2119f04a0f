#!/usr/bin/python
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A monthly budget of AWS Budgets that tells somebody by mail when it is used up; amazon.aws has no module for it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cost_budget
short_description: Be told when a month costs more than it should
description:
  - Creates, changes or removes a monthly cost budget of the account, with a mail at 80 percent of it and at all of it.
  - AWS Budgets learns hours later what something cost. It is an alarm for what was forgotten and stops nothing.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    description: Asks and changes nothing.
    support: full
options:
  name:
    description: Its name.
    type: str
    required: true
  account_id:
    description: The account.
    type: str
    required: true
  state:
    description: Whether there is one.
    type: str
    choices: [present, absent]
    default: present
  usd_per_month:
    description: US dollars a month. Required for O(state=present).
    type: float
  email:
    description: Who is told. Required for O(state=present).
    type: str
"""

EXAMPLES = r"""
- name: Be told at 50 USD a month
  cloudbench.llama.cost_budget:
    name: cloudbench-alice
    account_id: "123456789012"
    usd_per_month: 50
    email: alice@example.com
"""

RETURN = r"""
name:
  description: The name of the budget.
  returned: success
  type: str
"""

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule says so

from typing import Any, Dict, List, Optional

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

_PERCENT = (80, 100)


def wanted(params: Dict[str, Any]) -> Dict[str, Any]:
    """Return the budget in the words of the API."""
    return {
        "BudgetName": params["name"],
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": "%.2f" % params["usd_per_month"], "Unit": "USD"},
    }


def notifications(params: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Return whom to tell when, in the words of the API."""
    return [
        {
            "Notification": {
                "NotificationType": "ACTUAL",
                "ComparisonOperator": "GREATER_THAN",
                "Threshold": percent,
                "ThresholdType": "PERCENTAGE",
            },
            "Subscribers": [{"SubscriptionType": "EMAIL", "Address": params["email"]}],
        }
        for percent in _PERCENT
    ]


def existing(client: Any, params: Dict[str, Any]) -> Optional[float]:
    """Return the limit of the budget as a number, None where there is no such budget."""
    try:
        answer = client.describe_budget(AccountId=params["account_id"], BudgetName=params["name"])
    except is_boto3_error_code("NotFoundException"):
        return None
    return float(answer["Budget"]["BudgetLimit"]["Amount"])


def ensure(client: Any, params: Dict[str, Any], check_mode: bool) -> bool:
    """Bring the budget to what is wanted and return whether that was a change."""
    limit = existing(client, params)
    where = {"AccountId": params["account_id"]}
    if params["state"] == "absent":
        if limit is not None and not check_mode:
            client.delete_budget(BudgetName=params["name"], **where)
        return limit is not None
    if limit == round(params["usd_per_month"], 2):
        return False
    if not check_mode:
        if limit is None:
            client.create_budget(Budget=wanted(params), NotificationsWithSubscribers=notifications(params), **where)
        else:
            client.update_budget(NewBudget=wanted(params), **where)
    return True


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(
        argument_spec=dict(
            name=dict(required=True),
            account_id=dict(required=True),
            state=dict(choices=["present", "absent"], default="present"),
            usd_per_month=dict(type="float"),
            email=dict(),
        ),
        required_if=[("state", "present", ["usd_per_month", "email"])],
        supports_check_mode=True,
    )
    # Budgets is one service for all regions.
    client = module.client("budgets", region="us-east-1")
    try:
        changed = ensure(client, module.params, module.check_mode)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg="The budget %s could not be brought about" % module.params["name"])
    module.exit_json(changed=changed, name=module.params["name"])


if __name__ == "__main__":
    main()
