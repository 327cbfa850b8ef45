"""Payouts: how a payment is split, blocked and clawed back."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import transaction

from auctioncraft.core import clock
from payments.models import Dispute, Order, OrderEvent, Payment, Payout, SellerAccount, TransferReversal
from payments.services import payment_sync, payouts
from payments.tests.conftest import broken_invariants, post_event, request_intent
from payments.tests.payout_helpers import ABLE, claw_back, dispute, pay, restore

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]


@pytest.mark.parametrize(
    ("commission", "currency", "hammer", "fee", "amount"),
    [
        ("0", "USD", "19.99", "0", "19.99"),
        ("10", "USD", "19.99", "2.00", "17.99"),
        ("2.5", "USD", "0.20", "0.01", "0.19"),  # half a cent is rounded up
        ("12.5", "JPY", "1001", "125", "876"),
        ("12.5", "KWD", "1.230", "0.150", "1.080"),  # rounded to what a card can be charged
        ("100", "USD", "19.99", "19.99", "0"),
        ("150", "USD", "19.99", "19.99", "0"),  # at most the whole price
    ],
)
def test_payout_deducts_the_commission_from_the_hammer_price(settings, commission, currency, hammer, fee, amount):
    settings.SELLER_COMMISSION_PERCENT = Decimal(commission)
    price = Decimal(hammer)
    order = Order(hammer_price=price, buyers_premium=Decimal(0), total=price, currency=currency)
    assert payouts.split_total(order) == (Decimal(fee), Decimal(amount))


def test_payout_excludes_the_premium_and_includes_shipping(settings):
    settings.SELLER_COMMISSION_PERCENT = Decimal(10)
    order = Order(
        hammer_price=Decimal(100), buyers_premium=Decimal(25), shipping=Decimal(7), total=Decimal(132), currency="USD"
    )
    assert payouts.split_total(order) == (Decimal(35), Decimal(97))


def test_payout_without_connect_is_due_manually(order):
    payout = pay(order)
    assert (payout.route, payout.status, payout.owed, payout.seller_id) == (
        "manual",
        "due",
        order.total,
        order.seller_id,
    )
    assert broken_invariants() == []


def test_payout_with_connect_and_no_account_is_blocked(order, settings):
    settings.STRIPE_CONNECT = True
    payout = pay(order)
    assert (payout.route, payout.status, payout.blocked_by) == ("transfer", "blocked", "not_onboarded")
    assert broken_invariants() == []


def test_payout_with_connect_and_onboarded_seller_is_due_by_transfer(order, settings):
    settings.STRIPE_CONNECT = True
    SellerAccount.objects.create(user=order.seller, stripe_account_id="acct_1", **ABLE)
    payout = pay(order)
    assert (payout.route, payout.status, payout.blocked_by) == ("transfer", "due", "")


def test_payout_of_destination_charge_is_paid_less_its_fee(order, settings):
    settings.SELLER_COMMISSION_PERCENT = Decimal(50)  # changed after the intent was created
    payout = pay(order, destination="acct_1", fee=Decimal("2.00"))
    assert (payout.route, payout.status, payout.fee, payout.transferred) == ("destination", "paid", 2, Decimal("17.99"))
    said = OrderEvent.objects.get(order=order, kind="paid_out")
    assert (said.role, said.data) == ("stripe", {"amount": "17.99", "currency": "USD", "route": "destination"})
    assert broken_invariants() == []


def test_payout_of_full_commission_is_void(order, settings):
    settings.SELLER_COMMISSION_PERCENT = Decimal(100)
    assert pay(order).status == "void"
    assert broken_invariants() == []


def test_refund_in_parts_claws_back_shares_and_the_rest(order, settings):
    settings.SELLER_COMMISSION_PERCENT = Decimal(10)
    payout = pay(order)
    assert claw_back(payout, "3.33").clawed_back == Decimal("3.00")  # 17.99 x 3.33 / 19.99 = 2.9968...
    assert claw_back(payout, "3.33").clawed_back == Decimal("5.99")
    assert (payout.status, payout.owed) == ("due", Decimal("12.00"))
    assert broken_invariants() == []
    assert claw_back(payout, "13.33").clawed_back == Decimal("17.99")
    assert (payout.status, payout.owed) == ("void", 0)
    assert broken_invariants() == []


def test_clawback_never_exceeds_the_amount(order):
    assert claw_back(pay(order), "25").clawed_back == order.total


def test_failed_refund_restores_the_payout(order):
    payout = claw_back(pay(order), "19.99")
    assert payout.status == "void"
    assert (restore(payout, "19.99").status, payout.owed) == ("due", order.total)
    assert broken_invariants() == []


def test_refund_of_surplus_changes_no_payout(order):
    payout = pay(order)
    surplus = Payment.objects.create(
        order=order,
        amount=order.total,
        currency="USD",
        status="surplus",
        received=order.total,
        succeeded_at=clock.now(),
    )
    with transaction.atomic():
        payouts.claw_back(order=order, payment=surplus, amount=Decimal(5), at=clock.now())
    payout.refresh_from_db()
    assert payout.clawed_back == 0


def test_refund_of_destination_charge_in_the_dashboard_is_reversed_with_it(order):
    payout = claw_back(pay(order, destination="acct_1", fee=Decimal("2.00")), "10.00", reversed_at_stripe=True)
    assert (payout.clawed_back, payout.transferred, payout.owed) == (Decimal("9.00"), Decimal("8.99"), 0)
    assert not TransferReversal.objects.exists()
    assert broken_invariants() == []


def test_lost_dispute_of_destination_charge_is_reversed(order):
    payout = pay(order, destination="acct_1", fee=Decimal("2.00"))
    claw_back(payout, "10.00")
    assert payout.owed == Decimal("-9.00")
    assert TransferReversal.objects.get().amount == Decimal("9.00")
    assert broken_invariants() == []


def test_unsent_reversal_is_canceled_when_its_dispute_is_won_after_all(order):
    payout = pay(order, destination="acct_1", fee=Decimal("2.00"))
    claw_back(payout, "10.00")
    assert restore(payout, "10.00").owed == 0
    assert TransferReversal.objects.get().canceled_at is not None
    assert broken_invariants() == []


def test_dispute_blocks_an_unpaid_payout_until_it_ends(order):
    payout = pay(order)
    opened = dispute(payout)
    payouts.block(order=order, why=payouts.DISPUTED)
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by) == ("blocked", "disputed")
    payouts.unblock(order=order)
    payout.refresh_from_db()
    assert payout.status == "blocked"  # still open
    opened.closed_at = clock.now()
    opened.save()
    payouts.unblock(order=order)
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by) == ("due", "")


def test_dispute_of_surplus_does_not_block_the_payout(order):
    payout = pay(order)
    surplus = Payment.objects.create(
        order=order, amount=order.total, currency="USD", status="surplus", received=order.total,
        received_currency="USD", succeeded_at=clock.now(),
    )  # fmt: skip
    Dispute.objects.create(
        payment=surplus, stripe_dispute_id="dp_2", amount=order.total, currency="USD", status="needs_response",
        opened_at=clock.now(),
    )  # fmt: skip
    payouts.unblock(order=order)
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by) == ("due", "")


def test_dispute_ended_leaves_a_seller_without_account_blocked(order, settings):
    settings.STRIPE_CONNECT = True
    payout = pay(order)
    payouts.block(order=order, why=payouts.DISPUTED)
    payouts.unblock(order=order)
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by) == ("blocked", "not_onboarded")


def test_paid_payout_is_not_blocked(order):
    payout = pay(order, destination="acct_1")
    payouts.block(order=order, why=payouts.DISPUTED)
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by) == ("paid", "")


def test_success_event_opens_the_payout(double, winner, product, order, client):
    intent_id = request_intent(winner, product).json()["payment_intent_id"]
    double.confirm(intent_id)
    event = {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "livemode": False}
    for _ in range(2):
        assert post_event(client, {**event, "data": {"object": double.intent(intent_id)}}).status_code == 200
    assert Payout.objects.get().order_id == order.pk


def test_success_applied_twice_opens_one_payout(double, intent_id, order):
    double.confirm(intent_id)
    found = Payment.objects.get()
    for _ in range(2):
        with transaction.atomic():
            intent = payment_sync.stripe_gateway.retrieve_intent(intent_id)
            payment_sync.apply(
                order=Order.objects.locked(order.pk), payment=Payment.objects.locked(found.pk), intent=intent
            )
    assert Payout.objects.count() == 1
