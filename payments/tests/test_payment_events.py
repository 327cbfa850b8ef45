"""POST /api/stripe/webhook/: what events do."""

from __future__ import annotations

import pytest

from auctions.models import Auction
from payments import stripe_gateway
from payments.models import Order, Payment, StripeEvent
from payments.signals import payment_failed, payment_succeeded
from payments.tests.conftest import broken_invariants, build_event, post_event, request_intent, statuses
from payments.tests.expiry_helpers import expire

pytestmark = pytest.mark.django_db

SUCCEEDED = "payment_intent.succeeded"
FAILED = "payment_intent.payment_failed"


@pytest.fixture
def intent_id(double, winner, product):
    """The live intent of `order`."""
    return request_intent(winner, product).json()["payment_intent_id"]


@pytest.fixture
def heard():
    """What the apps above heard of."""
    seen = []

    def on_success(order, **_):
        seen.append(("succeeded", order.pk))

    def on_failure(order, **_):
        seen.append(("failed", order.pk))

    payment_succeeded.connect(on_success)
    payment_failed.connect(on_failure)
    yield seen
    payment_succeeded.disconnect(on_success)
    payment_failed.disconnect(on_failure)


def tell(client, double, intent_id, kind, event_id="evt_1"):
    answer = post_event(client, build_event(double.intent(intent_id), kind, event_id))
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    return StripeEvent.objects.get(pk=event_id)


def test_a_success_pays_the_order(client, double, intent_id, order, heard):
    double.confirm(intent_id)
    event = tell(client, double, intent_id, SUCCEEDED)
    assert statuses(order) == ("paid", "succeeded")
    assert order.paid_at == Payment.objects.get().succeeded_at == Auction.objects.get().paid_at
    assert (event.type, event.attempts, event.error, event.flag) == (SUCCEEDED, 1, "", "")
    assert event.processed_at is not None
    assert heard == [("succeeded", order.pk)]
    assert broken_invariants() == []


def test_the_client_secret_is_not_kept(client, double, intent_id):
    event = tell(client, double, intent_id, SUCCEEDED)
    assert event.payload["data"]["object"]["client_secret"] is None
    assert "_secret_" not in str(event.payload)


def test_a_repeated_event_has_one_effect(client, double, intent_id, order, heard):
    double.confirm(intent_id)
    first = tell(client, double, intent_id, SUCCEEDED)
    again = tell(client, double, intent_id, SUCCEEDED)
    assert (again.processed_at, again.attempts) == (first.processed_at, 1)
    assert heard == [("succeeded", order.pk)]


def test_another_event_of_the_same_success_has_no_second_effect(client, double, intent_id, order, heard):
    double.confirm(intent_id)
    tell(client, double, intent_id, SUCCEEDED)
    assert tell(client, double, intent_id, SUCCEEDED, "evt_2").flag == ""
    assert (statuses(order), heard) == (("paid", "succeeded"), [("succeeded", order.pk)])


def test_a_verified_success_is_final_and_needs_no_second_look(client, double, intent_id, order, settings):
    paid = {**double.intent(intent_id), "status": "succeeded", "amount_received": 1999}
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    assert post_event(client, build_event(paid, SUCCEEDED)).status_code == 200
    assert statuses(order) == ("paid", "succeeded")


@pytest.mark.parametrize("amount", ["1999", 1999.0, True, None, [], -1999])
def test_an_amount_that_is_no_amount_pays_nothing(client, double, intent_id, order, amount):
    odd = {**double.intent(intent_id), "status": "succeeded", "amount": amount, "amount_received": amount}
    assert post_event(client, build_event(odd, SUCCEEDED)).status_code == 200
    assert StripeEvent.objects.get().flag == "amount_mismatch"
    assert statuses(order) == ("awaiting_payment", "surplus")


def test_a_decline_is_told_and_the_order_stays_payable(client, double, intent_id, order, heard):
    double.confirm(intent_id, "pm_card_visa_chargeDeclinedInsufficientFunds")
    tell(client, double, intent_id, FAILED)
    assert statuses(order) == ("awaiting_payment", "open")
    assert Payment.objects.get().last_error == "insufficient_funds"
    assert heard == [("failed", order.pk)]
    double.confirm(intent_id)
    tell(client, double, intent_id, SUCCEEDED, "evt_2")
    assert (statuses(order), Payment.objects.get().last_error) == (("paid", "succeeded"), "")


def test_a_decline_that_arrives_after_the_success_changes_nothing(client, double, intent_id, order, heard):
    double.confirm(intent_id, "pm_card_chargeDeclined")
    late = build_event(double.intent(intent_id), FAILED, "evt_late")
    double.confirm(intent_id)
    tell(client, double, intent_id, SUCCEEDED)
    assert post_event(client, late).status_code == 200
    assert (statuses(order), heard) == (("paid", "succeeded"), [("succeeded", order.pk)])


def test_a_decline_delivered_first_but_overtaken_pays_at_once(client, double, intent_id, order, heard):
    double.confirm(intent_id, "pm_card_chargeDeclined")
    late = build_event(double.intent(intent_id), FAILED, "evt_late")
    double.confirm(intent_id)
    post_event(client, late)
    assert (statuses(order), heard) == (("paid", "succeeded"), [("succeeded", order.pk)])


