"""Each invariant finds its violation, and none in valid data."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from auctioncraft.core import clock
from auctioncraft.core.invariants import all_invariants
from auctions.models import AccountWithdrawal, Auction, Bid
from payments.invariants import list_changed_orders
from payments.models import (
    Customer,
    Dispute,
    Order,
    OrderEvent,
    Payment,
    Payout,
    Refund,
    SavedCard,
    SellerAccount,
    SellerHold,
    StripeEvent,
    TransferReversal,
)
from tests import factories
from tests.violations import find_violations

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]

DAY = timedelta(days=1)


@pytest.fixture
def paid(order):
    """A paid order with its payout, and its payment."""
    now = clock.now()
    Order.objects.update(status="paid", paid_at=now)
    User.objects.update(unpaid_orders=0)
    Auction.objects.update(paid_at=now)
    money = {"amount": order.total, "currency": "USD", "received": order.total, "received_currency": "USD"}
    share = {"currency": "USD", "gross": order.total, "fee": 0, "amount": order.total}
    Payout.objects.create(order=order, seller=order.seller, **share, route="manual", status="due")
    return Payment.objects.create(order=order, **money, status="succeeded", stripe_intent_id="pi_1", succeeded_at=now)


def findings():
    return find_violations("payments")


def test_invariants_of_healthy_data_find_nothing(paid):
    StripeEvent.objects.create(id="evt_1", type="a", payload={}, processed_at=clock.now())
    with CaptureQueriesContext(connection) as seen:
        assert findings() == {}
    reads = [query for query in seen if query["sql"].startswith(("SELECT", "("))]
    assert len(reads) <= 2 * len(all_invariants("payments"))


def breaks(order, payment, rival):
    opened = order.history.get(kind="opened")
    return {
        "11 orders match their sale": (
            lambda: Order.objects.update(buyer=rival),
            [f"order {order.pk} is not what its auction says"],
        ),
        "11 payments are for their order's total": (
            lambda: Payment.objects.update(amount=F("amount") + 1),
            [f"payment {payment.pk} is not for its order's total"],
        ),
        "12 order amounts fit their currency": (
            lambda: Order.objects.update(hammer_price=Decimal("19.985"), shipping=Decimal("0.005")),
            [f"order {order.pk} owes a fraction in USD"],
        ),
        "21 orders follow from the terms that their buyer agreed to": (
            lambda: Bid.objects.update(terms={"currency": "USD", "shipping": "0.00", "premium_bands": [["0", "10"]]}),
            [f"order {order.pk} differs from what its buyer agreed to: buyers_premium, total"],
        ),
        "22 no account buys or sells after it was disabled": (
            lambda: (
                User.objects.filter(pk=order.seller_id).update(is_active=False)
                and AccountWithdrawal.objects.create(user=order.seller, created_at=order.created_at - DAY)
            ),
            [f"order {order.pk} was opened after its seller was disabled"],
        ),
        "users' unpaid orders are counted": (
            lambda: User.objects.filter(pk=order.buyer_id).update(unpaid_orders=4),
            [f"user {order.buyer_id} has 4 unpaid orders by the count, and 0 by the orders"],
        ),
        "11 sales fall through when their order expires": (
            lambda: Auction.objects.update(paid_at=None, payment_defaulted_at=clock.now()),
            [f"the sale of product {order.product_id} fell through, and its order did not expire"],
        ),
        "no relisted product has a live order": (
            lambda: factories.product(order.seller, relisted_from=order.product),
            [f"order {order.pk} is of a product that was relisted"],
        ),
        "users have no more strikes than expired orders": (
            lambda: User.objects.filter(pk=rival.pk).update(strikes=1),
            [f"user {rival.pk} has 1 strikes, and let 0 orders expire"],
        ),
        "9 no order is overdue": (
            lambda: Order.objects.update(status="awaiting_payment", paid_at=None, due_at=payment.succeeded_at - DAY),
            [f"order {order.pk} still awaits payment, due at {payment.succeeded_at - DAY}"],
        ),
        "11 every sale has an order at its hammer price": (
            lambda: Order.objects.update(buyer=rival),
            [f"the sale of product {order.product_id} has no order"],
        ),
        "13 orders are paid when a payment of theirs succeeded": (
            lambda: Payment.objects.update(status="canceled", received=None),
            [f"order {order.pk} is paid without a payment"],
        ),
        "13 auctions are paid when their order is": (
            lambda: Auction.objects.update(paid_at=None),
            [f"the auction of product {order.product_id} disagrees with its order"],
        ),
        "13, 15 received money pays its order or is surplus": (
            lambda: Payment.objects.update(stripe_intent_id=None),
            [f"payment {payment.pk} lacks its intent or its time"],
        ),
        "15 payments count their refunds, and refund at most what came in": (
            lambda: Payment.objects.update(refunds_reserved=5),
            [f"payment {payment.pk} counts 5.000 of refunds, and has 0.000 of {order.total:.3f}"],
        ),
        "15 orders count their refunds": (
            lambda: Order.objects.update(refunded=5),
            [f"order {order.pk} counts 5.000 as refunded, and 0.000 was"],
        ),
        "15 refunds are at Stripe within an hour": (
            lambda: (
                Refund.objects.create(pk=7, payment=payment, amount=1, currency="USD", status="failed")
                and Refund.objects.update(status="pending")
            ),
            ["refund 7 is pending, its id at Stripe is None, its currency USD"],
        ),
        "15 disputes are closed when Stripe says so": (
            lambda: Dispute.objects.create(
                pk=7, payment=payment, amount=1, currency="USD", status="won", opened_at=clock.now()
            ),
            ["dispute 7 is won, and closed at None"],
        ),
        "has_card is set for users with a saved card": (
            lambda: User.objects.filter(pk=rival.pk).update(has_card=True),
            [f"user {rival.pk} has has_card True, and saved cards say otherwise"],
        ),
        "saved cards belong to customers at Stripe": (
            lambda: SavedCard.objects.create(
                pk=7,
                user=rival,
                stripe_payment_method_id="pm_1",
                brand="visa",
                last4="4242",
                exp_month=1,
                exp_year=2040,
            ),
            ["card 7 has no customer at Stripe"],
        ),
        "23 a saved card belongs to a proved address": (
            lambda: (
                User.objects.filter(pk=rival.pk).update(email_verified_at=None, has_card=True),
                Customer.objects.create(user=rival, stripe_customer_id="cus_1"),
                SavedCard.objects.create(
                    pk=8,
                    user=rival,
                    stripe_payment_method_id="pm_1",
                    brand="visa",
                    last4="4242",
                    exp_month=1,
                    exp_year=2040,
                ),
            ),
            ["card 8 belongs to an address that nobody has proved"],
        ),
        "23 a payout account belongs to a proved address": (
            lambda: (
                User.objects.filter(pk=rival.pk).update(email_verified_at=None),
                SellerAccount.objects.create(pk=8, user=rival, stripe_account_id="acct_1"),
            ),
            ["seller account 8 belongs to an address that nobody has proved"],
        ),
        "winners' cards are charged in time": (
            lambda: Order.objects.update(auto_charge="due", created_at=clock.now() - 2 * DAY),
            [f"order {order.pk} should have been charged, and nothing was tried"],
        ),
        "13 paid orders have a payout of their total": (
            lambda: Payout.objects.all().delete(),
            [f"order {order.pk} is paid and has no payout of its total"],
        ),
        "15 sellers give back their share of refunds": (
            lambda: Payout.objects.update(fee=2, amount=order.total - 2, refunded_gross=10, clawed_back=10),
            [f"payout {order.payout.pk} has 10.000 of 9.00 clawed back, for 10.000"],
        ),
        "15 payout statuses match their amounts": (
            lambda: Payout.objects.update(status="void"),
            [f"payout {order.payout.pk} is not what its amounts say"],
        ),
        "15 payouts match Stripe's transfers": (
            lambda: Payout.objects.update(route="transfer", status="paid", paid_at=clock.now()),
            [f"payout {order.payout.pk} was sent, and has no transfer"],
        ),
        "22 no payout goes to a held seller": (
            lambda: (
                SellerHold.objects.create(seller=order.seller, reason="x", held_at=clock.now() - DAY)
                and Payout.objects.update(transfer_requested_at=clock.now())
            ),
            [f"payout {order.payout.pk} was sent to a seller who was held"],
        ),
        "24 sellers give back what they were sent before it is refunded": (
            lambda: (
                Payout.objects.update(status="paid", paid_at=clock.now() - DAY)
                and Refund.objects.create(
                    pk=7,
                    payment=payment,
                    amount=1,
                    currency="USD",
                    status="succeeded",
                    stripe_refund_id="re_1",
                    requested_by=rival,
                    created_at=clock.now(),
                )
            ),
            ["refund 7 was made before the seller gave their share back, and nobody decided so"],
        ),
        "25 what staff did to an order names who and why": (
            lambda: OrderEvent.objects.filter(pk=opened.pk).update(role="staff"),
            [f"event {opened.pk} of an order was caused by staff and does not say by whom or why"],
        ),
        "14 Stripe events are processed within an hour": (
            lambda: StripeEvent.objects.create(
                id="evt_1", type="a", payload={}, last_error="no", received_at=clock.now() - timedelta(hours=2)
            ),
            ["event evt_1 was not processed: no"],
        ),
    }


@pytest.mark.parametrize(
    "name", [found.name for found in all_invariants("payments") if "at most one" not in found.name]
)
def test_invariant_finds_its_violation(order, paid, rival, name):
    damage, lines = breaks(order, paid, rival)[name]
    damage()
    assert findings()[name] == lines


def test_invariant_finds_a_success_of_an_unpaid_order(order, paid):
    Order.objects.update(status="expired", paid_at=None, expired_at=clock.now())
    assert (
        f"payment {paid.pk} succeeded and its order is not paid"
        in findings()["13 orders are paid when a payment of theirs succeeded"]
    )


def test_invariant_finds_an_overpaid_seller_without_reversal(order, paid):
    at = {"status": "paid", "paid_at": clock.now(), "stripe_transfer_id": "tr_1", "transferred": order.total}
    Payout.objects.update(route="transfer", **at, refunded_gross=5, clawed_back=5)
    too_much = f"payout {order.payout.pk}: its seller has 5.000 too much,"
    assert findings()["15 payout statuses match their amounts"] == [f"{too_much} 0.000 is in reversal"]
    reversal = TransferReversal.objects.create(payout=order.payout, amount=5)
    assert "15 payout statuses match their amounts" not in findings()
    reversal.delete()
    Payout.objects.update(route="manual")
    assert "15 payout statuses match their amounts" not in findings()


def test_invariant_finds_a_payout_of_an_unpaid_order_or_without_destination(order, paid):
    Order.objects.update(status="awaiting_payment", paid_at=None)
    assert findings()["13 paid orders have a payout of their total"] == [
        f"payout {order.payout.pk} is of an order that is not paid"
    ]
    Payout.objects.update(route="destination", status="paid", paid_at=clock.now())
    assert findings()["15 payouts match Stripe's transfers"] == [
        f"payout {order.payout.pk} is not what its payment passed on"
    ]


def test_constraints_refuse_what_other_invariants_check(order, paid):
    from django.db import IntegrityError, transaction

    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.create(
            order=order, amount=1, currency="USD", received=1, status="succeeded", stripe_intent_id="pi_2"
        )
    order.pk, order._state.adding = None, True
    with pytest.raises(IntegrityError), transaction.atomic():
        order.save(force_insert=True)


def test_changed_orders_are_those_with_events_since(order):
    event = OrderEvent.objects.create(order=order, kind="opened", status=order.status, role="system", at=clock.now())
    assert list(list_changed_orders(event.at)) == [order.pk]
    assert list(list_changed_orders(event.at + timedelta(seconds=1))) == []
