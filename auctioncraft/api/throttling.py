"""Rate limits. `settings.THROTTLES` has the requests per minute of each scope; 0 means no limit.

The scope is `throttle_scope` of the view or of the action (None: no limit), else it follows from the method.

Django's cache counts, exactly, also for concurrent requests: one key per caller, scope and minute, and `incr`. That is
one cache call per request, two for the first of a minute. Without the cache nothing is limited: codes and passwords are
protected in the database (accounts/services/lockout.py), and no bid is refused because Redis is down.
"""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.throttling import BaseThrottle

from auctioncraft.core.client_ip import client_ip, ip_prefix
from auctioncraft.core.errors import TooManyRequests

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request

logger = logging.getLogger(__name__)

WINDOW = 60  # seconds
# Seconds until a cache that failed is tried again: waiting for it would slow down every request.
CACHE_RETRY_DELAY = 5
# DRF lets actions set `throttle_scope` only if their viewset has it: this value is for those viewsets.
BY_METHOD: Final = "by_method"


class Throttle(BaseThrottle):
    """The throttle of every view. DRF calls it after authentication and permission checks, before parsing."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the request. Raises TooManyRequests."""
        scope = get_scope(request, view)
        if scope is not None:
            count_request(scope, _caller(request))
        return True


def get_scope(request: Request, view: Any) -> str | None:
    """Return the scope that limits a request, or None."""
    scope: str | None = getattr(view, "throttle_scope", BY_METHOD)
    if scope != BY_METHOD:
        return scope
    if request.method in SAFE_METHODS:
        return "reads"
    # A write without a token is a sign-in: codes, passwords, registration.
    return "writes" if view.authentication_classes else "sign_in"


def count_request_by_network(scope: str, request: HttpRequest) -> None:
    """Count a request without a user under its network. Raises TooManyRequests."""
    count_request(scope, _network(request))


def count_request(scope: str, caller: str | None) -> None:
    """Count one request of a caller. Raises TooManyRequests, with the seconds left, above the limit of this minute.

    A caller that cannot be identified (None, over a Unix socket) is not limited: they would all share one count.
    """
    limit = settings.THROTTLES[scope]
    if not limit or caller is None:
        return
    now = time.time()
    if _counter.count(f"throttle:{scope}:{caller}:{int(now // WINDOW)}") > limit:
        raise TooManyRequests(retry_after=max(1, math.ceil(WINDOW - now % WINDOW)))


def _caller(request: Request) -> str | None:
    if request.user.is_authenticated:
        return f"user-{request.user.pk}"
    return _network(request)


def _network(request: Any) -> str | None:
    ip = client_ip(request)
    # An IPv4 address is its own network.
    return ip_prefix(ip) if ip and ":" in ip else ip


class _Counter:
    """Counts in the cache, while it is available."""

    def __init__(self) -> None:
        self.asks_again_at = self.logs_again_at = 0.0

    def count(self, key: str) -> int:
        """Increment and return the count; 0 while the cache is unavailable."""
        if time.monotonic() < self.asks_again_at:
            return 0
        try:
            return _increment(key)
        except (RedisError, OSError) as error:
            now = time.monotonic()
            self.asks_again_at = now + CACHE_RETRY_DELAY
            if now >= self.logs_again_at:
                self.logs_again_at = now + 60
                logger.warning("cache unavailable (%s): requests are not limited", type(error).__name__)
            return 0


_counter = _Counter()


def _increment(key: str) -> int:
    for _ in range(3):  # a third time only if the cache loses keys meanwhile
        try:
            return int(cache.incr(key))
        except ValueError:  # the first of this minute, or one of several concurrent ones
            # A key outlives its minute, so that none expires between two counts.
            if cache.add(key, 1, 2 * WINDOW):
                return 1
    return 0
