"""Sending emails. That a row is claimed once, backs off and is given up is proved by tests/retry/."""

import logging
from datetime import timedelta

import pytest
from django.core import mail

from accounts.models import OneTimeCode
from accounts.services import otp
from auctioncraft.core import clock
from notifications.models import EmailDelivery
from notifications.services import email_delivery
from notifications.services.email_delivery import send_codes, send_notification_emails
from notifications.services.notification_writer import notify
from notifications.tests import mail_backends
from tests import factories

pytestmark = pytest.mark.django_db


def notify_lost(recipient, source="test:1"):
    notify(recipient=recipient, kind="auction_lost", source=source, context={"product": "A <b>lamp</b>"})
    return EmailDelivery.objects.get(notification__recipient=recipient, notification__source=source)


def create_code(email="new@example.com", **fields):
    now = clock.now()
    code = OneTimeCode.objects.create(
        email=email, nonce="n" * 32, created_at=now, **{"expires_at": now + timedelta(minutes=10), **fields}
    )
    EmailDelivery.objects.create(code=code)
    return code


def make_due():
    EmailDelivery.objects.waiting().update(next_attempt_at=clock.now() - timedelta(seconds=1))


def state(delivery):
    delivery.refresh_from_db()
    return (delivery.attempts, delivery.sent_at is not None, delivery.next_attempt_at is None, delivery.last_error)


def test_notification_is_sent_once_as_text_and_html(bidder):
    delivery = notify_lost(bidder)
    assert (send_notification_emails(), send_notification_emails()) == (1, 0)
    (message,) = mail.outbox
    (html,) = message.alternatives
    assert (message.subject, message.to, message.extra_headers["Auto-Submitted"]) == (
        "You did not win “A <b>lamp</b>”",
        ["bidder@example.com"],
        "auto-generated",
    )
    assert message.body.startswith("The auction for “A <b>lamp</b>” has ended. You did not win it.\n")
    assert html.mimetype == "text/html"
    assert "The auction for “A &lt;b&gt;lamp&lt;/b&gt;” has ended. You did not win it." in html.content
    assert state(delivery) == (1, True, False, "")


def test_code_is_sent_without_waiting_for_notifications(bidder):
    notify_lost(bidder)
    code = create_code()
    assert send_codes() == 1
    (message,) = mail.outbox
    digits = otp.derive_code(code)
    assert (message.subject, message.to) == ("Your AuctionCraft sign-in code", ["new@example.com"])
    assert message.body.startswith(
        f"{digits}\n\nEnter this code to sign in to AuctionCraft. It works once and expires 10"
    )
    assert digits in message.alternatives[0].content


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"expires_at": timedelta(seconds=-1)}, "code expired"),
        ({"consumed_at": timedelta(0)}, "code used or superseded"),
    ],
)
def test_code_that_no_longer_works_is_given_up(fields, reason):
    code = create_code(**{name: clock.now() + delta for name, delta in fields.items()})
    assert send_codes() == 0
    assert (mail.outbox, state(code.delivery)) == ([], (1, False, True, reason))


def test_disabled_account_gets_no_email(bidder, rival):
    notification, code = notify_lost(bidder), create_code(rival.email)
    for user in (bidder, rival):
        user.is_active = False
        user.save()
    assert (send_notification_emails(), send_codes()) == (0, 0)
    assert mail.outbox == []
    assert state(notification) == state(code.delivery) == (1, False, True, "recipient disabled")


@pytest.mark.parametrize(("backend", "error"), [("Unreachable", "ConnectionRefusedError"), ("Hanging", "TimeoutError")])
def test_mail_server_away_stops_the_run_at_the_first_email(backend, error, bidder, rival, settings):
    settings.EMAIL_BACKEND = mail_backends.PATH + backend
    attempts = getattr(mail_backends, backend).attempts
    attempts.clear()
    first, second = notify_lost(bidder), notify_lost(rival)
    before = clock.now()
    assert send_notification_emails() == 0
    assert len(attempts) == 1
    assert (state(first), state(second)) == ((1, False, False, error), (0, False, False, ""))
    assert timedelta(seconds=7) < first.next_attempt_at - before < timedelta(seconds=20)

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    make_due()
    assert send_notification_emails() == 2
    assert (state(first)[1:], state(second)[1:]) == ((True, False, ""), (True, False, ""))


def test_rejected_email_does_not_delay_the_others(bidder, settings):
    settings.EMAIL_BACKEND = mail_backends.PATH + "RejectsBadAddresses"
    bad = notify_lost(factories.user("bad@example.com"))
    good = notify_lost(bidder)
    assert send_notification_emails() == 1
    assert state(bad) == (1, False, False, "SMTPDataError 552")
    assert state(good) == (1, True, False, "")


def test_email_is_given_up_after_60_attempts(settings):
    settings.EMAIL_BACKEND = mail_backends.PATH + "RejectsBadAddresses"
    delivery = notify_lost(factories.user("bad@example.com"))
    EmailDelivery.objects.update(attempts=59)
    send_notification_emails()
    assert state(delivery) == (60, False, True, "SMTPDataError 552")
    assert (delivery.next_attempt_at, send_notification_emails()) == (None, 0)


def test_mail_server_away_for_days_gives_no_email_up(bidder, settings):
    settings.EMAIL_BACKEND = mail_backends.PATH + "Unreachable"
    delivery = notify_lost(bidder)
    EmailDelivery.objects.update(attempts=59)
    send_notification_emails()
    assert state(delivery) == (59, False, False, "ConnectionRefusedError")
    assert delivery.next_attempt_at is not None


def test_failed_code_email_logs_and_stores_no_code(settings, caplog):
    settings.EMAIL_BACKEND = mail_backends.PATH + "RejectsBadAddresses"
    code = create_code("bad@example.com")
    with caplog.at_level(logging.DEBUG):
        send_codes()
    assert caplog.messages == [f"EmailDelivery {code.delivery.pk} failed, attempt 1: SMTPDataError 552"]
    assert all(record.exc_info is None for record in caplog.records)
    assert state(code.delivery) == (1, False, False, "SMTPDataError 552")


def test_email_sent_again_after_a_killed_worker_has_the_same_message_id(bidder):
    delivery = notify_lost(bidder)
    email_delivery.compose(delivery).send()  # the worker is killed before it records this
    assert send_notification_emails() == 1
    first, second = (message.extra_headers["Message-ID"] for message in mail.outbox)
    assert first == second
    assert first.endswith("@127.0.0.1>")


@pytest.mark.django_db(transaction=True)
def test_emails_are_sent_outside_of_transactions(bidder, settings):
    settings.EMAIL_BACKEND = mail_backends.PATH + "RecordsTransactions"
    mail_backends.RecordsTransactions.in_transaction.clear()
    notify_lost(bidder)
    send_notification_emails()
    assert mail_backends.RecordsTransactions.in_transaction == [False]
