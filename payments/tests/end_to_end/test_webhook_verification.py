"""POST /api/stripe/webhook/: unsigned, wrong secret, tampered, too old, too new, too big, no event, another mode."""

from __future__ import annotations

import json
import socket
import time

import pytest
import requests

from payments.models import StripeEvent
from payments.tests.conftest import SECRET, build_event, sign_payload, statuses

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]

EVENT = json.dumps(build_event({"id": "pi_1"}, "payment_intent.succeeded")).encode()
LIMIT = 256 * 1024


def assert_refused(answer):
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature")
    assert answer.headers["Content-Type"] == "application/json"
    assert not StripeEvent.objects.exists()


def test_unsigned_is_400(server):
    assert_refused(server.post(EVENT, None))


def test_signed_with_a_wrong_secret_is_400(server):
    assert_refused(server.post(EVENT, sign_payload(EVENT, secret="whsec_of_another_endpoint")))


def test_a_tampered_body_is_400(server):
    assert_refused(server.post(EVENT.replace(b"pi_1", b"pi_2"), sign_payload(EVENT)))


def test_a_body_with_one_space_more_is_400(server):
    assert_refused(server.post(EVENT + b" ", sign_payload(EVENT)))


def test_an_old_signature_under_a_new_time_is_400(server):
    old = sign_payload(EVENT, age=3600).split(",")[1]
    assert_refused(server.post(EVENT, f"t={int(time.time())},{old}"))


@pytest.mark.parametrize("age", [302, 3600, 10**9])
def test_over_300_s_old_is_400(server, age):
    assert_refused(server.post(EVENT, sign_payload(EVENT, age=age)))


@pytest.mark.parametrize("ahead", [303, 3600, 10**9])
def test_over_300_s_in_the_future_is_400(server, ahead):
    assert_refused(server.post(EVENT, sign_payload(EVENT, age=-ahead)))


@pytest.mark.parametrize("age", [290, -290])
def test_within_300_s_either_way_is_200(server, age):
    assert server.post(EVENT, sign_payload(EVENT, age=age)).json() == {"received": True}


@pytest.mark.parametrize(
    "signature",
    ["", "x", "=", ",,,", "t=,v1=", "t=abc,v1=abc", "t=1", "v1=abc", f"t={int(time.time())},v0=abc", "t=" + "9" * 5000],
    ids=["empty", "word", "equals", "commas", "blank", "no number", "no v1", "no t", "v0 only", "5,000 digits"],
)
def test_a_signature_that_is_none_is_400(server, signature):
    assert_refused(server.post(EVENT, signature))


def test_a_signature_of_another_scheme_beside_a_wrong_one_is_400(server):
    stamp, good = sign_payload(EVENT).split(",")
    assert_refused(server.post(EVENT, f"{stamp},{good.replace('v1=', 'v0=')},v1={'0' * 64}"))


def test_two_signatures_while_stripe_rolls_the_secret_are_200(server):
    stamp, good = sign_payload(EVENT).split(",")
    assert server.post(EVENT, f"{stamp},v1={'0' * 64},{good}").status_code == 200


def test_the_new_and_the_former_secret_are_both_accepted_while_we_rotate(server, settings):
    settings.STRIPE_WEBHOOK_SECRETS_OLD = ["whsec_former"]
    for number, secret in enumerate((SECRET, "whsec_former")):
        assert server.deliver(build_event({}, "a.b", f"evt_{number}"), secret=secret).status_code == 200
    settings.STRIPE_WEBHOOK_SECRETS_OLD = []
    assert server.deliver(build_event({}, "a.b", "evt_3"), secret="whsec_former").status_code == 400
    assert StripeEvent.objects.count() == 2


def test_the_connect_endpoints_secret_is_accepted_only_where_it_is_set(server, settings):
    event = build_event({"object": "account", "id": "acct_1"}, "a.b", account="acct_1")
    settings.STRIPE_CONNECT_WEBHOOK_SECRET = ""
    assert_refused(server.deliver(event, secret="whsec_connect"))
    settings.STRIPE_CONNECT_WEBHOOK_SECRET = "whsec_connect"
    assert server.deliver(event, secret="whsec_connect").status_code == 200
    assert StripeEvent.objects.get().account == "acct_1"


def test_a_body_over_256_kb_is_413(server):
    body = b" " * (LIMIT + 1)
    answer = server.post(body, sign_payload(body))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert not StripeEvent.objects.exists()


def test_a_body_over_256_kb_is_refused_before_it_is_read(server):
    host, _, port = server.url.removeprefix("http://").partition(":")
    head = f"POST /api/stripe/webhook/ HTTP/1.1\r\nHost: {host}\r\nContent-Length: {LIMIT + 1}\r\n\r\n"
    with socket.create_connection((host, int(port)), 30) as caller:
        caller.sendall(head.encode())  # and not a byte of the body
        assert caller.recv(12) == b"HTTP/1.1 413"


