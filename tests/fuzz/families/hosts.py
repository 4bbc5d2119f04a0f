# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host says of itself: files of /proc, /sys and control groups, and the metadata service of EC2.

An input is a tree of files in one text, each behind a line `----- path`. Files are written when they differ from what
stands there already, so that an input costs little more than what was changed in it.
"""

from __future__ import annotations

import http.client
import os
from typing import Any
from unittest import mock

from fuzz.families.models import _Canned, _http
from fuzz.strategies import as_lines, filled
from fuzz.target import Target

from ansible_collections.cloudbench.llama.plugins.module_utils.measure import ladder
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import (
    cgroup,
    ec2_metadata,
    gates,
    machine,
    sampler,
    threads,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Usage

_MARK = b"\n----- "
_USAGE = Usage(2.0, 1.5, 0.1, 1 << 20, 10, 0, 3, 4)
_PID = 7

_CPUINFO = """processor\t: {0}
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC 9B14 (TM) 96-Core Processor @ 2.60GHz
flags\t\t: fpu pni ssse3 fma avx avx2 f16c bmi2 hypervisor avx512f sve

"""
_ARM_CPUINFO = """processor\t: {0}
BogoMIPS\t: 2100.00
Features\t: fp asimd asimdhp asimddp sve i8mm
CPU implementer\t: 0x41
CPU part\t: 0xd40

"""
_CPU = "sys/devices/system/cpu/cpu"

_MACHINE = {
    "proc/cpuinfo": _CPUINFO.format(0) + _CPUINFO.format(1),
    "proc/meminfo": "MemTotal:       16374584 kB\nMemFree:         1234 kB\n",
    "proc/stat": "cpu  100 0 50 1000 5 0 1 2 0 0\ncpu0 50 0 25 500 2 0 0 1 0 0\nctxt 12345\nbtime 1764057000\n",
    "proc/vmstat": "pgfault 12\npswpin 3\npswpout 4\n",
    "proc/pressure/cpu": "some avg10=0.00 avg60=0.10 avg300=0.05 total=123456\nfull avg10=0.00 total=0\n",
    "proc/cmdline": 'BOOT_IMAGE=/vmlinuz root=UUID=1 nosmt mitigations=off isolcpus="1 2" -- nr_cpus=3\n',
    "proc/sys/kernel/randomize_va_space": "2\n",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "sys/class/dmi/id/sys_vendor": "QEMU\n",
    f"{_CPU}0/topology/core_id": "0\n",
    f"{_CPU}0/topology/physical_package_id": "0\n",
    f"{_CPU}1/topology/core_id": "0\n",
    f"{_CPU}1/topology/physical_package_id": "0\n",
    f"{_CPU}0/cache/index0/level": "1\n",
    f"{_CPU}0/cache/index0/type": "Data\n",
    f"{_CPU}0/cache/index0/size": "32K\n",
    f"{_CPU}0/cache/index1/level": "3\n",
    f"{_CPU}0/cache/index1/size": "32768K\n",
    f"{_CPU}0/cpufreq/scaling_governor": "performance\n",
    "sys/devices/system/node/node0/cpulist": "0-1\n",
}
_ARM = {
    **_MACHINE,
    "proc/cpuinfo": _ARM_CPUINFO.format(0) + _ARM_CPUINFO.format(1),
    "sys/class/dmi/id/sys_vendor": "Amazon EC2\n",
    "sys/devices/system/node/node0/cpulist": "0-31,64\n",
}
_CGROUP_2 = {
    "proc/self/mountinfo": "25 30 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n",
    "proc/self/cgroup": "0::/a.slice/b.scope\n",
    "sys/fs/cgroup/a.slice/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/a.slice/memory.max": "1073741824\n",
    "sys/fs/cgroup/a.slice/b.scope/cpu.max": "max 100000\n",
    "sys/fs/cgroup/a.slice/b.scope/memory.max": "max\n",
}
_CGROUP_1 = {
    "proc/self/mountinfo": (
        "31 30 0:27 /docker/1\\0402 /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
        "32 30 0:28 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    ),
    "proc/self/cgroup": "4:cpu,cpuacct:/docker/1 2\n3:memory:/m\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    "sys/fs/cgroup/memory/m/memory.limit_in_bytes": "536870912\n",
}
_PROCESS_STAT = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 {0} 30 0 0 20 0 2 0 100 1000 200\n"
_RUNNING = {
    "proc/stat": "cpu  100 0 50 1000 5 0 1 2 0 0\ncpu0 50 0 25 500 2 0 0 1 0 0\ncpu1 50 0 25 500 3 0 1 1\nctxt 12345\n",
    f"proc/{_PID}/status": "Name:\tx\nVmRSS:\t  1234 kB\nRssAnon:\t 1000 kB\nRssFile:\t 234 kB\n",
    f"proc/{_PID}/stat": _PROCESS_STAT.format(300),
    f"proc/{_PID}/task/7/stat": _PROCESS_STAT.format(200),
    f"proc/{_PID}/task/8/stat": _PROCESS_STAT.format(100),
    f"{_CPU}0/cpufreq/scaling_cur_freq": "2600000\n",
}


def bundle(files: dict[str, str]) -> bytes:
    """Return a tree of files as one text."""
    return b"".join(_MARK + name.encode() + b"\n" + text.encode() for name, text in files.items())


class _Tree:
    """A directory whose files are those of an input."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._there: dict[str, bytes] = {}
        self._place = ""

    def plant(self, data: bytes) -> str:
        """Write the files of an input, remove those of the one before, and return the directory."""
        place = os.path.join(os.getcwd(), self._name)
        if place != self._place:
            self._place, self._there = place, {}
        wanted: dict[str, bytes] = {}
        for part in data.split(_MARK)[1:]:
            name, _end, content = part.partition(b"\n")
            path = name.decode("ascii", "replace")
            if all(piece not in ("", ".", "..") for piece in path.split("/")) and "\0" not in path and len(path) < 200:
                wanted[path] = content
        for path in self._there.keys() - wanted.keys():
            os.unlink(os.path.join(place, path))
            del self._there[path]
        for path, content in wanted.items():
            if self._there.get(path) != content:
                whole = os.path.join(place, path)
                try:
                    os.makedirs(os.path.dirname(whole), exist_ok=True)
                    with open(whole, "wb") as written:
                        written.write(content)
                except OSError:  # a file where another input has a directory
                    continue
                self._there[path] = content
        return place


