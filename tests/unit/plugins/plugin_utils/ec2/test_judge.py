# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of what is left of a run."""

from __future__ import annotations

from typing import Any

from support.aws.given import REGION, RUN, resource

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.judge import attempts_of, left_over, may_go
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.removal import teardown_command
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import Listing, line


class TestText:
    def test_nothing_is_left(self) -> None:
        assert left_over(Listing([], []), RUN, REGION) == ""

    def test_what_is_left(self) -> None:
        found = Listing(
            [
                resource("instance", state="running", name="cloudbench-x"),
                resource("volume", id="vol-1"),
                resource("volume", id="vol-2"),
            ],
            ["roles in IAM: no"],
        )
        assert left_over(found, RUN, REGION, {"vol-2": "it is in use"}).splitlines() == [
            f"Of the run {RUN} in us-east-1 is left, and may go on costing: 1 instance, 2 volumes.",
            "- instance ins-1 cloudbench-x (running)",
            "  aws remove instance",
            "- volume vol-1",
            "  aws remove volume",
            "- volume vol-2",
            "  it could not be removed: it is in use",
            "  aws remove volume",
            f"Once the cause is gone, the teardown can be repeated: {teardown_command(RUN, REGION)}",
            f"It is not proven that nothing is left of the run {RUN}, since this could not be asked for:",
            "- roles in IAM: no",
        ]

    def test_a_name_cannot_act_on_the_terminal(self) -> None:
        assert "\x1b" not in line(resource(name="\x1b[2J", state="\x1b", why="\x1b"))

    def test_attempts(self) -> None:
        one, two, three = ({"id": name, "kind": "volume"} for name in ("vol-1", "vol-2", "vol-3"))
        error = {"code": "DependencyViolation", "message": "in use"}
        results: list[dict[str, Any]] = [
            {"skipped": True, "results": []},
            {"skipped": True},
            {"results": [{"item": one, "msg": "key deleted", "failed": False}]},
            {
                "results": [
                    {"item": [two, three], "msg": "in\nuse", "error": error, "failed_when_suppressed_exception": "x"}
                ]
            },
        ]
        assert attempts_of(results) == {"vol-2": "in use", "vol-3": "in use"}

        left = Listing([resource()], [])
        assert may_go(left, results)
        assert not may_go(Listing([], []), results)
        assert not may_go(Listing([resource(foreign=True), resource()], []), results)
        error["code"] = "InternalError"
        assert not may_go(left, results)