def test_256_kb_are_200(server):
    body = EVENT + b" " * (LIMIT - len(EVENT))
    assert server.post(body, sign_payload(body)).status_code == 200


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"1",
        b'"text"',
        b"[]",
        b"[{}]",
        b"{",
        b"not json",
        b"{}",
        b'{"object": "event", "type": "a"}',
        b'{"id": "", "type": "a"}',
        b'{"id": 7, "type": "a"}',
        b'{"id": {"id": 1}, "type": "a"}',
        b'{"id": "evt_1"}',
        b'{"id": "evt_1", "type": null}',
        b'{"id": "evt_1", "object": "v2.core.event", "type": "a"}',
        b'{"id": "' + b"e" * 256 + b'", "type": "a"}',
        b'{"id": "evt_1", "type": "a", "created": ' + b"9" * 5000 + b"}",
        b'{"id": "evt_1", "type": "a", "created": 99999999999999999}',
        b'{"id": "evt_1", "type": "\xff"}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
    ids=[
        *("nothing", "null", "number", "text", "list", "list of objects", "half", "not JSON", "empty object", "no id"),
        *("empty id", "number for id", "object for id", "no type", "null type", "thin event", "long id"),
        *("5,000 digits", "the year 3 billion", "bad UTF-8", "UTF-16", "deep list", "deep object"),
    ],
)
def test_signed_but_no_event_is_400_whatever_the_sdk_raises(server, payload):
    assert_refused(server.post(payload, sign_payload(payload)))


def test_what_a_database_cannot_hold_is_200_and_kept_without_it(server):
    payload = b'{"id": "evt_1", "type": "a.b", "x": "\\u0000", "y": "\\ud800", "z": NaN}'
    assert server.post(payload, sign_payload(payload)).status_code == 200
    assert StripeEvent.objects.get().payload == {"id": "evt_1", "type": "a.b", "x": "\ufffd", "y": "?", "z": None}


@pytest.mark.parametrize(
    "form", ["application/json; charset=utf-8", "text/plain", "multipart/form-data; boundary=x", "?"]
)
def test_the_raw_body_is_what_counts_whatever_its_content_type(server, form):
    assert server.post(EVENT, sign_payload(EVENT), **{"Content-Type": form}).status_code == 200


@pytest.mark.parametrize("secret", ["", " ", "whsec_test"])
def test_without_a_webhook_secret_nothing_is_accepted_503(server, settings, secret):
    settings.STRIPE_WEBHOOK_SECRET = ""
    answer = server.post(EVENT, sign_payload(EVENT, secret=secret))
    assert (answer.status_code, answer.json()["code"]) == (503, "webhook_not_configured")
    assert answer.headers["Retry-After"] == "60"
    assert not StripeEvent.objects.exists()


def test_a_live_event_in_test_mode_is_400_flagged_and_not_acted_on(server, at_stripe, intent_id, order):
    at_stripe.double.confirm(intent_id)
    answer = server.deliver({**at_stripe.event("payment_intent.succeeded", intent_id), "livemode": True})
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_mode")
    assert (StripeEvent.objects.get().flag, statuses(order)) == ("wrong_mode", ("awaiting_payment", "open"))


@pytest.mark.parametrize("mode", [False, None])
def test_a_test_event_in_live_mode_is_400_flagged_and_not_acted_on(server, at_stripe, intent_id, order, settings, mode):
    at_stripe.double.confirm(intent_id)
    event = at_stripe.event("payment_intent.succeeded", intent_id)
    settings.STRIPE_SECRET_KEY = "sk_live_1"
    answer = server.deliver({**event, "livemode": mode})
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_mode")
    assert (StripeEvent.objects.get().flag, statuses(order)) == ("wrong_mode", ("awaiting_payment", "open"))


def test_an_event_of_the_wrong_mode_delivered_again_is_still_400(server):
    event = build_event({"id": "pi_1"}, "payment_intent.succeeded", livemode=True)
    assert [server.deliver(event).status_code for _ in range(3)] == [400] * 3
    assert StripeEvent.objects.get().attempts == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_another_method_is_405(server, method):
    answer = requests.request(method, f"{server.url}/api/stripe/webhook/", timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_the_address_without_its_slash_is_404_and_no_redirect(server):
    answer = requests.post(f"{server.url}/api/stripe/webhook", data=EVENT, allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_bearer_token_neither_helps_nor_harms(server, staff):
    token = server.person(staff).token
    assert_refused(server.post(EVENT, None, Authorization=f"Bearer {token}"))
    assert server.post(EVENT, sign_payload(EVENT), Authorization="Bearer nonsense").status_code == 200
