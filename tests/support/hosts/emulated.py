# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Emulated arm64 hosts side by side on one x86-64 Debian machine, each with its own processor, reached over real ssh.

A host is a process tree in namespaces of its own over one common Debian root; QEMU's user mode runs its programs. It
proves how a host is recognised, built for, shipped to and measured, and nothing about speed.

    python tests/support/hosts/emulated.py check            why it cannot work here; exit code 3 if so
    python tests/support/hosts/emulated.py packages         install the Debian packages that are missing
    python tests/support/hosts/emulated.py root             fetch QEMU and build the root; minutes once, then cached
    python tests/support/hosts/emulated.py up '{"gv2": {"cpu": "neoverse-n1"}, "bare": {"disk": 20}}'
    python tests/support/hosts/emulated.py down             leave the machine as it was found

`up` prints what is needed to reach the hosts, as JSON. A machine has one set of hosts at a time: `up` first removes
what is left of an earlier one, whatever became of it. While hosts are up, the kernel hands every arm64 program of the
machine to the emulator of the hosts.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import fnmatch
import hashlib
import json
import os
import platform
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

USER = "admin"
# What a host may be told in JSON beside its name; the defaults make an ordinary one.
FIELDS = {"cpu", "disk", "without", "files"}

# Everything that is made outside of the hosts' own namespaces bears this name, so that it can be found again.
PREFIX = "cloudbench-"
INTERFACE = "cbemu-"  # a name of Linux has 15 characters at most
DIRECTORY = Path("/var/lib/cloudbench-emulated")
STATE = DIRECTORY / "state.json"
LOCK = Path("/run/lock/cloudbench-emulated.lock")
NETNS = Path("/run/netns")
OS_RELEASE = Path("/etc/os-release")
BINFMT = Path("/proc/sys/fs/binfmt_misc")
IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
NFT_TABLE = "cloudbench_emulated"

# RFC 2544 gives 198.18.0.0/15 to benchmarks; host number n has the n-th block of four addresses.
NETWORK = "198.18.0."
CONTROLLER = NETWORK + "1"
MOST_HOSTS = 60

SUITE = "bookworm"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# No compiler: programs are built on the controller and shipped.
ROOT_PACKAGES = ("ca-certificates", "iproute2", "libgomp1", "openssh-server", "procps", "python3", "sudo")
ROOT_OPTIONS = (
    "--mode=root", "--skip=check/qemu", "--architectures=arm64", "--variant=minbase", "--format=tar",
    "--include=" + ",".join(ROOT_PACKAGES),
    "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
)  # fmt: skip
# What of this machine's apt a new root needs to reach the same archive.
APT_SETTINGS = ("Acquire::http", "Acquire::https", "Acquire::Check-Date", "Acquire::Check-Valid-Until")
# 7.2, which Debian 12 itself has, knows neither neoverse-v1 nor neoverse-n2; 11.1 takes bf16 from neoverse-v1.
QEMU_VERSION = "1:10.0."
# The last is for looking into the programs that are built for the hosts.
PACKAGES = (
    "binutils-aarch64-linux-gnu", "debian-archive-keyring", "gcc", "iproute2", "libc6-dev", "mmdebstrap", "nftables",
    "openssh-client",
)  # fmt: skip

# In front of a command that must not go on when this process is killed: `down` could not remove what it still writes.
ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL")

# Inside each root; the kernel looks there for the interpreter of arm64 programs.
EMULATOR = "/usr/libexec/cloudbench"
# ELF, 64 bit, little-endian, executable or shared object, AArch64.
MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"

