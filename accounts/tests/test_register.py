"""POST /api/users/register/"""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import OneTimeCode, User
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/users/register/"
EMAIL, PASSWORD = "mike@example.com", "correct horse battery"
TAKEN = {
    "code": "email_taken",
    "detail": "An account with this email address already exists. Please sign in, for example with a one-time code.",
}


@pytest.fixture
def verification(settings):
    settings.REGISTRATION_REQUIRES_VERIFICATION = True


def register(client, **body):
    return client.post(URL, {"email": EMAIL, "password": PASSWORD, **body})


def sign_in(client, password=PASSWORD):
    return client.post("/api/auth/token/", {"username": EMAIL, "password": password}).status_code


def test_register_creates_account_with_working_password(client):
    answer = register(client, display_name="Mike")
    user = User.objects.get()
    assert (answer.status_code, answer.json()) == (
        201,
        {
            "id": user.pk,
            "email": EMAIL,
            "display_name": "Mike",
            "is_staff": False,
            "created_at": user.created_at.isoformat().replace("+00:00", "Z"),
            "seller": "none",
            "strikes": 0,
        },
    )
    assert user.email_verified_at is None
    assert sign_in(client) == 200


def test_register_without_display_name_generates_one(client):
    name = register(client, display_name="").json()["display_name"]
    assert name.startswith("member-")
    assert "mike" not in name


@pytest.mark.parametrize("email", [EMAIL, "MIKE@example.com", " mike@EXAMPLE.com", "\uff4dike@example.com"])
def test_register_with_used_address_in_any_spelling_is_refused(client, email):
    factories.user(EMAIL)
    answer = register(client, email=email, password="another long password")
    assert (answer.status_code, answer.json()) == (400, TAKEN)
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.parametrize("email", ["m\u0131ke@example.com", "mike@ex\u0430mple.com", "m\u0456ke@example.com"])
def test_register_with_look_alike_address_is_refused(client, email):
    assert register(client, email=email).json()["errors"].keys() == {"email"}
    assert not User.objects.exists()


def test_register_ignores_other_fields(client):
    answer = register(
        client, is_staff=True, is_superuser=True, id=77, strikes=-5, seller_state="enabled", token_version=9,
        email_verified_at="2026-01-01T00:00:00Z", is_active=False,
    )  # fmt: skip
    user = User.objects.get()
    assert answer.status_code == 201
    assert (user.is_staff, user.is_superuser, user.is_active, user.strikes, user.seller_state) == (
        False,
        False,
        True,
        0,
        "none",
    )
    assert user.email_verified_at is None


@pytest.mark.parametrize(
    ("password", "reasons"),
    [
        ("short", ["This password is too short. It must contain at least 8 characters."]),
        ("password123", ["This password is too common."]),
        (
            "1234567",
            [
                "This password is too short. It must contain at least 8 characters.",
                "This password is too common.",
                "This password is entirely numeric.",
            ],
        ),
        ("", ["This field may not be blank."]),
        (12345678901, ["Not a valid string."]),
        ("x" * 129, ["Ensure this field has no more than 128 characters."]),
    ],
)
@pytest.mark.parametrize("required", [True, False])
def test_register_with_weak_password_lists_all_reasons(client, settings, required, password, reasons):
    settings.REGISTRATION_REQUIRES_VERIFICATION = required
    answer = register(client, password=password)
    assert (answer.status_code, answer.json()) == (
        400,
        {"code": "invalid", "detail": "The input is not valid.", "errors": {"password": reasons}},
    )
    assert not User.objects.exists()
    assert not OneTimeCode.objects.exists()


def test_register_keeps_password_as_typed(client):
    register(client, password="  spaces count  ")
    assert sign_in(client, "spaces count") == 401
    assert sign_in(client, "  spaces count  ") == 200


@pytest.mark.parametrize(
    "name", ["x" * 61, "a\x07b", "\u202egnp.exe", "a\u200bb", "mike@example.com", "I am mike@example.com"]
)
def test_register_with_invalid_display_name_is_refused(client, name):
    answer = register(client, display_name=name)
    assert (answer.status_code, answer.json()["errors"].keys()) == (400, {"display_name"})


@pytest.mark.parametrize("name", ["Zoë", "<b>Mike</b>", "李雷", "O'Brien @ home", "👩\u200d🔧 Rosa"])
def test_register_with_ordinary_display_name_is_accepted(client, name):
    assert register(client, display_name=name).json()["display_name"] == name


def test_register_without_required_fields_is_refused(client):
    required = ["This field is required."]
    assert client.post(URL, {}).json() == {
        "code": "invalid",
        "detail": "The input is not valid.",
        "errors": {"email": required, "password": required},
    }


def test_register_with_verification_creates_no_account_before_the_code(client, verification, mailed_codes):
    answer = register(client, display_name="Mike")
    body = answer.json()
    assert (answer.status_code, body) == (
        201,
        {
            "id": None,
            "email": EMAIL,
            "display_name": "Mike",
            "is_staff": False,
            "created_at": body["created_at"],
            "seller": "none",
            "strikes": 0,
        },
    )
    assert not User.objects.exists()
    assert sign_in(client) == 401
    answer = client.post("/api/auth/otp/verify/", {"email": EMAIL, "code": mailed_codes[0]})
    assert answer.json()["user"]["display_name"] == "Mike"
    assert sign_in(client) == 200


def test_register_with_verification_keeps_the_generated_name(client, verification, mailed_codes):
    name = register(client).json()["display_name"]
    answer = client.post("/api/auth/otp/verify/", {"email": EMAIL, "code": mailed_codes[0]})
    assert answer.json()["user"]["display_name"] == name


def test_register_with_verification_is_the_same_for_known_address(client, verification, mailed_codes):
    factories.user("known@example.com", is_staff=True, strikes=2, display_name="Known")
    answers, queries = [], []
    for number, email in enumerate(["known@example.com", "unknown@example.com"]):
        with CaptureQueriesContext(connection) as captured:
            answer = client.post(
                URL,
                {"email": email, "password": PASSWORD, "display_name": "Mike"},
                REMOTE_ADDR=f"192.0.{number}.2",
            )
        answers.append({**answer.json(), "email": None, "created_at": None})
        queries.append(len(captured))
    assert answers[0] == answers[1]
    assert queries[0] == queries[1]
    assert len(mailed_codes) == 2


def test_register_with_verification_never_activates_password_of_others(
    client, verification, mailed_codes, advance_time
):
    client.post("/api/auth/otp/request/", {"email": EMAIL})
    client.post("/api/auth/otp/verify/", {"email": EMAIL, "code": mailed_codes[0]})
    advance_time(61)
    register(client, password="the stranger's own")
    client.post("/api/auth/otp/verify/", {"email": EMAIL, "code": mailed_codes[1]})
    assert sign_in(client, "the stranger's own") == 401


def test_register_with_verification_shares_the_limits_of_codes(client, verification, mailed_codes):
    assert register(client).status_code == 201
    answer = register(client)
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")


@pytest.mark.django_db(transaction=True)
def test_parallel_registrations_create_one_account(run_parallel):
    answers = run_parallel(10, lambda _: register(APIClient()).status_code)
    assert sorted(answers) == [201] + [400] * 9
    assert User.objects.count() == 1
