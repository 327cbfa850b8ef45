"""/api/payments/cards/: save a card, choose it for automatic charges, remove it."""

from __future__ import annotations

import pytest

from auctioncraft.core.clock import isoformat_utc
from payments import errors, stripe_gateway
from payments.models import Customer, SavedCard
from payments.services import customers
from payments.tests.card_helpers import URL, at_stripe, save, set_up
from payments.tests.conftest import run_concurrently, unless_key_in_use

pytestmark = pytest.mark.django_db


def customers_at(double, user):
    """Return the ids of the user's customers at Stripe."""
    found = double.get("/v1/customers", limit=100)["data"]
    return [row["id"] for row in found if row["metadata"].get("user") == str(user.pk)]


@pytest.fixture
def auto_charge(settings):
    settings.AUTO_CHARGE = True


def test_setup_returns_what_stripe_js_needs(double, winner, bidder):
    answer = winner.post(f"{URL}setup/")
    body = answer.json()
    assert (answer.status_code, set(body)) == (200, {"client_secret", "setup_intent_id", "publishable_key"})
    setup = double.get(f"/v1/setup_intents/{body['setup_intent_id']}")
    customer = Customer.objects.get()
    assert (setup["customer"], setup["usage"], setup["payment_method_types"], setup["client_secret"]) == (
        *(customer.stripe_customer_id, "off_session", ["card"]),
        body["client_secret"],
    )
    assert customers_at(double, bidder) == [customer.stripe_customer_id]


def test_setup_creates_the_customer_once(double, winner, bidder):
    for _ in range(3):
        winner.post(f"{URL}setup/")
    assert len(customers_at(double, bidder)) == Customer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_customer_is_created_once_by_ten_concurrent_requests(slow_double, bidder):
    create = unless_key_in_use(lambda: customers.get_or_create(user_id=bidder.pk).stripe_customer_id)
    created = {*run_concurrently(10, create), create()} - {"busy"}
    assert customers_at(slow_double, bidder) == [Customer.objects.get().stripe_customer_id]
    assert created == set(customers_at(slow_double, bidder))


@pytest.mark.django_db(transaction=True)
def test_customer_without_stored_key_is_created_several_times(slow_double, bidder, monkeypatch):
    from uuid import uuid4

    from payments import stripe_gateway

    create = stripe_gateway.create_customer
    monkeypatch.setattr(
        stripe_gateway, "create_customer", lambda **asked: create(**asked | {"idempotency_key": uuid4().hex})
    )
    run_concurrently(10, lambda: customers.get_or_create(user_id=bidder.pk))
    assert len(customers_at(slow_double, bidder)) > 1


def test_customer_whose_creation_timed_out_is_found(double, winner, bidder):
    double.fail_next("timeout_after_create")
    assert winner.post(f"{URL}setup/").status_code == 503
    assert Customer.objects.get().stripe_customer_id is None
    assert winner.post(f"{URL}setup/").status_code == 200
    assert customers_at(double, bidder) == [Customer.objects.get().stripe_customer_id]


def test_customer_after_a_stored_failure_is_created_with_a_new_key(double, winner):
    double.fail_next("500")
    assert [winner.post(f"{URL}setup/").status_code for _ in range(2)] == [503, 200]


def test_customer_deleted_at_stripe_is_created_again(double, winner, bidder):
    winner.post(f"{URL}setup/")
    (first,) = customers_at(double, bidder)
    double.delete(f"/v1/customers/{first}")
    assert winner.post(f"{URL}setup/").status_code == 200
    assert customers_at(double, bidder) == [Customer.objects.get().stripe_customer_id] != [first]


def test_setup_with_the_same_idempotency_key_returns_the_same_setup(double, winner):
    def setup(key):
        return winner.post(f"{URL}setup/", HTTP_IDEMPOTENCY_KEY=key).json()["setup_intent_id"]

    assert setup("one") == setup("one") != setup("two")


