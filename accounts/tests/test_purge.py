"""accounts.purge: what nobody needs any more."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from rest_framework.test import APIClient

from accounts.models import FailedAttempts, OneTimeCode, PreviousEmail, Session
from accounts.services import lockout, otp, tokens
from accounts.services import purge as purging
from accounts.services.purge import purge
from accounts.tasks import purge as task
from auctioncraft.celery import app
from auctioncraft.core import clock
from tests import factories

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]
NOTHING = {"codes": 0, "guards": 0, "sign_ins": 0, "former_addresses": 0}


@pytest.fixture
def user(db):
    return factories.user("mike@example.com")


def age(rows, **by):
    """Let time pass for rows: their times are moved."""
    names = [field.name for field in rows.model._meta.fields if field.name.endswith("_at") and field.name != "ended_at"]
    rows.update(**{name: F(name) - timedelta(**by) for name in names})


def fail(email, times=1):
    for _ in range(times):
        APIClient().post("/api/auth/otp/verify/", {"email": email, "code": "nonsense"})


def test_codes_go_after_a_day(mailed):
    for number in range(3):
        otp.request_code(email=f"m{number}@example.com", ip="192.0.2.1")
    old, young, _ = OneTimeCode.objects.order_by("pk").values_list("pk", flat=True)
    age(OneTimeCode.objects.filter(pk=old), hours=24, seconds=1)
    age(OneTimeCode.objects.filter(pk=young), hours=23, minutes=59)
    assert purge()["codes"] == 1
    assert not OneTimeCode.objects.filter(pk=old).exists()
    assert OneTimeCode.objects.count() == 2


def test_no_limit_is_forgotten_with_the_rows(mailed, wait):
    for number in range(5):
        fail("mike@example.com")
        assert APIClient().post("/api/auth/otp/request/", {"email": "mike@example.com"}).status_code == 200, number
        wait(100)
        purge()
    ask = APIClient().post("/api/auth/otp/request/", {"email": "mike@example.com"})
    assert ask.status_code == 429
    assert APIClient().post("/api/auth/otp/verify/", {"email": "mike@example.com", "code": "0"}).status_code == 429


def test_guards_go_an_hour_after_the_last_failure_and_those_without_any_at_once(wait):
    fail("old@example.com", 2)
    wait(3601)
    fail("young@example.com")
    wait(3590)
    fail("old2@example.com")
    with transaction.atomic():
        lockout.lock_attempts(FailedAttempts.Kind.NETWORK, "192.0.2.1")
    assert purge() == {**NOTHING, "guards": 2}
    assert set(FailedAttempts.objects.values_list("pk", flat=True)) == {
        "code:young@example.com",
        "code:old2@example.com",
    }


def test_sign_ins_go_thirty_days_after_their_end_but_for_the_last_of_an_account(user):
    for _ in range(5):
        tokens.sign_in(user=user, user_agent="", ip=None)
    ended, expired, young, live, last = Session.objects.order_by("created_at").values_list("pk", flat=True)
    now = clock.now()
    Session.objects.filter(pk=ended).update(ended_at=now - timedelta(days=31))
    age(Session.objects.filter(pk=expired), days=45)
    age(Session.objects.filter(pk=young), days=43)
    Session.objects.filter(pk=last).update(ended_at=now - timedelta(days=31))
    assert purge() == {**NOTHING, "sign_ins": 2}
    assert set(Session.objects.values_list("pk", flat=True)) == {young, live, last}
    assert purge() == NOTHING


def test_former_addresses_go_after_thirty_days(user):
    for days in (29, 31):
        replaced_at = clock.now() - timedelta(days=days)
        PreviousEmail.objects.create(user=user, email=f"{days}@example.com", replaced_at=replaced_at)
    assert purge() == {**NOTHING, "former_addresses": 1}
    assert PreviousEmail.objects.get().email == "29@example.com"


def test_it_goes_on_batch_after_batch_until_its_time_is_up(monkeypatch):
    FailedAttempts.objects.bulk_create([FailedAttempts(key=f"network:{number}") for number in range(25)])
    assert purge(limit=10, seconds=0) == NOTHING
    assert purge(limit=10)["guards"] == 25


def test_an_idle_sweep_takes_no_lock(django_assert_max_num_queries):
    # A read for each of the four, and the clock on PostgreSQL.
    with django_assert_max_num_queries(8):
        assert purge() == NOTHING


def test_it_is_swept_every_hour():
    assert (app.conf.beat_schedule["accounts.purge"]["schedule"], task.name) == (3600.0, "accounts.purge")
    FailedAttempts.objects.create(key="network:192.0.2.1")
    task()
    assert not FailedAttempts.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one lock for all")
def test_a_guard_that_is_held_is_left_alone():
    held, release = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            guard = lockout.lock_attempts(FailedAttempts.Kind.CODE, "mike@example.com")
            lockout.record_failure(guard, clock.now() - timedelta(hours=2))
        with transaction.atomic():
            lockout.lock_attempts(FailedAttempts.Kind.CODE, "mike@example.com")
            held.set()
            release.wait(20)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(20)
    try:
        assert purge() == NOTHING
    finally:
        release.set()
        thread.join()
    assert purge() == {**NOTHING, "guards": 1}


def test_a_guard_that_is_purged_between_look_and_lock_is_made_again(monkeypatch):
    """The row was there when it was to be made, and gone when it was to be locked."""
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
def test_while_it_is_purged_no_more_guesses_are_compared_than_the_guard_lets_through(together):
    def work(number):
        if number % 4 == 0:
            return purge()["guards"] * 0
        return APIClient().post("/api/auth/otp/verify/", {"email": "mike@example.com", "code": "no"}).status_code

    answers = together(24, work)
    assert sorted(answers) == [0] * 6 + [400] * 5 + [429] * 13


def test_what_is_old_is_looked_at_again_under_the_lock(monkeypatch):
    fail("mike@example.com")
    age(FailedAttempts.objects.all(), hours=2)
    calls = []

    def guards_and_then_a_failure(now):
        calls.append(now)
        if len(calls) == 2:
            FailedAttempts.objects.update(last_failed_at=now)
        return purging_guards(now)

    purging_guards = purging._OLD["guards"]
    monkeypatch.setitem(purging._OLD, "guards", guards_and_then_a_failure)
    assert purge() == NOTHING
    assert FailedAttempts.objects.count() == 1
