from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import transaction

from accounts.models import OneTimeCode
from accounts.services import otp
from accounts.signals import refresh_token_reused
from auctioncraft.core.invariants import find_violations
from notifications.models import EmailDelivery, Notification
from notifications.tests import rows
from payments.models import Order, Payment, Refund
from payments.signals import (
    order_expired,
    order_opened,
    payment_failed,
    payment_reminded,
    payment_succeeded,
    refund_issued,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(seller, bidder):
    return Order.objects.create(
        product=rows.product(seller),
        buyer=bidder,
        seller=seller,
        currency="USD",
        hammer_price=Decimal(12),
        total=Decimal(12),
        due_at=datetime(2030, 1, 2, 3, 4, tzinfo=UTC),
    )


def send(signal, order):
    with transaction.atomic():
        signal.send(sender=Order, order=order)


def test_an_order_asks_its_buyer_to_pay(order):
    send(order_opened, order)

    assert rows.told() == [("bidder", "payment_due", f"order:{order.pk}:opened")]
    notice = Notification.objects.get()
    assert (notice.title, notice.message, notice.product) == (
        "Please pay for “A lamp”",
        "12.00 USD is due for “A lamp” by 2030-01-02 03:04 UTC.",
        order.product,
    )
    assert rows.mails() == [("bidder", "payment_due")]


def test_a_payment_is_confirmed_to_both_sides_once(order):
    send(payment_succeeded, order)
    send(payment_succeeded, order)

    source = f"order:{order.pk}:paid"
    assert rows.told() == [("bidder", "payment_succeeded", source), ("seller", "payment_succeeded", source)]
    assert rows.mails() == [("bidder", "payment_succeeded"), ("seller", "payment_succeeded")]


def test_each_failed_payment_is_told_to_the_buyer(order):
    send(payment_failed, order)
    send(payment_failed, order)

    assert [(name, kind) for name, kind, _ in rows.told()] == [("bidder", "payment_failed")] * 2


def test_each_reminder_is_told_to_the_buyer_once(order):
    for order.reminders_sent in (1, 1, 2):
        send(payment_reminded, order)

    assert rows.told() == [("bidder", "payment_reminder", f"order:{order.pk}:reminder:{n}") for n in (1, 2)]
    assert rows.mails() == [("bidder", "payment_reminder")] * 2
    assert rows.words() == {
        "bidder": (
            "payment_reminder",
            "Please remember to pay for “A lamp”",
            (
                "12.00 USD for “A lamp” has not arrived yet. It is due by 2030-01-02 03:04 UTC; after that the sale "
                "falls through, and it counts as a strike on your account."
            ),
        )
    }


@pytest.mark.parametrize("signal", [payment_reminded, order_expired])
def test_nobody_is_threatened_with_a_strike_for_what_no_card_can_pay(order, signal):
    with transaction.atomic():
        signal.send(sender=Order, order=order, payable=False)

    words = rows.words()["bidder"][2]
    assert "No card can be charged this amount" in words
    assert "counts as a strike" not in words


@pytest.fixture
def refund(order):
    now = order.due_at
    money = {"amount": order.total, "currency": "USD", "received": order.total, "received_currency": "USD"}
    payment = Payment.objects.create(
        order=order, stripe_intent_id="pi_1", **money, status="succeeded", refunds_reserved=Decimal(5), succeeded_at=now
    )
    return Refund.objects.create(
        payment=payment, stripe_refund_id="re_1", amount=Decimal(5), currency="USD", status="succeeded"
    )


def send_refund(order, refund):
    with transaction.atomic():
        refund_issued.send(sender=Refund, order=order, refund=refund)


def test_a_refund_is_told_to_both_sides_once_each_in_their_own_words(order, refund):
    send_refund(order, refund)
    send_refund(order, refund)

    source = f"order:{order.pk}:refund:{refund.pk}"
    assert rows.told() == [("bidder", "refund_issued", source), ("seller", "refund_issued", source)]
    assert rows.mails() == [("bidder", "refund_issued"), ("seller", "refund_issued")]
    title = "A refund for “A lamp”"
    assert rows.words() == {
        "bidder": (
            "refund_issued",
            title,
            (
                "We have sent 5.00 USD for “A lamp” back to you, the way you paid. Your bank may take five to ten "
                "days to show it."
            ),
        ),
        "seller": ("refund_issued", title, "5.00 USD of the 12.00 USD for “A lamp” went back to the buyer."),
    }


def test_a_refund_of_surplus_is_told_to_the_buyer_alone(order, refund):
    Payment.objects.update(status="surplus")
    refund.payment.refresh_from_db()
    send_refund(order, refund)

    assert [(name, kind) for name, kind, _ in rows.told()] == [("bidder", "refund_issued")]


def test_a_refund_that_nobody_was_told_of_is_found(order, refund):
    name, untold = (
        "16 buyers are notified of refunds",
        [f"refund {refund.pk}: no refund_issued to user"],
    )
    assert [line.rsplit(" ", 1)[0] for line in find_violations("notifications")[name]] == untold
    send_refund(order, refund)
    assert name not in find_violations("notifications")


def test_an_order_that_expired_is_told_to_both_sides_once_each_in_their_own_words(order):
    send(order_expired, order)
    send(order_expired, order)

    source = f"order:{order.pk}:expired"
    assert rows.told() == [("bidder", "payment_expired", source), ("seller", "payment_expired", source)]
    assert rows.mails() == [("bidder", "payment_expired"), ("seller", "payment_expired")]
    title = "“A lamp” was not paid in time"
    assert rows.words() == {
        "bidder": (
            "payment_expired",
            title,
            (
                "12.00 USD for “A lamp” was due by 2030-01-02 03:04 UTC and did not arrive. The sale has fallen "
                "through, and it counts as a strike on your account. Please do not pay any more."
            ),
        ),
        "seller": (
            "payment_expired",
            title,
            (
                "The buyer of “A lamp” did not pay 12.00 USD by 2030-01-02 03:04 UTC, so the sale has fallen through. "
                "You can offer it to the next bidder, or list it again."
            ),
        ),
    }


@pytest.mark.parametrize("signal", [payment_succeeded, payment_reminded, order_expired])
def test_nothing_is_told_of_what_was_rolled_back(order, signal):
    with transaction.atomic():
        signal.send(sender=Order, order=order)
        transaction.set_rollback(True)

    assert (Notification.objects.count(), EmailDelivery.objects.count()) == (0, 0)


def test_a_code_that_is_asked_for_is_to_be_mailed_first():
    code = otp.request_code(email="new@example.com", ip=None)

    delivery = EmailDelivery.objects.get()
    assert (delivery.code, delivery.notification, delivery.priority, delivery.sent_at) == (code, None, 0, None)
    assert OneTimeCode.objects.count() == 1


def test_a_spent_token_that_comes_back_warns_its_owner_once_an_hour(bidder):
    for _ in range(2):
        refresh_token_reused.send(sender=None, user=bidder)

    # Two, should the hour have turned in between.
    assert {(name, kind) for name, kind, _ in rows.told()} == {("bidder", "new_login")}
    assert Notification.objects.count() <= 2
    assert Notification.objects.first().product is None
