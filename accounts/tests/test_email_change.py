"""POST /api/users/me/email/ and /api/users/me/email/confirm/"""

import pytest
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import FailedAttempts, OneTimeCode, PreviousEmail, User
from accounts.services import email_change, profile
from accounts.signals import email_change_requested, email_changed
from accounts.views import CODE_SENT
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/users/me/email/"
CONFIRM = f"{URL}confirm/"
OLD, NEW, PASSWORD = "mike@example.com", "mike@example.org", "correct horse battery"
INVALID = {
    "code": "invalid_code",
    "detail": "The code is wrong, was used already, or has expired. Ask for a new one.",
}


@pytest.fixture
def user(db):
    return factories.user(OLD)


@pytest.fixture
def me(user, as_user):
    return as_user(user)


@pytest.fixture
def told(alone):
    heard = []

    def asked(user, code, **_):
        heard.append(("asked", user.pk, code.email))

    def changed(user, former, **_):
        heard.append(("changed", user.pk, former.email))

    email_change_requested.connect(asked)
    email_changed.connect(changed)
    yield heard
    email_change_requested.disconnect(asked)
    email_changed.disconnect(changed)


def ask(caller, email=NEW, password=PASSWORD, **headers):
    return caller.post(URL, {"email": email, "password": password}, **headers)


def confirm(caller, code):
    return caller.post(CONFIRM, {"code": code})


def refused(field, reason):
    return {"code": "invalid", "detail": "The input is not valid.", "errors": {field: [reason]}}


def wrong(code):
    return f"{(int(code) + 1) % 10**6:06d}"


def test_the_code_at_the_new_address_changes_it_and_other_sign_ins_end(user, me, as_user, client, mailed, told):
    other = as_user(user)
    asked = ask(me, "  Mike@Example.ORG ")
    assert (asked.status_code, asked.json()) == (200, {"detail": CODE_SENT})
    assert OneTimeCode.objects.get().email == NEW
    assert me.get("/api/users/me/").json()["email"] == OLD
    answer = confirm(me, mailed[0])
    assert (answer.status_code, answer.json()) == (200, me.get("/api/users/me/").json())
    assert answer.json()["email"] == NEW
    assert other.get("/api/users/me/").status_code == 401
    assert told == [("asked", user.pk, NEW), ("changed", user.pk, OLD)]
    assert PreviousEmail.objects.get().email == OLD
    assert User.objects.get().email_verified_at is not None
    for email, status in ((NEW, 200), (OLD, 401)):
        assert client.post("/api/auth/token/", {"username": email, "password": PASSWORD}).status_code == status


def test_the_old_address_is_free_and_whoever_registers_it_is_somebody_new(user, me, client, mailed):
    ask(me)
    confirm(me, mailed[0])
    answer = client.post("/api/users/register/", {"email": OLD, "password": "another's password"})
    assert answer.status_code == 201
    assert answer.json()["id"] != user.pk


def test_taken_and_free_addresses_get_the_same_by_the_same_queries(user, as_user):
    factories.user("taken@example.com")
    ask(as_user(user), "before@example.com")  # after which the guard of the password is there
    counts, bodies = [], []
    for number, email in enumerate(["taken@example.com", "free@example.com"]):
        caller = as_user(user)
        with CaptureQueriesContext(connection) as queries:
            bodies.append(ask(caller, email, REMOTE_ADDR=f"198.51.100.{number}").content)
            bodies.append(confirm(caller, "nonsense").content)
        counts.append(len(queries))
    assert bodies[:2] == bodies[2:]
    assert counts[0] == counts[1]


def test_an_address_that_is_taken_meanwhile_is_refused_and_nothing_is_lost(user, me, as_user, mailed, told):
    other = as_user(user)
    ask(me)
    rose = factories.user(NEW)
    answer = confirm(me, mailed[0])
    assert (answer.status_code, answer.json()) == (400, INVALID)
    assert [caller.get("/api/users/me/").json()["email"] for caller in (me, other)] == [OLD, OLD]
    assert User.objects.get(pk=rose.pk).email == NEW
    assert not PreviousEmail.objects.exists()
    assert [what for what, *_ in told] == ["asked"]
    assert FailedAttempts.objects.get(pk=f"code:{NEW}").consecutive_failures == 0


def test_it_takes_the_password_if_there_is_one(user, me, mailed):
    answer = me.post(URL, {"email": NEW})
    assert (answer.status_code, answer.json()) == (
        400,
        refused("password", "Your current password is required to change your email address."),
    )
    answer = ask(me, password="wrong")
    assert (answer.status_code, answer.json()) == (400, refused("password", "The current password is wrong."))
    assert mailed == []
    User.objects.update(password="!")
    assert me.post(URL, {"email": NEW}).status_code == 200


