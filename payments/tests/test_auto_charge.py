"""The winner's chosen card is charged after the close, once, whatever fails."""

from __future__ import annotations

from datetime import timedelta

import pytest

from auctioncraft.core import clock
from payments import stripe_gateway
from payments.models import Customer, Order, OrderEvent, Payment
from payments.services import auto_charge, checkout, payment_sync, stripe_request
from payments.signals import payment_failed, payment_succeeded
from payments.tests.card_helpers import URL, save
from payments.tests.conftest import (
    broken_invariants,
    build_event,
    make_due,
    post_event,
    request_intent,
    run_concurrently,
    sell,
    statuses,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _auto_charge_enabled(settings):
    settings.AUTO_CHARGE = True


@pytest.fixture
def outcomes():
    """The outcomes of payments that were announced by signals."""
    announced = []

    def failed(order, **_):
        announced.append("failed")

    def paid(order, **_):
        announced.append("paid")

    payment_failed.connect(failed)
    payment_succeeded.connect(paid)
    yield announced
    payment_failed.disconnect(failed)
    payment_succeeded.disconnect(paid)


def sell_to(seller, bidder, price="19.99", **fields):
    return Order.objects.get(product=sell(seller, bidder, price, **fields))


def charges(double, order):
    """Return the statuses of the charges of an order at Stripe."""
    ids = [payment.stripe_intent_id for payment in order.payments.all()]
    found = double.get("/v1/charges", limit=100)["data"]
    return sorted(row["status"] for row in found if row["payment_intent"] in ids)


def intents_at_stripe(double, order):
    """Return the intents of the order's buyer at Stripe."""
    customer = Customer.objects.get(user_id=order.buyer_id).stripe_customer_id
    return [intent for intent in double.intents() if intent["customer"] == customer]


def kinds(order):
    return list(order.history.values_list("kind", "role"))


def test_auto_charge_charges_the_chosen_card(double, winner, seller, bidder, outcomes):
    save(winner, double, "pm_card_mastercard")
    card = save(winner, double, charge=True)
    order = sell_to(seller, bidder)
    assert order.auto_charge == "due"
    assert auto_charge.charge_winners() == 1

    assert statuses(order) == ("paid", "succeeded")
    payment = order.payments.get()
    intent = double.intent(payment.stripe_intent_id)
    assert (intent["payment_method"], intent["amount_received"]) == (card.stripe_payment_method_id, 1999)
    assert (order.auto_charge, outcomes, charges(double, order)) == ("done", ["paid"], ["succeeded"])
    assert kinds(order) == [("opened", "system"), ("payment_started", "system"), ("paid", "stripe")]
    assert auto_charge.charge_winners() == 0
    assert broken_invariants() == []


@pytest.mark.parametrize("price", ["500", "1.230"], ids=["JPY", "KWD"])
def test_auto_charge_uses_the_currency_of_the_order(double, winner, seller, bidder, price):
    save(winner, double, charge=True)
    order = sell_to(seller, bidder, price, currency="JPY" if price == "500" else "KWD")
    auto_charge.charge_winners()
    assert statuses(order) == ("paid", "succeeded")
    assert double.intent(order.payments.get().stripe_intent_id)["amount_received"] == int(price.replace(".", ""))


def test_auto_charge_without_chosen_card_does_nothing(double, winner, seller, bidder):
    save(winner, double)
    assert sell_to(seller, bidder).auto_charge == ""


def test_auto_charge_when_disabled_charges_nobody(double, winner, seller, bidder, settings):
    save(winner, double, charge=True)
    first = sell_to(seller, bidder)
    settings.AUTO_CHARGE = False
    assert sell_to(seller, bidder).auto_charge == ""
    # Nor orders that were due when it was enabled.
    auto_charge.charge_winners()
    assert (*statuses(first), intents_at_stripe(double, first)) == ("awaiting_payment", [])


def test_auto_charge_unset_before_the_job_is_not_made(double, winner, seller, bidder):
    card = save(winner, double, charge=True)
    order = sell_to(seller, bidder)
    winner.patch(f"{URL}{card.pk}/", {"charge_when_winning": False})
    assert auto_charge.charge_winners() == 1
    assert (*statuses(order), order.auto_charge) == ("awaiting_payment", "done")


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ("pm_card_authenticationRequired", "authentication_required"),
        ("pm_card_chargeCustomerFail", "generic_decline"),
    ],
)
def test_auto_charge_declined_is_tried_once_and_the_order_stays_payable(
    client, double, winner, seller, bidder, outcomes, card, reason
):
    save(winner, double, card, charge=True)
    order = sell_to(seller, bidder)
    assert auto_charge.charge_winners() == 1
    assert (*statuses(order), order.auto_charge) == ("awaiting_payment", "open", "done")
    payment = order.payments.get()
    assert (payment.decline_code, charges(double, order), outcomes) == (reason, ["failed"], [])
    # Stripe's event notifies the buyer, once.
    post_event(client, build_event(double.intent(payment.stripe_intent_id), "payment_intent.payment_failed"))
    assert outcomes == ["failed"]
    assert auto_charge.charge_winners() == 0
    # The buyer pays with the same intent.
    assert request_intent(winner, order.product).json()["payment_intent_id"] == payment.stripe_intent_id
    double.confirm(payment.stripe_intent_id)
    post_event(client, build_event(double.intent(payment.stripe_intent_id), "payment_intent.succeeded", "evt_2"))
    assert (*statuses(order), outcomes) == ("paid", "succeeded", ["failed", "paid"])


