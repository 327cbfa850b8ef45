"""Staff who may change accounts do not make themselves, or anybody, more than they are."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from tests import factories

pytestmark = pytest.mark.django_db
CHANGE = {"email": "clerk@example.com", "display_name": "Clerk", "is_active": "on", "seller_state": "none"}


@pytest.fixture
def clerk():
    clerk = factories.user("clerk@example.com", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=("view_user", "change_user")))
    return clerk


@pytest.fixture
def desk(clerk):
    desk = Client()
    desk.force_login(clerk)
    return desk


@pytest.fixture
def boss():
    return User.objects.create_superuser("boss@example.com", "correct horse battery")


def test_staff_cannot_change_permissions(desk, clerk):
    sent = CHANGE | {"display_name": "New name", "is_staff": "on", "is_superuser": "on"}
    assert desk.post(f"/admin/accounts/user/{clerk.pk}/change/", sent).status_code == 302
    clerk.refresh_from_db()
    assert (clerk.display_name, clerk.is_superuser, clerk.user_permissions.count()) == ("New name", False, 2)


def test_staff_cannot_change_other_staff(desk, boss):
    password = {"password1": "another horse battery", "password2": "another horse battery", "usable_password": "true"}
    assert desk.post(f"/admin/accounts/user/{boss.pk}/password/", password).status_code == 403
    assert desk.post(f"/admin/accounts/user/{boss.pk}/change/", CHANGE | {"email": "x@example.com"}).status_code == 403
    for action in ("disable", "sign_out"):
        desk.post("/admin/accounts/user/", {"action": action, "_selected_action": [boss.pk]})
    fresh = User.objects.get(pk=boss.pk)
    assert (fresh.email, fresh.is_active, fresh.token_version) == (boss.email, True, boss.token_version)
    assert fresh.check_password("correct horse battery")


def test_staff_can_change_members(desk):
    member = factories.user("member@example.com")
    desk.post("/admin/accounts/user/", {"action": "disable", "_selected_action": [member.pk]})
    assert not User.objects.get(pk=member.pk).is_active


def test_superuser_can_change_permissions(boss):
    desk, member = Client(), factories.user("member@example.com")
    desk.force_login(boss)
    sent = CHANGE | {"email": member.email, "is_staff": "on"}
    assert desk.post(f"/admin/accounts/user/{member.pk}/change/", sent).status_code == 302
    assert User.objects.get(pk=member.pk).is_staff
