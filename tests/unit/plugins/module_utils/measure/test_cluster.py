# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Launches over several hosts: what their records say, who is blamed, and what is refused before.

Servers and launches are mocks; docs/cluster.md has what real ones came to.
"""

from __future__ import annotations

import threading
import time

import pytest
from support.models.gguf_files import STRING, UINT32, gguf, record

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import memory, registry, variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed, Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import proxy, rpc, server
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import cluster as clusters
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import run as measuring
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.cluster import Cluster, ClusterError, obstacle
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.run import measure
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.settings import Settings
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.network import Traffic
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Usage

GIB = 1 << 30
ARCHITECTURE = record("general.architecture", STRING, "llama")
HEAD = {"id": "h" * 12, "name": "local-test", "cpu_model": "A", "cpu_count": 4, "memory_bytes": 16 * GIB}
OTHER = {
    "id": "o" * 12,
    "name": "local-test",
    "cpu_model": "B",
    "memory_bytes": 16 * GIB,
    "instance": {"type": "c8g.large"},
}
GIVEN = {
    "head": "first",
    "workers": [
        {"host": "second", "address": "10.0.0.7", "port": 50052, "threads": 2, "machine": OTHER},
        {"host": "third", "address": "10.0.0.8", "port": 50052, "threads": 2, "machine": OTHER},
    ],
}  # fmt: skip


class Servers:
    """What the servers answer; `gone` are addresses of those that do not, `loading` of a llama-server that loads."""

    def __init__(self, *gone: str) -> None:
        self.gone = set(gone)
        self.loading: set[str] = set()
        self.asked: list[str] = []

    def ask(self, address: str, port: int, _seconds: float, _times: int = 1) -> rpc.Answer:
        self.asked.append(address)
        if address in self.gone:
            raise rpc.RpcError(f"{address}:{port} does not answer as an RPC server of llama.cpp: refused")
        return rpc.Answer("7.0.0", 0.0005 if address == "10.0.0.7" else 0.001)

    def health(self, address: str, port: int, _seconds: float, _keep: float = 0.0) -> int | None:
        """As a llama-server on the next port does."""
        assert port == 50053
        self.asked.append(f"{address}/health")
        return None if address in self.gone else 503 if address in self.loading else server.HEALTHY


def cluster(servers: Servers, serves: bool = False) -> Cluster:
    given = {**GIVEN, "workers": [{**worker, "serves": serves} for worker in GIVEN["workers"]]}
    made = Cluster.of(given, HEAD, "k" * 32)
    return Cluster(made.head, HEAD, made.workers, servers.ask, "k" * 32, servers.health)


@pytest.fixture(autouse=True)
def model(tmp_path, monkeypatch):
    """The header of a model of 16 layers, where launches look for it."""
    (tmp_path / "m.gguf").write_bytes(gguf([ARCHITECTURE, record("llama.block_count", UINT32, 16)]))
    monkeypatch.setattr(clusters, "HOME", str(tmp_path))
    monkeypatch.setattr(clusters, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(clusters, "READY_SECONDS", 0.05)


@pytest.fixture(autouse=True)
def meter(monkeypatch):
    """An interface over which a known number of bytes goes."""
    asked: list[tuple[float, float]] = []

    class Known:
        interface = "eth0"

        def __init__(self, _interface: str | None) -> None:
            pass

        def __enter__(self) -> object:
            return self

        def __exit__(self, *_exception: object) -> None:
            pass

        def begin(self, _pid: int) -> None:
            pass

        def between(self, after_s: float, until_s: float) -> Traffic | None:
            asked.append((after_s, until_s))
            return Traffic(640_000, 900)

    monkeypatch.setattr(clusters, "Meter", Known)
    return asked


def job(text: str = "hosts=3", test: str = "tg32", **more) -> Job:
    cell = {"model": "m", "quantization": "Q4_0", "build": "rpc", "threads": 2, **registry.parse_test(test), **more}
    if text:
        cell["variant"] = variant.parse(text)
    return Job(cell, "bin", "m.gguf", {"id": "b" * 12, "name": "rpc"}, {"id": "f" * 12, "name": "m", "bytes": 10 * GIB})


KERNEL = {
    "buffers": [
        {"name": "CPU_Mapped", "use": "model", "bytes": 100},
        {"name": "CPU", "use": "kv", "bytes": 10},
        {"name": "RPC0[10.0.0.7:50052]", "use": "model", "bytes": 200},
        {"name": "RPC0[10.0.0.8:50052]", "use": "model", "bytes": 300},
        {"name": "RPC0[10.0.0.8:50052]", "use": "compute", "bytes": 7},
    ],
    "tensors": {"Q4_0": 113},
    "types": {},
    "repack": {},
}  # fmt: skip


def launched(job: Job, _settings: LaunchSettings, started) -> Outcome:
    started(1)
    cell = job.cell
    tokens = cell["n_prompt"] + cell["n_gen"]
    # Two repetitions at 100 tokens a second, the last thing that the process does.
    nanoseconds = [tokens * 10_000_000] * 2
    metric = registry.headline(cell)
    metrics = {metric: {"value": 100.0, "unit": "token/s"}, "wall_s": {"value": 10.0, "unit": "s"}}
    return Outcome(
        ["llama-bench"], metrics, [{"samples_ns": nanoseconds}], KERNEL, Usage(10.0, 1, 0, 1, 0, 0, 0, 0), {}
    )


def started(_pid: int) -> None:
    pass


def test_a_record_says_who_held_what_and_what_the_network_took(meter):
    (reached,) = cluster(Servers()).reach([job()])
    outcome = cluster(Servers()).launch(reached, LaunchSettings(), started, launched)
    told = outcome.detail["cluster"]
    assert [(host["host"], host["layers"], host["model_bytes"], host["kv_bytes"]) for host in told["hosts"]] == [
        ("first", 6, 100, 10),
        ("second", 6, 200, 0),
        ("third", 5, 300, 0),
    ]
    assert told["hosts"][1] == {
        "host": "second", "layers": 6, "threads": 2, "model_bytes": 200, "kv_bytes": 0, "compute_bytes": 0,
        "machine": "o" * 12, "processor": "B", "type": "c8g.large", "round_trip_s": 0.0005, "version": "7.0.0",
    }  # fmt: skip
    # The last 0.64 s are those of 2 times 32 tokens.
    assert meter == [(pytest.approx(9.36), 10.0)]
    assert (told["bytes"], told["packets"], told["tokens"], told["seconds"]) == (640_000, 900, 64, pytest.approx(0.64))
    assert outcome.metrics["network_token_bytes"] == {"value": 10_000.0, "unit": "B"}
    assert outcome.metrics["network_round_trip_ms"]["value"] == pytest.approx(1.5)
    # 64 times through the model, 1.5 ms of round trips each, of 640 ms.
    assert outcome.metrics["network_share_percent"]["value"] == pytest.approx(15.0)
    assert outcome.metrics["tg_tps"]["value"] == 100.0


def test_a_prompt_goes_through_the_model_once_for_each_batch(meter):
    (reached,) = cluster(Servers()).reach([job("hosts=2+batch=4096+ubatch=256", "pp1024")])
    outcome = cluster(Servers()).launch(reached, LaunchSettings(), started, launched)
    # 2 times 4 passes of 0.5 ms within 20.48 s.
    assert outcome.metrics["network_share_percent"]["value"] == pytest.approx(100 * 8 * 0.0005 / 20.48, abs=1e-4)
    assert len(outcome.detail["cluster"]["hosts"]) == 2


def test_a_worker_that_is_lost_in_the_middle_is_named():
    servers = Servers()

    def dies(job: Job, _settings: LaunchSettings, _started) -> Outcome:
        servers.gone.add("10.0.0.8")
        raise LaunchFailed(
            envelope.failure("measure", "llama-bench was ended by signal 6 (SIGABRT)", "Read it.", job.cell, signal=6)
        )

    there = cluster(servers)
    (reached,) = there.reach([job()])
    with pytest.raises(LaunchFailed) as failed:
        there.launch(reached, LaunchSettings(), started, dies)
    payload = failed.value.payload
    assert payload["cause"].startswith(
        "the worker third was lost during the launch (its RPC server 10.0.0.8:50052 does"
    )
    assert payload["cause"].endswith("llama-bench was ended by signal 6 (SIGABRT)")
    assert payload["detail"]["hosts_lost"] == ["third"]
    assert payload["detail"]["signal"] == 6
    assert "third" in payload["advice"]


def test_a_launch_that_fails_with_all_workers_there_blames_none():
    def fails(job: Job, _settings: LaunchSettings, _started) -> Outcome:
        raise LaunchFailed(envelope.failure("measure", "llama-bench ended with exit code 1", "Read it.", job.cell))

    there = cluster(Servers())
    (reached,) = there.reach([job()])
    with pytest.raises(LaunchFailed) as failed:
        there.launch(reached, LaunchSettings(), started, fails)
    assert failed.value.payload["cause"] == "llama-bench ended with exit code 1"


def test_a_worker_that_is_not_there_costs_no_launch():
    there = cluster(Servers("10.0.0.7"))
    (reached,) = there.reach([job()])
    with pytest.raises(
        LaunchFailed, match=r"the worker second is not there: its RPC server 10\.0\.0\.7:50052 does not"
    ):
        there.launch(reached, LaunchSettings(), started, lambda *_given: pytest.fail("launched"))


def test_a_worker_that_is_just_being_begun_again_is_waited_for(monkeypatch):
    monkeypatch.setattr(clusters, "READY_SECONDS", 10.0)
    servers = Servers("10.0.0.7")
    threading.Timer(0.2, servers.gone.clear).start()
    there = cluster(servers)
    (reached,) = there.reach([job()])
    assert there.launch(reached, LaunchSettings(), started, launched).metrics["tg_tps"]["value"] == 100.0


def test_servers_are_told_that_somebody_measures_except_while_they_serve(monkeypatch):
    monkeypatch.setattr(clusters, "_KEEP_SECONDS", 0.05)
    servers = Servers("10.0.0.8")
    there = cluster(servers)
    (reached,) = there.reach([job("hosts=2")])

    def slow(job: Job, settings: LaunchSettings, begun) -> Outcome:
        before = len(servers.asked)
        time.sleep(0.3)
        # What the launch does not need would end itself otherwise, should it take longer than a server's patience.
        assert set(servers.asked[before:]) == {"10.0.0.8"}
        return launched(job, settings, begun)

    with there.kept():
        time.sleep(0.3)
        assert {"10.0.0.7", "10.0.0.8"} <= set(servers.asked)
        there.launch(reached, LaunchSettings(), started, slow)
    after = len(servers.asked)
    time.sleep(0.2)
    assert len(servers.asked) == after


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"head": "first"}, "the cluster names head and workers"),
        ({"head": "first", "workers": [{"host": "second"}]}, "does not fit"),
        ({"head": "f", "workers": [{**GIVEN["workers"][0], "address": "0.0.0.0"}]}, "0.0.0.0 would let everybody in"),
        ({"head": "f", "workers": [{**GIVEN["workers"][0], "port": 22}]}, "llama_rpc_port is a whole number"),
    ],
)
def test_what_is_no_cluster_is_refused(given, words):
    with pytest.raises(ClusterError) as refused:
        Cluster.of(given, HEAD)
    assert words in str(refused.value)


def test_a_file_that_does_not_say_its_layers_is_refused(tmp_path):
    (tmp_path / "m.gguf").write_bytes(gguf([ARCHITECTURE, record("llama.context_length", UINT32, 16)]))
    with pytest.raises(ClusterError, match="does not say how many layers it has"):
        cluster(Servers()).reach([job()])
    (tmp_path / "m.gguf").unlink()
    with pytest.raises(ClusterError, match="the layers of the model are not known"):
        cluster(Servers()).reach([job()])
    # Of cells of one host nobody asks.
    assert cluster(Servers()).reach([job("")])[0].cluster is None


def test_more_hosts_than_there_are_and_layers_that_there_are_not_are_refused():
    there = cluster(Servers())
    (four, wrong) = there.reach([job("hosts=4"), job("hosts=2+layers=9/9")])
    assert obstacle(four, there, None)[0] == "hosts=4 needs 4 hosts, and this run has 3"
    assert "layers=9/9 are 18, and the model has 17" in obstacle(wrong, there, None)[0]
    assert obstacle(job("hosts=2"), None, None)[0] == "hosts=2 needs 2 hosts, and this run has 1"


def test_a_model_that_no_host_holds_alone_is_held_against_the_part_of_each():
    there = cluster(Servers())
    need = memory.Need(weights=34 * GIB, kv=0, compute=0, context=0)
    (even, uneven) = there.reach([job("hosts=3"), job("hosts=3+layers=1/15/1")])
    assert memory.refusal(need, HEAD["memory_bytes"]) is not None
    assert obstacle(even, there, need) is None
    cause, advice = obstacle(uneven, there, need)
    assert cause.startswith("second cannot hold 15 of 17 layers: it needs about 30.00 GiB")
    assert "Give it fewer layers" in advice


def test_what_other_hosts_are_is_part_of_what_is_compared():
    there = cluster(Servers())
    cell = job().cell

    def key(*workers: dict) -> str:
        return envelope.comparable_key(HEAD, {}, {}, cell, None, workers)

    as_it_is = key(*there.compared(cell))
    assert key() not in (as_it_is, key(dict(OTHER, threads=2)))
    assert key(*(dict(row, threads=4) for row in there.compared(cell))) != as_it_is
    assert key(*(dict(row, cpu_model="C") for row in there.compared(cell))) != as_it_is
    # Another boot of the same machine, and another name.
    same = [
        dict(row, boot_time="later", id="x", memory_bytes=row["memory_bytes"] + 4096) for row in there.compared(cell)
    ]
    assert key(*same) == as_it_is
    assert there.compared(job("").cell) == []


def test_a_run_measures_one_host_and_several_and_never_averages_them(monkeypatch):
    monkeypatch.setattr(measuring, "missing", lambda *_given: None)
    monkeypatch.setattr(measuring, "read_through", lambda _jobs: None)
    there = cluster(Servers())
    emitted: list[tuple[str, dict]] = []

    def emit(kind: str, payload: dict, _started: float | None) -> None:
        emitted.append((kind, payload))

    host = measuring.Host(launch=launched, bandwidth=lambda *_given: None)
    jobs = there.reach([job(""), job("hosts=2"), job("hosts=3"), job("hosts=4")])
    settings = Settings(launches=2, launches_most=2, repetitions=2, seed=1, time_limit=60)
    assert measure(jobs, settings, HEAD, emit, lambda _state: None, host=host, cluster=there)
    launches = [payload for kind, payload in emitted if kind == "launch"]
    assert len(launches) == 6
    by_hosts = {variant.hosts(launch["cell"]): launch for launch in launches}
    assert len({launch["key"] for launch in launches}) == 3
    assert "cluster" not in by_hosts[1]
    assert [len(by_hosts[count]["cluster"]["hosts"]) for count in (2, 3)] == [2, 3]
    # Weights that others hold are repacked by nobody, which is no fault of this machine.
    assert "path" not in by_hosts[2]["kernel"]
    (failed,) = [payload for kind, payload in emitted if kind == "failure"]
    assert failed["cause"] == "hosts=4 needs 4 hosts, and this run has 3"


def test_a_model_that_fits_nowhere_alone_has_its_ladder_over_its_hosts(monkeypatch):
    monkeypatch.setattr(measuring, "missing", lambda *_given: None)
    monkeypatch.setattr(measuring, "read_through", lambda _jobs: None)
    there = cluster(Servers())
    cells: list[dict] = []

    def keep(job: Job, settings: LaunchSettings, begun) -> Outcome:
        cells.append(job.cell)
        return launched(job, settings, begun)

    host = measuring.Host(launch=keep, bandwidth=lambda *_given: None)
    settings = Settings(launches=2, launches_most=2, repetitions=2, seed=1, time_limit=60)
    jobs = there.reach([job("hosts=3", threads=0)])
    assert measure(jobs, settings, dict(HEAD, physical_cores=2), lambda *_record: None, lambda _s: None, host=host,
                   cluster=there)  # fmt: skip
    assert {cell.get("variant") for cell in cells} == {"hosts=3"}
    assert {cell.get("purpose") for cell in cells} == {"ladder", None}


# One server on each host, behind a proxy.


def served(job: Job, _settings: LaunchSettings, begun) -> Outcome:
    begun(1)
    counts = [{"requests": 10}, *({"requests": 9} for _server in job.cluster.servers)]
    detail = {"cluster": {"proxy": "HAProxy version 2.6.12", "hosts": counts}}
    metrics = {"tpot_s": {"value": 0.1, "unit": "s"}, "output_tps": {"value": 30.0, "unit": "token/s"}}
    return Outcome(["llama-server"], metrics, [], {}, Usage(10.0, 1, 0, 1, 0, 0, 0, 0), detail)


def test_servers_that_share_requests_are_named_with_how_many_they_answered():
    there = cluster(Servers(), serves=True)
    (two, three) = there.reach([job("servers=2", "serve128+64@c4"), job("servers=3", "serve128+64@c4")])
    assert (two.cluster.servers, two.cluster.key) == (("10.0.0.7:50053",), "k" * 32)
    assert three.cluster.servers == ("10.0.0.7:50053", "10.0.0.8:50053")
    # No model is split: nobody looks for layers.
    assert (three.cluster.endpoints, variant.argv(three, "llama-server")) == ((), [])
    outcome = there.launch(three, LaunchSettings(), started, served)
    assert outcome.detail["cluster"] == {
        "proxy": "HAProxy version 2.6.12",
        "hosts": [
            {"requests": 10, "host": "first", "threads": 2, "machine": "h" * 12, "processor": "A"},
            {"requests": 9, "host": "second", "threads": 2, "machine": "o" * 12, "processor": "B", "type": "c8g.large"},
            {"requests": 9, "host": "third", "threads": 2, "machine": "o" * 12, "processor": "B", "type": "c8g.large"},
        ],
    }
    assert "k" * 32 not in str(outcome)


def test_a_server_that_still_loads_is_waited_for_and_one_that_is_not_there_costs_no_launch(monkeypatch):
    servers = Servers()
    servers.loading.add("10.0.0.8")
    there = cluster(servers, serves=True)
    (reached,) = there.reach([job("servers=3", "serve128+64@c4")])
    with pytest.raises(LaunchFailed) as failed:
        there.launch(reached, LaunchSettings(), started, lambda *_given: pytest.fail("launched"))
    assert failed.value.payload["cause"].startswith(
        "the worker third is not there: its llama-server 10.0.0.8:50053 answers 503 to /health, tried for"
    )
    monkeypatch.setattr(clusters, "READY_SECONDS", 10.0)
    threading.Timer(0.2, servers.loading.clear).start()
    assert there.launch(reached, LaunchSettings(), started, served).metrics["output_tps"]["value"] == 30.0


def test_a_server_that_is_lost_while_it_serves_is_named():
    servers = Servers()

    def dies(job: Job, _settings: LaunchSettings, _started) -> Outcome:
        servers.gone.add("10.0.0.7")
        raise LaunchFailed(envelope.failure("measure", "5 of 16 requests failed", "Read it.", job.cell))

    there = cluster(servers, serves=True)
    (reached,) = there.reach([job("servers=3", "serve128+64@c4")])
    with pytest.raises(LaunchFailed) as failed:
        there.launch(reached, LaunchSettings(), started, dies)
    payload = failed.value.payload
    assert payload["cause"] == (
        "the worker second was lost during the launch (its llama-server 10.0.0.7:50053 does not answer); "
        "5 of 16 requests failed"
    )
    assert payload["detail"]["hosts_lost"] == ["second"]


def test_a_server_that_was_lost_for_a_while_is_named_though_it_answers_again():
    def flaps(job: Job, _settings: LaunchSettings, _started) -> Outcome:
        raise LaunchFailed(envelope.failure("measure", "number 3 was not there", "Read.", job.cell, servers_lost=[2]))

    there = cluster(Servers(), serves=True)
    (reached,) = there.reach([job("servers=3", "serve128+64@c4")])
    with pytest.raises(LaunchFailed) as failed:
        there.launch(reached, LaunchSettings(), started, flaps)
    payload = failed.value.payload
    assert payload["cause"].startswith(
        "the worker third was lost during the launch (its llama-server 10.0.0.8:50053 was not there for a while)"
    )
    assert payload["detail"]["hosts_lost"] == ["third"]


def test_servers_know_that_somebody_measures_while_others_are_asked(monkeypatch):
    monkeypatch.setattr(clusters, "_KEEP_SECONDS", 0.05)
    servers = Servers()
    with cluster(servers, serves=True).kept():
        time.sleep(0.3)
    assert {"10.0.0.7/health", "10.0.0.8/health"} <= set(servers.asked)
    servers.asked.clear()
    with cluster(servers).kept():
        time.sleep(0.3)
    assert set(servers.asked) == {"10.0.0.7", "10.0.0.8"}


def test_only_servers_that_a_launch_uses_are_left_alone_meanwhile(monkeypatch):
    monkeypatch.setattr(clusters, "_KEEP_SECONDS", 0.05)
    servers = Servers()
    there = cluster(servers, serves=True)
    every = {"10.0.0.7", "10.0.0.8", "10.0.0.7/health", "10.0.0.8/health"}
    seen: list[set[str]] = []

    def slow(job: Job, settings: LaunchSettings, begun) -> Outcome:
        before = len(servers.asked)
        time.sleep(0.4)
        seen.append(set(servers.asked[before:]))
        return (served if variant.servers(job.cell) > 1 else launched)(job, settings, begun)

    with there.kept():
        for asked in there.reach([job("hosts=2"), job("servers=2", "serve128+64@c4")]):
            there.launch(asked, LaunchSettings(), started, slow)
    assert seen == [every - {"10.0.0.7"}, every - {"10.0.0.7/health"}]


def test_requests_are_shared_only_where_each_host_can_answer_them(monkeypatch):
    monkeypatch.setattr(proxy, "program", lambda: "/usr/sbin/haproxy")
    serving, silent = cluster(Servers(), serves=True), cluster(Servers())

    def why(text: str, test: str, there: Cluster, need: memory.Need | None = None):
        (reached,) = there.reach([job(text, test)])
        return obstacle(reached, there, need)

    assert why("servers=3", "serve128+64@c4", serving) is None
    assert why("servers=4", "serve128+64@c4", serving)[0] == "servers=4 needs 4 hosts, and this run has 3"
    assert why("servers=3", "tg32", serving)[0] == "servers=3 shares requests, and tg32 sends none"
    assert "and second and third has none" in why("servers=3", "serve128+64@c4", silent)[0]
    need = memory.Need(weights=34 * GIB, kv=0, compute=0, context=0)
    assert why("servers=2", "serve128+64@c4", serving, need)[0].startswith(
        "first cannot hold the model alone: it needs"
    )
    monkeypatch.setattr(proxy, "program", lambda: None)
    cause, advice = why("servers=3", "serve128+64@c4", serving)
    assert cause == "several servers need HAProxy before them, and this host has no program haproxy"
    assert "Install the package haproxy" in advice


BUILD = {"name": "rpc", "bin": "/opt/bin", "id": "b" * 12}
MODEL = {"name": "m", "quantization": "Q4_0", "path": "/opt/m.gguf", "id": "f" * 12}


def test_the_server_of_a_host_is_one_for_all_cells_that_it_shares():
    cells = [
        job("servers=2+fa=off", "serve128+64@c4").cell,
        job("servers=3+fa=off", "serve512+64@c2", threads=4, threads_batch=4).cell,
        job("", "tg32").cell,
    ]
    argv, applied = clusters.server_command(cells, [BUILD], [MODEL], 7, LaunchSettings(slots=4))
    assert argv[:3] == ["/opt/bin/llama-server", "-m", "/opt/m.gguf"]
    assert argv[3:11] == ["-t", "7", "-tb", "7", "-np", "4", "-c", str(4 * 768)]
    assert argv[-2:] == ["-fa", "0"]
    assert "--rpc" not in argv
    assert applied.slots == 4
    with pytest.raises(ClusterError, match="has neither build nor model"):
        clusters.server_command(cells, [BUILD], [], 7, LaunchSettings())


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        ("servers=3", {}, "m, Q4_0, rpc, default and m, Q4_0, rpc, fa=off"),
        ("servers=3+fa=off", {"quantization": "Q8_0"}, "m, Q8_0, rpc, fa=off and m, Q4_0, rpc, fa=off"),
        ("servers=3+fa=off", {"build": "other"}, "m, Q4_0, other, fa=off and m, Q4_0, rpc, fa=off"),
    ],
)
def test_what_would_need_two_servers_on_a_host_is_refused(text, more, words):
    cells = [job(text, "serve128+64@c4", **more).cell, job("servers=2+fa=off", "serve128+64@c4").cell]
    with pytest.raises(ClusterError, match="a host has one server") as refused:
        clusters.served(cells)
    assert words in str(refused.value)
    assert clusters.served([job("", "tg32").cell, job("hosts=2").cell]) is None
