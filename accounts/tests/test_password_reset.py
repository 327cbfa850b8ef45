"""POST /api/auth/password/reset/ and /api/auth/password/reset/confirm/"""

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import FailedAttempts, OneTimeCode, Session, User
from accounts.services import otp, registration
from accounts.signals import password_changed
from accounts.views import CODE_SENT
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/auth/password/reset/"
CONFIRM = f"{URL}confirm/"
EMAIL, OLD, NEW = "mike@example.com", "correct horse battery", "a new long password"
INVALID = {
    "code": "invalid_code",
    "detail": "The code is wrong, was used already, or has expired. Ask for a new one.",
}


@pytest.fixture
def user(db):
    return factories.user(EMAIL)


@pytest.fixture
def changed(alone):
    users = []

    def receive(user, **_):
        users.append(user)

    password_changed.connect(receive)
    yield users
    password_changed.disconnect(receive)


def ask(client, email=EMAIL, **headers):
    return client.post(URL, {"email": email}, **headers)


def confirm(client, code, email=EMAIL, password=NEW, **headers):
    return client.post(CONFIRM, {"email": email, "code": code, "password": password}, **headers)


def wrong(code):
    return f"{(int(code) + 1) % 10**6:06d}"


def test_the_code_sets_the_password_ends_every_sign_in_and_signs_in(user, client, as_user, mailed, changed):
    other = as_user(user)
    asked = ask(client)
    assert (asked.status_code, asked.json()) == (200, {"detail": CODE_SENT})
    answer = confirm(client, mailed[0], HTTP_USER_AGENT="A browser")
    body = answer.json()
    assert (answer.status_code, body.keys()) == (200, {"access", "refresh", "user"})
    assert body["user"]["id"] == user.pk
    assert answer.headers["Cache-Control"] == "no-store"
    assert other.get("/api/users/me/").status_code == 401
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {body['access']}")
    assert client.get("/api/users/me/").status_code == 200
    assert [row.user_agent for row in Session.objects.filter(ended_at__isnull=True)] == ["A browser"]
    assert changed == [user]
    sign_in = {"username": EMAIL, "password": NEW}
    assert client.post("/api/auth/token/", sign_in).status_code == 200
    assert client.post("/api/auth/token/", {**sign_in, "password": OLD}).status_code == 401


def test_known_and_unknown_addresses_get_the_same_by_the_same_queries(user, mailed):
    counts, bodies = [], []
    for number, email in enumerate([EMAIL, "unknown@example.com"]):
        for call in (ask, lambda *args, **more: confirm(args[0], "nonsense", args[1], **more)):
            with CaptureQueriesContext(connection) as queries:
                bodies.append(call(APIClient(), email, REMOTE_ADDR=f"198.51.100.{number}").content)
            counts.append(len(queries))
    assert bodies[:2] == bodies[2:]
    assert counts[:2] == counts[2:]


def test_an_address_without_an_account_gets_none(client, mailed):
    ask(client)
    assert confirm(client, mailed[0]).json() == INVALID
    assert not User.objects.exists()
    assert not Session.objects.exists()
    assert FailedAttempts.objects.get(pk=f"code:{EMAIL}").consecutive_failures == 0


def test_a_disabled_account_stays_closed(client, mailed):
    factories.user(EMAIL, is_active=False)
    ask(client)
    assert confirm(client, mailed[0]).json() == INVALID
    assert User.objects.get().check_password(OLD)


def test_an_account_without_a_password_gets_one(user, client, mailed):
    user.set_password(None)
    user.save()
    ask(client)
    assert confirm(client, mailed[0]).status_code == 200
    assert User.objects.get().check_password(NEW)


def test_a_reset_verifies_the_address_and_drops_what_a_stranger_prepared(client, as_user, mailed):
    registration.register(email=EMAIL, password="the stranger's own")
    stranger = as_user(User.objects.get())
    ask(client)
    assert confirm(client, mailed[0]).status_code == 200
    assert stranger.get("/api/users/me/").status_code == 401
    user = User.objects.get()
    assert user.email_verified_at is not None
    # So the next code drops nothing any more.
    otp._verified_account(user, OneTimeCode(pending_password=make_password("x")), user.email_verified_at)
    assert User.objects.get().check_password(NEW)


