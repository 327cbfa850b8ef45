"""A change of hidden data changes no answer: to the public, a rival or the seller.

One sale is read before and after a hidden value changes: the maximum, then the reserve. Every public answer is
compared byte for byte, with its ETag, the order of lists, the counts and the database queries.
"""

import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from auctions.models import Product
from auctions.tests import auction_helpers
from tests import factories

pytestmark = pytest.mark.django_db

# Changes with every answer: its time.
CLOCK = re.compile(r'"(server_time|at)":\s*"[^"]*"')
LISTS = (
    "/api/products/",
    "/api/products/?ordering=-current_price",
    "/api/products/?ordering=-bid_count",
    "/api/products/?ordering=ends_at",
    "/api/products/?min_price=1&max_price=99",
    "/api/products/?has_bids=true&status=open&search=thing",
    "/api/categories/",
)
OFFERS = ("1", "9.99", "10", "10.49", "10.50", "50", "99999")


@pytest.fixture
def sale(seller, bidder, rival):
    """A product that the bidder leads at 10, and two others to sort."""
    product = factories.product(seller)
    auction_helpers.bid(product, rival, "9")
    auction_helpers.bid(product, bidder, "10", "20")
    for price in ("5", "15"):
        auction_helpers.bid(factories.product(seller), rival, price)
    return product


def seen(product, callers):
    """Return all answers that a user can get without an accepted bid."""
    here = f"/api/products/{product.pk}/"
    paths = (*LISTS, here, here + "bids/", here + "events/", here + "events/?after=1", here + "images/")
    found = {}
    for who, caller in callers.items():
        for path in paths:
            found[who, path] = _asked(lambda caller=caller, path=path: caller.get(path))
        for offer in OFFERS if who == "rival" else ():
            for sent in ({"max_amount": offer}, {"amount": offer}):
                found[who, "preview", str(sent)] = _asked(
                    lambda caller=caller, sent=sent: caller.post(here + "bids/preview/", sent)
                )
        if who == "rival":
            for offer in ("1", "10.49"):
                found[who, "refused", offer] = _asked(
                    lambda caller=caller, offer=offer: caller.post(here + "bids/", {"max_amount": offer})
                )
            found[who, "buy"] = _asked(lambda caller=caller: caller.post(here + "buy_now/"))
            found[who, "close"] = _asked(lambda caller=caller: caller.post(here + "close_auction/"))
    return found


def _asked(ask):
    with CaptureQueriesContext(connection) as made:
        answer = ask()
    return {
        "status": answer.status_code,
        "body": CLOCK.sub("", answer.content.decode()),
        "etag": answer.get("ETag"),
        "queries": len(made),
    }


def differences(before, after):
    return {asked: (before[asked], after[asked]) for asked in before if before[asked] != after[asked]}


@pytest.fixture
def callers(client, as_user, rival, seller):
    return {"stranger": client, "rival": as_user(rival), "seller": as_user(seller)}


def test_raised_maximum_changes_no_public_answer(sale, bidder, callers):
    before = seen(sale, callers)
    auction_helpers.bid(sale, bidder, max_amount="54321")
    assert differences(before, seen(sale, callers)) == {}


def test_visible_bid_changes_public_answers(sale, rival, callers):
    """The comparison above can fail."""
    before = seen(sale, callers)
    auction_helpers.bid(sale, rival, "10.50")  # answered by the proxy at 11.00
    moved = {what[1] for what in differences(before, seen(sale, callers))}
    here = f"/api/products/{sale.pk}/"
    assert {here, here + "bids/", here + "events/", "preview", "refused", "/api/products/"} <= moved


@pytest.mark.parametrize("reserve", ["800", "54321"])
def test_reserve_not_met_changes_no_public_answer(seller, rival, bidder, callers, reserve):
    product = factories.product(seller, reserve_price=Decimal(900))
    auction_helpers.bid(product, bidder, max_amount="20")
    before = seen(product, callers)
    Product.objects.filter(pk=product.pk).update(reserve_price=reserve)
    assert differences(before, seen(product, callers)) == {}
