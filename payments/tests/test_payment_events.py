"""POST /api/stripe/webhook/: what events about PaymentIntents do to orders and payments."""

from __future__ import annotations

import pytest

from auctions.models import Auction
from payments import stripe_gateway
from payments.models import Order, Payment, StripeEvent
from payments.tests.conftest import broken_invariants, build_event, post_event, request_intent, sell, statuses
from payments.tests.end_to_end.state_helpers import send_notification_emails
from payments.tests.expiry_helpers import expire

pytestmark = pytest.mark.django_db

SUCCEEDED = "payment_intent.succeeded"
FAILED = "payment_intent.payment_failed"


def post_intent_event(client, double, intent_id, kind, event_id="evt_1"):
    """Deliver an event about an intent as it is at Stripe now; return the stored event."""
    answer = post_event(client, build_event(double.intent(intent_id), kind, event_id))
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    return StripeEvent.objects.get(pk=event_id)


def test_success_pays_the_order(client, double, intent_id, order, payment_signals):
    double.confirm(intent_id)
    event = post_intent_event(client, double, intent_id, SUCCEEDED)
    assert statuses(order) == ("paid", "succeeded")
    assert order.paid_at == Payment.objects.get().succeeded_at == Auction.objects.get().paid_at
    assert (event.type, event.attempts, event.last_error, event.flag) == (SUCCEEDED, 0, "", "")
    assert event.processed_at is not None
    assert payment_signals == [("succeeded", order.pk)]
    assert broken_invariants() == []


def test_client_secret_is_not_stored(client, double, intent_id):
    double.confirm(intent_id, "pm_card_threeDSecure2Required")
    event = post_intent_event(client, double, intent_id, "payment_intent.requires_action")
    assert event.payload["data"]["object"]["client_secret"] is None
    assert "_secret_" not in str(event.payload)
    assert intent_id in str(event.payload)


def test_repeated_event_has_one_effect(client, double, intent_id, order, payment_signals):
    double.confirm(intent_id)
    first = post_intent_event(client, double, intent_id, SUCCEEDED)
    before = StripeEvent.objects.values().get()
    again = post_intent_event(client, double, intent_id, SUCCEEDED)
    assert (again.processed_at, again.attempts) == (first.processed_at, 0)
    assert (StripeEvent.objects.values().get(), payment_signals) == (before, [("succeeded", order.pk)])


def test_second_event_of_the_same_success_has_no_effect(client, double, intent_id, order, payment_signals):
    double.confirm(intent_id)
    post_intent_event(client, double, intent_id, SUCCEEDED)
    assert post_intent_event(client, double, intent_id, SUCCEEDED, "evt_2").flag == ""
    assert (statuses(order), payment_signals) == (("paid", "succeeded"), [("succeeded", order.pk)])


def test_success_with_valid_signature_needs_no_request_to_stripe(client, double, intent_id, order, settings):
    paid = {**double.intent(intent_id), "status": "succeeded", "amount_received": 1999}
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    assert post_event(client, build_event(paid, SUCCEEDED)).status_code == 200
    assert statuses(order) == ("paid", "succeeded")


@pytest.mark.parametrize("amount", ["1999", 1999.0, True, None, -1999, 10**30])
def test_success_with_invalid_amount_pays_nothing(client, double, intent_id, order, amount):
    invalid = {**double.intent(intent_id), "status": "succeeded", "amount": amount, "amount_received": amount}
    assert post_event(client, build_event(invalid, SUCCEEDED)).status_code == 200
    assert StripeEvent.objects.get().flag == "amount_mismatch"
    assert statuses(order) == ("awaiting_payment", "surplus")


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "lost_card"),
    ],
)
def test_decline_is_announced_once_and_the_order_stays_payable(
    client, double, intent_id, order, payment_signals, card, code
):
    double.confirm(intent_id, card)
    for _ in range(2):
        post_intent_event(client, double, intent_id, FAILED)
    assert statuses(order) == ("awaiting_payment", "open")
    assert (Payment.objects.get().decline_code, payment_signals) == (code, [("failed", order.pk)])
    double.confirm(intent_id)
    post_intent_event(client, double, intent_id, SUCCEEDED, "evt_2")
    assert (statuses(order), Payment.objects.get().decline_code) == (("paid", "succeeded"), "")