@pytest.mark.parametrize(
    ("card", "kind"),
    [
        ("pm_card_threeDSecure2Required", "payment_intent.requires_action"),
        ("pm_usBankAccount_processing", "payment_intent.processing"),
    ],
)
def test_3d_secure_and_processing_leave_the_order_payable(client, double, intent_id, order, card, kind):
    double.confirm(intent_id, card)
    assert tell(client, double, intent_id, kind).flag == ""
    assert statuses(order) == ("awaiting_payment", "open")


def test_a_canceled_intent_frees_the_order_for_another(client, double, intent_id, order, winner, product):
    double.cancel(intent_id)
    tell(client, double, intent_id, "payment_intent.canceled")
    assert statuses(order) == ("awaiting_payment", "canceled")
    assert request_intent(winner, product).json()["payment_intent_id"] != intent_id


def test_an_unknown_intent_is_kept_and_flagged(client, stripe_unreachable):
    assert post_event(client, build_event({"id": "pi_other"}, SUCCEEDED)).status_code == 200
    event = StripeEvent.objects.get()
    assert (event.flag, event.processed_at is None) == ("unknown_intent", False)


def test_an_intent_that_stripe_knows_no_more_is_flagged(client, double, intent_id, order):
    Payment.objects.update(stripe_intent_id="pi_gone")
    assert post_event(client, build_event({"id": "pi_gone"}, FAILED)).status_code == 200
    assert (StripeEvent.objects.get().flag, statuses(order)) == ("unknown_intent", ("awaiting_payment", "open"))


@pytest.mark.parametrize("data", [None, [], "x", {}, {"object": None}, {"object": []}, {"object": {"id": 7}}])
def test_an_event_about_nothing_is_flagged(client, data):
    assert post_event(client, build_event({}, SUCCEEDED, data=data)).status_code == 200
    assert StripeEvent.objects.get().flag == "unknown_intent"


def test_other_types_are_kept_and_do_nothing(client, stripe_unreachable):
    assert post_event(client, build_event({"id": "cus_1"}, "customer.created")).status_code == 200
    event = StripeEvent.objects.get()
    assert (event.type, event.flag, event.processed_at is None) == ("customer.created", "", False)


@pytest.mark.parametrize(
    ("change", "flag"), [({"amount": 1998}, "amount_mismatch"), ({"currency": "eur"}, "currency_mismatch")]
)
def test_a_wrong_amount_or_currency_is_not_paid_and_flagged(client, double, intent_id, order, heard, change, flag):
    double.post(f"/v1/payment_intents/{intent_id}", **change)
    double.confirm(intent_id)
    assert tell(client, double, intent_id, SUCCEEDED).flag == flag
    assert (statuses(order), heard) == (("awaiting_payment", "surplus"), [])
    assert broken_invariants() == []


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_a_success_for_an_order_that_is_over_is_surplus(client, double, intent_id, order, heard, status):
    if status == "expired":
        expire(order.product)
    else:
        Order.objects.update(status=status)
    double.confirm(intent_id)
    assert tell(client, double, intent_id, SUCCEEDED).flag == f"surplus_order_{status}"
    assert (statuses(order), heard) == ((status, "surplus"), [])
    assert broken_invariants() == []


def test_a_second_success_is_surplus(client, double, intent_id, order, heard):
    double.confirm(intent_id)
    tell(client, double, intent_id, SUCCEEDED)
    other = double.create()["id"]
    Payment.objects.create(order=order, stripe_intent_id=other, amount=order.total, currency="USD", status="canceled")
    double.confirm(other)
    assert tell(client, double, other, SUCCEEDED, "evt_2").flag == "surplus_order_paid"
    assert tell(client, double, other, SUCCEEDED, "evt_3").flag == "surplus"
    assert (statuses(order), heard) == (("paid", "succeeded", "surplus"), [("succeeded", order.pk)])
    assert broken_invariants() == []


def test_money_on_a_canceled_payment_still_pays_the_order(client, double, intent_id, order):
    Payment.objects.update(status="canceled")
    double.confirm(intent_id)
    tell(client, double, intent_id, SUCCEEDED)
    assert statuses(order) == ("paid", "succeeded")


def test_an_intent_of_the_other_mode_is_not_believed(client, double, intent_id, order, monkeypatch):
    double.confirm(intent_id)
    seen = stripe_gateway.retrieve_intent(intent_id)
    fields = {name: getattr(seen, name) for name in seen.__slots__}
    live = stripe_gateway.Intent(**{**fields, "livemode": True})
    monkeypatch.setattr(stripe_gateway, "retrieve_intent", lambda _: live)
    assert tell(client, double, intent_id, FAILED).flag == "wrong_mode"
    assert statuses(order) == ("awaiting_payment", "open")


@pytest.mark.parametrize(("price", "currency"), [("5000", "JPY"), ("5.120", "KWD"), ("500", "ISK")])
def test_other_currencies_are_paid_exactly(client, double, winner, seller, bidder, price, currency):
    from payments.tests.conftest import sell

    intent_id = request_intent(winner, sell(seller, bidder, price, currency=currency)).json()["payment_intent_id"]
    double.confirm(intent_id)
    tell(client, double, intent_id, SUCCEEDED)
    assert statuses(Order.objects.get()) == ("paid", "succeeded")
