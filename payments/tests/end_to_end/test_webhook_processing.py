"""POST /api/stripe/webhook/: twice, ten at once, out of order, unknown, of wrong amounts, for orders that are over."""

from __future__ import annotations

import pytest
from django.core import mail

from payments.models import Dispute, Order, Payment, Refund, StripeEvent
from payments.services import expiry
from payments.tests.conftest import broken_invariants, build_event, run_concurrently, sell, statuses
from payments.tests.end_to_end.state_helpers import notified, read_flags, send_due_emails
from tests.time_travel import advance_time

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]

SUCCEEDED = "payment_intent.succeeded"
FAILED = "payment_intent.payment_failed"


def ok(answer):
    assert (answer.status_code, answer.json()) == (200, {"received": True})


def test_a_success_pays_the_order(server, at_stripe, intent_id, order, buyer):
    at_stripe.double.confirm(intent_id)
    ok(server.deliver(at_stripe.event(SUCCEEDED, intent_id)))
    assert (statuses(order), buyer.order(order)["status"], read_flags(), broken_invariants()) == (
        ("paid", "succeeded"),
        "paid",
        [""],
        [],
    )


def test_the_same_event_twice_has_one_effect(server, at_stripe, intent_id, order, bidder, seller):
    at_stripe.double.confirm(intent_id)
    for _ in range(2):
        ok(server.deliver(at_stripe.event(SUCCEEDED, intent_id)))
    assert (statuses(order), StripeEvent.objects.get().attempts) == (("paid", "succeeded"), 1)
    assert (notified("payment_succeeded", bidder), notified("payment_succeeded", seller)) == ((1, 1), (1, 1))


def test_the_same_event_days_later_has_no_second_effect(server, at_stripe, paid, order):
    before = StripeEvent.objects.values().get()
    ok(server.deliver(at_stripe.event(SUCCEEDED, paid)))
    assert (StripeEvent.objects.values().get(), statuses(order)) == (before, ("paid", "succeeded"))


def test_ten_deliveries_of_one_event_at_once_have_one_effect_and_one_receipt(
    server, at_stripe, intent_id, order, bidder
):
    at_stripe.double.confirm(intent_id)
    event = at_stripe.event(SUCCEEDED, intent_id)
    assert run_concurrently(10, lambda: server.deliver(event).status_code) == [200] * 10
    assert (statuses(order), StripeEvent.objects.get().attempts) == (("paid", "succeeded"), 1)
    assert notified("payment_succeeded", bidder) == (1, 1)
    for _ in range(2):
        send_due_emails()
    to_buyer = [sent.subject for sent in mail.outbox if sent.to == [bidder.email] and "aid" in sent.subject]
    assert len(to_buyer) == 1
    assert broken_invariants() == []


def test_ten_events_of_one_success_at_once_have_one_effect_and_one_receipt(server, at_stripe, intent_id, order, bidder):
    at_stripe.double.confirm(intent_id)
    event, ids = at_stripe.event(SUCCEEDED, intent_id), iter(range(10))
    assert run_concurrently(10, lambda: server.deliver({**event, "id": f"evt_{next(ids)}"}).status_code) == [200] * 10
    assert (statuses(order), notified("payment_succeeded", bidder)) == (("paid", "succeeded"), (1, 1))
    assert (StripeEvent.objects.filter(processed_at=None).count(), read_flags()) == (0, [""] * 10)


@pytest.mark.parametrize(
    "late", [FAILED, "payment_intent.processing", "payment_intent.requires_action", "payment_intent.canceled"]
)
def test_an_event_that_comes_after_the_success_it_preceded_changes_nothing(
    server, at_stripe, paid, order, bidder, late
):
    early = build_event({"id": paid, "status": "requires_payment_method"}, late, "evt_late")
    ok(server.deliver(early))
    assert (statuses(order), read_flags(), notified("payment_failed", bidder)) == (
        ("paid", "succeeded"),
        ["", ""],
        (0, 0),
    )


