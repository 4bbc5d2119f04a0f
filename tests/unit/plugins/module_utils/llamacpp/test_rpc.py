# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an RPC server may listen, whether one answers, and its life on a host, by a server that speaks its protocol."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import log, rpc, rpc_server, server
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.rpc import RpcError

COLLECTIONS = Path(__file__).resolve().parents[5] / "collections"

# What ggml-rpc-server does of its protocol as far as it is asked here: one client at a time, HELLO first.
SERVER = """\
import socket, struct, sys, time
words = sys.argv[1:]
host, port = words[words.index("-H") + 1], int(words[words.index("-p") + 1])
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((host, port))
listener.listen(1)
while True:
    client, _where = listener.accept()
    print("Accepted client connection", flush=True)
    file = client.makefile("rb")
    while True:
        head = file.read(9)
        if len(head) < 9:
            break
        command, size = struct.unpack("<BQ", head)
        file.read(size)
        if command == 14:
            client.sendall(struct.pack("<Q", 28) + bytes((7, 0, 0)) + bytes(25))
        elif command == 15:
            client.sendall(struct.pack("<QI", 4, 1))
        else:
            sys.exit("an operation that ends it")
    client.close()
    file.close()
    print("Client connection closed", flush=True)
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("address", ["10.0.0.7", "172.31.255.254", " 192.168.1.2 ", "100.64.0.1", "198.18.0.2"])
def test_a_private_address_is_taken(address):
    assert rpc.check_address(address, "second") == address.strip()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("0.0.0.0", "0.0.0.0 would let everybody in who reaches any interface"),
        ("127.0.0.1", "127.0.0.1 can be reached from second alone"),
        ("8.8.8.8", "8.8.8.8 is no private address"),
        ("172.32.0.1", "172.32.0.1 is no private address"),
        ("fd00::1", "'fd00::1' is no IPv4 address, and the RPC server takes no other"),
        ("::", "'::' is no IPv4 address"),
        ("second.example", "'second.example' is no IPv4 address"),
        ("", "'' is no IPv4 address"),
        ("10.0.0.7:50052", "is no IPv4 address"),
    ],
)
def test_any_other_address_is_refused_with_the_remedy(address, words):
    with pytest.raises(RpcError, match="name the private IPv4 address of second that the other hosts reach") as refused:
        rpc.check_address(address, "second")
    assert words in str(refused.value)


@pytest.mark.parametrize("port", [0, 22, 1023, 65535, "50052", None, True])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(RpcError, match="llama_rpc_port is a whole number from 1024 to 65534, not"):
        rpc.check_port(port)


def test_what_a_person_names_is_taken_or_refused_and_never_replaced():
    assert rpc.choose("10.0.0.9", ["10.0.0.7"], "second") == "10.0.0.9"
    with pytest.raises(RpcError, match=r"0\.0\.0\.0 would let everybody in"):
        rpc.choose("0.0.0.0", ["10.0.0.7"], "second")


def test_an_address_is_that_of_the_inventory_before_that_of_the_routes(monkeypatch):
    monkeypatch.setattr(rpc, "_source", lambda: "192.168.7.7")
    assert rpc.choose("", ["second.example", "3.4.5.6", "10.0.0.7"], "second") == "10.0.0.7"
    assert rpc.choose("", ["second.example"], "second") == "192.168.7.7"
    monkeypatch.setattr(rpc, "_source", lambda: "3.4.5.6")
    with pytest.raises(RpcError, match="no private IPv4 address of second is known"):
        rpc.choose("", [], "second")


def test_a_log_tells_which_host_has_how_many_bytes():
    text = (
        "load_tensors:   CPU_Mapped model buffer size =   100.00 MiB\n"
        "load_tensors:   CPU_REPACK model buffer size =    50.00 MiB\n"
        "load_tensors: RPC0[10.0.0.7:50052] model buffer size =   200.00 MiB\n"
        "load_tensors: RPC0[10.0.0.8:50052] model buffer size =   300.00 MiB\n"
        "llama_kv_cache: RPC0[10.0.0.7:50052] KV buffer size =     8.00 MiB\n"
        "sched_reserve: RPC0[10.0.0.8:50052] compute buffer size =     4.00 MiB\n"
    )
    mib = 1 << 20
    assert rpc.bytes_by_endpoint(log.parse_log(text)) == {
        ("", "model"): 150 * mib,
        ("10.0.0.7:50052", "model"): 200 * mib,
        ("10.0.0.8:50052", "model"): 300 * mib,
        ("10.0.0.7:50052", "kv"): 8 * mib,
        ("10.0.0.8:50052", "compute"): 4 * mib,
    }
    assert rpc.endpoint_of("RPC[10.0.0.7:50052]") == "10.0.0.7:50052"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "server"
    path.write_text(f"#!{sys.executable}\n{SERVER}")
    path.chmod(0o755)
    return path


@pytest.fixture
def served(program: Path) -> Iterator[int]:
    port = free_port()
    running = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL)
    try:
        for _look in range(200):
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield port
    finally:
        running.kill()
        running.wait()


def test_a_server_tells_its_version_and_how_long_a_round_trip_takes(served):
    answer = rpc.ask("127.0.0.1", served, 5, times=5)
    assert answer.version == "7.0.0"
    assert 0 < answer.round_trip_s < 1


def test_what_is_no_server_is_told_by_its_place():
    port = free_port()
    with pytest.raises(RpcError, match=rf"127\.0\.0\.1:{port} does not answer as an RPC server.*refused"):
        rpc.ask("127.0.0.1", port, 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(RpcError, match=rf"127\.0\.0\.1:{port} did not answer within 0\.2 s"):
            rpc.ask("127.0.0.1", port, 0.2)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def greet() -> None:
            client, _where = other.accept()
            client.sendall(b"SSH-2.0-OpenSSH_9.2p1 and more than sixteen bytes")
            client.close()

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(RpcError, match="does not answer as an RPC server"):
            rpc.ask("127.0.0.1", port, 2)
        thread.join()


def test_an_address_that_is_not_the_hosts_own_and_a_port_that_is_taken_are_refused(served):
    with pytest.raises(RpcError, match=r"192\.0\.2\.1 is no address of second: name one that it has"):
        rpc_server.check_free("192.0.2.1", 50052, "second")
    with pytest.raises(RpcError, match=rf"127\.0\.0\.1:{served} of second cannot be listened on \(Address already in"):
        rpc_server.check_free("127.0.0.1", served, "second")


class Life:
    """A supervisor in a process of its own, as the module is one."""

    def __init__(
        self, program: Path, directory: Path, port: int, minutes: float = 1, patience: float = 60, key: str = "",
        first: float = 0,
    ) -> None:  # fmt: skip
        """`key`: the server is a llama-server, which has it. `first`: seconds that it waits for a first client."""
        self.place = rpc_server.Place(str(directory), port)
        self.port = port
        script = f"""
            import json
            from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import rpc, rpc_server
            rpc.check_address = lambda address, host: address
            rpc_server.RESTART_SECONDS = 0.5
            place = rpc_server.Place({str(directory)!r}, {port})
            limits = {minutes}, {patience}
            at = "127.0.0.1", {port}
            server = rpc_server.RpcProgram({str(program)!r}, *at, 2)
            if {key!r}:
                server = rpc_server.LlamaProgram([{str(program)!r}, "-np", "2"], *at, {key!r}, {{"A": "b"}}, False, 20)
            serving = rpc_server.Serving(server, "second", *at, *limits, place, {first})
            try:
                print(json.dumps(serving.serve()))
            except rpc.RpcError as error:
                print(json.dumps(str(error)))
        """
        self.running = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script)],
            env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
            stdout=subprocess.PIPE,
            text=True,
        )

    def result(self, seconds: float = 20):
        out, _err = self.running.communicate(timeout=seconds)
        return json.loads(out)

    def server(self) -> int:
        """The process of the server itself."""
        pid = self.running.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()[0])

    def answers(self) -> bool:
        try:
            rpc.ask("127.0.0.1", self.port, 2)
        except RpcError:
            return False
        return True


@pytest.fixture
def begun(program: Path, tmp_path: Path) -> Iterator[list[Life]]:
    lives: list[Life] = []
    yield lives
    for life in lives:
        life.running.kill()
        life.running.wait()


def begin(begun: list[Life], program: Path, tmp_path: Path, port: int | None = None, **limits: Any) -> Life:
    life = Life(program, tmp_path / "rpc", port or free_port(), **limits)
    begun.append(life)
    return life


def test_a_server_is_there_until_it_is_asked_to_end(begun, program, tmp_path):
    life = begin(begun, program, tmp_path)
    state = rpc_server.ready(life.place, 20)
    assert (state["state"], state["address"], state["version"]) == ("ready", "127.0.0.1", "7.0.0")
    assert life.answers()
    ended = life.place.end()
    assert (ended["why"], ended["restarts"], ended["deaths"]) == (rpc_server.ASKED, 0, [])
    result = life.result()
    assert result["clients"] >= 2, result
    assert not life.answers()
    # Forgotten: the next one is not taken for it.
    assert life.place.read() == {}
    assert life.place.end() == {}


def test_a_server_ends_with_whoever_runs_it(begun, program, tmp_path):
    life = begin(begun, program, tmp_path)
    rpc_server.ready(life.place, 20)
    life.running.send_signal(signal.SIGKILL)
    life.running.wait()
    deadline = time.monotonic() + 5
    while life.answers() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not life.answers()
    assert not life.place.held()


def test_a_server_that_nobody_asks_ends_by_itself(begun, program, tmp_path):
    life = begin(begun, program, tmp_path, patience=1)
    rpc_server.ready(life.place, 20)
    began = time.monotonic()
    # As long as a client is there it stays.
    with socket.create_connection(("127.0.0.1", life.port)):
        time.sleep(2.5)
        assert life.running.poll() is None
    assert life.result()["why"] == rpc_server.ALONE
    assert time.monotonic() - began < 10


def test_a_server_ends_when_its_time_is_over(begun, program, tmp_path):
    life = begin(begun, program, tmp_path, minutes=0.02)
    assert life.result()["why"] == rpc_server.OVER


def test_a_server_that_dies_is_begun_again_and_says_so(begun, program, tmp_path):
    life = begin(begun, program, tmp_path)
    rpc_server.ready(life.place, 20)
    first = life.server()
    os.kill(first, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while life.place.read().get("restarts") != 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    state = rpc_server.ready(life.place, 20)
    assert state["restarts"] == 1
    assert life.server() != first
    assert life.answers()
    ended = life.place.end()
    assert ended["restarts"] == 1
    assert "signal 9 (SIGKILL)" in ended["deaths"][0]


def test_a_server_that_dies_time_and_again_is_given_up(begun, program, tmp_path):
    life = begin(begun, program, tmp_path)
    for _death in range(rpc_server.RESTARTS + 1):
        rpc_server.ready(life.place, 20)
        os.kill(life.server(), signal.SIGKILL)
        deadline = time.monotonic() + 10
        while life.place.read().get("state") == "ready" and time.monotonic() < deadline:
            time.sleep(0.02)
    ended = life.result()
    assert (ended["why"], ended["restarts"], len(ended["deaths"])) == (rpc_server.DIED, 3, 4)


def test_what_an_earlier_run_has_left_is_ended_first(begun, program, tmp_path):
    left = begin(begun, program, tmp_path)
    rpc_server.ready(left.place, 20)
    next_one = begin(begun, program, tmp_path, port=left.port)
    assert left.result()["why"] == rpc_server.ASKED
    deadline = time.monotonic() + 10
    while next_one.place.read().get("pid") != next_one.running.pid and time.monotonic() < deadline:
        time.sleep(0.02)
    state = rpc_server.ready(next_one.place, 20)
    assert state["pid"] == next_one.running.pid
    assert next_one.answers()


def test_a_server_that_does_not_begin_says_why(begun, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'error: no such device' >&2\nexit 3\n")
    broken.chmod(0o755)
    life = begin(begun, broken, tmp_path)
    with pytest.raises(
        RpcError, match=r"did not begin: the RPC server of second ended as soon as it was started \(exit"
    ):
        rpc_server.ready(life.place, 20)
    assert "error: no such device" in life.result()


def test_nobody_waits_for_a_server_for_ever(tmp_path):
    with pytest.raises(RpcError, match=r"did not begin within 0\.3 s"):
        rpc_server.ready(rpc_server.Place(str(tmp_path), 50052), 0.3)


# A mock of llama-server: what it is told, and when it answers. It loads for a second, and then lets in who has the key.
LLAMA = """\
#!{python}
import http.server, json, os, sys, time
started = time.monotonic()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        said = json.dumps([sys.argv[1:], os.environ.get("A"), list(os.sched_getaffinity(0))]).encode()
        known = self.headers.get("Authorization") == "Bearer " + os.environ["LLAMA_API_KEY"]
        status = 200 if self.path != "/health" and known else 401
        if self.path == "/health":
            status = 200 if time.monotonic() - started > 1 else 503
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_words):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[-1])), Handler).serve_forever()
"""
KEY = "0123456789abcdef" * 2


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    path = tmp_path / "llama"
    path.write_text(LLAMA.format(python=sys.executable))
    path.chmod(0o755)
    return path


def test_a_llama_server_for_other_hosts_has_its_key_where_nobody_else_reads_it(begun, llama, tmp_path):
    life = begin(begun, llama, tmp_path, key=KEY)
    state = rpc_server.ready(life.place, 20)
    assert (state["state"], state["version"]) == ("ready", "")
    assert server.health("127.0.0.1", life.port, 5) == server.HEALTHY
    assert KEY.encode() not in Path(f"/proc/{life.server()}/cmdline").read_bytes()
    for key, status in ((KEY, 200), ("wrong", 401)):
        connection = http.client.HTTPConnection("127.0.0.1", life.port, timeout=5)
        connection.request("GET", "/", headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        assert answer.status == status
        told = json.loads(answer.read())
        connection.close()
    assert told[:2] == [["-np", "2", "--host", "127.0.0.1", "--port", str(life.port)], "b"]
    assert not any(KEY in path.read_text() for path in (tmp_path / "rpc").iterdir())
    ended = life.place.end()
    assert ended["why"] == rpc_server.ASKED
    assert server.health("127.0.0.1", life.port, 1) is None


def test_a_llama_server_stays_as_long_as_somebody_is_connected_now_and_then(begun, llama, tmp_path):
    life = begin(begun, llama, tmp_path, key=KEY, patience=2)
    rpc_server.ready(life.place, 20)
    began = time.monotonic()
    while time.monotonic() - began < 5:
        assert server.health("127.0.0.1", life.port, 5, keep=0.5) == server.HEALTHY
        time.sleep(0.5)
    assert life.result()["why"] == rpc_server.ALONE


def test_a_server_that_loads_longer_than_its_patience_waits_for_its_first_client(begun, llama, tmp_path):
    llama.write_text(llama.read_text().replace("time.monotonic() - started > 1", "time.monotonic() - started > 3"))
    life = begin(begun, llama, tmp_path, key=KEY, patience=1, first=4)
    rpc_server.ready(life.place, 20)
    time.sleep(2.5)
    assert life.running.poll() is None
    # From then on its patience is that of every server.
    assert server.health("127.0.0.1", life.port, 5, keep=0.5) == server.HEALTHY
    began = time.monotonic()
    assert life.result()["why"] == rpc_server.ALONE
    assert time.monotonic() - began < 3


def test_a_server_that_knows_nothing_of_the_key_is_ended_at_once(begun, llama, tmp_path):
    llama.write_text(
        llama.read_text().replace('status = 200 if self.path != "/health" and known else 401', "status = 200")
    )
    life = begin(begun, llama, tmp_path, key=KEY)
    with pytest.raises(RpcError, match="answers who has no key, and would answer whoever reaches it"):
        rpc_server.ready(life.place, 20)
    assert "answers who has no key" in life.result()
    assert server.health("127.0.0.1", life.port, 1) is None


def test_a_llama_server_that_does_not_load_its_model_is_told_by_its_name(begun, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'error: unknown model architecture' >&2\nexit 1\n")
    broken.chmod(0o755)
    life = begin(begun, broken, tmp_path, key=KEY)
    with pytest.raises(RpcError, match="the llama-server of second ended as soon as it was started") as refused:
        rpc_server.ready(life.place, 20)
    assert "unknown model architecture" in str(refused.value)
