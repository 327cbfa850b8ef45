"""Sellers with connected accounts at the double, and their transfers."""

from __future__ import annotations

import itertools

import requests
from django.db import transaction

from payments.models import SellerAccount, StripeEvent
from payments.services import sellers
from payments.tests.conftest import post_event

_numbers = itertools.count(1)


def read(double, path, **params):
    """Read from the double's API."""
    return double.get(path, **params)


def transfers(double, account):
    """Return (amount, amount_reversed) of the transfers to an account, oldest first."""
    found = read(double, "/v1/transfers", destination=account.stripe_account_id, limit=100)["data"]
    return [(transfer["amount"], transfer["amount_reversed"]) for transfer in found[::-1]]


def complete_onboarding(url, outcome="complete"):
    """Complete or leave Stripe's onboarding pages; return the URL they redirect to."""
    answer = requests.post(url, data={"outcome": outcome, "page": "1"}, allow_redirects=False, timeout=10)
    return answer.headers["Location"]


def about(account):
    """Return the account object of an event."""
    return {"object": "account", "id": account.stripe_account_id}


def refresh(account):
    """Update an account from Stripe, as the account.updated event does."""
    event = StripeEvent(id="evt_account", type="account.updated", payload={"data": {"object": about(account)}})
    found = sellers.read_event(event)
    with transaction.atomic():
        assert sellers.apply_event(found) == ""
    account.refresh_from_db()
    return account


def post_account_updated(client, account, **fields):
    """Deliver an account.updated event; return the stored event."""
    event = {
        "id": f"evt_account_{next(_numbers)}",
        "object": "event",
        "type": "account.updated",
        "livemode": False,
        "account": account.stripe_account_id,
        "data": {"object": about(account) | fields},
    }
    assert post_event(client, event).status_code == 200
    account.refresh_from_db()
    return StripeEvent.objects.get(pk=event["id"])


def onboarded(user):
    """Complete a seller's onboarding; return the account."""
    complete_onboarding(sellers.onboard(user=user).link.url)
    return refresh(SellerAccount.objects.get(user=user))
