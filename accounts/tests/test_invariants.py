"""Each check names the row that breaks it, and nothing of what must not be shown."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from accounts.invariants import CHECKS
from accounts.models import FailedAttempts, OneTimeCode, PreviousEmail, Session, User
from accounts.services import erasure, otp, tokens
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def invariants_hold():
    """They don't here."""


@pytest.fixture
def user():
    return factories.user("mike@example.com")


def found():
    return {name: lines for name, check in CHECKS.items() if (lines := check())}


def test_nothing_is_found_after_ordinary_use(user, client):
    otp.request_code(email="mike@example.com", ip=None)
    tokens.rotate_refresh_token(refresh=tokens.sign_in(user=user, user_agent="", ip=None).refresh)
    client.post("/api/auth/otp/verify/", {"email": "mike@example.com", "code": "0"})
    assert found() == {}


def test_checks_take_one_query_each(user, django_assert_num_queries):
    with django_assert_num_queries(len(CHECKS)):
        found()


def test_address_that_is_not_normalised_and_doubles_another(user):
    other = factories.user("rose@example.com")
    User.objects.filter(pk=other.pk).update(email="\uff2dIKE@example.com")
    assert found() == {
        "addresses_are_normalised": [
            f"user {other.pk}: the address is not normalised",
            f"user {other.pk}: the same address as user {user.pk}",
        ]
    }


def test_code_that_lasts_too_long():
    code = otp.request_code(email="mike@example.com", ip=None)
    OneTimeCode.objects.update(expires_at=code.created_at + timedelta(minutes=11))
    assert found() == {"codes_last_ten_minutes": [f"code {code.pk}: does not last 10 minutes"]}


def test_too_many_failures():
    FailedAttempts.objects.create(key="code:mike@example.com", failures=list(range(11)))
    assert found() == {"failures_stay_within_the_hour": ["guard of a code: more than 10 failures"]}


def test_disabled_account_that_is_signed_in(user):
    tokens.sign_in(user=user, user_agent="", ip=None)
    User.objects.update(is_active=False)
    assert found() == {
        "disabled_accounts_are_signed_out": [
            f"sign-in {Session.objects.get().pk}: goes on, but its account is disabled"
        ]
    }


def test_shared_refresh_token(user):
    for _ in range(2):
        tokens.sign_in(user=user, user_agent="", ip=None)
    Session.objects.update(token_hash="a" * 64)
    assert len(found()["refresh_tokens_are_not_shared"]) == 2


def test_times_out_of_order(user):
    tokens.sign_in(user=user, user_agent="", ip=None)
    Session.objects.update(last_used_at=timezone.now() - timedelta(hours=1))
    assert found().keys() == {"sign_ins_have_ordered_times"}


def test_sign_in_that_lasts_too_long(user):
    tokens.sign_in(user=user, user_agent="", ip=None)
    Session.objects.update(created_at=F("created_at") - timedelta(days=77))
    assert found().keys() == {"sign_ins_end_within_ninety_days"}


@pytest.mark.parametrize("name", ["mike\uff20example.com", "mike@example\u3002com"])
def test_full_width_address_as_display_name(user, name):
    User.objects.update(display_name=name)
    assert found().keys() == {"display_names_are_no_addresses"}


def test_address_as_display_name(user):
    User.objects.update(display_name="mike@example.com")
    assert found() == {"display_names_are_no_addresses": [f"user {user.pk}: the display name is an e-mail address"]}


def test_erased_and_not_all_of_it(user):
    erasure.erase_account(user=user, password="correct horse battery")
    assert found() == {}
    User.objects.update(display_name="Mike")
    assert found() == {"erased_accounts_are_empty": [f"user {user.pk}: erased, but not all of it"]}
    User.objects.update(display_name="deleted member")
    PreviousEmail.objects.create(user=user, email="mike@example.com", replaced_at=timezone.now())
    assert found().keys() == {"erased_accounts_are_empty"}
