# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until instances are gone, or are found by their tags.

What they lie in cannot be removed before they are gone; the inventory finds them by nothing but their tags.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.find import ALIVE

_POLL_S = 5
# Its index of tags is late by seconds as a rule.
_LISTED_S, _LISTED_POLL_S = 120, 2


def wait_until_gone(
    region: str,
    instance_ids: Sequence[str],
    timeout: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Wait until EC2 knows none of the instances any more but as terminated; return False after `timeout` seconds.

    Raises AwsError.
    """
    client = aws.client("ec2", region)
    end = clock() + timeout
    # By a filter, to which an instance that EC2 has forgotten is no error; it takes 200 values.
    filters = [
        [aws.filtered("instance-id", *instance_ids[at : at + 200]), ALIVE] for at in range(0, len(instance_ids), 200)
    ]
    while any(aws.pages(client, "describe_instances", "Reservations", Filters=wanted) for wanted in filters):
        if clock() >= end:
            return False
        sleep(_POLL_S)
    return True


def wait_until_listed(
    client: Any,
    run: str,
    instance_ids: Collection[str],
    timeout: float = _LISTED_S,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> set[str]:
    """Wait until EC2 finds all of these instances by the tags of their run; return those that it does not.

    Raises AwsError.
    """
    end = clock() + timeout
    filters = [aws.filtered("tag:Project", aws.PROJECT), aws.filtered("tag:RunId", run)]
    missing = set(instance_ids)
    while missing:
        reservations = aws.pages(client, "describe_instances", "Reservations", Filters=filters)
        missing -= {instance["InstanceId"] for row in reservations for instance in row["Instances"]}
        if not missing or clock() >= end:
            break
        sleep(_LISTED_POLL_S)
    return missing