def test_a_decline_that_a_success_overtook_pays_the_order_at_once(server, at_stripe, intent_id, order, bidder):
    at_stripe.double.confirm(intent_id, "pm_card_chargeDeclined")
    decline = at_stripe.event(FAILED, intent_id)
    at_stripe.double.confirm(intent_id)
    ok(server.deliver(decline))
    assert (statuses(order), notified("payment_failed", bidder)) == (("paid", "succeeded"), (0, 0))
    ok(server.deliver(at_stripe.event(SUCCEEDED, intent_id)))
    assert (statuses(order), notified("payment_succeeded", bidder)) == (("paid", "succeeded"), (1, 1))


def test_a_refund_that_is_told_before_the_success_loses_neither(server, at_stripe, intent_id, order):
    at_stripe.double.confirm(intent_id)
    at_stripe.double.post("/v1/refunds", payment_intent=intent_id, amount=500)
    ok(server.deliver(at_stripe.event("charge.refunded", intent_id)))
    ok(server.deliver(at_stripe.event(SUCCEEDED, intent_id)))
    ok(server.deliver(at_stripe.event("charge.refunded", intent_id)))
    order.refresh_from_db()
    assert (order.status, str(order.refunded), Refund.objects.get().status) == ("paid", "5.000", "succeeded")
    assert broken_invariants() == []


def test_a_dispute_that_is_told_before_the_success_loses_neither(server, at_stripe, intent_id, order):
    at_stripe.double.confirm(intent_id, "pm_card_createDispute")
    ok(server.deliver(at_stripe.event("charge.dispute.created", at_stripe.charge_of(intent_id))))
    ok(server.deliver(at_stripe.event(SUCCEEDED, intent_id)))
    assert (statuses(order), Dispute.objects.get().status) == (("paid", "succeeded"), "needs_response")
    assert broken_invariants() == []


def test_every_order_of_all_events_of_a_payment_ends_the_same(server, at_stripe, intent_id, order):
    at_stripe.double.confirm(intent_id, "pm_card_chargeDeclined")
    at_stripe.double.confirm(intent_id, "pm_card_threeDSecure2Required")
    at_stripe.double.post(f"/_double/payment_intents/{intent_id}/authenticate", outcome="succeed")
    events = at_stripe.events(intent_id)
    assert len(events) > 4
    for event in reversed(events):
        ok(server.deliver(event))
    assert (statuses(order), set(read_flags()), broken_invariants()) == (("paid", "succeeded"), {""}, [])


@pytest.mark.parametrize(
    ("kind", "subject", "flag"),
    [
        (SUCCEEDED, {"id": "pi_other"}, "unknown_intent"),
        (FAILED, {"id": "pi_other"}, "unknown_intent"),
        ("refund.created", {"object": "refund", "id": "re_other", "payment_intent": "pi_other"}, "unknown_refund"),
        ("charge.refunded", {"object": "charge", "id": "ch_other", "payment_intent": "pi_other"}, "unknown_charge"),
        ("charge.dispute.created", {"object": "dispute", "id": "dp_other"}, "unknown_dispute"),
    ],
)
def test_an_unknown_object_is_200_kept_and_flagged(server, at_stripe, kind, subject, flag):
    ok(server.deliver(build_event(subject, kind)))
    event = StripeEvent.objects.get()
    assert (event.flag, event.processed_at is None) == (flag, False)


@pytest.mark.parametrize("data", [None, [], "x", {}, {"object": None}, {"object": []}, {"object": {"id": 7}}])
def test_an_event_about_nothing_is_200_and_flagged(server, at_stripe, data):
    ok(server.deliver(build_event({}, SUCCEEDED, data=data)))
    assert read_flags() == ["unknown_intent"]


def test_a_type_that_nothing_is_done_about_is_200_and_kept(server, at_stripe):
    ok(server.deliver(build_event({"object": "customer", "id": "cus_1"}, "customer.created")))
    event = StripeEvent.objects.get()
    assert (event.type, event.flag, event.processed_at is None) == ("customer.created", "", False)


@pytest.mark.parametrize("amount", [1998, 2000, 199900, 50])
def test_another_amount_is_200_not_paid_and_flagged(server, at_stripe, intent_id, order, amount):
    at_stripe.double.post(f"/v1/payment_intents/{intent_id}", amount=amount)
    at_stripe.double.confirm(intent_id)
    ok(server.deliver(at_stripe.event(SUCCEEDED, intent_id)))
    assert (statuses(order), read_flags(), broken_invariants()) == (
        ("awaiting_payment", "surplus"),
        ["amount_mismatch"],
        [],
    )