def test_setup_with_a_key_of_another_request_is_422(double, winner):
    setup, key = set_up(winner, double), {"HTTP_IDEMPOTENCY_KEY": "one"}
    assert [winner.post(URL, {"setup_intent_id": setup}, **key).status_code for _ in range(2)] == [201, 201]
    for other in (winner.post(URL, {"setup_intent_id": "seti_2"}, **key), winner.post(f"{URL}setup/", **key)):
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_setup_while_the_same_request_runs_says_that_it_is_being_processed(double, winner, monkeypatch):
    def running(**_):
        raise errors.KeyInUse

    monkeypatch.setattr(stripe_gateway, "create_customer", running)
    answer = winner.post(f"{URL}setup/")
    assert (answer.status_code, answer.json()) == (
        503,
        {"code": "stripe_unavailable", "detail": "This request is being processed. Try again in a moment."},
    )


def test_setup_with_stripe_unreachable_is_503(stripe_unreachable, winner):
    answer = winner.post(f"{URL}setup/")
    assert (answer.status_code, answer.json()["code"]) == (503, "stripe_unavailable")
    assert int(answer["Retry-After"]) > 0


def test_save_card_after_setup_returns_the_card(double, winner, bidder):
    setup = set_up(winner, double)
    answer = winner.post(URL, {"setup_intent_id": setup})
    card = SavedCard.objects.get()
    method = at_stripe(double, card.stripe_payment_method_id)
    assert (answer.status_code, answer.json()) == (
        201,
        {
            "id": card.pk,
            "payment_method_id": card.stripe_payment_method_id,
            "brand": "visa",
            "last4": "4242",
            "exp_month": method["card"]["exp_month"],
            "exp_year": method["card"]["exp_year"],
            "charge_when_winning": False,
            "created_at": isoformat_utc(card.created_at),
        },
    )
    bidder.refresh_from_db()
    assert bidder.has_card
    # Repeating returns the same card.
    assert winner.post(URL, {"setup_intent_id": setup}).json() == answer.json()
    assert winner.get(URL).json()["results"] == [answer.json()]


def test_save_card_of_another_user_is_404(double, winner, as_user, rival):
    setup = set_up(winner, double)
    other = as_user(rival)
    other.post(f"{URL}setup/")
    for asked in (setup, "seti_unknown"):
        answer = other.post(URL, {"setup_intent_id": asked})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert not SavedCard.objects.exists()


@pytest.mark.parametrize("asked", ["", "pi_1", "seti_/../x", "seti_é", 7, None, ["seti_1"]])
def test_save_card_with_invalid_setup_id_is_400_without_calling_stripe(stripe_unreachable, winner, asked):
    answer = winner.post(URL, {"setup_intent_id": asked})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_save_card_before_setup_is_finished_is_409(double, winner):
    setup = winner.post(f"{URL}setup/").json()["setup_intent_id"]
    answer = winner.post(URL, {"setup_intent_id": setup})
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (
        *(409, "setup_not_finished"),
        "requires_payment_method",
    )


def test_save_card_that_the_bank_declined_is_refused(double, winner):
    setup = set_up(winner, double, "pm_card_chargeDeclined")
    assert winner.post(URL, {"setup_intent_id": setup}).status_code == 409
    assert not SavedCard.objects.exists()


def test_save_card_with_the_setup_of_a_removed_card_is_404(double, winner):
    setup = set_up(winner, double)
    card = winner.post(URL, {"setup_intent_id": setup}).json()["id"]
    assert winner.delete(f"{URL}{card}/").status_code == 204
    assert winner.post(URL, {"setup_intent_id": setup}).status_code == 404


def test_remove_card_detaches_it_at_stripe(double, winner, bidder):
    first, second = save(winner, double), save(winner, double, "pm_card_mastercard")
    assert winner.delete(f"{URL}{first.pk}/").status_code == 204
    assert at_stripe(double, first.stripe_payment_method_id)["customer"] is None
    bidder.refresh_from_db()
    assert bidder.has_card
    assert winner.delete(f"{URL}{second.pk}/").status_code == 204
    bidder.refresh_from_db()
    assert (bidder.has_card, SavedCard.objects.count()) == (False, 0)


