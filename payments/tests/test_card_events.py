"""Events about saved cards and customers, and the erasure of an account with cards."""

from __future__ import annotations

import pytest

from auctioncraft.core.errors import NotAuthenticated
from payments.models import Customer, SavedCard, StripeEvent
from payments.services import cards, customers
from payments.tests.card_helpers import URL, save, set_up
from payments.tests.conftest import broken_invariants, make_due, post_event
from tests import factories

pytestmark = pytest.mark.django_db


def event(kind, subject, event_id="evt_1"):
    return {"id": event_id, "object": "event", "type": kind, "livemode": False, "data": {"object": subject}}


def post_card_event(client, kind, subject, event_id="evt_1"):
    """Deliver an event; return its flag."""
    assert post_event(client, event(kind, subject, event_id)).status_code == 200
    return StripeEvent.objects.get(pk=event_id).flag


def of_card(card, **fields):
    return {"object": "payment_method", "id": card.stripe_payment_method_id, **fields}


def customer_at(double, customer_id):
    return double.get(f"/v1/customers/{customer_id}")


def has_card(user):
    user.refresh_from_db()
    return user.has_card


def test_setup_succeeded_event_saves_the_card(client, double, winner, bidder):
    setup = set_up(winner, double)
    assert post_card_event(client, "setup_intent.succeeded", {"object": "setup_intent", "id": setup}) == ""
    assert (SavedCard.objects.get().user, has_card(bidder)) == (bidder, True)
    # Then the frontend saves it, and the event is repeated.
    assert winner.post(URL, {"setup_intent_id": setup}).status_code == 201
    assert post_card_event(client, "setup_intent.succeeded", {"object": "setup_intent", "id": setup}, "evt_2") == ""
    assert SavedCard.objects.count() == 1


def test_setup_event_of_unknown_customer_is_flagged(client, double):
    stranger = double.post("/v1/customers")["id"]
    setup = double.post("/v1/setup_intents", customer=stranger, confirm="true", payment_method="pm_card_visa")
    for number, setup_id in enumerate((setup["id"], "seti_unknown")):
        subject = {"object": "setup_intent", "id": setup_id}
        assert post_card_event(client, "setup_intent.succeeded", subject, f"evt_{number}") == "unknown_setup_intent"
    assert not SavedCard.objects.exists()


def test_setup_event_after_the_card_was_removed_saves_nothing(client, double, winner, bidder):
    setup = set_up(winner, double)
    card = winner.post(URL, {"setup_intent_id": setup}).json()["id"]
    winner.delete(f"{URL}{card}/")
    assert post_card_event(client, "setup_intent.succeeded", {"object": "setup_intent", "id": setup}) == ""
    assert (SavedCard.objects.exists(), has_card(bidder)) == (False, False)


def test_detached_event_removes_the_card(client, double, winner, bidder):
    card = save(winner, double)
    double.post(f"/v1/payment_methods/{card.stripe_payment_method_id}/detach")
    assert post_card_event(client, "payment_method.detached", of_card(card)) == ""
    assert (SavedCard.objects.exists(), has_card(bidder)) == (False, False)


def test_detached_event_that_stripe_does_not_confirm_removes_nothing(client, double, winner, bidder):
    """The event says detached, but the payment method is attached at Stripe."""
    card = save(winner, double)
    assert post_card_event(client, "payment_method.detached", of_card(card, customer=None)) == ""
    assert has_card(bidder)


@pytest.mark.parametrize("kind", ["updated", "automatically_updated"])
def test_updated_event_stores_stripes_card_data(client, double, winner, kind):
    card = save(winner, double)
    SavedCard.objects.update(exp_year=2020, last4="0000", auto_charge=True)
    assert post_card_event(client, f"payment_method.{kind}", of_card(card)) == ""
    now = SavedCard.objects.get()
    assert (now.exp_year, now.last4, now.auto_charge) == (card.exp_year, "4242", True)


