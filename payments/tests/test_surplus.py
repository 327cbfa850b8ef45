"""Surplus payments (the order expired or was paid already): stored, shown to staff, refunded."""

from __future__ import annotations

from decimal import Decimal

import pytest

from payments.models import Order, Payment, Refund
from payments.signals import refund_issued
from payments.tests.conftest import broken_invariants, request_intent, sell
from payments.tests.connect_helpers import onboarded, transfers
from payments.tests.refund_helpers import URL, at_stripe, outcome, pay, post_event_about, refund, refund_totals
from tests import admin_pages

pytestmark = pytest.mark.django_db


def pay_late(client, double, intent_id, event_id="evt_late"):
    double.confirm(intent_id)
    return post_event_about(client, "payment_intent.succeeded", double.intent(intent_id), event_id=event_id)


@pytest.fixture
def late(client, double, winner, product, order):
    """An expired order that was paid later."""
    intent_id = request_intent(winner, product).json()["payment_intent_id"]
    mark_expired(order)
    assert pay_late(client, double, intent_id).flag == "surplus_order_expired"
    return order


def mark_expired(order):
    """Mark an order expired while its intent can still be paid."""
    Order.objects.filter(pk=order.pk).update(status="expired", expired_at=order.due_at)


@pytest.fixture
def staff_client(as_user, staff):
    """An API client of staff."""
    return as_user(staff)


def test_surplus_of_expired_order_is_shown_to_staff_and_refunded(late, staff_client, double):
    payment = Payment.objects.get()
    shown = staff_client.get(f"{URL}{late.pk}/").json()
    assert (shown["status"], shown["surplus"]) == (
        "expired",
        [
            {
                "payment_intent_id": payment.stripe_intent_id,
                "received": "19.99",
                "refundable": "19.99",
                "currency": "USD",
                "received_at": payment.succeeded_at.isoformat().replace("+00:00", "Z"),
            }
        ],
    )
    answer = refund(staff_client, late)
    assert (answer.status_code, answer.json()["order"]["surplus"][0]["refundable"]) == (201, "0.00")
    assert refund_totals(late) == ("0.000", "19.990", "succeeded")
    assert (late.status, [there["amount"] for there in at_stripe(double, late)]) == ("expired", [1999])
    assert outcome(refund(staff_client, late)) == (409, "nothing_to_refund")


@pytest.fixture
def paid_twice(client, double, winner, product):
    """An order that was paid twice: its first intent was canceled only here."""
    first = request_intent(winner, product).json()["payment_intent_id"]
    Payment.objects.update(status="canceled")
    order = pay(client, double, winner, product)
    assert pay_late(client, double, first).flag == "surplus_order_paid"
    return order


def test_surplus_of_second_success_is_refunded_apart_from_the_first(paid_twice, staff_client, as_user, seller, double):
    surplus = Payment.objects.get(status="surplus")
    assert (
        staff_client.get(f"{URL}{paid_twice.pk}/").json()["surplus"][0]["payment_intent_id"] == surplus.stripe_intent_id
    )
    assert refund(staff_client, paid_twice, payment=surplus.stripe_intent_id).status_code == 201
    assert refund_totals(paid_twice) == ("0.000", "19.990", "0.000", "succeeded")
    assert refund(as_user(seller), paid_twice, amount="5").status_code == 201
    assert refund_totals(paid_twice) == ("5.000", "19.990", "5.000", "succeeded", "succeeded")
    assert broken_invariants() == []


@pytest.fixture
def sent(seller, double, settings):
    """The account of a seller to whom payments go directly, less 10 %."""
    settings.STRIPE_CONNECT, settings.SELLER_COMMISSION_PERCENT = True, Decimal(10)
    return onboarded(seller)


def balance(double):
    """Return what the platform has at Stripe, in cents."""
    found = double.get("/v1/balance")
    return sum(each["amount"] for part in ("available", "pending") for each in found[part])


def test_surplus_that_went_to_the_seller_is_refunded_from_them(sent, late, staff_client, double):
    assert (transfers(double, sent), balance(double)) == ([(1999, 0)], 200)
    assert refund(staff_client, late, amount="10").status_code == 201
    assert refund(staff_client, late).status_code == 201
    assert refund_totals(late) == ("0.000", "19.990", "succeeded", "succeeded")
    assert (transfers(double, sent), balance(double)) == ([(1999, 1999)], 0)


