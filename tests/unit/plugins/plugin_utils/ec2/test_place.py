# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a run is, by its directory, by its tags, by what there is: never where somebody happens to look."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import pytest
from support.aws.server import AwsServer

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import client as aws
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.place import (
    ElsewhereError,
    Place,
    locate,
    nothing_left,
    read,
    write,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.removal import teardown_command
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import IAM, KINDS

RUN = "20261124T190000Z-1a2b"
HERE, THERE = "us-east-1", "us-west-2"
ACCOUNT = "123456789012"


def tags(region: str = "") -> list[dict[str, str]]:
    given = {"Project": "cloudbench.llama", "RunId": RUN, "Owner": "alice", **({"Region": region} if region else {})}
    return [{"Key": key, "Value": value} for key, value in given.items()]


def role(region: str = "") -> None:
    boto3.client("iam", region_name=HERE).create_role(
        RoleName=f"cloudbench-{RUN}-expiry", Path="/cloudbench/", AssumeRolePolicyDocument="{}", Tags=tags(region)
    )


def volume(region: str) -> str:
    specification = [{"ResourceType": "volume", "Tags": tags(region)}]
    made = boto3.client("ec2", region_name=region).create_volume(
        AvailabilityZone=f"{region}a", Size=1, TagSpecifications=specification
    )
    return str(made["VolumeId"])


@pytest.fixture
def nowhere(server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> AwsServer:
    """An environment that names no region."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    return server


def ids(place: Place) -> list[str]:
    return [resource.id for resource in place.listing.resources]


class TestDirectory:
    def test_a_run_is_where_its_directory_says(self, nowhere: AwsServer, tmp_path: Path) -> None:
        made = volume(THERE)
        assert write(str(tmp_path / "run"), THERE, ACCOUNT) is True
        assert write(str(tmp_path / "run"), HERE, "1") is False
        assert read(str(tmp_path / "run")) == (THERE, ACCOUNT)
        place = locate(RUN, directory=str(tmp_path / "run"))
        assert (place.region, place.known, ids(place)) == (THERE, True, [made])
        assert "No other region" not in nothing_left(RUN, place)

    @pytest.mark.parametrize("given", ["", HERE], ids=["environment", "argument"])
    def test_another_region_is_refused(
        self, server: AwsServer, tmp_path: Path, given: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        role(THERE)
        if given:
            # What playbooks hand on is blamed on the environment where they had it from there.
            monkeypatch.setenv("AWS_REGION", THERE)
        write(str(tmp_path), THERE, ACCOUNT)
        with pytest.raises(ElsewhereError) as refused:
            locate(RUN, given, str(tmp_path))
        by = "what was asked for" if given else "AWS_REGION"
        said = str(refused.value)
        assert said.startswith(f"The run {RUN} is in {THERE} ({tmp_path}/place.json says so), and {by} says {HERE}: ")
        assert teardown_command(RUN, THERE) in said
        assert server.requests("Describe*") == []

    def test_another_account_is_refused(self, nowhere: AwsServer, tmp_path: Path) -> None:
        write(str(tmp_path), HERE, "210987654321")
        with pytest.raises(ElsewhereError, match=f"in the account 210987654321 .* credentials are of {ACCOUNT}"):
            locate(RUN, directory=str(tmp_path))

    @pytest.mark.parametrize("text", ["", "[]", '{"region": "us-east-1"}', '{"region": "nowhere", "account": "1"}'])
    def test_a_directory_that_does_not_tell(self, server: AwsServer, tmp_path: Path, text: str) -> None:
        (tmp_path / "place.json").write_text(text)
        with pytest.raises(aws.AwsError, match=r"place\.json does not tell where the run is|no region that this"):
            locate(RUN, directory=str(tmp_path))

    def test_a_run_that_begins_writes_it_down(self, server: AwsServer, tmp_path: Path) -> None:
        directory = tmp_path / "new" / "run"
        assert locate(RUN, HERE, str(directory)).region == HERE
        assert not directory.exists()
        locate(RUN, HERE, str(directory), begin=True)
        assert json.loads((directory / "place.json").read_text()) == {"account": ACCOUNT, "region": HERE}
        assert directory.stat().st_mode & 0o777 == 0o700

    def test_a_run_does_not_begin_in_a_second_region(self, server: AwsServer, tmp_path: Path) -> None:
        role(THERE)
        with pytest.raises(ElsewhereError, match=f"is in {THERE}"):
            locate(RUN, HERE, str(tmp_path), begin=True)
        assert list(tmp_path.iterdir()) == []


class TestTags:
    def test_the_roles_tell_it_on_another_machine(self, nowhere: AwsServer) -> None:
        role(THERE)
        made = volume(THERE)
        place = locate(RUN)
        assert (place.region, place.known, ids(place)) == (THERE, True, [made, f"cloudbench-{RUN}-expiry"])

    @pytest.mark.parametrize("given", ["", HERE])
    def test_another_region_is_refused(self, server: AwsServer, given: str) -> None:
        role(THERE)
        said = f"The run {RUN} is in {THERE} \\(the tag Region of its role cloudbench-{RUN}-expiry says so\\)"
        with pytest.raises(ElsewhereError, match=said):
            locate(RUN, given)

    def test_the_region_of_the_profile_does_not_contradict(
        self, nowhere: AwsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "config").write_text(f"[default]\nregion = {HERE}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        role(THERE)
        assert locate(RUN).region == THERE

    def test_no_region_at_all(self, nowhere: AwsServer) -> None:
        with pytest.raises(aws.AwsError, match="no region is given: name one"):
            locate(RUN)

    def test_where_nobody_knows(self, server: AwsServer) -> None:
        volume(THERE)
        place = locate(RUN)
        assert (place.region, place.known, ids(place)) == (HERE, False, [])
        said = nothing_left(RUN, place)
        assert said.startswith(f"EC2, IAM and EventBridge Scheduler know nothing of the run {RUN} in {HERE}. No other")
        assert "ansible-playbook cloudbench.llama.sweep" in said
        # Whoever does not ask IAM does not wonder.
        assert locate(RUN, kinds=[kind for kind in KINDS if kind not in IAM]).known


class TestWithoutTags:
    """Roles that tell no region, such as those of an older version: they go only where no instance can need them."""

    @pytest.fixture(autouse=True)
    def three_regions(self, server: AwsServer) -> None:
        server.configure(regions=["eu-west-1", HERE, THERE])

    def test_nothing_anywhere(self, server: AwsServer) -> None:
        role()
        place = locate(RUN)
        assert (place.region, place.known, ids(place)) == (HERE, True, [f"cloudbench-{RUN}-expiry"])

    def test_something_in_another_region_alone(self, server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
        role()
        made = volume(THERE)
        said = rf"is in {THERE} \(it has something there\), and AWS_REGION says {HERE}"
        with pytest.raises(ElsewhereError, match=said):
            locate(RUN)
        monkeypatch.setenv("AWS_REGION", THERE)
        assert ids(locate(RUN)) == [made, f"cloudbench-{RUN}-expiry"]

    def test_something_here_and_there(self, server: AwsServer) -> None:
        role()
        here = volume(HERE)
        volume(THERE)
        place = locate(RUN)
        assert ids(place) == [here]
        (said,) = place.listing.unasked
        assert "its roles and instance profile stay" in said
        assert teardown_command(RUN, THERE) in said

    @pytest.mark.parametrize("action", ["DescribeRegions", "DescribeInstances"])
    def test_where_other_regions_cannot_be_asked(self, server: AwsServer, action: str) -> None:
        role()
        here = volume(HERE)
        # The first is that of the region itself.
        skip = 0 if action == "DescribeRegions" else 2
        server.fault(action=action, code="UnauthorizedOperation", message="not you", status=403, skip=skip, times=None)
        place = locate(RUN)
        assert ids(place) == [here]
        assert any("its roles and instance profile stay" in said for said in place.listing.unasked)
