from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import transaction

from accounts.models import OneTimeCode
from accounts.services import otp
from accounts.signals import refresh_token_reused
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
from tests.violations import find_violations

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


def test_order_opened_asks_the_buyer_to_pay(order):
    send(order_opened, order)

    assert rows.notified() == [("bidder", "payment_due", f"order:{order.pk}:opened")]
    notification = Notification.objects.get()
    assert (notification.title, notification.message, notification.product) == (
        "Please pay for “A lamp”",
        "Please pay 12.00 USD for “A lamp” by 2030-01-02 03:04 UTC.",
        order.product,
    )
    assert rows.emails() == [("bidder", "payment_due")]


def test_payment_succeeded_notifies_buyer_and_seller_once(order):
    send(payment_succeeded, order)
    send(payment_succeeded, order)

    source = f"order:{order.pk}:paid"
    assert rows.notified() == [("bidder", "payment_succeeded", source), ("seller", "payment_succeeded", source)]
    assert rows.emails() == [("bidder", "payment_succeeded"), ("seller", "payment_succeeded")]


def test_payment_failed_notifies_the_buyer_each_time(order):
    send(payment_failed, order)
    send(payment_failed, order)

    assert [(name, kind) for name, kind, _ in rows.notified()] == [("bidder", "payment_failed")] * 2


def test_payment_reminded_notifies_the_buyer_once_per_reminder(order):
    for order.reminders_sent in (1, 1, 2):
        send(payment_reminded, order)

    assert rows.notified() == [("bidder", "payment_reminder", f"order:{order.pk}:reminder:{n}") for n in (1, 2)]
    assert rows.emails() == [("bidder", "payment_reminder")] * 2
    assert rows.texts() == {
        "bidder": (
            "payment_reminder",
            "Reminder: please pay for “A lamp”",
            (
                "We have not received 12.00 USD for “A lamp” yet. Please pay by 2030-01-02 03:04 UTC. After that the "
                "sale is canceled and you get a strike."
            ),
        )
    }


@pytest.mark.parametrize("signal", [payment_reminded, order_expired])
def test_order_that_no_card_can_pay_mentions_no_strike(order, signal):
    with transaction.atomic():
        signal.send(sender=Order, order=order, payable=False)

    text = rows.texts()["bidder"][2]
    assert "o card can be charged this amount" in text
    assert "got a strike" not in text
    assert "get a strike" not in text.replace("did not get a strike", "")


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


def test_refund_issued_notifies_buyer_and_seller_once(order, refund):
    send_refund(order, refund)
    send_refund(order, refund)

    source = f"order:{order.pk}:refund:{refund.pk}"
    assert rows.notified() == [("bidder", "refund_issued", source), ("seller", "refund_issued", source)]
    assert rows.emails() == [("bidder", "refund_issued"), ("seller", "refund_issued")]
    title = "Refund for “A lamp”"
    assert rows.texts() == {
        "bidder": (
            "refund_issued",
            title,
            (
                "We refunded 5.00 USD for “A lamp” to your original payment method. It can take your bank 5 to 10 "
                "days to show it."
            ),
        ),
        "seller": ("refund_issued", title, "5.00 USD of the 12.00 USD for “A lamp” was refunded to the buyer."),
    }


def test_refund_issued_for_surplus_notifies_only_the_buyer(order, refund):
    Payment.objects.update(status="surplus")
    refund.payment.refresh_from_db()
    send_refund(order, refund)

    assert [(name, kind) for name, kind, _ in rows.notified()] == [("bidder", "refund_issued")]


def test_refund_without_notification_violates_the_invariant(order, refund):
    name, untold = (
        "16 buyers are notified of refunds",
        [f"refund {refund.pk}: no refund_issued to user"],
    )
    assert [line.rsplit(" ", 1)[0] for line in find_violations("notifications")[name]] == untold
    send_refund(order, refund)
    assert name not in find_violations("notifications")


def test_order_expired_notifies_buyer_and_seller_once(order):
    send(order_expired, order)
    send(order_expired, order)

    source = f"order:{order.pk}:expired"
    assert rows.notified() == [("bidder", "payment_expired", source), ("seller", "payment_expired", source)]
    assert rows.emails() == [("bidder", "payment_expired"), ("seller", "payment_expired")]
    title = "“A lamp” was not paid in time"
    assert rows.texts() == {
        "bidder": (
            "payment_expired",
            title,
            (
                "We did not receive 12.00 USD for “A lamp” by 2030-01-02 03:04 UTC. The sale was canceled and you got "
                "a strike. Please do not pay for it anymore."
            ),
        ),
        "seller": (
            "payment_expired",
            title,
            (
                "The buyer did not pay 12.00 USD for “A lamp” by 2030-01-02 03:04 UTC. The sale was canceled. You can "
                "offer it to the next bidder or list it again."
            ),
        ),
    }


@pytest.mark.parametrize("signal", [payment_succeeded, payment_reminded, order_expired])
def test_rolled_back_signal_writes_nothing(order, signal):
    with transaction.atomic():
        signal.send(sender=Order, order=order)
        transaction.set_rollback(True)

    assert (Notification.objects.count(), EmailDelivery.objects.count()) == (0, 0)


def test_code_requested_queues_an_email():
    code = otp.request_code(email="new@example.com", ip=None)

    delivery = EmailDelivery.objects.get()
    assert (delivery.code, delivery.notification, delivery.sent_at) == (code, None, None)
    assert OneTimeCode.objects.count() == 1


def test_refresh_token_reused_notifies_the_user_at_most_once_an_hour(bidder):
    for _ in range(2):
        refresh_token_reused.send(sender=None, user=bidder)

    # Two if the hour changed in between.
    assert {(name, kind) for name, kind, _ in rows.notified()} == {("bidder", "new_login")}
    assert Notification.objects.count() <= 2
    assert Notification.objects.first().product is None