@pytest.mark.parametrize("currency", ["eur", "jpy", "kwd"])
def test_another_currency_is_200_not_paid_and_flagged(server, at_stripe, intent_id, order, currency):
    at_stripe.double.post(f"/v1/payment_intents/{intent_id}", currency=currency, amount=1990)
    at_stripe.double.confirm(intent_id)
    ok(server.deliver(at_stripe.event(SUCCEEDED, intent_id)))
    assert (statuses(order), read_flags()) == (("awaiting_payment", "surplus"), ["currency_mismatch"])


def test_less_received_than_asked_for_is_200_not_paid_and_flagged(server, at_stripe, intent_id, order):
    at_stripe.double.confirm(intent_id)
    event = at_stripe.event(SUCCEEDED, intent_id)
    event["data"]["object"]["amount_received"] = 1
    ok(server.deliver(event))
    assert (statuses(order), read_flags()) == (("awaiting_payment", "surplus"), ["amount_mismatch"])


@pytest.mark.parametrize("amount", ["1999", 1999.0, True, None, [], -1999, 10**30])
def test_an_amount_that_is_no_amount_is_200_and_pays_nothing(server, at_stripe, intent_id, order, amount):
    event = build_event({**at_stripe.double.intent(intent_id), "amount": amount, "amount_received": amount}, SUCCEEDED)
    ok(server.deliver(event))
    assert statuses(order)[0] == "awaiting_payment"
    assert read_flags() == ["amount_mismatch"]


def test_an_order_that_got_a_wrong_amount_can_still_be_paid(server, at_stripe, intent_id, order, buyer, product):
    at_stripe.double.post(f"/v1/payment_intents/{intent_id}", amount=1998)
    at_stripe.double.confirm(intent_id)
    ok(server.deliver(at_stripe.event(SUCCEEDED, intent_id)))
    other = buyer.pay(product).json()["payment_intent_id"]
    at_stripe.double.confirm(other)
    ok(server.deliver(at_stripe.event(SUCCEEDED, other)))
    assert (statuses(order), broken_invariants()) == (("paid", "surplus", "succeeded"), [])


def test_a_success_for_an_expired_order_is_200_recorded_and_flagged(server, at_stripe, intent_id, order, product):
    advance_time(product, days=20)  # with Stripe away for so long that the order expired without its word
    assert expiry.expire_due() == 1
    at_stripe.double.confirm(intent_id)
    ok(server.deliver(at_stripe.event(SUCCEEDED, intent_id)))
    assert (statuses(order), read_flags(), broken_invariants()) == (
        ("expired", "surplus"),
        ["surplus_order_expired"],
        [],
    )


def test_a_success_for_a_cancelled_order_is_200_recorded_and_flagged(server, at_stripe, intent_id, order):
    Order.objects.update(status="cancelled")
    at_stripe.double.confirm(intent_id)
    ok(server.deliver(at_stripe.event(SUCCEEDED, intent_id)))
    assert (statuses(order), read_flags()) == (("cancelled", "surplus"), ["surplus_order_cancelled"])


def test_a_second_success_is_200_recorded_and_flagged(server, at_stripe, paid, order, bidder):
    other = at_stripe.double.create()["id"]
    Payment.objects.create(order=order, stripe_intent_id=other, amount=order.total, currency="USD", status="canceled")
    at_stripe.double.confirm(other)
    ok(server.deliver(at_stripe.event(SUCCEEDED, other)))
    assert (statuses(order), read_flags()) == (("paid", "succeeded", "surplus"), ["", "surplus_order_paid"])
    assert (notified("payment_succeeded", bidder), broken_invariants()) == ((1, 1), [])


