"""POST /api/payments/create-payment-intent/."""

from __future__ import annotations

import pytest

from auctioncraft.core import clock
from payments.models import Order, Payment
from payments.tests.conftest import request_intent, sell
from tests import factories

pytestmark = pytest.mark.django_db


def only_payment():
    return Payment.objects.values_list("stripe_intent_id", "status").get()


def test_create_intent_for_the_winner_returns_an_intent_over_the_total(double, winner, product, order):
    bidder, seller = order.buyer, order.seller
    answer = request_intent(winner, product)
    body = answer.json()
    held = double.intent(body["payment_intent_id"])
    assert answer.status_code == 200
    assert body == {
        "client_secret": held["client_secret"],
        "payment_intent_id": held["id"],
        "publishable_key": "pk_test_double",
        "amount": "19.99",
        "currency": "USD",
        "status": "requires_payment_method",
        "order": {
            "id": order.pk,
            "product": {"id": product.pk, "name": "A thing"},
            "buyer": {"id": bidder.pk, "display_name": bidder.display_name},
            "seller": {"id": seller.pk, "display_name": seller.display_name},
            "role": "buyer",
            "hammer_price": "19.99",
            "buyers_premium": "0.00",
            "shipping": "0.00",
            "total": "19.99",
            "refunded": "0.00",
            "currency": "USD",
            "status": "awaiting_payment",
            "payable_by_card": True,
            "due_at": body["order"]["due_at"],
            "paid_at": None,
            "created_at": body["order"]["created_at"],
            "server_time": body["order"]["server_time"],
        },
    }
    assert body["order"]["due_at"].endswith("Z")
    payment = Payment.objects.get()
    assert (held["amount"], held["currency"], held["metadata"]) == (
        1999,
        "usd",
        {"order": str(order.pk), "product": str(product.pk), "payment": str(payment.pk)},
    )
    assert (payment.stripe_intent_id, payment.status, payment.order_id) == (held["id"], "open", order.pk)


@pytest.mark.parametrize(
    ("price", "currency", "text", "minor"),
    [("5000", "JPY", "5000", 5000), ("5.120", "KWD", "5.120", 5120), ("500", "ISK", "500", 50000)],
)
def test_create_intent_in_other_currencies_uses_their_minor_units(
    double, winner, seller, bidder, price, currency, text, minor
):
    body = request_intent(winner, sell(seller, bidder, price, currency=currency)).json()
    assert (body["amount"], body["currency"]) == (text, currency)
    assert double.intent(body["payment_intent_id"])["amount"] == minor


def test_create_intent_again_returns_the_same_intent(double, winner, product):
    first, second = request_intent(winner, product).json(), request_intent(winner, product).json()
    assert (second["payment_intent_id"], second["client_secret"]) == (
        first["payment_intent_id"],
        first["client_secret"],
    )
    assert Payment.objects.count() == 1


def test_create_intent_with_reused_idempotency_key_returns_the_same_or_422(double, winner, product):
    url, headers = "/api/payments/create-payment-intent/", {"Idempotency-Key": "k-1"}
    assert winner.post(url, {"product_id": 10**12}, headers=headers).status_code == 404  # refused: not stored
    first, second = (winner.post(url, {"product_id": product.pk}, headers=headers) for _ in range(2))
    assert first.json()["client_secret"] == second.json()["client_secret"]
    other = winner.post(url, {"product_id": 10**12}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert Payment.objects.count() == 1


def test_create_intent_ignores_amount_and_currency_of_the_client(double, winner, product):
    body = {"product_id": product.pk, "amount": "0.50", "currency": "JPY", "user_id": 1}
    assert winner.post("/api/payments/create-payment-intent/", body).json()["amount"] == "19.99"


@pytest.mark.parametrize("product_id", [None, "abc"])
def test_create_intent_with_invalid_product_id_is_400(winner, product_id):
    answer = winner.post("/api/payments/create-payment-intent/", {"product_id": product_id})
    assert (answer.status_code, answer.json()["code"], list(answer.json()["errors"])) == (
        400,
        "invalid",
        ["product_id"],
    )


def test_create_intent_for_unknown_product_is_404(winner):
    answer = winner.post("/api/payments/create-payment-intent/", {"product_id": 10**12})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_create_intent_for_unsold_product_is_409(winner, seller):
    answer = request_intent(winner, factories.product(seller))
    assert (answer.status_code, answer.json()) == (
        409,
        {"code": "auction_not_sold", "detail": "This product is not sold, so there is nothing to pay."},
    )


@pytest.mark.parametrize("who", ["rival", "seller", "staff"])
def test_create_intent_by_anybody_but_the_winner_is_403(request, as_user, product, who):
    answer = request_intent(as_user(request.getfixturevalue(who)), product)
    assert (answer.status_code, answer.json()) == (
        403,
        {"code": "not_the_winner", "detail": "Only the winner of this auction can pay for it."},
    )
    assert not Payment.objects.exists()


def test_create_intent_without_token_is_401(client, product):
    assert request_intent(client, product).status_code == 401


def test_create_intent_for_paid_order_is_409(winner, product):
    Order.objects.update(status="paid", paid_at="2026-01-01T00:00:00Z")
    answer = request_intent(winner, product)
    assert (answer.status_code, answer.json()["code"]) == (409, "order_paid")


def test_create_intent_for_expired_order_is_409(winner, product):
    Order.objects.update(status="expired", expired_at=clock.now())
    answer = request_intent(winner, product)
    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_payable")
    assert not Payment.objects.exists()


def test_create_intent_other_methods_are_405(winner):
    for method in ("get", "put", "patch", "delete"):
        assert getattr(winner, method)("/api/payments/create-payment-intent/").status_code == 405


@pytest.mark.parametrize("fault", ["500", "429", "reset", "timeout_after_create"])
def test_create_intent_while_stripe_fails_is_503_and_retry_makes_one(double, winner, product, fault):
    double.fail_next(fault)
    answer = request_intent(winner, product)
    assert "_secret_" not in answer.content.decode()
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "stripe_unavailable", "2")
    assert only_payment() == (None, "creating")
    again = request_intent(winner, product)
    assert again.status_code == 200
    assert only_payment() == (again.json()["payment_intent_id"], "open")
    assert len(double.intents()) == 1


