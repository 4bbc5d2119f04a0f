# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The counters of a network interface, from recorded files of /proc, and what went over it between two moments."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.probe import network
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.network import Meter, Traffic

# Of an EC2 instance with Docker: a default route, the subnet of the instance, a bridge.
ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
ens5\t00000000\t0100000A\t0003\t0\t0\t512\t00000000\t0\t0\t0
ens6\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
ens5\t0000000A\t00000000\t0001\t0\t0\t512\t00F0FFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""
DEVICES = """\
Inter-|   Receive                                             |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
    lo: 5000 50 0 0 0 0 0 0 5000 50 0 0 0 0 0 0
  ens5: {received} 10 0 0 0 0 0 0 {sent} 20 0 0 0 0 0 0
"""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/route").write_text(ROUTES)
    write(tmp_path, 1000, 200)
    return tmp_path


def write(proc: Path, received: int, sent: int) -> None:
    (proc / "net/dev").write_text(DEVICES.format(received=received, sent=sent))


@pytest.mark.skipif(sys.byteorder != "little", reason="the recorded table is of a little-endian machine")
@pytest.mark.parametrize(
    ("address", "interface"),
    [("10.0.0.7", "ens5"), ("172.17.0.5", "docker0"), ("10.1.0.1", "ens6"), ("8.8.8.8", "ens6")],
)
def test_the_interface_is_that_of_the_longest_prefix_and_the_least_metric(proc, address, interface):
    assert network.interface_to(address, str(proc)) == interface


@pytest.mark.parametrize("text", ["", "Iface\n", "Iface\nens5\tno\tnumbers\n"])
def test_a_table_of_routes_that_says_nothing_names_no_interface(proc, text):
    (proc / "net/route").write_text(text)
    assert network.interface_to("10.0.0.7", str(proc)) is None
    assert network.interface_to("no address", str(proc)) is None


def test_received_and_sent_are_counted_together(proc):
    assert network.traffic("ens5", str(proc)) == Traffic(1200, 30)
    assert network.traffic("ens", str(proc)) is None
    (proc / "net/dev").write_text("ens5: 1 2\n")
    assert network.traffic("ens5", str(proc)) is None


def test_what_went_over_between_two_moments_is_told(proc):
    with Meter("ens5", 0.05, str(proc)) as meter:
        meter.begin(1)
        time.sleep(0.3)
        write(proc, 1000 + 5000, 200 + 700)
        time.sleep(0.3)
    assert meter.between(0.0, 0.25) == Traffic(0, 0)
    assert meter.between(0.15, 0.55) == Traffic(5700, 0)
    # The ends are right to one interval: of so short a time nothing is known.
    assert meter.between(0.15, 0.39) is None
    assert meter.between(0.0, 100.0) == Traffic(5700, 0)
    assert meter.between(0.5, 0.5) is None


@pytest.mark.parametrize("interface", [None, "ens9"])
def test_of_an_interface_that_is_not_there_nothing_is_told(proc, interface):
    with Meter(interface, 0.05, str(proc)) as meter:
        meter.begin(1)
        time.sleep(0.1)
    assert meter.between(0.0, 0.1) is None
