import logging
import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection

from accounts.models import OneTimeCode
from accounts.services import otp
from auctioncraft.core import clock
from notifications.models import EmailDelivery, Notification
from notifications.services import email_delivery
from notifications.services.email_delivery import send_due_emails, wait_after
from notifications.services.notification_writer import notify
from notifications.tests import mailboxes
from tests import factories

pytestmark = pytest.mark.django_db


def tell(recipient, source="test:1"):
    notify(recipient=recipient, kind="auction_lost", source=source, context={"product": "A <b>lamp</b>"})
    return EmailDelivery.objects.get(notification__recipient=recipient, notification__source=source)


def code(email="new@example.com", **fields):
    now = clock.now()
    made = OneTimeCode.objects.create(
        email=email, nonce="n" * 32, created_at=now, **{"expires_at": now + timedelta(minutes=10), **fields}
    )
    email_delivery.request_code(code=made)
    return made


def overdue(**filters):
    """Let the wait of what waits be over."""
    waiting = EmailDelivery.objects.waiting().filter(**filters)
    waiting.update(due_at=clock.now() - timedelta(seconds=1))


def state(delivery):
    delivery.refresh_from_db()
    return (delivery.attempts, delivery.sent_at is not None, delivery.given_up_at is not None, delivery.error)


def test_a_notice_goes_out_as_text_and_html_once(bidder):
    delivery = tell(bidder)

    assert (send_due_emails(), send_due_emails()) == (1, 0)

    (message,) = mail.outbox
    (html,) = message.alternatives
    assert (message.subject, message.to, message.extra_headers["Auto-Submitted"]) == (
        "You did not win “A <b>lamp</b>”",
        ["bidder@example.com"],
        "auto-generated",
    )
    assert message.body.startswith("The auction of “A <b>lamp</b>” has ended, and you did not win it.\n")
    assert html.mimetype == "text/html"
    assert "The auction of “A &lt;b&gt;lamp&lt;/b&gt;” has ended, and you did not win it." in html.content
    assert state(delivery) == (1, True, False, "")


def test_a_code_comes_first_in_its_mail_and_before_older_notices(bidder):
    tell(bidder)
    made = code()

    assert send_due_emails(limit=1) == 2

    digits = otp.derive_code(made)
    first = mail.outbox[0]
    assert mailboxes.subjects() == ["Your code to sign in to AuctionCraft", "You did not win “A <b>lamp</b>”"]
    assert first.to == ["new@example.com"]
    assert first.body.startswith(f"{digits}\n\nThis is your code to sign in to AuctionCraft. It works once, for 10")
    assert digits in first.alternatives[0].content


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"expires_at": timedelta(seconds=-1)}, "code expired"),
        ({"consumed_at": timedelta(0)}, "code used or superseded"),
    ],
)
def test_a_code_that_opens_nothing_any_more_is_given_up(fields, reason):
    made = code(**{name: clock.now() + delta for name, delta in fields.items()})

    assert send_due_emails() == 0

    assert (mail.outbox, state(made.delivery)) == ([], (1, False, True, reason))


def test_nothing_goes_to_a_disabled_account(bidder, rival):
    notice, made = tell(bidder), code(rival.email)
    for user in (bidder, rival):
        user.is_active = False
        user.save()

    assert send_due_emails() == 0

    assert mail.outbox == []
    assert state(notice) == state(made.delivery) == (1, False, True, "recipient disabled")


def test_a_mail_server_that_is_down_delays_and_loses_nothing(bidder, rival, settings, caplog):
    settings.EMAIL_BACKEND = mailboxes.PATH + "Away"
    rows = [tell(bidder), tell(rival)]
    before = clock.now()

    assert send_due_emails() == 0
    assert send_due_emails() == 0  # not due yet: no second attempt

    assert [state(row) for row in rows] == [(1, False, False, "ConnectionRefusedError")] * 2
    assert all(timedelta(seconds=9) < row.due_at - before < timedelta(seconds=20) for row in rows)

    overdue()
    send_due_emails()
    assert [row.due_at - before > timedelta(seconds=19) for row in rows if state(row)[0] == 2] == [True, True]

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    overdue()
    assert send_due_emails() == 2
    assert [state(row) for row in rows] == [(3, True, False, "")] * 2
    assert len(mail.outbox) == 2