def test_auto_charge_of_card_detached_at_stripe_fails_and_is_announced(double, winner, seller, bidder, outcomes):
    card = save(winner, double, charge=True)
    order = sell_to(seller, bidder)
    double.post(f"/v1/payment_methods/{card.stripe_payment_method_id}/detach")
    auto_charge.charge_winners()
    assert (*statuses(order), order.auto_charge, outcomes) == ("awaiting_payment", "open", "done", ["failed"])
    assert order.history.get(kind=OrderEvent.Kind.PAYMENT_FAILED).role == "system"


def test_auto_charge_of_unchargeable_amount_is_not_made(double, winner, seller, bidder, outcomes, settings):
    settings.OFFLINE_PAYMENTS = True
    save(winner, double, charge=True)
    order = sell_to(seller, bidder, "1.234", currency="KWD")
    auto_charge.charge_winners()
    order.refresh_from_db()
    assert (order.auto_charge, order.status, outcomes) == ("done", "awaiting_payment", ["failed"])
    assert order.history.last().data == {"reason": "amount_not_chargeable"}


@pytest.mark.parametrize("card", ["pm_card_threeDSecure2Required", "pm_usBankAccount_processing"])
def test_auto_charge_while_the_buyer_is_paying_is_not_made(double, winner, seller, bidder, card):
    save(winner, double, charge=True)
    order = sell_to(seller, bidder)
    intent = request_intent(winner, order.product).json()["payment_intent_id"]
    double.confirm(intent, card)
    before = double.intent(intent)
    assert auto_charge.charge_winners() == 1
    assert (double.intent(intent), Order.objects.get().auto_charge) == (before, "done")


def test_auto_charge_after_a_declined_checkout_is_not_made(double, winner, seller, bidder):
    save(winner, double, charge=True)
    order = sell_to(seller, bidder)
    double.confirm(request_intent(winner, order.product).json()["payment_intent_id"], "pm_card_chargeDeclined")
    auto_charge.charge_winners()
    assert (*statuses(order), charges(double, order)) == ("awaiting_payment", "open", ["failed"])


def test_auto_charge_after_payment_is_not_made(client, double, winner, seller, bidder):
    save(winner, double, charge=True)
    order = sell_to(seller, bidder)
    intent = request_intent(winner, order.product).json()["payment_intent_id"]
    double.confirm(intent)
    # The event was not delivered yet.
    auto_charge.charge_winners()
    assert (*statuses(order), order.auto_charge, charges(double, order)) == ("paid", "succeeded", "done", ["succeeded"])


