# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody is let in by mistake."""

from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.network import NetworkError, ssh_source, subnet


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        ("203.0.113.7\n", "203.0.113.7/32"),
        ("203.0.113.7/32", "203.0.113.7/32"),
        ("198.51.100.0/24", "198.51.100.0/24"),
        ("10.1.2.3", "10.1.2.3/32"),
    ],
)
def test_an_address_becomes_the_network_of_one(given: str, expected: str) -> None:
    assert ssh_source(given) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("0.0.0.0/0", "4294967296 addresses"),
        ("0.0.0.0", "not an address that EC2 can see"),
        ("128.0.0.0/1", "at most a /24"),
        ("198.51.100.0/23", "512 addresses"),
        ("127.0.0.1", "not an address that EC2 can see"),
        ("169.254.1.1", "not an address that EC2 can see"),
        ("198.51.100.7/24", "host bits set"),
        ("::/0", "no IPv4 address"),
        ("2001:db8::1", "no IPv4 address"),
        ("my office", "no IPv4 address"),
        ("", "no IPv4 address"),
        ("<html>blocked by the proxy</html>" * 50, "no IPv4 address"),
    ],
)
def test_whatever_would_open_the_port_to_many_is_refused(given: str, words: str) -> None:
    with pytest.raises(NetworkError, match=words) as raised:
        ssh_source(given)
    assert len(str(raised.value)) < 500


def test_subnets_of_a_network_are_apart() -> None:
    first, second, last = (subnet("10.83.0.0/16", index) for index in (0, 1, 15))
    assert (first, second, last) == ("10.83.0.0/20", "10.83.16.0/20", "10.83.240.0/20")
    assert subnet("10.83.0.0/20", 0) == "10.83.0.0/20"


@pytest.mark.parametrize(
    ("cidr", "index", "words"),
    [
        ("10.83.0.0/16", 16, "room for 16 zones and number 17"),
        ("10.83.0.0/20", 1, "room for 1 zones"),
        ("10.0.0.0/8", 0, "between a /16 and a /20"),
        ("8.8.0.0/16", 0, "must be private"),
        ("10.83.0.0/24", 0, "between a /16 and a /20"),
        ("ten", 0, "no IPv4 address"),
    ],
)
def test_a_network_that_does_not_do_is_refused(cidr: str, index: int, words: str) -> None:
    with pytest.raises(NetworkError, match=words):
        subnet(cidr, index)