@pytest.mark.parametrize("purpose", OneTimeCode.Purpose)
@pytest.mark.parametrize("path", ["/api/auth/otp/verify/", CONFIRM, "/api/users/me/email/confirm/"])
def test_a_code_opens_only_what_it_is_for(user, as_user, purpose, path):
    account = user if purpose == OneTimeCode.Purpose.CHANGE_EMAIL else None
    email = EMAIL if account is None else "new@example.com"
    me = as_user(user)
    code = otp.derive_code(otp.request_code(email=email, ip=None, purpose=purpose, account=account))
    answer = me.post(path, {"email": email, "code": code, "password": NEW})
    fits = {"sign_in": "/api/auth/otp/verify/", "reset": CONFIRM, "change_email": "/api/users/me/email/confirm/"}
    assert answer.status_code == (200 if fits[purpose] == path else 400)
    if answer.status_code == 400:
        assert answer.json() == INVALID
        assert OneTimeCode.objects.get().consumed_at is None
        assert User.objects.get().email == EMAIL
        assert User.objects.get().check_password(OLD)


def test_codes_of_one_nonce_differ_by_purpose():
    codes = {
        otp.derive_code(OneTimeCode(email=EMAIL, nonce=str(number), purpose=purpose))
        for number in range(20)
        for purpose in OneTimeCode.Purpose
    }
    assert len(codes) > 55


def test_limits_are_shared_with_sign_in_codes(user, client, mailed, wait):
    assert ask(client).status_code == 200
    answer = client.post("/api/auth/otp/request/", {"email": EMAIL})
    assert answer.status_code == 429
    wait(61)
    # A newer code voids the older, whatever they are for.
    assert client.post("/api/auth/otp/request/", {"email": EMAIL}).status_code == 200
    assert confirm(client, mailed[0]).json() == INVALID


def test_failures_are_shared_with_sign_in_codes(user, client, mailed):
    ask(client)
    for number in range(5):
        guess = {"email": EMAIL, "code": wrong(mailed[0]), "password": NEW}
        path = CONFIRM if number % 2 else "/api/auth/otp/verify/"
        assert client.post(path, guess).status_code == 400
    answer = confirm(client, mailed[0])
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert int(answer.headers["Retry-After"]) > 590
    assert User.objects.get().check_password(OLD)


def test_an_unfit_password_uses_no_code_up_and_counts_as_no_failure(user, client, mailed):
    ask(client)
    answer = confirm(client, mailed[0], password="12345")
    assert (answer.status_code, answer.json()["errors"].keys()) == (400, {"password"})
    assert not FailedAttempts.objects.filter(consecutive_failures__gt=0).exists()
    assert confirm(client, mailed[0]).status_code == 200


def test_a_code_is_good_once(user, client, mailed):
    ask(client)
    assert confirm(client, mailed[0]).status_code == 200
    assert confirm(client, mailed[0], password="yet another password").json() == INVALID
    assert User.objects.get().check_password(NEW)


def test_whoever_forgot_the_old_password_may_use_the_new_one_at_once(user, client, mailed):
    body = {"username": EMAIL, "password": "forgotten"}
    assert [client.post("/api/auth/token/", body).status_code for _ in range(6)] == [401] * 5 + [429]
    ask(client)
    confirm(client, mailed[0])
    assert client.post("/api/auth/token/", {**body, "password": NEW}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"), [(URL, {"email": EMAIL}), (CONFIRM, {"email": EMAIL, "code": "123456", "password": NEW})]
)
def test_where_passwords_are_not_in_use_none_is_set(user, client, mailed, settings, path, body):
    settings.PASSWORD_SIGN_IN = False
    answer = client.post(path, body)
    assert (answer.status_code, answer.json()["code"]) == (403, "password_sign_in_disabled")
    assert mailed == []


@pytest.mark.parametrize(("path", "fields"), [(URL, {"email"}), (CONFIRM, {"email", "code", "password"})])
def test_missing_fields_are_named(client, path, fields):
    answer = client.post(path, {})
    assert (answer.status_code, answer.json()["errors"].keys()) == (400, fields)


@pytest.mark.django_db(transaction=True)
def test_one_right_code_from_ten_connections_sets_one_password(user, mailed, together):
    ask(APIClient())
    answers = together(10, lambda number: confirm(APIClient(), mailed[0], password=f"{NEW} {number}").status_code)
    assert sorted(answers) == [200] + [400] * 9
    assert User.objects.get().check_password(f"{NEW} {answers.index(200)}")


@pytest.mark.django_db(transaction=True)
def test_of_thirty_wrong_codes_at_once_for_two_purposes_five_are_compared(user, mailed, together):
    ask(APIClient())

    def guess(number):
        path = CONFIRM if number % 2 else "/api/auth/otp/verify/"
        body = {"email": EMAIL, "code": wrong(mailed[0]), "password": NEW}
        return APIClient().post(path, body).status_code

    assert sorted(together(30, guess)) == [400] * 5 + [429] * 25
    assert FailedAttempts.objects.get(pk=f"code:{EMAIL}").consecutive_failures == 5
