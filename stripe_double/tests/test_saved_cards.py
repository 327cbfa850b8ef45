"""Paying with a saved card, with and without the customer there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import stripe

from stripe_double.tests.conftest import plain

if TYPE_CHECKING:
    from stripe_double.tests.conftest import Running


def charge_later(double: Running, customer: str, **params: Any) -> stripe.PaymentIntent:
    given = {"customer": customer, "payment_method": double.card_of(customer), "off_session": True, "confirm": True}
    return double.intent(**given | params)


@pytest.mark.parametrize("card", ["pm_card_visa", "pm_card_authenticationRequiredOnSetup"])
def test_saved_card_is_charged_off_session_repeatedly(double: Running, card: str) -> None:
    customer = double.customer(card)
    for _ in range(2):
        paid = charge_later(double, customer)
        assert (paid.status, paid.customer, paid.payment_method) == ("succeeded", customer, double.card_of(customer))
    charge = double.client().v1.charges.retrieve(paid.latest_charge)
    assert (charge.customer, charge.payment_method) == (customer, paid.payment_method)


@pytest.mark.parametrize("card", ["pm_card_authenticationRequired", "pm_card_threeDSecure2Required"])
def test_card_requiring_authentication_is_declined_off_session(double: Running, card: str) -> None:
    customer = double.customer(card)
    saved = double.card_of(customer)
    with pytest.raises(stripe.CardError) as caught:
        charge_later(double, customer)
    error = caught.value.json_body["error"]
    assert (caught.value.http_status, error["code"], error["decline_code"], error["payment_method"]["id"]) == (
        402, "authentication_required", "authentication_required", saved,
    )  # fmt: skip
    intent = double.client().v1.payment_intents.retrieve(error["payment_intent"]["id"])
    assert (intent.status, intent.payment_method, intent.last_payment_error.code) == (
        "requires_payment_method", None, "authentication_required",
    )  # fmt: skip
    assert double.events()[-2:] == ["charge.failed", "payment_intent.payment_failed"]
    # The customer comes back and pays the same intent.
    again = double.client().v1.payment_intents.confirm(intent.id, {"payment_method": saved})
    assert again.status == "requires_action"
    done = double.act(f"payment_intents/{intent.id}/authenticate", outcome="succeed").json()
    assert done["status"] == "succeeded"


def test_card_saved_without_authentication_requires_it_later(double: Running) -> None:
    client, customer = double.client().v1, double.customer()
    client.payment_methods.attach("pm_card_authenticationRequiredOnSetup", {"customer": customer})
    with pytest.raises(stripe.CardError) as caught:
        charge_later(double, customer)
    assert caught.value.code == "authentication_required"


def test_payment_saves_its_card(double: Running) -> None:
    customer = double.customer()
    intent = double.intent(
        customer=customer,
        setup_future_usage="off_session",
        payment_method="pm_card_authenticationRequiredOnSetup",
        confirm=True,
    )
    assert double.client().v1.customers.payment_methods.list(customer).data == []
    double.act(f"payment_intents/{intent.id}/authenticate", outcome="succeed").raise_for_status()
    assert double.card_of(customer) == intent.payment_method
    assert double.events()[-3:] == ["payment_method.attached", "charge.succeeded", "payment_intent.succeeded"]
    assert charge_later(double, customer).status == "succeeded"


def test_payment_declined_saves_no_card(double: Running) -> None:
    customer = double.customer()
    with pytest.raises(stripe.CardError):
        double.intent(
            customer=customer, setup_future_usage="off_session", payment_method="pm_card_chargeDeclined", confirm=True
        )
    assert double.client().v1.customers.payment_methods.list(customer).data == []


def test_saved_card_works_only_for_its_customer(double: Running) -> None:
    customer, stranger = double.customer("pm_card_visa"), double.customer()
    card = double.card_of(customer)
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method") as caught:
        double.intent(customer=stranger, payment_method=card, confirm=True)
    assert (caught.value.code, caught.value.param) == ("resource_missing", "payment_method")
    with pytest.raises(stripe.InvalidRequestError, match=f"belongs to the Customer {customer}"):
        double.intent(payment_method=card, confirm=True)
    # The customer may also be changed under a card that was attached to the intent before.
    intent = double.intent(customer=customer, payment_method=card)
    double.client().v1.payment_intents.update(intent.id, {"customer": stranger})
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method"):
        double.client().v1.payment_intents.confirm(intent.id)
    assert double.client().v1.charges.list().data == []


def test_off_session_requires_confirm_with_secret_key(double: Running) -> None:
    customer = double.customer("pm_card_visa")
    with pytest.raises(stripe.InvalidRequestError, match="when `confirm` is set to true"):
        charge_later(double, customer, confirm=False)
    intent = double.intent(customer=customer)
    with pytest.raises(stripe.InvalidRequestError, match="publishable"):
        double.client("pk_test_double").v1.payment_intents.confirm(
            intent.id, {"client_secret": intent.client_secret, "payment_method": "pm_card_visa", "off_session": True}
        )
    with pytest.raises(stripe.InvalidRequestError, match="Invalid setup_future_usage"):
        double.intent(setup_future_usage="always")


def test_confirm_sets_receipt_email_and_customer(double: Running) -> None:
    customer = double.customer("pm_card_visa")
    intent = double.client().v1.payment_intents.confirm(
        double.intent(customer=customer).id,
        {"payment_method": double.card_of(customer), "receipt_email": "bo@example.com"},
    )
    charge = double.client().v1.charges.retrieve(intent.latest_charge, {"expand": ["customer", "payment_intent"]})
    assert (charge.receipt_email, charge.customer.id) == ("bo@example.com", customer)
    assert plain(charge.payment_intent) == plain(intent)
