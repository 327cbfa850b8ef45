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
    "detail": "The code is wrong, used, or expired. Please request a new one.",
}


@pytest.fixture
def user(db):
    return factories.user(OLD)


@pytest.fixture
def me(user, as_user):
    return as_user(user)


@pytest.fixture
def signals(no_receivers):
    received = []

    def asked(user, code, **_):
        received.append(("requested", user.pk, code.email))

    def changed(user, previous, **_):
        received.append(("changed", user.pk, previous.email))

    email_change_requested.connect(asked)
    email_changed.connect(changed)
    yield received
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


def test_confirm_changes_address_and_ends_other_sessions(user, me, as_user, client, mailed_codes, signals):
    other = as_user(user)
    asked = ask(me, "  Mike@Example.ORG ")
    assert (asked.status_code, asked.json()) == (200, {"detail": CODE_SENT})
    assert OneTimeCode.objects.get().email == NEW
    assert me.get("/api/users/me/").json()["email"] == OLD
    answer = confirm(me, mailed_codes[0])
    assert (answer.status_code, answer.json()) == (200, me.get("/api/users/me/").json())
    assert answer.json()["email"] == NEW
    assert other.get("/api/users/me/").status_code == 401
    assert signals == [("requested", user.pk, NEW), ("changed", user.pk, OLD)]
    assert PreviousEmail.objects.get().email == OLD
    assert User.objects.get().email_verified_at is not None
    for email, status in ((NEW, 200), (OLD, 401)):
        assert client.post("/api/auth/token/", {"username": email, "password": PASSWORD}).status_code == status


def test_old_address_can_register_as_a_new_account(user, me, client, mailed_codes):
    ask(me)
    confirm(me, mailed_codes[0])
    answer = client.post("/api/users/register/", {"email": OLD, "password": "another's password"})
    assert answer.status_code == 201
    assert answer.json()["id"] != user.pk


def test_request_for_used_and_free_address_is_the_same(user, as_user):
    factories.user("taken@example.com")
    # These create rows of failed attempts.
    ask(as_user(user), "before@example.com")
    confirm(as_user(user), "nonsense")
    counts, bodies = [], []
    for number, email in enumerate(["taken@example.com", "free@example.com"]):
        caller = as_user(user)
        with CaptureQueriesContext(connection) as queries:
            bodies.append(ask(caller, email, REMOTE_ADDR=f"198.51.{number}.1").content)
            bodies.append(confirm(caller, "nonsense").content)
        counts.append(len(queries))
    assert bodies[:2] == bodies[2:]
    assert counts[0] == counts[1]


def test_confirm_of_address_used_meanwhile_changes_nothing(user, me, as_user, mailed_codes, signals):
    other = as_user(user)
    ask(me)
    rose = factories.user(NEW)
    answer = confirm(me, mailed_codes[0])
    assert (answer.status_code, answer.json()) == (400, INVALID)
    assert [caller.get("/api/users/me/").json()["email"] for caller in (me, other)] == [OLD, OLD]
    assert User.objects.get(pk=rose.pk).email == NEW
    assert not PreviousEmail.objects.exists()
    assert [what for what, *_ in signals] == ["requested"]
    assert FailedAttempts.objects.get(pk=f"code:{NEW}").consecutive_failures == 0


def test_request_requires_the_password(user, me, mailed_codes):
    answer = me.post(URL, {"email": NEW})
    assert (answer.status_code, answer.json()) == (
        400,
        refused("password", "Your current password is required to change your email address."),
    )
    answer = ask(me, password="wrong")
    assert (answer.status_code, answer.json()) == (400, refused("password", "The current password is wrong."))
    assert mailed_codes == []


def test_request_with_wrong_passwords_is_limited(me):
    assert [ask(me, password="wrong").status_code for _ in range(6)] == [400] * 5 + [429]


def test_request_for_current_address_is_refused(me, mailed_codes):
    answer = ask(me, "MIKE@example.com")
    assert (answer.status_code, answer.json()) == (400, refused("email", "This is your current email address."))
    assert mailed_codes == []


def test_confirm_uses_the_last_requested_address(me, mailed_codes):
    ask(me, "first@example.com")
    ask(me, "second@example.com")
    assert confirm(me, mailed_codes[0]).json() == INVALID
    assert confirm(me, mailed_codes[1]).json()["email"] == "second@example.com"


