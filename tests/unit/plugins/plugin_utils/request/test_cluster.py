# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts make a cluster, and which are refused before anything is measured over them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.cluster import ClusterRefused, joined

COMMIT = "0c1e57098e1f0d0d5c1c7c6c3ec0d2d9c5a1b2c3"


def host(address: str, commit: str = COMMIT, **build: Any) -> dict[str, Any]:
    return {
        "llama_cpp_built": [
            {"name": "default", "source": {"commit": "f" * 40}},
            {"name": "rpc", "source": {"commit": commit}, **build},
        ],
        "llama_rpc_worker": {"address": address, "port": 50052, "threads": 4},
        "llama_bench_machine": {"name": "local-test", "cpu_model": "A"},
    }


FACTS = {"first": host("10.0.0.6"), "second": host("10.0.0.7"), "third": host("10.0.0.8")}
NAMES = ["first", "second", "third"]


def refused(facts: dict[str, Any], names: list[str] | None = None) -> str:
    with pytest.raises(ClusterRefused) as error:
        joined(names or NAMES, facts, "rpc")
    return str(error.value)


def test_the_first_host_measures_and_the_others_work():
    told = joined(NAMES, FACTS, "rpc")
    assert told["head"] == "first"
    assert [(worker["host"], worker["address"], worker["threads"]) for worker in told["workers"]] == [
        ("second", "10.0.0.7", 4),
        ("third", "10.0.0.8", 4),
    ]
    assert told["workers"][0]["machine"] == {"name": "local-test", "cpu_model": "A"}


def test_hosts_of_two_versions_are_refused_naming_both():
    facts = {**FACTS, "third": host("10.0.0.8", commit="a" * 40)}
    said = refused(facts)
    assert "first has llama.cpp 0c1e57098e1f and third has llama.cpp aaaaaaaaaaaa" in said
    assert "need one and the same llama.cpp" in said


def test_versions_that_are_the_same_in_their_first_digits_only_are_refused():
    assert "need one and the same" in refused({**FACTS, "second": host("10.0.0.7", commit=COMMIT[:39] + "9")})


def test_a_fork_is_another_version():
    assert "second has ik_llama.cpp 0c1e57098e1f" in refused(
        {**FACTS, "second": host("10.0.0.7", engine="ik_llama.cpp")}
    )


def test_builds_of_which_nobody_knows_the_version_are_refused():
    facts = copy.deepcopy(FACTS)
    for row in facts.values():
        row["llama_cpp_built"][1]["source"] = {}
    assert "first has llama.cpp unknown and second has llama.cpp unknown" in refused(facts)


def test_where_there_is_no_commit_the_digest_of_the_source_tells():
    facts = copy.deepcopy(FACTS)
    for row in facts.values():
        row["llama_cpp_built"][1]["source"] = {"sha256": "b" * 64}
    assert len(joined(NAMES, facts, "rpc")["workers"]) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"llama_cpp_built": []}, "second has no build rpc, so there is no cluster"),
        ({"llama_cpp_built": None}, "second has no build rpc"),
        ({"llama_rpc_worker": None}, "the RPC server of second does not run"),
        ({"llama_rpc_worker": {"address": "0.0.0.0", "port": 50052}}, "0.0.0.0 would let everybody in"),
        ({"llama_rpc_worker": {"address": "10.0.0.7", "port": 1}}, "llama_rpc_port is a whole number"),
        (
            {"llama_rpc_worker": {"address": "10.0.0.8", "port": 50052}},
            "second and third both listen on 10.0.0.8:50052",
        ),
    ],
)
def test_a_host_that_does_not_fit_is_named(change, words):
    assert words in refused({**FACTS, "second": {**FACTS["second"], **change}})


@pytest.mark.parametrize("names", [["first"], []])
def test_one_host_is_no_cluster(names):
    said = refused(FACTS, names) if names else None
    if said is None:
        with pytest.raises(ClusterRefused, match="group bench has 0 \\(none\\)"):
            joined([], FACTS, "rpc")
    else:
        assert "a cluster needs two hosts, and group bench has 1 (first)" in said
