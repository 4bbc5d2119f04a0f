# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a run is, so that nothing is proven of a region or an account that it never was in.

IAM has no region: whoever looks for a run in the wrong one still finds its roles, and without them the schedules that
end its instances can do nothing. So a run writes down where it is before it makes anything: in its directory on the
controller, and as the tag Region of all that it makes, the roles too.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.find import enabled_regions, find, find_in, identity
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.removal import SWEEP, teardown_command
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import IAM, KINDS, Listing, Resource

_FILE = "place.json"
_ANY_REGION = "us-east-1"
_REGIONAL = tuple(kind for kind in KINDS if kind not in IAM)


class ElsewhereError(aws.AwsError):
    """The run is in another region or account than the one that was asked for."""


class Place(NamedTuple):
    """The region that a run is in, and what is there; `known`: whether anything but the environment says the region."""

    region: str
    listing: Listing
    known: bool


def read(directory: str) -> tuple[str, str] | None:
    """Return region and account that the directory of a run tells, None where it tells none. Raises ElsewhereError."""
    file = Path(directory, _FILE)
    try:
        told = json_text.loads(file.read_text(encoding="utf-8"))
        region, account = told["region"], told["account"]
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, ValueError, TypeError, KeyError) as error:
        raise ElsewhereError(
            f"{file} does not tell where the run is ({type(error).__name__}): write "
            '{"account": "its 12 digits", "region": "such as us-east-1"} into it'
        ) from error
    return aws.region(str(region)), str(account)


def write(directory: str, region: str, account: str) -> bool:
    """Write down where a run is, as a whole or not at all, and return whether that was a change. Raises OSError."""
    file = Path(directory, _FILE)
    if file.exists():
        return False
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"account": account, "region": region}) + "\n", encoding="utf-8")
    new.replace(file)
    return True


def locate(
    run: str, given: str = "", directory: str = "", owner: str = "", kinds: Collection[str] = KINDS, begin: bool = False
) -> Place:
    """Return where `run` is and what is there of it, as `find` does.

    By its directory, else by the tags of what it has in IAM, else by looking into every region, else it is `given` or
    that of the environment. `begin`: the run is about to make something there, which is written into the directory.
    Raises ElsewhereError where `given` or the environment says another region, and AwsError.
    """
    said, by = aws.region_of_environment()
    # Playbooks hand on as given what they had from there.
    if given and given != said:
        said, by = given, "what was asked for"
    if directory and (recorded := read(directory)):
        region, account = recorded
        why = f"{Path(directory, _FILE)} says so"
        if said and said != region:
            raise _elsewhere(run, region, why, said, by)
        mine = identity(region)["Account"]
        if account != mine:
            raise ElsewhereError(
                f"The run {run} is in the account {account} ({why}), and these credentials are of {mine}: nothing was "
                f"looked for or removed. Use those of {account}, such as by AWS_PROFILE"
            )
        return Place(region, find(region, run, owner, kinds), True)
    place = _by_resources(run, said, by, owner, kinds)
    if begin and directory:
        write(directory, place.region, identity(place.region)["Account"])
    return place


def _elsewhere(run: str, region: str, why: str, said: str, by: str) -> ElsewhereError:
    return ElsewhereError(
        f"The run {run} is in {region} ({why}), and {by} says {said}: nothing was looked for or removed. Set "
        f"AWS_REGION={region} to go on with it, or give it back by {teardown_command(run, region)}"
    )


def _by_resources(run: str, said: str, by: str, owner: str, kinds: Collection[str]) -> Place:
    """Return where a run is of which this machine knows nothing."""
    try:
        region = aws.region(said)
    except aws.AwsError as error:
        if error.code != "NoRegionError":
            raise
        # IAM, which a client asks in some region all the same, may tell it.
        tagged = _tagged(find(_ANY_REGION, run, owner, IAM).resources)
        if len(tagged) != 1:
            raise
        region = tagged.pop()
    listing = find(region, run, owner, kinds)
    of_iam = [resource for resource in listing.resources if resource.kind in IAM]
    tagged = _tagged(of_iam)
    if not of_iam:
        # Of IAM nobody knows where that is asked for in vain alone.
        return Place(region, listing, not set(IAM) & set(kinds))
    if tagged == {region}:
        return Place(region, listing, True)
    if len(tagged) == 1:
        there = tagged.pop()
        if said:
            raise _elsewhere(run, there, f"the tag Region of its {of_iam[0].kind} {of_iam[0].name} says so", said, by)
        return Place(there, find(there, run, owner, kinds), True)
    return _by_all_regions(run, region, said, by, owner, kinds, listing)


def _tagged(resources: Iterable[Resource]) -> set[str]:
    return {resource.region for resource in resources if resource.kind in IAM and resource.region}


def _by_all_regions(
    run: str, region: str, said: str, by: str, owner: str, kinds: Collection[str], listing: Listing
) -> Place:
    """Return where a run is that has roles without a region: they stay while it may have instances in another one."""
    try:
        others = find_in([name for name in enabled_regions(region) if name != region], run, owner, _REGIONAL)
    except aws.AwsError as error:
        others = Listing([], [str(error)])
    there = sorted({resource.region for resource in others.resources})
    if there and all(resource.kind in IAM for resource in listing.resources):
        if said or len(there) > 1:
            raise _elsewhere(run, there[0], "it has something there", said or region, by or "the profile")
        region = there.pop()
        listing = find(region, run, owner, kinds)
    if not there and not others.unasked:
        return Place(region, listing, True)
    here = [resource for resource in listing.resources if resource.kind not in IAM]
    stays = "its roles and instance profile stay, since nothing tells its region and it may have instances in another"
    unasked = [
        *listing.unasked,
        *[f"{stays}: {sentence}" for sentence in others.unasked],
        *[f"{stays}: it has something in {name}: {teardown_command(run, name)}" for name in there],
    ]
    return Place(region, Listing(here, unasked), True)


def nothing_left(run: str, place: Place) -> str:
    """Return what is proven where nothing of a run is left."""
    proven = f"EC2, IAM and EventBridge Scheduler know nothing of the run {run} in {place.region}."
    if place.known:
        return proven
    return (
        f"{proven} No other region was looked at, and neither IAM nor this machine knows where the run was: every "
        f"region is looked at by {SWEEP} -e ec2_environment_sweep_all=true"
    )
