# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to make of what is left of a run: what a person has to know and do, and whether another try may help."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.removal import teardown_command
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import Listing, line, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.failures.cause import cause_of

# What amazon.aws itself repeats ten times, over some minutes.
_REPEATED = (
    "InternalError",
    "InternalFailure",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "Throttling",
    "TooManyRequestsException",
    "Unavailable",
)


def left_over(there: Listing, run: str, region: str, attempts: dict[str, str] | None = None) -> str:
    """Return what a person has to know and do about what is left of `run`, in lines; empty when nothing is.

    `attempts`: why the removal of a resource failed, by its id.
    """
    lines = []
    if there.resources:
        lines.append(f"Of the run {run} in {region} is left, and may go on costing: {summary(there.resources)}.")
    for resource in there.resources:
        lines.append(f"- {line(resource)}")
        why = (attempts or {}).get(resource.id)
        if why:
            lines.append(f"  it could not be removed: {why}")
        elif resource.foreign:
            lines.append("  the run did not make it, and it is not removed: decide yourself")
        lines.append(f"  {resource.removal}")
    if there.resources:
        lines.append(f"Once the cause is gone, the teardown can be repeated: {teardown_command(run, region)}")
    if there.unasked:
        lines.append(f"It is not proven that nothing is left of the run {run}, since this could not be asked for:")
        lines += [f"- {said}" for said in there.unasked]
    return "\n".join(lines)


def _failures(results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the results, item by item, of modules that failed in tasks with failed_when: false."""
    every = [item for result in results for item in result.get("results") or [result]]
    return [item for item in every if item.get("failed") or "failed_when_suppressed_exception" in item]


def attempts_of(results: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return why removals failed, by the id of the resource, from the registered results of tasks that loop over them.

    The item of a loop is a resource, or a list of them.
    """
    failed = {}
    for result in _failures(results):
        item = result.get("item")
        for resource in item if isinstance(item, list) else [item]:
            if isinstance(resource, dict) and "id" in resource:
                failed[resource["id"]] = " ".join(cause_of(result).split())
    return failed


def may_go(there: Listing, results: Iterable[dict[str, Any]]) -> bool:
    """Return whether another try may remove more.

    Not if something foreign blocks it, or if what failed was already repeated for minutes by amazon.aws.
    """
    codes = [str((result.get("error") or {}).get("code")) for result in _failures(results)]
    blocked = any(resource.foreign for resource in there.resources)
    return bool(there.resources) and not blocked and not set(codes) & set(_REPEATED)
