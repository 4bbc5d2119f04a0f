# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three hosts compute one model together: real llama.cpp, real ssh, a network between copies of this machine.

Or each has a server, and a real HAProxy shares the requests out. Their processors are one another's, so that no figure
of it holds; who has what, what is said and what is left does.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.hosts import chaos, clones, haproxy
from support.hosts.clones import Clone, Spec

ROOT = Path(__file__).resolve().parents[2]
PROGRAM, SERVER = "ggml-rpc-server", "llama-server"
WORKERS = ("two", "three")
# Of SmolLM2 135M, which has 30 layers and the output. Plain weights on each of them, so that they compute what one host
# without repacking does, to the last bit.
THREE = "repack=off+hosts=3+layers=1/15/15"
# Too few for the 270 MB of the model in F16, and enough for a third of them with what runs on a host beside.
TOO_FEW_MB = 220
MODEL = {"llama_model_models": ["smollm2-135m"], "llama_model_reference": "Q4_0"}

Payload = dict[str, Any]

pytestmark = pytest.mark.skipif(clones.obstacle() is not None, reason=str(clones.obstacle()))


class Cluster:
    """The hosts, and the playbook over them."""

    def __init__(self, hosts: dict[str, Clone], directory: Path) -> None:
        self.hosts = hosts
        asked = {
            **{name: value for name, value in chaos.asked().items() if not name.startswith("llama_bench_")},
            **MODEL,
            "llama_bench_threads": [1],
            "llama_bench_launches": 2,
            "llama_bench_minutes": 0,
            "llama_bench_machine_name": "local-cluster",
            "llama_rpc_server_threads": 1,
        }
        bench = {"hosts": {name: host.inventory() for name, host in hosts.items()}, "vars": asked}
        # A file and no pipe, which would be full before somebody reads it.
        self.output = directory / "output.txt"
        self.inventory = directory / "hosts.json"
        self.inventory.write_text(json.dumps({"bench": bench}), encoding="utf-8")

    def begin(self, results: Path, *options: str, **variables: Any) -> subprocess.Popen[str]:
        foreign = ("ANSIBLE_", "CLOUDBENCH_RUN")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        command = ["ansible-playbook", "playbooks/cluster.yml", "-i", self.inventory, "-e", json.dumps(variables)]
        with self.output.open("w", encoding="utf-8") as output:
            return subprocess.Popen(
                [*command, *options], cwd=ROOT, env={**kept, "CLOUDBENCH_RESULTS_DIR": str(results)},
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            )  # fmt: skip

    def play(self, results: Path, **variables: Any) -> tuple[int, str]:
        """Run the playbook; return how it ended, and what it printed."""
        return self.finish(self.begin(results, **variables))

    def finish(self, running: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait until the playbook ends; return how it ended, and what it printed."""
        try:
            running.wait(timeout=900)
        finally:
            end(running)
        return running.returncode, self.said()

    def interrupted(
        self, running: subprocess.Popen[str], moment: Callable[[], bool], harm: Callable[[], None]
    ) -> tuple[int, str]:
        """Do harm at a moment of a playbook that runs; return how it ended, and what it printed."""
        deadline = time.monotonic() + 600
        try:
            while not moment():
                assert time.monotonic() < deadline
                assert running.poll() is None, self.said()
                time.sleep(0.05)
            harm()
            return self.finish(running)
        finally:
            end(running)

    def said(self) -> str:
        """What the playbook has printed until now."""
        return self.output.read_text("utf-8", "replace")

    def servers(self, *names: str, program: str = PROGRAM) -> list[int]:
        """The servers that run on the hosts, as this machine numbers processes."""
        return [
            pid for name in names or WORKERS for pid, line in self.hosts[name].processes().items() if program in line
        ]


def end(running: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)


def records(results: Path, kind: str) -> list[Payload]:
    read = [
        json.loads(line) for path in results.glob("*/records/*.jsonl") for line in path.read_text("utf-8").splitlines()
    ]
    return [record["payload"] for record in read if record["kind"] == kind]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    # The model, on this machine: the hosts see it.
    chaos.prepare(**MODEL)
    with clones.clones([Spec(name, 1024) for name in ("one", *WORKERS)]) as hosts:
        yield Cluster(hosts, tmp_path_factory.mktemp("hosts"))


@pytest.fixture(scope="module")
def measured(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("results")
    code, output = cluster.play(
        results,
        llama_rpc_tests=["pp32", "tg128", "greedy16"],
        llama_rpc_variants=["default", "repack=off", "hosts=2", THREE],
    )
    assert code == 0, output
    assert records(results, "failure") == []
    return results


def by_variant(results: Path, test: str) -> dict[str, list[Payload]]:
    launches: dict[str, list[Payload]] = {}
    for launch in records(results, "launch"):
        if launch["cell"]["test"] == test and not launch["cell"].get("purpose"):
            launches.setdefault(launch["cell"].get("variant", ""), []).append(launch)
    return launches


def test_layers_and_bytes_of_each_host_are_on_record(measured: Path) -> None:
    launches = by_variant(measured, "tg128")
    (two, *_more) = launches["hosts=2"]
    (three, *_more) = launches[THREE]
    (alone, *_more) = launches["repack=off"]
    assert [(host["host"], host["layers"]) for host in two["cluster"]["hosts"]] == [("one", 16), ("two", 15)]
    assert [host["layers"] for host in three["cluster"]["hosts"]] == [1, 15, 15]
    whole = alone["metrics"]["model_buffer_bytes"]["value"]
    # The table of embeddings is the output too: the first host and the last have it. Where the first one repacks, its
    # layers are there twice.
    for launch, most in ((two, 2.0), (three, 1.5)):
        held = [host["model_bytes"] for host in launch["cluster"]["hosts"]]
        assert all(held)
        assert whole * 0.95 < sum(held) < whole * most
        assert launch["cluster"]["interface"] == "eth0"
        assert launch["metrics"]["network_token_bytes"]["value"] > 1000
        assert 0 < launch["metrics"]["network_round_trip_ms"]["value"] < 100
    # 49,152 logits of 4 bytes are the least that moves for a token; the ends of the time are right to 0.1 s.
    assert two["metrics"]["network_token_bytes"]["value"] > 0.8 * 4 * 49152


def test_several_hosts_are_never_averaged_with_one(measured: Path) -> None:
    for test in ("pp32", "tg128"):
        launches = by_variant(measured, test)
        assert len(launches) == 4
        assert len({launch["key"] for each in launches.values() for launch in each}) == 4
        assert "cluster" not in launches[""][0]
    page = (measured / "local-cluster" / "smollm2-135m" / "q4.md").read_text("utf-8")
    assert "Several hosts together" in page
    assert THREE in page


def test_they_say_what_one_host_says(measured: Path) -> None:
    answers = {variant: launches[0]["rows"] for variant, launches in by_variant(measured, "greedy16").items()}
    assert len(answers["repack=off"]) == 8
    assert answers[THREE] == answers["repack=off"]


def test_no_server_is_left(cluster: Cluster, measured: Path) -> None:
    assert cluster.servers() == []
    for name in WORKERS:
        # 0A is LISTEN, C384 is 50052.
        pid = cluster.hosts[name].pid
        assert ":C384 00000000:0000 0A" not in Path(f"/proc/{pid}/net/tcp").read_text("ascii")


def test_a_host_that_is_lost_in_the_middle_is_named_and_the_others_go_on(cluster: Cluster, tmp_path: Path) -> None:
    running = cluster.begin(tmp_path, llama_rpc_tests=["tg512", "tg8"], llama_rpc_variants=["default", "hosts=3"])
    spool = cluster.hosts["one"].path(Path(pwd.getpwuid(0).pw_dir, ".cache/cloudbench/spool"))
    address = cluster.hosts["three"].address

    def measures_together() -> bool:
        now = [json.loads(path.read_text("utf-8")).get("now") or {} for path in spool.glob("*.progress.json")]
        return any((cell.get("test"), cell.get("variant")) == ("tg512", "hosts=3") for cell in now)

    def kill() -> None:
        # It is loading, or computing.
        time.sleep(1)
        (server,) = cluster.servers("three")
        # The server has one address of the host, and no other.
        assert address.encode() in Path(f"/proc/{server}/cmdline").read_bytes()
        os.kill(server, signal.SIGKILL)

    code, output = cluster.interrupted(running, measures_together, kill)
    assert code != 0
    assert "the worker three was lost during the launch" in output
    assert "three: the RPC server died: signal 9 (SIGKILL)" in output
    (failure,) = records(tmp_path, "failure")
    assert failure["cell"]["test"] == "tg512"
    assert failure["cause"].startswith(f"the worker three was lost during the launch (its RPC server {address}:50052")
    assert failure["detail"]["hosts_lost"] == ["three"]
    # Everything else was measured, the other cell of the cluster too.
    launches = by_variant(tmp_path, "tg8")
    assert [len(launches[variant]) for variant in ("", "hosts=3")] == [2, 2]
    assert len(by_variant(tmp_path, "tg512")[""]) == 2
    assert cluster.servers() == []


def test_what_no_host_has_the_memory_for_several_compute(cluster: Cluster, tmp_path: Path) -> None:
    alone = "load=none+repack=off"
    asked = {"llama_rpc_tests": ["tg8"], "llama_rpc_variants": [alone, "hosts=3"], "llama_model_quantizations": ["F16"]}
    with clones.memory_limit(cluster.hosts["one"], TOO_FEW_MB):
        code, output = cluster.play(tmp_path, **asked)
    assert code != 0, output
    (failure,) = records(tmp_path, "failure")
    assert failure["cell"]["variant"] == alone, output
    assert "memory" in failure["cause"]
    launches = by_variant(tmp_path, "tg8")
    assert len(launches["hosts=3"]) == 2
    assert alone not in launches


def test_a_host_that_comes_back_with_nothing_gets_what_an_earlier_run_has_compiled(
    cluster: Cluster, measured: Path, tmp_path: Path
) -> None:
    """Also where it is the first of its kind, which compiles for all others where nobody has."""
    cluster.hosts["one"].kill()
    cluster.hosts["one"].boot()
    cluster.hosts["one"].wait()
    code, output = cluster.play(tmp_path, llama_rpc_tests=["tg8"], llama_rpc_variants=["hosts=2"])
    assert code == 0, output
    assert "compiling llama.cpp" not in output
    assert len(by_variant(tmp_path, "tg8")["hosts=2"]) == 2


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("0.0.0.0", "0.0.0.0 would let everybody in who reaches any interface"),
        ("198.19.255.99", "198.19.255.99 is no address of two: name one that it has"),
    ],
)
def test_an_address_that_may_not_be_is_refused_before_anything_is_measured(
    cluster: Cluster, tmp_path: Path, address: str, words: str
) -> None:
    asked = {"llama_rpc_tests": ["tg8"], "llama_rpc_variants": ["hosts=3"], "llama_rpc_address": address}
    code, output = cluster.play(tmp_path, **asked)
    assert code != 0
    assert words in output
    assert "the RPC server of two does not run" in output
    assert records(tmp_path, "launch") == []
    assert cluster.servers() == []


# One server on each host, behind a proxy.

LOAD, USERS, REQUESTS = "serve16+24@c4", 4, 3
SERVED = {
    "llama_rpc_tests": [LOAD],
    "llama_rpc_variants": ["default", "hosts=2", "servers=2", "servers=3"],
    "llama_bench_requests": REQUESTS,
    "llama_bench_slots": USERS,
}


@pytest.fixture(scope="module")
def served(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if why := haproxy.obstacle():
        pytest.skip(why)
    results = tmp_path_factory.mktemp("served")
    code, output = cluster.play(results, **SERVED)
    assert code == 0, output
    assert records(results, "failure") == []
    return results


def test_each_host_answers_its_share_of_the_requests(served: Path) -> None:
    launches = by_variant(served, LOAD)
    assert {variant: len(each) for variant, each in launches.items()} == {
        "": 2, "hosts=2": 2, "servers=2": 2, "servers=3": 2,
    }  # fmt: skip
    for count in (2, 3):
        for launch in launches[f"servers={count}"]:
            hosts = launch["cluster"]["hosts"]
            assert [host["host"] for host in hosts] == ["one", *WORKERS][:count]
            assert launch["cluster"]["proxy"].startswith("HAProxy version ")
            # Those that warmed up among them. With four users none of three servers is ever without one for long.
            assert sum(host["requests"] for host in hosts) == USERS * (REQUESTS + 1)
            assert min(host["requests"] for host in hosts) >= 2
            assert launch["metrics"]["error_share"]["value"] == 0
            assert "layers" not in hosts[0]
    assert [host["layers"] for host in launches["hosts=2"][0]["cluster"]["hosts"]] == [16, 15]
    # None is averaged with another.
    assert len({launch["key"] for each in launches.values() for launch in each}) == 4


def test_the_page_holds_the_ways_to_have_several_hosts_against_one(served: Path) -> None:
    page = (served / "local-cluster" / "smollm2-135m" / "q4.md").read_text("utf-8")
    section = page.partition("## Several hosts together\n")[2].partition("\n## ")[0]
    for words in ("HAProxy on the measuring host", "| one |", "| hosts=2 |", "| servers=2 |", "| servers=3 |"):
        assert words in section, words


def test_the_key_of_the_servers_is_in_no_record_and_no_server_is_left(cluster: Cluster, served: Path) -> None:
    assert cluster.servers(program=SERVER) == cluster.servers("one", program="haproxy") == []
    for name in WORKERS:
        # 0A is LISTEN, C385 is 50053.
        assert ":C385 00000000:0000 0A" not in Path(f"/proc/{cluster.hosts[name].pid}/net/tcp").read_text("ascii")
    for path in served.rglob("*"):
        assert not path.is_file() or b"Bearer" not in path.read_bytes()


def test_a_server_that_is_lost_while_it_serves_is_named(cluster: Cluster, served: Path, tmp_path: Path) -> None:
    longer = {"llama_rpc_tests": ["serve16+200@c4", "tg8"], "llama_rpc_variants": ["default", "servers=3"]}
    running = cluster.begin(tmp_path, "-vvv", **{**SERVED, **longer})
    keys: list[bytes] = []

    def kill() -> None:
        (server,) = cluster.servers("three", program=SERVER)
        # The key is in its environment, for root to read, and in no command line.
        entries = Path(f"/proc/{server}/environ").read_bytes().split(b"\0")
        keys.append(dict(entry.partition(b"=")[::2] for entry in entries)[b"LLAMA_API_KEY"])
        line = Path(f"/proc/{server}/cmdline").read_bytes()
        assert len(keys[0]) == 32
        assert keys[0] not in line
        assert cluster.hosts["three"].address.encode() in line
        # It answers.
        time.sleep(2)
        os.kill(server, signal.SIGKILL)

    code, output = cluster.interrupted(running, lambda: bool(cluster.servers("one", program="haproxy")), kill)
    (key,) = keys
    assert code != 0
    assert "the worker three was lost during the launch (its llama-server" in output
    assert "three: llama-server died: signal 9 (SIGKILL)" in output
    assert key.decode() not in output
    (failure,) = records(tmp_path, "failure")
    assert (failure["cell"]["variant"], failure["detail"]["hosts_lost"]) == ("servers=3", ["three"])
    # Everything else was measured.
    assert len(by_variant(tmp_path, "tg8")[""]) == 2
    assert cluster.servers(program=SERVER) == cluster.servers() == []
    home = Path(pwd.getpwuid(0).pw_dir)
    places = [cluster.hosts["one"].path(home / ".cache/cloudbench/spool"), tmp_path]
    places += [cluster.hosts[name].path(home / ".cache/cloudbench/rpc") for name in WORKERS]
    places += [host.path(home / name) for host in cluster.hosts.values() for name in (".ansible", ".ansible_async")]
    read = 0
    for path in (path for place in places for path in place.rglob("*")):
        # A wrapper of Ansible may just be removing its own.
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                read += 1
                assert key not in path.read_bytes(), path
    assert read


def test_what_would_need_two_servers_on_a_host_is_refused_before_anything_is_built(
    cluster: Cluster, tmp_path: Path
) -> None:
    code, output = cluster.play(tmp_path, **{**SERVED, "llama_model_quantizations": ["Q4_0", "Q8_0"]})
    assert code != 0
    assert "a host has one server, of one file and with one set of settings" in " ".join(output.split())
    assert records(tmp_path, "launch") == []
