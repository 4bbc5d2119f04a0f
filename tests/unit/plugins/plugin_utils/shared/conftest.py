# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket of the API server, and stores to share."""

from __future__ import annotations

import boto3
import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import canonical
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

PLACE = "s3://ours/llama"


@pytest.fixture
def s3(server):
    """A client, and a bucket that is there."""
    client = boto3.session.Session().client("s3")
    client.create_bucket(Bucket="ours")
    return client


@pytest.fixture
def real(real):
    """The real records, of whose launches all but those of one test are undisturbed."""
    for record in real:
        if record["kind"] == "launch" and record["payload"]["cell"]["test"] != "pp8192":
            record["payload"]["validity"] = {"state": "VALID", "reasons": []}
    return real


@pytest.fixture
def stores(tmp_path, real):
    """Make results directories with runs of the real records."""

    def make(name, *runs, machine=None):
        for run in runs:
            changed = [dict(record, run=run, machine=machine or record["machine"]) for record in real]
            records.append(tmp_path / name, changed)
        return tmp_path / name

    return make


@pytest.fixture
def keys(s3):
    """The names of what is in the bucket."""

    def listed(kind=""):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="ours", Prefix=f"llama/{kind}")
        return [entry["Key"].removeprefix("llama/") for page in pages for entry in page.get("Contents") or []]

    return listed


@pytest.fixture
def journals():
    """What is in the journals of a results directory: bytes by path."""
    return lambda root: {path.relative_to(root).as_posix(): path.read_bytes() for path in root.glob("*/records/*")}


@pytest.fixture
def line_of():
    """A record as a line of a journal."""
    return lambda record: canonical(record).encode("ascii")
