"""Each check finds what it is for, and nothing in healthy data."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from auctioncraft import clock
from auctioncraft.tests import factories
from auctions.models import Auction, Product
from payments.invariants import CHECKS
from payments.models import Order, Payment, StripeEvent

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def paid(order):
    """An order that is paid, and its payment."""
    now = clock.now()
    Order.objects.update(status="paid", paid_at=now)
    Auction.objects.update(settled_at=now)
    return Payment.objects.create(
        order=order, amount=order.total, currency="USD", status="succeeded", intent_id="pi_1", succeeded_at=now
    )


def findings():
    return {name: lines for name, check in CHECKS.items() if (lines := check())}


def test_healthy_data_has_none(paid):
    StripeEvent.objects.create(id="evt_1", type="a", payload={}, processed_at=clock.now())
    with CaptureQueriesContext(connection) as seen:
        assert findings() == {}
    assert len(seen) <= 2 * len(CHECKS)


def breaks(order, payment, rival):
    return {
        "payer_is_winner": (
            lambda: Order.objects.update(buyer=rival),
            [f"order {order.pk} is not what its auction says"],
        ),
        "payments_are_for_their_orders": (
            lambda: Payment.objects.update(amount=F("amount") + 1),
            [f"payment {payment.pk} is not for its order's total"],
        ),
        "amounts_fit_their_currency": (
            lambda: Order.objects.update(hammer_price=Decimal("19.985"), shipping=Decimal("0.005")),
            [f"order {order.pk} owes a fraction in USD"],
        ),
        "premiums_are_as_listed": (
            lambda: Product.objects.update(premium_bands=[["0", "10"]]),
            [f"order {order.pk} has a premium of 0.000, by its bands {order.hammer_price / 10:.2f}"],
        ),
        "sales_fall_through_with_their_order": (
            lambda: Auction.objects.update(settled_at=None, fell_through_at=clock.now()),
            [f"the sale of product {order.product_id} fell through, and its order did not expire"],
        ),
        "what_is_listed_again_is_not_owed": (
            lambda: factories.product(order.seller, relisted_from=order.product),
            [f"order {order.pk} is of a product that was listed again"],
        ),
        "strikes_are_of_expired_orders": (
            lambda: User.objects.filter(pk=rival.pk).update(strikes=1),
            [f"user {rival.pk} has 1 strikes, and let 0 orders expire"],
        ),
        "no_order_is_overdue": (
            lambda: Order.objects.update(status="awaiting_payment", paid_at=None, due_at=payment.succeeded_at - DAY),
            [f"order {order.pk} still awaits payment, due at {payment.succeeded_at - DAY}"],
        ),
        "every_sale_has_an_order": (
            lambda: Order.objects.update(buyer=rival),
            [f"the sale of product {order.product_id} has no order"],
        ),
        "paid_means_money": (
            lambda: Payment.objects.update(status="canceled"),
            [f"order {order.pk} is paid without a payment"],
        ),
        "paid_sales_are_settled": (
            lambda: Auction.objects.update(settled_at=None),
            [f"the auction of product {order.product_id} disagrees with its order"],
        ),
        "money_has_an_intent": (
            lambda: Payment.objects.update(intent_id=None),
            [f"payment {payment.pk} lacks its intent or its moment"],
        ),
        "events_are_dealt_with": (
            lambda: StripeEvent.objects.create(
                id="evt_1", type="a", payload={}, error="no", received_at=clock.now() - timedelta(hours=2)
            ),
            ["event evt_1 was not processed: no"],
        ),
    }


@pytest.mark.parametrize("name", [name for name in CHECKS if not name.startswith("one_")])
def test_a_check_finds_what_it_is_for(order, paid, rival, name):
    damage, lines = breaks(order, paid, rival)[name]
    damage()
    assert findings()[name] == lines


def test_a_payment_that_succeeded_for_an_unpaid_order_is_found(order, paid):
    Order.objects.update(status="expired", paid_at=None, expired_at=clock.now())
    assert f"payment {paid.pk} succeeded and its order is not paid" in findings()["paid_means_money"]


def test_the_database_refuses_what_the_other_checks_look_for(order, paid):
    from django.db import IntegrityError, transaction

    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.create(order=order, amount=1, currency="USD", status="succeeded", intent_id="pi_2")
    order.pk, order._state.adding = None, True
    with pytest.raises(IntegrityError), transaction.atomic():
        order.save(force_insert=True)
