"""POST /api/stripe/webhook/: which secrets are accepted, and what is kept of an event."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from payments.models import StripeEvent
from payments.tests.conftest import SECRET, build_event, post_event, sign_payload

pytestmark = pytest.mark.django_db

FORMER, CONNECT, OTHER = "whsec_former", "whsec_connect", "whsec_other"
EVENT = json.dumps(build_event({"id": "pi_1"}, "payment_intent.succeeded")).encode()


def post(client, secret, event=EVENT):
    headers = {"Stripe-Signature": sign_payload(event, secret=secret)}
    return client.generic("POST", "/api/stripe/webhook/", event, "application/json", headers=headers).status_code


def test_the_secret_and_its_former_ones_are_accepted_while_they_are_rotated(client, settings):
    settings.STRIPE_WEBHOOK_SECRETS_OLD = ["whsec_older", FORMER]
    assert [post(client, secret) for secret in (SECRET, "whsec_older", FORMER, OTHER)] == [200, 200, 200, 400]


def test_a_former_secret_that_was_dropped_is_refused(client, settings):
    settings.STRIPE_WEBHOOK_SECRETS_OLD = []
    assert post(client, FORMER) == 400
    assert not StripeEvent.objects.exists()


def test_the_connect_endpoints_secret_is_accepted_where_it_is_set(client, settings):
    settings.STRIPE_CONNECT_WEBHOOK_SECRET = ""
    assert post(client, CONNECT) == 400
    settings.STRIPE_CONNECT_WEBHOOK_SECRET = CONNECT
    assert post(client, CONNECT) == 200


@pytest.mark.parametrize("blank", ["", " ", "\t"])
def test_a_blank_secret_is_none(client, settings, blank):
    settings.STRIPE_WEBHOOK_SECRETS_OLD = [blank]
    settings.STRIPE_CONNECT_WEBHOOK_SECRET = blank
    assert post(client, blank) == 400


def test_former_secrets_do_not_stand_in_for_the_secret(client, settings):
    settings.STRIPE_WEBHOOK_SECRET = ""
    settings.STRIPE_WEBHOOK_SECRETS_OLD = [FORMER]
    assert post(client, FORMER) == 503


def test_a_former_secret_signs_no_longer_than_five_minutes_either(client, settings):
    settings.STRIPE_WEBHOOK_SECRETS_OLD = [FORMER]
    headers = {"Stripe-Signature": sign_payload(EVENT, secret=FORMER, age=301)}
    assert client.generic("POST", "/api/stripe/webhook/", EVENT, headers=headers).status_code == 400


def test_whose_an_event_is_and_when_it_happened_are_kept(client):
    assert post_event(client, build_event({}, "a.b", account="acct_1", created=1_700_000_000)).status_code == 200
    event = StripeEvent.objects.get()
    assert (event.account, event.created_at) == ("acct_1", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC))
    assert event.found_by == "webhook"


@pytest.mark.parametrize("odd", [None, "", [], {}, "1700000000", True, 1.5])
def test_an_odd_account_or_moment_is_none(client, odd):
    account = odd if odd != "1700000000" else 7
    assert post_event(client, build_event({}, "a.b", account=account, created=odd)).status_code == 200
    event = StripeEvent.objects.get()
    assert (event.account, event.created_at) == ("", None)


def test_a_moment_that_no_calendar_has_is_400(client):
    assert post_event(client, build_event({}, "a.b", created=10**30)).status_code == 400


def test_who_somebody_is_and_what_lets_one_pay_are_not_kept(client):
    subject = {
        "id": "acct_1",
        "email": "seller@example.com",
        "individual": {"first_name": "Sel", "dob": {"year": 1970}},
        "charges": [
            {"billing_details": {"name": "Bea Buyer"}, "receipt_url": "https://pay.stripe.com/r", "id": "ch_1"}
        ],
        "next_action": {"redirect_to_url": {"url": "https://hooks.stripe.com/?client_secret=src_1_secret_2"}},
        "client_secret": "pi_1_secret_2",
        "metadata": {"order": "7"},
    }
    post_event(client, build_event(subject, "a.b", previous_attributes={"email": "former@example.com"}))
    kept = StripeEvent.objects.get().payload
    assert kept["data"]["object"] == {
        "object": "payment_intent",
        "id": "acct_1",
        "email": None,
        "individual": None,
        "charges": [{"billing_details": None, "receipt_url": None, "id": "ch_1"}],
        "next_action": None,
        "client_secret": None,
        "metadata": {"order": "7"},
    }
    assert "@" not in json.dumps(kept)
