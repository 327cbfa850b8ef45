"""Shares out the places in which a web process serves requests (settings.WEB_THREADS).

A client that keeps asking for what is costly takes at most WEB_THREADS_PER_NETWORK of them, so that another finds one
free. What waits beyond MAX_WAITING_OF_NETWORK is refused: waiting requests have threads, too.
"""

from __future__ import annotations

import threading
from collections import Counter
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

MAX_WAITING_OF_NETWORK: Final = 64


class Place:
    """A place, with its database connection once a request has opened it."""

    database: BaseDatabaseWrapper | None = None


class Places:
    """So many places, and so many at most for a network (0: no limit)."""

    def __init__(self, number: int, of_network: int) -> None:
        self._of_network = of_network
        self._lock = threading.Lock()
        self._free = [Place() for _ in range(number)]
        self._taken: Counter[str] = Counter()
        # In their order. If a place is free, it is free for none of these.
        self._waiting: list[tuple[str, SimpleQueue[Place]]] = []

    def take(self, network: str) -> Place | None:
        """Wait for a place; None if too many of the network do. Without a network: only for a free one."""
        with self._lock:
            if self._free and self._has_room(network):
                self._taken[network] += 1
                return self._free.pop()
            if self._of_network and network and self._count_waiting(network) >= MAX_WAITING_OF_NETWORK:
                return None
            given: SimpleQueue[Place] = SimpleQueue()
            self._waiting.append((network, given))
        return given.get()

    def leave(self, place: Place, network: str) -> None:
        """Give the place to the first who may have it."""
        with self._lock:
            self._taken[network] -= 1
            if not self._taken[network]:
                del self._taken[network]
            for number, (waiting, given) in enumerate(self._waiting):
                if self._has_room(waiting):
                    del self._waiting[number]
                    self._taken[waiting] += 1
                    given.put(place)
                    return
            self._free.append(place)

    def _has_room(self, network: str) -> bool:
        return not (self._of_network and network) or self._taken[network] < self._of_network

    def _count_waiting(self, network: str) -> int:
        return sum(waiting == network for waiting, _ in self._waiting)
