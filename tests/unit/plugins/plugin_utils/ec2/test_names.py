# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the names that a run gives are names that AWS takes, by botocore's models."""

from __future__ import annotations

import re

import botocore.session
import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import names
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.resource import EXPIRY, PREFIX


def shape(service: str, name: str) -> dict:
    return botocore.session.Session().get_service_model(service).shape_for(name).metadata


def test_the_longest_run_has_names_that_every_service_takes():
    run = "a" * names.LONGEST_RUN
    assert names.run_problem(run) is None
    assert names.run_problem("20261124T190000Z-1a2b") is None
    assert len(PREFIX + run + EXPIRY) <= shape("iam", "roleNameType")["max"]
    assert len(PREFIX + run) <= shape("iam", "instanceProfileNameType")["max"]
    assert len(PREFIX + run + "-12345678") <= shape("ec2", "LaunchTemplateName")["max"]
    schedule = shape("scheduler", "Name")
    assert len(f"{PREFIX}{run}.i-0123456789abcdef0") == schedule["max"]
    for name in (run, "20261124T190000Z-1a2b"):
        assert re.fullmatch(schedule["pattern"], PREFIX + name)


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        ("a" * (names.LONGEST_RUN + 1), "64 are allowed: use up to 33 letters, digits and hyphens"),
        ("a_b", "the run id 'a_b' becomes part of names and tags: use up to 33 letters"),
        ("-a", "the first no hyphen"),
        ("", "the run id ''"),
        ("a\n", "becomes part of names"),
    ],
)
def test_a_run_whose_names_nobody_takes_is_refused_with_the_rule(run, sentence):
    assert sentence in str(names.run_problem(run))


def test_the_budget_is_named_after_its_owner_if_it_can_be():
    assert names.budget_problem("alice") is None
    budget = shape("budgets", "BudgetName")
    assert len(PREFIX + "a" * 89) == budget["max"]
    assert names.budget_problem("a" * 89) is None
    for owner in ("a" * 90, "a:b", "a/action/b"):
        assert "give a shorter ec2_environment_owner" in str(names.budget_problem(owner))
