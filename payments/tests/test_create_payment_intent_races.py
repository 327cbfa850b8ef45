"""POST /api/payments/create-payment-intent/: concurrent requests, transactions and crashes."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from auctioncraft.core.errors import IdempotencyKeyReused
from payments import stripe_gateway
from payments.models import Payment
from payments.services import checkout
from payments.tests.conftest import request_intent, run_concurrently, sell
from tests.interleave import BackgroundTask

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]


def test_create_intent_ten_concurrent_requests_make_one_intent(slow_double, winner, product):
    answers = run_concurrently(10, lambda: request_intent(winner, product))
    # No request waits for another one: who finds the key in use is to come again.
    busy = [answer for answer in answers if answer.status_code == 503]
    assert all((answer.json()["code"], answer["Retry-After"]) == ("stripe_unavailable", "2") for answer in busy)
    opened = [answer for answer in [*answers, request_intent(winner, product)] if answer not in busy]
    assert {answer.status_code for answer in opened} == {200}
    assert len({answer.json()["client_secret"] for answer in opened}) == 1
    assert len(opened) >= 2
    assert (Payment.objects.count(), len(slow_double.intents())) == (1, 1)


def test_create_intent_calls_stripe_outside_a_transaction(double, product, bidder, monkeypatch):
    seen = []
    ask = stripe_gateway.create_intent

    def spy(**given):
        seen.append((connection.in_atomic_block, Payment.objects.get().status))
        return ask(**given)

    monkeypatch.setattr(stripe_gateway, "create_intent", spy)
    checkout.create_payment_intent(product_id=product.pk, user_id=bidder.pk)
    assert seen == [(False, "creating")]


def test_create_intent_inside_a_transaction_raises(product, bidder):
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        checkout.create_payment_intent(product_id=product.pk, user_id=bidder.pk)


def test_create_intent_after_a_crash_before_the_commit_returns_the_same_intent(double, product, bidder, monkeypatch):
    def crash(**_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(checkout, "_record", crash)
        with pytest.raises(KeyboardInterrupt):
            checkout.create_payment_intent(product_id=product.pk, user_id=bidder.pk)
    made = double.intents()[0]["id"]
    assert checkout.create_payment_intent(product_id=product.pk, user_id=bidder.pk).intent.id == made


def request_during_the_call_of_stripe(monkeypatch, during, product_id, user_id):
    """Run `during` in a thread while a request with the key "k-1" calls Stripe; return the results of both."""
    create, threads = stripe_gateway.create_intent, []

    def stopped(**given):
        if not threads:
            threads.append(BackgroundTask(during))
            threads[0].join(20)
        return create(**given)

    monkeypatch.setattr(stripe_gateway, "create_intent", stopped)
    made = checkout.create_payment_intent(product_id=product_id, user_id=user_id, idempotency_key="k-1")
    return made, threads[0].result


def test_create_intent_for_another_product_at_once_with_the_same_key_is_refused(
    double, product, seller, bidder, monkeypatch
):
    other = sell(seller, bidder)
    first, second = request_during_the_call_of_stripe(
        monkeypatch,
        lambda: checkout.create_payment_intent(product_id=other.pk, user_id=bidder.pk, idempotency_key="k-1"),
        product.pk,
        bidder.pk,
    )
    assert isinstance(second, IdempotencyKeyReused)
    assert [intent["id"] for intent in double.intents()] == [first.intent.id]
    assert Payment.objects.get().order.product_id == product.pk


def test_create_intent_twice_at_once_with_the_same_key_returns_one_intent(double, product, bidder, monkeypatch):
    first, second = request_during_the_call_of_stripe(
        monkeypatch,
        lambda: checkout.create_payment_intent(product_id=product.pk, user_id=bidder.pk, idempotency_key="k-1"),
        product.pk,
        bidder.pk,
    )
    assert (first.intent.id, first.intent.client_secret) == (second.intent.id, second.intent.client_secret)
    assert (Payment.objects.count(), len(double.intents())) == (1, 1)


def test_create_intent_eight_products_at_once_with_one_key_opens_one(slow_double, seller, bidder, as_user):
    products = [sell(seller, bidder) for _ in range(8)]
    caller = as_user(bidder)

    def request():
        body = {"product_id": products.pop().pk}
        return caller.post("/api/payments/create-payment-intent/", body, headers={"Idempotency-Key": "k-1"})

    answers = run_concurrently(8, request)
    assert sorted(answer.status_code for answer in answers) == [200, *[422] * 7]
    assert (Payment.objects.count(), len(slow_double.intents())) == (1, 1)
