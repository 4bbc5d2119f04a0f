# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the scenario keeps its things, and the reason where there can be no hosts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support.hosts.emulated import absent

BASE = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])


def pytest_collection_modifyitems(items):
    """Skip everything where there can be no hosts."""
    if problem := absent(BASE / "hosts.json"):
        for item in items:
            item.add_marker(pytest.mark.skip(reason=problem))


@pytest.fixture(scope="session")
def base() -> Path:
    """The scenario's ephemeral directory: controller/, hub/ and results/ are in it."""
    return BASE


@pytest.fixture(scope="session")
def project() -> Path:
    """The checkout."""
    return PROJECT


@pytest.fixture(scope="session")
def started() -> dict:
    """What hosts/emulated.py said of the hosts."""
    return json.loads((BASE / "hosts.json").read_text())
