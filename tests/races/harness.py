"""Interleaves two requests in a fixed order, and starts requests together, against running servers."""

from __future__ import annotations

import socket
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import connection

from auctioncraft.core import clock
from auctions.models import Auction
from tests import servers
from tests.races.guards_disabled import guards_disabled
from tests.violations import find_violations

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = tuple[int, dict[str, Any]]
    Call = Callable[..., Any]  # takes headers, returns an Answer or what a job returns

# The invariant that finds an accepted bid that was overwritten.
REPLAY = "1, 4, 7 each auction's state and end follow from its bids"
# Stop between reading and writing.
WRITES = "INSERT|UPDATE|DELETE"
# A bid reads and evaluates before its write begins.
BID_WRITES = "WITH moved|BEGIN"
# SQLite does not show who waits for a lock. After this many seconds a request waits.
SQLITE_WAIT = 0.4


@dataclass
class Served:
    """A running server."""

    stack: servers.ServerStack
    port: int

    def caller(self, user: Any) -> servers.Client:
        return self.stack.caller(self.port, user)


def act(caller: servers.Client, product: Any, action: str, method: str = "POST", **body: Any) -> Call:
    """Return the call of an action on a product; it takes headers."""
    return partial(caller.send, method, f"/api/products/{product.pk}/{action and action + '/'}", body)


def bid(caller: servers.Client, product: Any, **offer: Any) -> Call:
    return act(caller, product, "bids", **offer)


def job(work: Callable[[], Any]) -> Call:
    """Return the call of a periodic job, run in the process of the tests."""

    def run(**headers: str) -> Any:
        with guards_disabled(headers):
            return work()

    return run


def interleave(
    slow: Call, fast: Call, *, without: str = "", stop: str = WRITES, grace: float = SQLITE_WAIT
) -> tuple[Any, Any]:
    """Stop `slow` before it writes, run `fast` until it is done or waits, let `slow` go on; return both answers.

    `without` names what is disabled in both (guards_disabled.py). With nothing disabled `fast` waits for a lock of
    `slow`, or overtakes it and `slow` notices.
    """
    with closing(socket.create_server(("127.0.0.1", 0))) as gate, ThreadPoolExecutor(2) as threads:
        gate.settimeout(0.05)
        headers = {"X-Disable": without}
        slow_one = threads.submit(_and_disconnect, slow, headers | {"X-Stop": f"{gate.getsockname()[1]} {stop}"})
        with closing(_arrival(gate, slow_one)):
            fast_one = threads.submit(_and_disconnect, fast, headers)
            if connection.vendor == "postgresql":
                servers.wait_until(lambda: fast_one.done() or _waits_for_a_lock(), every=0.005)
            else:
                wait([fast_one], servers.READY_TIMEOUT if without else grace)
        return slow_one.result(servers.READY_TIMEOUT), fast_one.result(servers.READY_TIMEOUT)


def _arrival(gate: socket.socket, slow: Future[Any]) -> socket.socket:
    """Wait until `slow` has stopped; return the connection on which it waits."""

    def arrived() -> socket.socket | None:
        assert not slow.done(), f"it did not stop: {slow.result()}"
        with suppress(TimeoutError):
            return gate.accept()[0]
        return None

    return servers.wait_until(arrived, every=0)


def _and_disconnect(call: Call, headers: dict[str, str]) -> Any:
    try:
        return call(**headers)
    finally:
        connection.close()


def _waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock')"
        )
        return bool(cursor.fetchone()[0])


def end(product: Any) -> None:
    """End an auction now; no worker is running."""
    Auction.objects.filter(pk=product.pk).update(ends_at=clock.now())


def at_once(*calls: Call) -> list[Any]:
    """Run all calls in threads that start together; return their answers, none of them a server error."""
    answers = servers.run_concurrently(list(calls))
    for status, answer in (answer for answer in answers if isinstance(answer, tuple)):
        assert status < 500, answer
        assert status < 400 or {"code", "detail"} <= answer.keys(), answer
    return answers


def findings() -> set[str]:
    """Return the names of the violated invariants of all apps."""
    return set(find_violations())
