# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts side by side on one machine, each with a network, processes and a home of its own, reached over real ssh.

A host is a network namespace on a bridge, in which an sshd runs on the machine's own files. Processors and memory are
those of the machine, so it proves how hosts find each other and talk, and little about speed. For root.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Everything outside of the hosts' own namespaces bears this name, and has 15 characters at most.
PREFIX = "cbrpc-"
BRIDGE = PREFIX + "br"
# RFC 2544 gives 198.18.0.0/15 to benchmarks; the emulated hosts have the lower half.
NETWORK = "198.19.77."
CONTROLLER = NETWORK + "1"
NETNS = Path("/run/netns")
# What an sshd that is not installed is made of, where the machine has none; the second is a library that it needs.
PACKAGES = ("openssh-server", "libwrap0")
SSHD = Path("/usr/sbin/sshd")


class HostsError(RuntimeError):
    """The hosts cannot be had; the message says what failed and why."""


def run(*argv: str, seconds: int = 60, **options: Any) -> str:
    """Return the standard output of a command; HostsError has its last words when it fails or takes too long."""
    try:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            argv, timeout=seconds, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **options
        )
    except FileNotFoundError:
        raise HostsError(f"{argv[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise HostsError(f"{' '.join(argv)} took longer than {seconds} s") from None
    if done.returncode:
        raise HostsError(
            f"{' '.join(argv)} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}"
        )
    return done.stdout


def obstacle() -> str | None:
    """Why there can be no such hosts on this machine, in one sentence; None when there can."""
    if os.geteuid() != 0:
        return f"namespaces need root, and this is user {os.geteuid()}"
    try:
        run("unshare", "--mount", "--pid", "--uts", "--net", "--fork", "ip", "link", "add", BRIDGE, "type", "bridge")
    except HostsError as error:
        return f"this machine gives no namespaces: {error}"
    return None


def sshd(directory: Path) -> tuple[Path, Path | None]:
    """Return an sshd, and where its libraries lie beside those of the machine: out of packages where none is there."""
    if SSHD.exists():
        return SSHD, None
    packages = directory / "packages"
    packages.mkdir()
    # apt downloads as a user of its own, where that may write.
    packages.chmod(0o777)
    run("apt-get", "download", *PACKAGES, seconds=300, cwd=packages)
    for package in packages.glob("*.deb"):
        run("dpkg-deb", "--extract", str(package), str(directory / "sshd"))
    (library,) = (directory / "sshd").rglob("libwrap.so.0")
    return directory / "sshd" / "usr/sbin/sshd", library.parent


_BOOT = """\
set -e
mount --bind "$1/passwd" /etc/passwd
mount -t tmpfs -o mode=0755,size=16m tmpfs /run
mkdir /run/sshd
hostname "$2"
exec "$3" -D -e -f "$1/sshd_config"
"""


class Hosts:
    """Hosts of some names from the entry to the exit, which leaves the machine as it was. Raises HostsError.

    `names`: at most eight lower-case letters and digits each. All that they have lies in `directory`, which is to be
    removed by whoever made it.
    """

    def __init__(self, directory: Path, *names: str) -> None:
        for name in names:
            if not re.fullmatch(r"[a-z][a-z0-9]{0,7}", name):
                raise HostsError(f"the host name {name!r} is not 1 to 8 lower-case letters and digits")
        self.directory = directory
        self.names = names
        self.addresses = {name: f"{NETWORK}{number}" for number, name in enumerate(names, start=11)}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Hosts:
        _remove()
        try:
            self._begin()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self._end()

    def _begin(self) -> None:
        program, libraries = sshd(self.directory)
        for name in ("key", "host_key"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{PREFIX}test", "-f", str(self.directory / name))
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "address", "add", f"{CONTROLLER}/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        for name in self.names:
            self._start(name, program, libraries)
        public = (self.directory / "host_key.pub").read_text().split()[:2]
        known = [f"{address} {' '.join(public)}\n" for address in self.addresses.values()]
        (self.directory / "known_hosts").write_text("".join(known))
        for name in self.names:
            self._await(name)

    def home(self, name: str) -> Path:
        """Return the home directory of a host's root."""
        return self.directory / name / "home"

    def _start(self, name: str, program: Path, libraries: Path | None) -> None:
        namespace, inside = PREFIX + name, ("ip", "-netns", PREFIX + name)
        run("ip", "netns", "add", namespace)
        run("ip", "link", "add", namespace, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        run("ip", "link", "set", namespace, "master", BRIDGE, "up")
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "address", "add", f"{self.addresses[name]}/24", "dev", "eth0")
        run(*inside, "link", "set", "eth0", "up")
        place = self.directory / name
        self.home(name).mkdir(parents=True)
        # sshd wants the user of its unprivileged half, and each root has a home of its own.
        rows = Path("/etc/passwd").read_text(encoding="utf-8").splitlines()
        others = [row for row in rows if row.split(":")[0] not in ("root", "sshd")]
        root = f"root:x:0:0:root:{self.home(name)}:/bin/bash"
        users = [root, "sshd:x:64999:65534::/run/sshd:/usr/sbin/nologin", *others]
        (place / "passwd").write_text("\n".join(users) + "\n", encoding="utf-8")
        shutil.copy(self.directory / "key.pub", place / "authorized_keys")
        (place / "sshd_config").write_text(
            f"HostKey {self.directory / 'host_key'}\nAuthorizedKeysFile {place / 'authorized_keys'}\n"
            "PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "StrictModes no\nUsePAM no\nUseDNS no\nMaxSessions 100\nPidFile none\n"
            "Subsystem sftp internal-sftp\n"
            # What the machine has compiled before, no host compiles again.
            f"SetEnv CCACHE_DIR={os.environ.get('CCACHE_DIR') or Path.home() / '.cache' / 'ccache'}\n",
            encoding="utf-8",
        )
        environment = {"PATH": os.environ["PATH"], **({"LD_LIBRARY_PATH": str(libraries)} if libraries else {})}
        with (place / "log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                ["ip", "netns", "exec", namespace, "unshare", "--mount", "--propagation", "private", "--pid", "--uts",
                 "--fork", "--kill-child", "--mount-proc", "sh", "-c", _BOOT, "sh", str(place), name, str(program)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd="/", env=environment,
                start_new_session=True,
            )  # fmt: skip

    def _await(self, name: str) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._running[name].poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((self.addresses[name], 22), timeout=5) as link:
                link.settimeout(5)
                if link.recv(4) == b"SSH-":
                    return
            time.sleep(0.05)
        log = (self.directory / name / "log").read_text(encoding="utf-8", errors="replace")
        raise HostsError(f"the host {name} does not answer: {log.strip()[-300:] or 'it said nothing'}")

    def delay(self, milliseconds: float) -> None:
        """Have each packet of a host wait for so long: a round trip between two of them takes twice that."""
        for name in self.names:
            run("ip", "netns", "exec", PREFIX + name, "tc", "qdisc", "replace", "dev", "eth0", "root", "netem", "delay",
                f"{milliseconds}ms")  # fmt: skip

    def processes(self, name: str, program: str) -> list[int]:
        """Return the processes of a host that run a program, by the numbers that they have outside."""
        pids = run("ip", "netns", "pids", PREFIX + name).split()
        return [int(pid) for pid in pids if _program(int(pid)) == program]

    def ssh(self, name: str, command: str, seconds: int = 60) -> str:
        """Return what a command prints on a host."""
        return run("ssh", *self._options(), f"root@{self.addresses[name]}", command, seconds=seconds)

    def _options(self) -> list[str]:
        options = {"UserKnownHostsFile": self.directory / "known_hosts", "StrictHostKeyChecking": "yes"}
        words = ["-F", os.devnull, "-i", str(self.directory / "key"), "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]
        return words + [word for name, value in options.items() for word in ("-o", f"{name}={value}")]

    def inventory(self, **variables: Any) -> dict[str, Any]:
        """Return an inventory of these hosts in group bench, the first one first, with variables for all of them."""
        hosts = {name: {"ansible_host": address} for name, address in self.addresses.items()}
        reach = {
            "ansible_user": "root",
            "ansible_ssh_common_args": " ".join(self._options()),
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        return {"bench": {"hosts": hosts, "vars": {**reach, **variables}}}

    def _end(self) -> None:
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._running.clear()
        _remove()


def _program(pid: int) -> str:
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")).name
    except OSError:
        return ""


def _remove() -> None:
    """Remove what bears our name: processes, namespaces and interfaces, also of hosts that were made long ago."""
    for path in sorted(NETNS.glob(PREFIX + "*")):
        deadline = time.monotonic() + 20
        with contextlib.suppress(HostsError):
            while pids := run("ip", "netns", "pids", path.name).split():
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
                if time.monotonic() > deadline:
                    raise HostsError(f"the processes {', '.join(pids)} of {path.name} do not end")
                time.sleep(0.05)
        run("ip", "netns", "delete", path.name)
    for interface in Path("/sys/class/net").glob(PREFIX + "*"):
        with contextlib.suppress(HostsError):  # may be on its way out with its namespace
            run("ip", "link", "delete", interface.name)
    if left := leftovers():
        raise HostsError(f"not everything could be removed: {', '.join(left)}")


def leftovers() -> list[str]:
    """What of such hosts is still on this machine."""
    deadline = time.monotonic() + 5
    while True:
        there = [*NETNS.glob(PREFIX + "*"), *Path("/sys/class/net").glob(PREFIX + "*")]
        if not there or time.monotonic() > deadline:
            return sorted(map(str, there))
        time.sleep(0.05)


@contextlib.contextmanager
def hosts(directory: Path, *names: str) -> Iterator[Hosts]:
    """Give hosts for the time of a block."""
    with Hosts(directory, *names) as there:
        yield there


def main() -> None:
    """Keep hosts until standard input ends: python tests/support/hosts/namespaces.py DIRECTORY NAME..."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True)
    with Hosts(directory, *sys.argv[2:]) as there:
        path = directory / "hosts.json"
        path.write_text(json.dumps(there.inventory()), encoding="utf-8")
        print(path, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
