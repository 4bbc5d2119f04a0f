# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A launch over several hosts: whether all are there, what the network did meanwhile, and who was lost when it fails.

Either this host measures and computes the first layers, and the others, workers, have the rest in an RPC server each.
Or all have the whole model in a llama-server each, and a proxy on this host shares the requests out.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import memory, registry, variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Cluster as Reached
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job, jobs_of
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed, Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import proxy, rpc, server
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.rpc import RpcError
from ansible_collections.cloudbench.llama.plugins.module_utils.models.gguf import GgufError, architecture, read_gguf
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import cgroup
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.network import Meter, Traffic, interface_to
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import HOME

# How long a launch waits for a worker, whose server may just be begun again (rpc_server.RESTART_SECONDS).
READY_SECONDS = 60.0
# How long a server may take for an answer, and how long between two questions to one that gave none.
_ANSWER_SECONDS, _PAUSE_SECONDS = 5.0, 1.0
# Round trips before each launch, of which the median counts.
_TRIPS = 21
# A server without a client ends by itself (llama_rpc_patience, of which this is a part): while cells of one host are
# measured, it is asked now and then. A llama-server sees a connection that lasts so long.
_KEEP_SECONDS, _SEEN_SECONDS = 20.0, 0.5

Launch = Callable[[Job, LaunchSettings, Callable[[int], None]], Outcome]


class ClusterError(ValueError):
    """The hosts given do not make a cluster; the message says what does not fit."""


class Worker(NamedTuple):
    """Another host: its name in the inventory, where its server listens, with how many threads, and its machine.

    `serves`: whether it has a llama-server too, beside the RPC server and on the port after its.
    """

    host: str
    address: str
    port: int
    threads: int
    machine: Dict[str, Any]
    serves: bool = False

    @property
    def endpoint(self) -> str:
        """Its address as llama.cpp is given it."""
        return "%s:%d" % (self.address, self.port)

    @property
    def served(self) -> str:
        """The address of its llama-server."""
        return "%s:%d" % (self.address, rpc.next_port(self.port))


