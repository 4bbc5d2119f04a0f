# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a console shows of host keys, and what a known_hosts file keeps."""

from __future__ import annotations

import base64
import time

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import known_hosts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.known_hosts import changed_keys, host_keys, merge


def key(kind: str, *parts: bytes) -> str:
    """A public key as ssh writes it."""
    wire = b"".join(len(part).to_bytes(4, "big") + part for part in (kind.encode(), *parts))
    return f"{kind} {base64.b64encode(wire).decode()}"


ED25519 = key("ssh-ed25519", bytes(range(32)))
OTHER = key("ssh-ed25519", bytes(range(1, 33)))
ECDSA = key("ecdsa-sha2-nistp256", b"nistp256", b"\x04" + bytes(range(64)))
RSA = key("ssh-rsa", b"\x01\x00\x01", bytes(range(1, 129)))
BLOCK = "-----BEGIN SSH HOST KEY KEYS-----\r\n{}\r\n-----END SSH HOST KEY KEYS-----\r\n"


def test_keys_are_read_from_the_noise_of_a_console():
    lines = [
        "[  12.3] cloud-init",
        f"cloudbench-host-key {ED25519}",
        f"[ 12.4] random: cloudbench-host-key {ECDSA}",
        f"ip-10-83-0-7 login: cloudbench-host-key {RSA}",
        f"xcloudbench-host-key {OTHER}",
        "cloudbench-host-key bogus AA",
        f"cloudbench-host-key {ED25519}",
    ]
    for end in ("\n", "\r\n", "\r"):
        assert host_keys(end.join(lines)) == (ED25519, ECDSA, RSA)


@pytest.mark.parametrize("at", [30, 45, len(ED25519) - 1])
@pytest.mark.parametrize("between", ["\r\n[   14.2] random: crng init done\r\n", "[   14.2] done ", "\r\n"])
def test_a_line_that_is_torn_is_no_key_and_its_second_printing_is(at, between):
    torn = f"cloudbench-host-key {ED25519[:at]}{between}{ED25519[at:]}\r\n"
    assert host_keys(torn) == ()
    assert host_keys(f"{torn}login: \r\ncloudbench-host-key {ED25519}\r\n") == (ED25519,)


def test_the_block_of_cloud_init_will_do():
    plain = "\r\n".join(f"{one} root@ip-10-83-0-7" for one in (ECDSA, ED25519, RSA))
    assert host_keys("boot\r\n" + BLOCK.format(plain)) == (ECDSA, ED25519, RSA)
    timed = f"[   14.123456] cloud-init[1690]: {ED25519} root@ip-10-83-0-7\r\n[   14.2] {ECDSA} root@ip"
    assert host_keys(BLOCK.format(timed)) == (ED25519, ECDSA)
    # Of a key that is somewhere else nobody says that it is the host's.
    assert host_keys(f"authorized: {ED25519}\r\n{ED25519} alice@laptop\r\n") == ()
    assert host_keys(BLOCK.format(f"no: {ED25519}")) == ()
    assert host_keys(f"-----BEGIN SSH HOST KEY KEYS-----\r\n{ED25519} root@ip\r\n") == ()
    assert host_keys(BLOCK.format(f"{ED25519[:50]}\r\n{ED25519[50:]} root@ip")) == ()


@pytest.mark.parametrize(
    "bad",
    ["ssh-rsa AAAA", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", f"ssh-rsa {ED25519.split()[1]}", "ssh-ed25519 AAA=A",
     ED25519 + "AAAA", key("ssh-ed25519", b""), key("ssh-ed25519", b"a", b"b"), key("ssh-rsa", b"a")],
)  # fmt: skip
def test_what_is_no_whole_key(bad):
    assert host_keys(f"cloudbench-host-key {bad}\n") == ()


def test_a_key_that_changed_is_told_from_one_that_is_new():
    assert changed_keys([ED25519], [ED25519, RSA]) == []
    assert changed_keys([ED25519], [OTHER, RSA]) == [OTHER]
    assert changed_keys([], [OTHER]) == []


def test_a_file_loses_no_line_and_names_the_instance_and_its_address():
    first = merge("", {"i-1": ("203.0.113.7", (ED25519, RSA)), "i-2": ("i-2", (ECDSA,))})
    assert first == f"i-1,203.0.113.7 {ED25519}\ni-1,203.0.113.7 {RSA}\ni-2 {ECDSA}\n"
    assert merge(first, {"i-1": ("203.0.113.7", (ED25519,))}) == first
    assert merge(first, {}) == first
    mine = f"# mine\n@cert-authority * {OTHER}\n\n203.0.113.9 {OTHER} comment\n{first}"
    grown = merge(mine, {"i-3": ("203.0.113.7", (OTHER,)), "i-1": ("203.0.113.8", (ED25519,))})
    assert (
        grown
        == mine.replace(f"i-1,203.0.113.7 {ED25519}", f"i-1,203.0.113.7,203.0.113.8 {ED25519}")
        + f"i-3,203.0.113.7 {OTHER}\n"
    )
    assert known_hosts.parse(grown)["i-1"] == (ED25519, RSA)
    assert known_hosts.parse(grown)["203.0.113.7"] == (ED25519, RSA, OTHER)
    assert "@cert-authority" not in known_hosts.parse(grown)


def test_a_file_is_written_as_a_whole_for_its_owner_alone(tmp_path):
    file = tmp_path / "known_hosts"
    assert known_hosts.read(str(file)) == known_hosts.read(None) == ""
    assert known_hosts.write(str(file), "a\n") is True
    assert known_hosts.write(str(file), "a\n") is False
    assert known_hosts.read(str(file)) == "a\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["known_hosts"]


def test_blocks_that_never_end_are_read_at_once():
    start = time.process_time()
    assert host_keys("-----BEGIN SSH HOST KEY KEYS-----\n" * 50_000 + f"{ED25519}\n") == ()
    assert time.process_time() - start < 2
