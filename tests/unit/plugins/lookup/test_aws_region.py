# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The region that inventory and plan work in."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleLookupError

from ansible_collections.cloudbench.llama.plugins.lookup.aws_region import LookupModule

INVENTORY = Path(__file__).resolve().parents[4] / "inventory/aws/instances.aws_ec2.yml"


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """No region but that of a profile."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    (tmp_path / "config").write_text("[profile work]\nregion = eu-central-1\n")


def regions():
    return LookupModule().run([], {})


def test_that_of_the_profile_alone(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert regions() == ["eu-central-1"]
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert regions() == ["us-west-2"]


def test_without_any_the_inventory_asks_nobody():
    """amazon.aws would ask every region for an empty list, and an endpoint of no region for an empty name."""
    with pytest.raises(AnsibleLookupError, match="no region is given: name one, such as us-east-1, or set AWS_REGION"):
        regions()
    assert "lookup('cloudbench.llama.aws_region')" in INVENTORY.read_text("utf-8")