# The kernel calls it with the program's path, the program's argv[0] and its arguments (flag P), with the program's
# credentials (flag C, without which sudo would not become root) and the program opened (flag O, implied by C).
WRAPPER = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char model[64] = "";
    int file = open(EMULATOR "/cpu", O_RDONLY | O_CLOEXEC);
    if (argc < 3 || file < 0 || read(file, model, sizeof model - 1) < 1) {
        fputs("the emulated host does not know its processor\n", stderr);
        return 127;
    }
    close(file);
    unsigned long opened = getauxval(AT_EXECFD);
    if (opened > 2) close((int)opened);
    char **words = calloc((size_t)argc + 4, sizeof *words);
    if (!words) return 127;
    words[0] = "qemu-aarch64";
    words[1] = "-cpu";
    words[2] = model;
    words[3] = "-0";
    words[4] = argv[2];
    words[5] = argv[1];
    memcpy(words + 6, argv + 3, (size_t)(argc - 3) * sizeof *words);
    execv(EMULATOR "/qemu-aarch64", words);
    fprintf(stderr, "qemu-aarch64: %s\n", strerror(errno));
    return 127;
}
"""

# Where the hosts keep, together, what their Python has compiled. Each task of Ansible brings its modules as source, and
# an emulated Python compiles them for longer than it runs them.
COMPILED = "/var/cache/cloudbench-compiled"
SITECUSTOMIZE = f"""\
import _imp, marshal, os, zipimport

compiled_by_python = zipimport._compile_source


def compiled(pathname, source):
    kept = "{COMPILED}/%d-%s" % (len(source), _imp.source_hash(0, source).hex())
    try:
        with open(kept, "rb") as file:
            return marshal.loads(file.read())
    except OSError:
        pass
    code = compiled_by_python(pathname, source)
    part = "%s.%d.%s" % (kept, os.getpid(), os.uname().nodename)
    with open(part, "wb") as file:
        file.write(marshal.dumps(code))
    os.rename(part, kept)
    return code


zipimport._compile_source = compiled
"""

SSHD_CONFIG = f"""\
HostKey /etc/ssh/cloudbench_host_key
AuthorizedKeysFile /etc/ssh/authorized_keys/%u
AllowUsers {USER}
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
MaxSessions 100
PidFile none
Subsystem sftp /usr/lib/openssh/sftp-server
"""


class EmulationError(RuntimeError):
    """The hosts cannot be had; the message says what failed and why."""


class Host(NamedTuple):
    """One emulated host.

    `cpu`: a model of qemu-aarch64. `disk`: MB that may be written to it, all directories together. `without`: patterns
    of files that it lacks. `files`: files that it has beside or instead of those of the root, path -> content.
    """

    name: str
    cpu: str = "neoverse-n1"
    disk: int = 2000
    without: tuple[str, ...] = ()
    files: dict[str, str] = {}  # noqa: RUF012

    @classmethod
    def parse(cls, name: str, fields: dict[str, Any]) -> Host:
        """The host of one entry of the JSON; EmulationError names what is wrong with it."""
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,8}", name):
            raise EmulationError(f"the host name {name!r} is not 1 to 9 lower-case letters, digits and hyphens")
        if unknown := set(fields) - FIELDS:
            raise EmulationError(f"host {name}: there is no {sorted(unknown)[0]!r}, only {', '.join(sorted(FIELDS))}")
        paths = [*fields.get("without", []), *fields.get("files", {})]
        if wrong := [path for path in paths if not path.startswith("/") or ".." in path.split("/")]:
            raise EmulationError(f"host {name}: {wrong[0]!r} is not an absolute path")
        return cls(name, **{**fields, "without": tuple(fields.get("without", ()))})


class Link(NamedTuple):
    """The network between the controller and one host: a namespace and a pair of interfaces."""

    namespace: str
    interface: str
    controller: str
    host: str

    @classmethod
    def number(cls, index: int, name: str) -> Link:
        """The link of the host with this index, from 0."""
        block = 4 * index
        return cls(PREFIX + name, INTERFACE + name, f"{NETWORK}{block + 1}", f"{NETWORK}{block + 2}")


def run(*argv: str, seconds: int = 60, **options: Any) -> str:
    """Return the standard output of a command; EmulationError has its last words when it fails or takes too long."""
    try:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            argv, timeout=seconds, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **options
        )
    except FileNotFoundError:
        raise EmulationError(f"{argv[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise EmulationError(f"{' '.join(argv)} took longer than {seconds} s") from None
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()[-3:] or ["it said nothing"]
        raise EmulationError(f"{' '.join(argv)} ended with {done.returncode}: {' | '.join(words)}")
    return done.stdout


def absent(hosts_file: Path) -> str | None:
    """Why a scenario that keeps what `up` printed in this file has no hosts; None when it has.

    AssertionError when it has none though there can be: its tests would be skipped for no reason.
    """
    if hosts_file.exists():
        return None
    problem = obstacle()
    assert problem, "create.yml has started no hosts, though they can be emulated here"
    return problem


def possible(*argv: str, seconds: int = 60) -> str | None:
    """Why a command fails, None when it succeeds."""
    try:
        run(*argv, seconds=seconds)
    except EmulationError as error:
        return str(error)
    return None


def os_release(text: str) -> dict[str, str]:
    """The fields of /etc/os-release."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name: value.strip("\"'") for name, value in pairs}


