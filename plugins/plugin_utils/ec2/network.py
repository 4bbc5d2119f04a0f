# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of a run's network: who may come in, and where its subnets lie."""

from __future__ import annotations

import ipaddress

# The widest network that may be let in: an office, never a provider.
WIDEST = 24
# What a subnet of EC2 may be: docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html.
_SUBNET = 20


class NetworkError(ValueError):
    """An address is not what it must be; the message names it, the rule and the remedy."""


def _network(text: str, what: str) -> ipaddress.IPv4Network:
    told = text.strip()[:100]
    try:
        return ipaddress.IPv4Network(told)
    except ValueError as error:
        raise NetworkError(f"{what} {told!r:.100} is no IPv4 address or network: {error}") from None


def ssh_source(text: str) -> str:
    """Return the network that ssh may come from, 203.0.113.7/32 for 203.0.113.7.

    Raises NetworkError for what is no address, and for whatever would open the port to many.
    """
    network = _network(text, "the source of ssh")
    if network.prefixlen < WIDEST:
        raise NetworkError(
            f"the source of ssh {network} has {network.num_addresses} addresses: at most a /{WIDEST} may be let in. "
            "Name this machine's own address in ec2_environment_ssh_from, or set ec2_environment_connection to ssm, "
            "which lets nobody in"
        )
    if network.is_loopback or network.is_multicast or network.is_unspecified or network.is_link_local:
        raise NetworkError(
            f"the source of ssh {network} is not an address that EC2 can see: name the public one in "
            "ec2_environment_ssh_from"
        )
    return str(network)


def subnet(cidr: str, index: int) -> str:
    """Return the index-th subnet, counted from 0, of a VPC's network: 10.83.16.0/20 for 10.83.0.0/16 and 1.

    Raises NetworkError.
    """
    network = _network(cidr, "the network of the VPC")
    if not network.is_private or not 16 <= network.prefixlen <= _SUBNET:
        raise NetworkError(
            f"the network of the VPC {network} must be private and between a /16 and a /{_SUBNET}, such as 10.83.0.0/16"
        )
    subnets = list(network.subnets(new_prefix=_SUBNET))
    if not 0 <= index < len(subnets):
        raise NetworkError(
            f"the network of the VPC {network} has room for {len(subnets)} zones and number {index + 1} is asked for: "
            "name fewer zones, or a /16 in ec2_environment_cidr"
        )
    return str(subnets[index])
