"""Query counts: the same for few rows and for many, and at most eight."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver

from auctions.models import AuctionEvent, Product
from auctions.services import buying, categories, closing, watching
from auctions.tests import auction_helpers
from notifications.services.notification_writer import notify
from payments.models import Payout, SavedCard
from tests import factories

pytestmark = pytest.mark.django_db

MOST = 8
# Every endpoint that is read, for a user with one row of everything.
READ = [
    "/api/auth/notifications/",
    "/api/auth/sessions/",
    "/api/bids/",
    "/api/categories/",
    "/api/categories/{category}/",
    "/api/payments/cards/",
    "/api/payments/config/",
    "/api/payments/orders/",
    "/api/payments/orders/{order}/",
    "/api/payments/orders/{order}/receipt/",
    "/api/payments/orders/{order}/receipt/pdf/",
    "/api/payments/payouts/",
    "/api/payments/seller/",
    "/api/products/",
    "/api/products/?search=thing&status=open&category={category}&ordering=-ends_at",
    "/api/products/?watched=true&bidding=true&min_price=1",
    "/api/products/{product}/",
    "/api/products/{product}/bids/",
    "/api/products/{product}/events/",
    "/api/products/{product}/images/",
    "/api/users/me/",
    "/api/users/me/export/",
]
# One or two queries per section.
DEARER = {"/api/users/me/export/": 21}


def routes(patterns=None, prefix="/"):
    """Yield every readable path of the API, with ids in braces."""
    for pattern in patterns or get_resolver().url_patterns:
        path = prefix + str(pattern.pattern).removeprefix("^").removesuffix("$")
        if hasattr(pattern, "url_patterns"):
            yield from routes(pattern.url_patterns, path)
        elif "get" in getattr(pattern.callback, "actions", {}):
            yield path


def test_every_readable_endpoint_is_listed_here():
    found = {re.sub(r"\(\?P<[^)]*\)", "{}", path) for path in routes()}
    assert found == {re.sub(r"{\w+}", "{}", path.partition("?")[0]) for path in READ}


def queries(made):
    """Count the queries without BEGIN and COMMIT."""
    return sum(not query["sql"].startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")) for query in made)


class Rows:
    """Create rows of everything that belongs to `me`."""

    def __init__(self, seller, me, rival):
        self.seller, self.me, self.rival = seller, me, rival
        self.next_bid = 2
        self.product = factories.product(seller, bid_increment=Decimal(1))

    def add(self, count):
        for number in range(count):
            auction_helpers.bid(self.product, self.me if number % 2 else self.rival, max_amount=str(self.next_bid))
            self.next_bid += 7
            other = factories.product(self.seller, category_id=factories.category(f"Kind {number}").pk)
            categories.save_category(category=factories.category(f"Kind {number}"), parent=factories.category("Things"))
            watching.watch(product_id=other.pk, user=self.me)
            auction_helpers.bid(other, self.me, amount="5")
            auction_helpers.bid(other, self.rival, amount="6")
            won = factories.product(self.seller, buy_now_price=Decimal(70))
            buying.buy_now(product_id=won.pk, buyer=self.me, price=Decimal(70))
            notify(recipient=self.me, kind="new_login", source=f"test:{number}:{won.pk}", context={})
            self._sell_of_mine()
            face = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2040}
            SavedCard.objects.create(user=self.me, stripe_payment_method_id=f"pm_{won.pk}", **face)

    def _sell_of_mine(self):
        product = factories.product(self.me, buy_now_price=Decimal(70))
        buying.buy_now(product_id=product.pk, buyer=self.rival, price=Decimal(70))
        order = product.orders.get()
        sums = {"currency": order.currency, "gross": order.total, "fee": 0, "amount": order.total}
        Payout.objects.create(order=order, seller=self.me, route="manual", status="due", **sums)


@pytest.fixture
def rows(seller, bidder, rival):
    return Rows(seller, bidder, rival)


def costs(caller, path, rows):
    ids = {"product": rows.product.pk, "category": factories.category().pk, "order": rows.me.purchases.first().pk}
    with CaptureQueriesContext(connection) as made:
        answer = caller.get(path.format(**ids), {"page_size": 30} if "?" not in path else {})
    assert answer.status_code == 200, answer.content
    return queries(made)


def test_endpoints_with_many_rows_need_the_queries_of_few(as_user, client, rows, settings):
    settings.DEBUG = False
    callers = {"with a token": as_user(rows.me), "without": client}
    private = {
        "/api/payments/cards/",
        "/api/payments/payouts/",
        "/api/payments/seller/",
        "/api/auth/notifications/",
        "/api/auth/sessions/",
        "/api/bids/",
        "/api/users/me/",
        "watched",
    }
    paths = [
        (who, path)
        for path in READ
        for who in callers
        if who == "with a token" or not ("orders" in path or any(mark in path for mark in private))
    ]
    rows.add(3)
    few = {(who, path): costs(callers[who], path, rows) for who, path in paths}
    rows.add(40)
    many = {(who, path): costs(callers[who], path, rows) for who, path in paths}

    # More than a page needs one more query, for the count.
    dearer = {at: (few[at], cost) for at, cost in many.items() if cost > few[at] + 1}
    assert dearer == {}
    assert {at: cost for at, cost in many.items() if cost > DEARER.get(at[1], MOST)} == {}


def test_bid_queries_do_not_grow_with_the_bids(as_user, rows):
    caller = as_user(rows.rival)

    def cost(amount):
        with CaptureQueriesContext(connection) as made:
            answer = caller.post(
                f"/api/products/{rows.product.pk}/bids/", {"max_amount": amount}, HTTP_IDEMPOTENCY_KEY=amount
            )
        assert answer.status_code == 201, answer.content
        return queries(made)

    first = cost("2")
    for number in range(40):
        auction_helpers.bid(rows.product, rows.me if number % 2 else rows.rival, max_amount=str(10 + number * 5))
    assert cost("500") == first <= MOST


def test_close_queries_do_not_grow_with_the_bids(rows, seller):
    def cost(bids):
        product = factories.product(seller)
        for number in range(bids):
            auction_helpers.bid(product, rows.me if number % 2 else rows.rival, max_amount=str(10 + number * 5))
        with CaptureQueriesContext(connection) as made:
            closing.close_auction(product_id=product.pk, actor=seller)
        return queries(made)

    assert cost(1) == cost(40)
    assert AuctionEvent.objects.filter(kind="closed").count() == 2
    assert Product.objects.filter(auction__status="sold").count() == 2