def test_one_mail_that_fails_does_not_hold_up_the_others(bidder, settings):
    settings.EMAIL_BACKEND = mailboxes.PATH + "Choosy"
    bad = tell(factories.user("bad@example.com"))
    good = tell(bidder)

    assert send_due_emails() == 1

    assert state(bad) == (1, False, False, "ValueError")
    assert state(good) == (1, True, False, "")


def test_waits_double_to_an_hour_and_stay_short_for_codes():
    assert [wait_after(n, 1).total_seconds() for n in (1, 2, 3, 9, 10, 60)] == [10, 20, 40, 2560, 3600, 3600]
    assert [wait_after(n, 0).total_seconds() for n in (1, 2, 3, 4, 60)] == [2, 4, 8, 15, 15]


def test_after_many_tries_it_is_given_up(bidder, settings):
    settings.EMAIL_BACKEND = mailboxes.PATH + "Away"
    delivery = tell(bidder)
    EmailDelivery.objects.update(attempts=email_delivery.MOST_ATTEMPTS - 1)

    send_due_emails()

    assert state(delivery) == (60, False, True, "ConnectionRefusedError")
    overdue()
    assert send_due_emails() == 0


def test_a_mail_that_kills_every_worker_is_given_up_too(bidder):
    delivery = tell(bidder)
    EmailDelivery.objects.update(attempts=email_delivery.MOST_ATTEMPTS)

    assert send_due_emails() == 0

    assert (mail.outbox, state(delivery)) == ([], (61, False, True, "too many attempts"))


def test_no_code_is_logged_or_stored_when_its_mail_fails(settings, caplog):
    settings.EMAIL_BACKEND = mailboxes.PATH + "Choosy"
    made = code("bad@example.com")

    with caplog.at_level(logging.DEBUG):
        send_due_emails()

    assert caplog.messages == [f"delivery {made.delivery.pk} failed, attempt 1: ValueError"]
    assert state(made.delivery) == (1, False, False, "ValueError")


def test_a_worker_that_died_after_sending_has_its_mail_sent_again_under_the_same_id(bidder, monkeypatch):
    tell(bidder)
    (claimed,) = email_delivery._claim(20)
    email_delivery.compose(claimed).send()  # and here it dies, before the mark

    assert send_due_emails() == 0  # its lease holds
    overdue()
    assert send_due_emails() == 1

    first, second = (message.extra_headers["Message-ID"] for message in mail.outbox)
    assert first == second
    assert first.endswith("@127.0.0.1>")


def test_a_worker_whose_lease_ran_out_cannot_undo_what_the_next_one_did(bidder):
    delivery = tell(bidder)
    (late,) = email_delivery._claim(20)
    overdue()
    (current,) = email_delivery._claim(20)

    email_delivery._failed(late, OSError())
    assert state(delivery) == (2, False, False, "")
    email_delivery._failed(current, OSError())
    assert state(delivery) == (2, False, False, "OSError")


def test_what_there_is_no_time_for_is_handed_back_unattempted(bidder, rival, monkeypatch):
    rows = [tell(bidder), tell(rival)]
    monkeypatch.setattr(email_delivery, "SENDING", -1.0)

    assert send_due_emails(seconds=0.2) == 0

    assert [state(row) for row in rows] == [(0, False, False, "")] * 2
    monkeypatch.undo()
    assert send_due_emails() == 2


@pytest.mark.django_db(transaction=True)
def test_mails_are_sent_outside_of_any_transaction(bidder, settings):
    settings.EMAIL_BACKEND = mailboxes.PATH + "Watched"
    mailboxes.Watched.inside.clear()
    tell(bidder)

    send_due_emails()

    assert mailboxes.Watched.inside == [False]


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_send_each_mail_once(bidder):
    for number in range(30):
        tell(bidder, f"test:{number}")
    start = threading.Barrier(4)
    counts, failures = [], []

    def work():
        try:
            start.wait()
            counts.append(send_due_emails(limit=3))
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert sum(counts) == 30
    assert len({message.extra_headers["Message-ID"] for message in mail.outbox}) == len(mail.outbox) == 30
    assert Notification.objects.filter(delivery__sent_at__isnull=False).count() == 30


def test_an_idle_sweep_is_one_or_two_reads(django_assert_max_num_queries):
    with django_assert_max_num_queries(2):
        send_due_emails()