@pytest.mark.parametrize(("price", "currency"), [("5000", "JPY"), ("19.99", "EUR"), ("5.120", "KWD"), ("500", "ISK")])
def test_no_two_and_three_decimals_are_paid_exactly(server, at_stripe, seller, bidder, price, currency):
    sold = sell(seller, bidder, price, currency=currency)
    intent_id = server.person(bidder).pay(sold).json()["payment_intent_id"]
    at_stripe.double.confirm(intent_id)
    ok(server.deliver(at_stripe.event(SUCCEEDED, intent_id)))
    assert (statuses(Order.objects.get(product=sold)), read_flags()) == (("paid", "succeeded"), [""])


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("pm_card_chargeDeclined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error"),
    ],
)
def test_a_card_declined_is_200_told_once_and_the_order_still_payable(
    server, at_stripe, intent_id, order, bidder, card, code
):
    at_stripe.double.confirm(intent_id, card)
    for _ in range(2):
        ok(server.deliver(at_stripe.event(FAILED, intent_id)))
    assert (statuses(order), Payment.objects.get().last_error) == (("awaiting_payment", "open"), code)
    assert notified("payment_failed", bidder) == (1, 1)
    at_stripe.double.confirm(intent_id)
    ok(server.deliver(at_stripe.event(SUCCEEDED, intent_id)))
    assert statuses(order) == ("paid", "succeeded")


def test_3d_secure_needed_is_200_and_the_order_still_payable(server, at_stripe, intent_id, order):
    at_stripe.double.confirm(intent_id, "pm_card_threeDSecure2Required")
    ok(server.deliver(at_stripe.event("payment_intent.requires_action", intent_id)))
    assert (statuses(order), read_flags()) == (("awaiting_payment", "open"), [""])
    at_stripe.double.post(f"/_double/payment_intents/{intent_id}/authenticate", outcome="succeed")
    ok(server.deliver(at_stripe.event(SUCCEEDED, intent_id)))
    assert statuses(order) == ("paid", "succeeded")


def test_3d_secure_failed_is_200_and_the_order_still_payable(server, at_stripe, intent_id, order, buyer, product):
    at_stripe.double.confirm(intent_id, "pm_card_threeDSecure2Required")
    at_stripe.double.post(f"/_double/payment_intents/{intent_id}/authenticate", outcome="fail")
    ok(server.deliver(at_stripe.event(FAILED, intent_id)))
    assert statuses(order) == ("awaiting_payment", "open")
    assert buyer.pay(product).json()["payment_intent_id"] == intent_id


@pytest.mark.parametrize(("outcome", "status"), [("succeed", "paid"), ("fail", "awaiting_payment")])
def test_a_payment_that_is_processing_is_200_and_ends_as_the_bank_says(
    server, at_stripe, intent_id, order, outcome, status
):
    at_stripe.double.confirm(intent_id, "pm_usBankAccount_processing")
    ok(server.deliver(at_stripe.event("payment_intent.processing", intent_id)))
    assert statuses(order) == ("awaiting_payment", "open")
    at_stripe.double.post(f"/_double/payment_intents/{intent_id}/settle", outcome=outcome)
    ok(server.deliver(at_stripe.event(SUCCEEDED if outcome == "succeed" else FAILED, intent_id)))
    assert statuses(order)[0] == status


def test_a_canceled_intent_is_200_and_the_order_payable_by_another(server, at_stripe, intent_id, order, buyer, product):
    at_stripe.double.cancel(intent_id)
    ok(server.deliver(at_stripe.event("payment_intent.canceled", intent_id)))
    assert statuses(order) == ("awaiting_payment", "canceled")
    other = buyer.pay(product).json()["payment_intent_id"]
    at_stripe.double.confirm(other)
    ok(server.deliver(at_stripe.event(SUCCEEDED, other)))
    assert (statuses(order), other == intent_id) == (("paid", "canceled", "succeeded"), False)


def test_what_lets_one_pay_is_not_kept(server, at_stripe, intent_id):
    at_stripe.double.confirm(intent_id, "pm_card_threeDSecure2Required")
    for event in at_stripe.events(intent_id):
        ok(server.deliver(event))
    kept = str(list(StripeEvent.objects.values_list("payload", flat=True)))
    assert "_secret_" not in kept
    assert intent_id in kept


def test_when_it_happened_at_stripe_is_kept(server, at_stripe, paid):
    event = StripeEvent.objects.get()
    assert event.created_at.timestamp() == at_stripe.event(SUCCEEDED, paid)["created"]
    assert event.created_at <= event.processed_at
