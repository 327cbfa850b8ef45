"""POST /api/auth/password/reset/ and /api/auth/password/reset/confirm/"""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import DiscardedAccount, FailedAttempts, OneTimeCode, Session, User
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
    "detail": "The code is wrong, used, or expired. Please request a new one.",
}


@pytest.fixture
def user(db):
    return factories.user(EMAIL)


@pytest.fixture
def changed(no_receivers):
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


def test_confirm_sets_password_ends_sessions_and_signs_in(user, client, as_user, mailed_codes, changed):
    other = as_user(user)
    asked = ask(client)
    assert (asked.status_code, asked.json()) == (200, {"detail": CODE_SENT})
    answer = confirm(client, mailed_codes[0], HTTP_USER_AGENT="A browser")
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


def test_request_for_known_and_unknown_address_is_the_same(user, mailed_codes):
    counts, bodies = [], []
    for number, email in enumerate([EMAIL, "unknown@example.com"]):
        for call in (ask, lambda *args, **more: confirm(args[0], "nonsense", args[1], **more)):
            with CaptureQueriesContext(connection) as queries:
                bodies.append(call(APIClient(), email, REMOTE_ADDR=f"198.51.{number}.1").content)
            counts.append(len(queries))
    assert bodies[:2] == bodies[2:]
    assert counts[:2] == counts[2:]


def test_confirm_creates_no_account(client, mailed_codes):
    ask(client)
    assert confirm(client, mailed_codes[0]).json() == INVALID
    assert not User.objects.exists()
    assert not Session.objects.exists()
    assert FailedAttempts.objects.get(pk=f"code:{EMAIL}").consecutive_failures == 0


def test_confirm_for_disabled_account_is_refused(client, mailed_codes):
    factories.disable_account(factories.user(EMAIL))
    ask(client)
    assert confirm(client, mailed_codes[0]).json() == INVALID
    assert User.objects.get(email=EMAIL).check_password(OLD)


def test_confirm_sets_first_password(user, client, mailed_codes):
    user.set_password(None)
    user.save()
    ask(client)
    assert confirm(client, mailed_codes[0]).status_code == 200
    assert User.objects.get().check_password(NEW)


def test_confirm_verifies_address_and_ends_sessions_of_others(client, as_user, mailed_codes):
    registration.register(email=EMAIL, password="the stranger's own")
    stranger = as_user(User.objects.get())
    ask(client)
    assert confirm(client, mailed_codes[0]).status_code == 200
    assert stranger.get("/api/users/me/").status_code == 401
    user = User.objects.get(email=EMAIL)
    assert user.email_verified_at is not None
    assert user.check_password(NEW)
    assert DiscardedAccount.objects.count() == 1


@pytest.mark.parametrize("purpose", OneTimeCode.Purpose)
@pytest.mark.parametrize("path", ["/api/auth/otp/verify/", CONFIRM, "/api/users/me/email/confirm/"])
def test_code_works_only_for_its_purpose(user, as_user, purpose, path):
    account = user if purpose == OneTimeCode.Purpose.CHANGE_EMAIL else None
    email = EMAIL if account is None else "new@example.com"
    me = as_user(user)
    code = otp.derive_code(otp.request_code(email=email, ip=None, purpose=purpose, account=account))
    answer = me.post(path, {"email": email, "code": code, "password": NEW})
    fits = {"sign_in": "/api/auth/otp/verify/", "reset": CONFIRM, "change_email": "/api/users/me/email/confirm/"}
    assert answer.status_code == (200 if fits.get(purpose) == path else 400)
    if answer.status_code == 400:
        assert answer.json() == INVALID
        assert OneTimeCode.objects.get().consumed_at is None
        assert User.objects.get().email == EMAIL
        assert User.objects.get(email=EMAIL).check_password(OLD)


def test_code_differs_by_purpose():
    codes = {
        otp.derive_code(OneTimeCode(email=EMAIL, nonce=str(number), purpose=purpose))
        for number in range(20)
        for purpose in OneTimeCode.Purpose
    }
    assert len(codes) > 55