def test_declines_in_a_row_are_one_email_an_hour(client, double, intent_id, order, mailoutbox):
    for number, card in enumerate(["pm_card_chargeDeclined", "pm_card_visa_chargeDeclinedLostCard"] * 3):
        double.confirm(intent_id, card)
        post_intent_event(client, double, intent_id, FAILED, f"evt_{number}")
        send_notification_emails()
    assert order.buyer.notifications.filter(kind="payment_failed").count() == 6
    failed = [message for message in mailoutbox if message.to == [order.buyer.email] and "failed" in message.subject]
    assert len(failed) == 1


@pytest.mark.parametrize("kind", [FAILED, "payment_intent.processing", "payment_intent.canceled"])
def test_older_event_after_the_success_changes_nothing(client, double, intent_id, order, payment_signals, kind):
    double.confirm(intent_id, "pm_card_chargeDeclined")
    late = build_event(double.intent(intent_id), kind, "evt_late")
    double.confirm(intent_id)
    post_intent_event(client, double, intent_id, SUCCEEDED)
    assert post_event(client, late).status_code == 200
    assert (statuses(order), payment_signals) == (("paid", "succeeded"), [("succeeded", order.pk)])


def test_decline_delivered_after_stripe_was_paid_pays_the_order(client, double, intent_id, order, payment_signals):
    double.confirm(intent_id, "pm_card_chargeDeclined")
    late = build_event(double.intent(intent_id), FAILED, "evt_late")
    double.confirm(intent_id)
    post_event(client, late)
    assert statuses(order) == ("paid", "succeeded")
    post_intent_event(client, double, intent_id, SUCCEEDED)
    assert (statuses(order), payment_signals) == (("paid", "succeeded"), [("succeeded", order.pk)])


@pytest.mark.parametrize(("outcome", "status"), [("succeed", "paid"), ("fail", "awaiting_payment")])
def test_3d_secure_leaves_the_order_payable_until_it_ends(
    client, double, intent_id, order, winner, product, outcome, status
):
    double.confirm(intent_id, "pm_card_threeDSecure2Required")
    assert post_intent_event(client, double, intent_id, "payment_intent.requires_action").flag == ""
    assert statuses(order) == ("awaiting_payment", "open")
    double.authenticate(intent_id, outcome)
    post_intent_event(client, double, intent_id, SUCCEEDED if status == "paid" else FAILED, "evt_2")
    assert statuses(order)[0] == status
    if status != "paid":
        assert request_intent(winner, product).json()["payment_intent_id"] == intent_id


@pytest.mark.parametrize(("outcome", "status"), [("succeed", "paid"), ("fail", "awaiting_payment")])
def test_processing_payment_ends_as_the_bank_decides(client, double, intent_id, order, outcome, status):
    double.confirm(intent_id, "pm_usBankAccount_processing")
    assert post_intent_event(client, double, intent_id, "payment_intent.processing").flag == ""
    assert statuses(order) == ("awaiting_payment", "open")
    double.settle(intent_id, outcome)
    post_intent_event(client, double, intent_id, SUCCEEDED if status == "paid" else FAILED, "evt_2")
    assert statuses(order)[0] == status


def test_canceled_intent_is_replaced_by_another(client, double, intent_id, order, winner, product):
    double.cancel(intent_id)
    post_intent_event(client, double, intent_id, "payment_intent.canceled")
    assert statuses(order) == ("awaiting_payment", "canceled")
    assert request_intent(winner, product).json()["payment_intent_id"] != intent_id


def test_unknown_intent_is_stored_and_flagged(client, stripe_unreachable):
    assert post_event(client, build_event({"id": "pi_other"}, SUCCEEDED)).status_code == 200
    event = StripeEvent.objects.get()
    assert (event.flag, event.processed_at is None) == ("unknown_intent", False)


def test_intent_deleted_at_stripe_is_flagged(client, double, intent_id, order):
    Payment.objects.update(stripe_intent_id="pi_gone")
    assert post_event(client, build_event({"id": "pi_gone"}, FAILED)).status_code == 200
    assert (StripeEvent.objects.get().flag, statuses(order)) == ("unknown_intent", ("awaiting_payment", "open"))


