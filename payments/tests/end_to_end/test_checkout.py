"""POST /api/payments/create-payment-intent/: one live intent, whatever Stripe, the buyer or the network do."""

from __future__ import annotations

import pytest

from payments.models import Order, Payment
from payments.services import expiry
from payments.tests.conftest import broken_invariants, run_concurrently, sell, statuses
from tests.time_travel import advance_time

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]

SUCCEEDED = "payment_intent.succeeded"


@pytest.fixture
def made(at_stripe):
    """The ids of the intents that were made at Stripe since the test began."""
    before = {intent["id"] for intent in at_stripe.double.intents()}
    return lambda: [intent["id"] for intent in at_stripe.double.intents() if intent["id"] not in before]


def assert_away(answer):
    assert (answer.status_code, answer.json()["code"]) == (503, "stripe_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_the_answer_is_what_a_browser_needs_and_the_amount_is_the_orders(at_stripe, buyer, product, order, settings):
    answer = buyer.pay(product)
    intent = at_stripe.double.intent(answer.json()["payment_intent_id"])
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in ("client_secret", "publishable_key", "amount", "currency")} == {
        "client_secret": intent["client_secret"],
        "publishable_key": settings.STRIPE_PUBLISHABLE_KEY,
        "amount": "19.99",
        "currency": "USD",
    }
    assert (intent["amount"], intent["currency"]) == (1999, "usd")


def test_an_amount_and_a_currency_that_the_client_sends_are_ignored(at_stripe, buyer, product):
    body = {"product_id": product.pk, "amount": 1, "currency": "JPY", "total": "0.01"}
    answer = buyer.call("POST", "/api/payments/create-payment-intent/", body)
    intent = at_stripe.double.intent(answer.json()["payment_intent_id"])
    assert (intent["amount"], intent["currency"]) == (1999, "usd")


def test_calling_again_returns_the_same_intent(at_stripe, made, buyer, product):
    first, second = buyer.pay(product).json(), buyer.pay(product).json()
    assert first == {**second, "order": first["order"]}
    assert made() == [first["payment_intent_id"]]


def test_ten_calls_at_once_make_one_intent(at_stripe, made, buyer, product):
    answers = run_concurrently(10, lambda: buyer.pay(product))
    assert {answer.status_code for answer in answers} <= {200, 503}
    found = {answer.json()["payment_intent_id"] for answer in answers if answer.status_code == 200}
    assert list(found) == made()
    assert Payment.objects.count() == 1


@pytest.mark.parametrize("kind", ["500", "429"])
def test_stripe_answers_an_error_503_order_unchanged_then_one_intent(at_stripe, made, buyer, product, order, kind):
    at_stripe.arm(kind)
    assert_away(buyer.pay(product))
    assert (statuses(order), made()) == (("awaiting_payment", "creating"), [])
    assert buyer.pay(product).status_code == 200
    assert (statuses(order), len(made())) == (("awaiting_payment", "open"), 1)


def test_stripe_answers_nothing_503_order_unchanged_then_one_intent(at_stripe, made, buyer, product, order):
    at_stripe.arm("reset")
    assert_away(buyer.pay(product))
    assert (statuses(order), made()) == (("awaiting_payment", "creating"), [])
    assert buyer.pay(product).status_code == 200
    assert len(made()) == 1


def test_stripe_is_not_there_503_order_unchanged_then_one_intent(at_stripe, made, buyer, product, order, settings):
    here, settings.STRIPE_API_BASE = settings.STRIPE_API_BASE, "http://127.0.0.1:9"
    assert_away(buyer.pay(product))
    settings.STRIPE_API_BASE = here
    assert buyer.pay(product).status_code == 200
    assert len(made()) == 1


def test_stripe_times_out_after_creating_503_then_the_same_intent(at_stripe, made, buyer, product, order):
    at_stripe.arm("timeout_after_create")
    assert_away(buyer.pay(product))
    (there,) = made()
    assert statuses(order) == ("awaiting_payment", "creating")
    assert buyer.pay(product).json()["payment_intent_id"] == there
    assert (made(), statuses(order)) == ([there], ("awaiting_payment", "open"))


def test_stripe_is_slower_than_we_wait_503_then_the_same_intent(at_stripe, made, buyer, product, order, settings):
    settings.STRIPE_TIMEOUT = 0.3
    at_stripe.arm("slow", seconds=3)
    assert_away(buyer.pay(product))
    settings.STRIPE_TIMEOUT = 10.0
    (there,) = made()
    assert buyer.pay(product).json()["payment_intent_id"] == there
    assert made() == [there]


