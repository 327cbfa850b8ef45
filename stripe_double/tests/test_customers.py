from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import stripe

from stripe_double.tests.conftest import plain

if TYPE_CHECKING:
    from stripe_double.tests.conftest import Running


def test_customer_create_update_and_list(double: Running) -> None:
    customers = double.client().v1.customers
    made = customers.create({"email": "bo@example.com", "name": "Bo", "metadata": {"user": "7"}})
    assert (made.email, made.name, made.metadata.to_dict(), made.livemode) == (
        "bo@example.com",
        "Bo",
        {"user": "7"},
        False,
    )
    changed = customers.update(made.id, {"name": "", "metadata": {"tier": "gold"}})
    assert (changed.name, changed.metadata.to_dict()) == (None, {"user": "7", "tier": "gold"})
    customers.update(made.id, {"email": "bo@example.com"})  # nothing changes, so nothing is announced
    assert double.events() == ["customer.created", "customer.updated"]
    other = customers.create({"email": "bo@example.com"})
    assert [item.id for item in customers.list({"email": "bo@example.com"}).data] == [other.id, made.id]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        customers.create({"email": "nobody"})
    assert caught.value.code == "email_invalid"


def test_customer_deleted_shows_only_deletion(double: Running) -> None:
    customers, customer = double.client().v1.customers, double.customer("pm_card_visa")
    card = double.card_of(customer)
    assert plain(customers.delete(customer)) == {"id": customer, "object": "customer", "deleted": True}
    assert plain(customers.retrieve(customer)) == {"id": customer, "object": "customer", "deleted": True}
    assert customers.list().data == []
    assert double.client().v1.payment_methods.retrieve(card).customer is None
    assert double.events()[-2:] == ["payment_method.detached", "customer.deleted"]
    with pytest.raises(stripe.InvalidRequestError, match="No such customer") as caught:
        double.intent(customer=customer)
    assert (caught.value.code, caught.value.param) == ("resource_missing", "customer")


def test_payment_method_attach_list_and_detach(double: Running) -> None:
    client, customer = double.client().v1, double.customer()
    card = client.payment_methods.attach("pm_card_visa", {"customer": customer})
    assert card.customer == customer
    other = client.payment_methods.attach("pm_card_mastercard", {"customer": customer})
    saved = client.customers.payment_methods.list(customer)
    assert ([item.id for item in saved.data], saved.url) == (
        [other.id, card.id], f"/v1/customers/{customer}/payment_methods",
    )  # fmt: skip
    assert client.payment_methods.list({"customer": customer, "type": "us_bank_account"}).data == []
    assert client.payment_methods.list({"customer": double.customer()}).data == []
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        client.payment_methods.attach(card.id, {"customer": double.customer()})
    assert client.payment_methods.detach(card.id).customer is None
    assert [item.id for item in client.payment_methods.list({"customer": customer}).data] == [other.id]
    assert double.events()[1:3] == ["payment_method.attached"] * 2
    assert double.events()[-1] == "payment_method.detached"


def test_payment_method_detached_cannot_be_used(double: Running) -> None:
    client, customer = double.client().v1, double.customer("pm_card_visa")
    card = client.payment_methods.detach(double.card_of(customer)).id
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        client.payment_methods.attach(card, {"customer": customer})
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        double.intent(payment_method=card, confirm=True)
    with pytest.raises(stripe.InvalidRequestError, match="not attached to a customer"):
        client.payment_methods.detach(card)


def test_payment_method_charged_without_saving_cannot_be_reused(double: Running) -> None:
    card = double.paid().payment_method
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        double.intent(payment_method=card, confirm=True)


def test_card_refused_by_bank_is_not_saved(double: Running) -> None:
    client, customer = double.client().v1, double.customer()
    with pytest.raises(stripe.CardError) as caught:
        client.payment_methods.attach("pm_card_chargeDeclined", {"customer": customer})
    assert (caught.value.code, caught.value.http_status) == ("card_declined", 402)
    assert client.customers.payment_methods.list(customer).data == []
    client.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer})
    with pytest.raises(stripe.CardError) as caught:
        double.intent(customer=customer, payment_method=double.card_of(customer), off_session=True, confirm=True)
    assert caught.value.code == "card_declined"
