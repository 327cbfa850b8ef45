"""Sellers with an account at the double, and what it has sent them."""

from __future__ import annotations

import itertools

import requests
from django.db import transaction

from payments.models import SellerAccount, StripeEvent
from payments.services import sellers
from payments.tests.conftest import post_event

_numbers = itertools.count(1)


def read(double, path, **params):
    """Read from the double, as Stripe's dashboard would."""
    return double.get(path, **params)


def transfers(double, account):
    """Return the amounts, ids and what came back of the transfers to an account, the oldest first."""
    found = read(double, "/v1/transfers", destination=account.stripe_account_id, limit=100)["data"]
    return [(transfer["amount"], transfer["amount_reversed"]) for transfer in found[::-1]]


def complete_onboarding(url, outcome="complete"):
    """Fill in Stripe's pages, whose link this is, or leave them; return where they lead."""
    answer = requests.post(url, data={"outcome": outcome, "page": "1"}, allow_redirects=False, timeout=10)
    return answer.headers["Location"]


def about(account):
    """What Stripe says of an account in an event."""
    return {"object": "account", "id": account.stripe_account_id}


def refresh(account):
    """Read an account again, as account.updated makes us."""
    event = StripeEvent(id="evt_account", type="account.updated", payload={"data": {"object": about(account)}})
    found = sellers.read_event(event)
    with transaction.atomic():
        assert sellers.apply_event(event, found) == ""
    account.refresh_from_db()
    return account


def post_account_updated(client, account, **fields):
    """Have Stripe tell of an account by webhook."""
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
    """Onboard a seller to the end; return their account, as Stripe describes it."""
    complete_onboarding(sellers.onboard(user=user).link.url)
    return refresh(SellerAccount.objects.get(user=user))
