# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""llama.cpp's RPC backend as seen from outside: which addresses its server may have, and whether one answers.

The server of ggml-rpc trusts whoever reaches it: it has no key and no encryption, and says so when it starts. So it
gets a private address of its host and no other. It takes IPv4 only, and one client at a time.

Source: ggml/src/ggml-rpc/ggml-rpc.cpp and transport.cpp of 0c1e57098.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import statistics
import struct
import time
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

# The program, by the names that it has had.
PROGRAMS = ("ggml-rpc-server", "rpc-server")

# RFC 1918, and RFC 6598, which providers and networks over networks use between their own hosts.
_PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
# RFC 2544: networks of tests, such as those between namespaces of one machine.
_OF_TESTS = ipaddress.ip_network("198.18.0.0/15")

_HELLO, _DEVICE_COUNT = 14, 15
_CAPABILITIES = 24
# Of a name that llama.cpp gives the buffers of a device: "RPC0[10.0.0.7:50052]", "RPC[...]" until 2025.
_BUFFER = re.compile(r"RPC\d*\[(.+)\]")


class RpcError(ValueError):
    """A server that may not be started, or does not answer; the message names the value, the rule and the remedy."""


def check_address(address: str, host: str) -> str:
    """Return an address on which the server of a host may listen. Raises RpcError.

    An IPv4 address in numbers, private, and no address of all interfaces or of the host alone.
    """
    remedy = "name the private IPv4 address of %s that the other hosts reach, in llama_rpc_address" % host
    try:
        known = ipaddress.IPv4Address(str(address).strip())
    except ValueError:
        raise RpcError("%.60r is no IPv4 address, and the RPC server takes no other: %s" % (address, remedy)) from None
    if known.is_unspecified:
        raise RpcError("%s would let everybody in who reaches any interface, and the RPC server has no key: %s"
                       % (known, remedy))  # fmt: skip
    if known.is_loopback:
        raise RpcError("%s can be reached from %s alone: %s" % (known, host, remedy))
    if not any(known in network for network in (*_PRIVATE, _OF_TESTS)):
        raise RpcError("%s is no private address, and the RPC server has no key: %s" % (known, remedy))
    return str(known)


def choose(named: str, known: Sequence[str], host: str) -> str:
    """Return the address on which the server of this host, by its name in the inventory, is to listen. Raises RpcError.

    `named` is what a person says. Otherwise it is the first that is `known` of the host and may be taken, and last the
    one that packets to elsewhere come from.
    """
    if named:
        return check_address(named, host)
    for address in [*known, _source()]:
        try:
            return check_address(address, host)
        except RpcError:
            continue
    raise RpcError(
        "no private IPv4 address of %s is known, neither from the inventory nor from its routes: name the one that the "
        "other hosts reach, in llama_rpc_address" % host
    )


def _source() -> str:
    """Return the address that packets to elsewhere would come from, "" where there is no way: nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # RFC 5737: an address of documentation.
            probe.connect(("192.0.2.1", 9))
            address: str = probe.getsockname()[0]
        except OSError:
            return ""
    return address


def check_port(port: Any) -> int:
    """Return a port that the server may have without root, and the next one too. Raises RpcError."""
    number = port if isinstance(port, int) and not isinstance(port, bool) else 0
    if not 1024 <= number <= 65534:
        raise RpcError("llama_rpc_port is a whole number from 1024 to 65534, not %.40r" % (port,))
    return number


def next_port(port: int) -> int:
    """Return the port of the llama-server of a host whose RPC server has `port`."""
    return port + 1


class Answer(NamedTuple):
    """What a server said: the version of its protocol, and the seconds of a round trip, the median of several."""

    version: str
    round_trip_s: float


def _received(connection: socket.socket, size: int) -> bytes:
    parts: List[bytes] = []
    while size:
        part = connection.recv(size)
        if not part:
            raise ConnectionResetError("it closed the connection")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _asked(connection: socket.socket, command: int, request: bytes, size: int) -> bytes:
    """Return the answer of `size` bytes to a command."""
    connection.sendall(struct.pack("<BQ", command, len(request)) + request)
    (said,) = struct.unpack("<Q", _received(connection, 8))
    if said != size:
        raise ConnectionError("it answers with %d bytes instead of %d" % (said, size))
    return _received(connection, size)


def ask(address: str, port: int, seconds: float, times: int = 1) -> Answer:
    """Ask a server for its version, and then `times` times how many devices it has. Raises RpcError.

    It counts as a client, so it waits for a server that serves another one, `seconds` at most.
    """
    trips = []
    try:
        with socket.create_connection((address, port), timeout=seconds) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            hello = _asked(connection, _HELLO, bytes(_CAPABILITIES), 4 + _CAPABILITIES)
            for _number in range(times):
                start = time.perf_counter()
                _asked(connection, _DEVICE_COUNT, b"", 4)
                trips.append(time.perf_counter() - start)
    except socket.timeout:
        raise RpcError("%s:%d did not answer within %g s" % (address, port, seconds)) from None
    except (OSError, struct.error) as error:
        raise RpcError("%s:%d does not answer as an RPC server of llama.cpp: %s" % (address, port, error)) from None
    return Answer("%d.%d.%d" % tuple(hello[:3]), statistics.median(trips))


def endpoint_of(buffer: str) -> str:
    """Return the address:port in the name of a buffer, "" of one that this host has itself."""
    match = _BUFFER.fullmatch(buffer)
    return match.group(1) if match else ""


def bytes_by_endpoint(kernel: Mapping[str, Any]) -> Dict[Tuple[str, str], int]:
    """Return the bytes of each (address:port, use) of a parsed log's buffers; "" is the host that wrote the log.

    `use` is model, kv or compute.
    """
    sizes: Dict[Tuple[str, str], int] = {}
    for buffer in kernel.get("buffers") or []:
        place = (endpoint_of(buffer["name"]), buffer["use"])
        sizes[place] = sizes.get(place, 0) + buffer["bytes"]
    return sizes
