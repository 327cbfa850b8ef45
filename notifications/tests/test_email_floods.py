"""What a member can make the platform mail to others."""

from datetime import timedelta

import pytest
from django.core import mail

from accounts.models import OneTimeCode
from auctioncraft.core import clock
from notifications import metrics
from notifications.kinds import render
from notifications.models import EmailDelivery, Notification
from notifications.services.email_delivery import send_notification_emails
from notifications.services.notification_writer import notify
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def product(seller):
    return factories.product(seller, name="A lamp")


@pytest.fixture
def refund(bidder, product):
    """Return a function that notifies the buyer of the refund of an amount, as the receiver does."""

    def refunded(amount, about=product, recipient=bidder):
        source = f"refund:{Notification.objects.count()}"
        context = {"product": about.name, "amount": amount, "currency": "USD"}
        notify(recipient=recipient, kind="refund_issued", source=source, context=context, product=about)

    return refunded


def an_hour_later():
    """Move what happened an hour into the past."""
    hour = timedelta(hours=1, seconds=1)
    EmailDelivery.objects.filter(sent_at__isnull=False).update(sent_at=clock.now() - hour)
    EmailDelivery.objects.waiting().update(next_attempt_at=clock.now() - timedelta(seconds=1))


def test_sixty_refunds_give_sixty_notifications_and_one_email_an_hour(bidder, refund):
    for cents in range(30):
        refund(f"0.{cents:02}")
        send_notification_emails()
    assert [message.body.split(" for ")[0] for message in mail.outbox] == ["We refunded 0.00 USD"]
    for cents in range(30, 60):
        refund(f"0.{cents}")
    send_notification_emails()
    assert len(mail.outbox) == 1
    an_hour_later()
    assert send_notification_emails() == 1
    newest = mail.outbox[1].body
    assert newest.startswith("We refunded 0.59 USD for “A lamp”")
    assert "This email replaces 58 older ones about the same; all are in your account." in newest
    an_hour_later()
    assert (send_notification_emails(), EmailDelivery.objects.waiting().count()) == (0, 0)
    assert Notification.objects.shown(bidder.pk).count() == 60


def test_emails_about_other_products_to_others_and_of_other_kinds_do_not_wait(bidder, rival, seller, product, refund):
    refund("1.00")
    refund("2.00", recipient=rival)
    refund("3.00", about=factories.product(seller, name="A chair"))
    context = {"product": "A lamp", "total": "5.00", "currency": "USD"}
    notify(recipient=bidder, kind="payment_succeeded", source="order:1:paid", context=context, product=product)
    assert send_notification_emails() == 4
    assert sorted(message.to[0] for message in mail.outbox) == ["bidder@example.com"] * 3 + ["rival@example.com"]


def test_security_emails_are_each_sent(bidder):
    for number in range(3):
        notify(recipient=bidder, kind="account_changed", source=f"user:1:password:{number}", context={})
    assert send_notification_emails() == 3


def test_email_that_waits_for_its_hour_is_not_given_up(bidder, refund):
    refund("1.00")
    send_notification_emails()
    refund("2.00")
    for _ in range(3):
        EmailDelivery.objects.waiting().update(next_attempt_at=clock.now() - timedelta(seconds=1))
        send_notification_emails()
    delivery = EmailDelivery.objects.waiting().get()
    assert (delivery.attempts, delivery.last_error) == (0, "")
    assert timedelta(minutes=59) < delivery.next_attempt_at - clock.now() <= timedelta(hours=1)


def test_address_that_was_not_proved_gets_no_notification_by_email(as_user, seller, product):
    victim = factories.user("victim@example.com", email_verified_at=None)
    notify(
        recipient=victim, kind="auction_lost", source="a", context={"product": "Buy at evil.example!"}, product=product
    )
    assert send_notification_emails() == 0
    assert (mail.outbox, EmailDelivery.objects.waiting().count()) == ([], 0)
    assert EmailDelivery.objects.get().last_error == "address not verified"
    answer = as_user(victim).get("/api/auth/notifications/").json()
    assert answer["unread_count"] == 1


def test_metrics_count_the_emails_to_one_recipient(bidder, rival):
    assert measured() == {"emails_sent_last_hour": 0, "emails_to_one_recipient_last_hour": 0}
    for recipient in (bidder, bidder, rival):
        notify(recipient=recipient, kind="new_login", source=f"{EmailDelivery.objects.count()}", context={})
    now = clock.now()
    code = OneTimeCode.objects.create(email=bidder.email, nonce="n" * 32, created_at=now, expires_at=now)
    EmailDelivery.objects.create(code=code)
    EmailDelivery.objects.update(sent_at=now)
    assert measured() == {"emails_sent_last_hour": 4, "emails_to_one_recipient_last_hour": 3}
    an_hour_later()
    assert measured() == {"emails_sent_last_hour": 0, "emails_to_one_recipient_last_hour": 0}


def measured():
    return {family.name: family.samples[0].value for family in metrics.collect_metrics()}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Click https://evil.example/win?a=b now", "Click evil. example/win?a=b now"),
        ("HTTP://EVIL.EXAMPLE", "EVIL. EXAMPLE"),
        ("www.evil.example and evil.com", "www. evil. example and evil. com"),
        ("write to me@evil.example", "write to me@evil. example"),
        ("javascript://x", "x"),
        ("two\r\nBcc: lines", "two Bcc: lines"),
        ("bell\x07 and \u202eright to left\u200b", "bell and right to left"),
        ("Leica M3, f/1.4, No. 12.5 of U.S. stamps", "Leica M3, f/1.4, No. 12.5 of U.S. stamps"),
        ("Zürich St.Gallen", "Zürich St. Gallen"),
        ("x" * 200, "x" * 59 + "…"),
    ],
)
def test_name_in_a_subject_is_short_and_has_no_link(bidder, name, shown):
    title, message = render("auction_lost", {"product": name})
    assert title == f"You did not win “{shown}”"
    assert "://" not in message
    notify(recipient=bidder, kind="auction_lost", source="a", context={"product": name})
    assert send_notification_emails() == 1
    assert mail.outbox[0].subject == title