def test_request_shares_limits_with_sign_in_codes(user, client, mailed_codes, advance_time):
    assert ask(client).status_code == 200
    answer = client.post("/api/auth/otp/request/", {"email": EMAIL})
    assert answer.status_code == 429
    advance_time(61)
    # A newer code voids the older, whatever they are for.
    assert client.post("/api/auth/otp/request/", {"email": EMAIL}).status_code == 200
    assert confirm(client, mailed_codes[0]).json() == INVALID


def test_confirm_shares_failures_with_sign_in_codes(user, client, mailed_codes):
    ask(client)
    for number in range(5):
        guess = {"email": EMAIL, "code": wrong(mailed_codes[0]), "password": NEW}
        path = CONFIRM if number % 2 else "/api/auth/otp/verify/"
        assert client.post(path, guess).status_code == 400
    answer = confirm(client, mailed_codes[0])
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert int(answer.headers["Retry-After"]) > 590
    assert User.objects.get(email=EMAIL).check_password(OLD)


def test_weak_password_keeps_code_and_counts_no_failure(user, client, mailed_codes):
    ask(client)
    answer = confirm(client, mailed_codes[0], password="12345")
    assert (answer.status_code, answer.json()["errors"].keys()) == (400, {"password"})
    assert not FailedAttempts.objects.filter(consecutive_failures__gt=0).exists()
    assert confirm(client, mailed_codes[0]).status_code == 200


def test_code_works_once(user, client, mailed_codes):
    ask(client)
    assert confirm(client, mailed_codes[0]).status_code == 200
    assert confirm(client, mailed_codes[0], password="yet another password").json() == INVALID
    assert User.objects.get().check_password(NEW)


def test_confirm_ends_lockout_of_the_password(user, client, mailed_codes):
    body = {"username": EMAIL, "password": "forgotten"}
    assert [client.post("/api/auth/token/", body).status_code for _ in range(6)] == [401] * 5 + [429]
    ask(client)
    confirm(client, mailed_codes[0])
    assert client.post("/api/auth/token/", {**body, "password": NEW}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"), [(URL, {"email": EMAIL}), (CONFIRM, {"email": EMAIL, "code": "123456", "password": NEW})]
)
def test_reset_with_passwords_disabled_is_refused(user, client, mailed_codes, settings, path, body):
    settings.PASSWORD_SIGN_IN = False
    answer = client.post(path, body)
    assert (answer.status_code, answer.json()["code"]) == (403, "password_sign_in_disabled")
    assert mailed_codes == []


@pytest.mark.parametrize(("path", "fields"), [(URL, {"email"}), (CONFIRM, {"email", "code", "password"})])
def test_missing_fields_are_refused(client, path, fields):
    answer = client.post(path, {})
    assert (answer.status_code, answer.json()["errors"].keys()) == (400, fields)


@pytest.mark.django_db(transaction=True)
def test_parallel_confirms_set_one_password(user, mailed_codes, run_parallel):
    ask(APIClient())
    answers = run_parallel(
        10, lambda number: confirm(APIClient(), mailed_codes[0], password=f"{NEW} {number}").status_code
    )
    assert sorted(answers) == [200] + [400] * 9
    assert User.objects.get().check_password(f"{NEW} {answers.index(200)}")


@pytest.mark.django_db(transaction=True)
def test_parallel_wrong_codes_of_two_purposes_only_five_are_compared(user, mailed_codes, run_parallel):
    ask(APIClient())

    def guess(number):
        path = CONFIRM if number % 2 else "/api/auth/otp/verify/"
        body = {"email": EMAIL, "code": wrong(mailed_codes[0]), "password": NEW}
        return APIClient().post(path, body).status_code

    assert sorted(run_parallel(30, guess)) == [400] * 5 + [429] * 25
    assert FailedAttempts.objects.get(pk=f"code:{EMAIL}").consecutive_failures == 5