def test_remove_card_already_detached_at_stripe_succeeds(double, winner):
    card = save(winner, double)
    double.post(f"/v1/payment_methods/{card.stripe_payment_method_id}/detach")
    assert winner.delete(f"{URL}{card.pk}/").status_code == 204
    assert not SavedCard.objects.exists()


def test_remove_card_with_stripe_failing_is_503_and_changes_nothing(double, winner, bidder, settings):
    card = save(winner, double)
    double.fail_next("500")
    answer = winner.delete(f"{URL}{card.pk}/")
    assert (answer.status_code, answer.json()["code"]) == (503, "stripe_unavailable")
    bidder.refresh_from_db()
    assert (bidder.has_card, SavedCard.objects.count()) == (True, 1)


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_card_of_another_user_is_404(double, winner, as_user, rival, method, auto_charge):
    card = save(winner, double)
    answer = getattr(as_user(rival), method)(f"{URL}{card.pk}/", {"charge_when_winning": True})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert as_user(rival).get(URL).json()["results"] == []
    assert SavedCard.objects.filter(auto_charge=False).count() == 1


def test_auto_charge_is_set_on_one_card_at_most(double, winner, auto_charge):
    first, second = save(winner, double, charge=True), save(winner, double, "pm_card_mastercard", charge=True)
    shown = {card["id"]: card["charge_when_winning"] for card in winner.get(URL).json()["results"]}
    assert shown == {first.pk: False, second.pk: True}
    answer = winner.patch(f"{URL}{second.pk}/", {"charge_when_winning": False})
    assert (answer.status_code, answer.json()["charge_when_winning"]) == (200, False)


def test_auto_charge_when_disabled_is_409(double, winner):
    card = save(winner, double)
    answer = winner.patch(f"{URL}{card.pk}/", {"charge_when_winning": True})
    assert (answer.status_code, answer.json()["code"]) == (409, "auto_charge_off")
    # Turning it off is always possible.
    assert winner.patch(f"{URL}{card.pk}/", {"charge_when_winning": False}).status_code == 200


@pytest.mark.parametrize("body", [{}, {"charge_when_winning": "yes"}, {"charge_when_winning": None}])
def test_auto_charge_with_invalid_value_is_400(double, winner, auto_charge, body):
    card = save(winner, double)
    assert winner.patch(f"{URL}{card.pk}/", body).status_code == 400


def test_card_list_is_paginated(double, winner):
    for _ in range(3):
        save(winner, double)
    page = winner.get(URL, {"page_size": 2}).json()
    assert (page["count"], len(page["results"]), page["next"] is not None) == (3, 2, True)


def test_intent_belongs_to_the_customer(double, winner, product, order):
    save(winner, double)
    answer = winner.post("/api/payments/create-payment-intent/", {"product_id": product.pk})
    customer = Customer.objects.get().stripe_customer_id
    assert double.intent(answer.json()["payment_intent_id"])["customer"] == customer
    assert order.payments.get().stripe_customer_id == customer


def test_intent_of_customer_deleted_at_stripe_is_created_without_one(double, winner, product, order):
    save(winner, double)
    customer = Customer.objects.get().stripe_customer_id
    double.delete(f"/v1/customers/{customer}")
    answer = winner.post("/api/payments/create-payment-intent/", {"product_id": product.pk})
    assert answer.status_code == 200
    assert double.intent(answer.json()["payment_intent_id"])["customer"] is None


def test_setup_is_throttled_like_signing_in(stripe_unreachable, winner, settings):
    settings.LIMITS = {**settings.LIMITS, "sign_in.account": 2}
    assert [winner.post(f"{URL}setup/").status_code for _ in range(3)] == [503, 503, 429]
