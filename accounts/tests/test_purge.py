"""Purging accounts. Batches, time limit and locks are proved by tests/test_purge.py."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models import F
from rest_framework.test import APIClient

from accounts.models import FailedAttempts, OneTimeCode, PreviousEmail, Session
from accounts.services import lockout, otp, tokens
from accounts.services.purge import purge
from accounts.tasks import purge as task
from auctioncraft.celery import app
from auctioncraft.core import clock
from tests import factories

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]
NOTHING = dict.fromkeys(("codes", "failed_attempts", "wrong_codes", "sessions", "known_networks", "previous_emails"), 0)


@pytest.fixture
def user(db):
    return factories.user("mike@example.com")


def age(rows, **by):
    """Move the times of rows back."""
    names = [field.name for field in rows.model._meta.fields if field.name.endswith("_at") and field.name != "ended_at"]
    rows.update(**{name: F(name) - timedelta(**by) for name in names})


def fail_to_verify(email, times=1):
    for _ in range(times):
        APIClient().post("/api/auth/otp/verify/", {"email": email, "code": "nonsense"})


def test_purge_codes_after_24_hours(mailed_codes):
    for number in range(3):
        otp.request_code(email=f"m{number}@example.com", ip="192.0.2.1")
    old, young, _ = OneTimeCode.objects.order_by("pk").values_list("pk", flat=True)
    age(OneTimeCode.objects.filter(pk=old), hours=24, seconds=1)
    age(OneTimeCode.objects.filter(pk=young), hours=23, minutes=59)
    assert purge()["codes"] == 1
    assert not OneTimeCode.objects.filter(pk=old).exists()
    assert OneTimeCode.objects.count() == 2


def test_purge_keeps_limits_in_force(mailed_codes, advance_time):
    for number in range(5):
        fail_to_verify("mike@example.com")
        assert APIClient().post("/api/auth/otp/request/", {"email": "mike@example.com"}).status_code == 200, number
        advance_time(100)
        purge()
    ask = APIClient().post("/api/auth/otp/request/", {"email": "mike@example.com"})
    assert ask.status_code == 429
    assert APIClient().post("/api/auth/otp/verify/", {"email": "mike@example.com", "code": "0"}).status_code == 429


def test_purge_failed_attempts_a_day_after_the_last_failure(advance_time):
    day = 24 * 3600
    fail_to_verify("old@example.com", 2)
    advance_time(day + 1)
    fail_to_verify("young@example.com")
    advance_time(day - 10)
    fail_to_verify("old2@example.com")
    with transaction.atomic():
        lockout.lock_attempts(FailedAttempts.Kind.NETWORK, "192.0.2.1")
    assert purge() == {**NOTHING, "failed_attempts": 2, "wrong_codes": 3}
    assert set(FailedAttempts.objects.values_list("pk", flat=True)) == {
        "code:young@example.com",
        "code:old2@example.com",
        "code_network:127.0.0.0/24",
    }


def test_purge_sessions_30_days_after_their_end_except_the_last(user):
    for _ in range(5):
        tokens.sign_in(user=user, user_agent="", ip=None)
    ended, expired, young, active, last = Session.objects.order_by("created_at").values_list("pk", flat=True)
    now = clock.now()
    Session.objects.filter(pk=ended).update(ended_at=now - timedelta(days=31))
    age(Session.objects.filter(pk=expired), days=45)
    age(Session.objects.filter(pk=young), days=43)
    Session.objects.filter(pk=last).update(ended_at=now - timedelta(days=31))
    assert purge() == {**NOTHING, "sessions": 2}
    assert set(Session.objects.values_list("pk", flat=True)) == {young, active, last}
    assert purge() == NOTHING


def test_purge_previous_emails_after_30_days(user):
    for days in (29, 31):
        replaced_at = clock.now() - timedelta(days=days)
        PreviousEmail.objects.create(user=user, email=f"{days}@example.com", replaced_at=replaced_at)
    assert purge() == {**NOTHING, "previous_emails": 1}
    assert PreviousEmail.objects.get().email == "29@example.com"


def test_purge_job_runs_every_hour():
    assert (app.conf.beat_schedule["accounts.purge"]["schedule"], task.name) == (3600.0, "accounts.purge")
    FailedAttempts.objects.create(key="network:192.0.2.1")
    task()
    assert not FailedAttempts.objects.exists()


def test_lock_attempts_row_purged_before_the_lock_is_created_again(monkeypatch):
    made = FailedAttempts.objects.bulk_create
    gone = []

    def purged(rows, **how):
        if not gone:
            gone.append(rows)
            return []
        return made(rows, **how)

    monkeypatch.setattr(type(FailedAttempts.objects), "bulk_create", lambda _, rows, **how: purged(rows, **how))
    with transaction.atomic():
        assert lockout.lock_attempts(FailedAttempts.Kind.CODE, "mike@example.com").pk == "code:mike@example.com"
    assert gone


@pytest.mark.django_db(transaction=True)
def test_purge_in_parallel_allows_no_more_attempts(run_parallel):
    def work(number):
        if number % 4 == 0:
            return purge()["failed_attempts"] * 0
        return APIClient().post("/api/auth/otp/verify/", {"email": "mike@example.com", "code": "no"}).status_code

    answers = run_parallel(24, work)
    assert sorted(answers) == [0] * 6 + [400] * 5 + [429] * 13
