"""Requests that take long: those of one network must leave a place to serve others."""

import threading
import time
from contextlib import closing, suppress
from http.client import HTTPConnection

import pytest
from django.db import connection, transaction

from auctioncraft.places import MAX_WAITING_OF_NETWORK, Places
from auctions.models import Auction
from tests import factories, servers

WAITED = 0.3  # seconds in which a place would have been given


def take(places, network):
    """Return the list that gets the place."""
    given = []
    threading.Thread(target=lambda: given.append(places.take(network)), daemon=True).start()
    return given


def test_place_is_given_to_the_first_whose_network_has_fewer_than_it_may():
    places = Places(3, 2)
    first, second = places.take("a"), places.take("a")
    third, other, later = take(places, "a"), take(places, "b"), take(places, "b")
    servers.wait_until(lambda: other + later)
    time.sleep(WAITED)
    assert (third, len(other + later)) == ([], 1)
    places.leave(first, "a")
    servers.wait_until(lambda: third)
    assert third == [first]
    places.leave(second, "a")
    servers.wait_until(lambda: other and later)


@pytest.mark.parametrize(("of_network", "network"), [(0, "a"), (1, "")], ids=["no limit", "no network"])
def test_without_limit_or_network_all_places_are_given_and_nobody_is_refused(of_network, network):
    places = Places(3, of_network)
    taken = [places.take(network) for _ in range(3)]
    waiting = [take(places, network) for _ in range(MAX_WAITING_OF_NETWORK + 5)]
    for place in taken:
        places.leave(place, network)
    servers.wait_until(lambda: sum(map(len, waiting)) == 3)
    assert None not in [place for given in waiting for place in given]


@pytest.mark.servers
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no row locks")
def test_network_whose_requests_wait_for_a_lock_stops_no_reads_and_is_refused_beyond_its_share(stack):
    port, product = servers.free_port(), factories.product(factories.user("seller@example.com"))
    stack.serve(port, workers=1, WEB_THREADS_PER_NETWORK="1")
    bidder = servers.Client(port, factories.user())
    statuses = []

    def bid():
        made = HTTPConnection("127.0.0.1", port, timeout=60, source_address=("127.1.1.1", 0))
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {bidder.token}"}
        with closing(made), suppress(OSError):
            made.request("POST", f"/api/products/{product.pk}/bids/", '{"amount": "5000"}', headers)
            statuses.append(made.getresponse().status)

    threads = [threading.Thread(target=bid, daemon=True) for _ in range(MAX_WAITING_OF_NETWORK + 10)]
    with transaction.atomic():
        Auction.objects.select_for_update().get(pk=product.pk)
        for thread in threads:
            thread.start()
        servers.wait_until(lambda: len(statuses) >= 5)
        refused = set(statuses)
        start = time.monotonic()
        assert stack.caller(port).send("GET", f"/api/products/{product.pk}/")[0] == 200
        taken = time.monotonic() - start
    assert refused == {503}
    assert taken < 2  # a lock is waited for 3 seconds
    for thread in threads:
        thread.join()
    assert 201 in statuses
