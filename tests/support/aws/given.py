# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of removal are given: a resource as a listing would hold it, and time that passes only by sleeping."""

from __future__ import annotations

from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import Resource

RUN = "20261124T190000Z-1a2b"
REGION = "us-east-1"
END = "2026-11-24T21:00:00Z"


def resource(kind: str = "volume", **more: Any) -> Resource:
    """One of RUN in REGION that expires at END, but for what `more` says."""
    given = {
        "kind": kind, "id": f"{kind[:3]}-1", "name": "", "region": REGION, "run": RUN, "owner": "alice",
        "expires_at": END, "state": "", "why": "tag", "removal": f"aws remove {kind}",
    }  # fmt: skip
    return Resource(**{**given, **more})


class Clock:
    """Seconds, from 0; `sleep` is all that lets them pass."""

    now = 0.0

    def __call__(self) -> float:
        """What time.monotonic says."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """What time.sleep does."""
        self.now += seconds
