# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are copies of this machine, each a process tree in namespaces of its own, reached over real ssh.

Unlike the emulated hosts (emulated.py) they run this machine's own programs at its own speed: a host sees this
machine's disk, builds and models included, and keeps what it writes to itself. That is what faults and fleets are tried
on. Several processes may have such hosts at the same time, each a network of its own, in which hosts reach each other;
the hosts end with the process.

    with clones(["one", "two"]) as hosts:
        hosts["one"].cut()
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

# A host starts this file by itself.
sys.path[:0] = [path for path in (str(Path(__file__).resolve().parents[2]),) if path not in sys.path]

from support.hosts import emulated  # noqa: E402
from support.hosts.emulated import EmulationError, possible, run  # noqa: E402

# RFC 2544 gives 198.18.0.0/15 to benchmarks; the emulated hosts have its first /24, of which each set here has another.
NETWORK = "198.19."
MOST_HOSTS = 60
PREFIX = "cbclone-"
DIRECTORY = Path("/var/lib/cloudbench-clones")
LOCKS = Path("/run/lock")
SYSTEM = Path("/usr/sbin/sshd")
# How the processes begin by which a host is reached.
SERVING = ("sshd:", "/usr/sbin/sshd ", "/usr/lib/openssh/sftp-server")
# What of these packages a host needs that this machine may lack.
SERVER_PACKAGES = ("openssh-server", "openssh-sftp-server", "libwrap0")
MEMORY = Path("/sys/fs/cgroup/memory")

SSHD_CONFIG = emulated.SSHD_CONFIG.replace(
    f"AllowUsers {emulated.USER}", "AllowUsers root\nPermitRootLogin prohibit-password"
)


class Spec(NamedTuple):
    """What a host is made with. `disk`: MB that may be written to it. `mounts`: path -> MB of a small disk there."""

    name: str
    disk: int = 2000
    mounts: Mapping[str, int] = {}


class Clone:
    """One host that runs."""

    def __init__(self, spec: Spec, number: int, octet: int) -> None:
        self.name = spec.name
        self.spec = spec
        self.namespace = f"{PREFIX}{octet}-{spec.name}"
        self.interface, self.bridge = f"cbc{octet}-{number}", _bridge(octet)
        self.controller, self.address = f"{NETWORK}{octet}.1", f"{NETWORK}{octet}.{number + 2}"
        self.directory = DIRECTORY / str(octet)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Connect it and start it."""
        run("ip", "netns", "add", self.namespace)
        peer = ("peer", "name", "eth0", "netns", self.namespace)
        run("ip", "link", "add", self.interface, "type", "veth", *peer)
        run("ip", "link", "set", self.interface, "master", self.bridge, "up")
        inside = ("ip", "-netns", self.namespace)
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "address", "add", f"{self.address}/24", "dev", "eth0")
        run(*inside, "link", "set", "eth0", "up")
        self.boot()

    def boot(self, disk: int | None = None) -> None:
        """Start its processes, on a disk as this machine's is now, or on that of an open file of a mount namespace."""
        mounts = ["unshare", "--mount", "--propagation", "private"]
        if disk is not None:
            mounts = ["nsenter", f"--mount=/proc/{os.getpid()}/fd/{disk}", "unshare"]
        with (self.directory / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, *emulated.ENDS_WITH_US, *mounts, "--pid", "--uts", "--ipc",
                 "--fork", "--kill-child", sys.executable, "-I", __file__,
                 json.dumps([str(self.directory), *self.spec])],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd="/", start_new_session=True,
            )  # fmt: skip

    def wait(self) -> None:
        """Return when it answers as ssh servers do; EmulationError when it has ended or says nothing for a minute."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection((self.address, 22), timeout=5) as connection:
                connection.settimeout(5)
                if connection.recv(4) == b"SSH-":
                    return
            time.sleep(0.05)
        log = (self.directory / f"{self.name}.log").read_text(encoding="utf-8", errors="replace")
        words = " | ".join(log.strip().splitlines()[-3:]) or "it said nothing"
        raise EmulationError(f"the host {self.name} does not answer: {words}")

    @property
    def pid(self) -> int:
        """Its first process, as this machine numbers it."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text("ascii").split()
        if not children:
            raise EmulationError(f"the host {self.name} has ended")
        return int(children[0])

    def path(self, inside: str | Path) -> Path:
        """Where this machine finds a file of the host."""
        return Path(f"/proc/{self.pid}/root", *Path(inside).parts[1:])

    def processes(self) -> dict[int, str]:
        """What runs on it beside its ssh server: command lines by process id, as this machine numbers them."""
        lines = {}
        for pid in run("ip", "netns", "pids", self.namespace).split():
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                # Those that wait to be reaped have no command line; those of the first are how the host was started.
                if line and not line.startswith(SERVING) and __file__ not in line:
                    lines[int(pid)] = line
        return lines

    def signal(self, number: int) -> None:
        """Send a signal to all its processes."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    @contextlib.contextmanager
    def hogged(self) -> Iterator[None]:
        """Have programs of it take every core for the time of a block."""
        argv = ["ip", "netns", "exec", self.namespace, sys.executable, "-c", "while True: pass"]
        hogs = [subprocess.Popen(argv, start_new_session=True) for _core in range(os.cpu_count() or 1)]
        try:
            yield
        finally:
            for hog in hogs:
                hog.kill()
                hog.wait()

    def cut(self) -> None:
        """Take the network away: what is under way arrives once join() gives it back."""
        run("ip", "link", "set", self.interface, "down")

    def join(self) -> None:
        """Give the network back."""
        run("ip", "link", "set", self.interface, "up")

    def kill(self) -> None:
        """End all its processes at once and lose what was on its disk, as when an instance is taken back."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if not possible("ip", "netns", "pids", self.namespace):
            emulated.end_processes(self.namespace)

    def reset(self, seconds: float) -> None:
        """End all its processes at once and start it again after so long, on the disk that it had."""
        disk = os.open(f"/proc/{self.pid}/ns/mnt", os.O_RDONLY)
        try:
            self.kill()
            time.sleep(seconds)
            self.boot(disk)
            self.wait()
        finally:
            os.close(disk)

    def stop(self) -> None:
        """Remove it."""
        self.kill()
        possible("ip", "netns", "delete", self.namespace)
        possible("ip", "link", "delete", self.interface)

    def inventory(self) -> dict[str, Any]:
        """The variables by which Ansible reaches it."""
        options = f"-o UserKnownHostsFile={self.directory / 'known_hosts'} -o StrictHostKeyChecking=yes"
        return {
            "ansible_host": self.address,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.directory / "key"),
            "ansible_ssh_common_args": f"{options} -o IdentitiesOnly=yes",
            "ansible_python_interpreter": "/usr/bin/python3",
        }


