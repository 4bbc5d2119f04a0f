# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The frozen records, as a list and as a store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"


@pytest.fixture
def frozen() -> list[dict[str, Any]]:
    """Every record of the frozen file of schema 1, as the store keeps it today."""
    lines = (FIXTURES / "records" / "schema-1.jsonl").read_text("utf-8").splitlines()
    return [records.upgrade(json.loads(line)) for line in lines]


@pytest.fixture
def real() -> list[dict[str, Any]]:
    """A part of a real run: one launch of each test, with everything that schema 2 has."""
    return [records.decode(line) for line in (FIXTURES / "records" / "schema-2.jsonl").read_bytes().splitlines()]


@pytest.fixture
def store(tmp_path: Path, frozen: list[dict[str, Any]]) -> Path:
    """A results directory that holds the frozen records."""
    records.append(tmp_path / "results", frozen)
    return tmp_path / "results"