@pytest.mark.parametrize("data", [None, [], "x", {}, {"object": None}, {"object": {"id": 7}}])
def test_event_without_object_is_flagged(client, data):
    assert post_event(client, build_event({}, SUCCEEDED, data=data)).status_code == 200
    assert StripeEvent.objects.get().flag == "unknown_intent"


def test_event_of_another_type_is_stored_and_does_nothing(client, stripe_unreachable):
    assert post_event(client, build_event({"id": "cus_1"}, "customer.created")).status_code == 200
    event = StripeEvent.objects.get()
    assert (event.type, event.flag, event.processed_at is None) == ("customer.created", "", False)


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"amount": 1998}, "amount_mismatch"),
        ({"amount": 2000}, "amount_mismatch"),
        ({"currency": "eur"}, "currency_mismatch"),
        ({"currency": "jpy"}, "currency_mismatch"),
    ],
)
def test_success_with_another_amount_or_currency_is_surplus(
    client, double, intent_id, order, winner, product, payment_signals, change, flag
):
    double.post(f"/v1/payment_intents/{intent_id}", **change)
    double.confirm(intent_id)
    assert post_intent_event(client, double, intent_id, SUCCEEDED).flag == flag
    assert (statuses(order), payment_signals) == (("awaiting_payment", "surplus"), [])
    other = request_intent(winner, product).json()["payment_intent_id"]
    double.confirm(other)
    post_intent_event(client, double, other, SUCCEEDED, "evt_2")
    assert (statuses(order), broken_invariants()) == (("paid", "surplus", "succeeded"), [])


def test_success_with_less_received_than_requested_is_surplus(client, double, intent_id, order):
    event = build_event({**double.confirm(intent_id), "amount_received": 1}, SUCCEEDED)
    assert post_event(client, event).status_code == 200
    assert (StripeEvent.objects.get().flag, statuses(order)) == ("amount_mismatch", ("awaiting_payment", "surplus"))


def test_success_for_an_expired_order_is_surplus(client, double, intent_id, order, payment_signals):
    expire(order.product)
    double.confirm(intent_id)
    assert post_intent_event(client, double, intent_id, SUCCEEDED).flag == "surplus_order_expired"
    assert (statuses(order), payment_signals) == (("expired", "surplus"), [])
    assert broken_invariants() == []


def test_second_success_is_surplus(client, double, intent_id, order, payment_signals):
    double.confirm(intent_id)
    post_intent_event(client, double, intent_id, SUCCEEDED)
    other = double.create()["id"]
    Payment.objects.create(order=order, stripe_intent_id=other, amount=order.total, currency="USD", status="canceled")
    double.confirm(other)
    assert post_intent_event(client, double, other, SUCCEEDED, "evt_2").flag == "surplus_order_paid"
    assert post_intent_event(client, double, other, SUCCEEDED, "evt_3").flag == "surplus"
    assert (statuses(order), payment_signals) == (("paid", "succeeded", "surplus"), [("succeeded", order.pk)])
    assert broken_invariants() == []


def test_success_of_a_canceled_payment_pays_the_order(client, double, intent_id, order):
    Payment.objects.update(status="canceled")
    double.confirm(intent_id)
    post_intent_event(client, double, intent_id, SUCCEEDED)
    assert statuses(order) == ("paid", "succeeded")


def test_intent_of_the_other_mode_is_flagged_and_ignored(client, double, intent_id, order, monkeypatch):
    double.confirm(intent_id)
    seen = stripe_gateway.retrieve_intent(intent_id)
    fields = {name: getattr(seen, name) for name in seen.__slots__}
    live = stripe_gateway.Intent(**{**fields, "livemode": True})
    monkeypatch.setattr(stripe_gateway, "retrieve_intent", lambda _: live)
    assert post_intent_event(client, double, intent_id, FAILED).flag == "wrong_mode"
    assert statuses(order) == ("awaiting_payment", "open")


@pytest.mark.parametrize(("price", "currency"), [("5000", "JPY"), ("5.120", "KWD"), ("500", "ISK"), ("19.99", "EUR")])
def test_success_in_other_currencies_pays_the_exact_amount(client, double, winner, seller, bidder, price, currency):
    intent_id = request_intent(winner, sell(seller, bidder, price, currency=currency)).json()["payment_intent_id"]
    double.confirm(intent_id)
    post_intent_event(client, double, intent_id, SUCCEEDED)
    assert statuses(Order.objects.get()) == ("paid", "succeeded")
