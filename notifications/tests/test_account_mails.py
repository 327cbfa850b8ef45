"""What goes out by mail about an account itself: its codes, each in its own words, and what happened to it."""

from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.core import mail

from accounts.models import OneTimeCode, PreviousEmail, User
from accounts.services import email_change, otp, password_reset, profile, tokens
from notifications.models import EmailDelivery, Notification
from notifications.services.email_delivery import send_due_emails
from notifications.tests import mailboxes, rows
from tests import factories

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
Purpose = OneTimeCode.Purpose


@pytest.fixture
def rose():
    return factories.user("rose@example.com")


def sent():
    send_due_emails()
    return [(message.to[0], message.subject) for message in mail.outbox]


@pytest.mark.parametrize(
    ("purpose", "subject", "opening", "ending"),
    [
        (
            Purpose.SIGN_IN,
            "Your code to sign in to AuctionCraft",
            "This is your code to sign in to AuctionCraft.",
            "If it was not you who asked, ignore this mail.",
        ),
        (
            Purpose.RESET,
            "Your code for a new AuctionCraft password",
            "This is your code to set a new password for AuctionCraft. Setting it signs you out everywhere.",
            "If it was not you who asked, ignore this mail. Your password stays as it is.",
        ),
        (
            Purpose.CHANGE_EMAIL,
            "Your code to use this address with AuctionCraft",
            "This is your code to move your AuctionCraft account to this address. Enter it where you asked for it.",
            "Whoever gets this code from you gets your address for their account.",
        ),
    ],
)
def test_each_code_says_what_it_is_for_with_the_code_first(rose, purpose, subject, opening, ending):
    changes = purpose == Purpose.CHANGE_EMAIL
    email = "new@example.com" if changes else rose.email
    digits = otp.derive_code(otp.request_code(email=email, ip=None, purpose=purpose, account=rose if changes else None))

    assert sent() == [(email, subject)]

    (message,) = mail.outbox
    html = message.alternatives[0].content
    assert message.body.startswith(f"{digits}\n\n{opening}")
    assert ending in message.body
    assert all(words in html for words in (digits, opening, ending))
    assert "{" not in message.body
    assert "{{" not in html


def test_a_new_password_for_an_address_without_an_account_is_not_mailed():
    password_reset.request_reset(email="nobody@example.com", ip=None)

    assert sent() == []
    assert EmailDelivery.objects.get().error == "no account"


def test_of_an_address_that_is_taken_its_owner_is_told_and_no_code_goes_out(rose):
    taken = factories.user("taken@example.com")
    email_change.request_change(user=rose, email=taken.email, password=PASSWORD)

    assert sent() == [
        ("taken@example.com", "There is an AuctionCraft account under this address"),
        ("rose@example.com", "Somebody asked to change your e-mail address"),
    ]
    digits = otp.derive_code(OneTimeCode.objects.get())
    everything = "".join(message.subject + message.body + message.alternatives[0].content for message in mail.outbox)
    assert digits not in everything
    assert "rose@example.com" not in mail.outbox[0].body


def test_a_disabled_account_gets_no_code_for_another_address(rose):
    otp.request_code(email="new@example.com", ip=None, purpose=Purpose.CHANGE_EMAIL, account=rose)
    profile.disable_account(user=rose)

    assert sent() == []
    assert EmailDelivery.objects.get().error == "recipient disabled"


def test_the_old_address_is_told_before_and_after_it_is_changed(rose):
    pair = tokens.sign_in(user=rose, user_agent="", ip=None)
    email_change.request_change(user=rose, email="new@example.com", password=PASSWORD)
    code = otp.derive_code(OneTimeCode.objects.get())
    assert sent() == [
        ("new@example.com", "Your code to use this address with AuctionCraft"),
        ("rose@example.com", "Somebody asked to change your e-mail address"),
    ]
    mail.outbox.clear()

    email_change.confirm_change(user=rose, code=code, session_id=tokens.read_access_token(pair.access).session_id)

    assert sent() == [("rose@example.com", "The e-mail address of your account was changed")]
    assert User.objects.get().email == "new@example.com"
    assert "new@example.com" not in mail.outbox[0].body
    assert Notification.objects.filter(recipient=rose, kind="account_changed").count() == 2


def test_changed_twice_each_former_address_is_told(rose):
    pair = tokens.sign_in(user=rose, user_agent="", ip=None)
    for email in ("second@example.com", "third@example.com"):
        rose.refresh_from_db()
        email_change.request_change(user=rose, email=email, password=PASSWORD)
        code = otp.derive_code(OneTimeCode.objects.filter(email=email).get())
        email_change.confirm_change(user=rose, code=code, session_id=tokens.read_access_token(pair.access).session_id)
    changed = [to for to, subject in sent() if subject == "The e-mail address of your account was changed"]
    assert changed == ["rose@example.com", "second@example.com"]


def test_a_former_address_that_was_forgotten_leaves_the_present_one(rose):
    pair = tokens.sign_in(user=rose, user_agent="", ip=None)
    email_change.request_change(user=rose, email="new@example.com", password=PASSWORD)
    code = otp.derive_code(OneTimeCode.objects.get())
    email_change.confirm_change(user=rose, code=code, session_id=tokens.read_access_token(pair.access).session_id)
    PreviousEmail.objects.all().delete()

    assert ("new@example.com", "The e-mail address of your account was changed") in sent()


def test_a_new_device_is_told_with_what_and_when(rose):
    agent = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"
    tokens.sign_in(user=rose, user_agent="A phone", ip="192.0.2.1")
    assert sent() == []
    tokens.sign_in(user=rose, user_agent=agent, ip="192.0.2.1")

    assert sent() == [("rose@example.com", "A new sign-in to your account")]
    (message,) = Notification.objects.values_list("message", flat=True)
    assert "Firefox on Windows" in message
    assert f"{rose.sessions.first().created_at:%Y-%m-%d %H:%M} UTC" in message
    assert "192.0.2" not in message


def test_what_a_callers_software_calls_itself_gets_into_no_mail(rose):
    tokens.sign_in(user=rose, user_agent="A phone", ip=None)
    tokens.sign_in(user=rose, user_agent="Call +1 900 now, or visit evil.example/x", ip=None)

    sent()

    assert "evil" not in mail.outbox[0].body
    assert "Unknown device" in mail.outbox[0].body


def test_a_new_password_is_told_however_it_was_set(rose):
    profile.update_profile(user=rose, password_hash=make_password("a new long password"))
    password_reset.request_reset(email=rose.email, ip=None)
    code = otp.derive_code(OneTimeCode.objects.get())
    password_reset.reset(email=rose.email, code=code, password="yet another password")

    assert rows.mails() == [("rose", "account_changed")] * 2
    assert [subject for _, subject in sent()] == ["The password of your account was set"] * 2


def test_a_purged_code_takes_its_delivery_along(rose):
    from accounts.services.purge import purge

    otp.request_code(email=rose.email, ip=None)
    send_due_emails()
    for field in ("created_at", "expires_at"):
        code = OneTimeCode.objects.get()
        OneTimeCode.objects.update(**{field: getattr(code, field) - timedelta(hours=25)})

    assert purge()["codes"] == 1
    assert not EmailDelivery.objects.exists()
    assert mailboxes.subjects()
