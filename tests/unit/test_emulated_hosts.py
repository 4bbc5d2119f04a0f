# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the emulated hosts can be tested without them. The molecule scenario graviton tests the rest."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess

import pytest
from support.hosts import emulated
from support.hosts.emulated import EmulationError, Host, Link
from support.models import mini


def test_a_host_is_what_its_entry_says():
    host = Host.parse("armv7", {"disk": 20, "without": ["/usr/bin/sudo"], "files": {"/etc/x": "y"}})
    assert host == Host("armv7", "neoverse-n1", 20, ("/usr/bin/sudo",), {"/etc/x": "y"})


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("Gv2", {}, "'Gv2' is not 1 to 9"),
        ("too-long-a", {}, "is not 1 to 9"),
        ("../up", {}, "is not 1 to 9"),
        ("gv2", {"ram": 1}, "there is no 'ram'"),
        ("gv2", {"without": ["usr/bin/sudo"]}, "'usr/bin/sudo' is not an absolute path"),
        ("gv2", {"files": {"/etc/../../x": ""}}, "is not an absolute path"),
    ],
)
def test_an_entry_that_makes_no_host_is_refused_by_name(name, fields, message):
    with pytest.raises(EmulationError, match=message):
        Host.parse(name, fields)


def test_more_hosts_than_addresses_are_refused_before_anything_is_done(monkeypatch):
    monkeypatch.setattr(emulated, "down", lambda: pytest.fail("something was done"))
    with pytest.raises(EmulationError, match="61 hosts are more than the 60"):
        emulated.up([Host(f"h{number}") for number in range(61)])


def test_names_are_as_long_as_they_may_be():
    assert Host.parse("longest-1", {}).name == "longest-1"


def test_links_share_no_address_and_their_interfaces_have_names_that_linux_takes():
    links = [Link.number(index, f"longest{index:02}") for index in range(emulated.MOST_HOSTS)]
    addresses = [address for link in links for address in (link.controller, link.host)]
    assert len(set(addresses)) == 2 * emulated.MOST_HOSTS
    assert all(0 < int(address.removeprefix("198.18.0.")) < 255 for address in addresses)
    assert links[0].controller == emulated.CONTROLLER
    assert all(len(link.interface) <= 15 for link in links)


def test_another_package_makes_another_root(monkeypatch):
    before = emulated.recipe_key()
    monkeypatch.setattr(emulated, "ROOT_OPTIONS", (*emulated.ROOT_OPTIONS, "--include=vim"))
    assert emulated.recipe_key() != before


def test_mounts_are_undone_from_the_inside_and_only_ours(tmp_path):
    table = f"""tmpfs {tmp_path} tmpfs rw 0 0
overlay {tmp_path}/a overlay rw 0 0
proc {tmp_path}/a/proc proc rw 0 0
tmpfs {tmp_path}-other/a tmpfs rw 0 0
tmpfs {tmp_path}/with\\040space tmpfs rw 0 0
"""
    points = emulated.mounts_below(tmp_path, table)
    assert sorted(points) == [f"{tmp_path}/a", f"{tmp_path}/a/proc", f"{tmp_path}/with space"]
    assert points.index(f"{tmp_path}/a/proc") < points.index(f"{tmp_path}/a")


def test_what_was_written_down_first_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(emulated, "STATE", tmp_path / "state.json")
    assert emulated.recall() == {}
    emulated.remember(ip_forward="0\n")
    emulated.remember(ip_forward="1\n", binfmt_misc="not mounted")
    assert emulated.recall() == {"ip_forward": "0\n", "binfmt_misc": "not mounted"}


def test_files_are_replaced_extended_and_removed_below_the_root_alone(tmp_path):
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0\n")
    (root / "etc/resolv.conf").symlink_to("/etc/resolv.conf")
    emulated.write(root, "/etc/passwd", "+admin:x:1000:1000\n")
    emulated.write(root, "/etc/resolv.conf", "nameserver 192.0.2.1\n")
    emulated.write(root, "/etc/ssh/host_key", "secret\n")
    assert (root / "etc/passwd").read_text() == "root:x:0:0\nadmin:x:1000:1000\n"
    assert (root / "etc/resolv.conf").read_text() == "nameserver 192.0.2.1\n"
    assert not (root / "etc/resolv.conf").is_symlink()
    assert (root / "etc/ssh/host_key").stat().st_mode & 0o077 == 0

    for name in ("python3", "python3.11", "perl"):
        emulated.write(root, f"/usr/bin/{name}", "")
    emulated.remove(root, ("/usr/bin/python3*",))
    assert [path.name for path in (root / "usr/bin").iterdir()] == ["perl"]
    with pytest.raises(EmulationError, match=r"no file of the root matches /usr/bin/python3\*"):
        emulated.remove(root, ("/usr/bin/python3*",))


