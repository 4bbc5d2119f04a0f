# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/llamacpp/rpc_server.py: the server of this host for other hosts, for the time of a run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_rpc_server
short_description: Run a server for the other hosts of a cluster for the time of a run
description:
  - Either the server of llama.cpp's RPC backend, which computes some layers of a model, or a C(llama-server), which has
    the whole model and is one of several behind a proxy, on the port after O(port).
  - The RPC server has neither a key nor encryption, and the other one no encryption, so they listen on one private IPv4
    address of the host; all interfaces, loopback and public addresses are refused.
  - It is a child of this module and ends with it. The module ends when it is asked to, when its time is over, and when
    no client was there for some time, so that nothing is left of a run whose controller or measuring host is gone.
  - A server that dies is begun again, ten seconds later and three times at most.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Chooses and checks the address, and neither begins nor ends anything.
    support: full
options:
  state:
    description:
      - V(prepared) chooses the address, ends what an earlier run has left on the port, and makes sure that both are
        free.
      - V(serving) runs the server to its end; meant for a task with C(async) and without C(poll).
      - V(ready) waits until the server answers.
      - V(ended) ends it, and returns how it ended.
    type: str
    choices: [prepared, serving, ready, ended]
    required: true
  server:
    description: V(rpc) for C(ggml-rpc-server), V(llama) for C(llama-server).
    type: str
    choices: [rpc, llama]
    default: rpc
  host:
    description: The name of the host in the inventory, for the words of errors.
    type: str
    required: true
  address:
    description: The address to listen on; empty means the first of O(addresses) that is private, else the one that
      packets to elsewhere come from.
    type: str
    default: ""
  addresses:
    description: Addresses by which the host is known, such as C(private_ip_address) of an instance.
    type: list
    elements: str
    default: []
  port:
    description: The port of the RPC server, from 1024 to 65534.
    type: int
    default: 50052
  program:
    description: The path of C(ggml-rpc-server); of O(state=serving) and O(server=rpc).
    type: path
  cells:
    description: Of O(server=llama). The cells of the run; those with C(servers=) are served, by one command, or the
      module fails.
    type: list
    elements: dict
    default: []
  builds:
    description: The builds of the host, as role P(cloudbench.llama.llama_cpp#role) hands them on in C(llama_cpp_built).
    type: list
    elements: dict
    default: []
  models:
    description: The models of the host, as role P(cloudbench.llama.llama_model#role) hands them on in
      C(llama_model_files).
    type: list
    elements: dict
    default: []
  slots:
    description: How many requests the C(llama-server) answers at the same time.
    type: int
    default: 4
  environment:
    description: Variables that are set for the C(llama-server).
    type: dict
    default: {}
  key:
    description: The C(llama-server) answers whoever has it.
    type: str
    default: ""
  start_seconds:
    description: How long the C(llama-server) may take to load its model.
    type: float
    default: 1800
  threads:
    description: Threads of the server; V(0) means one on each physical core.
    type: int
    default: 0
  minutes:
    description: How long it may serve at most.
    type: float
    default: 240
  patience:
    description: Seconds without a client after which it ends.
    type: float
    default: 180
  first_patience:
    description: Seconds that it waits for its first client, where that is more than O(patience).
    type: float
    default: 0
  directory:
    description: Directory on the host for what is known of the server.
    type: path
    default: ~/.cache/cloudbench/rpc
seealso:
  - module: cloudbench.llama.llama_rpc_cluster
"""

EXAMPLES = r"""
- name: Choose the address
  cloudbench.llama.llama_rpc_server:
    state: prepared
    host: "{{ inventory_hostname }}"
    address: 10.0.0.7
  register: prepared

- name: Begin the server
  cloudbench.llama.llama_rpc_server:
    state: serving
    host: "{{ inventory_hostname }}"
    address: "{{ prepared.address }}"
    program: ~/.cache/cloudbench/llama.cpp/build-f3e4dfb84ddf/bin/ggml-rpc-server
  async: 14500
  poll: 0

- name: Wait for it
  cloudbench.llama.llama_rpc_server:
    state: ready
    host: "{{ inventory_hostname }}"
"""

RETURN = r"""
address:
  description: The address it listens on.
  returned: of all states but V(ended)
  type: str
  sample: 10.0.0.7
port:
  description: The port.
  returned: always
  type: int
  sample: 50052
threads:
  description: The threads of the server.
  returned: always
  type: int
  sample: 16
version:
  description: The version of the protocol, by the server's own word.
  returned: of O(state=ready)
  type: str
  sample: 7.0.0
why:
  description: Why it ended.
  returned: of O(state=serving) and O(state=ended), where there was one
  type: str
  sample: it was asked to
restarts:
  description: How often it died and was begun again.
  returned: of O(state=serving) and O(state=ended), where there was one
  type: int
  sample: 0
deaths:
  description: How it died each time, with its last words.
  returned: of O(state=serving) and O(state=ended), where there was one
  type: list
  elements: str
  sample: []
clients:
  description: How many clients the RPC server had, those that only asked whether it is there among them.
  returned: of O(state=serving) and O(state=ended), where there was one
  type: int
  sample: 42
"""

import os
from typing import Any, Dict, Union

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import JobError
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import rpc, rpc_server
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.rpc import RpcError
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.rpc_server import LlamaProgram, RpcProgram
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.cluster import ClusterError, server_command
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import machine
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import HOME


def _done(params: Dict[str, Any], check_mode: bool) -> Dict[str, Any]:
    """Return the result of a state. Raises RpcError, and ClusterError where no server does for the cells."""
    host, port = params["host"], rpc.check_port(params["port"])
    llama = params["server"] == "llama"
    port = rpc.next_port(port) if llama else port
    place = rpc_server.Place(params["directory"], port)
    threads = params["threads"] or len(machine.cores()) or os.cpu_count() or 1
    told: Dict[str, Any] = {"port": port, "threads": threads}
    if params["state"] == "ended":
        state = {} if check_mode else place.end()
        known = {name: state[name] for name in ("why", "restarts", "deaths", "clients") if name in state}
        return dict(told, changed=bool(state), **known)
    if params["state"] == "ready":
        if check_mode:
            return dict(told, changed=False)
        seconds = (params["start_seconds"] if llama else rpc_server.START_SECONDS) + rpc_server.END_SECONDS
        state = rpc_server.ready(place, seconds)
        return dict(told, changed=False, address=state["address"], version=state["version"])
    told["address"] = rpc.choose(params["address"], params["addresses"], host)
    settings = LaunchSettings(slots=params["slots"], environment=params["environment"])
    if llama:
        # Also where it is only prepared: a server that is begun tells nobody of its task why there can be none.
        argv, applied = server_command(params["cells"], params["builds"], params["models"], threads, settings)
    if params["state"] == "prepared":
        if not check_mode:
            place.end()
        rpc_server.check_free(told["address"], port, host)
        return dict(told, changed=False)
    if check_mode:
        return dict(told, changed=True)
    program: Union[RpcProgram, LlamaProgram]
    if llama:
        program = LlamaProgram(
            argv, told["address"], port, params["key"], applied.environment, applied.huge_pages, params["start_seconds"]
        )
    else:
        program = RpcProgram(os.path.join(HOME, params["program"]), told["address"], port, threads)
    serving = rpc_server.Serving(
        program, host, told["address"], port, params["minutes"], params["patience"], place, params["first_patience"]
    )
    return dict(told, changed=True, **serving.serve())


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            state=dict(type="str", choices=["prepared", "serving", "ready", "ended"], required=True),
            server=dict(type="str", choices=["rpc", "llama"], default="rpc"),
            host=dict(type="str", required=True),
            address=dict(type="str", default=""),
            addresses=dict(type="list", elements="str", default=[]),
            port=dict(type="int", default=50052),
            program=dict(type="path"),
            cells=dict(type="list", elements="dict", default=[]),
            builds=dict(type="list", elements="dict", default=[]),
            models=dict(type="list", elements="dict", default=[]),
            slots=dict(type="int", default=4),
            environment=dict(type="dict", default={}),
            key=dict(type="str", default="", no_log=True),
            start_seconds=dict(type="float", default=1800),
            threads=dict(type="int", default=0),
            minutes=dict(type="float", default=240),
            patience=dict(type="float", default=180),
            first_patience=dict(type="float", default=0),
            directory=dict(type="path", default="~/.cache/cloudbench/rpc"),
        ),
        supports_check_mode=True,
    )
    params = module.params
    if (params["state"], params["server"]) == ("serving", "rpc") and not params["program"]:
        module.fail_json(msg="state serving of an RPC server needs program, the path of ggml-rpc-server")
    if (params["state"], params["server"]) == ("serving", "llama") and not params["key"]:
        module.fail_json(msg="state serving of a llama-server needs a key, without which it would answer everybody")
    try:
        result = _done(params, module.check_mode)
    except (RpcError, ClusterError, JobError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg="the %s server of %s: %s" % (params["server"], params["host"], error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
