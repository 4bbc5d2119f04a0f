# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which runs are over and have left something, and what a person is told of them."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.removal import SWEEP, teardown_command
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import IAM, KINDS, Resource, line, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import visible
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.table import LEFT, table


class Run(NamedTuple):
    """What is left of a run that is over; `over` says in words since when, or why."""

    run: str
    owner: str
    over: str
    regions: list[str]
    resources: list[Resource]


def _parsed(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC)
    except ValueError:
        return None


def over(
    resources: Iterable[Resource],
    owner: str,
    everything: bool = False,
    but: Collection[str] = (),
    everywhere: bool = False,
    home: str = "",
    now: datetime.datetime | None = None,
) -> list[Run]:
    """Return the runs of `owner` ("*": of anybody) that are over: expired, or without an end.

    `everything`: also those that are not over. Never one named in `but`, and never one of which only IAM is here and
    whose end is to come, unless `everywhere` was asked: it lives in another region. What is not tagged with an owner
    belongs to the run's, if that has one. The regions of a run of which IAM alone is left are what its tags say, `home`
    where they say nothing.
    """
    moment = now or datetime.datetime.now(datetime.UTC)
    groups: dict[tuple[str, str], list[Resource]] = {}
    rest: list[Resource] = []
    for resource in resources:
        if aws.proper_run(resource.run):
            of_owner = groups.setdefault((resource.run, resource.owner), []) if resource.owner else rest
            of_owner.append(resource)
    for resource in rest:
        owners = [key for key in groups if key[0] == resource.run]
        groups.setdefault(owners[0] if len(owners) == 1 else (resource.run, ""), []).append(resource)
    runs = []
    for (run, whose), parts in sorted(groups.items()):
        if owner not in ("*", whose) or run in but:
            continue
        ends = [end for end in map(_parsed, {part.expires_at for part in parts}) if end]
        if not ends:
            said = "has no end"
        elif max(ends) <= moment:
            said = f"expired {max(ends):%Y-%m-%dT%H:%M:%SZ}"
        elif everything and (everywhere or any(part.kind not in IAM for part in parts)):
            said = f"runs until {max(ends):%Y-%m-%dT%H:%M:%SZ}"
        else:
            continue
        parts.sort(key=lambda part: (KINDS.index(part.kind), part.region, part.id))
        regions = sorted({part.region for part in parts if part.kind not in IAM})
        regions = regions or sorted({part.region for part in parts if part.region}) or [home]
        runs.append(Run(run, whose, said, regions, parts))
    return runs


def of_no_run(resources: Iterable[Resource], owner: str) -> list[Resource]:
    """Return what is tagged for this project and `owner` ("*": anybody), but for no run."""
    return [stray for stray in resources if not aws.proper_run(stray.run) and owner in ("*", stray.owner)]


def sweep_table(
    runs: Sequence[Run], strays: Sequence[Resource], owner: str, regions: Sequence[str], unasked: Sequence[str]
) -> list[str]:
    """Return what a sweep has found, in lines for a person."""
    whose = "anybody" if owner == "*" else owner
    where = ", ".join(regions) if len(regions) <= 4 else f"{len(regions)} regions"
    lines = []
    if runs:
        rows = [("run", "owner", "", "what there is")]
        rows += [
            (run.run, visible(run.owner) or "nobody", run.over, f"{summary(run.resources)} ({', '.join(run.regions)})")
            for run in runs
        ]
        lines.append(f"Left of the runs of {whose} in {where}:")
        lines += table([LEFT] * 4, rows)
        sweep = f"{SWEEP} -e ec2_environment_sweep_remove=true"
        lines.append(f"Each is removed by its command; {sweep} removes all that are over:")
        lines += [teardown_command(run.run, region) for run in runs for region in run.regions]
    else:
        lines.append(f"No run of {whose} in {where} is over.")
    if strays:
        lines.append("Of no run, to be removed by hand:")
        for stray in strays:
            lines += [f"- {line(stray)}", f"  {stray.removal}"]
    if unasked:
        lines.append("There may be more, since this could not be asked for:")
        lines += [f"- {said}" for said in unasked]
    return lines
