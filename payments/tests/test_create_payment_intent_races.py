"""POST /api/payments/create-payment-intent/: concurrent requests, transactions and crashes."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from payments import stripe_gateway
from payments.models import Payment
from payments.services import checkout
from payments.tests.conftest import request_intent, run_concurrently

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
    assert checkout.create_payment_intent(product_id=product.pk, user_id=bidder.pk).payment_intent_id == made
