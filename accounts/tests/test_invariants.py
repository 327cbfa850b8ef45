"""Invariants of accounts: each check names the row that violates it, and shows no address."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import FailedAttempts, OneTimeCode, PreviousEmail, Session, StaffAction, User
from accounts.services import account_erasure, disabling, otp, tokens
from auctioncraft.core.invariants import all_invariants
from tests import factories
from tests.violations import find_violations

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def invariants_hold():
    """They don't here."""


@pytest.fixture
def user():
    return factories.user("mike@example.com")


def found():
    return find_violations("accounts")


def test_invariants_after_ordinary_use_hold(user, client):
    otp.request_code(email="mike@example.com", ip=None)
    tokens.rotate_refresh_token(refresh=tokens.sign_in(user=user, user_agent="", ip=None).refresh)
    client.post("/api/auth/otp/verify/", {"email": "mike@example.com", "code": "0"})
    assert found() == {}


def test_checks_take_one_query_each_beside_the_keys_of_their_model(user):
    invariants = all_invariants("accounts")
    with CaptureQueriesContext(connection) as queries:
        found()
    reads = [query for query in queries if query["sql"].startswith("SELECT")]
    assert len(reads) <= len(invariants) + len({each.model for each in invariants})


def test_address_not_normalized_and_duplicate_is_found(user):
    other = factories.user("rose@example.com")
    User.objects.filter(pk=other.pk).update(email="\uff2dIKE@example.com")
    assert found() == {
        "18 each normalized address has one account": [
            f"user {other.pk}: the address is not normalized",
            f"user {other.pk}: the same address as user {user.pk}",
        ]
    }


def test_code_lasting_too_long_is_found():
    code = otp.request_code(email="mike@example.com", ip=None)
    OneTimeCode.objects.update(expires_at=code.created_at + timedelta(minutes=11))
    assert found() == {"18 a code lasts 10 minutes": [f"code {code.pk}: does not last 10 minutes"]}


def test_failed_attempts_above_limit_are_found():
    FailedAttempts.objects.create(key="code:mike@example.com", failures=list(range(11)))
    FailedAttempts.objects.create(key="code:rose@example.com", failures=[3600 * number for number in range(14)])
    FailedAttempts.objects.create(key="code_network:192.0.2.0/24", failures=list(range(30)))
    FailedAttempts.objects.create(key="code_network:198.51.100.0/24", failures=list(range(31)))
    assert found() == {
        "18 at most 10 failed attempts an hour are counted": [
            "failed attempts of a code: more than 10 within an hour",
            "failed attempts of a code_network: more than 30 within an hour",
        ]
    }
    FailedAttempts.objects.all().delete()


def test_disabled_account_with_session_is_found(user):
    tokens.sign_in(user=user, user_agent="", ip=None)
    User.objects.update(is_active=False)
    assert found() == {
        "19 a disabled account has no session": [
            f"session {Session.objects.get().pk}: not ended, and its account is disabled"
        ],
        "25 a disabled account says who disabled it": [f"user {user.pk}: disabled, and nobody is on record for it"],
    }


def test_disabled_account_enabled_again_or_erased_is_fine_and_without_record_found(user):
    factories.disable_account(user)
    desk = User.objects.get(is_staff=True)
    assert found() == {}
    disabling.enable_account(user=user, actor=desk, reason="A mistake.")
    assert found() == {}
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert found() == {
        "25 a disabled account says who disabled it": [f"user {user.pk}: disabled, and nobody is on record for it"]
    }


def test_staff_action_without_a_reason_is_found(user):
    factories.disable_account(user)
    StaffAction.objects.update(reason=" \n")
    action = StaffAction.objects.get()
    assert found() == {"25 what staff did to an account says why": [f"staff action {action.pk}: no reason"]}


def test_refresh_token_shared_by_two_sessions_is_found(user):
    for _ in range(2):
        tokens.sign_in(user=user, user_agent="", ip=None)
    Session.objects.update(token_hash="a" * 64)
    assert len(found()["19 a refresh token has at most one successor"]) == 2


def test_session_times_out_of_order_are_found(user):
    tokens.sign_in(user=user, user_agent="", ip=None)
    Session.objects.update(last_used_at=timezone.now() - timedelta(hours=1))
    assert found().keys() == {"19 a session is used between its start and its end"}


def test_session_lasting_too_long_is_found(user):
    tokens.sign_in(user=user, user_agent="", ip=None)
    Session.objects.update(created_at=F("created_at") - timedelta(days=77))
    assert found().keys() == {"19 a session ends within 90 days"}


@pytest.mark.parametrize("name", ["mike\uff20example.com", "mike@example\u3002com"])
def test_display_name_full_width_address_is_found(user, name):
    User.objects.update(display_name=name)
    assert found().keys() == {"20 display names contain no email address"}


def test_display_name_own_address_is_found(user):
    User.objects.update(display_name="mike@example.com")
    assert found() == {
        "20 display names contain no email address": [f"user {user.pk}: the display name is an email address"]
    }


def test_deleted_account_with_remains_is_found(user):
    account_erasure.erase_account(user=user)
    assert found() == {}
    User.objects.update(display_name="Mike")
    assert found() == {"20 deleted accounts are empty": [f"user {user.pk}: deleted, but not all of it"]}
    User.objects.update(display_name="deleted member")
    PreviousEmail.objects.create(user=user, email="mike@example.com", replaced_at=timezone.now())
    assert found().keys() == {"20 deleted accounts are empty"}
