"""How often a caller may call. `settings.THROTTLES` says how many requests a minute, by scope; 0 sets no limit.

Counts are in Django's cache, exact however many come at once: a key for each caller, scope and minute, and `incr`.
That is one cache call a request, two in a minute's first. A cache that is away limits nobody: what guards codes and
passwords is in the database (accounts/services/lockout.py), and a bid is not refused because Redis is down.
"""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, Any

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
# A cache that did not answer is asked again after so many seconds: waiting for it would slow every request down.
CACHE_RETRY_DELAY = 5
# Routes and actions that are not what their method says. None: no limit.
SCOPES: dict[tuple[str, str], str | None] = {
    ("product-bid", "create"): "bids",
    # Who tries stolen cards out does it by saving them: https://docs.stripe.com/disputes/prevention/card-testing
    ("card", "begin_setup"): "sign_in",
    # Setting a page takes a tenth of a second of a processor, and more in some scripts.
    ("order", "receipt_pdf"): "writes",
    # Nothing can be guessed here, and every client comes each quarter of an hour.
    ("token", "refresh"): "writes",
    ("logout", "create"): "writes",
    # Stripe sends in bursts and signs what it sends.
    ("stripe", "webhook"): None,
}


class Throttle(BaseThrottle):
    """Every view's: DRF asks it when the caller is known and let in, before the body is read."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the request. Raises TooManyRequests."""
        scope = get_scope(request, view)
        if scope is not None:
            count_request(scope, _who(request))
        return True


def get_scope(request: Request, view: Any) -> str | None:
    """Return which limit a request comes under, or None."""
    route = (getattr(view, "basename", ""), getattr(view, "action", ""))
    if route in SCOPES:
        return SCOPES[route]
    if request.method in SAFE_METHODS:
        return "reads"
    # What writes and asks for no token is a way in: codes, passwords, registration.
    return "writes" if view.authentication_classes else "sign_in"


def count_request_by_network(scope: str, request: HttpRequest) -> None:
    """Count a request of nobody in particular under its network. Raises TooManyRequests."""
    count_request(scope, _network(request))


def count_request(scope: str, who: str | None) -> None:
    """Count one request of `who`, and raise TooManyRequests, with the seconds left, if it is one too many this minute.

    None is whoever cannot be told from others (a Unix socket): one count for all of them would be everybody's limit.
    """
    limit = settings.THROTTLES[scope]
    if not limit or who is None:
        return
    now = time.time()
    if _counter.count(f"throttle:{scope}:{who}:{int(now // WINDOW)}") > limit:
        raise TooManyRequests(retry_after=max(1, math.ceil(WINDOW - now % WINDOW)))


def _who(request: Request) -> str | None:
    if request.user.is_authenticated:
        return f"user-{request.user.pk}"
    return _network(request)


def _network(request: Any) -> str | None:
    ip = client_ip(request)
    # An IPv4 address is its own network; only the other kind is worth the arithmetic.
    return ip_prefix(ip) if ip and ":" in ip else ip


class _Counter:
    """Counts in the cache, as long as there is one."""

    def __init__(self) -> None:
        self.asks_again_at = self.logs_again_at = 0.0

    def count(self, key: str) -> int:
        """Add one and return the sum; 0 while the cache is away."""
        if time.monotonic() < self.asks_again_at:
            return 0
        try:
            return _increment(key)
        except (RedisError, OSError) as error:
            now = time.monotonic()
            self.asks_again_at = now + CACHE_RETRY_DELAY
            if now >= self.logs_again_at:
                self.logs_again_at = now + 60
                logger.warning("no cache (%s): requests are not limited", type(error).__name__)
            return 0


_counter = _Counter()


def _increment(key: str) -> int:
    for _ in range(3):  # more than twice only if the cache loses keys meanwhile
        try:
            return int(cache.incr(key))
        except ValueError:  # the first of this minute, or one of several at once
            # A key outlives its minute by far, so that none expires between two counts.
            if cache.add(key, 1, 2 * WINDOW):
                return 1
    return 0
