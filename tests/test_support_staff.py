"""Support staff, who may change accounts, take nothing over and make nobody more than they are."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.core import mail

from accounts.models import PreviousEmail, Session, StaffAction, User
from notifications.services.email_delivery import send_notification_emails
from tests import admin_pages, factories
from tests.admin_pages import act, confirm, page

pytestmark = pytest.mark.django_db
REASON = "Lost access to the mailbox; identity checked by phone."


@pytest.fixture
def desk():
    """Support staff with every permission, and no superuser."""
    desk = admin_pages.clerk()
    admin_pages.user(desk).user_permissions.set(Permission.objects.all())
    return desk


@pytest.fixture
def boss():
    return User.objects.create_superuser("boss@example.com", "correct horse battery")


@pytest.fixture
def member():
    return factories.user("member@example.com")


def everything(user):
    return User.objects.values().get(pk=user.pk)


def test_staff_change_no_account_by_its_page(desk, member, boss):
    clerk = admin_pages.user(desk)
    for user in (member, boss, clerk):
        before = everything(user)
        sent = {"email": "mine@example.com", "display_name": "Mine", "seller_state": "enabled", "reason": REASON}
        rights = {"is_staff": "on", "is_superuser": "on", "user_permissions": [1], "is_active": ""}
        assert desk.post(page(User, "change", user.pk), sent | rights).status_code == 403
        assert everything(user) == before
        assert desk.get(page(User, "change", user.pk)).status_code == 200


def test_staff_set_no_password(desk, member, boss):
    form = {"password1": "another horse battery", "password2": "another horse battery", "usable_password": "true"}
    for user in (member, boss, admin_pages.user(desk)):
        desk.post(f"/admin/accounts/user/{user.pk}/password/", form, follow=True)
        assert not User.objects.get(pk=user.pk).check_password("another horse battery")


def test_staff_create_no_account(desk):
    form = {"email": "new@example.com", "usable_password": "false"}
    assert desk.post(page(User, "add"), form).status_code == 403
    assert not User.objects.filter(email="new@example.com").exists()


def test_staff_change_no_group(desk):
    group = Group.objects.create(name="Clerks")
    form = {"name": "Clerks", "permissions": [Permission.objects.first().pk]}
    assert desk.post(page(Group, "change", group.pk), form).status_code == 403
    assert desk.post(page(Group, "add"), form | {"name": "Others"}).status_code == 403
    confirm(desk, Group, "delete", [group])
    assert not group.permissions.exists()
    assert list(Group.objects.all()) == [group]


@pytest.mark.parametrize(
    "action", ["disable", "enable", "sign_out", "clear_strikes", "change_email", "change_display_name"]
)
def test_staff_change_neither_other_staff_nor_themselves(desk, boss, action):
    oneself = admin_pages.user(desk)
    User.objects.update(strikes=3)
    before = everything(boss), everything(oneself)
    rows = [boss, oneself]
    text = confirm(desk, User, action, rows, email="a@example.com", display_name="New").content.decode()
    assert "boss@example.com: Only superusers change the accounts of staff." in text
    assert f"{oneself.email}: You take part in this yourself, so another member of staff must decide." in text
    assert (everything(boss), everything(oneself)) == before
    assert not StaffAction.objects.exists()


@pytest.mark.parametrize(
    "action", ["disable", "enable", "sign_out", "clear_strikes", "change_email", "change_display_name"]
)
def test_staff_actions_ask_for_a_reason_and_say_what_follows(desk, member, action):
    before = everything(member)
    asked = act(desk, User, action, [member], reason="Not by the page.").content.decode()
    refused = confirm(desk, User, action, [member], reason=" ", email="a@example.com", display_name="New")
    assert 'name="reason"' in asked
    assert "member@example.com" in asked
    assert "This field is required." in refused.content.decode()
    assert everything(member) == before
    assert not StaffAction.objects.exists()


def test_staff_change_of_address_notifies_both_and_ends_the_sessions(desk, member, as_user):
    device = as_user(member)
    text = confirm(desk, User, "change_email", [member], reason=REASON, email="NEW@example.com").content.decode()
    assert "member@example.com: the address is now new@example.com." in text
    send_notification_emails()
    assert [(message.to, message.subject) for message in mail.outbox] == [
        (["member@example.com"], "Your email address was changed"),
        (["new@example.com"], "Our staff changed your email address"),
    ]
    assert REASON not in "".join(message.body for message in mail.outbox)
    assert device.get("/api/users/me/").status_code == 401
    assert not Session.objects.filter(user=member, ended_at=None).exists()
    assert PreviousEmail.objects.get().email == "member@example.com"
    action = StaffAction.objects.get()
    assert (action.actor, action.action, action.user, action.reason) == (
        *(admin_pages.user(desk), "email_changed", member, REASON),
    )


@pytest.mark.parametrize(
    ("email", "problem"),
    [
        ("boss@example.com", "An account with this email address already exists."),
        ("member@example.com", "There is nothing to change in this account."),
        ("b\u00f6\u00df@example.com", "Enter a valid email address."),
        ("a b@example.com", "Enter a valid email address."),
    ],
)
def test_staff_change_to_an_impossible_address_is_refused(desk, member, boss, email, problem):
    text = confirm(desk, User, "change_email", [member], email=email).content.decode()
    assert problem in text
    assert User.objects.get(pk=member.pk).email == "member@example.com"
    assert not PreviousEmail.objects.exists()


def test_staff_disable_and_enable_members_who_are_told(desk, member, as_user):
    device = as_user(member)
    confirm(desk, User, "disable", [member], reason="Sold fakes.")
    send_notification_emails()
    assert [(message.to, message.subject) for message in mail.outbox] == [
        (["member@example.com"], "Your account was disabled")
    ]
    assert device.get("/api/users/me/").status_code == 401
    assert "There is nothing to change" in confirm(desk, User, "disable", [member]).content.decode()
    confirm(desk, User, "enable", [member], reason="They were genuine.")
    assert User.objects.get(pk=member.pk).is_active
    recorded = list(StaffAction.objects.order_by("pk").values_list("action", "reason"))
    assert recorded == [("account_disabled", "Sold fakes."), ("account_enabled", "They were genuine.")]


def test_staff_change_a_display_name_by_the_rules_of_names(desk, member):
    problem = "Please do not use an email address."
    assert problem in confirm(desk, User, "change_display_name", [member], display_name="a@b.c").content.decode()
    confirm(desk, User, "change_display_name", [member], display_name="Ann", reason="A rude name.")
    assert User.objects.get(pk=member.pk).display_name == "Ann"


def test_superuser_can_change_permissions(boss, member):
    chief = admin_pages.operator()
    group = Group.objects.create(name="Clerks")
    sent = {"is_staff": "on", "groups": [group.pk], "reason": "A new colleague."}
    assert chief.post(page(User, "change", member.pk), sent).status_code == 302
    fresh = User.objects.get(pk=member.pk)
    assert (fresh.is_staff, list(fresh.groups.all())) == (True, [group])
    confirm(chief, Group, "delete", [group], reason="Nobody is left in it.")
    actions = StaffAction.objects.order_by("pk").values_list("action", "user", "target")
    assert list(actions) == [("rights_changed", member.pk, ""), ("group_deleted", None, f"group {group.pk} Clerks")]


def test_confirmed_action_takes_at_most_a_hundred_rows(desk):
    User.objects.bulk_create(User(email=f"{number}@example.com") for number in range(101))
    members = User.objects.filter(is_staff=False)
    assert "Select at most 100 of them." in confirm(desk, User, "disable", members).content.decode()
    assert not User.objects.filter(is_active=False).exists()