def test_confirm_with_code_of_another_account_is_refused(user, me, as_user, mailed_codes, advance_time):
    rose = factories.user("rose@example.com")
    ask(me)
    advance_time(61)
    ask(as_user(rose))
    for code in mailed_codes:
        assert confirm(me, code).json() == INVALID
    assert sorted(User.objects.values_list("email", flat=True)) == [OLD, "rose@example.com"]


def test_confirm_without_request_is_refused(me):
    assert (confirm(me, "123456").status_code, confirm(me, "123456").json()) == (400, INVALID)
    assert not FailedAttempts.objects.exists()


@pytest.mark.parametrize("case", ["wrong", "expired", "used", "superseded"])
def test_confirm_with_bad_code_gives_the_same_error(me, client, mailed_codes, advance_time, case):
    ask(me)
    if case == "expired":
        advance_time(601)
    elif case == "used":
        confirm(me, mailed_codes[0])
    elif case == "superseded":
        advance_time(61)
        client.post("/api/auth/otp/request/", {"email": NEW})
    answer = confirm(me, wrong(mailed_codes[0]) if case == "wrong" else mailed_codes[0])
    assert (answer.status_code, answer.json()) == (400, INVALID)
    assert User.objects.get().email == (NEW if case == "used" else OLD)


def test_confirm_after_five_wrong_codes_is_locked_out(me, client, mailed_codes):
    ask(me)
    assert [confirm(me, wrong(mailed_codes[0])).status_code for _ in range(5)] == [400] * 5
    assert confirm(me, mailed_codes[0]).status_code == 429
    assert client.post("/api/auth/otp/verify/", {"email": NEW, "code": "123456"}).status_code == 429
    assert client.post("/api/auth/otp/verify/", {"email": OLD, "code": "123456"}).status_code == 400


def test_request_shares_the_limits_of_all_codes(me, client, mailed_codes):
    client.post("/api/auth/otp/request/", {"email": NEW})
    answer = ask(me)
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")


def test_confirm_after_tokens_ended_is_refused(user, me, mailed_codes):
    ask(me)
    session_id = user.sessions.get().pk
    profile.update_profile(user=user, password_hash=make_password("a new long password"))
    with pytest.raises(email_change.NotAuthenticated):
        email_change.confirm_change(user=user, code=mailed_codes[0], session_id=session_id)
    assert User.objects.get().email == OLD


@pytest.mark.parametrize("path", [URL, CONFIRM])
def test_request_and_confirm_require_a_token(client, path):
    assert client.post(path, {"email": NEW, "code": "123456"}).status_code == 401


@pytest.mark.parametrize("path", [URL, CONFIRM])
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_other_methods_are_not_allowed(me, path, method):
    assert getattr(me, method)(path).status_code == 405


@pytest.mark.parametrize("email", ["", "mike", "mike@ex\u0430mple.com", None, ["mike@example.org"]])
def test_request_with_invalid_address_is_refused(me, mailed_codes, email):
    answer = ask(me, email)
    assert (answer.status_code, answer.json()["errors"].keys()) == (400, {"email"})
    assert mailed_codes == []


def test_change_code_without_account_violates_the_constraint(user, mailed_codes):
    now = user.created_at
    rows = {"email": NEW, "nonce": "n", "created_at": now, "expires_at": now}
    for wrong_row in ({"purpose": "change_email"}, {"purpose": "reset", "account": user}):
        with pytest.raises(IntegrityError), transaction.atomic():
            OneTimeCode.objects.create(**rows, **wrong_row)


@pytest.mark.django_db(transaction=True)
def test_parallel_confirms_and_registration_give_the_address_to_one(user, as_user, mailed_codes, run_parallel):
    callers = [as_user(user) for _ in range(4)]
    ask(callers[0])

    def call(number):
        if number < 4:
            return confirm(callers[number], mailed_codes[0]).status_code
        return APIClient().post("/api/users/register/", {"email": NEW, "password": "another's password"}).status_code

    answers = run_parallel(6, call)
    assert set(answers) <= {200, 201, 400, 401}
    # What was registered first is discarded by the proof; after the proof nobody can register the address.
    assert answers.count(200) == 1
    assert answers.count(201) <= 1
    assert User.objects.filter(email=NEW).count() == 1
