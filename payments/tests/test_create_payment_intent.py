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


def test_the_winner_gets_an_intent_for_the_orders_total(double, winner, product, order):
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
def test_other_currencies_are_charged_in_their_own_units(double, winner, seller, bidder, price, currency, text, minor):
    body = request_intent(winner, sell(seller, bidder, price, currency=currency)).json()
    assert (body["amount"], body["currency"]) == (text, currency)
    assert double.intent(body["payment_intent_id"])["amount"] == minor


def test_calling_again_returns_the_same_intent(double, winner, product):
    first, second = request_intent(winner, product).json(), request_intent(winner, product).json()
    assert (second["payment_intent_id"], second["client_secret"]) == (
        first["payment_intent_id"],
        first["client_secret"],
    )
    assert Payment.objects.count() == 1


def test_an_idempotency_key_finds_the_same_intent_and_is_for_one_request(double, winner, product):
    url, headers = "/api/payments/create-payment-intent/", {"Idempotency-Key": "k-1"}
    assert winner.post(url, {"product_id": 10**12}, headers=headers).status_code == 404  # refused: not kept
    first, second = (winner.post(url, {"product_id": product.pk}, headers=headers) for _ in range(2))
    assert first.json()["client_secret"] == second.json()["client_secret"]
    other = winner.post(url, {"product_id": 10**12}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert Payment.objects.count() == 1


def test_the_amount_is_never_the_clients(double, winner, product):
    body = {"product_id": product.pk, "amount": "0.50", "currency": "JPY", "user_id": 1}
    assert winner.post("/api/payments/create-payment-intent/", body).json()["amount"] == "19.99"


@pytest.mark.parametrize("product_id", [None, "abc", 0, -1, 1.5, True, [], "1e30", 10**30])
def test_a_product_id_that_is_none_is_400(winner, product_id):
    answer = winner.post("/api/payments/create-payment-intent/", {"product_id": product_id})
    assert (answer.status_code, answer.json()["code"], list(answer.json()["errors"])) == (
        400,
        "invalid",
        ["product_id"],
    )


def test_an_unknown_product_is_404(winner):
    answer = winner.post("/api/payments/create-payment-intent/", {"product_id": 10**12})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_product_that_is_not_sold_is_409(winner, seller):
    answer = request_intent(winner, factories.product(seller))
    assert (answer.status_code, answer.json()) == (
        409,
        {"code": "auction_not_sold", "detail": "This product is not sold, so there is nothing to pay."},
    )


@pytest.mark.parametrize("who", ["rival", "seller", "staff"])
def test_only_the_winner_pays(request, as_user, product, who):
    answer = request_intent(as_user(request.getfixturevalue(who)), product)
    assert (answer.status_code, answer.json()) == (
        403,
        {"code": "not_the_winner", "detail": "Only the winner of this auction can pay for it."},
    )
    assert not Payment.objects.exists()


def test_nobody_pays_without_a_token(client, product):
    assert request_intent(client, product).status_code == 401


def test_a_paid_order_is_409(winner, product):
    Order.objects.update(status="paid", paid_at="2026-01-01T00:00:00Z")
    answer = request_intent(winner, product)
    assert (answer.status_code, answer.json()["code"]) == (409, "order_paid")


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_an_order_that_is_over_is_409(winner, product, status):
    Order.objects.update(status=status, expired_at=clock.now() if status == "expired" else None)
    answer = request_intent(winner, product)
    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_payable")
    assert not Payment.objects.exists()


def test_other_methods_are_405(winner):
    for method in ("get", "put", "patch", "delete"):
        assert getattr(winner, method)("/api/payments/create-payment-intent/").status_code == 405


@pytest.mark.parametrize("fault", ["500", "429", "timeout_after_create"])
def test_stripe_failing_is_503_and_the_retry_pays_one_intent(double, winner, product, fault):
    before = len(double.intents())
    double.fail_next(fault)
    answer = request_intent(winner, product)
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "stripe_unavailable", "2")
    assert only_payment() == (None, "creating")
    again = request_intent(winner, product)
    assert again.status_code == 200
    assert only_payment() == (again.json()["payment_intent_id"], "open")
    assert len(double.intents()) == before + 1


def test_a_timeout_after_creating_finds_the_same_intent(double, winner, product):
    double.fail_next("timeout_after_create")
    assert request_intent(winner, product).status_code == 503
    made = double.intents()[0]
    assert request_intent(winner, product).json()["payment_intent_id"] == made["id"]


def test_no_stripe_is_503_and_the_order_unchanged(stripe_unreachable, winner, product, order):
    assert request_intent(winner, product).status_code == 503
    order.refresh_from_db()
    assert order.status == "awaiting_payment"


def test_stripe_away_for_the_second_call_is_503(double, winner, product, settings):
    request_intent(winner, product)
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    assert request_intent(winner, product).status_code == 503


def test_what_stripe_will_not_charge_is_409_and_can_be_tried_again(double, winner, seller, bidder):
    product = sell(seller, bidder, "0.10", starting_bid="0.05")
    for _ in range(2):
        answer = request_intent(winner, product)
        assert (answer.status_code, answer.json()["code"], answer.json()["stripe_code"]) == (
            409,
            "payment_refused",
            "amount_too_small",
        )


def test_a_third_decimal_that_no_card_takes_is_409(winner, seller, bidder):
    answer = request_intent(winner, sell(seller, bidder, "5.124", currency="KWD"))
    assert (answer.status_code, answer.json()["code"]) == (409, "amount_not_chargeable")


def test_an_intent_canceled_at_stripe_is_replaced(double, winner, product):
    first = request_intent(winner, product).json()["payment_intent_id"]
    double.cancel(first)
    second = request_intent(winner, product).json()["payment_intent_id"]
    assert second != first
    assert dict(Payment.objects.values_list("stripe_intent_id", "status")) == {first: "canceled", second: "open"}


def test_an_intent_that_stripe_knows_no_more_is_replaced(double, winner, product):
    request_intent(winner, product)
    Payment.objects.update(stripe_intent_id="pi_gone")
    second = request_intent(winner, product).json()["payment_intent_id"]
    assert dict(Payment.objects.values_list("stripe_intent_id", "status")) == {"pi_gone": "canceled", second: "open"}


def test_an_intent_edited_at_stripe_is_canceled_and_replaced(double, winner, product):
    first = request_intent(winner, product).json()["payment_intent_id"]
    double.post(f"/v1/payment_intents/{first}", amount=1)
    double.post(f"/v1/payment_intents/{first}", amount=100)
    second = request_intent(winner, product).json()["payment_intent_id"]
    assert (double.intent(first)["status"], double.intent(second)["amount"]) == ("canceled", 1999)


def test_an_intent_paid_without_our_hearing_of_it_settles_the_order(double, winner, product, order):
    double.confirm(request_intent(winner, product).json()["payment_intent_id"])
    answer = request_intent(winner, product)
    order.refresh_from_db()
    assert (answer.status_code, answer.json()["code"], order.status) == (409, "order_paid", "paid")


@pytest.mark.parametrize(
    ("card", "status"),
    [
        ("pm_card_chargeDeclined", "requires_payment_method"),
        ("pm_card_threeDSecure2Required", "requires_action"),
    ],
)
def test_a_declined_or_unfinished_payment_goes_on_with_the_same_intent(double, winner, product, card, status):
    first = request_intent(winner, product).json()["payment_intent_id"]
    double.confirm(first, card)
    body = request_intent(winner, product).json()
    assert (body["payment_intent_id"], body["status"], body["order"]["status"]) == (first, status, "awaiting_payment")
