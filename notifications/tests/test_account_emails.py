"""Emails about an account: its codes, and changes to it."""

from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.core import mail

from accounts.models import OneTimeCode, PreviousEmail, User
from accounts.services import email_change, otp, password_reset, profile, tokens
from notifications.models import EmailDelivery, Notification
from notifications.services.email_delivery import send_codes, send_notification_emails
from notifications.tests import mail_backends, rows
from tests import factories

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
Purpose = OneTimeCode.Purpose


@pytest.fixture
def rose():
    return factories.user("rose@example.com")


def sent():
    send_codes()
    send_notification_emails()
    return [(message.to[0], message.subject) for message in mail.outbox]


@pytest.mark.parametrize(
    ("purpose", "instruction", "not_you"),
    [
        (Purpose.SIGN_IN, "Enter this code to sign in to AuctionCraft.", "Nobody can sign in without the code."),
        (Purpose.RESET, "Enter this code to set a new password for AuctionCraft.", "Your password stays the same."),
        (
            Purpose.CHANGE_EMAIL,
            "Enter this code to use this address for your AuctionCraft account.",
            "With the code, others could use your address.",
        ),
    ],
)
def test_code_email_says_what_the_code_is_for(rose, purpose, instruction, not_you):
    is_change = purpose == Purpose.CHANGE_EMAIL
    email = "new@example.com" if is_change else rose.email
    code = otp.request_code(email=email, ip=None, purpose=purpose, account=rose if is_change else None)
    ((to, _),) = sent()
    (message,) = mail.outbox
    html = message.alternatives[0].content
    digits = otp.derive_code(code)
    assert to == email
    assert message.body.startswith(f"{digits}\n\n{instruction}")
    assert not_you in message.body
    assert all(text in html for text in (digits, instruction, not_you))


def test_reset_code_for_address_without_account_is_not_sent():
    password_reset.request_reset(email="nobody@example.com", ip=None)

    assert sent() == []
    assert EmailDelivery.objects.get().last_error == "no account"


def test_change_to_address_in_use_notifies_its_owner_and_sends_no_code(rose):
    taken = factories.user("taken@example.com")
    email_change.request_change(user=rose, email=taken.email, password=PASSWORD)

    assert sent() == [
        ("taken@example.com", "This address already has an AuctionCraft account"),
        ("rose@example.com", "Someone asked to change your email address"),
    ]
    digits = otp.derive_code(OneTimeCode.objects.get())
    everything = "".join(message.subject + message.body + message.alternatives[0].content for message in mail.outbox)
    assert digits not in everything
    assert "rose@example.com" not in mail.outbox[0].body


def test_change_of_disabled_account_sends_no_code(rose):
    otp.request_code(email="new@example.com", ip=None, purpose=Purpose.CHANGE_EMAIL, account=rose)
    factories.disable_account(rose)

    assert sent() == [("rose@example.com", "Your account was disabled")]
    assert EmailDelivery.objects.get(code__isnull=False).last_error == "recipient disabled"


def test_change_notifies_the_old_address_before_and_after(rose):
    pair = tokens.sign_in(user=rose, user_agent="", ip=None)
    email_change.request_change(user=rose, email="new@example.com", password=PASSWORD)
    code = otp.derive_code(OneTimeCode.objects.get())
    assert sent() == [
        ("new@example.com", "Confirm your new AuctionCraft email address"),
        ("rose@example.com", "Someone asked to change your email address"),
    ]
    mail.outbox.clear()

    email_change.confirm_change(user=rose, code=code, session_id=tokens.read_access_token(pair.access).session_id)

    assert sent() == [("rose@example.com", "Your email address was changed")]
    assert User.objects.get().email == "new@example.com"
    assert "new@example.com" not in mail.outbox[0].body
    assert Notification.objects.filter(recipient=rose, kind="account_changed").count() == 2


def test_two_changes_notify_each_previous_address(rose):
    pair = tokens.sign_in(user=rose, user_agent="", ip=None)
    for email in ("second@example.com", "third@example.com"):
        rose.refresh_from_db()
        email_change.request_change(user=rose, email=email, password=PASSWORD)
        code = otp.derive_code(OneTimeCode.objects.filter(email=email).get())
        email_change.confirm_change(user=rose, code=code, session_id=tokens.read_access_token(pair.access).session_id)
    changed = [to for to, subject in sent() if subject == "Your email address was changed"]
    assert changed == ["rose@example.com", "second@example.com"]


def test_change_with_purged_previous_address_notifies_the_current_one(rose):
    pair = tokens.sign_in(user=rose, user_agent="", ip=None)
    email_change.request_change(user=rose, email="new@example.com", password=PASSWORD)
    code = otp.derive_code(OneTimeCode.objects.get())
    email_change.confirm_change(user=rose, code=code, session_id=tokens.read_access_token(pair.access).session_id)
    PreviousEmail.objects.all().delete()

    assert ("new@example.com", "Your email address was changed") in sent()


def test_new_device_notification_names_device_and_time(rose):
    agent = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"
    tokens.sign_in(user=rose, user_agent="A phone", ip="192.0.2.1")
    assert sent() == []
    tokens.sign_in(user=rose, user_agent=agent, ip="192.0.2.1")

    assert sent() == [("rose@example.com", "New sign-in to your account")]
    (message,) = Notification.objects.values_list("message", flat=True)
    assert "Firefox on Windows" in message
    assert f"{rose.sessions.first().created_at:%Y-%m-%d %H:%M} UTC" in message
    assert "192.0.2" not in message


def test_new_device_notification_shows_no_text_of_an_unknown_user_agent(rose):
    tokens.sign_in(user=rose, user_agent="A phone", ip=None)
    tokens.sign_in(user=rose, user_agent="Call +1 900 now, or visit evil.example/x", ip=None)

    sent()

    assert "evil" not in mail.outbox[0].body
    assert "Unknown device" in mail.outbox[0].body


def test_password_change_and_reset_notify_the_user(rose):
    profile.update_profile(user=rose, password_hash=make_password("a new long password"))
    password_reset.request_reset(email=rose.email, ip=None)
    code = otp.derive_code(OneTimeCode.objects.get())
    password_reset.reset(email=rose.email, code=code, password="yet another password")

    assert rows.emails() == [("rose", "account_changed")] * 2
    assert [subject for _, subject in sent()] == ["Your password was changed"] * 2


def test_purged_code_deletes_its_delivery(rose):
    from accounts.services.purge import purge

    otp.request_code(email=rose.email, ip=None)
    send_codes()
    for field in ("created_at", "expires_at"):
        code = OneTimeCode.objects.get()
        OneTimeCode.objects.update(**{field: getattr(code, field) - timedelta(hours=25)})

    assert purge()["codes"] == 1
    assert not EmailDelivery.objects.exists()
    assert mail_backends.subjects()
