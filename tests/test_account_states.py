"""What an account may do in each state: the table in accounts/services/account_states.py, walked over HTTP."""

import re

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services import account_states
from accounts.services.account_states import ALLOWED, AccountState, Action
from auctioncraft.core import clock
from notifications.models import EmailDelivery
from notifications.services.email_delivery import send_notification_emails
from notifications.services.notification_writer import notify
from payments.tests.double_process import start_double
from tests import factories

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
REFUSALS = {
    AccountState.UNVERIFIED: (403, "email_not_verified"),
    AccountState.SUSPENDED: (403, "bidder_suspended"),
    AccountState.DISABLED: (401, "token_not_valid"),
    AccountState.ERASED: (401, "token_not_valid"),
}


@pytest.fixture(scope="module")
def double():
    yield from start_double()


@pytest.fixture(autouse=True)
def _site(settings, double):
    settings.LIMITS = dict.fromkeys(settings.LIMITS, 0)
    settings.STRIPE_CONNECT, settings.STRIPE_API_BASE = True, double.url
    double.reset()


@pytest.fixture
def user(db):
    return factories.user("mike@example.com")


def put_into(state, user):
    """Bring the account into a state, as the services do."""
    if state == AccountState.UNVERIFIED:
        User.objects.filter(pk=user.pk).update(email_verified_at=None)
    elif state == AccountState.SUSPENDED:
        User.objects.filter(pk=user.pk).update(strikes=3)
    elif state == AccountState.DISABLED:
        factories.disable_account(user)
    elif state == AccountState.ERASED:
        factories.erase_account(user)
    user.refresh_from_db()
    assert account_states.states_of(user) == {state}


def sign_in(caller, user, seller):
    return APIClient().post("/api/auth/token/", {"username": "mike@example.com", "password": PASSWORD})


def bid(caller, user, seller):
    return caller.post(f"/api/products/{factories.product(seller).pk}/bids/", {"amount": "10"})


def buy_now(caller, user, seller):
    product = factories.product(seller, buy_now_price="70")
    return caller.post(f"/api/products/{product.pk}/buy_now/", {"price": "70"})


def sell(caller, user, seller):
    return caller.post("/api/products/", {"name": "A lamp", "category": factories.category().pk, "starting_bid": 1})


def set_up_payouts(caller, user, seller):
    return caller.post("/api/payments/seller/onboard/")


def save_card(caller, user, seller):
    return caller.post("/api/payments/cards/setup/")


def choose_notifications(caller, user, seller):
    return caller.patch("/api/users/me/", {"notifications": {"outbid": {"mail": False}}})


DONE_BY = {
    Action.SIGN_IN: sign_in,
    Action.BID: bid,
    Action.BUY_NOW: buy_now,
    Action.SELL: sell,
    Action.SET_UP_PAYOUTS: set_up_payouts,
    Action.SAVE_CARD: save_card,
    Action.CHOOSE_NOTIFICATIONS: choose_notifications,
}


@pytest.mark.parametrize("action", DONE_BY)
@pytest.mark.parametrize("state", AccountState)
def test_account_in_each_state_may_do_what_the_table_says(user, seller, as_user, state, action):
    caller = as_user(user)
    put_into(state, user)
    answer = DONE_BY[action](caller, user, seller)
    if action in ALLOWED[state]:
        assert answer.status_code in {200, 201}, answer.content
    else:
        refusal = (401, "invalid_credentials") if action == Action.SIGN_IN else REFUSALS[state]
        assert (answer.status_code, answer.json()["code"]) == refusal


@pytest.mark.parametrize("state", AccountState)
def test_account_in_each_state_gets_the_mail_that_the_table_says(user, state):
    put_into(state, user)
    context = {"product": "A lamp", "current_price": "1.00", "currency": "USD", "minimum_bid": "2.00"}
    notify(recipient=user, kind="outbid", source="test", context=context)
    send_notification_emails()
    # What staff did to the account is mailed in any case.
    mail.outbox = [message for message in mail.outbox if message.subject != "Your account was disabled"]
    allowed = Action.RECEIVE_MAIL in ALLOWED[state]
    assert len(mail.outbox) == int(allowed)
    assert account_states.may_be_mailed(user) == allowed
    assert not EmailDelivery.objects.waiting().exists()


@pytest.mark.parametrize("state", AccountState)
def test_account_in_each_state_gets_codes_or_a_new_account(user, client, state):
    """Codes go to unverified addresses too; the address of an erased account is anybody's again."""
    put_into(state, user)
    client.post("/api/auth/otp/request/", {"email": "mike@example.com"})
    from notifications.services.email_delivery import send_codes

    send_codes()
    assert len(mail.outbox) == int(state != AccountState.DISABLED)


def test_every_action_of_the_table_is_walked():
    assert {*DONE_BY, Action.RECEIVE_MAIL} == set(Action)
    assert set(ALLOWED) == set(AccountState)


def test_account_that_is_unverified_and_suspended_may_do_only_what_both_may(user):
    user.email_verified_at, user.strikes = None, 3
    assert account_states.states_of(user) == {AccountState.UNVERIFIED, AccountState.SUSPENDED}
    allowed = {action for action in Action if account_states.is_allowed(user, action)}
    assert allowed == {Action.SIGN_IN, Action.SELL}


def test_table_in_the_docs_is_the_table_in_code():
    page = (django_settings.BASE_DIR / "docs" / "accounts.md").read_text()
    rows = re.findall(r"^\| (.+) \|$", page, re.MULTILINE)
    head = next(row.split(" | ") for row in rows if row.startswith("may "))
    table = {row.split(" | ")[0]: row.split(" | ")[1:] for row in rows}
    assert head[1:] == [str(state) for state in AccountState]
    for action in Action:
        assert table[str(action)] == ["yes" if action in ALLOWED[state] else "no" for state in AccountState], action


def test_verified_account_may_do_again_what_it_could_not(user, as_user, seller):
    put_into(AccountState.UNVERIFIED, user)
    caller = as_user(user)
    assert save_card(caller, user, seller).status_code == 403
    User.objects.update(email_verified_at=clock.now())
    assert save_card(caller, user, seller).status_code == 200


def test_disabled_staff_cannot_log_in_to_the_admin(user):
    User.objects.update(is_staff=True, is_active=False)
    body = {"username": user.email, "password": PASSWORD, "otp_token": ""}
    assert Client().post("/admin/login/", body).status_code == 200
