"""POST /api/stripe/webhook/ over HTTP: signature, body size, mode. All cases: test_webhook_signature.py."""

from __future__ import annotations

import json
import socket

import pytest

from payments.models import StripeEvent
from payments.tests.conftest import build_event, sign_payload, statuses

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]

EVENT = json.dumps(build_event({"id": "pi_1"}, "customer.created")).encode()
LIMIT = 256 * 1024


def test_webhook_unsigned_or_tampered_is_400_and_signed_is_200(server):
    for payload, signature in ((EVENT, None), (EVENT + b" ", sign_payload(EVENT))):
        answer = server.post(payload, signature)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature")
        assert answer.headers["Content-Type"] == "application/json"
    assert not StripeEvent.objects.exists()
    answer = server.post(EVENT, sign_payload(EVENT), **{"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()) == (200, {"received": True})


def test_webhook_body_over_256_kb_is_413_before_it_is_read(server):
    host, _, port = server.url.removeprefix("http://").partition(":")
    head = f"POST /api/stripe/webhook/ HTTP/1.1\r\nHost: {host}\r\nContent-Length: {LIMIT + 1}\r\n\r\n"
    with socket.create_connection((host, int(port)), 30) as caller:
        caller.sendall(head.encode())  # nothing of the body
        assert caller.recv(12) == b"HTTP/1.1 413"


def test_webhook_live_event_in_test_mode_is_400_flagged_and_pays_nothing(server, at_stripe, intent_id, order):
    at_stripe.double.confirm(intent_id)
    answer = server.deliver({**at_stripe.event("payment_intent.succeeded", intent_id), "livemode": True})
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_mode")
    assert (StripeEvent.objects.get().flag, statuses(order)) == ("wrong_mode", ("awaiting_payment", "open"))
