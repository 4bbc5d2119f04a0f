# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

FROZEN = Path(__file__).resolve().parents[4] / "fixtures" / "records" / "schema-1.jsonl"
CELL = {
    "model": "m", "quantization": "Q4_0", "build": "default", "threads": 2,
    "test": "pp512", "n_prompt": 512, "n_gen": 0, "n_depth": 0,
}  # fmt: skip

# What tells one machine, boot, build directory or file from another and does not change what is compared.
NOT_COMPARED = {
    "machine": {"id", "name", "boot_time", "instance"},
    "build": {"id", "name", "binaries"},
    "model": {"id", "file", "source"},
    "cell": {"build"},
}


def payloads():
    first_of = {"cell": CELL}
    for line in FROZEN.read_text("utf-8").splitlines():
        record = json.loads(line)
        if record["kind"] in NOT_COMPARED:
            first_of.setdefault(record["kind"], record["payload"])
    return first_of


def key(parts):
    return envelope.comparable_key(parts["machine"], parts["build"], parts["model"], parts["cell"])


def test_only_what_changes_a_figure_is_compared():
    parts = payloads()
    before = key(parts)
    for kind, payload in parts.items():
        ignored = {name for name in payload if key({**parts, kind: {**payload, name: "another"}}) == before}
        assert ignored == NOT_COMPARED[kind], kind


def test_what_a_build_knows_follows_from_the_rest_of_it():
    """A build that was recorded before that was kept is the same build."""
    parts = payloads()
    told = {"options": {"llama-bench": ["-m"]}, "version": "0.5.0", "build_number": 3826}
    told.update(engine="llama.cpp", licence="MIT", provenance=["an sdist"])
    assert key({**parts, "build": {**parts["build"], **told}}) == key(parts)


def test_what_the_tensors_of_a_model_are_follows_from_its_digest():
    """A model that was recorded before that was kept is the same model."""
    parts = payloads()
    told = {
        "tensor_types": {"Q4_0": {"tensors": 28, "bytes": 2_211_840}},
        "bits_per_weight": 4.5,
        "tensors_sha256": "0" * 64,
    }
    assert key({**parts, "model": {**parts["model"], **told}}) == key(parts)
    assert key({**parts, "model": {**parts["model"], "sha256": "0" * 64}}) != key(parts)


def test_since_when_a_digest_is_known_changes_nothing():
    parts = payloads()
    source = parts["build"]["source"]
    pinned = {**parts["build"], "source": {**source, "digest": "pinned at first sight"}}
    assert key({**parts, "build": pinned}) == key(parts)
    other = {**parts["build"], "source": {**source, "sha256": "0" * 64}}
    assert key({**parts, "build": other}) != key(parts)


def test_what_a_cell_is_measured_for_changes_nothing():
    parts = payloads()
    twin = {**parts, "cell": {**parts["cell"], "purpose": "twin"}}
    assert key(twin) == key(parts)
    assert key({**parts, "cell": {**parts["cell"], "repack": False}}) != key(parts)


def test_what_is_set_for_the_programs_is_part_of_what_is_compared():
    parts = payloads()
    things = (parts["machine"], parts["build"], parts["model"], parts["cell"])
    plain = envelope.comparable_key(*things)
    assert envelope.comparable_key(*things, {}) == plain
    assert envelope.comparable_key(*things, {"OMP_DYNAMIC": "true"}) != plain


def test_some_pages_of_memory_more_make_no_other_machine():
    parts = payloads()
    parts["machine"] = {**parts["machine"], "memory_bytes": 24 << 30}
    before = key(parts)
    parts["machine"]["memory_bytes"] += 40960
    assert key(parts) == before
    parts["machine"]["memory_bytes"] += 8 << 30
    assert key(parts) != before


def test_equal_values_have_one_text():
    assert envelope.canonical({"b": [1, 2.5, None], "a": {"d": "\u00e4\n", "c": True}}) == (
        '{"a":{"c":true,"d":"\\u00e4\\n"},"b":[1,2.5,null]}'
    )
    for number in (math.nan, math.inf):
        with pytest.raises(ValueError):
            envelope.canonical({"value": number})


def test_an_id_is_the_digest_of_all_the_rest():
    assert envelope.digest({}) == "44136fa355b3"
    first = envelope.with_id({"name": "a", "n": 1})
    assert first == {"n": 1, "name": "a", "id": envelope.digest({"name": "a", "n": 1})}
    assert envelope.with_id(first) == first
    assert envelope.with_id({**first, "n": 2})["id"] != first["id"]


def test_the_store_takes_what_is_made():
    payload = envelope.failure("measure", "It broke.", "Mend it.", CELL, exit_code=1)
    made = envelope.make("failure", "20261123T155523Z-1a2b", "local-amd-epyc", payload, 1795449323)
    assert made == {
        "schema": envelope.SCHEMA, "kind": "failure", "run": "20261123T155523Z-1a2b", "time": "2026-11-23T15:55:23Z",
        "machine": "local-amd-epyc",
        "payload": {
            "phase": "measure", "cause": "It broke.", "advice": "Mend it.", "cell": CELL, "detail": {"exit_code": 1},
        },
    }  # fmt: skip
    assert records.decode(envelope.canonical(made).encode("ascii")) == made
    assert envelope.as_result([made]) == {"version": 1, "records": [made]}


def test_no_kind_of_record_loses_its_run_or_machine():
    for kind, payload in payloads().items():
        made = envelope.make(kind, "r", "m", payload)
        assert (made["run"], made["machine"], made["payload"]) == ("r", "m", payload)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("ip-10-0-0-7.ec2.internal", "unknown-ip-10-0-0-7-ec2-internal"),
        ("Graviton_3", "unknown-graviton-3"),
        ("../../etc", "unknown-etc"),
        ("::", "unknown-host"),
        ("h" * 300, "unknown-" + "h" * 80),
    ],
)
def test_a_host_that_was_never_seen_has_a_name_that_is_a_directory(host, name):
    assert envelope.unknown_machine(host) == name
    assert records.component(name, "machine") == name
