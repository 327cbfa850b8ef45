"""How many requests each limit refused, counted in the cache: with REDIS_URL for all processes together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache
from prometheus_client.core import CounterMetricFamily
from redis.exceptions import RedisError

from auctioncraft.api.throttling import REFUSED_KEY
from auctioncraft.core.metrics import collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric


@collector
def collect_metrics() -> Iterator[Metric]:
    """Yield the refused requests by limit; nothing while the cache is unavailable."""
    keys = {REFUSED_KEY.format(name): name for name in settings.LIMITS}
    try:
        found = cache.get_many(keys)
    except (RedisError, OSError):
        return
    refused = CounterMetricFamily("requests_refused", "Requests that a limit refused.", labels=["limit"])
    for key, count in found.items():
        refused.add_metric([keys[key]], count)
    yield refused
