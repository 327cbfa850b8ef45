"""The admin of accounts."""

import pytest
from django.test import Client

from accounts.models import FailedAttempts, OneTimeCode, Session, StaffAction, User
from accounts.services import otp, tokens
from tests import factories
from tests.admin_pages import confirm

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def operator(db):
    operator = User.objects.create_superuser("operator@example.com", PASSWORD)
    client = Client()
    client.force_login(operator)
    return client


@pytest.fixture
def user(db):
    return factories.user("mike@example.com")


@pytest.fixture
def rows(user):
    otp.request_code(email="mike@example.com", ip="192.0.2.1", pending_password="a-pending-hash")
    tokens.sign_in(user=user, user_agent="A browser", ip=None)


def test_admin_login_accepts_any_spelling_of_the_address(operator):
    form = {"username": "OPERATOR@example.com", "password": PASSWORD}
    assert Client().post("/admin/login/?next=/admin/", form).status_code == 302


@pytest.mark.parametrize("model", ["user", "session", "onetimecode", "failedattempts"])
def test_admin_lists_search_and_show_no_secret(operator, rows, model):
    page = operator.get(f"/admin/accounts/{model}/", {"q": "mike"})
    assert page.status_code == 200
    assert b"mike" in page.content.lower() or model == "session"
    row = {"user": User, "session": Session, "onetimecode": OneTimeCode, "failedattempts": FailedAttempts}[
        model
    ].objects.latest("pk")
    url = f"/admin/accounts/{model}/{str(row.pk).replace('_', '_5F').replace(':', '_3A')}/change/"
    shown = operator.get(url)
    assert shown.status_code == 200
    code, sign_in = OneTimeCode.objects.get(), Session.objects.get()
    for secret in (code.nonce, otp.derive_code(code), "a-pending-hash", sign_in.token_hash):
        assert secret not in (page.content + shown.content).decode()


@pytest.mark.parametrize("model", ["session", "onetimecode", "failedattempts"])
def test_admin_pages_of_sessions_codes_and_attempts_are_read_only(operator, rows, model):
    assert operator.get(f"/admin/accounts/{model}/add/").status_code == 403


def test_admin_lists_groups(operator):
    assert operator.get("/admin/auth/group/").status_code == 200


def test_admin_add_user_normalizes_the_address(operator):
    assert operator.get("/admin/accounts/user/add/").status_code == 200
    form = {"email": "Rose@Example.com", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    assert operator.post("/admin/accounts/user/add/", form).status_code == 302
    assert User.objects.get(email="rose@example.com").check_password(PASSWORD)


def test_admin_add_user_with_existing_address_is_refused(operator, user):
    form = {"email": "MIKE@example.com", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    assert operator.post("/admin/accounts/user/add/", form).status_code == 200
    assert User.objects.count() == 2


def test_admin_sets_no_password_of_others(operator, user):
    form = {"password1": "a new long password", "password2": "a new long password", "usable_password": "true"}
    operator.post(f"/admin/accounts/user/{user.pk}/password/", form, follow=True)
    assert not User.objects.get(pk=user.pk).check_password("a new long password")


@pytest.mark.parametrize(("action", "active"), [("disable", False), ("sign_out", True)])
def test_admin_actions_disable_and_end_sessions_for_good(operator, user, as_user, action, active):
    device, oneself = as_user(user), User.objects.get(email="operator@example.com")
    text = confirm(operator, User, action, [user, oneself]).content.decode()
    assert "operator@example.com: You take part in this yourself" in text
    assert User.objects.get(pk=user.pk).is_active is active
    User.objects.filter(pk=user.pk).update(is_active=True)
    assert device.get("/api/users/me/").status_code == 401
    assert User.objects.get(pk=oneself.pk).is_active


def test_admin_delete_user_is_refused(operator, user):
    assert operator.get(f"/admin/accounts/user/{user.pk}/delete/").status_code == 403


def test_admin_delete_failed_attempts_ends_the_lockout(operator, client):
    body = {"email": "mike@example.com", "code": "nonsense"}
    for _ in range(6):
        answer = client.post("/api/auth/otp/verify/", body)
    assert answer.status_code == 429
    confirm(operator, FailedAttempts, "end_lockout", [FailedAttempts.objects.get(pk="code:mike@example.com")])
    assert StaffAction.objects.get().target == "failed attempts of a code"
    assert client.post("/api/auth/otp/verify/", body).status_code == 400
