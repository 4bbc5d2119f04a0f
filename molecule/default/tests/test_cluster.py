# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three hosts compute one model together: real llama.cpp, real ssh, a network between namespaces of this machine.

Their processors are one another's, so that no figure of it holds; who has what, what is said and what is left does.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import quick_compile
from support.hosts import namespaces
from support.hosts.namespaces import Hosts

testinfra_hosts = ["ansible://localhost"]

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
PROGRAM = "ggml-rpc-server"
# What llama.cpp counts of SmolLM2 135M: 30 layers and the output.
LAYERS = 31
WORKERS = ("two", "three")

Payload = dict[str, Any]


class Cluster:
    """The hosts, and the playbook over them."""

    def __init__(self, hosts: Hosts, directory: Path) -> None:
        self.hosts = hosts
        self.directory = directory
        cache = directory / "controller"
        cache.mkdir()
        # Archives that this machine has fetched before.
        sources = Path.home() / ".cache" / "cloudbench" / "controller" / "sources"
        if sources.is_dir():
            shutil.copytree(sources, cache / "sources")
        asked = hosts.inventory(
            llama_cpp_cmake_options=quick_compile.options(),
            llama_cpp_controller_cache=str(cache),
            llama_model_models=["smollm2-135m"],
            llama_model_reference="Q4_0",
            llama_bench_threads=[1],
            llama_bench_launches=2,
            llama_bench_minutes=0,
            llama_bench_machine_name="local-cluster",
            llama_rpc_threads=1,
        )
        (directory / "hosts.json").write_text(json.dumps(asked), encoding="utf-8")

    def begin(self, results: Path, **variables: Any) -> subprocess.Popen[str]:
        foreign = ("ANSIBLE_", "CLOUDBENCH_RUN")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return subprocess.Popen(
            ["ansible-playbook", "playbooks/cluster.yml", "-i", self.directory / "hosts.json", "-e",
             json.dumps(variables)],
            cwd=PROJECT,
            env={**kept, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "CLOUDBENCH_RESULTS_DIR": str(results)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip

    def play(self, results: Path, **variables: Any) -> tuple[int, str]:
        """Run the playbook; return how it ended, and what it printed."""
        running = self.begin(results, **variables)
        try:
            output, _errors = running.communicate(timeout=1200)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
        return running.returncode, output

    def servers(self) -> list[int]:
        return [pid for name in WORKERS for pid in self.hosts.processes(name, PROGRAM)]


def records(results: Path, kind: str) -> list[Payload]:
    read = [
        json.loads(line) for path in results.glob("*/records/*.jsonl") for line in path.read_text("utf-8").splitlines()
    ]
    return [record["payload"] for record in read if record["kind"] == kind]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    problem = namespaces.obstacle()
    if problem:
        pytest.skip(problem)
    directory = tmp_path_factory.mktemp("hosts")
    with Hosts(directory, "one", *WORKERS) as hosts:
        yield Cluster(hosts, directory)
    assert namespaces.leftovers() == []


@pytest.fixture(scope="module")
def measured(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("results")
    code, output = cluster.play(
        results,
        llama_rpc_tests=["pp32", "tg8", "greedy8"],
        llama_rpc_variants=["default", "repack=off", "hosts=2", "hosts=3+layers=1/15/15"],
    )
    assert code == 0, output
    assert records(results, "failure") == []
    return results


def by_variant(results: Path, test: str) -> dict[str, list[Payload]]:
    found: dict[str, list[Payload]] = {}
    for launch in records(results, "launch"):
        if launch["cell"]["test"] == test and not launch["cell"].get("purpose"):
            found.setdefault(launch["cell"].get("variant", ""), []).append(launch)
    return found


def test_layers_and_bytes_of_each_host_are_on_record(measured: Path) -> None:
    launches = by_variant(measured, "tg8")
    (two, *_more) = launches["hosts=2"]
    (three, *_more) = launches["hosts=3+layers=1/15/15"]
    (alone, *_more) = launches["repack=off"]
    assert [(host["host"], host["layers"]) for host in two["cluster"]["hosts"]] == [("one", 16), ("two", 15)]
    assert [host["layers"] for host in three["cluster"]["hosts"]] == [1, 15, 15]
    whole = alone["metrics"]["model_buffer_bytes"]["value"]
    for launch in (two, three):
        held = [host["model_bytes"] for host in launch["cluster"]["hosts"]]
        assert all(held)
        # The table of embeddings is the output too: the first host and the last have it.
        assert whole * 0.95 < sum(held) < whole * 1.5
        assert launch["cluster"]["interface"] == "eth0"
        assert launch["metrics"]["network_token_bytes"]["value"] > 1000
        assert 0 < launch["metrics"]["network_round_trip_ms"]["value"] < 100
    # 576 activations of 4 bytes for each worker and 49,152 logits are the least that moves for a token.
    assert two["metrics"]["network_token_bytes"]["value"] > 4 * 49152


def test_several_hosts_are_never_averaged_with_one(measured: Path) -> None:
    for test in ("pp32", "tg8"):
        launches = by_variant(measured, test)
        assert len(launches) == 4
        assert len({launch["key"] for each in launches.values() for launch in each}) == 4
        assert "cluster" not in launches[""][0]
    page = (measured / "local-cluster" / "smollm2-135m" / "q4.md").read_text("utf-8")
    assert "Several hosts together" in page
    assert "hosts=3+layers=1/15/15" in page


def test_they_say_what_one_host_says(measured: Path) -> None:
    answers = {variant: launches[0]["rows"] for variant, launches in by_variant(measured, "greedy8").items()}
    assert answers["hosts=2"] == answers["hosts=3+layers=1/15/15"] == answers["repack=off"]


def test_no_server_is_left(cluster: Cluster, measured: Path) -> None:
    assert cluster.servers() == []
    listening = [cluster.hosts.ssh(name, "cat /proc/net/tcp") for name in WORKERS]
    # 0A is LISTEN, C384 is 50052.
    assert not any(":C384 00000000:0000 0A" in text for text in listening)


def test_a_host_that_is_lost_in_the_middle_is_named_and_the_others_go_on(cluster: Cluster, tmp_path: Path) -> None:
    asked = {"llama_rpc_tests": ["tg512", "tg8"], "llama_rpc_variants": ["default", "hosts=3"]}
    running = cluster.begin(tmp_path, **asked)
    spool = cluster.hosts.home("one") / ".cache" / "cloudbench" / "spool"
    deadline = time.monotonic() + 600
    try:
        killed = False
        while not killed:
            assert time.monotonic() < deadline
            assert running.poll() is None, running.communicate()[0]
            now = [json.loads(path.read_text("utf-8")).get("now") or {} for path in spool.glob("*.progress.json")]
            if any((cell.get("test"), cell.get("variant")) == ("tg512", "hosts=3") for cell in now):
                # It is loading, or computing.
                time.sleep(2)
                (server,) = cluster.hosts.processes("three", PROGRAM)
                # The server has one address of the host, and no other.
                assert b"198.19.77.13" in Path(f"/proc/{server}/cmdline").read_bytes()
                os.kill(server, signal.SIGKILL)
                killed = True
            time.sleep(0.05)
        output, _errors = running.communicate(timeout=600)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode != 0
    assert "the worker three was lost during the launch" in output
    assert "three: the RPC server died 1 times: signal 9 (SIGKILL)" in output
    (failure,) = records(tmp_path, "failure")
    assert failure["cell"]["test"] == "tg512"
    assert failure["cause"].startswith("the worker three was lost during the launch (its RPC server 198.19.77.13:50052")
    assert failure["detail"]["hosts_lost"] == ["three"]
    # Everything else was measured, the other cell of the cluster too.
    launches = by_variant(tmp_path, "tg8")
    assert [len(launches[variant]) for variant in ("", "hosts=3")] == [2, 2]
    assert len(by_variant(tmp_path, "tg512")[""]) == 2
    assert cluster.servers() == []


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"llama_rpc_address": "0.0.0.0"}, "0.0.0.0 would let everybody in who reaches any interface"),
        ({"llama_rpc_address": "198.19.77.99"}, "198.19.77.99 is no address of two: name one that it has"),
    ],
)
def test_an_address_that_may_not_be_is_refused_before_anything_is_measured(
    cluster: Cluster, measured: Path, tmp_path: Path, variables: Payload, words: str
) -> None:
    code, output = cluster.play(tmp_path, llama_rpc_tests=["tg8"], llama_rpc_variants=["hosts=3"], **variables)
    assert code != 0
    assert words in output
    assert "the RPC server of two does not run" in output
    assert records(tmp_path, "launch") == []
    assert cluster.servers() == []