def test_card_events_of_removed_or_unknown_cards_are_not_flagged(client, double, winner):
    card = save(winner, double)
    winner.delete(f"{URL}{card.pk}/")
    assert post_card_event(client, "payment_method.detached", of_card(card)) == ""
    assert (
        post_card_event(client, "payment_method.updated", {"object": "payment_method", "id": "pm_none"}, "evt_2") == ""
    )


def test_card_event_about_another_object_is_flagged(client, double):
    assert (
        post_card_event(client, "payment_method.detached", {"object": "source", "id": "src_1"})
        == "unknown_payment_method"
    )


def test_card_event_with_stripe_unreachable_is_503_and_stored(client, double, winner, settings):
    card = save(winner, double)
    there, settings.STRIPE_API_BASE = settings.STRIPE_API_BASE, "http://127.0.0.1:9"
    client.raise_request_exception = False
    assert post_event(client, event("payment_method.detached", of_card(card))).status_code == 503
    assert StripeEvent.objects.get().processed_at is None
    settings.STRIPE_API_BASE = there
    assert post_card_event(client, "payment_method.detached", of_card(card)) == ""


def test_customer_deleted_event_unlinks_the_customer_and_cards(client, double, winner, bidder):
    save(winner, double)
    customer = Customer.objects.get().stripe_customer_id
    double.delete(f"/v1/customers/{customer}")
    assert post_card_event(client, "customer.deleted", {"object": "customer", "id": customer}) == ""
    assert (SavedCard.objects.exists(), has_card(bidder), broken_invariants()) == (False, False, [])
    # A new customer can be created.
    save(winner, double)
    assert Customer.objects.get().stripe_customer_id not in {None, customer}


def test_erasure_removes_cards_here_and_the_customer_at_stripe(double, winner, bidder):
    card = save(winner, double)
    customer = Customer.objects.get().stripe_customer_id
    factories.erase_account(bidder)
    assert (SavedCard.objects.exists(), has_card(bidder), Customer.objects.get().to_delete) == (False, False, True)
    assert customers.delete_due() == 1
    assert customer_at(double, customer)["deleted"]
    assert not Customer.objects.exists()
    method = double.get(f"/v1/payment_methods/{card.stripe_payment_method_id}")
    assert (method["customer"], customers.delete_due(), broken_invariants()) == (None, 0, [])


def test_erasure_with_stripe_unreachable_deletes_the_customer_later(double, winner, bidder, settings):
    save(winner, double)
    factories.erase_account(bidder)
    there, settings.STRIPE_API_BASE = settings.STRIPE_API_BASE, "http://127.0.0.1:9"
    assert (customers.delete_due(), Customer.objects.count()) == (0, 1)
    settings.STRIPE_API_BASE = there
    make_due()
    assert (customers.delete_due(), Customer.objects.count()) == (1, 0)


def test_erasure_deletes_a_customer_whose_id_was_never_stored(double, winner, bidder):
    double.fail_next("timeout_after_create")
    assert winner.post(f"{URL}setup/").status_code == 503
    made = double.get("/v1/customers", limit=1)["data"][0]["id"]
    factories.erase_account(bidder)
    assert customers.delete_due() == 1
    assert customer_at(double, made)["deleted"]


def test_setup_event_of_erased_account_saves_nothing(client, double, winner, bidder):
    setup = set_up(winner, double)
    factories.erase_account(bidder)
    assert post_card_event(client, "setup_intent.succeeded", {"object": "setup_intent", "id": setup}) == ""
    assert (SavedCard.objects.exists(), broken_invariants()) == (False, [])
    with pytest.raises(NotAuthenticated):
        cards.start_card_setup(user_id=bidder.pk)


def test_export_lists_cards_without_secrets(double, winner):
    card = save(winner, double)
    answer = winner.get("/api/users/me/export/").json()
    (row,) = answer["saved_cards"]
    assert (row["id"], row["last4"], answer["profile"]["has_card"]) == (card.pk, "4242", True)
    assert "payment_method_id" not in row