def test_three_time_outs_in_a_row_still_make_one_intent(at_stripe, made, buyer, product):
    at_stripe.arm("timeout_after_create", times=3)
    for _ in range(3):
        assert_away(buyer.pay(product))
    assert [buyer.pay(product).json()["payment_intent_id"]] == made()


def test_stripe_fails_when_a_live_intent_is_read_again_503_then_the_same_intent(at_stripe, intent_id, buyer, product):
    at_stripe.arm("500", method="GET")
    assert_away(buyer.pay(product))
    assert buyer.pay(product).json()["payment_intent_id"] == intent_id


def test_the_503_of_a_time_out_holds_no_secret(at_stripe, made, buyer, product):
    at_stripe.arm("timeout_after_create")
    assert "_secret_" not in buyer.pay(product).text


@pytest.mark.parametrize(
    ("card", "status"),
    [
        ("pm_card_chargeDeclined", "requires_payment_method"),
        ("pm_card_threeDSecure2Required", "requires_action"),
        ("pm_usBankAccount_processing", "processing"),
    ],
    ids=["declined", "3-D Secure needed", "processing"],
)
def test_a_payment_under_way_is_200_with_its_state_and_the_order_payable(
    at_stripe, made, buyer, product, order, intent_id, card, status
):
    at_stripe.double.confirm(intent_id, card)
    answer = buyer.pay(product)
    assert (answer.status_code, answer.json()["status"]) == (200, status)
    assert answer.json()["payment_intent_id"] == intent_id
    assert statuses(order) == ("awaiting_payment", "open")


def test_a_canceled_intent_is_replaced_by_another(at_stripe, buyer, product, order, intent_id):
    at_stripe.double.cancel(intent_id)
    other = buyer.pay(product).json()["payment_intent_id"]
    assert (other == intent_id, statuses(order)) == (False, ("awaiting_payment", "canceled", "open"))
    assert at_stripe.double.intent(other)["status"] == "requires_payment_method"


def test_an_intent_edited_at_stripe_is_canceled_and_replaced(at_stripe, buyer, product, order, intent_id):
    at_stripe.double.post(f"/v1/payment_intents/{intent_id}", amount=100)
    other = buyer.pay(product).json()["payment_intent_id"]
    assert at_stripe.double.intent(intent_id)["status"] == "canceled"
    assert at_stripe.double.intent(other)["amount"] == 1999


def test_a_success_whose_event_was_lost_is_found_by_calling_again(at_stripe, buyer, product, order, intent_id):
    at_stripe.double.confirm(intent_id)
    answer = buyer.pay(product)
    assert (answer.status_code, answer.json()["code"]) == (409, "order_paid")
    assert (statuses(order), broken_invariants()) == (("paid", "succeeded"), [])


def test_a_paid_order_is_409(buyer, product, order, paid):
    answer = buyer.pay(product)
    assert (answer.status_code, answer.json()["code"]) == (409, "order_paid")


def test_an_expired_order_is_409_and_its_intent_is_canceled(at_stripe, buyer, product, order, intent_id):
    advance_time(product, hours=96)
    assert expiry.expire_due() == 1
    answer = buyer.pay(product)
    assert (answer.status_code, statuses(order)[0]) == (409, "expired")
    assert at_stripe.double.intent(intent_id)["status"] == "canceled"


def test_a_cancelled_order_is_409(at_stripe, buyer, product, order):
    Order.objects.update(status="cancelled")
    answer = buyer.pay(product)
    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_payable")


@pytest.mark.parametrize(("who", "status"), [("seller", 403), ("rival", 403), ("staff", 403), (None, 401)])
def test_nobody_but_the_winner_starts_a_payment(request, server, at_stripe, made, product, order, who, status):
    person = server.person(who and request.getfixturevalue(who))
    assert (person.pay(product).status_code, made()) == (status, [])


def test_the_same_idempotency_key_is_the_same_intent_and_for_another_order_422(
    at_stripe, made, server, buyer, product, seller, bidder
):
    key = {"Idempotency-Key": "a key of the client"}
    first = buyer.pay(product, **key).json()["payment_intent_id"]
    assert buyer.pay(product, **key).json()["payment_intent_id"] == first
    answer = buyer.pay(sell(seller, bidder), **key)
    assert (answer.status_code, answer.json()["code"], made()) == (422, "idempotency_key_reused", [first])


def test_an_amount_below_what_stripe_takes_is_409_and_the_order_unchanged(server, at_stripe, made, seller, bidder):
    cheap = sell(seller, bidder, "0.10", starting_bid="0.05")
    answer = server.person(bidder).pay(cheap)
    assert (answer.status_code, made()) == (409, [])
    assert answer.json()["code"] in {"amount_not_chargeable", "payment_refused"}
    assert Order.objects.get().status == "awaiting_payment"
