"""GET and PATCH /api/users/me/"""

import pytest

from accounts.models import Session, User
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/users/me/"
PASSWORD, NEW = "correct horse battery", "a new long password"
# Preferences are tested in notifications/tests/test_preferences.py.
KINDS = [
    *("outbid", "auction_lost", "auction_unsold", "auction_cancelled", "auction_ending_soon"),
    "description_added",
    *("second_chance_offer", "second_chance_ended"),
]


@pytest.fixture
def user(db):
    return factories.user("mike@example.com", display_name="Mike", strikes=1)


@pytest.fixture
def me(user, as_user):
    return as_user(user)


def profile(user, **changes):
    return {
        "id": user.pk,
        "email": "mike@example.com",
        "display_name": "Mike",
        "is_staff": False,
        "created_at": user.created_at.isoformat().replace("+00:00", "Z"),
        "seller": "none",
        "strikes": 1,
        "notifications": {kind: {"in_app": True, "mail": True} for kind in KINDS},
        **changes,
    }


def refused(field, reason):
    return {"code": "invalid", "detail": "The input is not valid.", "errors": {field: [reason]}}


def test_me_shows_own_account(user, me, django_assert_num_queries):
    with django_assert_num_queries(2):  # the user, and their preferences
        answer = me.get(URL)
    assert (answer.status_code, answer.json()) == (200, profile(user))
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["get", "patch"])
def test_me_requires_a_token(client, method):
    answer = getattr(client, method)(URL)
    assert answer.status_code == 401
    assert answer.json().keys() == {"code", "detail"}
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_update_display_name_keeps_tokens(user, me):
    answer = me.patch(URL, {"display_name": "  Mike the Great "})
    assert (answer.status_code, answer.json()) == (200, profile(user, display_name="Mike the Great"))
    assert me.get(URL).json() == profile(user, display_name="Mike the Great")


def test_update_without_fields_changes_nothing(user, me):
    assert me.patch(URL, {}).json() == profile(user)


@pytest.mark.parametrize("name", ["", " ", "x" * 61, None, [], "a\u0085b", "mike@example.com"])
def test_update_with_invalid_display_name_is_refused(me, name):
    answer = me.patch(URL, {"display_name": name})
    assert (answer.status_code, answer.json()["errors"].keys()) == (400, {"display_name"})


def test_update_ignores_read_only_fields(user, me):
    body = {
        "id": 9, "email": "rose@example.com", "is_staff": True, "is_superuser": True, "strikes": 0,
        "seller": "enabled", "seller_state": "enabled", "token_version": 0, "is_active": False,
    }  # fmt: skip
    assert me.patch(URL, body).json() == profile(user)
    assert me.get(URL).json() == profile(user)


def test_update_password_ends_all_sessions(user, me, as_user, client):
    other = as_user(user)
    answer = me.patch(URL, {"password": NEW, "current_password": PASSWORD})
    assert (answer.status_code, answer.json()) == (200, profile(user))
    assert [device.get(URL).status_code for device in (me, other)] == [401, 401]
    assert not Session.objects.filter(ended_at__isnull=True).exists()
    body = {"email": user.email, "password": NEW}
    assert client.post("/api/auth/token/", body).status_code == 200


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"password": NEW}, refused("current_password", "Your current password is required to set a new password.")),
        (
            {"password": NEW, "current_password": "wrong", "display_name": "New"},
            refused("current_password", "The current password is wrong."),
        ),
        (
            {"password": "12345", "current_password": PASSWORD},
            {
                **refused("password", ""),
                "errors": {
                    "password": [
                        "This password is too short. It must contain at least 8 characters.",
                        "This password is too common.",
                        "This password is entirely numeric.",
                    ]
                },
            },
        ),
    ],
)
def test_update_with_refused_password_changes_nothing(user, me, body, answer):
    given = me.patch(URL, body)
    assert (given.status_code, given.json()) == (400, answer)
    assert me.get(URL).json() == profile(user)
    assert User.objects.get().check_password(PASSWORD)


def test_update_with_wrong_current_passwords_is_limited(me):
    guess = {"password": NEW, "current_password": "wrong"}
    assert [me.patch(URL, guess).status_code for _ in range(6)] == [400] * 5 + [429]
    assert me.patch(URL, {"password": NEW, "current_password": PASSWORD}).status_code == 429
    assert me.patch(URL, {"display_name": "Still possible"}).status_code == 200


@pytest.mark.parametrize("method", ["post", "put"])
def test_me_other_methods_are_not_allowed(me, method):
    answer = getattr(me, method)(URL)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


@pytest.mark.django_db(transaction=True)
def test_parallel_password_changes_only_one_succeeds(user, run_parallel, as_user):
    devices = [as_user(user) for _ in range(4)]

    def change(number):
        body = {"password": f"{NEW} {number}", "current_password": PASSWORD}
        return devices[number].patch(URL, body).status_code

    answers = run_parallel(4, change)
    assert answers.count(200) == 1
    assert set(answers) <= {200, 400, 401}
    assert User.objects.get().check_password(f"{NEW} {answers.index(200)}")