def obstacle() -> str | None:
    """Why there can be no such hosts on this machine, in one sentence; None when there can. Changes nothing."""
    if os.geteuid() != 0:
        return "namespaces and mounts need root, and this is user %d" % os.geteuid()
    for program in ("ip", "ssh", "ssh-keygen", "unshare", "setpriv"):
        if not shutil.which(program):
            return f"{program} is not installed"
    if problem := possible("unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "true"):
        return f"this machine gives no namespaces: {problem}"
    if "\toverlay\n" not in Path("/proc/filesystems").read_text() and possible("modprobe", "overlay"):
        return "this kernel has no overlay"
    if not SYSTEM.exists() and not shutil.which("apt-get"):
        return "there is no sshd, and no apt-get to have one from"
    return None


def server() -> Path | None:
    """A directory with the ssh server of this machine's Debian, None where it is installed; fetched once, then cached.

    It is laid over the disk of the hosts and never installed: an installed one would serve this machine.
    """
    if SYSTEM.exists():
        return None
    place = emulated.cache() / "openssh-server"
    if place.exists():
        return place
    with tempfile.TemporaryDirectory(dir=emulated.cache()) as temporary:
        base = Path(temporary)
        fetch = ("apt-get", "-o", "APT::Sandbox::User=root", "download", *SERVER_PACKAGES)
        try:
            run(*fetch, seconds=300, cwd=base)
        except EmulationError:
            emulated.update_lists()
            run(*fetch, seconds=300, cwd=base)
        for package in base.glob("*.deb"):
            run("dpkg-deb", "--extract", str(package), str(base / "content"), seconds=60)
        # Only what lies in usr: a directory lib/ of a package would hide that of the machine.
        (base / "kept").mkdir(mode=0o755)
        shutil.move(base / "content/usr", base / "kept/usr")
        os.replace(base / "kept", place)
    return place


def _take() -> tuple[int, IO[str]]:
    """Take a network that nobody has; what a process that was killed has left of it is removed."""
    for octet in range(1, 255):
        lock = (LOCKS / f"cloudbench-clones-{octet}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _clear(octet)
        return octet, lock
    raise EmulationError("all networks of 198.19.0.0/16 are taken by hosts of other processes")


def _bridge(octet: int) -> str:
    return f"cbc{octet}-br"


def _clear(octet: int) -> None:
    for namespace in emulated.NETNS.glob(f"{PREFIX}{octet}-*"):
        if not possible("ip", "netns", "pids", namespace.name):
            emulated.end_processes(namespace.name)
        possible("ip", "netns", "delete", namespace.name)
    for interface in Path("/sys/class/net").glob(f"cbc{octet}-*"):
        possible("ip", "link", "delete", interface.name)
    for group in MEMORY.glob(f"{PREFIX}{octet}-*"):
        with contextlib.suppress(OSError):
            group.rmdir()
    shutil.rmtree(DIRECTORY / str(octet), ignore_errors=True)


@contextlib.contextmanager
def clones(specs: Sequence[Spec]) -> Iterator[dict[str, Clone]]:
    """Hosts for the time of a block, by name; everything they leave on this machine is removed behind it.

    Raises EmulationError where one cannot be had. Whoever calls it has made sure that there is no obstacle().
    """
    if len(specs) > MOST_HOSTS:
        raise EmulationError(f"{len(specs)} hosts are more than the {MOST_HOSTS} that a network has addresses for")
    server()
    octet, lock = _take()
    hosts = [Clone(spec, number, octet) for number, spec in enumerate(specs)]
    try:
        directory = DIRECTORY / str(octet)
        directory.mkdir(parents=True, mode=0o755)
        for name in ("key", "host_key"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "cloudbench-clones", "-f", str(directory / name))
        kind, key = (directory / "host_key.pub").read_text().split()[:2]
        (directory / "known_hosts").write_text("".join(f"{host.address} {kind} {key}\n" for host in hosts))
        bridge = _bridge(octet)
        run("ip", "link", "add", bridge, "type", "bridge")
        run("ip", "address", "add", f"{hosts[0].controller}/24", "dev", bridge)
        run("ip", "link", "set", bridge, "up")
        for host in hosts:
            host.start()
        for host in hosts:
            host.wait()
        yield {host.name: host for host in hosts}
    finally:
        for host in hosts:
            host.stop()
        _clear(octet)
        (LOCKS / f"cloudbench-clones-{octet}.lock").unlink(missing_ok=True)
        lock.close()
        with contextlib.suppress(OSError):
            DIRECTORY.rmdir()


@contextlib.contextmanager
def memory_limit(host: Clone, megabytes: int) -> Iterator[None]:
    """Let all processes of a host have no more memory than this together, those that it starts included (cgroup v1).

    Raises EmulationError where this machine has no such group.
    """
    group = MEMORY / host.namespace
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(megabytes << 20))
        for pid in run("ip", "netns", "pids", host.namespace).split():
            with contextlib.suppress(ProcessLookupError):
                (group / "cgroup.procs").write_text(pid)
    except OSError as error:
        raise EmulationError(f"no memory limit can be set by {group}: {error.strerror}") from None
    try:
        yield
    finally:
        (group / "memory.limit_in_bytes").write_text("-1")
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (MEMORY / "cgroup.procs").write_text(pid)
        with contextlib.suppress(OSError):
            group.rmdir()


def boot(directory: Path, spec: Spec) -> None:
    """Become the first process of a host, in namespaces of its own: mount, settle, become sshd. Does not return."""
    place = directory / "hosts" / spec.name
    place.mkdir(parents=True, exist_ok=True)
    root, programs = place / "root", server()
    if os.path.ismount(place):
        # It was here before.
        run("umount", "--recursive", "--lazy", str(root))
    else:
        run("mount", "-t", "tmpfs", "-o", f"mode=0755,size={spec.disk}m", "tmpfs", str(place))
        for name in ("upper", "work", "root"):
            (place / name).mkdir()
        if programs:
            # One layer may not lie within another.
            shutil.copytree(programs, place / "server", symlinks=True)
    layers_below = [*([str(place / "server")] if programs else []), "/"]
    layers = f"lowerdir={':'.join(layers_below)},upperdir={place / 'upper'},workdir={place / 'work'}"
    run("mount", "-t", "overlay", "-o", layers, "overlay", str(root))
    emulated.mount_kernel_file_systems(root)
    run("mount", "-t", "tmpfs", "-o", "mode=1777,size=512m", "tmpfs", str(root / "tmp"))
    passwd = (root / "etc/passwd").read_text(encoding="utf-8")
    for path, content in {
        "/etc/hostname": f"{spec.name}\n",
        "/etc/hosts": f"127.0.0.1 localhost {spec.name}\n",
        "/etc/ssh/authorized_keys/root": (directory / "key.pub").read_text(encoding="utf-8"),
        "/etc/ssh/sshd_config": SSHD_CONFIG,
        "/etc/ssh/cloudbench_host_key": (directory / "host_key").read_text(encoding="utf-8"),
        **({} if "\nsshd:" in passwd else {"/etc/passwd": "+sshd:x:991:65534::/run/sshd:/usr/sbin/nologin\n"}),
    }.items():
        emulated.write(root, path, content)
    for path, size in spec.mounts.items():
        at = root / path.lstrip("/")
        at.mkdir(parents=True, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", f"mode=0755,size={size}m", "tmpfs", str(at))
    socket.sethostname(spec.name)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chroot(root)
    os.chdir("/")
    environment = {"PATH": os.defpath, "HOME": "/root"}
    os.execve("/usr/sbin/sshd", ["/usr/sbin/sshd", "-D", "-e"], environment)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    _directory, _name, _disk, _mounts = json.loads(sys.argv[1])
    boot(Path(_directory), Spec(_name, _disk, _mounts))