@pytest.mark.django_db(transaction=True)
def test_auto_charge_by_concurrent_workers_charges_once(slow_double, as_user, seller, bidder):
    save(as_user(bidder), slow_double, charge=True)
    order = sell_to(seller, bidder)
    run_concurrently(4, auto_charge.charge_winners)
    auto_charge.charge_winners()
    assert (*statuses(order), charges(slow_double, order)) == ("paid", "succeeded", ["succeeded"])


def test_auto_charge_with_stripe_unreachable_stays_due_for_a_day(double, winner, seller, bidder, settings):
    save(winner, double, charge=True)
    order = sell_to(seller, bidder)
    url, settings.STRIPE_API_BASE = settings.STRIPE_API_BASE, "http://127.0.0.1:9"
    assert auto_charge.charge_winners() == 0
    assert (*statuses(order), order.auto_charge) == ("awaiting_payment", "creating", "due")
    Order.objects.update(created_at=clock.now() - timedelta(hours=25))
    make_due()
    assert auto_charge.charge_winners() == 1
    settings.STRIPE_API_BASE = url
    assert (auto_charge.charge_winners(), *statuses(order)) == (0, "awaiting_payment", "creating")


@pytest.mark.parametrize("path", ["/v1/payment_intents", "/v1/payment_intents/pi_"], ids=["making", "charging"])
@pytest.mark.parametrize("fault", ["500", "429", "reset", "timeout_after_create"])
def test_auto_charge_after_stripe_failures_charges_once(double, winner, seller, bidder, fault, path):
    save(winner, double, charge=True)
    order = sell_to(seller, bidder)
    double.fail_next(fault, path=path)
    for _ in range(3):
        auto_charge.charge_winners()
        make_due()
    assert (*statuses(order), order.auto_charge) == ("paid", "succeeded", "done")
    assert (charges(double, order), len(intents_at_stripe(double, order))) == (["succeeded"], 1)


class Killed(BaseException):
    """Like `kill -9`: not caught, and an open transaction is rolled back."""


def _killed_after(monkeypatch, module, name):
    """Raise Killed after the first call of `module.name`."""
    real = getattr(module, name)

    def work_and_raise(*args, **kwargs):
        monkeypatch.setattr(module, name, real)
        real(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(module, name, work_and_raise)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("module", "name"),
    [
        (checkout, "_claim"),
        (stripe_gateway, "create_intent"),
        (checkout, "_record"),
        (stripe_gateway, "charge_saved_card"),
        (payment_sync, "apply"),
        (auto_charge, "_mark_done"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_auto_charge_after_a_kill_at_any_point_charges_once(double, as_user, seller, bidder, monkeypatch, module, name):
    save(as_user(bidder), double, charge=True)
    order = sell_to(seller, bidder)
    _killed_after(monkeypatch, module, name)
    with pytest.raises(Killed):
        auto_charge.charge_winners()
    assert Order.objects.get().auto_charge == "due"

    make_due()
    assert auto_charge.charge_winners() == 1
    assert (*statuses(order), order.auto_charge) == ("paid", "succeeded", "done")
    assert (charges(double, order), len(intents_at_stripe(double, order))) == (["succeeded"], 1)
    assert kinds(order).count(("paid", "stripe")) == 1
    assert broken_invariants() == []


@pytest.mark.django_db(transaction=True)
def test_auto_charge_without_stored_key_leaves_a_second_intent_after_a_kill(
    double, as_user, seller, bidder, monkeypatch
):
    """The negative control: the key is stored before Stripe is called so that this does not happen."""
    save(as_user(bidder), double, charge=True)
    order = sell_to(seller, bidder)
    _killed_after(monkeypatch, stripe_gateway, "create_intent")
    with pytest.raises(Killed):
        auto_charge.charge_winners()
    stripe_request.replace_key(Payment.objects.get())
    make_due()
    auto_charge.charge_winners()
    assert (len(intents_at_stripe(double, order)), charges(double, order)) == (2, ["succeeded"])
