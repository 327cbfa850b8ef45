"""POST /api/payments/orders/{id}/record_payment/, and what follows of money that was received outside Stripe."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from auctioncraft.core import clock
from payments.models import Order, OrderEvent, Payment, Payout, Refund
from payments.services import expiry, transfers
from payments.services.reconciliation import reconcile
from payments.tests.conftest import (
    broken_invariants,
    build_event,
    make_due,
    post_event,
    request_intent,
    run_concurrently,
    statuses,
)
from payments.tests.connect_helpers import onboarded
from payments.tests.payout_helpers import report
from payments.tests.refund_helpers import URL, outcome, refund
from tests import admin_pages
from tests.admin_pages import act
from tests.violations import find_violations

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]

TODAY = datetime.now(UTC).date().isoformat()
BODY = {
    "amount": "19.99",
    "currency": "USD",
    "method": "bank_transfer",
    "reference": "RF18 5390",
    "received_on": TODAY,
    "note": "On the bank statement.",
}


@pytest.fixture
def clerk(as_user, staff):
    """An API client of the staff."""
    return as_user(staff)


@pytest.fixture
def seller_client(as_user, seller):
    """An API client of the seller."""
    return as_user(seller)


def record(caller, order, key=None, **changes):
    """Record the payment of an order."""
    body = {name: value for name, value in {**BODY, **changes}.items() if value is not None}
    headers = {"Idempotency-Key": key} if key else {}
    return caller.post(f"{URL}{order.pk}/record_payment/", body, format="json", headers=headers)


def notified(order, kind):
    """Return how many notifications of this kind the buyer and the seller have."""
    return [user.notifications.filter(kind=kind).count() for user in (order.buyer, order.seller)]


def test_recorded_payment_pays_the_order_like_any_other(clerk, staff, winner, order, payment_signals):
    answer = record(clerk, order)
    assert answer.status_code == 201, answer.content
    shown = answer.json()
    assert (shown["status"], shown["paid_at"] is None) == ("paid", False)
    assert shown["recorded_payment"] == {
        "amount": "19.99",
        "currency": "USD",
        "method": "bank_transfer",
        "reference": "RF18 5390",
        "received_on": TODAY,
    }
    payment = Payment.objects.get()
    assert (payment.recorded_by, payment.stripe_intent_id, payment.status) == (staff, None, "succeeded")
    assert payment_signals == [("succeeded", order.pk)]
    assert notified(order, "payment_succeeded") == [1, 1]
    said = OrderEvent.objects.get(kind="paid")
    assert (said.role, said.actor, said.data) == (
        "staff",
        staff,
        {"method": "bank_transfer", "note": "On the bank statement."},
    )
    receipt = winner.get(f"{URL}{order.pk}/receipt/").content.decode()
    assert f"{TODAY}, bank transfer RF18 5390" in receipt
    order.product.auction.refresh_from_db()
    assert order.product.auction.paid_at is not None
    assert broken_invariants() == []


def test_recorded_payment_with_the_same_key_is_recorded_once(clerk, order):
    first, again = record(clerk, order, key="k1"), record(clerk, order, key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert outcome(record(clerk, order, key="k1", method="cash")) == (422, "idempotency_key_reused")
    assert outcome(record(clerk, order)) == (409, "order_paid")
    assert Payment.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": "19.98"}, "amount"),
        ({"amount": "20"}, "amount"),
        ({"amount": "-1"}, "amount"),
        ({"amount": None}, "amount"),
        ({"currency": "EUR"}, "currency"),
        ({"currency": None}, "currency"),
        ({"method": "stripe"}, "method"),
        ({"method": "gold"}, "method"),
        ({"method": None}, "method"),
        ({"received_on": "2199-01-01"}, "received_on"),
        ({"received_on": "yesterday"}, "received_on"),
        ({"received_on": None}, "received_on"),
        ({"reference": "x" * 201}, "reference"),
    ],
)
def test_recorded_payment_with_invalid_input_is_400(clerk, order, changes, field):
    answer = record(clerk, order, **changes)
    assert (outcome(answer), list(answer.json()["errors"])) == ((400, "invalid"), [field])
    assert not Payment.objects.exists()


def test_recorded_payment_of_another_amount_names_the_amount_due(clerk, order):
    answer = record(clerk, order, amount="9.99")
    assert answer.json()["errors"] == {"amount": ["The amount due is 19.99 USD."]}


def test_recorded_payment_by_the_seller_needs_the_setting(seller_client, order, settings, seller):
    assert outcome(record(seller_client, order)) == (403, "permission_denied")
    settings.OFFLINE_PAYMENTS = True
    assert record(seller_client, order).status_code == 201
    assert Payment.objects.get().recorded_by == seller
    said = OrderEvent.objects.get(kind="paid")
    assert (said.role, said.actor) == ("seller", seller)
    assert broken_invariants() == []


@pytest.mark.parametrize("offline", [True, False])
def test_recorded_payment_by_the_buyer_is_refused_even_if_staff(
    winner, bidder, order, rival, as_user, settings, offline
):
    settings.OFFLINE_PAYMENTS = offline
    assert outcome(record(winner, order)) == (403, "permission_denied")
    assert outcome(record(as_user(rival), order)) == (404, "not_found")
    bidder.is_staff = True
    bidder.save()
    assert outcome(record(winner, order)) == (403, "conflict_of_interest")
    assert not Payment.objects.exists()


def test_recorded_payment_of_an_expired_order_is_409(clerk, order):
    Order.objects.update(due_at=clock.now() - timedelta(hours=1))
    expiry.expire_due()
    assert outcome(record(clerk, order)) == (409, "order_not_payable")


def test_recorded_payment_cancels_the_open_intent(double, clerk, intent_id, order):
    assert record(clerk, order).status_code == 201
    assert double.intent(intent_id)["status"] == "canceled"
    assert statuses(order) == ("paid", "canceled", "succeeded")
    assert broken_invariants() == []


def test_recorded_payment_with_stripe_unreachable_is_recorded_and_the_job_cancels(
    double, clerk, intent_id, order, settings
):
    stripe, settings.STRIPE_API_BASE = settings.STRIPE_API_BASE, "http://127.0.0.1:9"
    assert record(clerk, order).status_code == 201
    settings.STRIPE_API_BASE = stripe
    make_due()
    expiry.cancel_stale_intents()
    assert double.intent(intent_id)["status"] == "canceled"


def test_recorded_payment_of_an_intent_that_was_paid_makes_that_surplus(double, client, clerk, intent_id, order):
    double.confirm(intent_id)  # its event is on the way
    assert record(clerk, order).status_code == 201
    assert statuses(order) == ("paid", "surplus", "succeeded")
    event = build_event(double.intent(intent_id), "payment_intent.succeeded")
    assert post_event(client, event).status_code == 200
    assert statuses(order) == ("paid", "surplus", "succeeded")
    assert outcome(refund(clerk, order, payment=intent_id)) == (201, None)
    assert broken_invariants() == []


@pytest.mark.django_db(transaction=True)
def test_recorded_payment_at_once_by_two_is_recorded_once(clerk, order):
    answers = run_concurrently(4, lambda: record(clerk, order))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert (Payment.objects.count(), Payout.objects.count()) == (1, 1)
    assert broken_invariants() == []


def test_payout_of_a_payment_recorded_by_staff_is_made_by_hand(double, clerk, order, settings, seller):
    settings.STRIPE_CONNECT, settings.SELLER_COMMISSION_PERCENT = True, Decimal(10)
    onboarded(seller)
    record(clerk, order)
    payout = Payout.objects.get()
    assert (payout.route, payout.status, payout.owed) == ("manual", "due", Decimal("17.99"))
    make_due()
    assert transfers.send_due() == 0
    row = report()[0]
    assert (row["due_now"], row["route"], row["payment"]) == ("17.99", "manual", "bank_transfer")


def test_payout_of_a_payment_recorded_by_the_seller_is_outside(seller_client, order, settings):
    settings.OFFLINE_PAYMENTS, settings.SELLER_COMMISSION_PERCENT = True, Decimal(10)
    record(seller_client, order)
    payout = Payout.objects.get()
    assert (payout.route, payout.status, payout.owed, payout.fee) == ("outside", "outside", 0, Decimal("2.00"))
    row = report()[0]
    assert (row["due_now"], row["owed_back"], row["fee"], row["status"]) == ("0.00", "0.00", "2.00", "outside")
    assert refund(seller_client, order, amount="5", method="cash", refunded_on=TODAY).status_code == 201
    payout.refresh_from_db()
    assert (payout.status, payout.owed) == ("outside", 0)
    assert broken_invariants() == []


def test_refund_of_a_recorded_payment_is_recorded(clerk, staff, order, winner):
    record(clerk, order)
    answer = refund(clerk, order, amount="5", method="cash", reference="Till 3", refunded_on=TODAY)
    assert answer.status_code == 201, answer.content
    shown = answer.json()["refund"]
    assert (shown["status"], shown["method"], shown["reference"], shown["payment_intent_id"]) == (
        "succeeded",
        "cash",
        "Till 3",
        None,
    )
    made = Refund.objects.get()
    assert (made.requested_by, made.stripe_refund_id, made.dated.isoformat()) == (staff, None, TODAY)
    assert answer.json()["order"]["refunded"] == "5.00"
    said = OrderEvent.objects.get(kind="refunded")
    assert (said.role, said.actor, said.data["method"]) == ("staff", staff, "cash")
    assert notified(order, "refund_issued") == [1, 1]
    assert "14.99" in winner.get(f"{URL}{order.pk}/receipt/").content.decode()
    assert outcome(refund(clerk, order, amount="15", method="cash", refunded_on=TODAY)) == (409, "refund_too_large")
    assert refund(clerk, order, method="cash", refunded_on=TODAY).status_code == 201
    assert Payout.objects.get().status == "void"
    assert broken_invariants() == []


def test_refund_of_a_recorded_payment_says_how(clerk, seller_client, order):
    record(clerk, order)
    assert list(refund(clerk, order).json()["errors"]) == ["method"]
    assert list(refund(clerk, order, method="cash").json()["errors"]) == ["refunded_on"]
    assert list(refund(clerk, order, method="cash", refunded_on="2199-01-01").json()["errors"]) == ["refunded_on"]
    assert outcome(refund(seller_client, order, method="cash", refunded_on=TODAY)) == (403, "permission_denied")
    assert not Refund.objects.exists()


def test_refund_of_a_stripe_payment_with_a_method_is_400(double, clerk, winner, product, order, intent_id):
    double.confirm(intent_id)
    request_intent(winner, product)
    assert list(refund(clerk, order, method="cash", refunded_on=TODAY).json()["errors"]) == ["method"]
    assert not Refund.objects.exists()


def test_reconciliation_does_not_look_for_recorded_payments_at_stripe(double, clerk, order):
    record(clerk, order)
    refund(clerk, order, amount="5", method="cash", refunded_on=TODAY)
    assert reconcile().differences == []


def test_export_shows_recorded_payments_and_refunds(clerk, order, winner):
    record(clerk, order)
    refund(clerk, order, amount="5", method="cash", refunded_on=TODAY)
    (purchase,) = winner.get("/api/users/me/export/").json()["purchases"]
    (payment,) = purchase["payments"]
    assert (payment["method"], payment["reference"], payment["received_on"]) == ("bank_transfer", "RF18 5390", TODAY)
    assert payment["refunds"][0]["method"] == "cash"


def test_record_in_the_admin_asks_for_confirmation(order):
    admin = admin_pages.clerk("view_order", "add_payment", "add_refund")
    asked = act(admin, Order, "record_payment", [order]).content.decode()
    assert 'name="method"' in asked
    given = {
        "confirmed": "yes",
        "amount": "19.99",
        "method": "check",
        "reference": "No. 7",
        "day": TODAY,
        "reason": "By mail.",
    }
    assert (
        "The amount due is 19.99 USD."
        in act(admin, Order, "record_payment", [order], **given | {"amount": "1"}).content.decode()
    )
    assert "Enter a plain" in act(admin, Order, "record_payment", [order], **given | {"amount": "x"}).content.decode()
    assert not Payment.objects.exists()
    assert "paid." in act(admin, Order, "record_payment", [order], **given).content.decode()
    payment = Payment.objects.get()
    assert (payment.recorded_by, payment.method, payment.reference) == (admin_pages.user(admin), "check", "No. 7")
    assert 'name="method"' in act(admin, Order, "record_refund", [order]).content.decode()
    assert not Refund.objects.exists()
    text = act(admin, Order, "record_refund", [order], **given | {"amount": "4.99"}).content.decode()
    assert "4.99 USD refunded." in text
    assert Refund.objects.get().requested_by == admin_pages.user(admin)
    assert broken_invariants() == []


def test_record_in_the_admin_without_permission_changes_nothing(order):
    given = {
        "confirmed": "yes",
        "amount": "19.99",
        "method": "check",
        "reference": "",
        "day": TODAY,
        "reason": "By mail.",
    }
    act(admin_pages.clerk("view_order"), Order, "record_payment", [order], **given)
    assert not Payment.objects.exists()


def test_staff_without_a_note_record_and_refund_nothing(clerk, order, double):
    assert record(clerk, order, note=None).json()["errors"].keys() == {"note"}
    assert not Payment.objects.exists()
    record(clerk, order)
    refused = clerk.post(f"{URL}{order.pk}/refund/", {"method": "cash", "refunded_on": TODAY}, format="json")
    assert (refused.status_code, refused.json()["errors"].keys()) == (400, {"note"})
    assert not Refund.objects.exists()


def test_act_of_staff_on_an_order_without_actor_or_note_is_found(clerk, order, staff):
    record(clerk, order)
    event = OrderEvent.objects.get(kind="paid")
    assert find_violations("25") == {}
    for wrong in ({"actor": None}, {"data": {}}, {"data": {"note": ""}}):
        before = {"actor": event.actor, "data": event.data}
        OrderEvent.objects.filter(pk=event.pk).update(**wrong)
        assert find_violations("25") == {
            "25 what staff did to an order names who and why": [
                f"event {event.pk} of an order was caused by staff and does not say by whom or why"
            ]
        }
        OrderEvent.objects.filter(pk=event.pk).update(**before)
