# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do about an instance that ended, by EC2's reason."""

from __future__ import annotations

import re

import botocore.session
import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.failures.state_reason import remedy


@pytest.mark.parametrize(
    ("code", "again"),
    [
        ("Server.InternalError", True),
        ("Server.InsufficientInstanceCapacity", True),
        ("Server.ScheduledStop", True),
        ("Server.SpotInstanceShutdown", True),
        ("Server.SpotInstanceTermination", True),
        ("Client.InstanceTerminated", True),
        ("Client.UserInitiatedShutdown", True),
        ("Client.UserInitiatedHibernate", True),
        ("Server.Unheard", True),
        ("", True),
        ("Client.InternalError", False),
        ("Client.InvalidKMSKey.InvalidState", False),
        ("Client.VolumeLimitExceeded", False),
        ("Client.InvalidSnapshot.NotFound", False),
        ("Client.Unheard", False),
    ],
)
def test_another_try_is_advised_only_where_it_may_help(code, again):
    for spot in (False, True):
        said = remedy(code, spot)
        assert ("run again" in said) is again
        assert said.startswith("mend it first") is not again


def test_the_key_of_ebs_is_named_with_whom_to_allow_it():
    caller, spot = remedy("Client.InternalError", False), remedy("Client.InternalError", True)
    for said in (caller, spot):
        assert "aws ec2 get-ebs-default-kms-key-id" in said
        assert "kms:CreateGrant" in said
    assert "the caller may not use it" in caller
    assert "aws kms create-grant" in spot
    assert "AWSServiceRoleForEC2Spot may not use it" in spot


def test_every_reason_that_ec2_documents_is_known():
    members = botocore.session.Session().get_service_model("ec2").shape_for("StateReason").members
    listed = re.findall(r"(?:Client|Server)\.[A-Za-z.]+[a-z]", members["Message"].documentation)
    assert len(set(listed)) >= 12
    unknown = remedy("Client.Unheard", False)
    assert [code for code in listed if remedy(code, False) == unknown] == []