def test_guesses_at_the_password_are_limited(me):
    assert [ask(me, password="wrong").status_code for _ in range(6)] == [400] * 5 + [429]


def test_the_present_address_is_refused(me, mailed):
    answer = ask(me, "MIKE@example.com")
    assert (answer.status_code, answer.json()) == (400, refused("email", "This is your address already."))
    assert mailed == []


def test_the_address_asked_for_last_counts(me, mailed):
    ask(me, "first@example.com")
    ask(me, "second@example.com")
    assert confirm(me, mailed[0]).json() == INVALID
    assert confirm(me, mailed[1]).json()["email"] == "second@example.com"


def test_a_code_that_another_account_asked_for_changes_nothing(user, me, as_user, mailed, wait):
    rose = factories.user("rose@example.com")
    ask(me)
    wait(61)
    ask(as_user(rose))
    for code in mailed:
        assert confirm(me, code).json() == INVALID
    assert sorted(User.objects.values_list("email", flat=True)) == [OLD, "rose@example.com"]


def test_without_having_asked_no_code_is_right(me):
    assert (confirm(me, "123456").status_code, confirm(me, "123456").json()) == (400, INVALID)
    assert not FailedAttempts.objects.exists()


@pytest.mark.parametrize("case", ["wrong", "expired", "used", "superseded"])
def test_whatever_is_wrong_the_answer_is_one(me, client, mailed, wait, case):
    ask(me)
    if case == "expired":
        wait(601)
    elif case == "used":
        confirm(me, mailed[0])
    elif case == "superseded":
        wait(61)
        client.post("/api/auth/otp/request/", {"email": NEW})
    answer = confirm(me, wrong(mailed[0]) if case == "wrong" else mailed[0])
    assert (answer.status_code, answer.json()) == (400, INVALID)
    assert User.objects.get().email == (NEW if case == "used" else OLD)


def test_five_wrong_codes_then_429_even_for_the_right_one_and_for_sign_in(me, client, mailed):
    ask(me)
    assert [confirm(me, wrong(mailed[0])).status_code for _ in range(5)] == [400] * 5
    assert confirm(me, mailed[0]).status_code == 429
    assert client.post("/api/auth/otp/verify/", {"email": NEW, "code": "123456"}).status_code == 429
    assert client.post("/api/auth/otp/verify/", {"email": OLD, "code": "123456"}).status_code == 400


def test_limits_are_those_of_every_code_to_that_address(me, client, mailed):
    client.post("/api/auth/otp/request/", {"email": NEW})
    answer = ask(me)
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")


def test_an_account_changed_meanwhile_is_not_touched_by_a_caller_who_was_let_in_before(user, me, mailed):
    ask(me)
    session_id = user.sessions.get().pk
    profile.update_profile(user=user, password_hash=make_password("a new long password"))
    with pytest.raises(email_change.NotAuthenticated):
        email_change.confirm_change(user=user, code=mailed[0], session_id=session_id)
    assert User.objects.get().email == OLD


@pytest.mark.parametrize("path", [URL, CONFIRM])
def test_needs_a_token(client, path):
    assert client.post(path, {"email": NEW, "code": "123456"}).status_code == 401


@pytest.mark.parametrize("path", [URL, CONFIRM])
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_only_post(me, path, method):
    assert getattr(me, method)(path).status_code == 405


@pytest.mark.parametrize("email", ["", "mike", "mike@ex\u0430mple.com", None, ["mike@example.org"]])
def test_what_is_no_address_is_refused(me, mailed, email):
    answer = ask(me, email)
    assert (answer.status_code, answer.json()["errors"].keys()) == (400, {"email"})
    assert mailed == []


def test_the_table_knows_whose_change_a_code_is_for(user, mailed):
    now = user.created_at
    rows = {"email": NEW, "nonce": "n", "created_at": now, "expires_at": now}
    for wrong_row in ({"purpose": "change_email"}, {"purpose": "reset", "account": user}):
        with pytest.raises(IntegrityError), transaction.atomic():
            OneTimeCode.objects.create(**rows, **wrong_row)


@pytest.mark.django_db(transaction=True)
def test_two_accounts_and_a_registration_at_once_give_the_address_to_one(user, as_user, mailed, together):
    callers = [as_user(user) for _ in range(4)]
    ask(callers[0])

    def call(number):
        if number < 4:
            return confirm(callers[number], mailed[0]).status_code
        return APIClient().post("/api/users/register/", {"email": NEW, "password": "another's password"}).status_code

    answers = together(6, call)
    assert set(answers) <= {200, 201, 400, 401}
    assert answers.count(200) + answers.count(201) == 1
    assert User.objects.filter(email=NEW).count() == 1
