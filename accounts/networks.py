"""Addresses of the Internet, widened to whom they belong to."""

from __future__ import annotations

import ipaddress

SUBSCRIBER = (32, 64)  # bits of IPv4 and of IPv6
NEIGHBOURHOOD = (24, 64)


def ip_prefix(ip: str | None) -> str | None:
    """Return what one ip_prefix has: an IPv4 address, or the /64 of an IPv6 one, since they have all 2^64 in it."""
    return _widened(ip, *SUBSCRIBER)


def device_network(ip: str | None) -> str | None:
    """Return where a device is found again: the /24 of an IPv4 address, of which it is given others, or the /64."""
    return _widened(ip, *NEIGHBOURHOOD)


def _widened(ip: str | None, bits4: int, bits6: int) -> str | None:
    if ip is None:
        return None
    network = ipaddress.ip_network(f"{ip}/{bits6 if ':' in ip else bits4}", strict=False)
    return str(network.network_address)
