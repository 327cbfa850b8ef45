"""Rate limits. `settings.LIMITS` has the requests of each scope by account, address and network; 0 means no limit.

The scope is `throttle_scope` of the view or of the action (None: no limit), else it follows from the method. A request
counts under its account, or without a token its address, and under its network.

The cache counts, in one round trip for all limits of a request, and not at each request: a process reserves up to 10 %
of a limit at once and gives it out itself. So nobody ever passes a limit, and with several processes a client may be
refused up to 10 % below it for each. Limits below 20 are counted one by one, exactly, also for concurrent requests.

Without the cache nothing is limited: codes and passwords are protected in the database (accounts/services/lockout.py),
and no bid is refused because Redis is down.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.throttling import BaseThrottle

from auctioncraft.core.client_ip import client_ip, ip_prefix, wide_network
from auctioncraft.core.errors import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest
    from rest_framework.request import Request

logger = logging.getLogger(__name__)

# Seconds until a cache that failed is tried again: waiting for it would slow down every request.
CACHE_RETRY_DELAY = 5
# The part of a limit that a process reserves at once.
RESERVED_PART: Final = 10
# DRF lets actions set `throttle_scope` only if their viewset has it: this value is for those viewsets.
BY_METHOD: Final = "by_method"
# The cache's key of the requests that a limit refused, for the metrics.
REFUSED_KEY: Final = "refused:{}"


class Throttle(BaseThrottle):
    """The throttle of every view. DRF calls it after authentication and permission checks, before parsing."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the request. Raises TooManyRequests."""
        scope = get_scope(request, view)
        if scope is not None:
            count_request(scope, request, user_id=request.user.pk)
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


def count_request(scope: str, request: HttpRequest | Request, *, user_id: int | None = None) -> None:
    """Count a request under its account or address, and its network. Raises TooManyRequests above a limit.

    A caller without token and address (over a Unix socket) is not limited: they would all share one count.
    """
    ip = client_ip(request)
    caller: tuple[str, Any] = ("account", user_id) if user_id is not None else ("address", ip_prefix(ip))
    window: int = settings.LIMIT_WINDOWS.get(scope, 60)
    now = time.time()
    counted = {
        f"throttle:{scope}.{kind}:{value}:{int(now // window)}": _Limit(f"{scope}.{kind}", limit, window)
        for kind, value in (caller, ("network", wide_network(ip)))
        if value is not None and (limit := settings.LIMITS.get(f"{scope}.{kind}", 0))
    }
    if counted and (exceeded := _counter.find_exceeded(counted)):
        _count_refusal(exceeded.name)
        seconds = max(1, math.ceil(window - now % window))
        raise TooManyRequests(_describe(exceeded, seconds), retry_after=seconds)


_PERIODS: Final = {10: "in 10 seconds", 60: "a minute", 3600: "an hour"}


class _Limit(NamedTuple):
    name: str
    number: int
    window: int


def _describe(limit: _Limit, seconds: int) -> str:
    by = " from your network" if limit.name.endswith(".network") else ""
    period = _PERIODS[limit.window]
    return f"Too many requests{by}: at most {limit.number:,} {period}. Try again in {seconds} seconds."


class _Counter:
    """Counts in the cache, while it is available."""

    def __init__(self) -> None:
        self.asks_again_at = self.logs_again_at = 0.0
        self._lock = threading.Lock()
        # What is left of our reservations, by key. Below 0: the limit is reached. Emptied with the shortest window.
        self._left: dict[str, int] = {}
        self._window = 0

    def find_exceeded(self, limits: Mapping[str, _Limit]) -> _Limit | None:
        """Count one request under each key; return a limit that it exceeds, None also while the cache is unavailable.

        A request that is refused counts under the other keys.
        """
        with self._lock:
            window = int(time.time() // min(_PERIODS))
            if window != self._window:
                self._left, self._window = {}, window
            wanted = {key: _reservation(limit) for key, limit in limits.items() if not self._left.get(key)}
        counts = self._reserve(wanted) if wanted else {}
        with self._lock:
            for key, count in counts.items():
                before = count - wanted[key]
                granted = min(wanted[key], limits[key].number - before)
                self._left[key] = self._left.get(key, 0) + granted if granted > 0 else -1
            exceeded = [limit for key, limit in limits.items() if self._left.get(key, 0) < 0]
            for key in limits:
                if self._left.get(key, 0) > 0:
                    self._left[key] -= 1
        return exceeded[0] if exceeded else None

    def _reserve(self, wanted: dict[str, int]) -> dict[str, int]:
        """Add to the counts; return them, nothing while the cache is unavailable."""
        if time.monotonic() < self.asks_again_at:
            return {}
        try:
            return _increment(wanted)
        except (RedisError, OSError) as error:
            now = time.monotonic()
            self.asks_again_at = now + CACHE_RETRY_DELAY
            if now >= self.logs_again_at:
                self.logs_again_at = now + 60
                logger.warning("cache unavailable (%s): requests are not limited", type(error).__name__)
            return {}


_counter = _Counter()


def _reservation(limit: _Limit) -> int:
    return max(1, limit.number // RESERVED_PART)


def _increment(wanted: dict[str, int]) -> dict[str, int]:
    """Add to each count; return the counts. Redis: in one round trip."""
    if hasattr(cache, "client"):
        with cache.client.get_client(write=True).pipeline(transaction=False) as pipeline:
            for key, number in wanted.items():
                name = cache.client.make_key(key)
                # A key outlives its window, so that none expires between two counts.
                pipeline.incrby(name, number).expire(name, _EXPIRY)
            return dict(zip(wanted, pipeline.execute()[::2], strict=True))
    return {key: _increment_one(key, number) for key, number in wanted.items()}


# Seconds: twice the longest window.
_EXPIRY: Final = 7200


def _increment_one(key: str, number: int) -> int:
    for _ in range(3):  # a third time only if the cache loses keys meanwhile
        try:
            return int(cache.incr(key, number))
        except ValueError:  # the first of this window, or one of several concurrent ones
            if cache.add(key, number, _EXPIRY):
                return number
    return 0


def _count_refusal(name: str) -> None:
    key = REFUSED_KEY.format(name)
    try:
        cache.add(key, 0, None)
        cache.incr(key)
    except (RedisError, OSError, ValueError):
        logger.debug("a refused request was not counted")
