# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/request/cluster.py: make a cluster of the hosts whose RPC servers run, or say why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.builds import BuildError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request import cluster
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec

# What is asked of the variables of a host: nothing else of them is read.
_FACTS = ("llama_cpp_built", "llama_rpc_worker", "llama_bench_machine")


class ActionModule(CoreAction):
    """Runs on the controller alone and touches no host."""

    ARGUMENTS = spec(
        hosts=dict(type="list", elements="str", required=True),
        build=dict(type="raw", default="rpc"),
    )
    ERRORS = (cluster.ClusterRefused, BuildError)

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        known = task_vars["hostvars"]
        facts = {
            host: {name: known[host][name] for name in _FACTS if name in known[host]}
            for host in args["hosts"]
            if host in known
        }
        return {"cluster": cluster.joined(args["hosts"], facts, args["build"])}
