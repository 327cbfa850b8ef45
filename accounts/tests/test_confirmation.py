"""POST /api/users/me/code/: what a stolen access token cannot do to an account without a password."""

import pytest
from rest_framework.test import APIClient

from accounts.models import OneTimeCode, Session, User
from tests import factories

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]
ME, CODE, EMAIL = "/api/users/me/", "/api/users/me/code/", "/api/users/me/email/"
OLD, NEW, PASSWORD = "mike@example.com", "thief@example.com", "a long new password"


@pytest.fixture
def user(db):
    user = factories.user(OLD)
    user.set_password(None)
    user.save()
    return user


@pytest.fixture
def me(user, as_user):
    return as_user(user)


def change_address(client, **body):
    return client.post(EMAIL, {"email": NEW, **body})


def change_password(client, **body):
    return client.patch(ME, {"password": PASSWORD, **body})


@pytest.mark.parametrize("change", [change_address, change_password])
def test_change_without_code_is_refused(me, mailed_codes, change):
    answer = change(me)
    assert (answer.status_code, answer.json()["errors"].keys()) == (400, {"code"})
    assert "POST /api/users/me/code/" in answer.json()["errors"]["code"][0]
    assert mailed_codes == []
    assert not User.objects.get().has_usable_password()


@pytest.mark.parametrize("change", [change_address, change_password])
def test_change_with_code_mailed_to_the_present_address_is_done_once(user, me, as_user, mailed_codes, change):
    assert me.post(CODE).status_code == 200
    row = OneTimeCode.objects.get()
    assert (row.email, row.purpose) == (OLD, "confirm")
    assert change(me, code=mailed_codes[0]).status_code == 200
    assert change(as_user(User.objects.get()), code=mailed_codes[0]).status_code == 400
    assert User.objects.get().has_usable_password() == (change is change_password)
    # The new address was mailed a code of its own.
    assert len(mailed_codes) == 1 + (change is change_address)


@pytest.mark.parametrize("change", [change_address, change_password])
def test_change_with_another_code_is_refused(me, as_user, mailed_codes, change):
    rose = factories.user("rose@example.com")
    as_user(rose).post(CODE)
    APIClient().post("/api/auth/otp/request/", {"email": OLD})
    for code in (*mailed_codes, "000000", ""):
        assert change(me, code=code).status_code == 400
    assert len(mailed_codes) == 2
    assert User.objects.get(email=OLD).has_usable_password() is False


def test_confirmation_code_does_not_sign_in(me, mailed_codes):
    me.post(CODE)
    sessions = Session.objects.count()
    body = {"email": OLD, "code": mailed_codes[0]}
    assert APIClient().post("/api/auth/otp/verify/", body).status_code == 400
    assert Session.objects.count() == sessions


def test_weak_password_does_not_use_the_code(me, mailed_codes):
    me.post(CODE)
    assert me.patch(ME, {"password": "short", "code": mailed_codes[0]}).json()["errors"].keys() == {"password"}
    assert change_password(me, code=mailed_codes[0]).status_code == 200


def test_account_with_password_needs_the_password_even_with_a_code(user, as_user, mailed_codes):
    user.set_password("the owner's own password")
    user.save()
    me = as_user(user)
    me.post(CODE)
    assert change_address(me, code=mailed_codes[0]).json()["errors"].keys() == {"password"}
    assert change_password(me, code=mailed_codes[0]).json()["errors"].keys() == {"current_password"}


def test_wrong_confirmation_codes_are_limited_and_lock_nobody_else_out(me, mailed_codes):
    me.post(CODE)
    assert [change_address(me, code="wrong").status_code for _ in range(6)] == [400] * 5 + [429]
    APIClient().post("/api/auth/otp/request/", {"email": OLD})
    body = {"email": OLD, "code": mailed_codes[1]}
    assert APIClient().post("/api/auth/otp/verify/", body).status_code == 200


def test_confirmation_codes_are_limited_apart_from_strangers_requests(me, mailed_codes, advance_time):
    for _ in range(5):
        assert APIClient().post("/api/auth/otp/request/", {"email": OLD}).status_code == 200
        advance_time(61)
    assert [me.post(CODE).status_code for _ in range(2)] == [200, 429]


def test_confirmation_code_requires_a_session(client):
    assert client.post(CODE).status_code == 401
