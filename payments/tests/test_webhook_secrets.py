"""POST /api/stripe/webhook/: which secrets are accepted, and what is stored of an event."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from payments.models import StripeEvent
from payments.tests.conftest import build_event, post_event, sign_payload
from payments.tests.double_process import SECRET

pytestmark = pytest.mark.django_db

OLD, CONNECT, OTHER = "whsec_old", "whsec_connect", "whsec_other"
EVENT = json.dumps(build_event({"id": "pi_1"}, "payment_intent.succeeded")).encode()


def post(client, secret, event=EVENT):
    headers = {"Stripe-Signature": sign_payload(event, secret=secret)}
    return client.generic("POST", "/api/stripe/webhook/", event, "application/json", headers=headers).status_code


def test_webhook_secret_and_old_secrets_are_accepted_during_rotation(client, settings):
    settings.STRIPE_WEBHOOK_SECRETS_OLD = ["whsec_older", OLD]
    assert [post(client, secret) for secret in (SECRET, "whsec_older", OLD, OTHER)] == [200, 200, 200, 400]


def test_webhook_old_secret_that_was_removed_is_refused(client, settings):
    settings.STRIPE_WEBHOOK_SECRETS_OLD = []
    assert post(client, OLD) == 400
    assert not StripeEvent.objects.exists()


def test_webhook_connect_secret_is_accepted_only_where_it_is_set(client, settings):
    settings.STRIPE_CONNECT_WEBHOOK_SECRET = ""
    assert post(client, CONNECT) == 400
    settings.STRIPE_CONNECT_WEBHOOK_SECRET = CONNECT
    assert post(client, CONNECT) == 200


@pytest.mark.parametrize("blank", ["", " "])
def test_webhook_blank_secret_is_ignored(client, settings, blank):
    settings.STRIPE_WEBHOOK_SECRETS_OLD = [blank]
    settings.STRIPE_CONNECT_WEBHOOK_SECRET = blank
    assert post(client, blank) == 400


def test_webhook_old_secrets_without_the_current_one_are_503(client, settings):
    settings.STRIPE_WEBHOOK_SECRET = ""
    settings.STRIPE_WEBHOOK_SECRETS_OLD = [OLD]
    assert post(client, OLD) == 503


def test_webhook_old_secret_signature_over_300_s_old_is_400(client, settings):
    settings.STRIPE_WEBHOOK_SECRETS_OLD = [OLD]
    headers = {"Stripe-Signature": sign_payload(EVENT, secret=OLD, age=301)}
    assert client.generic("POST", "/api/stripe/webhook/", EVENT, headers=headers).status_code == 400


def test_webhook_event_account_and_creation_time_are_stored(client):
    assert post_event(client, build_event({}, "a.b", account="acct_1", created=1_700_000_000)).status_code == 200
    event = StripeEvent.objects.get()
    assert (event.account, event.created_at) == ("acct_1", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC))
    assert event.found_by == "webhook"


@pytest.mark.parametrize("invalid", [None, [], "1700000000", True, 1.5])
def test_webhook_event_with_invalid_account_or_time_is_stored_without_them(client, invalid):
    account = invalid if invalid != "1700000000" else 7
    assert post_event(client, build_event({}, "a.b", account=account, created=invalid)).status_code == 200
    event = StripeEvent.objects.get()
    assert (event.account, event.created_at) == ("", None)


def test_webhook_event_personal_data_and_secrets_are_not_stored(client):
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
    post_event(client, build_event(subject, "a.b", previous_attributes={"email": "old@example.com"}))
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
