"""Django's Redis cache, with a count that is one round trip."""

from __future__ import annotations

from typing import Any

from django.core.cache.backends.redis import RedisCache as DjangoRedisCache
from django.core.cache.backends.redis import RedisCacheClient

# Django asks whether the key is there and then counts: two trips, and a key that expires between them lives for ever.
INCREMENT = "if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('INCRBY', KEYS[1], ARGV[1]) end"


class _Client(RedisCacheClient):
    """Django's, but for two things: one client a pool rather than one a call, and the count."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._made: dict[int, Any] = {}

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        """Return the client of a server; redis-py's are safe between threads, and dear to make."""
        pool = self._get_connection_pool(write)  # type: ignore[attr-defined]  # the stubs leave it out
        if id(pool) not in self._made:
            self._made[id(pool)] = super().get_client(key, write=write)
        return self._made[id(pool)]

    def incr(self, key: Any, delta: int) -> int:
        """Add to a number and return it. Raises ValueError if there is none."""
        value = self.get_client(key, write=True).eval(INCREMENT, 1, key, delta)
        if value is None:
            raise ValueError(f"Key {key!r} not found.")
        return int(value)


class RedisCache(DjangoRedisCache):
    """What `settings.CACHES` names."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        """Take Django's arguments."""
        super().__init__(server, params)
        self._class = _Client