def _named(machine: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what the record of a launch says of a host's machine."""
    kind = (machine.get("instance") or {}).get("type")
    told = {"machine": machine.get("id"), "processor": machine.get("cpu_model"), "type": kind}
    return {name: value for name, value in told.items() if value}


class Cluster:
    """The hosts of a run.

    `head` is this host's name in the inventory, `machine` the payload of its record, `key` that of the workers'
    llama-servers. `ask` is rpc.ask and `health` server.health, so that a test can answer for a server.
    """

    def __init__(
        self,
        head: str,
        machine: Dict[str, Any],
        workers: Sequence[Worker],
        ask: Callable[..., rpc.Answer] = rpc.ask,
        key: str = "",
        health: Callable[..., Optional[int]] = server.health,
    ) -> None:
        self.head = head
        self.machine = machine
        self.workers = list(workers)
        self._key = key
        self._ask = ask
        self._health = health
        # Workers whose RPC server, or whose llama-server, the running launch is a client of.
        self._computing: List[Worker] = []
        self._serving: List[Worker] = []
        self._asking = threading.Lock()

    @classmethod
    def of(cls, given: Mapping[str, Any], machine: Dict[str, Any], key: str = "") -> Cluster:
        """Return the cluster of the module's options. Raises ClusterError."""
        try:
            workers = [
                Worker(
                    str(row["host"]),
                    rpc.check_address(row["address"], row["host"]),
                    rpc.check_port(row["port"]),
                    int(row["threads"]),
                    dict(row["machine"]),
                    bool(row.get("serves")),
                )
                for row in given["workers"]
            ]
            return cls(str(given["head"]), machine, workers, key=key)
        except RpcError as error:
            raise ClusterError(str(error)) from error
        except (KeyError, TypeError, ValueError) as error:
            raise ClusterError(
                "the cluster names head and workers, each of these with host, address, port, threads and machine; "
                "%r does not fit" % error
            ) from error

    def reach(self, jobs: Sequence[Job]) -> List[Job]:
        """Return jobs of which those over several hosts know the workers. Raises ClusterError."""
        layers: Dict[str, int] = {}
        reached = []
        for job in jobs:
            if variant.servers(job.cell) > 1:
                servers = tuple(worker.served for worker in self.used(job.cell))
                job = job._replace(cluster=Reached(servers=servers, key=self._key))
            elif variant.sharing(job.cell) > 1:
                if job.model_path not in layers:
                    layers[job.model_path] = _layers(job.model_path)
                endpoints = tuple(worker.endpoint for worker in self.workers)
                job = job._replace(cluster=Reached(endpoints, layers[job.model_path]))
            reached.append(job)
        return reached

    def used(self, cell: Mapping[str, Any]) -> List[Worker]:
        """Return the workers of a cell, none of one that this host computes alone."""
        return self.workers[: variant.hosts(cell) - 1]

    def compared(self, cell: Mapping[str, Any]) -> List[Dict[str, Any]]:
        """Return what of the workers of a cell has to be equal where launches are pooled."""
        return [dict(worker.machine, threads=worker.threads) for worker in self.used(cell)]

    # Before a run and between its launches.

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Let the servers know, for the time of a block, that somebody still measures."""
        ended = threading.Event()

        def keep() -> None:
            while not ended.wait(_KEEP_SECONDS):
                for worker in self.workers:
                    with self._asking:
                        # An RPC server has one client at a time. A launch tells of one that is missing.
                        if worker not in self._computing:
                            with contextlib.suppress(RpcError):
                                self._ask(worker.address, worker.port, _ANSWER_SECONDS)
                        if worker.serves and worker not in self._serving:
                            self._health(*_place(worker), _ANSWER_SECONDS, _SEEN_SECONDS)

        thread = threading.Thread(target=keep, name="cluster", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    @contextlib.contextmanager
    def _client_of(self, computing: Sequence[Worker] = (), serving: Sequence[Worker] = ()) -> Iterator[None]:
        """Ask neither these RPC servers nor these llama-servers whether they are there, for the time of a block."""
        with self._asking:
            self._computing, self._serving = list(computing), list(serving)
        try:
            yield
        finally:
            with self._asking:
                self._computing, self._serving = [], []

    # A launch.

    def launch(self, job: Job, settings: LaunchSettings, started: Callable[[int], None], launch: Launch) -> Outcome:
        """Launch a cell over its hosts; the outcome says what each had and what the network did.

        Raises LaunchFailed, which names the hosts that do not answer.
        """
        workers = self.used(job.cell)
        if variant.servers(job.cell) > 1:
            return self._launch_behind(job, settings, started, launch)
        with self._client_of(computing=workers):
            answers = [self._answer(worker, job) for worker in workers]
            meter = Meter(interface_to(workers[0].address))

            def both(pid: int) -> None:
                meter.begin(pid)
                started(pid)

            try:
                with meter:
                    outcome = launch(job, settings, both)
            except LaunchFailed as failure:
                raise LaunchFailed(self._blamed(failure.payload, workers, self._why_no_rpc)) from failure
        return self._told(job, outcome, answers, meter)

    def _launch_behind(
        self, job: Job, settings: LaunchSettings, started: Callable[[int], None], launch: Launch
    ) -> Outcome:
        """Launch a cell whose requests several servers share; the outcome says how many each answered."""
        workers = self.used(job.cell)
        with self._client_of(serving=workers):
            self._await_servers(workers, job)
            try:
                outcome = launch(job, settings, started)
            except LaunchFailed as failure:
                # One that died is there again by now: the proxy knows who was not, of whom this host's is the first.
                lost = failure.payload["detail"].get("servers_lost") or []

                def why_lost(worker: Worker) -> Optional[str]:
                    if workers.index(worker) + 1 in lost:
                        return "%s %s was not there for a while" % (server.NAME, worker.served)
                    return self._why_no_server(worker)

                raise LaunchFailed(self._blamed(failure.payload, workers, why_lost)) from failure
        rows = [(self.head, self.machine, job.cell["threads"])]
        rows += [(worker.host, worker.machine, worker.threads) for worker in workers]
        told = dict(outcome.detail["cluster"])
        told["hosts"] = [
            dict(counted, host=host, threads=threads, **_named(machine))
            for counted, (host, machine, threads) in zip(told["hosts"], rows)
        ]
        return outcome._replace(detail=dict(outcome.detail, cluster=told))

    def _await_servers(self, workers: Sequence[Worker], job: Job) -> None:
        """Return once the llama-servers of all workers are healthy. Raises LaunchFailed, which names a missing one."""
        end = time.monotonic() + READY_SECONDS
        for worker in workers:
            why = self._why_no_server(worker)
            while why:
                if time.monotonic() > end:
                    cause = "the worker %s is not there: its %s, tried for %g s" % (worker.host, why, READY_SECONDS)
                    advice = _ADVICE % (server.NAME, worker.host)
                    raise LaunchFailed(envelope.failure("measure", cause, advice, job.cell))
                time.sleep(_PAUSE_SECONDS)
                why = self._why_no_server(worker)

    def _why_no_server(self, worker: Worker) -> Optional[str]:
        told = self._health(*_place(worker), _ANSWER_SECONDS)
        if told == server.HEALTHY:
            return None
        return "%s %s %s" % (server.NAME, worker.served, "answers %d to /health" % told if told else "does not answer")

    def _why_no_rpc(self, worker: Worker) -> Optional[str]:
        try:
            self._ask(worker.address, worker.port, _ANSWER_SECONDS)
        except RpcError as error:
            return "RPC server %s" % error
        return None

    def _answer(self, worker: Worker, job: Job) -> rpc.Answer:
        """Return what the server of a worker says; one that is just being begun again is waited for."""
        end = time.monotonic() + READY_SECONDS
        while True:
            try:
                return self._ask(worker.address, worker.port, _ANSWER_SECONDS, _TRIPS)
            except RpcError as error:
                if time.monotonic() > end:
                    cause = "the worker %s is not there: its RPC server %s, tried for %g s" % (
                        worker.host,
                        error,
                        READY_SECONDS,
                    )
                    advice = _ADVICE % ("RPC server", worker.host)
                    raise LaunchFailed(envelope.failure("measure", cause, advice, job.cell)) from error
            time.sleep(_PAUSE_SECONDS)

    def _blamed(
        self, payload: Dict[str, Any], workers: Sequence[Worker], why_none: Callable[[Worker], Optional[str]]
    ) -> Dict[str, Any]:
        """Return the payload of a failed launch with the hosts that do not answer any more."""
        missing = [(worker.host, why) for worker in workers for why in [why_none(worker)] if why]
        if not missing:
            return payload
        names = " and ".join(host for host, _why in missing)
        cause = "the worker %s was lost during the launch (its %s); %s" % (
            names,
            "; ".join(why for _host, why in missing),
            payload["cause"],
        )
        detail = dict(payload["detail"], hosts_lost=[host for host, _why in missing])
        return dict(payload, cause=cause, advice=_ADVICE % ("server", names), detail=detail)

    def _told(self, job: Job, outcome: Outcome, answers: Sequence[rpc.Answer], meter: Meter) -> Outcome:
        """Return an outcome with the layers and the bytes of each host, and the network's part of a token."""
        cell, workers = job.cell, self.used(job.cell)
        layers = variant.split(cell, job.cluster.layers if job.cluster else 0)
        sizes = rpc.bytes_by_endpoint(outcome.kernel)

        def host(name: str, count: int, endpoint: str, machine: Mapping[str, Any], threads: int) -> Dict[str, Any]:
            # The log of a server names no buffers unless it is asked to.
            uses = ("model", "kv", "compute") if sizes else ()
            buffers = {use + "_bytes": sizes.get((endpoint, use), 0) for use in uses}
            return dict(buffers, host=name, layers=count, threads=threads, **_named(machine))

        hosts = [host(self.head, layers[0], "", self.machine, cell["threads"])]
        for worker, count, answer in zip(workers, layers[1:], answers):
            row = host(worker.host, count, worker.endpoint, worker.machine, worker.threads)
            hosts.append(dict(row, round_trip_s=round(answer.round_trip_s, 9), version=answer.version))
        told: Dict[str, Any] = {"hosts": hosts, "interface": meter.interface}
        trip = sum(answer.round_trip_s for answer in answers)
        metrics = dict(outcome.metrics)
        metrics["network_round_trip_ms"] = {"value": round(1000 * trip, 6), "unit": "ms"}
        after_s, until_s = registry.kind_of(cell).computed(outcome)
        tokens, steps = _work(job, outcome)
        moved: Optional[Traffic] = meter.between(after_s, until_s)
        if tokens and moved:
            told.update(bytes=moved.bytes, packets=moved.packets, tokens=tokens, seconds=round(until_s - after_s, 6))
            metrics["network_token_bytes"] = {"value": round(moved.bytes / tokens, 3), "unit": "B"}
        if steps and until_s > after_s:
            share = min(100.0, 100 * trip * steps / (until_s - after_s))
            metrics["network_share_percent"] = {"value": round(share, 4), "unit": "%"}
        return outcome._replace(metrics=metrics, detail=dict(outcome.detail, cluster=told))


_ADVICE = (
    "Look at the %s of %s, whose end is in what the playbook says of it; what was measured until then is kept, "
    "and the same command goes on."
)


def _place(worker: Worker) -> Tuple[str, int]:
    return worker.address, rpc.next_port(worker.port)


def served(cells: Sequence[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """Return the one cell that stands for all whose requests several servers share: the one with the longest context.

    None where there is no such cell. Raises ClusterError where no server would do for all of them, for there is one on
    a host.
    """
    shared = [cell for cell in cells if variant.servers(cell) > 1]
    needed: Dict[Tuple[str, ...], Dict[str, Any]] = {}
    for cell in shared:
        settings = {name: value for name, value in variant.settings_of(cell["variant"]).items() if name != "servers"}
        said = variant.text_of(settings) or variant.PLAIN
        needed.setdefault((cell["model"], cell["quantization"], cell["build"], said), cell)
    if len(needed) > 1:
        raise ClusterError(
            "a host has one server, of one file and with one set of settings, and the cells with servers= need "
            "several: %s; ask for one model in one quantization and one build, and let variants with servers= differ "
            "in their number alone" % " and ".join(", ".join(words) for words in needed)
        )
    return max(shared, key=lambda cell: memory.context_of(cell, 1)) if shared else None


def server_command(
    cells: Sequence[Dict[str, Any]],
    builds: List[Dict[str, Any]],
    models: List[Dict[str, Any]],
    threads: int,
    settings: LaunchSettings,
) -> Tuple[List[str], LaunchSettings]:
    """Return the command of this host's llama-server for the cells whose requests it shares, and how it is launched.

    It has this host's threads. Raises ClusterError, and JobError where there is no build.
    """
    cell = served(cells)
    jobs = jobs_of([cell], builds, models) if cell else []
    if not jobs:
        raise ClusterError("this host has neither build nor model of a cell whose requests several servers share")
    named = {name: value for name, value in jobs[0].cell.items() if name != "threads_batch"}
    job = jobs[0]._replace(cell=dict(named, threads=threads))
    applied = variant.applied(job, settings)
    return registry.SERVE.argv(job, applied), applied


def _work(job: Job, outcome: Outcome) -> Tuple[int, int]:
    """Return the tokens of what was timed, and how often the model was gone through for them; 0 where not known."""
    cell = job.cell
    if registry.kind_of(cell) is not registry.BENCH or not outcome.rows:
        return 0, 0
    repetitions = len(outcome.rows[0]["samples_ns"])
    at_once = int(variant.of_cell(cell).get("ubatch", memory.BATCH))
    steps = cell["n_gen"] + -(-cell["n_prompt"] // at_once)
    return repetitions * (cell["n_prompt"] + cell["n_gen"]), repetitions * steps


def _layers(model_path: str) -> int:
    """Return the layers of a model's file, the output included. Raises ClusterError."""
    try:
        model = read_gguf(os.path.join(HOME, model_path))
    except (GgufError, OSError) as error:
        raise ClusterError("the layers of the model are not known: %s" % error) from error
    count = model.metadata.get("%s.block_count" % architecture(model))
    if not isinstance(count, int) or count < 1:
        raise ClusterError("%s does not say how many layers it has (block_count)" % model_path)
    return count + 1


def obstacle(job: Job, cluster: Optional[Cluster], need: Optional[memory.Need]) -> Optional[Tuple[str, str]]:
    """Return (cause, advice) where a cell over several hosts cannot be measured by these, None where it can.

    `need` is what the whole model needs, with the context of one server; where it is computed together the weights and
    the context are shared out by layers, what is computed with is on each host.
    """
    count = variant.hosts(job.cell)
    behind = variant.servers(job.cell) > 1
    there = 1 + len(cluster.workers) if cluster else 1
    if cluster is None or job.cluster is None or count > there:
        return (
            "%s=%d needs %d hosts, and this run has %d" % ("servers" if behind else "hosts", count, count, there),
            "Run playbooks/cluster.yml over an inventory with %d hosts in its group bench." % count,
        )
    if behind:
        return _no_servers(job, cluster, need)
    try:
        layers = variant.split(job.cell, job.cluster.layers)
    except variant.VariantError as error:
        return str(error), "Correct that variant in llama_rpc_variants."
    if need is None:
        return None
    of_hosts = [(cluster.head, cluster.machine), *((worker.host, worker.machine) for worker in cluster.used(job.cell))]
    for number, ((host, machine), share) in enumerate(zip(of_hosts, layers)):
        part = memory.share(need, share, sum(layers))
        # A worker knows of its control groups itself, and has told.
        room = cgroup.memory(machine) if number == 0 else machine.get("memory_bytes")
        why = memory.refusal(part, room)
        if why:
            return (
                "%s cannot hold %d of %d layers: %s" % (host, share, sum(layers), why[0]),
                "Give it fewer layers (layers=...), add a host, or choose a smaller model or hosts with more memory.",
            )
    return None


def _no_servers(job: Job, cluster: Cluster, need: Optional[memory.Need]) -> Optional[Tuple[str, str]]:
    """Return (cause, advice) where the requests of a cell cannot be shared by these hosts."""
    name = "servers=%d" % variant.servers(job.cell)
    if registry.kind_of(job.cell) is not registry.SERVE:
        return (
            "%s shares requests, and %s sends none" % (name, job.cell["test"]),
            "Measure it by tests of a server, such as %s." % registry.SERVE.examples[0],
        )
    silent = [worker.host for worker in cluster.used(job.cell) if not worker.serves]
    if silent:
        return (
            "%s needs a llama-server on each of its hosts, and %s has none" % (name, " and ".join(silent)),
            "Read what the playbook says of it.",
        )
    without = proxy.missing()
    if without:
        return without, proxy.ADVICE
    of_hosts = [(cluster.head, cgroup.memory(cluster.machine))]
    of_hosts += [(worker.host, worker.machine.get("memory_bytes")) for worker in cluster.used(job.cell)]
    for host, room in of_hosts:
        why = memory.refusal(need, room) if need else None
        if why:
            return "%s cannot hold the model alone: %s" % (host, why[0]), why[1]
    return None