_TREES = {name: _Tree(name) for name in ("machine", "cgroup", "running")}


def _machine(data: bytes) -> None:
    """The fingerprint of a machine, and what it is taken for."""
    root = _TREES["machine"].plant(data)
    said = machine.fingerprint(root)
    envelope.canonical(envelope.with_id(said))
    assert said["cpu_count"] >= 1
    assert (said["memory_bytes"] or 1) > 0
    machine.cores(root, {0, 1})
    ladder.rungs(said)
    ec2_metadata.is_instance(root)


def _cgroup(data: bytes) -> None:
    """What a control group leaves of a machine."""
    root = _TREES["cgroup"].plant(data)
    limits = cgroup.limits(root, 16 << 30)
    envelope.canonical(limits)
    assert cgroup.whole_cpus(64, limits) >= 1
    assert (cgroup.memory({"memory_bytes": 16 << 30, "cgroup": limits}) or 0) >= 0


def _running(data: bytes) -> None:
    """What the gates and the sampler see while a program runs."""
    root = _TREES["running"].plant(data)
    proc = f"{root}/proc"
    before = gates.Snapshot(1.0, 0.0, 10.0, 0, 0, 0.0)
    seen = gates.gates(before, gates.snapshot(proc), _USAGE, 0.1, 2)
    envelope.canonical(gates.validity(seen, 2))
    counted = threads.ThreadCount(2, proc)
    counted.begin(_PID, 0.0)
    counted.look(1.0)
    counted.look(2.0)
    counted.counted(0.0, 9.0)
    with sampler.Sampler(60.0, proc, f"{root}/sys", 2) as sampling:
        sampling.watch(_PID)
    series = sampling.series()
    envelope.canonical(series)
    envelope.canonical(sampler.peaks(series))


# ---- The metadata service ----

_BETWEEN = b"\n=====\n"


def _imds(data: bytes) -> None:
    """Each request is answered by the next part of the input."""
    answers = iter(data.split(_BETWEEN))

    def connect(connection: http.client.HTTPConnection) -> None:
        answer = next(answers, None)
        if answer is None:
            raise ConnectionRefusedError(111, "Connection refused")
        connection.sock = Connection(answer)

    with mock.patch.object(http.client.HTTPConnection, "connect", connect):
        told = ec2_metadata.instance("/nowhere", {ec2_metadata.ENDPOINT_VARIABLE: "http://imds.example"})
    envelope.canonical(told)


class Connection(_Canned):
    """A connection that takes what is sent, and on which everything has come already."""

    def sendall(self, _data: Any) -> None:
        """Take it."""

    def close(self) -> None:
        """Nothing is open."""


def _answers(*texts: str) -> bytes:
    return _BETWEEN.join(_http(text.encode(), "200 OK", f"Content-Length: {len(text)}") for text in texts)


def _trees(*trees: dict[str, str]) -> list[bytes]:
    return [bundle(tree) for tree in trees]


TARGETS = (
    Target(
        "machine",
        _machine,
        (),
        lambda: _trees(_MACHINE, _ARM, {**_MACHINE, **_CGROUP_2}),
        ("processor", "\t: ", "MemTotal: ", "btime ", "[never]", "0-3,8", "0-4294967295", "32K", "flags", "Features"),
        share=0.4,
    ),
    Target(
        "cgroup",
        _cgroup,
        (),
        lambda: _trees(_CGROUP_2, _CGROUP_1),
        ("max", " - cgroup2 ", " - cgroup ", "0::/", "\\000", "\\057", "..", "memory", "cpu"),
        share=1,
    ),
    Target(
        "running",
        _running,
        (),
        lambda: _trees({**_MACHINE, **_RUNNING}, _RUNNING),
        ("cpu ", "ctxt ", "VmRSS:", " kB", "pswpin ", "some ", "total=", ") S"),
        share=0.4,
        strategy=lambda: as_lines(
            filled(["cpu  # # # # # # # #", "cpu# # # # # # # # #", "ctxt #", "btime #", "@"])
        ).map(lambda text: bundle({**_RUNNING, "proc/stat": text.decode("utf-8", "replace")})),
    ),
    Target(
        "imds",
        _imds,
        (),
        lambda: [
            _answers(
                "abcDEF0123==", "c7g.16xlarge", "i-0123456789abcdef0", "us-east-1a", "ami-0123456789abcdef0", "spot"
            ),
            _http(b"<html>", "404 Not Found") + _BETWEEN + _answers("x"),
        ],
        (
            "HTTP/1.1 200 OK\r\n",
            "Content-Length: ",
            "Transfer-Encoding: chunked\r\n",
            "\r\n\r\n",
            "c7g.large",
            "=====\n",
        ),
        share=3,
    ),
)