def test_surplus_of_a_seller_with_an_empty_account_is_refunded_if_staff_force_it(sent, late, staff_client, double):
    double.post(f"/_double/accounts/{sent.stripe_account_id}", empty="true")
    refused = refund(staff_client, late)
    assert (outcome(refused), refused.json()["stripe_code"]) == ((409, "refund_refused"), "balance_insufficient")
    assert balance(double) == 200
    assert refund(staff_client, late, force_reason="They insist.").status_code == 201
    assert (refund_totals(late), balance(double)) == (("0.000", "19.990", "failed", "succeeded"), 200 - 1999)


def test_surplus_is_hidden_from_the_seller_who_cannot_refund_it(late, as_user, seller):
    seller_client = as_user(seller)
    assert seller_client.get(f"{URL}{late.pk}/").json()["surplus"] is None
    assert outcome(refund(seller_client, late)) == (409, "nothing_to_refund")
    assert outcome(refund(seller_client, late, payment=Payment.objects.get().stripe_intent_id)) == (
        403,
        "permission_denied",
    )


def test_surplus_of_several_payments_must_be_named(client, double, winner, product, order, staff_client):
    first = request_intent(winner, product).json()["payment_intent_id"]
    Payment.objects.update(status="canceled")
    second = request_intent(winner, product).json()["payment_intent_id"]
    mark_expired(order)
    for intent_id in (first, second):
        pay_late(client, double, intent_id, f"evt_{intent_id}")
    answer = refund(staff_client, order)
    assert (outcome(answer), list(answer.json()["errors"])) == ((400, "invalid"), ["payment"])
    assert refund(staff_client, order, payment=second).status_code == 201
    assert refund_totals(order) == ("0.000", "0.000", "19.990", "succeeded")


def test_surplus_in_another_currency_is_refunded_in_it(client, double, winner, product, order, staff_client):
    intent_id = request_intent(winner, product).json()["payment_intent_id"]
    double.confirm(intent_id)
    paid = {**double.intent(intent_id), "currency": "jpy", "amount": 500, "amount_received": 500}
    assert post_event_about(client, "payment_intent.succeeded", paid).flag == "currency_mismatch"
    [shown] = staff_client.get(f"{URL}{order.pk}/").json()["surplus"]
    assert (shown["received"], shown["currency"]) == ("500", "JPY")
    refund(staff_client, order, amount="200")
    assert Refund.objects.get().currency == "JPY"


def test_surplus_refund_signal_says_it_did_not_pay_the_order(late, staff_client):
    sent = []

    def on_refund(order, refund, **_):
        sent.append((order.pk, refund.payment.paid_its_order))

    refund_issued.connect(on_refund)
    refund(staff_client, late, amount="5")
    refund_issued.disconnect(on_refund)
    assert sent == [(late.pk, False)]


def test_surplus_is_refunded_in_the_admin(late, client, double):
    staff, payment = admin_pages.operator(), Payment.objects.get()
    listed = staff.get("/admin/payments/payment/", {"status": "surplus"})
    assert payment.stripe_intent_id in listed.content.decode()
    answer = act(staff, payment)
    assert f"Payment {payment.pk}: 19.99 USD, succeeded." in answer
    assert refund_totals(late) == ("0.000", "19.990", "succeeded")
    assert "There is nothing to refund here." in act(staff, payment)
    assert len(at_stripe(double, late)) == 1


def test_admin_refund_action_is_for_surplus_only(client, double, winner, seller, bidder):
    order = pay(client, double, winner, sell(seller, bidder))
    assert "This payment paid its order." in act(admin_pages.operator(), order.payments.get())
    assert refund_totals(order) == ("0.000", "0.000")


def test_admin_refund_action_without_permission_does_nothing(late):
    clerk = admin_pages.clerk()
    clerk.post("/admin/payments/payment/", {"action": "refund_surplus", "_selected_action": [Payment.objects.get().pk]})
    assert not Refund.objects.exists()


def act(staff, payment):
    sent = {"action": "refund_surplus", "_selected_action": [payment.pk], "confirmed": "yes", "reason": "Paid twice."}
    return staff.post("/admin/payments/payment/", sent, follow=True).content.decode()
