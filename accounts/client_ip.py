"""Where a request comes from, as far as it can be believed."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from rest_framework.request import Request


def client_ip(request: Request) -> str | None:
    """Return the caller's address, or None if there is none (a Unix socket).

    Of X-Forwarded-For only the last NUM_PROXIES entries are believed, which proxies of ours wrote: the first of them
    is the caller. The rest anybody can make up. (DRF's BaseThrottle.get_ident, but what is no address is not taken.)
    """
    if settings.NUM_PROXIES:
        entries = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if forwarded := _address(entries[-min(settings.NUM_PROXIES, len(entries))]):
            return forwarded
    return _address(request.META.get("REMOTE_ADDR", ""))


def user_agent(request: Request) -> str:
    """Return what the caller's software calls itself: at most 200 printable characters."""
    name = request.META.get("HTTP_USER_AGENT", "")
    return "".join(char for char in name if char.isprintable())[:200]


def _address(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
