"""Sellers' onboarding at Stripe, account.updated events, erasure."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from accounts.models import User
from payments.models import Payout, SellerAccount, StripeEvent
from payments.services import account_export, sellers
from payments.tests.conftest import post_event, request_intent, run_concurrently, unless_key_in_use
from payments.tests.connect_helpers import (
    about,
    complete_onboarding,
    onboarded,
    post_account_updated,
    read,
    refresh,
)

pytestmark = pytest.mark.django_db

HERE = "https://market.test"
ONBOARD = "/api/payments/seller/onboard/"
NONE = {
    "connect": True, "state": "none", "details_submitted": False, "charges_enabled": False, "payouts_enabled": False,
    "requirements": [],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _connect(settings):
    settings.STRIPE_CONNECT, settings.FRONTEND_URL = True, HERE


@pytest.fixture
def caller(seller, as_user):
    return as_user(seller)


def accounts(double, user):
    found = read(double, "/v1/accounts", limit=100)["data"]
    return [account for account in found if account["email"] == user.email]


def test_onboard_without_connect_is_409(caller, settings, stripe_unreachable):
    settings.STRIPE_CONNECT = False
    answer = caller.post(ONBOARD)
    assert (answer.status_code, answer.json()["code"]) == (409, "connect_not_configured")
    assert caller.get("/api/payments/seller/").json() == NONE | {"connect": False}
    assert not SellerAccount.objects.exists()


def test_seller_without_account_is_returned_empty(caller):
    assert caller.get("/api/payments/seller/").json() == NONE


def test_seller_and_onboard_without_token_are_401(client):
    assert (client.get("/api/payments/seller/").status_code, client.post(ONBOARD).status_code) == (401, 401)


def test_onboard_creates_an_account_and_returns_stripes_link(double, caller, seller):
    answer = caller.post(ONBOARD)
    assert answer.status_code == 200
    body, account = answer.json(), SellerAccount.objects.get(user=seller)
    assert body["url"].startswith(f"{double.url}/_double/onboard/{account.stripe_account_id}/")
    assert body["seller"] == NONE | {"state": "pending", "requirements": body["seller"]["requirements"]}
    assert "external_account" in body["seller"]["requirements"]
    assert caller.get("/api/payments/seller/").json() == body["seller"]
    (made,) = accounts(double, seller)
    assert (made["id"], made["type"], made["country"]) == (account.stripe_account_id, "express", "US")
    seller.refresh_from_db()
    assert seller.seller_state == "pending"


def test_onboard_link_returns_to_our_pages(double, caller):
    url = caller.post(ONBOARD).json()["url"]
    assert complete_onboarding(url) == f"{HERE}/seller/return"
    assert complete_onboarding(url) == f"{HERE}/seller/refresh"  # a link works once


def test_onboard_again_returns_a_link_for_the_same_account(double, caller, seller):
    links = {caller.post(ONBOARD).json()["url"] for _ in range(2)}
    assert len(links) == 2
    assert len(accounts(double, seller)) == 1


@pytest.mark.django_db(transaction=True)
def test_onboard_ten_concurrent_requests_create_one_account(slow_double, seller):
    onboard = unless_key_in_use(lambda: sellers.onboard(user=seller).account.stripe_account_id)
    created = {*run_concurrently(10, onboard), onboard()} - {"busy"}
    assert len(created) == 1
    assert len(accounts(slow_double, seller)) == 1


def test_onboard_after_a_timeout_finds_the_account_by_its_key(double, caller, seller):
    double.fail_next("timeout_after_create")
    answer = caller.post(ONBOARD)
    assert (answer.status_code, answer.json()["code"]) == (503, "stripe_unavailable")
    assert caller.post(ONBOARD).status_code == 200
    (made,) = accounts(double, seller)
    assert SellerAccount.objects.get().stripe_account_id == made["id"]


def test_onboard_after_a_stored_failure_uses_a_new_key(double, caller, seller):
    double.fail_next("500")
    assert caller.post(ONBOARD).status_code == 503
    assert caller.post(ONBOARD).status_code == 200
    assert len(accounts(double, seller)) == 1


def test_onboard_with_stripe_unreachable_is_503_and_loses_nothing(stripe_unreachable, caller):
    answer = caller.post(ONBOARD)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert SellerAccount.objects.get().stripe_account_id is None
    assert caller.get("/api/payments/seller/").json() == NONE


def test_onboard_in_unsupported_country_is_409(double, caller, settings):
    settings.STRIPE_CONNECT_COUNTRY = "AQ"
    answer = caller.post(ONBOARD)
    assert (answer.status_code, answer.json()["code"]) == (409, "onboarding_refused")


def test_onboard_of_account_unknown_at_stripe_creates_a_new_one(double, caller, seller):
    SellerAccount.objects.create(
        user=seller, stripe_account_id="acct_gone", transfers_active=True, payouts_enabled=True
    )
    assert caller.post(ONBOARD).status_code == 200
    account = SellerAccount.objects.get()
    assert (account.stripe_account_id == "acct_gone", account.can_receive_payouts) == (False, False)


# account.updated


def test_account_updated_event_enables_an_onboarded_seller(double, client, caller, seller):
    complete_onboarding(caller.post(ONBOARD).json()["url"])
    event = post_account_updated(client, SellerAccount.objects.get())
    assert event.flag == ""
    assert caller.get("/api/payments/seller/").json() == {
        "connect": True, "state": "enabled", "details_submitted": True, "charges_enabled": True,
        "payouts_enabled": True, "requirements": [],
    }  # fmt: skip
    seller.refresh_from_db()
    assert seller.seller_state == "enabled"


def test_account_updated_event_of_unfinished_onboarding_is_pending(double, client, caller, seller):
    complete_onboarding(caller.post(ONBOARD).json()["url"], "leave")
    post_account_updated(client, SellerAccount.objects.get())
    assert caller.get("/api/payments/seller/").json()["state"] == "pending"


def test_account_updated_event_content_is_read_from_stripe(double, client, caller):
    caller.post(ONBOARD)
    post_account_updated(
        client, SellerAccount.objects.get(), payouts_enabled=True, capabilities={"transfers": "active"}
    )
    assert not SellerAccount.objects.get().can_receive_payouts


def test_account_updated_event_of_disabled_seller_is_pending(double, client, seller):
    account = onboarded(seller)
    double.post(
        f"/_double/accounts/{account.stripe_account_id}", payouts_enabled="false", disabled_reason="rejected.fraud"
    )
    post_account_updated(client, account)
    seller.refresh_from_db()
    assert (account.can_receive_payouts, account.disabled_reason, seller.seller_state) == (
        False,
        "rejected.fraud",
        "pending",
    )


def test_account_updated_event_with_an_older_answer_changes_nothing(double, seller):
    account = onboarded(seller)
    event = StripeEvent(id="evt_old", type="account.updated", payload={"data": {"object": about(account)}})
    old = sellers.read_event(event)
    double.post(f"/_double/accounts/{account.stripe_account_id}", payouts_enabled="false")
    refresh(account)
    assert sellers.apply_event(old) == ""
    account.refresh_from_db()
    assert not account.payouts_enabled


def test_account_updated_event_of_unknown_account_is_flagged(double, client):
    stranger = {"object": "account", "id": "acct_stranger"}
    event = {
        "id": "evt_s",
        "object": "event",
        "type": "account.updated",
        "livemode": False,
        "data": {"object": stranger},
    }
    assert post_event(client, event).status_code == 200
    assert StripeEvent.objects.get(pk="evt_s").flag == "unknown_account"


# Erasure and export


def erase(user, as_user):
    return as_user(user).delete("/api/users/me/", {"password": "correct horse battery"})


def test_erasure_of_seller_with_payout_due_is_409(double, winner, product, order, seller, as_user):
    double.confirm(request_intent(winner, product).json()["payment_intent_id"])
    request_intent(winner, product)
    answer = erase(seller, as_user)
    assert (answer.status_code, answer.json()["reasons"]) == (409, [{"reason": "payout_due", "order": order.pk}])


def test_erasure_of_seller_deletes_the_account_row(double, seller, as_user):
    onboarded(seller)
    assert erase(seller, as_user).status_code == 204
    assert not SellerAccount.objects.exists()


def test_export_lists_seller_account_and_payouts(double, winner, product, order, seller):
    account = onboarded(seller)
    double.confirm(request_intent(winner, product).json()["payment_intent_id"])
    request_intent(winner, product)
    kept, payout = account_export.export_account(user=seller), Payout.objects.get()
    assert kept["seller_accounts"] == [
        {
            "account_id": account.stripe_account_id, "details_submitted": True, "charges_enabled": True,
            "payouts_enabled": True, "requirements": [],
        }
    ]  # fmt: skip
    assert kept["payouts"] == [
        {
            "order": order.pk, "currency": "USD", "gross": "19.99", "fee": "0.00", "amount": "19.99",
            "reversed": "0.00", "sent": "19.99", "route": "destination", "status": "paid",
            "created_at": payout.created_at, "paid_at": payout.paid_at,
        }
    ]  # fmt: skip


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite writes one at a time")
@pytest.mark.django_db(transaction=True)
def test_account_updated_event_during_erasure_leaves_no_account(double, seller, as_user):
    account = onboarded(seller)
    event = StripeEvent(id="evt_1", type="account.updated", payload={"data": {"object": about(account)}})
    found, caller = sellers.read_event(event), as_user(seller)

    def describe():
        with transaction.atomic():
            return sellers.apply_event(found)

    acts = [describe, lambda: caller.delete("/api/users/me/", {"password": "correct horse battery"}).status_code]
    answers = run_concurrently(2, lambda: acts.pop()())  # noqa: PLW0108 (each thread takes its own)
    assert 204 in answers
    assert {*answers} - {204} <= {"", "unknown_account"}
    assert not SellerAccount.objects.exists()
    assert User.objects.get(pk=seller.pk).seller_state == "none"
