# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which runs are over, and what is said of them."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from support.aws.given import END, REGION, RUN, resource

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import Resource
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.sweep import of_no_run, over, sweep_table

NOW = datetime.datetime(2026, 11, 24, 22, 0, tzinfo=datetime.UTC)
LATER = "2026-11-25T21:00:00Z"


class TestOver:
    def over(self, *resources: Resource, owner: str = "alice", **more: Any) -> list[tuple[str, str, str]]:
        runs = over(resources, owner, now=NOW, **more)
        return [(one.run, one.owner, one.over) for one in runs]

    def test_only_what_is_past_its_end(self) -> None:
        parts = [resource(), resource(run="r2", expires_at=LATER)]
        assert self.over(*parts) == [(RUN, "alice", "expired 2026-11-24T21:00:00Z")]
        assert self.over(*parts, everything=True) == [
            (RUN, "alice", "expired 2026-11-24T21:00:00Z"),
            ("r2", "alice", "runs until 2026-11-25T21:00:00Z"),
        ]
        assert self.over(*parts, everything=True, but=["r2"]) == self.over(*parts)
        assert self.over(*parts, but=[RUN]) == []

    def test_the_last_end_counts(self) -> None:
        assert self.over(resource(), resource("VPC", expires_at=LATER)) == []

    @pytest.mark.parametrize("end", ["", "tomorrow"])
    def test_without_an_end(self, end: str) -> None:
        assert self.over(resource(expires_at=end)) == [(RUN, "alice", "has no end")]

    def test_each_owner_has_his_own(self) -> None:
        parts = [resource(), resource(owner="bob", run="r2"), resource(owner="bob"), resource(owner="", run="r3")]
        assert [run for run, *_one in self.over(*parts)] == [RUN]
        assert self.over(*parts, owner="bob") == [
            (RUN, "bob", "expired 2026-11-24T21:00:00Z"),
            ("r2", "bob", "expired 2026-11-24T21:00:00Z"),
        ]
        assert len(self.over(*parts, owner="*")) == 4
        assert self.over(*parts, owner="") == [("r3", "", "expired 2026-11-24T21:00:00Z")]

    def test_what_has_no_owner_is_the_runs(self) -> None:
        parts = [resource(), resource("schedule", owner="", expires_at="")]
        (run,) = over(parts, "alice", now=NOW)
        assert len(run.resources) == 2
        two = [*parts, resource(owner="bob")]
        assert [len(one.resources) for one in over(two, "*", now=NOW)] == [1, 1, 1]

    def test_a_run_that_lives_in_another_region(self) -> None:
        """Its role is seen from here as well, and its instances end by it."""
        part = resource("role", expires_at=LATER)
        assert self.over(part, everything=True) == []
        assert len(self.over(part, everything=True, everywhere=True)) == 1
        assert len(self.over(part._replace(expires_at=END))) == 1

    def test_regions(self) -> None:
        parts = [resource("role"), resource(region="eu-west-1"), resource("VPC", region="eu-west-1")]
        (run,) = over(parts, "alice", now=NOW)
        assert run.regions == ["eu-west-1"]
        assert [one.kind for one in run.resources] == ["volume", "role", "VPC"]
        # Of IAM alone: where its tag says that it lives, not where it was asked for.
        (run,) = over([resource("role", region="us-west-2")], "alice", now=NOW, home=REGION)
        assert run.regions == ["us-west-2"]
        (run,) = over([resource("role", region="")], "alice", now=NOW, home=REGION)
        assert run.regions == [REGION]

    def test_of_no_run(self) -> None:
        stray, evil = resource(run=""), resource(run="x; rm -r /")
        assert self.over(stray, evil) == []
        assert of_no_run([stray, evil, resource(), resource(run="", owner="bob")], "alice") == [
            stray,
            evil,
        ]


class TestTable:
    def test_nothing(self) -> None:
        lines = sweep_table([], [], "alice", [REGION], [])
        assert lines == ["No run of alice in us-east-1 is over."]

    def test_runs(self) -> None:
        parts = [resource(), resource("instance"), resource(run="r2", region="eu-west-1")]
        runs = over(parts, "*", now=NOW)
        stray = resource(run="")
        sweep = "ansible-playbook cloudbench.llama.sweep -e ec2_environment_sweep_remove=true"
        lines = sweep_table(runs, [stray], "*", [REGION, "eu-west-1"], ["VPCs in us-east-1: no"])
        assert lines == [
            "Left of the runs of anybody in us-east-1, eu-west-1:",
            "run                    owner                                what there is",
            f"{RUN}  alice  expired 2026-11-24T21:00:00Z  1 instance, 1 volume (us-east-1)",
            "r2                     alice  expired 2026-11-24T21:00:00Z  1 volume (eu-west-1)",
            f"Each is removed by its command; {sweep} removes all that are over:",
            f"AWS_REGION=us-east-1 ansible-playbook cloudbench.llama.teardown -e ec2_environment_run={RUN}",
            "AWS_REGION=eu-west-1 ansible-playbook cloudbench.llama.teardown -e ec2_environment_run=r2",
            "Of no run, to be removed by hand:",
            "- volume vol-1",
            "  aws remove volume",
            "There may be more, since this could not be asked for:",
            "- VPCs in us-east-1: no",
        ]
