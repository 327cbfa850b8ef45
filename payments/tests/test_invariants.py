"""Each check finds what it is for, and nothing in healthy data."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from auctioncraft.core import clock
from auctions.models import Auction, Product
from payments.invariants import CHECKS
from payments.models import Dispute, Order, Payment, Payout, Refund, SavedCard, StripeEvent, TransferReversal
from tests import factories

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def paid(order):
    """An order that is paid, with its payout, and its payment."""
    now = clock.now()
    Order.objects.update(status="paid", paid_at=now)
    Auction.objects.update(paid_at=now)
    money = {"amount": order.total, "currency": "USD", "received": order.total, "received_currency": "USD"}
    share = {"currency": "USD", "gross": order.total, "fee": 0, "amount": order.total}
    Payout.objects.create(order=order, seller=order.seller, **share, route="manual", status="due")
    return Payment.objects.create(order=order, **money, status="succeeded", stripe_intent_id="pi_1", succeeded_at=now)


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
            lambda: Auction.objects.update(paid_at=None, payment_defaulted_at=clock.now()),
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
            lambda: Payment.objects.update(status="canceled", received=None),
            [f"order {order.pk} is paid without a payment"],
        ),
        "paid_sales_are_settled": (
            lambda: Auction.objects.update(paid_at=None),
            [f"the auction of product {order.product_id} disagrees with its order"],
        ),
        "money_has_an_intent": (
            lambda: Payment.objects.update(stripe_intent_id=None),
            [f"payment {payment.pk} lacks its intent or its moment"],
        ),
        "refunds_stay_below_their_ceiling": (
            lambda: Payment.objects.update(refunds_reserved=5),
            [f"payment {payment.pk} counts 5.000 of refunds, and has 0.000 of {order.total:.3f}"],
        ),
        "orders_know_what_was_refunded": (
            lambda: Order.objects.update(refunded=5),
            [f"order {order.pk} counts 5.000 as refunded, and 0.000 was"],
        ),
        "refunds_are_at_stripe": (
            lambda: (
                Refund.objects.create(pk=7, payment=payment, amount=1, currency="USD", status="failed")
                and Refund.objects.update(status="pending")
            ),
            ["refund 7 is pending, Stripe's id of it is None, its currency USD"],
        ),
        "disputes_end_with_their_status": (
            lambda: Dispute.objects.create(
                pk=7, payment=payment, amount=1, currency="USD", status="won", opened_at=clock.now()
            ),
            ["dispute 7 is won, and closed at None"],
        ),
        "has_card_iff_one_is_saved": (
            lambda: User.objects.filter(pk=rival.pk).update(has_card=True),
            [f"user {rival.pk} has_card is True, and not so"],
        ),
        "cards_are_of_customers": (
            lambda: SavedCard.objects.create(
                pk=7,
                user=rival,
                stripe_payment_method_id="pm_1",
                brand="visa",
                last4="4242",
                exp_month=1,
                exp_year=2040,
            ),
            ["card 7 is of nobody who is a customer"],
        ),
        "winners_are_charged_in_time": (
            lambda: Order.objects.update(auto_charge="due", created_at=clock.now() - 2 * DAY),
            [f"order {order.pk} was to be charged, and was not tried"],
        ),
        "paid_orders_have_a_payout": (
            lambda: Payout.objects.all().delete(),
            [f"order {order.pk} is paid and has no payout of its total"],
        ),
        "payouts_take_back_the_sellers_share": (
            lambda: Payout.objects.update(fee=2, amount=order.total - 2, refunded_gross=10, clawed_back=10),
            [f"payout {order.payout.pk} has 10.000 reversed of 17.990, for 10.000"],
        ),
        "payouts_are_levelled": (
            lambda: Payout.objects.update(status="void"),
            [f"payout {order.payout.pk} is not what its amounts say"],
        ),
        "transfers_are_at_stripe": (
            lambda: Payout.objects.update(route="transfer", status="paid", paid_at=clock.now()),
            [f"payout {order.payout.pk} was sent, and has no transfer"],
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


def test_what_a_seller_has_too_much_and_is_not_asked_back_is_found(order, paid):
    at = {"status": "paid", "paid_at": clock.now(), "stripe_transfer_id": "tr_1", "transferred": order.total}
    Payout.objects.update(route="transfer", **at, refunded_gross=5, clawed_back=5)
    too_much = f"payout {order.payout.pk}: its seller has 5.000 too much, of which"
    assert findings()["payouts_are_levelled"] == [f"{too_much} 0.000 is asked back"]
    reversal = TransferReversal.objects.create(payout=order.payout, amount=5)
    assert "payouts_are_levelled" not in findings()
    reversal.delete()
    Payout.objects.update(route="manual")
    assert "payouts_are_levelled" not in findings()


def test_a_payout_of_what_is_not_paid_or_was_not_passed_on_is_found(order, paid):
    Order.objects.update(status="awaiting_payment", paid_at=None)
    assert findings()["paid_orders_have_a_payout"] == [f"payout {order.payout.pk} is of an order that is not paid"]
    Payout.objects.update(route="destination", status="paid", paid_at=clock.now())
    assert findings()["transfers_are_at_stripe"] == [f"payout {order.payout.pk} is not what its payment passed on"]


def test_the_database_refuses_what_the_other_checks_look_for(order, paid):
    from django.db import IntegrityError, transaction

    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.create(
            order=order, amount=1, currency="USD", received=1, status="succeeded", stripe_intent_id="pi_2"
        )
    order.pk, order._state.adding = None, True
    with pytest.raises(IntegrityError), transaction.atomic():
        order.save(force_insert=True)