def test_create_intent_after_timeouts_returns_the_intent_stripe_made(double, winner, product):
    double.fail_next("timeout_after_create", times=3)
    for _ in range(3):
        assert request_intent(winner, product).status_code == 503
    [made] = double.intents()
    assert request_intent(winner, product).json()["payment_intent_id"] == made["id"]


def test_create_intent_after_a_slow_answer_returns_the_intent_stripe_made(double, winner, product, settings):
    settings.STRIPE_TIMEOUT = 0.3
    double.fail_next("slow", seconds=2)
    assert request_intent(winner, product).status_code == 503
    settings.STRIPE_TIMEOUT = 10.0
    [made] = double.intents()
    assert request_intent(winner, product).json()["payment_intent_id"] == made["id"]


def test_create_intent_with_stripe_unreachable_is_503_and_the_order_unchanged(
    stripe_unreachable, winner, product, order
):
    assert request_intent(winner, product).status_code == 503
    order.refresh_from_db()
    assert order.status == "awaiting_payment"


def test_create_intent_again_with_stripe_unreachable_is_503(double, winner, product, settings):
    request_intent(winner, product)
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    assert request_intent(winner, product).status_code == 503


def test_create_intent_below_stripes_minimum_is_409_each_time(double, winner, seller, bidder, settings):
    settings.OFFLINE_PAYMENTS = True
    product = sell(seller, bidder, "0.10", starting_bid="0.05")
    for _ in range(2):
        answer = request_intent(winner, product)
        assert (answer.status_code, answer.json()["code"], answer.json()["stripe_code"]) == (
            409,
            "payment_refused",
            "amount_too_small",
        )


def test_create_intent_with_a_third_decimal_is_409(winner, seller, bidder, settings):
    settings.OFFLINE_PAYMENTS = True
    answer = request_intent(winner, sell(seller, bidder, "5.124", currency="KWD"))
    assert (answer.status_code, answer.json()["code"]) == (409, "amount_not_chargeable")


def test_create_intent_replaces_an_intent_canceled_at_stripe(double, winner, product):
    first = request_intent(winner, product).json()["payment_intent_id"]
    double.cancel(first)
    second = request_intent(winner, product).json()["payment_intent_id"]
    assert second != first
    assert dict(Payment.objects.values_list("stripe_intent_id", "status")) == {first: "canceled", second: "open"}


def test_create_intent_replaces_an_intent_unknown_at_stripe(double, winner, product):
    request_intent(winner, product)
    Payment.objects.update(stripe_intent_id="pi_gone")
    second = request_intent(winner, product).json()["payment_intent_id"]
    assert dict(Payment.objects.values_list("stripe_intent_id", "status")) == {"pi_gone": "canceled", second: "open"}


def test_create_intent_cancels_and_replaces_an_intent_edited_at_stripe(double, winner, product):
    first = request_intent(winner, product).json()["payment_intent_id"]
    double.post(f"/v1/payment_intents/{first}", amount=1)
    double.post(f"/v1/payment_intents/{first}", amount=100)
    second = request_intent(winner, product).json()["payment_intent_id"]
    assert (double.intent(first)["status"], double.intent(second)["amount"]) == ("canceled", 1999)


def test_create_intent_whose_event_was_lost_pays_the_order_and_is_409(double, winner, product, order):
    double.confirm(request_intent(winner, product).json()["payment_intent_id"])
    answer = request_intent(winner, product)
    order.refresh_from_db()
    assert (answer.status_code, answer.json()["code"], order.status) == (409, "order_paid", "paid")


@pytest.mark.parametrize(
    ("card", "status"),
    [
        ("pm_card_chargeDeclined", "requires_payment_method"),
        ("pm_card_threeDSecure2Required", "requires_action"),
        ("pm_usBankAccount_processing", "processing"),
    ],
)
def test_create_intent_of_unfinished_payment_returns_the_same_intent(double, winner, product, card, status):
    first = request_intent(winner, product).json()["payment_intent_id"]
    double.confirm(first, card)
    body = request_intent(winner, product).json()
    assert (body["payment_intent_id"], body["status"], body["order"]["status"]) == (first, status, "awaiting_payment")
