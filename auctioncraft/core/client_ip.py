"""The client's IP address and user agent, and the network that an address belongs to."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request


def client_ip(request: HttpRequest | Request) -> str | None:
    """Return the client's IP address, or None if there is none (a Unix socket).

    Only the last NUM_PROXIES entries of X-Forwarded-For were written by our own proxies; the first of these is the
    client. Clients can forge the others. As DRF's BaseThrottle.get_ident, but only valid addresses are accepted.
    """
    if settings.NUM_PROXIES:
        entries = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if forwarded := _parse(entries[-min(settings.NUM_PROXIES, len(entries))]):
            return forwarded
    return _parse(request.META.get("REMOTE_ADDR", ""))


def user_agent(request: HttpRequest | Request) -> str:
    """Return the User-Agent header: at most 200 printable characters."""
    name = request.META.get("HTTP_USER_AGENT", "")
    return "".join(char for char in name if char.isprintable())[:200]


@lru_cache(maxsize=4096)
def ip_prefix(ip: str | None) -> str | None:
    """Return the addresses of one subscriber: an IPv4 address itself, or the /64 of an IPv6 address."""
    return _network_address(ip, ipv4_bits=32)


def device_network(ip: str | None) -> str | None:
    """Return the network in which a device keeps appearing: the /24 of an IPv4 address, the /64 of an IPv6 address."""
    return _network_address(ip, ipv4_bits=24)


@lru_cache(maxsize=4096)
def wide_network(ip: str | None) -> str:
    """Return the network that one customer of a provider can control: a /24, for IPv6 a /48. Empty without an IP."""
    return str(_network(ip, ipv4_bits=24, ipv6_bits=48)) if ip else ""


def _network_address(ip: str | None, *, ipv4_bits: int) -> str | None:
    return str(_network(ip, ipv4_bits=ipv4_bits, ipv6_bits=64).network_address) if ip else None


def _network(ip: str, *, ipv4_bits: int, ipv6_bits: int) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(f"{ip}/{ipv6_bits if ':' in ip else ipv4_bits}", strict=False)


@lru_cache(maxsize=4096)
def _parse(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