@contextlib.contextmanager
def alone(seconds: int = 1800) -> Iterator[None]:
    """One process at a time makes or removes hosts. Another one is waited for: it may be building the root."""
    with LOCK.open("w") as lock:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    message = f"another emulation of hosts has been at work for {seconds} s: it holds {LOCK}"
                    raise EmulationError(message) from None
                time.sleep(0.5)
        yield


def obstacle() -> str | None:
    """Why there can be no emulated hosts on this machine, in one sentence; None when there can. Changes nothing."""
    try:
        system = os_release(OS_RELEASE.read_text(encoding="utf-8")).get("ID", "unknown")
    except OSError:
        system = "unknown"
    if system != "debian":
        return f"this system is {system}, not Debian, from whose packages the hosts are made"
    if platform.machine() != "x86_64":
        return f"this machine is {platform.machine()}: the hosts are emulated on x86-64 only"
    if os.geteuid() != 0:
        return "namespaces, mounts and binfmt_misc need root, and this is user %d" % os.geteuid()
    if problem := possible("unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "true"):
        return f"this machine gives no namespaces: {problem}"
    for kind in ("overlay", "binfmt_misc"):
        possible("modprobe", kind)  # built in where there is no modprobe, or else absent from the list below
        if not re.search(rf"\b{kind}$", Path("/proc/filesystems").read_text(), re.MULTILINE):
            return f"this kernel has no {kind}"
    if not (BINFMT / "register").exists():
        if problem := possible("unshare", "--mount", "mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)):
            return f"binfmt_misc cannot be mounted: {problem}"
    elif not os.access(BINFMT / "register", os.W_OK):
        return f"{BINFMT / 'register'} cannot be written"
    if not os.access(IP_FORWARD, os.W_OK):
        return f"{IP_FORWARD} cannot be written"
    return None


# --- Packages, QEMU and the root -------------------------------------------------------------------------------------


def install_packages() -> list[str]:
    """Install the Debian packages this needs and the machine lacks; return their names."""
    missing = [name for name in PACKAGES if not _installed(name)]
    if missing:
        lock = ("-o", "DPkg::Lock::Timeout=300")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        update_lists()
        run("apt-get", *lock, "install", "--yes", "--no-install-recommends", *missing, seconds=1800, env=environment)
    return missing


def update_lists() -> None:
    """Fetch apt's package lists; somebody else who does so just now is waited for, which apt itself does not."""
    for _attempt in range(6):
        problem = possible("apt-get", "update", seconds=600)
        if not problem:
            return
        time.sleep(10)
    raise EmulationError(problem)


def _installed(package: str) -> bool:
    done = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
    )  # fmt: skip
    return done.stdout == "installed"


def mirror() -> str:
    """The address of the Debian archive that this machine's own apt uses."""
    for again in (False, True):
        if again:  # without package lists apt does not know whose archive an entry is
            update_lists()
        listed = run(
            "apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian",
            "Label: Debian", "Component: main",
        )  # fmt: skip
        for uri in listed.split():
            if uri.startswith("mirror+file:"):
                uri = Path(uri.removeprefix("mirror+file:").rstrip("/")).read_text(encoding="utf-8").split()[0]
            return uri.rstrip("/")
    raise EmulationError("apt of this machine has no entry for the Debian archive (component main)")


def cache() -> Path:
    """Where what is expensive to make is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    path = Path(base, "cloudbench", "testbed").expanduser()
    path.mkdir(parents=True, exist_ok=True)
    return path


def recipe_key() -> str:
    """Name a root by everything that its content depends on but the state of the archive."""
    return hashlib.sha256(json.dumps([SUITE, ROOT_OPTIONS]).encode()).hexdigest()[:12]


def obtain_qemu() -> Path:
    """The static qemu-aarch64, from the backports of this machine's Debian archive; its sources stay as they are."""
    place = cache() / f"qemu-aarch64-{QEMU_VERSION.partition(':')[2]}x"
    if place.exists():
        return place
    with tempfile.TemporaryDirectory(dir=cache()) as temporary:
        base = Path(temporary)
        for name in ("state/lists/partial", "cache/archives/partial", "preferences.d"):
            (base / name).mkdir(parents=True)
        (base / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {SUITE}-backports main\n")
        settings = {
            "Dir::Etc::SourceList": base / "sources.list", "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null", "Dir::Etc::PreferencesParts": base / "preferences.d",
            "Dir::State": base / "state", "Dir::Cache": base / "cache", "APT::Sandbox::User": "root",
        }  # fmt: skip
        apt = ["apt-get", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]
        run(*apt, "update", seconds=600)
        run(*apt, "download", f"qemu-user/{SUITE}-backports", seconds=900, cwd=base)
        (package,) = base.glob("qemu-user_*.deb")
        version = run("dpkg-deb", "--field", str(package), "Version").strip()
        if not version.startswith(QEMU_VERSION):
            raise EmulationError(f"{SUITE}-backports has qemu-user {version}; the processors were tried with 10.0 only")
        run("dpkg-deb", "--extract", str(package), str(base / "content"), seconds=300)
        os.replace(base / "content/usr/bin/qemu-aarch64", place)
    return place


def obtain_root() -> Path:
    """The Debian arm64 root as a tar archive; built from this machine's Debian archive where the cache has none."""
    place = cache() / f"root-{SUITE}-arm64-{recipe_key()}.tar"
    if place.exists():
        return place
    settings = run("apt-config", "dump", *APT_SETTINGS)
    qemu, part = obtain_qemu(), place.with_suffix(".part")
    with working_directory(), tempfile.TemporaryDirectory(dir=DIRECTORY) as temporary, registered("build", qemu, "F"):
        Path(temporary).chmod(0o755)  # apt's own user must get to the new root
        options = Path(temporary, "apt.conf")
        options.write_text(settings)
        run(
            *ENDS_WITH_US, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
            "mmdebstrap", *ROOT_OPTIONS, *([f"--aptopt={options}"] if settings.strip() else []),
            SUITE, str(part), f"deb [signed-by={KEYRING}] {mirror()} {SUITE} main",
            seconds=3600, env={**os.environ, "TMPDIR": temporary},
        )  # fmt: skip
    os.replace(part, place)
    return place


# --- What is changed on the machine, and changed back -----------------------------------------------------------------


@contextlib.contextmanager
def working_directory() -> Iterator[None]:
    """The directory for the time of a block; it stays where hosts are up or something else is in it."""
    DIRECTORY.mkdir(mode=0o755, exist_ok=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            DIRECTORY.rmdir()


def remember(**found: Any) -> None:
    """Write down how something was before it is changed; what was written down first stays."""
    new = STATE.with_suffix(".new")
    new.write_text(json.dumps({**found, **recall()}), encoding="utf-8")
    os.replace(new, STATE)


def recall() -> dict[str, Any]:
    """What was written down."""
    try:
        return dict(json.loads(STATE.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}


def restore() -> None:
    """Make what was changed what it was, and forget it."""
    state = recall()
    if "ip_forward" in state:
        IP_FORWARD.write_text(state["ip_forward"])
    if "binfmt_misc" in state and (BINFMT / "register").exists():
        run("umount", str(BINFMT))
    STATE.unlink(missing_ok=True)


def register(name: str, interpreter: str | Path, flags: str) -> None:
    """Let the kernel run arm64 programs by this interpreter. The latest entry wins; entries of others stay."""
    if not (BINFMT / "register").exists():
        remember(binfmt_misc="not mounted")
        run("mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT))
    (BINFMT / "register").write_text(f":{PREFIX}{name}:M::{MAGIC}:{MASK}:{interpreter}:{flags}")


def unregister(name: str) -> None:
    """Remove an entry of ours."""
    with contextlib.suppress(FileNotFoundError):
        (BINFMT / (PREFIX + name)).write_text("-1")


@contextlib.contextmanager
def registered(name: str, interpreter: str | Path, flags: str) -> Iterator[None]:
    """An entry for the time of a block."""
    first = not recall()
    unregister(name)
    try:
        register(name, interpreter, flags)
        yield
    finally:
        unregister(name)
        if first:
            restore()


def mounts_below(directory: Path, table: str) -> list[str]:
    """The mount points below a directory in the text of /proc/self/mounts, the innermost first."""
    points = [line.split()[1].replace("\\040", " ") for line in table.splitlines() if line]
    return sorted((point for point in points if point.startswith(f"{directory}/")), key=len, reverse=True)


def end_processes(namespace: str) -> None:
    """Kill everything that runs in a network namespace and wait until it is gone."""
    deadline = time.monotonic() + 20
    while pids := run("ip", "netns", "pids", namespace).split():
        if time.monotonic() > deadline:
            raise EmulationError(f"the processes {', '.join(pids)} of {namespace} do not end")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.05)


def down() -> None:
    """Remove all hosts and whatever an interrupted `up` has left; what was changed becomes what it was."""
    for namespace in sorted(path.name for path in NETNS.glob(PREFIX + "*")):
        # A file without a namespace behind it is what a crash between making and mounting it leaves.
        if not possible("ip", "netns", "pids", namespace):
            end_processes(namespace)
        run("ip", "netns", "delete", namespace)
    for interface in Path("/sys/class/net").glob(INTERFACE + "*"):
        possible("ip", "link", "delete", interface.name)  # may be on its way out with its namespace
    if shutil.which("nft") and not possible("nft", "list", "table", "ip", NFT_TABLE):
        run("nft", "delete", "table", "ip", NFT_TABLE)
    for entry in BINFMT.glob(PREFIX + "*"):
        unregister(entry.name.removeprefix(PREFIX))
    restore()
    for point in mounts_below(DIRECTORY, Path("/proc/self/mounts").read_text(encoding="utf-8")):
        run("umount", point)
    if DIRECTORY.exists():
        shutil.rmtree(DIRECTORY)
    if left := leftovers():
        raise EmulationError(f"not everything could be removed: {', '.join(left)}")


def leftovers() -> list[str]:
    """What of the hosts is still on this machine: namespaces, interfaces, entries, mounts, processes, files."""
    found = [str(path) for path in (*NETNS.glob(PREFIX + "*"), *BINFMT.glob(PREFIX + "*"))]
    found += [str(path) for path in Path("/sys/class/net").glob(INTERFACE + "*")]
    found += mounts_below(DIRECTORY, Path("/proc/self/mounts").read_text(encoding="utf-8"))
    if shutil.which("nft") and not possible("nft", "list", "table", "ip", NFT_TABLE):
        found.append(f"nft table {NFT_TABLE}")
    for link in Path("/proc").glob("[0-9]*/exe"):
        with contextlib.suppress(OSError):
            if os.readlink(link).endswith(f"{EMULATOR}/qemu-aarch64"):
                found.append(f"process {link.parent.name}")
    return found + ([str(DIRECTORY)] if DIRECTORY.exists() else [])


# --- Hosts -----------------------------------------------------------------------------------------------------------


def up(hosts: list[Host]) -> dict[str, Any]:
    """Start the hosts, after the removal of earlier ones.

    Returns {"controller": the controller's address as every host sees it, "user", "identity_file", "known_hosts",
    "hosts": {name: {"address", "cpu"}}}. Whoever calls it has made sure that there is no obstacle().
    """
    if len(hosts) > MOST_HOSTS:
        raise EmulationError(f"{len(hosts)} hosts are more than the {MOST_HOSTS} that the network has addresses for")
    down()
    qemu, root = obtain_qemu(), obtain_root()
    try:
        prepare(qemu, root)
        links = {host.name: Link.number(index, host.name) for index, host in enumerate(hosts)}
        started = {host.name: start(host, links[host.name]) for host in hosts}
        key = (DIRECTORY / "host_key.pub").read_text().split()[:2]
        known = [f"{link.host} {' '.join(key)}\n" for link in links.values()]
        (DIRECTORY / "known_hosts").write_text("".join(known))
        for host in hosts:
            await_ssh(host, links[host.name], started[host.name])
    except BaseException:
        down()
        raise
    return {
        "controller": CONTROLLER,
        "user": USER,
        "identity_file": str(DIRECTORY / "key"),
        "known_hosts": str(DIRECTORY / "known_hosts"),
        "hosts": {host.name: {"address": links[host.name].host, "cpu": host.cpu} for host in hosts},
    }


def prepare(qemu: Path, root: Path) -> None:
    """Everything that the hosts have in common: root, emulator, keys, way to the network."""
    base = DIRECTORY / "base"
    base.mkdir(parents=True)
    unpack = ("tar", "--extract", "--numeric-owner", "--exclude=./dev/*", f"--file={root}", "-C", str(base))
    run(*ENDS_WITH_US, *unpack, seconds=300)
    emulator = base / EMULATOR.lstrip("/")
    emulator.mkdir(parents=True)
    shutil.copy2(qemu, emulator / "qemu-aarch64")
    source = DIRECTORY / "wrapper.c"
    source.write_text(WRAPPER)
    macro = f'-DEMULATOR="{EMULATOR}"'
    run("gcc", "-O2", "-Wall", "-Werror", "-static", macro, "-o", str(emulator / "run"), str(source))
    compiled = DIRECTORY / "compiled"
    compiled.mkdir()
    compiled.chmod(0o1777)
    (base / COMPILED.lstrip("/")).mkdir()
    for name in ("key", "host_key"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{PREFIX}emulated", "-f", str(DIRECTORY / name))
    register("aarch64", f"{EMULATOR}/run", "OCP")
    # So that apt works on a host. A host is reached and measured without it.
    remember(ip_forward=IP_FORWARD.read_text())
    IP_FORWARD.write_text("1\n")
    rule = f'ip saddr {NETWORK}0/24 oifname != "{INTERFACE}*" masquerade'
    chain = f"chain postrouting {{ type nat hook postrouting priority 100; {rule}; }}"
    run("nft", f"table ip {NFT_TABLE} {{ {chain}; }}")


def start(host: Host, link: Link) -> subprocess.Popen[bytes]:
    """Connect a host and start it; its output goes to <name>.log."""
    run("ip", "netns", "add", link.namespace)
    peer = ("peer", "name", "eth0", "netns", link.namespace)
    run("ip", "link", "add", link.interface, "type", "veth", *peer)
    run("ip", "address", "add", f"{link.controller}/30", "dev", link.interface)
    run("ip", "link", "set", link.interface, "up")
    inside = ("ip", "-netns", link.namespace)
    run(*inside, "link", "set", "lo", "up")
    run(*inside, "address", "add", f"{link.host}/30", "dev", "eth0")
    run(*inside, "link", "set", "eth0", "up")
    run(*inside, "route", "add", "default", "via", link.controller)
    with (DIRECTORY / f"{host.name}.log").open("wb") as log:
        return subprocess.Popen(
            ["ip", "netns", "exec", link.namespace, "unshare", "--mount", "--propagation", "private", "--pid", "--uts",
             "--ipc", "--fork", "--kill-child", sys.executable, "-I", __file__, "boot", json.dumps(host)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd="/", start_new_session=True,
        )  # fmt: skip


def await_ssh(host: Host, link: Link, process: subprocess.Popen[bytes]) -> None:
    """Return when the host answers as ssh servers do; EmulationError when it has ended or says nothing for a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection((link.host, 22), timeout=5) as connection:
            connection.settimeout(5)
            if connection.recv(4) == b"SSH-":
                return
        time.sleep(0.05)
    log = (DIRECTORY / f"{host.name}.log").read_text(encoding="utf-8", errors="replace")
    words = " | ".join(log.strip().splitlines()[-3:]) or "it said nothing"
    raise EmulationError(f"the host {host.name} does not answer: {words}")


def boot(host: Host) -> None:
    """Become the first process of a host, in namespaces of its own: mount, settle, become sshd. Does not return."""
    place = DIRECTORY / "hosts" / host.name
    place.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "-o", f"mode=0755,size={host.disk}m", "tmpfs", str(place))
    for name in ("upper", "work", "root"):
        (place / name).mkdir()
    layers = f"lowerdir={DIRECTORY / 'base'},upperdir={place / 'upper'},workdir={place / 'work'}"
    root = place / "root"
    run("mount", "-t", "overlay", "-o", layers, "overlay", str(root))
    mount_kernel_file_systems(root)
    run("mount", "--bind", str(DIRECTORY / "compiled"), str(root / COMPILED.lstrip("/")))
    for path, content in settings_of(host).items():
        write(root, path, content)
    home = root / "home" / USER
    home.mkdir(parents=True)
    os.chown(home, 1000, 1000)
    remove(root, host.without)
    socket.sethostname(host.name)
    # A program of another processor dies as it should, but leaves no image of the emulator behind.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chroot(root)
    os.chdir("/")
    os.execve("/usr/sbin/sshd", ["/usr/sbin/sshd", "-D", "-e"], {"PATH": os.defpath})  # noqa: S606 - no shell is wanted


def mount_kernel_file_systems(root: Path) -> None:
    """Give a root /proc, /sys, /dev and /run of its own; nothing in them says what the outer machine is made of."""
    run("mount", "-t", "proc", "proc", str(root / "proc"))
    run("mount", "-t", "sysfs", "-o", "ro", "sysfs", str(root / "sys"))
    for firmware in ("sys/class/dmi", "sys/devices/virtual/dmi"):
        if (root / firmware).is_dir():
            run("mount", "-t", "tmpfs", "-o", "ro,size=4k", "tmpfs", str(root / firmware))
    for name in ("dev", "run"):
        run("mount", "-t", "tmpfs", "-o", "mode=0755,nosuid,size=16m", "tmpfs", str(root / name))
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        (root / "dev" / name).touch()
        run("mount", "--bind", f"/dev/{name}", str(root / "dev" / name))
    for name, mode in (("pts", 0o755), ("shm", 0o1777)):
        (root / "dev" / name).mkdir()
        (root / "dev" / name).chmod(mode)
    run("mount", "-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=0620,gid=5", "devpts", str(root / "dev/pts"))
    for link, target in {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1"}.items():
        (root / "dev" / link).symlink_to(target)
    (root / "dev/stderr").symlink_to("fd/2")
    (root / "run/sshd").mkdir(mode=0o755)


def settings_of(host: Host) -> dict[str, str]:
    """The files by which a host differs from the common root; a file whose content begins with + is added to."""
    # The first is a server on the machine itself, out of a host's reach; the second lists those it asks.
    resolvers = [Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")]
    texts = [path.read_text(encoding="utf-8") for path in resolvers if path.exists()]
    reachable = [text for text in texts if re.search(r"^nameserver (?!127\.)", text, re.MULTILINE)]
    return {
        f"{EMULATOR}/cpu": host.cpu,
        "/etc/hostname": f"{host.name}\n",
        "/etc/hosts": f"127.0.0.1 localhost {host.name}\n",
        "/etc/resolv.conf": reachable[0] if reachable else "",
        "/etc/passwd": f"+{USER}:x:1000:1000::/home/{USER}:/bin/bash\n",
        "/etc/group": f"+{USER}:x:1000:\n",
        "/etc/shadow": f"+{USER}:*:19000:0:99999:7:::\n",
        f"/etc/sudoers.d/{USER}": f"{USER} ALL=(ALL) NOPASSWD: ALL\n",
        f"/etc/ssh/authorized_keys/{USER}": (DIRECTORY / "key.pub").read_text(encoding="utf-8"),
        "/etc/python3.11/sitecustomize.py": SITECUSTOMIZE,
        "/etc/ssh/sshd_config": SSHD_CONFIG,
        "/etc/ssh/cloudbench_host_key": (DIRECTORY / "host_key").read_text(encoding="utf-8"),
        **host.files,
    }


def write(root: Path, path: str, content: str) -> None:
    """Write, or with a leading + extend, a file below a root. Keys are readable by root alone."""
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if content.startswith("+"):
        with place.open("a", encoding="utf-8") as file:
            file.write(content[1:])
        return
    if place.is_symlink():
        place.unlink()
    place.write_text(content, encoding="utf-8")
    if path.endswith("_key"):
        place.chmod(0o600)


def remove(root: Path, patterns: tuple[str, ...]) -> None:
    """Remove the files below a root whose paths match; EmulationError names a pattern that none matches."""
    for pattern in patterns:
        directory, _slash, name = pattern.lstrip("/").rpartition("/")
        found = [path for path in (root / directory).iterdir() if fnmatch.fnmatch(path.name, name)]
        if not found:
            raise EmulationError(f"no file of the root matches {pattern}")
        for path in found:
            path.unlink()


def main() -> int:
    """Return 0; 1 when something failed, 2 for wrong arguments, 3 when it cannot work here, 130 when interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, text in {
        "check": "say why there can be no hosts here",
        "packages": "install what is missing",
        "root": "fetch QEMU and build the root",
        "down": "remove the hosts",
    }.items():
        verbs.add_parser(verb, help=text)
    verbs.add_parser("up", help="start hosts").add_argument("hosts", help='JSON, {"name": {"cpu": "neoverse-n1"}}')
    verbs.add_parser("boot").add_argument("host")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # the first is ignored in a background job of a shell
        signal.signal(number, signal.default_int_handler)
    try:
        if arguments.verb == "boot":
            name, cpu, disk, without, files = json.loads(arguments.host)
            boot(Host(name, cpu, disk, tuple(without), files))
        if arguments.verb != "down" or os.geteuid() != 0:
            problem = obstacle()
            if problem:
                print(f"No emulated hosts here: {problem}", file=sys.stderr)
                return 3
        if arguments.verb == "check":
            return 0
        with alone():
            if arguments.verb == "packages":
                print(" ".join(install_packages()))
            elif arguments.verb == "root":
                print(obtain_qemu(), obtain_root())
            elif arguments.verb == "down":
                down()
            else:
                entries = json.loads(arguments.hosts)
                print(json.dumps(up([Host.parse(name, fields) for name, fields in entries.items()]), indent=1))
    except (EmulationError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