def test_a_command_that_fails_is_told_with_its_last_words():
    with pytest.raises(EmulationError, match="ended with 3: no such luck"):
        emulated.run("sh", "-c", "echo no such luck >&2; exit 3")
    with pytest.raises(EmulationError, match="no-such-program is not installed"):
        emulated.run("no-such-program")
    with pytest.raises(EmulationError, match="took longer than 0"):
        emulated.run("sleep", "60", seconds=0)


def test_one_at_a_time_makes_hosts_and_the_wait_for_another_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(emulated, "LOCK", tmp_path / "lock")
    with emulated.alone():  # noqa: SIM117
        with pytest.raises(EmulationError, match="at work for 0 s"), emulated.alone(seconds=0):
            pytest.fail("two at a time")
    with emulated.alone(seconds=0):
        pass


@pytest.fixture
def debian(tmp_path, monkeypatch):
    """Everything about this machine that is asked for before root is needed, as on the right machine."""
    release = tmp_path / "os-release"
    release.write_text('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n')
    monkeypatch.setattr(emulated, "OS_RELEASE", release)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return release


def test_another_system_is_named(debian):
    debian.write_text("ID=ubuntu\nID_LIKE=debian\n")
    assert "this system is ubuntu, not Debian" in (emulated.obstacle() or "")
    debian.unlink()
    assert "this system is unknown, not Debian" in (emulated.obstacle() or "")


@pytest.mark.usefixtures("debian")
def test_an_arm_machine_would_lose_its_own_programs(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert "this machine is aarch64" in (emulated.obstacle() or "")


@pytest.mark.usefixtures("debian")
def test_without_root_it_says_so_on_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for verb in (["check"], ["packages"], ["root"], ["up", "{}"], ["down"]):
        monkeypatch.setattr("sys.argv", ["emulated.py", *verb])
        assert emulated.main() == 3
        assert "need root, and this is user 1000" in capsys.readouterr().err


@pytest.mark.usefixtures("debian")
def test_without_namespaces_it_passes_on_why(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(emulated, "possible", lambda *argv, **options: "unshare: Operation not permitted")
    assert "gives no namespaces: unshare: Operation not permitted" in (emulated.obstacle() or "")


@pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc")
def test_the_kernels_words_become_those_of_the_emulator(tmp_path):
    """The wrapper is given path, argv[0] and arguments (flag P of binfmt_misc); the emulator is one that prints."""
    (tmp_path / "cpu").write_text("neoverse-v1")
    (tmp_path / "qemu-aarch64").write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    (tmp_path / "qemu-aarch64").chmod(0o755)
    (tmp_path / "wrapper.c").write_text(emulated.WRAPPER)
    wrapper = tmp_path / "run"
    macro = f'-DEMULATOR="{tmp_path}"'
    subprocess.run(["gcc", "-Wall", "-Werror", macro, "-o", str(wrapper), str(tmp_path / "wrapper.c")], check=True)

    done = subprocess.run([wrapper, "/bin/ls", "-bash", "-l", "a b"], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "-cpu|neoverse-v1|-0|-bash|/bin/ls|-l|a b|"

    (tmp_path / "cpu").unlink()
    lost = subprocess.run([wrapper, "/bin/ls", "ls"], stderr=subprocess.PIPE, text=True, check=False)
    assert (lost.returncode, lost.stderr) == (127, "the emulated host does not know its processor\n")


def test_the_model_has_a_token_for_each_byte():
    tokens = mini.byte_tokens()
    assert len(tokens) == len(set(tokens)) == 256
    # How byte-level BPE writes a space, a newline and a tab, as in the published vocabularies of Llama 3.
    assert {"Ġ", "Ċ", "ĉ", "A", "!"} <= set(tokens)
