"""POST /api/auth/token/"""

import pytest
from rest_framework.test import APIClient

from accounts.models import FailedAttempts, Session, User
from accounts.services import passwords, tokens
from auctioncraft.settings import base
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/auth/token/"
EMAIL, PASSWORD = "mike@example.com", "correct horse battery"
WRONG = {"code": "invalid_credentials", "detail": "The email address or the password is wrong."}


def sign_in(client, password=PASSWORD, email=EMAIL):
    return client.post(URL, {"username": email, "password": password})


@pytest.mark.parametrize("field", ["username", "email"])
@pytest.mark.parametrize("email", [EMAIL, "MIKE@example.com", "\uff4dike@example.com"])
def test_right_password_signs_in(client, field, email):
    user = factories.user(EMAIL)
    answer = client.post(URL, {field: email, "password": PASSWORD}, HTTP_USER_AGENT="x" * 300)
    body = answer.json()
    assert (answer.status_code, body) == (200, {"access": body["access"], "refresh": body["refresh"]})
    assert answer.headers["Cache-Control"] == "no-store"
    sign_in = Session.objects.get()
    assert tokens.read_access_token(body["access"]) == tokens.Credential(user.pk, sign_in.pk, user.token_version)
    assert sign_in.user_agent == "x" * 200
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {body['access']}")
    assert client.get("/api/users/me/").json()["id"] == user.pk


@pytest.mark.parametrize("case", ["wrong", "unknown", "disabled", "no password", "empty-looking"])
def test_wrong_credentials_give_the_same_error(client, case):
    if case != "unknown":
        user = factories.user(EMAIL)
        if case == "disabled":
            factories.disable_account(user)
        if case == "no password":
            user.set_password(None)
            user.save()
    answer = sign_in(client, {"wrong": "wrong", "empty-looking": " "}.get(case, PASSWORD))
    assert (answer.status_code, answer.json()) == (401, WRONG)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert not Session.objects.exists()
    assert FailedAttempts.objects.get().consecutive_failures == 1


def test_unknown_address_hashes_a_password_too(client, monkeypatch):
    hashed = []
    monkeypatch.setattr(passwords, "make_password", hashed.append)
    sign_in(client)
    assert hashed == [PASSWORD]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"password"}),
        ({"password": PASSWORD}, {"username"}),
        ({"username": EMAIL}, {"password"}),
        ({"username": EMAIL, "password": ""}, {"password"}),
        ({"username": EMAIL, "password": 12345678}, {"password"}),
        ({"username": EMAIL, "password": "x" * 129}, {"password"}),
        ({"username": "mike", "password": PASSWORD}, {"username"}),
        ({"email": ["a"], "password": PASSWORD}, {"email"}),
        ({"username": None, "password": PASSWORD}, {"username"}),
    ],
)
def test_malformed_body_names_the_field(client, body, fields):
    answer = client.post(URL, body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert answer.json()["errors"].keys() == fields


def test_passwords_disabled_by_setting_are_refused(client, settings):
    settings.PASSWORD_SIGN_IN = False
    factories.user(EMAIL)
    answer = sign_in(client)
    assert (answer.status_code, answer.json()) == (
        403,
        {
            "code": "password_sign_in_disabled",
            "detail": "Signing in with a password is disabled. Please use a one-time code.",
        },
    )


@pytest.mark.parametrize("known", [True, False])
def test_five_wrong_passwords_lock_out_the_right_one(client, known):
    if known:
        factories.user(EMAIL)
    assert [sign_in(client, "wrong").status_code for _ in range(5)] == [401] * 5
    answer = sign_in(client)
    assert (answer.status_code, answer.json()) == (
        429,
        {"code": "throttled", "detail": "Too many failed attempts. Please try again later."},
    )
    assert int(answer.headers["Retry-After"]) in range(595, 601)


def test_lockout_lasts_ten_minutes_and_after_ten_failures_an_hour(client, advance_time):
    factories.user(EMAIL)
    for _ in range(5):
        sign_in(client, "wrong")
    advance_time(601)
    assert [sign_in(client, "wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    advance_time(601)
    assert sign_in(client).status_code == 429
    advance_time(3600 - 1202)
    assert sign_in(client).status_code == 200


def test_success_resets_consecutive_failures(client):
    factories.user(EMAIL)
    assert [sign_in(client, "wrong").status_code for _ in range(4)] == [401] * 4
    # After the first, this network has an allowance of its own.
    assert [sign_in(client).status_code for _ in range(12)] == [200] * 12
    assert [sign_in(client, "wrong").status_code for _ in range(4)] == [401] * 4
    assert [sign_in(client).status_code for _ in range(12)] == [200] * 12
    assert [sign_in(client, "wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    assert {row.pk: len(row.failures) for row in FailedAttempts.objects.all()} == {
        f"password:{EMAIL}": 4,
        f"password:{EMAIL} 127.0.0.0": 9,
    }


def test_wrong_codes_do_not_lock_out_passwords(client):
    factories.user(EMAIL)
    for _ in range(6):
        client.post("/api/auth/otp/verify/", {"email": EMAIL, "code": "nonsense"})
    assert sign_in(client).status_code == 200


def test_rehash_on_sign_in_keeps_tokens(client, settings, as_user):
    user = factories.user(EMAIL)
    device = as_user(user)
    settings.PASSWORD_HASHERS = [*base.PASSWORD_HASHERS, "django.contrib.auth.hashers.MD5PasswordHasher"]
    body = sign_in(client).json()
    # In one thread (p): sign-ins leave a processor to others.
    assert User.objects.get().password.startswith("argon2$argon2id$v=19$m=102400,t=2,p=1$")
    assert device.get("/api/users/me/").status_code == 200
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {body['access']}")
    assert client.get("/api/users/me/").status_code == 200
    client.credentials()
    assert sign_in(client).status_code == 200


def test_sign_in_during_password_change_gives_no_valid_token(client):
    user = factories.user(EMAIL)
    stale = User.objects.get()
    user.set_password("another long password")
    user.save()
    pair = tokens.sign_in(user=stale, user_agent="", ip=None)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    assert client.get("/api/users/me/").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_parallel_wrong_passwords_only_five_are_compared(run_parallel, monkeypatch):
    factories.user(EMAIL)
    compared = []
    check = User.check_password
    monkeypatch.setattr(User, "check_password", lambda self, raw: compared.append(raw) or check(self, raw))
    answers = run_parallel(30, lambda _: sign_in(APIClient(), "wrong").status_code)
    assert sorted(answers) == [401] * 5 + [429] * 25
    assert len(compared) == 5
