# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts make a cluster, and whether they fit together, before anything is measured over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import rpc
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.capabilities import version_of
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.builds import build_name

Payload = Mapping[str, Any]


class ClusterRefused(ValueError):
    """Hosts that make no cluster; the message names them, the rule and the remedy."""


def _build(host: str, facts: Payload, name: str) -> Payload:
    """Return the payload of a host's build of this name. Raises ClusterRefused."""
    built = facts.get("llama_cpp_built")
    for build in built if isinstance(built, Sequence) else []:
        if isinstance(build, Mapping) and build.get("name") == name:
            return build
    raise ClusterRefused(
        f"{host} has no build {name}, so there is no cluster: read its failure above, or leave the host out of group "
        "bench"
    )


def _version(build: Payload) -> tuple[str, str]:
    """Return what says which llama.cpp a build is, and that in words."""
    source = build.get("source")
    source = source if isinstance(source, Mapping) else {}
    engine, commit, sha256 = str(build.get("engine") or "llama.cpp"), source.get("commit"), source.get("sha256")
    known = str(commit or sha256 or "unknown")
    return f"{engine} {known}", f"{engine} {version_of(source)[:12] or known[:12]}"


def joined(hosts: Sequence[str], facts: Mapping[str, Payload], build: Any) -> dict[str, Any]:
    """Return the option `cluster` of module llama_bench. Raises ClusterRefused.

    `hosts`: names of the inventory, the measuring host first. `facts` of each: its variables. `build`: the entry of
    llama_cpp_builds that all of them have.
    """
    if len(hosts) < 2:
        raise ClusterRefused(
            f"a cluster needs two hosts, and group bench has {len(hosts)} ({', '.join(hosts) or 'none'}): add hosts to "
            "it, or measure one host by site.yml"
        )
    head, name = hosts[0], build_name(build)
    commit, words = _version(_build(head, facts[head], name))
    workers: list[dict[str, Any]] = []
    for host in hosts[1:]:
        other, other_words = _version(_build(host, facts[host], name))
        if other != commit or commit.endswith("unknown"):
            raise ClusterRefused(
                f"{head} has {words} and {host} has {other_words}: hosts of a cluster need one and the same llama.cpp, "
                "and their RPC protocols differ between versions; give all of them one llama_cpp_version, or a source "
                "that says its commit"
            )
        served = facts[host].get("llama_rpc_worker")
        if not isinstance(served, Mapping):
            raise ClusterRefused(f"the RPC server of {host} does not run: read its failure above")
        machine = facts[host].get("llama_bench_machine")
        try:
            address, port = rpc.check_address(str(served.get("address")), host), rpc.check_port(served.get("port"))
        except rpc.RpcError as error:
            raise ClusterRefused(str(error)) from error
        same = [worker["host"] for worker in workers if (worker["address"], worker["port"]) == (address, port)]
        if same:
            raise ClusterRefused(
                f"{same[0]} and {host} both listen on {address}:{port}: give each its own llama_rpc_address"
            )
        workers.append(
            {
                "host": host, "address": address, "port": port, "threads": int(served.get("threads") or 1),
                "machine": dict(machine) if isinstance(machine, Mapping) else {},
                "serves": served.get("serves") is True,
            }
        )  # fmt: skip
    return {"head": head, "workers": workers}
